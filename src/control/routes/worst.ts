/**
 * The verdict of a route over all nodes: the worst of those that report. Of ten thousand routes on ten nodes it is read in one go.
 *
 * Nodes without a row of a route differ only in which state they have told of, so the routes are held against the one that is furthest
 * behind, and looked at node by node only where that one does not have them yet.
 */

import type { RouteOnNodeSummary } from '../../api/route.ts'
import { ROUTE_REASONS, type RouteVerdict } from '../../api/verdict.ts'
import type { Tx } from '../db/transaction.ts'
import { type Fleet, readJudgement, type ToldRow } from './fleet.ts'
import { byWorst, isSilent, type JudgedVerdict, judgeOnNode, type NodeStanding, type RouteStanding } from './verdict.ts'

export type WorstVerdict = {
  readonly verdict: RouteVerdict
  readonly reason: string
  readonly message: string
  readonly remedy: string
  readonly since: Date | null
  /** The node that says so; null when all say the same, or there is none. */
  readonly nodeId: string | null
  /** Nodes on which it is not as it should be, worst first; silent ones come last. At most MAX_NOT_LIVE. */
  readonly notLive: readonly RouteOnNodeSummary[]
}

const MAX_NOT_LIVE = 20

type OnNode = JudgedVerdict & { readonly node: NodeStanding }

const summaryOf = ({ node, verdict, reason, since }: OnNode): RouteOnNodeSummary => ({
  nodeId: node.id,
  verdict,
  reason,
  since: since?.toISOString() ?? null,
})

function ownVerdict(reason: 'NO_NODES' | 'LIVE' | 'REMOVED'): WorstVerdict {
  const { verdict, meaning, remedy } = ROUTE_REASONS[reason]
  return { verdict, reason, message: meaning, remedy, since: null, nodeId: null, notLive: [] }
}

/** Of one route, with what each node has of it. */
export function worstOf(found: readonly OnNode[]): WorstVerdict {
  const heard = found.filter(({ node }) => !isSilent(node)).sort(byWorst)
  const silent = found.filter(({ node }) => isSilent(node))
  const worst = heard[0] ?? silent[0]
  if (worst === undefined) return ownVerdict('NO_NODES')
  const { verdict, reason, message, remedy, since, node } = worst
  const wanted = new Set<RouteVerdict>(['live', 'gone'])
  const notLive = [...heard.filter(one => !wanted.has(one.verdict)), ...silent].slice(0, MAX_NOT_LIVE).map(summaryOf)
  return { verdict, reason, message, remedy, since, nodeId: wanted.has(verdict) ? null : node.id, notLive }
}

/** Pure: of every route that is given. */
export function worstByRoute(
  fleet: Fleet,
  routes: readonly RouteStanding[],
  told: readonly ToldRow[],
): ReadonlyMap<string, WorstVerdict> {
  const rows = new Map<string, Map<string, ToldRow>>()
  for (const row of told) {
    const ofRoute = rows.get(row.routeId) ?? new Map<string, ToldRow>()
    rows.set(row.routeId, ofRoute.set(row.nodeId, row))
  }
  // Where every node reports and is up to date with a route of which none has a row, there is nothing to judge.
  const steady = fleet.nodes.every(
    node =>
      !isSilent(node) &&
      node.complete &&
      node.told?.epoch === fleet.position.epoch &&
      node.told.revision <= fleet.position.revision,
  )
  const floor = steady ? Math.min(...fleet.nodes.map(({ told: at }) => at?.revision ?? -1)) : -1
  const live = ownVerdict('LIVE')
  const gone = ownVerdict('REMOVED')
  return new Map(
    routes.map(route => {
      const ofRoute = rows.get(route.id)
      if (ofRoute === undefined && fleet.nodes.length > 0 && route.revision <= floor)
        return [route.id, route.inState ? live : gone]
      const found = fleet.nodes.map(node => ({
        ...judgeOnNode(route, node, ofRoute?.get(node.id) ?? null, fleet),
        node,
      }))
      return [route.id, worstOf(found)]
    }),
  )
}

/**
 * The verdict of each of these routes, by the id of the service port. Ids that are no ports are left out.
 * @param routeIds null: of all
 */
export async function worstVerdicts(
  tx: Tx,
  routeIds: readonly string[] | null,
): Promise<ReadonlyMap<string, WorstVerdict>> {
  if (routeIds?.length === 0) return new Map()
  const { fleet, routes, told } = await readJudgement(tx, routeIds)
  return worstByRoute(fleet, routes, told)
}
