import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ProviderStats } from '../../src/agent/provider/provider.ts'
import { createPublication, type Publication, type StoredBodies } from '../../src/agent/publication.ts'
import { type StoredState, storedBodies } from '../../src/agent/stored-state.ts'
import type { DynamicConfig } from '../../src/core/dynamic-config.ts'
import type { FirstSeen } from '../../src/core/merge.ts'
import type { ObservedRuntime } from '../../src/core/observed.ts'
import type { Snapshot } from '../../src/core/payload.ts'
import { makePlan, type Plan, planFrame, recompile } from '../../src/core/plan.ts'
import { type Lists, NODE, stateWith, tcpRoute, traefikWith, viewOf } from '../support/builders.ts'
import { NO_RUNTIME, observationOf, rawdataOf, runtimeOf } from '../support/observed.ts'
import { providerWith } from '../support/status.ts'
import { refusing, refusingWhere } from '../support/tamper.ts'

const BACKOFF_MS = 1_000
const DEADLINE_MS = 5_000

/**
 * A Traefik that waits for bodies, takes those without a `bogus` field within a moment, and backs off after any other; and the rounds of
 * an agent that offers what is wanted.
 */
function startNode({
  tamper = config => config,
  stored = null,
  has = NO_RUNTIME,
  replanMs = 0,
  holds = true,
}: {
  tamper?: (config: DynamicConfig) => DynamicConfig
  stored?: StoredBodies | null
  has?: ObservedRuntime
  /** How long a round takes that was asked for: its state is saved before it is offered. */
  replanMs?: number
  /** Its polls wait for their answers, but for when it backs off. */
  holds?: boolean
} = {}) {
  const told: string[] = []
  const published: Snapshot[] = []
  let wanted: Lists = {}
  let revision = 0
  const oldVersion = false
  let firstSeen: FirstSeen = {}
  let plan: Plan | null = null
  const fault: { kind: 'timeout'; message: string; since: number } | null = null
  let hasApi = true
  const traefik = {
    stands: false,
    has: NO_RUNTIME as ObservedRuntime,
    started: '2026-11-23T10:00:00Z',
    version: '3.7.15',
    answersSinceMs: 0,
    lookedAtMs: null as number | null,
    fetched: '',
    applyMs: 20,
  }
  let reading: ReturnType<typeof observationOf> | null = null
  let polling: NodeJS.Timeout | null = null
  /** What a Traefik that stands still would be doing. */
  let onGoOn: () => unknown = () => {}
  const provider = (): ProviderStats => providerWith({ held: holds && polling === null && !traefik.stands ? 1 : 0 })

  const publication: Publication = createPublication({
    answerPolls: () => {},
    publish(snapshot) {
      published.push(snapshot)
      poll(0)
    },
    observation: () => (hasApi ? reading : null),
    provider,
    look: () => look(),
    onChange: () => {},
    onReplan: () => {
      told.push('replan')
      if (replanMs === 0) offer()
      else setTimeout(offer, replanMs)
    },
    onNack: () => void told.push('nack'),
    onApplied: ms => void told.push(`applied in ${ms} ms`),
    logger: pino({ level: 'silent' }),
  })

  function look(): void {
    if (traefik.stands) {
      reading = reading === null ? null : { ...reading, fault: fault ?? { kind: 'timeout', message: 'late', since: 0 } }
    } else {
      const { version, started: startedAt, answersSinceMs } = traefik
      reading = observationOf(traefik.has, { version, startedAt, answersSinceMs })
    }
    publication.observed()
  }

  /** After so many milliseconds Traefik asks for the body. */
  function poll(inMs: number): void {
    if (polling !== null) clearTimeout(polling)
    polling = setTimeout(() => {
      polling = null
      const snapshot = published.at(-1)
      if (snapshot === undefined || snapshot.hash === traefik.fetched || traefik.stands) return
      traefik.fetched = snapshot.hash
      publication.fetched(snapshot.hash, Date.now())
      if (snapshot.body.includes('bogus')) {
        poll(BACKOFF_MS)
        return
      }
      const apply = () => {
        if (traefik.fetched !== snapshot.hash) return
        if (traefik.stands) {
          onGoOn = () => setTimeout(apply, traefik.applyMs)
          return
        }
        traefik.has = runtimeOf(rawdataOf(bodyConfig(snapshot), snapshot.hash))
        look()
      }
      setTimeout(apply, traefik.applyMs)
    }, inMs)
  }

  function offer(): void {
    const sources = [
      {
        rank: 1,
        routes: stateWith({ ...wanted }).routes.map(route => ({ route, origin: 'test' })),
        problems: [],
        certificates: [],
        challengeUrl: null,
      },
    ]
    const input = {
      sources,
      firstSeen,
      node: NODE,
      view: viewOf(traefikWith({ version: oldVersion ? '3.3.0' : traefik.version })),
      nowMs: Date.now(),
      refused: publication.refused(),
      oldestFields: publication.oldestFields(),
      tamper,
    }
    plan = makePlan(input)
    firstSeen = plan.firstSeen
    const frame = planFrame(input)
    publication.offer({
      plan,
      revision,
      recompile: (candidates, oldestFields) => recompile(candidates, { ...frame, oldestFields }),
    })
  }

  if (stored !== null) publication.restore(stored)
  traefik.has = has
  look()
  return {
    publication,
    told,
    published,
    traefik,
    look,
    want(lists: Lists): void {
      wanted = lists
      revision += 1
      offer()
    },
    offer,
    /** Until nothing happens any more. */
    async settle(ms = 300_000): Promise<void> {
      await vi.advanceTimersByTimeAsync(ms)
    },
    /** Names of the TCP routers that Traefik has, tombstones aside. */
    serves: () => routersIn(traefik.has),
    bodies: () => published.map(snapshot => routersIn(runtimeOf(rawdataOf(bodyConfig(snapshot), snapshot.hash)))),
    refused: () => [...publication.refused().keys()],
    outcomes: () =>
      Object.fromEntries((plan?.compiled.outcomes ?? []).map(({ key, problem }) => [key, problem?.code ?? 'served'])),
    plan: () => plan,
    withoutApi() {
      hasApi = false
    },
    restart(change: { version?: string } = {}) {
      Object.assign(traefik, change)
      traefik.started = new Date(Date.now()).toISOString()
      traefik.has = NO_RUNTIME
      traefik.fetched = ''
      const changed = change.version !== undefined
      poll(10)
      reading = observationOf(NO_RUNTIME, { version: traefik.version, startedAt: traefik.started })
      publication.restarted({ startedAtMs: Date.now(), changed })
      publication.observed()
    },
    /** It does not answer any more, and does nothing. */
    stand() {
      traefik.stands = true
    },
    goOn() {
      traefik.stands = false
      traefik.answersSinceMs = performance.now()
      onGoOn()
      if (polling === null) poll(0)
    },
  }
}

/** The bodies of these tests are short, so they are JSON. */
function bodyConfig(snapshot: Snapshot): DynamicConfig {
  const { tcp, ...rest } = JSON.parse(snapshot.body)
  const services = Object.entries(tcp?.services ?? {}).filter(([name]) => !name.startsWith('fairlead-revision-'))
  return { ...rest, tcp: { ...tcp, services: Object.fromEntries(services) } }
}

const routersIn = (runtime: ObservedRuntime): string[] =>
  runtime.routers.flatMap(({ name }) => (name.startsWith('tombstone') ? [] : [name])).sort()

const at = (id: string, port: number, fields: object = {}) => tcpRoute({ id, externalPort: port, ...fields })
const sni = (id: string) => at(id, 10001, { sniHostname: `${id}.example.com` })
const range = (count: number, from = 0) => Array.from({ length: count }, (_, i) => sni(`r${from + i}`))

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'],
    now: Date.parse('2026-11-23T11:00:00Z'),
  })
})

afterEach(() => {
  vi.useRealTimers()
})

describe('a body that Traefik takes', () => {
  test('it is applied once its beacon is there', async () => {
    const node = startNode()
    node.want({ tcpRoutes: [at('a', 10001)] })
    expect(node.publication.view()).toMatchObject({ polled: false, applied: null, phase: 'steady', lastLiveMs: null })
    await node.settle()
    const began = Date.parse('2026-11-23T11:00:00Z')
    expect(node.publication.view()).toMatchObject({
      polled: true,
      applied: { revision: 1 },
      lastLiveMs: 20,
      moments: { servedAt: began, fetchedAt: began, appliedAt: began + 20 },
      took: { hash: node.published[0]?.hash, stages: { serve: 0, fetch: 0, apply: 20, live: 20 } },
    })
    expect([node.told, node.serves(), node.published.length]).toEqual([['applied in 20 ms'], ['tcp_a'], 1])
  })

  test('without an API nothing is concluded', async () => {
    const node = startNode({ tamper: refusing('tcp_a') })
    node.withoutApi()
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    expect(node.publication.view()).toMatchObject({ polled: true, applied: null, phase: 'steady' })
    expect([node.told, node.published.length]).toEqual([[], 1])
  })

  test('the same body again is no news', async () => {
    const node = startNode()
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    expect([node.told, node.published.length]).toEqual([['applied in 20 ms'], 1])
    expect(node.publication.view().applied?.revision).toBe(2)
  })

  test('a slow one has time in proportion', async () => {
    const node = startNode()
    node.traefik.applyMs = DEADLINE_MS - 200
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    expect([node.told, node.serves()]).toEqual([[`applied in ${DEADLINE_MS - 200} ms`], ['tcp_a']])
  })

  test('stopped, it looks no more', async () => {
    const node = startNode({ tamper: refusing('tcp_a') })
    node.want({ tcpRoutes: [at('a', 10001)] })
    node.look()
    await node.settle(1)
    node.publication.stop()
    expect(vi.getTimerCount()).toBe(1)
    await node.settle()
    expect(node.told).toEqual([])
  })
})

describe('a body that Traefik refuses', () => {
  test('the culprit is refused, what came with it is served', async () => {
    const node = startNode({ tamper: refusing('tcp_bad') })
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    node.want({ tcpRoutes: [at('a', 10001), at('bad', 10002), at('c', 10003)] })
    await node.settle()
    expect(node.serves()).toEqual(['tcp_a', 'tcp_c'])
    expect(node.outcomes()).toEqual({ 'tcp/a': 'served', 'tcp/bad': 'TRAEFIK_REFUSED_BODY', 'tcp/c': 'served' })
    expect(node.publication.view()).toMatchObject({ phase: 'steady', polled: true, applied: { revision: 2 } })
    expect(node.told).toEqual(['applied in 20 ms', 'nack', 'replan', expect.stringMatching(/^applied in/)])
  })

  test('the last good one is served again, byte for byte', async () => {
    const node = startNode({ tamper: refusing('tcp_bad') })
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    node.want({ tcpRoutes: [at('a', 10001), at('bad', 10002), at('c', 10003)] })
    await node.settle()
    expect(node.published[2]).toEqual(node.published[0])
  })

  test('no body drops a route that Traefik has', async () => {
    const node = startNode({ tamper: refusing('tcp_r25', 'tcp_r31') })
    node.want({ tcpRoutes: range(10) })
    await node.settle()
    node.want({ tcpRoutes: range(35) })
    await node.settle()
    const first = range(10).map(({ id }) => `tcp_${String(id)}`)
    for (const routers of node.bodies()) expect(routers).toEqual(expect.arrayContaining(first))
    expect(node.refused()).toEqual(['tcp/r25', 'tcp/r31'])
    expect(node.serves()).toHaveLength(33)
  })

  test('a changed route goes on as it was', async () => {
    const bad = refusingWhere((_, service) => JSON.stringify(service).includes('10.200.1.66'))
    const node = startNode({ tamper: bad })
    node.want({ tcpRoutes: [at('a', 10001), at('b', 10002)] })
    await node.settle()
    node.want({ tcpRoutes: [at('a', 10001, { upstreams: ['10.200.1.66:5432'] }), at('b', 10003)] })
    await node.settle()
    expect(node.outcomes()).toEqual({ 'tcp/a': 'TRAEFIK_REFUSED_BODY', 'tcp/b': 'served' })
    expect(node.traefik.has.services.find(({ name }) => name === 'tcp_a')?.servers).toEqual(['10.200.1.5:5432'])
    expect(node.plan()?.compiled.outcomes[0]?.problem?.message).toBe(
      'Traefik does not take a configuration with this route; what it was before goes on serving',
    )
    for (const routers of node.bodies()) expect(routers).toEqual(['tcp_a', 'tcp_b'])
  })

  test('a mended route is tried again', async () => {
    const bad = refusingWhere((_, service) => JSON.stringify(service).includes('10.200.1.66'))
    const node = startNode({ tamper: bad })
    node.want({ tcpRoutes: [at('a', 10001, { upstreams: ['10.200.1.66:5432'] })] })
    await node.settle()
    expect(node.outcomes()).toEqual({ 'tcp/a': 'TRAEFIK_REFUSED_BODY' })
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    expect([node.outcomes(), node.serves()]).toEqual([{ 'tcp/a': 'served' }, ['tcp_a']])
  })

  test('on a new Traefik the search begins with nothing', async () => {
    const node = startNode({ tamper: refusing('tcp_bad') })
    node.want({ tcpRoutes: [at('a', 10001), at('bad', 10002), at('c', 10003)] })
    await node.settle()
    expect([node.serves(), node.refused()]).toEqual([['tcp_a', 'tcp_c'], ['tcp/bad']])
    // There is nothing to go back to: the whole, a and bad, a alone, a and c.
    expect(node.published.map(({ body }) => body.includes('bogus'))).toEqual([true, true, false, false])
    expect(node.told.slice(0, 2)).toEqual(['nack', 'replan'])
  })

  test('fields that only newer versions have are left out', async () => {
    const node = startNode({ tamper: refusingWhere((_, service) => JSON.stringify(service).includes('healthCheck')) })
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    const healthCheck = { interval: '10s', timeout: '2s' }
    node.want({ tcpRoutes: [at('a', 10001), at('b', 10002, { healthCheck })] })
    await node.settle()
    expect([node.serves(), node.refused(), node.publication.oldestFields()]).toEqual([['tcp_a', 'tcp_b'], [], true])
    const outcomes = node.plan()?.compiled.outcomes.map(({ key, degraded }) => [key, degraded?.code ?? null])
    expect(outcomes).toEqual([
      ['tcp/a', null],
      ['tcp/b', 'FIELD_NOT_IN_TRAEFIK'],
    ])
    expect(node.publication.view().applied?.revision).toBe(2)
  })

  test('when no route is the reason, the last good one stays', async () => {
    let broken = false
    const node = startNode({ tamper: config => (broken ? refusing('tombstone')(config) : config) })
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    broken = true
    node.offer()
    await node.settle()
    expect([node.serves(), node.refused()]).toEqual([['tcp_a'], []])
    const bodies = node.published.length
    await node.settle()
    // It does not go on trying what cannot help.
    expect(node.published.length).toBe(bodies)
    expect(node.published.at(-1)).toEqual(node.published[0])
  })

  test('with nothing to go back to it is left at that', async () => {
    const node = startNode({ tamper: refusing('tombstone') })
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    const [bodies, replans] = [node.published.length, node.told.length]
    await node.settle()
    expect([node.published.length, node.told.length]).toEqual([bodies, replans])
  })

  test.each([
    ['one that waits for its answers', true, DEADLINE_MS],
    ['one that asks at intervals', false, 40_000],
  ])('%s has the time that its settings may need', async (_, holds, deadlineMs) => {
    const node = startNode({ tamper: refusing('tcp_bad'), holds })
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    node.want({ tcpRoutes: [at('a', 10001), at('bad', 10002)] })
    await node.settle(deadlineMs)
    expect(node.told).not.toContain('nack')
    await node.settle(500)
    expect(node.told).toContain('nack')
  })

  test('newer states wait while it searches, then the newest is taken', async () => {
    const node = startNode({ tamper: refusing('tcp_bad') })
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    node.want({ tcpRoutes: [at('a', 10001), at('bad', 10002), at('c', 10003)] })
    await node.settle(DEADLINE_MS + 500)
    expect(node.publication.view().phase).toBe('trial')
    node.want({ tcpRoutes: [at('a', 10001), at('bad', 10002), at('d', 10004)] })
    node.want({ tcpRoutes: [at('a', 10001), at('bad', 10002), at('e', 10005)] })
    await node.settle()
    expect([node.serves(), node.refused()]).toEqual([['tcp_a', 'tcp_e'], ['tcp/bad']])
  })

  test('while the next round is made nothing is concluded', async () => {
    const node = startNode({ tamper: refusing('tcp_bad', 'tcp_worse'), replanMs: 400 })
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    // The last trial is refused too, and is what is served until the next round has been made.
    node.want({ tcpRoutes: [at('a', 10001), at('bad', 10002), at('worse', 10003)] })
    await node.settle()
    expect([node.serves(), node.refused()]).toEqual([['tcp_a'], ['tcp/bad', 'tcp/worse']])
    expect(node.told.filter(what => !what.startsWith('applied'))).toEqual(['nack', 'replan'])
  })

  test('two that change places are tried together', async () => {
    const node = startNode({ tamper: refusing('tcp_bad') })
    node.want({ tcpRoutes: [at('a', 10001), at('b', 10002)] })
    await node.settle()
    node.want({ tcpRoutes: [at('a', 10002), at('b', 10001), at('bad', 10003), at('d', 10004)] })
    await node.settle()
    for (const routers of node.bodies()) expect(routers).toEqual(expect.arrayContaining(['tcp_a', 'tcp_b']))
    expect([node.serves(), node.refused()]).toEqual([['tcp_a', 'tcp_b', 'tcp_d'], ['tcp/bad']])
  })
})

describe('what Traefik has is read from its beacons', () => {
  test('a body that was overtaken unseen is the one to go back to', async () => {
    const node = startNode({ tamper: refusing('tcp_bad') })
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    node.want({ tcpRoutes: [at('a', 10001), at('b', 10002)] })
    await node.settle(1)
    // Traefik has the second body; nobody has looked when the third comes.
    const second = node.published.at(-1)
    node.want({ tcpRoutes: [at('a', 10001), at('b', 10002), at('bad', 10003)] })
    if (second !== undefined) node.traefik.has = runtimeOf(rawdataOf(bodyConfig(second), second.hash))
    await node.settle()
    for (const routers of node.bodies().slice(2)) expect(routers).toEqual(expect.arrayContaining(['tcp_a', 'tcp_b']))
    expect([node.serves(), node.refused()]).toEqual([['tcp_a', 'tcp_b'], ['tcp/bad']])
  })

  test('of a body that nobody knows what stands in it is not dropped', async () => {
    const before = startNode()
    before.want({ tcpRoutes: [at('a', 10001), at('b', 10002)] })
    await before.settle()
    // Its state is lost, and the first thing that the new one wants is refused.
    const node = startNode({ tamper: refusing('tcp_bad'), has: before.traefik.has })
    node.want({ tcpRoutes: [at('a', 10001), at('b', 10002), at('bad', 10003), at('d', 10004)] })
    await node.settle()
    for (const routers of node.bodies()) expect(routers).toEqual(expect.arrayContaining(['tcp_a', 'tcp_b']))
    expect([node.serves(), node.refused()]).toEqual([['tcp_a', 'tcp_b', 'tcp_d'], ['tcp/bad']])
  })
})

describe('a Traefik that stands still', () => {
  test.each([6_000, 60_000])('for %i ms, it has not refused anything', async ms => {
    const node = startNode()
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    node.traefik.applyMs = 1_000
    node.want({ tcpRoutes: [at('a', 10001), at('b', 10002)] })
    await node.settle(1)
    node.stand()
    await node.settle(ms)
    node.look()
    node.goOn()
    node.look()
    await node.settle()
    expect([node.told.includes('nack'), node.serves(), node.refused()]).toEqual([false, ['tcp_a', 'tcp_b'], []])
  })
})

describe('a Traefik that restarts', () => {
  test('it is nothing that is applied until it is seen again', async () => {
    const node = startNode()
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    node.restart()
    expect(node.publication.view().applied).toBeNull()
    expect(node.publication.lastGood()?.revision).toBe(1)
    await node.settle()
    expect([node.publication.view().applied?.revision, node.serves()]).toEqual([1, ['tcp_a']])
    // A restart is no change of ours.
    expect(node.told).toEqual(['applied in 20 ms'])
  })

  test('in the middle of a search it begins anew', async () => {
    const node = startNode({ tamper: refusing('tcp_bad') })
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    node.want({ tcpRoutes: [at('a', 10001), at('bad', 10002), at('c', 10003)] })
    await node.settle(DEADLINE_MS + 500)
    expect(node.publication.view().phase).toBe('trial')
    node.restart()
    await node.settle()
    expect([node.serves(), node.refused()]).toEqual([['tcp_a', 'tcp_c'], ['tcp/bad']])
  })

  test('in the middle of a search it gets the last good body first', async () => {
    const node = startNode({ tamper: refusing('tcp_bad') })
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    const good = node.published.at(-1)
    node.want({ tcpRoutes: [at('a', 10001), at('bad', 10002), at('c', 10003)] })
    await node.settle(DEADLINE_MS + 500)
    node.restart()
    expect(node.published.at(-1)).toEqual(good)
  })

  test('as the same version it is not asked again for what it refused', async () => {
    const node = startNode({ tamper: refusing('tcp_bad') })
    node.want({ tcpRoutes: [at('a', 10001), at('bad', 10002)] })
    await node.settle()
    node.restart()
    await node.settle()
    expect([node.serves(), node.refused()]).toEqual([['tcp_a'], ['tcp/bad']])
    expect(node.published.at(-1)?.body).not.toContain('bogus')
  })

  test('as another version it is asked again', async () => {
    let knows = false
    const node = startNode({ tamper: config => (knows ? config : refusing('tcp_bad')(config)) })
    node.want({ tcpRoutes: [at('a', 10001), at('bad', 10002)] })
    await node.settle()
    knows = true
    node.restart({ version: '3.8.0' })
    await node.settle()
    expect([node.serves(), node.refused()]).toEqual([['tcp_a', 'tcp_bad'], []])
  })

  test('as another version that refuses what the last one took, it gets the rest', async () => {
    let knows = true
    const node = startNode({ tamper: config => (knows ? config : refusing('tcp_bad')(config)) })
    node.want({ tcpRoutes: [at('a', 10001), at('bad', 10002), at('c', 10003)] })
    await node.settle()
    knows = false
    node.restart({ version: '3.6.0' })
    await node.settle()
    expect([node.serves(), node.refused()]).toEqual([['tcp_a', 'tcp_c'], ['tcp/bad']])
  })
})

describe('an agent that restarts', () => {
  /** As if by way of the disk. */
  function storedOf(node: ReturnType<typeof startNode>, servedIsGood: boolean): StoredBodies {
    const { current } = node.publication.view()
    const good = node.publication.lastGood()
    if (current === null || good === null) throw new Error('nothing to store')
    const { config: _, ...rest } = good
    const state: Pick<StoredState, 'served' | 'routes' | 'revision' | 'applied' | 'refusals'> = {
      refusals: node.publication.refusals(),
      served: current,
      routes: good.candidates,
      revision: 1,
      applied: { ...rest, snapshot: servedIsGood ? null : good.snapshot },
    }
    return storedBodies(JSON.parse(JSON.stringify(state)))
  }

  test('what Traefik was found to refuse is not searched for again', async () => {
    const bad = refusing('tcp_bad')
    const lists = { tcpRoutes: [at('a', 10001), at('bad', 10003)] }
    const before = startNode({ tamper: bad })
    before.want(lists)
    await before.settle()
    expect([before.serves(), before.refused()]).toEqual([['tcp_a'], ['tcp/bad']])

    const node = startNode({ tamper: bad, stored: storedOf(before, true), has: before.traefik.has })
    node.want(lists)
    await node.settle()
    expect(node.published.map(({ hash }) => hash)).toEqual([before.published.at(-1)?.hash])
    expect([node.serves(), node.refused(), node.told]).toEqual([['tcp_a'], ['tcp/bad'], []])
  })

  test('what was refused by another version is tried again', async () => {
    const before = startNode({ tamper: refusing('tcp_bad') })
    const lists = { tcpRoutes: [at('a', 10001), at('bad', 10003)] }
    before.want(lists)
    await before.settle()
    const stored = storedOf(before, true)
    const refusals = stored.refusals === null ? null : { ...stored.refusals, version: '3.5.3' }
    const node = startNode({ stored: { ...stored, refusals }, has: before.traefik.has })
    node.want(lists)
    node.publication.observed()
    await node.settle()
    expect([node.serves(), node.refused()]).toEqual([['tcp_a', 'tcp_bad'], []])
  })

  test.each([true, false])('the search starts from what Traefik has (left out on the disk: %s)', async servedIsGood => {
    const before = startNode()
    before.want({ tcpRoutes: [at('a', 10001), at('b', 10002)] })
    await before.settle()
    const node = startNode({
      tamper: refusing('tcp_bad'),
      stored: storedOf(before, servedIsGood),
      has: before.traefik.has,
    })
    node.want({ tcpRoutes: [at('a', 10001), at('b', 10002), at('bad', 10003), at('d', 10004)] })
    await node.settle()
    expect(node.published[0]?.hash).toBe(before.published.at(-1)?.hash)
    for (const routers of node.bodies()) expect(routers).toEqual(expect.arrayContaining(['tcp_a', 'tcp_b']))
    expect([node.serves(), node.refused()]).toEqual([['tcp_a', 'tcp_b', 'tcp_d'], ['tcp/bad']])
  })

  test('in the middle of a search it drops nothing that a trial has brought', async () => {
    const bad = refusing('tcp_r9')
    const before = startNode({ tamper: bad })
    before.want({ tcpRoutes: [at('a', 10002), ...range(1)] })
    await before.settle()
    const stored = storedOf(before, false)
    before.want({ tcpRoutes: [at('a', 10003), ...range(10)] })
    while (before.serves().length < 4) await before.settle(5)
    expect(before.publication.view().phase).toBe('trial')
    const had = before.serves()
    const node = startNode({ tamper: bad, stored, has: before.traefik.has })
    node.want({ tcpRoutes: [at('a', 10003), ...range(10)] })
    await node.settle()
    // The first is what the run before has left.
    for (const routers of node.bodies().slice(1)) expect(routers).toEqual(expect.arrayContaining(had))
    expect([node.serves().length, node.refused()]).toEqual([10, ['tcp/r9']])
  })

  test('what it served is no new change', async () => {
    const before = startNode()
    before.want({ tcpRoutes: [at('a', 10001)] })
    await before.settle()
    const node = startNode({ stored: storedOf(before, true), has: before.traefik.has })
    node.want({ tcpRoutes: [at('a', 10001)] })
    await node.settle()
    expect([node.told, node.published.length]).toEqual([[], 1])
    expect(node.publication.view()).toMatchObject({ applied: { revision: 1 }, lastLiveMs: null })
  })
})
