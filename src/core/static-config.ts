/**
 * Traefik's static configuration for a node, and the systemd socket units that go with it. Pure: text out of values.
 *
 * Traefik opens its ports when it starts and at no other time, so the pools are declared here in advance; what happens on them is dynamic.
 * Written by hand and not by a YAML library, since the file is read by people: the comments are half of it.
 */
import { isIPv6 } from 'node:net'
import { NO_PORTS, type PortSet } from './port-set.ts'

/** `host` without brackets; empty: every address of the machine. */
export type EntryAddress = { readonly host: string; readonly port: number }

export type AcmeInput = {
  readonly email: string
  /** Absolute path; Traefik makes it, 0600, and must be able to write it. */
  readonly storage: string
  readonly staging: boolean
}

export type StaticConfigInput = {
  /** Numbers that web, websecure or traefik have make no second entry point, so a pool may name them. */
  readonly tcpPorts: PortSet
  readonly udpPorts: PortSet
  readonly web: EntryAddress
  readonly websecure: EntryAddress
  /** API, metrics and ping. */
  readonly traefik: EntryAddress
  /** On which addresses the pools listen; empty: all. */
  readonly poolHost: string
  /** Where the agent's provider endpoint listens. */
  readonly provider: EntryAddress
  /** Sent to the agent; makes the whole file a secret. */
  readonly token: string | null
  readonly acme: AcmeInput | null
  /** How long a UDP session may be silent; null: Traefik's 3 s. */
  readonly udpTimeoutMs: number | null
  /** The command that makes this file again. Holds no secret. */
  readonly madeBy: string
}

/** What `fairlead static-config` starts from; without ports. */
export const STATIC_DEFAULTS: StaticConfigInput = {
  tcpPorts: NO_PORTS,
  udpPorts: NO_PORTS,
  web: { host: '', port: 80 },
  websecure: { host: '', port: 443 },
  traefik: { host: '127.0.0.1', port: 8080 },
  poolHost: '',
  provider: { host: '127.0.0.1', port: 7480 },
  token: null,
  acme: null,
  udpTimeoutMs: null,
  madeBy: 'fairlead static-config',
}

/** As the settings `http.certResolver` names it. */
export const ACME_RESOLVER = 'letsencrypt'

const STAGING = 'https://acme-staging-v02.api.letsencrypt.org/directory'

// Measured with 3.7.15: on SIGTERM all listeners close at once, and Traefik ends when its last entry point has no connection or UDP
// session left or its grace time is over. Clients of databases keep idle connections for ever, so with Traefik's 10 s every restart would
// cost 10 s on all ports, HTTP included. A transaction in flight ends within 3 s or would not have ended within 10.
const POOL_GRACE = '3s'
// Measured: this bounds only the wait for the first bytes on a port with TLS routes (Traefik: 60 s); an established connection, plain,
// passed through or terminated, stays open and idle however long it likes.
const POOL_READ_TIMEOUT = '10s'
const POLL_INTERVAL = '100ms'
const HOLD = '25s'
const POLL_TIMEOUT = '40s'
const THROTTLE = '100ms'

const bracketed = (host: string): string => (isIPv6(host) ? `[${host}]` : host)
const formatAddress = ({ host, port }: EntryAddress): string => `${bracketed(host)}:${port}`
/** Double-quoted JSON is YAML too. */
const quoted = (text: string): string => JSON.stringify(text)

export type DeclaredEntryPoint = {
  readonly name: string
  readonly protocol: 'tcp' | 'udp'
  readonly address: EntryAddress
}

const fixed = (input: StaticConfigInput): readonly DeclaredEntryPoint[] => [
  { name: 'web', protocol: 'tcp', address: input.web },
  { name: 'websecure', protocol: 'tcp', address: input.websecure },
  { name: 'traefik', protocol: 'tcp', address: input.traefik },
]

function pool(input: StaticConfigInput, protocol: 'tcp' | 'udp'): readonly DeclaredEntryPoint[] {
  const taken = protocol === 'tcp' ? fixed(input).map(({ address }) => address.port) : []
  const ports = protocol === 'tcp' ? input.tcpPorts : input.udpPorts
  return ports
    .list()
    .filter(port => !taken.includes(port))
    .map(port => ({ name: `${protocol}-${port}`, protocol, address: { host: input.poolHost, port } }))
}

/** Everything that the file declares: web, websecure, traefik, then the pools by number. */
export const declaredEntryPoints = (input: StaticConfigInput): readonly DeclaredEntryPoint[] => [
  ...fixed(input),
  ...pool(input, 'tcp'),
  ...pool(input, 'udp'),
]

/** What would keep Traefik from starting, or from finding the agent: sentences with the way out; empty when all is well. */
export function staticConfigFaults(input: StaticConfigInput): string[] {
  const faults: string[] = []
  const owners = new Map<number, string>()
  for (const { name, address } of fixed(input)) {
    const owner = owners.get(address.port)
    if (owner !== undefined)
      faults.push(`${owner} and ${name} are both on port ${address.port}; give each a port of its own`)
    owners.set(address.port, name)
  }
  const { port } = input.provider
  if (port === 0)
    faults.push('the provider endpoint is on port 0, any free one; Traefik needs a fixed one, such as 127.0.0.1:7480')
  const owner = owners.get(port) ?? (input.tcpPorts.has(port) ? `tcp-${port}` : undefined)
  if (owner !== undefined)
    faults.push(`port ${port} is the agent's provider endpoint and cannot be the entry point ${owner} as well`)
  return faults
}

function head(input: StaticConfigInput): string[] {
  return [
    '# Static configuration of Traefik (3.3 or newer) on a Fairlead node.',
    '#',
    `# Made by:  ${input.madeBy}`,
    '#',
    '# Make it again rather than edit it, and restart Traefik after a change: ports are opened at its start only.',
    '# A port that another program has keeps Traefik from starting at all.',
    ...(input.token === null
      ? []
      : [
          '#',
          '# This file holds the token of the provider endpoint: keep it 0600. At log level DEBUG, Traefik logs the token.',
        ]),
    '',
    'global:',
    '  checkNewVersion: false',
    '  sendAnonymousUsage: false',
    '',
    'log:',
    '  level: INFO',
    '  noColor: true',
    '',
  ]
}

function poolLines(input: StaticConfigInput): string[] {
  const tcp = pool(input, 'tcp')
  const udp = pool(input, 'udp')
  const timeout = input.udpTimeoutMs === null ? [] : [`    udp: { timeout: ${input.udpTimeoutMs}ms }`]
  return [
    ...(tcp.length === 0
      ? []
      : [
          '',
          `  # TCP, one entry point a port. graceTimeOut: how long a restart waits for open connections while it refuses new ones on all`,
          '  # ports, and idle clients of databases never leave by themselves. readTimeout: how long a client may take for its first bytes',
          '  # where Traefik waits for them (TLS); connections that stand are not touched by it.',
        ]),
    ...tcp.flatMap(({ name, address }) => [
      `  ${name}:`,
      `    address: ${quoted(formatAddress(address))}`,
      `    transport: { lifeCycle: { graceTimeOut: ${POOL_GRACE} }, respondingTimeouts: { readTimeout: ${POOL_READ_TIMEOUT} } }`,
    ]),
    ...(udp.length === 0
      ? []
      : [
          '',
          '  # UDP, one entry point a port. A session ends after 3 s of silence, or after udp.timeout: longer ones (WireGuard wants 30 s)',
          '  # cost memory for each address that a sender makes up.',
        ]),
    ...udp.flatMap(({ name, address }) => [
      `  ${name}:`,
      `    address: ${quoted(`${formatAddress(address)}/udp`)}`,
      `    transport: { lifeCycle: { graceTimeOut: ${POOL_GRACE} } }`,
      ...timeout,
    ]),
  ]
}

function entryPointLines(input: StaticConfigInput): string[] {
  return [
    'entryPoints:',
    '  # asDefault: a router of another provider that names no entry point goes here, and never onto a port of a pool.',
    '  web:',
    `    address: ${quoted(formatAddress(input.web))}`,
    '    asDefault: true',
    '  websecure:',
    `    address: ${quoted(formatAddress(input.websecure))}`,
    '    asDefault: true',
    '  # API, metrics and ping, for this machine only.',
    '  traefik:',
    `    address: ${quoted(formatAddress(input.traefik))}`,
    ...poolLines(input),
    '',
  ]
}

function observationLines(): string[] {
  return [
    '# The agent reads here what became of each route. "insecure" means: on the entry point traefik, which is on loopback.',
    'api:',
    '  insecure: true',
    '',
    'ping:',
    '  entryPoint: traefik',
    '',
    'metrics:',
    '  prometheus:',
    '    entryPoint: traefik',
    '    addEntryPointsLabels: true',
    '',
  ]
}

function providerLines({ provider, token }: StaticConfigInput): string[] {
  return [
    'providers:',
    `  providersThrottleDuration: ${THROTTLE}`,
    '  http:',
    `    # The agent holds each poll until there is something new, or for ${HOLD}; so pollTimeout must be longer than that.`,
    `    endpoint: ${quoted(`http://${formatAddress(provider)}/traefik?hold=${HOLD}`)}`,
    `    pollInterval: ${POLL_INTERVAL}`,
    `    pollTimeout: ${POLL_TIMEOUT}`,
    ...(token === null ? [] : ['    headers:', `      Authorization: ${quoted(`Bearer ${token}`)}`]),
  ]
}

function acmeLines(acme: AcmeInput | null): string[] {
  if (acme === null) return []
  return [
    '',
    '# The HTTP challenge, and not the TLS one: with that, Traefik takes the TLS-ALPN challenges away from backends behind passthrough.',
    '# Port 80 must be reachable from outside. Where several nodes share a name, a challenge may reach the wrong one: use a DNS',
    '# challenge there, or terminate TLS behind the proxy.',
    'certificatesResolvers:',
    `  ${ACME_RESOLVER}:`,
    '    acme:',
    `      email: ${quoted(acme.email)}`,
    `      storage: ${quoted(acme.storage)}`,
    ...(acme.staging ? [`      caServer: ${STAGING}`] : []),
    '      httpChallenge:',
    '        entryPoint: web',
  ]
}

/** The whole file, ending in a newline. The same input gives the same bytes. */
export function staticConfig(input: StaticConfigInput): string {
  return `${[...head(input), ...entryPointLines(input), ...observationLines(), ...providerLines(input), ...acmeLines(input.acme)].join('\n')}\n`
}

// ----------------------------------------------------------------------------------------------------------------- socket units

export type SocketUnit = { readonly fileName: string; readonly text: string }

function socketUnit({ name, protocol, address }: DeclaredEntryPoint, madeBy: string): SocketUnit {
  const listen = address.host === '' ? `${address.port}` : formatAddress(address)
  const lines = [
    `# Made by:  ${madeBy}`,
    '[Unit]',
    `Description=Socket of Traefik's entry point ${name}`,
    '',
    '[Socket]',
    `${protocol === 'udp' ? 'ListenDatagram' : 'ListenStream'}=${listen}`,
    '# Traefik finds the socket of an entry point by this name.',
    `FileDescriptorName=${name}`,
    'Service=traefik.service',
    '',
    '[Install]',
    'WantedBy=sockets.target',
  ]
  return { fileName: `fairlead-${name}.socket`, text: `${lines.join('\n')}\n` }
}

/**
 * One systemd socket unit for each entry point of the file except `traefik`: a unit has one name for all of its descriptors.
 * systemd then holds the ports while Traefik restarts, and clients wait instead of being refused.
 */
export const socketUnits = (input: StaticConfigInput): readonly SocketUnit[] =>
  declaredEntryPoints(input)
    .filter(({ name }) => name !== 'traefik')
    .map(entryPoint => socketUnit(entryPoint, input.madeBy))
