/** The first page of the console in one answer: how things stand, what needs somebody, what changed last. */
import { type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Attention, Overview } from '../../api/overview.ts'
import { ROUTE_REASONS, type VerdictCounts } from '../../api/verdict.ts'
import { REASONS } from '../../core/verdict.ts'
import type { Actor } from '../access/actor.ts'
import { listAudit } from '../audit-rest.ts'
import type { Tx } from '../db/transaction.ts'
import type { ControlDeps } from '../deps.ts'
import { type NodeDetails, nodeView, readDetails } from '../nodes/view.ts'
import { readPools } from '../services/pools.ts'
import { type Fleet, readFleet, readJson, readTold, type ToldRow } from './fleet.ts'
import { type RouteFacts, readRouteRows } from './list.ts'
import { byWorst, isSilent, judgeOnNode, lengthOf } from './verdict.ts'
import { type WorstVerdict, worstByRoute } from './worst.ts'

/** A change that is not confirmed for so long is no longer on its way. */
const PENDING_PATIENCE_MS = 5_000
const MOST_ATTENTION = 25
const MOST_CHANGES = 8
/** How far back trouble and times are looked for: the history may be a million rows. */
const HISTORY_ROWS = 10_000
const MOST_NODES = 1000

const countVerdicts = (worst: Iterable<WorstVerdict>): VerdictCounts => {
  const counts = {
    live: 0,
    pending: 0,
    rejected: 0,
    refused: 0,
    conflicted: 0,
    waiting: 0,
    degraded: 0,
    held: 0,
    unknown: 0,
  }
  for (const { verdict } of worst) if (verdict !== 'gone') counts[verdict] += 1
  return counts
}

function attentionOfRoute(route: RouteFacts, worst: WorstVerdict, nodeName: string | null): Attention {
  const { verdict, reason, message, remedy, since, nodeId, notLive } = worst
  return {
    ...{ kind: 'route', verdict, reason, name: route.name, message, remedy },
    since: since?.toISOString() ?? null,
    routeId: route.id,
    serviceId: route.serviceId,
    nodeId,
    nodeName,
    nodes: notLive.filter(one => one.verdict === verdict).length,
  }
}

function attentionOfNode(node: NodeDetails): Attention[] {
  const { id, name, quietMs, head, lastSeenAt } = node
  const base = { kind: 'node', name, routeId: null, serviceId: null, nodeId: id, nodeName: name, nodes: 1 } as const
  const found: Attention[] = []
  if (isSilent(node)) {
    const reason = quietMs === null ? 'NODE_NEVER_REPORTED' : 'NODE_SILENT'
    const { verdict, remedy } = ROUTE_REASONS[reason]
    const message =
      quietMs === null
        ? `${name} has been enrolled and has not reported yet`
        : `${name} has said nothing for ${lengthOf(quietMs)}`
    found.push({ ...base, verdict, reason, message, remedy, since: (lastSeenAt ?? node.createdAt).toISOString() })
  }
  const held = head?.held ?? null
  if (held !== null && held.hash !== node.acceptedHash) {
    const { verdict, remedy } = REASONS.MASS_REMOVAL
    const dropped = `${held.removals.length} ${held.removals.length === 1 ? 'route' : 'routes'}`
    const message = `the new state drops ${dropped} of ${name}; what it drops goes on serving`
    found.push({ ...base, verdict, reason: 'MASS_REMOVAL', message, remedy, since: null })
  }
  return found
}

/** Worst first, then newest. */
const byNeed = (a: Attention, b: Attention): number => byWorst(a, b) || (b.since ?? '').localeCompare(a.since ?? '')

function needsSomebody({ verdict, since }: WorstVerdict, now: Date): boolean {
  // A silent node is told of as one: its routes would fill the list.
  if (verdict === 'live' || verdict === 'gone' || verdict === 'unknown') return false
  return verdict !== 'pending' || since === null || now.getTime() - since.getTime() > PENDING_PATIENCE_MS
}

const historyRow = z.object({
  lastTroubleAt: z.coerce.date().nullable(),
  median: z.number().nullable(),
  worst: z.number().nullable(),
  count: z.number(),
})

async function readHistory(tx: Tx, actor: Actor): Promise<Pick<Overview, 'lastTroubleAt' | 'savedToLiveMs'>> {
  const mine: SQL = actor.projectId === null ? sql`true` : sql`project_id = ${actor.projectId}`
  const [row] = await readJson(
    tx,
    historyRow,
    sql`select (select max(at) from recent where verdict not in ('live', 'gone', 'pending')) as "lastTroubleAt",
        percentile_cont(0.5) within group (order by ms) as median, max(ms) as worst, count(ms)::int as count
      from (
        select (timings_ms ->> 'savedToLive')::numeric as ms from recent where timings_ms ? 'savedToLive' order by id desc limit 100
      ) measured`,
    sql`with recent as (
      select id, at, verdict, timings_ms from verdict_history where ${mine} order by id desc limit ${HISTORY_ROWS}
    )`,
  )
  if (row === undefined) return { lastTroubleAt: null, savedToLiveMs: null }
  const { median, worst, count, lastTroubleAt } = row
  return {
    lastTroubleAt: lastTroubleAt?.toISOString() ?? null,
    savedToLiveMs: median === null || worst === null ? null : { median, worst, count },
  }
}

function byNode(told: readonly ToldRow[]): ReadonlyMap<string, ReadonlyMap<string, ToldRow>> {
  const nodes = new Map<string, Map<string, ToldRow>>()
  for (const row of told) {
    const rows = nodes.get(row.nodeId) ?? new Map<string, ToldRow>()
    nodes.set(row.nodeId, rows.set(row.routeId, row))
  }
  return nodes
}

/** How many of these routes are live on a node: of those that the actor sees, whatever else the node has. */
function liveOn(
  nodeId: string,
  fleet: Fleet,
  routes: readonly RouteFacts[],
  told: ReadonlyMap<string, ReadonlyMap<string, ToldRow>>,
): { readonly live: number; readonly total: number } {
  const node = fleet.nodes.find(({ id }) => id === nodeId)
  if (node === undefined) return { live: 0, total: routes.length }
  const rows = told.get(nodeId)
  const live = routes.filter(route => judgeOnNode(route, node, rows?.get(route.id) ?? null, fleet).verdict === 'live')
  return { live: live.length, total: routes.length }
}

export async function showOverview(tx: Tx, actor: Actor, deps: Pick<ControlDeps, 'config'>): Promise<Overview> {
  const fleet = await readFleet(tx)
  const routes = (await readRouteRows(tx, actor, {})).filter(({ inState }) => inState)
  const told = await readTold(tx, actor.projectId === null ? null : routes.map(({ id }) => id))
  const toldByNode = byNode(told)
  const worst = worstByRoute(fleet, routes, told)
  const details = await readDetails(tx, sql`n.status <> 'retired'`, MOST_NODES)
  const names = new Map(fleet.nodes.map(({ id, name }) => [id, name]))
  const ofRoutes = routes.flatMap(route => {
    const one = worst.get(route.id)
    return one === undefined || !needsSomebody(one, fleet.now)
      ? []
      : [attentionOfRoute(route, one, one.nodeId === null ? null : (names.get(one.nodeId) ?? null))]
  })
  // What a node lacks or holds is of all projects together.
  const ofNodes = actor.projectId === null ? details.flatMap(attentionOfNode) : []
  const attention = [...ofNodes, ...ofRoutes].sort(byNeed)
  const silent = details.filter(isSilent).length
  const changes = await listAudit(tx, actor, { limit: MOST_CHANGES })
  return {
    at: fleet.now.toISOString(),
    ...fleet.position,
    routes: { total: routes.length, byVerdict: countVerdicts(worst.values()) },
    nodes: {
      total: details.length,
      reporting: details.length - silent,
      silent,
      items: details.map(node => {
        const { id, name, status, silent: isQuiet, lastSeenAt, revision, counts } = nodeView(node, [])
        const all = { live: counts.live, total: Object.values(counts).reduce((sum, count) => sum + count, 0) }
        const own = actor.projectId === null ? all : liveOn(id, fleet, routes, toldByNode)
        return { id, name, status, silent: isQuiet, lastSeenAt, lag: revision.lag, ...own }
      }),
    },
    pools: await readPools(tx, deps),
    attention: attention.slice(0, MOST_ATTENTION),
    attentionTotal: attention.length,
    ...(await readHistory(tx, actor)),
    lastChanges: changes.items,
  }
}
