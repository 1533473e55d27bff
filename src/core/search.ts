/**
 * Which changes make Traefik refuse a body: a search by halves over what differs from the body that it has applied.
 *
 *   guilty (together refused) -> try the first half: taken -> the other half is guilty; refused -> it is guilty, the other half is put by
 *   one change left           -> a culprit, without a trial
 *   nobody guilty any more    -> try all that was put by, at once
 *
 * Each trial is the applied body and some of the changes, so none drops a live route. What a trial gets through stays in for good.
 * A refused trial costs Traefik's backoff, so there is a limit, enough for two culprits: what is left when it is reached is refused together.
 */
import type { Change } from './changes.ts'
import type { RouteKey } from './problem.ts'

export type Search = {
  /** Together they are refused. */
  readonly guilty: readonly Change[]
  /** Nothing is known of these. */
  readonly putBy: readonly Change[]
  readonly taken: readonly RouteKey[]
  readonly refused: readonly RouteKey[]
  readonly trialsLeft: number
}

/** At most 2 log2(n) + 4 trials. */
const trialsFor = (count: number): number => Math.floor(2 * Math.log2(count) + 4)

/** A guilty group of one is a culprit without a trial, and where no trial is left all are. */
function settle(search: Search): Search {
  const { guilty, putBy, refused, trialsLeft } = search
  if (trialsLeft === 0)
    return { ...search, guilty: [], putBy: [], refused: [...refused, ...guilty.flat(), ...putBy.flat()].sort() }
  return guilty.length === 1 ? { ...search, guilty: [], refused: [...refused, ...guilty.flat()].sort() } : search
}

/** @param changes what differs between the refused body and the applied one; together they are known to be refused */
export function startSearch(changes: readonly Change[]): Search {
  const empty = { putBy: [], taken: [], refused: [] }
  return changes.length === 0
    ? { ...empty, guilty: [], trialsLeft: 0 }
    : settle({ ...empty, guilty: changes, trialsLeft: trialsFor(changes.length) })
}

const firstHalf = (group: readonly Change[]): readonly Change[] => group.slice(0, Math.ceil(group.length / 2))

/** The keys of the next trial on top of the applied body, those that were taken before included; null when the search is over. */
export function nextTrial({ guilty, putBy, taken }: Search): readonly RouteKey[] | null {
  const tried = guilty.length > 0 ? firstHalf(guilty) : putBy
  return tried.length === 0 ? null : [...taken, ...tried.flat()]
}

/** @param accepted whether Traefik has taken the trial that `nextTrial` named */
export function afterTrial(search: Search, accepted: boolean): Search {
  const { guilty, putBy, taken } = search
  const next = { ...search, trialsLeft: search.trialsLeft - 1 }
  if (guilty.length === 0)
    return settle(
      accepted ? { ...next, putBy: [], taken: [...taken, ...putBy.flat()] } : { ...next, putBy: [], guilty: putBy },
    )
  const half = firstHalf(guilty)
  const other = guilty.slice(half.length)
  return settle(
    accepted
      ? { ...next, guilty: other, taken: [...taken, ...half.flat()] }
      : { ...next, guilty: half, putBy: [...putBy, ...other] },
  )
}
