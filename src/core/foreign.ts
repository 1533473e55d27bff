/** Whether a route of ours would meet a router of another Traefik provider. Fairlead never takes traffic that somebody else has. */
import { speaksClientFirst } from './conflicts.ts'
import { type ForeignByEntryPoint, ruleHosts, rulePaths } from './entry-points.ts'
import { isWildcard } from './host-sni.ts'
import type { ForeignRouter } from './observed.ts'
import type { HttpRoute, TcpRoute } from './route.ts'

const on = (entryPoints: readonly string[], foreign: ForeignByEntryPoint): readonly ForeignRouter[] =>
  entryPoints.flatMap(name => foreign.get(name) ?? [])

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
      if (route.sniHostname !== null) {
        if (hosts.includes(route.sniHostname)) return true
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

/** Our priorities are high, so a foreign router for the same host lives only where its path is not within ours. */
export function httpRival(
  route: HttpRoute,
  entryPoints: readonly string[],
  foreign: ForeignByEntryPoint,
): ForeignRouter | null {
  if (isWildcard(route.domain)) return null
  return (
    on(entryPoints, foreign).find(
      router =>
        router.protocol === 'http' &&
        ruleHosts(router).includes(route.domain) &&
        rulePaths(router).some(path => path.startsWith(route.pathPrefix)),
    ) ?? null
  )
}
