import { describe, expect, test } from 'vitest'
import {
  decideHold,
  effectiveHoldMs,
  type HoldEvent,
  type HoldState,
  INITIAL_HOLD,
  nextHold,
  type PollView,
  parseHold,
} from '../../../src/agent/provider/hold.ts'

describe('parseHold', () => {
  test.each([
    ['25s', 25_000],
    ['500ms', 500],
    ['1ms', 1],
    ['300s', 300_000],
    ['300000ms', 300_000],
    ['010s', 10_000],
  ])('%s is a hold', (text, ms) => {
    expect(parseHold(text)).toBe(ms)
  })

  test.each([
    '',
    '25',
    's',
    '0s',
    '0ms',
    '-5s',
    '+5s',
    '1.5s',
    '25 s',
    ' 25s',
    '25s\n',
    '25S',
    '5m',
    '301s',
    '300001ms',
    '1e3ms',
    '9999999s',
    '٢s',
  ])('%j is no hold', text => {
    expect(parseHold(text)).toBeNull()
  })
})

describe('decideHold', () => {
  const held: PollView = {
    askedMs: 25_000,
    currentHash: 'a',
    connectionHash: 'a',
    pipelined: false,
    stopping: false,
  }
  test.each<[string, Partial<PollView>, number | null]>([
    ['a connection that has the body is held', {}, 25_000],
    ['a poll without hold is answered', { askedMs: null }, null],
    ['a new connection is answered at once', { connectionHash: null }, null],
    ['another body is answered at once', { currentHash: 'b' }, null],
    ['without any state it is held', { currentHash: null, connectionHash: null }, 25_000],
    ['without any state nor hold it is answered', { currentHash: null, connectionHash: null, askedMs: null }, null],
    ['a pipelined poll is answered at once', { pipelined: true }, null],
    ['nothing is held while stopping', { stopping: true }, null],
  ])('%s', (_title, change, expected) => {
    expect(decideHold(INITIAL_HOLD, { ...held, ...change })).toBe(expected)
  })

  test('a shortened hold is what is held', () => {
    const state: HoldState = { lastHangUp: null, shortened: { askedMs: 25_000, effectiveMs: 4_000, since: 7 } }
    expect(decideHold(state, held)).toBe(4_000)
    expect(decideHold(state, { ...held, askedMs: 3_000 })).toBe(3_000)
  })
})

describe('nextHold', () => {
  // One Traefik: each hold begins two seconds after the one before it has ended.
  const play = (
    steps: readonly ({ readonly hungUp: number } | { readonly answered: number } | 'reset')[],
  ): HoldState => {
    let nowMs = 1_000_000
    return steps.reduce<HoldState>((state, step) => {
      nowMs += 2_000
      if (step === 'reset') return nextHold(state, { kind: 'reset' })
      if ('answered' in step) {
        nowMs += step.answered
        return nextHold(state, { kind: 'answered', waitedMs: step.answered })
      }
      nowMs += step.hungUp
      const event: HoldEvent = { kind: 'hung-up', askedMs: 25_000, waitedMs: step.hungUp, endedAtMs: nowMs, at: 77 }
      return nextHold(state, event)
    }, INITIAL_HOLD)
  }

  test.each<[string, Parameters<typeof play>[0], number | null]>([
    ['no hang-up changes nothing', [], null],
    ['one hang-up is a restart', [{ hungUp: 5_000 }], null],
    ['two after the same wait shorten', [{ hungUp: 5_000 }, { hungUp: 5_000 }], 4_000],
    ['ten percent apart are the same wait', [{ hungUp: 5_000 }, { hungUp: 4_500 }], 3_600],
    ['the shorter of two waits counts', [{ hungUp: 4_500 }, { hungUp: 5_000 }], 3_600],
    ['more than ten percent apart are not', [{ hungUp: 5_000 }, { hungUp: 4_400 }], null],
    ['the second of two unlike may be a first', [{ hungUp: 9_000 }, { hungUp: 5_000 }, { hungUp: 5_050 }], 4_000],
    ['waits under a second say nothing', [{ hungUp: 900 }, { hungUp: 900 }], null],
    ['a wait under a second breaks the row', [{ hungUp: 5_000 }, { hungUp: 200 }, { hungUp: 5_000 }], null],
    ['a second is the shortest time-out', [{ hungUp: 1_000 }, { hungUp: 1_000 }], 800],
    ['never under 800 ms', [{ hungUp: 1_050 }, { hungUp: 1_000 }], 800],
    ['an early answer does not break the row', [{ hungUp: 5_000 }, { answered: 60 }, { hungUp: 5_010 }], 4_000],
    ['an answer after as long does not either', [{ hungUp: 5_000 }, { answered: 5_400 }, { hungUp: 5_000 }], 4_000],
    ['a longer wait that was answered does', [{ hungUp: 5_000 }, { answered: 25_000 }, { hungUp: 5_000 }], null],
    ['a reset forgets the first hang-up', [{ hungUp: 5_000 }, 'reset', { hungUp: 5_000 }], null],
    ['a reset gives the asked hold back', [{ hungUp: 5_000 }, { hungUp: 5_000 }, 'reset'], null],
    [
      'a shorter time-out shortens again',
      [{ hungUp: 9_000 }, { hungUp: 9_000 }, { hungUp: 3_000 }, { hungUp: 3_000 }],
      2_400,
    ],
    ['a third hang-up alone shortens nothing more', [{ hungUp: 9_000 }, { hungUp: 9_000 }, { hungUp: 7_000 }], 7_200],
    [
      'a shortened hold is not made longer',
      [{ hungUp: 2_000 }, { hungUp: 2_000 }, { hungUp: 9_000 }, { hungUp: 9_000 }],
      1_600,
    ],
  ])('%s', (_title, steps, effectiveMs) => {
    expect(play(steps).shortened).toEqual(effectiveMs === null ? null : { askedMs: 25_000, effectiveMs, since: 77 })
  })

  test('polls cut off together are one event', () => {
    const first: HoldEvent = { kind: 'hung-up', askedMs: 25_000, waitedMs: 5_000, endedAtMs: 10_000, at: 1 }
    const second: HoldEvent = { ...first, waitedMs: 5_001, endedAtMs: 10_003 }
    const state = nextHold(nextHold(INITIAL_HOLD, first), second)
    expect(state).toEqual({ lastHangUp: { waitedMs: 5_000, endedAtMs: 10_000 }, shortened: null })
  })

  test('without a shortened hold the asked one stands', () => {
    expect(effectiveHoldMs(INITIAL_HOLD, 25_000)).toBe(25_000)
  })
})
