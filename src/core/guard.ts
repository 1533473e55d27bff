/**
 * The guard: removals that nobody said were meant are held, while additions and changes of the same state go on.
 *
 *   reading - what was kept before = vanished - (named in `removed`, expired) = unexplained
 *   unexplained, over ten minutes, more than half of ten or more   -> held until accepted by hash     (a file's owner: for 30 s)
 *   nothing left at all, or nothing of one protocol                -> held until it has stood for 30 s (control plane)
 *   a folder left without a single file                            -> held until it has stood for 30 s (an unmounted volume looks so)
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
  /** Unexplained removals that went through, for the window. */
  readonly removals: readonly { readonly atMs: number; readonly count: number }[]
  /** Since when removals stand that only have to settle, and which they are. */
  readonly settling: { readonly hash: string; readonly sinceMs: number } | null
}

export const EMPTY_GUARD: GuardMemory = { kept: [], removals: [], settling: null }

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
}

/** Removals count together over this time, so that a slow bleed is seen as well. */
const WINDOW_MS = 10 * 60_000

const keyOf = ({ route }: KeptRoute): RouteKey => routeKey(route.protocol, route.id)

type Finding = Pick<Held, 'reason' | 'message'> & { readonly settles: boolean }

function findingOf(input: GuardInput, before: readonly KeptRoute[], unexplained: readonly KeptRoute[], recent: number): Finding | null {
  const { kind, policy, routes, documents } = input
  const gone = unexplained.length + recent
  const base = before.length + recent
  if (base >= policy.minRoutes && gone > base * policy.maxRatio) {
    const lately = recent === 0 ? '' : `, ${recent} more went in the last ten minutes`
    return { reason: 'ratio', message: `the new state drops ${unexplained.length} of ${before.length} routes${lately}`, settles: kind === 'owner' }
  }
  if (kind === 'owner') {
    return documents === 0 ? { reason: 'no-files', message: `the folder has no file of routes any more; it had ${before.length} routes`, settles: true } : null
  }
  const emptied = PROTOCOLS.filter((protocol: Protocol) => unexplained.some(({ route }) => route.protocol === protocol) && !routes.some(({ route }) => route.protocol === protocol))
  if (emptied.length === 0) return null
  const what = routes.length === 0 ? 'any route' : `any ${emptied.join(' or ')} route`
  return { reason: 'all-gone', message: `the new state has not ${what} any more; there were ${unexplained.length}`, settles: true }
}

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
  const removals = memory.removals.filter(({ atMs }) => nowMs - atMs < WINDOW_MS)
  const passed = input.routes.map(entry => ({ ...entry, held: false }))
  const through = (count: number): GuardResult => ({
    memory: { kept: input.routes, removals: count === 0 ? removals : [...removals, { atMs: nowMs, count }], settling: null },
    routes: passed,
    held: null,
  })
  if (unexplained.length === 0) return through(0)
  const recent = removals.reduce((sum, { count }) => sum + count, 0)
  const finding = findingOf(input, memory.kept, unexplained, recent)
  if (finding === null) return through(unexplained.length)

  const keys = unexplained.map(keyOf).sort()
  const hash = contentHash(keys)
  // What a person accepted is not counted against what comes after it.
  if (input.acceptedHashes.includes(hash)) return { ...through(0), memory: { ...through(0).memory, removals: [] } }
  const sinceMs = memory.settling?.hash === hash ? memory.settling.sinceMs : nowMs
  const untilMs = finding.settles ? sinceMs + policy.settleMs : null
  if (untilMs !== null && nowMs >= untilMs) return { ...through(0), memory: { ...through(0).memory, removals: [] } }
  const held = unexplained.map(entry => ({ ...entry, held: true }))
  return {
    memory: { kept: [...input.routes, ...unexplained], removals, settling: finding.settles ? { hash, sinceMs } : null},
    routes: [...passed, ...held],
    held: { hash, removals: keys, reason: finding.reason, message: finding.message, untilMs },
  }
}
