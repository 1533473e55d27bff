/**
 * The settings of a control plane: one YAML file and the environment (src/lib/settings.ts) into one checked value.
 *
 * Every key has a default, so no file is needed. What the keys say together is judged here, above all whether passwords and tokens would
 * cross a network in the clear.
 */
import { hostname } from 'node:os'
import { z } from 'zod'
import { type PortSet, parsePortSet } from '../core/port-set.ts'
import { formatNetwork, type Network, parseNetwork } from '../core/upstream.ts'
import {
  fault,
  formatListen,
  isLoopback,
  type ListenAddress,
  nullable,
  type Read,
  readDirectoryPath,
  readDuration,
  readFilePath,
  readFlag,
  readHttpUrl,
  readList,
  readListen,
  readOneOf,
  readWord,
  setting,
  shown,
} from '../lib/setting-types.ts'
import { type Environment, parseSettings, settingNames } from '../lib/settings.ts'

export type ControlPortsConfig = {
  /** Numbers that may be handed out. */
  readonly tcp: PortSet
  readonly udp: PortSet
  /** Never handed out, for either protocol. */
  readonly reserved: PortSet
  /** TCP numbers that belong to everybody, by host name; inside the pool or not. */
  readonly shared: PortSet
}

export type ControlPolicyConfig = {
  readonly allowUpstreams: readonly Network[]
  readonly denyUpstreams: readonly Network[]
  /** Empty: any. */
  readonly onlyUpstreams: readonly Network[]
  readonly hostNames: boolean
}

export type ControlConfig = {
  /** Port 0: any free one. */
  readonly listen: ListenAddress
  /** The embedded database is in `db/`, the admin token in `admin-token`. */
  readonly state: { readonly directory: string }
  /** Where people and agents reach this control plane, an origin such as `https://control.example.com`; null: where it listens. */
  readonly publicUrl: string | null
  /** The name or address under which clients reach the public ports. */
  readonly publicHost: string
  readonly tls: { readonly certFile: string; readonly keyFile: string } | null
  /** Addresses and networks of the proxies in front, whose X-Forwarded-* is believed; as text, such as `10.0.0.0/8`. */
  readonly trustedProxies: readonly string[]
  /** Null: the embedded database. Holds a password as a rule: never shown. */
  readonly database: { readonly url: string | null }
  readonly ports: ControlPortsConfig
  readonly release: {
    /** The least time that a released number rests. */
    readonly leastTimeMs: number
    /** A node unseen for so long is `lost`. */
    readonly nodeLostAfterMs: number
  }
  readonly policy: ControlPolicyConfig
  readonly log: { readonly level: LogLevel }
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

// -------------------------------------------------------------------------------------------------------------------- the schema

/** A text, one number, or a YAML list of both. */
function readPorts(value: unknown): Read<PortSet> {
  const parts: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (!parts.every(part => typeof part === 'string' || typeof part === 'number'))
    return fault(`${shown(value)} is not a set of ports; write it as 10000-10099,5432, or none`)
  const parsed = parsePortSet(parts.length === 0 ? 'none' : parts.join(','))
  return parsed.ok ? { ok: true, value: parsed.ports } : parsed
}

function readNetwork(value: unknown): Read<Network> {
  const network = typeof value === 'string' ? parseNetwork(value) : null
  return network === null
    ? fault(`${shown(value)} is not an address or a network; write it as 10.0.0.0/8, 127.0.0.1:18080 or [::1]:5432`)
    : { ok: true, value: network }
}

function readProxy(value: unknown): Read<string> {
  const network = typeof value === 'string' ? parseNetwork(value) : null
  return network === null || network.port !== null
    ? fault(`${shown(value)} is not the address or the network of a proxy; write it as 10.0.0.5 or 10.0.0.0/8`)
    : { ok: true, value: formatNetwork(network) }
}

/** Only its scheme, host and port: below a path, neither the console nor its cookie would work. */
function readOrigin(value: unknown): Read<string> {
  const url = readHttpUrl('https://control.example.com', 'loopback')(value)
  if (!url.ok || new URL(url.value).pathname === '/') return url
  return fault(`${shown(url.value)} has a path; write it as ${new URL(url.value).origin}`)
}

/** A URL of PostgreSQL. It holds a password as a rule, so it is not repeated. */
function readDatabaseUrl(value: unknown): Read<string> {
  const text = typeof value === 'string' ? value.trim() : ''
  if (/^postgres(?:ql)?:\/\/\S+$/.test(text) && URL.canParse(text)) return { ok: true, value: text }
  return fault(
    'the value (not repeated here) is not a URL of PostgreSQL; write it as postgres://USER:PASSWORD@HOST/DATABASE, or none for the embedded database',
  )
}

const readHost = readWord(
  /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:]{2,45})$/,
  'a host name or an address, such as proxy.example.com',
)

const networks = () => setting(readList(readNetwork)).prefault([])

const schema = z.object({
  listen: setting(readListen('127.0.0.1:7400')).prefault('127.0.0.1:7400'),
  state: z.object({ directory: setting(readDirectoryPath).prefault('/var/lib/fairlead-control') }).prefault({}),
  publicUrl: nullable(readOrigin).prefault(null),
  publicHost: nullable(readHost).prefault(null),
  tls: z
    .object({ certFile: nullable(readFilePath).prefault(null), keyFile: nullable(readFilePath).prefault(null) })
    .prefault({}),
  trustedProxies: setting(readList(readProxy)).prefault([]),
  database: z.object({ url: nullable(readDatabaseUrl).prefault(null) }).prefault({}),
  ports: z
    .object({
      tcp: setting(readPorts).prefault('10000-10099'),
      udp: setting(readPorts).prefault('11000-11099'),
      reserved: setting(readPorts).prefault('none'),
      shared: setting(readPorts).prefault('none'),
    })
    .prefault({}),
  release: z
    .object({
      leastTime: setting(readDuration({ minMs: 0, maxMs: 30 * 86_400_000 })).prefault('60s'),
      nodeLostAfter: setting(readDuration({ minMs: 60_000, maxMs: 365 * 86_400_000 })).prefault('24h'),
    })
    .prefault({}),
  policy: z
    .object({
      allowUpstreams: networks(),
      denyUpstreams: networks(),
      onlyUpstreams: networks(),
      hostNames: setting(readFlag).prefault(false),
    })
    .prefault({}),
  log: z.object({ level: setting(readOneOf(LOG_LEVELS)).prefault('info') }).prefault({}),
})

/** Every key of the settings with its environment variable. `DATABASE_URL` is another name of `FAIRLEAD_DATABASE_URL`. */
export const CONTROL_SETTINGS = settingNames(schema)

// --------------------------------------------------------------------------------------------------------------------- together

/** What no key says alone. Each sentence begins with the keys that it is about. */
function crossFaults({ listen, tls, trustedProxies, ports }: ControlConfig, tlsFiles: readonly unknown[]): string[] {
  const faults: string[] = []
  if (tls === null && tlsFiles.some(file => file !== null))
    faults.push('tls.certFile, tls.keyFile: one of them is set and the other is not; set both, or neither')
  else if (tls === null && trustedProxies.length === 0 && !isLoopback(listen.host))
    faults.push(
      `listen, tls, trustedProxies: ${formatListen(listen)} is reached over the network, and plain http would show every password and token; ` +
        'set tls.certFile and tls.keyFile, or name the proxy that does TLS in trustedProxies, or listen on 127.0.0.1',
    )
  const both = ports.shared.list().filter(port => ports.reserved.has(port))
  if (both.length > 0)
    faults.push(`ports.shared, ports.reserved: ${both.join(', ')} stands in both; take it out of one`)
  return faults
}

const isAnyHost = (host: string): boolean => host === '0.0.0.0' || host === '::'

export type ControlConfigInput = {
  /** Content of the settings file, or null when there is none. */
  readonly text: string | null
  /** For the faults. */
  readonly fileName: string | null
  readonly env: Environment
  /** What `publicHost` is when neither it, nor `publicUrl`, nor `listen` says; the machine's host name. */
  readonly hostName?: string
}

export type ControlConfigResult =
  /** Notes are sentences about things that were passed over. */
  | { readonly ok: true; readonly config: ControlConfig; readonly notes: readonly string[] }
  | { readonly ok: false; readonly faults: readonly string[] }

// Sets of ports have functions beside their text, and networks have big integers.
const plain = (value: unknown): string =>
  JSON.stringify(value, (_key, member: unknown) => (typeof member === 'bigint' ? `${member}n` : member))

const GROUPS = ['state', 'database', 'ports', 'release', 'policy', 'log'] as const

/** The keys whose values differ, as they stand in a file. */
export function changedSettings(one: ControlConfig, other: ControlConfig): readonly string[] {
  const groups = new Set<string>(GROUPS)
  const members = (config: ControlConfig): Map<string, unknown> =>
    new Map([
      ...Object.entries(config).filter(([key]) => !groups.has(key)),
      ...GROUPS.flatMap(group =>
        Object.entries(config[group]).map(([key, value]) => [`${group}.${key.replace(/Ms$/, '')}`, value] as const),
      ),
    ])
  const there = members(other)
  return [...members(one)].filter(([key, value]) => plain(value) !== plain(there.get(key))).map(([key]) => key)
}

/** The variable that hosting services set; our own name of it wins. */
function withDatabaseUrl(env: Environment): Environment {
  const own = env.FAIRLEAD_DATABASE_URL?.trim() ?? ''
  return own === '' && env.DATABASE_URL !== undefined ? { ...env, FAIRLEAD_DATABASE_URL: env.DATABASE_URL } : env
}

/** Total: bad settings give all their faults at once, each naming the key, the value found and the way out. */
export function parseControlConfig(input: ControlConfigInput): ControlConfigResult {
  const env = withDatabaseUrl(input.env)
  const parsed = parseSettings({ schema, text: input.text, fileName: input.fileName, env })
  if (!parsed.ok) {
    if (env === input.env) return parsed
    return { ok: false, faults: parsed.faults.map(text => text.replace(/^FAIRLEAD_DATABASE_URL:/, 'DATABASE_URL:')) }
  }
  const { publicHost, tls, release, ...rest } = parsed.value
  const { listen, publicUrl } = rest
  const { certFile, keyFile } = tls
  const config: ControlConfig = {
    ...rest,
    publicHost:
      publicHost ??
      (publicUrl === null
        ? isAnyHost(listen.host)
          ? (input.hostName ?? hostname())
          : listen.host
        : new URL(publicUrl).hostname.replace(/^\[(.*)\]$/, '$1')),
    tls: certFile === null || keyFile === null ? null : { certFile, keyFile },
    release: { leastTimeMs: release.leastTime, nodeLostAfterMs: release.nodeLostAfter },
  }
  const faults = crossFaults(config, [certFile, keyFile])
  return faults.length > 0 ? { ok: false, faults } : { ok: true, config, notes: parsed.notes }
}
