/** Two control planes on one PostgreSQL, a hundred clients over HTTP: each gets its own, or a clean no, and nothing is lost. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Database } from '../../src/control/db/client.ts'
import { checkPorts } from '../../src/control/ports/repair.ts'
import { atEnd } from '../support/at-end.ts'
import { type ControlApp, controlApp } from '../support/control-app.ts'
import { clear, hasPostgres, openServerDatabase, startTestPostgres } from '../support/database.ts'

type Fact = {
  readonly wish: string
  readonly status: number
  readonly id?: string
  readonly port?: number
  readonly code?: string
}

describe.skipIf(!hasPostgres)('two control planes on one database', () => {
  let url = ''
  let database: Database
  let projectId = ''
  beforeAll(async () => {
    url = (await startTestPostgres()).url
    database = await openServerDatabase(url, { limits: { poolSize: 3 } })
  })
  afterAll(() => database.close())
  beforeEach(async () => {
    await clear(database)
    projectId = 'prj_1'
    await database.transaction(tx => tx.execute(sql`insert into projects (id, name) values ('prj_1', 'one')`))
  })

  /** What fifty clients of each of two processes were told. */
  async function hundred(action: string): Promise<Fact[]> {
    const told: Fact[] = []
    const ends = ['p', 'q'].map(name => {
      const child = spawn(
        process.execPath,
        [join(import.meta.dirname, 'services-child.ts'), action, url, name, '50', projectId],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      )
      atEnd(() => child.kill('SIGKILL'))
      createInterface({ input: child.stdout }).on('line', line => told.push(JSON.parse(line)))
      return once(child, 'close')
    })
    expect(await Promise.all(ends)).toEqual([
      [0, null],
      [0, null],
    ])
    return told
  }

  /** A change for each that was taken, each with its audit row, and claims that fit. */
  async function expectMade(made: readonly Fact[]): Promise<void> {
    const { rows } = await database.transaction(tx =>
      tx.execute(sql`select
        (select string_agg(id, ',' order by id) from services) as services,
        (select string_agg(resource_id, ',' order by resource_id) from audit_log where action = 'service.create') as audited`),
    )
    const ids = made
      .map(({ id }) => id)
      .sort()
      .join(',')
    expect(rows).toEqual([{ services: ids, audited: ids }])
    expect(await database.transaction(checkPorts)).toEqual([])
  }

  test('give a hundred clients the hundred lowest numbers', async () => {
    const told = await hundred('expose')
    expect(told.map(({ port }) => port ?? 0).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 100 }, (_, i) => 10_000 + i),
    )
    await expectMade(told)
  })

  test('give what many want to one of them', async () => {
    const told = await hundred('race')
    const made = told.filter(({ status }) => status === 201)
    expect(made.map(({ wish }) => wish).sort()).toEqual(['domain', 'host', 'name', 'number'])
    const codes = { number: 'PORT_TAKEN', host: 'SNI_TAKEN', domain: 'DOMAIN_TAKEN', name: 'NAME_TAKEN' }
    for (const [wish, code] of Object.entries(codes)) {
      const refused = told.filter(one => one.wish === wish && one.status !== 201)
      expect(refused.length).toBeGreaterThan(20)
      expect(refused).toEqual(refused.map(() => ({ wish, status: 409, code })))
    }
    await expectMade(made)
  })

  test('let one of two changes of a version through', async () => {
    const two: ControlApp[] = []
    for (let i = 0; i < 2; i++) {
      const own = await openServerDatabase(url, { limits: { poolSize: 3 } })
      two.push(await controlApp({ deps: { database: own } }))
    }
    const [one, other] = two
    if (one === undefined || other === undefined) throw new Error('there are not two')
    const { id, ports } = (
      await one.asAdmin('POST', '/services', { name: 'a', projectId, ports: [{ port: 1, protocol: 'tcp' }] })
    ).json
    const path = `/services/${id}/ports/${ports[0].id}`
    for (let version = 1; version <= 10; version++) {
      const replies = await Promise.all(
        [one, other].map((control, i) =>
          control.asAdmin('PATCH', path, { port: 100 * version + i }, { 'if-match': `"v${version}"` }),
        ),
      )
      expect(replies.map(({ status }) => status).sort()).toEqual([200, 412])
    }
    for (const control of two) {
      await control.close()
      await control.database.close()
    }
  })
})
