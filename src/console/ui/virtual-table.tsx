/**
 * A table of many rows: only those in sight are in the page. Rows are 48 px high (in small windows two lines), the head sticks below
 * the top bar, `aria-rowcount` and `aria-rowindex` tell how many there are. `J` and `K` move by rows, Enter opens, since what has the
 * focus is the link of the row.
 *
 *   <VirtualTable label="Services" rows={rows} keyOf={row => row.id} hrefOf={row => href.service(row.id)} columns={COLUMNS} />
 *
 * A column says how wide it is, as a track of a CSS grid, and whether small windows show it: `small: 'main' | 'end' | 'below'`.
 */
import {
  type CSSProperties,
  memo,
  type ReactElement,
  type ReactNode,
  type Ref,
  useCallback,
  useEffect,
  useRef,
  useState,
} from 'react'
import { WindowVirtualizer, type WindowVirtualizerHandle } from 'virtua'
import { Link, useLocation } from 'wouter'
import { useCommand } from '../keyboard/use-command.ts'

export type Column<Row> = {
  readonly id: string
  readonly head: ReactNode
  /** A track of `grid-template-columns`: `minmax(12rem, 2fr)`. */
  readonly width: string
  readonly cell: (row: Row) => ReactNode
  /** Where it stands in small windows; left out: nowhere. */
  readonly small?: 'main' | 'end' | 'below'
  readonly align?: 'right'
  /** Set on the column that the rows are sorted by. */
  readonly sort?: 'ascending' | 'descending'
  readonly onSort?: () => void
  /** The column whose cell is the link of the row. Exactly one. */
  readonly isLink?: boolean
}

type VirtualTableProps<Row> = {
  readonly label: string
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row) => string
  readonly hrefOf: (row: Row) => string
  readonly columns: readonly Column<Row>[]
  /** At the foot: how many there are, how they are sorted. */
  readonly foot?: ReactNode
  /** Whether a pointer or the focus is in the table: then its order must hold still. */
  readonly onHold?: (isHeld: boolean) => void
  /** Keys of rows that have just changed: tinted for a moment. */
  readonly changed?: ReadonlySet<string>
}

const ROW_PX = 48

export function VirtualTable<Row>(props: VirtualTableProps<Row>): ReactElement {
  const { label, rows, keyOf, hrefOf, columns, foot, onHold, changed } = props
  const list = useRef<WindowVirtualizerHandle>(null)
  const box = useRef<HTMLDivElement>(null)
  const active = useRef(-1)

  const moveTo = useCallback((at: number) => {
    active.current = at
    list.current?.scrollToIndex(at, { align: 'nearest' })
    // The row may have to come into the page first.
    const focus = (triesLeft: number): void => {
      const link = box.current?.querySelector<HTMLElement>(`[aria-rowindex="${at + 2}"] [data-row-link]`)
      if (link) link.focus({ preventScroll: true })
      else if (triesLeft > 0) requestAnimationFrame(() => focus(triesLeft - 1))
    }
    requestAnimationFrame(() => focus(10))
  }, [])

  const step = (by: 1 | -1): boolean => {
    if (rows.length === 0) return false
    const focused = document.activeElement?.closest('[aria-rowindex]')?.getAttribute('aria-rowindex')
    const from = focused && box.current?.contains(document.activeElement) ? Number(focused) - 2 : active.current
    moveTo(Math.min(rows.length - 1, Math.max(0, from + by)))
    return true
  }
  useCommand('row-next', () => step(1))
  useCommand('row-previous', () => step(-1))

  const held = useRef({ pointer: false, focus: false })
  const hold = (part: Partial<typeof held.current>): void => {
    held.current = { ...held.current, ...part }
    onHold?.(held.current.pointer || held.current.focus)
  }

  const template = columns.map(({ width }) => width).join(' ')
  return (
    <div
      className="vt"
      role="table"
      aria-label={label}
      aria-rowcount={rows.length + 1}
      ref={box}
      style={{ '--cols': template } as CSSProperties}
      onPointerEnter={event => event.pointerType === 'mouse' && hold({ pointer: true })}
      onPointerLeave={() => hold({ pointer: false })}
      onFocus={() => hold({ focus: true })}
      onBlur={event => !event.currentTarget.contains(event.relatedTarget) && hold({ focus: false })}
    >
      <Head columns={columns} />
      <div role="rowgroup" className="vt-body">
        <WindowVirtualizer
          ref={list as Ref<WindowVirtualizerHandle>}
          data={rows}
          itemSize={ROW_PX}
          bufferSize={ROW_PX * 8}
        >
          {(row: Row, at) => (
            <VirtualRow
              key={keyOf(row)}
              row={row}
              at={at}
              href={hrefOf(row)}
              columns={columns}
              isChanged={changed?.has(keyOf(row)) === true}
              isLast={at === rows.length - 1}
            />
          )}
        </WindowVirtualizer>
      </div>
      {foot !== undefined && <div className="tfoot">{foot}</div>}
    </div>
  )
}

function Head<Row>({ columns }: { readonly columns: readonly Column<Row>[] }): ReactElement {
  return (
    <div role="rowgroup" className="vt-head">
      <div role="row" aria-rowindex={1} className="vt-row">
        {columns.map(({ id, head, align, sort, onSort }) => (
          <div
            key={id}
            role="columnheader"
            className={align === 'right' ? 'vt-cell r' : 'vt-cell'}
            {...(sort === undefined ? {} : { 'aria-sort': sort })}
          >
            {onSort === undefined ? (
              head
            ) : (
              <button type="button" onClick={onSort}>
                {head}
                {sort === undefined ? '' : sort === 'descending' ? ' ↓' : ' ↑'}
              </button>
            )}
          </div>
        ))}
      </div>
    </div>
  )
}

type VirtualRowProps<Row> = {
  readonly row: Row
  readonly at: number
  readonly href: string
  readonly columns: readonly Column<Row>[]
  readonly isChanged: boolean
  readonly isLast: boolean
}

function PlainRow<Row>({ row, at, href, columns, isChanged, isLast }: VirtualRowProps<Row>): ReactElement {
  const [, navigate] = useLocation()
  const pressed = useRef(false)
  // A click anywhere opens the row, but not one that ends a selection of text, nor one on something that does something else.
  const open = (event: React.MouseEvent<HTMLElement>): void => {
    const isOnControl = event.target instanceof Element && event.target.closest('a, button') !== null
    if (isOnControl || event.defaultPrevented || event.button !== 0 || !pressed.current) return
    if (event.metaKey || event.ctrlKey) window.open(href, '_blank', 'noopener')
    else if (getSelection()?.isCollapsed !== false) navigate(href)
  }
  return (
    <div
      role="row"
      aria-rowindex={at + 2}
      className={`vt-row${isLast ? ' last' : ''}${isChanged ? ' changed' : ''}`}
      onPointerDown={() => {
        pressed.current = true
      }}
      onClick={open}
    >
      {columns.map(({ id, cell, align, small, isLink = false }) => (
        <div key={id} role="cell" className={`vt-cell s-${small ?? 'none'}${align === 'right' ? ' r' : ''}`}>
          {isLink ? (
            <Link href={href} className="vt-link" data-row-link="">
              {cell(row)}
            </Link>
          ) : (
            cell(row)
          )}
        </div>
      ))}
    </div>
  )
}

// A list of rows changes often, a row seldom.
const VirtualRow = memo(PlainRow) as typeof PlainRow

const TINT_MS = 1_200
/** Of more at once, nobody sees what a tint says. */
const MOST_TINTED = 50
const NONE: ReadonlySet<string> = new Set()

/** Keys whose row is another than before, for as long as the tint lasts. `rows`: as the cache has them, where a row that stays is the same. */
export function useChangedKeys<Row>(
  rows: readonly Row[] | undefined,
  keyOf: (row: Row) => string,
): ReadonlySet<string> {
  const before = useRef<ReadonlyMap<string, Row> | null>(null)
  const [changed, setChanged] = useState(NONE)
  useEffect(() => {
    if (rows === undefined) return
    const last = before.current
    before.current = new Map(rows.map(row => [keyOf(row), row]))
    const keys = rows.filter(row => (last?.get(keyOf(row)) ?? row) !== row).map(keyOf)
    if (keys.length === 0 || keys.length > MOST_TINTED) return
    setChanged(new Set(keys))
    const timer = setTimeout(() => setChanged(NONE), TINT_MS)
    return () => clearTimeout(timer)
  }, [rows, keyOf])
  return changed
}
