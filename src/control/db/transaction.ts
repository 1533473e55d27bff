/**
 * One transaction from begin to commit, and again when others were in its way.
 *
 * Drizzle's own `transaction` is not used: it does not see that a commit was answered with a rollback, it says the same of a commit that
 * failed and of one whose answer was lost, and it hides an error behind that of the rollback after it.
 */
import { NodePgSession, NodePgTransaction } from 'drizzle-orm/node-postgres'
import { PgDialect } from 'drizzle-orm/pg-core'
import type { Clock } from '../../lib/clock.ts'
import type { Lease } from './connections.ts'
import { DatabaseError, type DatabaseErrorCode, toDatabaseError } from './error.ts'

type NoRelations = Record<string, never>

/** What runs queries within a transaction; Drizzle's, the same for the embedded database and a server. Its `transaction` makes a savepoint. */
export type Tx = NodePgTransaction<NoRelations, NoRelations>

const dialect = new PgDialect()

// Not what `drizzle(client)` gives: that one knows nothing of our transaction, and a nested one would end it.
const makeTx = (client: Lease['client']): Tx =>
  new NodePgTransaction(dialect, new NodePgSession<NoRelations, NoRelations>(client, dialect, undefined), undefined)

export type Isolation = 'read committed' | 'repeatable read' | 'serializable'

export type TransactionOptions = {
  readonly isolation?: Isolation
  readonly readOnly?: boolean
}

/** The server refused the commit and has said why, so nothing was written. After any other failure it may have been. */
const REFUSED_COMMIT = /^(?:22|23|25|40|42)/

const NO_ROLLBACK: ReadonlySet<DatabaseErrorCode> = new Set(['DATABASE_UNREACHABLE', 'COMMIT_OUTCOME_UNKNOWN'])

function unknownOutcome(error: unknown): DatabaseError {
  return new DatabaseError('COMMIT_OUTCOME_UNKNOWN', 'the database was lost while it committed', { cause: error })
}

async function commit({ client }: Lease): Promise<void> {
  let command: string
  try {
    command = (await client.query('commit')).command
  } catch (error) {
    const known = toDatabaseError(error)
    throw known?.sqlState != null && REFUSED_COMMIT.test(known.sqlState) ? known : unknownOutcome(error)
  }
  // A statement had failed and somebody went on regardless: the server rolls back and calls that a success.
  if (command !== 'COMMIT')
    throw new DatabaseError('QUERY_FAILED', `the transaction ended with ${command}: one of its statements had failed`)
}

/** One attempt. Errors of the database come as DatabaseError, all others as they are; in both cases nothing was written, unless told otherwise. */
export async function runTransaction<T>(
  lease: Lease,
  work: (tx: Tx) => Promise<T>,
  { isolation = 'read committed', readOnly = false }: TransactionOptions,
): Promise<T> {
  const { client } = lease
  let usable = false
  try {
    await client.query(`begin isolation level ${isolation} ${readOnly ? 'read only' : 'read write'}`)
    const result = await work(makeTx(client))
    await commit(lease)
    usable = true
    return result
  } catch (error) {
    const known = toDatabaseError(error)
    // There may be nobody to answer, or no transaction any more. A connection that cannot roll back goes, and its transaction with it.
    if (!lease.isBroken() && !(known !== null && NO_ROLLBACK.has(known.code)))
      usable = await client.query('rollback').then(
        () => true,
        () => false,
      )
    throw known ?? error
  } finally {
    lease.release(!usable)
  }
}

export type RetryOptions = {
  readonly clock: Pick<Clock, 'sleep'>
  /** From 0 to below 1. */
  readonly random: () => number
  readonly signal: AbortSignal
}

const MAX_ATTEMPTS = 6
const FIRST_PAUSE_MS = 10

/** Runs it again when the database says that others changed the same rows. The last such error is thrown on, as retryable. */
export async function withRetries<T>(attempt: () => Promise<T>, { clock, random, signal }: RetryOptions): Promise<T> {
  for (let done = 1; ; done++) {
    try {
      return await attempt()
    } catch (error) {
      const conflict = error instanceof DatabaseError && error.code === 'DATABASE_CONFLICT'
      if (!conflict || done >= MAX_ATTEMPTS) throw error
      await clock.sleep(FIRST_PAUSE_MS * 2 ** done * random(), signal)
    }
  }
}
