/** Several readings become one list of candidates, each with the time from which its claim counts. */
import type { Candidate } from './conflicts.ts'
import type { Route } from './route.ts'

export type RankedRoutes = {
  /** 0 for local files, 1 for a control plane. */
  readonly rank: number
  readonly routes: readonly { readonly route: Route; readonly origin: string }[]
}

/**
 * When this agent first saw a claim, in milliseconds since 1970; kept across restarts. A clock that was set back, or two readings within
 * one millisecond, do not make a newcomer as old as what it knows already: each new reading counts as later than all before it.
 */
export type FirstSeen = Readonly<Record<string, number>>

/** What a route claims, as one text. A route that moves to another port or host name makes a new claim. */
export function claimOf(route: Route): string {
  switch (route.protocol) {
    case 'http':
      return `http/${route.id} ${route.domain}${route.pathPrefix}`
    case 'tcp':
      return `tcp/${route.id} ${route.externalPort}-${route.externalPortEnd} ${route.sniHostname ?? '*'}`
    case 'udp':
      return `udp/${route.id} ${route.externalPort}-${route.externalPortEnd}`
    default:
      return route satisfies never
  }
}

/**
 * Routes whose end is over are left out: the agent drops them by itself, even when the control plane is gone.
 * @param nowMs milliseconds since 1970
 */
export function mergeSources(
  sources: readonly RankedRoutes[],
  firstSeen: FirstSeen,
  nowMs: number,
): {
  readonly candidates: readonly Candidate[]
  readonly expired: readonly Candidate[]
  readonly firstSeen: FirstSeen
  readonly nextExpiryMs: number | null
} {
  const seen: Record<string, number> = Object.create(null)
  const newcomerMs = Object.values(firstSeen).reduce((latest, ms) => (ms >= latest ? ms + 1 : latest), nowMs)
  const candidates: Candidate[] = []
  const expired: Candidate[] = []
  let nextExpiryMs: number | null = null
  for (const { rank, routes } of sources) {
    for (const { route, origin } of routes) {
      const claim = claimOf(route)
      const claimedAt =
        route.claimedAt ?? (Object.hasOwn(firstSeen, claim) ? firstSeen[claim] : undefined) ?? newcomerMs
      if (route.claimedAt === null) seen[claim] = claimedAt
      const candidate = { route, origin, rank, claimedAt }
      if (route.expiresAt !== null && route.expiresAt <= nowMs) {
        expired.push(candidate)
        continue
      }
      if (route.expiresAt !== null) nextExpiryMs = Math.min(nextExpiryMs ?? route.expiresAt, route.expiresAt)
      candidates.push(candidate)
    }
  }
  return { candidates, expired, firstSeen: seen, nextExpiryMs }
}
