/**
 * What may be said of a route right now.
 *
 * The control plane says a verdict; whether that still holds depends on two links: ours to the control plane, and that of each node to
 * it. When ours is lost every verdict is `not known`; when a node is silent its own are. A page never shows a verdict as it came: it
 * shows a `Standing`, and only the functions here make one (the hooks in use-verdict.ts call them).
 */
import type { RouteOnNodeSummary } from '../../api/route.ts'
import { byRank, type RouteVerdict, worstOf } from './verdict.ts'

declare const made: unique symbol

export type Standing = {
  readonly [made]: true
  readonly shown: RouteVerdict
  /** What was said last, when that cannot be relied on any more. */
  readonly was: RouteVerdict | null
  /** Names of the nodes that the verdict is of; empty when it is of all that report. */
  readonly on: readonly string[]
  /** Names of the nodes that have not been heard of, and so are not part of it. */
  readonly silent: readonly string[]
}

/** A node as far as its word counts. */
export type Voice = { readonly id: string; readonly name: string; readonly silent: boolean }

/** A route as the lists have it. */
export type SaidRow = {
  readonly verdict: RouteVerdict
  /** Nodes on which it is not live; on the others it is. */
  readonly notLive: readonly Pick<RouteOnNodeSummary, 'nodeId' | 'verdict'>[]
}

const standing = (parts: Omit<Standing, typeof made>): Standing => parts as Standing

const NOBODY: readonly string[] = []
const lostOf = (was: RouteVerdict): Standing =>
  standing({ shown: 'unknown', was: was === 'unknown' ? null : was, on: NOBODY, silent: NOBODY })

/** A verdict that the control plane has put together by itself: a count, an entry of what needs attention. */
export function standingOfWord(verdict: RouteVerdict, isLinkUp: boolean): Standing {
  return isLinkUp ? standing({ shown: verdict, was: null, on: NOBODY, silent: NOBODY }) : lostOf(verdict)
}

/** Of one route on one node. `was`: what the node said before it fell silent, when the answer tells. */
export function standingOnNode(
  said: { readonly verdict: RouteVerdict; readonly was?: RouteVerdict | null },
  voice: Voice | undefined,
  isLinkUp: boolean,
): Standing {
  const before = said.verdict === 'unknown' ? (said.was ?? 'unknown') : said.verdict
  if (!isLinkUp) return lostOf(before)
  if (said.verdict === 'gone') return standingOfWord('gone', true)
  if (voice?.silent === true || said.verdict === 'unknown')
    return { ...lostOf(before), silent: voice ? [voice.name] : NOBODY }
  return standingOfWord(said.verdict, true)
}

/** What a row says of one node. */
export const saidOnNode = (row: SaidRow, nodeId: string): RouteVerdict =>
  row.notLive.find(one => one.nodeId === nodeId)?.verdict ?? (row.notLive.length === 0 ? row.verdict : 'live')

/**
 * Of one route over all nodes: the worst of what those say that report. It is live when each of them says so, and `silent` then names
 * the others; when no node reports, it is not known.
 */
export function standingOfRow(row: SaidRow, voices: readonly Voice[], isLinkUp: boolean): Standing {
  if (!isLinkUp) return lostOf(row.verdict)
  // Without a node nobody can contradict the control plane, which says `pending` then.
  if (row.verdict === 'gone' || voices.length === 0) return standingOfWord(row.verdict, true)
  const said = voices.map(voice => ({ voice, verdict: saidOnNode(row, voice.id) }))
  const known = said.filter(({ voice, verdict }) => !voice.silent && verdict !== 'unknown')
  const silent = said.filter(one => !known.includes(one)).map(({ voice }) => voice.name)
  const shown = worstOf(known.map(({ verdict }) => verdict))
  if (shown === null) return { ...lostOf(row.verdict), silent }
  const on = known.filter(({ verdict }) => verdict === shown).map(({ voice }) => voice.name)
  return standing({ shown, was: null, on: on.length === known.length ? NOBODY : on, silent })
}

/** Of several routes, such as those of one service: the worst, with every node that is silent for any of them. */
export function worstStanding(standings: readonly Standing[]): Standing | null {
  const [worst] = [...standings].sort((one, other) => byRank(one.shown, other.shown))
  if (worst === undefined) return null
  return { ...worst, silent: [...new Set(standings.flatMap(({ silent }) => silent))] }
}

/** `was live` for a verdict that cannot be relied on, else its own word. */
export function standingWord({ shown, was }: Standing, wordOf: (verdict: RouteVerdict) => string): string {
  return shown === 'unknown' && was !== null ? `was ${wordOf(was)}` : wordOf(shown)
}
