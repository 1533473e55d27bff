/** What was changed, by whom: one row for each change, written in its transaction, never changed afterwards. */

import type { Actor } from './access/actor.ts'
import type { Position } from './db/revision.ts'
import { auditLog } from './db/schema-log.ts'
import type { Tx } from './db/transaction.ts'

export type AuditEntry = {
  /** `service.create`, `node.retire`, ... */
  readonly action: string
  readonly resourceKind: string
  readonly resourceId: string
  readonly projectId?: string | null
  /** The resource before and after, without secrets. */
  readonly before?: unknown
  readonly after?: unknown
  /** Ids of the routes that leave the nodes' state by this, on purpose. */
  readonly removedRoutes?: readonly string[]
}

export type AuditContext = {
  readonly actor: Pick<Actor, 'kind' | 'id'>
  readonly requestId: string
  /** What the change counts as; null when nodes are told nothing new. */
  readonly position: Position | null
}

/** Writes one row; resolves with its number. */
export async function writeAudit(
  tx: Tx,
  entry: AuditEntry,
  { actor, requestId, position }: AuditContext,
): Promise<number> {
  const { action, resourceKind, resourceId, projectId = null, before, after, removedRoutes = [] } = entry
  const [row] = await tx
    .insert(auditLog)
    .values({
      actorKind: actor.kind,
      actorId: actor.id,
      projectId,
      action,
      resourceKind,
      resourceId,
      before: before ?? null,
      after: after ?? null,
      requestId,
      epoch: position?.epoch ?? null,
      revision: position?.revision ?? null,
      removedRoutes: [...removedRoutes],
    })
    .returning({ id: auditLog.id })
  if (row === undefined) throw new Error('the audit log took no row')
  return row.id
}
