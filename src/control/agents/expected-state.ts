/**
 * The answer to a node that asks for its expected state, now or when there is something new.
 *
 *   what the node has (ETag) -> the same as now? -> held: [newer position | something for this node | time over | stopping] -> look again
 *
 * Each look reads the node anew: one that is revoked while it waits is told nothing more.
 */
import type { Clock } from '../../lib/clock.ts'
import type { Database } from '../db/client.ts'
import { isBefore } from '../db/revision.ts'
import type { Hub, WaitResult } from '../hub.ts'
import { checkWelcome } from './authenticate.ts'
import { makeDocument, matchingTag } from './document.ts'
import { createHeldPolls } from './held-polls.ts'
import type { NodeReader, NodeRow, NodeView } from './node-reader.ts'
import { readRemovedBetween } from './removed.ts'
import type { SharedState, SharedStates } from './shared-state.ts'

export type StateQuestion = {
  /** As the signature was checked with. */
  readonly view: NodeView & { readonly node: NodeRow }
  readonly ifNoneMatch: string | undefined
  /** How long the answer may be held; 0: not at all. */
  readonly waitMs: number
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

export type StateAnswer =
  | { readonly kind: 'unchanged'; readonly etag: string }
  | {
      readonly kind: 'document'
      readonly etag: string
      readonly head: string
      /** What follows: the tail of this, or, where the node lacks older removals, a text of its own. */
      readonly shared: SharedState
      readonly ownTail: string | null
    }

export type ExpectedStateOptions = {
  readonly database: Pick<Database, 'transaction' | 'controlPlaneId'>
  readonly clock: Pick<Clock, 'monotonic'>
  readonly hub: Pick<Hub, 'waitPast'>
  readonly reader: NodeReader
  readonly states: SharedStates
}

export type ExpectedState = {
  /** Rejects with a DatabaseError, with an ApiError (401), or with the reason of the signal. */
  ask(question: StateQuestion): Promise<StateAnswer>
}

export function createExpectedState({ database, clock, hub, reader, states }: ExpectedStateOptions): ExpectedState {
  const held = createHeldPolls()

  /** For a node that has been away for longer than the shared list goes back. */
  async function ownTail({ enrolled, applied }: NodeRow, shared: SharedState): Promise<string | null> {
    const known = (applied ?? enrolled).revision
    if (known >= shared.removedSince) return null
    const older = await database.transaction(tx => readRemovedBetween(tx, known, shared.removedSince), {
      readOnly: true,
    })
    return older.length === 0
      ? null
      : `"removed":${JSON.stringify([...older, ...shared.removed])},"traefik":${shared.traefik}}`
  }

  async function hold(
    { node, wakes }: NodeView & { readonly node: NodeRow },
    { position }: SharedState,
    timeoutMs: number,
    gone: AbortSignal,
  ): Promise<WaitResult> {
    const poll = held.enter(node.id, gone)
    try {
      return await hub.waitPast(position, { signal: poll.signal, timeoutMs, nodeId: node.id, since: wakes })
    } catch (error) {
      if (poll.wasReleased()) return 'released'
      throw error
    } finally {
      poll.leave()
    }
  }

  async function ask({ view: first, ifNoneMatch, waitMs, signal }: StateQuestion): Promise<StateAnswer> {
    const deadlineMs = clock.monotonic() + waitMs
    let view = first
    let before: SharedState | null = null
    for (;;) {
      const shared = await states.at(view.position)
      const { etag, head } = makeDocument(database.controlPlaneId, view.node, shared, view.probes)
      const tag = matchingTag(ifNoneMatch, { etag })
      if (tag === null) return { kind: 'document', etag, head, shared, ownTail: await ownTail(view.node, shared) }
      const leftMs = deadlineMs - clock.monotonic()
      // Told of a newer one that nobody can read: the database has lost it, and will be at another epoch soon.
      const isLost = before !== null && !isBefore(before.position, shared.position)
      if (leftMs <= 0 || isLost) return { kind: 'unchanged', etag: tag }
      const result = await hold(view, shared, leftMs, signal)
      if (result === 'late' || result === 'released') return { kind: 'unchanged', etag: tag }
      before = result === 'past' ? shared : null
      const next = await reader.read(view.node.id)
      signal.throwIfAborted()
      // The row is never deleted; were it, the key would be nobody's.
      const node = next.node ?? { ...view.node, isRevoked: true }
      checkWelcome(node)
      view = { ...next, node }
    }
  }

  return { ask }
}
