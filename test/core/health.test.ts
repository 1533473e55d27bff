import { describe, expect, test } from 'vitest'
import { type HealthMemory, NO_HEALTH, rememberDown } from '../../src/core/health.ts'
import type { ObservedRuntime, ObservedService } from '../../src/core/observed.ts'
import { compileLists, tcpRoute } from '../support/builders.ts'

const [A, B] = ['10.200.1.5:5432', '10.200.1.6:5432']
/** First asked after 2 s, and answered 1 s later at the latest. */
const CHECKED_AFTER_MS = 3_000

const outcomesOf = (upstreams: readonly string[], healthCheck: unknown = { interval: '2s', timeout: '1s' }) =>
  compileLists({ tcpRoutes: [tcpRoute({ upstreams, healthCheck })] }).outcomes

const OUTCOMES = outcomesOf([A, B])

function runtimeWith(down: readonly string[], servers: readonly string[] = [A, B]): ObservedRuntime {
  const service: ObservedService = { name: 'tcp_pg', protocol: 'tcp', status: 'enabled', errors: [], servers, down }
  return { foreignRouters: [], routers: [], beacons: ['x'], services: [service] }
}

const downIn = ({ services }: ObservedRuntime): readonly string[] => services.flatMap(({ down }) => down)

/** A body `one` in which B was found down, five seconds after it was applied. */
function withBDown(): HealthMemory {
  const first = rememberDown(NO_HEALTH, runtimeWith([]), OUTCOMES, 'one', 0)
  return rememberDown(first.memory, runtimeWith([B]), OUTCOMES, 'one', 5_000).memory
}

describe('what health checks found', () => {
  test('a new body begins with all servers up: the dead one stays dead', () => {
    const applied = rememberDown(withBDown(), runtimeWith([]), OUTCOMES, 'two', 6_000)
    expect(downIn(applied.runtime)).toEqual([B])
    const soon = rememberDown(applied.memory, runtimeWith([]), OUTCOMES, 'two', 6_000 + CHECKED_AFTER_MS - 1)
    expect(downIn(soon.runtime)).toEqual([B])
    const asked = rememberDown(soon.memory, runtimeWith([]), OUTCOMES, 'two', 6_000 + CHECKED_AFTER_MS)
    expect(asked).toEqual({ runtime: runtimeWith([]), memory: { body: 'two', sinceMs: 6_000, down: new Map() } })
  })

  test('one after the other, bodies never revive it', () => {
    let memory = withBDown()
    for (let second = 6; second < 60; second++) {
      const next = rememberDown(memory, runtimeWith([]), OUTCOMES, `body ${second}`, second * 1_000)
      expect(downIn(next.runtime)).toEqual([B])
      memory = next.memory
    }
  })

  test('within one body Traefik is believed', () => {
    const back = rememberDown(withBDown(), runtimeWith([]), OUTCOMES, 'one', 5_100)
    expect(downIn(back.runtime)).toEqual([])
  })

  test('a server that is gone from the route is forgotten', () => {
    const changed = rememberDown(withBDown(), runtimeWith([], [A]), outcomesOf([A]), 'two', 6_000)
    expect(downIn(changed.runtime)).toEqual([])
  })

  test('what Traefik finds is joined with what is known', () => {
    const both = rememberDown(withBDown(), runtimeWith([A]), OUTCOMES, 'two', 6_000)
    expect(downIn(both.runtime)).toEqual([A, B])
  })

  test('without a health check nothing is remembered', () => {
    const changed = rememberDown(withBDown(), runtimeWith([]), outcomesOf([A, B], null), 'two', 6_000)
    expect(downIn(changed.runtime)).toEqual([])
  })
})
