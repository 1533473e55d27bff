/** The settings of a node as the core wants them, together with what is known of the machine and of its Traefik. */
import type { NodeSettings } from '../core/admit.ts'
import { type DefaultCertificate, mayBeDefault } from '../core/default-certificate.ts'
import type { ObservedTraefik } from '../core/observed.ts'
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
  const seen = (protocol: 'tcp' | 'udp'): readonly number[] =>
    observed === null
      ? protocol === 'tcp'
        ? USUAL_PORTS
        : []
      : observed.entryPoints.filter(entryPoint => entryPoint.protocol === protocol).map(({ port }) => port)
  const endpoints = [config.provider.listen.port, config.admin.listen.port, ...apiPort(config)]
  return {
    tcp: new Set([...endpoints, ...config.ports.tcp.list(), ...seen('tcp')]),
    udp: new Set([...config.ports.udp.list(), ...seen('udp')]),
  }
}

/** Redirects name the port when browsers would not find it by themselves. */
function redirectPort(config: AgentConfig, observed: ObservedTraefik | null): number | null {
  const target = observed?.entryPoints.find(({ name }) => name === config.http.entryPoints[0])
  return target === undefined || target.port === HTTPS_PORT ? null : target.port
}

export function nodeSettings(config: AgentConfig, { ownAddresses, observed, ownCertificate }: Machine): NodeSettings {
  const { policy, http, ports, provider, tls } = config
  return {
    ports,
    http: { ...http, redirectPort: redirectPort(config, observed) },
    policy: {
      allow: policy.allowUpstreams,
      deny: policy.denyUpstreams,
      only: policy.onlyUpstreams,
      hostNames: policy.hostNames,
      ownAddresses,
      ownPorts: ownPorts(config, observed),
    },
    certificates: provider.tokenFile !== null,
    defaultCertificate: mayBeDefault(tls.defaultCertificate, observed?.providers) ? ownCertificate : null,
  }
}
