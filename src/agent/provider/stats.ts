/** What the polls so far tell: when the last one was, how many there were, how fast they come, and from how many Traefiks. */

/** Polls of one connection. Times are of a monotonic clock. */
export type PollSpan = {
  /** First and last poll that was answered. */
  readonly fromMs: number
  readonly toMs: number
  readonly polls: number
}

const POLLER_WINDOW_MS = 60_000

/**
 * How many clients have polled within the last minute: the most connections whose polls overlap in time.
 *
 * One Traefik uses one connection after the other, two Traefiks use two at once. A connection with a single poll is no poller beside
 * others, so a look with curl does not count.
 */
export function countPollers(spans: readonly PollSpan[], nowMs: number): number {
  const recent = spans.filter(span => span.toMs >= nowMs - POLLER_WINDOW_MS)
  const steady = recent.filter(span => span.polls > 1)
  const overlapping = steady.map(
    ({ fromMs }) => steady.filter(other => other.fromMs <= fromMs && fromMs < other.toMs).length,
  )
  return Math.max(0, ...overlapping, recent.length > 0 ? 1 : 0)
}

/** The middle value, or the mean of the two in the middle; null when there is none. */
export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle]
  if (upper === undefined) return null
  const lower = sorted[middle - 1]
  return sorted.length % 2 === 1 || lower === undefined ? upper : (lower + upper) / 2
}

const GAPS = 15
const CLOSED_SPANS = 256

export type PollStats = {
  /** Of Traefik's polls, as are the others but where it says so. */
  readonly lastPollAt: number | null
  readonly polls: number
  /** Polls of clients that are no Traefik, and what the last one calls itself. */
  readonly strangers: { readonly polls: number; readonly name: string } | null
  /** Every answer of the endpoint. */
  readonly pollsByStatus: Readonly<Record<string, number>>
  /** Whoever asked. */
  readonly unauthorized: number
  /** The last poll of a Traefik was refused for its token. */
  readonly tokenRefused: boolean
  readonly lastServedHash: string | null
  readonly pollers: number
  readonly pollGapMs: number | null
}

/** A running account; `read` gives it as a value. */
export function makePollAccount() {
  const byStatus = new Map<number, number>()
  const gaps: number[] = []
  let closed: PollSpan[] = []
  let polls = 0
  let tokenRefused = false
  let strangers: PollStats['strangers'] = null
  let lastPollAt: number | null = null
  let lastServedHash: string | null = null

  return {
    /** Any answer that is out, refusals included. */
    answered(status: number) {
      byStatus.set(status, (byStatus.get(status) ?? 0) + 1)
    },
    /** A poll was answered with a body (its hash) or with a 503 (null). */
    polled(at: number, hash: string | null) {
      polls += 1
      tokenRefused = false
      lastPollAt = at
      lastServedHash = hash ?? lastServedHash
    },
    /** A poll of a Traefik was refused for its token. */
    refusedToken() {
      tokenRefused = true
    },
    /** A poll of a client that is no Traefik was answered. */
    strange(name: string) {
      strangers = { polls: (strangers?.polls ?? 0) + 1, name }
    },
    /** Time between an answer and the next poll on its connection. */
    gap(ms: number) {
      gaps.push(ms)
      if (gaps.length > GAPS) gaps.shift()
    },
    /** A connection has ended; what it polled counts for a minute more. */
    closed(span: PollSpan, nowMs: number) {
      closed = [...closed.filter(({ toMs }) => toMs >= nowMs - POLLER_WINDOW_MS), span].slice(-CLOSED_SPANS)
    },
    /** `open`: the connections that are there now. */
    read(open: readonly PollSpan[], nowMs: number): PollStats {
      const gap = median(gaps)
      return {
        lastPollAt,
        polls,
        strangers,
        pollsByStatus: Object.fromEntries(byStatus),
        unauthorized: byStatus.get(401) ?? 0,
        tokenRefused,
        lastServedHash,
        pollers: countPollers([...closed, ...open], nowMs),
        pollGapMs: gap === null ? null : Math.round(gap),
      }
    },
  }
}
