import { sql } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { Node } from '../../../src/api/node.ts'
import type { Database } from '../../../src/control/db/client.ts'
import { type ControlApp, controlApp } from '../../support/control-app.ts'
import { countsOf, type Fleet, makeFleet, SINCE, told } from '../../support/control-fleet.ts'
import { clear, openMemoryDatabase } from '../../support/database.ts'
import { type NodeClient, nodeClient } from '../../support/node-client.ts'

const isText = expect.any(String)

let control: ControlApp
let node: NodeClient
let other: NodeClient
let fleet: Fleet
let database: Database
beforeAll(async () => {
  database = await openMemoryDatabase()
}, 60_000)
afterAll(() => database.close())
beforeEach(async () => {
  await clear(database)
  control = await controlApp({ deps: { database } })
  node = nodeClient(control, { id: 'srv_1' })
  other = nodeClient(control, { id: 'srv_2' })
  fleet = makeFleet(database)
  await fleet.node('srv_1', { publicKey: node.publicKey })
})
afterEach(() => control.close())

const body = (fields: Record<string, unknown> = {}) => ({
  schema: 1,
  controlPlaneId: control.database.controlPlaneId,
  epoch: 1,
  revision: { expected: 0, served: 0, applied: 0 },
  reportSeq: 1,
  full: true,
  agentVersion: '0.1.0',
  traefik: { state: 'verified', version: '3.7.15', startedAt: SINCE, lastPollAt: SINCE },
  counts: countsOf([]),
  verdicts: [],
  gone: [],
  held: null,
  drift: { missing: 0, extra: 0, different: 0, disabled: 0 },
  openConnections: {},
  ...fields,
})
const report = (fields: Record<string, unknown> = {}, by = node) => by.post('/agent/status', body(fields))
const audit = async () =>
  (await control.asAdmin('GET', '/audit')).json.items.map(
    (row: { action: string; actor: { kind: string }; resource: { id: string } }) =>
      `${row.action} ${row.resource.id} by ${row.actor.kind}`,
  )

describe('a report over HTTP', () => {
  test('that is taken is answered with nothing', async () => {
    expect(await report()).toMatchObject({ status: 204, text: '' })
  })

  test.each([
    ['a gap asks for a full one', { full: false, reportSeq: 7 }, 409, 'REPORT_GAP'],
    ['of another control plane is refused', { controlPlaneId: 'cp_x' }, 422, 'REPORT_NOT_OURS'],
    ['of another schema is refused', { schema: 2 }, 422, 'BODY_INVALID'],
    [
      'with a word that nobody knows is refused',
      { verdicts: [{ ...told('prt_a'), verdict: 'fine' }] },
      422,
      'BODY_INVALID',
    ],
  ])('%s', async (_what, fields, status, code) => {
    expect(await report(fields)).toMatchObject({ status, json: { code } })
  })

  test('may come from a clock that is broken', async () => {
    const verdicts = ['0000-01-01T00:00:00Z', '9999-12-31T23:59:59Z'].map((since, i) =>
      told(`prt_${i}`, 'BACKEND_DOWN', { since }),
    )
    expect((await report({ verdicts, counts: countsOf(verdicts) })).status).toBe(204)
  })

  test('of a retired node is refused', async () => {
    await control.database.transaction(tx => tx.execute(sql`update nodes set status = 'retired'`))
    expect(await report()).toMatchObject({ status: 401, json: { code: 'NODE_RETIRED' } })
  })

  test('comes no faster than is of any use', async () => {
    await fleet.node('srv_2', { publicKey: other.publicKey })
    const statuses: number[] = []
    for (let i = 0; i < 32; i++) statuses.push((await report({ controlPlaneId: 'cp_x' })).status)
    expect(statuses.slice(29)).toEqual([422, 429, 429])
    expect((await report({ controlPlaneId: 'cp_x' }, other)).status).toBe(422)
  })

  test('may be as large as the contract says, and no larger', async () => {
    const pad = (length: number) => ({ held: { hash: 'h', removals: [] }, pad: 'x'.repeat(length) })
    expect((await report(pad(1_000_000))).status).toBe(204)
    expect((await report(pad(1_100_000))).status).toBe(413)
  })
})

describe('a node', () => {
  const NODE: Node = {
    id: 'srv_1',
    name: 'proxy-1',
    status: 'active',
    version: 1,
    createdAt: isText,
    lastSeenAt: isText,
    silent: false,
    revokedAt: null,
    retiredAt: null,
    agentVersion: '0.1.0',
    revision: { current: 2, expected: 2, served: 2, applied: 1, lag: 1 },
    traefik: { state: 'verified', version: '3.7.15', startedAt: SINCE, lastPollAt: SINCE },
    counts: { ...countsOf([]), live: 1, waiting: 1, unknown: 0 },
    drift: { missing: 1, extra: 0, different: 0, disabled: 0 },
    held: { hash: 'h1', removals: ['tcp/prt_c'], accepted: false },
    missingEntryPoints: [
      {
        name: 'tcp-10042',
        protocol: 'tcp',
        port: 10_042,
        lines: 'entryPoints:\n  tcp-10042:\n    address: ":10042"',
        routeIds: ['prt_b'],
      },
    ],
    openConnections: 7,
  }

  beforeEach(async () => {
    await fleet.route('prt_a', { externalPort: 10_001 })
    await fleet.route('prt_b', { externalPort: 10_042 })
  })

  const reported = () =>
    fleet.report('srv_1', {
      revision: { expected: 2, served: 2, applied: 1 },
      verdicts: [told('prt_a'), told('prt_b', 'ENTRY_POINT_MISSING')],
      drift: { missing: 1, extra: 0, different: 0, disabled: 0 },
      held: { hash: 'h1', removals: ['tcp/prt_c'] },
      openConnections: { prt_a: 7 },
    })

  test('that never reported is not known', async () => {
    expect((await control.asAdmin('GET', '/nodes/srv_1')).json).toEqual({
      ...NODE,
      lastSeenAt: null,
      silent: true,
      agentVersion: null,
      revision: { current: 2, expected: null, served: null, applied: null, lag: null },
      traefik: null,
      counts: { ...countsOf([]), unknown: 0 },
      drift: null,
      held: null,
      missingEntryPoints: null,
      openConnections: 0,
    })
  })

  test('is shown as it reports', async () => {
    await reported()
    const { json, headers } = await control.asAdmin('GET', '/nodes/srv_1')
    expect(json).toEqual(NODE)
    expect(headers.etag).toBe('"v1"')
    expect((await control.asAdmin('GET', '/nodes')).json).toEqual({ items: [NODE], nextCursor: null })
  })

  test('that is silent says nothing of its routes', async () => {
    await reported()
    await fleet.quiet('srv_1', 91)
    expect((await control.asAdmin('GET', '/nodes/srv_1')).json).toEqual({
      ...NODE,
      silent: true,
      counts: { ...countsOf([]), unknown: 2 },
    })
  })

  test('is one of many in pages', async () => {
    for (const id of ['srv_2', 'srv_3']) await fleet.node(id)
    const ids = (page: { items: Node[] }) => page.items.map(({ id }) => id)
    const first = (await control.asAdmin('GET', '/nodes?limit=2')).json
    expect(ids(first)).toEqual(['srv_1', 'srv_2'])
    const rest = (await control.asAdmin('GET', `/nodes?limit=2&cursor=${first.nextCursor}`)).json
    expect([ids(rest), rest.nextCursor]).toEqual([['srv_3'], null])
  })

  test('is not there for whoever has one project', async () => {
    const projectId = await control.project('shop')
    const theirs = control.as(await control.tokenFor({ scopes: ['admin'], projectId }))
    for (const [method, path] of [
      ['GET', '/nodes'],
      ['GET', '/nodes/srv_1'],
      ['POST', '/nodes/srv_1/revoke'],
      ['DELETE', '/nodes/srv_1'],
    ] as const)
      expect((await theirs(method, path)).status).toBe(404)
  })

  test('is changed only by admins', async () => {
    const writer = control.as(await control.tokenFor({ scopes: ['write'] }))
    expect((await writer('PATCH', '/nodes/srv_1', { name: 'edge' })).json).toMatchObject({ code: 'SCOPE_MISSING' })
    expect((await writer('POST', '/nodes/srv_1/retire', { confirm: 'proxy-1' })).status).toBe(403)
  })
})

describe('an admin', () => {
  const admin: ControlApp['asAdmin'] = (...args) => control.asAdmin(...args)

  test('gives a node another name, if nobody has it', async () => {
    await fleet.node('srv_2')
    expect((await admin('PATCH', '/nodes/srv_1', { name: 'proxy-2' })).json).toMatchObject({ code: 'NODE_NAME_TAKEN' })
    expect((await admin('PATCH', '/nodes/srv_1', { name: 'a b' })).json).toMatchObject({ code: 'BODY_INVALID' })
    expect((await admin('PATCH', '/nodes/srv_1', { name: 'edge' }, { 'if-match': '"v1"' })).json).toMatchObject({
      name: 'edge',
      version: 2,
    })
    expect(await admin('PATCH', '/nodes/srv_1', { name: 'x' }, { 'if-match': '"v1"' })).toMatchObject({
      status: 412,
      json: { code: 'STALE' },
    })
    expect((await admin('PATCH', '/nodes/srv_1', { name: 'edge' })).json.version).toBe(2)
    expect(await audit()).toEqual(['node.rename srv_1 by system'])
  })

  test('takes the key of a node away, once', async () => {
    expect((await admin('POST', '/nodes/srv_1/revoke')).json).toMatchObject({ revokedAt: isText, version: 2 })
    expect((await admin('POST', '/nodes/srv_1/revoke')).json).toMatchObject({ version: 2 })
    expect(await audit()).toEqual(['node.revoke srv_1 by system'])
  })

  test('accepts just the state that is held', async () => {
    const held = { hash: 'h1', removals: ['tcp/prt_a' as const] }
    expect((await admin('POST', '/nodes/srv_1/accept', { hash: 'h1' })).json).toMatchObject({
      code: 'HELD_STATE_OTHER',
    })
    await fleet.report('srv_1', { held })
    expect((await admin('POST', '/nodes/srv_1/accept', { hash: 'h0' })).json).toMatchObject({
      code: 'HELD_STATE_OTHER',
      held: { hash: 'h1', removals: 1 },
    })
    expect((await admin('POST', '/nodes/srv_1/accept', { hash: 'h1' })).json.held).toEqual({ ...held, accepted: true })
    expect((await admin('POST', '/nodes/srv_1/accept', { hash: 'h1' })).status).toBe(200)
    expect(await audit()).toEqual(['node.accept srv_1 by system'])
  })

  test('wakes the poll of the node that has something new', async () => {
    const { hub } = control.deps
    await fleet.report('srv_1', { held: { hash: 'h1', removals: [] } })
    const woken = hub.waitPast(
      { epoch: 9, revision: 0 },
      { signal: AbortSignal.timeout(10_000), timeoutMs: 10_000, nodeId: 'srv_1' },
    )
    await admin('POST', '/nodes/srv_1/accept', { hash: 'h1' })
    expect(await woken).toBe('woken')
  })

  test('is told what a retirement risks before it is done', async () => {
    await fleet.report('srv_1', { openConnections: { prt_a: 3 } })
    await control.database.transaction(tx =>
      tx.execute(sql`insert into allocated_ports (id, protocol, port, state, released_at, blocked_epoch, blocked_revision)
        values ('tcp-10001', 'tcp', 10001, 'resting', now() - interval '1 hour', 1, 5)`),
    )
    const refused = await admin('POST', '/nodes/srv_1/retire', { confirm: 'no' })
    expect(refused.json).toMatchObject({
      code: 'BODY_INVALID',
      freedPorts: [{ protocol: 'tcp', port: 10_001, host: '' }],
      risks: [
        expect.stringMatching(
          /^proxy-1 reported .* ago: it is alive, and serves on what it has until its agent is stopped\.$/,
        ),
        '3 connections were open there; they stay open.',
        '1 released port rests for proxy-1 alone and may go to others at once: whoever still reaches proxy-1 would find the old service behind it.',
      ],
    })
    const dry = await admin('POST', '/nodes/srv_1/retire?dryRun=true', { confirm: 'proxy-1' })
    expect(dry.json).toMatchObject({ node: { status: 'retired' }, risks: [isText, ...refused.json.risks.slice(1)] })
    expect((await admin('GET', '/nodes/srv_1')).json.status).toBe('active')
    const done = await admin('POST', '/nodes/srv_1/retire', { confirm: 'proxy-1' })
    expect(done.json).toMatchObject({ node: { status: 'retired', revokedAt: isText, retiredAt: isText } })
    expect(await audit()).toEqual(['node.retire srv_1 by system'])
    expect((await admin('POST', '/nodes/srv_1/retire', { confirm: 'x' })).json).toMatchObject({
      risks: [],
      freedPorts: [],
    })
  })

  test('deletes only a retired node', async () => {
    expect((await admin('DELETE', '/nodes/srv_1')).json).toMatchObject({ code: 'NODE_NOT_RETIRED' })
    await admin('POST', '/nodes/srv_1/retire', { confirm: 'proxy-1' })
    expect((await admin('DELETE', '/nodes/srv_1')).status).toBe(204)
    expect((await admin('GET', '/nodes/srv_1')).status).toBe(404)
    expect(await audit()).toEqual(['node.delete srv_1 by system', 'node.retire srv_1 by system'])
  })
})

test('a lost node that reports is audited as back', async () => {
  await control.database.transaction(tx => tx.execute(sql`update nodes set status = 'lost'`))
  await report()
  expect(await audit()).toEqual(['node.return srv_1 by node'])
})
