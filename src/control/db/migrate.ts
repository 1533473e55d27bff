/**
 * Brings the tables to what this version needs. It may be run again at any time, and by several processes at once: one does the work under
 * an advisory lock, the others wait and find it done. All of it is one transaction, so a process that dies in it leaves nothing half done.
 */
import { join } from 'node:path'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate as runMigrations } from 'drizzle-orm/node-postgres/migrator'
import type { Client } from 'pg'
import type { Clock } from '../../lib/clock.ts'
import { DatabaseError, toDatabaseError } from './error.ts'

export const MIGRATIONS_FOLDER = join(import.meta.dirname, 'migrations')

export type MigrateOptions = {
  readonly clock: Pick<Clock, 'sleep' | 'monotonic'>
  readonly signal: AbortSignal
  /** The id that this control plane gets if it has none yet. */
  readonly controlPlaneId: string
}

// Any number that no other program on the server takes: "fairlead" read as one number of 56 bits.
const LOCK = '7377293604775354724'
const LOCK_WAIT_MS = 60_000
const LOCK_POLL_MS = 100

/** The client must be alone on its connection, and without a limit on the time of a statement. Gives the id of the control plane. */
export async function migrate(client: Client, { clock, signal, controlPlaneId }: MigrateOptions): Promise<string> {
  const deadline = clock.monotonic() + LOCK_WAIT_MS
  try {
    while (!(await tryLock(client))) {
      if (clock.monotonic() > deadline)
        throw new DatabaseError('DATABASE_BUSY', `another process has been changing the tables for ${LOCK_WAIT_MS} ms`)
      await clock.sleep(LOCK_POLL_MS, signal)
    }
    await runMigrations(drizzle(client), { migrationsFolder: MIGRATIONS_FOLDER })
    const id = await ensureId(client, controlPlaneId)
    await client.query('select pg_advisory_unlock($1)', [LOCK])
    return id
  } catch (error) {
    const known = toDatabaseError(error)
    if (known !== null && (known.retryable || known.code === 'DATABASE_REFUSED')) throw known
    throw new DatabaseError(
      'MIGRATION_FAILED',
      `the tables could not be brought up to date: ${known?.message ?? error}`,
      {
        cause: error,
      },
    )
  }
}

async function tryLock(client: Client): Promise<boolean> {
  const { rows } = await client.query<{ locked: boolean }>('select pg_try_advisory_lock($1) as locked', [LOCK])
  return rows[0]?.locked === true
}

async function ensureId(client: Client, id: string): Promise<string> {
  await client.query(
    "insert into settings (key, value) values ('controlPlaneId', to_jsonb($1::text)) on conflict do nothing",
    [id],
  )
  const { rows } = await client.query<{ id: string }>(
    "select value #>> '{}' as id from settings where key = 'controlPlaneId'",
  )
  if (rows[0] === undefined) throw new Error('the settings have no controlPlaneId')
  return rows[0].id
}
