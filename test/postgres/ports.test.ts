/** Two control planes on one PostgreSQL, a hundred clients: nobody gets what another has, and nothing is lost. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { Client } from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Database } from '../../src/control/db/client.ts'
import { checkPorts } from '../../src/control/ports/repair.ts'
import { makeScene, rulesOf } from '../control/ports/port-scene.ts'
import { atEnd } from '../support/at-end.ts'
import { clear, hasPostgres, openServerDatabase, startTestPostgres } from '../support/database.ts'
import { waitFor } from '../support/wait-for.ts'

const span = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i)

type Fact = { readonly id?: string; readonly port?: number; readonly code?: string; readonly [fact: string]: unknown }

describe.skipIf(!hasPostgres)('two processes on one database', () => {
  let url = ''
  let database: Database
  beforeAll(async () => {
    url = (await startTestPostgres()).url
    database = await openServerDatabase(url, { limits: { poolSize: 3 } })
  })
  afterAll(() => database.close())
  beforeEach(() => clear(database))

  function start(action: 'claim' | 'churn', name: string, clients: number, range: string) {
    const child = spawn(
      process.execPath,
      [join(import.meta.dirname, 'ports-child.ts'), action, url, name, String(clients), range],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    atEnd(() => child.kill('SIGKILL'))
    const facts: Fact[] = []
    createInterface({ input: child.stdout }).on('line', line => facts.push(JSON.parse(line)))
    return { facts, ended: once(child, 'close'), kill: () => child.kill('SIGKILL') }
  }

  /** What two processes with fifty clients each were told. */
  async function hundred(range: string): Promise<Fact[]> {
    const two = ['p', 'q'].map(name => start('claim', name, 50, range))
    expect(await Promise.all(two.map(({ ended }) => ended))).toEqual([
      [0, null],
      [0, null],
    ])
    return two.flatMap(({ facts }) => facts.filter(({ id }) => id !== undefined))
  }

  const portsOf = (facts: readonly Fact[]): number[] => facts.flatMap(({ port }) => port ?? []).sort((a, b) => a - b)

  test('a hundred clients get the hundred lowest numbers, each its own', async () => {
    const facts = await hundred('10000-10149')
    expect(facts.length).toBe(100)
    expect(portsOf(facts)).toEqual(span(10_000, 10_099))
    const { rows } = await database.transaction(tx =>
      tx.execute(sql`select id, external_port as port from service_ports order by external_port`),
    )
    expect(rows).toEqual(facts.map(({ id, port }) => ({ id, port })).sort((a, b) => (a.port ?? 0) - (b.port ?? 0)))
    expect(await database.transaction(checkPorts)).toEqual([])
  })

  test('a pool too small gives all it has, and a clean no to the rest', async () => {
    const facts = await hundred('10000-10059')
    expect(portsOf(facts)).toEqual(span(10_000, 10_059))
    const refused = facts.filter(({ code }) => code !== undefined)
    expect(refused.length).toBe(40)
    expect(refused.map(({ id: _, ...told }) => told)).toEqual(
      refused.map(() => ({
        code: 'POOL_EXHAUSTED',
        counts: { total: 60, free: 0, used: 60, resting: 0, reserved: 0, shared: 0, undeclared: 0 },
      })),
    )
  })

  test('a claim that meets a writer without the lock takes the next number', async () => {
    const client = new Client({ connectionString: url })
    await client.connect()
    await client.query(
      `begin; insert into allocated_ports (id, protocol, port, state) values ('x', 'tcp', 10000, 'reserved')`,
    )
    const claim = makeScene(database).claim('a')
    const blocked = sql`select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%insert into allocated_ports%'`
    await waitFor(
      async () => (await database.transaction(tx => tx.execute(blocked), { readOnly: true })).rows.length > 0,
      {
        what: 'the claim to wait for the other writer',
      },
    )
    await client.query('commit')
    await client.end()
    expect(await claim).toEqual({ ok: true, first: 10_001, last: 10_001 })
  })

  test('clients that come and go while a process is killed lose no number', async () => {
    const two = ['p', 'q'].map(name => start('churn', name, 12, '10000-10009'))
    await waitFor(() => two.every(({ facts }) => facts.some(({ released }) => released !== undefined)), {
      what: 'both to have released something',
    })
    for (const { kill, ended } of two) {
      await sleep(Math.random() * 500)
      kill()
      await ended
    }
    expect(await database.transaction(checkPorts)).toEqual([])
    // What a killed process had claimed and not released is claimed to this day; all that it had released is free.
    const { rows } = await database.transaction(tx =>
      tx.execute<{ id: string }>(sql`select service_port_id as id from allocated_ports order by id`),
    )
    const held = rows.map(({ id }) => id)
    const released = new Set(two.flatMap(({ facts }) => facts.map(({ released }) => released)))
    expect(held.filter(id => released.has(id))).toEqual([])
    const scene = makeScene(database, rulesOf({ tcp: { range: span(10_000, 10_009), shared: [] } }))
    for (const id of held) await scene.release(id)
    expect(await scene.claim('all', { count: 10 })).toEqual({ ok: true, first: 10_000, last: 10_009 })
  })
})
