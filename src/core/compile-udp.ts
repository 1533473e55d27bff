/**
 * UDP routes and tombstones.
 *
 * Traefik goes on forwarding on a UDP entry point whose router is gone (pkg/server/server_entrypoint_udp.go: it switches only the entry
 * points that are in the new configuration). So an entry point of ours always carries a router: the route's, or one to no server.
 * UDP has no priority and no rule: one router has it all, and two are a coin toss.
 */
import type { UdpRouter, UdpSection, UdpService } from './dynamic-config.ts'
import { joined } from './maps.ts'
import { routeName, TOMBSTONE_SERVICE, tombstoneName } from './names.ts'
import type { UdpRoute } from './route.ts'
import { formatAddress } from './upstream.ts'

export type CompiledUdpRoute = {
  readonly routers: Readonly<Record<string, UdpRouter>>
  readonly services: Readonly<Record<string, UdpService>>
}

function compileServices(route: UdpRoute, name: string, offset: number): Record<string, UdpService> {
  const upstreams = route.upstreams
    .map(({ address, weight }) => ({ address: formatAddress({ ...address, port: address.port + offset }), weight }))
    .sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : a.weight - b.weight))
  if (upstreams.every(upstream => upstream.weight === upstreams[0]?.weight))
    return { [name]: { loadBalancer: { servers: upstreams.map(({ address }) => ({ address })) } } }
  const parts = upstreams.map((upstream, i) => ({ ...upstream, part: `${name}.s${i}` }))
  return {
    [name]: { weighted: { services: parts.map(({ part, weight }) => ({ name: part, weight })) } },
    ...Object.fromEntries(parts.map(({ part, address }) => [part, { loadBalancer: { servers: [{ address }] } }])),
  }
}

/** @param entryPointsOf the entry points of one port of the route */
export function compileUdpRoute(route: UdpRoute, entryPointsOf: (port: number) => readonly string[]): CompiledUdpRoute {
  const base = routeName('udp', route.id)
  const routers: Record<string, UdpRouter> = {}
  const services: Record<string, UdpService> = {}
  for (let port = route.externalPort; port <= route.externalPortEnd; port++) {
    const name = route.externalPort === route.externalPortEnd ? base : `${base}.${port}`
    routers[name] = { entryPoints: entryPointsOf(port), service: name }
    Object.assign(services, compileServices(route, name, port - route.externalPort))
  }
  return { routers, services }
}

/** @param free pool ports without a route, with their entry points */
export function assembleUdp(
  routes: readonly CompiledUdpRoute[],
  free: readonly { readonly port: number; readonly entryPoints: readonly string[] }[],
): UdpSection | null {
  const graves: Record<string, UdpRouter> = Object.fromEntries(
    free.map(({ port, entryPoints }) => [tombstoneName('udp', port), { entryPoints, service: TOMBSTONE_SERVICE }]),
  )
  const routers = joined([...routes.map(route => route.routers), graves])
  if (Object.keys(routers).length === 0) return null
  return {
    routers,
    services: {
      ...joined(routes.map(route => route.services)),
      ...(free.length > 0 ? { [TOMBSTONE_SERVICE]: { loadBalancer: { servers: [] } } } : {}),
    },
  }
}
