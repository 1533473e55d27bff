/** Which nodes have the same configuration of a route, and which line of it the fault of a node is about. Pure. */
import type { RouteConfiguration, RouteOnNode } from '../../../api/route.ts'
import type { Line } from './config-lines.ts'

export type ConfigNode = Pick<
  RouteOnNode,
  'nodeId' | 'nodeName' | 'verdict' | 'reason' | 'message' | 'configuration'
> & {
  /** The node reports: what it says is of now. */
  readonly isKnown: boolean
}

export type ConfigGroup = {
  readonly routers: RouteConfiguration['routers']
  readonly services: RouteConfiguration['services']
  readonly nodes: readonly ConfigNode[]
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** With keys in one order, so that two nodes are compared and shown alike; the database has an order of its own. */
function inOneOrder(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOneOrder)
  if (!isMap(value)) return value
  const keys = Object.keys(value).sort()
  return Object.fromEntries(keys.map(key => [key, inOneOrder(value[key])]))
}

const record = (value: unknown): Readonly<Record<string, unknown>> => (isMap(value) ? value : {})

/** The group of `first` stands first, then in the order of the nodes. Nodes of which no configuration is known are in none. */
export function groupConfigs(nodes: readonly ConfigNode[], first: string): readonly ConfigGroup[] {
  const groups = new Map<string, ConfigGroup>()
  for (const node of nodes) {
    if (node.configuration === null) continue
    const routers = record(inOneOrder(node.configuration.routers))
    const services = record(inOneOrder(node.configuration.services))
    const key = JSON.stringify([routers, services])
    const known = groups.get(key)?.nodes ?? []
    groups.set(key, { routers, services, nodes: [...known, node] })
  }
  const has = ({ nodes: its }: ConfigGroup): boolean => its.some(({ nodeId }) => nodeId === first)
  return [...groups.values()].sort((one, other) => Number(has(other)) - Number(has(one)))
}

type Target = { readonly keys: readonly string[] | 'server'; readonly words: string }

/** What the broken link speaks of; reasons that are about no line are not here. */
const TARGETS: Readonly<Record<string, Target>> = {
  ENTRY_POINT_MISSING: { keys: ['entryPoints'], words: 'Traefik has no such entry point' },
  ENTRY_POINT_WRONG_PROTOCOL: { keys: ['entryPoints'], words: 'open for the other protocol only' },
  PORT_OUT_OF_RANGE: { keys: ['entryPoints'], words: 'not a port of this node' },
  PORT_TAKEN_BY_ROUTE: { keys: ['entryPoints'], words: 'another route has the port' },
  SERVER_FIRST_ON_TLS_PORT: { keys: ['entryPoints'], words: 'shared with TLS, where the client must speak first' },
  HOST_TAKEN_BY_ROUTE: { keys: ['rule', 'entryPoints'], words: 'another route has the name' },
  FOREIGN_ROUTER: { keys: ['rule', 'entryPoints'], words: 'a router of another provider has this traffic' },
  CERTIFICATE_NEEDS_TOKEN: { keys: ['tls'], words: 'its certificate is not handed to Traefik' },
  BACKEND_DOWN: { keys: 'server', words: 'down' },
  UPSTREAM_NOT_ALLOWED: { keys: 'server', words: 'not allowed on this node' },
  NO_UPSTREAMS: { keys: ['servers', 'loadBalancer'], words: 'there is none' },
}

/** Traefik names what it does not take in its own words. */
const REFUSALS: readonly (readonly [words: RegExp, keys: readonly string[]])[] = [
  [/entry ?point/i, ['entryPoints']],
  [/middleware/i, ['middlewares']],
  [/\brule\b|HostSNI|Host\(|PathPrefix/i, ['rule']],
  [/resolver|certificate|\btls\b/i, ['certResolver', 'tls']],
  [/\bservice\b/i, ['service']],
]

function targetOf({ reason, message }: ConfigNode): Target | null {
  if (reason !== 'TRAEFIK_DISABLED') return Object.hasOwn(TARGETS, reason) ? (TARGETS[reason] ?? null) : null
  const keys = REFUSALS.find(([words]) => words.test(message))?.[1]
  return keys === undefined ? null : { keys, words: 'Traefik does not take it' }
}

const unquoted = (text: string): string => text.replace(/^"(.*)"$/, '$1')
const keyOf = (line: Line): string | null => {
  const key = line.find(({ kind }) => kind === 'key')
  return key === undefined ? null : unquoted(key.text)
}
const wordOf = (line: Line): string => unquoted(line.findLast(({ kind }) => kind === 'text')?.text ?? '')

function placesOf({ keys }: Target, message: string, lines: readonly Line[]): readonly number[] {
  const placesWith = (name: string): number[] => lines.flatMap((line, at) => (keyOf(line) === name ? [at] : []))
  if (keys !== 'server') {
    const found = keys.map(placesWith).find(places => places.length > 0)
    return found?.slice(0, 1) ?? []
  }
  const servers = [...placesWith('address'), ...placesWith('url')]
  const isNamed = (at: number): boolean => {
    const line = lines[at]
    const address = line === undefined ? '' : wordOf(line).replace(/^\w+:\/\//, '')
    return address !== '' && message.includes(address)
  }
  const named = servers.filter(isNamed)
  // Which of several it is, nobody has said: then it is one of the list.
  return named.length > 0 ? named : servers.length === 1 ? servers : placesWith('servers').slice(0, 1)
}

/** By the number of the line: what is wrong there, and on which nodes. */
export function faultyLines(group: ConfigGroup, lines: readonly Line[]): ReadonlyMap<number, string> {
  const byPlace = new Map<number, Map<string, string[]>>()
  for (const node of group.nodes) {
    const target = node.isKnown ? targetOf(node) : null
    if (target === null) continue
    for (const at of placesOf(target, node.message, lines)) {
      const words = byPlace.get(at) ?? new Map<string, string[]>()
      words.set(target.words, [...(words.get(target.words) ?? []), node.nodeName])
      byPlace.set(at, words)
    }
  }
  const told = (words: ReadonlyMap<string, readonly string[]>): string =>
    [...words].map(([what, names]) => `${what} on ${namesWords(names)}`).join('; ')
  return new Map([...byPlace].map(([at, words]) => [at, told(words)]))
}

const MOST_NAMES = 3

/** `proxy-1, proxy-2 and 4 more`. */
export function namesWords(names: readonly string[]): string {
  if (names.length > MOST_NAMES + 1)
    return `${names.slice(0, MOST_NAMES).join(', ')} and ${names.length - MOST_NAMES} more`
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

/** Lines that `other` has not: where two nodes differ. */
export function differingLines(lines: readonly Line[], other: readonly Line[]): ReadonlySet<number> {
  const textOf = (line: Line): string => line.map(({ text }) => text).join('')
  const known = new Set(other.map(textOf))
  return new Set(lines.flatMap((line, at) => (known.has(textOf(line)) ? [] : [at])))
}
