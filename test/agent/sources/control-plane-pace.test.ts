import { describe, expect, test } from 'vitest'
import { parseRetryAfter } from '../../../src/agent/sources/fetch-state.ts'
import {
  type Answered,
  INITIAL_PACE,
  jittered,
  type Pace,
  paceAfter,
  retryDelay,
} from '../../../src/agent/sources/pace.ts'

const answered = (fields: Partial<Answered>): Answered => ({
  changed: false,
  askedToWait: true,
  canWait: true,
  waits: false,
  held: false,
  ...fields,
})
const holder = (idleAnswers = 0): Pace => ({ knownToHold: true, idleAnswers })

describe('pace of polls', () => {
  test.each([
    ['a server without ETags is polled', answered({ canWait: false, changed: true }), INITIAL_PACE, 'interval'],
    ['news are followed at once', answered({ changed: true }), INITIAL_PACE, 'at-once'],
    ['the first ETag is used at once', answered({ askedToWait: false }), INITIAL_PACE, 'at-once'],
    ['a held answer is followed at once', answered({ held: true }), INITIAL_PACE, 'at-once'],
    ['a server that does not hold is polled', answered({}), INITIAL_PACE, 'interval'],
    ['a server that says it waits is asked at once', answered({ waits: true }), INITIAL_PACE, 'at-once'],
    ['a holder may wake us for nothing', answered({}), holder(), 'at-once'],
    ['a holder that goes on doing so is polled', answered({}), holder(9), 'interval'],
    ['a slow server without ETags is polled', answered({ canWait: false, held: true }), INITIAL_PACE, 'interval'],
  ])('%s', (_, answer, pace, next) => {
    expect(paceAfter(pace, answer).next).toBe(next)
  })

  test('a storm of empty wakes ends in polling, and a hold ends that', () => {
    let pace = INITIAL_PACE
    const nexts: string[] = []
    for (let n = 0; n < 12; n += 1) {
      const after = paceAfter(pace, answered({ waits: true }))
      pace = after.pace
      nexts.push(after.next)
    }
    expect(nexts).toEqual([...Array(9).fill('at-once'), 'interval', 'interval', 'interval'])
    expect(paceAfter(pace, answered({ held: true }))).toEqual({ pace: holder(), next: 'at-once' })
  })

  test('the poll interval is spread by a tenth', () => {
    expect([0, 0.5, 1].map(random => jittered(5000, random))).toEqual([4500, 5000, 5500])
  })
})

describe('backoff', () => {
  const fault = (code = 'SOURCE_REFUSED', retryAfterMs: number | null = null) => ({ code, retryAfterMs })

  test('it doubles from half a second to 30 s', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7, 1000].map(failures => retryDelay(fault(), failures, true, 1))
    expect(delays).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000])
  })

  test('the jitter takes away up to half', () => {
    const delays = [1, 2, 3, 4, 5, 6, 7].map(failures => retryDelay(fault(), failures, true, 0))
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000])
  })

  test('a first boot never waits longer than 8 s', () => {
    expect([4, 5, 100].map(failures => retryDelay(fault(), failures, false, 1))).toEqual([8000, 8000, 8000])
  })

  test.each(['SOURCE_UNAUTHORIZED', 'SOURCE_FORBIDDEN'])('%s waits 30 s', code => {
    expect(retryDelay(fault(code), 1, false, 0)).toBe(30_000)
  })

  test.each([
    ['0 s, and not at once', 0, 0, 500],
    ['7 s', 7000, 0, 7000],
    ['7 s, a little later', 7000, 1, 7700],
    ['30 s, and never later', 30_000, 1, 30_000],
  ])('a server that asks for %s gets it', (_, asked, random, delay) => {
    expect(retryDelay(fault('SOURCE_UNAVAILABLE', asked), 9, true, random)).toBe(delay)
  })
})

describe('Retry-After', () => {
  const now = Date.parse('2026-11-23T10:00:00Z')
  test.each([
    ['nothing', null, null],
    ['seconds', '7', 7000],
    ['too many seconds', '86400', 30_000],
    ['a date', 'Mon, 23 Nov 2026 10:00:12 GMT', 12_000],
    ['a date that is over', 'Mon, 23 Nov 2026 09:00:00 GMT', 0],
    ['a far date', 'Mon, 23 Nov 2099 10:00:00 GMT', 30_000],
    ['a negative number', '-5', null],
    ['a word', 'soon', null],
  ])('%s is read', (_, text, ms) => {
    expect(parseRetryAfter(text, now)).toBe(ms)
  })
})
