/** Whether a route of ours would meet a router of another Traefik provider. Fairlead never takes traffic that somebody else has. */
import { covers, speaksClientFirst } from './conflicts.ts'
import { type ForeignByEntryPoint, ruleHosts, rulePaths } from './entry-points.ts'
import type { ForeignRouter } from './observed.ts'
import type { HttpRoute, TcpRoute } from './route.ts'

const on = (entryPoints: readonly string[], foreign: ForeignByEntryPoint): readonly ForeignRouter[] =>
  entryPoints.flatMap(name => foreign.get(name) ?? [])

/**
 * The routers of others as they are to be reckoned with. A Traefik that has just started shows none yet: until it has settled, whoever
 * stood there before stands there still, else a route that gave way would take its traffic for the first seconds of each start.
 */
export function foreignNow(
  shown: readonly ForeignRouter[],
  before: readonly ForeignRouter[],
  settled: boolean,
): readonly ForeignRouter[] {
  if (settled) return shown
  const keyOf = ({ protocol, name }: ForeignRouter) => `${protocol}/${name}`
  const known = new Set(shown.map(keyOf))
  return [...shown, ...before.filter(router => !known.has(keyOf(router)))]
}

/** UDP has neither rule nor priority: any foreign router has the whole entry point. */
export const udpRival = (entryPoints: readonly string[], foreign: ForeignByEntryPoint): ForeignRouter | null =>
  on(entryPoints, foreign).find(router => router.protocol === 'udp') ?? null

/** A foreign TCP router has the same traffic, or ours would change how its connections are read. */
export function tcpRival(
  route: TcpRoute,
  entryPoints: readonly string[],
  foreign: ForeignByEntryPoint,
): ForeignRouter | null {
  return (
    on(entryPoints, foreign).find(router => {
      if (router.protocol === 'udp') return false
      const hosts = ruleHosts(router)
      const { sniHostname } = route
      if (sniHostname !== null) {
        // By our priority a wildcard goes before a foreign exact name, whose own is the length of its rule. HTTP names go before wildcards.
        if (hosts.includes(sniHostname)) return true
        if (router.protocol === 'tcp' && hosts.some(host => covers(sniHostname, host))) return true
        // TLS routes make Traefik wait for the client's first bytes; a plain catch-all may serve a protocol that waits for the server.
        return router.protocol === 'tcp' && !router.tls && hosts.includes('*')
      }
      // A catch-all of ours of any priority takes plain HTTP away from HTTP routers.
      if (router.protocol === 'http') return true
      return (
        hosts.includes('*') || hosts.length === 0 || (router.tls && route.tls === 'none' && !speaksClientFirst(route))
      )
    }) ?? null
  )
}

/**
 * Our priorities are high, so a foreign router for a host of ours lives only where its path is not within ours. An exact domain of ours
 * also goes before an equal HostSNI of a foreign TCP router: of those two Traefik asks the HTTP router alone.
 */
export function httpRival(
  route: HttpRoute,
  entryPoints: readonly string[],
  foreign: ForeignByEntryPoint,
): ForeignRouter | null {
  return (
    on(entryPoints, foreign).find(router => {
      if (router.protocol === 'tcp') return ruleHosts(router).includes(route.domain)
      return (
        router.protocol === 'http' &&
        ruleHosts(router).some(host => covers(route.domain, host)) &&
        rulePaths(router).some(path => path.startsWith(route.pathPrefix))
      )
    }) ?? null
  )
}
