/** A port as agents are told of it: the one place that makes a route of what is declared. Left out is what means nothing. */
import type { Probe, TlsMode } from '../../api/port.ts'
import type { Protocol } from '../../core/problem.ts'
import { hintOf } from './preset.ts'

export type WireEndpoint = { readonly address: string; readonly weight: number }

/** What a route is made of. Times in milliseconds since 1970. */
export type RouteSource = {
  readonly id: string
  readonly serviceId: string
  readonly protocol: Protocol
  readonly port: number
  readonly domain: string | null
  readonly pathPrefix: string
  readonly redirectToHttps: boolean
  readonly certResolver: string | null
  readonly externalPort: number | null
  readonly externalPortEnd: number | null
  readonly tls: TlsMode | null
  readonly sniHostname: string | null
  /** Its own, else that of its service. */
  readonly preset: string | null
  readonly allowCidrs: readonly string[]
  readonly maxConnectionsPerClient: number | null
  readonly proxyProtocol: number | null
  readonly healthCheck: unknown
  readonly probe: Probe | null | unknown
  readonly expiresAt: number | null
  readonly claimedAt: number
}

type WireBase = {
  readonly id: string
  readonly serviceId: string
  readonly claimedAt: string
  readonly expiresAt?: string
  readonly probe?: unknown
}

export type WireHttpRoute = WireBase & {
  readonly domain: string
  readonly pathPrefix?: string
  readonly upstreams: readonly { readonly url: string; readonly weight?: number }[]
  readonly healthCheck?: unknown
  readonly redirectToHttps?: false
  readonly certResolver?: string
}

type WireL4 = WireBase & {
  readonly upstreams: readonly string[]
  readonly weights?: readonly number[]
  readonly externalPort: number
  readonly externalPortEnd?: number
}

export type WireTcpRoute = WireL4 & {
  readonly tlsPassthrough?: true
  readonly tls?: 'terminate'
  readonly sniHostname?: string
  readonly certResolver?: string
  readonly proxyProtocol?: number
  readonly allowCidrs?: readonly string[]
  readonly maxConnectionsPerClient?: number
  readonly healthCheck?: unknown
  readonly protocolHint?: string
}

export type WireUdpRoute = WireL4

/** `10.200.1.5:5432`, `[fd00::5]:5432` */
export const upstreamOf = (address: string, port: number): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`

export const byAddress = (a: WireEndpoint, b: WireEndpoint): number => (a.address < b.address ? -1 : 1)

function baseOf({ id, serviceId, claimedAt, expiresAt, probe }: RouteSource): WireBase {
  return {
    id,
    serviceId,
    claimedAt: new Date(claimedAt).toISOString(),
    ...(expiresAt === null ? {} : { expiresAt: new Date(expiresAt).toISOString() }),
    ...(probe === null || probe === undefined || probe === false ? {} : { probe }),
  }
}

export function toHttpRoute(source: RouteSource, domain: string, endpoints: readonly WireEndpoint[]): WireHttpRoute {
  const { port, pathPrefix, redirectToHttps, certResolver, healthCheck } = source
  return {
    ...baseOf(source),
    domain,
    ...(pathPrefix === '/' ? {} : { pathPrefix }),
    upstreams: endpoints.toSorted(byAddress).map(({ address, weight }) => ({
      url: `http://${upstreamOf(address, port)}`,
      ...(weight === 1 ? {} : { weight }),
    })),
    ...(healthCheck === null ? {} : { healthCheck }),
    ...(redirectToHttps ? {} : { redirectToHttps }),
    ...(certResolver === null ? {} : { certResolver }),
  }
}

function toL4(source: RouteSource, externalPort: number, endpoints: readonly WireEndpoint[]): WireL4 {
  const sorted = endpoints.toSorted(byAddress)
  const { port, externalPortEnd } = source
  return {
    ...baseOf(source),
    upstreams: sorted.map(({ address }) => upstreamOf(address, port)),
    ...(sorted.every(({ weight }) => weight === 1) ? {} : { weights: sorted.map(({ weight }) => weight) }),
    externalPort,
    ...(externalPortEnd === null ? {} : { externalPortEnd }),
  }
}

export function toTcpRoute(
  source: RouteSource,
  externalPort: number,
  endpoints: readonly WireEndpoint[],
): WireTcpRoute {
  const { tls, sniHostname, certResolver, proxyProtocol, allowCidrs, maxConnectionsPerClient, healthCheck } = source
  const protocolHint = hintOf(source.preset)
  return {
    ...toL4(source, externalPort, endpoints),
    ...(tls === 'passthrough' ? { tlsPassthrough: true } : tls === 'terminate' ? { tls } : {}),
    ...(sniHostname === null ? {} : { sniHostname }),
    ...(certResolver === null ? {} : { certResolver }),
    ...(proxyProtocol === null ? {} : { proxyProtocol }),
    ...(allowCidrs.length === 0 ? {} : { allowCidrs }),
    ...(maxConnectionsPerClient === null ? {} : { maxConnectionsPerClient }),
    ...(healthCheck === null ? {} : { healthCheck }),
    ...(protocolHint === null ? {} : { protocolHint }),
  }
}

export const toUdpRoute = (
  source: RouteSource,
  externalPort: number,
  endpoints: readonly WireEndpoint[],
): WireUdpRoute => toL4(source, externalPort, endpoints)
