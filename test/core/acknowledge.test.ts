import { describe, expect, test } from 'vitest'
import { type AckFacts, type AckState, acknowledge, applyDeadlineMs } from '../../src/core/acknowledge.ts'
import type { Change } from '../../src/core/changes.ts'
import { startSearch } from '../../src/core/search.ts'

const DEADLINE = 5_000
const two: readonly Change[] = [['tcp/a'], ['tcp/b']]
const searching: AckState = { phase: 'trial', search: startSearch(two) }

const NOT_READ = { readable: false, beacon: false, fetched: false, doubtedForMs: null }
const NOT_FETCHED = { readable: true, beacon: false, fetched: false, doubtedForMs: null }
const EARLY = { readable: true, beacon: false, fetched: true, doubtedForMs: DEADLINE }
const OVERDUE = { readable: true, beacon: false, fetched: true, doubtedForMs: DEADLINE + 1 }
/** Whoever fetched it has shown that he took it. */
const TAKEN = { readable: true, beacon: false, fetched: true, doubtedForMs: null }
const SEEN = { readable: true, beacon: true, fetched: true, doubtedForMs: 12 }
const SEEN_LATE = { readable: true, beacon: true, fetched: true, doubtedForMs: 60_000 }
/** Fetched long ago, but nobody can look. */
const BLIND = { readable: false, beacon: false, fetched: false, doubtedForMs: 60_000 }

type Moment = Pick<AckFacts, 'readable' | 'beacon' | 'fetched' | 'doubtedForMs'>
type Rest = Partial<Pick<AckFacts, 'changes' | 'oldestDiffers' | 'hasApplied'>>

/** `phase -> action`, with what else matters of them. */
function outcome(state: AckState, moment: Moment, rest: Rest = {}): string {
  const step = acknowledge(state, {
    deadlineMs: DEADLINE,
    changes: () => two,
    oldestDiffers: () => false,
    hasApplied: true,
    ...moment,
    ...rest,
  })
  const { action } = step
  const phase = step.state.phase === 'restoring' ? `restoring for ${step.state.next}` : step.state.phase
  return `${phase}: ${action.kind}${'keys' in action ? ` ${action.keys.join(' ')}` : ''}`
}

const older = { oldestDiffers: () => true }
const nothingApplied = { hasApplied: false }
const restoring = (next: 'oldest' | 'search'): AckState => ({ phase: 'restoring', next })

describe('one step', () => {
  test.each<[string, AckState, Moment, Rest, string]>([
    // ---------------------------------------------------------------------------------------------------------- steady
    ['steady, not read', { phase: 'steady' }, NOT_READ, {}, 'steady: none'],
    ['steady, not read for long', { phase: 'steady' }, BLIND, {}, 'steady: none'],
    ['steady, overdue, not read now', { phase: 'steady' }, { ...OVERDUE, readable: false }, {}, 'steady: none'],
    ['steady, not fetched', { phase: 'steady' }, NOT_FETCHED, {}, 'steady: none'],
    ['steady, within the deadline', { phase: 'steady' }, EARLY, {}, 'steady: none'],
    ['steady, the beacon is there', { phase: 'steady' }, SEEN, {}, 'steady: applied'],
    ['steady, the beacon came late', { phase: 'steady' }, SEEN_LATE, {}, 'steady: applied'],
    ['steady, taken by whoever fetched it', { phase: 'steady' }, TAKEN, nothingApplied, 'steady: none'],
    ['a trial, taken by whoever fetched it', searching, TAKEN, {}, 'trial: none'],
    ['steady, overdue', { phase: 'steady' }, OVERDUE, {}, 'restoring for search: serve-applied'],
    ['steady, overdue, other fields', { phase: 'steady' }, OVERDUE, older, 'restoring for oldest: serve-applied'],
    ['steady, overdue, nothing applied', { phase: 'steady' }, OVERDUE, nothingApplied, 'trial: serve-trial tcp/a'],
    [
      'steady, overdue, nothing applied, other fields',
      { phase: 'steady' },
      OVERDUE,
      { ...older, ...nothingApplied },
      'oldest: serve-oldest',
    ],
    [
      'steady, overdue, nothing applied, one route',
      { phase: 'steady' },
      OVERDUE,
      { ...nothingApplied, changes: () => [['tcp/a']] },
      'steady: refuse tcp/a',
    ],
    // ------------------------------------------------------------------------------------------------------- restoring
    ['restoring, not read', restoring('search'), BLIND, {}, 'restoring for search: none'],
    ['restoring, not fetched', restoring('search'), NOT_FETCHED, {}, 'restoring for search: none'],
    ['restoring, fetched, for a search', restoring('search'), EARLY, {}, 'trial: serve-trial tcp/a'],
    ['restoring, the beacon is there, for a search', restoring('search'), SEEN, {}, 'trial: serve-trial tcp/a'],
    ['restoring, overdue, for a search', restoring('search'), OVERDUE, {}, 'trial: serve-trial tcp/a'],
    ['restoring, fetched, for the oldest fields', restoring('oldest'), EARLY, {}, 'oldest: serve-oldest'],
    [
      'restoring, one route differs',
      restoring('search'),
      SEEN,
      { changes: () => [['tcp/a', 'tcp/b']] },
      'steady: refuse tcp/a tcp/b',
    ],
    ['restoring, no route differs', restoring('search'), SEEN, { changes: () => [] }, 'steady: refuse '],
    // ---------------------------------------------------------------------------------------------------------- oldest
    ['oldest, not read', { phase: 'oldest' }, BLIND, {}, 'oldest: none'],
    ['oldest, not fetched', { phase: 'oldest' }, NOT_FETCHED, {}, 'oldest: none'],
    ['oldest, within the deadline', { phase: 'oldest' }, EARLY, {}, 'oldest: none'],
    ['oldest, the beacon is there', { phase: 'oldest' }, SEEN, {}, 'steady: applied-oldest'],
    ['oldest, overdue', { phase: 'oldest' }, OVERDUE, {}, 'restoring for search: serve-applied'],
    ['oldest, overdue, nothing applied', { phase: 'oldest' }, OVERDUE, nothingApplied, 'trial: serve-trial tcp/a'],
    // ----------------------------------------------------------------------------------------------------------- trial
    ['trial, not read', searching, BLIND, {}, 'trial: none'],
    ['trial, not fetched', searching, NOT_FETCHED, {}, 'trial: none'],
    ['trial, within the deadline', searching, EARLY, {}, 'trial: none'],
    // The first half was taken, so the other is the culprit.
    ['trial, taken', searching, SEEN, {}, 'steady: refuse tcp/b'],
    ['trial, refused', searching, OVERDUE, {}, 'trial: serve-trial tcp/b'],
  ])('%s', (_, state, moment, rest, expected) => {
    expect(outcome(state, moment, rest)).toBe(expected)
  })

  test('the last trial ends the search', () => {
    const search = startSearch([['tcp/a'], ['tcp/b'], ['tcp/c']])
    const facts: AckFacts = {
      ...OVERDUE,
      deadlineMs: DEADLINE,
      changes: () => two,
      oldestDiffers: () => true,
      hasApplied: true,
    }
    const first = acknowledge({ phase: 'trial', search }, facts)
    expect(first.action).toEqual({ kind: 'serve-trial', keys: ['tcp/a'] })
    const second = acknowledge(first.state, { ...facts, ...SEEN })
    expect(second.action).toEqual({ kind: 'serve-trial', keys: ['tcp/a', 'tcp/c'] })
    expect(acknowledge(second.state, { ...facts, ...SEEN })).toEqual({
      state: { phase: 'steady' },
      action: { kind: 'refuse', keys: ['tcp/b'] },
    })
  })
})

describe('the deadline of an apply', () => {
  const input = { lastApplyMs: 20, bodyBytes: 1_000, pollGapMs: 100, held: true }
  test.each([
    ['the least', {}, 5_000],
    ['nothing is known', { lastApplyMs: null, pollGapMs: null }, 5_000],
    ['ten times the last apply', { lastApplyMs: 2_000 }, 20_000],
    ['three poll gaps', { pollGapMs: 10_000 }, 30_000],
    ['3 s a megabyte', { bodyBytes: 10_000_000 }, 30_000],
    ['the longest of them', { lastApplyMs: 2_000, pollGapMs: 10_000, bodyBytes: 20_000_000 }, 60_000],
    ['polls that are not held', { held: false }, 40_000],
  ])('%s', (_, change, expected) => {
    expect(applyDeadlineMs({ ...input, ...change })).toBe(expected)
  })
})
