/**
 * Rows in an order that holds still. While somebody points at the table, or has the focus in it, no row moves away under their hand:
 * rows change in place, new ones come last, and it is counted how many would stand elsewhere.
 */
import { useMemo, useRef, useState } from 'react'
import { inOrder } from './in-order.ts'

export type HeldOrder<Row> = {
  readonly rows: readonly Row[]
  /** How many rows stand elsewhere than the sorting wants. */
  readonly moved: number
  readonly hold: (isHeld: boolean) => void
  /** Takes the order that the sorting wants. */
  readonly release: () => void
}

/** `scope`: what the order belongs to, such as filters and sorting; another one is a new order. */
export function useHeldOrder<Row>(sorted: readonly Row[], keyOf: (row: Row) => string, scope: string): HeldOrder<Row> {
  const [isHeld, setHeld] = useState(false)
  const [releases, setReleases] = useState(0)
  const kept = useRef<{ readonly scope: string; readonly releases: number; readonly keys: readonly string[] } | null>(
    null,
  )
  return useMemo(() => {
    const last = kept.current
    const isKept = isHeld && last !== null && last.scope === scope && last.releases === releases
    const rows = isKept ? inOrder(sorted, last.keys, keyOf) : sorted
    if (!isKept) kept.current = { scope, releases, keys: sorted.map(keyOf) }
    const moved = isKept ? rows.filter((row, at) => row !== sorted[at]).length : 0
    return { rows, moved, hold: setHeld, release: () => setReleases(count => count + 1) }
  }, [sorted, keyOf, scope, isHeld, releases])
}
