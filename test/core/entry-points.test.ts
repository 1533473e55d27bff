import { describe, expect, test } from 'vitest'
import {
  entryPointLines,
  entryPointName,
  entryPointsFor,
  foreignByEntryPoint,
  parseEntryPointAddress,
  ruleHosts,
  rulePaths,
} from '../../src/core/entry-points.ts'
import type { ForeignRouter, ObservedEntryPoint } from '../../src/core/observed.ts'
import {
  compileLists,
  httpRoute,
  lostOf,
  NODE,
  nodeWith,
  portSet,
  routersOf,
  tcpRoute,
  traefikWith,
  viewOf,
} from '../support/builders.ts'

test.each([
  ['tcp', 10001, 'tcp-10001'],
  ['udp', 10001, 'udp-10001'],
  ['tcp', 80, 'web'],
  ['tcp', 443, 'websecure'],
  ['tcp', 8080, 'traefik'],
  ['udp', 443, 'udp-443'],
] as const)('%s port %d is called %s', (protocol, port, name) => {
  expect(entryPointName(protocol, port)).toBe(name)
})

test.each([
  [':10000', { port: 10000, protocol: 'tcp' }],
  [':11000/udp', { port: 11000, protocol: 'udp' }],
  [':11000/UDP', { port: 11000, protocol: 'udp' }],
  ['127.0.0.1:5432/tcp', { port: 5432, protocol: 'tcp' }],
  ['[::1]:53/udp', { port: 53, protocol: 'udp' }],
  ['eth0:443', { port: 443, protocol: 'tcp' }],
  ['10000', null],
  [':0', null],
  [':65536', null],
  [':', null],
  ['', null],
  [':10000/sctp', null],
])('the address %s is read as %j', (address, expected) => {
  expect(parseEntryPointAddress(address)).toEqual(expected)
})

describe('entryPointsFor', () => {
  const entryPoint = (name: string, port: number, protocol: 'tcp' | 'udp' = 'tcp'): ObservedEntryPoint => ({
    name,
    address: `:${port}`,
    port,
    protocol,
  })
  const observed = [
    entryPoint('pg', 5432),
    entryPoint('b', 53),
    entryPoint('a', 53),
    entryPoint('dns', 53, 'udp'),
    entryPoint('x', 99, 'udp'),
  ]

  test.each([
    ['tcp', 5432, { kind: 'found', names: ['pg'] }],
    ['tcp', 53, { kind: 'found', names: ['a', 'b'] }],
    ['udp', 53, { kind: 'found', names: ['dns'] }],
    ['tcp', 99, { kind: 'wrong-protocol', name: 'x' }],
    ['udp', 5432, { kind: 'wrong-protocol', name: 'pg' }],
    ['tcp', 1, { kind: 'missing' }],
  ] as const)('%s %d is %j', (protocol, port, match) => {
    expect(entryPointsFor(protocol, port, observed)).toEqual(match)
  })

  test('while nobody knows, the generated name counts', () => {
    expect(entryPointsFor('tcp', 443, null)).toEqual({ kind: 'found', names: ['websecure'] })
    expect(entryPointsFor('tcp', 1, [])).toEqual({ kind: 'missing' })
  })

  test.each(['a\u2551b', 'a\u0000', 'a\u007f', 'a\u202e', 'a\ud800', ''])(
    'a name that would break the body is not used: %j',
    name => {
      expect(entryPointsFor('tcp', 7, [entryPoint(name, 7)])).toEqual({ kind: 'missing' })
      expect(entryPointsFor('tcp', 7, [entryPoint(name, 7), entryPoint('ok', 7)])).toEqual({
        kind: 'found',
        names: ['ok'],
      })
    },
  )
})

test('the missing lines are given as YAML', () => {
  expect(entryPointLines('tcp', 10001)).toBe('entryPoints:\n  tcp-10001:\n    address: ":10001"')
  expect(entryPointLines('udp', 53)).toBe('entryPoints:\n  udp-53:\n    address: ":53/udp"')
})

describe('routers of others', () => {
  const router = (change: Partial<ForeignRouter>): ForeignRouter => ({
    name: 'x@file',
    protocol: 'tcp',
    entryPoints: ['tcp-10001'],
    rule: 'HostSNI(`*`)',
    tls: false,
    ...change,
  })
  const http = (rule: string) => router({ protocol: 'http', rule })

  test.each([
    [router({}), ['*']],
    [router({ rule: null, protocol: 'udp' }), ['*']],
    [router({ rule: 'HostSNI(`A.example.com`,`b`) || HostSNI("c")' }), ['a.example.com', 'b', 'c']],
    [router({ rule: 'HostSNIRegexp(`.*`)' }), []],
    [router({ rule: 'ClientIP(`10.0.0.1`)' }), []],
    [http('Host(`App.example.com`) && PathPrefix(`/x`)'), ['app.example.com']],
    [http('HostRegexp(`.*`) || PathPrefix(`/`)'), []],
    [http('HostSNI(`a`)'), []],
  ])('%j names %j', (given, hosts) => {
    expect(ruleHosts(given)).toEqual(hosts)
    expect(ruleHosts(given)).toEqual(hosts)
  })

  test.each([
    ['Host(`a`)', ['/']],
    ['Host(`a`) && PathPrefix(`/API`)', ['/API']],
    ['Path(`/x`) || PathPrefix(`/y`)', ['/y', '/x']],
    ['PathRegexp(`/z`)', ['/']],
  ])('%s has the paths %j', (rule, paths) => {
    expect(rulePaths(http(rule))).toEqual(paths)
  })

  test('they are found by entry point', () => {
    const [one, two] = [router({ entryPoints: ['a', 'b'] }), router({ entryPoints: ['b'] })]
    expect([...foreignByEntryPoint(traefikWith({ foreignRouters: [one, two] }))]).toEqual([
      ['a', [one]],
      ['b', [one, two]],
    ])
    expect(foreignByEntryPoint(null).size).toBe(0)
  })

  const against = (foreign: ForeignRouter, lists: Parameters<typeof compileLists>[0]) =>
    lostOf(compileLists(lists, { view: viewOf(traefikWith({ foreignRouters: [foreign] })) }))
  const secure = { entryPoints: ['websecure'], tls: true }
  const sni = (sniHostname: string) => ({ tcpRoutes: [tcpRoute({ sniHostname })] })
  const domain = (name: string, pathPrefix = '/') => ({ routes: [httpRoute({ domain: name, pathPrefix })] })

  // A wildcard of ours has a higher priority than the length of their rule.
  test.each([
    [
      'a wildcard over their exact host name',
      router({ rule: 'HostSNI(`a.example.com`)', tls: true }),
      sni('*.example.com'),
      ['tcp/pg: FOREIGN_ROUTER'],
    ],
    [
      'a wildcard over their deeper host name',
      router({ rule: 'HostSNI(`a.b.example.com`)', tls: true }),
      sni('*.example.com'),
      [],
    ],
    [
      'an exact host name below their wildcard',
      router({ rule: 'HostSNI(`*.example.com`)', tls: true }),
      sni('a.example.com'),
      [],
    ],
    ['a wildcard domain over their exact one', http('Host(`a.example.com`)'), domain('*.example.com'), []],
    [
      'a wildcard domain over their exact one on its entry point',
      { ...http('Host(`a.example.com`)'), ...secure },
      domain('*.example.com'),
      ['http/web: FOREIGN_ROUTER'],
    ],
    [
      'a wildcard path beside their exact domain',
      { ...http('Host(`a.example.com`)'), ...secure },
      domain('*.example.com', '/x'),
      [],
    ],
    [
      'a domain with the name of their TCP router',
      router({ ...secure, rule: 'HostSNI(`app.example.com`)' }),
      domain('app.example.com'),
      ['http/web: FOREIGN_ROUTER'],
    ],
    [
      'a wildcard domain above their TCP router',
      router({ ...secure, rule: 'HostSNI(`app.example.com`)' }),
      domain('*.example.com'),
      [],
    ],
    [
      'their path in capitals below ours',
      { ...http('Host(`app.example.com`) && PathPrefix(`/API/v1`)'), ...secure },
      domain('app.example.com', '/API'),
      ['http/web: FOREIGN_ROUTER'],
    ],
  ])('%s', (_, foreign, lists, lost) => {
    expect(against(foreign, lists)).toEqual(lost)
  })
})

describe("the port of Traefik's API", () => {
  const node = nodeWith({ ports: { tcp: portSet('8079-8081'), udp: NODE.ports.udp } })
  const plain = { tcpRoutes: [tcpRoute({ externalPort: 8080 })] }

  test.each([
    ['seen', traefikWith()],
    ['taken by name', null],
  ])('%s, it takes no route without a host name and no tombstone', (_, observed) => {
    const compiled = compileLists(plain, { node, view: viewOf(observed) })
    expect(lostOf(compiled)).toEqual(['tcp/pg: HOST_NAME_REQUIRED'])
    expect(compiled.entryPoints).not.toContain('traefik')
    expect(routersOf(compiled, 'tcp')).toEqual({})
  })

  test('another entry point on 8080 is one like any other', () => {
    const observed = traefikWith({ entryPoints: [{ name: 'pg', address: ':8080', port: 8080, protocol: 'tcp' }] })
    expect(routersOf(compileLists(plain, { node, view: viewOf(observed) }), 'tcp')).toMatchObject({
      tcp_pg: { entryPoints: ['pg'] },
    })
  })
})
