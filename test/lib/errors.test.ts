import { describe, expect, test } from 'vitest'
import { errorCode, SecretFileError, SourceError } from '../../src/lib/errors.ts'

const coded = (code: string, message = 'x') => Object.assign(new Error(message), { code })

describe('the code of an error', () => {
  test.each([
    ['its own', coded('ECONNREFUSED'), 'ECONNREFUSED'],
    ['that of its cause', new Error('x', { cause: new Error('y', { cause: coded('EPIPE') }) }), 'EPIPE'],
    [
      'the first of those it gathers',
      new AggregateError([new Error('x'), coded('ENETUNREACH'), coded('EPIPE')]),
      'ENETUNREACH',
    ],
    ['its own before its cause', Object.assign(new Error('x', { cause: coded('B') }), { code: 'A' }), 'A'],
    ['none', new Error('x'), null],
    ['a number', Object.assign(new Error('x'), { code: 5 }), null],
    ['no error', 'ECONNREFUSED', null],
  ])('is %s', (_, error, code) => {
    expect(errorCode(error)).toBe(code)
  })

  test('a circle of causes ends', () => {
    const error = new Error('x')
    error.cause = error
    expect(errorCode(error)).toBeNull()
  })
})

test('errors of ours carry code, remedy and whether to retry', () => {
  const cause = coded('EPIPE')
  const source = new SourceError('SOURCE_RESET', 'closed', { retryable: true, remedy: 'Wait.', cause, retryAfterMs: 5 })
  const { name, code, retryable, remedy, retryAfterMs, message } = source
  expect({ name, code, retryable, remedy, retryAfterMs, message, cause: source.cause }).toEqual({
    name: 'SourceError',
    code: 'SOURCE_RESET',
    retryable: true,
    remedy: 'Wait.',
    retryAfterMs: 5,
    message: 'closed',
    cause,
  })
  const file = new SecretFileError('SECRET_FILE_MISSING', '/a/b', 'there is no such file', 'Create it.')
  expect([file.name, file.code, file.message, file.retryable]).toEqual([
    'SecretFileError',
    'SECRET_FILE_MISSING',
    '/a/b: there is no such file',
    false,
  ])
})
