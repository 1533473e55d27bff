import { generateKeyPairSync } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { type ParsedState, parseExpectedState, parseRoutesFile, readAhead } from '../../src/core/expected-state.ts'
import { createRouteMemory } from '../../src/core/route.ts'
import { documentWith, httpRoute, tcpRoute, udpRoute } from '../support/builders.ts'
import { selfSigned, type TestCertificate } from '../support/certificates.ts'

const OPTIONS = { origin: 'cp_1', maxRoutes: 10 }

const state = (raw: unknown): ParsedState => {
  const parsed = parseExpectedState(raw, OPTIONS)
  if (!parsed.ok) throw new Error(parsed.problem.message)
  return parsed.state
}

const refusal = (raw: unknown, parse = parseExpectedState) => {
  const parsed = parse(raw, OPTIONS)
  return parsed.ok ? null : parsed.problem
}

const ADD_LISTS =
  'Give a document with at least one of the lists routes, tcpRoutes, udpRoutes. The last good one goes on serving.'

describe('a document that is not a state', () => {
  test.each([
    ['an empty object', {}, 'traefik', 'traefik is missing'],
    ['a list', [], null, 'the document is a list, not an object'],
    ['null', null, null, 'the document is null, not an object'],
    ['an empty text', '', null, 'the document is a text, not an object'],
    ['HTML', '<html>502</html>', null, 'the document is a text, not an object'],
    ['a number', 42, null, 'the document is a number, not an object'],
    ['nothing', undefined, null, 'the document is nothing, not an object'],
    ['traefik without lists', { traefik: {} }, null, 'none of the lists routes, tcpRoutes, udpRoutes is there'],
    ['traefik null', { traefik: null }, 'traefik', 'traefik null is not an object'],
    ['traefik a list', { traefik: [] }, 'traefik', 'traefik is not an object'],
    ['traefik a text', { traefik: '' }, 'traefik', 'traefik is not an object'],
    [
      'an error document',
      { error: 'unauthorized', traefik: { message: 'no' } },
      null,
      'none of the lists routes, tcpRoutes, udpRoutes is there; it has error, traefik.message',
    ],
    [
      'null lists alone',
      { traefik: { routes: null, tcpRoutes: null } },
      null,
      'none of the lists routes, tcpRoutes, udpRoutes is there',
    ],
    [
      'other lists',
      { traefik: { services: [], certificates: [] } },
      null,
      'none of the lists routes, tcpRoutes, udpRoutes is there; it has traefik.services',
    ],
    ['the lists one level up', { routes: [], tcpRoutes: [] }, 'traefik', 'traefik is missing'],
    [
      'a list that is an object',
      { traefik: { routes: {}, tcpRoutes: [] } },
      'traefik.routes',
      'traefik.routes is not a list',
    ],
    [
      'a list that is a text',
      { traefik: { routes: [], tcpRoutes: '' } },
      'traefik.tcpRoutes',
      'traefik.tcpRoutes is not a list',
    ],
    [
      'a list that is a number',
      { traefik: { udpRoutes: 0 } },
      'traefik.udpRoutes',
      'traefik.udpRoutes 0 is not a list',
    ],
    [
      'an alias that is no list',
      { traefik: { routes: [], httpRoutes: 1 } },
      'traefik.httpRoutes',
      'traefik.httpRoutes 1 is not a list',
    ],
    [
      'certificates that are no list',
      documentWith({ certificates: 'x' }),
      'traefik.certificates',
      'traefik.certificates is not a list',
    ],
    ['schema 2', documentWith({}, { schema: 2 }), 'schema', 'schema 2 is not known here'],
    ['schema 0', documentWith({}, { schema: 0 }), 'schema', 'schema 0 is not known here'],
    ['schema 1.5', documentWith({}, { schema: 1.5 }), 'schema', 'schema 1.5 is not known here'],
    ['schema as a text', documentWith({}, { schema: '1' }), 'schema', 'schema as a text is not known here'],
    ['a schema list', documentWith({}, { schema: [1] }), 'schema', 'schema [1] is not known here'],
    [
      'a revision as text',
      documentWith({}, { revision: '42' }),
      'revision',
      'revision "42" is not a whole number from 0 to 9007199254740991',
    ],
    [
      'a negative epoch',
      documentWith({}, { epoch: -1 }),
      'epoch',
      'epoch -1 is not a whole number from 0 to 9007199254740991',
    ],
    [
      'a fraction of a revision',
      documentWith({}, { revision: 1.5 }),
      'revision',
      'revision 1.5 is not a whole number from 0 to 9007199254740991',
    ],
    [
      'an endless revision',
      documentWith({}, { revision: JSON.parse('1e400') }),
      'revision',
      'revision Infinity is not a whole number from 0 to 9007199254740991',
    ],
    ['an empty controlPlaneId', documentWith({}, { controlPlaneId: '' }), 'controlPlaneId', 'the id is empty'],
    [
      'a controlPlaneId that turns the text',
      documentWith({}, { controlPlaneId: 'cp\u202e1' }),
      'controlPlaneId',
      'the id holds signs that cannot be printed',
    ],
    ['removed that is no list', documentWith({}, { removed: 'old' }), 'removed', 'removed is not a list'],
    ['removed with a number', documentWith({}, { removed: ['a', 7] }), 'removed[1]', 'removed[1] 7 is not a text'],
  ])('%s', (_, raw, field, message) => {
    const problem = refusal(raw)
    expect({ code: problem?.code, field: problem?.field, message: problem?.message }).toEqual({
      code: 'DOCUMENT_INVALID',
      field,
      message,
    })
    expect(problem).toMatchObject({ protocol: null, routeId: null, origin: 'cp_1' })
    expect(problem?.remedy).toMatch(/goes on serving\.$/)
  })

  test('more routes than the node takes refuse the whole', () => {
    const routes = Array.from({ length: 6 }, () => null)
    expect(refusal(documentWith({ routes, udpRoutes: routes }))).toEqual({
      code: 'TOO_MANY_ROUTES',
      protocol: null,
      routeId: null,
      field: null,
      value: '12',
      message: '12 routes are more than the 10 of policy.maxRoutes',
      remedy: 'Raise policy.maxRoutes, or spread the routes over more nodes. The last good document goes on serving.',
      origin: 'cp_1',
    })
    expect(refusal(documentWith({ certificates: Array.from({ length: 11 }, () => null) }))).toMatchObject({
      code: 'TOO_MANY_ROUTES',
      field: 'traefik.certificates',
      value: '11',
    })
  })

  test('its text is shown up to 80 signs', () => {
    expect(refusal(`<html>\n${'x'.repeat(500)}`)).toEqual({
      code: 'DOCUMENT_INVALID',
      protocol: null,
      routeId: null,
      field: null,
      value: `<html>\\u{a}${'x'.repeat(66)}...`,
      message: 'the document is a text, not an object',
      remedy: ADD_LISTS,
      origin: 'cp_1',
    })
  })

  test('what stands beside or in place of lists is not shown', () => {
    const secret = 'hunter2'
    for (const raw of [
      [{ secret }],
      { traefik: secret },
      { traefik: [secret] },
      { traefik: { tcpRoutes: secret } },
      { traefik: { tcpRoutes: { secret } } },
      { traefik: { tcpRoutes: [], certificates: secret } },
      { traefik: { tcpRoutes: [], certificates: { secret } } },
      { traefik: { tcpRoutes: [] }, removed: { secret } },
    ])
      expect(JSON.stringify(parseExpectedState(raw, OPTIONS))).not.toContain(secret)
  })
})

describe('a document that is a state', () => {
  test('three empty lists are empty, and say so', () => {
    expect(state(documentWith({}))).toEqual({
      header: {
        schema: null,
        controlPlaneId: null,
        serverId: null,
        serverName: null,
        epoch: null,
        revision: null,
        removed: [],
        acceptedHash: null,
        probes: [],
      },
      lists: { http: true, tcp: true, udp: true },
      routes: [],
      certificates: [],
      challengeUrl: null,
      problems: [],
      unknownFields: [],
      contentHash: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
  })

  test('the header is taken as it is', () => {
    const header = {
      schema: 1,
      controlPlaneId: 'cp_1',
      serverId: 'srv_1',
      serverName: 'proxy-1',
      epoch: 2,
      revision: 42,
      removed: ['old7', 'tcp/pg'],
      acceptedHash: 'abc',
      probes: [{ id: 'tcp/pg', requestId: 'req_1' }],
    }
    expect(state(documentWith({}, header)).header).toEqual(header)
  })

  test.each<[probes: unknown, expected: unknown]>([
    [
      [{ id: 'pg', requestId: 'r', more: 1 }, null, { id: 'pg' }, 'pg', { id: '', requestId: 'r' }],
      [{ id: 'pg', requestId: 'r' }],
    ],
    ['all', []],
    [{ id: 'pg', requestId: 'r' }, []],
  ])('of the wished probes %j what cannot be read is passed over', (probes, expected) => {
    const { header, unknownFields } = state(documentWith({}, { probes }))
    expect([header.probes, unknownFields]).toEqual([expected, []])
  })

  test.each([
    ['absent', {}],
    [
      'null',
      {
        schema: null,
        controlPlaneId: null,
        epoch: null,
        revision: null,
        removed: null,
        acceptedHash: null,
        probes: null,
      },
    ],
  ])('a header that is %s is none', (_, header) => {
    expect(state(documentWith({}, header)).header).toEqual(state(documentWith({})).header)
  })

  test('schema 1 is told apart from none', () => {
    expect(state(documentWith({}, { schema: 1 })).header.schema).toBe(1)
    expect(state(documentWith({})).header.schema).toBeNull()
  })

  test.each([
    [{ routes: [] }, { http: true, tcp: false, udp: false }],
    [{ httpRoutes: [] }, { http: true, tcp: false, udp: false }],
    [
      { routes: null, httpRoutes: [] },
      { http: true, tcp: false, udp: false },
    ],
    [
      { routes: null, tcpRoutes: [] },
      { http: false, tcp: true, udp: false },
    ],
    [
      { udpRoutes: [], tcpRoutes: null },
      { http: false, tcp: false, udp: true },
    ],
  ])('%j has the lists that are arrays', (traefik, lists) => {
    expect(state({ traefik }).lists).toEqual(lists)
  })

  test('httpRoutes is routes by another name, and both count', () => {
    const [a, b] = [httpRoute({ id: 'a', domain: 'a.example.com' }), httpRoute({ id: 'b', domain: 'b.example.com' })]
    const routes = state({ traefik: { routes: [a, b] } }).routes
    expect(state({ traefik: { httpRoutes: [a, b] } }).routes).toEqual(routes)
    expect(state({ traefik: { routes: [a], httpRoutes: [b] } }).routes).toEqual(routes)
  })

  test('unknown fields are ignored and counted, at any depth', () => {
    const parsed = state({
      secrets: { password: 'hunter2' },
      traefik: {
        extra: 1,
        routes: [
          httpRoute({
            upstreams: [{ url: '10.0.0.1:1', zone: 'a' }],
            colour: 'red',
            healthCheck: { path: '/', intervall: '1s' },
          }),
        ],
        tcpRoutes: [tcpRoute({ colour: 'red' }), tcpRoute({ id: 'b', externalPort: 10002, colour: 'blue' }), 7],
        udpRoutes: [udpRoute({ ttl: 3 })],
        certificates: [{ issuer: 'x' }],
      },
    })
    expect(parsed.unknownFields).toEqual([
      { field: 'routes.colour', count: 1 },
      { field: 'routes.healthCheck.intervall', count: 1 },
      { field: 'routes.upstreams[].zone', count: 1 },
      { field: 'secrets', count: 1 },
      { field: 'tcpRoutes.colour', count: 2 },
      { field: 'traefik.certificates[].issuer', count: 1 },
      { field: 'traefik.extra', count: 1 },
      { field: 'udpRoutes.ttl', count: 1 },
    ])
    expect(JSON.stringify(parsed)).not.toContain('hunter2')
  })

  test('a flood of unknown fields stops at a hundred names', () => {
    const flood = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`f${i}`, 1]))
    expect(state(documentWith({}, flood)).unknownFields.length).toBe(100)
  })

  test('a bad entry costs only itself', () => {
    const good = [tcpRoute(), tcpRoute({ id: 'b', externalPort: 10002 })]
    const mixed = state(documentWith({ tcpRoutes: [good[0], { id: 'bad' }, null, good[1]] }))
    expect(mixed.routes).toEqual(state(documentWith({ tcpRoutes: good })).routes)
    expect(mixed.problems.map(({ code, routeId, field, message }) => ({ code, routeId, field, message }))).toEqual([
      { code: 'UPSTREAM_INVALID', routeId: 'bad', field: 'upstreams', message: 'upstreams is missing' },
      { code: 'FIELD_INVALID', routeId: 'bad', field: 'externalPort', message: 'externalPort is missing' },
      { code: 'ROUTE_INVALID', routeId: null, field: null, message: 'an entry of tcpRoutes is not an object' },
    ])
  })
})

describe('contentHash', () => {
  const hashOf = (lists: Parameters<typeof documentWith>[0], header = {}) =>
    state(documentWith(lists, header)).contentHash
  const [a, b] = [tcpRoute({ id: 'a' }), tcpRoute({ id: 'b', externalPort: 10002 })]

  test('the order of routes, header and unknown fields do not change it', () => {
    const hash = hashOf({ tcpRoutes: [a, b] })
    expect(hashOf({ tcpRoutes: [b, a] })).toBe(hash)
    expect(
      hashOf({ tcpRoutes: [a, { ...b, colour: 'red' }], other: 1 }, { schema: 1, revision: 7, removed: ['x'] }),
    ).toBe(hash)
  })

  test('another spelling of the same thing does not change it', () => {
    expect(
      hashOf({ tcpRoutes: [tcpRoute({ sniHostname: 'DB.example.com.', claimedAt: '2026-01-01T01:00:00+01:00' })] }),
    ).toBe(
      hashOf({
        tcpRoutes: [
          tcpRoute({ sniHostname: 'db.example.com', tlsPassthrough: true, claimedAt: '2026-01-01T00:00:00.000Z' }),
        ],
      }),
    )
  })

  test.each([
    ['a port', { tcpRoutes: [a, { ...b, externalPort: 10003 }] }],
    ['a route less', { tcpRoutes: [a] }],
    ['a bad entry', { tcpRoutes: [a, b, { id: 'c' }] }],
    ['a claim', { tcpRoutes: [a, { ...b, claimedAt: '2026-01-01T00:00:00Z' }] }],
    ['the challenge route', { tcpRoutes: [a, b], challengeRoute: { controlPlaneUrl: 'https://c.example' } }],
  ])('%s changes it', (_, lists) => {
    expect(hashOf(lists)).not.toBe(hashOf({ tcpRoutes: [a, b] }))
  })
})

describe('challengeRoute', () => {
  const read = (challengeRoute: unknown) => {
    const { challengeUrl, problems } = state(documentWith({ challengeRoute }))
    return { challengeUrl, problems: problems.map(({ field, value }) => ({ field, value })) }
  }
  const field = 'traefik.challengeRoute.controlPlaneUrl'

  test.each([
    [{ controlPlaneUrl: 'https://control.example.com' }, 'https://control.example.com'],
    [{ controlPlaneUrl: 'https://control.example.com/api/?q#f' }, 'https://control.example.com'],
    [{ controlPlaneUrl: 'HTTP://10.0.0.1:7400' }, 'http://10.0.0.1:7400'],
    [undefined, null],
    [null, null],
  ])('%j gives %s', (raw, challengeUrl) => {
    expect(read(raw)).toEqual({ challengeUrl, problems: [] })
  })

  test.each([
    [{ controlPlaneUrl: 'ftp://control.example.com' }, 'ftp://control.example.com'],
    [{ controlPlaneUrl: 'https://me:secret@control.example.com' }, '***@control.example.com'],
    [{ controlPlaneUrl: 'control' }, 'control'],
    [{ controlPlaneUrl: ['secret'] }, null],
    [{}, null],
    ['https://control.example.com', null],
  ])('%j is a problem', (raw, value) => {
    expect(read(raw)).toEqual({ challengeUrl: null, problems: [{ field, value }] })
  })
})

describe('certificates', () => {
  let one: TestCertificate
  let other: TestCertificate
  beforeAll(async () => {
    ;[one, other] = await Promise.all([selfSigned('a.example.com'), selfSigned('b.example.com')])
  })

  const read = (...certificates: unknown[]) => {
    const parsed = state(documentWith({ certificates }))
    return {
      certificates: parsed.certificates,
      problems: parsed.problems.map(({ code, field, value, message }) => ({ code, field, value, message })),
      text: JSON.stringify(parsed.problems),
    }
  }
  const entry = (change = {}) => ({
    domain: 'A.example.com',
    certificate: one.cert,
    certificateKey: one.key,
    ...change,
  })
  const fault = (field: string, message: string, value: string | null = 'A.example.com') => [
    { code: 'FIELD_INVALID', field: `traefik.certificates[0]${field}`, value, message },
  ]

  test('a certificate and its key are taken in one form', () => {
    const good = [{ domain: 'a.example.com', certificate: one.cert, certificateKey: one.key }]
    expect(read(entry()).certificates).toEqual(good)
    const windows = { certificate: `\n${one.cert.replaceAll('\n', '\r\n')}\r\n`, certificateKey: one.key.trimEnd() }
    expect(read(entry(windows)).certificates).toEqual(good)
  })

  test('the key of another certificate is a problem', () => {
    const { certificates, problems, text } = read(entry({ certificateKey: other.key }))
    expect({ certificates, problems }).toEqual({
      certificates: [],
      problems: fault('', 'the key does not belong to the certificate'),
    })
    expect(text).not.toContain('PRIVATE')
  })

  test.each([
    ['a text that is not PEM', () => ({ certificate: 'x' }), '', 'the certificate or its key is not PEM'],
    ['two of the same kind', () => ({ certificate: one.key }), '', 'the certificate or its key is not PEM'],
    ['a cut key', () => ({ certificateKey: one.key.slice(0, 80) }), '', 'the certificate or its key is not PEM'],
    ['an encrypted key', () => ({ certificateKey: encryptedKey() }), '', 'the certificate or its key is not PEM'],
    ['no key', () => ({ certificateKey: undefined }), '.certificateKey', 'certificateKey is missing'],
    ['a key that is no text', () => ({ certificateKey: [one.key] }), '.certificateKey', 'certificateKey is not a text'],
    [
      'a key that is too long',
      () => ({ certificateKey: one.key.repeat(1000) }),
      '.certificateKey',
      'certificateKey is not a text of at most 65536 signs',
    ],
  ])('%s is a problem without the key', (_, change, field, message) => {
    const { certificates, problems, text } = read(entry(change()))
    expect({ certificates, problems }).toEqual({ certificates: [], problems: fault(field, message) })
    for (const line of one.key.split('\n').filter(part => part.length > 10)) expect(text).not.toContain(line)
  })

  test('a bad domain and a bad entry are problems', () => {
    expect(read(entry({ domain: 'a b' })).problems).toEqual(
      fault('.domain', '"a b" is not a label of a host name', 'a b'),
    )
    expect(read(one.key).problems).toEqual(fault('', 'an entry of certificates is not an object', null))
  })

  test('a bad one costs only itself', () => {
    expect(read(null, entry()).certificates).toEqual([
      { domain: 'a.example.com', certificate: one.cert, certificateKey: one.key },
    ])
  })
})

const encryptedKey = (): string =>
  generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' },
  }).privateKey

describe('a routes file', () => {
  test('the lists stand at the top level', () => {
    const lists = { routes: [httpRoute()], tcpRoutes: [tcpRoute()], udpRoutes: [udpRoute()] }
    const parsed = parseRoutesFile({ ...lists, note: 'mine' }, OPTIONS)
    const { certificates: _c, ...wanted } = state(documentWith(lists))
    expect(parsed).toEqual({
      ok: true,
      state: { ...wanted, certificates: [], unknownFields: [{ field: 'note', count: 1 }] },
    })
  })

  test.each([
    ['an empty file', null, null, 'the file is empty, not an object with lists of routes'],
    ['a list', [tcpRoute()], null, 'the file is a list, not an object with lists of routes'],
    ['a text', 'routes', null, 'the file is a text, not an object with lists of routes'],
    [
      'an object without lists',
      { route: [] },
      null,
      'none of the lists routes, tcpRoutes, udpRoutes is there; it has route',
    ],
    [
      'a document of a control plane',
      documentWith({}),
      null,
      'none of the lists routes, tcpRoutes, udpRoutes is there; it has traefik',
    ],
    ['a list that is none', { tcpRoutes: { a: 1 } }, 'tcpRoutes', 'tcpRoutes is not a list'],
  ])('%s is not one', (_, raw, field, message) => {
    const problem = refusal(raw, parseRoutesFile)
    expect({ code: problem?.code, field: problem?.field, message: problem?.message }).toEqual({
      code: 'DOCUMENT_INVALID',
      field,
      message,
    })
  })
})

describe('reading ahead', () => {
  const many = (count: number) =>
    documentWith({
      tcpRoutes: Array.from({ length: count }, (_, i) => tcpRoute({ id: `r${i}`, externalPort: 1000 + i })),
    })

  test('some at a time, and the state is the same', () => {
    const options = { origin: 'cp_1', maxRoutes: 2000, memory: createRouteMemory() }
    const raw = many(600)
    expect([...readAhead(raw, options)]).toHaveLength(2)
    expect(parseExpectedState(raw, options)).toEqual(parseExpectedState(raw, { origin: 'cp_1', maxRoutes: 2000 }))
  })

  test.each([
    ['beyond the limit', many(600)],
    ['no document', null],
    ['no list', { traefik: { tcpRoutes: 'x' } }],
  ])('what is %s is left alone', (_case, raw) => {
    expect([...readAhead(raw, { origin: 'cp_1', maxRoutes: 500, memory: createRouteMemory() })]).toEqual([])
  })
})
