/**
 * Numbers for ports: claimed, released, at rest.
 *
 * Each function works within a change, so under its lock: what it reads is what is, until the commit. The claim itself is one statement, and
 * the unique index on (protocol, port, host) decides it all the same: were there a writer that knew nothing of the lock, one of the two
 * would fail, and its whole transaction be tried again.
 */
import { type SQL, sql } from 'drizzle-orm'
import { DatabaseError, toDatabaseError } from '../db/error.ts'
import type { Change } from '../db/revision.ts'
import { choosePorts } from './choice.ts'
import { judgeHost, wildcardOver } from './host.ts'
import type { L4, PortProblem } from './problem.ts'
import { judgeRest } from './rest.ts'
import { readHosts, readNodes, readPoolFacts } from './rows.ts'
import type { PortPool } from './standing.ts'

/** What the settings and the nodes say. */
export type PortRules = {
  readonly tcp: PortPool
  readonly udp: PortPool
  /** The least time that a released number rests. */
  readonly leastTimeMs: number
}

export type PortRequest = {
  /** It is in the database, in the same transaction at the latest, and has no number yet. */
  readonly servicePortId: string
  readonly projectId: string
  /** The first number wanted; absent or null: the lowest that is free. */
  readonly wanted?: number | null
  /** How many neighbouring numbers; 1 without it. */
  readonly count?: number
}

export type Allocation =
  | { readonly ok: true; readonly first: number; readonly last: number }
  | { readonly ok: false; readonly problem: PortProblem }

/** Claims a TCP number, or a block of them, for a port, and writes it there. Nothing is changed where there is a problem. */
export const allocateTcpPort = (change: Change, request: PortRequest, rules: PortRules): Promise<Allocation> =>
  allocate(change, 'tcp', request, rules)

/** As `allocateTcpPort`, for UDP: the same number may be in use for both. */
export const allocateUdpPort = (change: Change, request: PortRequest, rules: PortRules): Promise<Allocation> =>
  allocate(change, 'udp', request, rules)

async function allocate(change: Change, protocol: L4, request: PortRequest, rules: PortRules): Promise<Allocation> {
  const { servicePortId, projectId, wanted = null, count = 1 } = request
  const { tx } = change
  const facts = await readPoolFacts(tx, { protocol, projectId, leastTimeMs: rules.leastTimeMs })
  const choice = choosePorts({ protocol, wanted, count }, rules[protocol], facts.view, facts.quota)
  if (!choice.ok) return choice
  const { first, last, rested, reclaimed } = choice
  const end = last === first ? null : last
  const place = sql`external_port = ${first}, external_port_end = ${end}, shared = false`
  await claim(change, { protocol, first, last, host: '', servicePortId, projectId, rested, reclaimed, place })
  return { ok: true, first, last }
}

export type HostRequest = {
  readonly servicePortId: string
  readonly projectId: string
  /** A shared number. */
  readonly port: number
  /** As `parseHostName` writes it. */
  readonly host: string
}

export type Attachment = { readonly ok: true } | { readonly ok: false; readonly problem: PortProblem }

/** Claims a host name on a shared TCP number for a port, and writes both there. Nothing is changed where there is a problem. */
export async function attachHost(change: Change, request: HostRequest, rules: PortRules): Promise<Attachment> {
  const { servicePortId, projectId, port, host } = request
  const { tx } = change
  const { leastTimeMs } = rules
  const { view, quota } = await readPoolFacts(tx, { protocol: 'tcp', projectId, leastTimeMs })
  const rows = await readHosts(tx, port, host, wildcardOver(host))
  const nodes = rows.some(({ resting }) => resting !== null) ? await readNodes(tx) : []
  const claims = rows.map(row => ({
    host: row.host,
    own: row.projectId === projectId,
    rest: row.resting === null ? null : judgeRest(row.resting, nodes, { leastTimeMs }),
  }))
  const taken = view.used.has(port) || view.reserved.has(port) || view.resting.get(port)?.rest.over === false
  const problem = judgeHost({ port, host }, rules.tcp, claims, taken, quota)
  if (problem !== null) return { ok: false, problem }
  const before = claims.find(one => one.host === host)
  const place = sql`external_port = ${port}, external_port_end = null, shared = true, sni_hostname = ${host}`
  await claim(change, {
    ...{ protocol: 'tcp', place, first: port, last: port, host, servicePortId, projectId },
    rested: before?.rest?.over === true ? [port] : [],
    reclaimed: before?.rest?.over === false ? [port] : [],
  })
  return { ok: true }
}

const UNIQUE_VIOLATION = '23505'

type Claim = {
  readonly protocol: L4
  readonly first: number
  readonly last: number
  readonly host: string
  readonly servicePortId: string
  readonly projectId: string
  readonly rested: readonly number[]
  readonly reclaimed: readonly number[]
  /** What the port is to say of it, as assignments. */
  readonly place: SQL
}

const idOf = (protocol: L4, host: string) => sql`${protocol} || '-' || port || ${host === '' ? '' : `-${host}`}`

// One statement: the claim, and the port that has it. A number taken back keeps the revision of its first claim: nodes may have been sent that, and serve it to this day.
async function claim({ tx, revision }: Change, wish: Claim): Promise<void> {
  const { protocol, first, last, host, servicePortId, projectId, rested, reclaimed, place } = wish
  const written = tx.execute<{ claimed: number; placed: number }>(sql`
    with claimed as (
    insert into allocated_ports as old (id, protocol, port, host, state, service_port_id, project_id, claimed_revision)
    select ${idOf(protocol, host)}, ${protocol}, port, ${host}, 'used', ${servicePortId}, ${projectId}, ${revision}
    from generate_series(${first}::int, ${last}::int) as port
    on conflict (protocol, port, host) do update set
      state = 'used', service_port_id = excluded.service_port_id, project_id = excluded.project_id, created_at = now(),
      claimed_revision = case when old.port = any(${sql.param(rested)}::int[]) then excluded.claimed_revision
        else coalesce(old.claimed_revision, 0) end,
      released_at = null, released_by = null, blocked_epoch = null, blocked_revision = null
    where old.state = 'resting' and old.port = any(${sql.param([...rested, ...reclaimed])}::int[])
    returning port
    ), placed as (
      update service_ports set ${place} where id = ${servicePortId} and protocol = ${protocol} and external_port is null
      returning id
    )
    select (select count(*) from claimed)::int as claimed, (select count(*) from placed)::int as placed`)
  const lost = (cause?: unknown): DatabaseError =>
    new DatabaseError('DATABASE_CONFLICT', `${protocol} ports ${first}-${last} were claimed without the lock`, {
      cause,
    })
  const { rows } = await written.catch((error: unknown) => {
    const known = toDatabaseError(error)
    const isClaim = known?.sqlState === UNIQUE_VIOLATION && known.constraint?.startsWith('allocated_ports') === true
    throw isClaim ? lost(known) : error
  })
  if (rows[0]?.claimed !== last - first + 1) throw lost()
  if (rows[0].placed !== 1)
    throw new Error(`service port ${servicePortId} is no ${protocol} port without a number; release what it has first`)
}

export type Released = {
  readonly protocol: L4
  readonly port: number
  /** Empty for the number as a whole. */
  readonly host: string
  /** False: no node was ever sent it, and it is free. */
  readonly rests: boolean
}

/** Gives back whatever the port has, numbers or a host name; they rest until no node can send clients there. */
export async function releasePort(
  { tx, epoch, revision, fetchedRevision }: Change,
  servicePortId: string,
): Promise<readonly Released[]> {
  const { rows } = await tx.execute<Released>(sql`
    with freed as (
      delete from allocated_ports
      where service_port_id = ${servicePortId} and claimed_revision > ${fetchedRevision}
      returning protocol, port, host
    ), rested as (
      update allocated_ports set
        state = 'resting', released_at = statement_timestamp(), released_by = project_id,
        blocked_epoch = ${epoch}, blocked_revision = ${revision}, service_port_id = null, project_id = null
      where service_port_id = ${servicePortId} and claimed_revision <= ${fetchedRevision}
      returning protocol, port, host
    )
    select protocol, port, host, false as rests from freed
    union all select protocol, port, host, true from rested
    order by port, host`)
  await tx.execute(sql`
    update service_ports set external_port = null, external_port_end = null, shared = false where id = ${servicePortId}`)
  return rows
}
