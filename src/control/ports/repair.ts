/**
 * Where the claims and the ports do not say the same. Both are written in one transaction, so this should never find anything; it is for the
 * day after a bug, an import, or a hand in the database.
 */
import { sql } from 'drizzle-orm'
import type { Change } from '../db/revision.ts'
import type { Tx } from '../db/transaction.ts'
import type { L4 } from './problem.ts'
import { judgeRest } from './rest.ts'
import { readNodes, readResting } from './rows.ts'
import type { PortPool } from './standing.ts'

/** A port that says that it has numbers, or a host name on a shared one. */
export type NumberedPort = {
  readonly id: string
  readonly projectId: string
  readonly protocol: L4
  readonly first: number
  readonly last: number
  /** Empty for numbers of its own. */
  readonly host: string
}

export type UsedClaim = {
  readonly protocol: L4
  readonly port: number
  readonly host: string
  readonly servicePortId: string
  readonly projectId: string
}

type Place = { readonly protocol: L4; readonly port: number; readonly host: string }

export type Finding =
  /** Claimed for a port that does not have it: it goes to rest. */
  | (Place & { readonly kind: 'leaked'; readonly servicePortId: string })
  /** A port has it, and it is claimed for nobody, or for one that does not have it: it is claimed for that port. */
  | (Place & { readonly kind: 'missing'; readonly servicePortId: string; readonly projectId: string })
  /** Claimed for the right port and the wrong project: the project is set right. */
  | (Place & { readonly kind: 'misowned'; readonly servicePortId: string; readonly projectId: string })
  /** Claimed for one port, and another has it, too: an admin has to decide. */
  | (Place & { readonly kind: 'duplicate'; readonly servicePortId: string; readonly claimedFor: string })

type Wanting = { readonly id: string; readonly projectId: string }

/** All that is said of one place. */
type Account = { readonly place: Place; readonly wanting: Wanting[]; claim: UsedClaim | null }

function accounts(ports: readonly NumberedPort[], claims: readonly UsedClaim[]): Iterable<Account> {
  const found = new Map<string, Account>()
  const at = (place: Place): Account => {
    const key = `${place.protocol}/${place.port}/${place.host}`
    const account = found.get(key) ?? { place, wanting: [], claim: null }
    found.set(key, account)
    return account
  }
  for (const { id, projectId, protocol, first, last, host } of ports)
    for (let port = first; port <= last; port++) at({ protocol, port, host }).wanting.push({ id, projectId })
  for (const claim of claims) at({ protocol: claim.protocol, port: claim.port, host: claim.host }).claim = claim
  return found.values()
}

function* judge({ place, wanting, claim }: Account): Generator<Finding> {
  const byId = [...wanting].sort((a, b) => (a.id < b.id ? -1 : 1))
  const owner = byId.find(({ id }) => id === claim?.servicePortId) ?? byId[0]
  if (owner === undefined) {
    if (claim !== null) yield { kind: 'leaked', ...place, servicePortId: claim.servicePortId }
    return
  }
  const its = { ...place, servicePortId: owner.id, projectId: owner.projectId }
  if (claim?.servicePortId !== owner.id) yield { kind: 'missing', ...its }
  else if (claim.projectId !== owner.projectId) yield { kind: 'misowned', ...its }
  for (const { id } of byId)
    if (id !== owner.id) yield { kind: 'duplicate', ...place, servicePortId: id, claimedFor: owner.id }
}

/** What is wrong, in the order of the places. Where nobody's claim holds, the port with the lowest id gets it. */
export function findRepairs(ports: readonly NumberedPort[], claims: readonly UsedClaim[]): readonly Finding[] {
  return [...accounts(ports, claims)].flatMap(account => [...judge(account)]).sort(order)
}

function order(a: Finding, b: Finding): number {
  if (a.protocol !== b.protocol) return a.protocol < b.protocol ? -1 : 1
  if (a.port !== b.port) return a.port - b.port
  const [one, other] = [`${a.host} ${a.kind} ${a.servicePortId}`, `${b.host} ${b.kind} ${b.servicePortId}`]
  return one < other ? -1 : one > other ? 1 : 0
}

/** Looks, and changes nothing; cheap enough for every few minutes. */
export async function checkPorts(tx: Tx): Promise<readonly Finding[]> {
  const ports = await tx.execute<NumberedPort>(sql`
    select p.id, s.project_id as "projectId", p.protocol, p.external_port as first,
      coalesce(p.external_port_end, p.external_port) as last, case when p.shared then p.sni_hostname else '' end as host
    from service_ports p join services s on s.id = p.service_id
    where p.external_port is not null`)
  const claims = await tx.execute<UsedClaim>(sql`
    select protocol, port, host, service_port_id as "servicePortId", project_id as "projectId"
    from allocated_ports where state = 'used'`)
  return findRepairs(ports.rows, claims.rows)
}

/** Looks again, under the lock, and mends what can be mended; gives what it has found. */
export async function repairPorts(change: Change): Promise<readonly Finding[]> {
  const findings = await checkPorts(change.tx)
  for (const finding of findings) await mend(change, finding)
  return findings
}

async function mend({ tx, epoch, revision }: Change, finding: Finding): Promise<void> {
  const { kind, protocol, port, host, servicePortId } = finding
  const here = sql`protocol = ${protocol} and port = ${port} and host = ${host}`
  switch (kind) {
    case 'leaked':
      await tx.execute(sql`
        update allocated_ports set
          state = 'resting', released_at = statement_timestamp(), released_by = project_id,
          blocked_epoch = ${epoch}, blocked_revision = ${revision}, service_port_id = null, project_id = null
        where ${here}`)
      return
    case 'missing':
      // It may be at rest, or reserved, by mistake; its port has it now, and nodes may know it: revision 0.
      await tx.execute(sql`delete from allocated_ports where ${here}`)
      await tx.execute(sql`
        insert into allocated_ports (id, protocol, port, host, state, service_port_id, project_id, claimed_revision)
        values (${`${protocol}-${port}${host === '' ? '' : `-${host}`}`}, ${protocol}, ${port}, ${host}, 'used',
          ${servicePortId}, ${finding.projectId}, 0)`)
      return
    case 'misowned':
      await tx.execute(sql`update allocated_ports set project_id = ${finding.projectId} where ${here}`)
      return
    case 'duplicate':
      return
    default:
      kind satisfies never
  }
}

/**
 * Puts every number to rest that nobody has, after a restore: what the lost revisions gave to whom is not known, and nodes may serve it to
 * this day. With no nodes they are free when the least time has passed.
 */
export async function restUnclaimed({ tx, epoch, revision }: Change, protocol: L4, pool: PortPool): Promise<number> {
  const { rowCount } = await tx.execute(sql`
    insert into allocated_ports (id, protocol, port, state, released_at, blocked_epoch, blocked_revision)
    select ${protocol} || '-' || port, ${protocol}, port, 'resting', statement_timestamp(), ${epoch}, ${revision}
    from unnest(${sql.param(pool.range.list())}::int[]) as port
    on conflict (protocol, port, host) do nothing`)
  return rowCount ?? 0
}

/**
 * Forgets host names on shared numbers whose rest is over: else every name that there ever was would stay. Gives how many. (Of the numbers
 * there are only so many, and when they were released says which goes first.)
 */
export async function forgetHosts(tx: Tx, rules: { readonly leastTimeMs: number }): Promise<number> {
  const resting = await readResting(tx, sql`host <> ''`)
  const nodes = await readNodes(tx)
  const over = resting.filter(claim => judgeRest(claim, nodes, rules).over)
  let forgotten = 0
  for (const { port, host, blocked } of over) {
    const { rowCount } = await tx.execute(sql`
      delete from allocated_ports
      where protocol = 'tcp' and port = ${port} and host = ${host} and state = 'resting'
        and blocked_epoch = ${blocked.epoch} and blocked_revision = ${blocked.revision}`)
    forgotten += rowCount ?? 0
  }
  return forgotten
}

/** Numbers in use that the pool does not have (any more): settings that take them away are to be refused. */
export async function strandedPorts(tx: Tx, protocol: L4, pool: PortPool): Promise<readonly number[]> {
  const { rows } = await tx.execute<{ port: number }>(sql`
    select distinct port from allocated_ports where protocol = ${protocol} and state = 'used' order by port`)
  return rows.map(({ port }) => port).filter(port => !pool.range.has(port) && !pool.shared.has(port))
}
