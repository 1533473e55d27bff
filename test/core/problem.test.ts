import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { printable, printableAddress, printableId, routeKey, routeLabel } from '../../src/core/problem.ts'

describe('printable', () => {
  test.each([
    ['plain text', 'db.example.com', 'db.example.com'],
    ['an empty text', '', ''],
    ['nothing', undefined, 'nothing'],
    ['null', null, 'null'],
    ['a number', 1.5, '1.5'],
    ['Infinity', Number.POSITIVE_INFINITY, 'Infinity'],
    ['NaN', Number.NaN, 'NaN'],
    ['a bigint', 12n, '12'],
    ['true', true, 'true'],
    ['an object', { a: [1] }, '{"a":[1]}'],
    ['a function', () => 1, 'function'],
    ['a symbol', Symbol('x'), 'symbol'],
    ['a bigint within', { a: 1n }, 'object'],
    ['a line end', 'a\nb\r', 'a\\u{a}b\\u{d}'],
    ['an escape sequence', '\u001b[2J', '\\u{1b}[2J'],
    ['C1 controls', '\u009b', '\\u{9b}'],
    ['bidirectional signs', '\u202ea\u2066', '\\u{202e}a\\u{2066}'],
    ['invisible signs', 'a\u200b\u00ad\ufeff', 'a\\u{200b}\\u{ad}\\u{feff}'],
    ['line separators', '\u2028\u2029', '\\u{2028}\\u{2029}'],
    ['a lone surrogate', 'a\ud800', 'a\\u{d800}'],
    ['tag signs beyond the first plane', '\u{e0041}', '\\u{e0041}'],
    ['other scripts', 'bücher 数据 😀', 'bücher 数据 😀'],
    ['80 signs', 'x'.repeat(80), 'x'.repeat(80)],
    ['81 signs', 'x'.repeat(81), `${'x'.repeat(77)}...`],
    ['signs that escape to more than 80', '\u0000'.repeat(20), `${'\\u{0}'.repeat(15)}\\u...`],
    ['a pair where the cut falls', `${'x'.repeat(76)}😀yyy`, `${'x'.repeat(76)}...`],
  ])('%s', (_, value, text) => {
    expect(printable(value)).toBe(text)
  })

  test('a value that refers to itself is told by its kind', () => {
    const loop: { self?: unknown } = {}
    loop.self = loop
    expect(printable(loop)).toBe('object')
  })

  propertyTest.prop([fc.string({ unit: 'binary', maxLength: 200 })], { numRuns: 300 })(
    'is one line of at most 80 well-formed signs',
    text => {
      const line = printable(text)
      expect(line.length).toBeLessThanOrEqual(80)
      expect(line.isWellFormed()).toBe(true)
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u)
      expect(printable(line)).toBe(line)
    },
  )
})

test.each([
  ['10.0.0.1:5432', '10.0.0.1:5432'],
  ['postgres://app:p@ss@10.0.0.1:5432/db', '***@10.0.0.1:5432/db'],
  ['app:secret@10.0.0.1', '***@10.0.0.1'],
  [{ url: 'http://app:secret@10.0.0.1' }, 'object'],
  [{ url: 'http://10.0.0.1' }, '{"url":"http://10.0.0.1"}'],
  [`${'secret'.repeat(100)}@h`, '***@h'],
  [7, '7'],
])('the address %j is shown without what stands before an @', (value, text) => {
  expect(printableAddress(value)).toBe(text)
})

test('an id is cut at 200 signs', () => {
  expect(printableId('x'.repeat(200))).toBe('x'.repeat(200))
  expect(printableId('x'.repeat(201))).toBe(`${'x'.repeat(197)}...`)
  expect(printableId('a\u202e')).toBe('a\\u{202e}')
})

test('a route is named by protocol and id', () => {
  expect(routeKey('tcp', 'pg')).toBe('tcp/pg')
  expect(routeLabel({ protocol: 'tcp', routeId: 'pg' })).toBe('tcp/pg')
  expect(routeLabel({ protocol: 'udp', routeId: null })).toBe('udp route')
  expect(routeLabel({ protocol: null, routeId: null })).toBe('document')
  expect(routeLabel({ protocol: null, routeId: 'pg' })).toBe('pg')
})
