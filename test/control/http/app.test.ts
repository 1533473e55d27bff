import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { sendAnswer } from '../../../src/control/http/answer.ts'
import { write } from '../../../src/control/http/write.ts'
import { type ControlApp, controlApp } from '../../support/control-app.ts'

let control: ControlApp

beforeAll(async () => {
  control = await controlApp({
    routes(app, deps) {
      app.get(
        '/things',
        { config: { access: 'read' }, schema: { response: { 200: z.object({ ok: z.boolean() }) } } },
        async () => ({ ok: true }),
      )
      app.post(
        '/things',
        {
          config: { access: 'write' },
          schema: { body: z.strictObject({ name: z.string() }), response: { 201: z.object({ name: z.string() }) } },
        },
        async (request, reply) => {
          const answer = await write(deps, request, {}, async m => {
            await m.audit({ action: 'thing.create', resourceKind: 'thing', resourceId: request.body.name })
            return { status: 201, body: { name: request.body.name } }
          })
          return sendAnswer(reply, answer)
        },
      )
    },
  })
}, 60_000)
afterAll(() => control.close())

test('a route without a token answers 401', async () => {
  const { status, json, headers } = await control.inject('GET', '/things')
  expect(status).toBe(401)
  expect(json).toEqual({
    type: 'urn:fairlead:problem:UNAUTHENTICATED',
    title: 'Nobody is signed in',
    status: 401,
    code: 'UNAUTHENTICATED',
    detail: 'the request carries no token',
    remedy: 'Send `Authorization: Bearer flt_...` with a token that is neither expired nor revoked.',
    requestId: headers['x-request-id'],
  })
})

test('a repeated POST gets the first answer', async () => {
  const ask = control.as(await control.tokenFor({ scopes: ['write'] }))
  const first = await ask('POST', '/things', { name: 'a' }, { 'idempotency-key': 'k1' })
  expect([first.status, first.json]).toEqual([201, { name: 'a' }])
  const again = await ask('POST', '/things', { name: 'a' }, { 'idempotency-key': 'k1' })
  expect([again.status, again.json, again.headers['idempotency-replayed']]).toEqual([201, { name: 'a' }, 'true'])
})
