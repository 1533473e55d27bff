import { sql } from 'drizzle-orm'
import { beforeEach, describe, expect, test } from 'vitest'
import { generateKey } from '../../../src/agent/identity.ts'
import { beginChange } from '../../../src/control/db/revision.ts'
import { nodes } from '../../../src/control/db/schema-nodes.ts'
import { atEnd } from '../../support/at-end.ts'
import { type ControlApp, controlApp, type Reply } from '../../support/control-app.ts'
import { onEachDatabase } from '../../support/database.ts'
import { enrolledNode, nodeClient } from '../../support/node-client.ts'

const problem = ({ status, json }: Reply) => [status, json.code]

onEachDatabase('enrolment', use => {
  let control: ControlApp
  beforeEach(async () => {
    control = await controlApp({
      settings: 'publicUrl: https://control.example.com',
      deps: { database: use() },
    })
    atEnd(() => control.close())
  })

  const makeToken = async (body: object = {}): Promise<string> => {
    const made = await control.asAdmin('POST', '/enrollment-tokens', { ttlSeconds: 600, ...body })
    expect(made.status).toBe(201)
    return made.json.token
  }
  const enroll = (token: string, name: string, publicKey = generateKey().publicKey, headers = {}) =>
    control.inject('POST', '/agent/enroll', { token, publicKey, name, version: '1.2.3' }, headers)
  const rows = () =>
    use().transaction(tx =>
      tx
        .select({
          id: nodes.id,
          name: nodes.name,
          status: nodes.status,
          publicKey: nodes.publicKey,
          version: nodes.version,
        })
        .from(nodes)
        .orderBy(nodes.name),
    )
  const revoke = (id: string) =>
    use().transaction(tx => tx.execute(sql`update nodes set revoked_at = now() where id = ${id}`))

  test('a token is shown once, with the command', async () => {
    const made = await control.asAdmin('POST', '/enrollment-tokens', { nodeName: 'proxy-1', ttlSeconds: 600 })
    const { id, token, command, nodeName, expiresAt } = made.json
    expect(made.status).toBe(201)
    expect(id).toMatch(/^enr_/)
    expect(token).toMatch(/^fle_[\w-]{43}$/)
    expect(command).toBe(`fairlead enroll --url https://control.example.com --token ${token}`)
    expect(nodeName).toBe('proxy-1')
    const left = Date.parse(expiresAt) - Date.now()
    expect(left > 540_000 && left < 660_000).toBe(true)
    const kept = await use().transaction(tx =>
      tx.execute<{ all: string }>(sql`
        select (select json_agg(t)::text from enrollment_tokens t) || (select json_agg(a)::text from audit_log a)
          || coalesce((select json_agg(i)::text from idempotency_keys i), '') as all`),
    )
    expect(kept.rows[0]?.all).not.toContain(token)
  })

  test('only an admin of everything makes tokens', async () => {
    const project = await control.project('shop')
    const ask = async (scopes: readonly ('read' | 'write' | 'admin')[], projectId: string | null) =>
      (await control.as(await control.tokenFor({ scopes, projectId }))('POST', '/enrollment-tokens', {})).status
    expect(await ask(['write'], null)).toBe(403)
    expect(await ask(['admin'], project)).toBe(404)
    expect(await ask(['admin'], null)).toBe(201)
    expect((await control.inject('POST', '/enrollment-tokens', {})).status).toBe(401)
  })

  test.each([
    { ttlSeconds: 59 },
    { ttlSeconds: 604_801 },
    { nodeName: 'a b' },
    { nodeName: '' },
    { nodeName: '-a' },
    { nodename: 'a' },
  ])('a token of %o is refused', async body => {
    expect(problem(await control.asAdmin('POST', '/enrollment-tokens', body))).toEqual([422, 'BODY_INVALID'])
  })

  test('a node comes in with its key', async () => {
    await use().transaction(beginChange)
    const key = generateKey()
    const enrolled = await enroll(await makeToken(), 'proxy-1', key.publicKey)
    expect(enrolled.status).toBe(201)
    const { serverId } = enrolled.json
    expect(enrolled.json).toEqual({ serverId, controlPlaneId: use().controlPlaneId, epoch: 1 })
    expect(await rows()).toEqual([
      { id: serverId, name: 'proxy-1', status: 'active', publicKey: key.publicKey, version: 1 },
    ])
    const [row] = await use().transaction(tx => tx.select().from(nodes))
    expect([row?.enrolledEpoch, row?.enrolledRevision, row?.agentVersion]).toEqual([1, 1, '1.2.3'])
    const audit = await use().transaction(tx =>
      tx.execute(
        sql`select actor_kind, actor_id, resource_id, after->>'name' as name from audit_log where action = 'node.enroll'`,
      ),
    )
    expect(audit.rows).toEqual([{ actor_kind: 'node', actor_id: serverId, resource_id: serverId, name: 'proxy-1' }])
    expect((await nodeClient(control, { id: serverId, key }).get('/agent/expected-state')).status).toBe(200)
  })

  test('two who use a token at once: one comes in', async () => {
    const token = await makeToken()
    const both = await Promise.all([enroll(token, 'proxy-1'), enroll(token, 'proxy-2')])
    expect(both.map(({ status }) => status).sort()).toEqual([201, 401])
    expect(both.find(({ status }) => status === 401)?.json.code).toBe('ENROLLMENT_TOKEN_INVALID')
    expect(await rows()).toHaveLength(1)
  })

  test('a token that was used is not taken again', async () => {
    const token = await makeToken()
    const key = generateKey().publicKey
    expect((await enroll(token, 'proxy-1', key)).status).toBe(201)
    for (const again of [await enroll(token, 'proxy-1'), await enroll(token, 'proxy-2', key)]) {
      expect(problem(again)).toEqual([401, 'ENROLLMENT_TOKEN_INVALID'])
      expect(again.json.detail).toMatch(/^the enrolment token was used at /)
    }
    expect(await rows()).toHaveLength(1)
  })

  test('who lost the answer gets it again, with the same key and name', async () => {
    const token = await makeToken()
    const key = generateKey().publicKey
    const first = await enroll(token, 'proxy-1', key)
    const again = await enroll(token, 'proxy-1', key)
    expect([again.status, again.json]).toEqual([201, first.json])
    expect(await rows()).toHaveLength(1)
    const { json: audit } = await control.asAdmin('GET', '/audit?action=node.enroll')
    expect(audit.items).toHaveLength(1)

    await control.asAdmin('POST', `/nodes/${first.json.serverId}/revoke`)
    expect(problem(await enroll(token, 'proxy-1', key))).toEqual([401, 'ENROLLMENT_TOKEN_INVALID'])
  })

  test('an expired token is not taken', async () => {
    const token = await makeToken()
    await use().transaction(tx => tx.execute(sql`update enrollment_tokens set expires_at = now()`))
    const late = await enroll(token, 'proxy-1')
    expect(problem(late)).toEqual([401, 'ENROLLMENT_TOKEN_INVALID'])
    expect(late.json.detail).toMatch(/^the enrolment token expired at /)
    expect(await rows()).toEqual([])
  })

  test.each(['fle_nothing', `fle_${'A'.repeat(43)}`, 'flt_x', '%'])('the token %s is not taken', async token => {
    expect(problem(await enroll(token, 'proxy-1'))).toEqual([401, 'ENROLLMENT_TOKEN_INVALID'])
  })

  test('a token of one name takes no other', async () => {
    const token = await makeToken({ nodeName: 'proxy-1' })
    expect(problem(await enroll(token, 'proxy-2'))).toEqual([409, 'NODE_NAME_OTHER'])
    expect((await enroll(token, 'proxy-1')).status).toBe(201)
  })

  test('a taken name leaves the token unused', async () => {
    await enrolledNode(control, 'proxy-1')
    const token = await makeToken()
    const taken = await enroll(token, 'proxy-1')
    expect(problem(taken)).toEqual([409, 'NODE_NAME_TAKEN'])
    expect(taken.json.fields[0].field).toBe('name')
    expect((await enroll(token, 'proxy-2')).status).toBe(201)
  })

  test('two who take one name at once: one has it', async () => {
    const tokens = [await makeToken(), await makeToken()]
    const both = await Promise.all(tokens.map(token => enroll(token, 'proxy-1')))
    expect(both.map(({ status }) => status).sort()).toEqual([201, 409])
    expect(await rows()).toHaveLength(1)
  })

  test('a key belongs to one node', async () => {
    const key = generateKey().publicKey
    await enroll(await makeToken(), 'proxy-1', key)
    expect(problem(await enroll(await makeToken(), 'proxy-2', key))).toEqual([409, 'NODE_KEY_TAKEN'])
  })

  test.each([
    ['too short', 'AAAA'],
    ['not Base64', `${'*'.repeat(43)}=`],
    ['bits to spare', `${'A'.repeat(42)}B=`],
    ['33 bytes', 'A'.repeat(44)],
  ])('a public key that is %s is refused', async (_title, publicKey) => {
    const token = await makeToken()
    const refused = await enroll(token, 'proxy-1', publicKey)
    expect(problem(refused)).toEqual([422, 'BODY_INVALID'])
    expect(refused.json.fields.map((fault: { field: string }) => fault.field)).toEqual(['publicKey'])
  })

  describe('a revoked node', () => {
    test('gets a new key under its id', async () => {
      const old = await enrolledNode(control, 'proxy-1')
      await use().transaction(tx =>
        tx.execute(
          sql`update nodes set applied_epoch = 1, applied_revision = 7, last_post_timestamp = 9e15, status = 'lost'`,
        ),
      )
      await revoke(old.id)
      expect(problem(await old.get('/agent/expected-state'))).toEqual([401, 'NODE_REVOKED'])
      const node = await enrolledNode(control, 'proxy-1', 'proxy-1')
      expect(node.id).toBe(old.id)
      expect(await rows()).toEqual([
        { id: old.id, name: 'proxy-1', status: 'active', publicKey: node.publicKey, version: 2 },
      ])
      // What it acknowledged before still counts, and no more: so what rests for it goes on resting.
      const [row] = await use().transaction(tx => tx.select().from(nodes))
      expect([row?.appliedRevision, row?.enrolledRevision, row?.lastPostTimestamp, row?.revokedAt]).toEqual([
        7,
        0,
        0,
        null,
      ])
      expect((await node.get('/agent/expected-state')).status).toBe(200)
      expect(problem(await old.get('/agent/expected-state'))).toEqual([401, 'SIGNATURE_INVALID'])
    })

    test('keeps its name from tokens for any name', async () => {
      const old = await enrolledNode(control, 'proxy-1')
      await revoke(old.id)
      const refused = await enroll(await makeToken(), 'proxy-1')
      expect(problem(refused)).toEqual([409, 'NODE_NAME_TAKEN'])
      expect(refused.json.remedy).toMatch(/make a token for the name proxy-1/)
    })

    test('that is not revoked gets no token for its name', async () => {
      await enrolledNode(control, 'proxy-1')
      const refused = await control.asAdmin('POST', '/enrollment-tokens', { nodeName: 'proxy-1' })
      expect(problem(refused)).toEqual([409, 'NODE_NAME_TAKEN'])
    })
  })

  test('the name of a retired node is free', async () => {
    const old = await enrolledNode(control, 'proxy-1')
    await use().transaction(tx => tx.execute(sql`update nodes set status = 'retired', retired_at = now()`))
    const node = await enrolledNode(control, 'proxy-1')
    expect(node.id).not.toBe(old.id)
    expect(problem(await old.get('/agent/expected-state'))).toEqual([401, 'NODE_RETIRED'])
  })
})

test('without a public address the command names ours', async () => {
  const control = await controlApp()
  atEnd(() => control.close())
  const made = await control.asAdmin('POST', '/enrollment-tokens', {}, { host: '127.0.0.1:7400' })
  expect(made.json.command).toBe(`fairlead enroll --url http://127.0.0.1:7400 --token ${made.json.token}`)
})
