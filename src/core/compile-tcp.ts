/**
 * TCP routes, and what stands on their ports beside them.
 *
 *   priority  300 exact host name · 200 wildcard (one label: two never overlap) · 1 catch-all · -1000 tombstone
 *
 * Priorities are always explicit: Traefik's default is the length of the rule, and HostSNI(`a.example.com`) is as long as
 * HostSNI(`*.example.com`). A tombstone is a router to a service without servers: a connection is closed at once instead of hanging.
 */
import type { Capabilities } from './capabilities.ts'
import { speaksClientFirst } from './conflicts.ts'
import type {
  TcpHealthCheck,
  TcpMiddleware,
  TcpRouter,
  TcpSection,
  TcpServersTransport,
  TcpService,
} from './dynamic-config.ts'
import { HOST_SNI_ANY, hostSniRule, isWildcard } from './host-sni.ts'
import { joined } from './maps.ts'
import { routeName, TOMBSTONE_SERVICE, tombstoneName, transportName } from './names.ts'
import type { TcpRoute } from './route.ts'
import { formatAddress } from './upstream.ts'

const PRIORITY = { exact: 300, wildcard: 200, catchAll: 1, tombstone: -1000 } as const

/** A TCP connection to an upstream that does not answer ends after this; Traefik's own limit is 30 s. */
const DIAL_TIMEOUT = '5s'

export type CompiledTcpRoute = {
  readonly routers: Readonly<Record<string, TcpRouter>>
  readonly services: Readonly<Record<string, TcpService>>
  readonly middlewares: Readonly<Record<string, TcpMiddleware>>
  readonly transports: Readonly<Record<string, TcpServersTransport>>
}

function priorityOf(sniHostname: string | null): number {
  if (sniHostname === null) return PRIORITY.catchAll
  return isWildcard(sniHostname) ? PRIORITY.wildcard : PRIORITY.exact
}

function tlsOf(route: TcpRoute): Pick<TcpRouter, 'tls'> {
  switch (route.tls) {
    case 'none':
      return {}
    case 'passthrough':
      return { tls: { passthrough: true } }
    case 'terminate':
      return {
        tls: { passthrough: false, ...(route.certResolver === null ? {} : { certResolver: route.certResolver }) },
      }
    default:
      return route.tls satisfies never
  }
}

function healthCheckOf(route: TcpRoute, can: Capabilities): { readonly healthCheck?: TcpHealthCheck } {
  const check = route.healthCheck
  if (check === null || !can.tcpHealthCheck) return {}
  return {
    healthCheck: {
      interval: `${check.interval}ms`,
      timeout: `${check.timeout}ms`,
      ...(check.send === null ? {} : { send: check.send }),
      ...(check.expect === null ? {} : { expect: check.expect }),
    },
  }
}

type Dialling = {
  /** How each load balancer of the route is told. */
  readonly fields: { readonly serversTransport: string } | { readonly proxyProtocol: { readonly version: 1 | 2 } }
  readonly transports: Readonly<Record<string, TcpServersTransport>>
}

/**
 * Where PROXY protocol is said moved from the service to the transport. The old place works in every version, but not beside a
 * transport: from 3.5.3 on Traefik then passes over it without a word (measured). So an unknown version gets the old place alone.
 */
function diallingOf(route: TcpRoute, can: Capabilities): Dialling {
  const version = route.proxyProtocol
  if (version !== null && !can.serversTransportProxyProtocol)
    return { fields: { proxyProtocol: { version } }, transports: {} }
  const name = transportName(version)
  const transport = { dialTimeout: DIAL_TIMEOUT, ...(version === null ? {} : { proxyProtocol: { version } }) }
  return { fields: { serversTransport: name }, transports: { [name]: transport } }
}

/** Weights need a service of their own for each upstream: a TCP server has none. */
function compileServices(
  route: TcpRoute,
  name: string,
  offset: number,
  dialling: Dialling,
  can: Capabilities,
): Record<string, TcpService> {
  const upstreams = route.upstreams
    .map(({ address, weight }) => ({ address: formatAddress({ ...address, port: address.port + offset }), weight }))
    .sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : a.weight - b.weight))
  const loadBalancer = (addresses: readonly string[]): TcpService => ({
    loadBalancer: {
      servers: addresses.map(address => ({ address })),
      ...(addresses.length === 0 ? {} : { ...dialling.fields, ...healthCheckOf(route, can) }),
    },
  })
  if (upstreams.every(upstream => upstream.weight === upstreams[0]?.weight))
    return { [name]: loadBalancer(upstreams.map(({ address }) => address)) }
  const parts = upstreams.map((upstream, i) => ({ ...upstream, part: `${name}.s${i}` }))
  const services = parts.map(({ part, weight }) => ({ name: part, weight }))
  // Without its own mark the parent goes on sending a dead child its share (measured). The mark is empty by nature, and allowed to be.
  const checked = 'healthCheck' in healthCheckOf(route, can)
  return {
    [name]: { weighted: checked ? { services, healthCheck: {} } : { services } },
    ...Object.fromEntries(parts.map(({ part, address }) => [part, loadBalancer([address])])),
  }
}

function compileMiddlewares(route: TcpRoute, name: string): Record<string, TcpMiddleware> {
  return {
    ...(route.allowCidrs.length === 0 ? {} : { [`${name}.allow`]: { ipAllowList: { sourceRange: route.allowCidrs } } }),
    ...(route.maxConnectionsPerClient === null
      ? {}
      : { [`${name}.limit`]: { inFlightConn: { amount: route.maxConnectionsPerClient } } }),
  }
}

/**
 * @param entryPointsOf the entry points of one port of the route
 * @param hasNames whether routes with a host name share the port: then TLS with another name goes on to a plain client-first route
 */
export function compileTcpRoute(
  route: TcpRoute,
  entryPointsOf: (port: number) => readonly string[],
  hasNames: (port: number) => boolean,
  can: Capabilities,
): CompiledTcpRoute {
  const base = routeName('tcp', route.id)
  const middlewares = compileMiddlewares(route, base)
  const dialling = diallingOf(route, can)
  const single = route.externalPort === route.externalPortEnd
  const routers: Record<string, TcpRouter> = {}
  const services: Record<string, TcpService> = {}
  for (let port = route.externalPort; port <= route.externalPortEnd; port++) {
    const name = single ? base : `${base}.${port}`
    const router: TcpRouter = {
      entryPoints: entryPointsOf(port),
      rule: hostSniRule(route.sniHostname, can.hostSniWildcard),
      service: name,
      priority: priorityOf(route.sniHostname),
      ...(Object.keys(middlewares).length > 0 ? { middlewares: Object.keys(middlewares) } : {}),
    }
    routers[name] = { ...router, ...tlsOf(route) }
    if (route.tls === 'none' && hasNames(port) && speaksClientFirst(route))
      routers[`${name}.tls`] = { ...router, tls: { passthrough: true } }
    Object.assign(services, compileServices(route, name, port - route.externalPort, dialling, can))
  }
  return {
    routers,
    services,
    middlewares,
    transports: route.upstreams.length === 0 ? {} : dialling.transports,
  }
}

/** What stands on one port of the pool: decides which tombstones it needs. */
export type TcpPortUse = {
  readonly port: number
  readonly entryPoints: readonly string[]
  /** A plain catch-all route is there. */
  readonly plain: boolean
  /** A TLS route for any name is there. */
  readonly anyTls: boolean
  /** Routes with a host name are there. */
  readonly names: boolean
}

/** Plain clients, and TLS ones with an unknown name, are told no at once. A port whose plain route has the TLS ones too needs nothing. */
function tombstones(use: TcpPortUse): Record<string, TcpRouter> {
  const name = tombstoneName('tcp', use.port)
  const router: TcpRouter = {
    entryPoints: use.entryPoints,
    rule: HOST_SNI_ANY,
    service: TOMBSTONE_SERVICE,
    priority: PRIORITY.tombstone,
  }
  if (use.plain) return {}
  return {
    [name]: router,
    ...(use.names && !use.anyTls ? { [`${name}.tls`]: { ...router, tls: { passthrough: true } } } : {}),
  }
}

export function assembleTcp(routes: readonly CompiledTcpRoute[], ports: readonly TcpPortUse[]): TcpSection | null {
  const graves = joined(ports.map(tombstones))
  const routers = joined([...routes.map(route => route.routers), graves])
  if (Object.keys(routers).length === 0) return null
  const middlewares = joined(routes.map(route => route.middlewares))
  const serversTransports = joined(routes.map(route => route.transports))
  return {
    routers,
    services: {
      ...joined(routes.map(route => route.services)),
      ...(Object.keys(graves).length > 0 ? { [TOMBSTONE_SERVICE]: { loadBalancer: { servers: [] } } } : {}),
    },
    ...(Object.keys(middlewares).length > 0 ? { middlewares } : {}),
    ...(Object.keys(serversTransports).length > 0 ? { serversTransports } : {}),
  }
}
