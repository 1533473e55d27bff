/** What the verdicts rest on, read from the database: the nodes as they stand, routes, and what nodes said of them. */
import { type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import { routeVerdictSchema } from '../../api/verdict.ts'
import type { Tx } from '../db/transaction.ts'
import type { Moment, NodeStanding, RouteStanding, ToldVerdict } from './verdict.ts'

/**
 * One JSON text for all rows, so that both kinds of database give numbers, times and null alike.
 * @param before `with ...`, when the query needs it: what changes rows may stand nowhere else
 */
export async function readJson<T>(tx: Tx, schema: z.ZodType<T>, query: SQL, before: SQL = sql``): Promise<T[]> {
  const { rows } = await tx.execute<{ rows: string }>(
    sql`${before} select coalesce(json_agg(row_to_json(found)), '[]')::text as rows from (${query}) found`,
  )
  return z.array(schema).parse(JSON.parse(rows[0]?.rows ?? '[]'))
}

export type Fleet = Moment & {
  /** All but the retired ones, by name. */
  readonly nodes: readonly NodeStanding[]
}

const position = z.object({ epoch: z.number(), revision: z.number() })

const nodeRow = z.object({
  id: z.string(),
  name: z.string(),
  status: z.enum(['active', 'lost']),
  lastSeenAt: z.coerce.date().nullable(),
  quietMs: z.number().nullable(),
  told: position.nullable(),
  complete: z.boolean(),
})

const fleetRow = z.object({ epoch: z.number(), revision: z.number(), now: z.coerce.date(), nodes: z.array(nodeRow) })

/** The rows of a query as one column of another. */
const listOf = (query: SQL): SQL => sql`(select coalesce(json_agg(row_to_json(one)), '[]') from (${query}) one)`

const FLEET_COLUMNS = sql`epoch, revision, statement_timestamp() as now, ${listOf(sql`
  select n.id, n.name, n.status, greatest(n.last_seen_at, s.reported_at) as "lastSeenAt",
    case when s.reported_at is not null
      then greatest(floor(extract(epoch from statement_timestamp() - s.reported_at) * 1000), 0) end as "quietMs",
    case when s.told_revision is not null
      then json_build_object('epoch', s.told_epoch, 'revision', s.told_revision) end as told,
    coalesce(s.untold = 0, false) as complete
  from nodes n left join node_status s on s.node_id = n.id
  where n.status <> 'retired' order by n.name, n.id`)} as nodes`

async function readMoment<T>(tx: Tx, schema: z.ZodType<T>, columns: SQL): Promise<T> {
  const [row] = await readJson(tx, schema, sql`select ${columns} from revisions where id = 1`)
  if (row === undefined) throw new Error('the table revisions has no row')
  return row
}

const toFleet = ({ epoch, revision, now, nodes }: z.infer<typeof fleetRow>): Fleet => ({
  position: { epoch, revision },
  now,
  nodes,
})

export const readFleet = async (tx: Tx): Promise<Fleet> => toFleet(await readMoment(tx, fleetRow, FLEET_COLUMNS))

/** Columns of a RouteStanding, of `service_ports p`. */
export const STANDING_COLUMNS = sql`
  p.id, p.route_revision as revision, p.route_changed_at as "changedAt",
  p.is_public and (p.expires_at is null or p.expires_at > statement_timestamp())
    and (p.external_port is not null or p.domain is not null) as "inState"`

export const standingRow = z.object({
  id: z.string(),
  inState: z.boolean(),
  revision: z.number(),
  changedAt: z.coerce.date(),
})

const toldRow = z.object({
  nodeId: z.string(),
  routeId: z.string(),
  verdict: routeVerdictSchema,
  reason: z.string(),
  message: z.string(),
  remedy: z.string(),
  since: z.coerce.date(),
  revision: z.number().nullable(),
})

export type ToldRow = ToldVerdict & { readonly nodeId: string; readonly routeId: string }

const toldQuery = (ids: readonly string[] | null): SQL => sql`
  select v.node_id as "nodeId", v.route_id as "routeId", v.verdict, v.reason, v.since, v.revision,
    v.detail ->> 'message' as message, v.detail ->> 'remedy' as remedy
  from node_verdicts v join nodes n on n.id = v.node_id and n.status <> 'retired'
  where ${ids === null ? sql`true` : sql`v.route_id = any(${sql.param(ids)}::text[])`}`

/** What nodes said of routes that are not live there, of all nodes but the retired ones. */
export const readTold = (tx: Tx, ids: readonly string[] | null): Promise<readonly ToldRow[]> =>
  readJson(tx, toldRow, toldQuery(ids))

const judgementRow = fleetRow.extend({ routes: z.array(standingRow), told: z.array(toldRow) })

export type Judgement = {
  readonly fleet: Fleet
  readonly routes: readonly RouteStanding[]
  readonly told: readonly ToldRow[]
}

/**
 * All that the verdicts of these routes rest on, in one statement: views of what was just changed are made under the lock of the change.
 * @param ids null: of all
 */
export async function readJudgement(tx: Tx, ids: readonly string[] | null): Promise<Judgement> {
  const standings = sql`select ${STANDING_COLUMNS} from service_ports p
    where ${ids === null ? sql`true` : sql`p.id = any(${sql.param(ids)}::text[])`}`
  const columns = sql`${FLEET_COLUMNS}, ${listOf(standings)} as routes, ${listOf(toldQuery(ids))} as told`
  const row = await readMoment(tx, judgementRow, columns)
  return { fleet: toFleet(row), routes: row.routes, told: row.told }
}
