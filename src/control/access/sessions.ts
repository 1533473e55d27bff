/**
 * Sessions of the console. The cookie holds 32 random bytes, the database their hash.
 *
 *   API token, or the code of a one-time link -> session: 12 hours at most, 4 without use, never longer than its token
 *
 * Signing in always gives a new session and ends the one that the browser had: nobody can be made to use a session that another knows.
 */
import { and, eq, gt, isNull, or, sql } from 'drizzle-orm'
import type { Session } from '../../api/session.ts'
import { apiTokens, loginLinks, sessions } from '../db/schema-access.ts'
import type { Tx } from '../db/transaction.ts'
import { ApiError } from '../http/api-error.ts'
import type { Mutation } from '../http/write.ts'
import { type Actor, SYSTEM_ADMIN, withIncluded } from './actor.ts'
import { hashSecret, isApiToken, isLinkCode, makeSecret } from './secret.ts'
import { isValid } from './tokens.ts'

export const SESSION_HOURS = 12
export const IDLE_HOURS = 4

/** The only thing of a session that is shown: enough to tell two apart. */
const sessionId = (idHash: string): string => `ses_${idHash.slice(0, 32)}`

type Row = typeof sessions.$inferSelect & { readonly tokenName: string | null; readonly tokenExpiresAt: Date | null }

const toWire = ({ scopes, projectId, createdAt, expiresAt, tokenName }: Row): Session => ({
  name: tokenName ?? 'admin link',
  scopes: [...withIncluded(scopes)].sort(),
  projectId,
  createdAt: createdAt.toISOString(),
  expiresAt: expiresAt.toISOString(),
  idleTimeoutSeconds: IDLE_HOURS * 3600,
})

const isAlive = () =>
  and(
    gt(sessions.expiresAt, sql`now()`),
    gt(sessions.lastSeenAt, sql`now() - ${IDLE_HOURS} * interval '1 hour'`),
    or(isNull(sessions.tokenId), isValid()),
  )

const selectSession = (tx: Tx) =>
  tx
    .select({
      idHash: sessions.idHash,
      tokenId: sessions.tokenId,
      scopes: sessions.scopes,
      projectId: sessions.projectId,
      createdAt: sessions.createdAt,
      expiresAt: sessions.expiresAt,
      lastSeenAt: sessions.lastSeenAt,
      tokenName: apiTokens.name,
      tokenExpiresAt: apiTokens.expiresAt,
    })
    .from(sessions)
    .leftJoin(apiTokens, eq(apiTokens.id, sessions.tokenId))

/** Who has this cookie; null when the session is over or never was. */
export async function recognizeSession(
  tx: Tx,
  cookie: string,
): Promise<{ readonly actor: Actor; readonly lastUsedAt: Date } | null> {
  const [row] = await selectSession(tx).where(and(eq(sessions.idHash, hashSecret(cookie)), isAlive()))
  if (row === undefined) return null
  const actor: Actor = {
    kind: 'session',
    id: sessionId(row.idHash),
    name: row.tokenName ?? 'admin link',
    scopes: withIncluded(row.scopes),
    projectId: row.projectId,
    // What a session makes may live as long as what its token makes.
    expiresAt: row.tokenExpiresAt,
  }
  return { actor, lastUsedAt: row.lastSeenAt }
}

/** What a session is told of itself. */
export async function readSession(tx: Tx, cookie: string): Promise<Session> {
  const [row] = await selectSession(tx).where(and(eq(sessions.idHash, hashSecret(cookie)), isAlive()))
  if (row === undefined) throw new ApiError('UNAUTHENTICATED', 'the session is over')
  return toWire(row)
}

type Origin = Pick<Row, 'tokenId' | 'scopes' | 'projectId' | 'tokenName' | 'tokenExpiresAt'>

/** Who stands behind what was given to sign in with. A code is used up by it. */
async function originOf(tx: Tx, given: string): Promise<Origin | null> {
  if (isApiToken(given)) {
    const [token] = await tx
      .select()
      .from(apiTokens)
      .where(and(eq(apiTokens.tokenHash, hashSecret(given)), isValid()))
      .for('key share')
    if (token === undefined) return null
    const { id, scopes, projectId, name, expiresAt } = token
    return { tokenId: id, scopes, projectId, tokenName: name, tokenExpiresAt: expiresAt }
  }
  if (!isLinkCode(given)) return null
  // One statement decides who of two is first.
  const used = await tx
    .update(loginLinks)
    .set({ usedAt: sql`now()` })
    .where(
      and(eq(loginLinks.codeHash, hashSecret(given)), isNull(loginLinks.usedAt), gt(loginLinks.expiresAt, sql`now()`)),
    )
    .returning()
  if (used.length === 0) return null
  return { tokenId: null, scopes: ['admin'], projectId: null, tokenName: null, tokenExpiresAt: null }
}

/**
 * Opens a session, and ends the one of the cookie that came along.
 * Throws an ApiError for a token or code that is not taken; which of them it is, or why, it never says.
 */
export async function openSession(
  m: Pick<Mutation, 'tx' | 'audit'>,
  given: string,
  oldCookie: string | null,
): Promise<{ readonly cookie: string; readonly session: Session }> {
  const { tx } = m
  const origin = await originOf(tx, given)
  if (origin === null)
    throw new ApiError('SIGN_IN_FAILED', 'this token is not known here, or it has ended', {
      headers: { 'www-authenticate': 'Bearer realm="fairlead"' },
    })
  if (oldCookie !== null) await tx.delete(sessions).where(eq(sessions.idHash, hashSecret(oldCookie)))
  const cookie = makeSecret()
  const { tokenId, scopes, projectId, tokenName, tokenExpiresAt } = origin
  const end = sql`(now() + ${SESSION_HOURS} * interval '1 hour')`
  const [row] = await tx
    .insert(sessions)
    .values({
      idHash: hashSecret(cookie),
      tokenId,
      scopes: [...scopes],
      projectId,
      expiresAt: sql`least(${end}, ${tokenExpiresAt?.toISOString() ?? null}::timestamptz)`,
    })
    .returning()
  if (row === undefined) throw new Error('the session was not written')
  const session = toWire({ ...row, tokenName, tokenExpiresAt })
  await m.audit({
    action: 'session.open',
    resourceKind: 'session',
    resourceId: sessionId(row.idHash),
    projectId,
    after: { tokenId, ...session },
  })
  return { cookie, session }
}

/** Ends the session of this cookie. */
export async function closeSession(m: Mutation, cookie: string): Promise<void> {
  const idHash = hashSecret(cookie)
  const gone = await m.tx.delete(sessions).where(eq(sessions.idHash, idHash)).returning()
  const [row] = gone
  if (row === undefined) throw new ApiError('UNAUTHENTICATED', 'the session is over')
  await m.audit({
    action: 'session.close',
    resourceKind: 'session',
    resourceId: sessionId(idHash),
    projectId: row.projectId,
  })
}

/** Somebody who has no session yet, for the audit of opening one. */
export const SIGNING_IN: Actor = { ...SYSTEM_ADMIN, kind: 'session', id: 'sign-in', name: 'sign-in', scopes: new Set() }
