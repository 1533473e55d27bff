import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { choosePorts, type Quota } from '../../../src/control/ports/choice.ts'
import { countPool, type PoolView, type PortPool, type RestingPort } from '../../../src/control/ports/standing.ts'
import { makePortSet } from '../../../src/core/port-set.ts'

const pool = (over: Partial<Record<keyof PortPool, readonly number[]>> = {}): PortPool => ({
  range: makePortSet(over.range ?? [10, 11, 12, 13, 14]),
  reserved: makePortSet(over.reserved ?? []),
  shared: makePortSet(over.shared ?? []),
  declared: over.declared === undefined ? null : makePortSet(over.declared),
})

const OVER = { over: true, leftMs: 0, blockedBy: [] }
const BLOCKER = { id: 'srv_1', name: 'proxy-1', status: 'lost', lastSeenAt: null } as const
const NOT_OVER = { over: false, leftMs: 5000, blockedBy: [BLOCKER] }

type RestingFacts = Partial<Omit<RestingPort, 'port' | 'rest'>> & { readonly over?: boolean }

const view = (
  used: readonly number[] = [],
  resting: Readonly<Record<number, RestingFacts>> = {},
  over: Partial<PoolView> = {},
): PoolView => ({
  used: new Set(used),
  hosts: new Set(),
  reserved: new Map(),
  resting: new Map(
    Object.entries(resting).map(([text, { own = false, restedMs = 100_000, over: isOver = false }]) => {
      const port = Number(text)
      return [port, { port, own, restedMs, rest: isOver ? OVER : NOT_OVER }]
    }),
  ),
  ...over,
})

const NO_QUOTA: Quota = { limit: null, used: 0, resting: 0 }

type Asked = { readonly wanted?: number; readonly count?: number; readonly quota?: Quota }

const choose = (given: PortPool, found: PoolView, { wanted, count = 1, quota = NO_QUOTA }: Asked = {}) =>
  choosePorts({ protocol: 'tcp', wanted: wanted ?? null, count }, given, found, quota)

/** The first number, or the code of the problem. */
const brief = (...asked: Parameters<typeof choose>): number | string => {
  const choice = choose(...asked)
  return choice.ok ? choice.first : choice.problem.code
}

describe('whichever number', () => {
  test.each([
    ['the lowest free one', pool(), view([10, 12]), 11],
    ['one that never rested before one that has', pool(), view([10, 11, 12], { 13: { over: true } }), 14],
    [
      'of those that have rested the longest',
      pool(),
      view([10], {
        11: { over: true, restedMs: 1 },
        12: { over: true, restedMs: 3 },
        13: { over: true, restedMs: 2 },
        14: {},
      }),
      12,
    ],
    [
      'of those that have rested alike the lowest',
      pool(),
      view([10, 11], { 12: { over: true }, 13: { over: true }, 14: { over: true } }),
      12,
    ],
    [
      'its own that rests still, at the very last',
      pool(),
      view([10, 11, 12], { 13: { own: true, restedMs: 9e9 }, 14: { over: true } }),
      14,
    ],
    ['its own that rests still, when nothing else is left', pool(), view([10, 11, 12, 13], { 14: { own: true } }), 14],
    ['none that another has just released', pool(), view([10, 11, 12, 13], { 14: {} }), 'POOL_EXHAUSTED'],
    ['none that is reserved by the settings', pool({ reserved: [10, 11] }), view(), 12],
    ['none that is reserved by an admin', pool(), view([], {}, { reserved: new Map([[10, null]]) }), 11],
    ['none that is shared', pool({ shared: [10] }), view(), 11],
    ['none with host names on it', pool(), view([], {}, { hosts: new Set([10]) }), 11],
    ['none that some node does not have', pool({ declared: [12, 13] }), view(), 12],
    ['none where nodes have nothing in common', pool({ declared: [] }), view(), 'POOL_EXHAUSTED'],
    ['none of an empty pool', pool({ range: [] }), view(), 'POOL_EXHAUSTED'],
  ])('is %s', (_which, given, found, expected) => {
    expect(brief(given, found)).toBe(expected)
  })
})

describe('a wanted number', () => {
  test.each([
    ['that is free is given', pool(), view(), 12, 12],
    ['that another has is refused', pool(), view([12]), 12, 'PORT_TAKEN'],
    ['with host names on it is refused', pool(), view([], {}, { hosts: new Set([12]) }), 12, 'PORT_TAKEN'],
    ['outside the pool is refused', pool(), view(), 99, 'PORT_OUT_OF_RANGE'],
    ['that the settings reserve is refused', pool({ reserved: [12] }), view(), 12, 'PORT_RESERVED'],
    [
      'that an admin reserves is refused',
      pool(),
      view([], {}, { reserved: new Map([[12, 'for mail']]) }),
      12,
      'PORT_RESERVED',
    ],
    ['that is shared is refused', pool({ shared: [12] }), view(), 12, 'PORT_SHARED'],
    ['that is shared and outside the pool is refused as shared', pool({ shared: [443] }), view(), 443, 'PORT_SHARED'],
    ['that some node does not have is refused', pool({ declared: [10] }), view(), 12, 'PORT_UNDECLARED'],
    ['that has rested is given', pool(), view([], { 12: { over: true } }), 12, 12],
    ['that rests is refused', pool(), view([], { 12: {} }), 12, 'PORT_TAKEN'],
    ['that it has just released is given back', pool(), view([], { 12: { own: true } }), 12, 12],
  ])('%s', (_what, given, found, wanted, expected) => {
    expect(brief(given, found, { wanted })).toBe(expected)
  })

  test('that rests is refused with what it waits for', () => {
    expect(choose(pool(), view([], { 12: {} }), { wanted: 12 })).toEqual({
      ok: false,
      problem: {
        code: 'PORT_TAKEN',
        protocol: 'tcp',
        port: 12,
        host: null,
        message: 'TCP port 12 was released and rests until proxy-1 (lost) acknowledged the release and for 5 s more',
        remedy: 'Bring the lost nodes back, or retire them (POST /nodes/:id/retire).',
        leftMs: 5000,
        blockedBy: [BLOCKER],
        counts: null,
      },
    })
  })
})

describe('a block', () => {
  test.each([
    ['begins at the lowest place where it fits', view([11]), 3, 12],
    ['is not cut by the end of the pool', view([12]), 3, 'POOL_EXHAUSTED'],
    ['takes numbers that have rested only where it must', view([10], { 11: { over: true } }), 3, 12],
    ['takes numbers that have rested where it must', view([10], { 12: { over: true } }), 4, 11],
    ['takes its own back rather than nothing', view([10], { 12: { own: true } }), 4, 11],
    ['prefers what has rested to its own', view([], { 11: { own: true }, 13: { over: true } }), 3, 12],
    ['larger than the pool has no place', view(), 6, 'POOL_EXHAUSTED'],
  ])('%s', (_what, found, count, expected) => {
    expect(brief(pool(), found, { count })).toBe(expected)
  })

  test('does not reach over a gap in the pool', () => {
    expect(brief(pool({ range: [10, 11, 13, 14, 15] }), view(), { count: 3 })).toBe(13)
  })

  test.each([
    [10, 3, 10],
    [13, 3, 'PORT_OUT_OF_RANGE'],
    [65_535, 2, 'PORT_OUT_OF_RANGE'],
  ])('wanted at %i with %i numbers is %j', (wanted, count, expected) => {
    expect(brief(pool({ range: [10, 11, 12, 13, 14, 65_535] }), view(), { wanted, count })).toBe(expected)
  })

  test('wanted with one number taken names that one', () => {
    expect(choose(pool(), view([12]), { wanted: 10, count: 4 })).toMatchObject({
      ok: false,
      problem: { code: 'PORT_TAKEN', port: 12, message: 'TCP port 12 is taken' },
    })
  })

  test('says which numbers have rested and which it takes back', () => {
    expect(choose(pool(), view([], { 11: { over: true }, 12: { own: true } }), { count: 5 })).toEqual({
      ok: true,
      first: 10,
      last: 14,
      rested: [11],
      reclaimed: [12],
    })
  })
})

describe('a quota', () => {
  test.each([
    ['with room gives', { limit: 3, used: 2, resting: 0 }, view(), 1, 10],
    ['that is used up gives nothing', { limit: 3, used: 3, resting: 0 }, view(), 1, 'QUOTA_EXCEEDED'],
    ['of zero gives nothing', { limit: 0, used: 0, resting: 0 }, view(), 1, 'QUOTA_EXCEEDED'],
    ['counts each number of a block', { limit: 3, used: 1, resting: 0 }, view(), 3, 'QUOTA_EXCEEDED'],
    ['allows as many at rest as in use', { limit: 3, used: 2, resting: 3 }, view([], { 10: { own: true } }), 1, 11],
    [
      'that twice over is used or at rest gives only what it has released',
      { limit: 3, used: 2, resting: 4 },
      view([], { 12: { own: true } }),
      1,
      12,
    ],
    ['that twice over is at rest gives nothing new', { limit: 3, used: 2, resting: 4 }, view(), 1, 'QUOTA_EXCEEDED'],
  ] as const)('%s', (_what, quota, found, count, expected) => {
    expect(brief(pool(), found, { count, quota })).toBe(expected)
  })

  test('says how many the project has, or has at rest', () => {
    const told = (quota: Quota) => choose(pool(), view(), { quota, wanted: 12 })
    expect(told({ limit: 3, used: 3, resting: 1 })).toMatchObject({
      problem: { message: 'the project has 3 of the 3 ports it may have, and 1 more would be too many' },
    })
    expect(told({ limit: 3, used: 1, resting: 5 })).toMatchObject({
      problem: { message: 'the project uses 1 of its 3 ports, and 5 that it has released still rest' },
    })
  })
})

test('an exhausted pool says what becomes of its numbers', () => {
  const given = pool({ range: [10, 11, 12, 13, 14, 15], reserved: [11], shared: [15], declared: [10, 11, 12, 14, 15] })
  expect(choose(given, view([10, 12], { 14: {} }))).toEqual({
    ok: false,
    problem: {
      code: 'POOL_EXHAUSTED',
      protocol: 'tcp',
      port: null,
      host: null,
      message:
        'no TCP port of 10-15 is free: 2 of 6 are used, 1 rest, 1 are reserved, 1 lack an entry point on some node; what rests rests until proxy-1 (lost) acknowledged the release and for 5 s more',
      remedy: 'Bring the lost nodes back, or retire them (POST /nodes/:id/retire).',
      leftMs: 5000,
      blockedBy: [BLOCKER],
      counts: { total: 6, free: 0, used: 2, resting: 1, reserved: 1, shared: 1, undeclared: 1 },
    },
  })
})

const restFacts = fc.record({ own: fc.boolean(), over: fc.boolean(), restedMs: fc.integer({ min: 0, max: 3 }) })
const situation = fc.record({
  range: fc.uniqueArray(fc.integer({ min: 10, max: 22 }), { maxLength: 12 }),
  reserved: fc.uniqueArray(fc.integer({ min: 10, max: 22 }), { maxLength: 2 }),
  used: fc.uniqueArray(fc.integer({ min: 10, max: 22 }), { maxLength: 6 }),
  resting: fc.dictionary(fc.integer({ min: 10, max: 22 }).map(String), restFacts, { maxKeys: 6 }),
  count: fc.integer({ min: 1, max: 3 }),
  wanted: fc.option(fc.integer({ min: 9, max: 23 }), { nil: null }),
  quota: fc.record({
    limit: fc.option(fc.integer({ min: 0, max: 4 }), { nil: null }),
    used: fc.integer({ min: 0, max: 3 }),
    resting: fc.integer({ min: 0, max: 4 }),
  }),
})

property.prop([situation])('what is chosen may be had, and what is refused may not', given => {
  const { range, reserved, used, resting, count, wanted, quota } = given
  const itsPool = pool({ range, reserved })
  const free = Object.fromEntries(Object.entries(resting).filter(([port]) => !used.includes(Number(port))))
  const found = view(used, free)
  const choice = choosePorts({ protocol: 'udp', wanted, count }, itsPool, found, quota)
  const mayHave = (port: number): boolean => {
    const rests = found.resting.get(port)
    const open = itsPool.range.has(port) && !itsPool.reserved.has(port) && !used.includes(port)
    return open && (rests === undefined || rests.own || rests.rest.over)
  }
  const block = (first: number): number[] => Array.from({ length: count }, (_, index) => first + index)
  const isNew = (port: number): boolean => found.resting.get(port)?.rest.over !== false
  const affordable = (ports: readonly number[]): boolean =>
    quota.limit === null ||
    (quota.used + count <= quota.limit && quota.used + quota.resting + ports.filter(isNew).length <= 2 * quota.limit)
  const possible = (wanted === null ? range : [wanted])
    .map(block)
    .filter(ports => ports.every(mayHave) && affordable(ports))
  expect(choice.ok).toBe(possible.length > 0)
  if (choice.ok) expect(possible).toContainEqual(block(choice.first))
})

property.prop([situation])('the counts of a pool add up to it', ({ range, reserved, used, resting }) => {
  const { total, ...parts } = countPool(pool({ range, reserved }), view(used, resting))
  expect(Object.values(parts).reduce((sum, count) => sum + count, 0)).toBe(total)
  expect(total).toBe(range.length)
})
