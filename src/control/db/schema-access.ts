/** Who may do what: API tokens, console sessions, one-time links, and the keys that make a POST safe to repeat. Secrets are hashes only. */
import { sql } from 'drizzle-orm'
import { check, index, integer, jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core'
import { createdAt, moment } from './columns.ts'
import { projects } from './schema.ts'

const scopes = () =>
  text('scopes', { enum: ['read', 'write', 'admin'] })
    .array()
    .notNull()

export const apiTokens = pgTable(
  'api_tokens',
  {
    id: text('id').primaryKey(),
    name: text('name').notNull(),
    /** SHA-256 as hexadecimal digits. */
    tokenHash: text('token_hash').notNull().unique(),
    scopes: scopes(),
    /** The only project that it reaches; null: all. */
    projectId: text('project_id').references(() => projects.id, { onDelete: 'cascade' }),
    createdBy: text('created_by').notNull(),
    createdAt: createdAt(),
    expiresAt: moment('expires_at'),
    lastUsedAt: moment('last_used_at'),
    revokedAt: moment('revoked_at'),
  },
  table => [check('api_tokens_scopes_check', sql`${table.scopes} <@ array['read', 'write', 'admin']`)],
)

/** A session reaches what it was opened with, and ends with the token that opened it. */
export const sessions = pgTable(
  'sessions',
  {
    /** SHA-256 of the cookie's value. */
    idHash: text('id_hash').primaryKey(),
    /** Null when a one-time link opened it. */
    tokenId: text('token_id').references(() => apiTokens.id, { onDelete: 'cascade' }),
    scopes: scopes(),
    projectId: text('project_id').references(() => projects.id, { onDelete: 'cascade' }),
    createdAt: createdAt(),
    expiresAt: moment('expires_at').notNull(),
    lastSeenAt: moment('last_seen_at').notNull().defaultNow(),
  },
  table => [
    index('sessions_expires_at_index').on(table.expiresAt),
    check('sessions_scopes_check', sql`${table.scopes} <@ array['read', 'write', 'admin']`),
  ],
)

/** Opens one session with every scope: what the first start prints, and `fairlead control admin-link`. */
export const loginLinks = pgTable('login_links', {
  codeHash: text('code_hash').primaryKey(),
  createdAt: createdAt(),
  expiresAt: moment('expires_at').notNull(),
  usedAt: moment('used_at'),
})

/** What a POST with this key was answered, written in its own transaction: the same key gets the same answer, and nothing twice. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    /** The token or session that sent it: keys of two callers are two keys. */
    owner: text('owner').notNull(),
    key: text('key').notNull(),
    /** SHA-256 of method, path and body. The same key with another request is a mistake of the caller. */
    requestHash: text('request_hash').notNull(),
    status: integer('status').notNull(),
    headers: jsonb('headers').$type<Readonly<Record<string, string>>>().notNull(),
    body: text('body').notNull(),
    createdAt: createdAt(),
  },
  table => [
    primaryKey({ columns: [table.owner, table.key] }),
    index('idempotency_keys_created_at_index').on(table.createdAt),
  ],
)
