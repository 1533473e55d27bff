/**
 * What verdicts cost in the database of the control plane: 10,000 routes on 10 nodes, embedded and on a PostgreSQL server:
 * `node scripts/bench/verdicts.ts`.
 *
 * Reports go through their schema as over the wire, in one report as large as the contract lets it be. Of each call the median of several.
 *
 *   --routes 10000   --nodes 10   --rounds 7   --server URL
 */
import { parseArgs } from 'node:util'
import { sql } from 'drizzle-orm'
import { SYSTEM_ADMIN } from '../../src/control/access/actor.ts'
import type { Database } from '../../src/control/db/client.ts'
import { nodes } from '../../src/control/db/schema-nodes.ts'
import { StatusReportBody } from '../../src/control/nodes/report-wire.ts'
import { takeReport } from '../../src/control/nodes/take-report.ts'
import { showRoute } from '../../src/control/routes/detail.ts'
import { listRoutes } from '../../src/control/routes/list.ts'
import { showOverview } from '../../src/control/routes/overview.ts'
import { worstVerdicts } from '../../src/control/routes/worst.ts'
import type { ReportedVerdict } from '../../src/core/report-wire.ts'
import { REASONS, type ReasonCode } from '../../src/core/verdict.ts'
import { controlConfig } from '../../test/support/control-app.ts'
import { openMemoryDatabase, openServerDatabase } from '../../test/support/database.ts'
import { quantile } from './numbers.ts'

const { values } = parseArgs({
  options: {
    routes: { type: 'string', default: '10000' },
    nodes: { type: 'string', default: '10' },
    rounds: { type: 'string', default: '7' },
    server: { type: 'string' },
  },
})
const routeCount = Number(values.routes)
const nodeCount = Number(values.nodes)
const rounds = Number(values.rounds)

const idOf = (i: number): string => `prt_${String(i).padStart(6, '0')}`
const SINCE = new Date().toISOString()

function rowOf(i: number, reason: ReasonCode): ReportedVerdict {
  const { verdict, meaning, remedy } = REASONS[reason]
  return { id: idOf(i), protocol: 'tcp', verdict, reason, message: meaning, remedy, revision: 1, since: SINCE }
}

async function seed(database: Database): Promise<void> {
  await database.transaction(async tx => {
    await tx.execute(sql`update revisions set revision = 1`)
    await tx.execute(sql`insert into projects (id, name) values ('prj_1', 'one')`)
    await tx.execute(sql`insert into services (id, project_id, name)
      select 'svc_' || lpad(i::text, 6, '0'), 'prj_1', 'service-' || i from generate_series(0, ${routeCount - 1}::int) i`)
    await tx.execute(sql`insert into endpoints (id, service_id, address)
      select 'end_' || lpad(i::text, 6, '0'), 'svc_' || lpad(i::text, 6, '0'), '10.200.1.5' from generate_series(0, ${routeCount - 1}::int) i`)
    await tx.execute(sql`insert into service_ports (id, service_id, port, protocol, is_public, external_port)
      select 'prt_' || lpad(i::text, 6, '0'), 'svc_' || lpad(i::text, 6, '0'), 5432, 'tcp', true, 10000 + i
      from generate_series(0, ${routeCount - 1}::int) i`)
    for (let i = 0; i < nodeCount; i++)
      await tx.insert(nodes).values({
        ...{ id: `srv_${i}`, name: `proxy-${i}`, publicKey: `key ${i}`, enrolledEpoch: 1, enrolledRevision: 0 },
      })
  })
}

const seqs = new Map<string, number>()

async function report(
  database: Database,
  nodeId: string,
  rows: readonly ReportedVerdict[],
  down: number,
  full = false,
) {
  const reportSeq = (seqs.get(nodeId) ?? 0) + 1
  seqs.set(nodeId, reportSeq)
  const text = JSON.stringify({
    ...{ schema: 1, controlPlaneId: database.controlPlaneId, epoch: 1, reportSeq, full, agentVersion: '0.1.0' },
    revision: { expected: 1, served: 1, applied: 1 },
    traefik: { state: 'verified', version: '3.7.15', startedAt: null, lastPollAt: SINCE },
    counts: {
      live: routeCount - down,
      pending: 0,
      rejected: 0,
      refused: 0,
      conflicted: 0,
      waiting: 0,
      degraded: down,
      held: 0,
    },
    ...{ verdicts: rows, gone: [], held: null, openConnections: {} },
    drift: { missing: 0, extra: 0, different: 0, disabled: 0 },
  })
  const start = performance.now()
  const body = StatusReportBody.parse(JSON.parse(text))
  const taken = await database.transaction(tx =>
    takeReport(
      tx,
      { nodeId, body, sentAtMs: null, receivedAtMs: Date.now(), requestId: 'req_1' },
      database.controlPlaneId,
    ),
  )
  if (taken.kind !== 'taken') throw new Error(JSON.stringify(taken))
  return performance.now() - start
}

async function median(run: () => Promise<unknown>): Promise<number> {
  const times: number[] = []
  for (let i = 0; i < rounds; i++) {
    const start = performance.now()
    const own = await run()
    times.push(typeof own === 'number' ? own : performance.now() - start)
  }
  return quantile(times, 0.5)
}

async function measure(name: string, database: Database): Promise<void> {
  await seed(database)
  for (let i = 0; i < nodeCount; i++) await report(database, `srv_${i}`, [], 0, true)
  const config = controlConfig('publicHost: proxy.example.com')
  const reading =
    <T>(work: Parameters<typeof database.transaction<T>>[0]) =>
    () =>
      database.transaction(work, { isolation: 'repeatable read', readOnly: true })
  const few = Array.from({ length: 50 }, (_, i) => i * 7)
  const many = Array.from({ length: Math.min(routeCount, 3000) }, (_, i) => i)
  const lines: [string, number][] = []
  let isDown = false
  lines.push(['a report that says nothing new', await median(() => report(database, 'srv_0', [], 0))])
  lines.push([
    '50 routes down, 50 routes up',
    await median(async () => {
      isDown = !isDown
      return report(
        database,
        'srv_0',
        few.map(i => rowOf(i, isDown ? 'BACKEND_DOWN' : 'LIVE')),
        isDown ? 50 : 0,
      )
    }),
  ])
  await report(
    database,
    'srv_0',
    few.map(i => rowOf(i, 'LIVE')),
    0,
  )
  isDown = false
  lines.push([
    `${many.length} routes down, ${many.length} routes up`,
    await median(async () => {
      isDown = !isDown
      const rows = many.map(i => rowOf(i, isDown ? 'BACKEND_DOWN' : 'LIVE'))
      return report(database, 'srv_0', rows, isDown ? many.length : 0)
    }),
  ])
  await report(
    database,
    'srv_0',
    many.map(i => rowOf(i, 'BACKEND_DOWN')),
    many.length,
  )
  lines.push(['worst verdicts of all routes', await median(reading(tx => worstVerdicts(tx, null)))])
  lines.push([
    'worst verdicts of 100',
    await median(
      reading(tx =>
        worstVerdicts(
          tx,
          Array.from({ length: 100 }, (_, i) => idOf(i)),
        ),
      ),
    ),
  ])
  const fields = ['name', 'address', 'verdict'] as const
  lines.push([
    'slim rows of all',
    await median(reading(tx => listRoutes(tx, SYSTEM_ADMIN, { limit: routeCount, fields }, config.publicHost))),
  ])
  lines.push([
    'rows that are down',
    await median(reading(tx => listRoutes(tx, SYSTEM_ADMIN, { limit: 100, verdict: ['degraded'] }, config.publicHost))),
  ])
  lines.push([
    'one route',
    await median(reading(tx => showRoute(tx, SYSTEM_ADMIN, idOf(9000 % routeCount), config.publicHost))),
  ])
  lines.push(['overview', await median(reading(tx => showOverview(tx, SYSTEM_ADMIN, { config })))])
  console.log(`${name}: ${routeCount} routes, ${nodeCount} nodes, ms, median of ${rounds}`)
  for (const [what, ms] of lines) console.log(`  ${what.padEnd(34)} ${ms.toFixed(1)}`)
  await database.close()
}

await measure('embedded', await openMemoryDatabase())
if (values.server !== undefined) await measure('server', await openServerDatabase(values.server))
