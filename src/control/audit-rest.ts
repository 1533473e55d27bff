/** The audit log over HTTP: read only, there is no other way. */
import { and, desc, eq, gte, inArray, like, lt, sql } from 'drizzle-orm'
import { z } from 'zod'
import { AuditPage, AuditQuery, type AuditRow, type SavedToLive } from '../api/audit.ts'
import { type Actor, visibleTo } from './access/actor.ts'
import { apiTokens } from './db/schema-access.ts'
import { auditLog } from './db/schema-log.ts'
import { nodes } from './db/schema-nodes.ts'
import type { Tx } from './db/transaction.ts'
import type { ControlDeps } from './deps.ts'
import { ApiError } from './http/api-error.ts'
import { makeCursor, readCursor, takePage } from './http/page.ts'
import { type App, actorOf } from './http/route.ts'
import { read } from './http/write.ts'
import { readJson } from './routes/fleet.ts'

type Row = typeof auditLog.$inferSelect

/** `service.*`: every action of that kind. */
function ofAction(action: string) {
  if (!action.endsWith('.*')) return eq(auditLog.action, action)
  const kind = action.slice(0, -1).replace(/[\\%_]/g, sign => `\\${sign}`)
  return like(auditLog.action, `${kind}%`)
}

/** Newest first: who looks for what happened looks there. */
export async function listAudit(tx: Tx, actor: Actor, query: AuditQuery) {
  const { limit, cursor, projectId, action, resourceKind, resourceId, actorId, since, until } = query
  const after = readCursor(cursor)?.[0]
  if (after !== undefined && !/^\d{1,15}$/.test(after))
    throw new ApiError('CURSOR_INVALID', 'the cursor is not one that this list gave out')
  const rows = await tx
    .select()
    .from(auditLog)
    .where(
      and(
        visibleTo(actor, auditLog.projectId),
        projectId === undefined ? undefined : eq(auditLog.projectId, projectId),
        action === undefined ? undefined : ofAction(action),
        resourceKind === undefined ? undefined : eq(auditLog.resourceKind, resourceKind),
        resourceId === undefined ? undefined : eq(auditLog.resourceId, resourceId),
        actorId === undefined ? undefined : eq(auditLog.actorId, actorId),
        since === undefined ? undefined : gte(auditLog.at, new Date(since)),
        until === undefined ? undefined : lt(auditLog.at, new Date(until)),
        after === undefined ? undefined : lt(auditLog.id, Number(after)),
      ),
    )
    .orderBy(desc(auditLog.id))
    .limit(limit + 1)
  const { items, nextCursor } = takePage(rows, limit, row => makeCursor(row.id))
  const names = await namesOf(tx, items)
  const times = await timesOf(tx, actor, items)
  return { items: items.map(row => toWire(row, names, times)), nextCursor }
}

const timeRow = z.object({
  revision: z.number(),
  ms: z.number(),
  nodeId: z.string(),
  nodeName: z.string(),
  nodes: z.number(),
})

type Times = ReadonlyMap<number, SavedToLive>

/** From saved to live on the slowest node, by the revision that a change made: of the routes that the actor may see. */
async function timesOf(tx: Tx, actor: Actor, rows: readonly Row[]): Promise<Times> {
  const revisions = [...new Set(rows.flatMap(({ revision }) => revision ?? []))]
  if (revisions.length === 0) return new Map()
  const mine = actor.projectId === null ? sql`true` : sql`h.project_id = ${actor.projectId}`
  const found = await readJson(
    tx,
    timeRow,
    sql`select distinct on (m.revision) m.revision, m.ms, m.node_id as "nodeId", n.name as "nodeName",
        count(*) over (partition by m.revision)::int as nodes
      from measured m join nodes n on n.id = m.node_id
      order by m.revision, m.ms desc, m.node_id`,
    sql`with measured as (
      select h.measured_revision as revision, h.node_id, max((h.timings_ms ->> 'savedToLive')::numeric) as ms
      from verdict_history h
      where h.measured_revision = any(${sql.param(revisions)}::bigint[]) and ${mine}
      group by 1, 2
    )`,
  )
  return new Map(found.map(({ revision, ...time }) => [revision, time]))
}

/** What the actors of these rows are called now; of sessions, which end, what they were called when they were opened. */
async function namesOf(tx: Tx, rows: readonly Row[]): Promise<ReadonlyMap<string, string>> {
  const idsOf = (kind: string): string[] => [
    ...new Set(rows.filter(row => row.actorKind === kind).map(row => row.actorId)),
  ]
  const [tokenIds, nodeIds, sessionIds] = [idsOf('token'), idsOf('node'), idsOf('session')]
  const found = [
    ...(tokenIds.length === 0
      ? []
      : await tx
          .select({ id: apiTokens.id, name: apiTokens.name })
          .from(apiTokens)
          .where(inArray(apiTokens.id, tokenIds))),
    ...(nodeIds.length === 0
      ? []
      : await tx.select({ id: nodes.id, name: nodes.name }).from(nodes).where(inArray(nodes.id, nodeIds))),
    ...(sessionIds.length === 0
      ? []
      : await tx
          .select({ id: auditLog.resourceId, name: sql<string | null>`${auditLog.after} ->> 'name'` })
          .from(auditLog)
          .where(
            and(
              eq(auditLog.resourceKind, 'session'),
              inArray(auditLog.resourceId, sessionIds),
              eq(auditLog.action, 'session.open'),
            ),
          )),
  ]
  return new Map(found.flatMap(({ id, name }) => (name === null ? [] : [[id, name] as const])))
}

const toWire = (row: Row, names: ReadonlyMap<string, string>, times: Times): AuditRow => ({
  id: row.id,
  at: row.at.toISOString(),
  actor: { kind: row.actorKind, id: row.actorId, name: names.get(row.actorId) ?? null },
  action: row.action,
  resource: { kind: row.resourceKind, id: row.resourceId },
  projectId: row.projectId,
  before: row.before ?? null,
  after: row.after ?? null,
  requestId: row.requestId,
  epoch: row.epoch,
  revision: row.revision,
  removedRoutes: row.removedRoutes,
  savedToLive: row.revision === null ? null : (times.get(row.revision) ?? null),
})

export function registerAudit(app: App, deps: ControlDeps): void {
  app.get(
    '/audit',
    {
      config: { access: 'read', problems: ['CURSOR_INVALID'] },
      schema: {
        operationId: 'listAudit',
        tags: ['audit'],
        summary: 'Who changed what, newest first',
        querystring: AuditQuery,
        response: { 200: AuditPage },
      },
    },
    request => read(deps, tx => listAudit(tx, actorOf(request), request.query)),
  )
}
