import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { generateKey, signRequest } from '../../../src/agent/identity.ts'
import { createVerifier, publicKeyOf, readSignedRequest } from '../../../src/control/agents/signature.ts'

/** RFC 8032, 7.1, test 1. */
const PUBLIC_KEY = '11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo='
const CONTRACT = readFileSync(join(import.meta.dirname, '../../../docs/contract.md'), 'utf8')

const row = (name: string): string[] => {
  const line = CONTRACT.split('\n').findLast(text => text.startsWith(`| ${name} |`)) ?? ''
  return line
    .split('|')
    .slice(2, 4)
    .map(cell => cell.trim().replace(/^`(.*)`$/, '$1'))
}

const headers = (values: Readonly<Record<string, string | readonly string[]>>) => (name: string) =>
  [values[name] ?? []].flat()

describe('the vectors of docs/contract.md', () => {
  test.each([0, 1])('vector %i is taken, and nothing else for it', index => {
    const cell = (name: string): string => row(name)[index] ?? ''
    const body = cell('body') === 'empty' ? '' : cell('body')
    const parts = {
      method: index === 0 ? 'GET' : 'POST',
      pathAndQuery: cell('path and query'),
      body: Buffer.from(body),
      header: headers({
        'x-server-id': 'srv_1',
        'x-timestamp': cell('`x-timestamp`'),
        'x-signature': cell('`x-signature`'),
      }),
    }
    const isSigned = createVerifier()
    const request = readSignedRequest(parts)
    if (request === null) throw new Error('the vector was not found')
    expect(isSigned(request, PUBLIC_KEY)).toBe(true)
    expect(isSigned(request, null)).toBe(false)
    expect(isSigned(request, generateKey().publicKey)).toBe(false)
    expect(isSigned({ ...request, method: 'PUT' }, PUBLIC_KEY)).toBe(false)
    expect(isSigned({ ...request, pathAndQuery: `${request.pathAndQuery}x` }, PUBLIC_KEY)).toBe(false)
    expect(isSigned({ ...request, body: Buffer.from(`${body} `) }, PUBLIC_KEY)).toBe(false)
    expect(isSigned({ ...request, timestampMs: request.timestampMs + 1 }, PUBLIC_KEY)).toBe(false)
  })
})

test('what the agent signs is taken', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const text = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64')
  const body = Buffer.from('{"a":"ä\\u0000"}')
  const parts = { method: 'POST' as const, pathAndQuery: '/api/v1/agent/status?a=%20b', body }
  const signed = signRequest({ ...parts, privateKey, serverId: 'srv_x', timestampMs: 1795428000000 })
  const request = readSignedRequest({ ...parts, header: name => headers({ ...signed })(name) })
  expect(request?.serverId).toBe('srv_x')
  expect(request !== null && createVerifier()(request, text)).toBe(true)
})

const GOOD = { 'x-server-id': 'srv_1', 'x-timestamp': '1795428000000', 'x-signature': `${'A'.repeat(86)}==` }

test.each([
  ['no server id', { 'x-server-id': [] }],
  ['two server ids', { 'x-server-id': ['srv_1', 'srv_2'] }],
  ['a server id with a blank', { 'x-server-id': 'srv 1' }],
  ['a server id of 201 signs', { 'x-server-id': 'x'.repeat(201) }],
  ['no timestamp', { 'x-timestamp': [] }],
  ['a timestamp with a zero in front', { 'x-timestamp': '01795428000000' }],
  ['a negative timestamp', { 'x-timestamp': '-1795428000000' }],
  ['a timestamp with a fraction', { 'x-timestamp': '1795428000000.5' }],
  ['a timestamp beyond what numbers hold', { 'x-timestamp': '9'.repeat(16) }],
  ['no signature', { 'x-signature': [] }],
  ['a signature in base64url', { 'x-signature': `${'-'.repeat(86)}==` }],
  ['a signature that is too short', { 'x-signature': `${'A'.repeat(82)}==` }],
  ['a signature with bits to spare', { 'x-signature': `${'A'.repeat(85)}B==` }],
] as const)('%s is not a signed request', (_title, change) => {
  const parts = { method: 'GET', pathAndQuery: '/', body: Buffer.alloc(0) }
  expect(readSignedRequest({ ...parts, header: headers(GOOD) })).not.toBe(null)
  expect(readSignedRequest({ ...parts, header: headers({ ...GOOD, ...change }) })).toBe(null)
})

test('a machine that believes it is 1970 can say so', () => {
  const parts = { method: 'GET', pathAndQuery: '/', body: Buffer.alloc(0) }
  expect(readSignedRequest({ ...parts, header: headers({ ...GOOD, 'x-timestamp': '0' }) })?.timestampMs).toBe(0)
})

test('what is no key is refused', () => {
  expect(() => publicKeyOf('AAAA')).toThrow()
})
