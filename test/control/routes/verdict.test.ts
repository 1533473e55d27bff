import { describe, expect, test } from 'vitest'
import { compareVerdicts, ROUTE_REASONS, WORST_FIRST } from '../../../src/api/verdict.ts'
import {
  isSilent,
  judgeOnNode,
  lengthOf,
  type NodeStanding,
  type RouteStanding,
  type ToldVerdict,
} from '../../../src/control/routes/verdict.ts'
import { worstByRoute, worstOf } from '../../../src/control/routes/worst.ts'
import { VERDICTS } from '../../../src/core/verdict.ts'

const NOW = new Date('2026-11-23T10:00:00.000Z')
const ago = (seconds: number) => new Date(NOW.getTime() - seconds * 1000)
const at = (epoch: number, revision: number) => ({ epoch, revision })
const moment = { position: at(1, 42), now: NOW }

const node = (fields: Partial<NodeStanding> = {}): NodeStanding => ({
  id: 'srv_1',
  name: 'proxy-1',
  status: 'active',
  lastSeenAt: NOW,
  quietMs: 1000,
  told: at(1, 42),
  complete: true,
  ...fields,
})
const route = (fields: Partial<RouteStanding> = {}): RouteStanding => ({
  id: 'prt_a',
  inState: true,
  revision: 42,
  changedAt: ago(2.1),
  ...fields,
})
const row = (fields: Partial<ToldVerdict> = {}): ToldVerdict => ({
  verdict: 'degraded',
  reason: 'BACKEND_DOWN',
  message: '1 of 2 upstreams is down',
  remedy: 'Start it.',
  since: ago(60),
  revision: 42,
  ...fields,
})

describe('a route on a node', () => {
  test.each<[string, Partial<RouteStanding>, Partial<NodeStanding>, ToldVerdict | null, string, string, string | null]>(
    [
      ['told of, without a row', {}, {}, null, 'live', 'LIVE', null],
      ['told of in a later revision', { revision: 7 }, {}, null, 'live', 'LIVE', null],
      ['told of, with a row', {}, {}, row(), 'degraded', 'BACKEND_DOWN', null],
      ['changed since', {}, { told: at(1, 41) }, null, 'pending', 'NOT_YET_FETCHED', null],
      ['changed since it had a row', {}, { told: at(1, 41) }, row(), 'pending', 'NOT_YET_FETCHED', null],
      ['of a node that has no revision', {}, { told: null }, null, 'pending', 'NOT_YET_FETCHED', null],
      ['of a node in an older epoch', { revision: 1 }, { told: at(0, 99) }, null, 'pending', 'NOT_YET_FETCHED', null],
      ['of a node in a later epoch', { revision: 1 }, { told: at(2, 1) }, null, 'pending', 'NODE_AHEAD', null],
      ['of a node with a later revision', { revision: 1 }, { told: at(1, 43) }, null, 'pending', 'NODE_AHEAD', null],
      ['of a node that tells rows still', {}, { complete: false }, null, 'pending', 'NOT_YET_TOLD', null],
      [
        'of a node that tells rows still, with its own',
        {},
        { complete: false },
        row(),
        'degraded',
        'BACKEND_DOWN',
        null,
      ],
      ['of a silent node', {}, { quietMs: 90_001 }, null, 'unknown', 'NODE_SILENT', 'live'],
      ['of a silent node, with a row', {}, { quietMs: 90_001 }, row(), 'unknown', 'NODE_SILENT', 'degraded'],
      ['of a node that is nearly silent', {}, { quietMs: 90_000 }, null, 'live', 'LIVE', null],
      [
        'of a node that never reported',
        {},
        { quietMs: null, told: null },
        null,
        'unknown',
        'NODE_NEVER_REPORTED',
        null,
      ],
      ['that is no more', { inState: false }, {}, null, 'gone', 'REMOVED', null],
      [
        'that is no more, and not yet confirmed',
        { inState: false },
        { told: at(1, 41) },
        null,
        'pending',
        'NOT_YET_FETCHED',
        null,
      ],
      [
        'that is no more, and held',
        { inState: false },
        {},
        row({ verdict: 'held', reason: 'MASS_REMOVAL' }),
        'held',
        'MASS_REMOVAL',
        null,
      ],
    ],
  )('%s', (_what, ofRoute, ofNode, told, verdict, reason, was) => {
    expect(judgeOnNode(route(ofRoute), node(ofNode), told, moment)).toMatchObject({ verdict, reason, was })
  })

  test('says since when and how long it waits', () => {
    expect(judgeOnNode(route(), node({ told: at(1, 41) }), null, moment)).toEqual({
      verdict: 'pending',
      reason: 'NOT_YET_FETCHED',
      message: 'proxy-1 has not confirmed revision 42 yet, 2.1 s',
      remedy: ROUTE_REASONS.NOT_YET_FETCHED.remedy,
      since: ago(2.1),
      was: null,
      told: false,
    })
  })

  test('says since when a silent node says nothing', () => {
    expect(judgeOnNode(route(), node({ quietMs: 11 * 60_000 }), null, moment)).toEqual({
      verdict: 'unknown',
      reason: 'NODE_SILENT',
      message: 'proxy-1 has said nothing for 11 min',
      remedy: ROUTE_REASONS.NODE_SILENT.remedy,
      since: ago(11 * 60),
      was: 'live',
      told: false,
    })
  })

  test('has the words of the node where that has any', () => {
    expect(judgeOnNode(route(), node(), row(), moment)).toEqual({
      verdict: 'degraded',
      reason: 'BACKEND_DOWN',
      message: '1 of 2 upstreams is down',
      remedy: 'Start it.',
      since: ago(60),
      was: null,
      told: true,
    })
  })
})

test.each([
  [-5, '0.0 s'],
  [840, '0.8 s'],
  [9_940, '9.9 s'],
  [61_000, '61 s'],
  [120_000, '2 min'],
  [3 * 3_600_000, '3 h'],
  [50 * 3_600_000, '2 days'],
])('%i ms are %s', (ms, text) => {
  expect(lengthOf(ms)).toBe(text)
})

describe('the worst of several nodes', () => {
  const two = (other: Partial<NodeStanding> = {}) => [node(), node({ id: 'srv_2', name: 'proxy-2', ...other })]
  const told = (nodeId: string, fields: Partial<ToldVerdict> = {}) => ({ nodeId, routeId: 'prt_a', ...row(fields) })
  const worst = (nodes: readonly NodeStanding[], rows: Parameters<typeof worstByRoute>[2] = [], of = route()) =>
    worstByRoute({ ...moment, nodes }, [of], rows).get('prt_a')

  test('is live when all are', () => {
    expect(worst(two())).toEqual({
      verdict: 'live',
      reason: 'LIVE',
      message: ROUTE_REASONS.LIVE.meaning,
      remedy: ROUTE_REASONS.LIVE.remedy,
      since: null,
      nodeId: null,
      notLive: [],
    })
  })

  test('names the node that says so', () => {
    expect(
      worst(two(), [told('srv_2', { verdict: 'waiting', reason: 'ENTRY_POINT_MISSING' }), told('srv_1')]),
    ).toMatchObject({
      verdict: 'waiting',
      nodeId: 'srv_2',
      notLive: [
        { nodeId: 'srv_2', verdict: 'waiting', reason: 'ENTRY_POINT_MISSING', since: ago(60).toISOString() },
        { nodeId: 'srv_1', verdict: 'degraded', reason: 'BACKEND_DOWN', since: ago(60).toISOString() },
      ],
    })
  })

  test('is that of those who report, and tells of those who do not', () => {
    expect(worst(two({ quietMs: 100_000 }))).toMatchObject({
      verdict: 'live',
      nodeId: null,
      notLive: [{ nodeId: 'srv_2', verdict: 'unknown', reason: 'NODE_SILENT' }],
    })
  })

  test('is unknown when nobody reports', () => {
    expect(worst([node({ quietMs: 100_000 })])).toMatchObject({ verdict: 'unknown', nodeId: 'srv_1' })
  })

  test('is pending where there is no node', () => {
    expect(worst([])).toMatchObject({ verdict: 'pending', reason: 'NO_NODES', notLive: [] })
  })

  test('is pending until the last one has it', () => {
    expect(worst(two({ told: at(1, 41) }))).toMatchObject({
      verdict: 'pending',
      notLive: [{ nodeId: 'srv_2', verdict: 'pending' }],
    })
  })

  test('is gone where nobody has it any more', () => {
    expect(worst(two(), [], route({ inState: false }))).toMatchObject({ verdict: 'gone', notLive: [] })
  })

  test('names at most twenty nodes', () => {
    const nodes = Array.from({ length: 30 }, (_, i) => node({ id: `srv_${i}`, told: null }))
    expect(worst(nodes)?.notLive).toHaveLength(20)
  })

  test('is the same by the short way as by the long one', () => {
    const shapes: Partial<NodeStanding>[] = [
      {},
      { told: at(1, 40) },
      { told: at(1, 43) },
      { told: null },
      { told: at(0, 50) },
      { complete: false },
      { quietMs: null },
      { quietMs: 100_000 },
    ]
    for (const first of shapes)
      for (const second of shapes)
        for (const revision of [39, 40, 41, 42])
          for (const inState of [true, false]) {
            const nodes = [node(first), node({ id: 'srv_2', ...second })]
            const one = route({ revision, inState })
            const long = worstOf(nodes.map(each => ({ ...judgeOnNode(one, each, null, moment), node: each })))
            const short = worstByRoute({ ...moment, nodes }, [one], []).get('prt_a')
            expect([short?.verdict, short?.reason, short?.notLive]).toEqual([long.verdict, long.reason, long.notLive])
          }
  })
})

test('every word has its place among the worst', () => {
  expect([...WORST_FIRST].sort()).toEqual([...VERDICTS, 'gone', 'unknown'].sort())
  expect(compareVerdicts('held', 'live')).toBeLessThan(0)
  expect(isSilent({ quietMs: null })).toBe(true)
})
