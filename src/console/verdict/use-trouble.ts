/**
 * How the routes stand, in numbers. The control plane counts a route as `unknown` as soon as one of its nodes is silent; people ask
 * what the nodes that report say. So with a silent node the rows are counted here, else the counts are taken as they come.
 */
import { useMemo } from 'react'
import type { Overview } from '../../api/overview.ts'
import { useRouteRows } from '../data/queries.ts'
import { type Counts, countRows } from './counts.ts'
import { useVoices } from './use-standing.ts'
import type { RouteVerdict } from './verdict.ts'

/** As they were said last; whether they still hold is for the link to say. Null while nothing has come. */
export function useCounts(overview: Overview | undefined): Counts | null {
  const voices = useVoices()
  const isAnySilent = voices.some(({ silent }) => silent)
  const { data: rows } = useRouteRows(isAnySilent)
  return useMemo(() => {
    if (overview === undefined) return null
    return isAnySilent && rows !== undefined ? countRows(rows, voices) : overview.routes.byVerdict
  }, [overview, rows, voices, isAnySilent])
}

export type Trouble = { readonly count: number; readonly worst: RouteVerdict }

/** Routes that are neither live nor on their way. */
export function useTrouble(overview: Overview | undefined): Trouble | null {
  const counts = useCounts(overview)
  if (counts === null) return null
  const bad = (['held', 'refused', 'waiting', 'rejected', 'conflicted', 'degraded'] as const).filter(
    one => counts[one] > 0,
  )
  return { count: bad.reduce((sum, one) => sum + counts[one], 0), worst: bad[0] ?? 'live' }
}
