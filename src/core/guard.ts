/**
 * The guard: removals that nobody said were meant are held, while additions and changes of the same state go on.
 *
 *   reading - what was kept before = vanished - (named in `removed`, expired) = unexplained
 *   unexplained, more than half of ten or more                     -> held until accepted by hash     (a file's owner: for 30 s)
 *   half as many as there were within the last ten minutes         -> the same, so that a slow bleed is seen as well
 *   nothing left at all, or nothing of one protocol                -> held until it has stood for 30 s (control plane)
 *   a folder left without a single file                            -> held until it has stood for 30 s (an unmounted volume looks so)
 *
 * What is held stays held by what there was when the hold began: routes that are added meanwhile do not make the removals small.
 *
 * One guard a source. A pure step from memory to memory: time is handed in, in milliseconds of a clock that does not jump.
 */
import { contentHash } from './hash.ts'
import { PROTOCOLS, type Protocol, type RouteKey, routeKey } from './problem.ts'
import type { Route } from './route.ts'

export type GuardPolicy = { readonly minRoutes: number; readonly maxRatio: number; readonly settleMs: number }

export type KeptRoute = { readonly route: Route; readonly origin: string }

export type GuardMemory = {
  /** What went through last, held routes included. */
  readonly kept: readonly KeptRoute[]
  /**
   * How many routes there were, and until when, in the last ten minutes, the largest number first. Routes that were removed on purpose
   * since are not counted.
   */
  readonly sizes: readonly { readonly atMs: number; readonly count: number }[]
  readonly hold: Hold | null
}

export type Hold = {
  /** Of the removals that are held, and since when it is these. */
  readonly hash: string
  readonly sinceMs: number
  /** How many routes there were when something began to be held, and at most in the ten minutes before: removals are measured by these. */
  readonly size: number
  readonly peak: number
}

export const EMPTY_GUARD: GuardMemory = { kept: [], sizes: [], hold: null }

export type GuardInput = {
  /** `owner`: local files, whose owner never has to accept; they only settle. */
  readonly kind: 'owner' | 'control-plane'
  readonly routes: readonly KeptRoute[]
  /** Keys (`tcp/pg`) or bare ids that were removed on purpose. */
  readonly removed: readonly string[]
  /** How many files the reading comes from, or 1. */
  readonly documents: number
  /** Hashes that a person has accepted, here or in the control plane. */
  readonly acceptedHashes: readonly string[]
  readonly policy: GuardPolicy
  /** Of a clock that does not jump. */
  readonly nowMs: number
  /** Of the wall clock: routes may end. */
  readonly wallMs: number
}

export type Held = {
  /** Over the keys that are held: what `fairlead accept` names. */
  readonly hash: string
  readonly removals: readonly RouteKey[]
  readonly reason: 'ratio' | 'all-gone' | 'no-files'
  /** One sentence. */
  readonly message: string
  /** When the removals go through by themselves, in milliseconds of the clock that was handed in; null: not by themselves. */
  readonly untilMs: number | null
}

export type GuardResult = {
  readonly memory: GuardMemory
  readonly routes: readonly (KeptRoute & { readonly held: boolean })[]
  readonly held: Held | null
  /** The accepted hash by which removals went through in this step: it has done its work, and counts for no later ones. */
  readonly accepted: string | null
}

/** Removals count together over this time. */
const WINDOW_MS = 10 * 60_000

const keyOf = ({ route }: KeptRoute): RouteKey => routeKey(route.protocol, route.id)

type Finding = Pick<Held, 'reason' | 'message'> & { readonly settles: boolean }

function findingOf(
  input: GuardInput,
  unexplained: readonly KeptRoute[],
  { size, peak }: Pick<Hold, 'size' | 'peak'>,
): Finding | null {
  const { kind, policy, routes, documents } = input
  const isLarge = (gone: number, of: number): boolean => of >= policy.minRoutes && gone > of * policy.maxRatio
  const left = size - unexplained.length
  const bled = isLarge(peak - left, peak) && peak - left > unexplained.length
  if (bled || isLarge(unexplained.length, size)) {
    const lately = bled ? `, and leaves ${left} of ${peak} that there were in the last ten minutes` : ''
    const message = `the new state drops ${unexplained.length} of ${size} routes${lately}`
    return { reason: 'ratio', message, settles: kind === 'owner' }
  }
  if (kind === 'owner') {
    const message = `the folder has no file of routes any more; it had ${unexplained.length} routes`
    return documents === 0 ? { reason: 'no-files', message, settles: true } : null
  }
  const has = (of: readonly KeptRoute[], protocol: Protocol): boolean =>
    of.some(({ route }) => route.protocol === protocol)
  const emptied = PROTOCOLS.filter(protocol => has(unexplained, protocol) && !has(routes, protocol))
  if (emptied.length === 0) return null
  const what = routes.length === 0 ? 'route' : `${emptied.map(name => name.toUpperCase()).join(' or ')} route`
  const count = unexplained.filter(({ route }) => emptied.includes(route.protocol)).length
  return { reason: 'all-gone', message: `the new state has no ${what} any more; there were ${count}`, settles: true }
}

/** Of the sizes so far those that are young enough and larger than the newest, and that one. */
const sizesWith = (sizes: GuardMemory['sizes'], nowMs: number, count: number): GuardMemory['sizes'] => [
  ...sizes.filter(size => nowMs - size.atMs < WINDOW_MS && size.count > count),
  { atMs: nowMs, count },
]

/** One step. Total; the same input and memory give the same result. */
export function guard(memory: GuardMemory, input: GuardInput): GuardResult {
  const { nowMs, wallMs, policy } = input
  const present = new Set(input.routes.map(keyOf))
  const meant = new Set(input.removed)
  const vanished = memory.kept.filter(entry => !present.has(keyOf(entry)))
  const unexplained = vanished.filter(entry => {
    const { route } = entry
    return !meant.has(route.id) && !meant.has(keyOf(entry)) && (route.expiresAt === null || route.expiresAt > wallMs)
  })
  const explained = vanished.length - unexplained.length
  const less = (count: number): number => Math.max(count - explained, 0)
  const size = less(memory.kept.length)
  const sizes = memory.sizes.map(({ atMs, count }) => ({ atMs, count: less(count) }))
  const through = (before: GuardMemory['sizes'], accepted: string | null = null): GuardResult => ({
    memory: { kept: input.routes, sizes: sizesWith(before, nowMs, input.routes.length), hold: null },
    routes: input.routes.map(entry => ({ ...entry, held: false })),
    held: null,
    accepted,
  })
  const known = sizesWith(sizes, nowMs, size)
  if (unexplained.length === 0) return through(known)
  const { hold } = memory
  const measures =
    hold === null ? { size, peak: known[0]?.count ?? size } : { size: less(hold.size), peak: less(hold.peak) }
  const finding = findingOf(input, unexplained, measures)
  if (finding === null) return through(known)

  const keys = unexplained.map(keyOf).sort()
  const hash = contentHash(keys)
  // What a person accepted, or what has stood its time, is not counted against what comes after it.
  if (input.acceptedHashes.includes(hash)) return through([], hash)
  const sinceMs = hold?.hash === hash ? hold.sinceMs : nowMs
  const untilMs = finding.settles ? sinceMs + policy.settleMs : null
  if (untilMs !== null && nowMs >= untilMs) return through([])
  return {
    memory: {
      kept: [...input.routes, ...unexplained],
      sizes: hold === null ? known : sizes,
      hold: { hash, sinceMs, ...measures },
    },
    routes: [
      ...input.routes.map(entry => ({ ...entry, held: false })),
      ...unexplained.map(entry => ({ ...entry, held: true })),
    ],
    held: { hash, removals: keys, reason: finding.reason, message: finding.message, untilMs },
    accepted: null,
  }
}
