/**
 * How many polls of one node are held at a time. An agent has one, and a few that it does not know to be dead yet; a key in wrong hands
 * could have thousands, and with them the connections of all the others. Beyond the limit the oldest is let go.
 */
export const MAX_HELD_POLLS = 8

type Poll = { readonly release: () => void }

export type HeldPoll = {
  /** Aborted when the caller is gone, or when there are too many of this node. */
  readonly signal: AbortSignal
  wasReleased(): boolean
  leave(): void
}

export type HeldPolls = { enter(nodeId: string, gone: AbortSignal): HeldPoll }

export function createHeldPolls(): HeldPolls {
  const byNode = new Map<string, Set<Poll>>()
  return {
    enter(nodeId, gone) {
      const aborter = new AbortController()
      let released = false
      const poll: Poll = {
        release() {
          released = true
          aborter.abort(new Error('too many polls of one node'))
        },
      }
      const polls = byNode.get(nodeId) ?? new Set<Poll>()
      byNode.set(nodeId, polls)
      // In the order of their coming.
      const [oldest] = polls
      if (oldest !== undefined && polls.size >= MAX_HELD_POLLS) {
        polls.delete(oldest)
        oldest.release()
      }
      polls.add(poll)
      const onGone = () => aborter.abort(gone.reason)
      if (gone.aborted) onGone()
      else gone.addEventListener('abort', onGone, { once: true })
      return {
        signal: aborter.signal,
        wasReleased: () => released,
        leave() {
          gone.removeEventListener('abort', onGone)
          polls.delete(poll)
          if (polls.size === 0 && byNode.get(nodeId) === polls) byNode.delete(nodeId)
        },
      }
    },
  }
}
