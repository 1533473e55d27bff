/** One-time links: whoever has one opens one session with every scope. Made on the host, for the first administrator and for lost tokens. */
import { sql } from 'drizzle-orm'
import { loginLinks } from '../db/schema-access.ts'
import type { Mutation } from '../http/write.ts'
import { hashSecret, makeLinkCode } from './secret.ts'

export const LINK_MINUTES = 30

export type LoginLink = {
  /** Behind `#`, so that no server and no log sees the code. */
  readonly url: string
  readonly code: string
  readonly expiresAt: Date
}

/** Makes a link; it works once, and for half an hour. `publicUrl`: an origin, such as `https://control.example.com`. */
export async function makeLoginLink(m: Pick<Mutation, 'tx' | 'audit'>, publicUrl: string): Promise<LoginLink> {
  const code = makeLinkCode()
  const [row] = await m.tx
    .insert(loginLinks)
    .values({ codeHash: hashSecret(code), expiresAt: sql`now() + ${LINK_MINUTES} * interval '1 minute'` })
    .returning()
  if (row === undefined) throw new Error('the link was not written')
  await m.audit({
    action: 'login-link.create',
    resourceKind: 'login-link',
    resourceId: row.codeHash.slice(0, 16),
    after: { expiresAt: row.expiresAt.toISOString() },
  })
  return { url: `${new URL(publicUrl).origin}/sign-in#${code}`, code, expiresAt: row.expiresAt }
}
