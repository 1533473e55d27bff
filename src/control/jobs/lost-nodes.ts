/** Nodes that nobody has heard of for long are `lost`. They come back by themselves when they ask again; until then they hold back what rests. */
import { sql } from 'drizzle-orm'
import type { ControlDeps } from '../deps.ts'
import { announce } from '../hub.ts'
import { chore } from './chore.ts'

type Lost = { readonly id: string; readonly name: string; readonly lastSeenAt: string | null }

export async function markLostNodes(deps: ControlDeps): Promise<number> {
  const silent = sql`status = 'active' and coalesce(last_seen_at, created_at)
    < now() - ${deps.config.release.nodeLostAfterMs} * interval '1 millisecond'`
  const { rowCount } = await deps.database.transaction(
    tx => tx.execute(sql`select 1 from nodes where ${silent} limit 1`),
    { readOnly: true },
  )
  if (rowCount === 0) return 0
  return chore(deps, async ({ tx, audit }) => {
    const { rows } = await tx.execute<Lost>(sql`
      update nodes set status = 'lost', version = version + 1 where ${silent}
      returning id, name, to_char(last_seen_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "lastSeenAt"`)
    for (const { id, name, lastSeenAt } of rows) {
      const node = { name, lastSeenAt }
      await audit({
        action: 'node.lose',
        resourceKind: 'node',
        resourceId: id,
        before: { ...node, status: 'active' },
        after: { ...node, status: 'lost' },
      })
      deps.logger.warn({ nodeId: id, node: name, lastSeenAt }, 'node is lost')
    }
    await announce(tx, { kind: 'node', ids: rows.map(({ id }) => id), revision: null, projectId: null })
    return rows.length
  })
}
