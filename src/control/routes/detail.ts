/** One route, with what each node says of it and how that is known. */
import { type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import { type Route, type RouteConfiguration, type RouteOnNode, RouteStep } from '../../api/route.ts'
import { routeName } from '../../core/names.ts'
import type { Route as DeclaredRoute } from '../../core/route.ts'
import type { Actor } from '../access/actor.ts'
import type { Tx } from '../db/transaction.ts'
import { notFound } from '../http/api-error.ts'
import { readRoutes } from '../services/routes.ts'
import { makeChain, type ProbeFound } from './chain.ts'
import { type CompilingNode, compiledConfiguration, readDeclared } from './compiled.ts'
import { type Fleet, readFleet, readJson } from './fleet.ts'
import { type RouteFacts, readRouteRows, rowView } from './list.ts'
import { isSilent, judgeOnNode, type NodeStanding, type ToldVerdict } from './verdict.ts'
import { worstOf } from './worst.ts'

const served = z.object({ router: z.unknown(), service: z.unknown() }).nullable()

const nodeRow = z.object({
  nodeId: z.string(),
  fetched: z.number().nullable(),
  version: z.string().nullable(),
  entryPoints: z
    .array(z.object({ name: z.string(), address: z.string() }))
    .nullable()
    .catch(null),
  openConnections: z.number().nullable(),
  row: z
    .object({
      verdict: z.enum(['pending', 'rejected', 'refused', 'conflicted', 'waiting', 'degraded', 'held']),
      reason: z.string(),
      since: z.coerce.date(),
      revision: z.number().nullable(),
      detail: z.object({
        message: z.string(),
        remedy: z.string(),
        chain: z.array(RouteStep).catch([]),
        served: served.catch(null),
      }),
    })
    .nullable(),
  last: z
    .object({
      verdict: z.string(),
      at: z.coerce.date(),
      revision: z.number().nullable(),
      timings: z.record(z.string(), z.number()),
    })
    .nullable(),
  probe: z
    .object({ requestId: z.string(), ok: z.boolean().nullable(), at: z.coerce.date().nullable(), detail: z.string() })
    .nullable(),
})
type NodeFacts = z.infer<typeof nodeRow>

/** What each node that counts has of the route. */
const readNodeFacts = (tx: Tx, { id, protocol }: RouteFacts): Promise<readonly NodeFacts[]> =>
  readJson(
    tx,
    nodeRow,
    sql`
    select n.id as "nodeId", s.entry_points as "entryPoints", s.report #>> '{traefik,version}' as version,
      case when jsonb_typeof(s.report #> '{revision,expected}') = 'number' and (s.report ->> 'epoch')::int = r.epoch
        then (s.report #>> '{revision,expected}')::bigint end as fetched,
      (s.open_connections ->> ${id})::numeric as "openConnections",
      case when v.node_id is not null then json_build_object('verdict', v.verdict, 'reason', v.reason,
        'since', v.since, 'revision', v.revision, 'detail', v.detail) end as row,
      h.last, a.probe
    from nodes n cross join revisions r
      left join node_status s on s.node_id = n.id
      left join node_verdicts v on v.node_id = n.id and v.protocol = ${protocol} and v.route_id = ${id}
      left join lateral (
        select json_build_object('verdict', verdict, 'at', at, 'revision', revision, 'timings', timings_ms) as last
        from verdict_history where route_id = ${id} and node_id = n.id order by id desc limit 1
      ) h on true
      left join lateral (
        select json_build_object('requestId', a.request_id, 'ok', a.ok, 'at', a.at, 'detail', a.detail) as probe
        from probe_answers a join probe_requests q on q.id = a.request_id
        where a.node_id = n.id and q.route_id = ${id} order by a.answered_at desc, a.request_id desc limit 1
      ) a on true
    where n.status <> 'retired' order by n.name, n.id`,
  )

const toTold = ({ row }: NodeFacts): ToldVerdict | null =>
  row === null
    ? null
    : {
        verdict: row.verdict,
        reason: row.reason,
        message: row.detail.message,
        remedy: row.detail.remedy,
        since: row.since,
        revision: row.revision,
      }

function servedConfiguration({ id, protocol }: RouteFacts, { row }: NodeFacts): RouteConfiguration | null {
  const found = row?.detail.served ?? null
  if (found === null) return null
  const name = routeName(protocol, id)
  return {
    origin: 'served',
    routers: { [name]: found.router },
    services: found.service === null ? {} : { [name]: found.service },
  }
}

/** A node leaves out what is 0, and what shares an entry point, of which nobody can tell. */
function connectionsOf(route: RouteFacts, node: NodeStanding, { openConnections }: NodeFacts): number | null {
  if (isSilent(node)) return null
  const alone = route.protocol === 'tcp' && !route.shared && route.sniHostname === null
  return openConnections ?? (alone ? 0 : null)
}

/** It, and what shares its numbers: what it is compiled to depends on nothing else. */
const neighbours = ({ id, protocol, externalPort, externalPortEnd }: RouteFacts): SQL =>
  externalPort === null
    ? sql`p.id = ${id}`
    : sql`(p.id = ${id} or p.protocol = ${protocol} and p.external_port <= ${externalPortEnd ?? externalPort}
        and coalesce(p.external_port_end, p.external_port) >= ${externalPort})`

type DeclaredReader = () => Promise<readonly DeclaredRoute[]>

async function onNode(
  route: RouteFacts,
  fleet: Fleet,
  node: NodeStanding,
  facts: NodeFacts,
  declared: DeclaredReader,
): Promise<RouteOnNode> {
  const judged = judgeOnNode(route, node, toTold(facts), fleet)
  const { last, fetched, row, version, entryPoints } = facts
  const isLive = judged.verdict === 'live'
  // What came before the last change is of another route.
  const liveLast = last?.verdict === 'live' && last.at >= route.changedAt ? last : null
  const probe: ProbeFound | null = facts.probe
  const told = row?.detail.chain ?? []
  const chain = makeChain({ route, node, judged, told, fetched, liveSince: liveLast?.at ?? null, probe })
  const compiled = async (of: CompilingNode): Promise<RouteConfiguration | null> =>
    compiledConfiguration(route.protocol, route.id, await declared(), of)
  // Of a route that the node does not serve: what it would become, where nothing on the node stood in its way.
  const wished = { version, entryPoints: null }
  const configuration = isLive
    ? await compiled({ version, entryPoints })
    : judged.told
      ? (servedConfiguration(route, facts) ?? (await compiled(wished)))
      : null
  const lastLive = isLive && last?.verdict === 'live' ? last : null
  return {
    nodeId: node.id,
    nodeName: node.name,
    nodeStatus: node.status,
    silent: isSilent(node),
    lastSeenAt: node.lastSeenAt?.toISOString() ?? null,
    verdict: judged.verdict,
    reason: judged.reason,
    message: judged.message,
    remedy: judged.remedy,
    was: judged.was,
    since: (judged.since ?? lastLive?.at)?.toISOString() ?? null,
    revision: judged.told ? (row?.revision ?? null) : (node.told?.revision ?? null),
    chain,
    brokenAt: chain.find(({ ok }) => ok === false)?.step ?? null,
    timingsMs: isLive ? (liveLast?.timings ?? {}) : {},
    openConnections: connectionsOf(route, node, facts),
    configuration,
  }
}

/** Throws an ApiError (404). */
export async function showRoute(tx: Tx, actor: Actor, id: string, publicHost: string): Promise<Route> {
  const [route] = await readRouteRows(tx, actor, { ids: [id], all: true })
  if (route === undefined) throw notFound('route', id)
  const fleet = await readFleet(tx)
  const facts = new Map((await readNodeFacts(tx, route)).map(one => [one.nodeId, one]))
  let reading: Promise<readonly DeclaredRoute[]> | null = null
  const declared: DeclaredReader = () => {
    reading ??= readRoutes(tx, neighbours(route)).then(readDeclared)
    return reading
  }
  const nodes: RouteOnNode[] = []
  for (const node of fleet.nodes) {
    const its = facts.get(node.id)
    if (its !== undefined) nodes.push(await onNode(route, fleet, node, its, declared))
  }
  const judged = fleet.nodes.map(node => {
    const its = facts.get(node.id)
    return { ...judgeOnNode(route, node, its === undefined ? null : toTold(its), fleet), node }
  })
  const { notLive: _notLive, ...row } = rowView(route, worstOf(judged), publicHost)
  return {
    ...row,
    revision: route.revision,
    savedAt: route.changedAt.toISOString(),
    preset: route.preset,
    nodes,
  }
}
