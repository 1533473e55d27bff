/** One pool as a grid. The whole grid is one tab stop; arrows, Home and End go about in it, Enter goes to what one can do. */
import { Fragment, type KeyboardEvent, type ReactElement, useMemo, useRef } from 'react'
import type { Pool, PoolPort } from '../../../api/pool.ts'
import { Card } from '../../ui/card.tsx'
import { Shape, toneOf } from '../../verdict/shapes.tsx'
import type { Standing } from '../../verdict/standing.ts'
import { counted, grouped, listed } from '../../words/count.ts'
import { protocolName } from '../../words/preset.ts'
import { blockPart, cellLabel, gridRows, isIll, portByKey, telling } from './pool-grid.ts'

/** More numbers than this are a list of what is not free, in rows of ten. */
const WHOLE_UP_TO = 500
const DIGITS = Array.from({ length: 10 }, (_, digit) => digit)

export type PoolCardProps = {
  readonly pool: Pool
  readonly ports: readonly PoolPort[]
  /** Of the route that has a number; null: there is none, or nothing is known of it yet. */
  readonly standingOf: (port: PoolPort) => Standing | null
  readonly selected: number | null
  /** The cell tells its place: what is told about it stands beside it. */
  readonly onSelect: (port: PoolPort, cell: HTMLElement, how: 'look' | 'open') => void
}

export function PoolCard({ pool, ports, standingOf, selected, onSelect }: PoolCardProps): ReactElement {
  const all = useMemo(() => gridRows(ports), [ports])
  const rows = ports.length > WHOLE_UP_TO ? telling(all) : all
  const name = protocolName(pool.protocol)
  return (
    <Card
      title={
        <>
          {name} <span className="t3">{pool.range.replaceAll('-', ' to ').replaceAll(',', ', ')}</span>
        </>
      }
      aside={
        <span className="sm t2">
          <b className="strong">{grouped(pool.free)}</b> free
        </span>
      }
    >
      <div className="card-b">
        {rows.length === 0 ? (
          <p className="t2">All {grouped(pool.total)} are free.</p>
        ) : (
          <Grid {...{ name, rows, standingOf, selected, onSelect }} />
        )}
      </div>
      <p className="card-b sm t2">
        {rows.length < all.length && rows.length > 0 && (
          <>{counted(all.length - rows.length, 'row')} of ten free numbers not shown. </>
        )}
        {poolSentence(pool)}
      </p>
    </Card>
  )
}

/** `52 used, 4 resting, 3 reserved, 1 shared. The next automatic one is 10008.` */
export function poolSentence({ used, resting, reserved, shared, undeclared, next, protocol }: Pool): string {
  const parts = [`${grouped(used)} used`, `${grouped(resting)} resting`, `${grouped(reserved)} reserved`]
  if (protocol === 'tcp') parts.push(`${grouped(shared.length)} shared`)
  if (undeclared > 0) parts.push(`${grouped(undeclared)} without an entry point on every node`)
  const end = next === null ? 'There is no free one.' : `The next automatic one is ${next}.`
  return `${listed(parts, parts.length)}. ${end}`
}

type GridProps = Pick<PoolCardProps, 'standingOf' | 'selected' | 'onSelect'> & {
  readonly name: string
  readonly rows: ReturnType<typeof gridRows>
}

function Grid({ name, rows, standingOf, selected, onSelect }: GridProps): ReactElement {
  const cells = useRef(new Map<number, HTMLButtonElement>())
  const first = rows.flatMap(row => row.cells).find(cell => cell !== null)?.port ?? null
  const isHere = selected !== null && rows.some(row => row.cells.some(cell => cell?.port === selected))
  const stop = isHere ? selected : first
  const onKeyDown = (event: KeyboardEvent, from: number): void => {
    const to = event.ctrlKey || event.metaKey || event.altKey ? null : portByKey(rows, from, event.key)
    if (to === null) return
    event.preventDefault()
    cells.current.get(to)?.focus()
  }
  return (
    <fieldset className="grid">
      <legend className="vh">{name} ports; arrows go from one to the next, Enter to what one can do</legend>
      <span />
      {DIGITS.map(digit => (
        <span key={digit} className="cl" aria-hidden>
          {digit}
        </span>
      ))}
      {rows.map(({ start, cells: row }) => (
        <Fragment key={start}>
          <span className="rl" aria-hidden>
            {start}
          </span>
          {DIGITS.map(digit => {
            const one = row[digit] ?? null
            return one === null ? (
              <span key={digit} />
            ) : (
              <button
                key={digit}
                type="button"
                ref={button => {
                  if (button === null) cells.current.delete(one.port)
                  else cells.current.set(one.port, button)
                }}
                className={cellClass(one, standingOf(one))}
                aria-label={cellLabel(one, standingOf(one))}
                tabIndex={one.port === stop ? 0 : -1}
                data-port={one.port}
                data-sel={one.port === selected ? '' : undefined}
                onMouseEnter={event => onSelect(one, event.currentTarget, 'look')}
                onFocus={event => onSelect(one, event.currentTarget, 'look')}
                onClick={event => onSelect(one, event.currentTarget, 'open')}
                onKeyDown={event => onKeyDown(event, one.port)}
              >
                <span aria-hidden data-digits={String(one.port % 100).padStart(2, '0')} />
                <IllShape standing={standingOf(one)} />
              </button>
            )
          })}
        </Fragment>
      ))}
    </fieldset>
  )
}

function IllShape({ standing }: { readonly standing: Standing | null }): ReactElement | null {
  return isIll(standing) ? <Shape of={standing.shown} size={14} /> : null
}

export function cellClass(one: PoolPort, standing: Standing | null): string {
  const block = blockPart(one)
  return [
    'cell',
    one.state === 'free' ? '' : one.state,
    block === null ? '' : `block ${block}`,
    isIll(standing) ? `ill ${toneOf(standing.shown)}` : '',
  ]
    .filter(Boolean)
    .join(' ')
}
