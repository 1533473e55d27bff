import { sql } from 'drizzle-orm'
import { beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Database } from '../../../src/control/db/client.ts'
import { projects } from '../../../src/control/db/schema.ts'
import { sendAnswer } from '../../../src/control/http/answer.ts'
import { ApiError } from '../../../src/control/http/api-error.ts'
import { write } from '../../../src/control/http/write.ts'
import { atEnd } from '../../support/at-end.ts'
import { type Ask, type ControlApp, controlApp } from '../../support/control-app.ts'
import { onEachDatabase } from '../../support/database.ts'
import { waitFor } from '../../support/wait-for.ts'

const Thing = z.strictObject({ name: z.string() })

/** A control plane where things can be made, each a row among the projects. */
async function thingsApp(database: Database): Promise<ControlApp> {
  const control = await controlApp({
    deps: { database },
    routes(app, deps) {
      app.post(
        '/things',
        {
          config: { access: 'write' },
          schema: {
            querystring: z.object({ dryRun: z.stringbool().default(false) }),
            body: Thing,
            response: { 201: z.object({ id: z.string(), secret: z.string() }) },
          },
        },
        async (request, reply) => {
          const { name } = request.body
          const answer = await write(deps, request, { dryRun: request.query.dryRun }, async m => {
            const { revision } = await m.change()
            const id = `thing_${revision}`
            await m.tx.insert(projects).values({ id, name })
            if (name === 'refused') throw new ApiError('CONFLICT', 'refused after it was written')
            await m.audit({ action: 'thing.create', resourceKind: 'thing', resourceId: id, after: { name } })
            return { status: 201, body: { id, secret: `secret of ${id}` }, etag: '"v1"', secret: name === 'secret' }
          })
          return sendAnswer(reply, answer)
        },
      )
    },
  })
  atEnd(() => control.close())
  return control
}

onEachDatabase('an Idempotency-Key', use => {
  let control: ControlApp
  let post: Ask
  const make = (key: string, name = 'one', ask = post) => ask('POST', '/things', { name }, { 'idempotency-key': key })
  const count = async (): Promise<unknown> =>
    use().transaction(async tx => {
      const { rows } = await tx.execute(sql`
        select (select count(*)::int from projects) as things, (select count(*)::int from audit_log) as audited,
          (select revision::int from revisions) as revision`)
      return rows[0]
    })

  beforeEach(async () => {
    control = await thingsApp(use())
    post = control.as(await control.tokenFor({ scopes: ['write'] }))
  })

  test('gives a repeated request the answer of the first', async () => {
    const first = await make('k')
    expect([first.status, first.headers.etag, first.headers['idempotency-replayed']]).toEqual([201, '"v1"', undefined])
    const again = await make('k')
    expect([again.status, again.headers.etag, again.headers['idempotency-replayed']]).toEqual([201, '"v1"', 'true'])
    expect(again.text).toBe(first.text)
    expect(await count()).toEqual({ things: 1, audited: 1, revision: 1 })
  })

  test('refuses another request', async () => {
    await make('k')
    const { status, json } = await make('k', 'two')
    expect([status, json.code]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED'])
    expect(await count()).toEqual({ things: 1, audited: 1, revision: 1 })
  })

  test('belongs to whoever sent it', async () => {
    await make('k')
    const other = control.as(await control.tokenFor({ scopes: ['write'] }))
    expect((await make('k', 'two', other)).status).toBe(201)
    expect(await count()).toEqual({ things: 2, audited: 2, revision: 2 })
  })

  test('keeps nothing of a request that was refused', async () => {
    expect((await make('k', 'refused')).status).toBe(409)
    expect(await count()).toEqual({ things: 0, audited: 0, revision: 0 })
    expect((await make('k', 'one')).status).toBe(201)
  })

  test('is forgotten after a day', async () => {
    await make('k')
    await use().transaction(tx => tx.execute(sql`update idempotency_keys set created_at = now() - interval '25 hours'`))
    expect((await make('k', 'two')).status).toBe(201)
    expect((await make('k', 'two')).headers['idempotency-replayed']).toBe('true')
  })

  test('keeps a secret sealed, for its caller alone', async () => {
    const first = await make('k', 'secret')
    const { rows } = await use().transaction(tx => tx.execute(sql`select headers, body from idempotency_keys`))
    expect(JSON.stringify(rows)).not.toMatch(/secret|thing/)
    expect((await make('k', 'secret')).text).toBe(first.text)
  })

  test.each([
    ['too long', 'k'.repeat(201)],
    ['with a space', 'a b'],
  ])('that is %s is refused', async (_title, key) => {
    const { status, json } = await make(key)
    expect([status, json.code]).toEqual([400, 'QUERY_INVALID'])
  })

  test('sent by twenty at once makes one thing', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => make('k')))
    expect(await count()).toEqual({ things: 1, audited: 1, revision: 1 })
    const made = answers.filter(({ status }) => status === 201)
    expect(new Set(made.map(({ text }) => text)).size).toBe(1)
    expect(made.filter(({ headers }) => headers['idempotency-replayed'] === undefined)).toHaveLength(1)
    for (const { status, json, headers } of answers)
      if (status !== 201)
        expect([status, json.code, headers['retry-after']]).toEqual([409, 'IDEMPOTENCY_KEY_IN_USE', '1'])
  })

  test('of a storm of repeats makes each thing once, audited once', async () => {
    const keys = Array.from({ length: 15 }, (_, index) => `key-${index}`)
    /** As a client does that got no answer: until there is one. */
    const until = (key: string) =>
      waitFor(
        async () => {
          const { status, json } = await make(key, `thing-${key}`)
          return status === 201 ? json.id : null
        },
        { what: 'an answer', timeoutMs: 30_000 },
      )
    const ids = await Promise.all(
      [...keys, ...keys, ...keys].sort(() => Math.random() - 0.5).map(async key => [key, await until(key)]),
    )
    expect(new Set(ids.map(([key, id]) => `${key} ${id}`)).size).toBe(15)
    expect(await count()).toEqual({ things: 15, audited: 15, revision: 15 })
  }, 60_000)

  test('is not kept for a dry run, which changes nothing', async () => {
    const { status, json } = await post('POST', '/things?dryRun=true', { name: 'one' }, { 'idempotency-key': 'k' })
    expect([status, json.id]).toEqual([201, 'thing_1'])
    expect(await count()).toEqual({ things: 0, audited: 0, revision: 0 })
    expect((await make('k', 'other')).status).toBe(201)
  })
})

describe('a change that', () => {
  test('writes no audit row is a fault of ours, and not made', async () => {
    const control = await controlApp({
      routes(app, deps) {
        app.post('/things', { config: { access: 'write' } }, async (request, reply) =>
          sendAnswer(
            reply,
            await write(deps, request, {}, async m => {
              await m.tx.insert(projects).values({ id: 'p', name: 'p' })
              return { status: 201, body: {} }
            }),
          ),
        )
      },
    })
    atEnd(() => control.close())
    expect((await control.asAdmin('POST', '/things')).status).toBe(500)
    expect(await control.database.transaction(tx => tx.select().from(projects))).toEqual([])
  })
})
