/** What only a server can show: others at work on the same rows, and a connection that is lost. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { Client } from 'pg'
import { beforeEach, describe, expect, test } from 'vitest'
import { type Database, openDatabase } from '../../src/control/db/client.ts'
import { projects } from '../../src/control/db/schema.ts'
import type { Tx } from '../../src/control/db/transaction.ts'
import { atEnd } from '../support/at-end.ts'
import { commitCutter } from '../support/commit-cutter.ts'
import { hasPostgres, openServerDatabase, SILENT, startTestPostgres } from '../support/database.ts'
import { freePort } from '../support/ports.ts'
import { waitFor } from '../support/wait-for.ts'

const JOURNAL = new URL('../../src/control/db/migrations/meta/_journal.json', import.meta.url)

const server = hasPostgres ? await startTestPostgres() : null
let databases = 0

/** The URL of a new, empty database on the server of this file. */
async function newUrl(): Promise<string> {
  if (server === null) throw new Error('there is no server')
  const name = `test${++databases}`
  await admin(`create database ${name}`)
  return server.url.replace(/\/postgres$/, `/${name}`)
}

async function admin(statement: string, url = server?.url): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query(statement)).rows
  } finally {
    await client.end()
  }
}

async function open(url: string, options: Parameters<typeof openServerDatabase>[1] = {}): Promise<Database> {
  const database = await openServerDatabase(url, options)
  atEnd(() => database.close())
  return database
}

/** A client of its own that holds a lock on the table until it is let go. */
async function lockTable(url: string): Promise<() => Promise<void>> {
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.query('begin; lock table projects')
  let ended = false
  const release = async (): Promise<void> => {
    if (!ended) await client.end()
    ended = true
  }
  atEnd(release)
  return release
}

const quota = (tx: Tx) => tx.select({ id: projects.id, quota: projects.portQuota }).from(projects)

describe.skipIf(!hasPostgres)('a database on a server', () => {
  let url = ''
  beforeEach(async () => {
    url = await newUrl()
  })

  test('writers that collide are all done in the end', async () => {
    const database = await open(url)
    await database.transaction(tx => tx.insert(projects).values({ id: 'p', name: 'p', portQuota: 0 }))
    let attempts = 0
    let reads = 0
    const raise = () =>
      database.transaction(
        async tx => {
          attempts++
          const [row] = await quota(tx)
          reads++
          await waitFor(() => reads >= 2, { what: 'another to have read the same' })
          await tx.update(projects).set({ portQuota: (row?.quota ?? 0) + 1 })
        },
        { isolation: 'serializable' },
      )
    await Promise.all(Array.from({ length: 6 }, raise))
    expect(await database.transaction(quota)).toEqual([{ id: 'p', quota: 6 }])
    expect(attempts).toBeGreaterThan(6)
  })

  test('two that wait for each other are both done in the end', async () => {
    const database = await open(url)
    await database.transaction(tx =>
      tx.insert(projects).values([
        { id: 'a', name: 'a' },
        { id: 'b', name: 'b' },
      ]),
    )
    let attempts = 0
    const inOrder = (...ids: readonly string[]) =>
      database.transaction(async tx => {
        attempts++
        for (const id of ids) {
          await tx.execute(sql`update projects set version = version + 1 where id = ${id}`)
          // Time for the other to lock its first row. If it takes longer, they do not meet, and the test still holds.
          if (attempts <= 2) await sleep(200)
        }
      })
    await Promise.all([inOrder('a', 'b'), inOrder('b', 'a')])
    const { rows } = await database.transaction(tx => tx.execute(sql`select id, version from projects order by id`))
    expect(rows).toEqual([
      { id: 'a', version: 3 },
      { id: 'b', version: 3 },
    ])
  })

  test('who waits for a lock is told so in time, and readers go on', async () => {
    const database = await open(url, { limits: { poolSize: 5, lockTimeoutMs: 500 }, gate: { waitMs: 5000 } })
    const release = await lockTable(url)
    const write = () => database.transaction(tx => tx.insert(projects).values({ id: 'p', name: 'p' }))
    const writes = Array.from({ length: 6 }, () => write().catch((error: unknown) => error))
    await waitFor(() => database.stats().writersWaiting > 0, { what: 'writers to queue' })
    expect(await database.transaction(tx => tx.execute(sql`select 1 as one`), { readOnly: true })).toMatchObject({
      rows: [{ one: 1 }],
    })
    expect(await Promise.all(writes)).toEqual(
      writes.map(() => expect.objectContaining({ code: 'DATABASE_BUSY', sqlState: '55P03', retryable: true })),
    )
    await release()
    expect(await write()).toBeDefined()
  })

  test('a statement that takes too long is ended', async () => {
    const database = await open(url, { limits: { poolSize: 2, statementTimeoutMs: 200 } })
    await expect(database.transaction(tx => tx.execute(sql`select pg_sleep(30)`))).rejects.toMatchObject({
      code: 'DATABASE_BUSY',
      sqlState: '57014',
    })
    expect(await database.check()).toBeUndefined()
  })

  test('a connection that is cut costs its transaction, not the next', async () => {
    const database = await open(url)
    const cut = sql`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fairlead-control' and pid <> pg_backend_pid()`
    const running = database.transaction(async tx => {
      await tx.insert(projects).values({ id: 'p', name: 'p' })
      await tx.execute(sql`select pg_sleep(30)`)
    })
    const outcome = expect(running).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE', retryable: true })
    await waitFor(
      async () =>
        (await admin(`select 1 from pg_stat_activity where query like '%pg_sleep(30)%' and pid <> pg_backend_pid()`))
          .length > 0,
      {
        what: 'the statement to run',
      },
    )
    await database.transaction(tx => tx.execute(cut), { readOnly: true })
    await outcome
    expect(await database.transaction(quota)).toEqual([])
  })

  test('a listener whose connection is cut hears again, and knows of the gap', async () => {
    const database = await open(url)
    const heard: string[] = []
    let gaps = 0
    const listening = database.listen({
      onMessage: payload => heard.push(payload),
      onGap: () => {
        gaps++
      },
    })
    await waitFor(() => gaps === 1, { what: 'listening to begin' })
    await admin(`select pg_terminate_backend(pid) from pg_stat_activity where query like 'listen %'`)
    await waitFor(() => gaps === 2, { what: 'listening to begin anew' })
    await database.transaction(tx => tx.execute(sql`select pg_notify('fairlead_changes', 'again')`))
    await waitFor(() => heard.length > 0, { what: 'the notification' })
    expect({ heard, connected: listening.isConnected() }).toEqual({ heard: ['again'], connected: true })
    await listening.stop()
    expect(listening.isConnected()).toBe(false)
  })

  test('a commit whose answer is lost is said to be unknown', async () => {
    const proxy = await commitCutter(url)
    const database = await open(proxy.url)
    proxy.arm()
    await expect(database.transaction(tx => tx.insert(projects).values({ id: 'p', name: 'p' }))).rejects.toMatchObject({
      code: 'COMMIT_OUTCOME_UNKNOWN',
      retryable: false,
    })
    // The server had it; nobody but the database could say so.
    expect(await database.transaction(quota)).toEqual([{ id: 'p', quota: null }])
  })

  test('many processes that make the tables at once all find them', async () => {
    const ids = await Promise.all(Array.from({ length: 3 }, () => opened(url)))
    expect(ids).toEqual([ids[0], ids[0], ids[0]])
    expect(ids[0]).toMatch(/^cp_/)
    const { entries } = JSON.parse(readFileSync(JOURNAL, 'utf8'))
    expect(await admin('select count(*)::int as count from drizzle.__drizzle_migrations', url)).toEqual([
      { count: entries.length },
    ])
  })

  test('a process killed while it makes the tables leaves no half of them', async () => {
    const count = `select count(*)::int as count from pg_tables where schemaname = 'public'`
    const found: unknown[] = []
    for (const delayMs of [250, 350, 450]) {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'migrate-child.ts'), url], { stdio: 'ignore' })
      atEnd(() => child.kill('SIGKILL'))
      await Promise.race([sleep(delayMs), once(child, 'close')])
      child.kill('SIGKILL')
      found.push(await admin(count, url))
    }
    expect(await opened(url)).toMatch(/^cp_/)
    const all = await admin(count, url)
    expect(all).not.toEqual([{ count: 0 }])
    for (const tables of found) expect([[{ count: 0 }], all]).toContainEqual(tables)
  })
})

describe('an address', () => {
  const opening = (url: string) => openDatabase({ url, directory: '/nonexistent', logger: SILENT })

  test('where nothing listens is unreachable, and may be tried again', async () => {
    const port = await freePort('tcp')
    await expect(opening(`postgres://u:secret@127.0.0.1:${port}/d`)).rejects.toMatchObject({
      code: 'DATABASE_UNREACHABLE',
      retryable: true,
      message: 'the database cannot be reached: ECONNREFUSED',
    })
  })

  test.each([['mysql://u:secret@h/d'], ['not a url: secret'], ['postgres://u:secret@h:99999999/d']])(
    'like %j is refused without being repeated',
    async url => {
      const error = await opening(url).catch((thrown: unknown) => thrown)
      expect(error).toMatchObject({ code: 'DATABASE_REFUSED', retryable: false })
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('secret')
    },
  )

  test.skipIf(!hasPostgres)('of a database that is not there is refused', async () => {
    await expect(opening(`${server?.url}_no`)).rejects.toMatchObject({
      code: 'DATABASE_REFUSED',
      sqlState: '3D000',
      retryable: false,
    })
  })
})

/** What a process says that opens the database. */
async function opened(url: string): Promise<string> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'migrate-child.ts'), url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', chunk => {
    text += chunk
  })
  const [code] = await once(child, 'close')
  expect(code).toBe(0)
  return text
}
