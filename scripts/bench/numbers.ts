/** What is said of a row of measurements: quantiles, and how sure a ratio of two medians is. */

export type Spread = {
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly min: number
  readonly max: number
}

/** The smallest value that so many of them (0 to 1) do not exceed. Throws when there is none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const found = sorted[Math.min(Math.max(Math.ceil(share * sorted.length) - 1, 0), sorted.length - 1)]
  if (found === undefined) throw new Error('a quantile of nothing')
  return found
}

export const spreadOf = (values: readonly number[]): Spread => ({
  p50: quantile(values, 0.5),
  p90: quantile(values, 0.9),
  p99: quantile(values, 0.99),
  min: quantile(values, 0),
  max: quantile(values, 1),
})

export type Ratio = {
  readonly ratio: number
  /** Where the ratio lies in 95 of 100 runs like this one. */
  readonly low: number
  readonly high: number
}

const DRAWS = 2_000

/** Ratio of the medians, with its 95 % interval by drawing again from the same values. `random` is 0 to 1. */
export function ratioOfMedians(
  upper: readonly number[],
  lower: readonly number[],
  random: () => number = Math.random,
): Ratio {
  const draw = (values: readonly number[]): number =>
    quantile(
      values.map(() => values[Math.floor(random() * values.length)] ?? Number.NaN),
      0.5,
    )
  const ratios = Array.from({ length: DRAWS }, () => draw(upper) / draw(lower))
  return {
    ratio: quantile(upper, 0.5) / quantile(lower, 0.5),
    low: quantile(ratios, 0.025),
    high: quantile(ratios, 0.975),
  }
}

/** `0`, `1`, ... in an order drawn anew. */
export function shuffled<T>(values: readonly T[], random: () => number = Math.random): T[] {
  return values
    .map(value => ({ value, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value)
}
