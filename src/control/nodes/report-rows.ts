/** The verdicts of a report in the database: rows of what is not live, and what changed, for the history and for who looks on. */
import { sql } from 'drizzle-orm'
import { z } from 'zod'
import { ROUTE_REASONS } from '../../api/verdict.ts'
import { isBefore, type Position } from '../db/revision.ts'
import type { Tx } from '../db/transaction.ts'
import { MAX_IDS } from '../hub-notices.ts'
import { readJson } from '../routes/fleet.ts'
import { databaseJson, type ReportBody } from './report-wire.ts'

/** A route that has another verdict on the node; of one that no project has, nobody is told. */
export type ChangedRoute = { readonly routeId: string; readonly projectId: string | null }

const changedRow = z.object({ routeId: z.string(), projectId: z.string().nullable() })

type Row = ReportBody['verdicts'][number]

/** In the year 5138: further on, a clock is broken, and so it is before 1970. */
const LATEST_MS = 1e14

/** A moment of the node by our clock, as PostgreSQL reads it. */
const momentOf = (text: string, skewMs: number): string =>
  new Date(Math.min(Math.max(Date.parse(text) + skewMs, 0), LATEST_MS)).toISOString()

function rowOf(
  { id, protocol, verdict, reason, message, remedy, revision, since, chain, timingsMs, served }: Row,
  skewMs: number,
) {
  return {
    protocol,
    id,
    verdict,
    reason,
    message,
    revision: typeof revision === 'number' ? revision : null,
    since: momentOf(since, skewMs),
    timings: timingsMs ?? null,
    detail: { message, remedy, chain: chain ?? [], served: served ?? null },
  }
}

/**
 * Makes the rows of the node what the report says. Resolves with the routes that are other than they were.
 *
 * All parts of the statement see the rows as they were before it.
 */
export async function writeVerdicts(
  tx: Tx,
  nodeId: string,
  { verdicts, gone, full }: Pick<ReportBody, 'verdicts' | 'gone' | 'full'>,
  skewMs: number,
): Promise<readonly ChangedRoute[]> {
  // One row for each key, or the statement would touch a row twice.
  const rows = new Map(verdicts.map(row => [`${row.protocol}/${row.id}`, rowOf(row, skewMs)]))
  const told = new Set([...rows.keys(), ...verdicts.map(({ id }) => id)])
  const goneOnes = gone.filter(name => !told.has(name))
  return readJson(
    tx,
    changedRow,
    sql`select route_id as "routeId", project_id as "projectId" from changed`,
    sql`
    with input as (
      select * from jsonb_to_recordset(${databaseJson([...rows.values()])}::jsonb) as input(
        protocol text, id text, verdict text, reason text, message text, revision bigint, since timestamptz, timings jsonb, detail jsonb)
    ), old as (
      select protocol, route_id, verdict, reason from node_verdicts where node_id = ${nodeId}
    ), remembered as (
      insert into verdict_history
        (node_id, route_id, project_id, verdict, reason, message, revision, at, timings_ms, measured_revision)
      select ${nodeId}, i.id, s.project_id, i.verdict, i.reason, i.message, i.revision, i.since,
        coalesce(i.timings, '{}') || case when m.yes
          then jsonb_build_object('savedToLive', round(extract(epoch from i.since - p.route_changed_at) * 1000))
          else '{}' end,
        case when m.yes then p.route_revision end
      from input i
        join service_ports p on p.id = i.id and p.protocol = i.protocol
        join services s on s.id = p.service_id
        -- Measured is the change that the node has: one that was saved meanwhile has a way of its own.
        cross join lateral (
          select i.verdict = 'live' and i.timings is not null and i.since >= p.route_changed_at
            and coalesce(i.revision, p.route_revision) >= p.route_revision
            -- Once: when Traefik is started again, the route is live again, and the change is as old as it is.
            and not exists (
              select 1 from verdict_history q
              where q.route_id = i.id and q.node_id = ${nodeId} and q.measured_revision = p.route_revision
            ) as yes
        ) m
        left join old o on o.protocol = i.protocol and o.route_id = i.id
        left join lateral (
          select verdict, reason, at from verdict_history where route_id = i.id and node_id = ${nodeId} order by id desc limit 1
        ) h on true
      where (i.verdict, i.reason) is distinct from (o.verdict, o.reason)
        -- A live row that follows no other, and came to be just now: a new route, or a new version of it.
        and (i.verdict <> 'live' or o.verdict is not null or i.timings is not null)
        and (i.verdict, i.reason, i.since) is distinct from (h.verdict, h.reason, h.at)
      order by i.since, i.id
      returning route_id
    ), written as (
      insert into node_verdicts as v (node_id, protocol, route_id, verdict, reason, revision, since, detail)
      select ${nodeId}, protocol, id, verdict, reason, revision, since, detail from input where verdict <> 'live'
      on conflict (node_id, protocol, route_id) do update set verdict = excluded.verdict, reason = excluded.reason,
        revision = excluded.revision, since = excluded.since, detail = excluded.detail
      where (v.verdict, v.reason, v.revision, v.since, v.detail)
        is distinct from (excluded.verdict, excluded.reason, excluded.revision, excluded.since, excluded.detail)
      returning route_id
    ), taken_out as (
      delete from node_verdicts where node_id = ${nodeId} and (
        (protocol, route_id) in (select protocol, id from input where verdict = 'live')
        or route_id = any(${sql.param(goneOnes)}::text[])
        or protocol || '/' || route_id = any(${sql.param(goneOnes)}::text[])
        or ${full}::boolean and (protocol, route_id) not in (select protocol, id from input)
      ) returning route_id
    ), touched as (
      select route_id from remembered union select route_id from written union select route_id from taken_out
    ), changed as (
      select t.route_id, s.project_id from touched t
        left join service_ports p on p.id = t.route_id left join services s on s.id = p.service_id
    )`,
  )
}

/** How many rows the node has, by verdict. */
export async function countRows(tx: Tx, nodeId: string): Promise<Readonly<Record<string, number>>> {
  const { rows } = await tx.execute<{ verdict: string; count: number }>(
    sql`select verdict, count(*)::int as count from node_verdicts where node_id = ${nodeId} group by verdict`,
  )
  return Object.fromEntries(rows.map(({ verdict, count }) => [verdict, count]))
}

/** Routes that the node has no more, into the history: those that somebody knows, once each. */
export async function noteGone(
  tx: Tx,
  nodeId: string,
  gone: readonly string[],
  receivedAtMs: number,
): Promise<readonly ChangedRoute[]> {
  const ids = [...new Set(gone.map(name => name.slice(name.indexOf('/') + 1)))]
  const { meaning } = ROUTE_REASONS.REMOVED
  return readJson(
    tx,
    changedRow,
    sql`select route_id as "routeId", project_id as "projectId" from remembered`,
    sql`with remembered as (
      insert into verdict_history (node_id, route_id, project_id, verdict, reason, message, revision, at)
      select ${nodeId}, g.id, coalesce(s.project_id, h.project_id), 'gone', 'REMOVED', ${meaning}, null, ${new Date(receivedAtMs).toISOString()}::timestamptz
      from unnest(${sql.param(ids)}::text[]) as g(id)
        left join service_ports p on p.id = g.id left join services s on s.id = p.service_id
        left join lateral (
          select project_id, verdict from verdict_history where route_id = g.id and node_id = ${nodeId} order by id desc limit 1
        ) h on true
      where coalesce(s.project_id, h.project_id) is not null and h.verdict is distinct from 'gone'
      returning route_id, project_id
    )`,
  )
}

/** Routes that last changed in a state of which the node has told now, and before had not: known at last, even where it said nothing of them. */
export async function readArrived(
  tx: Tx,
  before: Position | null,
  now: Position | null,
): Promise<readonly ChangedRoute[]> {
  if (now === null || (before !== null && !isBefore(before, now))) return []
  const from = before?.epoch === now.epoch ? before.revision : -1
  return readJson(
    tx,
    changedRow,
    sql`select p.id as "routeId", s.project_id as "projectId" from service_ports p join services s on s.id = p.service_id
      where p.route_revision > ${from} and p.route_revision <= ${now.revision} limit ${MAX_IDS + 1}`,
  )
}

/** What probes found for people who asked. */
export async function keepAnswers(
  tx: Tx,
  nodeId: string,
  { verdicts }: Pick<ReportBody, 'verdicts'>,
  skewMs: number,
): Promise<void> {
  const answers = verdicts.flatMap(({ id, chain = [] }) =>
    chain.flatMap(({ step, requestId, ok, at, detail }) =>
      step !== 'probed' || requestId === undefined
        ? []
        : [{ id, requestId, ok, detail, at: at === null ? null : momentOf(at, skewMs) }],
    ),
  )
  if (answers.length === 0) return
  await tx.execute(sql`
    insert into probe_answers (request_id, node_id, ok, at, detail)
    select distinct on (r.id) r.id, ${nodeId}, a.ok, a.at, a.detail
    from jsonb_to_recordset(${databaseJson(answers)}::jsonb) as a(id text, "requestId" text, ok boolean, at timestamptz, detail text)
      join probe_requests r on r.id = a."requestId" and r.route_id = a.id
    on conflict (request_id, node_id) do update set ok = excluded.ok, at = excluded.at, detail = excluded.detail`)
}
