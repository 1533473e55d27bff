import { describe, expect, test } from 'vitest'
import { poolEntryPoints, poolUse } from '../../src/agent/metrics/pool-use.ts'
import type { ObservedEntryPoint } from '../../src/core/observed.ts'
import { compileLists, NODE, tcpRoute, udpRoute } from '../support/builders.ts'

const { outcomes } = compileLists({
  tcpRoutes: [
    tcpRoute({ id: 'a', externalPort: 10001 }),
    tcpRoute({ id: 'block', externalPort: 10002, externalPortEnd: 10004 }),
    tcpRoute({ id: 'late', externalPort: 10001 }),
  ],
  udpRoutes: [udpRoute({ externalPort: 11000 })],
})

const open = (protocol: 'tcp' | 'udp', ports: readonly number[]): ObservedEntryPoint[] =>
  ports.map(port => ({ name: `${protocol}-${port}`, address: `:${port}`, port, protocol }))

describe('poolUse', () => {
  test('numbers of served routes are used, the rest is free', () => {
    expect(poolUse('tcp', NODE.ports.tcp, outcomes, null)).toEqual({ used: 4, free: 6 })
    expect(poolUse('udp', NODE.ports.udp, outcomes, null)).toEqual({ used: 1, free: 9 })
  })

  test('a number without an entry point is not free', () => {
    const entryPoints = [...open('tcp', [10000, 10001, 10002, 10003, 10004]), ...open('udp', [10005, 10006])]
    expect(poolUse('tcp', NODE.ports.tcp, outcomes, entryPoints)).toEqual({ used: 4, free: 1, missing: 5 })
  })

  test('a route never counts as missing', () => {
    expect(poolUse('tcp', NODE.ports.tcp, outcomes, [])).toEqual({ used: 4, free: 0, missing: 6 })
  })
})

test('entry points of the pools are told by protocol and number', () => {
  const entryPoints = [
    ...open('tcp', [443, 10001]),
    ...open('udp', [10001, 11000]),
    { name: 'pg', address: '127.0.0.1:10002', port: 10002, protocol: 'tcp' as const },
  ]
  expect(poolEntryPoints(NODE.ports, entryPoints)).toEqual(new Set(['tcp-10001', 'udp-11000', 'pg']))
})
