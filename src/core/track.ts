/** Since when a route has its verdict: the same verdict for the same reason goes on, whatever else changed. */
import type { RouteVerdict } from './judge.ts'
import type { ReasonCode } from './verdict.ts'

export type TrackedVerdict = RouteVerdict & {
  /** Milliseconds since 1970. */
  readonly since: number
  /** Revision label of the state that it speaks of. */
  readonly revision: number | string
  /** How long the change took that made it live, by stage; absent when nobody measured. */
  readonly timingsMs?: TimingsMs
}

/** Milliseconds by stage: `compile`, `serve` (reading and saving included), `fetch`, `apply`, `probe`, and `live` for the whole way up to `apply`. */
export type TimingsMs = Readonly<Record<string, number>>

const routeOf = ({ protocol, id, origin }: RouteVerdict): string => `${protocol}/${id} ${origin}`

/** Two routes of one file may have the same id: then it is what became of them that tells them apart. */
const keyOf = (route: RouteVerdict): string => `${routeOf(route)} ${route.verdict} ${route.reason}`

const ON_ITS_WAY: ReadonlySet<ReasonCode> = new Set<ReasonCode>(['NOT_YET_POLLED', 'TOKEN_REFUSED', 'NOT_YET_APPLIED'])

/**
 * @param nowMs milliseconds since 1970
 * @param tookMs of the body that was seen as applied just now; null: of none
 */
export function trackVerdicts(
  previous: readonly TrackedVerdict[],
  next: readonly RouteVerdict[],
  revision: number | string,
  nowMs: number,
  tookMs: TimingsMs | null = null,
): TrackedVerdict[] {
  const before = new Map(previous.map(verdict => [keyOf(verdict), verdict]))
  const waited = tookMs === null ? null : new Set(previous.filter(({ reason }) => ON_ITS_WAY.has(reason)).map(routeOf))
  return next.map(verdict => {
    const same = before.get(keyOf(verdict))
    if (same !== undefined) {
      const { since, timingsMs } = same
      return { ...verdict, since, revision, ...(timingsMs === undefined ? {} : { timingsMs }) }
    }
    const isMade = tookMs !== null && verdict.verdict === 'live' && waited?.has(routeOf(verdict)) === true
    return { ...verdict, since: nowMs, revision, ...(isMade ? { timingsMs: tookMs } : {}) }
  })
}
