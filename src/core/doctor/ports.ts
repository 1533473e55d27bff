/** The ports of the pools: whether Traefik has them open, and whether the kernel keeps its hands off them. */

import { entryPointsFor } from '../entry-points.ts'
import type { ObservedEntryPoint } from '../observed.ts'
import { makePortSet, type PortSet } from '../port-set.ts'
import { restartCost, restartCostText } from '../restart-cost.ts'
import { type DoctorFacts, type Finding, type L4, note, ok, warn } from './facts.ts'

/** More are not added by hand: there is a command for all of them. */
const MAX_LINES = 12
const MAX_PORTS_TEXT = 200

const portsText = ({ text }: PortSet): string =>
  text.length > MAX_PORTS_TEXT ? `${text.slice(0, MAX_PORTS_TEXT - 3)}...` : text

type Missing = { readonly protocol: L4; readonly ports: PortSet }

function missingPorts(protocol: L4, pool: PortSet, entryPoints: readonly ObservedEntryPoint[]): Missing {
  const ports = pool.list().filter(port => entryPointsFor(protocol, port, entryPoints).kind !== 'found')
  return { protocol, ports: makePortSet(ports) }
}

const linesFor = (protocol: L4, port: number): readonly string[] => [
  `    ${protocol}-${port}:`,
  `      address: ":${port}${protocol === 'udp' ? '/udp' : ''}"`,
]

function addLines(missing: readonly Missing[]): string {
  const all = missing.flatMap(({ protocol, ports }) => ports.list().map(port => linesFor(protocol, port)))
  const add = "Add them to Traefik's static configuration and restart it"
  if (all.length > MAX_LINES) return `${add}; fairlead static-config makes the whole file.`
  return `${add}:\n  entryPoints:\n${all.flat().join('\n')}`
}

function missingFindings({ traefik, settings }: DoctorFacts): Finding[] {
  if (traefik.kind !== 'read') return []
  const { entryPoints, openConnections } = traefik
  const missing = (['tcp', 'udp'] as const)
    .map(protocol => missingPorts(protocol, settings.ports[protocol], entryPoints))
    .filter(({ ports }) => ports.size > 0)
  const named = settings.httpEntryPoints.filter(
    name => !entryPoints.some(one => one.name === name && one.protocol === 'tcp'),
  )
  const http =
    named.length === 0
      ? []
      : [
          warn(
            'HTTP_ENTRY_POINT_MISSING',
            `Traefik has no entry point ${named.join(', ')}, which the settings name for HTTP routes`,
            "Add it to Traefik's static configuration and restart it, or name another in http.entryPoints (http.redirectFrom: none) of the agent.",
          ),
        ]
  if (missing.length === 0)
    return [
      ok(
        'ENTRY_POINTS',
        `Traefik has every port of the pools open: TCP ${portsText(settings.ports.tcp)}, UDP ${portsText(settings.ports.udp)}`,
      ),
      ...http,
    ]
  const what = missing.map(({ protocol, ports }) => `${protocol.toUpperCase()} ${portsText(ports)}`).join(' and ')
  return [
    warn(
      'ENTRY_POINTS_MISSING',
      `Traefik has no entry points for ${what}, and routes there wait; ${restartCostText(restartCost(openConnections, entryPoints, settings.api))}`,
      addLines(missing),
    ),
    ...http,
  ]
}

/** The kernel gives these numbers to outgoing connections: one of them at the wrong moment, and Traefik does not start. */
function kernelFindings({ kernel, settings }: DoctorFacts): Finding[] {
  const { localPorts, reserved } = kernel
  if (localPorts === null)
    return [
      note(
        'PORT_RANGE_UNKNOWN',
        'net.ipv4.ip_local_port_range cannot be read, so nobody knows whether the kernel gives away ports of the pools',
      ),
    ]
  const { first, last } = localPorts
  const pools = [...settings.ports.tcp.list(), ...settings.ports.udp.list()]
  const taken = makePortSet(pools.filter(port => port >= first && port <= last && reserved?.has(port) !== true))
  if (taken.size === 0) return [ok('PORTS_NOT_LOCAL', 'the kernel gives no port of the pools to outgoing connections')]
  const all = makePortSet([...(reserved?.list() ?? []), ...taken.list()])
  return [
    warn(
      'PORTS_IN_LOCAL_RANGE',
      `the kernel may give ports ${portsText(taken)} of the pools to outgoing connections (${first}-${last}); one of them at the wrong moment keeps Traefik from starting`,
      `Reserve them now and for the next boot:\n  sysctl -w net.ipv4.ip_local_reserved_ports=${all.text}\n  echo 'net.ipv4.ip_local_reserved_ports = ${all.text}' > /etc/sysctl.d/60-fairlead.conf`,
    ),
  ]
}

export const portFindings = (facts: DoctorFacts): readonly Finding[] => [
  ...missingFindings(facts),
  ...kernelFindings(facts),
]
