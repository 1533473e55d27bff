/** What the claims look like in the database, read under the lock of a change, and told as the pure decisions want it. */
import { type SQL, sql } from 'drizzle-orm'
import { z } from 'zod'
import type { Tx } from '../db/transaction.ts'
import type { Quota } from './choice.ts'
import type { L4 } from './problem.ts'
import { judgeRest, type NodeKnowledge, type Resting } from './rest.ts'
import type { PoolView, RestingPort } from './standing.ts'

const position = z.object({ epoch: z.number(), revision: z.number() })

const nodeRow = z.object({
  id: z.string(),
  name: z.string(),
  status: z.enum(['active', 'lost', 'retired']),
  lastSeenAt: z.coerce.date().nullable(),
  enrolled: position,
  applied: position.nullable(),
})

const restingRow = z.object({
  protocol: z.enum(['tcp', 'udp']),
  port: z.number(),
  host: z.string(),
  releasedBy: z.string().nullable(),
  restedMs: z.number(),
  blocked: position,
})

export type RestingClaim = Resting & { readonly protocol: L4; readonly port: number; readonly host: string }

/** Rows as one JSON text, so that both kinds of database give numbers and null alike. */
const jsonRows = z.string().transform((text): unknown => JSON.parse(text))

/** Nodes that may still serve: all but the retired ones. */
export async function readNodes(tx: Tx): Promise<readonly NodeKnowledge[]> {
  const { rows } = await tx.execute(sql`
    select coalesce(json_agg(json_build_object(
      'id', id, 'name', name, 'status', status, 'lastSeenAt', last_seen_at,
      'enrolled', json_build_object('epoch', enrolled_epoch, 'revision', enrolled_revision),
      'applied', case when applied_epoch is null then null
        else json_build_object('epoch', applied_epoch, 'revision', applied_revision) end
    ) order by name, id), '[]')::text as rows
    from nodes where status <> 'retired'`)
  return z.array(nodeRow).parse(jsonRows.parse(rows[0]?.rows))
}

/** A text of them, as a column of a query; `where` is about allocated_ports. */
const restingJson = (where: SQL): SQL => sql`(
    select coalesce(json_agg(json_build_object(
      'protocol', protocol, 'port', port, 'host', host, 'releasedBy', released_by,
      'restedMs', floor(extract(epoch from statement_timestamp() - released_at) * 1000),
      'blocked', json_build_object('epoch', blocked_epoch, 'revision', blocked_revision)
    ) order by protocol, port, host), '[]')::text
    from allocated_ports where state = 'resting' and ${where})`

/** `where` is about allocated_ports. */
export async function readResting(tx: Tx, where: SQL = sql`true`): Promise<readonly RestingClaim[]> {
  const { rows } = await tx.execute(sql`select ${restingJson(where)} as rows`)
  return z.array(restingRow).parse(jsonRows.parse(rows[0]?.rows))
}

/** `{[10000,10003),[10007,10008)}`, as PostgreSQL writes a set of ranges: thousands of numbers in a few letters. */
export function parseRanges(text: string | null): Set<number> {
  const numbers = new Set<number>()
  for (const [, from, to] of (text ?? '').matchAll(/\[(\d+),(\d+)\)/g))
    for (let port = Number(from); port < Number(to); port++) numbers.add(port)
  return numbers
}

export type PoolFacts = {
  readonly view: PoolView
  readonly nodes: readonly NodeKnowledge[]
  readonly quota: Quota
  /** Everything of the pool, and of the project in any pool, that rests. */
  readonly resting: readonly RestingClaim[]
}

export type PoolQuestion = {
  readonly protocol: L4
  /** Who asks; null: nobody, and there is no quota. */
  readonly projectId: string | null
  readonly leastTimeMs: number
}

/** The numbers of one protocol, and what the project has. */
export async function readPoolFacts(tx: Tx, { protocol, projectId, leastTimeMs }: PoolQuestion): Promise<PoolFacts> {
  const numbersWhere = (condition: SQL) =>
    sql`(select range_agg(int4range(port, port + 1))::text from allocated_ports where protocol = ${protocol} and ${condition})`
  const { rows } = await tx.execute<{
    used: string | null
    hosts: string | null
    reserved: string
    quota: number | null
    held: number
    resting: string
  }>(sql`
    select
      ${numbersWhere(sql`host = '' and state = 'used'`)} as used,
      ${numbersWhere(sql`host <> '' and state = 'used'`)} as hosts,
      (select coalesce(json_agg(json_build_array(port, note)), '[]')::text
        from allocated_ports where protocol = ${protocol} and state = 'reserved') as reserved,
      (select port_quota from projects where id = ${projectId}) as quota,
      (select count(*)::int from allocated_ports where project_id = ${projectId}) as held,
      ${restingJson(sql`(protocol = ${protocol} or released_by = ${projectId})`)} as resting`)
  const row = rows[0]
  if (row === undefined) throw new Error('a query without from gave no row')
  const resting = z.array(restingRow).parse(jsonRows.parse(row.resting))
  const nodes = resting.length === 0 ? [] : await readNodes(tx)
  const judged = resting.map(claim => ({ claim, rest: judgeRest(claim, nodes, { leastTimeMs }) }))
  const inPool: readonly RestingPort[] = judged
    .filter(({ claim }) => claim.protocol === protocol && claim.host === '')
    .map(({ claim, rest }) => ({
      port: claim.port,
      own: projectId !== null && claim.releasedBy === projectId,
      restedMs: claim.restedMs,
      rest,
    }))
  const hostsAtRest = judged
    .filter(({ claim, rest }) => claim.protocol === protocol && claim.host !== '' && !rest.over)
    .map(({ claim }) => claim.port)
  const ownAtRest = judged.filter(
    ({ claim, rest }) => projectId !== null && claim.releasedBy === projectId && !rest.over,
  )
  return {
    nodes,
    resting,
    quota: { limit: row.quota, used: row.held, resting: ownAtRest.length },
    view: {
      used: parseRanges(row.used),
      hosts: new Set([...parseRanges(row.hosts), ...hostsAtRest]),
      reserved: new Map(z.array(z.tuple([z.number(), z.string().nullable()])).parse(JSON.parse(row.reserved))),
      resting: new Map(inPool.map(port => [port.port, port])),
    },
  }
}

export type HostRow = {
  readonly host: string
  /** Who has it, or had it last. */
  readonly projectId: string | null
  readonly resting: Resting | null
}

/** Host names on a shared number that have to do with this one: itself, the wildcard over it, or what that wildcard covers. */
export async function readHosts(tx: Tx, port: number, host: string, wildcard: string): Promise<readonly HostRow[]> {
  const related =
    host === wildcard
      ? sql`substr(host, strpos(host, '.')) = ${wildcard.slice(1)}`
      : sql`host in (${host}, ${wildcard})`
  const here = sql`protocol = 'tcp' and port = ${port} and host <> '' and ${related}`
  const { rows } = await tx.execute<{ host: string; project_id: string | null }>(
    sql`select host, project_id from allocated_ports where state = 'used' and ${here} order by host`,
  )
  const resting = await readResting(tx, here)
  return [
    ...rows.map(row => ({ host: row.host, projectId: row.project_id, resting: null })),
    ...resting.map(claim => ({ host: claim.host, projectId: claim.releasedBy, resting: claim })),
  ]
}
