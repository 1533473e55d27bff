/** The bytes that Traefik gets, and the beacon by which we see in its API that it took them. */
import type { DynamicConfig, TcpService } from './dynamic-config.ts'
import { canonicalJson, keptJson, sha256 } from './hash.ts'

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

/** A name and its value as canonical JSON, sorted by name. */
type Members = readonly { readonly name: string; readonly text: string }[]

const byName = (a: { readonly name: string }, b: { readonly name: string }): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : 0

const membersOf = (map: Readonly<Record<string, object>>): Members =>
  Object.keys(map)
    .sort()
    .flatMap(name => {
      const value = map[name]
      return value === undefined ? [] : [{ name, text: `${JSON.stringify(name)}:${keptJson(value)}` }]
    })

const inBraces = (members: Members): string => `{${members.map(({ text }) => text).join(',')}}`

function inChunks(members: Members): string {
  if (members.length <= CHUNK_FROM) return inBraces(members)
  const chunks: string[] = []
  for (let from = 0; from < members.length; from += CHUNK_SIZE)
    chunks.push(inBraces(members.slice(from, from + CHUNK_SIZE)))
  // The `<<` must stand without quotes: a quoted one is an ordinary key.
  return `{<<: [${chunks.join(', ')}]}`
}

/** Routers, services, ... of a protocol by the name of the map; `tls` is small and of another form, so it is one text. */
type Section = {
  readonly name: string
  readonly maps: readonly { readonly name: string; readonly members: Members }[] | string
}

const sectionOf = (
  name: string,
  maps: Readonly<Record<string, Readonly<Record<string, object>> | undefined>>,
): Section => ({
  name,
  maps: Object.entries(maps)
    .flatMap(([map, values]) => (values === undefined ? [] : [{ name: map, members: membersOf(values) }]))
    .sort(byName),
})

function sectionsOf({ http, tcp, udp, tls }: DynamicConfig): Section[] {
  return [
    ...(http === undefined ? [] : [sectionOf('http', http)]),
    ...(tcp === undefined ? [] : [sectionOf('tcp', tcp)]),
    ...(tls === undefined ? [] : [{ name: 'tls', maps: canonicalJson(tls) }]),
    ...(udp === undefined ? [] : [sectionOf('udp', udp)]),
  ]
}

function textOf(
  sections: readonly Section[],
  [comma, colon]: readonly [string, string],
  write: (members: Members) => string,
): string {
  const object = (members: readonly (readonly [string, string])[]): string =>
    `{${members.map(([name, text]) => `${JSON.stringify(name)}${colon}${text}`).join(comma)}}`
  return object(
    sections.map(({ name, maps }) => [
      name,
      typeof maps === 'string' ? maps : object(maps.map(map => [map.name, write(map.members)])),
    ]),
  )
}

const BEACON: TcpService = { loadBalancer: { servers: [] } }

/** The same sections with the beacon among the services of TCP. */
function withBeacon(sections: readonly Section[], hash: string): Section[] {
  const [beacon] = membersOf({ [beaconName(hash)]: BEACON })
  const tcp = sections.find(({ name }) => name === 'tcp')
  const maps = typeof tcp?.maps === 'object' ? tcp.maps : []
  const services = maps.find(({ name }) => name === 'services')?.members ?? []
  const marked = { name: 'services', members: [...services, ...(beacon === undefined ? [] : [beacon])].sort(byName) }
  const section: Section = {
    name: 'tcp',
    maps: [...maps.filter(({ name }) => name !== 'services'), marked].sort(byName),
  }
  return [...sections.filter(({ name }) => name !== 'tcp'), section].sort(byName)
}

const JSON_MARKS = [',', ':'] as const
const YAML_MARKS = [', ', ': '] as const

/** Whole or not at all: the configuration, its hash, and the body with the beacon in it. */
export function makeSnapshot(config: DynamicConfig): Snapshot {
  const sections = sectionsOf(config)
  const hash = sha256(textOf(sections, JSON_MARKS, inBraces))
  const whole = withBeacon(sections, hash)
  const large = whole.some(
    ({ maps }) => typeof maps === 'object' && maps.some(({ members }) => members.length > CHUNK_FROM),
  )
  return large
    ? { hash, body: `${textOf(whole, YAML_MARKS, inChunks)}\n` }
    : { hash, body: textOf(whole, JSON_MARKS, inBraces) }
}
