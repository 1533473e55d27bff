/** Text that others wrote: names, host names, words of Traefik. Unseen signs get a mark, what is too long is cut in the middle. */
import type { ReactNode } from 'react'
import { middleCut, withMarks } from '../words/safe-text.ts'

/** `most`: how many signs at most; the whole then stands in the title. Never put such a text into the page without this. */
export function Text({ children, most }: { readonly children: string; readonly most?: number }): ReactNode {
  const marked = withMarks(children)
  if (most === undefined) return marked
  const cut = middleCut(marked, most)
  return cut === marked ? marked : <span title={marked}>{cut}</span>
}
