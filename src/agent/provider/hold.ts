/**
 * How long a poll is held: pure decisions over values, the clock handed in with each event.
 *
 * ```
 * poll -> decideHold -> answer now, or hold for N ms -> body changed | hold over | client hung up -> nextHold
 * ```
 * Traefik gives up on a poll after its `pollTimeout` and then backs off for up to 19 s. A hold that is longer than that time-out would
 * therefore make every change late, so two hang-ups after the same wait shorten it.
 */

export const MAX_HOLD_MS = 300_000
const MIN_EFFECTIVE_HOLD_MS = 800
const SHARE_OF_TIMEOUT = 0.8
// A client that goes away sooner was stopped by somebody; no usable pollTimeout is that short.
const SHORTEST_TIMEOUT_MS = 1_000
const SAME_WAIT = 0.1

/** `25s` or `500ms`, 1 ms to 5 min, in milliseconds; null for anything else. */
export function parseHold(text: string): number | null {
  const parts = /^([0-9]{1,6})(ms|s)$/.exec(text)
  if (parts === null) return null
  const ms = Number(parts[1]) * (parts[2] === 's' ? 1_000 : 1)
  return ms >= 1 && ms <= MAX_HOLD_MS ? ms : null
}

export type PollView = {
  /** What the poll asked for; null without `hold`. */
  readonly askedMs: number | null
  /** Hash of the body that would be served now; null before the first one. */
  readonly currentHash: string | null
  /** Hash of the last body that this connection was given whole; null when there was none. */
  readonly connectionHash: string | null
  /** Another answer on this connection is not out yet: an answer to a pipelined request has to follow it. */
  readonly pipelined: boolean
  readonly stopping: boolean
}

/** Null: answer now. Otherwise hold for so many milliseconds, unless the body changes. */
export function decideHold(state: HoldState, poll: PollView): number | null {
  if (poll.askedMs === null || poll.stopping || poll.pipelined) return null
  if (poll.currentHash !== null && poll.currentHash !== poll.connectionHash) return null
  return effectiveHoldMs(state, poll.askedMs)
}

export type HoldShortened = {
  /** What the polls ask for. */
  readonly askedMs: number
  /** How long they are held instead. */
  readonly effectiveMs: number
  /** Milliseconds since 1970. */
  readonly since: number
}

export type HoldState = {
  /** The last hang-up that may be the first of two; times of a monotonic clock. */
  readonly lastHangUp: { readonly waitedMs: number; readonly endedAtMs: number } | null
  readonly shortened: HoldShortened | null
}

export const INITIAL_HOLD: HoldState = { lastHangUp: null, shortened: null }

export type HoldEvent =
  /** The client closed its connection while its poll was held. `endedAtMs` is monotonic, `at` is milliseconds since 1970. */
  | {
      readonly kind: 'hung-up'
      readonly askedMs: number
      readonly waitedMs: number
      readonly endedAtMs: number
      readonly at: number
    }
  /** A held poll was answered while the client was still waiting for it. */
  | { readonly kind: 'answered'; readonly waitedMs: number }
  /** Another process of Traefik, perhaps with other settings. */
  | { readonly kind: 'reset' }

export function effectiveHoldMs(state: HoldState, askedMs: number): number {
  return state.shortened === null ? askedMs : Math.min(askedMs, state.shortened.effectiveMs)
}

export function nextHold(state: HoldState, event: HoldEvent): HoldState {
  switch (event.kind) {
    case 'reset':
      return INITIAL_HOLD
    case 'answered': {
      // A client that waited for longer than the last hang-up took has no such time-out. Short waits say nothing: the body changed first.
      const { lastHangUp } = state
      const refuted = lastHangUp !== null && event.waitedMs > lastHangUp.waitedMs * (1 + SAME_WAIT)
      return refuted ? { ...state, lastHangUp: null } : state
    }
    case 'hung-up':
      return afterHangUp(state, event)
    default:
      return event satisfies never
  }
}

function afterHangUp(state: HoldState, event: Extract<HoldEvent, { kind: 'hung-up' }>): HoldState {
  const { lastHangUp, shortened } = state
  // Two polls that were held at the same time and ended together were cut off by one event, such as the stop of two Traefiks.
  const atOnce = lastHangUp !== null && event.endedAtMs - event.waitedMs < lastHangUp.endedAtMs
  if (atOnce) return state
  if (event.waitedMs < SHORTEST_TIMEOUT_MS) return { ...state, lastHangUp: null }
  const same =
    lastHangUp !== null &&
    Math.abs(event.waitedMs - lastHangUp.waitedMs) <= SAME_WAIT * Math.max(event.waitedMs, lastHangUp.waitedMs)
  if (!same) return { ...state, lastHangUp: { waitedMs: event.waitedMs, endedAtMs: event.endedAtMs } }
  const timeoutMs = Math.min(event.waitedMs, lastHangUp.waitedMs)
  const effectiveMs = Math.max(MIN_EFFECTIVE_HOLD_MS, Math.round(timeoutMs * SHARE_OF_TIMEOUT))
  return {
    lastHangUp: null,
    shortened:
      shortened !== null && shortened.effectiveMs <= effectiveMs
        ? shortened
        : { askedMs: event.askedMs, effectiveMs, since: event.at },
  }
}
