/**
 * Puts an export into a database that is as good as new: from the embedded one to a server, back, or to another machine.
 *
 * All of it or nothing. A new epoch begins, since nobody knows what the control plane that made the export has told the nodes since; and
 * every number that nobody has rests until they have all confirmed it.
 */
import { sql } from 'drizzle-orm'
import type { Actor } from '../access/actor.ts'
import type { ControlConfig } from '../config.ts'
import type { Database } from '../db/client.ts'
import type { Tx } from '../db/transaction.ts'
import { assertNotStranded, settingsRules } from '../stranded.ts'
import { beginEpoch } from './epoch.ts'
import { type ExportHeader, ImportError, parseRowLine, verifyExport } from './format.ts'
import { readSchemaVersion, readTables } from './tables.ts'

export type ImportOptions = {
  /** The lines of the file, from its beginning, each time that it is called. */
  readonly lines: () => AsyncIterable<string>
  readonly config: Pick<ControlConfig, 'ports' | 'release'>
  readonly actor: Pick<Actor, 'kind' | 'id'>
  readonly requestId: string
}

export type Imported = {
  readonly header: ExportHeader
  readonly epoch: number
  readonly revision: number
  /** Free numbers that rest now. */
  readonly rested: number
}

const AT_ONCE = 500

/** What the first start has made by itself does no harm; what people have made would be mixed with what comes. */
const MUST_BE_EMPTY = ['projects', 'services', 'nodes', 'api_tokens', 'enrollment_tokens'] as const

async function assertEmpty(tx: Tx): Promise<void> {
  for (const table of MUST_BE_EMPTY) {
    const { rowCount } = await tx.execute(sql`select 1 from ${sql.identifier(table)} limit 1`)
    if (rowCount !== 0)
      throw new ImportError(
        `the database is in use: it has ${table.replace('_', ' ')}`,
        'Import into a new one: name another state.directory, or another database in database.url.',
      )
  }
}

/** Whoever runs on it would go on with what it has in memory. An embedded database cannot be open twice anyway. */
async function assertAlone(tx: Tx): Promise<void> {
  const { rows } = await tx.execute<{ count: string }>(sql`
    select count(*) as count from pg_stat_activity
    where application_name = 'fairlead-control' and datname = current_database() and pid <> pg_backend_pid()`)
  const count = Number(rows[0]?.count ?? 0)
  if (count > 0)
    throw new ImportError(
      `a control plane is connected to this database (${count} connections)`,
      'Stop every control plane that uses it, then import.',
    )
}

async function assertFits(tx: Tx, header: ExportHeader): Promise<void> {
  const schema = await readSchemaVersion(tx)
  if (header.schema > schema)
    throw new ImportError(
      `the export comes from a newer Fairlead (${header.fairlead}; tables ${header.schema}, here ${schema})`,
      'Import it with that version, or a newer one.',
    )
  const known = new Set(await readTables(tx))
  const unknown = header.tables.filter(({ name, rows }) => rows > 0 && !known.has(name)).map(({ name }) => name)
  if (unknown.length > 0)
    throw new ImportError(
      `the export has tables that are not known here: ${unknown.join(', ')}`,
      'Import it with the version of Fairlead that made it.',
    )
}

async function insertRows(tx: Tx, table: string, columns: readonly string[], rows: readonly string[]): Promise<void> {
  const names = sql.join(
    columns.map(column => sql.identifier(column)),
    sql`, `,
  )
  const from = sql`from json_populate_recordset(null::${sql.identifier(table)}, ${`[${rows.join(',')}]`}::json)`
  switch (table) {
    case 'revisions':
      await tx.execute(sql`
        update revisions set epoch = greatest(revisions.epoch, its.epoch), revision = its.revision,
          fetched_revision = its.fetched_revision from (select * ${from}) as its`)
      return
    case 'settings':
      await tx.execute(sql`
        insert into settings (${names}) select ${names} ${from} on conflict (key) do update set
          value = excluded.value, created_at = excluded.created_at, updated_at = excluded.updated_at`)
      return
    case 'audit_log': {
      // Behind what the first start has noted here already; the order among themselves is what their numbers are for.
      const others = sql.join(
        columns.filter(column => column !== 'id').map(column => sql.identifier(column)),
        sql`, `,
      )
      await tx.execute(sql`insert into audit_log (${others}) select ${others} ${from} order by id`)
      return
    }
    default:
      await tx.execute(sql`insert into ${sql.identifier(table)} (${names}) select ${names} ${from}`)
  }
}

/** Rows that bring their numbers along leave the counters behind. */
async function setCounters(tx: Tx, tables: readonly string[]): Promise<void> {
  const { rows } = await tx.execute<{ table: string; column: string }>(sql`
    select table_name as table, column_name as column from information_schema.columns
    where table_schema = 'public' and is_identity = 'YES'`)
  for (const { table, column } of rows)
    if (tables.includes(table))
      await tx.execute(sql`
        select setval(pg_get_serial_sequence(${table}, ${column}), greatest(max(${sql.identifier(column)}), 1))
        from ${sql.identifier(table)}`)
}

/** What triggers write of a change belongs to the change that was made long ago; its rows bring it along. The audit log keeps its guard. */
async function setTriggers(tx: Tx, on: boolean): Promise<void> {
  const { rows } = await tx.execute<{ table: string }>(sql`
    select distinct c.relname as table from pg_trigger t
    join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and not t.tgisinternal and c.relname <> 'audit_log'`)
  for (const { table } of rows)
    await tx.execute(sql`alter table ${sql.identifier(table)} ${sql.raw(on ? 'enable' : 'disable')} trigger user`)
}

async function insertAll(tx: Tx, header: ExportHeader, lines: AsyncIterable<string>): Promise<void> {
  const columns = new Map(header.tables.map(table => [table.name, table.columns]))
  let pending: { readonly table: string; readonly rows: string[] } = { table: '', rows: [] }
  const flush = async (): Promise<void> => {
    if (pending.rows.length > 0) await insertRows(tx, pending.table, columns.get(pending.table) ?? [], pending.rows)
  }
  for await (const line of lines) {
    const parsed = parseRowLine(line)
    if (parsed === null) continue
    if (parsed.table !== pending.table || pending.rows.length >= AT_ONCE) {
      await flush()
      pending = { table: parsed.table, rows: [] }
    }
    pending.rows.push(parsed.row)
  }
  await flush()
}

/** Throws an ImportError, or a StrandedPortsError when the settings lack numbers that are in use; then nothing was written. */
export async function importAll(
  database: Database,
  { lines, config, actor, requestId }: ImportOptions,
): Promise<Imported> {
  const header = await verifyExport(lines())
  return database.transaction(async tx => {
    await assertEmpty(tx)
    if (database.kind === 'server') await assertAlone(tx)
    await assertFits(tx, header)
    await setTriggers(tx, false)
    await insertAll(tx, header, lines())
    await setTriggers(tx, true)
    await setCounters(
      tx,
      header.tables.map(({ name }) => name),
    )
    await assertNotStranded(tx, config)
    const { change, rested } = await beginEpoch(tx, {
      pools: settingsRules(config),
      actor,
      requestId,
      reason: 'import',
    })
    return { header, epoch: change.epoch, revision: change.revision, rested }
  })
}
