/**
 * The settings of an agent: one YAML file and the environment (src/lib/settings.ts) into one checked value.
 *
 * Every key has a default, so no file is needed; only what the keys say together, such as a port that two of them want, is judged here.
 * Secrets stand in files that the settings name.
 */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { DEFAULT_CERTIFICATE_MODES, type DefaultCertificateMode } from '../core/default-certificate.ts'
import { type PortSet, parsePortSet } from '../core/port-set.ts'
import { type Network, parseNetwork } from '../core/upstream.ts'
import {
  fault,
  formatListen,
  type ListenAddress,
  nullable,
  type Read,
  readDirectoryPath,
  readDuration,
  readFilePath,
  readFlag,
  readHttpUrl,
  readList,
  readLoopbackListen,
  readOneOf,
  readRatio,
  readWholeNumber,
  readWord,
  setting,
  shown,
} from '../lib/setting-types.ts'
import { type Environment, parseSettings, settingNames } from '../lib/settings.ts'

export type ControlPlaneConfig = {
  /** At least one, each without a slash at its end; https, or http to loopback. */
  readonly urls: readonly string[]
  readonly identityFile: string
  readonly caFile: string | null
  /** A bearer token instead of signatures. */
  readonly tokenFile: string | null
  readonly pollIntervalMs: number
  /** `auto`: only to a control plane whose documents carry `schema`. */
  readonly report: 'auto' | 'never'
}

export type PolicyConfig = {
  readonly allowUpstreams: readonly Network[]
  readonly denyUpstreams: readonly Network[]
  /** Empty: any. */
  readonly onlyUpstreams: readonly Network[]
  readonly hostNames: boolean
  readonly maxRoutes: number
  readonly guard: { readonly minRoutes: number; readonly maxRatio: number; readonly settleMs: number }
}

export type AgentConfig = {
  readonly node: string
  readonly state: { readonly directory: string }
  readonly sources: {
    readonly files: { readonly directory: string } | null
    readonly controlPlane: ControlPlaneConfig | null
  }
  /** Loopback always. Port 0: any free one. */
  readonly provider: { readonly listen: ListenAddress; readonly tokenFile: string | null }
  readonly admin: { readonly listen: ListenAddress }
  /** Null: served, not verified. Without a slash at its end. */
  readonly traefik: { readonly api: string | null }
  readonly ports: { readonly tcp: PortSet; readonly udp: PortSet }
  readonly http: {
    /** At least one. */
    readonly entryPoints: readonly string[]
    readonly redirectFrom: string | null
    readonly certResolver: string | null
  }
  readonly tls: { readonly defaultCertificate: DefaultCertificateMode }
  readonly policy: PolicyConfig
  readonly log: { readonly level: LogLevel }
}

const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

const REPORT = ['auto', 'never'] as const

// -------------------------------------------------------------------------------------------------------------------- the schema

// An entry point costs Traefik some 70 KB, and 5,000 of them 1.6 s at its start (measured).
const MAX_PORTS = 10_000

/** A text, one number, or a YAML list of both. */
function readPorts(value: unknown): Read<PortSet> {
  const parts: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (!parts.every(part => typeof part === 'string' || typeof part === 'number'))
    return fault(`${shown(value)} is not a set of ports; write it as 10000-10099,5432, or none`)
  const parsed = parsePortSet(parts.length === 0 ? 'none' : parts.join(','))
  if (!parsed.ok) return parsed
  if (parsed.ports.size > MAX_PORTS)
    return fault(
      `${parsed.ports.size} ports are more than ${MAX_PORTS}; each is an entry point and costs Traefik memory`,
    )
  return { ok: true, value: parsed.ports }
}

function readNetwork(value: unknown): Read<Network> {
  const network = typeof value === 'string' ? parseNetwork(value) : null
  return network === null
    ? fault(`${shown(value)} is not an address or a network; write it as 10.0.0.0/8, 127.0.0.1:18080 or [::1]:5432`)
    : { ok: true, value: network }
}

const readEntryPoint = readWord(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, 'the name of an entry point, such as websecure')
const resolver = readWord(/^[A-Za-z0-9_-]{1,63}$/, 'the name of a certificate resolver, such as letsencrypt')
const readNode = readWord(
  /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/,
  'a name of letters, digits, dots, hyphens and underscores',
)

const networks = () => setting(readList(readNetwork)).prefault([])

const schema = z.object({
  node: setting(readNode).optional(),
  state: z.object({ directory: setting(readDirectoryPath).prefault('/var/lib/fairlead') }).prefault({}),
  sources: z
    .object({
      files: z.object({ directory: setting(readDirectoryPath) }).optional(),
      controlPlane: z
        .object({
          urls: setting(readList(readHttpUrl('https://control.example.com', 'loopback'), 1)),
          identityFile: setting(readFilePath).optional(),
          caFile: nullable(readFilePath).prefault(null),
          tokenFile: nullable(readFilePath).prefault(null),
          pollInterval: setting(readDuration({ minMs: 200, maxMs: 3_600_000 })).prefault('5s'),
          report: setting(readOneOf(REPORT)).prefault('auto'),
        })
        .optional(),
    })
    .prefault({}),
  provider: z
    .object({
      listen: setting(readLoopbackListen('127.0.0.1:7480')).prefault('127.0.0.1:7480'),
      tokenFile: nullable(readFilePath).prefault(null),
    })
    .prefault({}),
  admin: z.object({ listen: setting(readLoopbackListen('127.0.0.1:7481')).prefault('127.0.0.1:7481') }).prefault({}),
  traefik: z.object({ api: nullable(readHttpUrl('http://127.0.0.1:8080', 'anywhere')).prefault(null) }).prefault({}),
  ports: z
    .object({
      tcp: setting(readPorts).prefault('10000-10099'),
      udp: setting(readPorts).prefault('11000-11099'),
    })
    .prefault({}),
  http: z
    .object({
      entryPoints: setting(readList(readEntryPoint, 1)).prefault(['websecure']),
      redirectFrom: nullable(readEntryPoint).prefault('web'),
      certResolver: nullable(resolver).prefault(null),
    })
    .prefault({}),
  tls: z.object({ defaultCertificate: setting(readOneOf(DEFAULT_CERTIFICATE_MODES)).prefault('auto') }).prefault({}),
  policy: z
    .object({
      allowUpstreams: networks(),
      denyUpstreams: networks(),
      onlyUpstreams: networks(),
      hostNames: setting(readFlag).prefault(false),
      maxRoutes: setting(readWholeNumber({ min: 1, max: 1_000_000 })).prefault(20_000),
      guard: z
        .object({
          minRoutes: setting(readWholeNumber({ min: 1, max: 1_000_000 })).prefault(10),
          maxRatio: setting(readRatio).prefault(0.5),
          settle: setting(readDuration({ minMs: 0, maxMs: 86_400_000 })).prefault('30s'),
        })
        .prefault({}),
    })
    .prefault({}),
  log: z.object({ level: setting(readOneOf(LOG_LEVELS)).prefault('info') }).prefault({}),
})

/** Every key of the settings with its environment variable. */
export const AGENT_SETTINGS = settingNames(schema)

// --------------------------------------------------------------------------------------------------------------------- together

/** What no key says alone. Each sentence begins with the keys that it is about. */
function crossFaults(config: AgentConfig): string[] {
  const faults: string[] = []
  const { provider, admin, ports, http } = config
  if (provider.listen.port !== 0 && formatListen(provider.listen) === formatListen(admin.listen))
    faults.push(`provider.listen, admin.listen: both are ${formatListen(admin.listen)}; give each a port of its own`)
  for (const [key, listen] of [
    ['provider.listen', provider.listen],
    ['admin.listen', admin.listen],
  ] as const) {
    if (ports.tcp.has(listen.port))
      faults.push(
        `${key}, ports.tcp: port ${listen.port} is an entry point of Traefik in the one and ours in the other; take it out of one`,
      )
  }
  if (http.redirectFrom !== null && http.entryPoints.includes(http.redirectFrom))
    faults.push(
      `http.redirectFrom, http.entryPoints: ${http.redirectFrom} is in both and would redirect to itself; set redirectFrom: none`,
    )
  return faults
}

export type AgentConfigInput = {
  /** Content of the settings file, or null when there is none. */
  readonly text: string | null
  /** For the faults. */
  readonly fileName: string | null
  readonly env: Environment
  /** What `node` is when nobody says; the machine's host name. */
  readonly hostName?: string
}

export type AgentConfigResult =
  /** Notes are sentences about things that were passed over. */
  | { readonly ok: true; readonly config: AgentConfig; readonly notes: readonly string[] }
  | { readonly ok: false; readonly faults: readonly string[] }

/** Total: bad settings give all their faults at once, each naming the key, the value found and the way out. */
export function parseAgentConfig(input: AgentConfigInput): AgentConfigResult {
  const parsed = parseSettings({ schema, ...input })
  if (!parsed.ok) return parsed
  const { node, state, sources, provider, admin, traefik, ports, http, tls, policy, log } = parsed.value
  const { pollInterval, identityFile, ...controlPlane } = sources.controlPlane ?? {
    pollInterval: 0,
    identityFile: undefined,
  }
  const { settle, ...guard } = policy.guard
  const config: AgentConfig = {
    node: node ?? input.hostName ?? hostname(),
    state,
    sources: {
      files: sources.files ?? null,
      controlPlane:
        'urls' in controlPlane
          ? {
              ...controlPlane,
              identityFile: identityFile ?? join(state.directory, 'identity.json'),
              pollIntervalMs: pollInterval,
            }
          : null,
    },
    provider,
    admin,
    traefik,
    ports,
    http,
    tls,
    policy: { ...policy, guard: { ...guard, settleMs: settle } },
    log,
  }
  const faults = crossFaults(config)
  return faults.length > 0 ? { ok: false, faults } : { ok: true, config, notes: parsed.notes }
}

/** The agent needs somewhere to get its routes from; commands that only read the settings do not. Null when there is a source. */
export function sourceFault(config: AgentConfig): string | null {
  if (config.sources.files !== null || config.sources.controlPlane !== null) return null
  return 'sources: none is set; name a folder in sources.files.directory (FAIRLEAD_SOURCES_FILES_DIRECTORY), or a control plane in sources.controlPlane.urls (FAIRLEAD_SOURCES_CONTROL_PLANE_URLS)'
}
