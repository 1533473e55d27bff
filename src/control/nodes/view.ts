/** Nodes as the API shows them: what they last said, and what follows from how long ago that was. */
import { type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Node } from '../../api/node.ts'
import type { VerdictCounts } from '../../api/verdict.ts'
import type { Tx } from '../db/transaction.ts'
import { notFound } from '../http/api-error.ts'
import { makeCursor, readCursor, takePage } from '../http/page.ts'
import { readJson } from '../routes/fleet.ts'
import { isSilent } from '../routes/verdict.ts'
import { missingEntryPoints, type NeededPorts, readNeeded } from './missing.ts'
import { ReportHead } from './report-wire.ts'

const time = z.coerce.date()

const row = z.object({
  id: z.string(),
  name: z.string(),
  status: z.enum(['active', 'lost', 'retired']),
  version: z.number(),
  createdAt: time,
  lastSeenAt: time.nullable(),
  quietMs: z.number().nullable(),
  revokedAt: time.nullable(),
  retiredAt: time.nullable(),
  agentVersion: z.string().nullable(),
  acceptedHash: z.string().nullable(),
  appliedEpoch: z.number().nullable(),
  appliedRevision: z.number().nullable(),
  epoch: z.number(),
  current: z.number(),
  head: ReportHead.nullable().catch(null),
  entryPoints: z.unknown(),
  openConnections: z.number(),
})

export type NodeDetails = z.infer<typeof row>

export const readDetails = (tx: Tx, where: SQL, limit: number): Promise<NodeDetails[]> =>
  readJson(
    tx,
    row,
    sql`
    select n.id, n.name, n.status, n.version, n.created_at as "createdAt",
      greatest(n.last_seen_at, s.reported_at) as "lastSeenAt",
      case when s.reported_at is not null
          then greatest(floor(extract(epoch from statement_timestamp() - s.reported_at) * 1000), 0) end as "quietMs",
      n.revoked_at as "revokedAt", n.retired_at as "retiredAt", n.agent_version as "agentVersion",
      n.accepted_hash as "acceptedHash", n.applied_epoch as "appliedEpoch", n.applied_revision as "appliedRevision",
      r.epoch, r.revision as current, s.report as head, s.entry_points as "entryPoints",
      coalesce((select sum(value::numeric) from jsonb_each_text(s.open_connections)), 0) as "openConnections"
    from nodes n cross join revisions r left join node_status s on s.node_id = n.id
    where ${where} order by n.id limit ${limit}`,
  )

const NONE: VerdictCounts = {
  ...{ live: 0, pending: 0, rejected: 0, refused: 0, conflicted: 0, waiting: 0, degraded: 0, held: 0, unknown: 0 },
}

function countsOf(head: ReportHead | null, silent: boolean): VerdictCounts {
  if (head === null) return NONE
  const total = Object.values(head.counts).reduce((sum, count) => sum + count, 0)
  return silent ? { ...NONE, unknown: total } : { ...head.counts, unknown: 0 }
}

const iso = (at: Date | null): string | null => at?.toISOString() ?? null
/** A node may write its times with an offset. */
const isoText = (at: string | null): string | null => (at === null ? null : new Date(at).toISOString())

export function nodeView(node: NodeDetails, needed: readonly NeededPorts[]): Node {
  const { id, name, status, version, agentVersion, head, epoch, current, appliedEpoch, appliedRevision } = node
  const silent = isSilent(node)
  const applied = appliedEpoch === epoch ? appliedRevision : null
  return {
    id,
    name,
    status,
    version,
    createdAt: node.createdAt.toISOString(),
    lastSeenAt: iso(node.lastSeenAt),
    silent,
    revokedAt: iso(node.revokedAt),
    retiredAt: iso(node.retiredAt),
    agentVersion,
    revision: {
      current,
      expected: head?.revision.expected ?? null,
      served: head?.revision.served ?? null,
      applied,
      lag: applied === null ? null : Math.max(current - applied, 0),
    },
    traefik:
      head === null
        ? null
        : {
            ...head.traefik,
            startedAt: isoText(head.traefik.startedAt),
            lastPollAt: isoText(head.traefik.lastPollAt),
          },
    counts: countsOf(head, silent),
    drift: head?.drift ?? null,
    held: head?.held == null ? null : { ...head.held, accepted: head.held.hash === node.acceptedHash },
    missingEntryPoints: missingEntryPoints(node.entryPoints, needed),
    openConnections: node.openConnections,
  }
}

export async function listNodes(
  tx: Tx,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
): Promise<{ items: Node[]; nextCursor: string | null }> {
  const after = readCursor(cursor)?.[0]
  const found = await readDetails(tx, after === undefined ? sql`true` : sql`n.id > ${after}`, limit + 1)
  const needed = await readNeeded(tx)
  const { items, nextCursor } = takePage(found, limit, node => makeCursor(node.id))
  return { items: items.map(node => nodeView(node, needed)), nextCursor }
}

/** Throws an ApiError (404). */
export async function readNode(tx: Tx, id: string): Promise<NodeDetails> {
  const [node] = await readDetails(tx, sql`n.id = ${id}`, 1)
  if (node === undefined) throw notFound('node', id)
  return node
}

export const showNode = async (tx: Tx, id: string): Promise<Node> =>
  nodeView(await readNode(tx, id), await readNeeded(tx))
