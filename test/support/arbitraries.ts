/**
 * Expected states as control planes and people write them, for property tests: mostly good, few ids, ports and host names, so that they
 * collide often, some of them broken.
 */
import { fc } from '@fast-check/vitest'
import type { ForeignRouter, ObservedTraefik } from '../../src/core/observed.ts'
import type { TraefikView } from '../../src/core/placement.ts'
import { ENTRY_POINTS, type Lists } from './builders.ts'

export type WireRoute = Record<string, unknown>

export const HOSTS = [
  'a.example.com',
  'b.example.com',
  'A.Example.COM.',
  '*.example.com',
  'x.b.example.com',
  '*.b.example.com',
  'bücher.example',
  'single',
] as const

const plainId = fc.stringMatching(/^[A-Za-z0-9_-]{1,12}$/)
const strangeId = fc.constantFrom(
  'api@internal',
  '__proto__',
  'constructor',
  'a.10001',
  'a.tls',
  'pg s',
  'ü',
  'db║x',
  '../x',
  '[0]',
  'x'.repeat(64),
  'x'.repeat(200),
)
/** Few, so that two routes often have the same one. */
const fewIds = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'b', 'c', 'A', 'pg') },
  { weight: 2, arbitrary: plainId },
  { weight: 1, arbitrary: strangeId },
)

/** Of what states are made: how often two routes meet depends on how little of it there is. */
export type World = {
  /** External ports; blocks take up to three neighbours. */
  readonly tcp: readonly number[]
  readonly udp: readonly number[]
  readonly ids: fc.Arbitrary<string>
  readonly hosts: readonly string[]
  /** Addresses of upstreams without their ports. */
  readonly upstreams: readonly string[]
}

const GOOD_UPSTREAMS = ['10.200.1.5', '10.200.1.6', '192.168.7.9', '[fd00::5]', '[FD00:0::6]']
/** Where no traffic may go, and an address of NODE itself. */
const BAD_UPSTREAMS = ['127.0.0.1', '169.254.169.254', '[::1]', '192.0.2.10']

/** Ports of NODE's pools, as few as make routes meet. */
export const FEW: World = {
  tcp: [10001, 10002, 10003, 10004],
  udp: [11001, 11002, 11003],
  ids: fewIds,
  hosts: HOSTS,
  upstreams: [...GOOD_UPSTREAMS, ...GOOD_UPSTREAMS, ...GOOD_UPSTREAMS, ...BAD_UPSTREAMS],
}

const optional = <T>(arbitrary: fc.Arbitrary<T>, freq = 3): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq })

const upstreamPort = fc.oneof(fc.constantFrom(80, 443, 7480), fc.integer({ min: 1, max: 60_000 }))
const address = (world: World) =>
  fc.tuple(fc.constantFrom(...world.upstreams), upstreamPort).map(([host, port]) => `${host}:${port}`)
const upstreams = (world: World) => fc.array(address(world), { maxLength: 3 })

const instant = fc.integer({ min: 0, max: 5 }).map(day => new Date(Date.UTC(2026, 0, 1 + day)).toISOString())

const duration = fc.constantFrom('500ms', '2s', '10s', '10m')

const without = (fields: WireRoute): WireRoute =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

const weighted = (
  route: WireRoute & { readonly upstreams: readonly unknown[] },
  weights: readonly number[] | undefined,
) => without({ ...route, weights: weights?.slice(0, route.upstreams.length) })

const weights = optional(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 3, maxLength: 3 }), 4)

const common = (world: World) => ({
  id: world.ids,
  serviceId: optional(fc.string({ maxLength: 20 })),
  claimedAt: optional(instant, 2),
})

export const httpWire = (world: World = FEW): fc.Arbitrary<WireRoute> =>
  fc
    .record({
      ...common(world),
      domain: fc.constantFrom(...world.hosts),
      pathPrefix: optional(fc.constantFrom('/', '/api', '/api/v1', "/a-b._~!$&'()*+,;=:@")),
      upstreams: fc.array(
        fc
          .tuple(
            fc.constantFrom('', 'http://', 'https://', 'h2c://'),
            address(world),
            optional(fc.integer({ min: 1, max: 3 })),
          )
          .map(([scheme, at, weight]) => without({ url: `${scheme}${at}`, weight })),
        { maxLength: 3 },
      ),
      healthCheck: optional(fc.record({ path: fc.constant('/up'), interval: duration, timeout: duration })),
      redirectToHttps: optional(fc.boolean()),
      certResolver: optional(fc.constant('le'), 5),
      probe: optional(fc.boolean(), 5),
    })
    .map(without)

const block = (ports: readonly number[]) =>
  fc.tuple(fc.constantFrom(...ports), fc.integer({ min: 0, max: 2 })).map(([first, width]) => ({
    externalPort: first,
    ...(width === 0 ? {} : { externalPortEnd: Math.min(first + width, ports.at(-1) ?? first) }),
  }))

/** TLS follows from the host name, so these belong together; a block has no name. */
const tcpKind = (world: World): fc.Arbitrary<WireRoute> =>
  fc.oneof(
    fc.record({
      sniHostname: fc.constantFrom(...world.hosts),
      tlsPassthrough: optional(fc.boolean()),
    }),
    fc.record({
      sniHostname: fc.constantFrom(...world.hosts),
      tls: fc.constantFrom('passthrough', 'terminate'),
    }),
    fc.record({
      sniHostname: fc.constantFrom('a.example.com', 'single'),
      tls: fc.constant('terminate'),
      certResolver: fc.constant('le'),
    }),
    fc.record({ sniHostname: fc.constantFrom(undefined, '', '*'), tlsPassthrough: optional(fc.boolean(), 2) }),
    fc.record({ tls: fc.constantFrom('none', 'passthrough', 'terminate') }),
  )

export const tcpWire = (world: World = FEW): fc.Arbitrary<WireRoute> =>
  fc
    .tuple(
      fc.record({
        ...common(world),
        upstreams: upstreams(world),
        proxyProtocol: optional(fc.constantFrom(1, 2)),
        allowCidrs: optional(fc.subarray(['203.0.113.9/24', '10.0.0.0/8', '2001:db8::/32', '192.0.2.1'])),
        maxConnectionsPerClient: optional(fc.integer({ min: 1, max: 100 })),
        healthCheck: optional(
          fc
            .record({
              interval: optional(duration),
              timeout: optional(duration),
              send: optional(fc.constant('PING\r\n')),
              expect: optional(fc.constant('+PONG\r\n')),
            })
            .map(without),
        ),
        probe: optional(fc.constantFrom<unknown>(true, false, { intervalSeconds: 60 }), 5),
        protocolHint: optional(fc.constantFrom('postgres', 'redis', 'mysql', 'smtp', 'other')),
      }),
      tcpKind(world),
      block(world.tcp),
      weights,
    )
    .map(([route, kind, port, itsWeights]) => {
      const named = kind.sniHostname !== undefined && kind.sniHostname !== '' && kind.sniHostname !== '*'
      return weighted({ ...route, ...kind, ...(named ? { externalPort: port.externalPort } : port) }, itsWeights)
    })

export const udpWire = (world: World = FEW): fc.Arbitrary<WireRoute> =>
  fc
    .tuple(
      fc.record({
        ...common(world),
        upstreams: upstreams(world),
        probe: optional(fc.constant({ type: 'udp', sendHex: '00FF', expectHex: '' }), 5),
      }),
      block(world.udp),
      weights,
    )
    .map(([route, port, itsWeights]) => weighted({ ...route, ...port }, itsWeights))

/** Values that a field may get by mistake, by malice, or from a program in another language. */
export const wrongValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    '',
    ' ',
    0,
    -1,
    1.5,
    65_536,
    2 ** 53 + 2,
    Number.POSITIVE_INFINITY,
    true,
    [],
    {},
    [null],
    [[]],
  ),
  fc.constantFrom<unknown>(
    '*',
    '*.',
    '10001',
    '127.0.0.1:1',
    '10.0.0.1',
    'x`) || HostSNI(`*',
    'a@file',
    '\u202e',
    '\ud800',
    '║',
  ),
  fc.constantFrom<unknown>(JSON.parse('{"__proto__":{"polluted":1}}'), { constructor: { prototype: { polluted: 1 } } }),
  fc.jsonValue({ maxDepth: 2 }),
)

const FIELDS = [
  ...['id', 'domain', 'pathPrefix', 'upstreams', 'externalPort', 'externalPortEnd', 'weights', 'tls', 'tlsPassthrough'],
  ...[
    'sniHostname',
    'claimedAt',
    'expiresAt',
    'healthCheck',
    'allowCidrs',
    'proxyProtocol',
    'certResolver',
    'probe',
    'unknown',
  ],
]

/** One field of a good route with a wrong value; sometimes that is still a good route. */
export const tampered = (route: fc.Arbitrary<WireRoute>): fc.Arbitrary<unknown> =>
  fc.oneof(
    {
      weight: 5,
      arbitrary: fc
        .tuple(route, fc.constantFrom(...FIELDS), wrongValue)
        .map(([good, field, value]) => ({ ...good, [field]: value })),
    },
    { weight: 1, arbitrary: wrongValue },
  )

const mixed = (route: fc.Arbitrary<WireRoute>): fc.Arbitrary<unknown> =>
  fc.oneof({ weight: 6, arbitrary: route }, { weight: 1, arbitrary: tampered(route) })

/** How many routes of each protocol. */
export type Size = { readonly minLength?: number; readonly maxLength: number; readonly size?: 'max' }

const listsOf = (world: World, size: Size, wrap: (route: fc.Arbitrary<WireRoute>) => fc.Arbitrary<unknown>) =>
  fc.record({
    routes: fc.array(wrap(httpWire(world)), size),
    tcpRoutes: fc.array(wrap(tcpWire(world)), size),
    udpRoutes: fc.array(wrap(udpWire(world)), size),
  })

/** The three lists, of good routes alone. */
export const goodLists = (world: World = FEW, size: Size = { maxLength: 8 }): fc.Arbitrary<Required<Lists>> =>
  listsOf(world, size, route => route)

/** The three lists, one in seven routes tampered with. */
export const lists = (world: World = FEW, size: Size = { maxLength: 8 }): fc.Arbitrary<Required<Lists>> =>
  listsOf(world, size, mixed)

const foreignRouter: fc.Arbitrary<ForeignRouter> = fc
  .tuple(
    fc.constantFrom<ForeignRouter['protocol']>('http', 'tcp', 'udp'),
    fc.constantFrom('tcp-10001', 'tcp-10002', 'udp-11001', 'web', 'websecure'),
    fc.constantFrom('*', 'a.example.com', 'other.example.org'),
    fc.boolean(),
  )
  .map(([protocol, entryPoint, host, tls]) => ({
    name: `${protocol}-${host}@file`,
    protocol,
    entryPoints: [entryPoint],
    rule: protocol === 'udp' ? null : protocol === 'http' ? `Host(\`${host}\`)` : `HostSNI(\`${host}\`)`,
    tls,
  }))

/** A Traefik as generated for NODE's pools, perhaps old, perhaps without some entry points, perhaps with routers of others. */
const observed: fc.Arbitrary<ObservedTraefik> = fc.record({
  version: fc.constantFrom('3.7.15', '3.6.15', '3.5.3', '3.3.6', null),
  entryPoints: fc.oneof(
    { weight: 3, arbitrary: fc.constant(ENTRY_POINTS) },
    { weight: 1, arbitrary: fc.subarray([...ENTRY_POINTS], { minLength: 10 }) },
  ),
  foreignRouters: fc.array(foreignRouter, { maxLength: 2 }),
  providers: fc.constantFrom(null, ['HTTP'], ['File', 'HTTP']),
})

export const view: fc.Arbitrary<TraefikView> = fc.record({
  observed: fc.option(observed, { nil: null, freq: 4 }),
  tombstones: fc.oneof(
    { weight: 3, arbitrary: fc.constant<'everywhere'>('everywhere') },
    { weight: 1, arbitrary: fc.constantFrom(new Set<string>(), new Set(['tcp-10003', 'udp-11003', 'websecure'])) },
  ),
})
