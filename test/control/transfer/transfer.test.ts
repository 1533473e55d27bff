/** Export and import, between both kinds of database. */
import { readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SYSTEM_ADMIN } from '../../../src/control/access/actor.ts'
import type { Database } from '../../../src/control/db/client.ts'
import { readPosition } from '../../../src/control/db/revision.ts'
import { checkPorts } from '../../../src/control/ports/repair.ts'
import { readRoutes } from '../../../src/control/services/routes.ts'
import { StrandedPortsError } from '../../../src/control/stranded.ts'
import { exportAll } from '../../../src/control/transfer/export.ts'
import { exportPath, exportToFile, removeOldExports } from '../../../src/control/transfer/file.ts'
import { ImportError, parseRowLine, verifyExport } from '../../../src/control/transfer/format.ts'
import { importAll } from '../../../src/control/transfer/import.ts'
import { inOrder, LEFT_OUT, readTables } from '../../../src/control/transfer/tables.ts'
import { type ControlApp, controlApp, controlConfig } from '../../support/control-app.ts'
import { makeFleet } from '../../support/control-fleet.ts'
import { hasPostgres, openMemoryDatabase, openServerDatabase, startTestPostgres } from '../../support/database.ts'
import { tempFolder } from '../../support/temp-folder.ts'

const SETTINGS = 'ports: { shared: 5432 }'
const PATIENCE_MS = 60_000

async function* of(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines
}

async function exported(database: Database): Promise<string[]> {
  let lines: string[] = []
  await exportAll(
    database,
    { exportedAt: new Date('2026-11-23T00:00:00Z'), version: '0.1.0' },
    {
      restart: async () => {
        lines = []
      },
      write: async line => void lines.push(line),
    },
  )
  return lines
}

const imported = (database: Database, lines: readonly string[], settings: string = SETTINGS) =>
  importAll(database, {
    lines: () => of(lines),
    config: controlConfig(settings),
    actor: SYSTEM_ADMIN,
    requestId: 'req_import',
  })

const query = async (database: Database, statement: ReturnType<typeof sql>) =>
  database.transaction(async tx => (await tx.execute(statement)).rows, { readOnly: true })

/** Without what an import changes on purpose. */
const rowsOf = (lines: readonly string[]): string[] =>
  lines
    .slice(1, -1)
    .filter(line => !['revisions', 'audit_log'].includes(parseRowLine(line)?.table ?? ''))
    .filter(line => !line.includes('"state":"resting"'))
    .sort()

let control: ControlApp
let lines: string[]

beforeAll(async () => {
  control = await controlApp({ settings: SETTINGS })
  const { asAdmin } = control
  const make = (body: unknown) => asAdmin('POST', '/services', body)
  const endpoints = [{ address: '10.200.1.5' }]
  await asAdmin('POST', '/projects', { name: 'shop' })
  await make({ name: 'pg', endpoints, ports: [{ port: 5432, protocol: 'tcp', allowCidrs: ['10.0.0.0/8'] }] })
  const sni = { port: 5432, protocol: 'tcp', sniHostname: 'db.example.com', shared: 5432 }
  await make({ name: 'shared', endpoints, ports: [sni] })
  await make({ name: 'web', endpoints, ports: [{ port: 80, protocol: 'http', domain: 'app.example.com' }] })
  // Signs that readers of lines, of JSON and of SQL like to stumble over.
  await asAdmin('POST', '/tokens', { name: 'a\u2028b "c" \\n \'d\' \u{1f600}', scopes: ['read'] })
  await asAdmin('POST', '/enrollment-tokens', { nodeName: 'proxy-1' })
  await asAdmin('POST', '/login-links')
  // A probe that was asked for and answered a moment ago.
  await makeFleet(control.database).node('srv_1')
  await control.database.transaction(async tx => {
    await tx.execute(sql`
      insert into probe_requests (id, route_id, expires_at)
      select 'req_probe', id, now() + interval '30 seconds' from service_ports limit 1`)
    await tx.execute(sql`
      insert into probe_answers (request_id, node_id, ok, detail) values ('req_probe', 'srv_1', true, 'connected')`)
  })
  lines = await exported(control.database)
}, PATIENCE_MS)
afterAll(() => control.close(), PATIENCE_MS)

describe('an export', () => {
  test('has every table but those of the moment', async () => {
    const all = await query(control.database, sql`select tablename as name from pg_tables where schemaname = 'public'`)
    const header = await verifyExport(of(lines))
    expect([...header.tables.map(({ name }) => name), ...LEFT_OUT].sort()).toEqual(
      all.map(({ name }) => String(name)).sort(),
    )
    expect(header).toMatchObject({
      ...{ format: 'fairlead-export', version: 1, from: 'embedded', epoch: 1, revision: 3 },
      controlPlaneId: control.database.controlPlaneId,
    })
  })

  test('holds hashes where there are secrets', async () => {
    const text = lines.join('\n')
    expect(text).toContain('"token_hash":"')
    for (const secret of [/flt_/, /fle_/, /fll_/]) expect(text).not.toMatch(secret)
  })

  test('says the same of the same', async () => {
    expect(await exported(control.database)).toEqual(lines)
  })

  test.each([
    ['nothing', () => [], 'the file is empty'],
    ['another file', () => ['hello'], 'this is no export of a control plane'],
    ['another document', () => ['{}'], 'this is no export of a control plane'],
    [
      'a newer format',
      (all: readonly string[]) => [(all[0] ?? '').replace('"version":1', '"version":2'), ...all.slice(1)],
      'the export has format 2, and this program reads 1',
    ],
    ['a beginning', (all: readonly string[]) => all.slice(0, 5), 'the export is not whole: its end is missing'],
    [
      'one without a row',
      (all: readonly string[]) => all.toSpliced(3, 1),
      'the export was changed or damaged: its checksum does not fit',
    ],
    [
      'a changed row',
      (all: readonly string[]) => all.map(line => line.replace('10.200.1.5', '10.200.1.6')),
      'the export was changed or damaged: its checksum does not fit',
    ],
    ['one with more behind it', (all: readonly string[]) => [...all, '{}'], 'the export goes on behind its end'],
  ])('%s is none', async (_what, change, message) => {
    await expect(verifyExport(of(change(lines)))).rejects.toEqual(new ImportError(message, expect.anything()))
  })
})

describe('the order of tables', () => {
  test('puts each behind what it refers to', () => {
    const references = [
      { child: 'a', parent: 'c' },
      { child: 'c', parent: 'b' },
      { child: 'b', parent: 'b' },
      { child: 'd', parent: 'elsewhere' },
    ]
    expect(inOrder(['a', 'b', 'c', 'd'], references)).toEqual(['b', 'c', 'a', 'd'])
  })

  test('does not go in a circle', () => {
    const references = [
      { child: 'a', parent: 'b' },
      { child: 'b', parent: 'a' },
    ]
    expect(() => inOrder(['a', 'b'], references)).toThrow('tables refer to each other in a circle: a -> b -> a')
  })
})

async function otherDatabase(kind: 'embedded' | 'server'): Promise<Database> {
  return kind === 'embedded' ? openMemoryDatabase() : openServerDatabase((await startTestPostgres()).url)
}

for (const kind of ['embedded', 'server'] as const)
  describe.skipIf(kind === 'server' && !hasPostgres)(`an import (${kind})`, () => {
    let database: Database
    beforeAll(async () => {
      database = await otherDatabase(kind)
    }, PATIENCE_MS)
    afterAll(() => database.close(), PATIENCE_MS)

    test('is refused where numbers in use would be in no pool, and nothing is written', async () => {
      await expect(imported(database, lines, 'ports: { tcp: 20000-20009 }')).rejects.toEqual(
        new StrandedPortsError(['TCP 5432, 10000']),
      )
      expect(await query(database, sql`select id from projects`)).toEqual([])
    })

    test(
      'brings everything over, in a new epoch',
      async () => {
        const result = await imported(database, lines)
        // Of 100 TCP numbers one is in use, and the shared one is outside.
        expect(result).toMatchObject({ epoch: 2, revision: 4, rested: 99 + 100 })
        expect(await database.transaction(readPosition)).toEqual({ epoch: 2, revision: 4, fetchedRevision: 3 })
        const there = await exported(database)
        expect(rowsOf(there)).toEqual(rowsOf(lines))
        expect(await database.transaction(readRoutes)).toEqual(await control.database.transaction(readRoutes))
        expect(await database.transaction(checkPorts)).toEqual([])
        expect(await query(database, sql`select value from settings where key = 'controlPlaneId'`)).toEqual([
          { value: control.database.controlPlaneId },
        ])
        const audit = await query(database, sql`select action, epoch from audit_log order by id`)
        const before = await query(control.database, sql`select action, epoch from audit_log order by id`)
        expect(audit).toEqual([...before, { action: 'control.raise-epoch', epoch: 2 }])
      },
      PATIENCE_MS,
    )

    test('leaves no number that the next row would stumble over', async () => {
      const [row] = await query(database, sql`select max(id) as id from audit_log`)
      await database.transaction(tx =>
        tx.execute(sql`insert into audit_log (actor_kind, actor_id, action, resource_kind, resource_id)
          values ('system', 'test', 'x', 'x', 'x')`),
      )
      const [next] = await query(database, sql`select max(id) as id from audit_log`)
      expect(Number(next?.id)).toBe(Number(row?.id) + 1)
    })

    test('goes into no database that is in use', async () => {
      await expect(imported(database, lines)).rejects.toEqual(
        new ImportError('the database is in use: it has projects', expect.anything()),
      )
    })
  })

test.skipIf(!hasPostgres)(
  'a control plane that is connected keeps imports out',
  async () => {
    const { url } = await startTestPostgres()
    const running = await openServerDatabase(url)
    const database = await openServerDatabase(url)
    try {
      await running.check()
      await expect(imported(database, lines)).rejects.toEqual(
        new ImportError('a control plane is connected to this database (1 connections)', expect.anything()),
      )
      await running.close()
      expect((await imported(database, lines)).epoch).toBe(2)
    } finally {
      await database.close()
    }
  },
  PATIENCE_MS,
)

test('a new epoch is begun once for each key', async () => {
  const raise = (key: string) => control.asAdmin('POST', '/epoch', undefined, { 'idempotency-key': key })
  const { epoch } = await control.database.transaction(readPosition)
  const told = [await raise('one'), await raise('one'), await raise('two')]
  expect(told.map(({ status, json }) => [status, json.epoch])).toEqual([
    [201, epoch + 1],
    [201, epoch + 1],
    [201, epoch + 2],
  ])
  const audited = await query(
    control.database,
    sql`
    select epoch, after ->> 'reason' as reason from audit_log where action = 'control.raise-epoch' order by id`,
  )
  expect(audited).toEqual([
    { epoch: epoch + 1, reason: 'restore' },
    { epoch: epoch + 2, reason: 'restore' },
  ])
})

test('a disk that is full fails the export, and nothing else', async () => {
  const folder = await tempFolder()
  const path = exportPath(folder)
  await symlink('/dev/full', path)
  await expect(exportToFile(control.deps, '0.1.0', path)).rejects.toMatchObject({ code: 'ENOSPC' })
  expect(await readdir(folder)).toEqual([])
})

test('what a killed process left of an export is taken away', async () => {
  const folder = await tempFolder()
  await exportToFile(control.deps, '0.1.0', exportPath(folder))
  await writeFile(join(folder, 'other'), '')
  expect((await readdir(folder)).length).toBe(2)
  await removeOldExports(folder)
  expect(await readdir(folder)).toEqual(['other'])
})

test('what people have made are tables that an import looks at', async () => {
  expect(await control.database.transaction(readTables)).toEqual(
    expect.arrayContaining(['projects', 'services', 'nodes', 'api_tokens', 'enrollment_tokens', 'audit_log']),
  )
})
