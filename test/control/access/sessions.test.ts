import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SYSTEM_ADMIN } from '../../../src/control/access/actor.ts'
import { makeLoginLink } from '../../../src/control/access/login-link.ts'
import { hashSecret, makeLinkCode } from '../../../src/control/access/secret.ts'
import { mutate } from '../../../src/control/http/write.ts'
import { type ControlApp, controlApp, type Reply } from '../../support/control-app.ts'
import { clear } from '../../support/database.ts'

let control: ControlApp
beforeAll(async () => {
  control = await controlApp()
}, 60_000)
afterAll(() => control.close())
beforeEach(() => clear(control.database))

const isText = expect.any(String)
const SAME = { 'sec-fetch-site': 'same-origin' }

const signIn = (token: string, headers = {}, on = control) => on.inject('POST', '/sessions', { token }, headers)
const cookieOf = ({ headers }: Reply): string => String(headers['set-cookie']).split(';')[0] ?? ''

async function link(): Promise<string> {
  let code = ''
  await mutate(control.deps, { actor: SYSTEM_ADMIN, requestId: 'req_link' }, async m => {
    code = (await makeLoginLink(m, 'https://control.example.com')).code
    return { status: 201, body: null }
  })
  return code
}

const run = (statement: ReturnType<typeof sql>) => control.database.transaction(tx => tx.execute(statement))

describe('signing in', () => {
  test('with an API token opens a session with its rights', async () => {
    const shop = await control.project('shop')
    const made = (await control.asAdmin('POST', '/tokens', { name: 'ops', scopes: ['write'], projectId: shop })).json
    const answer = await signIn(made.token)
    expect([answer.status, answer.json]).toEqual([
      201,
      {
        name: 'ops',
        scopes: ['read', 'write'],
        projectId: shop,
        createdAt: isText,
        expiresAt: isText,
        idleTimeoutSeconds: 4 * 3600,
      },
    ])
    expect(Date.parse(answer.json.expiresAt) - Date.parse(answer.json.createdAt)).toBe(12 * 3_600_000)
    expect(answer.headers['set-cookie']).toMatch(
      /^fairlead=[A-Za-z0-9_-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/,
    )
    const cookie = cookieOf(answer)
    expect((await control.inject('GET', '/sessions/current', undefined, { cookie })).json).toEqual(answer.json)
    expect((await control.inject('GET', '/tokens', undefined, { cookie })).status).toBe(403)
  })

  test('keeps neither cookie nor token', async () => {
    const token = await control.tokenFor({ scopes: ['admin'] })
    const value = cookieOf(await signIn(token)).slice('fairlead='.length)
    const { rows } = await run(sql`
      select (select json_agg(s) from sessions s)::text || (select json_agg(a) from audit_log a)::text as all`)
    const kept = String(rows[0]?.all)
    expect([kept.includes(hashSecret(value)), kept.includes(value), kept.includes(token)]).toEqual([true, false, false])
  })

  test('with the code of a link works once', async () => {
    const code = await link()
    const first = await signIn(code)
    expect([first.status, first.json.name, first.json.scopes]).toEqual([201, 'admin link', ['admin', 'read', 'write']])
    const again = await signIn(code)
    expect([again.status, again.json.code, again.headers['set-cookie']]).toEqual([401, 'SIGN_IN_FAILED', undefined])
  })

  test('with one code by ten at once lets one in', async () => {
    const code = await link()
    const statuses = (await Promise.all(Array.from({ length: 10 }, () => signIn(code)))).map(({ status }) => status)
    expect(statuses.sort()).toEqual([201, ...Array.from({ length: 9 }, () => 401)])
  })

  test('fails in one way, whatever is wrong', async () => {
    const late = await link()
    await run(sql`update login_links set expires_at = now() - interval '1 second'`)
    const revoked = (await control.asAdmin('POST', '/tokens', { name: 'x', scopes: ['read'] })).json
    await control.asAdmin('DELETE', `/tokens/${revoked.id}`)
    const expired = await control.tokenFor({ scopes: ['read'], expiresAt: new Date(Date.now() - 1000) })
    for (const token of [late, revoked.token, expired, makeLinkCode(), 'hunter2', "' or true --"]) {
      const { status, json, text } = await signIn(token)
      expect([status, json.code, json.detail]).toEqual([
        401,
        'SIGN_IN_FAILED',
        'this token is not known here, or it has ended',
      ])
      expect(text).not.toContain(token)
    }
  })

  test('gives a new session and ends the old one', async () => {
    const token = await control.tokenFor({ scopes: ['read'] })
    const old = cookieOf(await signIn(token))
    const next = cookieOf(await signIn(token, { cookie: old, ...SAME }))
    expect(next).not.toBe(old)
    const current = (cookie: string) => control.inject('GET', '/sessions/current', undefined, { cookie })
    expect([(await current(old)).status, (await current(next)).status]).toEqual([401, 200])
  })

  test('takes no session from whoever brings one', async () => {
    const chosen = `fairlead=${'A'.repeat(43)}`
    const answer = await signIn(await control.tokenFor({ scopes: ['read'] }), { cookie: chosen })
    expect(cookieOf(answer)).not.toBe(chosen)
  })

  test('from another site is refused', async () => {
    const token = await control.tokenFor({ scopes: ['read'] })
    for (const headers of [{ origin: 'https://evil.example' }, { 'sec-fetch-site': 'cross-site' }, { origin: 'null' }])
      expect((await signIn(token, headers)).json.code).toBe('CROSS_ORIGIN')
  })
})

describe('a session', () => {
  let token: string
  let cookie: string
  beforeEach(async () => {
    token = (await control.asAdmin('POST', '/tokens', { name: 'ops', scopes: ['admin'] })).json.token
    cookie = cookieOf(await signIn(token))
  })
  const ask = (method: 'GET' | 'POST' | 'DELETE', path: string, headers = {}, body?: unknown) =>
    control.inject(method, path, body, { cookie, ...headers })

  test('ends when its token is revoked', async () => {
    expect((await ask('GET', '/tokens')).status).toBe(200)
    const [{ id }] = (await ask('GET', '/tokens')).json.items
    await control.asAdmin('DELETE', `/tokens/${id}`)
    expect((await ask('GET', '/tokens')).status).toBe(401)
  })

  test.each([
    ['its hours are over', sql`update sessions set expires_at = now() - interval '1 second'`],
    ['nobody used it for long', sql`update sessions set last_seen_at = now() - interval '4 hours 1 second'`],
  ])('ends when %s', async (_title, statement) => {
    await run(statement)
    expect((await ask('GET', '/tokens')).status).toBe(401)
  })

  test('never outlives its token', async () => {
    const end = new Date(Date.now() + 60_000)
    const { json } = await signIn(await control.tokenFor({ scopes: ['read'], expiresAt: end }))
    expect(json.expiresAt).toBe(end.toISOString())
  })

  test('is over after signing out', async () => {
    const out = await ask('DELETE', '/sessions/current', SAME)
    expect([out.status, out.headers['set-cookie']]).toEqual([
      204,
      'fairlead=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict',
    ])
    expect((await ask('GET', '/tokens')).status).toBe(401)
  })

  test('changes nothing for a page of another site', async () => {
    const body = { name: 'x', scopes: ['read'] }
    for (const headers of [
      {},
      { origin: 'https://evil.example' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: 'http://localhost:81', ...SAME },
      { origin: 'null', ...SAME },
    ])
      expect((await ask('POST', '/tokens', headers, body)).json.code).toBe('CROSS_ORIGIN')
    for (const headers of [SAME, { origin: 'http://localhost:80' }, { origin: 'http://localhost:80', ...SAME }])
      expect((await ask('POST', '/tokens', headers, body)).status).toBe(201)
  })

  test('beside another cookie of its name is none', async () => {
    expect(
      (await control.inject('GET', '/tokens', undefined, { cookie: `${cookie}; fairlead=${'A'.repeat(43)}` })).status,
    ).toBe(401)
    expect((await control.inject('GET', '/tokens', undefined, { cookie: `theme=dark; ${cookie}` })).status).toBe(200)
  })

  test('gives way to a token in the header', async () => {
    const reader = await control.tokenFor({ scopes: ['read'] })
    expect((await ask('GET', '/tokens', { authorization: `Bearer ${reader}` })).status).toBe(403)
    expect((await ask('GET', '/sessions/current', { authorization: `Bearer ${reader}` })).status).toBe(404)
  })

  test('is audited when it opens and when it ends', async () => {
    await ask('DELETE', '/sessions/current', SAME)
    const { items } = (await control.asAdmin('GET', '/audit?action=session.*')).json
    expect(items).toMatchObject([
      // Named as it was when it was opened, although it is gone.
      { action: 'session.close', actor: { kind: 'session', name: 'ops' } },
      { action: 'session.open', after: { name: 'ops', scopes: ['admin', 'read', 'write'] } },
    ])
    expect(items[0].resource.id).toBe(items[1].resource.id)
  })
})

test('over TLS the cookie is for this host alone', async () => {
  const secure = await controlApp({ settings: 'publicUrl: https://control.example.com\ntrustedProxies: [127.0.0.1]\n' })
  const headers = { host: 'control.example.com', 'x-forwarded-proto': 'https' }
  const answer = await signIn(await secure.tokenFor({ scopes: ['read'] }), headers, secure)
  expect(answer.headers['set-cookie']).toMatch(
    /^__Host-fairlead=[A-Za-z0-9_-]{43}; Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure$/,
  )
  expect(answer.headers['strict-transport-security']).toBe('max-age=31536000')
  const cookie = cookieOf(answer)
  const current = (given: string) => secure.inject('GET', '/sessions/current', undefined, { ...headers, cookie: given })
  expect([(await current(cookie)).status, (await current(cookie.replace('__Host-', ''))).status]).toEqual([200, 401])
  await secure.close()
})

test('a link stands behind the sign of a fragment', async () => {
  let url = ''
  await mutate(control.deps, { actor: SYSTEM_ADMIN, requestId: 'req_link' }, async m => {
    url = (await makeLoginLink(m, 'https://control.example.com/')).url
    return { status: 201, body: null }
  })
  expect(url).toMatch(/^https:\/\/control\.example\.com\/sign-in#fll_[A-Za-z0-9_-]{49}$/)
  const { text } = await control.asAdmin('GET', '/audit')
  expect(text).toContain('login-link.create')
  expect(text).not.toContain(url.slice(-49))
})
