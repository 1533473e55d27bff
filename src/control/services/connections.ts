/** How many connections were open on a route when it changed, by the last word of each node. They stay open, whatever becomes of the route. */
import { sql } from 'drizzle-orm'
import type { OpenConnections } from '../../api/port.ts'
import type { Protocol } from '../../core/problem.ts'
import type { Tx } from '../db/transaction.ts'

export type RouteName = { readonly id: string; readonly protocol: Protocol }

/** Nodes with none are left out; by name. */
export async function readOpenConnections(tx: Tx, routes: readonly RouteName[]): Promise<OpenConnections[]> {
  if (routes.length === 0) return []
  // A node writes the protocol in front where an id alone could mean two routes.
  const keys = routes.flatMap(({ id, protocol }) => [id, `${protocol}/${id}`])
  const { rows } = await tx.execute<{ id: string; name: string; open: number }>(sql`
    select n.id, n.name, sum((c.value)::numeric)::int as open
    from node_status s
      join nodes n on n.id = s.node_id and n.status <> 'retired'
      cross join lateral jsonb_each_text(s.open_connections) as c
    where c.key = any(${sql.param(keys)}::text[])
    group by n.id, n.name order by n.name, n.id`)
  return rows
    .filter(({ open }) => open > 0)
    .map(({ id, name, open }) => ({ nodeId: id, nodeName: name, connections: open }))
}

/** `3 on proxy-1, 2 on proxy-2` */
export const connectionsText = (open: readonly OpenConnections[]): string =>
  open.map(({ nodeName, connections }) => `${connections} on ${nodeName}`).join(', ')
