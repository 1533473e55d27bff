import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { createObserver, type Observer, type ObserverOptions } from '../../../src/agent/traefik/observer.ts'
import type { ApiResult, TraefikApi, TraefikApiFault } from '../../../src/agent/traefik/traefik-api.ts'
import { atEnd } from '../../support/at-end.ts'
import { ENTRY_POINTS } from '../../support/builders.ts'
import { NO_RUNTIME } from '../../support/observed.ts'
import { waitFor } from '../../support/wait-for.ts'

const [ONE, TWO] = ['11'.repeat(32), '22'.repeat(32)]
const REFUSED: TraefikApiFault = { kind: 'unreachable', message: 'it cannot be reached' }

/** An API that a test turns: what it says, and how long it takes. */
function scriptedApi() {
  const says = {
    beacons: [] as string[],
    version: '3.7.15',
    startedAt: '2026-11-23T10:00:00Z' as string | null,
    fault: null as TraefikApiFault | null,
    /** Before the runtime is asked for, and of a look for a beacon. */
    smallMs: 0,
    /** So many looks for a beacon fail, and nothing else. */
    failedLooks: 0,
  }
  const asked = { reads: 0, looks: [] as string[] }
  const take = (ms: number, signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason)
      const timer = setTimeout(resolve, ms)
      signal.addEventListener(
        'abort',
        () => {
          clearTimeout(timer)
          reject(signal.reason)
        },
        { once: true },
      )
    })
  const answer = async <T>(value: () => T, signal: AbortSignal): Promise<ApiResult<T>> => {
    await take(says.smallMs, signal)
    return says.fault === null ? { ok: true, value: value() } : { ok: false, fault: says.fault }
  }
  const api: TraefikApi = {
    read(signal) {
      asked.reads += 1
      return answer(
        () => ({
          version: says.version,
          startedAt: says.startedAt,
          entryPoints: ENTRY_POINTS,
          providers: ['HTTP'],
          runtime: { ...NO_RUNTIME, beacons: [...says.beacons] },
          askedAtMs: performance.now(),
        }),
        signal,
      )
    },
    hasBeacon(hash, signal) {
      asked.looks.push(hash)
      if (says.failedLooks > 0) {
        says.failedLooks -= 1
        return Promise.resolve({ ok: false, fault: REFUSED })
      }
      return answer(() => says.beacons.includes(hash), signal)
    },
    openConnections: async () => null,
    close: async () => {},
  }
  return { api, says, asked }
}

type Watched = ReturnType<typeof scriptedApi> & {
  readonly observer: Observer
  changes(): number
  readonly restarts: Parameters<ObserverOptions['onRestart']>[0][]
}

/** By default it looks only when it is asked to. */
async function watch(
  options: Partial<ObserverOptions> = {},
  prepare: (says: Watched['says']) => void = () => {},
): Promise<Watched> {
  const scripted = scriptedApi()
  prepare(scripted.says)
  let changes = 0
  const restarts: Watched['restarts'] = []
  const observer = createObserver({
    api: scripted.api,
    logger: pino({ level: 'silent' }),
    onChange: () => {
      changes += 1
    },
    onRestart: restart => restarts.push(restart),
    intervalMs: 60_000,
    settleMs: 0,
    ...options,
  })
  atEnd(() => observer.stop())
  await observer.start()
  return { ...scripted, observer, changes: () => changes, restarts }
}

describe('looking at Traefik', () => {
  test('the first look is over when it has started', async () => {
    const { observer, asked, changes } = await watch()
    expect([asked.reads, changes()]).toEqual([1, 1])
    expect(observer.observation()).toEqual({
      reading: expect.objectContaining({ version: '3.7.15', startedAt: '2026-11-23T10:00:00Z' }),
      readAt: expect.any(Number),
      fault: null,
      settled: true,
      lastApplyMs: null,
      lookedAtMs: expect.any(Number),
      answersSinceMs: expect.any(Number),
    })
  })

  test('a first look that fails is a fault, not an error', async () => {
    const { observer } = await watch({ now: () => 1234 }, says => {
      says.fault = REFUSED
    })
    expect(observer.observation()).toEqual({
      reading: null,
      readAt: null,
      fault: { ...REFUSED, since: 1234 },
      settled: false,
      lastApplyMs: null,
      lookedAtMs: null,
      answersSinceMs: null,
    })
  })

  test('it looks again at every interval', async () => {
    const { asked } = await watch({ intervalMs: 20 })
    await waitFor(() => asked.reads >= 4, { what: 'three more looks' })
  })

  test('asked to, it looks at once', async () => {
    const { observer, asked, says } = await watch()
    says.beacons = [ONE]
    observer.kick()
    await waitFor(() => observer.observation().reading?.runtime.beacons.includes(ONE), { what: 'the look' })
    expect(asked.reads).toBe(2)
  })

  test('stopped, it ends the look that goes on', async () => {
    const { observer, says, asked } = await watch()
    says.smallMs = 60_000
    observer.kick()
    await waitFor(() => asked.reads === 2, { what: 'the look to begin' })
    await observer.stop()
    observer.kick()
    expect(asked.reads).toBe(2)
  })
})

describe('a body that was fetched', () => {
  test('its beacon is looked for, then all is read', async () => {
    const { observer, says, asked } = await watch()
    observer.fetched(ONE)
    await waitFor(() => asked.looks.length >= 3, { what: 'looks for the beacon' })
    expect(asked.reads).toBe(1)
    says.beacons = [ONE]
    await waitFor(() => observer.observation().reading?.runtime.beacons.includes(ONE), { what: 'the reading' })
    const { lastApplyMs, lookedAtMs } = observer.observation()
    expect([new Set(asked.looks), asked.reads]).toEqual([new Set([ONE]), 2])
    expect(lastApplyMs).toBeGreaterThan(0)
    expect(lookedAtMs).toBeGreaterThan(0)
  })

  test('while its beacon is looked for, a look that is asked for is made', async () => {
    const { observer, asked } = await watch()
    observer.fetched(ONE)
    await waitFor(() => asked.looks.length >= 2, { what: 'looks for the beacon' })
    observer.kick()
    await waitFor(() => asked.reads === 2, { what: 'the look', timeoutMs: 5_000 })
    const before = asked.looks.length
    await waitFor(() => asked.looks.length > before, { what: 'further looks for the beacon' })
  })

  test('it is given up for a newer one', async () => {
    const { observer, says, asked } = await watch()
    observer.fetched(ONE)
    await waitFor(() => asked.looks.length >= 2, { what: 'looks for the first' })
    observer.fetched(TWO)
    await waitFor(() => asked.looks.at(-1) === TWO, { what: 'looks for the second' })
    says.beacons = [TWO]
    await waitFor(() => observer.observation().reading?.runtime.beacons.includes(TWO), { what: 'the reading' })
    expect(asked.looks.lastIndexOf(ONE)).toBeLessThan(asked.looks.indexOf(TWO))
  })
})

describe('a fault', () => {
  test('the last reading is kept, the fault is told once', async () => {
    let at = 1000
    const { observer, says, asked, changes } = await watch({ intervalMs: 10, now: () => at })
    const { reading } = observer.observation()
    const before = changes()
    says.fault = REFUSED
    at = 2000
    await waitFor(() => observer.observation().fault !== null, { what: 'the fault' })
    at = 3000
    const reads = asked.reads
    await waitFor(() => asked.reads >= reads + 3, { what: 'three more looks' })
    expect(observer.observation()).toMatchObject({
      reading: { version: reading?.version },
      fault: { ...REFUSED, since: 2000 },
    })
    expect(observer.observation().answersSinceMs).toBeNull()
    // One more good look may have come in between.
    expect(changes() - before).toBeLessThanOrEqual(2)
  })

  test('one look that fails does not end the search for a beacon', async () => {
    const { observer, says, asked } = await watch()
    says.failedLooks = 1
    observer.fetched(ONE)
    await waitFor(() => asked.looks.length >= 3, { what: 'further looks for the beacon' })
    says.beacons = [ONE]
    await waitFor(() => observer.observation().reading?.runtime.beacons.includes(ONE), { what: 'the reading' })
    expect(observer.observation().fault).toBeNull()
  })

  test('looks that fail again and again do not make it spin', async () => {
    const { observer, says, asked } = await watch()
    Object.assign(says, { failedLooks: 1_000_000, fault: REFUSED })
    observer.fetched(ONE)
    await waitFor(() => asked.reads >= 4, { what: 'further looks' })
    expect(asked.looks.length).toBeLessThanOrEqual(asked.reads)
  })

  test('another kind of fault is told, its beginning stays', async () => {
    let at = 1000
    const { observer, says } = await watch({ intervalMs: 10, now: () => at })
    says.fault = REFUSED
    await waitFor(() => observer.observation().fault?.kind === 'unreachable', { what: 'the fault' })
    at = 2000
    says.fault = { kind: 'secured', message: 'it asks for credentials' }
    await waitFor(() => observer.observation().fault?.kind === 'secured', { what: 'the other fault' })
    expect(observer.observation().fault?.since).toBe(1000)
  })

  test('it looks again soon, whatever the interval', async () => {
    const { observer, says, asked } = await watch()
    says.fault = REFUSED
    observer.kick()
    await waitFor(() => asked.reads >= 4, { what: 'further looks' })
    says.fault = null
    await waitFor(() => observer.observation().fault === null, { what: 'the end of the fault' })
  })

  test('one that listens again is asked often again', async () => {
    const { observer, says, asked } = await watch()
    says.fault = REFUSED
    observer.kick()
    // The pause doubles from 250 ms on: after the sixth look it is eight seconds.
    await waitFor(
      () => {
        observer.kick()
        return asked.reads >= 7
      },
      { what: 'looks at one that is away' },
    )
    says.fault = { kind: 'status', message: 'it answered 404 to /api/version' }
    observer.kick()
    await waitFor(() => observer.observation().fault?.kind === 'status', { what: 'the other fault' })
    says.fault = null
    await waitFor(() => observer.observation().fault === null, { what: 'the end of the fault', timeoutMs: 6_000 })
  })

  test('a beacon that was looked for is looked for again', async () => {
    const { observer, says, asked } = await watch()
    observer.fetched(ONE)
    says.fault = REFUSED
    await waitFor(() => observer.observation().fault !== null, { what: 'the fault' })
    says.fault = null
    await waitFor(() => observer.observation().fault === null, { what: 'the end of the fault' })
    const looks = asked.looks.length
    await waitFor(() => asked.looks.length > looks, { what: 'looks for the beacon' })
    // Its time says nothing of the next apply.
    says.beacons = [ONE]
    await waitFor(() => observer.observation().reading?.runtime.beacons.includes(ONE), { what: 'the beacon' })
    expect(observer.observation().lastApplyMs).toBeNull()
  })

  test('a Traefik that answers late has answered only since then', async () => {
    const { observer, says, asked } = await watch()
    const { answersSinceMs } = observer.observation()
    observer.fetched(ONE)
    await waitFor(() => asked.looks.length >= 1, { what: 'a look for the beacon' })
    const looks = asked.looks.length
    says.smallMs = 1_100
    await waitFor(() => asked.looks.length >= looks + 2, { what: 'a late answer' })
    says.smallMs = 0
    const since = observer.observation().answersSinceMs ?? 0
    expect(since).toBeGreaterThanOrEqual((answersSinceMs ?? 0) + 1_100)
    // What it took then is not what an apply takes.
    says.beacons = [ONE]
    await waitFor(() => observer.observation().reading?.runtime.beacons.includes(ONE), { what: 'the beacon' })
    expect(observer.observation().lastApplyMs).toBeNull()
  })
})

describe('a restart', () => {
  test.each([
    ['of the same version', '3.7.15', false],
    ['as another version', '3.8.0', true],
  ])('%s, it is told', async (_, version, changed) => {
    const { observer, says, restarts } = await watch()
    Object.assign(says, { startedAt: '2026-11-23T12:00:00Z', version })
    observer.kick()
    await waitFor(() => restarts.length > 0, { what: 'the restart' })
    expect(restarts).toEqual([{ startedAtMs: Date.parse('2026-11-23T12:00:00Z'), changed }])
    expect(observer.observation().reading?.version).toBe(version)
  })

  test('what it has fetched last is looked for', async () => {
    const { observer, says, restarts } = await watch()
    observer.fetched(ONE)
    says.beacons = [ONE]
    await waitFor(() => observer.observation().reading?.runtime.beacons.includes(ONE), { what: 'the beacon' })
    Object.assign(says, { startedAt: '2026-11-23T12:00:00Z', beacons: [] })
    observer.kick()
    await waitFor(() => restarts.length > 0, { what: 'the restart' })
    says.beacons = [ONE]
    await waitFor(() => observer.observation().reading?.runtime.beacons.includes(ONE), { what: 'the beacon again' })
  })

  test('a Traefik that does not say when it started has not restarted', async () => {
    const { observer, asked, restarts } = await watch({}, says => {
      says.startedAt = null
    })
    observer.kick()
    await waitFor(() => asked.reads === 2, { what: 'a look' })
    expect([restarts, observer.observation().settled]).toEqual([[], true])
  })
})

describe('a young Traefik', () => {
  test('it has settled once it runs for long enough', async () => {
    const started = Date.parse('2026-11-23T10:00:00Z')
    let at = started + 100
    const { observer, changes } = await watch({ settleMs: 300, now: () => at })
    expect(observer.observation().settled).toBe(false)
    const before = changes()
    at = started + 301
    // It looks by itself when that time is over.
    await waitFor(() => changes() > before, { what: 'a look' })
    expect(observer.observation().settled).toBe(true)
  })
})
