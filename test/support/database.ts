/**
 * A database for tests, empty at the beginning of each: the embedded one in memory, and a real PostgreSQL.
 *
 *   onEachDatabase('claims', use => { test('...', async () => { await use().transaction(...) }) })
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { sql } from 'drizzle-orm'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe } from 'vitest'
import { createDatabase, type Database, type OpenDatabaseOptions, openDatabase } from '../../src/control/db/client.ts'
import { openEmbedded } from '../../src/control/db/embedded.ts'
import { MIGRATIONS_FOLDER } from '../../src/control/db/migrate.ts'
import { createAuthority } from './authority.ts'
import { part } from './parts.ts'
import { type StartPostgresOptions, startPostgres, type TestPostgres } from './postgres.ts'

export const SILENT = pino({ level: 'silent' })

const CACHE = join(import.meta.dirname, '..', '..', 'node_modules', '.cache', 'fairlead')

/** Names the image of an embedded database with all tables: another migration, another image. */
function imageKey(): string {
  const hash = createHash('sha256')
  hash.update(readFileSync(join(import.meta.dirname, '..', '..', 'node_modules/@electric-sql/pglite/package.json')))
  for (const name of readdirSync(MIGRATIONS_FOLDER, { recursive: true, encoding: 'utf8' }).sort())
    if (name.endsWith('.sql')) hash.update(readFileSync(join(MIGRATIONS_FOLDER, name)))
  return hash.digest('hex').slice(0, 16)
}

const inMemory = (pglite: PGlite) =>
  openEmbedded({ start: async () => ({ pglite, abandon: () => {} }), logger: SILENT })

/** An embedded database with all tables in memory. The first ever takes seconds to make, any other is loaded from its image. */
export async function openMemoryDatabase(): Promise<Database> {
  const file = join(CACHE, `database-${imageKey()}.tar`)
  if (existsSync(file)) {
    const image = new Blob([await readFile(file)])
    return createDatabase({ connections: await inMemory(await PGlite.create({ loadDataDir: image })) })
  }
  const pglite = await PGlite.create()
  const database = await createDatabase({ connections: await inMemory(pglite) })
  const image = await pglite.dumpDataDir('none')
  await mkdir(CACHE, { recursive: true })
  // Other test files do the same meanwhile: each writes its own, the last one stays.
  const own = `${file}.${process.pid}`
  await writeFile(own, new Uint8Array(await image.arrayBuffer()))
  await rename(own, file)
  return database
}

export const hasPostgres = part('postgres') && part('openssl')

/** A PostgreSQL for this test or file. */
export async function startTestPostgres(
  options: Pick<StartPostgresOptions, 'smallDisk'> = {},
): Promise<TestPostgres & { readonly url: string }> {
  const certificate = await (await createAuthority('database')).issue({ altName: 'IP:127.0.0.1' })
  const server = await startPostgres({ name: 'control', certificate, ...options })
  return { ...server, url: `postgres://postgres@${server.address}/postgres` }
}

export const openServerDatabase = (url: string, options: Partial<OpenDatabaseOptions> = {}): Promise<Database> =>
  openDatabase({ url, directory: '/nonexistent', logger: SILENT, limits: { poolSize: 6 }, ...options })

/** Takes everything out of it but its id. */
export async function clear(database: Database): Promise<void> {
  await database.transaction(async tx => {
    const { rows } = await tx.execute<{ statements: string }>(sql`
      select string_agg(format('delete from %I', tablename), '; ') as statements from pg_tables
      where schemaname = 'public' and tablename <> 'settings'`)
    // Twenty times as fast as truncate. A replica asks for no references, and its triggers keep nothing from being deleted.
    await tx.execute(`set local session_replication_role = replica; ${rows[0]?.statements}`)
    await tx.execute(`insert into revisions default values; select setval('audit_log_id_seq', 1, false)`)
  })
}

/** The same tests on both kinds of database. */
export function onEachDatabase(title: string, define: (use: () => Database) => void): void {
  for (const kind of ['embedded', 'server'] as const) {
    describe.skipIf(kind === 'server' && !hasPostgres)(`${title} (${kind})`, () => {
      let database: Database | null = null
      const use = (): Database => {
        if (database === null) throw new Error('the database is not open yet')
        return database
      }
      beforeAll(async () => {
        database =
          kind === 'embedded' ? await openMemoryDatabase() : await openServerDatabase((await startTestPostgres()).url)
      }, 60_000)
      afterAll(() => database?.close(), 60_000)
      beforeEach(() => clear(use()))
      define(use)
    })
  }
}
