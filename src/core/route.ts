/** One route of the wire contract: its schema, what the rest of the code knows it as, and how TLS follows from its host name. */
import { z } from 'zod'
import {
  absent,
  address,
  cidr,
  duration,
  hostName,
  httpUrl,
  idText,
  instant,
  pathPrefix,
  plainText,
  port,
  resolverName,
  sniHostName,
  weight,
} from './fields.ts'
import { type Problem, type Protocol, printable } from './problem.ts'
import { isRecord, issueToRefusal, type RefusalAt } from './refusal.ts'
import type { Address, HttpUpstreamUrl } from './upstream.ts'
import { REASONS } from './verdict.ts'

const common = {
  id: idText,
  serviceId: absent(z.string().max(200)),
  claimedAt: absent(instant),
  expiresAt: absent(instant),
}

// ------------------------------------------------------------------------------------------------------------------ routes

const httpHealthCheck = z.object({
  path: pathPrefix,
  interval: duration.default(10_000),
  timeout: duration.default(5_000),
})

const httpWire = z.object({
  ...common,
  domain: hostName,
  pathPrefix: pathPrefix.nullish().transform(value => value ?? '/'),
  upstreams: z.array(z.object({ url: httpUrl, weight: weight.nullish().transform(value => value ?? 1) })).max(1000),
  healthCheck: absent(httpHealthCheck),
  redirectToHttps: z
    .boolean()
    .nullish()
    .transform(value => value ?? true),
  certResolver: absent(resolverName),
})

const tcpHealthCheck = z.object({
  interval: duration.default(10_000),
  timeout: duration.default(5_000),
  send: absent(plainText(1000)),
  expect: absent(plainText(1000)),
})

const l4 = {
  ...common,
  upstreams: z.array(address).max(1000),
  weights: absent(z.array(weight)),
  externalPort: port,
  externalPortEnd: absent(port),
}

const tcpWire = z.object({
  ...l4,
  tlsPassthrough: absent(z.boolean()),
  tls: absent(z.enum(['none', 'passthrough', 'terminate'])),
  sniHostname: absent(sniHostName),
  certResolver: absent(resolverName),
  proxyProtocol: absent(z.union([z.literal(1), z.literal(2)], { error: 'is not 1 or 2' })),
  allowCidrs: z
    .array(cidr)
    .max(1000)
    .nullish()
    .transform(value => [...new Set(value ?? [])].sort()),
  maxConnectionsPerClient: absent(z.int().min(1).max(1_000_000)),
  healthCheck: absent(tcpHealthCheck),
  protocolHint: absent(z.string().regex(/^[a-z0-9-]{1,32}$/, 'is not a name such as postgres')),
})

const udpWire = z.object(l4)

export type HttpUpstream = { readonly url: HttpUpstreamUrl; readonly weight: number }
export type L4Upstream = { readonly address: Address; readonly weight: number }

type RouteBase = {
  readonly id: string
  readonly serviceId: string | null
  /** Milliseconds since 1970, or null when the source does not say. */
  readonly claimedAt: number | null
  readonly expiresAt: number | null
  /** Sentences for the verdict: how something unusual was read. */
  readonly notes: readonly string[]
}

export type HttpRoute = RouteBase & {
  readonly protocol: 'http'
  readonly domain: string
  readonly pathPrefix: string
  readonly upstreams: readonly HttpUpstream[]
  readonly healthCheck: z.output<typeof httpHealthCheck> | null
  readonly redirectToHttps: boolean
  readonly certResolver: string | null
}

type L4Base = RouteBase & {
  readonly upstreams: readonly L4Upstream[]
  readonly externalPort: number
  /** The last port of the block; equal to `externalPort` for a single one. */
  readonly externalPortEnd: number
}

export type TcpRoute = L4Base & {
  readonly protocol: 'tcp'
  readonly tls: 'none' | 'passthrough' | 'terminate'
  readonly sniHostname: string | null
  readonly certResolver: string | null
  readonly proxyProtocol: 1 | 2 | null
  readonly allowCidrs: readonly string[]
  readonly maxConnectionsPerClient: number | null
  readonly healthCheck: z.output<typeof tcpHealthCheck> | null
  readonly protocolHint: string | null
}

export type UdpRoute = L4Base & { readonly protocol: 'udp' }

export type Route = HttpRoute | TcpRoute | UdpRoute

type Checked<T> =
  | { readonly route: T; readonly faults: readonly [] }
  | { readonly route: null; readonly faults: readonly RefusalAt[] }

function finishL4(wire: z.output<typeof udpWire>): { readonly base: L4Base; readonly faults: RefusalAt[] } {
  const faults: RefusalAt[] = []
  const end = wire.externalPortEnd ?? wire.externalPort
  if (end < wire.externalPort) {
    faults.push({
      code: 'FIELD_INVALID',
      field: 'externalPortEnd',
      value: end,
      message: `the block ends at ${end}, before it begins at ${wire.externalPort}`,
    })
  }
  for (const [i, upstream] of wire.upstreams.entries()) {
    if (upstream.port + (end - wire.externalPort) > 65535) {
      faults.push({
        code: 'UPSTREAM_INVALID',
        field: `upstreams[${i}]`,
        value: upstream.port,
        message: `the last port of the block would be ${upstream.port + end - wire.externalPort} at the upstream`,
        remedy: 'Begin lower, or make the block shorter.',
      })
    }
  }
  if (wire.weights !== null && wire.weights.length !== wire.upstreams.length) {
    faults.push({
      code: 'FIELD_INVALID',
      field: 'weights',
      value: wire.weights,
      message: `${wire.weights.length} weights for ${wire.upstreams.length} upstreams`,
      remedy: 'Give one weight for each upstream.',
    })
  }
  const { id, serviceId, claimedAt, expiresAt, externalPort } = wire
  const upstreams = wire.upstreams.map((at, i) => ({ address: at, weight: wire.weights?.[i] ?? 1 }))
  return {
    base: { id, serviceId, claimedAt, expiresAt, externalPort, externalPortEnd: end, upstreams, notes: [] },
    faults,
  }
}

/** TLS follows from HostSNI: Traefik disables a router with a host name and no TLS, so that pair cannot be written down. */
function finishTcp(wire: z.output<typeof tcpWire>): Checked<TcpRoute> {
  const { base, faults } = finishL4(wire)
  const notes: string[] = []
  const sni = wire.sniHostname
  let tls: TcpRoute['tls']
  if (wire.tls === null) {
    tls = sni !== null || wire.tlsPassthrough === true ? 'passthrough' : 'none'
    if (sni !== null && wire.tlsPassthrough === false)
      notes.push(
        'tlsPassthrough: false with a host name is read as passthrough; say tls: terminate to end TLS at the proxy',
      )
  } else {
    tls = wire.tls
    if (tls === 'none' && sni !== null) {
      faults.push({
        code: 'FIELD_INVALID',
        field: 'tls',
        value: tls,
        message: 'a host name without TLS can never match',
        remedy: 'Say passthrough or terminate, or leave sniHostname out.',
      })
    }
    if (wire.tlsPassthrough !== null && wire.tlsPassthrough !== (tls === 'passthrough')) {
      faults.push({
        code: 'FIELD_INVALID',
        field: 'tlsPassthrough',
        value: wire.tlsPassthrough,
        message: `tlsPassthrough: ${wire.tlsPassthrough} contradicts tls: ${tls}`,
        remedy: 'Leave one of the two out.',
      })
    }
  }
  if (sni !== null && base.externalPortEnd > base.externalPort) {
    faults.push({
      code: 'FIELD_INVALID',
      field: 'externalPortEnd',
      value: base.externalPortEnd,
      message: 'a block of ports has no host name',
      remedy: 'Leave sniHostname out, or give one port.',
    })
  }
  if (wire.certResolver !== null && (tls !== 'terminate' || sni === null)) {
    faults.push({
      code: 'FIELD_INVALID',
      field: 'certResolver',
      value: wire.certResolver,
      message: 'a certificate resolver needs tls: terminate and a host name',
      remedy: 'Give both, or leave certResolver out.',
    })
  }
  if (faults.length > 0) return { route: null, faults }
  const { proxyProtocol, allowCidrs, maxConnectionsPerClient, healthCheck, protocolHint, certResolver } = wire
  const route: TcpRoute = {
    ...base,
    protocol: 'tcp',
    notes,
    tls,
    sniHostname: sni,
    certResolver,
    proxyProtocol,
    allowCidrs,
    maxConnectionsPerClient,
    healthCheck,
    protocolHint,
  }
  return { route, faults: [] }
}

function finishUdp(wire: z.output<typeof udpWire>): Checked<UdpRoute> {
  const { base, faults } = finishL4(wire)
  return faults.length > 0 ? { route: null, faults } : { route: { ...base, protocol: 'udp' }, faults: [] }
}

const finishHttp = (wire: z.output<typeof httpWire>): Checked<HttpRoute> => ({
  route: { ...wire, protocol: 'http', notes: [] },
  faults: [],
})

export type UnknownField = { readonly field: string; readonly count: number }

/** Fields that we do not know are ignored, and counted: a newer control plane may send them, and a typing error looks just so. */
export class Unknowns {
  readonly #counts = new Map<string, number>()
  count(raw: unknown, shape: Readonly<Record<string, unknown>>, prefix: string): void {
    if (!isRecord(raw)) return
    for (const key of Object.keys(raw)) {
      if (Object.hasOwn(shape, key)) continue
      const field = `${prefix}${printable(key)}`
      if (this.#counts.has(field) || this.#counts.size < 100)
        this.#counts.set(field, (this.#counts.get(field) ?? 0) + 1)
    }
  }
  list(): UnknownField[] {
    return [...this.#counts].map(([field, n]) => ({ field, count: n })).sort((a, b) => (a.field < b.field ? -1 : 1))
  }
}

type Kind<W, R> = {
  readonly protocol: Protocol
  readonly list: string
  readonly wire: z.ZodType<W>
  readonly shape: Record<string, unknown>
  readonly finish: (wire: W) => Checked<R>
}

export const HTTP: Kind<z.output<typeof httpWire>, HttpRoute> = {
  protocol: 'http',
  list: 'routes',
  wire: httpWire,
  shape: httpWire.shape,
  finish: finishHttp,
}
export const TCP: Kind<z.output<typeof tcpWire>, TcpRoute> = {
  protocol: 'tcp',
  list: 'tcpRoutes',
  wire: tcpWire,
  shape: tcpWire.shape,
  finish: finishTcp,
}
export const UDP: Kind<z.output<typeof udpWire>, UdpRoute> = {
  protocol: 'udp',
  list: 'udpRoutes',
  wire: udpWire,
  shape: udpWire.shape,
  finish: finishUdp,
}

/** Total: a bad entry gives problems, one for each fault, and no route. */
export function parseRoute<W, R>(
  raw: unknown,
  kind: Kind<W, R>,
  origin: string,
  unknowns: Unknowns,
): { readonly route: R | null; readonly problems: readonly Problem[] } {
  const routeId = isRecord(raw) && typeof raw.id === 'string' ? printable(raw.id) : null
  const problem = (refusal: RefusalAt): Problem => ({
    code: refusal.code,
    protocol: kind.protocol,
    routeId,
    field: refusal.field === '' ? null : refusal.field,
    value: refusal.value === undefined ? null : printable(refusal.value),
    message: refusal.message,
    remedy: refusal.remedy ?? REASONS[refusal.code].remedy,
    origin,
  })
  if (!isRecord(raw))
    return {
      route: null,
      problems: [
        problem({ code: 'ROUTE_INVALID', field: '', value: raw, message: `an entry of ${kind.list} is not an object` }),
      ],
    }
  unknowns.count(raw, kind.shape, `${kind.list}.`)
  const parsed = kind.wire.safeParse(raw)
  if (!parsed.success)
    return { route: null, problems: parsed.error.issues.map(issue => problem(issueToRefusal(issue, raw))) }
  const checked = kind.finish(parsed.data)
  if (checked.route === null) return { route: null, problems: checked.faults.map(problem) }
  return { route: checked.route, problems: [] }
}
