/**
 * A verdict on the screen: shape, word, and what is worth a word beside it.
 *
 *   <VerdictMark standing={standing} />             in a row
 *   <VerdictMark standing={standing} pill />        in a card's head
 *   <VerdictMark standing={standing} note="61 ms" />
 */
import type { ReactElement, ReactNode } from 'react'
import { listed } from '../words/count.ts'
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

/** `on proxy-3`, `proxy-4 silent`, or nothing. */
export function placeWords({ on, silent }: Standing): string {
  if (on.length > 0) return `on ${listed(on, 2)}`
  return silent.length > 0 ? `${listed(silent, 2)} silent` : ''
}
