/**
 * What Traefik should have, from what is expected: total and pure. Bad input gives problems, never an exception, and costs only itself.
 *
 *   candidates -> placement (who may stand where) -> routers, services, tombstones -> { config, outcomes }
 *
 * The same candidates, settings and view of Traefik give the same bytes, in whatever order they come.
 */
import type { NodeSettings } from './admit.ts'
import { type Capabilities, capabilitiesOf } from './capabilities.ts'
import { assembleHttp, type CompiledHttpRoute, compileHttpRoute } from './compile-http.ts'
import { assembleTcp, type CompiledTcpRoute, compileTcpRoute, type TcpPortUse } from './compile-tcp.ts'
import { assembleUdp, type CompiledUdpRoute, compileUdpRoute } from './compile-udp.ts'
import { byPrecedence, type Candidate, keyOf } from './conflicts.ts'
import type { DynamicConfig, TlsPair } from './dynamic-config.ts'
import type { Certificate } from './expected-state.ts'
import { candidateProblem, Ground, type Placed, place, portsOf, sortedNames, type TraefikView } from './placement.ts'
import type { Problem, RouteKey } from './problem.ts'
import { rememberLast } from './remember.ts'
import type { HttpRoute, Route, TcpRoute, UdpRoute } from './route.ts'

export type CompileInput = {
  readonly candidates: readonly Candidate[]
  readonly node: NodeSettings
  readonly view: TraefikView
  readonly certificates: readonly Certificate[]
  /** Origin of the control plane that answers ACME challenges, or null. */
  readonly challengeUrl: string | null
}

export type RouteOutcome = {
  readonly key: RouteKey
  readonly candidate: Candidate
  /** Why the route is not served, or null. */
  readonly problem: Problem | null
  /** What it lacks although it is served, or null. */
  readonly degraded: Problem | null
  readonly notes: readonly string[]
  /** What it became, without `@http`; empty when it is not served. */
  readonly entryPoints: readonly string[]
  readonly routers: readonly string[]
  readonly services: readonly string[]
}

export type Compiled = {
  readonly config: DynamicConfig
  /** One for each candidate, sorted by key; several of one key when an id is claimed twice. */
  readonly outcomes: readonly RouteOutcome[]
  /** Entry points that carry something of ours: to be remembered for the next start. */
  readonly entryPoints: readonly string[]
}

type Parts = {
  readonly routers: Readonly<Record<string, { readonly entryPoints: readonly string[] }>>
  readonly services: Readonly<Record<string, unknown>>
}

// With the text of all that goes into them beside the route.
const httpParts = rememberLast<HttpRoute, CompiledHttpRoute>()
const tcpParts = rememberLast<TcpRoute, CompiledTcpRoute>()
const udpParts = rememberLast<UdpRoute, CompiledUdpRoute>()

/** What the parts are called. */
const namesOf = (parts: Parts): Pick<RouteOutcome, 'entryPoints' | 'routers' | 'services'> =>
  namesOfParts(parts, '', () => ({
    entryPoints: sortedNames(Object.values(parts.routers).flatMap(router => router.entryPoints)),
    routers: Object.keys(parts.routers).sort(),
    services: Object.keys(parts.services).sort(),
  }))
const namesOfParts = rememberLast<Parts, Pick<RouteOutcome, 'entryPoints' | 'routers' | 'services'>>()

/** @param withheld domains of certificates that Traefik does not get */
function degradedBy(candidate: Candidate, withheld: ReadonlySet<string>): Problem | null {
  const { route } = candidate
  if (route.upstreams.length === 0) {
    return candidateProblem(candidate, 'NO_UPSTREAMS', {
      field: 'upstreams',
      value: '[]',
      message: 'the route has no upstreams; its connections are closed at once',
    })
  }
  const host = endsTlsFor(route)
  if (host === null || (!withheld.has(host) && !withheld.has(`*${host.slice(host.indexOf('.'))}`))) return null
  return candidateProblem(candidate, 'CERTIFICATE_NEEDS_TOKEN', {
    field: route.protocol === 'http' ? 'domain' : 'sniHostname',
    value: host,
    message: `the certificate of ${host} is not handed to Traefik: the provider endpoint has no token`,
  })
}

/** The host name for which Traefik shows a certificate of its own, or null. */
function endsTlsFor(route: Route): string | null {
  if (route.protocol === 'http') return route.domain
  return route.protocol === 'tcp' && route.tls === 'terminate' ? route.sniHostname : null
}

function notesOf(route: Route, can: Capabilities, version: string | null): readonly string[] {
  if (route.protocol !== 'tcp' || route.healthCheck === null || can.tcpHealthCheck) return route.notes
  return [...route.notes, `healthCheck is left out: Traefik ${version ?? 'of unknown version'} may have none for TCP`]
}

function tcpPortUses(routes: readonly Placed<TcpRoute>[], ground: Ground): TcpPortUse[] {
  const uses = new Map<number, { plain: boolean; anyTls: boolean; names: boolean }>()
  for (const { route } of routes) {
    for (const port of portsOf(route)) {
      const use = uses.get(port) ?? { plain: false, anyTls: false, names: false }
      if (route.sniHostname !== null) use.names = true
      else if (route.tls === 'none') use.plain = true
      else use.anyTls = true
      uses.set(port, use)
    }
  }
  return ground.node.ports.tcp.list().flatMap(port => {
    const entryPoints = ground.graveable('tcp', port, uses.has(port))
    return entryPoints.length === 0
      ? []
      : [{ port, entryPoints, ...(uses.get(port) ?? { plain: false, anyTls: false, names: false }) }]
  })
}

function freeUdpPorts(
  routes: readonly Placed<UdpRoute>[],
  ground: Ground,
): { port: number; entryPoints: readonly string[] }[] {
  const used = new Set(routes.flatMap(({ route }) => portsOf(route)))
  return ground.node.ports.udp
    .list()
    .filter(port => !used.has(port))
    .map(port => ({ port, entryPoints: ground.graveable('udp', port, false) }))
    .filter(({ entryPoints }) => entryPoints.length > 0)
}

function tlsSection({ node, certificates }: CompileInput): Pick<DynamicConfig, 'tls'> {
  // By its text each stands once, in one order: several domains may name the same certificate.
  const byText = new Map(
    (node.certificates ? certificates : []).map(pair => [`${pair.certificate}${pair.certificateKey}`, tlsPair(pair)]),
  )
  const sorted = [...byText].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, pair]) => pair)
  if (sorted.length === 0 && node.defaultCertificate === null) return {}
  return {
    tls: {
      ...(sorted.length === 0 ? {} : { certificates: sorted }),
      ...(node.defaultCertificate === null
        ? {}
        : { stores: { default: { defaultCertificate: tlsPair(node.defaultCertificate) } } }),
    },
  }
}

const tlsPair = ({ certificate, certificateKey }: Omit<Certificate, 'domain'>): TlsPair => ({
  certFile: certificate,
  keyFile: certificateKey,
})

const usedEntryPoints = (config: DynamicConfig): string[] =>
  sortedNames(
    [config.http?.routers, config.tcp?.routers, config.udp?.routers].flatMap(routers =>
      Object.values(routers ?? {}).flatMap(router => router.entryPoints),
    ),
  )

/** Of several with one key the served one stands first. */
function byKey(a: RouteOutcome, b: RouteOutcome): number {
  if (a.key !== b.key) return a.key < b.key ? -1 : 1
  if ((a.problem === null) !== (b.problem === null)) return a.problem === null ? -1 : 1
  return byPrecedence(a.candidate, b.candidate)
}

export function compile(input: CompileInput): Compiled {
  const { node, view } = input
  const ground = new Ground(node, view)
  const can = capabilitiesOf(view.observed?.version ?? null)
  const placement = place(input.candidates, ground)

  const named = new Set(
    placement.tcp.filter(({ route }) => route.sniHostname !== null).map(({ route }) => route.externalPort),
  )
  const httpGround = JSON.stringify([ground.httpThere, node.http])
  const http = placement.http.map(({ candidate, route }) => ({
    candidate,
    parts: httpParts(route, httpGround, () => compileHttpRoute(route, ground.httpThere, node.http)),
  }))
  const names = (route: TcpRoute | UdpRoute): readonly (readonly string[])[] =>
    portsOf(route).map(port => ground.names(route.protocol, port))
  const fields = JSON.stringify(can)
  const hasNames = (port: number): boolean => named.has(port)
  const tcp = placement.tcp.map(({ candidate, route }) => ({
    candidate,
    parts: tcpParts(route, `${fields}${JSON.stringify([names(route), portsOf(route).filter(hasNames)])}`, () =>
      compileTcpRoute(route, port => ground.names('tcp', port), hasNames, can),
    ),
  }))
  const udp = placement.udp.map(({ candidate, route }) => ({
    candidate,
    parts: udpParts(route, JSON.stringify(names(route)), () =>
      compileUdpRoute(route, port => ground.names('udp', port)),
    ),
  }))

  const challengeOn =
    node.http.redirectFrom !== null && ground.httpThere.includes(node.http.redirectFrom) ? node.http.redirectFrom : null
  const sections = {
    http: assembleHttp(
      http.map(({ parts }) => parts),
      node.http,
      input.challengeUrl !== null && challengeOn !== null ? { url: input.challengeUrl, entryPoint: challengeOn } : null,
    ),
    tcp: assembleTcp(
      tcp.map(({ parts }) => parts),
      tcpPortUses(placement.tcp, ground),
    ),
    udp: assembleUdp(
      udp.map(({ parts }) => parts),
      freeUdpPorts(placement.udp, ground),
    ),
  }
  const config: DynamicConfig = {
    ...(sections.http === null ? {} : { http: sections.http }),
    ...(sections.tcp === null ? {} : { tcp: sections.tcp }),
    ...(sections.udp === null ? {} : { udp: sections.udp }),
    ...tlsSection(input),
  }

  const withheld = new Set(node.certificates ? [] : input.certificates.map(({ domain }) => domain))
  const served = ({ candidate, parts }: { candidate: Candidate; parts: Parts }): RouteOutcome => ({
    key: keyOf(candidate.route),
    candidate,
    problem: null,
    degraded: degradedBy(candidate, withheld),
    notes: notesOf(candidate.route, can, view.observed?.version ?? null),
    ...namesOf(parts),
  })
  const outcomes = [
    ...[...http, ...tcp, ...udp].map(served),
    ...placement.lost.map(({ candidate, problem }) => ({
      key: keyOf(candidate.route),
      candidate,
      problem,
      degraded: null,
      notes: candidate.route.notes,
      entryPoints: [],
      routers: [],
      services: [],
    })),
  ].sort(byKey)
  return { config, outcomes, entryPoints: usedEntryPoints(config) }
}
