import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import type { Change } from '../../src/core/changes.ts'
import type { RouteKey } from '../../src/core/problem.ts'
import { afterTrial, nextTrial, startSearch } from '../../src/core/search.ts'

const single = (count: number): readonly Change[] => Array.from({ length: count }, (_, i) => [`tcp/r${i}` as const])

type Found = {
  readonly refused: readonly RouteKey[]
  readonly taken: readonly RouteKey[]
  readonly trials: readonly (readonly RouteKey[])[]
}

/** A Traefik that refuses whatever holds one of the culprits. */
function searchFor(changes: readonly Change[], culprits: ReadonlySet<string>): Found {
  const trials: (readonly RouteKey[])[] = []
  let search = startSearch(changes)
  for (let keys = nextTrial(search); keys !== null; keys = nextTrial(search)) {
    trials.push(keys)
    search = afterTrial(search, !keys.some(key => culprits.has(key)))
  }
  return { refused: search.refused, taken: search.taken, trials }
}

const limit = (count: number): number => 2 * Math.log2(count) + 4
const counts = Array.from({ length: 300 }, (_, i) => i + 1)
const manyCulprits = fc
  .integer({ min: 1, max: 300 })
  .chain(count =>
    fc.tuple(
      fc.constant(count),
      fc.uniqueArray(fc.integer({ min: 0, max: count - 1 }), { minLength: 1, maxLength: 8 }),
    ),
  )

describe('the search for a culprit', () => {
  test('nothing that differs needs no trial and refuses nobody', () => {
    expect(searchFor([], new Set())).toEqual({ refused: [], taken: [], trials: [] })
  })

  test('one change is the culprit without a trial', () => {
    expect(searchFor(single(1), new Set(['tcp/r0']))).toEqual({ refused: ['tcp/r0'], taken: [], trials: [] })
  })

  test('one among four is found by halves, then the rest is tried at once', () => {
    expect(searchFor(single(4), new Set(['tcp/r1']))).toEqual({
      refused: ['tcp/r1'],
      taken: ['tcp/r0', 'tcp/r2', 'tcp/r3'],
      trials: [['tcp/r0', 'tcp/r1'], ['tcp/r0'], ['tcp/r0', 'tcp/r2', 'tcp/r3']],
    })
  })

  test('what was taken is in every later trial', () => {
    const { trials } = searchFor(single(40), new Set(['tcp/r7', 'tcp/r31']))
    let taken: readonly RouteKey[] = []
    for (const trial of trials) {
      expect(trial.slice(0, taken.length)).toEqual(taken)
      if (!trial.includes('tcp/r7') && !trial.includes('tcp/r31')) taken = trial
    }
  })

  test('what can only change together is tried and refused together', () => {
    const changes: readonly Change[] = [['tcp/a', 'tcp/b'], ['tcp/c'], ['udp/a', 'udp/b', 'udp/c']]
    const { refused, taken, trials } = searchFor(changes, new Set(['udp/b']))
    expect([refused, taken.toSorted()]).toEqual([
      ['udp/a', 'udp/b', 'udp/c'],
      ['tcp/a', 'tcp/b', 'tcp/c'],
    ])
    for (const trial of trials)
      for (const change of changes)
        expect([0, change.length]).toContain(change.filter(key => trial.includes(key)).length)
  })

  test.each([1, 2, 3, 5, 9, 16, 17, 100, 255, 300])('each one of %i is found alone', count => {
    for (let culprit = 0; culprit < count; culprit++) {
      const { refused, taken, trials } = searchFor(single(count), new Set([`tcp/r${culprit}`]))
      expect([refused, taken.length]).toEqual([[`tcp/r${culprit}`], count - 1])
      expect(trials.length).toBeLessThanOrEqual(Math.ceil(Math.log2(count)) + 1)
    }
  })

  test.each([2, 3, 4, 7, 8, 9, 15, 16, 17, 31, 33])('each two of %i are found, and only they', count => {
    for (let a = 0; a < count; a++)
      for (let b = a + 1; b < count; b++) {
        const culprits = [`tcp/r${a}`, `tcp/r${b}`]
        const { refused, taken, trials } = searchFor(single(count), new Set(culprits))
        expect([refused, taken.length]).toEqual([culprits.toSorted(), count - 2])
        expect(trials.length).toBeLessThanOrEqual(limit(count))
      }
  })

  propertyTest.prop([fc.constantFrom(...counts), fc.nat(), fc.nat()])(
    'any two of up to 300 are found within the limit',
    (count, one, other) => {
      const culprits = new Set([`tcp/r${one % count}`, `tcp/r${other % count}`])
      const { refused, taken, trials } = searchFor(single(count), culprits)
      expect(refused).toEqual([...culprits].toSorted())
      expect(taken.length).toBe(count - culprits.size)
      expect(trials.length).toBeLessThanOrEqual(limit(count))
    },
  )

  propertyTest.prop([manyCulprits])('however many there are, it ends within the limit', ([count, picks]) => {
    const culprits = new Set(picks.map(pick => `tcp/r${pick}`))
    const { refused, taken, trials } = searchFor(single(count), culprits)
    expect(trials.length).toBeLessThanOrEqual(limit(count))
    // None of them goes through, and nobody is forgotten.
    expect(taken.filter(key => culprits.has(key))).toEqual([])
    expect([...taken, ...refused].toSorted()).toEqual(single(count).flat().toSorted())
  })
})
