/** When and how often is asked, with a clock that the test moves and answers that it gives. */
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createProbes, type Probes, type ProbesOptions } from '../../../src/agent/probes/probe.ts'
import type { Heard, ProbeResult } from '../../../src/core/probe/probe.ts'
import type { ProbeTarget } from '../../../src/core/probe/target.ts'
import type { RouteKey } from '../../../src/core/problem.ts'
import { SYSTEM_CLOCK } from '../../../src/lib/clock.ts'
import { captureLog } from '../../support/control-plane-harness.ts'

const OPEN: Heard = { kind: 'open', ms: 300 }
const CLOSED: Heard = { kind: 'closed', during: 'answer' }

const target = (key: RouteKey, fields: Partial<ProbeTarget> = {}): ProbeTarget => ({
  key,
  host: '127.0.0.1',
  port: 10001,
  serverName: null,
  secure: false,
  path: '/',
  spec: { type: 'connect', sendHex: null, expectHex: null, intervalSeconds: 30 },
  periodic: true,
  version: '1',
  ...fields,
})

type Bench = {
  readonly probes: Probes
  /** Keys in the order in which they were asked. */
  readonly asked: RouteKey[]
  readonly told: { readonly key: RouteKey; readonly result: ProbeResult; readonly changed: boolean }[]
  targets: readonly ProbeTarget[]
  /** What every probe hears; a function decides itself when it answers. */
  hear: Heard | ((target: ProbeTarget, signal: AbortSignal) => Promise<Heard | null>)
  readonly atOnce: () => number
}

const benches: Probes[] = []

function bench(targets: readonly ProbeTarget[], options: Partial<ProbesOptions> = {}): Bench {
  const asked: RouteKey[] = []
  const told: { key: RouteKey; result: ProbeResult; changed: boolean }[] = []
  let now = 0
  let most = 0
  const probes = createProbes({
    routes: () => self.targets,
    find: key => self.targets.find(one => one.key === key) ?? 'the route is not served',
    onResult: (key, result, changed) => told.push({ key, result, changed }),
    clock: SYSTEM_CLOCK,
    logger: pino({ level: 'silent' }),
    random: () => 0.5,
    ask: async (one, { signal }) => {
      asked.push(one.key)
      now += 1
      most = Math.max(most, now)
      try {
        return typeof self.hear === 'function' ? await self.hear(one, signal) : self.hear
      } finally {
        now -= 1
      }
    },
    ...options,
  })
  const self: Bench = { probes, asked, told, targets, hear: OPEN, atOnce: () => most }
  benches.push(probes)
  return self
}

const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms)
const hang = (_: ProbeTarget, signal: AbortSignal) =>
  new Promise<null>(resolve => signal.addEventListener('abort', () => resolve(null)))

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-11-23T10:00:00Z') })
})

afterEach(async () => {
  for (const probes of benches.splice(0)) await probes.stop()
  expect(vi.getTimerCount()).toBe(0)
  vi.useRealTimers()
})

describe('a route that asks for probes', () => {
  test('is asked at once and then after its interval', async () => {
    const { probes, asked, told } = bench([target('tcp/a')])
    probes.start()
    await pass(0)
    expect(told).toEqual([
      {
        key: 'tcp/a',
        changed: true,
        result: {
          ok: true,
          ms: 0,
          detail: 'the connection stayed open for 300 ms',
          at: Date.parse('2026-11-23T10:00:00Z'),
          certificate: null,
          periodic: true,
          requestId: null,
        },
      },
    ])
    await pass(29_000)
    expect(asked).toHaveLength(1)
    await pass(1_001)
    expect(asked).toHaveLength(2)
    expect(told.map(({ changed }) => changed)).toEqual([true, false])
  })

  test('is failed only after a second look', async () => {
    const b = bench([target('tcp/a')])
    b.probes.start()
    await pass(0)
    b.hear = CLOSED
    await pass(30_001)
    expect([b.asked.length, b.probes.results().get('tcp/a')?.ok]).toEqual([2, true])
    await pass(1_001)
    expect(b.probes.results().get('tcp/a')).toMatchObject({
      ok: false,
      detail: 'the connection was closed: no upstream takes it',
    })
    expect(b.told.map(({ result, changed }) => [result.ok, changed])).toEqual([
      [true, true],
      [false, true],
    ])
  })

  test('that failed for a moment only is told to nobody', async () => {
    const b = bench([target('tcp/a')])
    b.hear = CLOSED
    b.probes.start()
    await pass(0)
    b.hear = OPEN
    await pass(1_001)
    expect(b.told.map(({ result }) => result.ok)).toEqual([true])
  })

  test('is asked every ten seconds while it fails, and is well at once', async () => {
    const b = bench([target('tcp/a')])
    b.hear = CLOSED
    b.probes.start()
    await pass(1_100)
    expect(b.probes.results().get('tcp/a')?.ok).toBe(false)
    await pass(10_001)
    expect(b.asked).toHaveLength(3)
    b.hear = OPEN
    await pass(10_001)
    expect(b.told.map(({ result, changed }) => [result.ok, changed])).toEqual([
      [false, true],
      [false, false],
      [true, true],
    ])
  })

  test('is asked soon after a change, and what was known is forgotten', async () => {
    const b = bench([target('tcp/a')])
    b.probes.start()
    await pass(1_000)
    b.targets = [target('tcp/a', { version: '2' })]
    b.hear = CLOSED
    b.probes.refresh()
    expect(b.probes.results().size).toBe(0)
    await pass(1_100)
    expect(b.probes.results().get('tcp/a')?.ok).toBe(false)
  })

  test('that goes takes its result and its conversation with it', async () => {
    const b = bench([target('tcp/a'), target('tcp/b')])
    const signals: AbortSignal[] = []
    b.hear = (one, signal) => {
      signals.push(signal)
      return one.key === 'tcp/a' ? Promise.resolve(OPEN) : hang(one, signal)
    }
    b.probes.start()
    await pass(100)
    expect(b.probes.results().size).toBe(1)
    b.targets = []
    b.probes.refresh()
    await pass(60_000)
    expect([b.probes.results().size, b.asked, b.told.length]).toEqual([0, ['tcp/a', 'tcp/b'], 1])
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, true])
  })

  test('that changes while it is asked is not told the old answer', async () => {
    const b = bench([target('tcp/a')])
    const ends: ((heard: Heard) => void)[] = []
    // Deaf to the abort: its answer was on the way already.
    b.hear = () => new Promise(resolve => ends.push(resolve))
    b.probes.start()
    await pass(100)
    b.targets = [target('tcp/a', { version: '2' })]
    b.probes.refresh()
    ends[0]?.(CLOSED)
    await pass(100)
    expect([b.told, ends.length]).toEqual([[], 2])
    ends[1]?.(OPEN)
    await pass(0)
    expect(b.told.map(({ result }) => result.ok)).toEqual([true])
  })

  test('that stays the same is not asked for a refresh', async () => {
    const b = bench([target('tcp/a')])
    b.probes.start()
    await pass(0)
    for (let i = 0; i < 100; i++) b.probes.refresh()
    await pass(1_000)
    expect(b.asked).toHaveLength(1)
  })
})

describe('many routes', () => {
  const many = (count: number) => Array.from({ length: count }, (_, i) => target(`tcp/r${i}`))

  test('are asked one after the other, so many a second', async () => {
    const b = bench(many(100))
    b.probes.start()
    await pass(0)
    expect(b.asked).toHaveLength(1)
    await pass(1_000)
    expect(b.asked.length).toBeLessThanOrEqual(21)
    await pass(4_500)
    expect(new Set(b.asked).size).toBe(100)
    await pass(20_000)
    expect(b.asked).toHaveLength(100)
  })

  test('are asked eight at once at most', async () => {
    const b = bench(many(30), { limits: { perSecond: 1000 } })
    b.hear = hang
    b.probes.start()
    await pass(1_000)
    expect([b.asked.length, b.atOnce()]).toEqual([8, 8])
  })

  test('none is left behind when there are more than can be asked', async () => {
    const b = bench(many(1_000))
    b.probes.start()
    await pass(120_000)
    expect(new Set(b.asked).size).toBe(1_000)
    expect(b.asked.length).toBeLessThanOrEqual(20 * 120 + 1)
  })
})

describe('a wish of a person', () => {
  const own = target('tcp/own', { periodic: false })

  test('is asked before what is due, and answered by its id', async () => {
    const b = bench([target('tcp/a'), target('tcp/b'), target('tcp/c')])
    b.probes.start()
    b.probes.kick('tcp/c', 'req_1')
    await pass(200)
    expect(b.asked.slice(0, 2)).toEqual(['tcp/a', 'tcp/c'])
    expect(b.told.find(({ key }) => key === 'tcp/c')).toMatchObject({ changed: true, result: { requestId: 'req_1' } })
  })

  test('is told a failure at once', async () => {
    const b = bench([target('tcp/a')])
    b.probes.start()
    await pass(1_000)
    b.hear = CLOSED
    b.probes.kick('tcp/a', 'req_1')
    await pass(0)
    expect(b.probes.results().get('tcp/a')).toMatchObject({ ok: false, periodic: true, requestId: 'req_1' })
  })

  test('is asked once more when the route is being asked', async () => {
    const b = bench([target('tcp/a')])
    const ends: (() => void)[] = []
    b.hear = () => new Promise(resolve => ends.push(() => resolve(OPEN)))
    b.probes.start()
    await pass(100)
    b.probes.kick('tcp/a', 'req_1')
    b.probes.kick('tcp/a', 'req_2')
    await pass(100)
    expect(ends).toHaveLength(1)
    ends[0]?.()
    await pass(0)
    expect(ends).toHaveLength(2)
    ends[1]?.()
    await pass(0)
    expect(b.told.map(({ result }) => result.requestId)).toEqual([null, 'req_2'])
  })

  test('is kept for a while for a route without a probe of its own', async () => {
    const b = bench([], { find: () => own })
    b.probes.start()
    b.probes.kick('tcp/own', 'req_1')
    await pass(0)
    expect(b.probes.results().get('tcp/own')).toMatchObject({ ok: true, periodic: false, requestId: 'req_1' })
    await pass(299_000)
    b.probes.refresh()
    expect(b.probes.results().size).toBe(1)
    await pass(1_001)
    b.probes.refresh()
    expect([b.probes.results().size, b.asked]).toEqual([0, ['tcp/own']])
  })

  test('that cannot be asked is answered with the reason', async () => {
    const b = bench([])
    b.probes.start()
    b.probes.kick('tcp/none', 'req_1')
    await pass(0)
    expect(b.told).toMatchObject([
      {
        key: 'tcp/none',
        changed: true,
        result: { ok: null, ms: null, detail: 'the route is not served', requestId: 'req_1' },
      },
    ])
    expect(b.asked).toEqual([])
  })

  test('a flood of them is bounded', async () => {
    const b = bench([])
    for (let i = 0; i < 5_000; i++) b.probes.kick(`tcp/r${i}`, `req_${i}`)
    b.probes.start()
    await pass(0)
    expect(b.told).toHaveLength(1_000)
  })
})

describe('its own faults', () => {
  test('a listener that throws stops nothing', async () => {
    const log = captureLog()
    const b = bench([target('tcp/a')], {
      logger: log.logger,
      onResult: () => {
        throw new Error('listener')
      },
    })
    b.probes.start()
    await pass(30_100)
    expect(b.asked).toHaveLength(2)
    expect(log.text()).toContain('listener failed')
  })

  test('a probe that throws comes again after its interval', async () => {
    const log = captureLog()
    const b = bench([target('tcp/a')], { logger: log.logger })
    b.hear = () => Promise.reject(new Error('no sockets'))
    b.probes.start()
    await pass(29_000)
    expect(b.asked).toHaveLength(1)
    await pass(2_000)
    expect(b.asked).toHaveLength(2)
    expect(log.text()).toContain('a probe could not be made')
  })

  test('a listener that refreshes at once is no loop', async () => {
    const b: Bench = bench([target('tcp/a'), target('tcp/b')], { onResult: () => b.probes.refresh() })
    b.probes.start()
    await pass(10_000)
    expect(b.asked).toEqual(['tcp/a', 'tcp/b'])
  })
})

describe('the end', () => {
  test('aborts what is asked and asks no more', async () => {
    const b = bench([target('tcp/a'), target('tcp/b')])
    b.hear = hang
    b.probes.start()
    await pass(100)
    await b.probes.stop()
    b.probes.refresh()
    b.probes.kick('tcp/a', 'req_1')
    await pass(60_000)
    expect([b.asked.length, b.told]).toEqual([2, []])
  })

  test('tells no answer that comes late', async () => {
    const b = bench([target('tcp/a')])
    const ends: ((heard: Heard) => void)[] = []
    b.hear = () => new Promise(resolve => ends.push(resolve))
    b.probes.start()
    await pass(100)
    const stopped = b.probes.stop()
    ends[0]?.(OPEN)
    await stopped
    expect([b.told, b.probes.results().size]).toEqual([[], 0])
  })

  test('without a beginning is quick', async () => {
    const b = bench([target('tcp/a')])
    await b.probes.stop()
    b.probes.start()
    await pass(1_000)
    expect(b.asked).toEqual([])
  })

  test('only turns are logged', async () => {
    const log = captureLog()
    const b = bench([target('tcp/a')], { logger: log.logger })
    const lines = (level: number) =>
      log
        .text()
        .split('\n')
        .filter(line => line.includes(`"level":${level}`)).length
    b.probes.start()
    await pass(100_000)
    expect([lines(30), lines(40)]).toEqual([0, 0])
    b.hear = CLOSED
    await pass(100_000)
    expect([lines(30), lines(40)]).toEqual([0, 1])
    b.hear = OPEN
    await pass(100_000)
    expect([lines(30), lines(40)]).toEqual([1, 1])
  })
})
