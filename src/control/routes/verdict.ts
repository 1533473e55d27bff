/**
 * What became of a route on a node, from what the node said last. Pure.
 *
 *   is the route in the nodes' state?   has the node told of a state in which it is as it is now?   what did it say of it?   is it silent?
 *
 * A node tells rows of what is not live. So a route without a row is live only where the node has told everything of a state that has the
 * route as it is now, and still reports. Whatever is not known is `pending` or `unknown`, and says so.
 */
import { ROUTE_REASONS, type RouteReason, type RouteVerdict, WORST_FIRST } from '../../api/verdict.ts'
import { isBefore, type Position } from '../db/revision.ts'

/** A node without a report for so long is silent. An agent reports every 30 s at least. */
export const SILENT_AFTER_MS = 90_000

export type NodeStanding = {
  readonly id: string
  readonly name: string
  readonly status: 'active' | 'lost'
  readonly lastSeenAt: Date | null
  /** Since its last report, by the clock of the database; null: it never reported. */
  readonly quietMs: number | null
  /** The state of which its verdicts speak. */
  readonly told: Position | null
  /** It has told every verdict that is not live. */
  readonly complete: boolean
}

export type RouteStanding = {
  readonly id: string
  /** It is public, has an address, and has not expired. */
  readonly inState: boolean
  /** In which the nodes were last told something else of it, and when. */
  readonly revision: number
  readonly changedAt: Date
}

/** What the node said of a route that is not live. */
export type ToldVerdict = {
  readonly verdict: RouteVerdict
  readonly reason: string
  readonly message: string
  readonly remedy: string
  readonly since: Date
  readonly revision: number | null
}

/** The control plane, now. */
export type Moment = { readonly position: Position; readonly now: Date }

export type JudgedVerdict = {
  readonly verdict: RouteVerdict
  readonly reason: string
  readonly message: string
  readonly remedy: string
  readonly since: Date | null
  /** What it would be if the node were not silent; null where it is not. */
  readonly was: RouteVerdict | null
  /** It is what the node said; false: it follows from what the node did not say. */
  readonly told: boolean
}

export const isSilent = ({ quietMs }: Pick<NodeStanding, 'quietMs'>): boolean =>
  quietMs === null || quietMs > SILENT_AFTER_MS

/** How far behind a node that has told nothing of the route as it is; null: it has. */
function missing(route: RouteStanding, node: NodeStanding, { position }: Moment): RouteReason | null {
  const { told, complete } = node
  if (told !== null && isBefore(position, told)) return 'NODE_AHEAD'
  // Another epoch: what it has may be of a past that this database does not know.
  if (told === null || told.epoch !== position.epoch || told.revision < route.revision) return 'NOT_YET_FETCHED'
  return complete ? null : 'NOT_YET_TOLD'
}

/** `0.8 s`, `2.1 s`, `18 min`, `3 h`, `2 days`. */
export function lengthOf(ms: number): string {
  const seconds = Math.max(ms, 0) / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  if (seconds < 90) return `${Math.round(seconds)} s`
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} days`
}

function messageOf(reason: RouteReason, route: RouteStanding, node: NodeStanding, { now }: Moment): string {
  const { name } = node
  const waited = lengthOf(now.getTime() - route.changedAt.getTime())
  switch (reason) {
    case 'NOT_YET_FETCHED':
      return route.inState
        ? `${name} has not confirmed revision ${route.revision} yet, ${waited}`
        : `${name} has not confirmed yet that the route is gone since revision ${route.revision}, ${waited}`
    case 'NOT_YET_TOLD':
      return `${name} has not told yet what became of each of its routes`
    case 'NODE_AHEAD':
      return `${name} has revision ${node.told?.revision} of epoch ${node.told?.epoch}, which this control plane does not know`
    default:
      return ROUTE_REASONS[reason].meaning
  }
}

function own(reason: RouteReason, message: string, since: Date | null): JudgedVerdict {
  const { verdict, remedy } = ROUTE_REASONS[reason]
  return { verdict, reason, message, remedy, since, was: null, told: false }
}

function judgeHeard(route: RouteStanding, node: NodeStanding, row: ToldVerdict | null, moment: Moment): JudgedVerdict {
  const lack = missing(route, node, moment)
  // What it said of the route stands, unless that was of the route as it was before.
  if (row !== null && (lack === null || lack === 'NOT_YET_TOLD')) {
    const { verdict, reason, message, remedy, since } = row
    return { verdict, reason, message, remedy, since, was: null, told: true }
  }
  if (lack !== null) return own(lack, messageOf(lack, route, node, moment), route.changedAt)
  const reason = route.inState ? 'LIVE' : 'REMOVED'
  return own(reason, ROUTE_REASONS[reason].meaning, null)
}

/** @param row null: the node has said nothing of it that is not `live` */
export function judgeOnNode(
  route: RouteStanding,
  node: NodeStanding,
  row: ToldVerdict | null,
  moment: Moment,
): JudgedVerdict {
  if (node.quietMs === null)
    return own('NODE_NEVER_REPORTED', `${node.name} has been enrolled and has not reported yet`, null)
  const heard = judgeHeard(route, node, row, moment)
  if (!isSilent(node)) return heard
  const since = new Date(moment.now.getTime() - node.quietMs)
  const message = `${node.name} has said nothing for ${lengthOf(node.quietMs)}`
  return { ...own('NODE_SILENT', message, since), was: heard.verdict }
}

/** The worst stands first. */
export const byWorst = (one: { readonly verdict: RouteVerdict }, other: { readonly verdict: RouteVerdict }): number =>
  WORST_FIRST.indexOf(one.verdict) - WORST_FIRST.indexOf(other.verdict)
