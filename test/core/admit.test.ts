import { describe, expect, test } from 'vitest'
import { admit, type NodeSettings } from '../../src/core/admit.ts'
import type { Route } from '../../src/core/route.ts'
import { type Network, parseNetwork } from '../../src/core/upstream.ts'
import { httpRoute, NODE, nodeWith, portSet, stateWith, tcpRoute, udpRoute } from '../support/builders.ts'

const NAMED_ONLY = new Set([443])

const route = (lists: Parameters<typeof stateWith>[0]): Route => {
  const [first] = stateWith(lists).routes
  if (first === undefined) throw new Error('a route')
  return first
}
const tcp = (fields: object) => route({ tcpRoutes: [{ ...tcpRoute(), ...fields }] })
const udp = (fields: object) => route({ udpRoutes: [{ ...udpRoute(), ...fields }] })

const network = (text: string): Network => {
  const parsed = parseNetwork(text)
  if (parsed === null) throw new Error(text)
  return parsed
}
const policyWith = (change: Partial<NodeSettings['policy']>): NodeSettings =>
  nodeWith({ policy: { ...NODE.policy, ...change } })

/** `CODE field value` for each fault. */
const faults = (given: Route, node: NodeSettings = NODE): string[] =>
  admit(given, 'cp', node, NAMED_ONLY).map(({ code, field, value }) => `${code} ${field} ${value}`)

describe('ports', () => {
  test.each([
    ['within the pool', tcp({}), []],
    ['at its ends', tcp({ externalPort: 10000, externalPortEnd: 10009 }), []],
    ['outside', tcp({ externalPort: 5432 }), ['PORT_OUT_OF_RANGE externalPort 5432']],
    ['of the other protocol', tcp({ externalPort: 11000 }), ['PORT_OUT_OF_RANGE externalPort 11000']],
    [
      'a block that leaves the pool',
      udp({ externalPort: 11008, externalPortEnd: 11012 }),
      ['PORT_OUT_OF_RANGE externalPortEnd 11010'],
    ],
    ['HTTP without a port', route({ routes: [httpRoute()] }), []],
  ])('%s', (_, given, expected) => {
    expect(faults(given)).toEqual(expected)
  })

  test('the problem is whole', () => {
    expect(admit(tcp({ externalPort: 5432 }), 'a.yaml', NODE, NAMED_ONLY)).toEqual([
      {
        code: 'PORT_OUT_OF_RANGE',
        protocol: 'tcp',
        routeId: 'pg',
        field: 'externalPort',
        value: '5432',
        message: 'port 5432 is outside 10000-10009',
        remedy: 'Choose a port of 10000-10009, or add this one to ports.tcp on the node.',
        origin: 'a.yaml',
      },
    ])
  })

  test('a scattered pool does not fill the message', () => {
    const ports = portSet(Array.from({ length: 5000 }, (_, i) => String(10_000 + 2 * i)).join(','))
    const [problem] = admit(
      tcp({ externalPort: 5432 }),
      'cp',
      nodeWith({ ports: { tcp: ports, udp: ports } }),
      NAMED_ONLY,
    )
    expect(problem?.message).toMatch(/^port 5432 is outside 10000,10002,.*\.\.\.$/)
    expect(problem?.message.length).toBeLessThan(160)
  })

  test('a port that carries HTTP needs a host name', () => {
    const node = nodeWith({ ports: { tcp: portSet('443,10000-10009'), udp: NODE.ports.udp } })
    expect(faults(tcp({ externalPort: 443 }), node)).toEqual(['HOST_NAME_REQUIRED externalPort 443'])
    expect(faults(tcp({ externalPort: 443, tls: 'passthrough' }), node)).toEqual([
      'HOST_NAME_REQUIRED externalPort 443',
    ])
    expect(faults(tcp({ externalPort: 443, sniHostname: 'db.example.com' }), node)).toEqual([])
  })
})

describe('upstreams', () => {
  test('each that is not allowed is a fault', () => {
    const upstreams = ['10.0.0.1:1', '127.0.0.1:5432', 'db.internal:1', '169.254.169.254:80', '[::1]:1']
    expect(faults(tcp({ upstreams }))).toEqual([
      'UPSTREAM_NOT_ALLOWED upstreams[1] 127.0.0.1:5432',
      'UPSTREAM_NOT_ALLOWED upstreams[2] db.internal:1',
      'UPSTREAM_NOT_ALLOWED upstreams[3] 169.254.169.254:80',
      'UPSTREAM_NOT_ALLOWED upstreams[4] [::1]:1',
    ])
  })

  test('HTTP upstreams are judged alike', () => {
    const upstreams = [{ url: '10.0.0.1' }, { url: 'https://127.0.0.1' }]
    expect(faults(route({ routes: [httpRoute({ upstreams })] }))).toEqual([
      'UPSTREAM_NOT_ALLOWED upstreams[1].url https://127.0.0.1:443',
    ])
  })

  test('all faults of a route are told', () => {
    expect(faults(tcp({ externalPort: 5432, upstreams: ['127.0.0.1:1'] }))).toEqual([
      'PORT_OUT_OF_RANGE externalPort 5432',
      'UPSTREAM_NOT_ALLOWED upstreams[0] 127.0.0.1:1',
    ])
  })

  // The node itself has 192.0.2.10 and answers on 80, 443, 7480, 7481 and 8080.
  test.each([
    ['a block over no port of the node', '192.0.2.10:8000', {}, []],
    ['a block over one', '192.0.2.10:8076', {}, ['UPSTREAM_NOT_ALLOWED upstreams[0] 192.0.2.10:8080']],
    ['over two: the first is named', '192.0.2.10:7475', {}, ['UPSTREAM_NOT_ALLOWED upstreams[0] 192.0.2.10:7480']],
    ['the same numbers elsewhere', '10.0.0.1:7475', {}, []],
    [
      'loopback allowed, over a port of the node',
      '127.0.0.1:8076',
      { allow: [network('127.0.0.0/8')] },
      ['UPSTREAM_NOT_ALLOWED upstreams[0] 127.0.0.1:8080'],
    ],
    [
      'loopback allowed for one port alone',
      '127.0.0.1:9000',
      { allow: [network('127.0.0.1:9000')] },
      ['UPSTREAM_NOT_ALLOWED upstreams[0] 127.0.0.1:9001'],
    ],
    [
      'loopback allowed for all of its ports',
      '127.0.0.1:9000',
      { allow: Array.from({ length: 10 }, (_, i) => network(`127.0.0.1:900${i}`)) },
      [],
    ],
    [
      'one port denied',
      '10.0.0.1:9000',
      { deny: [network('10.0.0.1:9003')] },
      ['UPSTREAM_NOT_ALLOWED upstreams[0] 10.0.0.1:9003'],
    ],
    [
      'only one port',
      '10.0.0.1:9000',
      { only: [network('10.0.0.1:9000')] },
      ['UPSTREAM_NOT_ALLOWED upstreams[0] 10.0.0.1:9001'],
    ],
    ['a name', 'db.internal:9000', { hostNames: true }, []],
  ])('%s', (_, upstream, policy, expected) => {
    const block = { externalPort: 10000, externalPortEnd: 10009, upstreams: [upstream] }
    expect(faults(tcp(block), policyWith(policy))).toEqual(expected)
    expect(
      faults(tcp({ ...block, upstreams: ['10.9.9.9:1', upstream] }), policyWith({ ...policy, only: [] })).length,
    ).toBe('only' in policy ? 0 : expected.length)
  })

  test('the whole range with a policy of its own is judged', () => {
    const ports = { tcp: portSet('1-65535'), udp: NODE.ports.udp }
    const wide = tcp({ externalPort: 1, externalPortEnd: 65_535, upstreams: ['10.0.0.1:1'] })
    expect(faults(wide, nodeWith({ ports }))).toEqual(['HOST_NAME_REQUIRED externalPort 443'])
  })
})
