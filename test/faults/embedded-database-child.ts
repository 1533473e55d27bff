/**
 * A process with an embedded database, for tests that kill it or fill its disk. What it does is its first argument, the directory its
 * second; it tells what happened in JSON lines.
 */
import { rmSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { pino } from 'pino'
import { type Database, openDatabase } from '../../src/control/db/client.ts'
import { DatabaseError } from '../../src/control/db/error.ts'
import { projects } from '../../src/control/db/schema.ts'

const [action = '', directory = ''] = process.argv.slice(2)
const tell = (fact: unknown): void => void writeSync(1, `${JSON.stringify(fact)}\n`)
const open = () => openDatabase({ url: null, directory, logger: pino({ level: 'silent' }) })
const name = (n: number): string => `project-${String(n).padStart(6, '0')}`

async function count(database: Database): Promise<{ readonly rows: number; readonly last: string | null }> {
  const { rows } = await database.transaction(
    tx =>
      tx.execute<{ rows: number; last: string | null }>(
        sql`select count(*)::int as rows, max(id) as last from projects`,
      ),
    { readOnly: true },
  )
  return rows[0] ?? { rows: 0, last: null }
}

/** Adds one project after the other until it is killed, and tells each that is safe. */
async function writeForEver(): Promise<void> {
  const database = await open()
  const found = await count(database)
  tell({ found })
  for (let n = found.rows; ; n++) {
    await database.transaction(tx => tx.insert(projects).values({ id: name(n), name: name(n) }))
    tell({ safe: n + 1 })
  }
}

/** What is there; for a test that wants a new process to look. */
async function look(): Promise<void> {
  const database = await open()
  const found = await count(database)
  // No rows but those that were written one after the other: what is there has no holes.
  tell({ found, whole: found.rows === 0 || found.last === name(found.rows - 1) })
  await database.close()
}

const codeOf = (error: unknown): string => (error instanceof DatabaseError ? error.code : String(error))

/** Something else takes the rest of the disk; what is written needs more than is left. */
async function fullDisk(): Promise<void> {
  const filler = join(directory, 'filler')
  const database = await open()
  const write = (n: number) =>
    database
      .transaction(async tx => {
        await tx.execute(
          sql`insert into settings (key, value) select ${`${n}-`} || i, to_jsonb(repeat(md5(i::text), 300)) from generate_series(1, 200) i`,
        )
      })
      .then(() => 'ok', codeOf)
  const keys = () =>
    database
      .transaction(tx => tx.execute<{ keys: number }>(sql`select count(*)::int as keys from settings`), {
        readOnly: true,
      })
      .then(({ rows }) => rows[0]?.keys ?? null, codeOf)
  const before = { written: await write(0), keys: await keys() }
  try {
    for (;;) writeFileSync(filler, Buffer.alloc(64 * 1024), { flag: 'a' })
  } catch {
    // That is what it was for.
  }
  let refused = 'ok'
  let more = 0
  for (; more < 100 && refused === 'ok'; more++) refused = await write(more + 1)
  tell({ before, refused, readable: await keys(), kept: (more - 1) * 200 + 201 })
  rmSync(filler)
  let freed = refused
  for (let tries = 0; tries < 20 && freed !== 'ok'; tries++) {
    await sleep(200)
    freed = await write(1000 + tries)
  }
  tell({ freed })
  await database.close()
}

const actions: Readonly<Record<string, () => Promise<void>>> = {
  'write-for-ever': writeForEver,
  look,
  'full-disk': fullDisk,
}
const run = actions[action]
if (run === undefined) throw new Error(`no action ${action}`)
await run().catch((error: unknown) =>
  tell({ failed: codeOf(error), message: error instanceof Error ? error.message : null }),
)
