/** Writes down everything, as it is in one moment. Secrets are hashes in the database, and so they are in the file. */
import { sql } from 'drizzle-orm'
import type { Database } from '../db/client.ts'
import { LINEAGE_KEY } from '../db/lineage.ts'
import { readPosition } from '../db/revision.ts'
import type { Tx } from '../db/transaction.ts'
import { createSum, type ExportHeader, FORMAT, FORMAT_VERSION, rowLine } from './format.ts'
import { readSchemaVersion, readTables } from './tables.ts'

export type ExportFacts = { readonly exportedAt: Date; readonly version: string }

const AT_ONCE = 500

/** What the chores of one installation note of themselves, and of their server, means nothing in another. (A cursor takes no parameters.) */
const conditionOf = (table: string) =>
  table === 'settings' ? sql`key not like 'job.%' and key <> ${sql.raw(`'${LINEAGE_KEY}'`)}` : sql`true`

async function columnsOf(tx: Tx, table: string): Promise<string[]> {
  const { rows } = await tx.execute<{ name: string }>(sql`
    select column_name as name from information_schema.columns
    where table_schema = 'public' and table_name = ${table} order by ordinal_position`)
  return rows.map(({ name }) => name)
}

async function readHeader(tx: Tx, database: Database, { exportedAt, version }: ExportFacts): Promise<ExportHeader> {
  const { epoch, revision } = await readPosition(tx)
  const tables: ExportHeader['tables'] = []
  for (const name of await readTables(tx)) {
    const { rows } = await tx.execute<{ count: string }>(
      sql`select count(*) as count from ${sql.identifier(name)} where ${conditionOf(name)}`,
    )
    tables.push({ name, columns: await columnsOf(tx, name), rows: Number(rows[0]?.count ?? 0) })
  }
  return {
    format: FORMAT,
    version: FORMAT_VERSION,
    fairlead: version,
    exportedAt: exportedAt.toISOString(),
    from: database.kind,
    schema: await readSchemaVersion(tx),
    controlPlaneId: database.controlPlaneId,
    epoch,
    revision,
    tables,
  }
}

/** Hands each line to `write`, one after the other; begins anew (`restart`) when the database had to. Gives the header. */
export function exportAll(
  database: Database,
  facts: ExportFacts,
  { restart, write }: { readonly restart: () => Promise<void>; readonly write: (line: string) => Promise<void> },
): Promise<ExportHeader> {
  return database.transaction(
    async tx => {
      await restart()
      const header = await readHeader(tx, database, facts)
      const sum = createSum()
      const first = JSON.stringify(header)
      sum.add(first)
      await write(first)
      for (const { name } of header.tables) {
        await tx.execute(
          sql`declare export_rows no scroll cursor for
              select row_to_json(t)::text as row from ${sql.identifier(name)} t where ${conditionOf(name)}`,
        )
        for (;;) {
          const { rows } = await tx.execute<{ row: string }>(sql.raw(`fetch ${AT_ONCE} from export_rows`))
          for (const { row } of rows) {
            const line = rowLine(name, row)
            sum.row(line)
            await write(line)
          }
          if (rows.length < AT_ONCE) break
        }
        await tx.execute(sql`close export_rows`)
      }
      await write(sum.end())
      return header
    },
    { isolation: 'repeatable read', readOnly: true },
  )
}
