/** The polls that wait for their answer, and how long they may: the lifetimes to the decisions of hold.ts. */
import type { ServerResponse } from 'node:http'
import type { Exchange } from './connections.ts'
import { decideHold, type HoldEvent, type HoldShortened, INITIAL_HOLD, nextHold, type PollView } from './hold.ts'

export type HeldPoll = {
  readonly exchange: Exchange
  readonly response: ServerResponse
  /** Monotonic. */
  readonly arrivedAtMs: number
  readonly askedMs: number
  readonly holdMs: number
  /** Traefik's: what anybody else waits for says nothing of its pollTimeout. */
  readonly counts: boolean
  /** Sends the answer; `last` ends the connection after it. */
  readonly answer: (end: { readonly last: boolean }) => void
}

export type HeldPolls = {
  /** Null: answer now. Otherwise hold for so many milliseconds. */
  readonly decide: (poll: PollView) => number | null
  /** Holds a poll until it is released, its time is over, or its client hangs up. */
  readonly keep: (poll: HeldPoll) => void
  readonly releaseAll: (end: { readonly last: boolean }) => void
  readonly reset: () => void
  /** Of Traefik's. */
  readonly size: () => number
  readonly shortened: () => HoldShortened | null
}

export function makeHeldPolls(options: {
  readonly nowMs: () => number
  /** Milliseconds since 1970. */
  readonly wallClock: () => number
  readonly onShortened: (shortened: HoldShortened) => void
}): HeldPolls {
  const { nowMs, wallClock, onShortened } = options
  const held = new Set<Exchange>()
  const counted = new Set<Exchange>()
  let state = INITIAL_HOLD

  function change(event: HoldEvent) {
    const before = state.shortened
    state = nextHold(state, event)
    if (state.shortened !== null && state.shortened !== before) onShortened(state.shortened)
  }

  return {
    decide: poll => decideHold(state, poll),
    keep({ exchange, response, arrivedAtMs, askedMs, holdMs, counts, answer }) {
      const timer = setTimeout(() => exchange.release?.({ last: false }), holdMs)
      const leave = () => {
        clearTimeout(timer)
        held.delete(exchange)
        counted.delete(exchange)
        exchange.release = null
      }
      held.add(exchange)
      if (counts) counted.add(exchange)
      exchange.release = end => {
        leave()
        if (counts) change({ kind: 'answered', waitedMs: nowMs() - arrivedAtMs })
        answer(end)
      }
      response.once('close', () => {
        // Released, or cut off by us: then nobody hung up.
        const hungUp = exchange.release !== null && counts
        leave()
        const endedAtMs = nowMs()
        if (hungUp) change({ kind: 'hung-up', askedMs, waitedMs: endedAtMs - arrivedAtMs, endedAtMs, at: wallClock() })
      })
    },
    releaseAll(end) {
      for (const exchange of [...held]) exchange.release?.(end)
    },
    reset: () => change({ kind: 'reset' }),
    size: () => counted.size,
    shortened: () => state.shortened,
  }
}
