/** Below a list: how many rows it shows, and that its order waits for the reader. */
import type { ReactElement } from 'react'
import { counted } from '../words/count.ts'

type ListFootProps = {
  readonly children: string
  /** Rows that stand elsewhere by now; the list holds still while somebody reads it. */
  readonly moved: number
  readonly onRefresh: () => void
}

export function ListFoot({ children, moved, onRefresh }: ListFootProps): ReactElement {
  return (
    <>
      <span>{children}</span>
      {moved > 0 && (
        <button type="button" className="link" onClick={onRefresh}>
          {counted(moved, 'row')} moved: refresh order
        </button>
      )}
    </>
  )
}
