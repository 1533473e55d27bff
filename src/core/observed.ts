/**
 * What Traefik shows of itself: `/api/version`, `/api/entrypoints` and `/api/rawdata`, read into values.
 *
 * The shell fetches (traefik-api.ts), this file only reads what came. Anything that does not look like Traefik gives null, never a
 * half-read picture: a picture that lacks routers would look like drift.
 */
import { parseEntryPointAddress } from './entry-points.ts'
import { beaconHash } from './payload.ts'
import type { Protocol } from './problem.ts'
import { isRecord } from './refusal.ts'

export type ObservedEntryPoint = {
  readonly name: string
  /** As in the static configuration: `:10000`, `127.0.0.1:5432`. */
  readonly address: string
  readonly port: number
  readonly protocol: 'tcp' | 'udp'
}

/** A router of another provider than ours, that is not disabled. */
export type ForeignRouter = {
  /** With its provider: `pg@file`. */
  readonly name: string
  readonly protocol: Protocol
  readonly entryPoints: readonly string[]
  /** Null on UDP. */
  readonly rule: string | null
  readonly tls: boolean
}

export type ObservedTraefik = {
  /** `3.7.15`, or null when it does not say. */
  readonly version: string | null
  readonly entryPoints: readonly ObservedEntryPoint[]
  readonly foreignRouters: readonly ForeignRouter[]
  /** Names of the providers that the Traefik which runs now was started with, such as `File`, `HTTP`; null while that is not known. */
  readonly providers: readonly string[] | null
}

export type ObservedStatus = 'enabled' | 'warning' | 'disabled'

/** A router that came from our provider, its name without `@http`. */
export type ObservedRouter = {
  readonly name: string
  readonly protocol: Protocol
  readonly entryPoints: readonly string[]
  readonly rule: string | null
  readonly service: string
  readonly priority: number | null
  readonly tls: boolean
  readonly passthrough: boolean
  readonly status: ObservedStatus
  /** Traefik's own words. */
  readonly errors: readonly string[]
}

/** A service that came from our provider, its name without `@http`. */
export type ObservedService = {
  readonly name: string
  readonly protocol: Protocol
  readonly status: ObservedStatus
  readonly errors: readonly string[]
  /** Addresses or URLs as configured, sorted; empty for a weighted service. */
  readonly servers: readonly string[]
  /** Servers that a health check has found down. */
  readonly down: readonly string[]
}

export type ObservedRuntime = {
  readonly foreignRouters: readonly ForeignRouter[]
  readonly routers: readonly ObservedRouter[]
  readonly services: readonly ObservedService[]
  /** Hashes of the beacons that are there: one, or two while entry points are being switched. */
  readonly beacons: readonly string[]
}

const OUR_PROVIDER = '@http'

const text = (value: unknown): string | null => (typeof value === 'string' ? value : null)
const texts = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter(entry => typeof entry === 'string') : []

const statusOf = (value: unknown): ObservedStatus => (value === 'disabled' || value === 'warning' ? value : 'enabled')

/** `{ Version, startDate }`; null when it is not Traefik that answered. */
export function parseTraefikVersion(
  raw: unknown,
): { readonly version: string; readonly startedAt: string | null } | null {
  if (!isRecord(raw) || typeof raw.Version !== 'string') return null
  return { version: raw.Version, startedAt: text(raw.startDate) }
}

/** The providers in `/api/overview`; null when it does not tell. */
export function parseProviders(raw: unknown): readonly string[] | null {
  if (!isRecord(raw) || !Array.isArray(raw.providers)) return null
  const names: readonly unknown[] = raw.providers
  return names.every(name => typeof name === 'string') ? names.toSorted() : null
}

/** Entry points whose address cannot be read (a socket handed over by systemd without one) are left out. */
export function parseEntryPoints(raw: unknown): readonly ObservedEntryPoint[] | null {
  if (!Array.isArray(raw)) return null
  const entryPoints: ObservedEntryPoint[] = []
  for (const entry of raw) {
    if (!isRecord(entry) || typeof entry.name !== 'string' || typeof entry.address !== 'string') return null
    const parsed = parseEntryPointAddress(entry.address)
    if (parsed !== null) entryPoints.push({ name: entry.name, address: entry.address, ...parsed })
  }
  return entryPoints
}

function parseRouter(name: string, protocol: Protocol, raw: Record<string, unknown>): ObservedRouter {
  const using = texts(raw.using)
  return {
    name,
    protocol,
    entryPoints: (using.length > 0 ? using : texts(raw.entryPoints)).sort(),
    rule: text(raw.rule),
    service: text(raw.service) ?? '',
    priority: typeof raw.priority === 'number' ? raw.priority : null,
    tls: isRecord(raw.tls),
    passthrough: isRecord(raw.tls) && raw.tls.passthrough === true,
    status: statusOf(raw.status),
    errors: texts(raw.error),
  }
}

function parseService(name: string, protocol: Protocol, raw: Record<string, unknown>): ObservedService {
  const servers = isRecord(raw.loadBalancer) && Array.isArray(raw.loadBalancer.servers) ? raw.loadBalancer.servers : []
  const status = isRecord(raw.serverStatus) ? raw.serverStatus : {}
  return {
    name,
    protocol,
    status: statusOf(raw.status),
    errors: texts(raw.error),
    servers: servers
      .flatMap(server => (isRecord(server) ? [text(server.address) ?? text(server.url) ?? ''] : []))
      .sort(),
    down: Object.entries(status)
      .filter(([, state]) => state === 'DOWN')
      .map(([server]) => server)
      .sort(),
  }
}

const ROUTERS = [
  ['http', 'routers', 'services'],
  ['tcp', 'tcpRouters', 'tcpServices'],
  ['udp', 'udpRouters', 'udpServices'],
] as const

/** A section that is absent is empty: Traefik leaves empty maps out. Null when it is not Traefik's runtime at all. */
export function parseRawdata(raw: unknown): ObservedRuntime | null {
  // api@internal shows itself in routers, so a real answer is never without both maps.
  if (!isRecord(raw) || !isRecord(raw.routers) || !isRecord(raw.services)) return null
  const foreignRouters: ForeignRouter[] = []
  const routers: ObservedRouter[] = []
  const services: ObservedService[] = []
  const beacons: string[] = []
  for (const [protocol, routersKey, servicesKey] of ROUTERS) {
    const ofRouters = raw[routersKey] ?? {}
    const ofServices = raw[servicesKey] ?? {}
    if (!isRecord(ofRouters) || !isRecord(ofServices)) return null
    for (const [name, entry] of Object.entries(ofRouters)) {
      if (!isRecord(entry)) return null
      const router = parseRouter(
        name.endsWith(OUR_PROVIDER) ? name.slice(0, -OUR_PROVIDER.length) : name,
        protocol,
        entry,
      )
      if (name.endsWith(OUR_PROVIDER)) routers.push(router)
      else if (router.status !== 'disabled')
        foreignRouters.push({ name, protocol, entryPoints: router.entryPoints, rule: router.rule, tls: router.tls })
    }
    for (const [name, entry] of Object.entries(ofServices)) {
      if (!isRecord(entry)) return null
      if (!name.endsWith(OUR_PROVIDER)) continue
      const hash = protocol === 'tcp' ? beaconHash(name) : null
      if (hash === null) services.push(parseService(name.slice(0, -OUR_PROVIDER.length), protocol, entry))
      else beacons.push(hash)
    }
  }
  return { foreignRouters, routers, services, beacons }
}
