/** What only this node can judge of a route that is well formed: its ports, its upstream policy, the entry points that it shares with HTTP. */
import type { PortSet } from './port-set.ts'
import { type Problem, printable } from './problem.ts'
import type { L4Upstream, Route, TcpRoute, UdpRoute } from './route.ts'
import { formatAddress, formatHttpUpstream, type UpstreamPolicy, upstreamFault } from './upstream.ts'
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
}

type Fault = {
  readonly code: ReasonCode
  readonly field: string
  readonly value: string
  readonly message: string
  readonly remedy?: string
}

function portFaults(route: TcpRoute | UdpRoute, ports: PortSet): Fault[] {
  for (let port = route.externalPort; port <= route.externalPortEnd; port++) {
    if (ports.has(port)) continue
    const field = port === route.externalPort ? 'externalPort' : 'externalPortEnd'
    return [
      {
        code: 'PORT_OUT_OF_RANGE',
        field,
        value: String(port),
        message: `port ${port} is outside ${ports.text}`,
        remedy: `Choose a port of ${ports.text}, or add this one to ports.${route.protocol} on the node.`,
      },
    ]
  }
  return []
}

/** Every number of a block is looked at: the policy may know a single port. */
function l4Faults(route: TcpRoute | UdpRoute, policy: UpstreamPolicy): Fault[] {
  const width = route.externalPortEnd - route.externalPort
  return route.upstreams.flatMap((upstream: L4Upstream, i) => {
    for (let offset = 0; offset <= width; offset++) {
      const address = { ...upstream.address, port: upstream.address.port + offset }
      const fault = upstreamFault(address, route.protocol, policy)
      if (fault !== null)
        return [
          { code: 'UPSTREAM_NOT_ALLOWED', field: `upstreams[${i}]`, value: formatAddress(address), ...fault } as const,
        ]
    }
    return []
  })
}

function hostNameFaults(route: TcpRoute, httpPorts: ReadonlySet<number>): Fault[] {
  if (route.sniHostname !== null) return []
  for (let port = route.externalPort; port <= route.externalPortEnd; port++) {
    if (!httpPorts.has(port)) continue
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

/** All faults of one route on this node; empty when it is admitted. */
export function admit(
  route: Route,
  origin: string,
  node: NodeSettings,
  httpPorts: ReadonlySet<number>,
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
          ...hostNameFaults(route, httpPorts),
          ...l4Faults(route, node.policy),
        ]
      case 'udp':
        return [...portFaults(route, node.ports.udp), ...l4Faults(route, node.policy)]
      default:
        return route satisfies never
    }
  }
  return faults().map(fault => ({
    code: fault.code,
    protocol: route.protocol,
    routeId: printable(route.id),
    field: fault.field,
    value: printable(fault.value),
    message: fault.message,
    remedy: fault.remedy ?? REASONS[fault.code].remedy,
    origin,
  }))
}
