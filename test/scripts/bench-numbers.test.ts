import { describe, expect, test } from 'vitest'
import { quantile, ratioOfMedians, shuffled, spreadOf } from '../../scripts/bench/numbers.ts'

/** Numbers that look random and are the same each time. */
function sequence(): () => number {
  let state = 1
  return () => {
    state = (state * 16_807) % 2_147_483_647
    return state / 2_147_483_647
  }
}

describe('quantile', () => {
  test.each([
    [[3, 1, 2], 0.5, 2],
    [[4, 1, 3, 2], 0.5, 2],
    [[10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 0.9, 9],
    [[10, 9, 8, 7, 6, 5, 4, 3, 2, 1], 0.99, 10],
    [[5], 0, 5],
    [[5], 1, 5],
    [[10, 9, 100], 0.5, 10],
  ])('of %j at %d is %d', (values, share, expected) => {
    expect(quantile(values, share)).toBe(expected)
  })

  test('of nothing there is none', () => {
    expect(() => quantile([], 0.5)).toThrow('a quantile of nothing')
  })
})

test('a spread has the ends and the quantiles', () => {
  expect(spreadOf(Array.from({ length: 100 }, (_, i) => i + 1))).toEqual({
    p50: 50,
    p90: 90,
    p99: 99,
    min: 1,
    max: 100,
  })
})

describe('ratioOfMedians', () => {
  test('values that do not vary leave no doubt', () => {
    expect(ratioOfMedians([6, 6, 6], [4, 4, 4], sequence())).toEqual({ ratio: 1.5, low: 1.5, high: 1.5 })
  })

  test('the interval holds the ratio and is wider for few values', () => {
    const many = Array.from({ length: 200 }, (_, i) => 50 + (i % 20))
    const few = many.slice(0, 8)
    const wide = ratioOfMedians(few, few, sequence())
    const narrow = ratioOfMedians(many, many, sequence())
    for (const { ratio, low, high } of [wide, narrow]) {
      expect(ratio).toBe(1)
      expect(low).toBeLessThanOrEqual(1)
      expect(high).toBeGreaterThanOrEqual(1)
    }
    expect(wide.high - wide.low).toBeGreaterThan(narrow.high - narrow.low)
  })
})

test('shuffled keeps every value and changes the order', () => {
  const values = Array.from({ length: 20 }, (_, i) => i)
  const result = shuffled(values, sequence())
  expect(result).not.toEqual(values)
  expect(result.toSorted((a, b) => a - b)).toEqual(values)
})
