import { describe, expect, test } from 'vitest'
import { createGuards, type Guards } from '../../src/agent/guards.ts'
import type { SourceReading } from '../../src/agent/sources/source.ts'
import { contentHash } from '../../src/core/hash.ts'
import { tcpRoute, udpRoute } from '../support/builders.ts'
import { readingOf } from '../support/readings.ts'

const POLICY = { minRoutes: 10, maxRatio: 0.5, settleMs: 30_000 }

const many = (count: number, from = 0, change: Partial<SourceReading> = {}): SourceReading =>
  readingOf({ tcpRoutes: Array.from({ length: count }, (_, i) => tcpRoute({ id: `r${from + i}` })) }, change)

type Guarded = { readonly guards: Guards; advance(ms: number): void }

function guarded(): Guarded {
  let passed = 0
  return {
    guards: createGuards(
      POLICY,
      () => 1_000_000 + passed,
      () => passed,
    ),
    advance(ms) {
      passed += ms
    },
  }
}

const heldIds = (held: readonly { readonly route: { readonly id: string } }[]): string[] =>
  held.map(({ route }) => route.id)

describe('a held removal', () => {
  test('it stays beside what is read, and is told', () => {
    const { guards } = guarded()
    guards.pass('control-plane', many(20))
    const passed = guards.pass('control-plane', many(8, 12))
    expect(heldIds(passed.routes)).toEqual(heldIds(many(8, 12).routes))
    expect(heldIds(passed.held)).toEqual(heldIds(many(12).routes))
    expect(guards.held()).toEqual([
      {
        source: 'control-plane',
        hash: contentHash(
          many(12)
            .routes.map(({ route }) => `tcp/${route.id}`)
            .sort(),
        ),
        removals: heldIds(many(12).routes)
          .map(id => `tcp/${id}`)
          .sort(),
        reason: 'ratio',
        message: 'the new state drops 12 of 20 routes',
        untilMs: null,
      },
    ])
    expect(guards.reasons().get('tcp/r0')).toBe('the new state drops 12 of 20 routes')
    expect(guards.reasons().has('tcp/r12')).toBe(false)
    expect(guards.settlesInMs()).toBeNull()
  })

  test('accepting all lets it through, once', () => {
    const { guards } = guarded()
    guards.pass('control-plane', many(20))
    guards.pass('control-plane', many(8, 12))
    const hashes = guards.held().map(({ hash }) => hash)
    expect(guards.accept(null)).toEqual(hashes)
    expect(guards.pass('control-plane', many(8, 12)).held).toEqual([])
    expect([guards.held(), guards.accept(null)]).toEqual([[], []])
    // The same routes come back and vanish again: another accident.
    guards.pass('control-plane', many(20))
    expect(guards.pass('control-plane', many(8, 12)).held).toHaveLength(12)
  })

  test('only its own hash accepts it', () => {
    const { guards } = guarded()
    guards.pass('control-plane', many(20))
    guards.pass('control-plane', many(8, 12))
    const [held] = guards.held()
    expect(guards.accept('0'.repeat(64))).toEqual([])
    expect(guards.pass('control-plane', many(8, 12)).held).toHaveLength(12)
    expect(guards.accept(held?.hash ?? '')).toEqual([held?.hash])
    expect(guards.pass('control-plane', many(8, 12)).held).toEqual([])
  })

  test('what is accepted is what was shown', () => {
    const { guards } = guarded()
    guards.pass('control-plane', many(20))
    guards.pass('control-plane', many(8, 12))
    guards.accept(null)
    expect(guards.pass('control-plane', many(7, 13)).held).toHaveLength(13)
    // The person has accepted twelve; that does not wait for a state that drops these twelve.
    expect(guards.pass('control-plane', many(8, 12)).held).toHaveLength(12)
  })

  test('the control plane accepts it by its document, once', () => {
    const { guards } = guarded()
    guards.pass('control-plane', many(20))
    guards.pass('control-plane', many(8, 12))
    const acceptedHash = guards.held()[0]?.hash ?? ''
    expect(guards.pass('control-plane', many(8, 12, { acceptedHash })).held).toEqual([])
    guards.pass('control-plane', many(20, 0, { acceptedHash }))
    expect(guards.pass('control-plane', many(8, 12, { acceptedHash })).held).toHaveLength(12)
    // Said anew.
    guards.pass('control-plane', many(8, 12, { acceptedHash: null }))
    expect(guards.pass('control-plane', many(8, 12, { acceptedHash })).held).toEqual([])
  })
})

describe('two sources', () => {
  test('each is guarded for itself', () => {
    const { guards } = guarded()
    guards.pass('control-plane', many(20))
    guards.pass('files', many(20))
    expect(guards.pass('control-plane', many(8, 12)).held).toHaveLength(12)
    expect(guards.pass('files', many(20)).held).toEqual([])
    guards.pass('files', many(2, 18))
    expect(guards.held().map(({ source, removals, untilMs }) => [source, removals.length, untilMs])).toEqual([
      ['control-plane', 12, null],
      ['files', 18, 30_000],
    ])
  })

  test('one hash that both show accepts both', () => {
    const { guards } = guarded()
    for (const name of ['control-plane', 'files'] as const) {
      guards.pass(name, many(20))
      guards.pass(name, many(8, 12))
    }
    expect(new Set(guards.accept(null)).size).toBe(1)
    for (const name of ['control-plane', 'files'] as const) expect(guards.pass(name, many(8, 12)).held).toEqual([])
  })
})

describe('removals that settle', () => {
  test('the time until then runs down, and is over', () => {
    const { guards, advance } = guarded()
    const both = { tcpRoutes: [tcpRoute()], udpRoutes: [udpRoute()] }
    guards.pass('control-plane', readingOf(both))
    const withoutUdp = readingOf({ tcpRoutes: both.tcpRoutes })
    guards.pass('control-plane', withoutUdp)
    expect(guards.settlesInMs()).toBe(30_000)
    advance(29_000)
    guards.pass('control-plane', withoutUdp)
    expect(guards.settlesInMs()).toBe(1_000)
    advance(1_000)
    expect(guards.settlesInMs()).toBe(0)
    expect(guards.pass('control-plane', withoutUdp).held).toEqual([])
    expect(guards.settlesInMs()).toBeNull()
  })
})

describe('a restart', () => {
  /** As if by way of the disk. */
  function restarted(from: Guards, reading: SourceReading): Guarded {
    const next = guarded()
    const stored: unknown = JSON.parse(JSON.stringify(from.stored()))
    expect(stored).toEqual(from.stored())
    next.guards.restore(from.stored(), { 'control-plane': reading })
    return next
  }

  test('what was held is held again', () => {
    const { guards } = guarded()
    guards.pass('control-plane', many(20))
    guards.pass('control-plane', many(8, 12))
    const next = restarted(guards, many(8, 12))
    expect(next.guards.pass('control-plane', many(8, 12)).held).toHaveLength(12)
    expect(next.guards.held()).toEqual(guards.held())
  })

  test('removals of before count on', () => {
    const { guards } = guarded()
    guards.pass('control-plane', many(20))
    guards.pass('control-plane', many(10, 10))
    const next = restarted(guards, many(10, 10))
    expect(next.guards.pass('control-plane', many(9, 11)).held).toHaveLength(1)
  })

  test('the time that a hold has stood goes on', () => {
    const { guards, advance } = guarded()
    guards.pass('control-plane', many(9))
    guards.pass('control-plane', many(0))
    advance(20_000)
    guards.pass('control-plane', many(0))
    const next = restarted(guards, many(0))
    // The clock goes on over a restart.
    next.advance(25_000)
    expect(next.guards.pass('control-plane', many(0)).held).toHaveLength(9)
    expect(next.guards.settlesInMs()).toBe(5_000)
  })

  test('removals that are held are measured as before', () => {
    const { guards } = guarded()
    guards.pass('control-plane', many(20))
    guards.pass('control-plane', many(8, 12))
    const next = restarted(guards, many(8, 12))
    const more = [...many(8, 12).routes, ...many(40, 100).routes]
    expect(next.guards.pass('control-plane', { ...many(8, 12), routes: more }).held).toHaveLength(12)
  })

  test('a hold of a clock that was ahead settles all the same', () => {
    const ahead = guarded()
    ahead.advance(86_400_000)
    ahead.guards.pass('control-plane', many(9))
    ahead.guards.pass('control-plane', many(0))
    const next = restarted(ahead.guards, many(0))
    expect(next.guards.pass('control-plane', many(0)).held).toHaveLength(9)
    expect(next.guards.settlesInMs()).toBe(POLICY.settleMs)
    next.advance(POLICY.settleMs)
    expect(next.guards.pass('control-plane', many(0)).held).toEqual([])
  })

  test('a wipe that came while it was down is held', () => {
    const { guards } = guarded()
    guards.pass('control-plane', many(20))
    const next = restarted(guards, many(20))
    expect(next.guards.pass('control-plane', many(0)).held).toHaveLength(20)
  })

  test('a used hash stays used', () => {
    const { guards } = guarded()
    guards.pass('control-plane', many(20))
    guards.pass('control-plane', many(8, 12))
    const acceptedHash = guards.held()[0]?.hash ?? ''
    guards.pass('control-plane', many(20, 0, { acceptedHash }))
    guards.pass('control-plane', many(8, 12, { acceptedHash }))
    guards.pass('control-plane', many(20, 0, { acceptedHash }))
    const next = restarted(guards, many(20, 0, { acceptedHash }))
    expect(next.guards.pass('control-plane', many(8, 12, { acceptedHash })).held).toHaveLength(12)
  })

  test('a source that was not there before begins anew', () => {
    const { guards } = guarded()
    guards.restore({}, {})
    expect(guards.pass('files', many(20)).held).toEqual([])
    expect(guards.pass('files', many(1)).held).toHaveLength(19)
  })
})
