import { describe, expect, test } from 'vitest'
import { foreignByEntryPoint } from '../../src/core/entry-points.ts'
import { foreignNow, httpRival, tcpRival, udpRival } from '../../src/core/foreign.ts'
import type { ForeignRouter } from '../../src/core/observed.ts'
import { httpRoute, stateWith, tcpRoute, traefikWith } from '../support/builders.ts'

const HERE = ['here']

const router = (protocol: ForeignRouter['protocol'], rule: string | null, tls = false): ForeignRouter => ({
  name: 'theirs@file',
  protocol,
  entryPoints: HERE,
  rule,
  tls,
})
const plain = (rule: string) => router('tcp', rule)
const secure = (rule: string) => router('tcp', rule, true)
const web = (rule: string) => router('http', rule, true)

const standing = (...foreignRouters: ForeignRouter[]) => foreignByEntryPoint(traefikWith({ foreignRouters }))

function tcp(fields: Parameters<typeof tcpRoute>[0]) {
  const [route] = stateWith({ tcpRoutes: [tcpRoute(fields)] }).routes
  if (route?.protocol !== 'tcp') throw new Error('no TCP route')
  return route
}

function http(fields: Parameters<typeof httpRoute>[0]) {
  const [route] = stateWith({ routes: [httpRoute(fields)] }).routes
  if (route?.protocol !== 'http') throw new Error('no HTTP route')
  return route
}

const SNI = { sniHostname: 'a.example.com' }
const WILDCARD = { sniHostname: '*.example.com' }

describe('a TCP route', () => {
  test.each<[string, Parameters<typeof tcpRoute>[0], ForeignRouter, boolean]>([
    ['a host name beside the same one', SNI, secure('HostSNI(`a.example.com`)'), true],
    ['a host name beside the same one in capitals', SNI, secure('HostSNI(`A.Example.COM`)'), true],
    ['a host name beside one of several', SNI, secure('HostSNI(`x`) || HostSNI("a.example.com")'), true],
    ['a host name beside another one', SNI, secure('HostSNI(`b.example.com`)'), false],
    ['a host name beside the same one of HTTP', SNI, web('Host(`a.example.com`)'), true],
    ['a host name beside another one of HTTP', SNI, web('Host(`b.example.com`)'), false],
    ['a host name beside any plain client', SNI, plain('HostSNI(`*`)'), true],
    ['a host name beside any TLS client', SNI, secure('HostSNI(`*`)'), false],
    ['a host name beside plain clients from somewhere', SNI, plain('ClientIP(`10.0.0.0/8`)'), false],
    ['a host name beside any host of plain HTTP', SNI, router('http', 'Host(`*`)'), false],
    ['a host name beside UDP', SNI, router('udp', null), false],
    ['a wildcard beside a name that it covers', WILDCARD, secure('HostSNI(`a.example.com`)'), true],
    ['a wildcard beside a name two labels below', WILDCARD, secure('HostSNI(`a.b.example.com`)'), false],
    ['a wildcard beside a name of HTTP, which goes first', WILDCARD, web('Host(`a.example.com`)'), false],
    ['plain beside HTTP', {}, web('Host(`x`)'), true],
    ['plain beside any client', {}, plain('HostSNI(`*`)'), true],
    ['plain beside clients from somewhere', {}, plain('ClientIP(`10.0.0.0/8`)'), true],
    ['plain beside a host name', {}, secure('HostSNI(`x`)'), true],
    ['plain beside a host name without TLS, which no client has', {}, plain('HostSNI(`x`)'), false],
    ['plain, the client speaks first, beside a host name', { protocolHint: 'postgres' }, secure('HostSNI(`x`)'), false],
    ['any TLS client beside a host name', { tls: 'passthrough' }, secure('HostSNI(`x`)'), false],
    ['any TLS client beside any', { tls: 'passthrough' }, secure('HostSNI(`*`)'), true],
    ['plain beside UDP', {}, router('udp', null), false],
  ])('%s', (_, fields, foreign, meets) => {
    expect(tcpRival(tcp(fields), HERE, standing(foreign))).toBe(meets ? foreign : null)
    expect(tcpRival(tcp(fields), ['elsewhere'], standing(foreign))).toBeNull()
  })
})

describe('an HTTP route', () => {
  const API = { domain: 'a.example.com', pathPrefix: '/api' }
  test.each<[string, Parameters<typeof httpRoute>[0], ForeignRouter, boolean]>([
    ['beside the whole host, which is less exact', API, web('Host(`a.example.com`)'), false],
    ['beside a path within its own', API, web('Host(`a.example.com`) && PathPrefix(`/api/v1`)'), true],
    ['beside one of two paths within its own', API, web('Host(`a.example.com`) && (Path(`/x`) || Path(`/api`))'), true],
    ['beside a path of another host', API, web('Host(`b.example.com`) && PathPrefix(`/api/v1`)'), false],
    ['beside a path of any host', API, web('PathPrefix(`/api/v1`)'), false],
    ['a whole host beside the same', { domain: 'a.example.com' }, web('Host(`A.example.com`)'), true],
    ['a wildcard beside a host that it covers', { domain: '*.example.com' }, web('Host(`a.example.com`)'), true],
    ['beside an equal host name of TCP', API, secure('HostSNI(`a.example.com`)'), true],
    ['beside a wildcard of TCP', API, secure('HostSNI(`*.example.com`)'), false],
    ['beside UDP', API, router('udp', null), false],
  ])('%s', (_, fields, foreign, meets) => {
    expect(httpRival(http(fields), HERE, standing(foreign))).toBe(meets ? foreign : null)
    expect(httpRival(http(fields), ['elsewhere'], standing(foreign))).toBeNull()
  })
})

test('a UDP route meets any UDP router, and no other', () => {
  const udp = router('udp', null)
  expect(udpRival(HERE, standing(plain('HostSNI(`*`)'), udp))).toBe(udp)
  expect(udpRival(HERE, standing(plain('HostSNI(`*`)'), web('Host(`x`)')))).toBeNull()
  expect(udpRival(['elsewhere'], standing(udp))).toBeNull()
})

describe('who is to be reckoned with', () => {
  const named = (name: string, rule: string, protocol: ForeignRouter['protocol'] = 'tcp') => ({
    ...router(protocol, rule),
    name,
  })
  const before = [named('a@file', 'HostSNI(`old`)'), named('b@file', 'HostSNI(`b`)')]
  const shown = [named('a@file', 'HostSNI(`new`)')]

  test('whom a settled Traefik shows', () => {
    expect(foreignNow(shown, before, true)).toEqual(shown)
    expect(foreignNow([], before, true)).toEqual([])
  })

  test('until then also those from before, each once', () => {
    expect(foreignNow(shown, before, false)).toEqual([shown[0], before[1]])
    expect(foreignNow([], before, false)).toEqual(before)
  })

  test('one of the same name of another protocol is another', () => {
    const udp = named('a@file', '', 'udp')
    expect(foreignNow(shown, [udp], false)).toEqual([...shown, udp])
  })
})
