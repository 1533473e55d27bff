/**
 * What a live route becomes in Traefik's configuration, made here with the code that the nodes have. Pure.
 *
 * A node tells what is served only of routes that are not live. Its settings are not known here; what they could change (its upstream
 * policy, the names of its HTTP entry points) is taken as usual, and so the console says "compiled" and not "served".
 */
import type { RouteConfiguration } from '../../api/route.ts'
import type { NodeSettings } from '../../core/admit.ts'
import { compile } from '../../core/compile.ts'
import { parseEntryPointAddress } from '../../core/entry-points.ts'
import { parseExpectedState, SCHEMA_MAJOR } from '../../core/expected-state.ts'
import { mergeSources } from '../../core/merge.ts'
import type { ObservedEntryPoint } from '../../core/observed.ts'
import { makePortSet } from '../../core/port-set.ts'
import type { Protocol } from '../../core/problem.ts'
import type { Route } from '../../core/route.ts'
import { excerpt } from '../../core/route-excerpt.ts'
import { type Network, parseNetwork } from '../../core/upstream.ts'
import type { WireRoutes } from '../services/routes.ts'

/** What of a node changes what its routes become. */
export type CompilingNode = {
  readonly version: string | null
  /** Null: not known; then entry points go by name. */
  readonly entryPoints: readonly { readonly name: string; readonly address: string }[] | null
}

const ANYWHERE: readonly Network[] = ['0.0.0.0/0', '::/0'].flatMap(text => parseNetwork(text) ?? [])

const portsOf = (route: Route): readonly number[] =>
  route.protocol === 'http'
    ? []
    : Array.from({ length: route.externalPortEnd - route.externalPort + 1 }, (_, i) => route.externalPort + i)

/** Routes whose place has to do with this one's: a name on a port makes another rule of the plain route beside it. */
function besides(route: Route, other: Route): boolean {
  if (route.protocol !== other.protocol) return false
  if (route.protocol === 'http' || other.protocol === 'http') return route.id === other.id
  return route.externalPort <= other.externalPortEnd && other.externalPort <= route.externalPortEnd
}

function settingsFor(route: Route): NodeSettings {
  const ports = makePortSet(portsOf(route))
  return {
    ports: { tcp: ports, udp: ports },
    http: { entryPoints: ['websecure'], redirectFrom: 'web', redirectPort: null, certResolver: null },
    policy: {
      allow: ANYWHERE,
      deny: [],
      only: [],
      hostNames: true,
      ownAddresses: [],
      ownPorts: { tcp: new Map(), udp: new Map() },
    },
    certificates: false,
    defaultCertificate: null,
  }
}

function observedEntryPoints(entryPoints: CompilingNode['entryPoints']): readonly ObservedEntryPoint[] | null {
  return (
    entryPoints?.flatMap(({ name, address }) => {
      const parsed = parseEntryPointAddress(address)
      return parsed === null ? [] : [{ name, address, ...parsed }]
    }) ?? null
  )
}

/** Every route that is declared, read as an agent reads it; once for all nodes that are asked about. */
export function readDeclared({ routes, tcpRoutes, udpRoutes }: WireRoutes): readonly Route[] {
  const count = routes.length + tcpRoutes.length + udpRoutes.length
  const document = { schema: SCHEMA_MAJOR, traefik: { routes, tcpRoutes, udpRoutes } }
  const parsed = parseExpectedState(document, { origin: 'control-plane', maxRoutes: count })
  return parsed.ok ? parsed.state.routes : []
}

/** Null for a route that is not declared, or that no node would serve. */
export function compiledConfiguration(
  protocol: Protocol,
  id: string,
  declared: readonly Route[],
  node: CompilingNode,
): RouteConfiguration | null {
  const route = declared.find(one => one.id === id && one.protocol === protocol)
  if (route === undefined) return null
  const neighbours = declared
    .filter(other => besides(route, other))
    .map(one => ({ route: one, origin: 'control-plane' }))
  const { candidates } = mergeSources([{ rank: 1, routes: neighbours }], {}, 0)
  const entryPoints = observedEntryPoints(node.entryPoints)
  const { config, outcomes } = compile({
    candidates,
    node: settingsFor(route),
    view: {
      observed:
        entryPoints === null ? null : { version: node.version, entryPoints, foreignRouters: [], providers: null },
      tombstones: 'everywhere',
    },
    certificates: [],
    challengeUrl: null,
  })
  const outcome = outcomes.find(({ key, problem }) => key === `${protocol}/${id}` && problem === null)
  if (outcome === undefined) return null
  const section = excerpt(config, protocol, outcome.routers)[protocol]
  return { origin: 'compiled', routers: section?.routers ?? {}, services: section?.services ?? {} }
}
