/**
 * Which routes make Traefik refuse a body: a search by halves over the routes that differ from what it has applied.
 *
 * Each trial is the applied body and some of the differing routes, so none drops a live one. What a trial gets through stays in for good.
 * A refused trial costs Traefik's backoff, so there is a limit: what is left when it is reached is refused together.
 */
import type { RouteKey } from './problem.ts'

export type Search = {
  /** Groups that are still to be judged, the next one first. */
  readonly groups: readonly Group[]
  /** Taken by Traefik. */
  readonly taken: readonly RouteKey[]
  readonly refused: readonly RouteKey[]
  readonly trialsLeft: number
}

type Group = {
  readonly keys: readonly RouteKey[]
  /** Known to hold a culprit: it is split without a trial. */
  readonly guilty: boolean
  /** The first half of a guilty group: when Traefik takes it, the other half, which follows, is guilty. */
  readonly acquitsAtTheCostOfNext: boolean
}

/** At most 2 log2(n) + 4 trials. */
const trialsFor = (count: number): number => (count === 0 ? 0 : Math.ceil(2 * Math.log2(count)) + 4)

/** Splits guilty groups until the next one is worth a trial; a guilty group of one is a culprit without a trial. */
function settle(search: Search): Search {
  const [first, ...rest] = search.groups
  if (first === undefined || !first.guilty) return search
  const { keys } = first
  const [only] = keys
  if (keys.length === 1 && only !== undefined)
    return settle({ ...search, groups: rest, refused: [...search.refused, only] })
  const middle = Math.ceil(keys.length / 2)
  const half = (of: readonly RouteKey[], isFirst: boolean): Group => ({
    keys: of,
    guilty: false,
    acquitsAtTheCostOfNext: isFirst,
  })
  return { ...search, groups: [half(keys.slice(0, middle), true), half(keys.slice(middle), false), ...rest] }
}

/** @param keys the routes that differ between the refused body and the applied one; together they are known to be refused */
export function startSearch(keys: readonly RouteKey[]): Search {
  if (keys.length === 0) return { groups: [], taken: [], refused: [], trialsLeft: 0 }
  const group = { keys: [...keys].sort(), guilty: true, acquitsAtTheCostOfNext: false }
  return settle({ groups: [group], taken: [], refused: [], trialsLeft: trialsFor(keys.length) })
}

/** The routes of the next trial on top of the applied body, those that were taken before included; null when the search is over. */
export function nextTrial(search: Search): readonly RouteKey[] | null {
  const [first] = search.groups
  return first === undefined || search.trialsLeft === 0 ? null : [...search.taken, ...first.keys]
}

/** After a trial of the first group. */
export function afterTrial(search: Search, accepted: boolean): Search {
  const [first, second, ...rest] = search.groups
  if (first === undefined) return search
  const trialsLeft = search.trialsLeft - 1
  const others =
    second === undefined
      ? []
      : [accepted && first.acquitsAtTheCostOfNext ? { ...second, guilty: true } : second, ...rest]
  const next = settle(
    accepted
      ? { ...search, groups: others, taken: [...search.taken, ...first.keys], trialsLeft }
      : {
          ...search,
          groups: [{ keys: first.keys, guilty: true, acquitsAtTheCostOfNext: false }, ...others],
          trialsLeft,
        },
  )
  if (next.trialsLeft > 0 || next.groups.length === 0) return next
  return { ...next, groups: [], refused: [...next.refused, ...next.groups.flatMap(group => group.keys)].sort() }
}
