/** Whom a probe asks, and where: the entry points of this machine, for routes that stand in Traefik. */
import type { RouteOutcome } from '../compile.ts'
import type { DynamicConfig } from '../dynamic-config.ts'
import { canonicalJson } from '../hash.ts'
import { isWildcard } from '../host-sni.ts'
import type { RouteVerdict } from '../judge.ts'
import { routeName } from '../names.ts'
import type { ObservedEntryPoint } from '../observed.ts'
import type { RouteKey } from '../problem.ts'
import type { Route } from '../route.ts'
import { contains, parseAddress, parseNetwork } from '../upstream.ts'
import type { ReasonCode } from '../verdict.ts'
import { defaultProbe, type ProbeSpec } from './spec.ts'

export type ProbeTarget = {
  readonly key: RouteKey
  /** Where the entry point listens, as this machine reaches it. */
  readonly host: string
  readonly port: number
  /** Sent as SNI, and as Host; null: none. */
  readonly serverName: string | null
  /** HTTP: the entry point speaks TLS. */
  readonly secure: boolean
  readonly path: string
  readonly spec: ProbeSpec
  /** The route asks for it, again and again; else a person does, once. */
  readonly periodic: boolean
  /** Another one when an earlier answer says nothing any more. */
  readonly version: string
}

/** Reasons whose routes stand in Traefik as they were compiled: only these are probed. */
const STANDING: ReadonlySet<ReasonCode> = new Set([
  'LIVE',
  'BACKEND_DOWN',
  'FIELD_NOT_IN_TRAEFIK',
  'CERTIFICATE_NEEDS_TOKEN',
])

/** `:10000`, `127.0.0.1:5432/tcp`, `[::]:53/udp` as Traefik writes them; an unspecified address is met on loopback. */
export function loopbackOf(address: string): string {
  const host = address.replace(/\/(?:tcp|udp)$/i, '').replace(/:\d+$/, '')
  if (host === '' || host === '0.0.0.0') return '127.0.0.1'
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  return bare === '::' ? '::1' : bare
}

/** A wildcard stands for one label, and any will do. */
const nameOf = (host: string): string => (isWildcard(host) ? `fairlead-probe${host.slice(1)}` : host)

const contents = new WeakMap<Route, string>()

function contentOf(route: Route): string {
  const known = contents.get(route)
  if (known !== undefined) return known
  const content = canonicalJson(route)
  contents.set(route, content)
  return content
}

/** The proxy's own address, seen by Traefik as that of a client, may be one that the route keeps out. */
function isKeptOut(route: Route, host: string): boolean {
  if (route.protocol !== 'tcp' || route.allowCidrs.length === 0) return false
  const client = parseAddress(host, 1)
  return (
    !client.ok ||
    !route.allowCidrs.some(text => {
      const network = parseNetwork(text)
      return network !== null && contains(network, client.address)
    })
  )
}

const asked = (route: Route): ProbeSpec | null => route.probe ?? defaultProbe(route)

/** The router that a client of the route meets, and whether it speaks TLS; for HTTP that is the secure one where there is one. */
function mainRouter(
  outcome: RouteOutcome,
  config: DynamicConfig,
): { readonly entryPoints: readonly string[]; readonly secure: boolean } {
  const { route } = outcome.candidate
  if (route.protocol !== 'http') return { entryPoints: outcome.entryPoints, secure: false }
  const router = config.http?.routers?.[routeName('http', route.id)]
  return { entryPoints: router?.entryPoints ?? [], secure: router?.tls !== undefined }
}

/** Entry points by protocol and name. Kept, since every route of a pool asks for its own. */
const indexes = new WeakMap<readonly ObservedEntryPoint[], ReadonlyMap<string, ObservedEntryPoint>>()

function indexOf(entryPoints: readonly ObservedEntryPoint[]): ReadonlyMap<string, ObservedEntryPoint> {
  const known = indexes.get(entryPoints)
  if (known !== undefined) return known
  const index = new Map(entryPoints.map(one => [`${one.protocol} ${one.name}`, one]))
  indexes.set(entryPoints, index)
  return index
}

/** Where and what to ask, or a sentence that says why it cannot be asked. Of a block of ports the first one stands for all. */
export function findTarget(
  outcome: RouteOutcome,
  config: DynamicConfig,
  entryPoints: readonly ObservedEntryPoint[],
): ProbeTarget | string {
  const { key, candidate } = outcome
  const { route } = candidate
  if (outcome.problem !== null) return 'the route is not served'
  if (route.upstreams.length === 0) return 'the route has no upstreams'
  const spec = asked(route)
  if (spec === null) return 'a UDP probe needs something that the upstream answers: give probe.sendHex'
  const { entryPoints: names, secure } = mainRouter(outcome, config)
  const index = indexOf(entryPoints)
  const at = names
    .map(name => index.get(`${route.protocol === 'udp' ? 'udp' : 'tcp'} ${name}`))
    .find(one => one !== undefined && (route.protocol === 'http' || one.port === route.externalPort))
  if (at === undefined) return 'the address of its entry point is not known'
  const host = loopbackOf(at.address)
  if (isKeptOut(route, host)) return `allowCidrs does not let ${host} in, where the probe would come from`
  const named = route.protocol === 'http' ? route.domain : route.protocol === 'tcp' ? route.sniHostname : null
  return {
    key,
    host,
    port: at.port,
    serverName: named === null ? null : nameOf(named),
    secure,
    path: route.protocol === 'http' ? route.pathPrefix : '/',
    spec,
    periodic: route.probe !== null,
    version: `${host} ${at.port} ${secure} ${contentOf(route)}`,
  }
}

export type Standing = {
  readonly outcomes: readonly RouteOutcome[]
  /** Of those outcomes, before any probe was looked at. */
  readonly verdicts: readonly RouteVerdict[]
  readonly config: DynamicConfig
  readonly entryPoints: readonly ObservedEntryPoint[]
}

/** Outcomes that stand in Traefik by their verdicts, by key. */
export function probeableOutcomes({ outcomes, verdicts }: Standing): ReadonlyMap<RouteKey, RouteOutcome> {
  const standing = new Set(
    verdicts.flatMap(({ protocol, id, reason }) => (STANDING.has(reason) ? [`${protocol}/${id}`] : [])),
  )
  // An id that is claimed twice has two outcomes, and only one of them is served.
  return new Map(
    outcomes.flatMap(outcome =>
      outcome.problem === null && standing.has(outcome.key) ? [[outcome.key, outcome]] : [],
    ),
  )
}

/** Every route that asks for a probe and stands in Traefik, and where to ask. */
export function probeTargets(standing: Standing): ProbeTarget[] {
  return [...probeableOutcomes(standing).values()].flatMap(outcome => {
    if (outcome.candidate.route.probe === null) return []
    const target = findTarget(outcome, standing.config, standing.entryPoints)
    return typeof target === 'string' ? [] : [target]
  })
}
