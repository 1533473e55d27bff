/** The settings of a node as the core wants them, together with what is known of the machine and of its Traefik. */
import type { NodeSettings } from '../core/admit.ts'
import { type DefaultCertificate, mayBeDefault } from '../core/default-certificate.ts'
import type { ObservedTraefik } from '../core/observed.ts'
import { printable } from '../core/problem.ts'
import { rememberLast } from '../core/remember.ts'
import type { AgentConfig } from './config.ts'

export type Machine = {
  /** Of its interfaces, without loopback. */
  readonly ownAddresses: readonly string[]
  /** What Traefik's API showed, now or in the run before; null when nobody knows. */
  readonly observed: ObservedTraefik | null
  /** Of this node; null while there is none. */
  readonly ownCertificate: DefaultCertificate | null
}

const HTTPS_PORT = 443
// What web and websecure have when nobody can be asked.
const USUAL_PORTS = [80, HTTPS_PORT]

function apiPort({ traefik }: AgentConfig): number[] {
  if (traefik.api === null) return []
  const url = new URL(traefik.api)
  return [url.port === '' ? (url.protocol === 'https:' ? HTTPS_PORT : 80) : Number(url.port)]
}

/** Ports on which this node itself answers: an upstream there would be a loop, or a way into the agent or Traefik's API. */
function ownPorts(config: AgentConfig, observed: ObservedTraefik | null): NodeSettings['policy']['ownPorts'] {
  const named = (ports: readonly number[], what: string) => ports.map(port => [port, what] as const)
  const seen = (protocol: 'tcp' | 'udp'): (readonly [number, string])[] =>
    observed === null
      ? named(protocol === 'tcp' ? USUAL_PORTS : [], 'an entry point of Traefik')
      : observed.entryPoints
          .filter(entryPoint => entryPoint.protocol === protocol)
          .map(({ port, name }) => [port, `the entry point ${printable(name)} of Traefik`])
  // Of a port that is several things the last one is told: what stands in the settings explains itself.
  return {
    tcp: new Map([
      ...named(config.ports.tcp.list(), 'ports.tcp'),
      ...seen('tcp'),
      ...named(apiPort(config), 'traefik.api'),
      ...named([config.provider.listen.port], 'provider.listen'),
      ...named([config.admin.listen.port], 'admin.listen'),
    ]),
    udp: new Map([...named(config.ports.udp.list(), 'ports.udp'), ...seen('udp')]),
  }
}

/** Redirects name the port when browsers would not find it by themselves. */
function redirectPort(config: AgentConfig, observed: ObservedTraefik | null): number | null {
  const target = observed?.entryPoints.find(({ name }) => name === config.http.entryPoints[0])
  return target === undefined || target.port === HTTPS_PORT ? null : target.port
}

/**
 * The settings for one plan after the other. As long as nothing that goes into the policy is another, it is the same value: the core knows by
 * that which routes it has judged already.
 */
export function createNodeSettings(): (config: AgentConfig, machine: Machine) => NodeSettings {
  const policyOf = rememberLast<AgentConfig, NodeSettings['policy']>()
  return (config, machine) => {
    const ports = machine.observed?.entryPoints.map(({ protocol, port, name }) => `${protocol}${port} ${name}`) ?? null
    const rest = JSON.stringify([machine.ownAddresses, ports])
    return nodeSettings(
      config,
      machine,
      policyOf(config, rest, () => upstreamPolicy(config, machine)),
    )
  }
}

const upstreamPolicy = (config: AgentConfig, { ownAddresses, observed }: Machine): NodeSettings['policy'] => ({
  allow: config.policy.allowUpstreams,
  deny: config.policy.denyUpstreams,
  only: config.policy.onlyUpstreams,
  hostNames: config.policy.hostNames,
  ownAddresses,
  ownPorts: ownPorts(config, observed),
})

export function nodeSettings(
  config: AgentConfig,
  machine: Machine,
  policy: NodeSettings['policy'] = upstreamPolicy(config, machine),
): NodeSettings {
  const { http, ports, provider, tls } = config
  const { observed, ownCertificate } = machine
  return {
    ports,
    http: { ...http, redirectPort: redirectPort(config, observed) },
    policy,
    certificates: provider.tokenFile !== null,
    defaultCertificate: mayBeDefault(tls.defaultCertificate, observed?.providers) ? ownCertificate : null,
  }
}
