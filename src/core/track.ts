/** Since when a route has its verdict: the same verdict for the same reason goes on, whatever else changed. */
import type { RouteVerdict } from './judge.ts'

export type TrackedVerdict = RouteVerdict & {
  /** Milliseconds since 1970. */
  readonly since: number
  /** Revision label of the state that it speaks of. */
  readonly revision: number | string
}

const keyOf = (verdict: RouteVerdict): string => `${verdict.protocol}/${verdict.id} ${verdict.origin}`

export function trackVerdicts(
  previous: readonly TrackedVerdict[],
  next: readonly RouteVerdict[],
  revision: number | string,
  nowMs: number,
): TrackedVerdict[] {
  const before = new Map(previous.map(verdict => [keyOf(verdict), verdict]))
  return next.map(verdict => {
    const was = before.get(keyOf(verdict))
    const since =
      was !== undefined && was.verdict === verdict.verdict && was.reason === verdict.reason ? was.since : nowMs
    return { ...verdict, since, revision }
  })
}
