import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { type Candidate, covers, keyOf, settleConflicts } from '../../src/core/conflicts.ts'
import { canonicalJson, sha256 } from '../../src/core/hash.ts'
import type { Route, TcpRoute } from '../../src/core/route.ts'
import { FEW, httpWire, tcpWire, udpWire } from '../support/arbitraries.ts'
import { httpRoute, stateWith, tcpRoute, udpRoute } from '../support/builders.ts'

const HTTP_PORTS = new Set([443])

const parsed = (lists: Parameters<typeof stateWith>[0]): Route => {
  const { routes, problems } = stateWith(lists)
  const [route] = routes
  if (route === undefined) throw new Error(problems[0]?.message)
  return route
}
const tcp = (fields: object) => parsed({ tcpRoutes: [{ ...tcpRoute(), ...fields }] })
const udp = (fields: object) => parsed({ udpRoutes: [{ ...udpRoute(), ...fields }] })
const http = (fields: object) => parsed({ routes: [{ ...httpRoute(), ...fields }] })

const candidate = (route: Route, change: Partial<Candidate> = {}): Candidate => ({
  route,
  origin: 'cp',
  rank: 1,
  claimedAt: 1000,
  ...change,
})

/** `tcp/b: PORT_TAKEN_BY_ROUTE` for each that gives way. */
const lost = (candidates: readonly Candidate[], httpPorts: ReadonlySet<number> = HTTP_PORTS): string[] =>
  settleConflicts(candidates, httpPorts).losers.map(
    ({ candidate: { route }, problem }) => `${keyOf(route)}: ${problem.code}`,
  )

describe('two routes on one TCP port', () => {
  const plain = { tls: 'none' }
  const [pg, mysql] = [
    { ...plain, protocolHint: 'postgres' },
    { ...plain, protocolHint: 'mysql' },
  ]
  const any = { tls: 'passthrough' }
  const anyEnded = { tls: 'terminate' }
  const named = { sniHostname: 'db.example.com' }
  const [ended, upper] = [{ ...named, tls: 'terminate' }, { sniHostname: 'DB.example.com.' }]
  const other = { sniHostname: 'x.example.com' }
  const [wild, deeper] = [{ sniHostname: '*.example.com' }, { sniHostname: '*.db.example.com' }]

  const taken = 'PORT_TAKEN_BY_ROUTE'
  // The code of the younger one, whichever of the two it is; two codes when that matters.
  test.each([
    ['plain, plain', plain, plain, taken],
    ['client-first, client-first', pg, pg, taken],
    ['plain, TLS for any name', plain, any, taken],
    ['client-first, TLS for any name', pg, any, taken],
    ['TLS for any name, the same', any, anyEnded, taken],
    ['plain, a host name', plain, named, taken],
    ['server-first, a host name', mysql, named, 'SERVER_FIRST_ON_TLS_PORT'],
    ['client-first, a host name', pg, named, null],
    ['client-first, a wildcard', pg, wild, null],
    ['TLS for any name, a host name', any, named, null],
    ['TLS for any name, a wildcard', anyEnded, wild, null],
    ['a host name, the same', named, ended, 'HOST_TAKEN_BY_ROUTE'],
    ['a host name, another spelling of it', named, upper, 'HOST_TAKEN_BY_ROUTE'],
    ['a host name, another', named, other, null],
    ['a host name, the wildcard above it', named, wild, null],
    ['a wildcard, the same', wild, wild, 'HOST_TAKEN_BY_ROUTE'],
    ['a wildcard, one below', wild, deeper, null],
  ])('%s', (_, one, two, code) => {
    const pair = [tcp({ id: 'a', ...one }), tcp({ id: 'b', ...two })]
    for (const [older, younger] of [pair, pair.toReversed()]) {
      if (older === undefined || younger === undefined) throw new Error('a pair')
      const given = [candidate(older, { claimedAt: 1 }), candidate(younger, { claimedAt: 2 })]
      expect(lost(given)).toEqual(code === null ? [] : [`${keyOf(younger)}: ${code}`])
      expect(lost(given.toReversed())).toEqual(lost(given))
    }
  })

  test.each(['mysql', 'smtp', 'ftp', 'ssh'])('%s waits for the server and is told so', protocolHint => {
    expect(lost([candidate(tcp({ id: 'a', protocolHint })), candidate(tcp({ id: 'b', ...named }))])).toEqual([
      'tcp/b: SERVER_FIRST_ON_TLS_PORT',
    ])
  })

  test.each(['postgres', 'redis', 'mqtt', 'http'])('%s lets the client speak and shares', protocolHint => {
    expect(lost([candidate(tcp({ id: 'a', protocolHint })), candidate(tcp({ id: 'b', ...named }))])).toEqual([])
  })

  test('many names share one port, with one of any name', () => {
    const names = Array.from({ length: 20 }, (_, i) => tcp({ id: `n${i}`, sniHostname: `n${i}.example.com` }))
    expect(lost([...names, tcp({ id: 'any', ...any })].map(route => candidate(route)))).toEqual([])
  })

  test('a younger plain route names the oldest host name', () => {
    const { losers } = settleConflicts(
      [
        candidate(tcp({ id: 'a', ...named }), { claimedAt: 5 }),
        candidate(tcp({ id: 'z', ...other }), { claimedAt: 3, origin: 'routes.d/z.yaml' }),
        candidate(tcp({ id: 'plain' }), { claimedAt: 9 }),
      ],
      HTTP_PORTS,
    )
    expect(losers.map(({ problem }) => problem)).toEqual([
      {
        code: 'PORT_TAKEN_BY_ROUTE',
        protocol: 'tcp',
        routeId: 'plain',
        field: 'externalPort',
        value: '10001',
        message: 'TCP port 10001 is held by tcp/z (routes.d/z.yaml)',
        remedy:
          'Choose another port; or, when the plain protocol lets the client speak first, say so by protocolHint (postgres, redis, mqtt, http).',
        origin: 'cp',
      },
    ])
  })

  test('the numbers alone differ: no conflict', () => {
    expect(lost([candidate(tcp({ id: 'a' })), candidate(tcp({ id: 'b', externalPort: 10002 }))])).toEqual([])
    expect(lost([candidate(tcp({ id: 'a', externalPort: 11000 })), candidate(udp({ id: 'b' }))])).toEqual([])
  })
})

describe('UDP and blocks', () => {
  test.each([
    ['one port, the same', udp({ id: 'a' }), udp({ id: 'b' }), ['udp/b: PORT_TAKEN_BY_ROUTE']],
    [
      'a block, a port at its end',
      udp({ id: 'a', externalPortEnd: 11003 }),
      udp({ id: 'b', externalPort: 11003 }),
      ['udp/b: PORT_TAKEN_BY_ROUTE'],
    ],
    ['a block, a port behind it', udp({ id: 'a', externalPortEnd: 11003 }), udp({ id: 'b', externalPort: 11004 }), []],
    [
      'a port, a block over it',
      udp({ id: 'a', externalPort: 11002 }),
      udp({ id: 'b', externalPortEnd: 11003 }),
      ['udp/b: PORT_TAKEN_BY_ROUTE'],
    ],
    [
      'blocks that overlap',
      tcp({ id: 'a', externalPortEnd: 10003 }),
      tcp({ id: 'b', externalPort: 10003, externalPortEnd: 10005 }),
      ['tcp/b: PORT_TAKEN_BY_ROUTE'],
    ],
    ['a block of TCP, one of UDP', tcp({ id: 'a', externalPort: 11000, externalPortEnd: 11003 }), udp({ id: 'b' }), []],
    [
      'a plain block, a host name within',
      tcp({ id: 'a', externalPortEnd: 10003 }),
      tcp({ id: 'b', externalPort: 10002, sniHostname: 'a.example.com' }),
      ['tcp/b: PORT_TAKEN_BY_ROUTE'],
    ],
  ])('%s', (_, older, younger, expected) => {
    expect(lost([candidate(older), candidate(younger)])).toEqual(expected)
  })

  test('a block that loses one number holds none', () => {
    const given = [
      candidate(udp({ id: 'a', externalPort: 11003 }), { claimedAt: 1 }),
      candidate(udp({ id: 'b', externalPortEnd: 11003 }), { claimedAt: 2 }),
      candidate(udp({ id: 'c', externalPort: 11001 }), { claimedAt: 3 }),
    ]
    expect(lost(given)).toEqual(['udp/b: PORT_TAKEN_BY_ROUTE'])
    expect(settleConflicts(given, HTTP_PORTS).losers[0]?.problem).toMatchObject({
      value: '11003',
      message: 'UDP port 11003 is held by udp/a (cp)',
    })
  })
})

describe('HTTP domains', () => {
  const sni = (sniHostname: string, externalPort: number) => tcp({ id: 'b', sniHostname, externalPort })

  test.each([
    ['a domain, the same', http({ id: 'a' }), http({ id: 'b' }), 'HOST_TAKEN_BY_ROUTE'],
    ['a domain, another path of it', http({ id: 'a' }), http({ id: 'b', pathPrefix: '/api' }), null],
    [
      'a path, the same',
      http({ id: 'a', pathPrefix: '/api' }),
      http({ id: 'b', pathPrefix: '/api' }),
      'HOST_TAKEN_BY_ROUTE',
    ],
    ['a domain, its wildcard', http({ id: 'a' }), http({ id: 'b', domain: '*.example.com' }), null],
    [
      'a domain, an equal host name on a shared port',
      http({ id: 'a' }),
      sni('app.example.com', 443),
      'HOST_TAKEN_BY_ROUTE',
    ],
    [
      'a path, an equal host name on a shared port',
      http({ id: 'a', pathPrefix: '/x' }),
      sni('app.example.com', 443),
      'HOST_TAKEN_BY_ROUTE',
    ],
    ['a domain, an equal host name on another port', http({ id: 'a' }), sni('app.example.com', 10001), null],
    ['a domain, another host name on a shared port', http({ id: 'a' }), sni('db.example.com', 443), null],
    ['a domain, a wildcard above it on a shared port', http({ id: 'a' }), sni('*.example.com', 443), null],
    [
      'a wildcard, a host name below it on a shared port',
      http({ id: 'a', domain: '*.example.com' }),
      sni('db.example.com', 443),
      null,
    ],
    [
      'a wildcard, the same on a shared port',
      http({ id: 'a', domain: '*.example.com' }),
      sni('*.example.com', 443),
      'HOST_TAKEN_BY_ROUTE',
    ],
  ])('%s', (_, one, two, code) => {
    for (const [older, younger] of [
      [one, two],
      [two, one],
    ] as const) {
      const given = [candidate(older, { claimedAt: 1 }), candidate(younger, { claimedAt: 2 })]
      expect(lost(given)).toEqual(code === null ? [] : [`${keyOf(younger)}: ${code}`])
    }
  })

  test('the loser names host and holder', () => {
    const { losers } = settleConflicts(
      [candidate(http({ id: 'a' })), candidate(sni('app.example.com', 443))],
      HTTP_PORTS,
    )
    expect(losers[0]?.problem).toEqual({
      code: 'HOST_TAKEN_BY_ROUTE',
      protocol: 'tcp',
      routeId: 'b',
      field: 'sniHostname',
      value: 'app.example.com',
      message: 'app.example.com on port 443 is held by http/a (cp)',
      remedy: 'Choose another host name, or delete the other route first.',
      origin: 'cp',
    })
  })
})

describe('HTTP on several ports', () => {
  test('a host name on the second of them is in the way, too', () => {
    const shared = tcp({ id: 'a', sniHostname: 'app.example.com', externalPort: 8443 })
    const given = [candidate(shared), candidate(http({ id: 'b' }))]
    expect(lost(given, new Set([443, 8443]))).toEqual(['http/b: HOST_TAKEN_BY_ROUTE'])
    expect(lost(given, new Set([443]))).toEqual([])
  })

  test('a host name that gives way names the oldest route of the domain', () => {
    const { losers } = settleConflicts(
      [
        candidate(http({ id: 'young', pathPrefix: '/a' }), { claimedAt: 5 }),
        candidate(http({ id: 'old', pathPrefix: '/b' }), { claimedAt: 3 }),
        candidate(tcp({ id: 'sni', sniHostname: 'app.example.com', externalPort: 443 }), { claimedAt: 9 }),
      ],
      HTTP_PORTS,
    )
    expect(losers.map(({ problem }) => problem.message)).toEqual([
      'app.example.com on port 443 is held by http/old (cp)',
    ])
  })
})

describe('who wins', () => {
  const [a, b] = [tcp({ id: 'a' }), tcp({ id: 'b' })]

  test('the local file against the control plane, whatever its age', () => {
    expect(lost([candidate(a, { claimedAt: 1 }), candidate(b, { rank: 0, claimedAt: 2 })])).toEqual([
      'tcp/a: PORT_TAKEN_BY_ROUTE',
    ])
  })

  test('else the older claim, whatever its id', () => {
    expect(lost([candidate(a, { claimedAt: 2 }), candidate(b, { claimedAt: 1 })])).toEqual([
      'tcp/a: PORT_TAKEN_BY_ROUTE',
    ])
  })

  test('else the lower id, as bytes and not as words', () => {
    expect(lost([candidate(b), candidate(a)])).toEqual(['tcp/b: PORT_TAKEN_BY_ROUTE'])
    expect(lost([candidate(tcp({ id: 'a' })), candidate(tcp({ id: 'Z' }))])).toEqual(['tcp/a: PORT_TAKEN_BY_ROUTE'])
    expect(lost([candidate(tcp({ id: 'a10' })), candidate(tcp({ id: 'a9' }))])).toEqual(['tcp/a9: PORT_TAKEN_BY_ROUTE'])
  })

  test('of one id the older claim, then the lower content hash', () => {
    const twin = tcp({ id: 'a', externalPort: 10002 })
    expect(lost([candidate(a, { claimedAt: 2 }), candidate(twin, { claimedAt: 1, origin: 'x.yaml' })])).toEqual([
      'tcp/a: ID_TAKEN',
    ])
    const [lower, higher] = [a, twin].toSorted((x, y) => (sha256(canonicalJson(x)) < sha256(canonicalJson(y)) ? -1 : 1))
    if (lower === undefined || higher === undefined) throw new Error('two routes')
    for (const given of [
      [lower, higher],
      [higher, lower],
    ])
      expect(
        settleConflicts(
          given.map(route => candidate(route)),
          HTTP_PORTS,
        ),
      ).toEqual({
        winners: [candidate(lower)],
        losers: [
          {
            candidate: candidate(higher),
            problem: {
              code: 'ID_TAKEN',
              protocol: 'tcp',
              routeId: 'a',
              field: 'id',
              value: 'a',
              message: 'the id a is taken by another tcp route (cp)',
              remedy: 'Give each route of a protocol an id of its own.',
              origin: 'cp',
            },
          },
        ],
      })
  })

  test('an id is taken within its protocol alone', () => {
    expect(lost([candidate(tcp({ id: 'x' })), candidate(udp({ id: 'x' })), candidate(http({ id: 'x' }))])).toEqual([])
  })

  test('one that gave way takes no id', () => {
    const given = [
      candidate(b, { claimedAt: 1 }),
      candidate(a, { claimedAt: 2 }),
      candidate(tcp({ id: 'a', externalPort: 10002 }), { claimedAt: 3 }),
    ]
    expect(lost(given)).toEqual(['tcp/a: PORT_TAKEN_BY_ROUTE'])
    expect(settleConflicts(given, HTTP_PORTS).winners.map(({ route }) => keyOf(route))).toEqual(['tcp/b', 'tcp/a'])
  })
})

test.each([
  ['a.example.com', 'a.example.com', true],
  ['*.example.com', 'a.example.com', true],
  ['*.example.com', '*.example.com', true],
  ['*.example.com', 'example.com', false],
  ['*.example.com', 'a.b.example.com', false],
  ['*.example.com', 'xexample.com', false],
  ['a.example.com', '*.example.com', false],
  ['*.com', 'com', false],
])('%s stands for %s: %s', (name, host, expected) => {
  expect(covers(name, host)).toBe(expected)
})

describe('any set of claims', () => {
  const world = { ...FEW, tcp: [443, 10001, 10002, 10003], udp: [10001, 10002, 10003] }
  const claims = fc.array(
    fc
      .tuple(
        fc.oneof(
          { weight: 3, arbitrary: tcpWire(world).map(wire => ({ tcpRoutes: [wire] })) },
          { weight: 1, arbitrary: udpWire(world).map(wire => ({ udpRoutes: [wire] })) },
          { weight: 2, arbitrary: httpWire(world).map(wire => ({ routes: [wire] })) },
        ),
        fc.constantFrom(0, 1),
        fc.integer({ min: 1, max: 3 }),
        fc.constantFrom('x.yaml', 'cp'),
      )
      .map(([lists, rank, claimedAt, origin]) => candidate(parsed(lists), { rank, claimedAt, origin })),
    { maxLength: 14 },
  )

  const portsOf = (route: Route): number[] =>
    route.protocol === 'http'
      ? []
      : Array.from({ length: route.externalPortEnd - route.externalPort + 1 }, (_, i) => route.externalPort + i)
  const clientFirst = (route: TcpRoute) => ['postgres', 'redis', 'mqtt', 'http'].includes(route.protocolHint ?? '')

  const tcpClash = (one: TcpRoute, two: TcpRoute): boolean => {
    if (!portsOf(one).some(port => portsOf(two).includes(port))) return false
    if (one.sniHostname !== null && two.sniHostname !== null) return one.sniHostname === two.sniHostname
    if (one.sniHostname === null && two.sniHostname === null) return true
    const nameless = one.sniHostname === null ? one : two
    return nameless.tls === 'none' && !clientFirst(nameless)
  }

  /** Written apart from the code and by pairs: what may not stand side by side. */
  const clash = (one: Route, two: Route): boolean => {
    if (one.protocol === two.protocol && one.id === two.id) return true
    if (one.protocol === 'http' && two.protocol === 'http')
      return one.domain === two.domain && one.pathPrefix === two.pathPrefix
    if (one.protocol === 'udp' && two.protocol === 'udp') return portsOf(one).some(port => portsOf(two).includes(port))
    if (one.protocol === 'tcp' && two.protocol === 'tcp') return tcpClash(one, two)
    if (one.protocol === 'tcp' && two.protocol === 'http')
      return one.sniHostname === two.domain && HTTP_PORTS.has(one.externalPort)
    return one.protocol === 'http' && two.protocol === 'tcp' ? clash(two, one) : false
  }

  const rankText = ({ rank, claimedAt, route, origin }: Candidate): string[] => [
    ...[String(rank), String(claimedAt), route.id, route.protocol, sha256(canonicalJson(route)), origin],
  ]
  const before = (a: Candidate, b: Candidate): number => {
    const [left, right] = [rankText(a), rankText(b)]
    const at = left.findIndex((text, i) => text !== right[i])
    return at < 0 ? 0 : (left[at] ?? '') < (right[at] ?? '') ? -1 : 1
  }
  const oracle = (candidates: readonly Candidate[]): Candidate[] => {
    const winners: Candidate[] = []
    for (const next of candidates.toSorted(before))
      if (!winners.some(winner => clash(winner.route, next.route))) winners.push(next)
    return winners
  }

  propertyTest.prop([claims], { numRuns: 300 })('is settled as a slow oracle says', candidates => {
    const { winners, losers } = settleConflicts(candidates, HTTP_PORTS)
    expect(winners).toEqual(oracle(candidates))
    expect(winners.length + losers.length).toBe(candidates.length)
  })

  propertyTest.prop(
    [claims.chain(all => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })))],
    { numRuns: 200 },
  )('is settled alike in any order', ([candidates, otherOrder]) => {
    expect(settleConflicts(otherOrder, HTTP_PORTS)).toEqual(settleConflicts(candidates, HTTP_PORTS))
  })

  propertyTest.prop([claims], { numRuns: 200 })('leaves no two winners that clash', candidates => {
    const { winners } = settleConflicts(candidates, HTTP_PORTS)
    for (const [i, one] of winners.entries())
      for (const two of winners.slice(i + 1))
        expect([one.route, two.route, clash(one.route, two.route)]).toEqual([one.route, two.route, false])
  })

  propertyTest.prop([claims], { numRuns: 200 })('makes every loser name a winner that goes before it', candidates => {
    const { winners, losers } = settleConflicts(candidates, HTTP_PORTS)
    for (const { candidate: loser, problem } of losers) {
      const named = winners.filter(({ route, origin }) =>
        problem.code === 'ID_TAKEN'
          ? keyOf(route) === keyOf(loser.route) && problem.message.endsWith(`(${origin})`)
          : problem.message.includes(`is held by ${keyOf(route)} (${origin})`),
      )
      expect(named.some(winner => clash(winner.route, loser.route) && before(winner, loser) <= 0)).toBe(true)
    }
  })
})
