/** What is to be counted in the database, in one short transaction: a scrape must not weigh on those who work. */
import { sql } from 'drizzle-orm'
import type { Database } from '../db/client.ts'
import { readPosition } from '../db/revision.ts'
import type { Tx } from '../db/transaction.ts'
import type { PortRules } from '../ports/ports.ts'
import type { L4, PoolCounts } from '../ports/problem.ts'
import { readPoolFacts } from '../ports/rows.ts'
import { countPool } from '../ports/standing.ts'

export type Census = {
  readonly epoch: number
  readonly revision: number
  readonly pools: Readonly<Record<L4, Omit<PoolCounts, 'total'>>>
  readonly nodes: Readonly<Record<'active' | 'lost' | 'retired', number>>
  readonly nodesBehind: number
  /** Verdicts that are not `live`, over all nodes that count. */
  readonly verdicts: Readonly<Record<string, number>>
  readonly publicPorts: Readonly<Record<'http' | 'tcp' | 'udp', number>>
  readonly auditRows: number
}

type Counted = { readonly name: string; readonly count: string }

async function counts<Name extends string>(
  tx: Tx,
  names: readonly Name[],
  query: ReturnType<typeof sql>,
): Promise<Readonly<Record<Name, number>>>
async function counts(
  tx: Tx,
  names: readonly string[],
  query: ReturnType<typeof sql>,
): Promise<Readonly<Record<string, number>>> {
  const { rows } = await tx.execute<Counted>(query)
  const found = new Map(rows.map(({ name, count }) => [name, Number(count)]))
  return Object.fromEntries([...names, ...found.keys()].map(name => [name, found.get(name) ?? 0]))
}

async function single(tx: Tx, query: ReturnType<typeof sql>): Promise<number> {
  const { rows } = await tx.execute<{ count: string }>(query)
  return Number(rows[0]?.count ?? 0)
}

async function poolOf(tx: Tx, protocol: L4, rules: PortRules): Promise<Omit<PoolCounts, 'total'>> {
  const { view } = await readPoolFacts(tx, { protocol, projectId: null, leastTimeMs: rules.leastTimeMs })
  const { total: _, ...counted } = countPool(rules[protocol], view)
  return counted
}

const VERDICTS = ['pending', 'rejected', 'refused', 'conflicted', 'waiting', 'degraded', 'held'] as const

export async function readCensus(tx: Tx, rules: PortRules): Promise<Census> {
  const { epoch, revision } = await readPosition(tx)
  return {
    epoch,
    revision,
    pools: { tcp: await poolOf(tx, 'tcp', rules), udp: await poolOf(tx, 'udp', rules) },
    nodes: await counts(
      tx,
      ['active', 'lost', 'retired'],
      sql`select status as name, count(*) as count from nodes group by status`,
    ),
    nodesBehind: await single(
      tx,
      sql`select count(*) as count from nodes
          where status = 'active' and (applied_epoch, applied_revision) is distinct from (${epoch}, ${revision})`,
    ),
    verdicts: await counts(
      tx,
      VERDICTS,
      sql`select v.verdict as name, count(*) as count from node_verdicts v join nodes n on n.id = v.node_id
          where n.status <> 'retired' group by v.verdict`,
    ),
    publicPorts: await counts(
      tx,
      ['http', 'tcp', 'udp'],
      sql`select protocol as name, count(*) as count from service_ports
          where is_public and (expires_at is null or expires_at > now()) group by protocol`,
    ),
    // The numbers of rows that were rolled back are lost: a few more than there are, but found at once however many there are.
    auditRows: await single(tx, sql`select coalesce(max(id), 0) as count from audit_log`),
  }
}

/** Read at most once in so long, however many scrape. */
const FRESH_MS = 2_000

export function createCensus(
  database: Pick<Database, 'transaction'>,
  rules: (tx: Tx) => Promise<PortRules>,
  monotonic: () => number,
): () => Promise<Census> {
  let last: { readonly at: number; readonly census: Promise<Census> } | null = null
  return () => {
    if (last === null || monotonic() - last.at > FRESH_MS)
      last = {
        at: monotonic(),
        census: database.transaction(async tx => readCensus(tx, await rules(tx)), {
          isolation: 'repeatable read',
          readOnly: true,
        }),
      }
    return last.census
  }
}
