/**
 * Which number somebody gets, as a pure decision: the wanted one, or the lowest free one; a block of neighbours alike.
 *
 * Numbers that rested long enough go last, the longest rested first. What it has just released itself a project may take back at once, and
 * where twice its quota would be used or at rest, it has to: else releasing and claiming in turns would empty the pool for all.
 */
import { blockersOf, type L4, makePortProblem, type PortProblem, restRemedy, restText } from './problem.ts'
import { countPool, isOpen, type PoolView, type PortPool, refusalOf } from './standing.ts'

export type Quota = {
  /** Null: no limit. */
  readonly limit: number | null
  /** Numbers and shared host names that the project has. */
  readonly used: number
  /** Those it has released and that still rest. */
  readonly resting: number
}

export type PortWish = {
  readonly protocol: L4
  /** The first number of a block; null: whichever. */
  readonly wanted: number | null
  /** How many neighbours; 1 for a single number. */
  readonly count: number
}

export type PortChoice =
  | {
      readonly ok: true
      readonly first: number
      readonly last: number
      /** Those of them whose rest is over. */
      readonly rested: readonly number[]
      /** Those of them that the project takes back before their rest is over. */
      readonly reclaimed: readonly number[]
    }
  | { readonly ok: false; readonly problem: PortProblem }

/** Whether the project may have `count` more, `fresh` of them such as it has not just released itself. */
export const isWithin = ({ limit, used, resting }: Quota, count: number, fresh: number): boolean =>
  limit === null || (used + count <= limit && used + resting + fresh <= 2 * limit)

export function quotaProblem(protocol: L4, { limit, used, resting }: Quota, count: number): PortProblem {
  const tooMany = limit !== null && used + count > limit
  return makePortProblem(
    'QUOTA_EXCEEDED',
    protocol,
    tooMany
      ? `the project has ${used} of the ${limit} ports it may have, and ${count} more would be too many`
      : `the project uses ${used} of its ${limit} ports, and ${resting} that it has released still rest`,
    tooMany ? 'Release a port, or ask an admin for a higher quota.' : 'Take back one of those, or wait.',
  )
}

function chosen(first: number, count: number, { resting }: PoolView): PortChoice {
  const last = first + count - 1
  const mine = [...resting.values()].filter(({ port }) => port >= first && port <= last)
  const numbersOf = (over: boolean): number[] => mine.filter(({ rest }) => rest.over === over).map(({ port }) => port)
  return { ok: true, first, last, rested: numbersOf(true), reclaimed: numbersOf(false) }
}

type Window = {
  readonly first: number
  readonly rested: number
  readonly reclaimed: number
  /** Of the one that rests least; infinite when none does. */
  readonly leastRestedMs: number
}

function windowAt(first: number, count: number, { resting }: PoolView): Window {
  let rested = 0
  let reclaimed = 0
  let leastRestedMs = Number.POSITIVE_INFINITY
  for (let port = first; port < first + count; port++) {
    const found = resting.get(port)
    if (found === undefined) continue
    if (found.rest.over) rested++
    else reclaimed++
    leastRestedMs = Math.min(leastRestedMs, found.restedMs)
  }
  return { first, rested, reclaimed, leastRestedMs }
}

/** Places where a block fits, ascending: what is free, has rested, or is the project's own. */
function* windows(wish: PortWish, pool: PortPool, view: PoolView): Generator<Window> {
  let length = 0
  let previous = 0
  for (const port of pool.range.list()) {
    const fits = isOpen(port, pool, view)
    length = !fits ? 0 : port === previous + 1 ? length + 1 : 1
    previous = port
    if (length >= wish.count) yield windowAt(port - wish.count + 1, wish.count, view)
  }
}

const isUntouched = ({ rested, reclaimed }: Window): boolean => rested + reclaimed === 0

/** What nobody had goes before what has rested, that before what the project takes back; of two alike, the longer at rest, then the lower. */
function isBetter(one: Window, other: Window): boolean {
  if (one.reclaimed !== other.reclaimed) return one.reclaimed < other.reclaimed
  if (isUntouched(one) !== isUntouched(other)) return isUntouched(one)
  return one.leastRestedMs > other.leastRestedMs
}

export function choosePorts(wish: PortWish, pool: PortPool, view: PoolView, quota: Quota): PortChoice {
  const { protocol, wanted, count } = wish
  const fail = (problem: PortProblem): PortChoice => ({ ok: false, problem })
  const affordable = ({ reclaimed }: Window): boolean => isWithin(quota, count, count - reclaimed)
  if (!isWithin(quota, count, 0)) return fail(quotaProblem(protocol, quota, count))

  if (wanted !== null) {
    for (let port = wanted; port < wanted + count; port++) {
      const problem = refusalOf(protocol, port, pool, view)
      if (problem !== null) return fail(problem)
    }
    return affordable(windowAt(wanted, count, view))
      ? chosen(wanted, count, view)
      : fail(quotaProblem(protocol, quota, count))
  }

  let best: Window | null = null
  let tooDear = false
  for (const window of windows(wish, pool, view)) {
    if (!affordable(window)) tooDear = true
    else if (best === null || isBetter(window, best)) best = window
    // Nothing is better than the lowest place where nothing ever was.
    if (best !== null && isUntouched(best)) break
  }
  if (best !== null) return chosen(best.first, count, view)
  return fail(tooDear ? quotaProblem(protocol, quota, count) : exhausted(wish, pool, view))
}

function exhausted({ protocol, count }: PortWish, pool: PortPool, view: PoolView): PortProblem {
  const counts = countPool(pool, view)
  const resting = [...view.resting.values()].filter(({ port, own, rest }) => pool.range.has(port) && !own && !rest.over)
  const blockedBy = blockersOf(resting.map(({ rest }) => rest))
  const leftMs = resting.length === 0 ? null : Math.max(...resting.map(({ rest }) => rest.leftMs))
  const what =
    count === 1 ? `no ${protocol.toUpperCase()} port` : `no ${count} neighbouring ${protocol.toUpperCase()} ports`
  const facts = [
    `${counts.used} of ${counts.total} are used`,
    ...(counts.resting > 0 ? [`${counts.resting} rest`] : []),
    ...(counts.reserved > 0 ? [`${counts.reserved} are reserved`] : []),
    ...(counts.undeclared > 0 ? [`${counts.undeclared} lack an entry point on some node`] : []),
  ]
  const waits = resting.length > 0 ? `; what rests ${restText({ leftMs: leftMs ?? 0, blockedBy })}` : ''
  return makePortProblem(
    'POOL_EXHAUSTED',
    protocol,
    `${what} of ${pool.range.text} is free: ${facts.join(', ')}${waits}`,
    resting.length > 0 ? restRemedy(blockedBy) : 'Release ports, or add numbers to the pool and to the nodes.',
    { counts, blockedBy, leftMs },
  )
}
