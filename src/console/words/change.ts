/** What somebody did, in words: the action of an audit row becomes the verb of a sentence, `exposed`, `deleted the service`. */
import type { AuditRow } from '../../api/audit.ts'

const WORDS: Readonly<Record<string, string>> = {
  'service.create': 'exposed',
  'service.update': 'changed',
  'service.delete': 'deleted the service',
  'service.endpoints': 'changed the backends of',
  'port.create': 'added a port to',
  'port.update': 'changed a port of',
  'port.delete': 'took a port off',
  'port.expire': 'saw a port end of',
  'pool.free': 'freed the port',
  'pool.reserve': 'reserved the port',
  'pool.unreserve': 'gave back the reserved port',
  'pool.repair': 'repaired the pools',
  'project.create': 'made the project',
  'project.update': 'changed the project',
  'project.delete': 'deleted the project',
  'node.enroll': 'enrolled as',
  'node.enroll-again': 'enrolled anew as',
  'node.rename': 'renamed',
  'node.accept': 'accepted what was held on',
  'node.retire': 'retired',
  'node.revoke': 'revoked the key of',
  'node.delete': 'forgot the node',
  'node.lose': 'has not heard of',
  'node.return': 'heard again of',
  'route.probe': 'asked for a probe of',
  'token.create': 'made the API token',
  'token.revoke': 'revoked the API token',
  'session.open': 'signed in',
  'session.close': 'signed out',
  'enrollment-token.create': 'made an enrolment token',
  'login-link.create': 'made a sign-in link',
  'epoch.raise': 'raised the epoch',
}

/** An action that this version does not know stays as it is, without its dots. */
export function changeWords(action: string): string {
  return Object.hasOwn(WORDS, action) ? (WORDS[action] ?? action) : action.replace(/[._-]/g, ' ')
}

/** Who did it: by name, where the name is known. Who signs in is nobody before, so it is the one who is signed in then. */
export function actorWords({ action, actor, after }: Pick<AuditRow, 'action' | 'actor' | 'after'>): string {
  if (action === 'session.open' && typeof after === 'object' && after !== null && 'name' in after) {
    if (typeof after.name === 'string' && after.name !== '') return after.name
  }
  return actor.name ?? (actor.kind === 'session' ? 'somebody' : actor.id)
}
