/** One route of the wire contract: its schema, what the rest of the code knows it as, and how TLS follows from its host name. */
import type { z } from 'zod'
import { chooseProbe, type ProbeSpec, probeWire } from './probe/spec.ts'
import { type Problem, type Protocol, printable, printableAddress, printableId } from './problem.ts'
import { isRecord, issueToRefusal, type RefusalAt } from './refusal.ts'
import { createTextMemory, type TextMemory } from './remember.ts'
import { httpHealthCheck, httpUpstream, httpWire, MAX_LIST, tcpHealthCheck, tcpWire, udpWire } from './route-wire.ts'
import type { Address, HttpUpstreamUrl } from './upstream.ts'
import { REASONS } from './verdict.ts'

export type HttpUpstream = { readonly url: HttpUpstreamUrl; readonly weight: number }
export type L4Upstream = { readonly address: Address; readonly weight: number }

type RouteBase = {
  readonly id: string
  readonly serviceId: string | null
  /** Milliseconds since 1970, or null when the source does not say. */
  readonly claimedAt: number | null
  readonly expiresAt: number | null
  /** What is asked through the port now and then, or null. */
  readonly probe: ProbeSpec | null
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

/** Each number of a block has every upstream as a server: without a limit a line of a document would grow into a gigabyte. */
const MAX_BLOCK_SERVERS = 65_536

const MYSQL_PROBE =
  'MySQL counts each probe as an interrupted connection of this proxy, and after max_connect_errors of them without a whole one it refuses the proxy'

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
  const servers = (end - wire.externalPort + 1) * wire.upstreams.length
  if (servers > MAX_BLOCK_SERVERS) {
    faults.push({
      code: 'FIELD_INVALID',
      field: 'externalPortEnd',
      value: end,
      message: `the block and its upstreams make ${servers} servers, more than ${MAX_BLOCK_SERVERS}`,
      remedy: 'Make the block shorter, or give fewer upstreams.',
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
    base: {
      id,
      serviceId,
      claimedAt,
      expiresAt,
      externalPort,
      externalPortEnd: end,
      upstreams,
      probe: null,
      notes: [],
    },
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
  const { proxyProtocol, allowCidrs, maxConnectionsPerClient, healthCheck, protocolHint, certResolver } = wire
  const chosen = chooseProbe({ protocol: 'tcp', tls, protocolHint }, wire.probe)
  faults.push(...chosen.faults)
  if (chosen.probe?.type === 'connect' && protocolHint === 'mysql') notes.push(MYSQL_PROBE)
  if (faults.length > 0) return { route: null, faults }
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
    probe: chosen.probe,
  }
  return { route, faults: [] }
}

function finishUdp(wire: z.output<typeof udpWire>): Checked<UdpRoute> {
  const { base, faults } = finishL4(wire)
  const chosen = chooseProbe({ protocol: 'udp', upstreams: base.upstreams }, wire.probe)
  faults.push(...chosen.faults)
  return faults.length > 0
    ? { route: null, faults }
    : { route: { ...base, protocol: 'udp', probe: chosen.probe }, faults: [] }
}

function finishHttp(wire: z.output<typeof httpWire>): Checked<HttpRoute> {
  const { probe, faults } = chooseProbe({ protocol: 'http' }, wire.probe)
  return faults.length > 0
    ? { route: null, faults }
    : { route: { ...wire, protocol: 'http', probe, notes: [] }, faults: [] }
}

export type UnknownField = { readonly field: string; readonly count: number }

/** Fields that we do not know are ignored, and counted: a newer control plane may send them, and a typing error looks just so. */
export class Unknowns {
  readonly #counts = new Map<string, number>()
  /** How many fields so far. */
  seen = 0
  count(raw: unknown, shape: Readonly<Record<string, unknown>>, prefix: string): void {
    if (!isRecord(raw)) return
    for (const key of Object.keys(raw)) {
      if (Object.hasOwn(shape, key)) continue
      this.seen += 1
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
  /** Shapes of the objects within a route, by field. */
  readonly nested: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly finish: (wire: W) => Checked<R>
}

export const HTTP: Kind<z.output<typeof httpWire>, HttpRoute> = {
  protocol: 'http',
  list: 'routes',
  wire: httpWire,
  shape: httpWire.shape,
  nested: { upstreams: httpUpstream.shape, healthCheck: httpHealthCheck.shape, probe: probeWire.shape },
  finish: finishHttp,
}
export const TCP: Kind<z.output<typeof tcpWire>, TcpRoute> = {
  protocol: 'tcp',
  list: 'tcpRoutes',
  wire: tcpWire,
  shape: tcpWire.shape,
  nested: { healthCheck: tcpHealthCheck.shape, probe: probeWire.shape },
  finish: finishTcp,
}
export const UDP: Kind<z.output<typeof udpWire>, UdpRoute> = {
  protocol: 'udp',
  list: 'udpRoutes',
  wire: udpWire,
  shape: udpWire.shape,
  nested: { probe: probeWire.shape },
  finish: finishUdp,
}

const shown = (field: string, value: unknown): string =>
  field === 'upstreams' || field.startsWith('upstreams[') ? printableAddress(value) : printable(value)

/** Routes by the JSON text of their entries, from one document to the next. Only good ones without unknown fields: the others have more to tell. */
export type RouteMemory = TextMemory<Route>

export const createRouteMemory = (): RouteMemory => createTextMemory<Route>()

/** As parseRoute; with a memory, an entry that stood in the document before is the same route, and is not read again. */
export function parseRouteOnce<W, R extends Route>(
  raw: unknown,
  kind: Kind<W, R>,
  origin: string,
  unknowns: Unknowns,
  memory: RouteMemory | undefined,
): { readonly route: Route | null; readonly problems: readonly Problem[] } {
  if (memory === undefined) return parseRoute(raw, kind, origin, unknowns)
  const text = `${kind.protocol} ${JSON.stringify(raw)}`
  const known = memory.get(text)
  if (known !== undefined) return { route: known, problems: [] }
  const { seen } = unknowns
  const parsed = parseRoute(raw, kind, origin, unknowns)
  if (parsed.route !== null && unknowns.seen === seen) memory.set(text, parsed.route)
  return parsed
}

/** Total: a bad entry gives problems, one for each fault, and no route. Faults between fields are told when each field is right by itself. */
export function parseRoute<W, R>(
  raw: unknown,
  kind: Kind<W, R>,
  origin: string,
  unknowns: Unknowns,
): { readonly route: R | null; readonly problems: readonly Problem[] } {
  const routeId = isRecord(raw) && typeof raw.id === 'string' ? printableId(raw.id) : null
  const problem = (refusal: RefusalAt): Problem => ({
    code: refusal.code,
    protocol: kind.protocol,
    routeId,
    field: refusal.field === '' ? null : refusal.field,
    value: refusal.value === undefined ? null : shown(refusal.field, refusal.value),
    message: refusal.message,
    remedy: refusal.remedy ?? REASONS[refusal.code].remedy,
    origin,
  })
  if (!isRecord(raw))
    return {
      route: null,
      problems: [
        // A list may hold anything, so only its kind is told.
        problem({
          code: 'ROUTE_INVALID',
          field: '',
          value: Array.isArray(raw) ? 'a list' : raw,
          message: `an entry of ${kind.list} is not an object`,
        }),
      ],
    }
  unknowns.count(raw, kind.shape, `${kind.list}.`)
  for (const [field, shape] of Object.entries(kind.nested)) {
    const value = raw[field]
    if (!Array.isArray(value)) unknowns.count(value, shape, `${kind.list}.${field}.`)
    else for (const entry of value.slice(0, MAX_LIST)) unknowns.count(entry, shape, `${kind.list}.${field}[].`)
  }
  const parsed = kind.wire.safeParse(raw)
  if (!parsed.success)
    return { route: null, problems: parsed.error.issues.map(issue => problem(issueToRefusal(issue, raw))) }
  const checked = kind.finish(parsed.data)
  if (checked.route === null) return { route: null, problems: checked.faults.map(problem) }
  return { route: checked.route, problems: [] }
}
