import { describe, expect, test } from 'vitest'
import type { RouteVerdict } from '../../src/core/judge.ts'
import { NO_PLACE } from '../../src/core/route-place.ts'
import { type TimingsMs, type TrackedVerdict, trackVerdicts } from '../../src/core/track.ts'
import { REASONS, type ReasonCode } from '../../src/core/verdict.ts'

const row = (reason: ReasonCode, change: Partial<RouteVerdict> = {}): RouteVerdict => ({
  ...NO_PLACE,
  id: 'pg',
  protocol: 'tcp',
  verdict: REASONS[reason].verdict,
  reason,
  message: 'a sentence',
  remedy: 'a way out',
  entryPoints: [],
  notes: [],
  origin: 'a.yaml',
  ...change,
})

/** One step after the other, a second apart from 1000; the last rows. */
function track(...steps: (readonly RouteVerdict[])[]): readonly TrackedVerdict[] {
  let rows: readonly TrackedVerdict[] = []
  for (const [i, step] of steps.entries()) rows = trackVerdicts(rows, step, i + 1, (i + 1) * 1000)
  return rows
}

const since = (...steps: (readonly RouteVerdict[])[]): number[] => track(...steps).map(verdict => verdict.since)

describe('since when a verdict holds', () => {
  test('a new route has it since now, with the revision', () => {
    expect(track([row('LIVE')])).toEqual([{ ...row('LIVE'), since: 1000, revision: 1 }])
  })

  test.each<[string, readonly (readonly RouteVerdict[])[], number[]]>([
    ['the same goes on', [[row('LIVE')], [row('LIVE')], [row('LIVE')]], [1000]],
    ['another verdict begins', [[row('LIVE')], [row('BACKEND_DOWN')]], [2000]],
    ['another reason of the same verdict begins', [[row('NOT_YET_POLLED')], [row('NOT_YET_APPLIED')]], [2000]],
    ['another sentence goes on', [[row('BACKEND_DOWN')], [row('BACKEND_DOWN', { message: 'another' })]], [1000]],
    ['one that comes back begins', [[row('LIVE')], [row('BACKEND_DOWN')], [row('LIVE')]], [3000]],
    ['one that was away begins', [[row('LIVE')], [], [row('LIVE')]], [3000]],
    ['of another source it begins', [[row('LIVE')], [row('LIVE', { origin: 'b.yaml' })]], [2000]],
    ['of another protocol it begins', [[row('LIVE')], [row('LIVE', { protocol: 'udp' })]], [2000]],
  ])('%s', (_, steps, expected) => {
    expect(since(...steps)).toEqual(expected)
  })

  test('two of one id in one file keep their own times', () => {
    const both = [row('LIVE'), row('ID_TAKEN')]
    expect(since([row('LIVE')], both, both, both.toReversed())).toEqual([2000, 1000])
  })

  test('the revision is that of the last step', () => {
    expect(track([row('LIVE')], [row('LIVE')], [row('LIVE')]).map(({ revision }) => revision)).toEqual([3])
  })
})

describe('how long it took to be live', () => {
  const TOOK = { apply: 40, live: 61 }
  const timings = (before: readonly RouteVerdict[], next: RouteVerdict, took: TimingsMs | null = TOOK) =>
    trackVerdicts(trackVerdicts([], before, 1, 1000), [next], 2, 2000, took).map(({ timingsMs }) => timingsMs ?? null)

  test.each<[string, readonly RouteVerdict[], RouteVerdict, TimingsMs | null]>([
    ['a route that was on its way has it', [row('NOT_YET_POLLED')], row('LIVE'), TOOK],
    ['one that was applied with it, too', [row('NOT_YET_APPLIED')], row('LIVE'), TOOK],
    ['one that was down has not', [row('BACKEND_DOWN')], row('LIVE'), null],
    ['one that nobody could see has not', [row('API_UNREACHABLE')], row('LIVE'), null],
    ['one that was live before has not', [row('LIVE')], row('LIVE'), null],
    ['one that is not live has not', [row('NOT_YET_APPLIED')], row('BACKEND_DOWN'), null],
    ['one of another source has not', [row('NOT_YET_APPLIED', { origin: 'b.yaml' })], row('LIVE'), null],
  ])('%s', (_, before, next, expected) => {
    expect(timings(before, next)).toEqual([expected])
  })

  test('nobody measured, and it has none', () => {
    expect(timings([row('NOT_YET_APPLIED')], row('LIVE'), null)).toEqual([null])
  })

  test('it keeps it while it is live', () => {
    const made = trackVerdicts(trackVerdicts([], [row('NOT_YET_APPLIED')], 1, 1000), [row('LIVE')], 2, 2000, TOOK)
    expect(trackVerdicts(made, [row('LIVE')], 3, 9000, { live: 7 })).toEqual([
      { ...row('LIVE'), since: 2000, revision: 3, timingsMs: TOOK },
    ])
  })
})
