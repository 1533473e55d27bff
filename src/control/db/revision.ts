/**
 * The order of changes. A change of what nodes are told begins with `beginChange`, which counts the revision up and so holds its row until
 * the commit: changes come one after the other, in the order of their revisions, and none waits for a lock that another one needs.
 */
import { sql } from 'drizzle-orm'
import { CHANNEL } from './connections.ts'
import type { Tx } from './transaction.ts'

/** A point in the order; `(epoch, revision)` only goes up. */
export type Position = { readonly epoch: number; readonly revision: number }

/** A transaction that changes what nodes are told. Everything that it writes belongs to its revision. */
export type Change = Position & {
  readonly tx: Tx
  /** The highest revision that any node was sent before this change. */
  readonly fetchedRevision: number
}

export const isBefore = (one: Position, other: Position): boolean =>
  one.epoch < other.epoch || (one.epoch === other.epoch && one.revision < other.revision)

const single = <T>(rows: readonly T[]): T => {
  const [row] = rows
  if (row === undefined) throw new Error('the table revisions has no row')
  return row
}

/** What listeners are sent with each revision. A hint: the table is the truth. */
export type RevisionNotice = Position & { readonly kind: 'revision' }

/** Once for each transaction, before anything else in it (`read committed`). Listeners hear of the revision when it is committed. */
export async function beginChange(tx: Tx): Promise<Change> {
  const { rows } = await tx.execute<{ epoch: number; revision: string; fetched: string }>(sql`
    with next as (
      update revisions set revision = revision + 1, updated_at = now() where id = 1
      returning epoch, revision, fetched_revision as fetched
    )
    select epoch, revision, fetched,
      pg_notify(${CHANNEL}, json_build_object('kind', 'revision', 'epoch', epoch, 'revision', revision)::text)
    from next`)
  const { epoch, revision, fetched } = single(rows)
  return { tx, epoch, revision: Number(revision), fetchedRevision: Number(fetched) }
}

/** Where the order stands. In a `repeatable read` transaction it belongs to all else that is read there. */
export async function readPosition(tx: Tx): Promise<Position & { readonly fetchedRevision: number }> {
  const { rows } = await tx.execute<{ epoch: number; revision: string; fetched: string }>(
    sql`select epoch, revision, fetched_revision as fetched from revisions where id = 1`,
  )
  const { epoch, revision, fetched } = single(rows)
  return { epoch, revision: Number(revision), fetchedRevision: Number(fetched) }
}

/**
 * Notes that a node is about to be sent the state of this position; to be committed before it is. With false there is a newer one: that must
 * be read, noted and sent instead. Where the state's own transaction read a `fetchedRevision` that is not lower, no note is needed.
 *
 * In a transaction of its own: it takes the lock that changes hold. So a port is either released before this, and then the answer is false, or whoever releases it
 * afterwards knows that a node may have it. (A port that no node was sent is free at once.)
 */
export async function noteFetch(tx: Tx, { epoch, revision }: Position): Promise<boolean> {
  const { rowCount } = await tx.execute(sql`
    update revisions set fetched_revision = greatest(fetched_revision, ${revision})
    where id = 1 and epoch = ${epoch} and revision = ${revision}`)
  return rowCount === 1
}

/**
 * Begins a new epoch: after a restore, nodes that have seen higher revisions take ours again. Whatever is claimed now counts as sent, since
 * nobody knows what the lost revisions told the nodes.
 */
export async function raiseEpoch(tx: Tx): Promise<Change> {
  await tx.execute(sql`update revisions set epoch = epoch + 1, fetched_revision = revision where id = 1`)
  return beginChange(tx)
}
