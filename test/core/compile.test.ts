import { describe, expect, test } from 'vitest'
import type { NodeSettings } from '../../src/core/admit.ts'
import { compile } from '../../src/core/compile.ts'
import { makeSnapshot } from '../../src/core/payload.ts'
import {
  candidatesOf,
  compileLists,
  ENTRY_POINTS,
  httpRoute,
  lostOf,
  NODE,
  nodeWith,
  portSet,
  routersOf,
  stateWith,
  tcpRoute,
  traefikWith,
  udpRoute,
  viewOf,
} from '../support/builders.ts'

const tombstone = (port: number) => ({
  entryPoints: [`tcp-${port}`],
  rule: 'HostSNI(`*`)',
  service: 'tombstone',
  priority: -1000,
})

describe('TCP', () => {
  test('a host name gives passthrough on its own entry point', () => {
    const compiled = compileLists({
      tcpRoutes: [
        {
          id: 'svc123',
          serviceId: 'svc123',
          upstreams: ['10.200.1.5:5432'],
          externalPort: 10001,
          tlsPassthrough: true,
          sniHostname: 'db.example.com',
        },
      ],
    })
    expect(routersOf(compiled, 'tcp')).toEqual({
      tcp_svc123: {
        rule: 'HostSNI(`db.example.com`)',
        entryPoints: ['tcp-10001'],
        service: 'tcp_svc123',
        priority: 300,
        tls: { passthrough: true },
      },
    })
    expect(compiled.config.tcp?.services).toEqual({
      tcp_svc123: { loadBalancer: { servers: [{ address: '10.200.1.5:5432' }], serversTransport: 'fairlead' } },
      tombstone: { loadBalancer: { servers: [] } },
    })
    expect(
      compiled.outcomes.map(({ key, problem, entryPoints, routers, services }) => ({
        key,
        problem,
        entryPoints,
        routers,
        services,
      })),
    ).toEqual([
      {
        key: 'tcp/svc123',
        problem: null,
        entryPoints: ['tcp-10001'],
        routers: ['tcp_svc123'],
        services: ['tcp_svc123'],
      },
    ])
  })

  test('no host name gives a plain catch-all', () => {
    const compiled = compileLists({ tcpRoutes: [tcpRoute()] })
    expect(routersOf(compiled, 'tcp')).toEqual({
      tcp_pg: { rule: 'HostSNI(`*`)', entryPoints: ['tcp-10001'], service: 'tcp_pg', priority: 1 },
    })
    expect(compiled.config.tcp?.routers).not.toHaveProperty('tombstone_tcp-10001')
  })

  test('unused pool ports carry tombstones, web ones none', () => {
    const compiled = compileLists({ tcpRoutes: [tcpRoute()] })
    const graves = Object.entries(compiled.config.tcp?.routers ?? {}).filter(([name]) => name.startsWith('tombstone_'))
    expect(graves).toEqual(
      [10000, 10002, 10003, 10004, 10005, 10006, 10007, 10008, 10009].map(port => [
        `tombstone_tcp-${port}`,
        tombstone(port),
      ]),
    )
  })

  test('a port with host names carries both tombstones', () => {
    const compiled = compileLists({ tcpRoutes: [tcpRoute({ sniHostname: 'db.example.com' })] })
    expect(compiled.config.tcp?.routers?.['tombstone_tcp-10001']).toEqual(tombstone(10001))
    expect(compiled.config.tcp?.routers?.['tombstone_tcp-10001.tls']).toEqual({
      ...tombstone(10001),
      tls: { passthrough: true },
    })
  })

  test('passthrough for any name leaves plain clients a tombstone', () => {
    const compiled = compileLists({ tcpRoutes: [tcpRoute({ tlsPassthrough: true })] })
    expect(routersOf(compiled, 'tcp')).toEqual({
      tcp_pg: {
        rule: 'HostSNI(`*`)',
        entryPoints: ['tcp-10001'],
        service: 'tcp_pg',
        priority: 1,
        tls: { passthrough: true },
      },
    })
    expect(compiled.config.tcp?.routers?.['tombstone_tcp-10001']).toEqual(tombstone(10001))
    expect(compiled.config.tcp?.routers).not.toHaveProperty('tombstone_tcp-10001.tls')
  })

  test('terminate and a resolver end TLS at the proxy', () => {
    const compiled = compileLists({
      tcpRoutes: [tcpRoute({ sniHostname: 'db.example.com', tls: 'terminate', certResolver: 'le' })],
    })
    expect(compiled.config.tcp?.routers?.tcp_pg?.tls).toEqual({ passthrough: false, certResolver: 'le' })
  })

  test('a plain client-first route takes unmatched TLS too', () => {
    const compiled = compileLists({
      tcpRoutes: [tcpRoute({ protocolHint: 'postgres' }), tcpRoute({ id: 'named', sniHostname: 'db.example.com' })],
    })
    expect(lostOf(compiled)).toEqual([])
    expect(compiled.config.tcp?.routers?.['tcp_pg.tls']).toEqual({
      rule: 'HostSNI(`*`)',
      entryPoints: ['tcp-10001'],
      service: 'tcp_pg',
      priority: 1,
      tls: { passthrough: true },
    })
    expect(compiled.config.tcp?.routers).not.toHaveProperty('tombstone_tcp-10001')
    expect(compiled.config.tcp?.routers).not.toHaveProperty('tombstone_tcp-10001.tls')
  })

  test('a wildcard goes behind exact names', () => {
    const compiled = compileLists({
      tcpRoutes: [
        tcpRoute({ id: 'wild', sniHostname: '*.example.com' }),
        tcpRoute({ id: 'exact', sniHostname: 'a.example.com' }),
      ],
    })
    expect(compiled.config.tcp?.routers?.tcp_wild?.priority).toBe(200)
    expect(compiled.config.tcp?.routers?.tcp_exact?.priority).toBe(300)
  })

  test('an old Traefik gets a pattern and no health check', () => {
    const lists = { tcpRoutes: [tcpRoute({ sniHostname: '*.example.com', healthCheck: {}, proxyProtocol: 2 })] }
    const old = compileLists(lists, { view: viewOf(traefikWith({ version: '3.3.6' })) })
    expect(old.config.tcp?.routers?.tcp_pg?.rule).toBe('HostSNIRegexp(`^[^.]+\\.example\\.com$`)')
    expect(old.config.tcp?.services?.tcp_pg).toEqual({
      loadBalancer: { servers: [{ address: '10.200.1.5:5432' }], proxyProtocol: { version: 2 } },
    })
    expect(old.outcomes[0]?.notes).toEqual(['healthCheck is left out: Traefik 3.3.6 may have none for TCP'])
    const today = compileLists(lists)
    expect(today.config.tcp?.services?.tcp_pg).toEqual({
      loadBalancer: {
        servers: [{ address: '10.200.1.5:5432' }],
        serversTransport: 'fairlead-proxy-protocol-2',
        healthCheck: { interval: '10000ms', timeout: '5000ms' },
      },
    })
    expect(today.config.tcp?.serversTransports).toEqual({
      'fairlead-proxy-protocol-2': { dialTimeout: '5s', proxyProtocol: { version: 2 } },
    })
  })

  test('weights give a service for each upstream', () => {
    const compiled = compileLists({
      tcpRoutes: [tcpRoute({ upstreams: ['10.0.0.2:1', '10.0.0.1:1'], weights: [1, 3] })],
    })
    expect(Object.keys(compiled.config.tcp?.services ?? {}).sort()).toEqual([
      'tcp_pg',
      'tcp_pg.s0',
      'tcp_pg.s1',
      'tombstone',
    ])
    expect(compiled.config.tcp?.services?.tcp_pg).toMatchObject({
      weighted: {
        services: [
          { name: 'tcp_pg.s0', weight: 3 },
          { name: 'tcp_pg.s1', weight: 1 },
        ],
      },
    })
    expect(compiled.config.tcp?.services?.['tcp_pg.s0']).toEqual({
      loadBalancer: { servers: [{ address: '10.0.0.1:1' }], serversTransport: 'fairlead' },
    })
  })

  test('a block gives one router for each port', () => {
    const compiled = compileLists({
      tcpRoutes: [tcpRoute({ id: 'ftp', externalPort: 10003, externalPortEnd: 10005, upstreams: ['10.0.0.1:2000'] })],
    })
    expect(routersOf(compiled, 'tcp')).toEqual(
      Object.fromEntries(
        [10003, 10004, 10005].map(port => [
          `tcp_ftp.${port}`,
          { rule: 'HostSNI(`*`)', entryPoints: [`tcp-${port}`], service: `tcp_ftp.${port}`, priority: 1 },
        ]),
      ),
    )
    expect(compiled.config.tcp?.services?.['tcp_ftp.10005']).toMatchObject({
      loadBalancer: { servers: [{ address: '10.0.0.1:2002' }] },
    })
  })

  test('a block waits for the last of its entry points', () => {
    const all = traefikWith()
    const without = (port: number) => viewOf({ ...all, entryPoints: all.entryPoints.filter(one => one.port !== port) })
    const lists = { tcpRoutes: [tcpRoute({ id: 'ftp', externalPort: 10003, externalPortEnd: 10005 })] }
    const messages = (port: number) =>
      compileLists(lists, { view: without(port) }).outcomes.map(({ problem }) => problem?.message ?? null)
    expect(messages(10002)).toEqual([null])
    expect(messages(10005)).toEqual(['Traefik has no entry point for TCP port 10005'])
    expect(messages(10006)).toEqual([null])
  })

  test('who has the traffic of a route is told with the port and the name', () => {
    const theirs = { name: 'theirs@file', protocol: 'tcp', entryPoints: ['tcp-10004'], tls: true } as const
    const messages = (rule: string, fields: Parameters<typeof tcpRoute>[0]) =>
      compileLists(
        { tcpRoutes: [tcpRoute(fields)] },
        { view: viewOf(traefikWith({ foreignRouters: [{ ...theirs, rule }] })) },
      ).outcomes.map(({ problem }) => problem?.message ?? null)
    const hands = 'is in the hands of the router theirs@file of another provider'
    expect(messages('HostSNI(`*`)', { externalPort: 10003, externalPortEnd: 10005 })).toEqual([
      `TCP port 10004 ${hands}`,
    ])
    expect(messages('HostSNI(`a.example.com`)', { externalPort: 10004, sniHostname: 'a.example.com' })).toEqual([
      `a.example.com on TCP port 10004 ${hands}`,
    ])
  })

  test('allow list and limit become middlewares', () => {
    const compiled = compileLists({
      tcpRoutes: [tcpRoute({ allowCidrs: ['203.0.113.9/24', '2001:db8::/32'], maxConnectionsPerClient: 5 })],
    })
    expect(compiled.config.tcp?.routers?.tcp_pg?.middlewares).toEqual(['tcp_pg.allow', 'tcp_pg.limit'])
    expect(compiled.config.tcp?.middlewares).toEqual({
      'tcp_pg.allow': { ipAllowList: { sourceRange: ['2001:db8::/32', '203.0.113.0/24'] } },
      'tcp_pg.limit': { inFlightConn: { amount: 5 } },
    })
  })

  test('no upstreams keeps the port, closed and degraded', () => {
    const compiled = compileLists({ tcpRoutes: [tcpRoute({ upstreams: [] })] })
    expect(compiled.config.tcp?.services?.tcp_pg).toEqual({ loadBalancer: { servers: [] } })
    expect(compiled.outcomes[0]?.degraded?.code).toBe('NO_UPSTREAMS')
    expect(compiled.config.tcp).not.toHaveProperty('serversTransports')
  })

  test('an id with other signs gets a name with a hash', () => {
    const compiled = compileLists({
      tcpRoutes: [
        tcpRoute({ id: 'api@internal' }),
        tcpRoute({ id: '__proto__', externalPort: 10002 }),
        tcpRoute({ id: 'x'.repeat(64), externalPort: 10003 }),
      ],
    })
    expect(Object.keys(routersOf(compiled, 'tcp')).sort()).toEqual([
      'tcp___proto__',
      expect.stringMatching(/^tcp_api-internal\.[0-9a-f]{16}$/),
      expect.stringMatching(/^tcp_x{40}\.[0-9a-f]{16}$/),
    ])
  })
})

describe('UDP', () => {
  test('a route has its entry point, the rest tombstones', () => {
    const compiled = compileLists({ udpRoutes: [udpRoute()] })
    expect(routersOf(compiled, 'udp')).toEqual({ udp_dns: { entryPoints: ['udp-11000'], service: 'udp_dns' } })
    expect(Object.keys(compiled.config.udp?.routers ?? {}).length).toBe(10)
    expect(compiled.config.udp?.routers?.['tombstone_udp-11001']).toEqual({
      entryPoints: ['udp-11001'],
      service: 'tombstone',
    })
    expect(compiled.config.udp?.services).toEqual({
      udp_dns: { loadBalancer: { servers: [{ address: '10.200.1.9:53' }] } },
      tombstone: { loadBalancer: { servers: [] } },
    })
  })
})

describe('HTTP', () => {
  test('a domain is served by TLS and redirected from plain', () => {
    const compiled = compileLists({ routes: [httpRoute()] })
    expect(compiled.config.http).toEqual({
      routers: {
        http_web: {
          entryPoints: ['websecure'],
          rule: 'Host(`app.example.com`)',
          service: 'http_web',
          priority: 20_001,
          tls: { options: 'default' },
        },
        'http_web.redirect': {
          entryPoints: ['web'],
          rule: 'Host(`app.example.com`)',
          service: 'http_web',
          priority: 20_001,
          middlewares: ['fairlead-redirect'],
        },
      },
      services: { http_web: { loadBalancer: { servers: [{ url: 'http://10.200.1.5:3000' }] } } },
      middlewares: { 'fairlead-redirect': { redirectScheme: { scheme: 'https', permanent: true } } },
    })
  })

  test('without redirect the plain entry point serves it too', () => {
    const compiled = compileLists({ routes: [httpRoute({ redirectToHttps: false, pathPrefix: '/api' })] })
    expect(compiled.config.http?.routers).toEqual({
      http_web: {
        entryPoints: ['websecure'],
        rule: 'Host(`app.example.com`) && PathPrefix(`/api`)',
        service: 'http_web',
        priority: 20_004,
        tls: { options: 'default' },
      },
      'http_web.plain': {
        entryPoints: ['web'],
        rule: 'Host(`app.example.com`) && PathPrefix(`/api`)',
        service: 'http_web',
        priority: 20_004,
      },
    })
    expect(compiled.config.http).not.toHaveProperty('middlewares')
  })

  test('a redirect names a port other than 443', () => {
    const node = nodeWith({ http: { ...NODE.http, redirectPort: 8443 } })
    const compiled = compileLists({ routes: [httpRoute()] }, { node })
    expect(compiled.config.http?.middlewares).toEqual({
      'fairlead-redirect': { redirectScheme: { scheme: 'https', permanent: true, port: '8443' } },
    })
  })

  test('a wildcard goes behind exact domains', () => {
    const compiled = compileLists({ routes: [httpRoute({ domain: '*.example.com', redirectToHttps: false })] })
    expect(compiled.config.http?.routers?.http_web).toMatchObject({
      rule: 'HostRegexp(`^[^.]+\\.example\\.com$`)',
      priority: 10_001,
    })
  })

  test('the plain entry point alone gives plain HTTP', () => {
    const node = nodeWith({ http: { ...NODE.http, entryPoints: ['web'], redirectFrom: null } })
    const compiled = compileLists({ routes: [httpRoute()] }, { node })
    expect(compiled.config.http?.routers).toEqual({
      http_web: { entryPoints: ['web'], rule: 'Host(`app.example.com`)', service: 'http_web', priority: 20_001 },
    })
  })

  test('weights and health check are carried over', () => {
    const compiled = compileLists({
      routes: [
        httpRoute({
          upstreams: [{ url: '10.0.0.1:80', weight: 2 }, { url: '10.0.0.2:80' }],
          healthCheck: { path: '/up', interval: '2s' },
        }),
      ],
    })
    expect(compiled.config.http?.services?.http_web).toEqual({
      loadBalancer: {
        servers: [
          { url: 'http://10.0.0.1:80', weight: 2 },
          { url: 'http://10.0.0.2:80', weight: 1 },
        ],
        healthCheck: { path: '/up', interval: '2000ms', timeout: '5000ms' },
      },
    })
  })

  test('a challenge route goes to the control plane alone', () => {
    const compiled = compileLists({ challengeRoute: { controlPlaneUrl: 'https://control.example.com/x' } })
    expect(compiled.config.http).toEqual({
      routers: {
        'fairlead-acme-challenge': {
          entryPoints: ['web'],
          rule: 'PathRegexp(`^/\\.well-known/acme-challenge/([A-Za-z0-9_-]+)$`)',
          service: 'fairlead-acme-challenge',
          priority: 1_000_000,
          middlewares: ['fairlead-acme-challenge'],
        },
      },
      services: {
        'fairlead-acme-challenge': {
          loadBalancer: { servers: [{ url: 'https://control.example.com' }], passHostHeader: false },
        },
      },
      middlewares: {
        'fairlead-acme-challenge': {
          replacePathRegex: {
            regex: '^/\\.well-known/acme-challenge/([A-Za-z0-9_-]+)$',
            replacement: '/api/v1/acme/challenge/$1',
          },
        },
      },
    })
  })
})

describe('entry points', () => {
  const pg = { name: 'pg', address: '127.0.0.1:10001', port: 10001, protocol: 'tcp' as const }

  test('they are found by protocol and number', () => {
    const observed = traefikWith({ entryPoints: [...ENTRY_POINTS.filter(({ name }) => name !== 'tcp-10001'), pg] })
    const compiled = compileLists({ tcpRoutes: [tcpRoute()] }, { view: viewOf(observed) })
    expect(compiled.config.tcp?.routers?.tcp_pg?.entryPoints).toEqual(['pg'])
  })

  test('a number on two addresses is served on both', () => {
    const observed = traefikWith({ entryPoints: [...ENTRY_POINTS, pg] })
    const compiled = compileLists({ tcpRoutes: [tcpRoute()] }, { view: viewOf(observed) })
    expect(compiled.config.tcp?.routers?.tcp_pg?.entryPoints).toEqual(['pg', 'tcp-10001'])
  })

  test('a missing one makes the route wait with the lines', () => {
    const observed = traefikWith({ entryPoints: ENTRY_POINTS.filter(({ port }) => port !== 10001 && port !== 11000) })
    const compiled = compileLists({ tcpRoutes: [tcpRoute()], udpRoutes: [udpRoute()] }, { view: viewOf(observed) })
    expect(lostOf(compiled)).toEqual(['tcp/pg: ENTRY_POINT_MISSING', 'udp/dns: ENTRY_POINT_MISSING'])
    expect(compiled.outcomes[1]?.problem?.remedy).toContain('  udp-11000:\n    address: ":11000/udp"')
    expect(routersOf(compiled, 'tcp')).toEqual({})
  })

  test('one of the other protocol does not count', () => {
    const entryPoints = ENTRY_POINTS.map(entryPoint =>
      entryPoint.port === 10001 ? { ...entryPoint, protocol: 'udp' as const } : entryPoint,
    )
    const compiled = compileLists({ tcpRoutes: [tcpRoute()] }, { view: viewOf(traefikWith({ entryPoints })) })
    expect(lostOf(compiled)).toEqual(['tcp/pg: ENTRY_POINT_WRONG_PROTOCOL'])
  })

  test('names are taken while Traefik cannot be asked', () => {
    const compiled = compileLists({ tcpRoutes: [tcpRoute()] }, { view: viewOf(null) })
    expect(compiled.config.tcp?.routers?.tcp_pg?.entryPoints).toEqual(['tcp-10001'])
    expect(Object.keys(compiled.config.udp?.routers ?? {}).length).toBe(10)
  })

  test('tombstones stay where this agent served before', () => {
    const compiled = compileLists(
      { tcpRoutes: [tcpRoute()] },
      { view: viewOf(null, new Set(['tcp-10002', 'udp-11003'])) },
    )
    expect(Object.keys(compiled.config.tcp?.routers ?? {})).toEqual(['tcp_pg', 'tombstone_tcp-10002'])
    expect(Object.keys(compiled.config.udp?.routers ?? {})).toEqual(['tombstone_udp-11003'])
    expect(compiled.entryPoints).toEqual(['tcp-10001', 'tcp-10002', 'udp-11003'])
  })

  test('an HTTP entry point in the pool takes host names alone', () => {
    const node = nodeWith({ ports: { tcp: portSet('10000-10009,443'), udp: portSet('11000') } })
    const compiled = compileLists(
      {
        tcpRoutes: [
          tcpRoute({ externalPort: 443 }),
          tcpRoute({ id: 'named', externalPort: 443, sniHostname: 'db.example.com' }),
        ],
      },
      { node },
    )
    expect(lostOf(compiled)).toEqual(['tcp/pg: HOST_NAME_REQUIRED'])
    expect(compiled.config.tcp?.routers?.tcp_named?.entryPoints).toEqual(['websecure'])
    expect(
      Object.keys(compiled.config.tcp?.routers ?? {}).filter(name => name.startsWith('tombstone_tcp-443')),
    ).toEqual([])
  })
})

describe('foreign routers', () => {
  const foreign = (fields: object) => ({
    name: 'pg@file',
    protocol: 'tcp' as const,
    entryPoints: ['tcp-10001'],
    rule: 'HostSNI(`*`)',
    tls: false,
    ...fields,
  })
  const against = (fields: object, lists: Parameters<typeof compileLists>[0]) =>
    compileLists(lists, { view: viewOf(traefikWith({ foreignRouters: [foreign(fields)] })) })

  test('their entry points get no tombstone', () => {
    const compiled = against({}, {})
    expect(compiled.config.tcp?.routers).not.toHaveProperty('tombstone_tcp-10001')
    expect(compiled.config.tcp?.routers).toHaveProperty('tombstone_tcp-10002')
    expect(against({ protocol: 'http', rule: 'Host(`a`)' }, {}).config.tcp?.routers).not.toHaveProperty(
      'tombstone_tcp-10001',
    )
    expect(
      against({ protocol: 'udp', rule: null, entryPoints: ['udp-11000'] }, {}).config.udp?.routers,
    ).not.toHaveProperty('tombstone_udp-11000')
  })

  test.each([
    ['a catch-all against a catch-all', {}, { tcpRoutes: [tcpRoute()] }, ['tcp/pg: FOREIGN_ROUTER']],
    [
      'a host name against a plain catch-all',
      {},
      { tcpRoutes: [tcpRoute({ sniHostname: 'db.example.com' })] },
      ['tcp/pg: FOREIGN_ROUTER'],
    ],
    [
      'a host name against the same',
      { rule: 'HostSNI(`DB.example.com`)', tls: true },
      { tcpRoutes: [tcpRoute({ sniHostname: 'db.example.com' })] },
      ['tcp/pg: FOREIGN_ROUTER'],
    ],
    [
      'a host name against another',
      { rule: 'HostSNI(`x.example.com`)', tls: true },
      { tcpRoutes: [tcpRoute({ sniHostname: 'db.example.com' })] },
      [],
    ],
    [
      'a plain route beside foreign TLS',
      { rule: 'HostSNI(`x.example.com`)', tls: true },
      { tcpRoutes: [tcpRoute()] },
      ['tcp/pg: FOREIGN_ROUTER'],
    ],
    [
      'a client-first route beside foreign TLS',
      { rule: 'HostSNI(`x.example.com`)', tls: true },
      { tcpRoutes: [tcpRoute({ protocolHint: 'redis' })] },
      [],
    ],
    [
      'a catch-all beside foreign HTTP',
      { protocol: 'http', rule: 'Host(`a`)' },
      { tcpRoutes: [tcpRoute()] },
      ['tcp/pg: FOREIGN_ROUTER'],
    ],
    [
      'UDP against UDP',
      { protocol: 'udp', rule: null, entryPoints: ['udp-11000'] },
      { udpRoutes: [udpRoute()] },
      ['udp/dns: FOREIGN_ROUTER'],
    ],
    ['UDP beside TCP', { entryPoints: ['udp-11000'] }, { udpRoutes: [udpRoute()] }, []],
    [
      'a domain against the same',
      { protocol: 'http', rule: 'Host(`app.example.com`)', entryPoints: ['websecure'] },
      { routes: [httpRoute()] },
      ['http/web: FOREIGN_ROUTER'],
    ],
    [
      'a domain above a foreign path of it',
      { protocol: 'http', rule: 'Host(`app.example.com`) && PathPrefix(`/api`)', entryPoints: ['websecure'] },
      { routes: [httpRoute()] },
      ['http/web: FOREIGN_ROUTER'],
    ],
    [
      'a path below a foreign domain',
      { protocol: 'http', rule: 'Host(`app.example.com`)', entryPoints: ['websecure'] },
      { routes: [httpRoute({ pathPrefix: '/api' })] },
      [],
    ],
  ])('%s', (_, fields, lists, lost) => {
    expect(lostOf(against(fields, lists))).toEqual(lost)
  })
})

describe('certificates', () => {
  test('without a token the domain is degraded and no key leaves', () => {
    const certificates = [{ domain: 'app.example.com', certificate: 'CERTIFICATE', certificateKey: 'PRIVATE KEY' }]
    const candidates = candidatesOf(stateWith({ routes: [httpRoute({ domain: 'app.example.com' })] }))
    const input = { candidates, view: viewOf(traefikWith()), certificates, challengeUrl: null }
    const without = compile({ ...input, node: NODE })
    expect(without.config).not.toHaveProperty('tls')
    expect(makeSnapshot(without.config).body).not.toContain('PRIVATE KEY')
    expect(without.outcomes[0]?.degraded?.code).toBe('CERTIFICATE_NEEDS_TOKEN')
    const withToken = compile({ ...input, node: nodeWith({ certificates: true }) })
    expect(withToken.config.tls).toEqual({ certificates: [{ certFile: 'CERTIFICATE', keyFile: 'PRIVATE KEY' }] })
    expect(withToken.outcomes[0]?.degraded).toBeNull()
  })

  test('the default certificate stands alone and beside others', () => {
    const certificates = [{ domain: 'app.example.com', certificate: 'CERTIFICATE', certificateKey: 'PRIVATE KEY' }]
    const own = { certificate: 'OWN', certificateKey: 'OWN KEY' }
    const input = { candidates: [], view: viewOf(traefikWith()), certificates, challengeUrl: null }
    const tls = (node: NodeSettings) => compile({ ...input, node }).config.tls
    const stores = { default: { defaultCertificate: { certFile: 'OWN', keyFile: 'OWN KEY' } } }
    expect(tls(nodeWith({ defaultCertificate: own }))).toEqual({ stores })
    expect(tls(nodeWith({ defaultCertificate: own, certificates: true }))).toEqual({
      certificates: [{ certFile: 'CERTIFICATE', keyFile: 'PRIVATE KEY' }],
      stores,
    })
  })
})
