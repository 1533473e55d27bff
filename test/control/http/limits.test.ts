import { sql } from 'drizzle-orm'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Database } from '../../../src/control/db/client.ts'
import { type ControlApp, type ControlAppOptions, controlApp } from '../../support/control-app.ts'
import { clear, openMemoryDatabase } from '../../support/database.ts'
import { waitFor } from '../../support/wait-for.ts'

let database: Database
let control: ControlApp
beforeAll(async () => {
  database = await openMemoryDatabase()
}, 60_000)
afterAll(() => database.close())
beforeEach(() => clear(database))
afterEach(() => control.close())

/** Requests to `/slow` and `/held` stay until they are let go. */
async function start(options: ControlAppOptions = {}) {
  let waiting = 0
  let open = (): void => {}
  const gate = new Promise<void>(resolve => {
    open = resolve
  })
  const wait = async () => {
    waiting++
    await gate
    return {}
  }
  control = await controlApp({
    ...options,
    deps: { database },
    routes(app) {
      const schema = { response: { 200: z.object({}) } }
      app.get('/slow', { config: { access: 'read' }, schema }, wait)
      app.get('/held', { config: { access: 'read', held: true }, schema }, wait)
      app.get('/quick', { config: { access: 'read' }, schema }, async () => ({}))
      app.get('/alive', { config: { access: 'public', always: true }, schema }, async () => ({}))
    },
  })
  return { open, waiting: () => waiting }
}
const tokenOf = async (projectId: string | null = null) => control.tokenFor({ scopes: ['read'], projectId })

describe('requests in a while', () => {
  test('are limited for a project, and for it alone', async () => {
    await start({ limits: { perActor: 3 } })
    const shop = await control.project('shop')
    const [one, two] = [control.as(await tokenOf(shop)), control.as(await tokenOf(shop))]
    const first = await one('GET', '/quick')
    expect([
      first.headers['ratelimit-limit'],
      first.headers['ratelimit-remaining'],
      first.headers['ratelimit-reset'],
    ]).toEqual(['3', '2', expect.stringMatching(/^([1-9]|10)$/)])
    await two('GET', '/quick')
    await one('GET', '/quick')
    const refused = await two('GET', '/quick')
    expect([refused.status, refused.json.code, refused.json.retryAfterSeconds]).toEqual([
      429,
      'RATE_LIMITED',
      Number(refused.headers['retry-after']),
    ])
    expect((await control.as(await tokenOf())('GET', '/quick')).status).toBe(200)
    expect((await control.as(await tokenOf(await control.project('lab')))('GET', '/quick')).status).toBe(200)
  })

  test('without a credential are limited for an address', async () => {
    await start({ limits: { perAddress: 2 } })
    const statuses = []
    for (let count = 0; count < 3; count++) statuses.push((await control.inject('GET', '/nothing')).status)
    expect(statuses).toEqual([404, 404, 429])
    expect((await control.as(await tokenOf())('GET', '/quick')).status).toBe(200)
    expect((await control.inject('GET', '/alive')).status).toBe(200)
  })
})

describe('credentials that are not taken', () => {
  /** From another machine, by a proxy that we know. */
  const settings = 'trustedProxies: [127.0.0.1]\n'
  const from = { 'x-forwarded-for': '203.0.113.7' }

  test('are limited for an address, which does not shut out others there', async () => {
    await start({ settings, limits: { failuresPerMinute: 3 } })
    const good = control.as(await tokenOf())
    expect((await good('GET', '/quick', undefined, from)).status).toBe(200)
    const statuses = []
    for (let count = 0; count < 5; count++)
      statuses.push((await control.as(`guess${count}`)('GET', '/quick', undefined, from)).status)
    expect(statuses).toEqual([401, 401, 401, 429, 429])
    expect((await good('GET', '/quick', undefined, from)).status).toBe(200)
  })

  test('are limited at the sign-in', async () => {
    await start({ settings, limits: { failuresPerMinute: 2 } })
    const statuses = []
    for (let count = 0; count < 4; count++)
      statuses.push((await control.inject('POST', '/sessions', { token: `guess${count}` }, from)).status)
    expect(statuses).toEqual([401, 401, 429, 429])
  })

  test('of another address, or of this machine, are none of these', async () => {
    await start({ settings, limits: { failuresPerMinute: 1 } })
    const guess = async (headers: Record<string, string>) =>
      (await control.as('guess')('GET', '/quick', undefined, headers)).status
    expect([await guess(from), await guess(from)]).toEqual([401, 429])
    expect(await guess({ 'x-forwarded-for': '203.0.113.8' })).toBe(401)
    expect([await guess({}), await guess({}), await guess({})]).toEqual([401, 401, 401])
  })
})

test('a flood over its limit is refused without asking the database', async () => {
  await start({ limits: { perActor: 2 } })
  const ask = control.as(await tokenOf())
  for (let count = 0; count < 3; count++) await ask('GET', '/quick')
  // Were the token looked for, it would not be found.
  await control.database.transaction(tx => tx.execute(sql`delete from api_tokens`))
  expect((await ask('GET', '/quick')).status).toBe(429)
})

describe('requests at the same time', () => {
  test('are limited for a project, and others do not notice', async () => {
    const { open, waiting } = await start({ limits: { atOnce: 2 } })
    const flood = control.as(await tokenOf(await control.project('flood')))
    const inside = [flood('GET', '/slow'), flood('GET', '/slow')]
    await waitFor(() => waiting() === 2, { what: 'two at work' })
    expect((await flood('GET', '/quick')).json.code).toBe('RATE_LIMITED')
    expect((await control.as(await tokenOf())('GET', '/quick')).status).toBe(200)
    open()
    expect((await Promise.all(inside)).map(({ status }) => status)).toEqual([200, 200])
    await waitFor(async () => (await flood('GET', '/quick')).status === 200, { what: 'room again' })
  })

  test('that wait on purpose do not count', async () => {
    const { open, waiting } = await start({ limits: { atOnce: 1 } })
    const ask = control.as(await tokenOf())
    const held = [ask('GET', '/held'), ask('GET', '/held'), ask('GET', '/held')]
    await waitFor(() => waiting() === 3, { what: 'three to be held' })
    expect((await ask('GET', '/quick')).status).toBe(200)
    open()
    await Promise.all(held)
  })
})

describe('too much to do', () => {
  test('refuses who comes, and not who asks whether we live', async () => {
    await start({ load: { maxWaiting: -1 } })
    const refused = await control.asAdmin('GET', '/quick')
    expect([refused.status, refused.json.code, refused.headers['retry-after']]).toEqual([503, 'OVERLOADED', '2'])
    expect((await control.inject('GET', '/alive')).status).toBe(200)
  })

  test('is noticed by the event loop, and passes', async () => {
    await start({ load: { maxLoopDelayMs: 100 } })
    const block = (): void => {
      const end = performance.now() + 700
      while (performance.now() < end) {}
    }
    await waitFor(
      async () => {
        block()
        return (await control.asAdmin('GET', '/quick')).json.code === 'OVERLOADED'
      },
      { what: 'a refusal', timeoutMs: 15_000 },
    )
    await waitFor(async () => (await control.asAdmin('GET', '/quick')).status === 200, {
      what: 'it to pass',
      timeoutMs: 15_000,
    })
  }, 40_000)
})
