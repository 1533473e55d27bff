/** Somebody holds a lock on a table, as a migration by hand or a forgotten session does: reads go on, writes are told soon, nothing is left. */
import { sql } from 'drizzle-orm'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../../src/control/db/client.ts'
import { type ControlApp, controlApp } from '../support/control-app.ts'
import { hasPostgres, openServerDatabase, startTestPostgres } from '../support/database.ts'

const CLIENTS = 40

describe.skipIf(!hasPostgres)('while another session holds a lock', () => {
  let url = ''
  let database: Database
  let control: ControlApp
  beforeAll(async () => {
    url = (await startTestPostgres()).url
    database = await openServerDatabase(url, {
      limits: { poolSize: 10, lockTimeoutMs: 500 },
      gate: { maxWaiting: 1000, waitMs: 1000 },
    })
    control = await controlApp({ deps: { database } })
    await control.asAdmin('POST', '/projects', { name: 'shop' })
  }, 180_000)
  afterAll(() => control.close())

  const create = (name: string) =>
    control.asAdmin(
      'POST',
      '/services',
      { name, ports: [{ port: 5432, protocol: 'tcp' }] },
      { 'idempotency-key': name },
    )
  const facts = async () =>
    (
      await database.transaction(
        tx =>
          tx.execute(sql`select (select revision from revisions)::int as revision, (select count(*)::int from services) as services,
            (select count(*)::int from audit_log) as audited, (select count(*)::int from idempotency_keys) as answers`),
        { readOnly: true },
      )
    ).rows

  test.each(['services', 'revisions', 'audit_log'])(
    'on %s, reads go on and writes are refused',
    async table => {
      const before = await facts()
      const other = new Client(url)
      await other.connect()
      try {
        await other.query(`begin; lock table ${table} in exclusive mode`)
        const writes = Array.from({ length: CLIENTS }, (_, i) => create(`${table.replace('_', '-')}-${i}`))
        const reads = await Promise.all(
          ['/services', '/projects', '/overview', '/routes', '/pools', '/audit'].map(path =>
            control.asAdmin('GET', path),
          ),
        )
        expect(reads.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 200])
        const refused = await Promise.all(writes)
        expect(new Set(refused.map(({ status, json }) => `${status} ${json.code}`))).toEqual(
          new Set(['503 DATABASE_BUSY']),
        )
        for (const { headers } of refused) expect(headers['retry-after']).toBeDefined()
        expect(database.stats()).toMatchObject({ inside: 0, waiting: 0, writersInside: 0, writersWaiting: 0 })
        expect(await facts()).toEqual(before)
      } finally {
        await other.end()
      }
      expect((await create(`${table.replace('_', '-')}-0`)).status).toBe(201)
    },
    60_000,
  )
})
