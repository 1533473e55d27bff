/**
 * A node that reports over a network that loses, repeats and delays, beside a model that knows what is true: whatever happened on the way,
 * once the node has told what it has to tell, the database says what the node says.
 */
import { fc } from '@fast-check/vitest'
import { sql } from 'drizzle-orm'
import { expect, test } from 'vitest'
import type { Database } from '../../../src/control/db/client.ts'
import { StatusReportBody } from '../../../src/control/nodes/report-wire.ts'
import { takeReport } from '../../../src/control/nodes/take-report.ts'
import { type NextReport, nextReport, type Reported, type RowDetails } from '../../../src/core/report.ts'
import { NO_PLACE } from '../../../src/core/route-place.ts'
import type { TrackedVerdict } from '../../../src/core/track.ts'
import { REASONS, type ReasonCode } from '../../../src/core/verdict.ts'
import { makeFleet } from '../../support/control-fleet.ts'
import { clear, onEachDatabase } from '../../support/database.ts'

const ROUTES = ['prt_a', 'prt_b', 'prt_c', 'prt_d', 'prt_e']
const REASON_CODES = ['LIVE', 'BACKEND_DOWN', 'ENTRY_POINT_MISSING', 'NOT_YET_APPLIED'] as const

const DETAILS: RowDetails = {
  chain: () => [{ step: 'expected', ok: true, at: null, detail: 'asked for' }],
  served: () => null,
  timingsMs: () => null,
}

type Op =
  | { readonly do: 'set'; readonly id: string; readonly reason: ReasonCode }
  | { readonly do: 'remove'; readonly id: string }
  /** How a report fares: `late` is let in at once, and read when something later has been. */
  | { readonly do: 'send'; readonly fate: 'taken' | 'lost' | 'answer-lost' | 'late' }
  | { readonly do: 'arrive' }
  | { readonly do: 'restart' }

const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('set' as const),
      id: fc.constantFrom(...ROUTES),
      reason: fc.constantFrom(...REASON_CODES),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), id: fc.constantFrom(...ROUTES) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('send' as const),
      fate: fc.constantFrom('taken' as const, 'lost' as const, 'answer-lost' as const, 'late' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('arrive' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('restart' as const) }) },
)

/** What came with a report whose answer was lost, and is no more: the node does not know that it ever told of it. */
const GONE_BEFORE_IT_WAS_KNOWN: Op[] = [
  { do: 'send', fate: 'taken' },
  { do: 'set', id: 'prt_a', reason: 'BACKEND_DOWN' },
  { do: 'send', fate: 'answer-lost' },
  { do: 'remove', id: 'prt_a' },
]

/** Small enough that one report seldom holds all rows. */
const MAX_BYTES = 1700

async function makeNode(database: Database) {
  const fleet = makeFleet(database)
  await fleet.node('srv_1')
  for (const [i, id] of ROUTES.entries()) await fleet.route(id, { externalPort: 10_001 + i })
  const truth = new Map<string, TrackedVerdict>()
  let clock = Date.parse('2026-11-23T10:00:00Z')
  let stamp = 1
  let seq = 1
  let reported: Reported | null = null
  const late: { readonly body: string; readonly stamp: number }[] = []

  const make = (): NextReport =>
    nextReport(
      {
        controlPlaneId: database.controlPlaneId,
        epoch: 1,
        revision: { expected: ROUTES.length, served: ROUTES.length, applied: ROUTES.length },
        agentVersion: '0.1.0',
        traefik: { state: 'verified', version: '3.7.15', startedAt: null, lastPollAt: null },
        held: null,
        drift: { missing: 0, extra: 0, different: 0, disabled: 0 },
        verdicts: [...truth.values()],
        answered: new Map(),
        entryPoints: [],
        openConnections: new Map(),
      },
      reported,
      seq,
      DETAILS,
      MAX_BYTES,
    )
  const letIn = (at: number) =>
    database.transaction(tx =>
      tx.execute(sql`update nodes set last_post_timestamp = greatest(last_post_timestamp, ${at})`),
    )
  const take = (body: string, at: number) =>
    database.transaction(tx =>
      takeReport(
        tx,
        {
          nodeId: 'srv_1',
          body: StatusReportBody.parse(JSON.parse(body)),
          sentAtMs: at,
          receivedAtMs: at,
          requestId: 'req_1',
        },
        database.controlPlaneId,
      ),
    )

  async function send(fate: 'taken' | 'lost' | 'answer-lost' | 'late'): Promise<boolean> {
    const next = make()
    const at = stamp++
    seq += 1
    if (fate === 'lost') return true
    await letIn(at)
    if (fate === 'late') {
      late.push({ body: next.body, stamp: at })
      return true
    }
    const { kind } = await take(next.body, at)
    if (fate === 'answer-lost') return true
    reported = kind === 'taken' ? next.reported : null
    return next.changed || next.more || kind !== 'taken'
  }

  async function step(what: Op): Promise<void> {
    clock += 1000
    switch (what.do) {
      case 'set': {
        const { id, reason } = what
        const { verdict, meaning, remedy } = REASONS[reason]
        const before = truth.get(id)
        if (before?.reason === reason) return
        const rest = { entryPoints: [], notes: [], origin: 'cp', since: clock, revision: 5 }
        truth.set(id, { ...NO_PLACE, id, protocol: 'tcp', verdict, reason, message: meaning, remedy, ...rest })
        return
      }
      case 'remove':
        truth.delete(what.id)
        return
      case 'send':
        await send(what.fate)
        return
      case 'arrive': {
        const one = late.shift()
        if (one !== undefined) await take(one.body, one.stamp)
        return
      }
      case 'restart':
        seq = 1
        reported = null
        return
      default:
        what satisfies never
    }
  }

  return {
    step,
    /** Until there is nothing to tell, and a sign of life after that. */
    async settle(): Promise<void> {
      for (const one of late.splice(0)) await take(one.body, one.stamp)
      for (let quiet = 0, sent = 0; quiet < 2; sent++) {
        if (sent > 100) throw new Error('the node never has told all')
        quiet = (await send('taken')) ? 0 : quiet + 1
      }
    },
    wanted: () =>
      [...truth.values()]
        .filter(({ verdict }) => verdict !== 'live')
        .map(({ id, verdict, reason }) => `tcp/${id} ${verdict} ${reason}`)
        .sort(),
    rows: () => fleet.rows('srv_1'),
    async untold(): Promise<number | undefined> {
      const { rows } = await database.transaction(
        tx => tx.execute<{ untold: number }>(sql`select untold from node_status`),
        { readOnly: true },
      )
      return rows[0]?.untold
    },
  }
}

onEachDatabase('whatever befalls the reports of a node', use => {
  test('the database says what the node says', { timeout: 120_000 }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(op, { minLength: 5, maxLength: 40 }), async ops => {
        await clear(use())
        const node = await makeNode(use())
        for (const one of ops) await node.step(one)
        await node.settle()
        expect([await node.rows(), await node.untold()]).toEqual([node.wanted(), 0])
      }),
      { numRuns: 10, examples: [[GONE_BEFORE_IT_WAS_KNOWN]] },
    )
  })
})
