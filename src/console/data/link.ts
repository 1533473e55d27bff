/**
 * The link to the control plane: one event stream, and what may be believed while it is up.
 *
 *   starting ──opened──> up ──closed twice, or 10 s of silence──> lost ──opened──> returning ──fetched──> up
 *
 * A pure machine: `step` takes what happened and answers what to do. The control plane ends a stream after some minutes, so one that
 * closes is opened anew at once, and only when that fails is the link lost. On the way back everything is fetched again first, and only
 * then are verdicts shown as known again (`returning` is not up). Times are milliseconds of one clock, the caller's.
 */

/** Nothing heard for this long: the link is lost. The server sends a heartbeat every 5 s. */
export const SILENCE_MS = 10_000
/** Between attempts; the last one repeats. */
const BACKOFF_MS = [1_000, 2_000, 4_000, 8_000, 15_000] as const

export type Link = {
  readonly phase: 'starting' | 'up' | 'lost' | 'returning'
  /** When anything was last heard, or the page was opened. */
  readonly heardAt: number
  /** Failed attempts in a row. */
  readonly attempts: number
  /** When the next attempt is due, or the one that is under way is given up; null: none is needed. */
  readonly retryAt: number | null
  /** An attempt is under way: while the link is lost, or because a stream that was up has ended. */
  readonly trying: boolean
}

/**
 * `failed`: what was to be fetched did not come, or the browser has no network. `nudge`: something makes it worth trying at once: the
 * network is back, the page has the focus, a person asks.
 */
export type LinkEvent = {
  readonly type: 'opened' | 'heard' | 'closed' | 'failed' | 'fetched' | 'tick' | 'nudge'
  readonly now: number
}

/** `connect`: open the stream anew, whatever was there. `disconnect`: close it. `fetch`: fetch everything again, then say `fetched`. */
export type LinkDeed = 'connect' | 'disconnect' | 'fetch'

export type LinkStep = { readonly link: Link; readonly deeds: readonly LinkDeed[] }

export const startLink = (now: number): LinkStep => ({
  link: { phase: 'starting', heardAt: now, attempts: 0, retryAt: null, trying: true },
  deeds: ['connect'],
})

/** Verdicts may be shown as they are. At the start they have just been fetched, so they may, until the first silence is too long. */
export const isUp = ({ phase }: Link): boolean => phase === 'up' || phase === 'starting'

/** `jitter`: 0 to 1, by chance; it spreads the attempts of many browsers over up to a quarter more. */
export function step(link: Link, event: LinkEvent, jitter: number): LinkStep {
  const { now } = event
  switch (event.type) {
    case 'opened':
      if (!isUp(link))
        return { link: { ...link, phase: 'returning', heardAt: now, retryAt: null, trying: false }, deeds: ['fetch'] }
      // A stream that was opened anew may have missed something; the first one has not, since the page has just been fetched.
      return { link: up(now), deeds: link.phase === 'up' && link.trying ? ['fetch'] : [] }
    case 'heard':
      // Something said on a link that was given up: it is back.
      if (link.phase === 'lost') return step(link, { type: 'opened', now }, jitter)
      if (link.phase === 'starting') return { link: up(now), deeds: [] }
      return { link: { ...link, heardAt: now }, deeds: [] }
    case 'fetched':
      return { link: link.phase === 'returning' ? up(now) : link, deeds: [] }
    case 'closed':
      if (link.phase === 'up' && !link.trying) return { link: { ...link, trying: true }, deeds: ['connect'] }
      return lose(link, now, jitter)
    case 'failed':
      return link.phase === 'lost' ? { link, deeds: [] } : lose(link, now, jitter)
    case 'tick':
      if (link.phase === 'lost')
        return link.retryAt !== null && now >= link.retryAt ? attempt(link, now) : { link, deeds: [] }
      return now - link.heardAt >= SILENCE_MS ? lose(link, now, jitter) : { link, deeds: [] }
    case 'nudge':
      return link.phase === 'lost' && !link.trying ? attempt(link, now) : { link, deeds: [] }
    default: {
      const never: never = event.type
      return never
    }
  }
}

const up = (now: number): Link => ({ phase: 'up', heardAt: now, attempts: 0, retryAt: null, trying: false })

function lose(link: Link, now: number, jitter: number): LinkStep {
  const pauseMs = BACKOFF_MS[Math.min(link.attempts, BACKOFF_MS.length - 1)] ?? SILENCE_MS
  const retryAt = now + pauseMs * (1 + jitter / 4)
  return {
    link: { ...link, phase: 'lost', attempts: link.attempts + 1, retryAt, trying: false },
    deeds: ['disconnect'],
  }
}

/** `connect` opens anew whatever was there, so an attempt that hangs ends with the next one. */
function attempt(link: Link, now: number): LinkStep {
  return { link: { ...link, retryAt: now + SILENCE_MS, trying: true }, deeds: ['connect'] }
}
