/**
 * `Idempotency-Key`: what a POST was answered is kept with the change, in one transaction. So the same key gets the same answer for a day,
 * whatever was lost on the way, and nothing is made twice.
 *
 * An answer with a secret in it is sealed with a key that only the caller's credential gives: nobody who reads the database learns it.
 */
import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { and, eq, sql } from 'drizzle-orm'
import type { FastifyRequest } from 'fastify'
import { idempotencyKeys } from '../db/schema-access.ts'
import type { Tx } from '../db/transaction.ts'
import type { Answer } from './answer.ts'
import { ApiError } from './api-error.ts'
import { headerValues } from './headers.ts'
import { actorOf } from './route.ts'

/** How long an answer is kept. */
export const KEPT_FOR_HOURS = 24

export type IdempotencyKey = {
  readonly owner: string
  readonly key: string
  readonly requestHash: string
  readonly credential: string
}

const KEY = /^[\x21-\x7e]{1,200}$/

/** The key of a POST; null when there is none. Throws an ApiError for one that cannot be one. */
export function idempotencyKeyOf(request: FastifyRequest): IdempotencyKey | null {
  if (request.method !== 'POST') return null
  const values = headerValues(request.raw, 'idempotency-key')
  const [key] = values
  if (key === undefined) return null
  if (values.length > 1 || !KEY.test(key))
    throw new ApiError('QUERY_INVALID', 'Idempotency-Key is not 1 to 200 visible ASCII signs', {
      fields: [{ field: 'idempotency-key', code: 'invalid_format', message: '1 to 200 visible ASCII signs' }],
    })
  const actor = actorOf(request)
  const body = JSON.stringify(request.body ?? null)
  const requestHash = createHash('sha256').update(`${request.method}\0${request.url}\0${body}`).digest('hex')
  return { owner: `${actor.kind}:${actor.id}`, key, requestHash, credential: request.credential ?? '' }
}

/**
 * Takes the key for this transaction; resolves with the answer that it was given before, or null. Throws an ApiError when another request
 * holds it, or when it was for another request.
 */
export async function claimKey(tx: Tx, idempotency: IdempotencyKey): Promise<Answer | null> {
  const { owner, key, requestHash } = idempotency
  const { rows } = await tx.execute<{ got: boolean }>(
    sql`select pg_try_advisory_xact_lock(hashtextextended(${`${owner}\n${key}`}, 7400)) as got`,
  )
  if (rows[0]?.got !== true)
    throw new ApiError('IDEMPOTENCY_KEY_IN_USE', 'the first request with this Idempotency-Key is not done yet', {
      headers: { 'retry-after': '1' },
    })
  // A statement of its own: one that began before the lock was taken would not see what its holder had written.
  const found = await findAnswer(tx, idempotency)
  if (found !== null && found.requestHash !== requestHash)
    throw new ApiError('IDEMPOTENCY_KEY_REUSED', 'this Idempotency-Key was used for another request')
  return found?.answer ?? null
}

async function findAnswer(
  tx: Tx,
  idempotency: IdempotencyKey,
): Promise<{ readonly requestHash: string; readonly answer: Answer } | null> {
  const { owner, key } = idempotency
  const [row] = await tx
    .select()
    .from(idempotencyKeys)
    .where(
      and(
        eq(idempotencyKeys.owner, owner),
        eq(idempotencyKeys.key, key),
        sql`${idempotencyKeys.createdAt} > now() - ${`${KEPT_FOR_HOURS} hours`}::interval`,
      ),
    )
  if (row === undefined) return null
  const { sealed, ...headers } = row.headers
  // Another request's answer needs no opening, and another credential could not open it.
  if (row.requestHash !== idempotency.requestHash)
    return { requestHash: row.requestHash, answer: { status: row.status, body: null } }
  const body: unknown = JSON.parse(sealed === undefined ? row.body : unseal(row.body, idempotency))
  return {
    requestHash: row.requestHash,
    answer: { status: row.status, body, headers: { ...headers, 'idempotency-replayed': 'true' } },
  }
}

/** Keeps the answer, with the change that it tells of. */
export async function keepAnswer(tx: Tx, idempotency: IdempotencyKey, answer: Answer): Promise<void> {
  const { owner, key, requestHash } = idempotency
  const text = JSON.stringify(answer.body ?? null)
  const etag = answer.etag === undefined ? {} : { etag: answer.etag }
  const row = {
    requestHash,
    status: answer.status,
    headers: { ...answer.headers, ...etag, ...(answer.secret === true ? { sealed: '1' } : {}) },
    body: answer.secret === true ? seal(text, idempotency) : text,
  }
  // A row in the way is one whose day is over.
  await tx
    .insert(idempotencyKeys)
    .values({ owner, key, ...row })
    .onConflictDoUpdate({
      target: [idempotencyKeys.owner, idempotencyKeys.key],
      set: { ...row, createdAt: sql`now()` },
    })
}

const sealingKey = ({ credential, key }: IdempotencyKey): Buffer =>
  Buffer.from(hkdfSync('sha256', credential, key, 'fairlead idempotency', 32))

function seal(text: string, idempotency: IdempotencyKey): string {
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', sealingKey(idempotency), iv)
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64')
}

function unseal(text: string, idempotency: IdempotencyKey): string {
  const bytes = Buffer.from(text, 'base64')
  const decipher = createDecipheriv('aes-256-gcm', sealingKey(idempotency), bytes.subarray(0, 12))
  decipher.setAuthTag(bytes.subarray(12, 28))
  return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8')
}
