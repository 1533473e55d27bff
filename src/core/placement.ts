/**
 * Which routes may stand where: admission, conflicts, the entry points that Traefik has, and what other providers put on them.
 *
 *   candidates -> admit (ports, policy) -> settle (ids, ports, host names) -> entry points -> foreign routers -> placed | lost
 */
import { admit, type NodeSettings } from './admit.ts'
import { type Candidate, settleConflicts } from './conflicts.ts'
import {
  type EntryPointMatch,
  entryPointLines,
  entryPointName,
  entryPointsFor,
  type ForeignByEntryPoint,
  foreignByEntryPoint,
} from './entry-points.ts'
import { httpRival, tcpRival, udpRival } from './foreign.ts'
import type { ForeignRouter, ObservedEntryPoint, ObservedTraefik } from './observed.ts'
import { type Problem, printable, printableId } from './problem.ts'
import type { HttpRoute, Route, TcpRoute, UdpRoute } from './route.ts'
import { REASONS, type ReasonCode } from './verdict.ts'

export type TraefikView = {
  /** What its API showed, now or in the run before; null when nobody knows: then entry points go by name and fields by the oldest version. */
  readonly observed: ObservedTraefik | null
  /** Where tombstones may go: everywhere once the API was read or none is configured, before that where this agent served already. */
  readonly tombstones: 'everywhere' | ReadonlySet<string>
}

export type Placed<R extends Route> = { readonly candidate: Candidate; readonly route: R }

export type Lost = { readonly candidate: Candidate; readonly problem: Problem }

type CandidateOf<P extends Route['protocol']> = Candidate & { readonly route: Extract<Route, { protocol: P }> }

export const sortedNames = (names: Iterable<string>): string[] => [...new Set(names)].sort()

/** The ports of a route: one, or a block. */
export function portsOf(route: TcpRoute | UdpRoute): readonly number[] {
  return Array.from({ length: route.externalPortEnd - route.externalPort + 1 }, (_, i) => route.externalPort + i)
}

export function candidateProblem(
  candidate: Candidate,
  code: ReasonCode,
  found: {
    readonly field: string | null
    readonly value: string | null
    readonly message: string
    readonly remedy?: string
  },
): Problem {
  const { route, origin } = candidate
  const { field, value, message, remedy = REASONS[code].remedy } = found
  return { code, protocol: route.protocol, routeId: printableId(route.id), field, value, message, remedy, origin }
}

/** Where Traefik's API answers when nothing else is said (`api.insecure`). */
const API_ENTRY_POINT = 'traefik'

/** The entry points of a node, as far as they are known, and who stands on them. */
export class Ground {
  /** What Traefik has, by number: a pool of ten thousand is looked through once and not ten thousand times. */
  readonly #byPort: ReadonlyMap<number, readonly ObservedEntryPoint[]> | null
  readonly #tombstones: TraefikView['tombstones']
  readonly #foreign: ForeignByEntryPoint
  readonly #matches = new Map<string, EntryPointMatch>()
  readonly node: NodeSettings
  /** Every entry point that the settings name for HTTP. */
  readonly httpNames: readonly string[]
  /** Those of them that Traefik has. */
  readonly httpThere: readonly string[]
  /** TCP ports that carry HTTP routes as well. */
  readonly httpPorts: ReadonlySet<number>
  /** Those, and the port of Traefik's own API: a route without a host name would take all that comes there. */
  readonly namedOnlyPorts: ReadonlySet<number>

  constructor(node: NodeSettings, view: TraefikView) {
    this.node = node
    this.#byPort = view.observed === null ? null : Map.groupBy(view.observed.entryPoints, ({ port }) => port)
    this.#tombstones = view.tombstones
    this.#foreign = foreignByEntryPoint(view.observed)
    const { entryPoints, redirectFrom } = node.http
    const names = sortedNames(redirectFrom === null ? entryPoints : [...entryPoints, redirectFrom])
    this.httpNames = names
    if (view.observed === null) {
      this.httpThere = names
      const portsNamed = (wanted: readonly string[]) =>
        node.ports.tcp.list().filter(port => wanted.includes(entryPointName('tcp', port)))
      this.httpPorts = new Set(portsNamed(names))
      this.namedOnlyPorts = new Set(portsNamed([...names, API_ENTRY_POINT]))
    } else {
      const tcp = view.observed.entryPoints.filter(({ protocol }) => protocol === 'tcp')
      const there = tcp.filter(({ name }) => names.includes(name))
      this.httpThere = sortedNames(there.map(({ name }) => name))
      this.httpPorts = new Set(there.map(({ port }) => port))
      this.namedOnlyPorts = new Set(
        tcp.filter(({ name }) => names.includes(name) || name === API_ENTRY_POINT).map(({ port }) => port),
      )
    }
  }

  match(protocol: 'tcp' | 'udp', port: number): EntryPointMatch {
    const key = `${protocol}-${port}`
    const known = this.#matches.get(key)
    if (known !== undefined) return known
    const match = entryPointsFor(protocol, port, this.#byPort === null ? null : (this.#byPort.get(port) ?? []))
    this.#matches.set(key, match)
    return match
  }

  names(protocol: 'tcp' | 'udp', port: number): readonly string[] {
    const match = this.match(protocol, port)
    return match.kind === 'found' ? match.names : []
  }

  /** The router of another provider that has the traffic of the route, and which traffic that is. */
  rival(route: Route): { readonly router: ForeignRouter; readonly what: string } | null {
    if (route.protocol === 'http') {
      const router = httpRival(route, this.httpThere, this.#foreign)
      return router === null ? null : { router, what: `${route.domain}${route.pathPrefix}` }
    }
    for (const port of portsOf(route)) {
      const names = this.names(route.protocol, port)
      const router = route.protocol === 'tcp' ? tcpRival(route, names, this.#foreign) : udpRival(names, this.#foreign)
      if (router === null) continue
      const host = route.protocol === 'tcp' && route.sniHostname !== null ? `${route.sniHostname} on ` : ''
      return { router, what: `${host}${route.protocol.toUpperCase()} port ${port}` }
    }
    return null
  }

  /**
   * Entry points of a pool port on which a tombstone stands in nobody's way.
   * @param used a route of ours stands there already
   */
  graveable(protocol: 'tcp' | 'udp', port: number, used: boolean): readonly string[] {
    return this.names(protocol, port).filter(name => {
      if (!used && this.#tombstones !== 'everywhere' && !this.#tombstones.has(name)) return false
      const foreign = this.#foreign.get(name) ?? []
      if (protocol === 'udp') return !foreign.some(router => router.protocol === 'udp')
      // A TCP HostSNI(`*`) of any priority takes plain HTTP away from HTTP routers on its entry point.
      return (
        !this.httpNames.includes(name) && name !== API_ENTRY_POINT && !foreign.some(router => router.protocol !== 'udp')
      )
    })
  }
}

/** Why no entry point takes the route, or null. */
function entryPointProblem(candidate: Candidate, ground: Ground): Problem | null {
  const { route } = candidate
  if (route.protocol === 'http') {
    const wanted = ground.node.http.entryPoints
    if (wanted.some(name => ground.httpThere.includes(name))) return null
    const names = wanted.join(', ')
    const remedy =
      "Add the entry point to Traefik's static configuration and restart it, or name another in http.entryPoints on the node."
    return candidateProblem(candidate, 'ENTRY_POINT_MISSING', {
      field: null,
      value: names,
      message: `Traefik has no entry point ${names}`,
      remedy,
    })
  }
  for (const port of portsOf(route)) {
    const match = ground.match(route.protocol, port)
    if (match.kind === 'found') continue
    const found = {
      field: 'externalPort',
      value: String(port),
      remedy: `Add these lines to Traefik's static configuration and restart it:\n${entryPointLines(route.protocol, port)}`,
    }
    const upper = route.protocol.toUpperCase()
    return match.kind === 'missing'
      ? candidateProblem(candidate, 'ENTRY_POINT_MISSING', {
          ...found,
          message: `Traefik has no entry point for ${upper} port ${port}`,
        })
      : candidateProblem(candidate, 'ENTRY_POINT_WRONG_PROTOCOL', {
          ...found,
          message: `Traefik's entry point ${printable(match.name)} has port ${port} open, but not for ${upper}`,
        })
  }
  return null
}

function rivalProblem(candidate: Candidate, ground: Ground): Problem | null {
  const rival = ground.rival(candidate.route)
  if (rival === null) return null
  const name = printable(rival.router.name)
  return candidateProblem(candidate, 'FOREIGN_ROUTER', {
    field: null,
    value: name,
    message: `${rival.what} is in the hands of the router ${name} of another provider`,
  })
}

const isOf =
  <P extends Route['protocol']>(protocol: P) =>
  (candidate: Candidate): candidate is CandidateOf<P> =>
    candidate.route.protocol === protocol

const placed = <P extends Route['protocol']>(
  candidates: readonly Candidate[],
  protocol: P,
): readonly Placed<Extract<Route, { protocol: P }>>[] =>
  candidates.filter(isOf(protocol)).map(candidate => ({ candidate, route: candidate.route }))

export type Placement = {
  readonly http: readonly Placed<HttpRoute>[]
  readonly tcp: readonly Placed<TcpRoute>[]
  readonly udp: readonly Placed<UdpRoute>[]
  readonly lost: readonly Lost[]
}

/** Each candidate is placed, or lost with the first reason. */
export function place(candidates: readonly Candidate[], ground: Ground): Placement {
  const lost: Lost[] = []
  const keep = (of: readonly Candidate[], problemOf: (candidate: Candidate) => Problem | null): Candidate[] =>
    of.filter(candidate => {
      const problem = problemOf(candidate)
      if (problem !== null) lost.push({ candidate, problem })
      return problem === null
    })
  const admitted = keep(
    candidates,
    candidate => admit(candidate.route, candidate.origin, ground.node, ground.namedOnlyPorts)[0] ?? null,
  )
  const { winners, losers } = settleConflicts(admitted, ground.httpPorts)
  for (const loser of losers) lost.push(loser)
  const open = keep(winners, candidate => entryPointProblem(candidate, ground))
  const alone = keep(open, candidate => rivalProblem(candidate, ground))
  return { http: placed(alone, 'http'), tcp: placed(alone, 'tcp'), udp: placed(alone, 'udp'), lost }
}
