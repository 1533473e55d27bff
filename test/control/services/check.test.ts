/** What the API takes is what agents take: held against a route that is made of the same words without any care. */
import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { PortInput } from '../../../src/api/port.ts'
import { EndpointInput } from '../../../src/api/service.ts'
import { checkEndpoints, checkPort, type Surroundings } from '../../../src/control/services/check.ts'
import { draftPort } from '../../../src/control/services/draft.ts'
import {
  toHttpRoute,
  toTcpRoute,
  toUdpRoute,
  upstreamOf,
  type WireEndpoint,
} from '../../../src/control/services/wire.ts'
import { HTTP, parseRoute, TCP, UDP, Unknowns } from '../../../src/core/route.ts'
import { controlConfig } from '../../support/control-app.ts'
import { type PortJson, portJson } from './port-inputs.ts'

const { policy } = controlConfig()
const NOW = Date.parse('2026-11-23T10:00:00Z')

const endpointJson = fc.constantFrom('10.200.1.5', '10.200.1.6', 'FD00::5', '[fd00::6]', '10.0.0.1:80', 'db', '1.2')
const endpointsJson = fc.uniqueArray(endpointJson, { maxLength: 3 })

/** What of it the core may read. */
const isKnown = (name: string, protocol: unknown): boolean => {
  const kind = protocol === 'http' ? HTTP : protocol === 'tcp' ? TCP : UDP
  return Object.hasOwn(kind.shape, name)
}

/** The words as they are, put into a route. */
function carelessRoute(json: PortJson, addresses: readonly string[]) {
  const fields = Object.fromEntries(Object.entries(json).filter(([name]) => isKnown(name, json.protocol)))
  const port = Number(json.port)
  const hosts = addresses.map(address => address.replace(/^\[(.*)\]$/, '$1'))
  const upstreams = hosts.map(host => (host.includes('.') && host.includes(':') ? host : upstreamOf(host, port)))
  const base = { ...fields, id: 'x' }
  const external = json.externalPort ?? json.shared ?? 20_000
  switch (json.protocol) {
    case 'http':
      return parseRoute(
        { domain: 'none.invalid', ...base, upstreams: upstreams.map(url => ({ url })) },
        HTTP,
        '',
        new Unknowns(),
      )
    case 'tcp':
      return parseRoute({ ...base, externalPort: external, upstreams }, TCP, '', new Unknowns())
    default:
      return parseRoute({ ...base, externalPort: external, upstreams }, UDP, '', new Unknowns())
  }
}

/** As the API judges it: null when it takes it. */
function judged(json: PortJson, addresses: readonly string[]) {
  const input = PortInput.safeParse(json)
  const endpoints: WireEndpoint[] = []
  for (const address of addresses) {
    const parsed = EndpointInput.safeParse({ address })
    if (!parsed.success) return null
    endpoints.push(parsed.data)
  }
  if (!input.success) return null
  const { draft, refusals } = draftPort(input.data, null, NOW)
  const around: Surroundings = { endpoints, preset: null, policy }
  const checked = checkPort(draft, around)
  return refusals.length + checked.refusals.length > 0 ? null : { draft, checked, endpoints }
}

describe('a port that the API takes', () => {
  property.prop([portJson(), endpointsJson], { numRuns: 3000 })('is a route that agents take', (json, addresses) => {
    const taken = judged(json, addresses)
    if (taken === null) return
    const { draft, checked, endpoints } = taken
    const unknowns = new Unknowns()
    const source = {
      ...{ ...draft, id: 'prt_1', serviceId: 'svc_1', claimedAt: NOW },
      ...{ tls: checked.tls, probe: checked.probe },
    }
    const external = draft.externalPort ?? draft.shared ?? 20_000
    const read =
      draft.protocol === 'http'
        ? parseRoute(toHttpRoute(source, draft.domain ?? 'a.example.com', endpoints), HTTP, '', unknowns)
        : draft.protocol === 'tcp'
          ? parseRoute(toTcpRoute(source, external, endpoints), TCP, '', unknowns)
          : parseRoute(toUdpRoute(source, external, endpoints), UDP, '', unknowns)
    expect(read.problems).toEqual([])
    expect(unknowns.list()).toEqual([])
    // Taking the endpoints away, or giving others, spoils nothing either.
    const bare = { ...source }
    const without =
      draft.protocol === 'udp' ? parseRoute(toUdpRoute(bare, external, []), UDP, '', unknowns) : { problems: [] }
    expect(without.problems).toEqual([])
  })

  property.prop([portJson(), endpointsJson], { numRuns: 3000 })(
    'is one that agents would take as it was written',
    (json, addresses) => {
      if (judged(json, addresses) === null) return
      const { problems } = carelessRoute(json, addresses)
      // Without endpoints the core cannot know what a UDP probe would send; here the port says it.
      const forgiven = json.protocol === 'udp' && addresses.length === 0
      expect(problems.filter(({ field }) => !(forgiven && field?.startsWith('probe')))).toEqual([])
    },
  )

  test('comes often enough for the properties to mean something', () => {
    const found = fc.sample(fc.tuple(portJson(), endpointsJson), { numRuns: 2000, seed: 1 })
    const taken = found.filter(([json, addresses]) => judged(json, addresses) !== null)
    for (const protocol of ['http', 'tcp', 'udp'])
      expect(taken.filter(([json]) => json.protocol === protocol).length).toBeGreaterThan(30)
  })
})

const tcp = (json: PortJson) => ({ port: 5432, protocol: 'tcp', ...json })

function faults(json: PortJson, around: Partial<Surroundings> = {}): string[] {
  const { draft, refusals } = draftPort(PortInput.parse(json), null, NOW)
  const checked = checkPort(draft, { endpoints: [], preset: null, policy, ...around })
  return [...refusals, ...checked.refusals].map(({ fault }) => `${fault.field} ${fault.code}`)
}

describe('a port is refused', () => {
  test.each([
    ['a host name without TLS', tcp({ sniHostname: 'a.example.com', tls: 'none' }), ['tls FIELD_INVALID']],
    ['what contradicts itself', tcp({ tls: 'terminate', tlsPassthrough: true }), ['tlsPassthrough FIELD_INVALID']],
    [
      'MySQL by host name',
      tcp({ preset: 'mysql', sniHostname: 'a.example.com' }),
      ['sniHostname SERVER_FIRST_ON_TLS_PORT'],
    ],
    ['SSH with TLS of the proxy', tcp({ preset: 'ssh', tls: 'terminate' }), ['tls SERVER_FIRST_ON_TLS_PORT']],
    [
      'SMTP with TLS passed through',
      tcp({ preset: 'smtp', tlsPassthrough: true }),
      ['tlsPassthrough SERVER_FIRST_ON_TLS_PORT'],
    ],
    [
      'Minecraft by host name',
      tcp({ preset: 'minecraft', sniHostname: 'a.example.com' }),
      ['sniHostname FIELD_INVALID'],
    ],
    ['a shared number without a host name', tcp({ shared: 443 }), ['sniHostname HOST_NAME_REQUIRED']],
    [
      'a shared number and another',
      tcp({ shared: 443, externalPort: 10_000, sniHostname: 'a.b' }),
      ['externalPort FIELD_INVALID'],
    ],
    [
      'a block on a shared number',
      tcp({ shared: 443, externalPortEnd: 500, sniHostname: 'a.b' }),
      ['externalPortEnd FIELD_INVALID'],
    ],
    ['a block without a beginning', tcp({ externalPortEnd: 10_003 }), ['externalPort FIELD_INVALID']],
    [
      'a block that ends too early',
      tcp({ externalPort: 10_003, externalPortEnd: 10_001 }),
      ['externalPortEnd FIELD_INVALID'],
    ],
    [
      'a block with a host name',
      tcp({ externalPort: 10_000, externalPortEnd: 10_001, sniHostname: 'a.b' }),
      ['externalPortEnd FIELD_INVALID'],
    ],
    [
      'a block beyond the last port',
      { ...tcp({ externalPort: 10_000, externalPortEnd: 10_009 }), port: 65_530 },
      ['externalPortEnd FIELD_INVALID'],
    ],
    ['a number for what is not public', tcp({ isPublic: false, externalPort: 10_000 }), ['externalPort FIELD_INVALID']],
    [
      'a domain for TCP, and a prefix',
      tcp({ domain: 'a.b', pathPrefix: '/x' }),
      ['domain FIELD_INVALID', 'pathPrefix FIELD_INVALID'],
    ],
    ['public HTTP without a domain', { port: 80, protocol: 'http' }, ['domain HOST_NAME_INVALID']],
    ['an end that is over', tcp({ expiresAt: '2026-11-23T09:59:59Z' }), ['expiresAt EXPIRED']],
    [
      'a health check without a path over HTTP',
      { port: 80, protocol: 'http', domain: 'a.b', healthCheck: {} },
      ['healthCheck.path FIELD_INVALID'],
    ],
    ['a health check with a path over TCP', tcp({ healthCheck: { path: '/' } }), ['healthCheck.path FIELD_INVALID']],
    ['a UDP probe that nobody knows', { port: 27_015, protocol: 'udp', probe: true }, ['probe.sendHex FIELD_INVALID']],
    [
      'a resolver without TLS that ends here',
      tcp({ sniHostname: 'a.b', certResolver: 'le' }),
      ['certResolver FIELD_INVALID'],
    ],
  ])('for %s', (_, json, expected) => {
    expect(faults(json)).toEqual(expected)
  })

  test('for every fault at once', () => {
    expect(
      faults(tcp({ preset: 'mysql', tls: 'passthrough', domain: 'a.b', expiresAt: '2001-01-01T00:00:00Z' })),
    ).toEqual(['domain FIELD_INVALID', 'expiresAt EXPIRED', 'tls SERVER_FIRST_ON_TLS_PORT'])
  })

  test('for an endpoint at a place where no traffic may go, by its place in the list', () => {
    const endpoints = ['10.0.0.9', '127.0.0.1', '10.0.0.1', '169.254.169.254'].map(address => ({ address, weight: 1 }))
    expect(faults(tcp({}), { endpoints })).toEqual([
      'endpoints[1].address UPSTREAM_NOT_ALLOWED',
      'endpoints[3].address UPSTREAM_NOT_ALLOWED',
    ])
  })
})

describe('a port is taken', () => {
  test.each([
    ['MySQL on a number of its own', tcp({ preset: 'mysql' })],
    ['TLS from the first byte under custom', tcp({ preset: 'custom', sniHostname: 'mail.example.com', shared: 443 })],
    ['DNS over TLS by host name', { port: 853, protocol: 'tcp', preset: 'dns', sniHostname: 'dns.example.com' }],
    [
      'what a form sends for every protocol',
      {
        port: 53,
        protocol: 'udp',
        domain: null,
        allowCidrs: [],
        tlsPassthrough: false,
        tls: 'none',
        pathPrefix: '/',
        redirectToHttps: true,
      },
    ],
    ['HTTP that is not public, without a domain', { port: 80, protocol: 'http', isPublic: false }],
  ])('for %s', (_, json) => {
    expect(faults(json)).toEqual([])
  })
})

describe('what the words about TLS come to', () => {
  const tlsOf = (json: PortJson) =>
    checkPort(draftPort(PortInput.parse(tcp(json)), null, NOW).draft, { endpoints: [], preset: null, policy })

  test.each([
    [{}, 'none'],
    [{ tlsPassthrough: true }, 'passthrough'],
    [{ sniHostname: 'a.example.com' }, 'passthrough'],
    [{ sniHostname: '*' }, 'none'],
    [{ sniHostname: 'a.example.com', tls: 'terminate' }, 'terminate'],
    [{ tls: 'terminate' }, 'terminate'],
  ])('%j: %s', (json, expected) => {
    expect(tlsOf(json).tls).toBe(expected)
  })

  test('a host name that is not to be passed through is passed through, with a note', () => {
    expect(tlsOf({ sniHostname: 'a.example.com', tlsPassthrough: false })).toEqual({
      refusals: [],
      notes: [
        'tlsPassthrough: false with a host name is read as passthrough; say tls: terminate to end TLS at the proxy',
      ],
      tls: 'passthrough',
      probe: null,
    })
  })
})

describe('a UDP probe', () => {
  const probeOf = (json: PortJson) =>
    checkPort(draftPort(PortInput.parse({ protocol: 'udp', ...json }), null, NOW).draft, {
      endpoints: [],
      preset: null,
      policy,
    }).probe
  const DNS = { type: 'udp', sendHex: '666c010000010000000000000000020001', expectHex: '666c' }

  test('says what it sends, where the port tells', () => {
    expect(probeOf({ port: 53, probe: true })).toEqual(DNS)
    expect(probeOf({ port: 53, probe: { intervalSeconds: 10 } })).toEqual({ ...DNS, intervalSeconds: 10 })
    expect(probeOf({ port: 5000, probe: { sendHex: 'FF' } })).toEqual({ type: 'udp', sendHex: 'ff', expectHex: '' })
  })
})

describe('endpoints before any port', () => {
  const told = (addresses: readonly string[], text?: string) =>
    checkEndpoints(
      addresses.map(address => ({ address, weight: 1 })),
      controlConfig(text).policy,
      'endpoints',
    ).map(({ fault }) => [fault.field, fault.message])

  test('are refused where no port could make them good', () => {
    expect(told(['10.0.0.1', '127.0.0.1', 'fe80::1', 'db.internal'])).toEqual([
      ['endpoints[1].address', "upstream 127.0.0.1 is the proxy's own loopback"],
      ['endpoints[2].address', 'upstream fe80::1 is link-local'],
      ['endpoints[3].address', 'upstream db.internal is a name'],
    ])
  })

  test('are taken where the settings allow a single port', () => {
    expect(told(['127.0.0.1'], 'policy: { allowUpstreams: ["127.0.0.1:18080"] }')).toEqual([])
    const { policy: allowed } = controlConfig('policy: { allowUpstreams: ["127.0.0.1:18080"] }')
    const endpoints = [{ address: '127.0.0.1', weight: 1 }]
    expect(faults({ ...tcp({}), port: 18_080 }, { endpoints, policy: allowed })).toEqual([])
    expect(faults({ ...tcp({}), port: 18_081 }, { endpoints, policy: allowed })).toEqual([
      'endpoints[0].address UPSTREAM_NOT_ALLOWED',
    ])
  })
})
