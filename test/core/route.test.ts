import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import type { Problem } from '../../src/core/problem.ts'
import { HTTP, parseRoute, TCP, UDP, Unknowns } from '../../src/core/route.ts'
import { wrongValue } from '../support/arbitraries.ts'
import { httpRoute, tcpRoute, udpRoute } from '../support/builders.ts'

const read = (raw: unknown, kind: typeof HTTP | typeof TCP | typeof UDP) => {
  const unknowns = new Unknowns()
  if (kind.protocol === 'http') return parseRoute(raw, HTTP, 'test', unknowns)
  return kind.protocol === 'tcp' ? parseRoute(raw, TCP, 'test', unknowns) : parseRoute(raw, UDP, 'test', unknowns)
}
const tcp = (fields: object) => parseRoute({ ...tcpRoute(), ...fields }, TCP, 'test', new Unknowns())
const http = (fields: object) => parseRoute({ ...httpRoute(), ...fields }, HTTP, 'test', new Unknowns())
const udp = (fields: object) => parseRoute({ ...udpRoute(), ...fields }, UDP, 'test', new Unknowns())

/** `CODE field: message (value)` for each. */
const told = (problems: readonly Problem[]): string[] =>
  problems.map(({ code, field, message, value }) => `${code} ${field}: ${message} (${value})`)

describe('a route as it comes out', () => {
  const base = { serviceId: null, claimedAt: null, expiresAt: null, probe: null, notes: [] }
  const at = (host: string, port: number) => ({ host, port, family: 4 })

  test('TCP', () => {
    expect(tcp({})).toEqual({
      route: {
        ...base,
        id: 'pg',
        protocol: 'tcp',
        upstreams: [{ address: at('10.200.1.5', 5432), weight: 1 }],
        externalPort: 10001,
        externalPortEnd: 10001,
        tls: 'none',
        sniHostname: null,
        certResolver: null,
        proxyProtocol: null,
        allowCidrs: [],
        maxConnectionsPerClient: null,
        healthCheck: null,
        protocolHint: null,
      },
      problems: [],
    })
  })

  test('TCP with everything', () => {
    const given = {
      serviceId: 'svc',
      claimedAt: '2026-11-23T10:00:00+02:00',
      expiresAt: '2026-11-24T00:00:00.5Z',
      upstreams: ['10.0.0.1:1', '[FD00:0::5]:2', 'DB.Internal:3'],
      weights: [1, 2, 1000],
      tls: 'terminate',
      sniHostname: 'DB.example.com.',
      certResolver: 'le',
      proxyProtocol: 2,
      allowCidrs: ['203.0.113.9/24', '203.0.113.0/24', '2001:DB8::1/32', '192.0.2.1'],
      maxConnectionsPerClient: 10,
      healthCheck: { interval: '2m', timeout: '500ms', send: 'PING\r\n', expect: '+PONG' },
      protocolHint: 'postgres',
      probe: { intervalSeconds: 10 },
    }
    expect(tcp(given).route).toEqual({
      id: 'pg',
      protocol: 'tcp',
      notes: [],
      serviceId: 'svc',
      claimedAt: Date.UTC(2026, 10, 23, 8),
      expiresAt: Date.UTC(2026, 10, 24) + 500,
      upstreams: [
        { address: at('10.0.0.1', 1), weight: 1 },
        { address: { host: 'fd00::5', port: 2, family: 6 }, weight: 2 },
        { address: { host: 'db.internal', port: 3, family: 'name' }, weight: 1000 },
      ],
      externalPort: 10001,
      externalPortEnd: 10001,
      tls: 'terminate',
      sniHostname: 'db.example.com',
      certResolver: 'le',
      proxyProtocol: 2,
      allowCidrs: ['192.0.2.1/32', '2001:db8::/32', '203.0.113.0/24'],
      maxConnectionsPerClient: 10,
      healthCheck: { interval: 120_000, timeout: 500, send: 'PING\r\n', expect: '+PONG' },
      probe: { type: 'postgres', sendHex: null, expectHex: null, intervalSeconds: 10 },
      protocolHint: 'postgres',
    })
  })

  test('UDP with a block', () => {
    expect(udp({ externalPortEnd: 11002 })).toEqual({
      route: {
        ...base,
        id: 'dns',
        protocol: 'udp',
        upstreams: [{ address: at('10.200.1.9', 53), weight: 1 }],
        externalPort: 11000,
        externalPortEnd: 11002,
      },
      problems: [],
    })
  })

  test('HTTP', () => {
    expect(http({ serviceId: null })).toEqual({
      route: {
        ...base,
        id: 'web',
        protocol: 'http',
        domain: 'app.example.com',
        pathPrefix: '/',
        upstreams: [{ url: { scheme: 'http', address: at('10.200.1.5', 3000) }, weight: 1 }],
        healthCheck: null,
        redirectToHttps: true,
        certResolver: null,
      },
      problems: [],
    })
  })

  test.each([
    ['http://10.0.0.1:3000', 'http', 3000],
    ['10.0.0.1:3000', 'http', 3000],
    ['HTTP://10.0.0.1:3000/', 'http', 3000],
    ['http://10.0.0.1', 'http', 80],
    ['10.0.0.1', 'http', 80],
    ['https://10.0.0.1', 'https', 443],
    ['h2c://10.0.0.1:50051', 'h2c', 50051],
  ])('the HTTP upstream %s is read', (url, scheme, port) => {
    expect(http({ upstreams: [{ url }] }).route?.upstreams).toEqual([
      { url: { scheme, address: at('10.0.0.1', port) }, weight: 1 },
    ])
  })

  test('null is as good as absent', () => {
    const nothing = (fields: readonly string[]) => Object.fromEntries(fields.map(field => [field, null]))
    const common = ['serviceId', 'claimedAt', 'expiresAt']
    const l4 = [...common, 'weights', 'externalPortEnd']
    const tcpOnly = [
      'tlsPassthrough',
      'tls',
      'sniHostname',
      'certResolver',
      'proxyProtocol',
      'allowCidrs',
      'maxConnectionsPerClient',
    ]
    expect(tcp(nothing([...l4, ...tcpOnly, 'healthCheck', 'protocolHint']))).toEqual(tcp({}))
    expect(udp(nothing(l4))).toEqual(udp({}))
    expect(http(nothing([...common, 'pathPrefix', 'healthCheck', 'redirectToHttps', 'certResolver']))).toEqual(
      http({ serviceId: null }),
    )
    expect(tcp({ healthCheck: { interval: null, timeout: null, send: null, expect: null } })).toEqual(
      tcp({ healthCheck: {} }),
    )
    expect(http({ upstreams: [{ url: '10.0.0.1', weight: null }] }).problems).toEqual([])
  })

  test('no upstreams are an answer too', () => {
    for (const parsed of [
      tcp({ upstreams: [] }),
      tcp({ upstreams: [], weights: [] }),
      udp({ upstreams: [] }),
      http({ upstreams: [] }),
    ])
      expect({ upstreams: parsed.route?.upstreams, problems: parsed.problems }).toEqual({ upstreams: [], problems: [] })
  })
})

describe('TLS follows from the host name', () => {
  const NOTE =
    'tlsPassthrough: false with a host name is read as passthrough; say tls: terminate to end TLS at the proxy'
  // tls, tlsPassthrough, without a host name, with one; a result with a star has the note, a text with a blank is the fault.
  const rows = [
    [null, null, 'none', 'passthrough'],
    [null, true, 'passthrough', 'passthrough'],
    [null, false, 'none', 'passthrough*'],
    ['none', null, 'none', 'tls: a host name without TLS can never match'],
    [
      'none',
      true,
      'tlsPassthrough: true contradicts',
      'tls: a host name without TLS can never match, tlsPassthrough: true contradicts',
    ],
    ['none', false, 'none', 'tls: a host name without TLS can never match'],
    ['passthrough', null, 'passthrough', 'passthrough'],
    ['passthrough', true, 'passthrough', 'passthrough'],
    ['passthrough', false, 'tlsPassthrough: false contradicts', 'tlsPassthrough: false contradicts'],
    ['terminate', null, 'terminate', 'terminate'],
    ['terminate', true, 'tlsPassthrough: true contradicts', 'tlsPassthrough: true contradicts'],
    ['terminate', false, 'terminate', 'terminate'],
  ] as const

  const outcome = (fields: object): string => {
    const { route, problems } = tcp(fields)
    if (route === null) {
      const brief = (problem: Problem) =>
        problem.field === 'tls' ? `tls: ${problem.message}` : problem.message.replace(/ tls: \w+$/, '')
      return problems.map(brief).join(', ')
    }
    expect(route.notes).toEqual(route.notes.length === 0 ? [] : [NOTE])
    return `${route.tls}${route.notes.length === 0 ? '' : '*'}`
  }
  const all = rows.flatMap(([tls, tlsPassthrough, without, named]) => [
    { tls, tlsPassthrough, sniHostname: null, wanted: without as string },
    { tls, tlsPassthrough, sniHostname: 'db.example.com', wanted: named as string },
    { tls, tlsPassthrough, sniHostname: '*.example.com', wanted: named as string },
  ])

  test.each(all)('tls $tls, passthrough $tlsPassthrough, host $sniHostname: $wanted', ({ wanted, ...fields }) => {
    expect(outcome(fields)).toBe(wanted)
    const withoutNulls = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null))
    expect(outcome(withoutNulls)).toBe(wanted)
  })

  test('an empty name and a star are none', () => {
    for (const [tls, tlsPassthrough] of rows)
      for (const sniHostname of ['', '*'])
        expect(tcp({ tls, tlsPassthrough, sniHostname })).toEqual(tcp({ tls, tlsPassthrough, sniHostname: null }))
  })

  test.each([
    ['passthrough', 'db.example.com'],
    ['terminate', null],
    ['none', null],
    [null, 'db.example.com'],
  ])('a resolver with tls %s and host %s is a fault', (tls, sniHostname) => {
    expect(told(tcp({ tls, sniHostname, certResolver: 'le' }).problems)).toEqual([
      'FIELD_INVALID certResolver: a certificate resolver needs tls: terminate and a host name (le)',
    ])
  })
})

describe('the id', () => {
  test.each([
    ['a'],
    ['x'.repeat(200)],
    ['A_b-9'],
    ['pg main'],
    ['api@internal'],
    ['__proto__'],
    ['ü'],
    ['数据库'],
    ['😀'],
  ])('%s is one', id => {
    expect(tcp({ id })).toMatchObject({ route: { id }, problems: [] })
  })

  test.each([
    ['absent', undefined, 'id is missing (null)'],
    ['null', null, 'id null is not a text (null)'],
    ['a number', 7, 'id 7 is not a text (7)'],
    ['a list', ['a'], 'id is not a text (["a"])'],
    ['empty', '', 'the id is empty ()'],
    ['201 signs', 'x'.repeat(201), `an id of 201 signs is too long (${'x'.repeat(77)}...)`],
    ['a line end', 'a\nb', 'the id holds signs that cannot be printed (a\\u{a}b)'],
    ['a NUL', 'a\u0000', 'the id holds signs that cannot be printed (a\\u{0})'],
    ['a bidi override', '\u202egp', 'the id holds signs that cannot be printed (\\u{202e}gp)'],
    ['a zero-width joiner', 'a\u200db', 'the id holds signs that cannot be printed (a\\u{200d}b)'],
    ['a byte order mark', '\ufeffa', 'the id holds signs that cannot be printed (\\u{feff}a)'],
    ['a line separator', 'a\u2028', 'the id holds signs that cannot be printed (a\\u{2028})'],
    ['a lone high surrogate', 'a\ud800', 'the id holds signs that cannot be printed (a\\u{d800})'],
    ['a lone low surrogate', '\udc00a', 'the id holds signs that cannot be printed (\\u{dc00}a)'],
  ])('%s is none', (_, id, message) => {
    const { route, problems } = tcp({ id })
    expect({ route, told: told(problems) }).toEqual({ route: null, told: [`ID_INVALID id: ${message}`] })
  })

  test('a problem names it in full, made printable', () => {
    const idOf = (id: unknown) => tcp({ id, externalPort: 0 }).problems[0]?.routeId
    expect(idOf('x'.repeat(200))).toBe('x'.repeat(200))
    expect(idOf('a\u202eb')).toBe('a\\u{202e}b')
    expect(idOf('x'.repeat(5000))).toBe(`${'x'.repeat(197)}...`)
    expect(idOf(7)).toBeNull()
  })
})

describe('ports', () => {
  test('a number in quotes is told with them, and how to write it', () => {
    expect(tcp({ externalPort: '5432' }).problems.map(({ remedy }) => remedy)).toEqual(['Write it without quotes.'])
    expect(tcp({ externalPort: 'pg' }).problems.map(({ remedy }) => remedy)).toEqual(['Give a whole number.'])
  })

  test.each(['pg', 's3cret', '1'.repeat(21), '12a'])('the text %s in the place of a number is not repeated', text => {
    expect(tcp({ externalPort: text }).problems.map(({ message }) => message)).toEqual([
      'externalPort is not a whole number',
    ])
  })

  test.each([1, 443, 10001, 65_535, 1e3])('%d is one', externalPort => {
    expect(tcp({ externalPort }).problems).toEqual([])
  })

  test.each([
    ['a text', '5432', 'FIELD_INVALID externalPort: externalPort "5432" is not a whole number (5432)'],
    ['absent', undefined, 'FIELD_INVALID externalPort: externalPort is missing (null)'],
    ['null', null, 'FIELD_INVALID externalPort: externalPort null is not a whole number (null)'],
    ['0', 0, 'PORT_OUT_OF_RANGE externalPort: port 0 is outside 1-65535 (0)'],
    ['-0', -0, 'PORT_OUT_OF_RANGE externalPort: port 0 is outside 1-65535 (0)'],
    ['-1', -1, 'PORT_OUT_OF_RANGE externalPort: port -1 is outside 1-65535 (-1)'],
    ['65536', 65_536, 'PORT_OUT_OF_RANGE externalPort: port 65536 is outside 1-65535 (65536)'],
    ['1.5', 1.5, 'FIELD_INVALID externalPort: externalPort 1.5 is not a whole number (1.5)'],
    [
      '1e400',
      JSON.parse('1e400'),
      'FIELD_INVALID externalPort: externalPort Infinity is not a whole number (Infinity)',
    ],
    [
      '2^53 + 1',
      JSON.parse('9007199254740993'),
      'FIELD_INVALID externalPort: externalPort 9007199254740992 is not a whole number (9007199254740992)',
    ],
    ['true', true, 'FIELD_INVALID externalPort: externalPort true is not a whole number (true)'],
    ['a list', [10001], 'FIELD_INVALID externalPort: externalPort is not a whole number ([10001])'],
  ])('%s is none', (_, externalPort, message) => {
    expect(told(tcp({ externalPort }).problems)).toEqual([message])
    expect(told(udp({ externalPort }).problems)).toEqual([message])
  })

  test.each([
    [{ externalPortEnd: 10001 }, []],
    [{ externalPortEnd: 10003 }, []],
    [
      { externalPortEnd: 10000 },
      ['FIELD_INVALID externalPortEnd: the block ends at 10000, before it begins at 10001 (10000)'],
    ],
    [{ externalPortEnd: 65_536 }, ['PORT_OUT_OF_RANGE externalPortEnd: port 65536 is outside 1-65535 (65536)']],
    [
      { externalPortEnd: 10002, sniHostname: 'db.example.com' },
      ['FIELD_INVALID externalPortEnd: a block of ports has no host name (10002)'],
    ],
    [
      { externalPortEnd: 10003, upstreams: ['10.0.0.1:65533', '10.0.0.2:65534', '10.0.0.3:1'] },
      ['UPSTREAM_INVALID upstreams[1]: the last port of the block would be 65536 at the upstream (65534)'],
    ],
    [
      { externalPort: 1, externalPortEnd: 65_535, upstreams: ['10.0.0.1:1', '10.0.0.2:1'] },
      ['FIELD_INVALID externalPortEnd: the block and its upstreams make 131070 servers, more than 65536 (65535)'],
    ],
    [{ externalPort: 1, externalPortEnd: 65_535, upstreams: ['10.0.0.1:1'] }, []],
    [{ externalPortEnd: 10001, sniHostname: 'db.example.com' }, []],
  ])('the block %j', (fields, messages) => {
    expect(told(tcp(fields).problems)).toEqual(messages)
  })
})

describe('upstreams and weights', () => {
  test.each([
    ['absent', { upstreams: undefined }, ['UPSTREAM_INVALID upstreams: upstreams is missing (null)']],
    ['null', { upstreams: null }, ['UPSTREAM_INVALID upstreams: upstreams null is not a list (null)']],
    ['a text', { upstreams: '10.0.0.1:1' }, ['UPSTREAM_INVALID upstreams: upstreams is not a list (10.0.0.1:1)']],
    [
      'an object in it',
      { upstreams: [{ url: '10.0.0.1:1' }] },
      ['UPSTREAM_INVALID upstreams[0]: upstreams[0] is not a text ({"url":"10.0.0.1:1"})'],
    ],
    ['no port', { upstreams: ['10.0.0.1'] }, ['UPSTREAM_INVALID upstreams[0]: the upstream has no port (10.0.0.1)']],
    [
      'two wrong of three',
      { upstreams: ['x', '10.0.0.1:1', 7] },
      [
        'UPSTREAM_INVALID upstreams[0]: the upstream has no port (x)',
        'UPSTREAM_INVALID upstreams[2]: upstreams[2] 7 is not a text (7)',
      ],
    ],
    ['too few weights', { weights: [] }, ['FIELD_INVALID weights: 0 weights for 1 upstreams ([])']],
    ['too many weights', { weights: [1, 2] }, ['FIELD_INVALID weights: 2 weights for 1 upstreams ([1,2])']],
    ['weight 0', { weights: [0] }, ['FIELD_INVALID weights[0]: weights[0] 0 is not a whole number from 1 to 1000 (0)']],
    [
      'weight 1001',
      { weights: [1001] },
      ['FIELD_INVALID weights[0]: weights[0] 1001 is not a whole number from 1 to 1000 (1001)'],
    ],
    [
      'weight -1',
      { weights: [-1] },
      ['FIELD_INVALID weights[0]: weights[0] -1 is not a whole number from 1 to 1000 (-1)'],
    ],
    [
      'weight 1.5',
      { weights: [1.5] },
      ['FIELD_INVALID weights[0]: weights[0] 1.5 is not a whole number from 1 to 1000 (1.5)'],
    ],
    [
      'weight as text',
      { weights: ['1'] },
      ['FIELD_INVALID weights[0]: weights[0] "1" is not a whole number from 1 to 1000 (1)'],
    ],
    ['weights no list', { weights: 1 }, ['FIELD_INVALID weights: weights 1 is not a list (1)']],
  ])('TCP: %s', (_, fields, messages) => {
    expect(told(tcp(fields).problems)).toEqual(messages)
  })

  test.each([
    [
      'a text',
      ['10.0.0.1:1'],
      'upstreams[0]: upstreams[0] is not an object such as {"url": "http://10.200.1.5:3000"} (10.0.0.1:1)',
    ],
    ['no url', [{}], 'upstreams[0].url: upstreams[0].url is missing (null)'],
    [
      'another scheme',
      [{ url: 'ftp://10.0.0.1:1' }],
      'upstreams[0].url: the scheme ftp is not http, https or h2c (ftp://10.0.0.1:1)',
    ],
    ['a path', [{ url: 'http://10.0.0.1:1/x' }], 'upstreams[0].url: the upstream carries a path (http://10.0.0.1:1/x)'],
    [
      'weight 0',
      [{ url: '10.0.0.1:1', weight: 0 }],
      'upstreams[0].weight: upstreams[0].weight 0 is not a whole number from 1 to 1000 (0)',
    ],
  ])('HTTP: %s', (_, upstreams, message) => {
    expect(told(http({ upstreams }).problems)).toEqual([`UPSTREAM_INVALID ${message}`])
  })

  test.each([
    [tcp({ upstreams: ['postgres://app:hunter2@10.0.0.1:5432/db'] })],
    [tcp({ upstreams: ['app:hunter2@10.0.0.1:5432'] })],
    [tcp({ upstreams: [{ url: 'http://app:hunter2@10.0.0.1' }] })],
    [tcp({ upstreams: 'app:hunter2@10.0.0.1:5432' })],
    [http({ upstreams: [{ url: 'http://app:hunter2@10.0.0.1:3000' }] })],
    [http({ upstreams: ['http://app:hunter2@10.0.0.1:3000'] })],
    [udp({ upstreams: [`u:hunter2${'x'.repeat(5000)}@10.0.0.1:53`] })],
  ])('a pasted password is not told on: %#', parsed => {
    expect(parsed.problems.length).toBe(1)
    expect(JSON.stringify(parsed.problems)).not.toContain('hunter2')
  })

  test('a list of wrong elements stops after five', () => {
    const wrong = Array.from({ length: 900 }, () => 7)
    const { route, problems } = tcp({ upstreams: wrong, weights: wrong.map(() => 0), allowCidrs: wrong })
    expect({ route, count: problems.length }).toEqual({ route: null, count: 15 })
    expect(problems[4]).toMatchObject({ field: 'upstreams[4]', value: '7' })
    expect(
      told(tcp({ upstreams: [...wrong, ...wrong] }).problems.map(problem => ({ ...problem, value: null }))),
    ).toEqual(['FIELD_INVALID upstreams: a list of 1800 is too long (null)'])
  })
})

describe('the other fields', () => {
  test.each([
    ['2026-11-23T10:00:00Z', Date.UTC(2026, 10, 23, 10)],
    ['2026-11-23T10:00:00.123456789Z', Date.UTC(2026, 10, 23, 10, 0, 0, 123)],
    ['2026-11-23T10:00:00+05:30', Date.UTC(2026, 10, 23, 4, 30)],
    ['2024-02-29T23:59:59-00:00', Date.UTC(2024, 1, 29, 23, 59, 59)],
    ['0001-01-01T00:00:00Z', -62_135_596_800_000],
    ['9999-12-31T23:59:59Z', 253_402_300_799_000],
  ])('the time %s is read', (text, ms) => {
    expect(tcp({ claimedAt: text, expiresAt: text }).route).toMatchObject({ claimedAt: ms, expiresAt: ms })
  })

  test.each([
    ...[
      '',
      'today',
      '2026-11-23',
      '2026-11-23 10:00:00Z',
      '2026-11-23T10:00:00',
      '2026-02-30T10:00:00Z',
      '2025-02-29T10:00:00Z',
    ],
    ...[
      '2026-11-23T24:00:00Z',
      '2026-11-23T23:59:60Z',
      '2026-13-01T00:00:00Z',
      '+12026-11-23T10:00:00Z',
      1795428000000,
      true,
    ],
    `2026-11-23T10:00:00.${'1'.repeat(100)}Z`,
  ])('the time %s is none', claimedAt => {
    const found = String(claimedAt).length > 80 ? `${String(claimedAt).slice(0, 77)}...` : claimedAt
    expect(told(tcp({ claimedAt }).problems)).toEqual([
      `FIELD_INVALID claimedAt: claimedAt${typeof claimedAt === 'string' ? '' : ` ${claimedAt}`} is not a time such as 2026-11-23T10:00:00Z (RFC 3339) (${found})`,
    ])
  })

  test.each([
    [{ allowCidrs: ['10.0.0.0/33'] }, 'allowCidrs[0]: the entry is not a network (10.0.0.0/33)'],
    [{ allowCidrs: ['10.0.0.1:80'] }, 'allowCidrs[0]: the entry is not a network (10.0.0.1:80)'],
    [{ allowCidrs: ['example.com'] }, 'allowCidrs[0]: the entry is not a network (example.com)'],
    [{ allowCidrs: '10.0.0.0/8' }, 'allowCidrs: allowCidrs is not a list (10.0.0.0/8)'],
    [{ tls: 'on' }, 'tls: tls "on" is not one of none, passthrough, terminate (on)'],
    [{ tls: true }, 'tls: tls true is not one of none, passthrough, terminate (true)'],
    [{ tlsPassthrough: 'yes' }, 'tlsPassthrough: tlsPassthrough "yes" is not true or false (yes)'],
    [{ tlsPassthrough: 1 }, 'tlsPassthrough: tlsPassthrough 1 is not true or false (1)'],
    [{ proxyProtocol: 3 }, 'proxyProtocol: proxyProtocol 3 is not one of 1, 2 (3)'],
    [{ proxyProtocol: '1' }, 'proxyProtocol: proxyProtocol "1" is not one of 1, 2 (1)'],
    [
      { maxConnectionsPerClient: 0 },
      'maxConnectionsPerClient: maxConnectionsPerClient 0 is not a whole number from 1 to 1000000 (0)',
    ],
    [
      { maxConnectionsPerClient: 2e6 },
      'maxConnectionsPerClient: maxConnectionsPerClient 2000000 is not a whole number from 1 to 1000000 (2000000)',
    ],
    [{ protocolHint: 'My SQL' }, 'protocolHint: protocolHint is not a name such as postgres (My SQL)'],
    [{ certResolver: 'a@file' }, 'certResolver: certResolver is not the name of a certificate resolver (a@file)'],
    [{ serviceId: 'x'.repeat(201) }, `serviceId: serviceId is not a text of at most 200 signs (${'x'.repeat(77)}...)`],
    [{ serviceId: 5 }, 'serviceId: serviceId 5 is not a text (5)'],
    [{ healthCheck: true }, 'healthCheck: healthCheck true is not an object (true)'],
    [{ healthCheck: [] }, 'healthCheck: healthCheck is not an object ([])'],
    [
      { healthCheck: { interval: '499ms' } },
      'healthCheck.interval: the text is not a duration of 500ms to 10m (499ms)',
    ],
    [{ healthCheck: { interval: '11m' } }, 'healthCheck.interval: the text is not a duration of 500ms to 10m (11m)'],
    [{ healthCheck: { timeout: '1h' } }, 'healthCheck.timeout: the text is not a duration of 500ms to 10m (1h)'],
    [{ healthCheck: { timeout: 5 } }, 'healthCheck.timeout: healthCheck.timeout 5 is not a text (5)'],
    [
      { healthCheck: { send: 'ü' } },
      'healthCheck.send: healthCheck.send is not a text of at most 1000 ASCII signs (ü)',
    ],
    [
      { healthCheck: { expect: '\u0000' } },
      'healthCheck.expect: healthCheck.expect is not a text of at most 1000 ASCII signs (\\u{0})',
    ],
  ])('TCP %j', (fields, message) => {
    expect(told(tcp(fields).problems)).toEqual([`FIELD_INVALID ${message}`])
  })

  test.each([
    ['', '/'],
    ['/', '/'],
    ['/api', '/api'],
    ['/api/', '/api/'],
    ["/a-b._~!$&'()*+,;=:@/c", "/a-b._~!$&'()*+,;=:@/c"],
    [`/${'a'.repeat(499)}`, `/${'a'.repeat(499)}`],
  ])('the path prefix %s is read', (pathPrefix, path) => {
    expect(http({ pathPrefix }).route).toMatchObject({ pathPrefix: path })
    expect(http({ healthCheck: { path: pathPrefix } }).route?.healthCheck).toEqual({
      path,
      interval: 10_000,
      timeout: 5_000,
    })
  })

  test.each([
    ...[
      'api',
      '//',
      '/a//b',
      '/.',
      '/a/..',
      '/../b',
      '/a`',
      '/a"b',
      '/a b',
      '/a{b}',
      '/a%2fb',
      '/a?b',
      '/a#b',
      '/ü',
      '/a\n',
      '/a\\b',
      '/║',
    ],
    `/${'a'.repeat(500)}`,
  ])('the path prefix %s is none', pathPrefix => {
    expect(http({ pathPrefix }).problems.map(({ code, field }) => ({ code, field }))).toEqual([
      { code: 'FIELD_INVALID', field: 'pathPrefix' },
    ])
  })

  test.each([
    [{ domain: undefined }, 'HOST_NAME_INVALID domain: domain is missing (null)'],
    [{ domain: '' }, 'HOST_NAME_INVALID domain: the host name is empty ()'],
    [{ domain: '*' }, 'HOST_NAME_INVALID domain: the wildcard is not in front (*)'],
    [
      { domain: 'a`) || Host(`b' },
      'HOST_NAME_INVALID domain: "a`) || host(`b" is not a label of a host name (a`) || Host(`b)',
    ],
    [{ domain: 7 }, 'HOST_NAME_INVALID domain: domain 7 is not a text (7)'],
    [{ redirectToHttps: 'no' }, 'FIELD_INVALID redirectToHttps: redirectToHttps "no" is not true or false (no)'],
    [{ healthCheck: {} }, 'FIELD_INVALID healthCheck.path: healthCheck.path is missing (null)'],
  ])('HTTP %j', (fields, message) => {
    expect(told(http(fields).problems)).toEqual([message])
  })

  test('a host name of a TCP route is judged like a domain', () => {
    expect(told(tcp({ sniHostname: '10.0.0.1' }).problems)).toEqual([
      'HOST_NAME_INVALID sniHostname: an IP address is not a host name (10.0.0.1)',
    ])
    expect(tcp({ sniHostname: 'Bücher.example.' }).route).toMatchObject({
      sniHostname: 'xn--bcher-kva.example',
      tls: 'passthrough',
    })
  })
})

describe('a route with several faults', () => {
  test('each field gives its own problem, whole', () => {
    const parsed = tcp({
      id: 'a\u0000',
      externalPort: 0,
      upstreams: ['x'],
      tls: 'on',
      sniHostname: 'a b',
      weights: [0],
      claimedAt: 1,
    })
    expect(told(parsed.problems)).toEqual([
      'ID_INVALID id: the id holds signs that cannot be printed (a\\u{0})',
      'FIELD_INVALID claimedAt: claimedAt 1 is not a time such as 2026-11-23T10:00:00Z (RFC 3339) (1)',
      'UPSTREAM_INVALID upstreams[0]: the upstream has no port (x)',
      'FIELD_INVALID weights[0]: weights[0] 0 is not a whole number from 1 to 1000 (0)',
      'PORT_OUT_OF_RANGE externalPort: port 0 is outside 1-65535 (0)',
      'FIELD_INVALID tls: tls "on" is not one of none, passthrough, terminate (on)',
      'HOST_NAME_INVALID sniHostname: "a b" is not a label of a host name (a b)',
    ])
    expect(parsed.problems[4]).toEqual({
      code: 'PORT_OUT_OF_RANGE',
      protocol: 'tcp',
      routeId: 'a\\u{0}',
      field: 'externalPort',
      value: '0',
      message: 'port 0 is outside 1-65535',
      remedy: 'Choose a port of the pool; port numbers go from 1 to 65535.',
      origin: 'test',
    })
  })

  test('faults between fields are all told', () => {
    const fields = {
      tls: 'none',
      tlsPassthrough: true,
      sniHostname: 'db.example.com',
      weights: [1, 2],
      externalPortEnd: 10002,
      certResolver: 'le',
    }
    expect(tcp(fields).problems.map(({ field }) => field)).toEqual([
      'weights',
      'tls',
      'tlsPassthrough',
      'externalPortEnd',
      'certResolver',
    ])
  })

  test.each([
    [null, 'null'],
    [7, '7'],
    ['tcp', 'tcp'],
    [[{ secret: 1 }], 'a list'],
  ])('%j is no route at all', (raw, value) => {
    for (const kind of [HTTP, TCP, UDP])
      expect(read(raw, kind).problems).toEqual([
        {
          code: 'ROUTE_INVALID',
          protocol: kind.protocol,
          routeId: null,
          field: null,
          value,
          message: `an entry of ${kind.list} is not an object`,
          remedy: 'Give an object with the fields of a route.',
          origin: 'test',
        },
      ])
  })

  propertyTest.prop([fc.constantFrom(HTTP, TCP, UDP), fc.dictionary(fc.string(), wrongValue), wrongValue], {
    numRuns: 200,
  })('every problem names field, value and way out', (kind, fields, value) => {
    const good = { http: httpRoute(), tcp: tcpRoute(), udp: udpRoute() }[kind.protocol]
    for (const field of Object.keys(kind.shape)) {
      const raw = { ...fields, ...good, [field]: value }
      const { route, problems } = read(raw, kind)
      expect(route === null).toBe(problems.length > 0)
      for (const problem of problems) {
        expect(problem.field?.startsWith(field)).toBe(true)
        expect(problem.remedy).toMatch(/^(?:Give|Write|Add|Say|Leave|Put|Correct|Choose|Make|Begin) .*\.$/s)
        expect(problem.remedy).not.toBe('Correct the field.')
        expect(problem.message).not.toMatch(/undefined|Invalid|expected/)
      }
    }
  })
})

describe('hostile input', () => {
  const MEGABYTE = 1_000_000
  const long = [
    ...[
      'a',
      '.',
      '*',
      ':',
      '[',
      '`',
      ' ',
      '0',
      '\ud83d\ude00',
      '\u0000',
      '/',
      '-',
      'a.',
      '*.',
      '1:',
      '::',
      '%',
      '@',
      'ü',
    ],
  ].map(sign => sign.repeat(MEGABYTE / sign.length))
  const texts = ['id', 'serviceId', 'claimedAt', 'expiresAt', 'certResolver']

  test('a text of a megabyte in any field is refused and cut', () => {
    for (const text of long) {
      const cases = [
        ...[...texts, 'tls', 'sniHostname', 'protocolHint'].map(field => [field, tcp({ [field]: text })] as const),
        ...[...texts, 'domain', 'pathPrefix'].map(field => [field, http({ [field]: text })] as const),
        ['upstreams[0]', tcp({ upstreams: [text] })] as const,
        ['upstreams[0].url', http({ upstreams: [{ url: text }] })] as const,
        ['upstreams[0].url', http({ upstreams: [{ url: `http://${text}` }] })] as const,
        ['allowCidrs[0]', tcp({ allowCidrs: [text] })] as const,
        ['allowCidrs[0]', tcp({ allowCidrs: [`10.0.0.0/${text}`] })] as const,
        ['healthCheck.send', tcp({ healthCheck: { send: text } })] as const,
        ['healthCheck.interval', tcp({ healthCheck: { interval: text } })] as const,
        ['healthCheck.path', http({ healthCheck: { path: `/${text}` } })] as const,
        ['externalPort', udp({ externalPort: text })] as const,
      ]
      for (const [field, { route, problems }] of cases) {
        expect({ field, route, fields: problems.map(problem => problem.field) }).toEqual({
          field,
          route: null,
          fields: [field],
        })
        expect(JSON.stringify(problems).length).toBeLessThan(2000)
      }
    }
  })

  test('a deep value is told by its kind', () => {
    let deep: unknown = []
    for (let i = 0; i < 100_000; i++) deep = [deep]
    expect(told(tcp({ tls: deep }).problems)).toEqual([
      'FIELD_INVALID tls: tls is not one of none, passthrough, terminate (object)',
    ])
  })

  test('keys of prototypes are fields like any other', () => {
    const unknowns = new Unknowns()
    const raw: unknown = JSON.parse(
      '{"__proto__":{"polluted":1,"id":"x"},"constructor":{"prototype":{"polluted":1}},"toString":1,"id":"a","upstreams":[],"externalPort":10001,"healthCheck":{"__proto__":{"polluted":1}}}',
    )
    const { route, problems } = parseRoute(raw, TCP, 'test', unknowns)
    expect(problems).toEqual([])
    expect(route).toEqual({ ...tcp({ id: 'a', upstreams: [], healthCheck: {} }).route })
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
    expect(unknowns.list()).toEqual(
      ['__proto__', 'constructor', 'healthCheck.__proto__', 'toString'].map(field => ({
        field: `tcpRoutes.${field}`,
        count: 1,
      })),
    )
  })

  test('a field that stands in the prototype alone is missing', () => {
    const raw: unknown = JSON.parse('{"__proto__":{"id":"x","upstreams":[],"externalPort":1}}')
    expect(read(raw, TCP).problems.map(({ field, message }) => `${field} ${message}`)).toEqual([
      'id id is missing',
      'upstreams upstreams is missing',
      'externalPort externalPort is missing',
    ])
  })
})
