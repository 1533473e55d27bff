import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import {
  canonicalJson,
  contentHash,
  hashHttpRoutes,
  hashSections,
  hashTcpRoutes,
  hashUdpRoutes,
  sha256,
} from '../../src/core/hash.ts'
import { compileLists, httpRoute, stateWith, tcpRoute, udpRoute } from '../support/builders.ts'

describe('canonicalJson', () => {
  test.each([
    ['sorted keys', { b: 1, a: { d: 2, c: 3 } }, '{"a":{"c":3,"d":2},"b":1}'],
    ['lists as they are', [3, 1, 2], '[3,1,2]'],
    ['no member that is undefined', { a: undefined, b: null }, '{"b":null}'],
    ['null for undefined elsewhere', [undefined], '[null]'],
    ['keys by code unit, not by language', { ä: 1, Z: 2, a: 3, 10: 4, 9: 5 }, '{"10":4,"9":5,"Z":2,"a":3,"ä":1}'],
    ['a key __proto__', JSON.parse('{"__proto__":1}'), '{"__proto__":1}'],
    ['one zero', -0, '0'],
    ['null for what JSON has not', [Number.NaN], '[null]'],
  ])('%s', (_, value, text) => {
    expect(canonicalJson(value)).toBe(text)
  })

  propertyTest.prop([fc.jsonValue()], { numRuns: 300 })('is JSON of the same value', value => {
    expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
  })

  propertyTest.prop([fc.dictionary(fc.string(), fc.integer())])('does not know the order of writing', record => {
    expect(canonicalJson(Object.fromEntries(Object.entries(record).toReversed()))).toBe(canonicalJson(record))
  })
})

test('sha256 of a known text', () => {
  expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  expect(sha256(new TextEncoder().encode('abc'))).toBe(sha256('abc'))
  expect(contentHash({ b: 1, a: 2 })).toBe(sha256('{"a":2,"b":1}'))
})

describe('hashes of routes', () => {
  const { routes } = stateWith({
    routes: [httpRoute(), httpRoute({ id: 'b', domain: 'b.example.com' })],
    tcpRoutes: [tcpRoute(), tcpRoute({ id: 'b', externalPort: 10002 })],
    udpRoutes: [udpRoute(), udpRoute({ id: 'b', externalPort: 11001 })],
  })
  const http = routes.filter(route => route.protocol === 'http')
  const tcp = routes.filter(route => route.protocol === 'tcp')
  const udp = routes.filter(route => route.protocol === 'udp')

  test('the order of the list does not matter', () => {
    expect(hashHttpRoutes(http.toReversed())).toBe(hashHttpRoutes(http))
    expect(hashTcpRoutes(tcp.toReversed())).toBe(hashTcpRoutes(tcp))
    expect(hashUdpRoutes(udp.toReversed())).toBe(hashUdpRoutes(udp))
  })

  test('every change of a route does', () => {
    const hashes = [
      ...[hashTcpRoutes(tcp), hashTcpRoutes(tcp.slice(1)), hashTcpRoutes([...tcp, ...tcp])],
      ...tcp.flatMap((route, i) => [
        hashTcpRoutes(tcp.with(i, { ...route, upstreams: [] })),
        hashTcpRoutes(tcp.with(i, { ...route, externalPort: 10009 })),
      ]),
    ]
    expect(new Set(hashes).size).toBe(hashes.length)
  })

  test('a section has a hash of its own', () => {
    const of = (lists: Parameters<typeof compileLists>[0]) => hashSections(compileLists(lists).config)
    const [before, after] = [of({ tcpRoutes: [tcpRoute()] }), of({ tcpRoutes: [tcpRoute({ upstreams: [] })] })]
    expect({ ...after, tcp: before.tcp }).toEqual(before)
    expect(after.tcp).not.toBe(before.tcp)
    expect(hashSections({})).toEqual({ http: sha256('null'), tcp: sha256('null'), udp: sha256('null') })
  })
})
