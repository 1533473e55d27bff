/**
 * When a released number, or host name on a shared number, may go to somebody else: once no node sends old clients there any more.
 *
 * Every node must have acknowledged a revision without the old route, and a least time must have passed, for clients that have the address
 * in their hands. A node that is lost may still serve, so it holds back too, until it is back or an admin has retired it.
 */
import { isBefore, type Position } from '../db/revision.ts'

export type Resting = {
  /** The project that had it last, or null when nobody knows. */
  readonly releasedBy: string | null
  /** How long it rests already, by the clock of the database. */
  readonly restedMs: number
  /** The revision that took the old route away. */
  readonly blocked: Position
}

export type NodeKnowledge = {
  readonly id: string
  readonly name: string
  readonly status: 'active' | 'lost' | 'retired'
  readonly lastSeenAt: Date | null
  /** It was never told anything older. */
  readonly enrolled: Position
  readonly applied: Position | null
}

/** A node for which something has to rest. */
export type Blocker = Pick<NodeKnowledge, 'id' | 'name' | 'lastSeenAt'> & { readonly status: 'active' | 'lost' }

export type Rest = {
  readonly over: boolean
  /** What is left of the least time; 0 when that has passed. */
  readonly leftMs: number
  readonly blockedBy: readonly Blocker[]
}

const knows = ({ applied, enrolled }: NodeKnowledge, position: Position): boolean =>
  !isBefore(enrolled, position) || (applied !== null && !isBefore(applied, position))

export function judgeRest(
  { restedMs, blocked }: Resting,
  nodes: readonly NodeKnowledge[],
  { leastTimeMs }: { readonly leastTimeMs: number },
): Rest {
  const blockedBy: Blocker[] = []
  for (const node of nodes) {
    const { id, name, status, lastSeenAt } = node
    if (status !== 'retired' && !knows(node, blocked)) blockedBy.push({ id, name, status, lastSeenAt })
  }
  const leftMs = Math.max(0, leastTimeMs - restedMs)
  return { over: leftMs === 0 && blockedBy.length === 0, leftMs, blockedBy }
}
