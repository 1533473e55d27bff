import { sql } from 'drizzle-orm'
import { beforeEach, describe, expect, expectTypeOf, test } from 'vitest'
import { databaseJson, type ReportBody } from '../../../src/control/nodes/report-wire.ts'
import { compareCounts, gapOf } from '../../../src/control/nodes/take-report.ts'
import type { StatusReport } from '../../../src/core/report-wire.ts'
import { countsOf, type Fleet, makeFleet, SINCE, told } from '../../support/control-fleet.ts'
import { onEachDatabase } from '../../support/database.ts'

const TAKEN = { kind: 'taken' }

onEachDatabase('a report', use => {
  let fleet: Fleet
  beforeEach(async () => {
    fleet = makeFleet(use())
    await fleet.node('srv_1')
    await fleet.route('prt_a', { externalPort: 10_001 })
    await fleet.route('prt_b', { externalPort: 10_002 })
  })

  const one = async <T extends Record<string, unknown>>(query: ReturnType<typeof sql>) => {
    const { rows } = await use().transaction(tx => tx.execute<T>(query), { readOnly: true })
    return rows[0]
  }
  const node = () =>
    one(sql`select status, applied_epoch as epoch, applied_revision::int as revision, agent_version as version,
      accepted_hash as accepted from nodes where id = 'srv_1'`)
  const status = () =>
    one(sql`select report_seq::int as seq, untold, told_revision::int as told, entry_points as "entryPoints",
      open_connections as connections from node_status where node_id = 'srv_1'`)

  describe('of verdicts', () => {
    test('keeps rows only of what is not live', async () => {
      expect(await fleet.report('srv_1', { verdicts: [told('prt_a'), told('prt_b', 'BACKEND_DOWN')] })).toEqual(TAKEN)
      expect(await fleet.rows('srv_1')).toEqual(['tcp/prt_b degraded BACKEND_DOWN'])
    })

    test('changes only what it names unless it is full', async () => {
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'BACKEND_DOWN'), told('prt_b', 'BACKEND_DOWN')] })
      await fleet.report('srv_1', { verdicts: [told('prt_a')], counts: { degraded: 1 } })
      expect(await fleet.rows('srv_1')).toEqual(['tcp/prt_b degraded BACKEND_DOWN'])
      await fleet.report('srv_1', { full: true, verdicts: [told('prt_a', 'ENTRY_POINT_MISSING')] })
      expect(await fleet.rows('srv_1')).toEqual(['tcp/prt_a waiting ENTRY_POINT_MISSING'])
    })

    test('takes out what is gone, named with its protocol or without', async () => {
      const verdicts = [
        told('prt_a', 'BACKEND_DOWN'),
        told('prt_a', 'BACKEND_DOWN', { protocol: 'udp' }),
        told('prt_b', 'BACKEND_DOWN'),
      ]
      await fleet.report('srv_1', { verdicts })
      await fleet.report('srv_1', { gone: ['udp/prt_a', 'prt_b'], counts: { degraded: 1 } })
      expect(await fleet.rows('srv_1')).toEqual(['tcp/prt_a degraded BACKEND_DOWN'])
    })

    test('keeps message, remedy, chain and what is served', async () => {
      const chain = [{ step: 'expected', ok: true, at: null, detail: 'asked for' }]
      const served = { router: { rule: 'HostSNI(`*`)' }, service: null }
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'BACKEND_DOWN', { message: 'down', chain, served })] })
      expect(await one(sql`select detail, revision::int, since from node_verdicts`)).toEqual({
        detail: { message: 'down', remedy: 'Start it, or take it off the list.', chain, served },
        revision: 1,
        since: expect.anything(),
      })
    })

    test('may hold signs that PostgreSQL knows not', async () => {
      const message = 'zero \0 half \ud800 back\\u0000slash'
      expect(await fleet.report('srv_1', { verdicts: [told('prt_a', 'BACKEND_DOWN', { message })] })).toEqual(TAKEN)
      expect(await one(sql`select detail ->> 'message' as message from node_verdicts`)).toEqual({
        message: 'zero \ufffd half \ufffd back\\u0000slash',
      })
    })

    test('counts what is still to be told', async () => {
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'BACKEND_DOWN')], counts: { degraded: 2 } })
      expect(await status()).toMatchObject({ untold: 1 })
      await fleet.report('srv_1', { verdicts: [told('prt_b', 'BACKEND_DOWN')], counts: { degraded: 2 } })
      expect(await status()).toMatchObject({ untold: 0 })
    })
  })

  describe('in its order', () => {
    test('a gap asks for a full one and changes nothing', async () => {
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'BACKEND_DOWN')] })
      expect(await fleet.report('srv_1', { reportSeq: 3, verdicts: [told('prt_a')] })).toEqual({
        kind: 'full',
        why: 'report 3 follows 1',
      })
      expect(await fleet.rows('srv_1')).toEqual(['tcp/prt_a degraded BACKEND_DOWN'])
      expect(await fleet.report('srv_1', { reportSeq: 4, full: true, verdicts: [told('prt_a')] })).toEqual(TAKEN)
      expect(await fleet.rows('srv_1')).toEqual([])
    })

    test('one that was overtaken asks for a full one', async () => {
      await fleet.report('srv_1')
      await use().transaction(tx => tx.execute(sql`update nodes set last_post_timestamp = 1000`))
      expect(await fleet.report('srv_1', { sentAtMs: 999, full: true, reportSeq: 1 })).toEqual({
        kind: 'full',
        why: 'a later report has overtaken it',
      })
      expect(await fleet.report('srv_1', { sentAtMs: 1000, reportSeq: 2 })).toEqual(TAKEN)
    })

    test('an empty one beside rows that the node does not have asks for a full one', async () => {
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'BACKEND_DOWN')] })
      expect(await fleet.report('srv_1', { counts: { live: 1 } })).toEqual({
        kind: 'full',
        why: 'rows are here that the node knows nothing of',
      })
      expect(await status()).toMatchObject({ seq: 1 })
    })

    test('one that would make the rows of a node too many asks for a full one', async () => {
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'BACKEND_DOWN')] })
      await use().transaction(tx =>
        tx.execute(sql`
          insert into node_verdicts (node_id, protocol, route_id, verdict, reason, since, detail)
          select 'srv_1', 'tcp', 'made-up-' || n, 'degraded', 'BACKEND_DOWN', now(), '{}' from generate_series(2, 40000) n`),
      )
      expect(await fleet.report('srv_1', { verdicts: [told('prt_b', 'BACKEND_DOWN')] })).toMatchObject({ kind: 'full' })
      expect(await status()).toMatchObject({ seq: 1 })
      expect(await fleet.report('srv_1', { full: true, verdicts: [told('prt_b', 'BACKEND_DOWN')] })).toEqual(TAKEN)
      expect(await fleet.rows('srv_1')).toEqual(['tcp/prt_b degraded BACKEND_DOWN'])
    })

    test('an empty one says that nothing is left to tell', async () => {
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'BACKEND_DOWN')], counts: { degraded: 2 } })
      await fleet.report('srv_1', { counts: { degraded: 2 } })
      expect(await status()).toMatchObject({ seq: 2, untold: 0 })
    })

    test('of another control plane, or of a retired node, is not taken', async () => {
      expect(await fleet.report('srv_1', { controlPlaneId: 'cp_2' })).toEqual({ kind: 'foreign' })
      await use().transaction(tx => tx.execute(sql`update nodes set status = 'retired'`))
      expect(await fleet.report('srv_1')).toEqual({ kind: 'retired' })
      expect(await status()).toBeUndefined()
    })
  })

  describe('of a revision', () => {
    test('moves what is applied forward, never back', async () => {
      await fleet.report('srv_1', { revision: { expected: 2, served: 2, applied: 2 } })
      expect(await node()).toEqual({ status: 'active', epoch: 1, revision: 2, version: '0.1.0', accepted: null })
      await fleet.report('srv_1', { revision: { expected: 2, served: 2, applied: 1 } })
      await fleet.report('srv_1', { revision: { expected: 2, served: 2, applied: null } })
      await fleet.report('srv_1', { revision: { expected: 2, served: 2, applied: 'b7' } })
      expect(await node()).toMatchObject({ epoch: 1, revision: 2 })
    })

    test('that is not known here frees no port', async () => {
      await fleet.report('srv_1', { revision: { expected: 9, served: 9, applied: 9 } })
      await fleet.report('srv_1', { epoch: 2 })
      expect(await node()).toMatchObject({ epoch: null, revision: null })
      expect(await status()).toMatchObject({ told: 2 })
    })
  })

  describe('of the node', () => {
    test('keeps the entry points until it names others', async () => {
      const entryPoints = [{ name: 'tcp-10001', address: ':10001', protocol: 'tcp' as const }]
      await fleet.report('srv_1')
      await fleet.report('srv_1')
      expect(await status()).toMatchObject({ entryPoints })
      await fleet.report('srv_1', { entryPoints: null })
      expect(await status()).toMatchObject({ entryPoints: null })
      await fleet.report('srv_1', { entryPoints: [] })
      expect(await status()).toMatchObject({ entryPoints: [] })
    })

    test('replaces the open connections, each by its route', async () => {
      await fleet.report('srv_1', { openConnections: { prt_a: 3, 'tcp/prt_b': 4 } })
      expect(await status()).toMatchObject({ connections: { prt_a: 3, prt_b: 4 } })
      await fleet.report('srv_1')
      expect(await status()).toMatchObject({ connections: {} })
    })

    test('brings a lost one back', async () => {
      await use().transaction(tx => tx.execute(sql`update nodes set status = 'lost'`))
      await fleet.report('srv_1')
      expect(await node()).toMatchObject({ status: 'active' })
    })

    test('ends an acceptance when what was accepted is no more', async () => {
      const held = { hash: 'h1', removals: ['tcp/prt_a' as const] }
      await fleet.report('srv_1', { held })
      await use().transaction(tx => tx.execute(sql`update nodes set accepted_hash = 'h1'`))
      await fleet.report('srv_1', { held })
      expect(await node()).toMatchObject({ accepted: 'h1' })
      await fleet.report('srv_1', { held: null })
      expect(await node()).toMatchObject({ accepted: null })
    })

    test('writes its own row no more than it must', async () => {
      const rowVersion = () => one<{ xmin: string }>(sql`select xmin::text from nodes where id = 'srv_1'`)
      await fleet.report('srv_1')
      const before = await rowVersion()
      await fleet.report('srv_1')
      expect(await rowVersion()).toEqual(before)
      expect(await status()).toMatchObject({ seq: 2 })
    })
  })

  describe('into the history', () => {
    const LATER = { since: '2026-11-23T10:05:00.000Z' }

    test('goes each change of a verdict, once', async () => {
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'NOT_YET_APPLIED')] })
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'LIVE', { timingsMs: { apply: 41 } })] })
      await fleet.report('srv_1', { full: true, verdicts: [told('prt_a')] })
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'BACKEND_DOWN', LATER)] })
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'BACKEND_DOWN', { ...LATER, message: '2 of 2' })] })
      await fleet.report('srv_1', { full: true })
      await fleet.report('srv_1', { gone: ['prt_a'] })
      expect(await fleet.history('srv_1')).toEqual(['prt_a pending', 'prt_a live', 'prt_a degraded', 'prt_a gone'])
    })

    test('goes the time from saved to live', async () => {
      const since = new Date(Date.now() + 60_000).toISOString()
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'LIVE', { since, timingsMs: { apply: 41 } })] })
      const found = await one<{ timings: Record<string, number> }>(
        sql`select timings_ms as timings from verdict_history`,
      )
      expect(found?.timings).toEqual({ apply: 41, savedToLive: expect.any(Number) })
      expect(found?.timings.savedToLive).toBeGreaterThan(50_000)
    })

    test('goes the time by our clock where that of the node is wrong', async () => {
      const receivedAtMs = Date.parse('2026-11-23T12:00:00.000Z')
      const sentAtMs = Date.parse('2026-11-23T10:00:30.000Z')
      await fleet.report('srv_1', { sentAtMs, receivedAtMs, verdicts: [told('prt_a', 'BACKEND_DOWN')] })
      expect(await one(sql`select to_char(at at time zone 'UTC', 'HH24:MI:SS') as at from verdict_history`)).toEqual({
        at: '11:59:30',
      })
    })

    test('goes nothing of routes that nobody has declared', async () => {
      await fleet.report('srv_1', { verdicts: [told('prt_x', 'MASS_REMOVAL')] })
      await fleet.report('srv_1', { gone: ['prt_x'] })
      expect(await fleet.history('srv_1')).toEqual([])
    })
  })

  test('keeps what a probe found for who asked', async () => {
    await use().transaction(tx =>
      tx.execute(
        sql`insert into probe_requests (id, route_id, expires_at) values ('req_1', 'prt_a', now() + interval '30 s')`,
      ),
    )
    const chain = [
      { step: 'applied', ok: true, at: null, detail: 'shown' },
      { step: 'probed', ok: true, at: SINCE, detail: 'it answers', requestId: 'req_1' },
    ]
    const foreign = [{ step: 'probed', ok: true, at: SINCE, detail: 'it answers', requestId: 'req_1' }]
    await fleet.report('srv_1', {
      verdicts: [told('prt_a', 'LIVE', { chain }), told('prt_b', 'LIVE', { chain: foreign })],
    })
    expect(await fleet.rows('srv_1')).toEqual([])
    expect(
      await one(sql`select request_id as id, node_id as node, ok, detail, count(*) over ()::int from probe_answers`),
    ).toEqual({
      id: 'req_1',
      node: 'srv_1',
      ok: true,
      detail: 'it answers',
      count: 1,
    })
  })
})

describe('whether a report may be built upon what is here', () => {
  const known = { reportSeq: 4, lastPostTimestamp: 1000 }
  test.each([
    ['the next one', known, { full: false, reportSeq: 5 }, 1000, null],
    ['a full one of any number', known, { full: true, reportSeq: 1 }, 1000, null],
    ['without a timestamp', known, { full: false, reportSeq: 5 }, null, null],
    ['the same once more', known, { full: false, reportSeq: 4 }, 1000, 'report 4 follows 4'],
    ['after a lost one', known, { full: false, reportSeq: 6 }, 1000, 'report 6 follows 4'],
    [
      'the first of all',
      { ...known, reportSeq: null },
      { full: false, reportSeq: 1 },
      1000,
      'nothing was reported before',
    ],
    ['a full one that is late', known, { full: true, reportSeq: 1 }, 999, 'a later report has overtaken it'],
  ] as const)('%s', (_what, before, body, sentAtMs, why) => {
    expect(gapOf(before, body, sentAtMs)).toBe(why)
  })
})

test.each([
  ['all told', { degraded: 2, live: 9 }, { degraded: 2 }, { untold: 0, surplus: false }],
  ['some not', { degraded: 2, waiting: 1 }, { degraded: 1 }, { untold: 2, surplus: false }],
  ['more than there are', { waiting: 1 }, { degraded: 1 }, { untold: 1, surplus: true }],
])('counts beside rows: %s', (_what, counts, rows, found) => {
  expect(compareCounts({ ...countsOf([]), ...counts }, rows)).toEqual(found)
})

test.each([
  ['a zero byte', 'a\0b', '"a\\ufffdb"'],
  ['half of a pair', '\ud83d', '"\\ufffd"'],
  ['a whole pair', '\ud83d\ude00', '"\ud83d\ude00"'],
  ['what only looks like one', '\\u0000', '"\\\\u0000"'],
  ['a backslash before one', '\\\0', '"\\\\\\ufffd"'],
  ['one in a name', { 'a\0': 1 }, '{"a\\ufffd":1}'],
])('JSON for the database: %s', (_what, value, text) => {
  expect(databaseJson(value)).toBe(text)
})

type Mutable<T> = T extends readonly (infer E)[]
  ? Mutable<E>[]
  : T extends object
    ? { -readonly [key in keyof T]: Mutable<T[key]> }
    : T

test('what an agent sends is what is read here', () => {
  expectTypeOf<Mutable<StatusReport>>().toExtend<ReportBody>()
})
