/**
 * Waits until it is known what became of a route: asks when word of it comes, and now and then all the same, since a word that was missed
 * must not keep anybody waiting.
 */
import { Route, type RouteOnNode } from '../../api/route.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ApiClient } from '../client/api-client.ts'
import type { Hints } from '../client/hints.ts'

export type Outcome =
  /** From the moment that the control plane had written it down; null where no node has measured. */
  | { readonly live: true; readonly afterMs: number; readonly route: Route }
  | { readonly live: false; readonly route: Route; readonly node: RouteOnNode | null }

export type WaitOptions = {
  readonly client: Pick<ApiClient, 'ask'>
  readonly hints: Pick<Hints, 'isOpen' | 'heard'>
  readonly routeId: string
  readonly clock: Clock
  readonly deadlineMs: number
  /** By the clock that never jumps: when the request was sent that made it. */
  readonly sinceMs: number
}

const FIRST_PAUSE_MS = 40
const LONGEST_PAUSE_MS = 500
/** Between two looks of who would be told. */
const TOLD_PAUSE_MS = 2_000
/** A verdict that has stood for so long will not change by waiting. */
const FINAL_AFTER_MS = 3_000

const worst = ({ nodes, verdict }: Route): RouteOnNode | null => nodes.find(node => node.verdict === verdict) ?? null

const isUnderWay = ({ verdict, nodes }: Route): boolean => verdict === 'pending' || nodes.length === 0

/** What the slowest node has measured, else what we have waited. */
function liveAfter({ nodes }: Route, waitedMs: number): number {
  const measured = nodes.flatMap(({ timingsMs }) => timingsMs.savedToLive ?? [])
  return measured.length === nodes.length && measured.length > 0 ? Math.max(...measured) : waitedMs
}

export async function waitForVerdict(options: WaitOptions): Promise<Outcome> {
  const { client, hints, routeId, clock, deadlineMs, sinceMs } = options
  const deadline = clock.monotonic() + deadlineMs
  const never = new AbortController().signal
  const standing = { verdict: '', since: 0 }
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
    const route = await client.ask({ path: `/routes/${encodeURIComponent(routeId)}` }, Route)
    const now = clock.monotonic()
    if (route.verdict === 'live' && route.nodes.length > 0)
      return { live: true, afterMs: liveAfter(route, now - sinceMs), route }
    if (standing.verdict !== route.verdict) Object.assign(standing, { verdict: route.verdict, since: now })
    const finalInMs = isUnderWay(route) ? Number.POSITIVE_INFINITY : standing.since + FINAL_AFTER_MS - now
    const leftMs = Math.min(finalInMs, deadline - now)
    if (leftMs <= 0) return { live: false, route, node: worst(route) }
    const heard = await hints.heard(routeId, Math.min(hints.isOpen() ? TOLD_PAUSE_MS : pauseMs, leftMs))
    // Where much happens there is always word of something: that is no reason to ask more often than without it.
    if (heard === 'perhaps') await clock.sleep(Math.min(pauseMs, leftMs), never)
  }
}
