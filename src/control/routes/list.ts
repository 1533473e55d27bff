/** Routes as rows: those that an actor sees, with the worst verdict of each. */
import { type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { ROUTE_ROW_FIELDS, RouteRow, SlimRouteRow } from '../../api/route.ts'
import type { RouteVerdict } from '../../api/verdict.ts'
import type { Actor } from '../access/actor.ts'
import type { Tx } from '../db/transaction.ts'
import { makeCursor, readCursor } from '../http/page.ts'
import { addressOf } from '../services/connect.ts'
import { readFleet, readJson, readTold, STANDING_COLUMNS, standingRow } from './fleet.ts'
import { judgeOnNode } from './verdict.ts'
import { type WorstVerdict, worstByRoute } from './worst.ts'

const factsRow = standingRow.extend({
  serviceId: z.string(),
  projectId: z.string(),
  name: z.string(),
  protocol: z.enum(['http', 'tcp', 'udp']),
  preset: z.string().nullable(),
  domain: z.string().nullable(),
  pathPrefix: z.string(),
  externalPort: z.number().nullable(),
  externalPortEnd: z.number().nullable(),
  sniHostname: z.string().nullable(),
  shared: z.boolean(),
})
export type RouteFacts = z.infer<typeof factsRow>

export type RouteFilter = {
  readonly ids?: readonly string[]
  /** Also ports that are no routes, or no more. */
  readonly all?: boolean
  readonly projectId?: string | undefined
  readonly protocol?: RouteFacts['protocol'] | undefined
  /** Found in names, hosts, ports, upstream addresses. */
  readonly q?: string | undefined
  readonly after?: string | undefined
  readonly limit?: number
}

/** `%` and `_` stand for themselves. */
const likeText = (q: string): string => `%${q.replace(/[\\%_]/g, sign => `\\${sign}`)}%`

function matching(q: string): SQL {
  const text = likeText(q)
  return sql`(s.name ilike ${text} or p.domain ilike ${text} or p.sni_hostname ilike ${text} or p.id = ${q} or p.service_id = ${q}
    or p.external_port::text like ${text} or p.port::text = ${q}
    or exists (select from endpoints e where e.service_id = s.id and e.address ilike ${text}))`
}

function conditionsOf(actor: Actor, { ids, all = false, projectId, protocol, q }: RouteFilter): SQL {
  const conditions = [
    actor.projectId === null ? null : sql`s.project_id = ${actor.projectId}`,
    ids === undefined ? null : sql`p.id = any(${sql.param(ids)}::text[])`,
    // One that is over is shown until it has left the nodes.
    all ? null : sql`p.is_public and (p.external_port is not null or p.domain is not null)`,
    projectId === undefined ? null : sql`s.project_id = ${projectId}`,
    protocol === undefined ? null : sql`p.protocol = ${protocol}`,
    q === undefined || q.trim() === '' ? null : matching(q.trim()),
  ]
  return sql.join([sql`true`, ...conditions.flatMap(one => (one === null ? [] : [one]))], sql` and `)
}

/** By id. */
export const readRouteRows = (tx: Tx, actor: Actor, filter: RouteFilter): Promise<RouteFacts[]> =>
  readJson(
    tx,
    factsRow,
    sql`select ${STANDING_COLUMNS}, p.service_id as "serviceId", s.project_id as "projectId", s.name, p.protocol,
        coalesce(p.preset, s.preset) as preset, p.domain, p.path_prefix as "pathPrefix", p.external_port as "externalPort",
        p.external_port_end as "externalPortEnd", p.sni_hostname as "sniHostname", p.shared
      from service_ports p join services s on s.id = p.service_id
      where ${conditionsOf(actor, filter)} and ${filter.after === undefined ? sql`true` : sql`p.id > ${filter.after}`}
      order by p.id ${filter.limit === undefined ? sql`` : sql`limit ${filter.limit}`}`,
  )

async function countRoutes(tx: Tx, actor: Actor, filter: RouteFilter): Promise<number> {
  const { rows } = await tx.execute<{ count: number }>(
    sql`select count(*)::int as count from service_ports p join services s on s.id = p.service_id
      where ${conditionsOf(actor, filter)}`,
  )
  return rows[0]?.count ?? 0
}

export function rowView(route: RouteFacts, worst: WorstVerdict, publicHost: string): RouteRow {
  const { id, serviceId, projectId, name, protocol } = route
  const { verdict, reason, since, notLive } = worst
  return {
    ...{ id, serviceId, projectId, name, protocol },
    address: addressOf(route, publicHost) ?? '',
    verdict,
    reason,
    since: since?.toISOString() ?? null,
    notLive: [...notLive],
  }
}

export type Field = (typeof ROUTE_ROW_FIELDS)[number]

/** Only these fields, and the id. */
export function slim(row: RouteRow, fields: readonly Field[] | undefined): SlimRouteRow {
  if (fields === undefined) return row
  const wanted = new Set<string>(['id', ...fields])
  const { id, ...rest } = row
  return { id, ...Object.fromEntries(Object.entries(rest).filter(([name]) => wanted.has(name))) }
}

export type RouteQuery = Pick<RouteFilter, 'projectId' | 'protocol' | 'q'> & {
  readonly limit: number
  readonly cursor?: string | undefined
  readonly verdict?: readonly RouteVerdict[] | undefined
  /** The verdict of this node counts, and no other. */
  readonly node?: string | undefined
  readonly fields?: readonly Field[] | undefined
}

export type Page = { readonly items: SlimRouteRow[]; readonly nextCursor: string | null; readonly total: number }

export async function listRoutes(tx: Tx, actor: Actor, query: RouteQuery, publicHost: string): Promise<Page> {
  const { limit, cursor, verdict, node: nodeId, fields, ...filter } = query
  const after = readCursor(cursor)?.[0]
  const fleet = await readFleet(tx)
  // With a verdict to look for, every route has to be judged; else only those of the page.
  const judgesAll = verdict !== undefined || nodeId !== undefined
  const facts = await readRouteRows(tx, actor, judgesAll ? filter : { ...filter, after, limit: limit + 1 })
  const told = await readTold(tx, judgesAll && filter.q === undefined ? null : facts.map(({ id }) => id))
  let verdicts: ReadonlyMap<string, WorstVerdict>
  if (nodeId === undefined) verdicts = worstByRoute(fleet, facts, told)
  else {
    const node = fleet.nodes.find(({ id }) => id === nodeId)
    const rows = new Map(told.filter(row => row.nodeId === nodeId).map(row => [row.routeId, row]))
    const judged = facts.flatMap(route => {
      if (node === undefined) return []
      const one = judgeOnNode(route, node, rows.get(route.id) ?? null, fleet)
      const summary = { nodeId, verdict: one.verdict, reason: one.reason, since: one.since?.toISOString() ?? null }
      const isWell = one.verdict === 'live' || one.verdict === 'gone'
      return [[route.id, { ...one, nodeId, notLive: isWell ? [] : [summary] }] as const]
    })
    verdicts = new Map(judged)
  }
  const wanted = verdict === undefined ? null : new Set(verdict)
  const found = facts.flatMap(route => {
    const worst = verdicts.get(route.id)
    return worst === undefined || (wanted !== null && !wanted.has(worst.verdict)) ? [] : [{ route, worst }]
  })
  const here = judgesAll && after !== undefined ? found.filter(({ route }) => route.id > after) : found
  const page = here.slice(0, limit)
  const last = page.at(-1)
  return {
    items: page.map(({ route, worst }) => slim(rowView(route, worst, publicHost), fields)),
    nextCursor: here.length > limit && last !== undefined ? makeCursor(last.route.id) : null,
    total: judgesAll ? found.length : await countRoutes(tx, actor, filter),
  }
}
