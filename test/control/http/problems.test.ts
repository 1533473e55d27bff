import { Writable } from 'node:stream'
import { pino } from 'pino'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { DatabaseError, type DatabaseErrorCode } from '../../../src/control/db/error.ts'
import { type ControlApp, controlApp, type Reply } from '../../support/control-app.ts'

const CANARY = 'canary-secret-7461'
const lines: string[] = []
const logger = pino(
  { level: 'debug' },
  new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    },
  }),
)

let control: ControlApp
let thrown: unknown = null
beforeAll(async () => {
  const Thing = z.strictObject({
    name: z.string().min(2),
    ports: z.array(z.strictObject({ port: z.int().min(1).max(65_535) })),
    token: z.string().max(3),
  })
  control = await controlApp({
    deps: { logger },
    routes(app) {
      const config = { access: 'public' } as const
      app.post('/things', { config, schema: { body: Thing } }, async () => ({}))
      app.get('/things', { config, schema: { querystring: z.object({ limit: z.coerce.number() }) } }, async () => ({}))
      app.get('/faults', { config: { ...config, problems: ['CONFLICT'] } }, async () => {
        throw thrown
      })
      app.get('/wrong', { config, schema: { response: { 200: z.object({ id: z.string() }) } } }, async () => {
        const wrong: { id: string } = JSON.parse(`{"id":7,"password":"${CANARY}"}`)
        return wrong
      })
    },
  })
}, 60_000)
afterAll(() => control.close())
beforeEach(() => {
  lines.length = 0
})

const brief = ({ status, headers, json }: Reply) => ({
  status,
  code: json.code,
  retryAfter: headers['retry-after'] ?? null,
})

describe('a body', () => {
  const post = (body: unknown, headers = {}) => control.inject('POST', '/things', body, headers)

  test('is told all its faults at once', async () => {
    const { status, json } = await post({ name: 'a', ports: [{ port: 70_000 }, { prt: 1 }], token: CANARY })
    expect([status, json.code]).toEqual([422, 'BODY_INVALID'])
    expect(json.fields).toEqual([
      { field: 'name', code: 'too_small', message: expect.any(String), value: '"a"' },
      { field: 'ports[0].port', code: 'too_big', message: expect.any(String), value: '70000' },
      { field: 'ports[1].port', code: 'invalid_type', message: expect.any(String) },
      {
        field: 'ports[1].prt',
        code: 'unknown_field',
        message: 'there is no field "prt"',
        remedy: 'Leave it out, or mend its name.',
      },
      // What may be a secret is not repeated.
      { field: 'token', code: 'too_big', message: expect.any(String) },
    ])
    expect(JSON.stringify(json) + lines.join('')).not.toContain(CANARY)
  })

  test('is quoted cut, and in signs that can be printed', async () => {
    const { json } = await post({ name: 7, ports: `\u001b[31m\u202e${'x'.repeat(500)}`, token: '' })
    const [, fault] = json.fields
    expect(fault.value).toBe(`"\\u001b[31m\\u202e${'x'.repeat(80 - '"\\u001b[31m\\u202e'.length)}...`)
  })

  test.each([
    ['that is not JSON', '{"name":', {}, 400, 'BODY_MALFORMED'],
    ['with a key twice', '{"name":"aa","name":"bb"}', {}, 400, 'BODY_MALFORMED'],
    ['nested too deep', '['.repeat(100_000), {}, 400, 'BODY_MALFORMED'],
    ['with a sign of code 0', '{"name":"a\\u0000b"}', {}, 400, 'BODY_MALFORMED'],
    [
      'of another type',
      'name=a',
      { 'content-type': 'application/x-www-form-urlencoded' },
      415,
      'CONTENT_TYPE_UNSUPPORTED',
    ],
    ['of a type for pages elsewhere', '{}', { 'content-type': 'text/plain' }, 415, 'CONTENT_TYPE_UNSUPPORTED'],
    ['that is too large', `"${'x'.repeat(1024 * 1024)}"`, {}, 413, 'BODY_TOO_LARGE'],
    ['that is empty', '', {}, 422, 'BODY_INVALID'],
    ['that is a list', '[]', {}, 422, 'BODY_INVALID'],
    ['that reaches for the prototype', '{"__proto__":{"admin":true}}', {}, 422, 'BODY_INVALID'],
  ])('%s is refused', async (_title, body, headers, status, code) => {
    expect(brief(await post(body, headers))).toEqual({ status, code, retryAfter: null })
    expect(Object.hasOwn(Object.prototype, 'admin')).toBe(false)
  })

  test('of text with an escaped backslash is no sign of code 0', async () => {
    const { json } = await post('{"name":"a\\\\u0000b","ports":[],"token":"abcd"}')
    expect(json.fields.map(({ field }: { field: string }) => field)).toEqual(['token'])
  })
})

test('a query is told its faults', async () => {
  const { status, json } = await control.inject('GET', '/things?limit=ten')
  expect([status, json.code, json.fields]).toEqual([
    400,
    'QUERY_INVALID',
    [{ field: 'limit', code: 'invalid_type', message: expect.any(String), value: '"ten"' }],
  ])
})

test.each([
  ['with a sign of code 0', '/things%00', 400, 'QUERY_INVALID'],
  ['with a broken escape', '/%zz', 400, 'REQUEST_MALFORMED'],
  ['with an id that is far too long', `/tokens/${'x'.repeat(5000)}`, 404, 'NOT_FOUND'],
  ['that there is not', '/nothing', 404, 'NOT_FOUND'],
])('a path %s is answered with a problem', async (_title, path, status, code) => {
  const answer = await control.inject('GET', path)
  expect([answer.status, answer.json.code]).toEqual([status, code])
})

test('a method that is not there names those that are', async () => {
  const { status, headers, json } = await control.inject('PUT', '/things')
  expect([status, headers.allow, json.code, json.allow]).toEqual([
    405,
    'GET, HEAD, POST',
    'METHOD_NOT_ALLOWED',
    ['GET', 'HEAD', 'POST'],
  ])
})

describe('what the database throws', () => {
  test.each<[DatabaseErrorCode, number, string, string | null]>([
    ['DATABASE_UNREACHABLE', 503, 'DATABASE_UNAVAILABLE', '1'],
    ['DATABASE_BUSY', 503, 'DATABASE_BUSY', '1'],
    ['DATABASE_CONFLICT', 503, 'DATABASE_BUSY', '1'],
    ['DATABASE_FULL', 503, 'DATABASE_UNAVAILABLE', '1'],
    ['DATABASE_READ_ONLY', 503, 'DATABASE_UNAVAILABLE', '1'],
    ['DATABASE_BROKEN', 503, 'DATABASE_UNAVAILABLE', '1'],
    ['DATABASE_CLOSED', 503, 'STOPPING', '1'],
    ['COMMIT_OUTCOME_UNKNOWN', 503, 'COMMIT_OUTCOME_UNKNOWN', '1'],
    ['CONSTRAINT_VIOLATED', 409, 'CONFLICT', null],
    ['QUERY_FAILED', 500, 'INTERNAL', null],
  ])('%s is answered with %i', async (databaseCode, status, code, retryAfter) => {
    thrown = new DatabaseError(databaseCode, `${CANARY} in a message`)
    const answer = await control.inject('GET', '/faults')
    expect(brief(answer)).toEqual({ status, code, retryAfter })
    expect(answer.text).not.toContain(CANARY)
  })
})

describe('a fault of ours', () => {
  test('is told without its insides, and logged with the request', async () => {
    thrown = new TypeError(`cannot read ${CANARY}\nof undefined`)
    const { status, text, json, headers } = await control.inject('GET', '/faults')
    expect([status, json.code, json.requestId]).toEqual([500, 'INTERNAL', headers['x-request-id']])
    expect(text).not.toContain(CANARY)
    const [line, ...more] = lines
    expect(more).toEqual([])
    expect(JSON.parse(line ?? '')).toMatchObject({
      level: 50,
      msg: 'request failed',
      reqId: headers['x-request-id'],
      err: { message: `cannot read ${CANARY}\nof undefined` },
    })
  })

  test('is an answer that is not as declared', async () => {
    const { status, text } = await control.inject('GET', '/wrong')
    expect([status, text.includes(CANARY)]).toEqual([500, false])
  })

  test('is anything at all that is thrown', async () => {
    for (const value of ['a text', null, undefined, 7, { code: 'X' }]) {
      thrown = value
      expect((await control.inject('GET', '/faults')).status).toBe(500)
    }
  })
})

test('what is logged stays one line of JSON for each entry', async () => {
  thrown = new Error('a\n{"level":60,"msg":"forged"}\r\nb')
  await control.inject('GET', '/faults', undefined, { 'x-request-id': 'x"}\n{', 'user-agent': '\tforged' })
  for (const line of lines) expect(() => JSON.parse(line)).not.toThrow()
  expect(lines.join('').trimEnd().split('\n')).toHaveLength(lines.length)
})
