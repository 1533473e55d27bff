/** A control plane that is killed, and a PostgreSQL that is, at each step of a change: all of it or nothing, and the retry makes it whole. */
import { randomUUID } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { sql } from 'drizzle-orm'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { hashSecret, makeApiToken } from '../../src/control/access/secret.ts'
import { createControl } from '../../src/control/control.ts'
import type { Database } from '../../src/control/db/client.ts'
import { checkPorts } from '../../src/control/ports/repair.ts'
import { atEnd } from '../support/at-end.ts'
import { controlConfig } from '../support/control-app.ts'
import { hasPostgres, openServerDatabase, SILENT, startTestPostgres } from '../support/database.ts'
import { freePort } from '../support/ports.ts'
import { type Program, startProcess } from '../support/program.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

const CHILD = fileURLToPath(new URL('control-child.ts', import.meta.url))
const PATIENCE_MS = 120_000
const TOKEN = makeApiToken()

type Reply = { readonly status: number; readonly json: unknown }

async function ask(port: number, method: string, path: string, key: string, body?: unknown): Promise<Reply> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${TOKEN}`,
      'idempotency-key': key,
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  return { status: answer.status, json: text === '' ? null : JSON.parse(text) }
}

const serviceOf = (name: string) => ({
  name,
  endpoints: [{ address: '10.200.1.5' }],
  ports: [{ port: 5432, protocol: 'tcp' }],
})

type Count = { readonly services: number; readonly ports: number; readonly claims: number; readonly audits: number }

/** How much of a service of this name there is, and how often the audit log says that the action was done to one. */
async function countOf(database: Database, name: string, action: string): Promise<Count> {
  const { rows } = await database.transaction(
    tx =>
      tx.execute<Record<keyof Count, string>>(sql`
        select (select count(*) from services where name = ${name}) as services,
          (select count(*) from service_ports p join services s on s.id = p.service_id where s.name = ${name}) as ports,
          (select count(*) from allocated_ports a join service_ports p on p.id = a.service_port_id
            join services s on s.id = p.service_id where s.name = ${name} and a.state = 'used') as claims,
          (select count(*) from audit_log where action = ${action}
            and coalesce(after ->> 'name', before ->> 'name') = ${name}) as audits`),
    { readOnly: true },
  )
  const [row] = rows
  return {
    services: Number(row?.services),
    ports: Number(row?.ports),
    claims: Number(row?.claims),
    audits: Number(row?.audits),
  }
}

const idOf = async (database: Database, name: string): Promise<string> => {
  const { rows } = await database.transaction(
    tx => tx.execute<{ id: string }>(sql`select id from services where name = ${name}`),
    { readOnly: true },
  )
  return rows[0]?.id ?? ''
}

const NONE = { services: 0, ports: 0, claims: 0, audits: 0 }
const WHOLE = { services: 1, ports: 1, claims: 1, audits: 1 }

describe.skipIf(!hasPostgres)('a change', () => {
  let postgres: Awaited<ReturnType<typeof startTestPostgres>>
  let database: Database

  beforeAll(async () => {
    postgres = await startTestPostgres()
    database = await openServerDatabase(postgres.url)
  }, PATIENCE_MS)
  afterAll(() => database.close())

  describe('of a control plane that is killed', () => {
    async function startChild(point: string) {
      const folder = await tempFolder()
      const armed = join(folder, 'armed')
      const port = await freePort('tcp')
      const argv = [process.execPath, '--disable-warning=ExperimentalWarning', CHILD]
      const launch = async (): Promise<Program> => {
        const program = startProcess([...argv, postgres.url, String(port), hashSecret(TOKEN), armed, point])
        await program.says('ready', 60_000)
        return program
      }
      return { port, launch, arm: () => writeFile(armed, ''), disarm: () => rm(armed) }
    }

    test.each([
      ['begin', NONE],
      ['statement:1', NONE],
      ['statement:4', NONE],
      ['statement:8', NONE],
      ['work', NONE],
      ['commit', WHOLE],
    ])(
      'making a service, at %s',
      async (point, left) => {
        const name = `kill-${point.replaceAll(/[^a-z0-9]/g, '-')}`
        const key = randomUUID()
        const child = await startChild(point)
        const victim = await child.launch()
        await child.arm()
        await expect(ask(child.port, 'POST', '/services', key, serviceOf(name))).rejects.toThrow()
        expect(await victim.exit).toEqual({ code: null, signal: 'SIGKILL' })
        // The server notices that its client is gone, and rolls back; whatever it has by then stays.
        await waitFor(async () => (await countOf(database, name, 'service.create')).services === left.services, {
          what: 'what is left of the change',
        })
        expect(await countOf(database, name, 'service.create')).toEqual(left)
        await child.disarm()
        const next = await child.launch()
        const again = await ask(child.port, 'POST', '/services', key, serviceOf(name))
        expect({ ...again, json: null }).toEqual({ status: 201, json: null })
        expect(await countOf(database, name, 'service.create')).toEqual(WHOLE)
        expect(await database.transaction(checkPorts)).toEqual([])
        next.child.kill('SIGKILL')
        await next.exit
      },
      PATIENCE_MS,
    )

    test.each([
      ['statement:3', WHOLE, 0],
      ['work', WHOLE, 0],
      ['commit', NONE, 1],
    ])(
      'deleting a service, at %s',
      async (point, left, audits) => {
        const name = `kill-delete-${point.replaceAll(/[^a-z0-9]/g, '-')}`
        const child = await startChild(point)
        const victim = await child.launch()
        expect((await ask(child.port, 'POST', '/services', randomUUID(), serviceOf(name))).status).toBe(201)
        const id = await idOf(database, name)
        await child.arm()
        await expect(ask(child.port, 'DELETE', `/services/${id}`, randomUUID())).rejects.toThrow()
        expect(await victim.exit).toEqual({ code: null, signal: 'SIGKILL' })
        await waitFor(async () => (await countOf(database, name, 'service.delete')).audits === audits, {
          what: 'the audit row',
        })
        expect(await countOf(database, name, 'service.delete')).toEqual({ ...left, audits })
        await child.disarm()
        const next = await child.launch()
        const again = await ask(child.port, 'DELETE', `/services/${id}`, randomUUID())
        expect(again.status).toBe(audits === 0 ? 200 : 404)
        expect(await countOf(database, name, 'service.delete')).toEqual({ ...NONE, audits: 1 })
        expect(await database.transaction(checkPorts)).toEqual([])
        next.child.kill('SIGKILL')
        await next.exit
      },
      PATIENCE_MS,
    )
  })

  describe('while PostgreSQL is restarted', () => {
    test.each(['begin', 'work', 'commit'])(
      'is answered, or refused and whole when it is sent again, at %s',
      async point => {
        let armed = false
        const reached = async (name: string): Promise<void> => {
          if (!armed || name !== point) return
          armed = false
          await postgres.restart()
        }
        const wrapDatabase = (inner: Database): Database => ({
          ...inner,
          async transaction(work, options = {}) {
            if (options.readOnly === true) return inner.transaction(work, options)
            await reached('begin')
            const result = await inner.transaction(async tx => {
              const done = await work(tx)
              await reached('work')
              return done
            }, options)
            await reached('commit')
            return result
          },
        })
        const control = createControl({
          config: {
            ...controlConfig(),
            listen: { host: '127.0.0.1', port: 0 },
            state: { directory: await tempFolder() },
            database: { url: postgres.url },
          },
          logger: SILENT,
          registry: new Registry(),
          version: '0.0.0-test',
          adminTokenHash: hashSecret(TOKEN),
          processMetrics: false,
          wrapDatabase,
        })
        atEnd(() => control.stop())
        const { port } = await control.start()
        await control.ready()
        const name = `restart-${point}`
        const key = randomUUID()
        armed = true
        const first = await ask(port, 'POST', '/services', key, serviceOf(name))
        // A connection that died under a statement, or none yet: nothing of it is there, or all of it.
        expect([201, 503]).toContain(first.status)
        const again = await waitFor(
          async () => {
            const answer = await ask(port, 'POST', '/services', key, serviceOf(name))
            return answer.status === 503 ? null : answer
          },
          { what: 'an answer', timeoutMs: 30_000 },
        )
        expect(again.status).toBe(201)
        if (first.status === 201) expect(again.json).toEqual(first.json)
        await waitFor(
          () =>
            database
              .check()
              .then(() => true)
              .catch(() => false),
          { what: 'the database' },
        )
        expect(await countOf(database, name, 'service.create')).toEqual(WHOLE)
        expect(await database.transaction(checkPorts)).toEqual([])
        await control.stop()
      },
      PATIENCE_MS,
    )
  })
})
