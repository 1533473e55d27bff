import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { acknowledgedRevision, claimOf } from '../../src/core/applied-revision.ts'
import type { RouteKey } from '../../src/core/problem.ts'
import { type NextReport, nextReport, type Reported, type ReportState, type RowDetails } from '../../src/core/report.ts'
import type { StatusReport } from '../../src/core/report-wire.ts'
import { NO_PLACE } from '../../src/core/route-place.ts'
import type { TrackedVerdict } from '../../src/core/track.ts'
import { REASONS, type ReasonCode } from '../../src/core/verdict.ts'
import { stateWith, tcpRoute } from '../support/builders.ts'

const AT = Date.parse('2026-11-23T10:00:00Z')

const row = (id: string, reason: ReasonCode = 'LIVE', fields: Partial<TrackedVerdict> = {}): TrackedVerdict => ({
  ...NO_PLACE,
  id,
  protocol: 'tcp',
  verdict: REASONS[reason].verdict,
  reason,
  message: `${id} ${reason}`,
  remedy: REASONS[reason].remedy,
  entryPoints: ['tcp-10001'],
  notes: ['a note'],
  origin: 'cp_1',
  since: AT,
  revision: 7,
  ...fields,
})

const state = (verdicts: readonly TrackedVerdict[], fields: Partial<ReportState> = {}): ReportState => ({
  controlPlaneId: 'cp_1',
  epoch: 1,
  revision: { expected: 7, served: 7, applied: 7 },
  agentVersion: '1.2.3',
  traefik: {
    state: 'verified',
    version: '3.7.15',
    startedAt: '2026-11-23T09:00:00Z',
    lastPollAt: '2026-11-23T09:59:59Z',
  },
  held: null,
  drift: { missing: 0, extra: 0, different: 0, disabled: 0 },
  verdicts,
  answered: new Map(),
  entryPoints: [{ name: 'tcp-10001', address: ':10001', port: 10001, protocol: 'tcp' }],
  openConnections: new Map(),
  ...fields,
})

const CHAIN = [
  { step: 'expected', ok: true, at: null, detail: 'asked for' },
  { step: 'probed', ok: false, at: null, detail: 'the connection was closed' },
]
const details: RowDetails = {
  chain: () => CHAIN,
  served: () => ({ router: { rule: 'HostSNI(`*`)' }, service: { loadBalancer: {} } }),
  timingsMs: () => ({ apply: 40 }),
}

const read = ({ body }: NextReport): StatusReport => JSON.parse(body)
const idsOf = (report: NextReport) => read(report).verdicts.map(({ id }) => id)

/** The report that follows when the first state is known. */
const follow = (first: ReportState, second: ReportState): NextReport =>
  nextReport(second, nextReport(first, null, 1, details).reported, 2, details)

const NO_COUNTS = { live: 0, pending: 0, rejected: 0, refused: 0, conflicted: 0, waiting: 0, degraded: 0, held: 0 }

describe('a full report', () => {
  const full = nextReport(state([row('a'), row('b', 'ENTRY_POINT_MISSING')]), null, 1, details)

  test('has every field of the contract and no other', () => {
    expect(read(full)).toEqual({
      schema: 1,
      controlPlaneId: 'cp_1',
      epoch: 1,
      revision: { expected: 7, served: 7, applied: 7 },
      reportSeq: 1,
      full: true,
      agentVersion: '1.2.3',
      traefik: {
        state: 'verified',
        version: '3.7.15',
        startedAt: '2026-11-23T09:00:00Z',
        lastPollAt: '2026-11-23T09:59:59Z',
      },
      entryPoints: [{ name: 'tcp-10001', address: ':10001', protocol: 'tcp' }],
      counts: { ...NO_COUNTS, live: 1, waiting: 1 },
      verdicts: [
        {
          id: 'b',
          protocol: 'tcp',
          verdict: 'waiting',
          reason: 'ENTRY_POINT_MISSING',
          message: 'b ENTRY_POINT_MISSING',
          remedy: REASONS.ENTRY_POINT_MISSING.remedy,
          revision: 7,
          since: '2026-11-23T10:00:00.000Z',
          chain: CHAIN,
          served: { router: { rule: 'HostSNI(`*`)' }, service: { loadBalancer: {} } },
        },
        {
          id: 'a',
          protocol: 'tcp',
          verdict: 'live',
          reason: 'LIVE',
          message: 'a LIVE',
          remedy: REASONS.LIVE.remedy,
          revision: 7,
          since: '2026-11-23T10:00:00.000Z',
        },
      ],
      gone: [],
      held: null,
      drift: { missing: 0, extra: 0, different: 0, disabled: 0 },
      openConnections: {},
    })
    expect([full.changed, full.more]).toEqual([true, false])
  })

  test('is told of nothing as well', () => {
    const empty = nextReport(state([]), null, 1, details)
    expect([read(empty).verdicts, read(empty).counts, empty.changed]).toEqual([[], NO_COUNTS, true])
  })

  test('comes again for another control plane', () => {
    const other = nextReport(state([row('a')], { controlPlaneId: 'cp_2' }), full.reported, 2, details)
    expect([read(other).full, idsOf(other)]).toEqual([true, ['a']])
  })
})

describe('a report of what changed', () => {
  const before = state([row('a'), row('b'), row('c', 'ENTRY_POINT_MISSING')])

  test.each<[what: string, after: ReportState, ids: string[], gone: string[]]>([
    ['nothing', before, [], []],
    ['a verdict', state([row('a'), row('b', 'BACKEND_DOWN'), row('c', 'ENTRY_POINT_MISSING')]), ['b'], []],
    [
      'a sentence',
      state([row('a', 'LIVE', { message: 'other' }), row('b'), row('c', 'ENTRY_POINT_MISSING')]),
      ['a'],
      [],
    ],
    [
      'a verdict under the same words',
      state([row('a', 'LIVE', { verdict: 'pending' }), row('b'), row('c', 'ENTRY_POINT_MISSING')]),
      ['a'],
      [],
    ],
    [
      'a reason under the same words',
      state([row('a', 'LIVE', { reason: 'NOT_VERIFIED' }), row('b'), row('c', 'ENTRY_POINT_MISSING')]),
      ['a'],
      [],
    ],
    [
      'the way out',
      state([row('a', 'LIVE', { remedy: 'Another.' }), row('b'), row('c', 'ENTRY_POINT_MISSING')]),
      ['a'],
      [],
    ],
    [
      'its beginning',
      state([row('a', 'LIVE', { since: AT + 1 }), row('b'), row('c', 'ENTRY_POINT_MISSING')]),
      ['a'],
      [],
    ],
    ['a new route', state([row('a'), row('b'), row('c', 'ENTRY_POINT_MISSING'), row('d')]), ['d'], []],
    ['a route that is gone', state([row('a'), row('c', 'ENTRY_POINT_MISSING')]), [], ['b']],
    ['everything gone', state([]), [], ['a', 'b', 'c']],
    [
      'a revision that changes no verdict',
      state([
        row('a', 'LIVE', { revision: 8 }),
        row('b', 'LIVE', { revision: 8 }),
        row('c', 'ENTRY_POINT_MISSING', { revision: 8 }),
      ]),
      [],
      [],
    ],
    ['another order', state([row('c', 'ENTRY_POINT_MISSING'), row('b'), row('a')]), [], []],
  ])('%s', (_, after, ids, gone) => {
    const report = follow(before, after)
    expect([read(report).full, idsOf(report), read(report).gone]).toEqual([false, ids, gone])
    expect(report.changed).toBe(ids.length + gone.length > 0)
    // What was taken is not told again.
    const again = nextReport(after, report.reported, 3, details)
    expect([idsOf(again), read(again).gone, again.changed]).toEqual([[], [], false])
  })

  test.each<[what: string, fields: Partial<ReportState>, changed: boolean]>([
    ['the time of a poll', { traefik: { ...before.traefik, lastPollAt: '2026-11-23T10:00:09Z' } }, false],
    ['open connections', { openConnections: new Map([['tcp/a', 3] as const]) }, false],
    ['the revision', { revision: { expected: 8, served: 7, applied: 7 } }, true],
    ['the epoch', { epoch: 2 }, true],
    ['the state of Traefik', { traefik: { ...before.traefik, state: 'down' } }, true],
    ['a restart of Traefik', { traefik: { ...before.traefik, startedAt: '2026-11-23T10:00:00Z' } }, true],
    ['removals that are held', { held: { hash: 'h1', removals: ['tcp/a'] } }, true],
    ['drift', { drift: { missing: 1, extra: 0, different: 0, disabled: 0 } }, true],
    ['entry points', { entryPoints: [] }, true],
    ['entry points that nobody knows', { entryPoints: null }, true],
  ])('%s', (_, fields, changed) => {
    const report = follow(before, { ...before, ...fields })
    expect([report.changed, idsOf(report)]).toEqual([changed, []])
  })

  test('entry points are told when they change', () => {
    expect('entryPoints' in read(follow(before, before))).toBe(false)
    expect(read(follow(before, { ...before, entryPoints: null })).entryPoints).toBeNull()
    expect(read(follow(before, { ...before, entryPoints: [] })).entryPoints).toEqual([])
  })

  test('a live row has its timings and no chain', () => {
    const report = follow(state([row('a', 'NOT_YET_APPLIED')]), state([row('a', 'LIVE', { since: AT + 40 })]))
    expect(read(report).verdicts).toMatchObject([{ id: 'a', verdict: 'live', timingsMs: { apply: 40 } }])
    expect(Object.keys(read(report).verdicts[0] ?? {})).not.toContain('chain')
  })

  test('a row without timings has none', () => {
    const without = { ...details, timingsMs: () => null }
    const report = nextReport(state([row('b')]), nextReport(state([]), null, 1, without).reported, 2, without)
    expect(Object.keys(read(report).verdicts[0] ?? {})).not.toContain('timingsMs')
  })

  test('a probe that answers a person is told with its id, once', () => {
    const answered = (id: string) => state([row('a')], { answered: new Map([['tcp/a', id] as const]) })
    const report = follow(state([row('a')]), answered('req_1'))
    expect(read(report).verdicts[0]?.chain).toEqual([CHAIN[0], { ...CHAIN[1], requestId: 'req_1' }])
    expect(read(report).verdicts[0]?.served).toBeUndefined()
    const after = nextReport(state([row('a')]), report.reported, 3, details)
    expect(after.changed).toBe(false)
    expect(idsOf(nextReport(answered('req_2'), after.reported, 4, details))).toEqual(['a'])
  })

  test('of several rows with one key the first counts', () => {
    const report = nextReport(state([row('a'), row('a', 'ID_TAKEN')]), null, 1, details)
    expect(read(report).verdicts.map(({ reason }) => reason)).toEqual(['LIVE'])
  })

  test('ids carry their protocol where one id is two routes', () => {
    const both = state([row('x'), row('x', 'LIVE', { protocol: 'udp' }), row('y')], {
      openConnections: new Map<RouteKey, number>([
        ['tcp/x', 2],
        ['tcp/y', 1],
        ['tcp/gone', 9],
        ['udp/x', 0],
      ]),
    })
    expect(read(nextReport(both, null, 1, details)).openConnections).toEqual({ 'tcp/x': 2, y: 1 })
    expect(read(follow(both, state([row('x', 'LIVE', { protocol: 'udp' })]))).gone).toEqual(['tcp/x', 'y'])
  })
})

describe('limits', () => {
  const many = (count: number, reason: ReasonCode = 'LIVE') =>
    Array.from({ length: count }, (_, i) => row(`r${i}`, reason))

  /** Reports until nothing is left, as a control plane that takes each of them would get them. */
  function all(of: ReportState, maxBytes: number): NextReport[] {
    const reports: NextReport[] = []
    let reported: Reported | null = null
    for (let more = true; more && reports.length < 1_000; ) {
      const next: NextReport = nextReport(of, reported, reports.length + 1, details, maxBytes)
      reports.push(next)
      reported = next.reported
      more = next.more
    }
    return reports
  }

  test('twenty thousand routes take several reports of a megabyte', () => {
    const reports = all(state(many(20_000)), 1024 * 1024)
    expect(reports.length).toBeGreaterThan(3)
    for (const report of reports) expect(Buffer.byteLength(report.body)).toBeLessThanOrEqual(1024 * 1024)
    expect(reports.map(report => read(report).full)).toEqual(reports.map((_, i) => i === 0))
    expect(reports.map(report => read(report).reportSeq)).toEqual(reports.map((_, i) => i + 1))
    expect(new Set(reports.flatMap(idsOf)).size).toBe(20_000)
    expect(read(reports[0] ?? nextReport(state([]), null, 1, details)).counts.live).toBe(20_000)
  })

  test('what needs a person comes first', () => {
    const reports = all(state([...many(500), row('bad', 'ENTRY_POINT_MISSING')]), 10_000)
    expect(idsOf(reports[0] ?? nextReport(state([]), null, 1, details))[0]).toBe('bad')
  })

  test('many gone ids take several reports', () => {
    const first = nextReport(state(many(5_000)), null, 1, details).reported
    const gone: string[] = []
    let reported: Reported = first
    for (let i = 0; i < 1_000; i++) {
      const next = nextReport(state([]), reported, i + 2, details, 20_000)
      expect(Buffer.byteLength(next.body)).toBeLessThanOrEqual(20_000)
      gone.push(...read(next).gone)
      reported = next.reported
      if (!next.more) break
    }
    expect(new Set(gone).size).toBe(first.rows.size)
    expect(reported.rows.size).toBe(0)
  })

  test('a limit below one row sends one at a time', () => {
    expect(all(state(many(3, 'ENTRY_POINT_MISSING')), 10).map(idsOf)).toEqual([['r0'], ['r1'], ['r2']])
  })

  test('too many entry points are not told by half', () => {
    const entryPoints = Array.from({ length: 20_000 }, (_, i) => ({
      name: `tcp-${i}`,
      address: `:${i}`,
      port: i,
      protocol: 'tcp' as const,
    }))
    expect(read(nextReport(state([], { entryPoints }), null, 1, details)).entryPoints).toBeNull()
    const fewer = entryPoints.slice(0, 8_000)
    expect(read(nextReport(state([], { entryPoints: fewer }), null, 1, details)).entryPoints).toHaveLength(8_000)
  })

  test('a large served part is left out', () => {
    const servers = (count: number) => Array.from({ length: count }, () => ({ address: '10.0.0.1:5432' }))
    const report = (count: number) =>
      read(
        nextReport(state([row('b', 'BACKEND_DOWN')]), null, 1, {
          ...details,
          served: () => ({ router: {}, service: { loadBalancer: { servers: servers(count) } } }),
        }),
      ).verdicts[0]
    expect(report(10)?.served).toBeDefined()
    expect(report(1_000)?.served).toBeUndefined()
    expect(report(1_000)?.chain).toEqual(CHAIN)
  })

  test('an endless chain is left out', () => {
    const chain = () => [{ step: 'expected', ok: true, at: null, detail: 'x'.repeat(100_000) }]
    const report = nextReport(state([row('b', 'BACKEND_DOWN')]), null, 1, { ...details, chain })
    expect(report.body.length).toBeLessThan(2_000)
    expect(idsOf(report)).toEqual(['b'])
  })

  test('held removals are named up to a limit', () => {
    const removals = Array.from({ length: 2_000 }, (_, i): RouteKey => `tcp/r${i}`)
    expect(
      read(nextReport(state([], { held: { hash: 'h', removals } }), null, 1, details)).held?.removals,
    ).toHaveLength(500)
  })

  test('details are asked for no live row', () => {
    const asked: string[] = []
    const counting: RowDetails = {
      chain: ({ id }) => {
        asked.push(id)
        return CHAIN
      },
      served: ({ id }) => {
        asked.push(id)
        return null
      },
      timingsMs: () => null,
    }
    nextReport(state([...many(100), row('bad', 'BACKEND_DOWN')]), null, 1, counting)
    expect(asked).toEqual(['bad', 'bad'])
  })
})

const verdictRow = fc
  .tuple(
    fc.integer({ min: 0, max: 9 }),
    fc.constantFrom<ReasonCode>('LIVE', 'BACKEND_DOWN', 'NOT_YET_APPLIED'),
    fc.integer({ min: 0, max: 2 }),
  )
  .map(([i, reason, later]) => row(`r${i}`, reason, { since: AT + later }))
const steps = fc.array(fc.uniqueArray(verdictRow, { selector: ({ id }) => id }), { minLength: 1, maxLength: 6 })

propertyTest.prop([steps, fc.integer({ min: 1, max: 4_000 })])(
  'whoever applies all reports has the last state',
  (states, maxBytes) => {
    const held = new Map<string, string>()
    let reported: Reported | null = null
    let seq = 0
    const take = (next: NextReport) => {
      const report = read(next)
      if (report.full) held.clear()
      for (const id of report.gone) held.delete(id)
      for (const { id, reason, since } of report.verdicts) held.set(id, `${reason} ${since}`)
      reported = next.reported
    }
    for (const verdicts of states) take(nextReport(state(verdicts), reported, ++seq, details, maxBytes))
    const last = states.at(-1) ?? []
    for (let i = 0; i < 50; i++) take(nextReport(state(last), reported, ++seq, details, maxBytes))
    expect(new Map([...held].sort())).toEqual(
      new Map(last.map(({ id, reason, since }) => [id, `${reason} ${new Date(since).toISOString()}`] as const).sort()),
    )
  },
)

describe('the revision that counts as applied', () => {
  const claims = (...ports: number[]) =>
    stateWith({ tcpRoutes: ports.map(port => tcpRoute({ id: `r${port}`, externalPort: port })) }).routes.map(claimOf)
  const now = (fields: Partial<Parameters<typeof acknowledgedRevision>[1]> = {}) => ({
    controlPlaneId: 'cp_1',
    epoch: 1,
    expected: 43,
    applied: 43,
    claims: () => claims(1),
    wanted: () => new Set(claims(1, 2)),
    ...fields,
  })
  const before = { controlPlaneId: 'cp_1', epoch: 1, revision: 42 }

  test.each<[what: string, fields: Partial<Parameters<typeof acknowledgedRevision>[1]>, revision: number | null]>([
    ['applied as expected', {}, 43],
    ['not applied yet', { applied: 42 }, 42],
    ['nothing applied', { applied: null, expected: null }, 42],
    ['a held removal goes on', { claims: () => claims(1, 3) }, 42],
    ['a port of before goes on', { claims: () => claims(1, 2, 10_003) }, 42],
    ['another epoch begins with none', { epoch: 2, applied: 42 }, null],
    ['another epoch, applied', { epoch: 2 }, 43],
    ['another control plane begins with none', { controlPlaneId: 'cp_2', applied: 42 }, null],
  ])('%s', (_, fields, revision) => {
    expect(acknowledgedRevision(before, now(fields)).revision).toBe(revision)
  })

  test('at the start it is what is applied, or none', () => {
    expect(acknowledgedRevision(null, now()).revision).toBe(43)
    expect(acknowledgedRevision(null, now({ applied: 42 })).revision).toBeNull()
  })

  test('a claim is a port, a name, or a domain with its path', () => {
    const { routes } = stateWith({
      routes: [{ id: 'w', domain: 'a.example.com', pathPrefix: '/api', upstreams: [] }],
      tcpRoutes: [
        tcpRoute({ sniHostname: 'db.example.com' }),
        tcpRoute({ id: 'b', externalPort: 1, externalPortEnd: 3 }),
      ],
      udpRoutes: [{ id: 'u', externalPort: 53, upstreams: [] }],
    })
    expect(routes.map(claimOf)).toEqual([
      'http a.example.com /api',
      'tcp 10001-10001 db.example.com',
      'tcp 1-3 ',
      'udp 53-53 ',
    ])
  })
})
