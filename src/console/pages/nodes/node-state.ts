/** How a node is, in one shape and a few words: what a table has room for. */
import type { Node } from '../../../api/node.ts'
import { LEGEND, lookOf, type RouteVerdict } from '../../verdict/verdict.ts'
import { counted, grouped, listed } from '../../words/count.ts'
import { agoWords } from '../../words/time.ts'

export type NodeState = {
  readonly shown: RouteVerdict
  readonly words: string
  /** What the last report says still holds, as far as anybody can know. */
  readonly isKnown: boolean
}

type Moment = {
  /** By the clock of the control plane, milliseconds since 1970. */
  readonly now: number
  readonly isLinkUp: boolean
  /** Judged by the clock of now, not by that of the answer. */
  readonly silent: boolean
}

const totalOf = ({ counts }: Pick<Node, 'counts'>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0)

/** Worst first: retired, silent, held, behind, then what its routes are. */
export function nodeState(node: Node, { now, isLinkUp, silent }: Moment): NodeState {
  const known = { isKnown: true } as const
  if (node.status === 'retired') return { ...known, shown: 'gone', words: 'retired' }
  if (!isLinkUp) return { shown: 'unknown', words: 'not known', isKnown: false }
  const lost = node.status === 'lost' ? 'lost, ' : ''
  // It has been seen when it was enrolled; what it is like, only its first report tells.
  if (node.lastSeenAt === null || (node.traefik === null && node.revision.applied === null))
    return { shown: 'unknown', words: `${lost}has not reported yet`, isKnown: false }
  if (silent)
    return {
      shown: 'unknown',
      words: `${lost}silent for ${agoWords(now - Date.parse(node.lastSeenAt))}`,
      isKnown: false,
    }
  if (node.revokedAt !== null) return { ...known, shown: 'degraded', words: 'its key is revoked' }
  if (node.held !== null)
    return {
      ...known,
      shown: 'held',
      words: node.held.accepted ? 'accepted, not done yet' : `holds ${counted(node.held.removals.length, 'removal')}`,
    }
  if (node.traefik?.state === 'down') return { ...known, shown: 'degraded', words: 'Traefik is down' }
  if (node.traefik?.state === 'never-polled') return { ...known, shown: 'pending', words: 'Traefik has not polled' }
  const faulty = LEGEND.filter(verdict => !['live', 'pending', 'unknown'].includes(verdict) && node.counts[verdict] > 0)
  const [worst] = [...faulty].sort((one, other) => lookOf(one).rank - lookOf(other).rank)
  if (worst !== undefined) {
    const words = faulty.map(verdict => `${grouped(node.counts[verdict])} ${lookOf(verdict).word}`)
    return { ...known, shown: worst, words: listed(words) }
  }
  const { lag } = node.revision
  if (lag === null) return { ...known, shown: 'pending', words: 'nothing applied yet' }
  if (lag > 0) return { ...known, shown: 'pending', words: `${counted(lag, 'revision')} behind` }
  if (node.counts.pending > 0) return { ...known, shown: 'pending', words: `${grouped(node.counts.pending)} pending` }
  return { ...known, shown: 'live', words: 'current' }
}

/** `209 of 212`; `not known` for a node that does not speak. */
export function liveWords(node: Pick<Node, 'counts'>, isKnown: boolean): string {
  return isKnown ? `${grouped(node.counts.live)} of ${grouped(totalOf(node))}` : 'not known'
}

/** `none`, `1 missing, 2 disabled`. */
export function driftWords(drift: Node['drift'], isKnown: boolean): string {
  if (!isKnown || drift === null) return 'not known'
  const kinds = (['missing', 'extra', 'different', 'disabled'] as const).filter(kind => drift[kind] > 0)
  return kinds.length === 0 ? 'none' : kinds.map(kind => `${grouped(drift[kind])} ${kind}`).join(', ')
}

/** `3 of 4 report. Revision 4218 is applied on all three.` */
export function nodesSentence(states: readonly { readonly node: Node; readonly state: NodeState }[]): string {
  const there = states.filter(({ node }) => node.status !== 'retired')
  if (there.length === 0) return 'None is enrolled.'
  const reporting = there.filter(({ state }) => state.isKnown)
  const first =
    reporting.length === there.length
      ? there.length === 1
        ? 'The one node reports.'
        : `All ${there.length} report.`
      : `${reporting.length} of ${there.length} report.`
  const current = there[0]?.node.revision.current ?? 0
  const applied = reporting.filter(({ node }) => node.revision.lag === 0).length
  if (reporting.length === 0) return first
  const where = applied === reporting.length ? (applied === 1 ? 'on it' : 'on all of them') : `on ${applied} of them`
  return `${first} Revision ${current} is applied ${where}.`
}

/** Lines for several entry points at once: one `entryPoints:` with all of them below it. */
export function allLines(missing: NonNullable<Node['missingEntryPoints']>): string {
  const inner = missing.map(({ lines }) => lines.replace(/^entryPoints:\n/, '').replace(/\n+$/, ''))
  return `entryPoints:\n${inner.join('\n')}\n`
}
