/** A person wants to know now: the wish rides in the expected state of the nodes, and the answer comes in the verdict's chain. */
import { sql } from 'drizzle-orm'
import type { ProbeRequest } from '../../api/route.ts'
import { makeId } from '../db/id.ts'
import { ApiError, notFound } from '../http/api-error.ts'
import type { Mutation } from '../http/write.ts'
import { wakeNodes } from '../hub.ts'
import { readFleet } from './fleet.ts'
import { readRouteRows } from './list.ts'
import { isSilent } from './verdict.ts'

/** How long nodes are told of it. */
export const PROBE_LIFE_SECONDS = 30

/** More wishes of one route, of one project, or of all, than these would be a way to make the nodes busy, or to keep others from asking. */
const MOST_FOR_ROUTE = 5
const MOST_FOR_PROJECT = 50
const MOST_FOR_ALL = 200

/** Throws an ApiError (404, 409, 429). */
export async function requestProbe(m: Mutation, id: string): Promise<ProbeRequest> {
  const { tx, actor } = m
  const [route] = await readRouteRows(tx, actor, { ids: [id] })
  if (route === undefined) throw notFound('route', id)
  if (!route.inState) throw new ApiError('CONFLICT', `the route of ${route.name} is over: no node has it any more`)
  const { rows: counts } = await tx.execute<{ own: number; project: number; all: number }>(sql`
    select count(*) filter (where r.route_id = ${id})::int as own,
      count(*) filter (where s.project_id = ${route.projectId})::int as project, count(*)::int as all
    from probe_requests r join service_ports p on p.id = r.route_id join services s on s.id = p.service_id
    where r.expires_at > now()`)
  const { own = 0, project = 0, all = 0 } = counts[0] ?? {}
  const isFull = own >= MOST_FOR_ROUTE || project >= MOST_FOR_PROJECT || all >= MOST_FOR_ALL
  if (isFull)
    // How many others have asked is their business.
    throw new ApiError(
      'RATE_LIMITED',
      `${own >= MOST_FOR_ROUTE ? own : project >= MOST_FOR_PROJECT ? project : 'too many'} probes are asked for already`,
      {
        remedy: `Each is over after ${PROBE_LIFE_SECONDS} s.`,
        headers: { 'retry-after': String(PROBE_LIFE_SECONDS) },
      },
    )
  const requestId = makeId('req')
  const { rows } = await tx.execute<{ expires: string }>(sql`
    insert into probe_requests (id, route_id, expires_at)
    values (${requestId}, ${id}, now() + ${PROBE_LIFE_SECONDS} * interval '1 second')
    returning to_char(expires_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as expires`)
  const asked = (await readFleet(tx)).nodes.filter(node => node.status === 'active' && !isSilent(node))
  await m.audit({
    action: 'route.probe',
    resourceKind: 'route',
    resourceId: id,
    projectId: route.projectId,
    after: { requestId },
  })
  await wakeNodes(tx, [])
  return { requestId, nodeIds: asked.map(node => node.id), expiresAt: rows[0]?.expires ?? '' }
}
