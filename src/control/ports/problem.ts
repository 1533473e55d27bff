/** Why somebody did not get a port: as a value, with what an API answers from it. Whose the port is, it never says. */
import type { Blocker, Rest } from './rest.ts'

export type PortProblemCode =
  | 'PORT_TAKEN'
  | 'PORT_OUT_OF_RANGE'
  | 'PORT_RESERVED'
  | 'PORT_UNDECLARED'
  | 'PORT_SHARED'
  | 'PORT_NOT_SHARED'
  | 'POOL_EXHAUSTED'
  | 'QUOTA_EXCEEDED'
  | 'SNI_TAKEN'

/** How the numbers of a pool that could be handed out are spread. */
export type PoolCounts = {
  readonly total: number
  readonly free: number
  readonly used: number
  readonly resting: number
  readonly reserved: number
  readonly shared: number
  /** Not every active node has such an entry point. */
  readonly undeclared: number
}

export type L4 = 'tcp' | 'udp'

export type PortProblem = {
  readonly code: PortProblemCode
  readonly protocol: L4
  readonly port: number | null
  readonly host: string | null
  readonly message: string
  readonly remedy: string
  /** For what rests: what is left of the least time. */
  readonly leftMs: number | null
  /** The nodes for which something rests. */
  readonly blockedBy: readonly Blocker[]
  /** For an exhausted pool. */
  readonly counts: PoolCounts | null
}

type Facts = Partial<Pick<PortProblem, 'port' | 'host' | 'leftMs' | 'blockedBy' | 'counts'>>

export const makePortProblem = (
  code: PortProblemCode,
  protocol: L4,
  message: string,
  remedy: string,
  facts: Facts = {},
): PortProblem => ({
  code,
  protocol,
  message,
  remedy,
  port: null,
  host: null,
  leftMs: null,
  blockedBy: [],
  counts: null,
  ...facts,
})

const MAX_NAMES = 5

/** `proxy-1, proxy-2 (lost) and 3 more` */
function nameList(nodes: readonly Blocker[]): string {
  const names = nodes.slice(0, MAX_NAMES).map(({ name, status }) => (status === 'lost' ? `${name} (lost)` : name))
  return nodes.length > MAX_NAMES ? `${names.join(', ')} and ${nodes.length - MAX_NAMES} more` : names.join(', ')
}

/** `rests until proxy-1 (lost) has acknowledged its release` */
export function restText({ leftMs, blockedBy }: Pick<Rest, 'leftMs' | 'blockedBy'>): string {
  const reasons: string[] = []
  if (blockedBy.length > 0) reasons.push(`until ${nameList(blockedBy)} acknowledged the release`)
  if (leftMs > 0) reasons.push(`for ${Math.ceil(leftMs / 1000)} s more`)
  return `rests ${reasons.join(' and ')}`
}

const LOST_REMEDY = 'Bring the lost nodes back, or retire them (POST /nodes/:id/retire).'
const WAIT_REMEDY = 'Take another, or wait.'

export const restRemedy = (blockedBy: readonly Blocker[]): string =>
  blockedBy.some(({ status }) => status === 'lost') ? LOST_REMEDY : WAIT_REMEDY

/** Every blocker of several rests, once. */
export function blockersOf(rests: Iterable<Rest>): readonly Blocker[] {
  const found = new Map<string, Blocker>()
  for (const { blockedBy } of rests) for (const node of blockedBy) found.set(node.id, node)
  return [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}
