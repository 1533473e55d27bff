/**
 * Ports whose time is over: they leave the nodes' state and give their numbers back. The port itself stays with its service, as one that is
 * not public, so that somebody can see what it was, and give it more time.
 */
import { sql } from 'drizzle-orm'
import type { ControlDeps } from '../deps.ts'
import { announce } from '../hub.ts'
import { releasePort } from '../ports/ports.ts'
import { touchService } from '../services/ports.ts'
import { chore } from './chore.ts'

type Expired = {
  readonly id: string
  readonly serviceId: string
  readonly projectId: string
  readonly protocol: string
  readonly externalPort: number | null
  readonly externalPortEnd: number | null
  readonly domain: string | null
}

/** A thousand at once would hold up all other changes. */
const AT_ONCE = 100

const EXPIRED = sql`p.is_public and p.expires_at <= now()`

export async function expirePorts(deps: ControlDeps): Promise<number> {
  const { rowCount } = await deps.database.transaction(
    tx => tx.execute(sql`select 1 from service_ports p where ${EXPIRED} limit 1`),
    { readOnly: true },
  )
  if (rowCount === 0) return 0
  return chore(deps, async ({ tx, change, audit }) => {
    const its = await change()
    const { rows } = await tx.execute<Expired>(sql`
      select p.id, p.service_id as "serviceId", s.project_id as "projectId", p.protocol,
        p.external_port as "externalPort", p.external_port_end as "externalPortEnd", p.domain
      from service_ports p join services s on s.id = p.service_id
      where ${EXPIRED} order by p.expires_at, p.id limit ${AT_ONCE}`)
    for (const { id, projectId, ...before } of rows) {
      const released = await releasePort(its, id)
      await tx.execute(sql`
        update service_ports set is_public = false, version = version + 1, updated_at = now() where id = ${id}`)
      await touchService(tx, before.serviceId)
      await audit({
        action: 'port.expire',
        resourceKind: 'port',
        resourceId: id,
        projectId,
        before: { ...before, isPublic: true },
        after: { serviceId: before.serviceId, protocol: before.protocol, isPublic: false, released },
        removedRoutes: [id],
      })
      await announce(tx, { kind: 'change', ids: [before.serviceId, id], revision: its.revision, projectId })
    }
    return rows.length
  })
}
