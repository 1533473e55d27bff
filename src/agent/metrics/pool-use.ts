/** What becomes of the numbers of a port pool. */
import type { RouteOutcome } from '../../core/compile.ts'
import type { ObservedEntryPoint } from '../../core/observed.ts'
import { portsOf } from '../../core/placement.ts'
import type { PortSet } from '../../core/port-set.ts'

export type PortUse = {
  /** A served route has them. */
  readonly used: number
  /** A route could have them. */
  readonly free: number
  /** No route can have them: Traefik has no entry point for them. Absent: nobody knows, and they count as free. */
  readonly missing?: number
}

export type PoolUse = { readonly tcp: PortUse; readonly udp: PortUse }

/** @param entryPoints of the running Traefik; null when nobody knows */
export function poolUse(
  protocol: 'tcp' | 'udp',
  pool: PortSet,
  outcomes: readonly RouteOutcome[],
  entryPoints: readonly ObservedEntryPoint[] | null,
): PortUse {
  const used = new Set(
    outcomes.flatMap(({ problem, candidate: { route } }) =>
      problem === null && route.protocol !== 'http' && route.protocol === protocol ? portsOf(route) : [],
    ),
  )
  const free = pool.size - used.size
  if (entryPoints === null) return { used: used.size, free }
  const open = new Set(entryPoints.filter(entry => entry.protocol === protocol).map(({ port }) => port))
  const missing = pool.list().filter(port => !open.has(port) && !used.has(port)).length
  return { used: used.size, free: free - missing, missing }
}

/** Names of the entry points of a Traefik that stand for numbers of the pools. */
export const poolEntryPoints = (
  pools: { readonly tcp: PortSet; readonly udp: PortSet },
  entryPoints: readonly ObservedEntryPoint[],
): ReadonlySet<string> =>
  new Set(entryPoints.filter(({ protocol, port }) => pools[protocol].has(port)).map(({ name }) => name))
