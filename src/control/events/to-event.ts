/** What the hub tells, as an event of the API for one actor. Pure. */
import type { ServerEvent } from '../../api/event.ts'
import type { Actor } from '../access/actor.ts'
import type { Position } from '../db/revision.ts'
import type { HubEvent } from '../hub.ts'

const ofKind = (ids: readonly string[], prefix: string): string[] => ids.filter(id => id.startsWith(prefix))

type Hint = Exclude<ServerEvent, { readonly event: 'heartbeat' }>

function hintOf({ kind, ids, revision }: HubEvent, position: Position, at: string): Hint {
  const head = { epoch: position.epoch, revision: Math.max(revision ?? 0, position.revision), at }
  const named = (prefix: string): string[] | null => (ids.length === 0 ? null : ofKind(ids, prefix))
  switch (kind) {
    case 'change':
      return { event: 'change', data: { ...head, serviceIds: named('svc_'), routeIds: named('prt_') } }
    case 'verdict':
      return { event: 'verdict', data: { ...head, routeIds: named('prt_'), nodeIds: named('srv_') } }
    case 'node':
      return { event: 'node', data: { ...head, nodeIds: named('srv_') } }
    default:
      return kind satisfies never
  }
}

/**
 * Null when it is none of the actor's business. What belongs to no single project may name things of others, so whoever has one project
 * is told of it without names.
 */
export function toEvent(event: HubEvent, actor: Pick<Actor, 'projectId'>, position: Position, at: string): Hint | null {
  const { projectId } = actor
  if (projectId === null || event.projectId === projectId) return hintOf(event, position, at)
  if (event.projectId !== null) return null
  return hintOf({ ...event, ids: [] }, position, at)
}

/** One event of a `text/event-stream`. JSON has no line breaks of its own. */
export const eventText = ({ event, data }: ServerEvent): string => `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
