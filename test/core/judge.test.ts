import { describe, expect, test } from 'vitest'
import { compile } from '../../src/core/compile.ts'
import { type Evidence, judge, type Polled, type RouteVerdict, standingOutcomes } from '../../src/core/judge.ts'
import type { ObservedTraefik } from '../../src/core/observed.ts'
import type { Problem, RouteKey } from '../../src/core/problem.ts'
import { REASONS } from '../../src/core/verdict.ts'
import {
  candidatesOf,
  httpRoute,
  type Lists,
  NODE,
  stateWith,
  tcpRoute,
  traefikWith,
  udpRoute,
  viewOf,
} from '../support/builders.ts'
import { NO_RUNTIME, rawdataOf, runtimeOf } from '../support/observed.ts'

type Raw = Record<string, Record<string, unknown>>

type Given = {
  readonly lists?: Lists
  readonly traefik?: Partial<ObservedTraefik>
  /** What Traefik shows, changed from what was compiled; or any other evidence. */
  readonly shows?: (raw: Raw) => void
  readonly evidence?: Evidence
  readonly polled?: Polled
  readonly unasked?: readonly string[]
  readonly held?: readonly (readonly [RouteKey, string])[]
  readonly rejected?: readonly Problem[]
  /** Of the body that Traefik was last seen to have, when it is another one; null: nobody knows it. */
  readonly applied?: Lists | null
}

function judged(given: Given): readonly RouteVerdict[] {
  const lists = given.lists ?? { tcpRoutes: [tcpRoute()] }
  const view = viewOf(traefikWith(given.traefik))
  const candidates = candidatesOf(stateWith({ ...lists }))
  const { outcomes, config } = compile({ candidates, node: NODE, view, certificates: [], challengeUrl: null })
  const raw: Raw = structuredClone(rawdataOf(config))
  given.shows?.(raw)
  return judge({
    outcomes,
    rejected: given.rejected ?? [],
    config,
    polled: given.polled ?? 'yes',
    evidence: given.evidence ?? { kind: 'read', runtime: runtimeOf(raw) },
    held: new Map(given.held ?? []),
    ...(given.applied === undefined
      ? {}
      : { applied: given.applied === null ? null : candidatesOf(stateWith({ ...given.applied })) }),
    ...(given.unasked === undefined ? {} : { unasked: new Map([['tcp/tcp_pg', given.unasked]]) }),
  })
}

const fields = (raw: Raw, map: string, name: string): object => ({ ...Object(raw[map]?.[name]) })
const change = (map: string, name: string, more: object) => (raw: Raw) => {
  raw[map] = { ...raw[map], [name]: { ...fields(raw, map, name), ...more } }
}
const remove = (map: string, name: string) => (raw: Raw) => {
  delete raw[map]?.[name]
}

const nothing: Evidence = { kind: 'read', runtime: NO_RUNTIME }
const checked = { tcpRoutes: [tcpRoute({ upstreams: ['10.200.1.5:5432', '10.200.1.6:5432'], healthCheck: {} })] }
const foreign = {
  foreignRouters: [
    { name: 'pg@file', protocol: 'tcp' as const, entryPoints: ['tcp-10001'], rule: 'HostSNI(`*`)', tls: false },
  ],
}

describe('one route', () => {
  test.each<[string, Given, string, string]>([
    ['as it was compiled', {}, 'live LIVE', REASONS.LIVE.meaning],
    ['without an API', { evidence: { kind: 'none' } }, 'pending NOT_VERIFIED', REASONS.NOT_VERIFIED.meaning],
    [
      'with an API that does not answer',
      { evidence: { kind: 'fault', message: 'it is late' } },
      'pending API_UNREACHABLE',
      'it is late',
    ],
    [
      'its polls are refused',
      { evidence: nothing, polled: 'refused' },
      'pending TOKEN_REFUSED',
      REASONS.TOKEN_REFUSED.meaning,
    ],
    ['not polled', { evidence: nothing, polled: 'no' }, 'pending NOT_YET_POLLED', REASONS.NOT_YET_POLLED.meaning],
    [
      'polled and not shown',
      { evidence: nothing },
      'pending NOT_YET_APPLIED',
      'Traefik does not show the router tcp_pg as it is served',
    ],
    [
      'without its service',
      { shows: remove('tcpServices', 'tcp_pg@http') },
      'pending NOT_YET_APPLIED',
      'Traefik does not show the service tcp_pg as it is served',
    ],
    [
      'with the upstream of before',
      { shows: change('tcpServices', 'tcp_pg@http', { loadBalancer: { servers: [{ address: '10.0.0.1:1' }] } }) },
      'pending NOT_YET_APPLIED',
      'Traefik does not show the service tcp_pg as it is served',
    ],
    [
      'with the rule of before',
      { shows: change('tcpRouters', 'tcp_pg@http', { rule: 'HostSNI(`x`)' }) },
      'pending NOT_YET_APPLIED',
      'Traefik does not show the router tcp_pg as it is served',
    ],
    [
      'with another priority',
      { shows: change('tcpRouters', 'tcp_pg@http', { priority: 2 }) },
      'pending NOT_YET_APPLIED',
      'Traefik does not show the router tcp_pg as it is served',
    ],
    [
      'with TLS that it should not have',
      { shows: change('tcpRouters', 'tcp_pg@http', { tls: { passthrough: true } }) },
      'pending NOT_YET_APPLIED',
      'Traefik does not show the router tcp_pg as it is served',
    ],
    [
      'of which a router is disabled',
      { shows: change('tcpRouters', 'tcp_pg@http', { status: 'disabled', error: ['it is wrong', 'and so is that'] }) },
      'refused TRAEFIK_DISABLED',
      'Traefik shows the router tcp_pg as disabled: it is wrong; and so is that',
    ],
    [
      'of which a service is disabled',
      { shows: change('tcpServices', 'tcp_pg@http', { status: 'disabled' }) },
      'refused TRAEFIK_DISABLED',
      'Traefik shows the service tcp_pg as disabled: without a reason',
    ],
    [
      'that is disabled, not polled for the newest body',
      { polled: 'no', shows: change('tcpRouters', 'tcp_pg@http', { status: 'disabled', error: ['no'] }) },
      'refused TRAEFIK_DISABLED',
      'Traefik shows the router tcp_pg as disabled: no',
    ],
    [
      'with a warning',
      { shows: change('tcpRouters', 'tcp_pg@http', { status: 'warning', error: ['hm'] }) },
      'live LIVE',
      REASONS.LIVE.meaning,
    ],
    [
      'of which one upstream is down',
      {
        lists: checked,
        shows: change('tcpServices', 'tcp_pg@http', {
          serverStatus: { '10.200.1.6:5432': 'DOWN', '10.200.1.5:5432': 'UP' },
        }),
      },
      'degraded BACKEND_DOWN',
      '1 of 2 upstreams is down: 10.200.1.6:5432',
    ],
    [
      'of which both upstreams are down',
      {
        lists: checked,
        shows: change('tcpServices', 'tcp_pg@http', {
          serverStatus: { '10.200.1.6:5432': 'DOWN', '10.200.1.5:5432': 'DOWN' },
        }),
      },
      'degraded BACKEND_DOWN',
      '2 of 2 upstreams are down: 10.200.1.5:5432, 10.200.1.6:5432',
    ],
    [
      'of which the only upstream is down',
      {
        lists: { tcpRoutes: [tcpRoute({ upstreams: ['10.200.1.5:5432'], healthCheck: {} })] },
        shows: change('tcpServices', 'tcp_pg@http', { serverStatus: { '10.200.1.5:5432': 'DOWN' } }),
      },
      'degraded BACKEND_DOWN',
      'its only upstream is down: 10.200.1.5:5432',
    ],
    [
      'without upstreams',
      { lists: { tcpRoutes: [tcpRoute({ upstreams: [] })] } },
      'degraded NO_UPSTREAMS',
      'the route has no upstreams; its connections are closed at once',
    ],
    [
      'that the guard keeps',
      { held: [['tcp/pg', 'the new state drops 12 of 20 routes']] },
      'held MASS_REMOVAL',
      'the new state drops 12 of 20 routes',
    ],
    [
      'that the guard keeps, unseen',
      { held: [['tcp/pg', 'the new state drops 12 of 20 routes']], evidence: { kind: 'fault', message: 'late' } },
      'held MASS_REMOVAL',
      'the new state drops 12 of 20 routes',
    ],
    [
      'that the guard keeps and somebody else has',
      { held: [['tcp/pg', 'the new state drops 12 of 20 routes']], traefik: foreign },
      'conflicted FOREIGN_ROUTER',
      'TCP port 10001 is in the hands of the router pg@file of another provider',
    ],
    [
      'outside the pool',
      { lists: { tcpRoutes: [tcpRoute({ externalPort: 9 })] } },
      'rejected PORT_OUT_OF_RANGE',
      'port 9 is outside 10000-10009',
    ],
    [
      'to a place where no traffic goes',
      { lists: { tcpRoutes: [tcpRoute({ upstreams: ['169.254.169.254:80'] })] } },
      'rejected UPSTREAM_NOT_ALLOWED',
      "the cloud's metadata address",
    ],
    [
      'without an entry point',
      { traefik: { entryPoints: [] } },
      'waiting ENTRY_POINT_MISSING',
      'Traefik has no entry point for TCP port 10001',
    ],
    [
      'with an entry point of the other protocol',
      { traefik: { entryPoints: [{ name: 'x', address: ':10001/udp', port: 10001, protocol: 'udp' }] } },
      'waiting ENTRY_POINT_WRONG_PROTOCOL',
      "Traefik's entry point x has port 10001 open, but not for TCP",
    ],
    [
      'that somebody else has',
      { traefik: foreign },
      'conflicted FOREIGN_ROUTER',
      'TCP port 10001 is in the hands of the router pg@file of another provider',
    ],
  ])('%s', (_, given, verdict, message) => {
    const [first] = judged(given)
    expect(`${first?.verdict} ${first?.reason}`).toBe(verdict)
    expect(first?.message).toContain(message)
    expect(first?.remedy).toMatch(/\S/)
  })

  test('a waiting one names the lines to add', () => {
    const [first] = judged({ traefik: { entryPoints: [] } })
    expect(first?.remedy).toContain('entryPoints:\n  tcp-10001:\n    address: ":10001"')
  })

  test('the whole row', () => {
    expect(judged({})).toEqual([
      expect.objectContaining({
        id: 'pg',
        protocol: 'tcp',
        verdict: 'live',
        reason: 'LIVE',
        message: REASONS.LIVE.meaning,
        remedy: REASONS.LIVE.remedy,
        entryPoints: ['tcp-10001'],
        notes: [],
        origin: 'cp',
      }),
    ])
  })

  test("Traefik's words come as one printable line", () => {
    const [first] = judged({
      shows: change('tcpRouters', 'tcp_pg@http', { status: 'disabled', error: ['a\nb\u001b[31m'] }),
    })
    expect(first?.message).toBe('Traefik shows the router tcp_pg as disabled: a\\u{a}b\\u{1b}[31m')
  })
})

describe('a part that is not as it was compiled', () => {
  const lists = {
    routes: [httpRoute({ upstreams: [{ url: 'http://10.200.1.7:80' }, { url: 'http://10.200.1.8:80' }] })],
    tcpRoutes: [tcpRoute(), tcpRoute({ id: 'sni', externalPort: 10002, sniHostname: 'a.example.com' })],
    udpRoutes: [udpRoute()],
  }
  const twoEntryPoints = {
    entryPoints: ['b', 'a'].map(name => ({ name, address: ':10001', port: 10001, protocol: 'tcp' as const })),
  }
  const notLive = (given: Given): string[] =>
    judged(given).flatMap(({ protocol, id, verdict, message }) =>
      verdict === 'live' ? [] : [`${protocol}/${id} ${verdict}: ${message}`],
    )

  test('all of them are live as they stand', () => {
    expect(notLive({ lists })).toEqual([])
  })

  test.each<[string, string, string, object, string]>([
    ['another entry point', 'tcpRouters', 'tcp_sni@http', { using: ['x'] }, 'tcp/sni'],
    ['one more entry point', 'tcpRouters', 'tcp_sni@http', { using: ['tcp-10002', 'x'] }, 'tcp/sni'],
    ['another entry point of UDP', 'udpRouters', 'udp_dns@http', { using: ['x'] }, 'udp/dns'],
    ['another service', 'tcpRouters', 'tcp_sni@http', { service: 'x' }, 'tcp/sni'],
    ['another service of UDP', 'udpRouters', 'udp_dns@http', { service: 'x' }, 'udp/dns'],
    ['TLS that Traefik ends', 'tcpRouters', 'tcp_sni@http', { tls: { passthrough: false } }, 'tcp/sni'],
    ['no TLS', 'tcpRouters', 'tcp_sni@http', { tls: undefined }, 'tcp/sni'],
    ['no TLS for HTTP', 'routers', 'http_web@http', { tls: undefined }, 'http/web'],
    ['the rule of another', 'routers', 'http_web@http', { rule: 'Host(`x`)' }, 'http/web'],
  ])('%s', (_, map, name, more, key) => {
    const router = name.slice(0, -'@http'.length)
    expect(notLive({ lists, shows: change(map, name, more) })).toEqual([
      `${key} pending: Traefik does not show the router ${router} as it is served`,
    ])
  })

  test.each<[string, readonly string[]]>([
    ['one upstream less', ['http://10.200.1.7:80']],
    ['one upstream more', ['http://10.200.1.7:80', 'http://10.200.1.8:80', 'http://10.200.1.9:80']],
  ])('%s', (_, urls) => {
    const loadBalancer = { servers: urls.map(url => ({ url })) }
    expect(notLive({ lists, shows: change('services', 'http_web@http', { loadBalancer }) })).toEqual([
      'http/web pending: Traefik does not show the service http_web as it is served',
    ])
  })

  test('the order of entry points and upstreams is nothing', () => {
    const upstreams = ['10.200.1.6:1', '10.200.1.5:1']
    const shows = (raw: Raw) => {
      change('tcpRouters', 'tcp_pg@http', { using: ['b', 'a'] })(raw)
      change('tcpServices', 'tcp_pg@http', {
        loadBalancer: { servers: upstreams.map(address => ({ address })) },
      })(raw)
    }
    expect(notLive({ lists: { tcpRoutes: [tcpRoute({ upstreams })] }, traefik: twoEntryPoints, shows })).toEqual([])
  })
})

describe('what the runtime is too poor to show', () => {
  const before = { tcpRoutes: [tcpRoute({ allowCidrs: ['10.0.0.0/8'] }), tcpRoute({ id: 'b', externalPort: 10002 })] }
  const lists = { tcpRoutes: [tcpRoute({ allowCidrs: ['10.1.0.0/16'] }), tcpRoute({ id: 'b', externalPort: 10002 })] }
  const rows = (given: Given) => judged(given).map(({ id, reason, message }) => [id, reason, message])
  const LIVE = REASONS.LIVE.meaning
  const LATER = 'Traefik does not show a configuration yet that has the route as it is now'

  test('a route is live when the body that Traefik has holds it as it is', () => {
    expect(rows({ lists, applied: before })).toEqual([
      ['b', 'LIVE', LIVE],
      ['pg', 'NOT_YET_APPLIED', LATER],
    ])
    expect(rows({ lists, applied: lists }).map(([, reason]) => reason)).toEqual(['LIVE', 'LIVE'])
  })

  test('of a body that nobody knows no route is live', () => {
    expect(rows({ lists, applied: null }).map(([, reason]) => reason)).toEqual(['NOT_YET_APPLIED', 'NOT_YET_APPLIED'])
    expect(rows({ lists, applied: null, polled: 'no' }).map(([, reason]) => reason)).toEqual([
      'NOT_YET_POLLED',
      'NOT_YET_POLLED',
    ])
  })
})

describe('several routes', () => {
  test('each has its own verdict', () => {
    const lists = {
      routes: [httpRoute()],
      tcpRoutes: [
        tcpRoute({ claimedAt: '2025-01-01T00:00:00Z' }),
        tcpRoute({ id: 'later', claimedAt: '2026-01-01T00:00:00Z' }),
      ],
      udpRoutes: [udpRoute(), udpRoute({ id: 'gone', externalPort: 11001 })],
    }
    const rows = judged({ lists, shows: remove('udpRouters', 'udp_gone@http') })
    expect(rows.map(({ protocol, id, verdict, reason }) => `${protocol}/${id} ${verdict} ${reason}`)).toEqual([
      'http/web live LIVE',
      'tcp/later conflicted PORT_TAKEN_BY_ROUTE',
      'tcp/pg live LIVE',
      'udp/dns live LIVE',
      'udp/gone pending NOT_YET_APPLIED',
    ])
  })

  test('a block is live when all of it is', () => {
    const lists = { tcpRoutes: [tcpRoute({ externalPortEnd: 10003 })] }
    expect(judged({ lists }).map(({ verdict }) => verdict)).toEqual(['live'])
    expect(judged({ lists, shows: remove('tcpRouters', 'tcp_pg.10003@http') }).map(({ message }) => message)).toEqual([
      'Traefik does not show the router tcp_pg.10003 as it is served',
    ])
  })
})

describe('what a source refused', () => {
  const problem = (change: Partial<Problem>): Problem => ({
    code: 'FIELD_INVALID',
    protocol: 'tcp',
    routeId: 'bad',
    field: 'weights[0]',
    value: '0',
    message: 'is too small',
    remedy: 'Correct it.',
    origin: 'a.yaml',
    ...change,
  })
  const rows = (...rejected: Problem[]) =>
    judged({ lists: {}, rejected }).map(({ protocol, id, verdict, message, origin }) => [
      `${protocol}/${id}`,
      verdict,
      message,
      origin,
    ])

  test('several faults of a route are one row, the first', () => {
    expect(rows(problem({}), problem({ message: 'another' }))).toEqual([
      ['tcp/bad', 'rejected', 'is too small', 'a.yaml'],
    ])
  })

  test('one of each file and protocol', () => {
    expect(rows(problem({}), problem({ origin: 'b.yaml' }), problem({ protocol: 'udp' }))).toHaveLength(3)
  })

  test('routes without an id are rows of their own', () => {
    expect(rows(problem({ routeId: null }), problem({ routeId: null, message: 'x' }))).toEqual([
      ['tcp/(no id)', 'rejected', 'is too small', 'a.yaml'],
      ['tcp/(no id)', 'rejected', 'x', 'a.yaml'],
    ])
  })

  test("a document's fault is no route's", () => {
    expect(rows(problem({ protocol: null, routeId: null, code: 'DOCUMENT_INVALID' }))).toEqual([])
  })

  test('an ended route says so', () => {
    const rejected = [problem({ code: 'EXPIRED', message: 'the route ended' })]
    expect(judged({ lists: {}, rejected })).toMatchObject([
      { verdict: 'rejected', reason: 'EXPIRED', message: 'the route ended' },
    ])
  })
})

describe('what no health check has asked', () => {
  const [A, B] = ['10.200.1.5:5432', '10.200.1.6:5432']
  const LIVE = 'Traefik shows the route as we compiled it'

  test.each<[string, readonly string[], string, RouteVerdict['health']]>([
    [
      'all of them',
      [A, B],
      `${LIVE}, and its health check has not asked its upstreams yet.`,
      { total: 2, down: 0, unasked: 2 },
    ],
    [
      'one of them',
      [B],
      `${LIVE}, and its health check has not asked 1 of its 2 upstreams yet.`,
      { total: 2, down: 0, unasked: 1 },
    ],
    ['none', [], `${LIVE}.`, { total: 2, down: 0, unasked: 0 }],
  ])('%s', (_, unasked, message, health) => {
    expect(judged({ lists: checked, unasked })).toMatchObject([{ verdict: 'live', message, health }])
  })

  test('what is down is told first', () => {
    const shows = change('tcpServices', 'tcp_pg@http', { serverStatus: { [A]: 'DOWN' } })
    expect(judged({ lists: checked, unasked: [B], shows })).toMatchObject([
      { verdict: 'degraded', message: `1 of 2 upstreams is down: ${A}`, health: { total: 2, down: 1, unasked: 1 } },
    ])
  })

  test('a route without a check, or that nobody can see, has none', () => {
    const rows = [...judged({}), ...judged({ lists: checked, unasked: [A], evidence: { kind: 'none' } })]
    expect(rows.map(row => 'health' in row)).toEqual([false, false])
  })
})

describe('what stands', () => {
  test('only routes that are there as compiled', () => {
    const candidates = candidatesOf(stateWith({ tcpRoutes: [tcpRoute(), tcpRoute({ id: 'b', externalPort: 10002 })] }))
    const view = viewOf(traefikWith())
    const { outcomes, config } = compile({ candidates, node: NODE, view, certificates: [], challengeUrl: null })
    const raw: Raw = structuredClone(rawdataOf(config))
    remove('tcpServices', 'tcp_b@http')(raw)
    expect(standingOutcomes(outcomes, config, runtimeOf(raw)).map(({ key }) => key)).toEqual(['tcp/pg'])
    expect(standingOutcomes(outcomes, config, NO_RUNTIME)).toEqual([])
  })
})
