import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import type { AuditRow } from '../../src/api/audit.ts'
import type { Node } from '../../src/api/node.ts'
import type { PoolPort } from '../../src/api/pool.ts'
import type { RouteRow } from '../../src/api/route.ts'
import {
  auditChanges,
  auditCsv,
  auditSentence,
  byDay,
  newestOfEach,
  slowestWords,
} from '../../src/console/pages/audit/audit-words.ts'
import { addressOf, planLines } from '../../src/console/pages/expose/plan-lines.ts'
import { allLines, driftWords, nodeState, nodesSentence } from '../../src/console/pages/nodes/node-state.ts'
import { blockPart, gridRows, portByKey, telling } from '../../src/console/pages/ports/pool-grid.ts'
import { restWords } from '../../src/console/pages/ports/rest-words.ts'
import {
  type ConfigGroup,
  type ConfigNode,
  differingLines,
  faultyLines,
  groupConfigs,
  namesWords,
} from '../../src/console/pages/routes/config-groups.ts'
import { jsonLines, linesText, yamlLines } from '../../src/console/pages/routes/config-lines.ts'
import {
  filterRoutes,
  indexRoutes,
  keyOfListed,
  listRoutes,
  routeFiltersOf,
  routeParamsOf,
  sortRoutes,
} from '../../src/console/pages/routes/route-list.ts'
import { lifeOf, scopesUpTo, strongest, tokenInput } from '../../src/console/pages/tokens/token-rules.ts'
import { standingOfRow, standingOnNode, type Voice } from '../../src/console/verdict/standing.ts'
import { actorWords } from '../../src/console/words/change.ts'
import { sinceSaved, stageLines } from '../../src/console/words/stages.ts'

const poolPort = (port: number, part: Partial<PoolPort> = {}): PoolPort => ({
  port,
  state: 'free',
  inPool: true,
  owner: null,
  owners: [],
  ownerCount: 0,
  since: null,
  restsUntil: null,
  blockedBy: [],
  note: null,
  blockStart: null,
  blockEnd: null,
  ...part,
})

describe('the grid of a pool', () => {
  const rows = gridRows([10_003, 10_001, 10_000, 10_021].map(port => poolPort(port)))

  test('has a row for each ten that has a number', () => {
    expect(rows.map(({ start }) => start)).toEqual([10_000, 10_020])
    expect(rows[0]?.cells.map(cell => cell?.port ?? null)).toEqual([
      10_000,
      10_001,
      null,
      10_003,
      null,
      null,
      null,
      null,
      null,
      null,
    ])
  })

  test('is walked by keys', () => {
    expect(
      (['ArrowRight', 'ArrowLeft', 'ArrowDown', 'ArrowUp', 'Home', 'End', 'a'] as const).map(key =>
        portByKey(rows, 10_001, key),
      ),
    ).toEqual([10_003, 10_000, 10_021, null, 10_000, 10_003, null])
    expect(portByKey(rows, 10_021, 'ArrowUp')).toBe(10_001)
  })

  test('leaves out rows that are free', () => {
    const some = gridRows([poolPort(10_000), poolPort(10_010, { state: 'used' })])
    expect(telling(some).map(({ start }) => start)).toEqual([10_010])
  })

  test('joins a block, row by row', () => {
    const block = { blockStart: 11_008, blockEnd: 11_011 }
    expect([11_008, 11_009, 11_010, 11_011].map(port => blockPart(poolPort(port, block)))).toEqual([
      'first',
      'last',
      'first',
      'last',
    ])
    expect(blockPart(poolPort(11_000))).toBeNull()
  })
})

test('a number that rests says until when, and for whom', () => {
  const now = Date.parse('2026-11-23T10:00:00Z')
  const blocker = (nodeName: string, status: 'active' | 'lost') => ({
    nodeId: nodeName,
    nodeName,
    status,
    lastSeenAt: null,
  })
  expect(restWords('2026-11-23T10:00:41Z', [], now)).toBe('Free in 41 s.')
  expect(restWords('2026-11-23T09:00:00Z', [blocker('proxy-4', 'lost')], now)).toBe(
    'It waits until proxy-4 has let go of the old route. proxy-4 is lost: bring it back, or retire it.',
  )
  expect(restWords('2026-11-23T10:00:09Z', [blocker('a', 'active'), blocker('b', 'active')], now)).toBe(
    'Not free before 9 s are over; it waits until a and b have let go of the old route.',
  )
  expect(restWords(null, [], now)).toBe('Free at the next look.')
})

const row = (id: number, part: Partial<AuditRow> = {}): AuditRow => ({
  id,
  at: '2026-11-23T10:00:00.000Z',
  actor: { kind: 'session', id: 'ses_1', name: 'Mara' },
  action: 'service.create',
  resource: { kind: 'service', id: 'svc_1' },
  projectId: 'prj_1',
  before: null,
  after: { id: 'svc_1', name: 'orders-db' },
  requestId: 'req_1',
  epoch: 1,
  revision: id,
  removedRoutes: [],
  savedToLive: null,
  ...part,
})

describe('an audit row', () => {
  test('is a sentence with the name that the thing has now', () => {
    expect(auditSentence(row(1), new Map([['svc_1', 'invoices-db']]))).toEqual({
      verb: 'exposed',
      name: 'invoices-db',
      rest: '',
      target: { kind: 'service', id: 'svc_1' },
    })
  })

  test('says who did it, and who has signed in', () => {
    const session = { kind: 'session', id: 'ses_2', name: null }
    const signIn = { action: 'session.open', actor: { kind: 'system', id: 'sign-in', name: null } }
    expect(
      [
        row(1),
        row(2, { actor: session }),
        row(3, { ...signIn, after: { name: 'ada' } }),
        row(4, { ...signIn, after: null }),
      ].map(actorWords),
    ).toEqual(['Mara', 'somebody', 'ada', 'sign-in'])
  })

  test('names what is gone as it was, without a link', () => {
    const gone = row(2, { action: 'service.delete', before: { name: 'old-db' }, after: null })
    expect(auditSentence(gone, new Map())).toEqual({
      verb: 'deleted the service',
      name: 'old-db',
      rest: '',
      target: null,
    })
  })

  test('of a port says number and host, and leads to its service', () => {
    const port = row(3, {
      action: 'port.create',
      resource: { kind: 'port', id: 'prt_1' },
      after: { serviceId: 'svc_1', externalPort: 10_001, sniHostname: 'db.example.com' },
    })
    expect(auditSentence(port, new Map([['svc_1', 'orders-db']]))).toEqual({
      verb: 'added a port to',
      name: 'orders-db',
      rest: 'as db.example.com on 10001',
      target: { kind: 'service', id: 'svc_1' },
    })
  })

  test('opens to what it changed and to nothing else', () => {
    expect(
      auditChanges({
        before: { a: 1, list: [], same: 'x', version: 1 },
        after: { a: 2, list: ['b', 'c'], same: 'x', version: 2 },
      }),
    ).toEqual([
      { field: 'a', before: '1', after: '2' },
      { field: 'list', before: null, after: 'b, c' },
    ])
    expect(auditChanges({ before: null, after: null })).toEqual([])
  })

  test('is a line of a table that no spreadsheet takes for a formula', () => {
    const evil = row(4, {
      actor: { kind: 'token', id: 'tok_1', name: '=HYPERLINK("x")' },
      before: null,
      after: { name: 'a,"b"' },
    })
    expect(auditCsv([evil])).toBe(
      'at,actor,action,resource,resourceId,projectId,revision,savedToLiveMs,slowestNode,requestId,before,after\r\n' +
        `2026-11-23T10:00:00.000Z,"'=HYPERLINK(""x"")",service.create,service,svc_1,prj_1,4,not measured,,req_1,,"{""name"":""a,\\""b\\""""}"\r\n`,
    )
  })

  test('has the time of its change, says that none was measured, or has none to measure', () => {
    const savedToLive = { ms: 61, nodeId: 'srv_2', nodeName: 'proxy-2', nodes: 3 }
    const rows = [
      row(5, { savedToLive }),
      row(4),
      row(3, { action: 'port.update', resource: { kind: 'port', id: 'prt_1' }, removedRoutes: ['prt_1'] }),
      row(2, { action: 'service.delete', after: null, removedRoutes: ['prt_1'] }),
      row(1, { action: 'session.open', resource: { kind: 'session', id: 'ses_1' }, revision: null }),
    ]
    const lines = auditCsv(rows).split('\r\n').slice(1, -1)
    expect(lines.map(line => line.split(',').slice(7, 9))).toEqual([
      ['61', 'proxy-2'],
      ['not measured', ''],
      ['', ''],
      ['', ''],
      ['', ''],
    ])
    expect(slowestWords(savedToLive)).toBe('slowest on proxy-2, of 3 nodes')
    expect(slowestWords({ ...savedToLive, nodes: 1 })).toBe('measured on proxy-2')
  })

  test('stands under its day, and only the newest of a thing tells of now', () => {
    const now = new Date(2026, 10, 23, 12)
    const at = (day: number) => new Date(2026, 10, day, 9).toISOString()
    const rows = [row(3, { at: at(23) }), row(2, { at: at(22) }), row(1, { at: at(3) })]
    expect(byDay(rows, now).map(({ day, rows: its }) => [day, its.length])).toEqual([
      ['Today', 1],
      ['Yesterday', 1],
      ['3 Nov', 1],
    ])
    expect([...newestOfEach(rows)]).toEqual([3])
  })
})

describe('a token', () => {
  test('is no stronger than who makes it', () => {
    expect(scopesUpTo(['write'])).toEqual(['read', 'write'])
    expect(strongest(['read', 'admin'])).toBe('admin')
  })

  test('ends as it was asked, or never', () => {
    const form = { name: ' ci ', scope: 'write', projectId: '', days: '30' } as const
    expect(tokenInput(form)).toEqual({ name: 'ci', scopes: ['write'], projectId: null, expiresInSeconds: 2_592_000 })
    expect(tokenInput({ ...form, days: '0', projectId: 'prj_1' })).toEqual({
      name: 'ci',
      scopes: ['write'],
      projectId: 'prj_1',
      expiresInSeconds: null,
    })
  })

  test('says a week before that it ends', () => {
    const now = Date.parse('2026-11-23T00:00:00Z')
    expect(
      [null, '2026-11-22T00:00:00Z', '2026-11-25T00:00:00Z', '2027-01-01T00:00:00Z'].map(expiresAt =>
        lifeOf({ expiresAt }, now),
      ),
    ).toEqual(['good', 'ended', 'ending', 'good'])
  })
})

const COUNTS = {
  live: 3,
  pending: 0,
  rejected: 0,
  refused: 0,
  conflicted: 0,
  waiting: 0,
  degraded: 0,
  held: 0,
  unknown: 0,
}
const node = (part: Partial<Node> = {}): Node => ({
  id: 'srv_1',
  name: 'proxy-1',
  status: 'active',
  version: 1,
  createdAt: '2026-11-01T00:00:00.000Z',
  lastSeenAt: '2026-11-23T10:00:00.000Z',
  silent: false,
  revokedAt: null,
  retiredAt: null,
  agentVersion: '0.1.0',
  revision: { current: 7, expected: 7, served: 7, applied: 7, lag: 0 },
  traefik: { state: 'verified', version: '3.7.15', startedAt: null, lastPollAt: null },
  counts: COUNTS,
  drift: { missing: 0, extra: 0, different: 0, disabled: 0 },
  held: null,
  missingEntryPoints: [],
  openConnections: 0,
  ...part,
})

describe('a node', () => {
  const moment = { now: Date.parse('2026-11-23T10:11:00Z'), isLinkUp: true, silent: false }
  const cases: readonly (readonly [string, Partial<Node>, Partial<typeof moment>, string, string])[] = [
    ['that has everything', {}, {}, 'live', 'current'],
    ['behind a lost link', {}, { isLinkUp: false }, 'unknown', 'not known'],
    ['that is silent', {}, { silent: true }, 'unknown', 'silent for 11 min'],
    ['that is lost', { status: 'lost' }, { silent: true }, 'unknown', 'lost, silent for 11 min'],
    ['that never spoke', { lastSeenAt: null }, { silent: true }, 'unknown', 'has not reported yet'],
    ['that is retired', { status: 'retired' }, {}, 'gone', 'retired'],
    [
      'whose Traefik is down',
      { traefik: { state: 'down', version: null, startedAt: null, lastPollAt: null } },
      {},
      'degraded',
      'Traefik is down',
    ],
    [
      'that holds',
      { held: { hash: 'h', removals: ['tcp/a', 'tcp/b'], accepted: false } },
      {},
      'held',
      'holds 2 removals',
    ],
    [
      'with routes that are not live',
      { counts: { ...COUNTS, waiting: 2, refused: 1 } },
      {},
      'refused',
      '1 refused and 2 waiting',
    ],
    [
      'that is behind',
      { revision: { current: 7, expected: 7, served: 6, applied: 5, lag: 2 } },
      {},
      'pending',
      '2 revisions behind',
    ],
  ]
  test.each(cases)('%s', (_, part, now, shown, words) => {
    const state = nodeState(node(part), { ...moment, ...now })
    expect([state.shown, state.words]).toEqual([shown, words])
  })

  test('tells its drift, or that it is not known', () => {
    expect(driftWords({ missing: 1, extra: 0, different: 0, disabled: 2 }, true)).toBe('1 missing, 2 disabled')
    expect(driftWords({ missing: 0, extra: 0, different: 0, disabled: 0 }, true)).toBe('none')
    expect(driftWords(null, true)).toBe('not known')
  })

  test('counts with the others in one sentence', () => {
    const stated = (part: Partial<Node>, isKnown: boolean) => ({
      node: node(part),
      state: { shown: 'live' as const, words: '', isKnown },
    })
    expect(nodesSentence([])).toBe('None is enrolled.')
    expect(nodesSentence([stated({}, true)])).toBe('The one node reports. Revision 7 is applied on it.')
    expect(nodesSentence([stated({}, true), stated({}, false)])).toBe('1 of 2 report. Revision 7 is applied on it.')
  })

  test('gets the lines of all that it lacks as one piece of YAML', () => {
    const lack = (port: number) => ({
      name: `tcp-${port}`,
      protocol: 'tcp' as const,
      port,
      lines: `entryPoints:\n  tcp-${port}:\n    address: ":${port}"\n`,
      routeIds: [],
    })
    expect(parse(allLines([lack(10_042), lack(10_043)]))).toEqual({
      entryPoints: { 'tcp-10042': { address: ':10042' }, 'tcp-10043': { address: ':10043' } },
    })
  })
})

describe('the list of routes', () => {
  const VOICES: readonly Voice[] = [
    { id: 'srv_1', name: 'proxy-1', silent: false },
    { id: 'srv_2', name: 'proxy-2', silent: false },
  ]
  const route = (name: string, notLive: RouteRow['notLive'] = []): RouteRow => ({
    id: `prt_${name}`,
    serviceId: `svc_${name}`,
    projectId: 'prj_1',
    name,
    protocol: 'tcp',
    address: 'edge.example.com:10001',
    verdict: notLive[0]?.verdict ?? 'live',
    reason: notLive[0]?.reason ?? 'LIVE',
    since: notLive[0]?.since ?? null,
    notLive,
  })
  const on = (nodeId: string, verdict: RouteRow['verdict'], reason: string) => ({
    nodeId,
    verdict,
    reason,
    since: '2026-11-23T10:00:00.000Z',
  })
  const standings = {
    ofRow: (one: RouteRow) => standingOfRow(one, VOICES, true),
    onNode: (said: { readonly verdict: RouteRow['verdict'] }, nodeId: string) =>
      standingOnNode(
        said,
        VOICES.find(({ id }) => id === nodeId),
        true,
      ),
  }
  const ROUTES = [
    route('a'),
    route('b', [on('srv_1', 'waiting', 'ENTRY_POINT_MISSING'), on('srv_2', 'refused', 'TRAEFIK_DISABLED')]),
    route('c', [on('srv_2', 'degraded', 'BACKEND_DOWN')]),
    route('d', [on('srv_1', 'degraded', 'BACKEND_DOWN'), on('srv_2', 'degraded', 'BACKEND_DOWN')]),
  ]

  test('has a row for each node on which a route is not live, worst first', () => {
    const rows = sortRoutes(listRoutes(ROUTES, VOICES, standings, null))
    expect(rows.map(one => [one.route.name, one.node?.name ?? 'all', one.standing.shown])).toEqual([
      ['b', 'proxy-2', 'refused'],
      ['b', 'proxy-1', 'waiting'],
      ['c', 'proxy-2', 'degraded'],
      ['d', 'all', 'degraded'],
      ['a', 'all', 'live'],
    ])
    expect(new Set(rows.map(keyOfListed)).size).toBe(rows.length)
  })

  test('is of one node when that is asked for', () => {
    const rows = sortRoutes(listRoutes(ROUTES, VOICES, standings, 'srv_1'))
    expect(rows.map(one => `${one.route.name} ${one.standing.shown}`)).toEqual([
      'b waiting',
      'd degraded',
      'a live',
      'c live',
    ])
  })

  test('keeps its filters in the address', () => {
    const filters = { q: 'pg', verdicts: ['waiting' as const], protocol: 'tcp' as const, node: 'srv_1' }
    expect(routeFiltersOf(routeParamsOf(filters))).toEqual(filters)
    expect(routeFiltersOf(new URLSearchParams('verdict=live,nonsense&protocol=x'))).toEqual({
      q: '',
      verdicts: ['live'],
      protocol: 'all',
      node: null,
    })
  })

  test('is searched by name, address, node and reason', () => {
    const index = indexRoutes(listRoutes(ROUTES, VOICES, standings, null))
    const found = (q: string) =>
      filterRoutes(index, routeFiltersOf(new URLSearchParams({ q }))).map(one => one.route.name)
    expect([found('entry_point'), found('proxy-2 refused'), found('proxy-2 traefik'), found('nothing')]).toEqual([
      ['b'],
      [],
      ['b'],
      [],
    ])
  })
})

describe('a configuration', () => {
  const value = {
    tcp: {
      routers: {
        'tcp_a.1': {
          entryPoints: ['tcp-10001'],
          rule: 'HostSNI(`*.x.example`)',
          priority: 300,
          tls: { passthrough: true },
        },
      },
      services: {
        s: {
          loadBalancer: {
            servers: [{ address: '10.0.0.1:5432' }, { address: 'yes' }],
            empty: {},
            none: [],
            text: 'a: b #c',
          },
        },
      },
    },
  }

  test('is written as YAML that reads back the same', () => {
    expect(parse(linesText(yamlLines(value)))).toEqual(value)
  })

  test.each([
    '',
    'true',
    '- a',
    '10',
    '`x`',
    "it's",
    'a\nb',
    '*',
    '{a}',
    '[x',
    '@a',
    'null',
    ' a',
    'a:',
    '#x',
    'a #b',
    '"q"',
  ])('keeps the text %j', text => {
    expect(parse(linesText(yamlLines({ a: text, b: [text], [`k${text}`]: 1 })))).toEqual({
      a: text,
      b: [text],
      [`k${text}`]: 1,
    })
  })

  test('is written as JSON', () => {
    expect(JSON.parse(linesText(jsonLines(value)))).toEqual(value)
  })
})

describe('the configuration on several nodes', () => {
  const services = {
    pg: { loadBalancer: { servers: [{ address: '10.200.1.5:5432' }, { address: '10.200.1.6:5432' }] } },
  }
  const routers = { pg: { rule: 'HostSNI(`*`)', service: 'pg', entryPoints: ['tcp-10001'] } }
  const node = (nodeName: string, part: Partial<ConfigNode> = {}): ConfigNode => ({
    nodeId: nodeName,
    nodeName,
    verdict: 'live',
    reason: 'LIVE',
    message: '',
    isKnown: true,
    configuration: { origin: 'compiled', routers, services },
    ...part,
  })
  const namesOf = (groups: readonly ConfigGroup[]) => groups.map(({ nodes }) => nodes.map(({ nodeName }) => nodeName))

  /** Lines that are marked, each with what is said of it. */
  function marked(nodes: readonly ConfigNode[], format: typeof yamlLines = yamlLines): readonly string[] {
    return groupConfigs(nodes, '').flatMap(group => {
      const lines = format({ tcp: { routers: group.routers, services: group.services } })
      return [...faultyLines(group, lines)].map(
        ([at, words]) => `${linesText(lines.slice(at, at + 1)).trim()} <- ${words}`,
      )
    })
  }

  test('is one block where it is the same, in whatever order it came', () => {
    const other = { entryPoints: ['tcp-10001'], service: 'pg', rule: 'HostSNI(`*`)' }
    const served = { origin: 'served' as const, services, routers: { pg: other } }
    expect(namesOf(groupConfigs([node('a'), node('b', { configuration: served })], 'a'))).toEqual([['a', 'b']])
  })

  test('is a block of each where it differs, the chosen one first', () => {
    const configuration = { origin: 'served' as const, services, routers: { pg: { ...routers.pg, priority: 1 } } }
    const nodes = [node('a'), node('b', { configuration }), node('c'), node('d', { configuration: null })]
    expect(namesOf(groupConfigs(nodes, 'c'))).toEqual([['a', 'c'], ['b']])
    expect(namesOf(groupConfigs(nodes, 'b'))).toEqual([['b'], ['a', 'c']])
    const [one, two] = groupConfigs(nodes, 'c').map(group => yamlLines(group.routers))
    expect([...differingLines(two ?? [], one ?? [])].map(at => linesText(two?.slice(at, at + 1) ?? []).trim())).toEqual(
      ['priority: 1'],
    )
  })

  test.each([
    ['ENTRY_POINT_MISSING', '', ['entryPoints: [tcp-10001] <- Traefik has no such entry point on b']],
    ['HOST_TAKEN_BY_ROUTE', '', ['rule: HostSNI(`*`) <- another route has the name on b']],
    ['BACKEND_DOWN', '1 of 2 is down: 10.200.1.6:5432 refuses', ['- address: "10.200.1.6:5432" <- down on b']],
    ['BACKEND_DOWN', 'one of them is down', ['servers: <- down on b']],
    ['TRAEFIK_DISABLED', 'error while parsing rule', ['rule: HostSNI(`*`) <- Traefik does not take it on b']],
    [
      'TRAEFIK_DISABLED',
      'entryPoint "x" does not exist',
      ['entryPoints: [tcp-10001] <- Traefik does not take it on b'],
    ],
    ['TRAEFIK_DISABLED', 'no idea', []],
    ['PROBE_FAILED', 'connection refused', []],
    ['constructor', '', []],
  ])('marks the line that %s speaks of (%j)', (reason, message, lines) => {
    expect(marked([node('a'), node('b', { verdict: 'degraded', reason, message })])).toEqual(lines)
  })

  test('marks the same line of JSON', () => {
    const broken = node('b', { reason: 'ENTRY_POINT_MISSING' })
    expect(marked([broken], jsonLines)).toEqual(['"entryPoints": [ <- Traefik has no such entry point on b'])
  })

  test('says once what is wrong on many nodes, and nothing of a silent one', () => {
    const broken = (name: string, isKnown = true) => node(name, { reason: 'ENTRY_POINT_MISSING', isKnown })
    expect(marked([broken('a'), broken('b'), broken('c', false)])).toEqual([
      'entryPoints: [tcp-10001] <- Traefik has no such entry point on a and b',
    ])
    expect(namesWords(['a', 'b', 'c', 'd', 'e', 'f'])).toBe('a, b, c and 3 more')
  })
})

test('times are counted from the moment of saving', () => {
  expect([...sinceSaved({ savedToLive: 161, live: 149, compile: 95, serve: 35, fetch: 1, apply: 17 })]).toEqual([
    ['applied', 161],
    ['expected', 12],
    ['compiled', 107],
    ['served', 143],
  ])
  expect([...sinceSaved({ live: 10 })]).toEqual([])
  expect(stageLines({ apply: 17, compile: 1, other: 2 }).map(({ words }) => words)).toEqual([
    'Compiled in',
    'Applied after',
    'other',
  ])
})

describe('a plan', () => {
  const plan = {
    problems: [],
    changes: [
      { op: 'add' as const, what: 'service', after: 'orders-db' },
      { op: 'add' as const, what: 'endpoint', after: '10.0.0.1' },
      { op: 'add' as const, what: 'ports[0].address', after: 'edge.example.com:10001' },
      { op: 'add' as const, what: 'ports[0].protocol', after: 'tcp' },
      { op: 'add' as const, what: 'ports[0].port', after: 5432 },
      { op: 'add' as const, what: 'ports[0].externalPort', after: 10_001 },
      { op: 'add' as const, what: 'ports[0].tls', after: 'none' },
      { op: 'add' as const, what: 'ports[0].allowCidrs', after: ['10.0.0.0/8'] },
      { op: 'note' as const, what: 'look out' },
    ],
  }

  test('of something new is told in sentences', () => {
    expect(addressOf(plan)?.after).toBe('edge.example.com:10001')
    expect(planLines(plan, 3)).toEqual([
      { sign: '+', text: 'with 1 backend, port 5432', value: 'Service orders-db' },
      { sign: '+', text: 'on 3 nodes, entry point', code: 'tcp-10001', value: 'TCP route' },
      { sign: '+', text: 'no TLS at the proxy', code: 'HostSNI(`*`)' },
      { sign: '+', text: 'May connect', value: '10.0.0.0/8' },
      { sign: '!', text: 'Look out.' },
    ])
  })

  test('of a change is told field by field', () => {
    const changes = [
      { op: 'change' as const, what: 'tls', before: 'none', after: 'passthrough' },
      { op: 'remove' as const, what: 'endpoint', before: '10.0.0.1' },
      { op: 'add' as const, what: 'endpoint', after: '10.0.0.2' },
    ]
    expect(planLines({ problems: [], changes }, 1)).toEqual([
      { sign: '~', text: 'TLS', before: 'none', value: 'passthrough' },
      { sign: '−', text: 'Backend', value: '10.0.0.1' },
      { sign: '+', text: 'Backend', value: '10.0.0.2' },
    ])
  })
})
