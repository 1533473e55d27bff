/** What an export holds: every table, but for those whose rows are worth nothing elsewhere or later. */
import { sql } from 'drizzle-orm'
import type { Tx } from '../db/transaction.ts'

/** Sessions, links and answers belong to the moment; wishes to probe are gone in half a minute, and what was found with them. */
export const LEFT_OUT: readonly string[] = [
  'sessions',
  'login_links',
  'idempotency_keys',
  'probe_requests',
  'probe_answers',
]

type Reference = { readonly child: string; readonly parent: string }

/** The names in an order in which each comes after all that it refers to. Throws when they go in a circle. */
export function inOrder(names: readonly string[], references: readonly Reference[]): readonly string[] {
  const done: string[] = []
  const path: string[] = []
  const visit = (name: string): void => {
    if (done.includes(name)) return
    if (path.includes(name)) throw new Error(`tables refer to each other in a circle: ${[...path, name].join(' -> ')}`)
    path.push(name)
    for (const { child, parent } of references)
      if (child === name && parent !== name && names.includes(parent)) visit(parent)
    path.pop()
    done.push(name)
  }
  for (const name of [...names].sort()) visit(name)
  return done
}

/** Those of this database. */
export async function readTables(tx: Tx): Promise<readonly string[]> {
  const tables = await tx.execute<{ name: string }>(
    sql`select tablename as name from pg_tables where schemaname = 'public'`,
  )
  const references = await tx.execute<Reference>(sql`
    select c.relname as child, p.relname as parent from pg_constraint f
    join pg_class c on c.oid = f.conrelid join pg_class p on p.oid = f.confrelid
    join pg_namespace n on n.oid = c.relnamespace where f.contype = 'f' and n.nspname = 'public'`)
  const names = tables.rows.map(({ name }) => name).filter(name => !LEFT_OUT.includes(name))
  return inOrder(names, references.rows)
}

/** How many migrations the tables have seen: an export fits only tables of the same make. */
export async function readSchemaVersion(tx: Tx): Promise<number> {
  const { rows } = await tx.execute<{ count: string }>(sql`select count(*) as count from drizzle.__drizzle_migrations`)
  return Number(rows[0]?.count ?? 0)
}
