/** The bytes that Traefik gets, and the beacon by which we see in its API that it took them. */
import type { DynamicConfig } from './dynamic-config.ts'
import { canonicalJson, sha256 } from './hash.ts'

export type Snapshot = {
  /** Over the configuration without its beacon: the revision of the body. 64 hexadecimal digits. */
  readonly hash: string
  /** JSON, or YAML with JSON inside it above CHUNK_FROM routers. Exactly what Traefik gets. */
  readonly body: string
}

const BEACON_PREFIX = 'fairlead-revision-'

/** Name of the unreferenced TCP service that shows, in `GET /api/tcp/services/NAME@http`, that the body with this hash is applied. */
export const beaconName = (hash: string): string => `${BEACON_PREFIX}${hash}`

/** The hash in a beacon's name, with or without `@http`; null for any other name. */
export function beaconHash(name: string): string | null {
  const parts = /^fairlead-revision-([0-9a-f]{64})(?:@http)?$/.exec(name)
  return parts?.[1] ?? null
}

// yaml.v3 compares all keys of one mapping pairwise. Joined by merge keys, chunks of 100 halve the apply time at 10,000 routes (measured).
const CHUNK_FROM = 400
const CHUNK_SIZE = 100

function chunkedMap(map: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(map).sort()
  if (names.length <= CHUNK_FROM) return canonicalJson(map)
  const chunks: string[] = []
  for (let from = 0; from < names.length; from += CHUNK_SIZE) {
    chunks.push(canonicalJson(Object.fromEntries(names.slice(from, from + CHUNK_SIZE).map(name => [name, map[name]]))))
  }
  // The `<<` must stand without quotes: a quoted one is an ordinary key.
  return `{<<: [${chunks.join(', ')}]}`
}

function section(maps: Readonly<Record<string, unknown>>): string {
  const members = Object.entries(maps)
    .filter(([, map]) => map !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([name, map]) =>
        `${JSON.stringify(name)}: ${Array.isArray(map) ? canonicalJson(map) : chunkedMap(map as Readonly<Record<string, unknown>>)}`,
    )
  return `{${members.join(', ')}}`
}

/** Whole or not at all: the configuration, its hash, and the body with the beacon in it. */
export function makeSnapshot(config: DynamicConfig): Snapshot {
  const hash = sha256(canonicalJson(config))
  const tcp = {
    ...config.tcp,
    services: { ...config.tcp?.services, [beaconName(hash)]: { loadBalancer: { servers: [] } } },
  }
  const full: Readonly<Record<string, unknown>> = { ...config, tcp }
  const large = Object.values(full).some(
    part =>
      part !== undefined && Object.values(part as object).some(map => Object.keys(map as object).length > CHUNK_FROM),
  )
  if (!large) return { hash, body: canonicalJson(full) }
  const sections = Object.keys(full)
    .sort()
    .map(name => `${JSON.stringify(name)}: ${section(full[name] as Readonly<Record<string, unknown>>)}`)
  return { hash, body: `{${sections.join(', ')}}\n` }
}
