/** What somebody did, in words: the action of an audit row becomes the verb of a sentence, `exposed`, `deleted the service`. */

const WORDS: Readonly<Record<string, string>> = {
  'service.create': 'exposed',
  'service.update': 'changed',
  'service.delete': 'deleted a service',
  'service.endpoints': 'changed the backends of',
  'endpoints.replace': 'changed the backends of',
  'endpoints.update': 'changed the backends of',
  'port.create': 'added a port to',
  'port.update': 'changed a port of',
  'port.delete': 'took a port off',
  'port.expire': 'saw a port end',
  'port.free': 'freed a port',
  'port.reserve': 'reserved a port',
  'port.unreserve': 'gave a reserved port back',
  'project.create': 'made the project',
  'project.update': 'changed the project',
  'project.delete': 'deleted a project',
  'node.enroll': 'enrolled',
  'node.update': 'renamed',
  'node.accept': 'accepted what was held on',
  'node.retire': 'retired',
  'node.revoke': 'revoked the key of',
  'node.delete': 'deleted a node',
  'token.create': 'made an API token',
  'token.revoke': 'revoked an API token',
  'token.delete': 'revoked an API token',
  'session.create': 'signed in',
  'session.open': 'signed in',
  'session.delete': 'signed out',
  'session.close': 'signed out',
  'enrollment_token.create': 'made an enrolment token',
  'enrollment-token.create': 'made an enrolment token',
  'login_link.create': 'made a sign-in link',
}

/** An action that this version does not know stays as it is, without its dots. */
export function changeWords(action: string): string {
  return Object.hasOwn(WORDS, action) ? (WORDS[action] ?? action) : action.replace(/[._-]/g, ' ')
}
