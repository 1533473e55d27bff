/**
 * The wire contract: what a control plane, or a local file, says should be.
 *
 *   unknown -> document (one schema, all or nothing) -> route by route (one schema each) -> { routes, problems }
 *
 * A document that is not a state changes nothing, and a bad route costs only itself. Values come out in one canonical form, so that two
 * spellings of the same thing are equal from here on. What only a node can judge (its ports, its policy) is judged in admit.ts.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { z } from 'zod'
import { canonicalJson, contentHash } from './hash.ts'
import { parseHostName } from './host-sni.ts'
import { type Problem, type Protocol, printable } from './problem.ts'
import {
  type Address,
  formatNetwork,
  type HttpUpstreamUrl,
  parseAddress,
  parseHttpUpstream,
  parseNetwork,
} from './upstream.ts'
import { REASONS, type ReasonCode } from './verdict.ts'

export const SCHEMA_MAJOR = 1

// ------------------------------------------------------------------------------------------------------------------ fields

type Refusal = { readonly code: ReasonCode; readonly message: string; readonly remedy?: string }

const refuse = (ctx: z.core.$RefinementCtx, refusal: Refusal): typeof z.NEVER => {
  ctx.addIssue({ code: 'custom', message: refusal.message, params: refusal })
  return z.NEVER
}

/** RFC 3339 to milliseconds since 1970. */
const instant = z.iso
  .datetime({ offset: true, error: 'is not a time such as 2026-11-23T10:00:00Z (RFC 3339)' })
  .transform(text => Date.parse(text))

const idText = z.string().transform((id, ctx) => {
  if (id === '') return refuse(ctx, { code: 'ID_INVALID', message: 'the id is empty' })
  if (id.length > 200) return refuse(ctx, { code: 'ID_INVALID', message: `an id of ${id.length} signs is too long` })
  if (!id.isWellFormed() || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(id))
    return refuse(ctx, { code: 'ID_INVALID', message: 'the id holds signs that cannot be printed' })
  return id
})

const hostName = z.string().transform((text, ctx) => {
  const parsed = parseHostName(text)
  return parsed.ok ? parsed.host : refuse(ctx, { code: 'HOST_NAME_INVALID', ...parsed })
})

/** `""` and `*` mean: no host name. */
const sniHostName = z.string().transform((text, ctx): string | null => {
  if (text === '' || text === '*') return null
  const parsed = parseHostName(text)
  return parsed.ok ? parsed.host : refuse(ctx, { code: 'HOST_NAME_INVALID', ...parsed })
})

const address = z.string().transform((text, ctx): Address => {
  const parsed = parseAddress(text)
  return parsed.ok ? parsed.address : refuse(ctx, { code: 'UPSTREAM_INVALID', ...parsed })
})

const httpUrl = z.string().transform((text, ctx): HttpUpstreamUrl => {
  const parsed = parseHttpUpstream(text)
  return parsed.ok ? parsed.url : refuse(ctx, { code: 'UPSTREAM_INVALID', ...parsed })
})

const PATH_PREFIX = /^\/[A-Za-z0-9\-._~!$&'()*+,;=:@/]*$/

const pathPrefix = z.string().transform((text, ctx) => {
  if (text === '') return '/'
  const remedy = "Write it as /api: a slash, then letters, digits and -._~!$&'()*+,;=:@ between single slashes."
  if (text.length > 500)
    return refuse(ctx, { code: 'FIELD_INVALID', message: `a path prefix of ${text.length} signs is too long`, remedy })
  if (!PATH_PREFIX.test(text))
    return refuse(ctx, {
      code: 'FIELD_INVALID',
      message: 'the path prefix holds signs that it cannot have, or no slash in front',
      remedy,
    })
  if (text.includes('//') || text.split('/').some(part => part === '.' || part === '..')) {
    return refuse(ctx, { code: 'FIELD_INVALID', message: 'the path prefix is not in its shortest form', remedy })
  }
  return text
})

const port = z
  .int({ error: 'is not a whole number' })
  .transform((value, ctx) =>
    value >= 1 && value <= 65535
      ? value
      : refuse(ctx, { code: 'PORT_OUT_OF_RANGE', message: `port ${value} is outside 1-65535` }),
  )

const weight = z.int().min(1, 'is not 1 to 1000').max(1000, 'is not 1 to 1000')

const cidr = z.string().transform((text, ctx) => {
  const network = parseNetwork(text)
  if (network === null || network.port !== null) {
    return refuse(ctx, {
      code: 'FIELD_INVALID',
      message: 'is not a network',
      remedy: 'Write it as 203.0.113.0/24 or 2001:db8::/32.',
    })
  }
  return formatNetwork(network)
})

/** `500ms`, `10s`, `2m`, between 500 ms and 10 min; out comes the same text in milliseconds, as Go reads it. */
const duration = z.string().transform((text, ctx) => {
  const parts = /^(\d{1,6})(ms|s|m)$/.exec(text)
  const ms = parts === null ? Number.NaN : Number(parts[1]) * (parts[2] === 'ms' ? 1 : parts[2] === 's' ? 1000 : 60_000)
  if (!(ms >= 500 && ms <= 600_000))
    return refuse(ctx, {
      code: 'FIELD_INVALID',
      message: 'is not a duration of 500ms to 10m',
      remedy: 'Write it as 10s.',
    })
  return ms
})

const plainText = (max: number) =>
  z
    .string()
    .max(max)
    .regex(/^[\x20-\x7e\r\n\t]*$/, 'holds signs other than ASCII')
const resolverName = z.string().regex(/^[A-Za-z0-9_-]{1,63}$/, 'is not the name of a certificate resolver')
const absent = <T extends z.ZodType>(schema: T) => schema.nullish().transform(value => value ?? null)

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

type RefusalAt = Refusal & { readonly field: string; readonly value?: unknown }
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

// ---------------------------------------------------------------------------------------------------------------- document

const routeList = z.array(z.unknown()).nullish()

const listsShape = { routes: routeList, httpRoutes: routeList, tcpRoutes: routeList, udpRoutes: routeList }

const certificateWire = z.object({
  domain: hostName,
  certificate: z.string().max(262_144),
  certificateKey: z.string().max(65_536),
})

const count = z.int().min(0)

const documentWire = z.object({
  schema: z.unknown(),
  controlPlaneId: absent(z.string().min(1).max(200)),
  serverId: absent(z.string().min(1).max(200)),
  serverName: absent(z.string().max(300)),
  epoch: absent(count),
  revision: absent(count),
  removed: absent(z.array(z.string().max(300))),
  acceptedHash: absent(z.string().max(200)),
  traefik: z.object({ ...listsShape, certificates: z.array(z.unknown()).nullish(), challengeRoute: z.unknown() }),
})

const fileWire = z.object(listsShape)

export type Certificate = { readonly domain: string; readonly certificate: string; readonly certificateKey: string }

export type StateHeader = {
  /** Whether the document names a schema: only then does its sender take our status reports. */
  readonly schema: number | null
  readonly controlPlaneId: string | null
  readonly serverId: string | null
  readonly serverName: string | null
  readonly epoch: number | null
  readonly revision: number | null
  /** Keys (`tcp/pg`) or bare ids that were removed on purpose. */
  readonly removed: readonly string[]
  readonly acceptedHash: string | null
}

export type UnknownField = { readonly field: string; readonly count: number }

export type ParsedState = {
  readonly header: StateHeader
  /** Which lists were there as arrays. An absent one says nothing; it does not say "empty". */
  readonly lists: Readonly<Record<Protocol, boolean>>
  readonly routes: readonly Route[]
  readonly certificates: readonly Certificate[]
  /** Where ACME challenges of another control plane are answered, or null. */
  readonly challengeUrl: string | null
  readonly problems: readonly Problem[]
  readonly unknownFields: readonly UnknownField[]
  /** Over the parsed routes, certificates and challenge route: equal for two spellings of the same state. */
  readonly contentHash: string
}

export type ParseResult =
  | { readonly ok: true; readonly state: ParsedState }
  | { readonly ok: false; readonly problem: Problem }

export type ParseOptions = {
  /** A file's name or a control plane's id, for the problems. */
  readonly origin: string
  readonly maxRoutes: number
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return undefined
    at = Reflect.get(at, key)
  }
  return at
}

const fieldPath = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`),
    '',
  )

const FIELD_CODES: Readonly<Record<string, ReasonCode>> = {
  id: 'ID_INVALID',
  domain: 'HOST_NAME_INVALID',
  sniHostname: 'HOST_NAME_INVALID',
  upstreams: 'UPSTREAM_INVALID',
}

const isRefusal = (params: unknown): params is Refusal =>
  isRecord(params) && typeof params.code === 'string' && typeof params.message === 'string'

function issueToRefusal(issue: z.core.$ZodIssue, raw: unknown): RefusalAt {
  const field = fieldPath(issue.path)
  const value = valueAt(raw, issue.path)
  if (issue.code === 'custom' && isRefusal(issue.params)) return { ...issue.params, field, value }
  const code = FIELD_CODES[String(issue.path[0] ?? '')] ?? 'FIELD_INVALID'
  const missing = value === undefined
  const wanted =
    issue.code === 'invalid_type'
      ? `is not ${article(issue.expected)}`
      : issue.message.replace(/^Invalid input: expected /, 'is not ')
  return {
    code,
    field,
    value,
    message: missing ? `${field} is missing` : `${field} ${wanted}`,
    remedy: missing ? `Add ${field}.` : REASONS[code].remedy,
  }
}

const article = (type: string): string =>
  ({
    int: 'a whole number',
    number: 'a number',
    string: 'a text',
    boolean: 'true or false',
    array: 'a list',
    object: 'an object',
  })[type] ?? type

class Unknowns {
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

const HTTP: Kind<z.output<typeof httpWire>, HttpRoute> = {
  protocol: 'http',
  list: 'routes',
  wire: httpWire,
  shape: httpWire.shape,
  finish: finishHttp,
}
const TCP: Kind<z.output<typeof tcpWire>, TcpRoute> = {
  protocol: 'tcp',
  list: 'tcpRoutes',
  wire: tcpWire,
  shape: tcpWire.shape,
  finish: finishTcp,
}
const UDP: Kind<z.output<typeof udpWire>, UdpRoute> = {
  protocol: 'udp',
  list: 'udpRoutes',
  wire: udpWire,
  shape: udpWire.shape,
  finish: finishUdp,
}

function parseRoute<W, R>(
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

function parseCertificate(raw: unknown, origin: string): Certificate | Problem {
  const domain = isRecord(raw) && typeof raw.domain === 'string' ? printable(raw.domain) : null
  const fault = (message: string, remedy: string): Problem => ({
    code: 'FIELD_INVALID',
    protocol: null,
    routeId: null,
    field: 'traefik.certificates',
    value: domain,
    message,
    remedy,
    origin,
  })
  const parsed = certificateWire.safeParse(raw)
  if (!parsed.success)
    return fault(
      'a certificate entry lacks domain, certificate or certificateKey',
      'Give all three; the last two as PEM.',
    )
  const { certificate, certificateKey } = parsed.data
  try {
    if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(certificateKey)))
      return fault('the key does not belong to the certificate', 'Issue the certificate again.')
  } catch {
    // The cause may quote key material, so it is not passed on.
    return fault('the certificate or its key is not PEM', 'Issue the certificate again.')
  }
  return { ...parsed.data, certificate: normalisePem(certificate), certificateKey: normalisePem(certificateKey) }
}

const normalisePem = (pem: string): string => `${pem.replaceAll('\r\n', '\n').trim()}\n`

function parseChallengeUrl(raw: unknown): string | null {
  if (!isRecord(raw) || typeof raw.controlPlaneUrl !== 'string' || !URL.canParse(raw.controlPlaneUrl)) return null
  const url = new URL(raw.controlPlaneUrl)
  return (url.protocol === 'https:' || url.protocol === 'http:') && url.username === '' ? url.origin : null
}

function notAState(
  options: ParseOptions,
  message: string,
  field: string | null,
  value: unknown,
  remedy: string = REASONS.DOCUMENT_INVALID.remedy,
  code: ReasonCode = 'DOCUMENT_INVALID',
): ParseResult {
  return {
    ok: false,
    problem: {
      code,
      protocol: null,
      routeId: null,
      field,
      value: value === undefined ? null : printable(value),
      message,
      remedy,
      origin: options.origin,
    },
  }
}

type Lists = { readonly [list in keyof typeof listsShape]?: readonly unknown[] | null | undefined }

function parseLists(
  lists: Lists,
  options: ParseOptions,
  unknowns: Unknowns,
): Pick<ParsedState, 'lists' | 'routes' | 'problems'> | ParseResult {
  const present = {
    http: Array.isArray(lists.routes) || Array.isArray(lists.httpRoutes),
    tcp: Array.isArray(lists.tcpRoutes),
    udp: Array.isArray(lists.udpRoutes),
  }
  if (!present.http && !present.tcp && !present.udp)
    return notAState(options, 'none of the lists routes, tcpRoutes, udpRoutes is there', null, undefined)
  const raw = {
    http: [...(lists.routes ?? []), ...(lists.httpRoutes ?? [])],
    tcp: lists.tcpRoutes ?? [],
    udp: lists.udpRoutes ?? [],
  }
  const total = raw.http.length + raw.tcp.length + raw.udp.length
  if (total > options.maxRoutes) {
    return notAState(
      options,
      `${total} routes are more than the ${options.maxRoutes} of policy.maxRoutes`,
      null,
      total,
      REASONS.TOO_MANY_ROUTES.remedy,
      'TOO_MANY_ROUTES',
    )
  }
  const results = [
    ...raw.http.map(entry => parseRoute(entry, HTTP, options.origin, unknowns)),
    ...raw.tcp.map(entry => parseRoute(entry, TCP, options.origin, unknowns)),
    ...raw.udp.map(entry => parseRoute(entry, UDP, options.origin, unknowns)),
  ]
  return {
    lists: present,
    routes: results.flatMap(({ route }) => (route === null ? [] : [route])),
    problems: results.flatMap(({ problems }) => problems),
  }
}

const NO_HEADER: StateHeader = {
  schema: null,
  controlPlaneId: null,
  serverId: null,
  serverName: null,
  epoch: null,
  revision: null,
  removed: [],
  acceptedHash: null,
}

const sortedJson = (values: readonly unknown[]): string[] => values.map(canonicalJson).sort()

const finish = (state: Omit<ParsedState, 'contentHash'>): ParseResult => ({
  ok: true,
  // Sorted, since a source may list its routes in any order. Bad entries count too: mending one is a change.
  state: {
    ...state,
    contentHash: contentHash([
      sortedJson(state.routes),
      sortedJson(state.certificates),
      state.challengeUrl,
      sortedJson(state.problems),
    ]),
  },
})

/**
 * A control plane's document. Total: never throws.
 * `{}`, `{"traefik":{}}`, HTML and error documents are not a state, and never mean "empty".
 */
export function parseExpectedState(raw: unknown, options: ParseOptions): ParseResult {
  if (!isRecord(raw))
    return notAState(
      options,
      `the document is ${Array.isArray(raw) ? 'a list' : raw === null ? 'null' : `a ${typeof raw}`}, not an object`,
      null,
      raw,
    )
  if (raw.schema !== undefined && raw.schema !== SCHEMA_MAJOR) {
    return notAState(
      options,
      `schema ${printable(raw.schema)} is not known here`,
      'schema',
      raw.schema,
      `This agent reads schema ${SCHEMA_MAJOR}; upgrade it. The last good state goes on serving.`,
    )
  }
  const parsed = documentWire.safeParse(raw)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    if (issue === undefined) return notAState(options, 'the document does not fit', null, undefined)
    const refusal = issueToRefusal(issue, raw)
    return notAState(options, refusal.message, refusal.field, refusal.value)
  }
  const { traefik, removed, schema: _schema, ...rest } = parsed.data
  const unknowns = new Unknowns()
  unknowns.count(raw, documentWire.shape, '')
  unknowns.count(raw.traefik, documentWire.shape.traefik.shape, 'traefik.')
  const lists = parseLists(traefik, options, unknowns)
  if ('ok' in lists) return lists
  const certificates = (traefik.certificates ?? []).map(entry => parseCertificate(entry, options.origin))
  return finish({
    header: { ...rest, schema: raw.schema === undefined ? null : SCHEMA_MAJOR, removed: removed ?? [] },
    lists: lists.lists,
    routes: lists.routes,
    certificates: certificates.filter((entry): entry is Certificate => 'certificateKey' in entry),
    challengeUrl: parseChallengeUrl(traefik.challengeRoute),
    problems: [...lists.problems, ...certificates.filter((entry): entry is Problem => 'code' in entry)],
    unknownFields: unknowns.list(),
  })
}

/** A local file: the three lists at the top level. Total: never throws. */
export function parseRoutesFile(raw: unknown, options: ParseOptions): ParseResult {
  if (!isRecord(raw))
    return notAState(
      options,
      `the file is ${Array.isArray(raw) ? 'a list' : raw === null ? 'empty' : `a ${typeof raw}`}, not an object with lists of routes`,
      null,
      raw ?? undefined,
    )
  const parsed = fileWire.safeParse(raw)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    const field = issue === undefined ? null : fieldPath(issue.path)
    return notAState(options, `${field ?? 'a list'} is not a list`, field, field === null ? undefined : raw[field])
  }
  const unknowns = new Unknowns()
  unknowns.count(raw, fileWire.shape, '')
  const lists = parseLists(parsed.data, options, unknowns)
  if ('ok' in lists) return lists
  return finish({ header: NO_HEADER, certificates: [], challengeUrl: null, ...lists, unknownFields: unknowns.list() })
}
