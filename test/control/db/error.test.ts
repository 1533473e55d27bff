import { describe, expect, test } from 'vitest'
import { DatabaseError, toDatabaseError } from '../../../src/control/db/error.ts'

const withCode = (code: string, message = 'said so'): Error => Object.assign(new Error(message), { code })

describe('an error of the database', () => {
  test.each([
    ['40001', 'DATABASE_CONFLICT', true],
    ['40P01', 'DATABASE_CONFLICT', true],
    ['23505', 'CONSTRAINT_VIOLATED', false],
    ['25006', 'DATABASE_READ_ONLY', true],
    ['28P01', 'DATABASE_REFUSED', false],
    ['3D000', 'DATABASE_REFUSED', false],
    ['42703', 'QUERY_FAILED', false],
    ['53100', 'DATABASE_FULL', true],
    ['53300', 'DATABASE_BUSY', true],
    ['55P03', 'DATABASE_BUSY', true],
    ['57014', 'DATABASE_BUSY', true],
    ['57P01', 'DATABASE_UNREACHABLE', true],
    ['57P03', 'DATABASE_UNREACHABLE', true],
    ['08006', 'DATABASE_UNREACHABLE', true],
    ['58030', 'DATABASE_BROKEN', false],
    ['XX000', 'DATABASE_BROKEN', false],
  ] as const)('with the SQLSTATE %s is %s', (sqlState, code, retryable) => {
    expect(toDatabaseError(withCode(sqlState))).toMatchObject({ code, retryable, sqlState, message: 'said so' })
  })

  test.each([['ECONNREFUSED'], ['ECONNRESET'], ['EPIPE'], ['ENOTFOUND']])('of a socket, %s, is unreachable', code => {
    expect(toDatabaseError(withCode(code))).toMatchObject({
      code: 'DATABASE_UNREACHABLE',
      retryable: true,
      sqlState: null,
      message: `the database cannot be reached: ${code}`,
    })
  })

  test.each([
    ['Connection terminated unexpectedly'],
    ['Connection terminated due to connection timeout'],
    ['Client has encountered a connection error and is not queryable'],
    ['Query read timeout'],
  ])('of pg, %j, is unreachable', message => {
    expect(toDatabaseError(new Error(message))).toMatchObject({ code: 'DATABASE_UNREACHABLE', retryable: true })
  })

  test('is found behind what others have wrapped it in', () => {
    const inner = Object.assign(withCode('23505', 'duplicate key'), { constraint: 'projects_name_unique' })
    const outer = new Error('Failed query: insert ... params: secret', { cause: inner })
    expect(toDatabaseError(outer)).toMatchObject({
      code: 'CONSTRAINT_VIOLATED',
      constraint: 'projects_name_unique',
      message: 'duplicate key',
    })
  })

  test('stays what it is when it was told already', () => {
    const error = new DatabaseError('DATABASE_BUSY', 'busy')
    expect(toDatabaseError(error)).toBe(error)
    expect(toDatabaseError(new Error('around it', { cause: error }))).toBe(error)
  })

  test.each([
    [new Error('a plain one')],
    [new TypeError('x is not a function')],
    [withCode('STALE')],
    ['a text'],
    [null],
  ])('is not made of %j', thrown => {
    expect(toDatabaseError(thrown)).toBeNull()
  })
})
