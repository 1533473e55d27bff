/** The numbers of a pool as a grid of ten by ten: which stand in which row, where a key goes, and what each of them looks like. */
import type { PoolPort, PortState } from '../../../api/pool.ts'
import { type Standing, standingWord } from '../../verdict/standing.ts'
import { lookOf } from '../../verdict/verdict.ts'
import { counted, listed } from '../../words/count.ts'
import { withMarks } from '../../words/safe-text.ts'

const WIDTH = 10

export type GridRow = {
  /** Of its first place: 10030 for 10030 to 10039. */
  readonly start: number
  /** Ten places, one for each last digit; null where the pool has no number. */
  readonly cells: readonly (PoolPort | null)[]
}

/** Rows of ten in the order of the numbers; a ten without any number of the pool has none. */
export function gridRows(ports: readonly PoolPort[]): readonly GridRow[] {
  const rows = new Map<number, (PoolPort | null)[]>()
  for (const one of ports) {
    const start = one.port - (one.port % WIDTH)
    const cells = rows.get(start) ?? Array.from({ length: WIDTH }, () => null)
    cells[one.port % WIDTH] = one
    rows.set(start, cells)
  }
  return [...rows].sort(([one], [other]) => one - other).map(([start, cells]) => ({ start, cells }))
}

/** Rows that tell something. A pool of thousands is mostly free, and a screen of empty squares helps nobody. */
export const telling = (rows: readonly GridRow[]): readonly GridRow[] =>
  rows.filter(({ cells }) => cells.some(cell => cell !== null && cell.state !== 'free'))

/** The number that a key goes to from `from`: arrows, Home and End of its row; null: not one of these keys, or there is none. */
export function portByKey(rows: readonly GridRow[], from: number, key: string): number | null {
  const at = rows.findIndex(({ start }) => start === from - (from % WIDTH))
  const row = rows[at]
  if (row === undefined) return null
  const all = rows.flatMap(({ cells }) => cells.flatMap(cell => (cell === null ? [] : [cell.port])))
  const inRow = row.cells.flatMap(cell => (cell === null ? [] : [cell.port]))
  switch (key) {
    case 'ArrowRight':
      return all[all.indexOf(from) + 1] ?? null
    case 'ArrowLeft':
      return all[all.indexOf(from) - 1] ?? null
    case 'ArrowDown':
      return below(rows.slice(at + 1), from % WIDTH)
    case 'ArrowUp':
      return below(rows.slice(0, at).reverse(), from % WIDTH)
    case 'Home':
      return inRow[0] ?? null
    case 'End':
      return inRow.at(-1) ?? null
    default:
      return null
  }
}

const below = (rows: readonly GridRow[], column: number): number | null =>
  rows.flatMap(({ cells }) => cells[column] ?? [])[0]?.port ?? null

/** Where in a block a number stands; null: in none. A block that goes on in the next row has no end in this one. */
export function blockPart({ port, blockStart, blockEnd }: PoolPort): 'first' | 'middle' | 'last' | null {
  if (blockStart === null || blockEnd === null || blockStart === blockEnd) return null
  if (port === blockStart || port % WIDTH === 0) return port === blockEnd ? 'last' : 'first'
  return port === blockEnd || port % WIDTH === WIDTH - 1 ? 'last' : 'middle'
}

const STATE_WORDS: Readonly<Record<PortState, string>> = {
  free: 'free',
  used: 'used',
  resting: 'resting',
  reserved: 'reserved',
  shared: 'shared by host name',
  undeclared: 'undeclared',
}

export const stateWord = (state: PortState): string => STATE_WORDS[state]

/** A route that has the number and of which more is to be told than that it has it. */
export const isIll = (standing: Standing | null): standing is Standing => standing !== null && standing.shown !== 'live'

/** For who does not see the shape: `10033, used by orders-db, live`. */
export function cellLabel(one: PoolPort, standing: Standing | null): string {
  const parts = [String(one.port), ownerWords(one)]
  if (standing !== null) parts.push(standingWord(standing, verdict => lookOf(verdict).word))
  return parts.join(', ')
}

function ownerWords({ state, owner, ownerCount, blockedBy }: PoolPort): string {
  if (state === 'used') return owner === null ? 'used in another project' : `used by ${withMarks(owner.serviceName)}`
  if (state === 'shared') return `shared, ${counted(ownerCount, 'host name')}`
  if (state === 'resting' && blockedBy.length > 0)
    return `resting, waits for ${listed(blockedBy.map(({ nodeName }) => withMarks(nodeName)))}`
  return stateWord(state)
}

/** States in the order in which a list tells them: what one may have to act on comes first. */
export const LISTED_STATES = [
  'used',
  'shared',
  'resting',
  'reserved',
  'undeclared',
] as const satisfies readonly PortState[]

/** `10003 to 10032, 10034`: numbers in ascending order, neighbours told together. */
export function rangesOf(ports: readonly number[]): string {
  const ranges: { from: number; to: number }[] = []
  for (const port of ports) {
    const last = ranges.at(-1)
    if (last !== undefined && last.to === port - 1) last.to = port
    else ranges.push({ from: port, to: port })
  }
  return ranges.map(({ from, to }) => (from === to ? String(from) : `${from} to ${to}`)).join(', ')
}
