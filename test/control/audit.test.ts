import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { AuditRow } from '../../src/api/audit.ts'
import { SYSTEM_ADMIN } from '../../src/control/access/actor.ts'
import { type AuditEntry, writeAudit } from '../../src/control/audit.ts'
import type { Position } from '../../src/control/db/revision.ts'
import { type ControlApp, controlApp } from '../support/control-app.ts'
import { makeFleet, told } from '../support/control-fleet.ts'
import { clear } from '../support/database.ts'

let control: ControlApp
beforeAll(async () => {
  control = await controlApp()
}, 60_000)
afterAll(() => control.close())
beforeEach(() => clear(control.database))

const entry = (fields: Partial<AuditEntry> = {}): AuditEntry => ({
  action: 'service.create',
  resourceKind: 'service',
  resourceId: 'svc_1',
  ...fields,
})
const write = (fields: Partial<AuditEntry> = {}) =>
  control.database.transaction(tx =>
    writeAudit(tx, entry(fields), { actor: SYSTEM_ADMIN, requestId: 'req_1', position: null }),
  )
const ids = async (query = '', ask = control.asAdmin): Promise<number[]> =>
  (await ask('GET', `/audit${query}`)).json.items.map(({ id }: { id: number }) => id)

test('a row tells who did what to which', async () => {
  await control.database.transaction(tx =>
    writeAudit(
      tx,
      entry({ projectId: 'prj_1', before: { name: 'a' }, after: { name: 'b' }, removedRoutes: ['prt_1'] }),
      {
        actor: SYSTEM_ADMIN,
        requestId: 'req_1',
        position: { epoch: 2, revision: 7 },
      },
    ),
  )
  expect((await control.asAdmin('GET', '/audit')).json).toEqual({
    items: [
      {
        id: 1,
        at: expect.any(String),
        actor: { kind: 'system', id: 'admin', name: null },
        action: 'service.create',
        resource: { kind: 'service', id: 'svc_1' },
        projectId: 'prj_1',
        before: { name: 'a' },
        after: { name: 'b' },
        requestId: 'req_1',
        epoch: 2,
        revision: 7,
        removedRoutes: ['prt_1'],
        savedToLive: null,
      },
    ],
    nextCursor: null,
  })
})

test('rows can be asked for by what they are about', async () => {
  await write({ projectId: 'prj_1' })
  await write({ action: 'service.delete', resourceId: 'svc_2' })
  await write({ action: 'node.retire', resourceKind: 'node', resourceId: 'srv_1' })
  await write({ action: 'service%', resourceId: 'x' })
  expect(await ids()).toEqual([4, 3, 2, 1])
  expect(await ids('?projectId=prj_1')).toEqual([1])
  expect(await ids('?action=service.delete')).toEqual([2])
  expect(await ids('?action=service.*')).toEqual([2, 1])
  expect(await ids('?action=%25.*')).toEqual([])
  expect(await ids('?resourceKind=node&resourceId=srv_1')).toEqual([3])
  expect(await ids('?actorId=admin&resourceKind=node')).toEqual([3])
  expect(await ids('?actorId=somebody')).toEqual([])
  await control.database.transaction(tx =>
    tx.execute(
      sql`set local session_replication_role = replica; update audit_log set at = '2026-01-01T00:00:00Z' where id = 2`,
    ),
  )
  expect(await ids('?until=2026-01-01T00:00:00.001Z')).toEqual([2])
  expect(await ids('?since=2026-01-02T00:00:00%2B01:00')).toEqual([4, 3, 1])
  expect((await control.asAdmin('GET', '/audit?since=yesterday')).status).toBe(400)
})

test('an actor of one project sees the rows of it', async () => {
  const shop = await control.project('shop')
  await write({ projectId: shop })
  await write({ projectId: 'prj_other' })
  await write()
  const ask = control.as(await control.tokenFor({ scopes: ['read'], projectId: shop }))
  expect(await ids('', ask)).toEqual([1])
  expect(await ids('?projectId=prj_other', ask)).toEqual([])
})

describe('the time from saved to live', () => {
  const live = (id: string, revision: number, afterMs: number) => {
    const since = new Date(Date.now() + afterMs).toISOString()
    return told(id, 'LIVE', { revision, since, timingsMs: { apply: 41 } })
  }
  const note = (position: Position, projectId = 'prj_1') =>
    control.database.transaction(tx =>
      writeAudit(tx, entry({ projectId }), { actor: SYSTEM_ADMIN, requestId: 'req_1', position }),
    )
  /** Newest first: node, how many nodes, and the time to the whole minute, for the database has a clock of its own. */
  const times = async (ask = control.asAdmin) =>
    (await ask('GET', '/audit')).json.items.map(
      ({ savedToLive: time }: AuditRow) =>
        time && [time.nodeId, time.nodeName, time.nodes, Math.round(time.ms / 60_000)],
    )

  async function twoNodes() {
    const fleet = makeFleet(control.database)
    await fleet.node('srv_1')
    await fleet.node('srv_2')
    return fleet
  }

  test('is that of the slowest node, of this change and no other', async () => {
    const fleet = await twoNodes()
    const first = await fleet.route('prt_a', { externalPort: 10_001 })
    await note(first)
    await fleet.report('srv_1', { verdicts: [live('prt_a', first.revision, 60_000)] })
    await fleet.report('srv_2', { verdicts: [live('prt_a', first.revision, 120_000)] })
    expect(await times()).toEqual([['srv_2', 'proxy-2', 2, 2]])
    const second = await fleet.touch('prt_a')
    await note(second)
    expect(await times()).toEqual([null, ['srv_2', 'proxy-2', 2, 2]])
    await fleet.report('srv_1', { verdicts: [live('prt_a', second.revision, 300_000)] })
    expect(await times()).toEqual([
      ['srv_1', 'proxy-1', 1, 5],
      ['srv_2', 'proxy-2', 2, 2],
    ])
  })

  test('is not that of a change which was saved after what the node has', async () => {
    const fleet = await twoNodes()
    const first = await fleet.route('prt_a', { externalPort: 10_001 })
    await note(first)
    await note(await fleet.touch('prt_a'))
    await fleet.report('srv_1', { verdicts: [live('prt_a', first.revision, 60_000)] })
    expect(await times()).toEqual([null, null])
    const { json } = await control.asAdmin('GET', '/routes/prt_a/history')
    expect(json.items.map(({ timingsMs }: { timingsMs: object }) => timingsMs)).toEqual([{ apply: 41 }])
  })

  test('is until the last of its routes, as far as the actor sees them', async () => {
    const fleet = await twoNodes()
    const shop = await control.project('shop')
    const position = await fleet.route('prt_a', { project: shop, externalPort: 10_001 })
    await note(position, shop)
    await fleet.route('prt_b', { externalPort: 10_002 })
    await control.database.transaction(tx =>
      tx.execute(sql`
        set local session_replication_role = replica;
        update service_ports set route_revision = ${sql.raw(String(position.revision))} where id = 'prt_b'`),
    )
    const { revision } = position
    await fleet.report('srv_1', { verdicts: [live('prt_a', revision, 60_000), live('prt_b', revision, 180_000)] })
    // Over the rows: the project itself was made by a request, which stands in the log as well.
    expect((await times())[0]).toEqual(['srv_1', 'proxy-1', 1, 3])
    const ask = control.as(await control.tokenFor({ scopes: ['read'], projectId: shop }))
    expect((await times(ask)).find(Boolean)).toEqual(['srv_1', 'proxy-1', 1, 1])
  })
})

test('pages go on where they ended, whatever is written meanwhile', async () => {
  for (let row = 0; row < 5; row++) await write()
  const first = (await control.asAdmin('GET', '/audit?limit=2')).json
  await write()
  const second = (await control.asAdmin('GET', `/audit?limit=500&cursor=${first.nextCursor}`)).json
  expect(first.items.map(({ id }: { id: number }) => id)).toEqual([5, 4])
  expect([second.items.map(({ id }: { id: number }) => id), second.nextCursor]).toEqual([[3, 2, 1], null])
})

test('the name of a token stands beside its id', async () => {
  const made = (await control.asAdmin('POST', '/tokens', { name: 'ops', scopes: ['admin'] })).json
  await control.as(made.token)('POST', '/tokens', { name: 'x', scopes: ['read'] })
  const [row] = (await control.asAdmin('GET', '/audit')).json.items
  expect(row.actor).toEqual({ kind: 'token', id: made.id, name: 'ops' })
})
