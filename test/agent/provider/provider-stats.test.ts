import { describe, expect, test } from 'vitest'
import { countPollers, makePollAccount, median, type PollSpan } from '../../../src/agent/provider/stats.ts'

const NOW = 1_000_000
const span = (fromMs: number, toMs: number, polls = 5): PollSpan => ({ fromMs: NOW + fromMs, toMs: NOW + toMs, polls })

describe('countPollers', () => {
  test.each<[string, readonly PollSpan[], number]>([
    ['nobody', [], 0],
    ['one connection', [span(-30_000, -10)], 1],
    ['one connection after the other', [span(-50_000, -30_000), span(-29_000, -10)], 1],
    ['two at once', [span(-50_000, -5), span(-40_000, -10)], 2],
    ['two at once, one of them gone on anew', [span(-50_000, -5), span(-50_000, -30_000), span(-29_000, -10)], 2],
    ['three at once', [span(-50, -1), span(-60, -2), span(-70, -3)], 3],
    ['a look beside a poller does not count', [span(-50_000, -5), span(-3_000, -3_000, 1)], 1],
    ['a single poll alone counts', [span(-3_000, -3_000, 1)], 1],
    ['what ended a minute ago is over', [span(-90_000, -60_001)], 0],
  ])('%s: counted as so many pollers', (_title, spans, expected) => {
    expect(countPollers(spans, NOW)).toBe(expected)
  })
})

test.each<[readonly number[], number | null]>([
  [[], null],
  [[7], 7],
  [[9, 1], 5],
  [[9, 100, 1], 9],
])('median of %j is %j', (values, expected) => {
  expect(median(values)).toBe(expected)
})

test('an empty account has nothing in it', () => {
  expect(makePollAccount().read([], NOW)).toEqual({
    lastPollAt: null,
    polls: 0,
    strangers: null,
    pollsByStatus: {},
    unauthorized: 0,
    tokenRefused: false,
    lastServedHash: null,
    pollers: 0,
    pollGapMs: null,
  })
})

test('the gap is the median of the last fifteen', () => {
  const account = makePollAccount()
  for (let count = 0; count < 20; count += 1) account.gap(10)
  for (let count = 0; count < 8; count += 1) account.gap(200)
  expect(account.read([], NOW).pollGapMs).toBe(200)
})

test('a refused poll leaves the last served hash', () => {
  const account = makePollAccount()
  account.answered(200)
  account.polled(5, 'a')
  account.answered(401)
  account.answered(503)
  account.polled(9, null)
  expect(account.read([], NOW)).toEqual({
    lastPollAt: 9,
    polls: 2,
    strangers: null,
    pollsByStatus: { 200: 1, 401: 1, 503: 1 },
    unauthorized: 1,
    tokenRefused: false,
    lastServedHash: 'a',
    pollers: 0,
    pollGapMs: null,
  })
})

test('a closed connection counts for a minute more', () => {
  const account = makePollAccount()
  account.closed(span(-10_000, -20), NOW)
  account.closed(span(-10_000, -10), NOW)
  expect(account.read([], NOW).pollers).toBe(2)
  expect(account.read([span(-5_000, 0)], NOW).pollers).toBe(3)
  expect(account.read([], NOW + 61_000).pollers).toBe(0)
})
