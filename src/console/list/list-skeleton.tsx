/** A list before its rows have come: tools, heads and lines where the real ones will be, so that nothing jumps. */
import type { CSSProperties, ReactElement, ReactNode } from 'react'
import { Bar } from '../ui/states.tsx'

type ListSkeletonProps = {
  readonly columns: readonly { readonly id: string; readonly head?: ReactNode; readonly width: string }[]
}

const ROWS = 9

export function ListSkeleton({ columns }: ListSkeletonProps): ReactElement {
  const style = { '--cols': columns.map(({ width }) => width).join(' ') } as CSSProperties
  return (
    <div className="stack g4">
      <ToolsSkeleton />
      <div className="vt" style={style}>
        <div className="vt-head">
          <div className="vt-row">
            {columns.map(({ id, head }) => (
              <div className="vt-cell" key={id}>
                {head}
              </div>
            ))}
          </div>
        </div>
        <div className="vt-body">
          {Array.from({ length: ROWS }, (_, row) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike
            <div className="vt-row" key={row}>
              {columns.map(({ id }, at) => (
                <div key={id} className={`vt-cell ${at === 0 ? 's-main' : 's-none'}`}>
                  <Bar width={at === 0 ? 6 + (row % 3) : at === 1 ? 9 : 4} />
                </div>
              ))}
            </div>
          ))}
        </div>
      </div>
    </div>
  )
}

/** Where search and filters will be. */
export const ToolsSkeleton = (): ReactElement => (
  <div className="tools">
    <span className="search sk-tools" />
  </div>
)
