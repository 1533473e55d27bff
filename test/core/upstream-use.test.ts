import { describe, expect, test } from 'vitest'
import type { ObservedRouter, ObservedRuntime, ObservedService } from '../../src/core/observed.ts'
import type { Protocol } from '../../src/core/problem.ts'
import { upstreamUse } from '../../src/core/upstream-use.ts'

const router = (protocol: Protocol, name: string, entryPoints: string[], service = name): ObservedRouter => ({
  name,
  protocol,
  entryPoints,
  rule: null,
  service,
  priority: null,
  tls: false,
  passthrough: false,
  status: 'enabled',
  errors: [],
})

const service = (protocol: Protocol, name: string, servers: string[], down: string[] = []): ObservedService => ({
  name,
  protocol,
  status: 'enabled',
  errors: [],
  servers,
  down,
})

const runtime = (routers: ObservedRouter[], services: ObservedService[]): ObservedRuntime => ({
  foreignRouters: [],
  routers,
  services,
  beacons: [],
})

const A = '10.0.0.1:5432'
const B = '10.0.0.2:5432'

describe('upstreamUse', () => {
  test('an empty Traefik gives no rows', () => {
    expect(upstreamUse(runtime([], []))).toEqual([])
  })

  test.each<[name: string, routers: ObservedRouter[], services: ObservedService[], expected: unknown[]]>([
    [
      'a route with one upstream down',
      [router('tcp', 'tcp_pg', ['tcp-10001'])],
      [service('tcp', 'tcp_pg', [A, B], [B])],
      [{ protocol: 'tcp', entryPoint: 'tcp-10001', total: 2, down: 1 }],
    ],
    [
      'the parts of a weighted service',
      [router('tcp', 'tcp_pg', ['tcp-10001'])],
      [service('tcp', 'tcp_pg', []), service('tcp', 'tcp_pg.s0', [A]), service('tcp', 'tcp_pg.s1', [B], [B])],
      [{ protocol: 'tcp', entryPoint: 'tcp-10001', total: 2, down: 1 }],
    ],
    [
      'a block of ports, number by number',
      [router('tcp', 'tcp_b.10001', ['tcp-10001']), router('tcp', 'tcp_b.10002', ['tcp-10002'])],
      [service('tcp', 'tcp_b.10001', [A]), service('tcp', 'tcp_b.10002', [B], [B])],
      [
        { protocol: 'tcp', entryPoint: 'tcp-10001', total: 1, down: 0 },
        { protocol: 'tcp', entryPoint: 'tcp-10002', total: 1, down: 1 },
      ],
    ],
    [
      'routes that share a port by name add up',
      [router('tcp', 'tcp_a', ['tcp-10001']), router('tcp', 'tcp_b', ['tcp-10001'])],
      [service('tcp', 'tcp_a', [A]), service('tcp', 'tcp_b', [B], [B])],
      [{ protocol: 'tcp', entryPoint: 'tcp-10001', total: 2, down: 1 }],
    ],
    [
      'two routers of one route count once',
      [router('tcp', 'tcp_pg', ['tcp-10001']), router('tcp', 'tcp_pg.tls', ['tcp-10001'], 'tcp_pg')],
      [service('tcp', 'tcp_pg', [A])],
      [{ protocol: 'tcp', entryPoint: 'tcp-10001', total: 1, down: 0 }],
    ],
    [
      'one name on TCP and on UDP',
      [router('udp', 'udp_dns', ['dns']), router('tcp', 'tcp_dns', ['dns'])],
      [service('udp', 'udp_dns', [A, B]), service('tcp', 'tcp_dns', [A])],
      [
        { protocol: 'tcp', entryPoint: 'dns', total: 1, down: 0 },
        { protocol: 'udp', entryPoint: 'dns', total: 2, down: 0 },
      ],
    ],
    [
      'tombstones and challenges are no routes',
      [router('tcp', 'tombstone_tcp-10001', ['tcp-10001'], 'tombstone'), router('http', 'challenge', ['web'])],
      [service('tcp', 'tombstone', []), service('http', 'challenge', ['http://cp'])],
      [],
    ],
    [
      'a router whose service is not there has none',
      [router('tcp', 'tcp_pg', ['tcp-10001'])],
      [],
      [{ protocol: 'tcp', entryPoint: 'tcp-10001', total: 0, down: 0 }],
    ],
  ])('%s', (_name, routers, services, expected) => {
    expect(upstreamUse(runtime(routers, services))).toEqual(expected)
    expect(upstreamUse(runtime(routers.toReversed(), services.toReversed()))).toEqual(expected)
  })
})
