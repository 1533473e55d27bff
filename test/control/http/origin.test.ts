import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { makeHostCheck } from '../../../src/control/http/origin.ts'
import { type ControlApp, controlApp, controlConfig } from '../../support/control-app.ts'

let control: ControlApp
beforeAll(async () => {
  control = await controlApp({ settings: 'publicUrl: https://control.example.com\npublicHost: proxy.example.com\n' })
}, 60_000)
afterAll(() => control.close())

describe('a Host header', () => {
  const isOurs = makeHostCheck(
    controlConfig('publicUrl: https://control.example.com\npublicHost: proxy.example.com\nlisten: 127.0.0.1:7400\n'),
  )

  test.each([
    'control.example.com',
    'CONTROL.example.com:443',
    'control.example.com.',
    'proxy.example.com:7400',
    'localhost:7400',
    '127.0.0.1:7400',
    '10.0.0.5',
    '[::1]:7400',
    '[2001:db8::1]',
  ])('%s is ours', host => {
    expect(isOurs(host)).toBe(true)
  })

  test.each([
    '',
    'evil.example',
    'control.example.com.evil.example',
    'xcontrol.example.com',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'control.example.com@evil.example',
    'control.example.com:7400:1',
    '[::1',
    '[127.0.0.1]',
    '1.2.3.4.5',
    '0x7f.1',
    'a b',
  ])('%j is not', host => {
    expect(isOurs(host)).toBe(false)
  })

  test('of another name is refused before anything else', async () => {
    const { status, json } = await control.inject('POST', '/sessions', { token: 'x' }, { host: 'evil.example' })
    expect([status, json.code]).toEqual([421, 'HOST_UNKNOWN'])
  })

  test('of another name is no matter to who brings a token', async () => {
    expect((await control.asAdmin('GET', '/tokens', undefined, { host: 'cp-1.internal' })).status).toBe(200)
  })

  test('that is none is refused', async () => {
    expect((await control.asAdmin('GET', '/tokens', undefined, { host: 'a b' })).json.code).toBe('REQUEST_MALFORMED')
  })
})

describe('every answer', () => {
  const HEADERS = {
    'content-security-policy':
      "default-src 'none';script-src 'self';style-src 'self';img-src 'self';font-src 'self';connect-src 'self';base-uri 'none';form-action 'self';frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
    'x-request-id': expect.stringMatching(/^req_[0-9a-f]{32}$/),
  }

  test.each([
    ['of a call', 'GET', '/tokens', 200],
    ['of a refusal', 'PUT', '/tokens', 405],
    ['of nothing at all', 'GET', '/nothing', 404],
    ['of the document', 'GET', '//openapi.json', 200],
  ] as const)('%s keeps pages elsewhere and guesses out', async (_title, method, path, status) => {
    const answer = await control.asAdmin(method, path, undefined, { origin: 'https://evil.example' })
    expect(answer.status).toBe(status)
    expect(answer.headers).toMatchObject(HEADERS)
    expect(Object.keys(answer.headers).filter(name => name.startsWith('access-control'))).toEqual([])
  })

  test('has a request id of ours', async () => {
    const { headers } = await control.asAdmin('GET', '/tokens', undefined, { 'x-request-id': 'mine' })
    expect(headers['x-request-id']).toMatch(/^req_/)
  })
})

test('a question of another origin is not answered for it', async () => {
  const { status, headers } = await control.inject('OPTIONS', '/tokens', undefined, {
    origin: 'https://evil.example',
    'access-control-request-method': 'POST',
  })
  expect([status, headers.allow, headers['access-control-allow-origin']]).toEqual([405, 'GET, HEAD, POST', undefined])
})
