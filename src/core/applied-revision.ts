/** Which revision a control plane may take as applied on this node. */
import type { Revision } from './report-wire.ts'

/** What a route takes of the node for itself. */
export type Claim = string

type Claiming =
  | { readonly protocol: 'http'; readonly domain: string; readonly pathPrefix: string }
  | {
      readonly protocol: 'tcp'
      readonly externalPort: number
      readonly externalPortEnd: number
      readonly sniHostname: string | null
    }
  | { readonly protocol: 'udp'; readonly externalPort: number; readonly externalPortEnd: number }

export function claimOf(route: Claiming): Claim {
  if (route.protocol === 'http') return `http ${route.domain} ${route.pathPrefix}`
  const name = route.protocol === 'tcp' ? (route.sniHostname ?? '') : ''
  return `${route.protocol} ${route.externalPort}-${route.externalPortEnd} ${name}`
}

export type Acknowledged = {
  readonly controlPlaneId: string | null
  readonly epoch: number | null
  readonly revision: Revision
}

export type AppliedNow = {
  readonly controlPlaneId: string | null
  readonly epoch: number | null
  readonly expected: Revision
  readonly applied: Revision
  /** What the applied body has of this control plane, held removals and former versions included. */
  readonly claims: () => Iterable<Claim>
  /** What the control plane wants now. */
  readonly wanted: () => ReadonlySet<Claim>
}

/**
 * The revision that is acknowledged: it is seen as applied, and with it nothing goes on that it does not hold, for the control plane hands
 * a released port to others on this word. So it stays where it was while removals are held, or while Traefik goes on with what a refused
 * route was before.
 */
export function acknowledgedRevision(before: Acknowledged | null, now: AppliedNow): Acknowledged {
  const { controlPlaneId, epoch } = now
  const isOurs = before !== null && before.controlPlaneId === controlPlaneId && before.epoch === epoch
  const kept = { controlPlaneId, epoch, revision: isOurs ? before.revision : null }
  if (now.applied === null || now.applied !== now.expected || now.applied === kept.revision) return kept
  const wanted = now.wanted()
  for (const claim of now.claims()) if (!wanted.has(claim)) return kept
  return { controlPlaneId, epoch, revision: now.applied }
}
