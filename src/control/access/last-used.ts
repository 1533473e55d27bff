/** When a token or session was last used: noted at most once a minute, after the answer, and nobody waits for it. */
import { and, eq, isNull, lt, or, sql } from 'drizzle-orm'
import type { FastifyRequest } from 'fastify'
import { apiTokens, sessions } from '../db/schema-access.ts'
import type { ControlDeps } from '../deps.ts'
import { hashSecret } from './secret.ts'

const EVERY_MS = 60_000

export type LastUsed = {
  note(request: FastifyRequest): void
  /** When what was begun is written. */
  stop(): Promise<void>
}

export function createLastUsed({
  database,
  clock,
  logger,
}: Pick<ControlDeps, 'database' | 'clock' | 'logger'>): LastUsed {
  /** What is being written at the moment. */
  const writing = new Map<string, Promise<void>>()

  async function write(kind: 'token' | 'session', id: string, credential: string): Promise<void> {
    const longAgo = sql`now() - ${EVERY_MS} * interval '1 millisecond'`
    await database.transaction(async tx => {
      // Another process may have noted it meanwhile.
      if (kind === 'token')
        await tx
          .update(apiTokens)
          .set({ lastUsedAt: sql`now()` })
          .where(and(eq(apiTokens.id, id), or(isNull(apiTokens.lastUsedAt), lt(apiTokens.lastUsedAt, longAgo))))
      else
        await tx
          .update(sessions)
          .set({ lastSeenAt: sql`now()` })
          .where(and(eq(sessions.idHash, hashSecret(credential)), lt(sessions.lastSeenAt, longAgo)))
    })
  }

  return {
    note({ actor, credential, lastUsedAt }) {
      if (actor === null || credential === null || (actor.kind !== 'token' && actor.kind !== 'session')) return
      if (lastUsedAt !== null && clock.now() - lastUsedAt.getTime() < EVERY_MS) return
      if (writing.has(actor.id)) return
      const done = write(actor.kind, actor.id, credential)
        .catch(err => logger.debug({ err }, 'last use was not noted'))
        .finally(() => writing.delete(actor.id))
      writing.set(actor.id, done)
    },
    async stop() {
      await Promise.all(writing.values())
    },
  }
}
