/** What only this node can judge of a route that is well formed: its ports, its upstream policy, the entry points that it shares with HTTP. */
import type { DefaultCertificate } from './default-certificate.ts'
import type { PortSet } from './port-set.ts'
import { type Problem, printable, printableId } from './problem.ts'
import type { Route, TcpRoute, UdpRoute } from './route.ts'
import {
  type Address,
  formatAddress,
  formatHttpUpstream,
  type Network,
  parseNetwork,
  type UpstreamPolicy,
  upstreamFault,
} from './upstream.ts'
import { REASONS, type ReasonCode } from './verdict.ts'

export type HttpSettings = {
  /** Names of the TLS entry points for HTTP routes. One that is also `redirectFrom`, or is named `web`, is plain. */
  readonly entryPoints: readonly string[]
  /** The plain entry point from which browsers are sent to https, or null. */
  readonly redirectFrom: string | null
  /** The port that redirects name, when it is not 443; else null. */
  readonly redirectPort: number | null
  readonly certResolver: string | null
}

export type NodeSettings = {
  readonly ports: { readonly tcp: PortSet; readonly udp: PortSet }
  readonly http: HttpSettings
  readonly policy: UpstreamPolicy
  /** Certificates with their keys are handed out: the provider endpoint has a token. */
  readonly certificates: boolean
  /** What Traefik shows for names that no other certificate covers; null: its own, or that of another provider. */
  readonly defaultCertificate: DefaultCertificate | null
}

type Fault = {
  readonly code: ReasonCode
  readonly field: string
  readonly value: string
  readonly message: string
  readonly remedy?: string
}

const MAX_PORTS_TEXT = 120

/** A pool of scattered numbers would fill the message of every route that misses it. */
const poolText = ({ text }: PortSet): string =>
  text.length > MAX_PORTS_TEXT ? `${text.slice(0, MAX_PORTS_TEXT - 3)}...` : text

function portFaults(route: TcpRoute | UdpRoute, ports: PortSet): Fault[] {
  for (let port = route.externalPort; port <= route.externalPortEnd; port++) {
    if (ports.has(port)) continue
    const field = port === route.externalPort ? 'externalPort' : 'externalPortEnd'
    return [
      {
        code: 'PORT_OUT_OF_RANGE',
        field,
        value: String(port),
        message: `port ${port} is outside ${poolText(ports)}`,
        remedy: `Choose a port of ${poolText(ports)}, or add this one to ports.${route.protocol} on the node.`,
      },
    ]
  }
  return []
}

const anywhere = ['0.0.0.0/0', '::/0'].map(parseNetwork).filter((network): network is Network => network !== null)

/** Of the ports from `first` to `last` at one upstream those that the policy may tell apart: all that it names, and one that it does not. */
function portsToJudge(address: Address, last: number, protocol: 'tcp' | 'udp', policy: UpstreamPolicy): number[] {
  const first = address.port
  if (first === last) return [first]
  const special = new Set([...policy.allow, ...policy.deny, ...policy.only].flatMap(({ port }) => port ?? []))
  // Ports of the node itself matter at its own addresses alone. It is one when nothing but that rule can object and it does.
  const [ownPort] = policy.ownPorts[protocol].keys()
  const open: UpstreamPolicy = { ...policy, allow: anywhere, deny: [], only: [] }
  if (ownPort !== undefined && address.family !== 'name')
    if (upstreamFault({ ...address, port: ownPort }, protocol, open) !== null)
      for (const port of policy.ownPorts[protocol].keys()) special.add(port)
  const named = [...special].filter(port => port >= first && port <= last)
  let plain = first
  while (special.has(plain)) plain += 1
  return (plain <= last ? [plain, ...named] : named).sort((a, b) => a - b)
}

/** The policy under which nothing was found in a route: most routes are judged again under the same one. */
const innocent = new WeakMap<Route, UpstreamPolicy>()

/** @param find what is wrong with the upstreams of the route under the policy */
function upstreamFaults(route: Route, policy: UpstreamPolicy, find: () => Fault[]): Fault[] {
  if (innocent.get(route) === policy) return []
  const faults = find()
  if (faults.length === 0) innocent.set(route, policy)
  return faults
}

/** Every number of a block counts: the policy may name a single port. */
function l4Faults(route: TcpRoute | UdpRoute, policy: UpstreamPolicy): Fault[] {
  const width = route.externalPortEnd - route.externalPort
  return route.upstreams.flatMap(({ address }, i) => {
    for (const port of portsToJudge(address, address.port + width, route.protocol, policy)) {
      const found = { ...address, port }
      const fault = upstreamFault(found, route.protocol, policy)
      if (fault !== null)
        return [
          { code: 'UPSTREAM_NOT_ALLOWED', field: `upstreams[${i}]`, value: formatAddress(found), ...fault } as const,
        ]
    }
    return []
  })
}

function hostNameFaults(route: TcpRoute, namedOnlyPorts: ReadonlySet<number>): Fault[] {
  if (route.sniHostname !== null) return []
  for (let port = route.externalPort; port <= route.externalPortEnd; port++) {
    if (!namedOnlyPorts.has(port)) continue
    return [
      {
        code: 'HOST_NAME_REQUIRED',
        field: 'externalPort',
        value: String(port),
        message: `port ${port} carries HTTP as well; without a host name the route would take it all`,
      },
    ]
  }
  return []
}

/**
 * All faults of one route on this node; empty when it is admitted.
 * @param namedOnlyPorts TCP ports that carry HTTP as well: there a route needs a host name.
 */
export function admit(
  route: Route,
  origin: string,
  node: NodeSettings,
  namedOnlyPorts: ReadonlySet<number>,
): readonly Problem[] {
  const faults = (): Fault[] => {
    switch (route.protocol) {
      case 'http':
        return route.upstreams.flatMap((upstream, i) => {
          const fault = upstreamFault(upstream.url.address, 'tcp', node.policy)
          return fault === null
            ? []
            : [
                {
                  code: 'UPSTREAM_NOT_ALLOWED',
                  field: `upstreams[${i}].url`,
                  value: formatHttpUpstream(upstream.url),
                  ...fault,
                } as const,
              ]
        })
      case 'tcp':
        return [
          ...portFaults(route, node.ports.tcp),
          ...hostNameFaults(route, namedOnlyPorts),
          ...upstreamFaults(route, node.policy, () => l4Faults(route, node.policy)),
        ]
      case 'udp':
        return [
          ...portFaults(route, node.ports.udp),
          ...upstreamFaults(route, node.policy, () => l4Faults(route, node.policy)),
        ]
      default:
        return route satisfies never
    }
  }
  return faults().map(fault => ({
    code: fault.code,
    protocol: route.protocol,
    routeId: printableId(route.id),
    field: fault.field,
    value: printable(fault.value),
    message: fault.message,
    remedy: fault.remedy ?? REASONS[fault.code].remedy,
    origin,
  }))
}
