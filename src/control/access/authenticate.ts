/** From what a request carries to who asks. Every request asks the database: a revoked token is refused at once, by every process. */
import { and, eq } from 'drizzle-orm'
import { apiTokens } from '../db/schema-access.ts'
import type { ControlDeps } from '../deps.ts'
import { type Actor, SYSTEM_ADMIN, withIncluded } from './actor.ts'
import { hashSecret, isApiToken, sameHash } from './secret.ts'
import { recognizeSession } from './sessions.ts'
import { isValid } from './tokens.ts'

/** An actor, and when it was last noted to have come with this credential; null: never. */
export type Recognized = { readonly actor: Actor; readonly lastUsedAt: Date | null }

/** Who sent this bearer token; null when nobody did who may. */
export async function recognizeToken(
  { database, adminTokenHash }: Pick<ControlDeps, 'database' | 'adminTokenHash'>,
  token: string,
): Promise<Recognized | null> {
  const hash = hashSecret(token)
  if (adminTokenHash !== null && sameHash(hash, adminTokenHash)) return { actor: SYSTEM_ADMIN, lastUsedAt: null }
  if (!isApiToken(token)) return null
  // The index finds a hash, not a token: how long that takes tells nothing of any token.
  const [row] = await database.transaction(
    tx =>
      tx
        .select()
        .from(apiTokens)
        .where(and(eq(apiTokens.tokenHash, hash), isValid())),
    { readOnly: true },
  )
  if (row === undefined || !sameHash(row.tokenHash, hash)) return null
  const { id, name, scopes, projectId, expiresAt, lastUsedAt } = row
  return { actor: { kind: 'token', id, name, scopes: withIncluded(scopes), projectId, expiresAt }, lastUsedAt }
}

/** Who has this cookie; null when the session is over or never was. */
export const recognizeCookie = (
  { database }: Pick<ControlDeps, 'database'>,
  cookie: string,
): Promise<Recognized | null> => database.transaction(tx => recognizeSession(tx, cookie), { readOnly: true })
