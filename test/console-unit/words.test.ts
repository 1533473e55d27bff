import { describe, expect, test } from 'vitest'
import { counted, grouped, listed } from '../../src/console/words/count.ts'
import { middleCut, shortIds, withMarks } from '../../src/console/words/safe-text.ts'
import { findRows, makeIndex, nearestNames } from '../../src/console/words/search.ts'
import { agoWords, clockWords, dayHeading, dayWords, durationWords, leftWords } from '../../src/console/words/time.ts'

test.each([
  [0, '0 ms'],
  [61.9, '61 ms'],
  [999, '999 ms'],
  [1_000, '1.0 s'],
  [2_149, '2.1 s'],
  [10_000, '10 s'],
  [59_999, '59 s'],
  [60_000, '1 min'],
  [18 * 60_000, '18 min'],
  [3_600_000, '1 h'],
  [47 * 3_600_000, '47 h'],
  [48 * 3_600_000, '2 d'],
  [-5, '0 ms'],
])('%d ms lasts %s', (ms, words) => {
  expect(durationWords(ms)).toBe(words)
})

test.each([
  [400, 'now'],
  [-3_000, 'now'],
  [2_700, '2 s'],
  [660_000, '11 min'],
])('%d ms ago is %s', (ms, words) => {
  expect(agoWords(ms)).toBe(words)
})

test.each([
  [872_000, '14 min 32 s'],
  [8_100, '9 s'],
  [-1, '0 s'],
  [7_260_000, '2 h 1 min'],
])('%d ms left are %s', (ms, words) => {
  expect(leftWords(ms)).toBe(words)
})

test('times of the day and days are short', () => {
  const time = new Date(2026, 10, 4, 9, 5, 7)
  expect(clockWords(time)).toBe('09:05:07')
  expect(dayWords(time, new Date(2026, 10, 23))).toBe('4 Nov')
  expect(dayWords(time, new Date(2027, 0, 1))).toBe('4 Nov 2026')
  expect(dayHeading(time, new Date(2026, 10, 4, 23))).toBe('Today')
  expect(dayHeading(time, new Date(2026, 10, 5, 1))).toBe('Yesterday')
  expect(dayHeading(time, new Date(2026, 10, 6, 1))).toBe('4 Nov')
})

test('numbers and lists read well', () => {
  expect(grouped(1_377)).toBe('1\u202f377')
  expect(grouped(1_234_567)).toBe('1\u202f234\u202f567')
  expect(counted(1, 'service')).toBe('1 service')
  expect(counted(0, 'entry', 'entries')).toBe('0 entries')
  expect([
    listed([]),
    listed(['a']),
    listed(['a', 'b']),
    listed(['a', 'b', 'c']),
    listed(['a', 'b', 'c', 'd']),
  ]).toEqual(['', 'a', 'a and b', 'a, b and c', 'a, b and 2 more'])
})

describe('text of others', () => {
  test.each([
    ['db\u202egnp.exe', 'db␣gnp.exe'],
    ['orders\u200b-db', 'orders␣-db'],
    ['\ufeffdb', '␣db'],
    ['db\u2066x\u2069', 'db␣x␣'],
    ['a\u00adb', 'a␣b'],
    ['a\u3164b', 'a␣b'],
    ['a\u{e0041}b', 'a␣b'],
    ['a\tb', 'a␣b'],
    ['grün-db 数据', 'grün-db 数据'],
  ])('%j shows every sign that it has', (text, marked) => {
    expect(withMarks(text)).toBe(marked)
  })

  test('of an agent has short ids, and one control plane', () => {
    const hex = '01a209628fbf7721a51563e7948b0ad9'
    expect(shortIds(`tcp_prt_${hex} on tcp-12008`)).toBe('tcp_prt_…948b0ad9 on tcp-12008')
    expect(shortIds(`cp_${hex} asks for it`)).toBe('the control plane asks for it')
    expect(shortIds('tcp_orders on tcp-10001')).toBe('tcp_orders on tcp-10001')
  })

  test('is cut in the middle, never inside a sign', () => {
    expect(middleCut('orders-db', 9)).toBe('orders-db')
    expect(middleCut('reports-warehouse-eu-west-2', 13)).toBe('report…west-2')
    expect(middleCut('😀😀😀😀😀😀', 4)).toBe('😀😀…😀')
  })
})

describe('search', () => {
  const index = makeIndex(
    [
      { name: 'orders-db', address: '10.200.1.5', port: 5432 },
      { name: 'Storefront', address: null, port: 80 },
    ],
    ({ name, address, port }) => [name, address, port],
  )
  const names = (query: string) => findRows(index, query).map(({ name }) => name)

  test('finds rows that hold every word', () => {
    expect(names('')).toEqual(['orders-db', 'Storefront'])
    expect(names('ORD 5432')).toEqual(['orders-db'])
    expect(names('store')).toEqual(['Storefront'])
    expect(names('orders 80')).toEqual([])
  })

  test('does not find across fields', () => {
    expect(names('db10')).toEqual([])
  })

  test('offers the most alike names', () => {
    expect(nearestNames('orderz', ['storefront', 'orders-replica', 'orders-db', 'mqtt'])).toEqual([
      'orders-db',
      'orders-replica',
    ])
    expect(nearestNames('zzz', ['orders-db'])).toEqual([])
    expect(nearestNames('', ['orders-db'])).toEqual([])
  })
})
