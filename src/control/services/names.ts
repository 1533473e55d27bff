/**
 * Whose a host name is. A domain belongs to the project that had it first, with every path below it: no other may have it, a wildcard over it
 * or a name under it. On TCP numbers that carry HTTP as well, a domain and the host name of a TCP route are one claim.
 *
 * (Host names on shared numbers among each other are judged where they are claimed, in control/ports/host.ts.)
 */
import { type SQL, sql } from 'drizzle-orm'
import { isWildcard } from '../../core/host-sni.ts'
import type { Tx } from '../db/transaction.ts'
import { wildcardOver } from '../ports/host.ts'

export type NameWish = {
  /** The port that wants it; what it has itself is in nobody's way. */
  readonly portId: string
  readonly projectId: string
} & (
  | { readonly kind: 'domain'; readonly name: string; readonly pathPrefix: string }
  | { readonly kind: 'sni'; readonly name: string; readonly port: number }
)

/** A name that touches the wished one: it is the same, or one of them is the wildcard over the other. */
export type HeldName = {
  readonly portId: string
  readonly projectId: string
  readonly kind: 'domain' | 'sni'
  readonly name: string
  readonly pathPrefix: string
  /** Of the TCP number that the name is on. */
  readonly port: number | null
}

/** Who is in the way; null when nobody is. */
export function judgeName(wish: NameWish, held: readonly HeldName[]): HeldName | null {
  const inTheWay = (other: HeldName): boolean => {
    if (other.portId === wish.portId) return false
    if (other.projectId !== wish.projectId) return true
    // Under its own wildcard a project may have names of their own, and below its own domain paths of their own.
    if (other.name !== wish.name) return false
    return wish.kind === 'domain' && other.kind === 'domain' ? other.pathPrefix === wish.pathPrefix : true
  }
  return held.find(inTheWay) ?? null
}

/** The ports with which a project holds a domain: public or not, since nobody else may have it. */
export const heldDomains = (projectId: SQL) => sql`
  from service_ports p join services s on s.id = p.service_id
  where s.project_id = ${projectId} and p.protocol = 'http' and p.domain is not null`

const touches = (column: 'p.domain' | 'p.sni_hostname', name: string) => {
  const found = sql.raw(column)
  const wildcard = wildcardOver(name)
  return isWildcard(name)
    ? sql`substr(${found}, strpos(${found}, '.')) = ${wildcard.slice(1)}`
    : sql`${found} in (${name}, ${wildcard})`
}

/**
 * Names that touch the wished one, in the order of their claims.
 * @param httpPorts TCP numbers that carry HTTP as well
 */
export async function readHeldNames(tx: Tx, wish: NameWish, httpPorts: ReadonlySet<number>): Promise<HeldName[]> {
  const carriesHttp = wish.kind === 'domain' || httpPorts.has(wish.port)
  const onHttp = sql`p.external_port = any(${sql.param([...httpPorts])}::int[])`
  const { rows } = await tx.execute<HeldName>(sql`
    select p.id as "portId", s.project_id as "projectId", p.path_prefix as "pathPrefix",
      case when p.protocol = 'http' then 'domain' else 'sni' end as kind,
      coalesce(p.domain, p.sni_hostname) as name, p.external_port as port
    from service_ports p join services s on s.id = p.service_id
    where ${carriesHttp} and p.id <> ${wish.portId} and (
      (p.protocol = 'http' and ${touches('p.domain', wish.name)})
      or (${wish.kind === 'domain'} and p.protocol = 'tcp' and p.is_public and ${onHttp} and ${touches('p.sni_hostname', wish.name)})
    )
    order by p.claimed_at, p.id`)
  return rows
}
