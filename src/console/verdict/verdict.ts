/**
 * The one table of how a verdict looks: its word, the class that gives its colours, its place among the others.
 *
 * Colour is third: the word says it, the shape says it again (shapes.tsx), and colour only helps the eye to find it.
 * The order is that of `WORST_FIRST` in src/api/verdict.ts, said again here so that no schema library comes into the page for it.
 */
import type { RouteVerdict } from '../../api/verdict.ts'

export type { RouteVerdict }

export type Look = {
  /** As it is written, always in lower case. */
  readonly word: string
  /** Class of styles/verdict.css that sets `--c-text`, `--c-solid`, `--c-bg`, `--c-line`. */
  readonly tone: string
  /** 0 is the worst. */
  readonly rank: number
}

export function lookOf(verdict: RouteVerdict): Look {
  switch (verdict) {
    case 'held':
      return { word: 'held', tone: 'held', rank: 0 }
    case 'refused':
      return { word: 'refused', tone: 'refused', rank: 1 }
    case 'waiting':
      return { word: 'waiting', tone: 'waiting', rank: 2 }
    case 'rejected':
      return { word: 'rejected', tone: 'rejected', rank: 3 }
    case 'conflicted':
      return { word: 'conflicted', tone: 'conflicted', rank: 4 }
    case 'degraded':
      return { word: 'degraded', tone: 'degraded', rank: 5 }
    case 'unknown':
      return { word: 'not known', tone: 'unknown', rank: 6 }
    case 'pending':
      return { word: 'pending', tone: 'pending', rank: 7 }
    case 'live':
      return { word: 'live', tone: 'live', rank: 8 }
    case 'gone':
      return { word: 'gone', tone: 'unknown', rank: 9 }
    default: {
      const never: never = verdict
      return never
    }
  }
}

/** Best first, as a bar and its legend show them. */
export const LEGEND = [
  'live',
  'pending',
  'degraded',
  'conflicted',
  'rejected',
  'refused',
  'waiting',
  'held',
  'unknown',
] as const satisfies readonly RouteVerdict[]

export const VERDICT_WORDS: readonly RouteVerdict[] = [...LEGEND, 'gone']

/** True for one of the words, such as that of a query string. */
export const isVerdict = (text: string): text is RouteVerdict => VERDICT_WORDS.some(word => word === text)

/** Below 0 when `one` is worse. */
export const byRank = (one: RouteVerdict, other: RouteVerdict): number => lookOf(one).rank - lookOf(other).rank

/** The worst of some; null of none. */
export const worstOf = (verdicts: readonly RouteVerdict[]): RouteVerdict | null =>
  verdicts.reduce<RouteVerdict | null>((worst, one) => (worst === null || byRank(one, worst) < 0 ? one : worst), null)
