/** API tokens: made, listed, revoked. No token makes one that may do more, reaches further or lives longer than itself. */
import { and, asc, eq, gt, isNull, or, sql } from 'drizzle-orm'
import type { Scope, Token, TokenInput, TokenQuery } from '../../api/token.ts'
import { makeId } from '../db/id.ts'
import { projects } from '../db/schema.ts'
import { apiTokens } from '../db/schema-access.ts'
import type { Tx } from '../db/transaction.ts'
import { ApiError, notFound } from '../http/api-error.ts'
import { makeCursor, readCursor, takePage } from '../http/page.ts'
import type { Mutation } from '../http/write.ts'
import { type Actor, sees, visibleTo, withIncluded } from './actor.ts'
import { hashSecret, makeApiToken } from './secret.ts'

type Row = typeof apiTokens.$inferSelect

const ORDER: readonly Scope[] = ['read', 'write', 'admin']

const toWire = ({ id, name, scopes, projectId, createdBy, createdAt, expiresAt, lastUsedAt }: Row): Token => ({
  id,
  name,
  scopes: ORDER.filter(scope => scopes.includes(scope)),
  projectId,
  createdBy,
  createdAt: createdAt.toISOString(),
  expiresAt: expiresAt?.toISOString() ?? null,
  lastUsedAt: lastUsedAt?.toISOString() ?? null,
})

/** Makes a token; `token` is the secret, which nobody can ask for again. Throws an ApiError. */
export async function createToken(m: Mutation, input: TokenInput): Promise<Token & { readonly token: string }> {
  const { tx, actor } = m
  const projectId = await reachOf(tx, actor, input.projectId ?? null)
  checkScopes(actor, input.scopes)
  const token = makeApiToken()
  const { expiresInSeconds = null } = input
  const wanted = expiresInSeconds === null ? null : sql`(now() + ${expiresInSeconds} * interval '1 second')`
  const [row] = await tx
    .insert(apiTokens)
    .values({
      id: makeId('tok'),
      name: input.name,
      tokenHash: hashSecret(token),
      scopes: ORDER.filter(scope => input.scopes.includes(scope)),
      projectId,
      createdBy: `${actor.kind}:${actor.id}`,
      // `least` passes over what is null: no end of its own, or a maker without one.
      expiresAt: sql`least(${wanted}::timestamptz, ${actor.expiresAt?.toISOString() ?? null}::timestamptz)`,
    })
    .returning()
  if (row === undefined) throw new Error('the token was not written')
  const made = toWire(row)
  await m.audit({ action: 'token.create', resourceKind: 'token', resourceId: row.id, projectId, after: made })
  return { ...made, token }
}

/** The project of the new token. A project that the actor does not see is not there. */
async function reachOf(tx: Tx, actor: Actor, wanted: string | null): Promise<string | null> {
  if (wanted === null) return actor.projectId
  // Held until the commit, so that it is not deleted meanwhile.
  const found = await tx.select({ id: projects.id }).from(projects).where(eq(projects.id, wanted)).for('key share')
  if (found.length === 1 && sees(actor, wanted)) return wanted
  throw new ApiError('BODY_INVALID', `projectId: there is no project ${wanted}`, {
    fields: [{ field: 'projectId', code: 'unknown_project', message: `there is no project ${wanted}` }],
  })
}

function checkScopes(actor: Actor, scopes: readonly Scope[]): void {
  const beyond = [...withIncluded(scopes)].filter(scope => !actor.scopes.has(scope))
  if (beyond.length === 0) return
  throw new ApiError('SCOPE_MISSING', `a token cannot make one that may do more: ${beyond.join(', ')}`, {
    extra: { scope: beyond[0] },
  })
}

/** Tokens that are neither revoked nor expired, the oldest first. */
export async function listTokens(tx: Tx, actor: Actor, { limit, cursor, projectId }: TokenQuery) {
  const after = readCursor(cursor)
  const rows = await tx
    .select()
    .from(apiTokens)
    .where(
      and(
        visibleTo(actor, apiTokens.projectId),
        isValid(),
        projectId === undefined ? undefined : eq(apiTokens.projectId, projectId),
        after === null ? undefined : gt(apiTokens.id, after[0] ?? ''),
      ),
    )
    .orderBy(asc(apiTokens.id))
    .limit(limit + 1)
  const { items, nextCursor } = takePage(rows, limit, row => makeCursor(row.id))
  return { items: items.map(toWire), nextCursor }
}

export async function getToken(tx: Tx, actor: Actor, id: string): Promise<Token> {
  const [row] = await tx
    .select()
    .from(apiTokens)
    .where(and(eq(apiTokens.id, id), visibleTo(actor, apiTokens.projectId), isValid()))
  if (row === undefined) throw notFound('token', id)
  return toWire(row)
}

/** From its commit on the token is refused by every process, and its sessions with it. Throws an ApiError. */
export async function revokeToken(m: Mutation, id: string): Promise<void> {
  const { tx, actor } = m
  const [row] = await tx
    .update(apiTokens)
    .set({ revokedAt: sql`now()` })
    .where(and(eq(apiTokens.id, id), visibleTo(actor, apiTokens.projectId), isNull(apiTokens.revokedAt)))
    .returning()
  if (row === undefined) throw notFound('token', id)
  const { projectId } = row
  await m.audit({ action: 'token.revoke', resourceKind: 'token', resourceId: id, projectId, before: toWire(row) })
}

/** The condition for tokens that are taken. */
export const isValid = () =>
  and(isNull(apiTokens.revokedAt), or(isNull(apiTokens.expiresAt), gt(apiTokens.expiresAt, sql`now()`)))
