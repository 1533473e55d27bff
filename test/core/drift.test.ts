import { describe, expect, test } from 'vitest'
import { countDrift, detectChanges, findDrift, foreignOn, NO_DRIFT, reconcileOne } from '../../src/core/drift.ts'
import type { DynamicConfig } from '../../src/core/dynamic-config.ts'
import type { ForeignRouter } from '../../src/core/observed.ts'
import { makeSnapshot } from '../../src/core/payload.ts'
import { compileLists, httpRoute, tcpRoute, udpRoute } from '../support/builders.ts'
import { rawdataOf, runtimeOf } from '../support/observed.ts'

const EVERY_KIND = {
  routes: [httpRoute({ redirectToHttps: true }), httpRoute({ id: 'two', domain: 'b.example.com' })],
  tcpRoutes: [
    tcpRoute(),
    tcpRoute({ id: 'sni', externalPort: 10002, sniHostname: 'a.example.com' }),
    tcpRoute({ id: 'ended', externalPort: 10002, sniHostname: 'b.example.com', tls: 'terminate' }),
    tcpRoute({ id: 'parts', externalPort: 10003, upstreams: ['10.200.1.5:1', '10.200.1.6:1'], weights: [1, 2] }),
    tcpRoute({ id: 'block', externalPort: 10004, externalPortEnd: 10005 }),
  ],
  udpRoutes: [udpRoute()],
}

const { config } = compileLists(EVERY_KIND)
const { hash } = makeSnapshot(config)
const NOBODY: ReadonlySet<string> = new Set()

type Raw = Record<string, Record<string, unknown>>

/** What Traefik shows of the configuration, after somebody has changed it. */
function shown(change: (raw: Raw) => void, of: DynamicConfig = config) {
  const raw: Raw = structuredClone(rawdataOf(of, hash))
  change(raw)
  return runtimeOf(raw)
}

const entry = (raw: Raw, map: string, name: string): Record<string, unknown> => {
  const found = raw[map]?.[name]
  if (typeof found !== 'object' || found === null) throw new Error(`no ${name} in ${map}`)
  return { ...found }
}

const change = (map: string, name: string, fields: object) => (raw: Raw) => {
  raw[map] = { ...raw[map], [name]: { ...entry(raw, map, name), ...fields } }
}
const remove = (map: string, name: string) => (raw: Raw) => {
  entry(raw, map, name)
  delete raw[map]?.[name]
}
const add = (map: string, name: string, value: object) => (raw: Raw) => {
  raw[map] = { ...raw[map], [name]: value }
}
const servers = (...addresses: string[]) => ({ loadBalancer: { servers: addresses.map(address => ({ address })) } })

describe('what Traefik shows as it was compiled', () => {
  test('every kind of route is no drift', () => {
    expect(
      findDrift(
        config,
        hash,
        shown(() => {}),
        NOBODY,
      ),
    ).toEqual(NO_DRIFT)
  })

  test('nothing at all is no drift', () => {
    const empty = makeSnapshot({})
    expect(findDrift({}, empty.hash, runtimeOf(rawdataOf({})), NOBODY)).toEqual(NO_DRIFT)
  })

  test('what Traefik adds of its own is no drift', () => {
    const more = change('tcpRouters', 'tcp_pg@http', { ruleSyntax: 'default', observability: { accessLogs: true } })
    expect(findDrift(config, hash, shown(more), NOBODY)).toEqual(NO_DRIFT)
  })

  test('routers of others are no drift', () => {
    const others = (raw: Raw) => {
      add('tcpRouters', 'theirs@file', { using: ['tcp-10001'], rule: 'HostSNI(`*`)', service: 'x' })(raw)
      add('tcpServices', 'theirs@file', servers('10.0.0.1:1'))(raw)
    }
    expect(findDrift(config, hash, shown(others), NOBODY)).toEqual(NO_DRIFT)
  })
})

describe('what differs', () => {
  test.each<[string, (raw: Raw) => void, string[]]>([
    ['a router is gone', remove('tcpRouters', 'tcp_pg@http'), ['missing tcp router tcp_pg']],
    ['a service is gone', remove('udpServices', 'udp_dns@http'), ['missing udp service udp_dns']],
    [
      'a tombstone is gone',
      remove('tcpRouters', 'tombstone_tcp-10009@http'),
      ['missing tcp router tombstone_tcp-10009'],
    ],
    ['a router of nobody', add('udpRouters', 'x@http', { using: ['udp-11001'], service: 'x' }), ['extra udp router x']],
    ['a service of nobody', add('services', 'x@http', {}), ['extra http service x']],
    ['another rule', change('routers', 'http_web@http', { rule: 'Host(`x`)' }), ['different http router http_web']],
    ['another priority', change('tcpRouters', 'tcp_sni@http', { priority: 1 }), ['different tcp router tcp_sni']],
    ['another service', change('tcpRouters', 'tcp_sni@http', { service: 'x' }), ['different tcp router tcp_sni']],
    ['another entry point', change('udpRouters', 'udp_dns@http', { using: ['x'] }), ['different udp router udp_dns']],
    ['no TLS', change('tcpRouters', 'tcp_sni@http', { tls: undefined }), ['different tcp router tcp_sni']],
    [
      'TLS that is ended',
      change('tcpRouters', 'tcp_sni@http', { tls: { passthrough: false } }),
      ['different tcp router tcp_sni'],
    ],
    ['another upstream', change('tcpServices', 'tcp_pg@http', servers('10.0.0.1:1')), ['different tcp service tcp_pg']],
    [
      'one more upstream',
      change('udpServices', 'udp_dns@http', servers('10.200.1.9:53', '10.0.0.1:1')),
      ['different udp service udp_dns'],
    ],
    [
      'a disabled router, in the words of Traefik',
      change('tcpRouters', 'tcp_pg@http', { status: 'disabled', error: ['no', 'never'] }),
      ['disabled tcp router tcp_pg: no; never'],
    ],
    [
      'a disabled service without a reason',
      change('services', 'http_web@http', { status: 'disabled' }),
      ['disabled http service http_web'],
    ],
  ])('%s', (_, somebody, expected) => {
    const { entries, beaconMissing } = findDrift(config, hash, shown(somebody), NOBODY)
    expect(
      entries.map(
        ({ kind, protocol, what, name, detail }) =>
          `${kind} ${protocol} ${what} ${name}${detail === null ? '' : `: ${detail}`}`,
      ),
    ).toEqual(expected)
    expect(beaconMissing).toBe(false)
  })

  test('the sections that differ are named', () => {
    const both = (raw: Raw) => {
      remove('routers', 'http_web@http')(raw)
      remove('udpServices', 'udp_dns@http')(raw)
    }
    expect(detectChanges(config, shown(both))).toEqual(['http', 'udp'])
    expect(findDrift(config, hash, shown(both), NOBODY).sections).toEqual(['http', 'udp'])
  })

  test('a Traefik that has lost all misses all, and the beacon', () => {
    const drift = findDrift(config, hash, runtimeOf({ routers: {}, services: {} }), NOBODY)
    const parts = [config.http, config.tcp, config.udp].flatMap(section => [
      ...Object.keys(section?.routers ?? {}),
      ...Object.keys(section?.services ?? {}),
    ])
    expect(countDrift(drift)).toEqual({ missing: parts.length, extra: 0, different: 0, disabled: 0 })
    expect([drift.beaconMissing, drift.sections]).toEqual([true, ['http', 'tcp', 'udp']])
  })

  test('the body of somebody else is all extra', () => {
    const theirs = compileLists({ tcpRoutes: [tcpRoute({ id: 'theirs' })] }).config
    const drift = findDrift({}, makeSnapshot({}).hash, runtimeOf(rawdataOf(theirs)), NOBODY)
    expect(drift.beaconMissing).toBe(true)
    expect(new Set(drift.entries.map(({ kind }) => kind))).toEqual(new Set(['extra']))
  })

  test('each kind is counted', () => {
    const all = (raw: Raw) => {
      remove('tcpRouters', 'tcp_pg@http')(raw)
      change('tcpRouters', 'tcp_sni@http', { priority: 1 })(raw)
      change('tcpRouters', 'tcp_ended@http', { status: 'disabled' })(raw)
      add('udpRouters', 'x@http', { using: ['udp-11001'], service: 'x' })(raw)
    }
    expect(countDrift(findDrift(config, hash, shown(all), NOBODY))).toEqual({
      missing: 1,
      different: 1,
      disabled: 1,
      extra: 1,
    })
  })
})

describe('routers of other providers', () => {
  const foreign = (name: string, ...entryPoints: string[]): ForeignRouter => ({
    name,
    protocol: 'tcp',
    entryPoints,
    rule: null,
    tls: false,
  })

  test('those on our entry points are named', () => {
    const mine = foreign('a@file', 'x', 'tcp-10001')
    const runtime = { ...shown(() => {}), foreignRouters: [mine, foreign('b@file', 'web'), foreign('c@docker')] }
    expect(foreignOn(new Set(['tcp-10001', 'udp-11000']), runtime)).toEqual([mine])
    expect(findDrift(config, hash, runtime, new Set(['tcp-10001']))).toEqual({ ...NO_DRIFT, foreign: [mine] })
  })
})

describe('reconcileOne', () => {
  const entry = { kind: 'disabled', protocol: 'tcp', what: 'router', name: 'tcp_pg', detail: null } as const
  test.each([
    ['nothing is found', NO_DRIFT, 'nothing'],
    ['the body is gone', { ...NO_DRIFT, beaconMissing: true, entries: [entry] }, 'send-again'],
    ['a router is disabled', { ...NO_DRIFT, entries: [entry] }, 'tell'],
  ] as const)('when %s', (_, drift, step) => {
    expect(reconcileOne(drift)).toBe(step)
  })
})
