/** HTTP routes: a host and a path prefix on the TLS entry points, and a redirect from the plain one. */
import type { HttpSettings } from './admit.ts'
import type { HttpMiddleware, HttpRouter, HttpSection, HttpService } from './dynamic-config.ts'
import { hostRule, isWildcard } from './host-sni.ts'
import { joined } from './maps.ts'
import { CHALLENGE_NAME, REDIRECT_MIDDLEWARE, routeName } from './names.ts'
import type { HttpRoute } from './route.ts'
import { formatHttpUpstream } from './upstream.ts'

/** A challenge and nothing else: whatever else came through would reach paths of the control plane from everywhere. */
const CHALLENGE_PATH = '^/\\.well-known/acme-challenge/([A-Za-z0-9_-]+)$'
/** Above every host rule: a challenge is answered wherever it is asked. */
const CHALLENGE_PRIORITY = 1_000_000

/** Exact hosts before wildcards, then the longer path. */
const httpPriority = (route: HttpRoute): number => (isWildcard(route.domain) ? 1 : 2) * 10_000 + route.pathPrefix.length

const ruleOf = (route: HttpRoute): string =>
  route.pathPrefix === '/' ? hostRule(route.domain) : `${hostRule(route.domain)} && PathPrefix(\`${route.pathPrefix}\`)`

export const isPlainEntryPoint = (name: string, http: HttpSettings): boolean =>
  name === 'web' || name === http.redirectFrom

function compileService(route: HttpRoute): HttpService {
  const upstreams = route.upstreams
    .map(upstream => ({ url: formatHttpUpstream(upstream.url), weight: upstream.weight }))
    .sort((a, b) => (a.url < b.url ? -1 : a.url > b.url ? 1 : a.weight - b.weight))
  const even = upstreams.every(upstream => upstream.weight === upstreams[0]?.weight)
  const check = route.healthCheck
  return {
    loadBalancer: {
      servers: upstreams.map(({ url, weight }) => (even ? { url } : { url, weight })),
      ...(check === null || upstreams.length === 0
        ? {}
        : { healthCheck: { path: check.path, interval: `${check.interval}ms`, timeout: `${check.timeout}ms` } }),
    },
  }
}

/** A wildcard needs a resolver with a DNS challenge: only one that the route itself names, and with the domain said in full. */
function resolverOf(route: HttpRoute, http: HttpSettings): { certResolver?: string; domains?: { main: string }[] } {
  const certResolver = route.certResolver ?? (isWildcard(route.domain) ? null : http.certResolver)
  if (certResolver === null) return {}
  return isWildcard(route.domain) ? { certResolver, domains: [{ main: route.domain }] } : { certResolver }
}

export type CompiledHttpRoute = {
  readonly routers: Readonly<Record<string, HttpRouter>>
  readonly services: Readonly<Record<string, HttpService>>
}

/** @param entryPoints the HTTP entry points that Traefik has, of those that the settings name */
export function compileHttpRoute(
  route: HttpRoute,
  entryPoints: readonly string[],
  http: HttpSettings,
): CompiledHttpRoute {
  const name = routeName('http', route.id)
  const base = { rule: ruleOf(route), service: name, priority: httpPriority(route) }
  const plain = entryPoints.filter(entryPoint => isPlainEntryPoint(entryPoint, http))
  const secure = entryPoints.filter(entryPoint => !isPlainEntryPoint(entryPoint, http))
  const routers: Record<string, HttpRouter> = {}
  if (secure.length > 0) {
    // An HTTP router without tls on a TLS entry point answers plain HTTP there; `options: default` is a block that is not empty.
    routers[name] = { ...base, entryPoints: secure, tls: { options: 'default', ...resolverOf(route, http) } }
  }
  const redirects = secure.length > 0 && route.redirectToHttps
  if (plain.length > 0) {
    const plainName = secure.length > 0 ? `${name}.${redirects ? 'redirect' : 'plain'}` : name
    routers[plainName] = { ...base, entryPoints: plain, ...(redirects ? { middlewares: [REDIRECT_MIDDLEWARE] } : {}) }
  }
  return { routers, services: { [name]: compileService(route) } }
}

/** Challenges of another control plane's certificates: answered by it, under the path that its API has for them. */
function compileChallenge(
  url: string,
  entryPoint: string,
): { router: HttpRouter; service: HttpService; middleware: HttpMiddleware } {
  return {
    router: {
      entryPoints: [entryPoint],
      rule: `PathRegexp(\`${CHALLENGE_PATH}\`)`,
      service: CHALLENGE_NAME,
      priority: CHALLENGE_PRIORITY,
      middlewares: [CHALLENGE_NAME],
    },
    service: { loadBalancer: { servers: [{ url }], passHostHeader: false } },
    middleware: {
      replacePathRegex: {
        regex: CHALLENGE_PATH,
        replacement: '/api/v1/acme/challenge/$1',
      },
    },
  }
}

export function assembleHttp(
  routes: readonly CompiledHttpRoute[],
  http: HttpSettings,
  challenge: { readonly url: string; readonly entryPoint: string } | null,
): HttpSection | null {
  const routers = joined(routes.map(route => route.routers))
  const services = joined(routes.map(route => route.services))
  const middlewares: Record<string, HttpMiddleware> = {}
  if (Object.values(routers).some(router => router.middlewares?.includes(REDIRECT_MIDDLEWARE))) {
    const port = http.redirectPort === null ? {} : { port: String(http.redirectPort) }
    middlewares[REDIRECT_MIDDLEWARE] = { redirectScheme: { scheme: 'https', permanent: true, ...port } }
  }
  if (challenge !== null) {
    const compiled = compileChallenge(challenge.url, challenge.entryPoint)
    routers[CHALLENGE_NAME] = compiled.router
    services[CHALLENGE_NAME] = compiled.service
    middlewares[CHALLENGE_NAME] = compiled.middleware
  }
  if (Object.keys(routers).length === 0) return null
  return { routers, services, ...(Object.keys(middlewares).length > 0 ? { middlewares } : {}) }
}
