import { describe, expect, test } from 'vitest'
import { type Health, type HealthMemory, NO_HEALTH, rememberHealth } from '../../src/core/health.ts'
import type { ObservedRuntime, ObservedService } from '../../src/core/observed.ts'
import { compileLists, tcpRoute, traefikWith, viewOf } from '../support/builders.ts'

const [A, B] = ['10.200.1.5:5432', '10.200.1.6:5432']
/** First asked after 2 s, and answered 1 s later at the latest. */
const CHECKED_AFTER_MS = 3_000

const compiledOf = (
  upstreams: readonly string[],
  healthCheck: unknown = { interval: '2s', timeout: '1s' },
  version = '3.7.15',
) => compileLists({ tcpRoutes: [tcpRoute({ upstreams, healthCheck })] }, { view: viewOf(traefikWith({ version })) })

const COMPILED = compiledOf([A, B])

function runtimeWith(down: readonly string[], servers: readonly string[] = [A, B]): ObservedRuntime {
  const service: ObservedService = { name: 'tcp_pg', protocol: 'tcp', status: 'enabled', errors: [], servers, down }
  return { foreignRouters: [], routers: [], beacons: ['x'], services: [service] }
}

const look = (
  memory: HealthMemory,
  runtime: ObservedRuntime,
  body: string,
  readAtMs: number,
  compiled = COMPILED,
  startedAtMs: number | null = null,
): Health => rememberHealth(memory, { runtime, body, readAtMs, startedAtMs }, compiled)

const downIn = ({ runtime: { services } }: Health): readonly string[] => services.flatMap(({ down }) => down)
const unaskedIn = ({ unasked }: Health) => Object.fromEntries(unasked)

/** A body `one` in which B was found down, five seconds after it was applied. */
function withBDown(): HealthMemory {
  const first = look(NO_HEALTH, runtimeWith([]), 'one', 0)
  return look(first.memory, runtimeWith([B]), 'one', 5_000).memory
}

describe('what health checks found', () => {
  test('a new body begins with all servers up: the dead one stays dead', () => {
    const applied = look(withBDown(), runtimeWith([]), 'two', 6_000)
    expect(downIn(applied)).toEqual([B])
    const soon = look(applied.memory, runtimeWith([]), 'two', 6_000 + CHECKED_AFTER_MS - 1)
    expect(downIn(soon)).toEqual([B])
    const asked = look(soon.memory, runtimeWith([]), 'two', 6_000 + CHECKED_AFTER_MS)
    expect(asked).toEqual({
      runtime: runtimeWith([]),
      unasked: new Map([['tcp/tcp_pg', []]]),
      memory: { body: 'two', sinceMs: 6_000, down: new Map(), asked: new Map([['tcp/tcp_pg', [A, B]]]) },
    })
  })

  test('one after the other, bodies never revive it', () => {
    let memory = withBDown()
    for (let second = 6; second < 60; second++) {
      const next = look(memory, runtimeWith([]), `body ${second}`, second * 1_000)
      expect(downIn(next)).toEqual([B])
      memory = next.memory
    }
  })

  test('within one body Traefik is believed', () => {
    expect(downIn(look(withBDown(), runtimeWith([]), 'one', 5_100))).toEqual([])
  })

  test('a clock that was set back begins the time anew, and no more', () => {
    const later = 365 * 86_400_000
    const applied = look(withBDown(), runtimeWith([]), 'two', later)
    const back = look(applied.memory, runtimeWith([]), 'two', 10_000)
    expect(downIn(back)).toEqual([B])
    expect(downIn(look(back.memory, runtimeWith([]), 'two', 10_000 + CHECKED_AFTER_MS - 1))).toEqual([B])
    expect(downIn(look(back.memory, runtimeWith([]), 'two', 10_000 + CHECKED_AFTER_MS))).toEqual([])
  })

  test('a server that is gone from the route is forgotten', () => {
    expect(downIn(look(withBDown(), runtimeWith([], [A]), 'two', 6_000, compiledOf([A])))).toEqual([])
  })

  test('what Traefik finds is joined with what is known', () => {
    expect(downIn(look(withBDown(), runtimeWith([A]), 'two', 6_000))).toEqual([A, B])
  })

  test('each server is down once, in the order of their names', () => {
    const body = runtimeWith([A, B])
    const memory = look(look(NO_HEALTH, runtimeWith([]), 'one', 0).memory, body, 'one', 5_000).memory
    expect(downIn(look(memory, runtimeWith([B]), 'two', 6_000))).toEqual([A, B])
    expect(downIn(look(memory, body, 'two', 6_000))).toEqual([A, B])
  })

  test('without a health check nothing is remembered', () => {
    const changed = look(withBDown(), runtimeWith([]), 'two', 6_000, compiledOf([A, B], null))
    expect([downIn(changed), unaskedIn(changed)]).toEqual([[], {}])
  })
})

describe('what no health check has asked yet', () => {
  test('all servers of a new body, until the first check is over', () => {
    const first = look(NO_HEALTH, runtimeWith([]), 'one', 1_000)
    expect(unaskedIn(first)).toEqual({ 'tcp/tcp_pg': [A, B] })
    const soon = look(first.memory, runtimeWith([]), 'one', 999 + CHECKED_AFTER_MS)
    expect(unaskedIn(soon)).toEqual({ 'tcp/tcp_pg': [A, B] })
    expect(unaskedIn(look(soon.memory, runtimeWith([]), 'one', 1_000 + CHECKED_AFTER_MS))).toEqual({ 'tcp/tcp_pg': [] })
  })

  test('a newcomer beside one that was asked', () => {
    const only = look(NO_HEALTH, runtimeWith([], [A]), 'one', 0, compiledOf([A]))
    const asked = look(only.memory, runtimeWith([], [A]), 'one', CHECKED_AFTER_MS, compiledOf([A]))
    expect(unaskedIn(look(asked.memory, runtimeWith([]), 'two', 9_000))).toEqual({ 'tcp/tcp_pg': [B] })
  })

  test('a server that was found down was asked', () => {
    const first = look(NO_HEALTH, runtimeWith([]), 'one', 0)
    expect(unaskedIn(look(first.memory, runtimeWith([B]), 'one', 2_100))).toEqual({ 'tcp/tcp_pg': [A] })
  })

  test('a Traefik that runs for long has asked them all', () => {
    expect(unaskedIn(look(NO_HEALTH, runtimeWith([]), 'one', 60_000, COMPILED, 1_000))).toEqual({ 'tcp/tcp_pg': [] })
  })

  test('one without a body of ours has not', () => {
    const empty = look(NO_HEALTH, { ...runtimeWith([], []), beacons: [] }, 'none', 60_000, COMPILED, 1_000)
    expect(unaskedIn(look(empty.memory, runtimeWith([]), 'one', 61_000, COMPILED, 1_000))).toEqual({
      'tcp/tcp_pg': [A, B],
    })
  })

  test('a Traefik that has no checks on TCP asks nobody', () => {
    const old = compiledOf([A, B], undefined, '3.3.0')
    expect(unaskedIn(look(NO_HEALTH, runtimeWith([]), 'one', 0, old))).toEqual({})
  })
})
