/**
 * Nodes, routes and reports in the database of a control plane, past the API, in as few words as a test about verdicts needs.
 *
 *   const fleet = makeFleet(database)
 *   await fleet.node('srv_1')
 *   await fleet.route('prt_pg', { externalPort: 10001 })
 *   await fleet.report('srv_1', { verdicts: [told('prt_pg', 'BACKEND_DOWN')] })
 */
import { sql } from 'drizzle-orm'
import type { Database } from '../../src/control/db/client.ts'
import { beginChange, type Position, readPosition } from '../../src/control/db/revision.ts'
import { endpoints, projects, servicePorts, services } from '../../src/control/db/schema.ts'
import { nodes } from '../../src/control/db/schema-nodes.ts'
import { StatusReportBody } from '../../src/control/nodes/report-wire.ts'
import { type ReportResult, takeReport } from '../../src/control/nodes/take-report.ts'
import type { Protocol } from '../../src/core/problem.ts'
import type { ReportedVerdict, StatusReport } from '../../src/core/report-wire.ts'
import { REASONS, type ReasonCode } from '../../src/core/verdict.ts'

export const SINCE = '2026-11-23T10:00:00.000Z'

/** A row as an agent tells it. */
export function told(id: string, reason: ReasonCode = 'LIVE', fields: Partial<ReportedVerdict> = {}): ReportedVerdict {
  const { verdict, meaning, remedy } = REASONS[reason]
  return { id, protocol: 'tcp', verdict, reason, message: meaning, remedy, revision: 1, since: SINCE, ...fields }
}

export const countsOf = (rows: readonly Pick<ReportedVerdict, 'verdict'>[]): StatusReport['counts'] => {
  const counts = { live: 0, pending: 0, rejected: 0, refused: 0, conflicted: 0, waiting: 0, degraded: 0, held: 0 }
  for (const { verdict } of rows) counts[verdict] += 1
  return counts
}

export type FleetRoute = {
  readonly protocol?: Protocol
  readonly externalPort?: number
  readonly domain?: string
  readonly sniHostname?: string
  readonly project?: string
  readonly isPublic?: boolean
  readonly expiresAt?: Date
}

export type FleetReport = Partial<Omit<StatusReport, 'counts'>> & {
  readonly counts?: Partial<StatusReport['counts']>
  readonly sentAtMs?: number
  readonly receivedAtMs?: number
}

export function makeFleet(database: Database) {
  const seqs = new Map<string, number>()

  return {
    /** A node that was enrolled at the beginning. */
    async node(id: string, values: Partial<typeof nodes.$inferInsert> = {}): Promise<void> {
      await database.transaction(tx =>
        tx.insert(nodes).values({
          id,
          name: id.replace('srv_', 'proxy-'),
          publicKey: `key of ${id}`,
          enrolledEpoch: 1,
          enrolledRevision: 0,
          ...values,
        }),
      )
    },

    /** A service with one upstream and one public port, in a change of its own; the project is made when it is not there. */
    async route(id: string, route: FleetRoute = {}): Promise<Position> {
      const { protocol = 'tcp', project = 'prj_1', isPublic = true } = route
      const serviceId = id.replace('prt_', 'svc_')
      return database.transaction(async tx => {
        const { epoch, revision } = await beginChange(tx)
        await tx.insert(projects).values({ id: project, name: project }).onConflictDoNothing()
        await tx.insert(services).values({ id: serviceId, projectId: project, name: serviceId.replace('svc_', '') })
        await tx.insert(endpoints).values({ id: `end_${id}`, serviceId, address: '10.200.1.5' })
        await tx.insert(servicePorts).values({
          id,
          serviceId,
          port: 5432,
          protocol,
          isPublic,
          externalPort: protocol === 'http' ? null : (route.externalPort ?? null),
          domain: route.domain ?? null,
          sniHostname: route.sniHostname ?? null,
          expiresAt: route.expiresAt ?? null,
        })
        return { epoch, revision }
      })
    },

    /** Changes something of a port that nodes are told. */
    async touch(id: string, set = sql`port = port + 1`): Promise<Position> {
      return database.transaction(async tx => {
        const { epoch, revision } = await beginChange(tx)
        await tx.execute(sql`update service_ports set ${set} where id = ${id}`)
        return { epoch, revision }
      })
    },

    /**
     * A report, through its schema as the wire has it: the first of a node is full, and numbers, counts and revisions are those of a
     * node that has everything, unless said otherwise.
     */
    async report(
      nodeId: string,
      { sentAtMs, receivedAtMs = Date.now(), ...fields }: FleetReport = {},
    ): Promise<ReportResult> {
      const position = await database.transaction(readPosition, { readOnly: true })
      const last = seqs.get(nodeId) ?? 0
      const reportSeq = fields.reportSeq ?? last + 1
      seqs.set(nodeId, reportSeq)
      const { revision } = position
      const verdicts = fields.verdicts ?? []
      const body = StatusReportBody.parse({
        schema: 1,
        controlPlaneId: database.controlPlaneId,
        epoch: position.epoch,
        revision: { expected: revision, served: revision, applied: revision },
        full: last === 0,
        agentVersion: '0.1.0',
        traefik: { state: 'verified', version: '3.7.15', startedAt: SINCE, lastPollAt: SINCE },
        gone: [],
        held: null,
        drift: { missing: 0, extra: 0, different: 0, disabled: 0 },
        openConnections: {},
        ...(last === 0 ? { entryPoints: [{ name: 'tcp-10001', address: ':10001', protocol: 'tcp' }] } : {}),
        ...fields,
        reportSeq,
        verdicts,
        counts: { ...countsOf(verdicts), ...fields.counts },
      })
      return database.transaction(tx =>
        takeReport(
          tx,
          { nodeId, body, sentAtMs: sentAtMs ?? null, receivedAtMs, requestId: 'req_1' },
          database.controlPlaneId,
        ),
      )
    },

    /** As if the node had last been heard of so long ago. */
    async quiet(nodeId: string, seconds: number): Promise<void> {
      await database.transaction(async tx => {
        await tx.execute(
          sql`update node_status set reported_at = now() - ${seconds} * interval '1 second' where node_id = ${nodeId}`,
        )
        await tx.execute(
          sql`update nodes set last_seen_at = now() - ${seconds} * interval '1 second' where id = ${nodeId}`,
        )
      })
    },

    /** `tcp/prt_pg degraded BACKEND_DOWN` for each row of verdicts of the node. */
    async rows(nodeId: string): Promise<readonly string[]> {
      const { rows } = await database.transaction(
        tx =>
          tx.execute<{ row: string }>(sql`
            select protocol || '/' || route_id || ' ' || verdict || ' ' || reason as row from node_verdicts
            where node_id = ${nodeId} order by 1`),
        { readOnly: true },
      )
      return rows.map(({ row }) => row)
    },

    /** `prt_pg live` for each row of the history, oldest first. */
    async history(nodeId: string): Promise<readonly string[]> {
      const { rows } = await database.transaction(
        tx =>
          tx.execute<{ row: string }>(
            sql`select route_id || ' ' || verdict as row from verdict_history where node_id = ${nodeId} order by id`,
          ),
        { readOnly: true },
      )
      return rows.map(({ row }) => row)
    },
  }
}

export type Fleet = ReturnType<typeof makeFleet>
