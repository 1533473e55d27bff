import { describe, expect, test } from 'vitest'
import { parse as parseYaml } from 'yaml'
import type { TcpRouter } from '../../src/core/dynamic-config.ts'
import { canonicalJson, sha256 } from '../../src/core/hash.ts'
import { beaconHash, beaconName, makeSnapshot } from '../../src/core/payload.ts'
import { compileLists, tcpRoute } from '../support/builders.ts'

const EMPTY_HASH = sha256('{}')

describe('makeSnapshot', () => {
  test('nothing to serve still carries its beacon', () => {
    expect(makeSnapshot({})).toEqual({
      hash: EMPTY_HASH,
      body: `{"tcp":{"services":{"fairlead-revision-${EMPTY_HASH}":{"loadBalancer":{"servers":[]}}}}}`,
    })
  })

  test('the hash is that of the configuration without the beacon', () => {
    const { config } = compileLists({ tcpRoutes: [tcpRoute()] })
    const { hash, body } = makeSnapshot(config)
    expect(hash).toBe(sha256(canonicalJson(config)))
    const { tcp, ...rest } = JSON.parse(body)
    const { [beaconName(hash)]: beacon, ...services } = tcp.services
    expect(beacon).toEqual({ loadBalancer: { servers: [] } })
    expect({ ...rest, tcp: { ...tcp, services } }).toEqual(JSON.parse(JSON.stringify(config)))
  })

  test('the order in which a configuration was built is not seen', () => {
    const one: TcpRouter = { entryPoints: ['a'], rule: 'HostSNI(`*`)', service: 's', priority: 1 }
    const other: TcpRouter = { priority: 1, service: 's', rule: 'HostSNI(`*`)', entryPoints: ['a'] }
    expect(makeSnapshot({ tcp: { routers: { x: other, a: one } }, udp: {} })).toEqual(
      makeSnapshot({ udp: {}, tcp: { routers: { a: one, x: other } } }),
    )
  })
})

describe('many routers', () => {
  const routers = (count: number): Record<string, TcpRouter> =>
    Object.fromEntries(
      Array.from({ length: count }, (_, i) => [
        `tcp_${i}`,
        { entryPoints: [`tcp-${i}`], rule: 'HostSNI(`*`)', service: `tcp_${i}`, priority: 1 },
      ]),
    )
  const read = (body: string): unknown => parseYaml(body, { merge: true })

  test.each([
    [1, 0],
    [400, 0],
    [401, 5],
    [500, 5],
    [501, 6],
    [1234, 13],
  ])('%d routers stand in %d chunks', (count, chunks) => {
    const { body, hash } = makeSnapshot({ tcp: { routers: routers(count) } })
    const lists = [...body.matchAll(/"routers": \{<<: \[(.*?)\]\}, /g)].map(match => match[1] ?? '')
    expect(lists.flatMap(list => [...list.matchAll(/"tcp_\d+":/g)]).length).toBe(chunks === 0 ? 0 : count)
    expect(lists.flatMap(list => list.split('}}, {')).length).toBe(chunks)
    expect(read(body)).toEqual({
      tcp: { routers: routers(count), services: { [beaconName(hash)]: { loadBalancer: { servers: [] } } } },
    })
  })

  test('certificates stay a list beside the chunks', () => {
    const tls = { certificates: [{ certFile: '-----BEGIN X-----\na: {b}\n', keyFile: '<<: [x]' }] }
    expect(read(makeSnapshot({ tcp: { routers: routers(500) }, tls }).body)).toMatchObject({ tls })
  })

  test('texts that mean something in YAML stay texts', () => {
    const odd = [
      '<<',
      '~',
      'null',
      'yes',
      '0x1f',
      '1e3',
      '2026-01-01',
      '&a',
      '*a',
      '!!str',
      '# x',
      ': ',
      '- ',
      "'",
      '"',
      '\\',
      '\t',
      '%',
      '@',
      '`',
      '{',
      '\u007f',
      '║',
      '😀',
    ]
    const services = Object.fromEntries([
      ...odd.map(text => [`x${text}`, { loadBalancer: { servers: [{ address: text }] } }]),
      ...Array.from({ length: 450 }, (_, i) => [`s${i}`, { loadBalancer: { servers: [] } }]),
    ])
    const { body, hash } = makeSnapshot({ tcp: { services } })
    expect(body).toContain('<<: [')
    expect(read(body)).toEqual({
      tcp: { services: { ...services, [beaconName(hash)]: { loadBalancer: { servers: [] } } } },
    })
  })
})

describe('beaconHash', () => {
  const hash = 'a1'.repeat(32)

  test.each([
    [`fairlead-revision-${hash}`, hash],
    [`fairlead-revision-${hash}@http`, hash],
    [`fairlead-revision-${hash}@file`, null],
    [`fairlead-revision-${hash.slice(1)}`, null],
    [`fairlead-revision-${hash.toUpperCase()}`, null],
    [`x-fairlead-revision-${hash}`, null],
    ['tombstone@http', null],
    ['', null],
  ])('%s', (name, expected) => {
    expect(beaconHash(name)).toBe(expected)
  })

  test('reads what beaconName wrote', () => {
    expect(beaconHash(beaconName(hash))).toBe(hash)
  })
})
