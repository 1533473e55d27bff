/**
 * The one way to change something: a transaction with the change, its audit row and the answer for its Idempotency-Key, all or nothing.
 *
 *   const answer = await write(deps, request, {}, async m => {
 *     const { revision } = await m.change()
 *     ...
 *     await m.audit({ action: 'service.create', ... })
 *     return { status: 201, body: service, etag: etagOf(service.version) }
 *   })
 *   return sendAnswer(reply, answer)
 *
 * It is run again, whole, when others were in its way: so it must do nothing but queries.
 */
import { and, eq, sql } from 'drizzle-orm'
import type { FastifyRequest } from 'fastify'
import type { Actor } from '../access/actor.ts'
import { type AuditEntry, writeAudit } from '../audit.ts'
import { DatabaseError } from '../db/error.ts'
import { beginChange, type Change, raiseEpoch } from '../db/revision.ts'
import { auditLog } from '../db/schema-log.ts'
import type { Tx } from '../db/transaction.ts'
import type { ControlDeps } from '../deps.ts'
import { type Answer, checkIfMatch } from './answer.ts'
import { claimKey, type IdempotencyKey, idempotencyKeyOf, keepAnswer } from './idempotency.ts'
import { actorOf } from './route.ts'

export type Mutation = {
  readonly tx: Tx
  readonly actor: Actor
  readonly requestId: string
  /** For what nodes are told: before anything of what is declared is read or written. Another call gives the same change. */
  change(): Promise<Change>
  /** In its place: the change that begins a new epoch. */
  newEpoch(): Promise<Change>
  audit(entry: AuditEntry): Promise<void>
  /** Throws (412) when the caller asked for another version. */
  match(version: number): void
}

export type WriteOptions = {
  /** Does it all, answers, and takes it back. */
  readonly dryRun?: boolean
}

type Work = (mutation: Mutation) => Promise<Answer>

type MutationContext = {
  readonly actor: Actor
  readonly requestId: string
  readonly match?: (version: number) => void
}

/** Thrown to roll back what was only tried, or has changed nothing: nodes are not woken by a revision that is like the one before it. */
class TakenBack extends Error {
  readonly answer: Answer
  constructor(answer: Answer) {
    super('taken back')
    this.answer = answer
  }
}

/** Where the change left its trace, for when its commit is not answered. */
type Trace = { auditId: number | null; answer: Answer | null }

/** Reads several things as they were at one moment. */
export const read = <T>({ database }: Pick<ControlDeps, 'database'>, work: (tx: Tx) => Promise<T>): Promise<T> =>
  database.transaction(work, { isolation: 'repeatable read', readOnly: true })

/** A change that no request asked for: a chore of our own. Resolves with what it would have answered. */
export const mutate = (deps: Pick<ControlDeps, 'database'>, context: MutationContext, work: Work): Promise<Answer> =>
  attempt(deps, context, null, work)

/** A change that a request asked for. */
export async function write(
  deps: Pick<ControlDeps, 'database'>,
  request: FastifyRequest,
  { dryRun = false }: WriteOptions,
  work: Work,
): Promise<Answer> {
  const context: MutationContext = {
    actor: actorOf(request),
    requestId: request.id,
    match: version => checkIfMatch(request, version),
  }
  if (!dryRun) return attempt(deps, context, idempotencyKeyOf(request), work)
  try {
    await deps.database.transaction(async tx => {
      throw new TakenBack(await work(mutationOf(tx, context, { auditId: null, answer: null })))
    })
  } catch (error) {
    if (error instanceof TakenBack) return error.answer
    throw error
  }
  throw new Error('a dry run was committed')
}

async function attempt(
  { database }: Pick<ControlDeps, 'database'>,
  context: MutationContext,
  key: IdempotencyKey | null,
  work: Work,
): Promise<Answer> {
  const trace: Trace = { auditId: null, answer: null }
  try {
    return await database.transaction(async tx => {
      trace.auditId = null
      trace.answer = null
      // Held to the end, so that whoever has to find out what became of us waits until something has.
      await tx.execute(sql`select pg_advisory_xact_lock(${lockOf(context)})`)
      const before = key === null ? null : await claimKey(tx, key)
      if (before !== null) return before
      const answer = await work(mutationOf(tx, context, trace))
      if (trace.auditId === null && answer.unchanged !== true) throw new Error('a change wrote no audit row')
      if (key !== null) await keepAnswer(tx, key, answer)
      else if (answer.unchanged === true) throw new TakenBack(answer)
      trace.answer = answer
      return answer
    })
  } catch (error) {
    if (error instanceof TakenBack) return error.answer
    if (!(error instanceof DatabaseError) || error.code !== 'COMMIT_OUTCOME_UNKNOWN') throw error
    return settle(database, context, trace, error)
  }
}

const lockOf = ({ requestId }: MutationContext) => sql`hashtextextended(${`request\n${requestId}`}, 7400)`

/** The connection was lost while it committed: once its transaction is over, its audit row is there or it is not. */
async function settle(
  database: ControlDeps['database'],
  context: MutationContext,
  { auditId, answer }: Trace,
  unknown: DatabaseError,
): Promise<Answer> {
  if (answer === null) throw unknown
  // Only an answer was to be kept.
  if (auditId === null) return answer
  const committed = await database
    .transaction(async tx => {
      await tx.execute(sql`select pg_advisory_xact_lock(${lockOf(context)})`)
      const rows = await tx
        .select({ id: auditLog.id })
        .from(auditLog)
        .where(and(eq(auditLog.id, auditId), eq(auditLog.requestId, context.requestId)))
      return rows.length === 1
    })
    .catch(() => null)
  if (committed === null) throw unknown
  if (committed) return answer
  throw new DatabaseError('DATABASE_UNREACHABLE', 'the database was lost, and the change with it', { cause: unknown })
}

function mutationOf(tx: Tx, { actor, requestId, match = () => {} }: MutationContext, trace: Trace): Mutation {
  let change: Promise<Change> | null = null
  return {
    tx,
    actor,
    requestId,
    change() {
      change ??= beginChange(tx)
      return change
    },
    newEpoch() {
      change ??= raiseEpoch(tx)
      return change
    },
    async audit(entry) {
      const position = change === null ? null : await change
      trace.auditId = await writeAudit(tx, entry, { actor, requestId, position })
    },
    match,
  }
}
