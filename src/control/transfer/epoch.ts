/** A new epoch: after a restore, a failover that lost commits, an import. */
import type { Actor } from '../access/actor.ts'
import { type AuditEntry, writeAudit } from '../audit.ts'
import { type Change, raiseEpoch } from '../db/revision.ts'
import type { Tx } from '../db/transaction.ts'
import { restUnclaimed } from '../ports/repair.ts'
import type { PortPool } from '../ports/standing.ts'

type Fresh = {
  readonly pools: { readonly tcp: PortPool; readonly udp: PortPool }
  /** For the audit: `restore`, `import`, `went-back`. */
  readonly reason: string
}

export type NewEpochOptions = Fresh & {
  readonly actor: Pick<Actor, 'kind' | 'id'>
  readonly requestId: string
}

export type NewEpoch = {
  readonly change: Change
  /** Free numbers that rest now, since nobody knows whom the lost revisions gave them to. */
  readonly rested: number
}

/** Within the change that began the epoch: no free number is handed out until all nodes have confirmed it. With what the audit has to say. */
export async function restAll(
  change: Change,
  { pools, reason }: Fresh,
): Promise<{ readonly rested: number; readonly entry: AuditEntry }> {
  const rested = (await restUnclaimed(change, 'tcp', pools.tcp)) + (await restUnclaimed(change, 'udp', pools.udp))
  const entry = {
    action: 'control.raise-epoch',
    resourceKind: 'control',
    resourceId: 'epoch',
    before: { epoch: change.epoch - 1 },
    after: { epoch: change.epoch, reason, restedPorts: rested },
  }
  return { rested, entry }
}

/** In a transaction of its own. Nodes take our states again, and no number is handed out that a lost revision may have given to somebody. */
export async function beginEpoch(tx: Tx, { actor, requestId, ...fresh }: NewEpochOptions): Promise<NewEpoch> {
  const change = await raiseEpoch(tx)
  const { rested, entry } = await restAll(change, fresh)
  await writeAudit(tx, entry, { actor, requestId, position: change })
  return { change, rested }
}
