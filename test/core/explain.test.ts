import { describe, expect, test } from 'vitest'
import type { DynamicConfig, HttpRouter, TcpRouter, UdpRouter } from '../../src/core/dynamic-config.ts'
import { type ExplainInput, explainRoute } from '../../src/core/explain.ts'
import type { ObservedRouter, ObservedRuntime } from '../../src/core/observed.ts'
import type { Protocol } from '../../src/core/problem.ts'
import type { ReasonCode } from '../../src/core/verdict.ts'
import { compileLists, httpRoute, type Lists, tcpRoute, udpRoute } from '../support/builders.ts'
import { NOW, verdictOf } from '../support/status.ts'

const HASH = '3f2a9c41d0ab'.padEnd(64, '0')

/** What Traefik shows when it has taken all of it. */
function runtimeOf(config: DynamicConfig, protocol: Protocol, change: Partial<ObservedRouter> = {}): ObservedRuntime {
  const compiled: Readonly<Record<string, HttpRouter | TcpRouter | UdpRouter>> = config[protocol]?.routers ?? {}
  const routers = Object.entries(compiled).map(
    ([name, router]): ObservedRouter => ({
      name,
      protocol,
      entryPoints: router.entryPoints,
      rule: 'rule' in router ? router.rule : null,
      service: router.service,
      priority: 'priority' in router ? router.priority : null,
      tls: false,
      passthrough: false,
      status: 'enabled',
      errors: [],
      ...change,
    }),
  )
  return { foreignRouters: [], routers, services: [], beacons: [HASH] }
}

/** A route that is live; `change` is what is different this time. */
function inputWith(
  reason: ReasonCode,
  change: Partial<ExplainInput> = {},
  lists: Lists = { tcpRoutes: [tcpRoute()] },
): ExplainInput {
  const compiled = compileLists(lists)
  const outcome = compiled.outcomes[0]
  if (outcome === undefined) throw new Error('nothing was compiled')
  const { protocol, id } = outcome.candidate.route
  return {
    verdict: verdictOf(reason, { protocol, id, entryPoints: outcome.entryPoints }),
    others: [],
    source: { lastSuccessAt: NOW - 5_000, fault: null },
    outcome,
    config: compiled.config,
    publication: {
      hash: HASH,
      revision: 42,
      compiledAt: NOW - 4_000,
      servedAt: NOW - 3_000,
      fetchedAt: NOW - 2_900,
      polled: true,
      lastPollAt: NOW - 2_900,
      appliedAt: NOW - 2_800,
    },
    evidence: { kind: 'read', runtime: runtimeOf(compiled.config, protocol) },
    readAt: NOW - 1_000,
    probe: null,
    ...change,
  }
}

const SIGN = { true: 'ok', false: 'NO', null: '-' }

/** `ok ok NO - -`, and what the broken link says. */
function chainOf(input: ExplainInput): { readonly chain: string; readonly said: string | null } {
  const { chain, brokenAt } = explainRoute(input)
  return {
    chain: chain.map(({ ok }) => SIGN[`${ok}`]).join(' '),
    said: chain.find(({ step }) => step === brokenAt)?.detail ?? null,
  }
}

const publicationWith = (change: Partial<NonNullable<ExplainInput['publication']>>): ExplainInput['publication'] => {
  const { publication } = inputWith('LIVE')
  return publication === null ? null : { ...publication, ...change }
}
const nothingShown: ExplainInput['evidence'] = {
  kind: 'read',
  runtime: { foreignRouters: [], routers: [], services: [], beacons: [] },
}
const refusedOutcome = (code: ReasonCode): ExplainInput['outcome'] => {
  const { outcome } = inputWith('LIVE')
  const { message } = verdictOf(code)
  return outcome === null
    ? null
    : {
        ...outcome,
        routers: [],
        services: [],
        entryPoints: [],
        problem: {
          code,
          protocol: 'tcp',
          routeId: 'pg',
          field: null,
          value: null,
          message,
          remedy: '',
          origin: 'db.yaml',
        },
      }
}

describe('the chain', () => {
  test.each<[what: string, input: ExplainInput, chain: string, said: string | null]>([
    ['live', inputWith('LIVE'), 'ok ok ok ok -', null],
    [
      'live, and probed',
      inputWith('LIVE', { probe: { ok: true, at: NOW, message: 'TLS answers in 4 ms' } }),
      'ok ok ok ok ok',
      null,
    ],
    [
      'rejected by its source',
      inputWith('FIELD_INVALID', { outcome: null, config: null }),
      'ok NO - - -',
      'A field has a value that it cannot have.',
    ],
    [
      'conflicted',
      inputWith('PORT_TAKEN_BY_ROUTE', { outcome: refusedOutcome('PORT_TAKEN_BY_ROUTE') }),
      'ok NO - - -',
      'Another route has the port.',
    ],
    [
      'waiting',
      inputWith('ENTRY_POINT_MISSING', { outcome: refusedOutcome('ENTRY_POINT_MISSING') }),
      'ok NO - - -',
      'Traefik has no entry point for the port.',
    ],
    [
      'expired',
      inputWith('EXPIRED', { outcome: null, config: null }),
      'NO - - - -',
      'The end time of the route is over.',
    ],
    ['held: whether it is expected is open', inputWith('MASS_REMOVAL'), '- ok ok ok -', null],
    [
      'before anything is served',
      inputWith('NOT_YET_POLLED', { publication: null, evidence: nothingShown }),
      'ok ok NO - -',
      'no configuration is served yet',
    ],
    [
      'never polled',
      inputWith('NOT_YET_POLLED', {
        publication: publicationWith({ polled: false, lastPollAt: null, appliedAt: null }),
        evidence: nothingShown,
      }),
      'ok ok NO - -',
      'body 3f2a9c41d0ab of revision 42 is offered, and Traefik has not fetched it; it has not polled since the agent started',
    ],
    [
      'polled before, not since',
      inputWith('NOT_YET_POLLED', { publication: publicationWith({ polled: false }), evidence: nothingShown }),
      'ok ok NO - -',
      'body 3f2a9c41d0ab of revision 42 is offered, and Traefik has not fetched it; its last poll was at 2026-11-22T23:59:57.100Z',
    ],
    [
      'live after a restart of the agent, not polled yet',
      inputWith('LIVE', { publication: publicationWith({ polled: false }) }),
      'ok ok ok ok -',
      null,
    ],
    [
      'fetched, not shown yet',
      inputWith('NOT_YET_APPLIED', { evidence: nothingShown }),
      'ok ok ok NO -',
      'Traefik has fetched the route and has not shown it yet.',
    ],
    ['without an API', inputWith('NOT_VERIFIED', { evidence: { kind: 'none' } }), 'ok ok ok - -', null],
    [
      'API out of reach, not polled',
      inputWith('API_UNREACHABLE', {
        evidence: { kind: 'fault', message: 'no answer' },
        publication: publicationWith({ polled: false, lastPollAt: null }),
      }),
      'ok ok NO - -',
      'body 3f2a9c41d0ab of revision 42 is offered, and Traefik has not fetched it; it has not polled since the agent started',
    ],
    [
      'refused by Traefik as a whole',
      inputWith('TRAEFIK_REFUSED_BODY', { outcome: refusedOutcome('TRAEFIK_REFUSED_BODY') }),
      'ok ok ok NO -',
      'Traefik does not take a configuration with this route.',
    ],
    [
      'held, and gone from Traefik',
      inputWith('MASS_REMOVAL', { evidence: nothingShown }),
      '- ok ok NO -',
      'Traefik does not show it as it is served',
    ],
    ['a backend down', inputWith('BACKEND_DOWN'), 'ok ok ok ok NO', 'Traefik shows a server of the route as down.'],
    [
      'no upstreams',
      inputWith('NO_UPSTREAMS'),
      'ok ok ok ok NO',
      'The route has no upstreams; connections are closed at once.',
    ],
    [
      'a probe that failed',
      inputWith('PROBE_FAILED', { probe: { ok: false, at: NOW, message: 'closed after 2 ms' } }),
      'ok ok ok ok NO',
      'closed after 2 ms',
    ],
  ])('%s', (_what, input, chain, said) => {
    expect(chainOf(input)).toEqual({ chain, said })
  })

  test('what is behind the broken link was not tried', () => {
    const { chain } = explainRoute(
      inputWith('NOT_YET_POLLED', {
        publication: publicationWith({ polled: false }),
        evidence: nothingShown,
        probe: { ok: true, at: NOW, message: 'an old probe' },
      }),
    )
    expect(chain.slice(3)).toEqual([
      { step: 'applied', ok: null, at: null, detail: 'not tried' },
      { step: 'probed', ok: null, at: null, detail: 'not tried' },
    ])
  })

  test('a source that cannot be read is named', () => {
    const fault = { message: 'the folder cannot be read (EACCES)', since: NOW - 60_000 }
    const { chain } = explainRoute(inputWith('LIVE', { source: { lastSuccessAt: NOW - 61_000, fault } }))
    expect(chain[0]).toEqual({
      step: 'expected',
      ok: true,
      at: '2026-11-22T23:58:59.000Z',
      detail:
        'db.yaml asked for it when it was last read; since 2026-11-22T23:59:00.000Z the folder cannot be read (EACCES)',
    })
  })
})

describe('what the health check has found', () => {
  const withHealth = (health: { total: number; down: number; unasked: number }) => {
    const input = inputWith('LIVE')
    return explainRoute({ ...input, verdict: { ...input.verdict, health } }).chain.at(-1)
  }

  test.each([
    [
      { total: 3, down: 0, unasked: 2 },
      null,
      'not checked yet: the health check of Traefik has asked 1 of 3 upstreams',
    ],
    [
      { total: 3, down: 0, unasked: 1 },
      null,
      'not checked yet: the health check of Traefik has asked 2 of 3 upstreams',
    ],
    [
      { total: 2, down: 0, unasked: 0 },
      true,
      'no probe is asked for; the health check of Traefik finds all 2 upstreams up',
    ],
  ])('%j', (health, ok, detail) => {
    expect(withHealth(health)).toEqual({ step: 'probed', ok, at: new Date(NOW - 1_000).toISOString(), detail })
  })
})

describe('what Traefik shows of it', () => {
  const block: Lists = { tcpRoutes: [tcpRoute({ externalPortEnd: 10003 })] }

  test('a part of a block is not all of it', () => {
    const input = inputWith('NOT_VERIFIED', {}, block)
    const { evidence } = input
    if (evidence.kind !== 'read') throw new Error('nothing was read')
    const some = evidence.runtime.routers.filter(({ name }) => name !== 'tcp_pg.10002')
    const shown: ExplainInput['evidence'] = { kind: 'read', runtime: { ...evidence.runtime, routers: some } }
    expect(chainOf(input).chain).toBe('ok ok ok ok -')
    expect(chainOf({ ...input, evidence: shown }).chain).toBe('ok ok ok NO -')
  })

  test('a router of another protocol is another', () => {
    const input = inputWith('NOT_VERIFIED')
    const { evidence } = input
    if (evidence.kind !== 'read') throw new Error('nothing was read')
    const routers = evidence.runtime.routers.map(router => ({ ...router, protocol: 'udp' as const }))
    const shown: ExplainInput['evidence'] = { kind: 'read', runtime: { ...evidence.runtime, routers } }
    expect(chainOf({ ...input, evidence: shown }).chain).toBe('ok ok ok NO -')
  })
})

describe('the explanation', () => {
  test('holds all that is known of a live route', () => {
    const input = inputWith('LIVE', {
      verdict: verdictOf('LIVE', { timingsMs: { apply: 40, live: 61 } }),
      others: [verdictOf('ID_TAKEN', { origin: 'old.yaml', message: 'the id is held by db.yaml' })],
    })
    expect(explainRoute(input)).toEqual({
      externalPort: 10001,
      externalPortEnd: 10001,
      sniHostname: null,
      domain: null,
      pathPrefix: null,
      entryPoints: ['tcp-10001'],
      key: 'tcp/pg',
      id: 'pg',
      protocol: 'tcp',
      verdict: 'live',
      reason: 'LIVE',
      message: 'Traefik shows the route as we compiled it.',
      remedy: 'Nothing to do.',
      since: '2026-11-22T23:42:00.000Z',
      revision: 42,
      origin: 'db.yaml',
      notes: [],
      chain: [
        { step: 'expected', ok: true, at: '2026-11-22T23:59:55.000Z', detail: 'db.yaml asks for it' },
        { step: 'compiled', ok: true, at: '2026-11-22T23:59:56.000Z', detail: 'tcp_pg on tcp-10001' },
        {
          step: 'served',
          ok: true,
          at: '2026-11-22T23:59:57.100Z',
          detail: 'Traefik has fetched body 3f2a9c41d0ab of revision 42',
        },
        { step: 'applied', ok: true, at: '2026-11-22T23:59:57.200Z', detail: 'Traefik shows tcp_pg' },
        { step: 'probed', ok: null, at: null, detail: 'not checked: the route has neither a health check nor a probe' },
      ],
      timingsMs: { apply: 40, live: 61 },
      brokenAt: null,
      others: [{ verdict: 'conflicted', message: 'the id is held by db.yaml', origin: 'old.yaml' }],
      routers: [
        {
          name: 'tcp_pg',
          entryPoints: ['tcp-10001'],
          rule: 'HostSNI(`*`)',
          priority: 1,
          service: 'tcp_pg',
          status: 'enabled',
          errors: [],
        },
      ],
      routerCount: 1,
      config: {
        tcp: {
          routers: {
            tcp_pg: { entryPoints: ['tcp-10001'], rule: 'HostSNI(`*`)', service: 'tcp_pg', priority: 1 },
          },
          services: {
            tcp_pg: { loadBalancer: { servers: [{ address: '10.200.1.5:5432' }], serversTransport: 'fairlead' } },
          },
          serversTransports: { fairlead: { dialTimeout: '5s' } },
        },
      },
    })
  })

  test("a disabled router brings Traefik's words", () => {
    const input = inputWith('TRAEFIK_DISABLED', { publication: publicationWith({ polled: false }) })
    const errors = ['invalid value for HostSNI matcher']
    const explained = explainRoute({
      ...input,
      evidence: { kind: 'read', runtime: runtimeOf(input.config ?? {}, 'tcp', { status: 'disabled', errors }) },
    })
    expect(explained.chain.map(({ step, ok, detail }) => [step, ok, detail]).slice(1, 4)).toEqual([
      ['compiled', true, 'tcp_pg on tcp-10001'],
      ['served', true, 'Traefik has fetched body 3f2a9c41d0ab of revision 42'],
      ['applied', false, 'Traefik shows the router as disabled.'],
    ])
    expect(explained.routers.map(router => [router.name, router.status, router.errors])).toEqual([
      ['tcp_pg', 'disabled', errors],
    ])
  })

  test('a route that is not served became nothing', () => {
    const { routers, routerCount, config } = explainRoute(
      inputWith('ENTRY_POINT_MISSING', { outcome: refusedOutcome('ENTRY_POINT_MISSING') }),
    )
    expect({ routers, routerCount, config }).toEqual({ routers: [], routerCount: 0, config: null })
  })

  test('of a block the first few routers are shown', () => {
    const route = tcpRoute({ externalPort: 10000, externalPortEnd: 10009 })
    const { routers, routerCount, config, chain } = explainRoute(inputWith('LIVE', {}, { tcpRoutes: [route] }))
    expect({ shown: routers.length, routerCount, inConfig: Object.keys(config?.tcp?.routers ?? {}).length }).toEqual({
      shown: 8,
      routerCount: 10,
      inConfig: 8,
    })
    expect(chain[1]?.detail).toBe('tcp_pg.10000, tcp_pg.10001 and 8 more on tcp-10000, tcp-10001 and 8 more')
  })

  test('the excerpt has all that the routers name, and nothing else', () => {
    const limited = tcpRoute({
      upstreams: ['10.200.1.5:5432', '10.200.1.6:5432'],
      weights: [1, 3],
      allowCidrs: ['10.0.0.0/8'],
      maxConnectionsPerClient: 5,
    })
    const lists = { tcpRoutes: [limited, tcpRoute({ id: 'zz', externalPort: 10002 })] }
    const { tcp = {} } = explainRoute(inputWith('LIVE', {}, lists)).config ?? {}
    expect(Object.fromEntries(Object.entries(tcp).map(([name, map]) => [name, Object.keys(map)]))).toEqual({
      routers: ['tcp_pg'],
      services: ['tcp_pg', 'tcp_pg.s0', 'tcp_pg.s1'],
      middlewares: ['tcp_pg.allow', 'tcp_pg.limit'],
      serversTransports: ['fairlead'],
    })
  })

  test('HTTP and UDP routes have their own sections', () => {
    const web = explainRoute(inputWith('LIVE', {}, { routes: [httpRoute()], udpRoutes: [udpRoute()] }))
    expect(web.config).toEqual({
      http: {
        routers: {
          http_web: expect.objectContaining({ entryPoints: ['websecure'] }),
          'http_web.redirect': expect.objectContaining({ middlewares: ['fairlead-redirect'] }),
        },
        services: { http_web: { loadBalancer: { servers: [{ url: 'http://10.200.1.5:3000' }] } } },
        middlewares: { 'fairlead-redirect': { redirectScheme: { scheme: 'https', permanent: true } } },
      },
    })
    expect([web.domain, web.pathPrefix, web.externalPort]).toEqual(['app.example.com', '/', null])
    const dns = explainRoute(inputWith('LIVE', {}, { udpRoutes: [udpRoute()] }))
    expect({ config: dns.config, rules: dns.routers.map(({ rule }) => rule) }).toEqual({
      config: {
        udp: {
          routers: { udp_dns: { entryPoints: ['udp-11000'], service: 'udp_dns' } },
          services: { udp_dns: { loadBalancer: { servers: [{ address: '10.200.1.9:53' }] } } },
        },
      },
      rules: [null],
    })
  })
})
