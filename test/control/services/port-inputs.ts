/** Ports as people write them, for property tests: mostly good, few numbers and names, so that they collide often, some of them broken. */
import { fc } from '@fast-check/vitest'

export type PortJson = Record<string, unknown>

const NAMES = [
  'a.example.com',
  'b.example.com',
  'A.Example.COM.',
  '*.example.com',
  'x.b.example.com',
  '*.b.example.com',
]
const BAD_NAMES = ['', '*', '10.0.0.1', 'a..b', '-a.example.com', 'a.example.com:443', 'a.*.com', 'x`) || HostSNI(`*']

const often = <T>(good: fc.Arbitrary<T>, bad: fc.Arbitrary<T>): fc.Arbitrary<T> =>
  fc.oneof({ weight: 12, arbitrary: good }, { weight: 1, arbitrary: bad })

/** Absent, as a rule; null now and then. */
const maybe = <T>(arbitrary: fc.Arbitrary<T>, weight = 1): fc.Arbitrary<T | null | undefined> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constant(null) },
    { weight: 3 * weight, arbitrary },
  )

const hostName = often(fc.constantFrom(...NAMES), fc.constantFrom(...BAD_NAMES))
const hex = fc.constantFrom('', '50494e47', 'ff', 'f', 'zz')
const duration = fc.constantFrom('500ms', '2s', '10m', '1ms', '10')

const probe = fc.oneof(
  fc.boolean(),
  fc
    .record(
      {
        type: fc.constantFrom('connect', 'tls', 'postgres', 'udp', 'http', 'icmp'),
        sendHex: hex,
        expectHex: hex,
        intervalSeconds: fc.constantFrom(5, 30, 3600, 1, 2.5),
        other: fc.constant(1),
      },
      { requiredKeys: [] },
    )
    .map(({ other, ...rest }) => (Object.keys(rest).length === 0 && other === 1 ? { other } : rest)),
)

const healthCheck = fc.record(
  {
    path: fc.constantFrom('/up', 'up', '/a//b'),
    interval: duration,
    timeout: duration,
    send: fc.constantFrom('PING\r\n', 'ü'),
    expect: fc.constantFrom('PONG', 'x'.repeat(1001)),
  },
  { requiredKeys: [] },
)

export type World = {
  readonly tcp: readonly number[]
  readonly udp: readonly number[]
  readonly shared: readonly number[]
}

export const PORTS: World = {
  tcp: [10_000, 10_001, 10_002, 10_003],
  udp: [11_000, 11_001, 11_002],
  shared: [443, 5432],
}

/** Fields of all protocols, whatever the protocol is. */
export const portJson = (world: World = PORTS, { tame: weight = 1 } = {}): fc.Arbitrary<PortJson> => {
  const { tcp, udp, shared } = world
  return fc
    .record({
      port: often(fc.constantFrom(53, 80, 5432, 65_530), fc.constantFrom(0, 65_536, 1.5)),
      protocol: fc.constantFrom('http', 'tcp', 'tcp', 'tcp', 'udp'),
      isPublic: maybe(fc.boolean()),
      preset: maybe(fc.constantFrom('http', 'postgres', 'mysql', 'redis', 'smtp', 'minecraft', 'dns', 'custom')),
      domain: fc.constant(undefined),
      pathPrefix: fc.constant(undefined),
      externalPort: maybe(fc.constantFrom(...tcp, ...udp, 9999)),
      externalPortEnd: maybe(fc.constantFrom(...tcp, ...udp)),
      shared: maybe(fc.constantFrom(...shared, 10_000)),
      tlsPassthrough: maybe(fc.boolean()),
      tls: maybe(fc.constantFrom('none', 'passthrough', 'terminate')),
      sniHostname: maybe(hostName),
      certResolver: maybe(fc.constantFrom('le', 'ü')),
      allowCidrs: maybe(fc.subarray(['203.0.113.9/24', '2001:db8::/32', '192.0.2.1', '10.0.0.0/33'])),
      maxConnectionsPerClient: maybe(fc.constantFrom(1, 100, 0)),
      proxyProtocol: maybe(fc.constantFrom(1, 2, 3)),
      redirectToHttps: maybe(fc.boolean()),
      healthCheck: maybe(healthCheck),
      probe: maybe(probe),
      expiresAt: maybe(fc.constantFrom('2999-01-01T00:00:00Z', '2001-01-01T00:00:00Z', 'tomorrow')),
    })
    .chain(json =>
      fc
        .record({
          domain: json.protocol === 'http' ? hostName : maybe(hostName),
          pathPrefix: maybe(fc.constantFrom('/', '/api', '/api/v1', 'api', '/a b')),
          // Without this, hardly any port would be good as a whole.
          tame: fc.oneof({ weight: 1, arbitrary: fc.constant(false) }, { weight, arbitrary: fc.constant(true) }),
        })
        .map(({ tame, ...more }) => (tame ? tameOf({ ...json, ...more }, world) : { ...json, ...more })),
    )
    .map(json => Object.fromEntries(Object.entries(json).filter(([, value]) => value !== undefined)))
}

const TAME: Readonly<Record<string, readonly string[]>> = {
  http: ['domain', 'pathPrefix', 'redirectToHttps', 'expiresAt'],
  tcp: ['externalPort', 'sniHostname', 'shared', 'allowCidrs', 'preset', 'maxConnectionsPerClient', 'proxyProtocol'],
  udp: ['externalPort', 'externalPortEnd'],
}

const NAMELESS = new Set<unknown>(['mysql', 'smtp', 'minecraft'])

/** Only what belongs together, as a rule. */
function tameOf(json: PortJson, { tcp, udp }: World): PortJson {
  const fields = new Set(['port', 'protocol', 'isPublic', ...(TAME[String(json.protocol)] ?? [])])
  const kept = Object.fromEntries(Object.entries(json).filter(([name]) => fields.has(name)))
  const pool = json.protocol === 'tcp' ? tcp : udp
  if (NAMELESS.has(kept.preset)) delete kept.sniHostname
  if (kept.sniHostname == null || kept.isPublic === false) delete kept.shared
  if (kept.shared != null || kept.isPublic === false || !pool.includes(Number(kept.externalPort)))
    delete kept.externalPort
  if (kept.externalPort == null || !(Number(kept.externalPortEnd) > Number(kept.externalPort)))
    delete kept.externalPortEnd
  if (!pool.includes(Number(kept.externalPortEnd))) delete kept.externalPortEnd
  return kept
}
