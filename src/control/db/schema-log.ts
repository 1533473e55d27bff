/** What changed, in which order, and the few facts about the control plane as a whole. */
import { sql } from 'drizzle-orm'
import { bigint, check, index, integer, jsonb, pgTable, text } from 'drizzle-orm/pg-core'
import { createdAt, moment, updatedAt } from './columns.ts'

/**
 * One row, ever. Whoever changes what nodes are told counts it up first and so holds it until the commit (revision.ts): revisions are in
 * the order of the commits, which the numbers of a sequence are not.
 */
export const revisions = pgTable(
  'revisions',
  {
    id: integer('id').primaryKey().default(1),
    epoch: integer('epoch').notNull().default(1),
    revision: bigint('revision', { mode: 'number' }).notNull().default(0),
    /** The highest revision that was sent to any node. */
    fetchedRevision: bigint('fetched_revision', { mode: 'number' }).notNull().default(0),
    updatedAt: updatedAt(),
  },
  table => [
    check('revisions_one_row_check', sql`${table.id} = 1`),
    check('revisions_fetched_revision_check', sql`${table.fetchedRevision} <= ${table.revision}`),
  ],
)

/** One row for each change, written in its transaction. A trigger refuses to change or delete any. */
export const auditLog = pgTable(
  'audit_log',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedByDefaultAsIdentity(),
    at: moment('at').notNull().defaultNow(),
    /** `token`, `session`, `node`, `system`: who, with an id that stays readable when that is gone. */
    actorKind: text('actor_kind').notNull(),
    actorId: text('actor_id').notNull(),
    projectId: text('project_id'),
    /** `service.create`, `node.retire`, ... */
    action: text('action').notNull(),
    resourceKind: text('resource_kind').notNull(),
    resourceId: text('resource_id').notNull(),
    before: jsonb('before').$type<unknown>(),
    after: jsonb('after').$type<unknown>(),
    requestId: text('request_id'),
    epoch: integer('epoch'),
    /** The revision that this change made; null when nodes are told nothing new. */
    revision: bigint('revision', { mode: 'number' }),
    /** Ids of the routes that left the nodes' state by it, on purpose. */
    removedRoutes: text('removed_routes').array().notNull().default(sql`'{}'`),
  },
  table => [
    index('audit_log_project_id_index').on(table.projectId, table.id),
    index('audit_log_resource_index').on(table.resourceKind, table.resourceId, table.id),
    index('audit_log_removed_index').on(table.revision, table.at).where(sql`${table.removedRoutes} <> '{}'`),
  ],
)

/** `controlPlaneId`, and what an admin sets while it runs. */
export const settings = pgTable('settings', {
  key: text('key').primaryKey(),
  value: jsonb('value').$type<unknown>().notNull(),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
})
