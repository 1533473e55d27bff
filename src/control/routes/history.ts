/** The verdicts of a route over time, newest first. */
import { sql } from 'drizzle-orm'
import { z } from 'zod'
import type { VerdictChange } from '../../api/route.ts'
import { routeVerdictSchema } from '../../api/verdict.ts'
import type { Actor } from '../access/actor.ts'
import type { Tx } from '../db/transaction.ts'
import { ApiError, notFound } from '../http/api-error.ts'
import { makeCursor, readCursor, takePage } from '../http/page.ts'
import { readJson } from './fleet.ts'

const changeRow = z.object({
  id: z.number(),
  nodeId: z.string(),
  nodeName: z.string(),
  verdict: routeVerdictSchema,
  reason: z.string(),
  message: z.string(),
  revision: z.number().nullable(),
  at: z.coerce.date(),
  timingsMs: z.record(z.string(), z.number()),
})

export type HistoryQuery = {
  readonly limit: number
  readonly cursor?: string | undefined
  readonly node?: string | undefined
}

/** Also of a route that was deleted, as long as something of it is kept. Throws an ApiError (404). */
export async function routeHistory(
  tx: Tx,
  actor: Actor,
  routeId: string,
  { limit, cursor, node }: HistoryQuery,
): Promise<{ items: VerdictChange[]; nextCursor: string | null }> {
  const before = readCursor(cursor)?.[0]
  if (before !== undefined && !/^\d{1,15}$/.test(before))
    throw new ApiError('CURSOR_INVALID', 'the cursor is not one that this list gave out')
  const project = actor.projectId === null ? sql`true` : sql`project_id = ${actor.projectId}`
  const { rowCount } = await tx.execute(sql`
    select 1 from service_ports p join services s on s.id = p.service_id where p.id = ${routeId} and ${project}
    union all (select 1 from verdict_history where route_id = ${routeId} and ${project} limit 1)`)
  if ((rowCount ?? 0) === 0) throw notFound('route', routeId)
  const found = await readJson(
    tx,
    changeRow,
    sql`select h.id, h.node_id as "nodeId", n.name as "nodeName", h.verdict, h.reason, h.message, h.revision, h.at,
        h.timings_ms as "timingsMs"
      from verdict_history h join nodes n on n.id = h.node_id
      where h.route_id = ${routeId} and ${actor.projectId === null ? sql`true` : sql`h.project_id = ${actor.projectId}`}
        and ${node === undefined ? sql`true` : sql`h.node_id = ${node}`}
        and ${before === undefined ? sql`true` : sql`h.id < ${Number(before)}`}
      order by h.id desc limit ${limit + 1}`,
  )
  const { items, nextCursor } = takePage(found, limit, row => makeCursor(row.id))
  return { items: items.map(row => ({ ...row, id: String(row.id), at: row.at.toISOString() })), nextCursor }
}
