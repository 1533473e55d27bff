/**
 * Who has a port, a host name or an id when several routes claim it.
 *
 *   on one TCP port        plain          TLS, any name      host name x
 *   plain                  one wins       one wins           both, if the plain protocol lets the client speak first
 *   TLS, any name          one wins       one wins           both: the exact name goes first
 *   host name x            (see above)    both               one wins; x and y: both
 *
 * Traefik would enable all of them without a word and choose at random. Here the local file wins, then the older claim, then the lower id:
 * never the position in a list, so the same set gives the same answer in any order and on every node.
 *
 * On a TCP port that carries HTTP as well, the domain of an HTTP route and an equal host name of a TCP route are one claim, wildcards too:
 * of an exact pair Traefik asks the HTTP router alone, of a wildcard pair the TCP router alone. An exact name goes before a wildcard.
 */
import { keptJson, sha256 } from './hash.ts'
import { isWildcard } from './host-sni.ts'
import { type Problem, printableId, type RouteKey, routeKey } from './problem.ts'
import type { HttpRoute, Route, TcpRoute, UdpRoute } from './route.ts'
import { REASONS, type ReasonCode } from './verdict.ts'

export type Candidate = {
  readonly route: Route
  /** A file's name or a control plane's id. */
  readonly origin: string
  /** 0 for local files: the operator of the node has the last word. 1 for a control plane. */
  readonly rank: number
  /** Milliseconds since 1970: what the route says, else when this agent first saw the claim. */
  readonly claimedAt: number
}

export type Settled = {
  readonly winners: readonly Candidate[]
  readonly losers: readonly { readonly candidate: Candidate; readonly problem: Problem }[]
}

/** Protocols whose client speaks first: Traefik can tell TLS from plain by the first bytes. */
const CLIENT_FIRST = new Set(['postgres', 'redis', 'mqtt', 'http'])
const SERVER_FIRST = new Set(['mysql', 'smtp', 'ftp', 'ssh'])

export const speaksClientFirst = (route: TcpRoute): boolean =>
  route.protocolHint !== null && CLIENT_FIRST.has(route.protocolHint)

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

const contents = new WeakMap<Route, string>()

/** Of two routes with one id from one place nothing is left to tell them apart but what they say. Kept, since sorting asks often. */
function contentOf({ route }: Candidate): string {
  const known = contents.get(route)
  if (known !== undefined) return known
  const content = sha256(keptJson(route))
  contents.set(route, content)
  return content
}

/** The one who has a claim stands first. Zero only for two that are alike in everything. */
export const byPrecedence = (a: Candidate, b: Candidate): number =>
  a.rank - b.rank ||
  a.claimedAt - b.claimedAt ||
  byText(a.route.id, b.route.id) ||
  byText(a.route.protocol, b.route.protocol) ||
  byText(contentOf(a), contentOf(b)) ||
  byText(a.origin, b.origin)

/** Whether `name` stands for `host`: it is the same, or the wildcard of one label above it. */
export const covers = (name: string, host: string): boolean =>
  name === host || (isWildcard(name) && host.slice(host.indexOf('.')) === name.slice(1))

export const keyOf = (route: Pick<Route, 'protocol' | 'id'>): RouteKey => routeKey(route.protocol, route.id)

type Loss = {
  readonly code: ReasonCode
  readonly message: string
  readonly field: string
  readonly value: string
  readonly remedy?: string
}

const heldBy = (what: string, winner: Candidate): string =>
  `${what} is held by ${keyOf(winner.route)} (${winner.origin})`

type TcpPort = { plain: Candidate | null; anyTls: Candidate | null; readonly names: Map<string, Candidate> }

class Claims {
  readonly #ids = new Map<RouteKey, Candidate>()
  readonly #tcp = new Map<number, TcpPort>()
  readonly #udp = new Map<number, Candidate>()
  readonly #http = new Map<string, Candidate>()
  readonly #httpDomains = new Map<string, Candidate>()
  readonly #httpPorts: ReadonlySet<number>

  constructor(httpPorts: ReadonlySet<number>) {
    this.#httpPorts = httpPorts
  }

  /** Takes everything that the candidate claims and answers null, or takes nothing and tells why. */
  take(candidate: Candidate): Loss | null {
    const { route } = candidate
    const twin = this.#ids.get(keyOf(route))
    if (twin !== undefined) {
      return {
        code: 'ID_TAKEN',
        field: 'id',
        value: route.id,
        message: `the id ${route.id} is taken by another ${route.protocol} route (${twin.origin})`,
      }
    }
    const loss =
      route.protocol === 'http'
        ? this.#takeHttp(candidate, route)
        : route.protocol === 'tcp'
          ? this.#takeTcp(candidate, route)
          : this.#takeUdp(candidate, route)
    if (loss === null) this.#ids.set(keyOf(route), candidate)
    return loss
  }

  #takeHttp(candidate: Candidate, route: HttpRoute): Loss | null {
    const claim = `${route.domain}${route.pathPrefix}`
    const winner = this.#http.get(claim) ?? this.#sniHolder(route.domain)
    if (winner !== undefined)
      return { code: 'HOST_TAKEN_BY_ROUTE', field: 'domain', value: claim, message: heldBy(claim, winner) }
    this.#http.set(claim, candidate)
    if (!this.#httpDomains.has(route.domain)) this.#httpDomains.set(route.domain, candidate)
    return null
  }

  #sniHolder(domain: string): Candidate | undefined {
    for (const port of this.#httpPorts) {
      const holder = this.#tcp.get(port)?.names.get(domain)
      if (holder !== undefined) return holder
    }
    return undefined
  }

  #takeTcp(candidate: Candidate, route: TcpRoute): Loss | null {
    for (let port = route.externalPort; port <= route.externalPortEnd; port++) {
      const loss = this.#tcpLoss(route, port)
      if (loss !== null) return loss
    }
    for (let port = route.externalPort; port <= route.externalPortEnd; port++) {
      const claims = this.#tcp.get(port) ?? { plain: null, anyTls: null, names: new Map<string, Candidate>() }
      if (route.sniHostname !== null) claims.names.set(route.sniHostname, candidate)
      else if (route.tls === 'none') claims.plain = candidate
      else claims.anyTls = candidate
      this.#tcp.set(port, claims)
    }
    return null
  }

  #tcpLoss(route: TcpRoute, port: number): Loss | null {
    const claims = this.#tcp.get(port)
    const taken = (winner: Candidate): Loss => ({
      code: 'PORT_TAKEN_BY_ROUTE',
      field: 'externalPort',
      value: String(port),
      message: heldBy(`TCP port ${port}`, winner),
    })
    if (route.sniHostname !== null) {
      const holder =
        claims?.names.get(route.sniHostname) ??
        (this.#httpPorts.has(port) ? this.#httpDomains.get(route.sniHostname) : undefined)
      if (holder !== undefined) {
        return {
          code: 'HOST_TAKEN_BY_ROUTE',
          field: 'sniHostname',
          value: route.sniHostname,
          message: heldBy(`${route.sniHostname} on port ${port}`, holder),
        }
      }
      const plain = claims?.plain ?? null
      return plain === null || plain.route.protocol !== 'tcp' || speaksClientFirst(plain.route)
        ? null
        : besidePlain(plain.route, taken(plain))
    }
    const holder = claims?.plain ?? claims?.anyTls
    if (holder !== null && holder !== undefined) return taken(holder)
    // Candidates come in the order of precedence, so the first name is the oldest claim.
    const named = route.tls === 'none' && !speaksClientFirst(route) ? claims?.names.values().next().value : undefined
    return named === undefined ? null : besidePlain(route, taken(named))
  }

  #takeUdp(candidate: Candidate, route: UdpRoute): Loss | null {
    for (let port = route.externalPort; port <= route.externalPortEnd; port++) {
      const winner = this.#udp.get(port)
      if (winner !== undefined)
        return {
          code: 'PORT_TAKEN_BY_ROUTE',
          field: 'externalPort',
          value: String(port),
          message: heldBy(`UDP port ${port}`, winner),
        }
    }
    for (let port = route.externalPort; port <= route.externalPortEnd; port++) this.#udp.set(port, candidate)
    return null
  }
}

/** A plain route and host names on one port, when the plain one's client may wait for the server. */
function besidePlain(plain: TcpRoute, taken: Loss): Loss {
  const hint = plain.protocolHint
  if (hint !== null && SERVER_FIRST.has(hint)) {
    return {
      ...taken,
      code: 'SERVER_FIRST_ON_TLS_PORT',
      message: `${taken.message}, and ${hint} waits for the server to speak: with host names on the port its clients would hang`,
    }
  }
  return {
    ...taken,
    remedy:
      'Choose another port; or, when the plain protocol lets the client speak first, say so by protocolHint (postgres, redis, mqtt, http).',
  }
}

/**
 * Settles all claims at once.
 * @param httpPorts TCP ports that carry HTTP as well: there a domain and a host name are one claim.
 */
export function settleConflicts(candidates: readonly Candidate[], httpPorts: ReadonlySet<number>): Settled {
  const claims = new Claims(httpPorts)
  const winners: Candidate[] = []
  const losers: { candidate: Candidate; problem: Problem }[] = []
  for (const candidate of [...candidates].sort(byPrecedence)) {
    const loss = claims.take(candidate)
    if (loss === null) winners.push(candidate)
    else {
      const { route, origin } = candidate
      losers.push({
        candidate,
        problem: {
          protocol: route.protocol,
          routeId: printableId(route.id),
          origin,
          ...loss,
          remedy: loss.remedy ?? REASONS[loss.code].remedy,
        },
      })
    }
  }
  return { winners, losers }
}
