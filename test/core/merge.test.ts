import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { settleConflicts } from '../../src/core/conflicts.ts'
import { claimOf, type FirstSeen, mergeSources } from '../../src/core/merge.ts'
import type { Route } from '../../src/core/route.ts'
import { FEW, type WireRoute } from '../support/arbitraries.ts'
import { httpRoute, stateWith, tcpRoute, udpRoute } from '../support/builders.ts'

const NOW = Date.UTC(2026, 0, 10)
const at = (ms: number): string => new Date(ms).toISOString()

const routesOf = (...wires: readonly WireRoute[]): readonly Route[] => stateWith({ tcpRoutes: wires }).routes
const source = (routes: readonly Route[], rank = 1, origin = 'cp') => ({
  rank,
  routes: routes.map(route => ({ route, origin })),
})

const merge = (routes: readonly Route[], firstSeen: FirstSeen, nowMs: number) =>
  mergeSources([source(routes)], firstSeen, nowMs)

describe('claimOf', () => {
  test.each([
    [{ tcpRoutes: [tcpRoute()] }, 'tcp/pg 10001-10001 *'],
    [{ tcpRoutes: [tcpRoute({ externalPortEnd: 10003 })] }, 'tcp/pg 10001-10003 *'],
    [{ tcpRoutes: [tcpRoute({ sniHostname: 'DB.example.com' })] }, 'tcp/pg 10001-10001 db.example.com'],
    [{ udpRoutes: [udpRoute()] }, 'udp/dns 11000-11000'],
    [{ routes: [httpRoute({ pathPrefix: '/api' })] }, 'http/web app.example.com/api'],
  ])('%j claims %s', (lists, claim) => {
    expect(stateWith(lists).routes.map(claimOf)).toEqual([claim])
  })

  test('an id cannot be taken for another claim', () => {
    const routes = routesOf(tcpRoute({ id: 'a 10001-10001 *' }), tcpRoute({ id: 'a' }))
    expect(new Set(routes.map(claimOf)).size).toBe(2)
  })
})

describe('what was seen first', () => {
  const [a, b] = routesOf(tcpRoute({ id: 'a' }), tcpRoute({ id: 'b', externalPort: 10002 }))
  if (a === undefined || b === undefined) throw new Error('two routes')

  test('a route counts from its own claim, else from now', () => {
    const [dated] = routesOf(tcpRoute({ id: 'd', claimedAt: at(5) }))
    if (dated === undefined) throw new Error('a route')
    expect(merge([a, dated], {}, NOW)).toEqual({
      candidates: [
        { route: a, origin: 'cp', rank: 1, claimedAt: NOW },
        { route: dated, origin: 'cp', rank: 1, claimedAt: 5 },
      ],
      expired: [],
      firstSeen: { 'tcp/a 10001-10001 *': NOW },
      nextExpiryMs: null,
    })
  })

  test('it is remembered from reading to reading', () => {
    const first = merge([a], {}, NOW)
    const second = merge([a, b], first.firstSeen, NOW + 1000)
    expect(second.firstSeen).toEqual({ 'tcp/a 10001-10001 *': NOW, 'tcp/b 10002-10002 *': NOW + 1000 })
    expect(merge([a, b], second.firstSeen, NOW + 9000).firstSeen).toEqual(second.firstSeen)
  })

  test('it is kept across a restart as JSON', () => {
    const { firstSeen } = merge([a, b], {}, NOW)
    expect(merge([a, b], JSON.parse(JSON.stringify(firstSeen)), NOW + 5).firstSeen).toEqual(firstSeen)
  })

  test('a claim that went is forgotten, a changed one is new', () => {
    const { firstSeen } = merge([a, b], {}, NOW)
    expect(merge([a], firstSeen, NOW + 5).firstSeen).toEqual({ 'tcp/a 10001-10001 *': NOW })
    const [moved] = routesOf(tcpRoute({ id: 'a', externalPort: 10009 }))
    if (moved === undefined) throw new Error('a route')
    expect(merge([moved, b], firstSeen, NOW + 5).candidates.map(({ claimedAt }) => claimedAt)).toEqual([NOW + 5, NOW])
  })

  test('another upstream is the same claim', () => {
    const { firstSeen } = merge([a], {}, NOW)
    const [changed] = routesOf(tcpRoute({ id: 'a', upstreams: ['10.0.0.9:1'] }))
    if (changed === undefined) throw new Error('a route')
    expect(merge([changed], firstSeen, NOW + 5).candidates[0]?.claimedAt).toBe(NOW)
  })

  test.each([
    ['later', NOW + 1000, NOW + 1000],
    ['within the same millisecond', NOW, NOW + 1],
    ['after the clock went back a year', NOW - 31_536_000_000, NOW + 1],
  ])('a newcomer %s is younger', (_, nowMs, claimedAt) => {
    const { firstSeen } = merge([b], {}, NOW)
    expect(merge([a, b], firstSeen, nowMs).candidates.map(candidate => candidate.claimedAt)).toEqual([claimedAt, NOW])
  })

  test('newcomers of one reading are of one age', () => {
    const { firstSeen } = merge([b], {}, NOW)
    const others = routesOf(...['x', 'y'].map(id => tcpRoute({ id, externalPort: 10005 })))
    expect(merge([b, ...others], firstSeen, NOW).candidates.map(({ claimedAt }) => claimedAt)).toEqual([
      NOW,
      NOW + 1,
      NOW + 1,
    ])
  })

  test('a memory full of prototypes harms nothing', () => {
    const memory: FirstSeen = JSON.parse('{"__proto__":5,"constructor":7,"toString":9}')
    expect(merge([a], memory, NOW).candidates[0]?.claimedAt).toBe(NOW)
    expect(merge([a], Object.create({ 'tcp/a 10001-10001 *': 3 }), NOW).candidates[0]?.claimedAt).toBe(NOW)
  })

  // Ids and ports are few, so that routes come, go, come back and meet; the clock jumps.
  const reading = fc.record({
    nowMs: fc.integer({ min: 0, max: 20 }).map(ms => NOW + ms),
    routes: fc.array(
      fc.record({ id: FEW.ids, externalPort: fc.integer({ min: 10001, max: 10003 }) }).map(fields => tcpRoute(fields)),
      { maxLength: 5 },
    ),
  })

  propertyTest.prop([fc.array(reading, { minLength: 2, maxLength: 6 })], { numRuns: 300 })(
    'a newcomer never takes the port of a running route',
    readings => {
      let firstSeen: FirstSeen = {}
      let running = new Map<number, string>()
      for (const { nowMs, routes } of readings) {
        const merged = merge(routesOf(...routes), firstSeen, nowMs)
        const owners = new Map(
          settleConflicts(merged.candidates, new Set()).winners.flatMap(({ route }) =>
            route.protocol === 'tcp' ? [[route.externalPort, claimOf(route)]] : [],
          ),
        )
        const still = new Set(merged.candidates.map(({ route }) => claimOf(route)))
        // One id twice in a document is a claim that its sender gave up: only one of the two can run.
        const ids = merged.candidates.map(({ route }) => route.id)
        for (const [port, claim] of running) {
          const [id = ''] = /(?<=^tcp\/).*(?= \d+-\d+ \*$)/.exec(claim) ?? []
          if (!still.has(claim) || ids.filter(other => other === id).length !== 1) continue
          // One that was seen before is no newcomer: it may have been as old, and barred by a twin of its id until now.
          const owner = owners.get(port) ?? 'nobody'
          expect([port, owner === claim || Object.hasOwn(firstSeen, owner)]).toEqual([port, true])
        }
        running = owners
        firstSeen = merged.firstSeen
      }
    },
  )
})

describe('the end of a route', () => {
  const ending = (id: string, ms: number) =>
    tcpRoute({ id, externalPort: 10001 + id.charCodeAt(0) - 97, expiresAt: at(ms) })
  const [a, b, c, never] = routesOf(
    ending('a', NOW - 1),
    ending('b', NOW),
    ending('c', NOW + 7),
    tcpRoute({ id: 'never', externalPort: 10009 }),
  )
  if (a === undefined || b === undefined || c === undefined || never === undefined) throw new Error('four routes')
  const ids = (candidates: readonly { route: Route }[]) => candidates.map(({ route }) => route.id)

  test.each([
    [NOW - 2, [], ['a', 'b', 'c', 'never'], NOW - 1],
    [NOW - 1, ['a'], ['b', 'c', 'never'], NOW],
    [NOW, ['a', 'b'], ['c', 'never'], NOW + 7],
    [NOW + 6, ['a', 'b'], ['c', 'never'], NOW + 7],
    [NOW + 7, ['a', 'b', 'c'], ['never'], null],
  ])('at %d %j are over', (nowMs, over, left, nextExpiryMs) => {
    const merged = merge([c, never, b, a], {}, nowMs)
    expect({
      expired: ids(merged.expired).toSorted(),
      candidates: ids(merged.candidates).toSorted(),
      nextExpiryMs: merged.nextExpiryMs,
    }).toEqual({ expired: over, candidates: left, nextExpiryMs })
    expect(merge([a, b, never, c], {}, nowMs).nextExpiryMs).toBe(nextExpiryMs)
  })

  test('it frees the claim and keeps the memory', () => {
    const [next] = routesOf(tcpRoute({ id: 'z', externalPort: 10001 }))
    if (next === undefined) throw new Error('a route')
    const merged = merge([a, next], { 'tcp/a 10001-10001 *': 5 }, NOW)
    expect(settleConflicts(merged.candidates, new Set()).losers).toEqual([])
    expect(merged.firstSeen).toEqual({ 'tcp/a 10001-10001 *': 5, 'tcp/z 10001-10001 *': NOW })
  })
})

describe('several sources', () => {
  const [a] = routesOf(tcpRoute({ id: 'a' }))
  if (a === undefined) throw new Error('a route')

  test('each candidate keeps its rank and origin', () => {
    const merged = mergeSources([source([a], 0, 'a.yaml'), source([a], 1, 'cp_1'), source([], 1, 'cp_2')], {}, NOW)
    expect(merged.candidates).toEqual([
      { route: a, origin: 'a.yaml', rank: 0, claimedAt: NOW },
      { route: a, origin: 'cp_1', rank: 1, claimedAt: NOW },
    ])
    expect(
      settleConflicts(merged.candidates, new Set()).losers.map(({ candidate, problem }) => [
        candidate.origin,
        problem.code,
      ]),
    ).toEqual([['cp_1', 'ID_TAKEN']])
  })

  test('none gives nothing', () => {
    expect(mergeSources([], { 'tcp/a 1-1 *': 1 }, NOW)).toEqual({
      candidates: [],
      expired: [],
      firstSeen: {},
      nextExpiryMs: null,
    })
  })
})
