import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { component, createLogger, REDACTED, redactLine, redactText, serializeError } from '../../src/lib/logger.ts'

const CANARY = 'c4n4ry-5ecret'

function logging() {
  const lines: string[] = []
  const logger = createLogger({ level: 'debug', destination: { write: line => void lines.push(line) } })
  const facts = (): unknown[] =>
    lines.map(line => {
      const { time, pid, hostname, ...rest } = JSON.parse(line)
      return rest
    })
  return { logger, facts, text: () => lines.join('') }
}

describe('lines', () => {
  test('a line is JSON with level, component and facts', () => {
    const { logger, facts } = logging()
    component(logger, 'provider').warn({ routeId: 'pg', port: 10001 }, 'route rejected')
    expect(facts()).toEqual([
      { level: 'warn', component: 'provider', routeId: 'pg', port: 10001, msg: 'route rejected' },
    ])
  })

  test('a level below the chosen one is silent', () => {
    const lines: string[] = []
    const logger = createLogger({ level: 'warn', destination: { write: line => void lines.push(line) } })
    logger.info('nothing')
    expect(lines).toEqual([])
  })

  test('newlines in a fact stay within one line', () => {
    const { logger, text } = logging()
    logger.info({ routeId: 'a\n{"level":"fatal"}' }, 'route rejected')
    expect(text().trimEnd().split('\n')).toHaveLength(1)
  })
})

describe('secrets', () => {
  const planted: readonly (readonly [string, unknown])[] = [
    ['a header', { headers: { authorization: `Bearer ${CANARY}` } }],
    ['a header in capitals', { headers: { Authorization: CANARY, Cookie: CANARY, 'Proxy-Authorization': CANARY } }],
    ['a set-cookie list', { headers: { 'set-cookie': [CANARY] } }],
    ['a token', { token: CANARY, providerToken: CANARY, auth: { bearerToken: CANARY } }],
    ['a certificate key', { certificates: [{ domain: 'a.example', certificateKey: CANARY }] }],
    ['a private key', { identity: { privateKey: CANARY, private_key: CANARY } }],
    ['a password', { database: { password: CANARY } }],
    ['a signature', { headers: { 'x-signature': CANARY } }],
    ['URL userinfo', { url: `postgres://fairlead:${CANARY}@db.example:5432/x` }],
    ['URL userinfo with an at sign', { url: `https://fairlead:${CANARY}@x@db.example` }],
    ['a URL object', { url: new URL(`https://u:${CANARY}@db.example`) }],
    ['a bearer in a text', { detail: `sent Authorization: Bearer ${CANARY}` }],
    ['a basic credential in a text', { detail: `Basic ${Buffer.from(CANARY).toString('base64')}` }],
    ['a private key in a text', { detail: `-----BEGIN EC PRIVATE KEY-----\n${CANARY}\n-----END EC PRIVATE KEY-----` }],
    ['half a private key', { detail: `-----BEGIN PRIVATE KEY-----\n${CANARY}` }],
    ['an API token', { detail: `used flt_${CANARY}` }],
    ['JSON in a text', { detail: `got {"token": "${CANARY}", "n": 1}` }],
    ['bytes', { body: Buffer.from(CANARY) }],
  ]

  test.each(planted)('%s does not reach the log', (_name, fields) => {
    const { logger, text } = logging()
    logger.error(fields, 'request failed')
    logger.child(Object(fields)).error('request failed')
    expect(text()).not.toContain(CANARY)
    expect(text()).not.toContain(Buffer.from(CANARY).toString('base64'))
    expect(
      text()
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line).msg),
    ).toEqual(['request failed', 'request failed'])
  })

  test('what is not secret stays readable', () => {
    const { logger, facts } = logging()
    logger.info(
      { tokenFile: '/etc/fairlead/token', url: 'http://127.0.0.1:7480/traefik?hold=25s', tokens: 5 },
      'listening',
    )
    expect(facts()).toEqual([
      {
        level: 'info',
        tokenFile: '/etc/fairlead/token',
        url: 'http://127.0.0.1:7480/traefik?hold=25s',
        tokens: 5,
        msg: 'listening',
      },
    ])
  })

  test('a cyclic and a deep object are cut', () => {
    const { logger, facts } = logging()
    const cyclic: Record<string, unknown> = { a: 1 }
    cyclic.self = cyclic
    logger.info({ cyclic, deep: { b: { c: { d: { e: { f: {} } } } } } }, 'looked')
    expect(facts()).toEqual([
      {
        level: 'info',
        cyclic: { a: 1, self: '[circular]' },
        deep: { b: { c: { d: { e: { f: '[deep]' } } } } },
        msg: 'looked',
      },
    ])
  })

  // Texts in which a quote, a backslash or the end of the text stands where a pattern might cut.
  const nasty = fc
    .array(
      fc.constantFrom(
        '"token":"',
        '\\"',
        '"',
        '\\',
        'https://a:b@',
        'bearer abcdefghij',
        '-----BEGIN PRIVATE KEY-----',
        '-----END PRIVATE KEY-----',
        'flt_abcdefghij',
        ' ',
        '\n',
      ),
    )
    .map(parts => parts.join(''))
  const { tree } = fc.letrec(tie => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      nasty,
      fc.string(),
      fc.double(),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fc.oneof(nasty, fc.string()), tie('tree'), { maxKeys: 3 }),
    ),
  }))

  propertyTest.prop([tree])('a redacted line stays JSON, its secrets gone', value => {
    const line = JSON.stringify({ value, token: CANARY, list: [{ password: [CANARY] }] })
    const { value: after, ...rest } = JSON.parse(redactLine(line))
    expect(rest).toEqual({ token: REDACTED, list: [{ password: REDACTED }] })
    expect(typeof after).toBe(typeof JSON.parse(line).value)
  })

  test('a text that is no JSON is redacted all the same', () => {
    expect(redactLine(`{"half: Bearer ${CANARY}`)).toBe(`{"half: Bearer ${REDACTED}`)
  })

  test('a key in a text ends where it ends', () => {
    expect(redactText(`a\n-----BEGIN PRIVATE KEY-----\n${CANARY}\n-----END PRIVATE KEY-----\nb`)).toBe(
      `a\n${REDACTED}\nb`,
    )
  })
})

describe('errors', () => {
  test('only known fields of an error go on', () => {
    const error = Object.assign(new Error(`GET https://u:${CANARY}@cp.example/x?key=${CANARY} failed`), {
      code: 'ECONNREFUSED',
      retryable: true,
      headers: { authorization: CANARY },
      request: { body: CANARY },
      stack: `Error: GET https://cp.example/x?key=${CANARY}\n    at here`,
    })
    expect(serializeError(error)).toEqual({
      type: 'Error',
      message: `GET https://${REDACTED}@cp.example/x failed`,
      code: 'ECONNREFUSED',
      retryable: true,
      stack: 'Error: GET https://cp.example/x\n    at here',
    })
  })

  test('causes and collected errors go through the same sieve', () => {
    const cause = Object.assign(new Error('inner'), { token: CANARY, stack: 'inner stack' })
    const error = new AggregateError([cause], 'outer', { cause })
    error.stack = 'outer stack'
    const inner = { type: 'Error', message: 'inner', stack: 'inner stack' }
    expect(serializeError(error)).toEqual({
      type: 'AggregateError',
      message: 'outer',
      stack: 'outer stack',
      cause: inner,
      errors: [inner],
    })
  })

  test('a text that an error quotes is cut', () => {
    const error = new Error('https://a,'.repeat(20_000))
    expect(serializeError(error)).toHaveProperty('message.length', 8192)
  })

  test('an error that causes itself ends', () => {
    const error = new Error('loop')
    error.cause = error
    expect(JSON.stringify(serializeError(error)).match(/"message":"loop"/g)).toHaveLength(7)
  })

  test.each([
    ['as the object', (logger: ReturnType<typeof createLogger>, error: Error) => logger.error(error)],
    ['under err', (logger: ReturnType<typeof createLogger>, error: Error) => logger.error({ err: error }, 'x')],
    [
      'under another name',
      (logger: ReturnType<typeof createLogger>, error: Error) => logger.error({ why: error }, 'x'),
    ],
    ['in a list', (logger: ReturnType<typeof createLogger>, error: Error) => logger.error({ all: [error] }, 'x')],
  ])('an error logged %s loses its headers', (_where, log) => {
    const { logger, text } = logging()
    log(logger, Object.assign(new Error('refused'), { headers: { 'x-key': CANARY }, code: 'E_REFUSED' }))
    expect(text()).not.toContain(CANARY)
    expect(text()).toContain('E_REFUSED')
  })
})
