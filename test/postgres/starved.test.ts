/** A server that has no room for us, in one way or another: reads go on where they can, writes are told so, and all is forgotten afterwards. */
import { Client } from 'pg'
import { afterEach, describe, expect, test } from 'vitest'
import type { Database } from '../../src/control/db/client.ts'
import { atEnd } from '../support/at-end.ts'
import { type ControlApp, controlApp, type Reply } from '../support/control-app.ts'
import { hasPostgres, openServerDatabase, startTestPostgres } from '../support/database.ts'
import { mayMount } from '../support/postgres.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

const PATIENCE_MS = 90_000
const READS = ['/services', '/projects', '/overview', '/routes', '/pools', '/audit']

let control: ControlApp | null = null
afterEach(async () => {
  await control?.close()
  control = null
})

async function startControl(url: string, options: Parameters<typeof openServerDatabase>[1] = {}): Promise<Database> {
  const database = await openServerDatabase(url, options)
  control = await controlApp({ deps: { database } })
  await ask('POST', '/projects', { name: 'shop' })
  return database
}
const ask = (method: 'GET' | 'POST', path: string, body?: unknown): Promise<Reply> => {
  if (control === null) throw new Error('there is no control plane')
  return control.asAdmin(method, path, body)
}
const create = (name: string) => ask('POST', '/services', { name, ports: [{ port: 5432, protocol: 'tcp' }] })
const statusesOf = async (asked: readonly Promise<Reply>[]): Promise<string[]> => [
  ...new Set((await Promise.all(asked)).map(({ status, json }) => `${status} ${json?.code ?? ''}`.trim())),
]

async function connect(url: string): Promise<Client> {
  const client = new Client(url)
  client.on('error', () => {})
  await client.connect()
  atEnd(() => client.end())
  return client
}

describe.skipIf(!hasPostgres)('a server without room', () => {
  test.skipIf(!mayMount())(
    'on its disk answers reads and refuses writes',
    async () => {
      const path = await tempFolder()
      const server = await startTestPostgres({ smallDisk: { path, bytes: 32 * 1024 * 1024 } })
      const admin = await connect(server.url)
      await admin.query(`create tablespace small location '${path}'`)
      await admin.query('create database small tablespace small')
      const url = server.url.replace(/\/postgres$/, '/small')
      await startControl(url)
      expect((await create('before')).status).toBe(201)

      const filler = await connect(url)
      await filler.query('create table filler (data text)')
      let rows = 4096
      // Smaller and smaller, until nothing fits any more.
      while (rows >= 1)
        await filler
          .query(`insert into filler select repeat(md5(g::text), 60) from generate_series(1, ${rows}) g`)
          .catch((error: { code?: string }) => {
            expect(error.code).toBe('53100')
            rows /= 2
          })
      // Some still fit into pages that are there.
      await waitFor(
        async () => {
          const { status, json } = await create(`s-${Math.random().toString(36).slice(2)}`)
          return status === 503 && json.code
        },
        { what: 'a write to be refused', timeoutMs: 60_000 },
      )
      expect(await statusesOf(READS.map(read => ask('GET', read)))).toEqual(['200'])

      await filler.query('drop table filler')
      expect((await create('after')).status).toBe(201)
    },
    PATIENCE_MS,
  )

  test(
    'for connections is busy, and no fault of ours',
    async () => {
      const { url } = await startTestPostgres()
      const database = await startControl(url)
      // Its own go, as they do when they were idle for long.
      const admin = await connect(url)
      const others: Client[] = []
      for (;;) {
        const next = await connect(url).catch(() => null)
        if (next === null) break
        others.push(next)
      }
      await admin.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'fairlead-control'",
      )
      await waitFor(
        async () => {
          const client = await connect(url).catch(() => null)
          if (client !== null) others.push(client)
          return client === null
        },
        { what: 'every place to be taken' },
      )
      const found = await statusesOf([...READS.map(read => ask('GET', read)), create('x')])
      expect(found).toEqual(['503 DATABASE_BUSY'])
      await Promise.all(others.map(client => client.end()))
      await waitFor(async () => (await ask('GET', '/services')).status === 200, {
        what: 'it to answer again',
        timeoutMs: 20_000,
      })
      expect(database.stats()).toMatchObject({ inside: 0, waiting: 0, writersInside: 0, writersWaiting: 0 })
    },
    PATIENCE_MS,
  )

  test(
    'for a transaction that does nothing ends it, and goes on',
    async () => {
      const { url } = await startTestPostgres()
      const database = await startControl(url, { limits: { poolSize: 2, idleInTransactionTimeoutMs: 200 } })
      const { promise: idling, resolve: go } = Promise.withResolvers<void>()
      let isIdle = false
      const stuck = database.transaction(async tx => {
        await tx.execute('select 1')
        isIdle = true
        await idling
        await tx.execute('select 1')
      })
      const admin = await connect(url)
      await waitFor(() => isIdle, { what: 'the transaction to do nothing' })
      await waitFor(
        async () =>
          (await admin.query("select 1 from pg_stat_activity where state = 'idle in transaction'")).rowCount === 0,
        { what: 'the server to end it', timeoutMs: 20_000 },
      )
      go()
      await expect(stuck).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE', retryable: true })
      expect((await create('after')).status).toBe(201)
    },
    PATIENCE_MS,
  )
})
