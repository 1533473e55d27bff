/**
 * In which history of which server the database is. A replica that is promoted and a restore to a moment begin a new one (a timeline), and a
 * dump is restored into another server: then commits may be lost, though the revision may be as high as it was, or higher.
 *
 * The last one that we knew is kept in the database itself, so it is also noticed when it happened while no control plane ran.
 */
import { sql } from 'drizzle-orm'
import type { Tx } from './transaction.ts'

/** Each as `SERVER/TIMELINE`. */
export type Lineage = {
  /** Null: nobody has noted one yet. */
  readonly known: string | null
  /** Null: this server does not say. */
  readonly current: string | null
}

/** In the settings. */
export const LINEAGE_KEY = 'lineage'

// The control file names the timeline of the last checkpoint, which may be from before the promotion; what is written now is in the right one.
// A server that recovers writes nothing, and will say when it does.
const currentLineage = sql`
  select case when pg_is_in_recovery() then null else
    (select system_identifier from pg_control_system()) || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
  end as lineage`

/** Hosted servers may keep these functions from us: then we live without. */
const readCurrent = (tx: Tx): Promise<string | null> =>
  tx
    .transaction(inner => inner.execute<{ lineage: string | null }>(currentLineage))
    .then(
      ({ rows }) => rows[0]?.lineage ?? null,
      () => null,
    )

export async function readLineage(tx: Tx): Promise<Lineage> {
  const { rows } = await tx.execute<{ lineage: string }>(
    sql`select value #>> '{}' as lineage from settings where key = ${LINEAGE_KEY}`,
  )
  return { known: rows[0]?.lineage ?? null, current: await readCurrent(tx) }
}

/** Commits may have been lost since it was noted. */
export const isOtherLineage = ({ known, current }: Lineage): boolean =>
  known !== null && current !== null && known !== current

export const isNoted = ({ known, current }: Lineage): boolean => current === null || known === current

export async function noteLineage(tx: Tx, { current }: Lineage): Promise<void> {
  if (current === null) return
  await tx.execute(sql`
    insert into settings (key, value) values (${LINEAGE_KEY}, to_jsonb(${current}::text))
    on conflict (key) do update set value = excluded.value, updated_at = now()`)
}
