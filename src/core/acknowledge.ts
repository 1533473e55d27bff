/**
 * Acknowledgement: has Traefik taken the body that it fetched, and what is served when it has not.
 *
 *   steady ---- beacon in time ----> steady (applied = this body)
 *     | no beacon in time
 *     v
 *   restoring: the last applied body again, byte for byte, until it has been fetched
 *     |-> oldest: the whole target with the fields of the oldest supported Traefik ---- taken ----> steady, with fewer fields
 *     |-> trial: applied body + some of the routes that differ (search.ts) ---- over ----> steady, without the culprits
 *
 * A pure step: facts in, the next state and what to serve out. Traefik stores the hash of a body before it decodes it: a refused one is
 * refused once and then passed over in silence, and it goes on with what it had. So nothing is lost while this takes its time.
 */
import type { Change } from './changes.ts'
import type { RouteKey } from './problem.ts'
import { afterTrial, nextTrial, type Search, startSearch } from './search.ts'

export type AckState =
  | { readonly phase: 'steady' }
  | { readonly phase: 'restoring'; readonly next: 'oldest' | 'search' }
  | { readonly phase: 'oldest' }
  | { readonly phase: 'trial'; readonly search: Search }

export type AckFacts = {
  /** Whether Traefik's API could be read; without it nothing is concluded. */
  readonly readable: boolean
  /** The beacon of the body that is served now is there. */
  readonly beacon: boolean
  /** Traefik has fetched the body that is served now, and was looked at since. */
  readonly fetched: boolean
  /** For how long a client that has not shown that it took the body has had it, in milliseconds; null: none has it. */
  readonly doubtedForMs: number | null
  /** How long an apply may take. */
  readonly deadlineMs: number
  /** What differs between the target and what is applied. */
  readonly changes: () => readonly Change[]
  /** Whether the oldest fields would make another body than the one that was refused. */
  readonly oldestDiffers: () => boolean
  /** There is a body that this Traefik is known to have applied, or none at all: then the search starts from the tombstones. */
  readonly hasApplied: boolean
}

export type AckAction =
  | { readonly kind: 'none' }
  | { readonly kind: 'serve-applied' }
  | { readonly kind: 'serve-oldest' }
  | { readonly kind: 'serve-trial'; readonly keys: readonly RouteKey[] }
  /** The target body is applied. */
  | { readonly kind: 'applied' }
  /** The target with the oldest fields is applied: go on so until Traefik is another one. */
  | { readonly kind: 'applied-oldest' }
  /** Go on without these. */
  | { readonly kind: 'refuse'; readonly keys: readonly RouteKey[] }

export type AckStep = { readonly state: AckState; readonly action: AckAction }

const STEADY: AckState = { phase: 'steady' }
const stay = (state: AckState): AckStep => ({ state, action: { kind: 'none' } })

function trial(search: Search): AckStep {
  const keys = nextTrial(search)
  return keys === null
    ? { state: STEADY, action: { kind: 'refuse', keys: search.refused } }
    : { state: { phase: 'trial', search }, action: { kind: 'serve-trial', keys } }
}

function afterRestore(next: 'oldest' | 'search', facts: AckFacts): AckStep {
  return next === 'oldest'
    ? { state: { phase: 'oldest' }, action: { kind: 'serve-oldest' } }
    : trial(startSearch(facts.changes()))
}

export function acknowledge(state: AckState, facts: AckFacts): AckStep {
  const { readable, beacon, fetched, doubtedForMs, deadlineMs } = facts
  if (!readable || !fetched) return stay(state)
  const overdue = !beacon && doubtedForMs !== null && doubtedForMs > deadlineMs
  switch (state.phase) {
    case 'steady': {
      if (beacon) return { state: STEADY, action: { kind: 'applied' } }
      if (!overdue) return stay(state)
      const next = facts.oldestDiffers() ? 'oldest' : 'search'
      return facts.hasApplied
        ? { state: { phase: 'restoring', next }, action: { kind: 'serve-applied' } }
        : afterRestore(next, facts)
    }
    case 'restoring':
      // Once fetched it is what Traefik has, whether or not its beacon has been seen again: it never lost it.
      return afterRestore(state.next, facts)
    case 'oldest':
      if (beacon) return { state: STEADY, action: { kind: 'applied-oldest' } }
      return overdue
        ? facts.hasApplied
          ? { state: { phase: 'restoring', next: 'search' }, action: { kind: 'serve-applied' } }
          : trial(startSearch(facts.changes()))
        : stay(state)
    case 'trial':
      if (!beacon && !overdue) return stay(state)
      return trial(afterTrial(state.search, beacon))
    default:
      return state satisfies never
  }
}

const MIN_DEADLINE_MS = 5_000
/** A Traefik that polls without a hold has settings of its own: its throttle may be long. */
const MIN_DEADLINE_UNHELD_MS = 40_000
const MS_PER_MEGABYTE = 3_000

/** How long an apply may take: in proportion to the last one, to the size of the body, and to the pace at which Traefik polls. */
export function applyDeadlineMs(input: {
  readonly lastApplyMs: number | null
  readonly bodyBytes: number
  readonly pollGapMs: number | null
  readonly held: boolean
}): number {
  const least = input.held ? MIN_DEADLINE_MS : MIN_DEADLINE_UNHELD_MS
  return Math.max(
    least,
    10 * (input.lastApplyMs ?? 0),
    3 * (input.pollGapMs ?? 0),
    (input.bodyBytes / 1_000_000) * MS_PER_MEGABYTE,
  )
}
