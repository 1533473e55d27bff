/** What is kept for a time only. Whatever an audit row says stays: rows of the audit log are never deleted. */
import { type SQL, sql } from 'drizzle-orm'
import type { ControlDeps } from '../deps.ts'

type Retention = {
  readonly name: string
  readonly everyMs: number
  readonly run: (deps: Pick<ControlDeps, 'database'>) => Promise<number>
}

/** Large deletes hold locks, and an embedded database, for long. */
const AT_ONCE = 1_000
const MOST_ROUNDS = 50

const MOST_HISTORY_ROWS = 500_000

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Deletes in small transactions what the condition names. */
function retain(name: string, everyMs: number, table: string, key: string, condition: SQL): Retention {
  return {
    name,
    everyMs,
    async run({ database }) {
      let deleted = 0
      for (let round = 0; round < MOST_ROUNDS; round++) {
        const { rowCount } = await database.transaction(tx =>
          tx.execute(sql`
            delete from ${sql.identifier(table)} where (${sql.raw(key)}) in (
              select ${sql.raw(key)} from ${sql.identifier(table)} where ${condition} limit ${AT_ONCE})`),
        )
        deleted += rowCount ?? 0
        if ((rowCount ?? 0) < AT_ONCE) break
      }
      return deleted
    },
  }
}

export const RETENTION: readonly Retention[] = [
  retain('forget-probes', MINUTE, 'probe_requests', 'id', sql`expires_at < now() - interval '1 minute'`),
  retain(
    'forget-answers',
    10 * MINUTE,
    'idempotency_keys',
    'owner, key',
    // An answer is said again for 24 hours.
    sql`created_at < now() - interval '25 hours'`,
  ),
  retain('forget-sessions', 10 * MINUTE, 'sessions', 'id_hash', sql`expires_at < now()`),
  retain('forget-links', HOUR, 'login_links', 'code_hash', sql`expires_at < now() - interval '1 day'`),
  retain(
    'forget-enrollments',
    HOUR,
    'enrollment_tokens',
    'id',
    sql`expires_at < now() - interval '30 days' or used_at < now() - interval '30 days'`,
  ),
  retain(
    'forget-tokens',
    HOUR,
    'api_tokens',
    'id',
    sql`expires_at < now() - interval '90 days' or revoked_at < now() - interval '90 days'`,
  ),
  retain('forget-history', HOUR, 'verdict_history', 'id', sql`recorded_at < now() - interval '30 days'`),
  // A fleet that flaps writes in an hour what a quiet one writes in a year.
  retain(
    'limit-history',
    5 * MINUTE,
    'verdict_history',
    'id',
    sql`id < (select max(id) from verdict_history) - ${MOST_HISTORY_ROWS}`,
  ),
]
