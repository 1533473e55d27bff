/** Since when a route has its verdict: the same verdict for the same reason goes on, whatever else changed. */
import type { RouteVerdict } from './judge.ts'

export type TrackedVerdict = RouteVerdict & {
  /** Milliseconds since 1970. */
  readonly since: number
  /** Revision label of the state that it speaks of. */
  readonly revision: number | string
}

/** Two routes of one file may have the same id: then it is what became of them that tells them apart. */
const keyOf = ({ protocol, id, origin, verdict, reason }: RouteVerdict): string =>
  `${protocol}/${id} ${origin} ${verdict} ${reason}`

/** @param nowMs milliseconds since 1970 */
export function trackVerdicts(
  previous: readonly TrackedVerdict[],
  next: readonly RouteVerdict[],
  revision: number | string,
  nowMs: number,
): TrackedVerdict[] {
  const before = new Map(previous.map(verdict => [keyOf(verdict), verdict.since]))
  return next.map(verdict => ({ ...verdict, since: before.get(keyOf(verdict)) ?? nowMs, revision }))
}
