/** How many routes stand how. Pure. */
import { type SaidRow, standingOfRow, type Voice } from './standing.ts'
import type { LEGEND, RouteVerdict } from './verdict.ts'

export type Counts = Readonly<Record<(typeof LEGEND)[number], number>>

const isCounted = (verdict: RouteVerdict): verdict is (typeof LEGEND)[number] => verdict !== 'gone'

/** By what the nodes say that report. */
export function countRows(rows: readonly SaidRow[], voices: readonly Voice[]): Counts {
  const counts = {
    live: 0,
    pending: 0,
    degraded: 0,
    conflicted: 0,
    rejected: 0,
    refused: 0,
    waiting: 0,
    held: 0,
    unknown: 0,
  }
  for (const row of rows) {
    const { shown } = standingOfRow(row, voices, true)
    if (isCounted(shown)) counts[shown] += 1
  }
  return counts
}
