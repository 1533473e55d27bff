/**
 * Who may have a host name on a shared number, as a pure decision. A name belongs to the first who took it; a wildcard covers one label,
 * and neither it nor a name under it goes to another project than the one that has the other: its clients would end there.
 */
import { isWildcard } from '../../core/host-sni.ts'
import { isWithin, type Quota, quotaProblem } from './choice.ts'
import { makePortProblem, type PortProblem, restRemedy, restText } from './problem.ts'
import type { Rest } from './rest.ts'
import type { PortPool } from './standing.ts'

/** A host name on the number, as `parseHostName` writes it. */
export type HostClaim = {
  readonly host: string
  /** It is, or was last, of the project that asks. */
  readonly own: boolean
  /** Null while it is used. */
  readonly rest: Rest | null
}

export type HostWish = { readonly port: number; readonly host: string }

/** `*.example.com` for `db.example.com` and for itself. */
export const wildcardOver = (host: string): string => (isWildcard(host) ? host : host.replace(/^[^.]+/, '*'))

const overlap = (one: string, other: string): boolean =>
  one === other || ((isWildcard(one) || isWildcard(other)) && wildcardOver(one) === wildcardOver(other))

/** Null when the name may be taken. `numberTaken`: the number as a whole belongs to somebody. */
export function judgeHost(
  { port, host }: HostWish,
  pool: PortPool,
  claims: readonly HostClaim[],
  numberTaken: boolean,
  quota: Quota,
): PortProblem | null {
  const problem = (code: PortProblem['code'], message: string, remedy: string, rest: Rest | null = null): PortProblem =>
    makePortProblem(code, 'tcp', message, remedy, {
      port,
      host,
      ...(rest === null ? {} : { leftMs: rest.leftMs, blockedBy: rest.blockedBy }),
    })
  if (!pool.shared.has(port))
    return problem(
      'PORT_NOT_SHARED',
      `TCP port ${port} is not shared`,
      `Take one of ${pool.shared.text}, or a port of its own.`,
    )
  if (pool.declared?.has(port) === false)
    return problem(
      'PORT_UNDECLARED',
      `not every active node has an entry point for TCP port ${port}`,
      'Add it to their static configuration, or take another.',
    )
  if (numberTaken) return problem('PORT_TAKEN', `TCP port ${port} is taken as a whole`, 'Take another.')
  for (const claim of claims) {
    if (!overlap(claim.host, host)) continue
    const same = claim.host === host
    // Under its own wildcard a project may have names of their own; one name is one route's, whoever has it.
    if (claim.own && (!same || claim.rest !== null)) continue
    // It is another project's: below a wildcard nobody is told what there is.
    const name = !same && isWildcard(host) ? `a name under ${host}` : claim.host
    if (claim.rest === null)
      return problem(
        'SNI_TAKEN',
        `${name} on TCP port ${port} is taken${same ? '' : `, and ${host} would share its clients`}`,
        'Take another host name, or another port.',
      )
    if (!claim.rest.over)
      return problem(
        'SNI_TAKEN',
        `${name} on TCP port ${port} was released and ${restText(claim.rest)}`,
        restRemedy(claim.rest.blockedBy),
        claim.rest,
      )
  }
  const reclaims = claims.some(claim => claim.host === host && claim.own && claim.rest?.over === false)
  return isWithin(quota, 1, reclaims ? 0 : 1) ? null : quotaProblem('tcp', quota, 1)
}
