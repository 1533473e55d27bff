import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  hashSecret,
  isApiToken,
  isLinkCode,
  makeApiToken,
  makeLinkCode,
  sameHash,
} from '../../../src/control/access/secret.ts'
import { type ControlApp, controlApp } from '../../support/control-app.ts'
import { clear } from '../../support/database.ts'
import { waitFor } from '../../support/wait-for.ts'

let control: ControlApp
let shop: string
let lab: string
beforeAll(async () => {
  control = await controlApp()
}, 60_000)
afterAll(() => control.close())
beforeEach(async () => {
  await clear(control.database)
  shop = await control.project('shop')
  lab = await control.project('lab')
})

const isText = expect.any(String)

describe('a secret', () => {
  test('of one kind is not one of another', () => {
    expect([isApiToken(makeApiToken()), isLinkCode(makeLinkCode())]).toEqual([true, true])
    expect([isApiToken(makeLinkCode()), isLinkCode(makeApiToken())]).toEqual([false, false])
  })

  test('with one sign changed is none', () => {
    const token = makeApiToken()
    for (let at = 4; at < token.length; at++) {
      const other = token[at] === 'A' ? 'B' : 'A'
      expect(isApiToken(token.slice(0, at) + other + token.slice(at + 1))).toBe(false)
    }
  })

  test('is never the same twice', () => {
    expect(new Set(Array.from({ length: 1000 }, makeApiToken)).size).toBe(1000)
  })

  test('is compared by its hash', () => {
    const hash = hashSecret('a')
    expect([sameHash(hash, hashSecret('a')), sameHash(hash, hashSecret('b')), sameHash(hash, '')]).toEqual([
      true,
      false,
      false,
    ])
  })
})

describe('a token', () => {
  test('is shown once, and kept as a hash', async () => {
    const { status, json } = await control.asAdmin('POST', '/tokens', {
      name: 'deploy',
      scopes: ['write', 'read'],
      projectId: shop,
      expiresInSeconds: 3600,
    })
    const { token, ...rest } = json
    expect([status, rest]).toEqual([
      201,
      {
        id: isText,
        name: 'deploy',
        scopes: ['read', 'write'],
        projectId: shop,
        createdBy: 'system:admin',
        createdAt: isText,
        expiresAt: isText,
        lastUsedAt: null,
      },
    ])
    expect(Date.parse(rest.expiresAt) - Date.parse(rest.createdAt)).toBe(3_600_000)
    expect((await control.as(token)('GET', '/audit')).status).toBe(200)
    expect((await control.asAdmin('GET', `/tokens/${rest.id}`)).json).toMatchObject({
      ...rest,
      lastUsedAt: expect.anything(),
    })
    const { rows } = await control.database.transaction(tx =>
      tx.execute(
        sql`select (select json_agg(t) from api_tokens t)::text || (select json_agg(a) from audit_log a)::text as all`,
      ),
    )
    expect(String(rows[0]?.all)).toContain(hashSecret(token))
    expect(String(rows[0]?.all)).not.toContain(token)
  })

  test('that is revoked is refused at once', async () => {
    const { json } = await control.asAdmin('POST', '/tokens', { name: 'a', scopes: ['read'] })
    const ask = control.as(json.token)
    expect((await ask('GET', '/audit')).status).toBe(200)
    expect((await control.asAdmin('DELETE', `/tokens/${json.id}`)).status).toBe(204)
    expect((await ask('GET', '/audit')).status).toBe(401)
    expect((await control.asAdmin('GET', '/tokens')).json.items).toEqual([])
    expect((await control.asAdmin('DELETE', `/tokens/${json.id}`)).status).toBe(404)
  })

  test('tells when it was last used, to the minute', async () => {
    const { json } = await control.asAdmin('POST', '/tokens', { name: 'a', scopes: ['read'] })
    const lastUsed = async () => (await control.asAdmin('GET', `/tokens/${json.id}`)).json.lastUsedAt
    expect(await lastUsed()).toBeNull()
    await control.as(json.token)('GET', '/audit')
    const first = await waitFor(lastUsed, { what: 'the use to be noted' })
    await control.as(json.token)('GET', '/audit')
    expect(await lastUsed()).toBe(first)
    await control.database.transaction(tx =>
      tx.execute(sql`update api_tokens set last_used_at = now() - interval '61 seconds'`),
    )
    await control.as(json.token)('GET', '/audit')
    await waitFor(async () => (await lastUsed()) >= String(first), { what: 'the next use to be noted' })
  })

  test('makes none that may do more', async () => {
    const writer = await control.asAdmin('POST', '/tokens', { name: 'w', scopes: ['write'] })
    expect(
      (await control.as(writer.json.token)('POST', '/tokens', { name: 'x', scopes: ['read'] })).json,
    ).toMatchObject({
      code: 'SCOPE_MISSING',
      scope: 'admin',
    })
  })

  test('of one project makes only tokens of it', async () => {
    const admin = control.as(await control.tokenFor({ scopes: ['admin'], projectId: shop }))
    expect((await admin('POST', '/tokens', { name: 'x', scopes: ['admin'] })).json.projectId).toBe(shop)
    expect((await admin('POST', '/tokens', { name: 'x', scopes: ['admin'], projectId: null })).json.projectId).toBe(
      shop,
    )
    const other = await admin('POST', '/tokens', { name: 'x', scopes: ['read'], projectId: lab })
    const none = await admin('POST', '/tokens', { name: 'x', scopes: ['read'], projectId: 'prj_none' })
    // Whether there is a project that one does not see, one is not told.
    expect([other.status, other.json.detail]).toEqual([422, `projectId: there is no project ${lab}`])
    expect([none.status, none.json.detail]).toEqual([422, 'projectId: there is no project prj_none'])
  })

  test('of one project sees and revokes no other', async () => {
    const all = await control.asAdmin('POST', '/tokens', { name: 'all', scopes: ['read'] })
    const theirs = await control.asAdmin('POST', '/tokens', { name: 'lab', scopes: ['read'], projectId: lab })
    const admin = control.as(await control.tokenFor({ scopes: ['admin'], projectId: shop }))
    expect((await admin('GET', '/tokens')).json.items).toMatchObject([{ projectId: shop }])
    for (const { json } of [all, theirs]) {
      expect((await admin('GET', `/tokens/${json.id}`)).status).toBe(404)
      expect((await admin('DELETE', `/tokens/${json.id}`)).status).toBe(404)
      expect((await control.as(json.token)('GET', '/audit')).status).toBe(200)
    }
  })

  test('does not make one that outlives it', async () => {
    const end = new Date(Date.now() + 600_000)
    const admin = control.as(await control.tokenFor({ scopes: ['admin'], expiresAt: end }))
    const [long, none, short] = [86_400, null, 60].map(expiresInSeconds =>
      admin('POST', '/tokens', { name: 'x', scopes: ['read'], expiresInSeconds }),
    )
    expect((await long)?.json.expiresAt).toBe(end.toISOString())
    expect((await none)?.json.expiresAt).toBe(end.toISOString())
    expect(Date.parse((await short)?.json.expiresAt)).toBeLessThan(end.getTime() - 500_000)
  })

  test('goes with its project', async () => {
    const token = await control.tokenFor({ scopes: ['read'], projectId: shop })
    await control.database.transaction(tx => tx.execute(sql`delete from projects where id = ${shop}`))
    expect((await control.as(token)('GET', '/audit')).status).toBe(401)
  })
})

test('tokens come in pages that new ones do not shift', async () => {
  for (const name of ['a', 'b', 'c', 'd', 'e']) await control.asAdmin('POST', '/tokens', { name, scopes: ['read'] })
  const first = (await control.asAdmin('GET', '/tokens?limit=2')).json
  await control.asAdmin('POST', '/tokens', { name: 'f', scopes: ['read'] })
  await control.asAdmin('DELETE', `/tokens/${first.items[0].id}`)
  const second = (await control.asAdmin('GET', `/tokens?limit=2&cursor=${first.nextCursor}`)).json
  const third = (await control.asAdmin('GET', `/tokens?limit=2&cursor=${second.nextCursor}`)).json
  const names = [first, second, third].map(({ items }) => items.map(({ name }: { name: string }) => name))
  expect([names, third.nextCursor]).toEqual([
    [
      ['a', 'b'],
      ['c', 'd'],
      ['e', 'f'],
    ],
    null,
  ])
})

test.each([
  ['cursor=x', 400, 'CURSOR_INVALID'],
  ['cursor=W10', 400, 'CURSOR_INVALID'],
  ['limit=0', 400, 'QUERY_INVALID'],
  ['limit=501', 400, 'QUERY_INVALID'],
  ["projectId=' or true --", 200, undefined],
])('the query %s is answered with %i', async (query, status, code) => {
  const answer = await control.asAdmin('GET', `/tokens?${encodeURI(query)}`)
  expect([answer.status, answer.json.code]).toEqual([status, code])
})
