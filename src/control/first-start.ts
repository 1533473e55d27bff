/** Whether anybody has ever been let in. Until then every start hands out a link: the first one may have been lost. */
import { sql } from 'drizzle-orm'
import type { Database } from './db/client.ts'

export async function isFirstStart(database: Pick<Database, 'transaction'>): Promise<boolean> {
  const { rowCount } = await database.transaction(
    tx =>
      tx.execute(sql`
        select 1 where exists (select 1 from sessions) or exists (select 1 from api_tokens)
          or exists (select 1 from login_links where used_at is not null)
          or exists (select 1 from audit_log where action in ('session.open', 'token.create'))`),
    { readOnly: true },
  )
  return rowCount === 0
}
