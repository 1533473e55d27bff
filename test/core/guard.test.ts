import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import {
  EMPTY_GUARD,
  type GuardInput,
  type GuardMemory,
  type GuardResult,
  guard,
  type Held,
  type KeptRoute,
} from '../../src/core/guard.ts'
import { contentHash } from '../../src/core/hash.ts'
import { type RouteKey, routeKey } from '../../src/core/problem.ts'
import { httpRoute, stateWith, tcpRoute, udpRoute } from '../support/builders.ts'

const MINUTE = 60_000
const POLICY = { minRoutes: 10, maxRatio: 0.5, settleMs: 30_000 }

/** `tcp/a` as a route; its content does not matter to the guard, only its key and its end. */
function kept(key: string, fields: object = {}): KeptRoute {
  const [protocol, id] = key.split('/')
  const lists = {
    ...(protocol === 'http' ? { routes: [{ ...httpRoute({ id }), ...fields }] } : {}),
    ...(protocol === 'tcp' ? { tcpRoutes: [{ ...tcpRoute({ id }), ...fields }] } : {}),
    ...(protocol === 'udp' ? { udpRoutes: [{ ...udpRoute({ id }), ...fields }] } : {}),
  }
  const { routes, problems } = stateWith(lists)
  const [route] = routes
  if (route === undefined) throw new Error(problems[0]?.message)
  return { route, origin: 'test' }
}

const several = (count: number, prefix = 'r', from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `tcp/${prefix}${from + i}`)

type Step = Partial<Omit<GuardInput, 'routes'>> & { readonly keys: readonly string[] }

type Guarded = {
  /** One reading, and what came of it. */
  step(step: Step): GuardResult
  memory(): GuardMemory
}

function guarded(defaults: Partial<GuardInput> = {}): Guarded {
  let memory: GuardMemory = EMPTY_GUARD
  return {
    step({ keys, ...change }) {
      const result = guard(memory, {
        kind: 'control-plane',
        removed: [],
        documents: 1,
        acceptedHashes: [],
        policy: POLICY,
        nowMs: 0,
        wallMs: 0,
        ...defaults,
        ...change,
        routes: keys.map(key => kept(key)),
      })
      memory = result.memory
      return result
    },
    memory: () => memory,
  }
}

const keysOf = ({ routes }: GuardResult, held: boolean): string[] =>
  routes.filter(entry => entry.held === held).map(({ route }) => `${route.protocol}/${route.id}`)

const heldKeys = (result: GuardResult): string[] => keysOf(result, true)

/** As the guard names them. */
const sorted = (keys: readonly string[]): RouteKey[] =>
  keys.toSorted().map(key => {
    const { route } = kept(key)
    return routeKey(route.protocol, route.id)
  })

describe('a large removal', () => {
  test.each([
    ['11 of 20', 20, 11, true],
    ['half of 20', 20, 10, false],
    ['6 of 10', 10, 6, true],
    ['5 of 10', 10, 5, false],
    ['8 of 9, fewer than the rule asks for', 9, 8, false],
    ['one of 2', 2, 1, false],
    ['599 of 1000', 1000, 599, true],
  ])('%s: held or not', (_, before, dropped, isHeld) => {
    const guards = guarded()
    guards.step({ keys: several(before) })
    const result = guards.step({ keys: several(before - dropped, 'r', dropped) })
    expect(heldKeys(result)).toEqual(isHeld ? several(dropped) : [])
    expect(keysOf(result, false)).toEqual(several(before - dropped, 'r', dropped))
    expect(result.held === null).toBe(!isHeld)
  })

  test('it is told with hash, keys, reason and sentence', () => {
    const guards = guarded()
    guards.step({ keys: several(20) })
    const keys = sorted(several(15))
    expect(guards.step({ keys: several(5, 'r', 15) }).held).toEqual({
      hash: contentHash(keys),
      removals: keys,
      reason: 'ratio',
      message: 'the new state drops 15 of 20 routes',
      untilMs: null,
    } satisfies Held)
  })

  test('no time lets it through', () => {
    const guards = guarded()
    guards.step({ keys: several(20) })
    for (const nowMs of [0, 31_000, 11 * MINUTE, 24 * 60 * MINUTE])
      expect(heldKeys(guards.step({ keys: several(5, 'r', 15), nowMs }))).toEqual(several(15))
  })

  test('its own hash accepts it, another does not', () => {
    const guards = guarded()
    guards.step({ keys: several(20) })
    const state = { keys: several(5, 'r', 15) }
    const hash = guards.step(state).held?.hash ?? ''
    expect(heldKeys(guards.step({ ...state, acceptedHashes: ['0'.repeat(64)] }))).toEqual(several(15))
    expect(guards.step({ ...state, acceptedHashes: ['0'.repeat(64), hash] })).toMatchObject({
      held: null,
      accepted: hash,
      memory: { hold: null },
    })
    expect(guards.step(state)).toMatchObject({ held: null, accepted: null })
  })

  test('a hash does not accept what came to it later', () => {
    const guards = guarded()
    guards.step({ keys: several(20) })
    const hash = guards.step({ keys: several(5, 'r', 15) }).held?.hash ?? ''
    const result = guards.step({ keys: several(4, 'r', 16), acceptedHashes: [hash] })
    expect(heldKeys(result).toSorted()).toEqual(several(16).toSorted())
    expect(result.accepted).toBeNull()
  })

  test('routes that come back are held no longer', () => {
    const guards = guarded()
    guards.step({ keys: several(20) })
    guards.step({ keys: several(5, 'r', 15) })
    const result = guards.step({ keys: several(20) })
    expect(result).toMatchObject({ held: null, memory: { hold: null } })
    expect(heldKeys(result)).toEqual([])
  })

  test('what is left of it when most came back goes', () => {
    const guards = guarded()
    guards.step({ keys: several(20) })
    guards.step({ keys: several(5, 'r', 15) })
    const result = guards.step({ keys: several(18, 'r', 2) })
    expect(result).toMatchObject({ held: null, memory: { hold: null } })
    expect(heldKeys(result)).toEqual([])
  })

  test('additions go on while it is held, and do not make it small', () => {
    const guards = guarded()
    guards.step({ keys: several(20) })
    guards.step({ keys: several(5, 'r', 15) })
    for (const added of [1, 10, 40]) {
      const result = guards.step({ keys: [...several(5, 'r', 15), ...several(added, 'new')] })
      expect(keysOf(result, false)).toEqual([...several(5, 'r', 15), ...several(added, 'new')])
      expect(heldKeys(result)).toEqual(several(15))
    }
  })
})

describe('a slow bleed', () => {
  test('a route a minute is held once half are gone', () => {
    const guards = guarded()
    guards.step({ keys: several(12) })
    const held: number[] = []
    for (let minute = 1; minute <= 8; minute++) {
      const result = guards.step({ keys: several(12 - minute, 'r', minute), nowMs: minute * MINUTE })
      held.push(heldKeys(result).length)
    }
    // The seventh makes more than half of twelve; from then on all that vanish are held.
    expect(held).toEqual([0, 0, 0, 0, 0, 0, 1, 2])
  })

  test('its sentence counts what went before', () => {
    const guards = guarded()
    guards.step({ keys: several(12) })
    guards.step({ keys: several(6, 'r', 6), nowMs: MINUTE })
    expect(guards.step({ keys: several(5, 'r', 7), nowMs: 2 * MINUTE }).held?.message).toBe(
      'the new state drops 1 of 6 routes, and leaves 5 of 12 that there were in the last ten minutes',
    )
  })

  test('removals count for ten minutes', () => {
    // The clock of a machine that runs for long is far from zero.
    const began = 400 * MINUTE
    const half = (): Guarded => {
      const guards = guarded()
      guards.step({ keys: several(12), nowMs: began - MINUTE })
      guards.step({ keys: several(6, 'r', 6), nowMs: began })
      return guards
    }
    const rest = several(5, 'r', 7)
    expect(heldKeys(half().step({ keys: rest, nowMs: began + 10 * MINUTE - 1 }))).toEqual(['tcp/r6'])
    expect(heldKeys(half().step({ keys: rest, nowMs: began + 10 * MINUTE }))).toEqual([])
  })

  test('what is held does not go when the window has passed', () => {
    const guards = guarded()
    guards.step({ keys: several(12) })
    guards.step({ keys: several(6, 'r', 6), nowMs: 0 })
    for (const nowMs of [MINUTE, 11 * MINUTE, 60 * MINUTE])
      expect(heldKeys(guards.step({ keys: several(5, 'r', 7), nowMs }))).toEqual(['tcp/r6'])
  })

  test('routes that are put in the place of others are none', () => {
    const guards = guarded()
    guards.step({ keys: several(5) })
    for (let i = 0; i < 40; i++) {
      const result = guards.step({ keys: [...several(5), `tcp/short${i}`], nowMs: i * 1000 })
      expect([i, heldKeys(result)]).toEqual([i, []])
    }
  })

  test('it counts from the most that there were', () => {
    const guards = guarded()
    for (const count of [12, 30, 20, 16]) expect(guards.step({ keys: several(count) }).held).toBeNull()
    expect(heldKeys(guards.step({ keys: several(14) }))).toEqual(['tcp/r14', 'tcp/r15'])
  })

  test('additions do not undo it while it is held', () => {
    const guards = guarded()
    guards.step({ keys: several(12) })
    guards.step({ keys: several(6) })
    guards.step({ keys: several(5) })
    const result = guards.step({ keys: [...several(5), ...several(20, 'new')] })
    expect(heldKeys(result)).toEqual(['tcp/r5'])
  })

  test('removals that were meant do not count', () => {
    const guards = guarded()
    guards.step({ keys: several(12) })
    guards.step({ keys: several(6, 'r', 6), removed: several(6) })
    expect(guards.step({ keys: several(5, 'r', 7) })).toMatchObject({ held: null })
  })
})

describe('a removal that was meant', () => {
  test.each([
    ['by key', several(15)],
    ['by bare id', several(15).map(key => key.slice(4))],
  ])('%s it goes at once', (_, removed) => {
    const guards = guarded()
    guards.step({ keys: several(20) })
    expect(guards.step({ keys: several(5, 'r', 15), removed })).toMatchObject({
      held: null,
      memory: { hold: null },
    })
  })

  test('a key of another protocol means another route', () => {
    const guards = guarded()
    guards.step({ keys: ['udp/a', 'tcp/a', 'tcp/b'] })
    expect(heldKeys(guards.step({ keys: ['tcp/a', 'tcp/b'], removed: ['tcp/a'] }))).toEqual(['udp/a'])
  })

  test('everything named in removed empties the node', () => {
    const guards = guarded()
    guards.step({ keys: several(20) })
    expect(guards.step({ keys: [], removed: several(20) })).toMatchObject({ held: null, routes: [] })
  })

  test('only the rest is held', () => {
    const guards = guarded()
    guards.step({ keys: several(30) })
    const result = guards.step({ keys: several(4, 'r', 26), removed: several(10) })
    expect(heldKeys(result)).toEqual(several(16, 'r', 10))
  })

  test('held routes go once they are named', () => {
    const guards = guarded()
    guards.step({ keys: several(20) })
    guards.step({ keys: several(5, 'r', 15) })
    expect(guards.step({ keys: several(5, 'r', 15), removed: several(15) })).toMatchObject({ held: null })
  })

  test('an ended route goes by itself, also when it was held', () => {
    const expiresAt = new Date(60_000).toISOString()
    const routes = several(20).map(key => kept(key, { expiresAt }))
    const input: GuardInput = {
      kind: 'control-plane',
      routes,
      removed: [],
      documents: 1,
      acceptedHashes: [],
      policy: POLICY,
      nowMs: 0,
      wallMs: 0,
    }
    const before = guard(EMPTY_GUARD, input).memory
    const held = guard(before, { ...input, routes: routes.slice(15), wallMs: 59_999 })
    expect(heldKeys(held)).toEqual(several(15))
    expect(guard(before, { ...input, routes: routes.slice(15), wallMs: 60_000 }).held).toBeNull()
    expect(guard(held.memory, { ...input, routes: routes.slice(15), wallMs: 60_000 }).held).toBeNull()
  })
})

describe('a control plane that has nothing left', () => {
  const few = ['tcp/a', 'tcp/b', 'udp/a', 'http/a']
  test.each<[string, readonly string[], readonly string[], readonly string[], string]>([
    ['nothing of anything', few, [], few, 'the new state has no route any more; there were 4'],
    ['nothing of one protocol', few, ['tcp/a', 'tcp/b', 'http/a'], ['udp/a'], 'no UDP route any more; there were 1'],
    [
      'nothing of two protocols',
      few,
      ['udp/a'],
      ['tcp/a', 'tcp/b', 'http/a'],
      'no HTTP or TCP route any more; there were 3',
    ],
    ['its only route', ['tcp/a'], [], ['tcp/a'], 'no route any more; there were 1'],
    [
      'nothing of one protocol, and less of another',
      few,
      ['tcp/a', 'http/a'],
      ['udp/a', 'tcp/b'],
      'the new state has no UDP route any more; there were 1',
    ],
    ['other routes of the protocol', ['tcp/a', 'udp/a'], ['tcp/b', 'udp/a'], [], ''],
    ['fewer of each protocol', [...few, 'udp/b'], ['tcp/a', 'udp/a', 'http/a'], [], ''],
  ])('%s: held or not', (_, before, after, expected, message) => {
    const guards = guarded()
    guards.step({ keys: before })
    const result = guards.step({ keys: after })
    expect(heldKeys(result).toSorted()).toEqual(expected.toSorted())
    if (expected.length === 0) expect(result.held).toBeNull()
    else expect(result.held).toMatchObject({ reason: 'all-gone', message: expect.stringContaining(message) })
  })

  test('it goes once it has stood for the settling time', () => {
    const guards = guarded()
    guards.step({ keys: ['tcp/a', 'udp/a'] })
    const state = { keys: ['tcp/a'] }
    expect(guards.step({ ...state, nowMs: 1000 }).held?.untilMs).toBe(31_000)
    expect(guards.step({ ...state, nowMs: 30_999 }).held?.untilMs).toBe(31_000)
    expect(guards.step({ ...state, nowMs: 31_000 })).toMatchObject({ held: null, accepted: null })
  })

  test('time does not pass for it while the routes are there', () => {
    const guards = guarded()
    guards.step({ keys: ['tcp/a', 'udp/a'] })
    guards.step({ keys: ['tcp/a'], nowMs: 0 })
    guards.step({ keys: ['tcp/a', 'udp/a'], nowMs: 20_000 })
    expect(guards.step({ keys: ['tcp/a'], nowMs: 29_000 }).held?.untilMs).toBe(59_000)
  })

  test('another removal begins its time anew', () => {
    const guards = guarded()
    guards.step({ keys: ['tcp/a', 'udp/a', 'http/a'] })
    guards.step({ keys: ['tcp/a', 'http/a'], nowMs: 0 })
    expect(guards.step({ keys: ['tcp/a'], nowMs: 29_000 }).held?.untilMs).toBe(59_000)
  })

  test('a person may accept it before', () => {
    const guards = guarded()
    guards.step({ keys: ['tcp/a', 'udp/a'] })
    const hash = guards.step({ keys: ['tcp/a'] }).held?.hash ?? ''
    expect(guards.step({ keys: ['tcp/a'], acceptedHashes: [hash] })).toMatchObject({ held: null, accepted: hash })
  })

  test('of many routes it has to be accepted', () => {
    const guards = guarded()
    guards.step({ keys: several(20) })
    expect(guards.step({ keys: [] }).held).toMatchObject({ reason: 'ratio', untilMs: null })
  })

  test('the first reading may be empty', () => {
    expect(guarded().step({ keys: [] })).toMatchObject({ held: null, routes: [] })
  })
})

describe('the owner of the files', () => {
  const owner = { kind: 'owner' } as const
  test('a large removal only settles', () => {
    const guards = guarded(owner)
    guards.step({ keys: several(20) })
    const state = { keys: several(5, 'r', 15) }
    expect(guards.step(state).held).toMatchObject({ reason: 'ratio', untilMs: 30_000 })
    expect(guards.step({ ...state, nowMs: 30_000 }).held).toBeNull()
    // What has settled does not make the next edit a large removal.
    expect(guards.step({ keys: several(4, 'r', 16), nowMs: 30_001 }).held).toBeNull()
  })

  test.each([
    ['the last route of a file that stays', ['tcp/a'], [], 1, false],
    ['the last route of one protocol', ['tcp/a', 'udp/a'], ['tcp/a'], 1, false],
    ['a folder without a file', ['tcp/a'], [], 0, true],
    ['a folder that never had a route', [], [], 0, false],
  ])('%s: held or not', (_, before, after, documents, isHeld) => {
    const guards = guarded(owner)
    guards.step({ keys: before })
    expect(guards.step({ keys: after, documents }).held !== null).toBe(isHeld)
  })

  test('a folder without a file settles', () => {
    const guards = guarded(owner)
    guards.step({ keys: ['tcp/a', 'tcp/b'] })
    expect(guards.step({ keys: [], documents: 0 }).held).toMatchObject({
      reason: 'no-files',
      message: 'the folder has no file of routes any more; it had 2 routes',
      untilMs: 30_000,
    })
    expect(guards.step({ keys: [], documents: 0, nowMs: 30_000 }).held).toBeNull()
  })
})

describe('in any order of readings', () => {
  const reading = fc.subarray([...several(14), 'udp/a', 'udp/b', 'http/a'])
  const readings = fc.array(fc.tuple(reading, fc.nat(8 * MINUTE)), { minLength: 2, maxLength: 12 })

  propertyTest.prop([readings])('what is expected is never held back', steps => {
    const guards = guarded()
    let nowMs = 0
    for (const [keys, passed] of steps) {
      nowMs += passed
      const result = guards.step({ keys, nowMs })
      expect(keysOf(result, false)).toEqual(keys)
      expect(result.memory.kept.map(({ route }) => `${route.protocol}/${route.id}`)).toEqual([
        ...keys,
        ...heldKeys(result),
      ])
      expect(result.held?.removals.length ?? 0).toBe(heldKeys(result).length)
    }
  })

  propertyTest.prop([readings])('the same reading again changes nothing', steps => {
    const guards = guarded()
    let nowMs = 0
    for (const [keys, passed] of steps) {
      nowMs += passed
      const first = guards.step({ keys, nowMs })
      const again = guards.step({ keys, nowMs })
      expect({ ...again, accepted: null }).toEqual({ ...first, accepted: null })
    }
  })

  propertyTest.prop([fc.array(fc.array(fc.nat(99), { maxLength: 6 }), { minLength: 2, maxLength: 12 })])(
    'routes that only vanish: within ten minutes no more than half go unasked',
    steps => {
      const guards = guarded()
      let keys = several(15)
      guards.step({ keys })
      for (const [i, vanish] of steps.entries()) {
        const gone = new Set(vanish.map(pick => keys[pick % keys.length]))
        keys = keys.filter(key => !gone.has(key))
        expect(guards.step({ keys, nowMs: i * 40_000 }).routes.length).toBeGreaterThanOrEqual(8)
      }
    },
  )
})
