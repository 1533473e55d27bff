/**
 * One report of a node, written down: the last one wins, and of verdicts only those that are not live are kept.
 *
 *   in order? -> rows of verdicts, and what they change -> history -> the node's own row -> what others are told
 *
 * A report that does not build upon the last one, or that was overtaken on its way, is answered with `full`: the node then tells everything.
 * One that says nothing new costs one small update.
 */
import { sql } from 'drizzle-orm'
import { z } from 'zod'
import { writeAudit } from '../audit.ts'
import { isBefore, type Position, readPosition } from '../db/revision.ts'
import type { Tx } from '../db/transaction.ts'
import { announce, MAX_IDS } from '../hub-notices.ts'
import { readJson } from '../routes/fleet.ts'
import { type ChangedRoute, countRows, keepAnswers, noteGone, readArrived, writeVerdicts } from './report-rows.ts'
import { databaseJson, MAX_ROWS, type ReportBody, ReportHead } from './report-wire.ts'

export type ReceivedReport = {
  readonly nodeId: string
  readonly body: ReportBody
  /** Its signed timestamp, by the clock of the node; null: it has none. */
  readonly sentAtMs: number | null
  /** When its first byte came, by ours. */
  readonly receivedAtMs: number
  readonly requestId: string
}

/** `full`: the node has to tell everything, for `why`. `retired`: nobody listens to it any more. `foreign`: it is for another control plane. */
export type ReportResult =
  | { readonly kind: 'taken' }
  | { readonly kind: 'full'; readonly why: string }
  | { readonly kind: 'retired' | 'foreign' }

const standing = z.object({
  name: z.string(),
  status: z.enum(['active', 'lost', 'retired']),
  lastPostTimestamp: z.number(),
  agentVersion: z.string().nullable(),
  acceptedHash: z.string().nullable(),
  applied: z.object({ epoch: z.number(), revision: z.number() }).nullable(),
  reportSeq: z.number().nullable(),
  untold: z.number().nullable(),
  told: z.object({ epoch: z.number(), revision: z.number() }).nullable(),
  head: ReportHead.nullable().catch(null),
})
type Standing = z.infer<typeof standing>

async function readStanding(tx: Tx, nodeId: string): Promise<Standing | null> {
  // Reports of one node are taken one after the other, whichever process they come to.
  await tx.execute(sql`select id from nodes where id = ${nodeId} for update`)
  const [found] = await readJson(
    tx,
    standing,
    sql`
      select n.name, n.status, n.last_post_timestamp as "lastPostTimestamp", n.agent_version as "agentVersion",
        n.accepted_hash as "acceptedHash", s.report_seq as "reportSeq", s.untold, s.report as head,
        case when s.told_revision is not null
          then json_build_object('epoch', s.told_epoch, 'revision', s.told_revision) end as told,
        case when n.applied_epoch is not null
          then json_build_object('epoch', n.applied_epoch, 'revision', n.applied_revision) end as applied
      from nodes n left join node_status s on s.node_id = n.id where n.id = ${nodeId}`,
  )
  return found ?? null
}

/** Why this report cannot be built upon what is here; null when it can. */
export function gapOf(
  { reportSeq, lastPostTimestamp }: Pick<Standing, 'reportSeq' | 'lastPostTimestamp'>,
  body: Pick<ReportBody, 'full' | 'reportSeq'>,
  sentAtMs: number | null,
): string | null {
  if (sentAtMs !== null && sentAtMs < lastPostTimestamp) return 'a later report has overtaken it'
  if (body.full) return null
  if (reportSeq === null) return 'nothing was reported before'
  return body.reportSeq === reportSeq + 1 ? null : `report ${body.reportSeq} follows ${reportSeq}`
}

const COUNTED = ['pending', 'rejected', 'refused', 'conflicted', 'waiting', 'degraded', 'held'] as const

/** How many verdicts that are not live are still to be told, and whether rows are here that the node knows nothing of. */
export function compareCounts(
  counts: ReportBody['counts'],
  rows: Readonly<Record<string, number>>,
): { readonly untold: number; readonly surplus: boolean } {
  let untold = 0
  let surplus = false
  for (const verdict of COUNTED) {
    const here = rows[verdict] ?? 0
    untold += Math.max(counts[verdict] - here, 0)
    if (here > counts[verdict]) surplus = true
  }
  return { untold, surplus }
}

/** Without what changes with every report. */
const materialOf = ({ traefik: { lastPollAt: _lastPollAt, ...traefik }, ...head }: ReportHead): string =>
  JSON.stringify([traefik, ReportHead.omit({ traefik: true }).parse(head)])

/** The state that a number names; null for a state without one. */
const positionOf = (epoch: number | null, revision: number | string | null): Position | null =>
  epoch === null || typeof revision !== 'number' ? null : { epoch, revision }

/** What of `applied` is news: it only goes up, and never beyond what this database knows, for ports are handed out on this word. */
function appliedNews(before: Position | null, said: Position | null, current: Position): Position | null {
  if (said === null || isBefore(current, said)) return null
  return before === null || isBefore(before, said) ? said : null
}

/** All rows that a node may have, with a report that changes each of them. What makes up ids must not fill the table. */
const MAX_KEPT_ROWS = 2 * MAX_ROWS

const sumOf = (rows: Readonly<Record<string, number>>): number => Object.values(rows).reduce((sum, one) => sum + one, 0)

type Written = { readonly untold: number; readonly changed: readonly ChangedRoute[] }

/** Null: rows are here that the node knows nothing of. Then nothing was written. */
async function writeRows(
  tx: Tx,
  { nodeId, body, sentAtMs, receivedAtMs }: ReceivedReport,
  known: Standing,
): Promise<Written | null> {
  const isEmpty = !body.full && body.verdicts.length === 0 && body.gone.length === 0
  if (isEmpty) {
    const sameCounts = JSON.stringify(known.head?.counts) === JSON.stringify(body.counts)
    if (known.untold === 0 && sameCounts) return { untold: 0, changed: [] }
    // A report without rows says that there is nothing left to tell; with rows, some of what is here may be about to be corrected.
    return compareCounts(body.counts, await countRows(tx, nodeId)).surplus ? null : { untold: 0, changed: [] }
  }
  if (!body.full && sumOf(await countRows(tx, nodeId)) + body.verdicts.length > MAX_KEPT_ROWS) return null
  // A clock that is wrong by more than a second is set right; within it the way of the report is as likely the reason.
  const skewMs = sentAtMs === null || Math.abs(receivedAtMs - sentAtMs) <= 1000 ? 0 : receivedAtMs - sentAtMs
  const changed = await writeVerdicts(tx, nodeId, body, skewMs)
  const gone = body.gone.length === 0 ? [] : await noteGone(tx, nodeId, body.gone, receivedAtMs)
  await keepAnswers(tx, nodeId, body, skewMs)
  const { untold } = compareCounts(body.counts, await countRows(tx, nodeId))
  return { untold, changed: [...changed, ...gone] }
}

async function writeStatus(tx: Tx, { nodeId, body }: ReceivedReport, untold: number): Promise<void> {
  const head = databaseJson(ReportHead.parse(body))
  const told = positionOf(body.epoch, body.revision.served)
  const connections = databaseJson(
    Object.fromEntries(
      Object.entries(body.openConnections).map(([key, count]) => [key.slice(key.indexOf('/') + 1), count]),
    ),
  )
  const entryPoints = body.entryPoints === undefined ? null : databaseJson(body.entryPoints)
  // A large value that is not assigned is not written again.
  const setEntryPoints = entryPoints === null ? sql`` : sql`, entry_points = excluded.entry_points`
  await tx.execute(sql`
    insert into node_status as old
      (node_id, report_seq, reported_at, report, told_epoch, told_revision, untold, open_connections, entry_points)
    values (${nodeId}, ${body.reportSeq}, statement_timestamp(), ${head}::jsonb, ${told?.epoch ?? null},
      ${told?.revision ?? null}, ${untold}, ${connections}::jsonb, nullif(${entryPoints}::jsonb, 'null'))
    on conflict (node_id) do update set report_seq = excluded.report_seq, reported_at = excluded.reported_at,
      report = excluded.report, told_epoch = excluded.told_epoch, told_revision = excluded.told_revision,
      untold = excluded.untold, open_connections = excluded.open_connections ${setEntryPoints}`)
}

/** The node's own row, where something of it is new. True: it is. */
async function writeNode(
  tx: Tx,
  { nodeId, body, requestId }: ReceivedReport,
  known: Standing,
  current: Position,
): Promise<boolean> {
  const applied = appliedNews(known.applied, positionOf(body.epoch, body.revision.applied), current)
  const isBack = known.status === 'lost'
  // An acceptance is for one held state; once that is no more, the same loss must be asked about again.
  const isOver = known.acceptedHash !== null && body.held?.hash !== known.acceptedHash
  if (applied === null && !isBack && !isOver && known.agentVersion === body.agentVersion) return false
  await tx.execute(sql`
    update nodes set agent_version = ${body.agentVersion}
      ${isBack ? sql`, status = 'active', version = version + 1` : sql``}
      ${isOver ? sql`, accepted_hash = null` : sql``}
      ${applied === null ? sql`` : sql`, applied_epoch = ${applied.epoch}, applied_revision = ${applied.revision}`}
    where id = ${nodeId}`)
  if (isBack)
    await writeAudit(
      tx,
      {
        action: 'node.return',
        resourceKind: 'node',
        resourceId: nodeId,
        before: { name: known.name, status: 'lost' },
        after: { name: known.name, status: 'active' },
      },
      { actor: { kind: 'node', id: nodeId }, requestId, position: null },
    )
  return true
}

/** Who may see one project hears of that project's routes; a change in many is everybody's. */
async function tell(
  tx: Tx,
  nodeId: string,
  changed: readonly ChangedRoute[],
  isNews: boolean,
  revision: number,
): Promise<void> {
  if (isNews) await announce(tx, { kind: 'node', ids: [nodeId], revision, projectId: null })
  const byProject = Map.groupBy(changed, ({ projectId }) => projectId)
  if (byProject.size > 3 || changed.length > MAX_IDS) {
    await announce(tx, { kind: 'verdict', ids: [], revision, projectId: null })
    return
  }
  for (const [projectId, routes] of byProject) {
    const ids = [...new Set(routes.map(({ routeId }) => routeId)), nodeId]
    await announce(tx, { kind: 'verdict', ids: ids.length > MAX_IDS ? [] : ids, revision, projectId })
  }
}

/** In a transaction of its own; throws nothing but errors of the database. */
export async function takeReport(tx: Tx, report: ReceivedReport, controlPlaneId: string): Promise<ReportResult> {
  const { nodeId, body, sentAtMs } = report
  if (body.controlPlaneId !== controlPlaneId) return { kind: 'foreign' }
  const known = await readStanding(tx, nodeId)
  if (known === null || known.status === 'retired') return { kind: 'retired' }
  const gap = gapOf(known, body, sentAtMs)
  if (gap !== null) return { kind: 'full', why: gap }
  const current = await readPosition(tx)
  const written = await writeRows(tx, report, known)
  if (written === null) return { kind: 'full', why: 'rows are here that the node knows nothing of' }
  const arrived = await readArrived(tx, known.told, positionOf(body.epoch, body.revision.served))
  await writeStatus(tx, report, written.untold)
  const moved = await writeNode(tx, report, known, current)
  const isNews =
    moved || known.head === null || materialOf(known.head) !== materialOf(body) || body.entryPoints !== undefined
  await tell(tx, nodeId, [...written.changed, ...arrived], isNews, current.revision)
  return { kind: 'taken' }
}
