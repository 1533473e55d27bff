/**
 * Which routes were taken away on purpose: the guard of a node never holds those.
 *
 * All of the last days, for everybody; and for a node that has been behind for longer, what it has missed. A route that is back, since it
 * was made public again, is not among them: were it lost by accident now, the guard should hold it.
 */
import { sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Tx } from '../db/transaction.ts'

export const REMOVED_DAYS = 7

const answerRow = z.object({ ids: z.array(z.string()), since: z.number() })

export type Removed = {
  readonly ids: readonly string[]
  /** Removals up to this revision may be missing among them. */
  readonly since: number
}

/** Of the last days, in the order of their ids. */
export async function readRemoved(tx: Tx): Promise<Removed> {
  const { rows } = await tx.execute(sql`
    with older as (
      select coalesce(max(revision), 0) as revision from audit_log
      where removed_routes <> '{}' and at <= now() - ${REMOVED_DAYS} * interval '1 day'
    )
    select json_build_object(
      'ids', coalesce((
        select json_agg(distinct removed.route) from audit_log, unnest(removed_routes) as removed(route)
        where removed_routes <> '{}' and revision > (select revision from older)), '[]'),
      'since', (select revision from older)
    )::text as answer`)
  return answerRow.parse(JSON.parse(z.string().parse(rows[0]?.answer)))
}

/** Those after one revision, up to another. */
export async function readRemovedBetween(tx: Tx, after: number, upTo: number): Promise<readonly string[]> {
  const { rows } = await tx.execute(sql`
    select coalesce(json_agg(distinct removed.route), '[]')::text as ids from audit_log, unnest(removed_routes) as removed(route)
    where removed_routes <> '{}' and revision > ${after} and revision <= ${upTo}`)
  return z.array(z.string()).parse(JSON.parse(z.string().parse(rows[0]?.ids)))
}
