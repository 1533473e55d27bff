import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Applied } from '../../src/agent/bodies.ts'
import { createGuards } from '../../src/agent/guards.ts'
import { createKeeping } from '../../src/agent/keeping.ts'
import type { Publication, Target } from '../../src/agent/publication.ts'
import { createReconciler, type Reconciler, type ReconcilerOptions, revisionLabel } from '../../src/agent/reconcile.ts'
import type { SourceReading, SourceStatus } from '../../src/agent/sources/source.ts'
import type { SaveResult } from '../../src/agent/store/snapshot-store.ts'
import { encodeState, type StoredState, storedBodies } from '../../src/agent/stored-state.ts'
import type { Snapshot } from '../../src/core/payload.ts'
import { NODE, tcpRoute, traefikWith, udpRoute, viewOf } from '../support/builders.ts'
import { readingOf, statusOf } from '../support/readings.ts'
import { NOTHING_YET } from '../support/status.ts'

const START = Date.parse('2026-11-23T11:00:00Z')
const SAVED: SaveResult = { ok: true, generation: 1, savedAt: START, bytes: 1 }
const NOT_SAVED: SaveResult = { ok: false, code: 'SNAPSHOT_DISK_FULL', message: 'no space', remedy: 'make some' }

const at = (id: string, externalPort: number, fields: object = {}) => tcpRoute({ id, externalPort, ...fields })

type Made = {
  readonly reconciler: Reconciler
  /** What happened, in order: `save a,b`, `offer a,b`, `round`. */
  readonly log: string[]
  readonly saved: StoredState[]
  readonly offered: Target[]
  files: SourceReading | null
  plane: SourceReading | null | undefined
  saves: SaveResult
  pauseMs: number
  standing: readonly string[] | 'unknown' | null
  current: Snapshot | null
  good: Applied | null
  acceptAll(): void
}

/** A reconciler whose publication only writes down what it gets; `plane` undefined: there is no control plane. */
function make(options: Partial<ReconcilerOptions> = {}): Made {
  const log: string[] = []
  const saved: StoredState[] = []
  const offered: Target[] = []
  const steady = () => Date.now()
  const guards = createGuards({ minRoutes: 10, maxRatio: 0.5, settleMs: 30_000 }, Date.now, steady)
  const servedIds = (target: Target) =>
    target.plan.compiled.outcomes
      .flatMap(({ key, problem }) => (problem === null ? [key.slice(4)] : []))
      .sort()
      .join(',')
  const publication: Publication = {
    offer(target) {
      offered.push(target)
      made.current = target.plan.snapshot
      log.push(`offer ${servedIds(target)}`)
    },
    restore: () => {},
    fetched: () => {},
    askedAgain: () => {},
    gone: () => {},
    sendAgain: () => {},
    observed: () => {},
    restarted: () => {},
    refused: () => new Map(),
    refusals: () => ({ version: null, oldestFields: false, routes: [] }),
    refuses: () => false,
    oldestFields: () => false,
    lastGood: () => made.good,
    view: () => ({
      current: made.current,
      polled: false,
      applied: null,
      phase: 'steady',
      lastLiveMs: null,
      ...NOTHING_YET,
    }),
    stop: () => {},
  }
  const keeping = createKeeping({
    save: state => {
      saved.push(state)
      log.push(`save ${state.routes.map(({ route }) => route.id).join(',')}`)
      return { placed: Promise.resolve(), safe: Promise.resolve(made.saves) }
    },
    onSaved: () => {},
    onRetry: () => reconciler.request(),
  })
  const reconciler = createReconciler({
    sources: () => [
      statusOf('files', made.files),
      ...(made.plane === undefined ? [] : [statusOf('control-plane', made.plane)]),
    ],
    mark: () => null,
    guards,
    publication,
    view: () => viewOf(traefikWith()),
    node: () => NODE,
    standing: () => made.standing,
    pauseMs: () => made.pauseMs,
    keeping,
    onRound: () => void log.push('round'),
    logger: pino({ level: 'silent' }),
    ...options,
  })
  const made: Made = {
    reconciler,
    log,
    saved,
    offered,
    files: readingOf({ tcpRoutes: [at('a', 10001)] }),
    plane: undefined,
    saves: SAVED,
    pauseMs: 0,
    standing: null,
    current: null,
    good: null,
    acceptAll: () => void guards.accept(null),
  }
  return made
}

const flush = () => vi.advanceTimersByTimeAsync(0)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'], now: START })
})

afterEach(() => {
  vi.useRealTimers()
})

describe('a round', () => {
  test('it is saved before it is offered', async () => {
    const made = make()
    await made.reconciler.step()
    expect(made.log).toEqual(['save a', 'offer a', 'round'])
    expect(made.saved[0]?.served).toEqual(made.offered[0]?.plan.snapshot)
    expect(made.reconciler.round()?.plan).toBe(made.offered[0]?.plan)
  })

  test('what says the same is not saved again', async () => {
    const made = make()
    await made.reconciler.step()
    await made.reconciler.step()
    expect(made.log).toEqual(['save a', 'offer a', 'round', 'offer a', 'round'])
  })

  test('the same body of another revision is saved', async () => {
    const made = make()
    await made.reconciler.step()
    made.files = readingOf({ tcpRoutes: [at('a', 10001)] }, { revision: 'other' })
    await made.reconciler.step()
    expect(made.saved.map(({ revision, served }) => [revision, served.hash])).toEqual([
      [made.saved[0]?.revision, made.current?.hash],
      ['other', made.current?.hash],
    ])
  })

  test('a full disk stops nothing, and is tried again', async () => {
    const made = make()
    made.saves = NOT_SAVED
    await made.reconciler.step()
    expect(made.log).toEqual(['save a', 'offer a', 'round'])
    made.saves = SAVED
    await vi.advanceTimersByTimeAsync(30_000)
    expect(made.log.slice(3)).toEqual(['save a', 'offer a', 'round'])
    await vi.advanceTimersByTimeAsync(120_000)
    expect(made.log.length).toBe(6)
  })

  test('a large plan leaves others their turn, a small one is made at once', async () => {
    const routes = (count: number) =>
      Array.from({ length: count }, (_, i) => at(`r${i}`, 10001, { sniHostname: `r${i}.example.com` }))
    const turnsDuring = async (count: number): Promise<number> => {
      const made = make()
      made.files = readingOf({ tcpRoutes: routes(count) })
      let turns = 0
      let over = false
      const turn = (): void => {
        if (over) return
        turns += 1
        setImmediate(turn)
      }
      setImmediate(turn)
      await made.reconciler.step()
      over = true
      expect(made.reconciler.round()?.plan.compiled.outcomes).toHaveLength(count)
      return turns
    }
    expect([await turnsDuring(2_000), await turnsDuring(20)]).toEqual([3, 0])
  })

  test('what a source says while a large plan is made is not of that plan', async () => {
    const lists = {
      tcpRoutes: Array.from({ length: 2_000 }, (_, i) => at(`r${i}`, 10001, { sniHostname: `r${i}.example.com` })),
    }
    let revision = 1
    const made = make({ mark: () => ({ controlPlaneId: 'cp_1', epoch: 1, revision }) })
    made.files = readingOf(lists)
    const step = made.reconciler.step()
    revision = 2
    await step
    expect(made.saved.map(({ mark }) => mark?.revision)).toEqual([1])
  })

  test('one that fails costs nothing, the next is made', async () => {
    let broken = true
    const made = make({
      node: () => {
        if (broken) throw new Error('broken')
        return NODE
      },
    })
    made.reconciler.request()
    await flush()
    expect([made.log, made.reconciler.round()]).toEqual([[], null])
    broken = false
    made.reconciler.request()
    await flush()
    expect(made.log).toEqual(['save a', 'offer a', 'round'])
  })
})

describe('what is asked for', () => {
  test('requests during a round make one more', async () => {
    const made = make()
    made.reconciler.request()
    made.files = readingOf({ tcpRoutes: [at('a', 10001), at('b', 10002)] })
    for (let i = 0; i < 5; i++) made.reconciler.request()
    await flush()
    expect(made.log.filter(what => what === 'round').length).toBeLessThanOrEqual(2)
    expect(made.log.at(-2)).toBe('offer a,b')
  })

  test('the next body waits in proportion, and is the newest', async () => {
    const made = make()
    made.reconciler.request()
    await flush()
    made.pauseMs = 2_000
    for (const port of [10002, 10003, 10004]) {
      made.files = readingOf({ tcpRoutes: [at('a', port)] })
      made.reconciler.request()
      await vi.advanceTimersByTimeAsync(100)
    }
    expect(made.offered.length).toBe(1)
    await vi.advanceTimersByTimeAsync(2_000)
    expect(made.offered.length).toBe(2)
    expect(made.offered[1]?.plan.compiled.outcomes[0]?.entryPoints).toEqual(['tcp-10004'])
  })

  test('a change that comes later than that waits for nothing', async () => {
    const made = make()
    made.reconciler.request()
    await flush()
    made.pauseMs = 2_000
    await vi.advanceTimersByTimeAsync(2_000)
    made.files = readingOf({ tcpRoutes: [at('b', 10002)] })
    made.reconciler.request()
    await flush()
    expect(made.log.at(-2)).toBe('offer b')
  })

  test('stopped, no more rounds are made', async () => {
    const made = make()
    await made.reconciler.step()
    await made.reconciler.stop()
    made.files = readingOf({ tcpRoutes: [at('b', 10002)] })
    made.reconciler.request()
    await vi.advanceTimersByTimeAsync(60_000)
    expect([made.offered.length, vi.getTimerCount()]).toEqual([1, 0])
  })
})

describe('sources that are silent', () => {
  test('while nobody has spoken nothing is served', async () => {
    const made = make()
    made.files = null
    await made.reconciler.step()
    expect([made.log, made.reconciler.waiting()]).toEqual([[], { for: 'first-reading', names: ['files'] }])
  })

  test('one that speaks is served, the other is waited for', async () => {
    const made = make()
    made.plane = null
    await made.reconciler.step()
    expect([made.log.at(-2), made.reconciler.waiting()]).toEqual([
      'offer a',
      { for: 'missing-source', names: ['control-plane'] },
    ])
    made.plane = readingOf({ tcpRoutes: [at('b', 10002)] })
    await made.reconciler.step()
    expect([made.log.at(-2), made.reconciler.waiting()]).toEqual(['offer a,b', null])
  })

  test.each<[string, readonly string[] | 'unknown', boolean]>([
    ['what Traefik has is not dropped', ['tcp_a', 'tcp_b'], false],
    ['what Traefik has may be served again', ['tcp_a'], true],
    ['nothing is served while nobody knows what it has', 'unknown', false],
    ['nothing that it has stands in the way', [], true],
  ])('%s', async (_, standing, isServed) => {
    const made = make()
    made.plane = null
    made.standing = standing
    await made.reconciler.step()
    expect(made.log).toEqual(isServed ? ['save a', 'offer a', 'round'] : [])
  })

  test('while nobody knows, it looks again by itself', async () => {
    const made = make()
    made.plane = null
    made.standing = 'unknown'
    made.reconciler.request()
    await vi.advanceTimersByTimeAsync(4_999)
    made.standing = null
    expect(made.log).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(made.log).toEqual(['save a', 'offer a', 'round'])
    await made.reconciler.stop()
  })

  test('what is served already goes on being changed', async () => {
    const made = make()
    made.plane = null
    made.standing = ['tcp_b']
    made.current = { hash: 'ab'.repeat(32), body: '{}' }
    await made.reconciler.step()
    expect(made.log.at(-2)).toBe('offer a')
  })
})

describe('what changes without anybody asking', () => {
  test('a route that ends goes at its time', async () => {
    const made = make()
    const expiresAt = new Date(START + 5_000).toISOString()
    made.files = readingOf({ tcpRoutes: [at('a', 10001), at('b', 10002, { expiresAt })] })
    await made.reconciler.step()
    await vi.advanceTimersByTimeAsync(4_999)
    expect(made.log.at(-2)).toBe('offer a,b')
    await vi.advanceTimersByTimeAsync(2)
    expect(made.log.at(-2)).toBe('offer a')
    expect(made.offered.at(-1)?.plan.rejected.map(({ code, message }) => [code, message])).toEqual([
      ['EXPIRED', `the route ended at ${expiresAt}`],
    ])
  })

  test('removals that settle go at their time', async () => {
    const made = make()
    const both = readingOf({ tcpRoutes: [at('a', 10001)], udpRoutes: [udpRoute({ id: 'u' })] })
    Object.assign(made, { files: readingOf({ tcpRoutes: [] }), plane: both })
    await made.reconciler.step()
    made.plane = readingOf({ tcpRoutes: [at('a', 10001)] })
    await made.reconciler.step()
    expect(made.log.at(-2)).toBe('offer a,u')
    await vi.advanceTimersByTimeAsync(29_900)
    expect(made.log.at(-2)).toBe('offer a,u')
    await vi.advanceTimersByTimeAsync(200)
    expect(made.log.at(-2)).toBe('offer a')
  })
})

describe('a held route', () => {
  const many = (count: number, from = 0) =>
    Array.from({ length: count }, (_, i) => at(`r${from + i}`, 10001, { sniHostname: `r${from + i}.example.com` }))

  test('it is served until it is accepted, and gives way to a claim of its place', async () => {
    const made = make()
    Object.assign(made, { files: readingOf({ tcpRoutes: [] }), plane: readingOf({ tcpRoutes: many(12) }) })
    await made.reconciler.step()
    const heir = at('heir', 10001, { sniHostname: 'r3.example.com' })
    made.plane = readingOf({ tcpRoutes: [...many(2, 10), heir] })
    await made.reconciler.step()
    const outcomes = made.reconciler.round()?.plan.compiled.outcomes ?? []
    expect(
      outcomes.filter(({ problem }) => problem !== null).map(({ key, problem }) => [key, problem?.message]),
    ).toEqual([['tcp/r3', 'r3.example.com on port 10001 is held by tcp/heir (test)']])
    expect(outcomes.length).toBe(13)
    made.acceptAll()
    await made.reconciler.step()
    expect(made.log.at(-2)).toBe('offer heir,r10,r11')
  })
})

describe('while routes are held', () => {
  const ACME = 'https://control.example.com'
  const twelve = Array.from({ length: 12 }, (_, i) => at(`r${i}`, 10001, { sniHostname: `r${i}.example.com` }))
  const whole = readingOf({ tcpRoutes: twelve }, { challengeUrl: ACME })
  const nothing = readingOf({ tcpRoutes: [] })
  const answers = (made: Made): boolean => made.offered.at(-1)?.plan.snapshot.body.includes(ACME) === true

  test('challenges for them are answered, over a restart too', async () => {
    const made = make()
    Object.assign(made, { files: nothing, plane: whole })
    await made.reconciler.step()
    made.plane = nothing
    await made.reconciler.step()
    await made.reconciler.step()
    expect([made.saved.at(-1)?.heldChallenges, answers(made)]).toEqual([{ 'control-plane': ACME }, true])
    const next = make()
    next.reconciler.restore(JSON.parse(encodeState(made.saved.at(-1) ?? expect.unreachable())))
    Object.assign(next, { files: nothing, plane: nothing })
    await next.reconciler.step()
    expect(answers(next)).toBe(true)
  })

  test('when they are let go, nobody answers any more', async () => {
    const made = make()
    Object.assign(made, { files: nothing, plane: whole })
    await made.reconciler.step()
    made.plane = nothing
    await made.reconciler.step()
    made.acceptAll()
    await made.reconciler.step()
    expect([made.saved.at(-1)?.heldChallenges, answers(made)]).toEqual([{}, false])
  })

  test('without any that is held, a challenge that is taken out is gone', async () => {
    const made = make()
    Object.assign(made, { files: nothing, plane: whole })
    await made.reconciler.step()
    made.plane = readingOf({ tcpRoutes: twelve })
    await made.reconciler.step()
    expect(answers(made)).toBe(false)
  })
})

describe('what is left for the next run', () => {
  const good = (snapshot: Snapshot): Applied => ({
    snapshot,
    candidates: [],
    revision: 7,
    config: null,
    version: '3.7.15',
  })

  test('the last good body is not written twice', async () => {
    const made = make()
    await made.reconciler.step()
    if (made.current === null) throw new Error('nothing served')
    made.good = good(made.current)
    await made.reconciler.step()
    expect(made.saved.at(-1)?.applied).toEqual({ snapshot: null, candidates: [], revision: 7, version: '3.7.15' })
    const [state] = made.saved.slice(-1)
    if (state === undefined) throw new Error('nothing saved')
    expect(storedBodies(JSON.parse(JSON.stringify(state)))).toEqual({
      served: { snapshot: made.current, candidates: state.routes, revision: state.revision },
      applied: { snapshot: made.current, candidates: [], revision: 7, version: '3.7.15' },
      refusals: { version: null, oldestFields: false, routes: [] },
    })
  })

  test('its text says what JSON.stringify would say', async () => {
    const made = make()
    made.files = readingOf({ tcpRoutes: [at('a', 10001), at('b', 10002, { sniHostname: 'b.example.com' })] })
    await made.reconciler.step()
    const [state] = made.saved.slice(-1)
    if (state === undefined) throw new Error('nothing saved')
    const [route] = state.routes
    if (route === undefined) throw new Error('no route')
    const full: StoredState = {
      ...state,
      applied: { snapshot: null, candidates: [route], revision: 7, version: null },
      refusals: { version: '3.7.15', oldestFields: true, routes: [{ key: 'tcp/x', content: '{}', former: route }] },
    }
    for (const one of [state, full, { ...full, routes: [], readings: {} }])
      expect(JSON.parse(encodeState(one))).toEqual(JSON.parse(JSON.stringify(one)))
  })

  test('another good body is written whole', async () => {
    const made = make()
    const other = { hash: 'cd'.repeat(32), body: '{}' }
    made.good = good(other)
    await made.reconciler.step()
    expect(made.saved[0]?.applied?.snapshot).toEqual(other)
  })

  test('when a claim was first seen outlives the run', async () => {
    const made = make()
    await made.reconciler.step()
    const [state] = made.saved
    if (state === undefined) throw new Error('nothing saved')
    await vi.advanceTimersByTimeAsync(60_000)
    const next = make()
    next.reconciler.restore(JSON.parse(JSON.stringify(state)))
    // The newcomer has the lower id, and gives way all the same.
    next.files = readingOf({ tcpRoutes: [at('a', 10001), at('A', 10001)] })
    await next.reconciler.step()
    expect(next.log.at(-2)).toBe('offer a')
  })

  test('a wipe while it was down is held', async () => {
    const made = make()
    const twelve = readingOf({
      tcpRoutes: Array.from({ length: 12 }, (_, i) => at(`r${i}`, 10001, { sniHostname: `r${i}.example.com` })),
    })
    Object.assign(made, { files: readingOf({ tcpRoutes: [] }), plane: twelve })
    await made.reconciler.step()
    const [state] = made.saved
    if (state === undefined) throw new Error('nothing saved')
    const next = make()
    next.reconciler.restore(JSON.parse(JSON.stringify(state)))
    Object.assign(next, { files: readingOf({ tcpRoutes: [] }), plane: readingOf({ tcpRoutes: [] }) })
    await next.reconciler.step()
    expect(next.reconciler.round()?.plan.compiled.outcomes).toHaveLength(12)
  })
})

describe('the label of a revision', () => {
  const plane = (reading: SourceReading | null): SourceStatus => statusOf('control-plane', reading)
  const files = (reading: SourceReading | null): SourceStatus => statusOf('files', reading)
  const of = (revision: number | string) => readingOf({ tcpRoutes: [] }, { revision })

  test.each<[string, readonly SourceStatus[], number | string]>([
    ['of the control plane first', [files(of('f')), plane(of(42))], 42],
    ['of the files where it is silent', [files(of('f')), plane(null)], 'f'],
    ['of the files alone', [files(of('f'))], 'f'],
    ['of nobody', [files(null)], ''],
  ])('%s', (_, statuses, expected) => {
    expect(revisionLabel(statuses)).toBe(expected)
  })
})
