/**
 * A verdict on the screen: shape, word, and what is worth a word beside it.
 *
 *   <VerdictMark standing={standing} />             in a row
 *   <VerdictMark standing={standing} pill />        in a card's head
 *   <VerdictMark standing={standing} note="61 ms" />
 */
import type { ReactElement, ReactNode } from 'react'
import { counted, listed } from '../words/count.ts'
import { middleCut, withMarks } from '../words/safe-text.ts'
import { Shape } from './shapes.tsx'
import { type Standing, standingWord } from './standing.ts'
import { lookOf } from './verdict.ts'

type VerdictMarkProps = {
  readonly standing: Standing
  readonly pill?: boolean
  /** Beside the word, in grey; hidden in small windows. Default: the nodes that it is of. */
  readonly note?: ReactNode
}

export function VerdictMark({ standing, pill = false, note }: VerdictMarkProps): ReactElement {
  const { tone } = lookOf(standing.shown)
  const beside = note === undefined ? placeWords(standing) : note
  return (
    <span className={`v ${tone}${pill ? ' pill' : ''}`}>
      <Shape of={standing.shown} />
      <span>{wordOf(standing)}</span>
      {beside !== null && beside !== '' && <span className="ms">{beside}</span>}
    </span>
  )
}

/** The shape alone, with its word for those who do not see it. `of`: what it is the verdict of. */
export function VerdictDot({
  standing,
  of,
  size = 14,
}: {
  readonly standing: Standing
  readonly of: string
  readonly size?: number
}): ReactElement {
  return (
    <Shape
      of={standing.shown}
      size={size}
      className={lookOf(standing.shown).tone}
      label={`${of}: ${wordOf(standing)}`}
    />
  )
}

export const wordOf = (standing: Standing): string => standingWord(standing, verdict => lookOf(verdict).word)

/** `on proxy-3`, `on 2 nodes`: where it is so; empty when it is so everywhere. For rows. */
export function whereWords({ on }: Standing): string {
  const [first] = on
  if (first === undefined) return ''
  return on.length === 1 ? `on ${middleCut(withMarks(first), 20)}` : `on ${counted(on.length, 'node')}`
}

/** Where it is so, or else which nodes are not part of it: `on proxy-3`, `proxy-4 silent`. */
export function placeWords(standing: Standing): string {
  const where = whereWords(standing)
  return where === '' && standing.silent.length > 0 ? `${listed(standing.silent.map(withMarks), 2)} silent` : where
}
