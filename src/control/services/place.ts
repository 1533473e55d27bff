/** The public place of a port, claimed within a change: a number, a block, a host name on a shared number, a domain. */
import { sql } from 'drizzle-orm'
import type { Blocker } from '../../api/pool.ts'
import { isWildcard } from '../../core/host-sni.ts'
import { type Actor, sees } from '../access/actor.ts'
import type { Change } from '../db/revision.ts'
import type { Tx } from '../db/transaction.ts'
import { wildcardOver } from '../ports/host.ts'
import { allocateTcpPort, allocateUdpPort, attachHost } from '../ports/ports.ts'
import type { L4, PortProblem } from '../ports/problem.ts'
import type { Blocker as BlockingNode } from '../ports/rest.ts'
import { readHosts, readPoolFacts } from '../ports/rows.ts'
import { isOpen } from '../ports/standing.ts'
import type { PortDraft } from './draft.ts'
import { heldDomains, judgeName, type NameWish, readHeldNames } from './names.ts'
import type { Refusal } from './refusal.ts'
import { type Owner, readOwners } from './rows.ts'
import type { Ground } from './rules.ts'

export type Claimant = {
  readonly portId: string
  readonly projectId: string
  /** Who asks: of what it may not see it learns no name. */
  readonly actor: Actor
}

export const blockerView = ({ id, name, status, lastSeenAt }: BlockingNode): Blocker => ({
  nodeId: id,
  nodeName: name,
  status,
  lastSeenAt: lastSeenAt?.toISOString() ?? null,
})

const visible = (owner: Owner | undefined, actor: Actor): Owner | null =>
  owner !== undefined && sees(actor, owner.projectId) ? owner : null

async function ownerOf(tx: Tx, portId: string | undefined, actor: Actor): Promise<Owner | null> {
  return portId === undefined ? null : visible((await readOwners(tx, [portId])).get(portId), actor)
}

/** Who has the number, or a host name on it that is in the way. */
async function holderOf(tx: Tx, { protocol, port, host }: PortProblem, actor: Actor): Promise<Owner | null> {
  if (port === null) return null
  const names = host === null ? [''] : (await readHosts(tx, port, host, wildcardOver(host))).map(row => row.host)
  const { rows } = await tx.execute<{ id: string }>(sql`
    select service_port_id as id from allocated_ports
    where protocol = ${protocol} and port = ${port} and state = 'used' and host = any(${sql.param(names)}::text[])
    order by host = ${host ?? ''} desc, host limit 1`)
  return ownerOf(tx, rows[0]?.id, actor)
}

/** The free number that is nearest to a wanted one, the lower of two; null when none is free. */
export async function nearestFree(
  tx: Tx,
  { protocol, port, projectId }: { readonly protocol: L4; readonly port: number; readonly projectId: string },
  { rules }: Ground,
): Promise<number | null> {
  const { view } = await readPoolFacts(tx, { protocol, projectId, leastTimeMs: rules.leastTimeMs })
  const pool = rules[protocol]
  let best: number | null = null
  for (const candidate of pool.range.list())
    if (isOpen(candidate, pool, view) && (best === null || Math.abs(candidate - port) < Math.abs(best - port)))
      best = candidate
  return best
}

/** What the allocator said, with whose it is, where the asker may know, and what else is free. */
async function describe(
  tx: Tx,
  problem: PortProblem,
  { actor, projectId }: Claimant,
  draft: PortDraft,
  ground: Ground,
): Promise<Refusal> {
  const { code, protocol, port, host, leftMs, blockedBy, counts } = problem
  const owner = await holderOf(tx, problem, actor)
  const single = draft.shared === null && draft.externalPortEnd === null
  const nearest =
    port !== null && single && code !== 'PORT_SHARED'
      ? await nearestFree(tx, { protocol, port, projectId }, ground)
      : null
  const message = owner === null ? problem.message : `${problem.message}: it belongs to ${owner.serviceName}`
  const hint = nearest === null ? '' : ` The nearest free one is ${nearest}.`
  return {
    problem: code,
    fault: {
      field: code === 'SNI_TAKEN' ? 'sniHostname' : draft.shared === null ? 'externalPort' : 'shared',
      code,
      message,
      ...(port === null ? {} : { value: host ?? String(port) }),
      remedy: `${problem.remedy}${hint}`,
    },
    extra: {
      ...{ protocol, port, host, owner, nearest },
      restsForMs: leftMs,
      blockedBy: blockedBy.map(blockerView),
      ...(counts === null ? {} : { counts }),
    },
  }
}

/** A refusal, when the name is another's; null when it may be taken. */
async function checkName(tx: Tx, wish: NameWish, { actor }: Claimant, { httpPorts }: Ground): Promise<Refusal | null> {
  const other = judgeName(wish, await readHeldNames(tx, wish, httpPorts))
  if (other === null) return null
  const owner = await ownerOf(tx, other.portId, actor)
  // Below a wildcard there may be anything: whoever may not see it is not told what.
  const isHidden = owner === null && isWildcard(wish.name) && other.name !== wish.name
  const name = isHidden ? `a name under ${wish.name}` : other.name
  const path = owner === null || other.pathPrefix === '/' ? '' : other.pathPrefix
  const found = other.kind === 'domain' ? `${name}${path}` : `${name} on TCP port ${other.port}`
  const whose = owner === null ? 'is taken' : `belongs to ${owner.serviceName}`
  const clash = other.name === wish.name ? '' : `, and ${wish.name} would share its clients`
  const isDomain = wish.kind === 'domain'
  const problem = isDomain ? 'DOMAIN_TAKEN' : 'SNI_TAKEN'
  const field = isDomain ? 'domain' : 'sniHostname'
  return {
    problem,
    fault: {
      field,
      code: problem,
      message: `${found} ${whose}${clash}`,
      value: wish.name,
      remedy: isDomain
        ? 'Take another domain, or another path of one that is yours.'
        : 'Take another host name, or another number.',
    },
    extra: { host: isHidden ? wish.name : other.name, owner },
  }
}

/** A refusal, when the project has as many domains as it may; what holds one already may go on, and take another in its stead. */
async function checkDomainQuota(tx: Tx, { portId, projectId }: Claimant, domain: string): Promise<Refusal | null> {
  const { rows } = await tx.execute<{ quota: number | null; held: number; own: boolean }>(sql`
    select (select domain_quota from projects where id = ${projectId}) as quota, count(*)::int as held,
      coalesce(bool_or(p.id = ${portId}), false) as own ${heldDomains(sql`${projectId}`)}`)
  const { quota, held, own } = rows[0] ?? { quota: null, held: 0, own: false }
  if (quota === null || own || held < quota) return null
  const message = `the project has ${held} domains and may have ${quota}`
  const remedy = 'Delete a port with a domain, or ask an admin for a higher domainQuota.'
  return {
    problem: 'QUOTA_EXCEEDED',
    fault: { field: 'domain', code: 'QUOTA_EXCEEDED', message, value: domain, remedy },
  }
}

/** A refusal, when a name that the draft asks for is another's, or one too many: to be asked before the port is written, for the database takes no name twice. */
export async function checkNames(
  tx: Tx,
  claimant: Claimant,
  draft: PortDraft,
  ground: Ground,
): Promise<Refusal | null> {
  const { portId, projectId } = claimant
  const { protocol, domain, pathPrefix, isPublic, sniHostname } = draft
  if (protocol === 'http') {
    if (domain === null) return null
    const wish = { portId, projectId, kind: 'domain', name: domain, pathPrefix } as const
    return (await checkName(tx, wish, claimant, ground)) ?? checkDomainQuota(tx, claimant, domain)
  }
  const port = draft.shared ?? draft.externalPort
  if (!isPublic || port === null || sniHostname === null) return null
  return checkName(tx, { portId, projectId, kind: 'sni', name: sniHostname, port }, claimant, ground)
}

/** Claims the number, or the name on a shared one, that the draft asks for, and writes it to the port, which has none. Null when that is done. */
export async function claimPlace(
  change: Change,
  claimant: Claimant,
  draft: PortDraft,
  ground: Ground,
): Promise<Refusal | null> {
  const { tx } = change
  const { portId: servicePortId, projectId } = claimant
  const { protocol, shared, externalPort, externalPortEnd, sniHostname } = draft
  if (protocol === 'http' || !draft.isPublic) return null
  if (shared !== null && sniHostname !== null) {
    const attached = await attachHost(
      change,
      { servicePortId, projectId, port: shared, host: sniHostname },
      ground.rules,
    )
    return attached.ok ? null : describe(tx, attached.problem, claimant, draft, ground)
  }
  const count = externalPort === null || externalPortEnd === null ? 1 : externalPortEnd - externalPort + 1
  const allocate = protocol === 'tcp' ? allocateTcpPort : allocateUdpPort
  const allocated = await allocate(change, { servicePortId, projectId, wanted: externalPort, count }, ground.rules)
  return allocated.ok ? null : describe(tx, allocated.problem, claimant, draft, ground)
}
