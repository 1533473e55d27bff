/** The proxy nodes: who they are, how they came in, and what they last said. */
import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core'
import { createdAt, moment, version } from './columns.ts'
import { servicePorts } from './schema.ts'

export const nodes = pgTable(
  'nodes',
  {
    id: text('id').primaryKey(),
    name: text('name').notNull(),
    /** `lost`: not heard of for a long time. It still holds back what rests; `retired`, by an admin, does not. */
    status: text('status', { enum: ['active', 'lost', 'retired'] })
      .notNull()
      .default('active'),
    /** Ed25519, the 32 bytes as base64. */
    publicKey: text('public_key').notNull().unique(),
    /** Milliseconds since 1970: the timestamp of the last signed POST that was accepted; the next must be later. */
    lastPostTimestamp: bigint('last_post_timestamp', { mode: 'number' }).notNull().default(0),
    /** What the node knew from the start: the (epoch, revision) at its enrolment. */
    enrolledEpoch: integer('enrolled_epoch').notNull(),
    enrolledRevision: bigint('enrolled_revision', { mode: 'number' }).notNull(),
    /** The highest (epoch, revision) that Traefik there has confirmed; null before the first. */
    appliedEpoch: integer('applied_epoch'),
    appliedRevision: bigint('applied_revision', { mode: 'number' }),
    agentVersion: text('agent_version'),
    /** Hash of a held state that an operator accepted. */
    acceptedHash: text('accepted_hash'),
    lastSeenAt: moment('last_seen_at'),
    /** Its key is no longer taken. What it serves it may serve on, so it counts as before. */
    revokedAt: moment('revoked_at'),
    retiredAt: moment('retired_at'),
    version: version(),
    createdAt: createdAt(),
  },
  table => [
    // A new machine may take the name of one that was retired.
    uniqueIndex('nodes_name_unique').on(table.name).where(sql`${table.status} <> 'retired'`),
    check('nodes_status_check', sql`${table.status} in ('active', 'lost', 'retired')`),
    check('nodes_applied_check', sql`(${table.appliedEpoch} is null) = (${table.appliedRevision} is null)`),
  ],
)

export const enrollmentTokens = pgTable('enrollment_tokens', {
  id: text('id').primaryKey(),
  /** SHA-256 as hexadecimal digits; the token itself is shown once and kept nowhere. */
  tokenHash: text('token_hash').notNull().unique(),
  /** The only name that may be enrolled with it; null: any. */
  nodeName: text('node_name'),
  createdBy: text('created_by').notNull(),
  createdAt: createdAt(),
  expiresAt: moment('expires_at').notNull(),
  usedAt: moment('used_at'),
  usedBy: text('used_by').references(() => nodes.id, { onDelete: 'set null' }),
})

/** The last report of a node, in one row: it grows with the nodes, not with the routes. */
export const nodeStatus = pgTable('node_status', {
  nodeId: text('node_id')
    .primaryKey()
    .references(() => nodes.id, { onDelete: 'cascade' }),
  reportSeq: bigint('report_seq', { mode: 'number' }).notNull(),
  reportedAt: moment('reported_at').notNull(),
  /** The StatusReport without what has columns of its own. */
  report: jsonb('report').$type<unknown>().notNull(),
  /** The state of which the verdicts speak; null when it has no number. */
  toldEpoch: integer('told_epoch'),
  toldRevision: bigint('told_revision', { mode: 'number' }),
  /** Verdicts that are not live and have not been told yet: above 0, a route without a row may be one of them. */
  untold: integer('untold').notNull().default(0),
  /** `[{ name, address, protocol }]`, by the last report that named them; null: not known. Large, so written only when it changes. */
  entryPoints: jsonb('entry_points').$type<unknown>(),
  /** By route id; what is left out has none. */
  openConnections: jsonb('open_connections').$type<Readonly<Record<string, number>>>().notNull().default({}),
})

/** Verdicts of routes that are not live on a node. A route without a row here, in a state that the node has applied, is live. */
export const nodeVerdicts = pgTable(
  'node_verdicts',
  {
    nodeId: text('node_id')
      .notNull()
      .references(() => nodes.id, { onDelete: 'cascade' }),
    protocol: text('protocol', { enum: ['http', 'tcp', 'udp'] }).notNull(),
    routeId: text('route_id').notNull(),
    verdict: text('verdict').notNull(),
    reason: text('reason').notNull(),
    revision: bigint('revision', { mode: 'number' }),
    since: moment('since').notNull(),
    /** Message, remedy, chain, what is served. */
    detail: jsonb('detail').$type<unknown>().notNull(),
  },
  table => [
    primaryKey({ columns: [table.nodeId, table.protocol, table.routeId] }),
    index('node_verdicts_route_index').on(table.protocol, table.routeId),
    check('node_verdicts_verdict_check', sql`${table.verdict} <> 'live'`),
  ],
)

/** What became of routes over time: a row for each change of a verdict on a node. The routes may be gone; jobs take out what is old. */
export const verdictHistory = pgTable(
  'verdict_history',
  {
    id: bigint('id', { mode: 'number' }).primaryKey().generatedByDefaultAsIdentity(),
    nodeId: text('node_id')
      .notNull()
      .references(() => nodes.id, { onDelete: 'cascade' }),
    routeId: text('route_id').notNull(),
    projectId: text('project_id').notNull(),
    /** Also `live`, and `gone`. */
    verdict: text('verdict').notNull(),
    reason: text('reason').notNull(),
    message: text('message').notNull(),
    revision: bigint('revision', { mode: 'number' }),
    /** When the node saw it, by our clock. */
    at: moment('at').notNull(),
    recordedAt: moment('recorded_at').notNull().defaultNow(),
    /** The change of the route whose way from saved to live is in the timings; null: it was not measured. */
    measuredRevision: bigint('measured_revision', { mode: 'number' }),
    /** By stage. */
    timingsMs: jsonb('timings_ms').$type<Readonly<Record<string, number>>>().notNull().default({}),
  },
  table => [
    index('verdict_history_route_index').on(table.routeId, table.nodeId, table.id),
    index('verdict_history_recorded_at_index').on(table.recordedAt),
    index('verdict_history_measured_index')
      .on(table.measuredRevision)
      .where(sql`${table.measuredRevision} is not null`),
  ],
)

/** Wishes of persons to have a route probed now. They ride in the nodes' expected state until they expire; jobs take them out. */
export const probeRequests = pgTable(
  'probe_requests',
  {
    /** `req_...`: comes back with the answer. */
    id: text('id').primaryKey(),
    routeId: text('route_id')
      .notNull()
      .references(() => servicePorts.id, { onDelete: 'cascade' }),
    createdAt: createdAt(),
    expiresAt: moment('expires_at').notNull(),
  },
  table => [
    index('probe_requests_expires_at_index').on(table.expiresAt),
    index('probe_requests_route_index').on(table.routeId),
  ],
)

/** What the nodes found, by request: a live route has no row of verdicts that could hold it. */
export const probeAnswers = pgTable(
  'probe_answers',
  {
    requestId: text('request_id')
      .notNull()
      .references(() => probeRequests.id, { onDelete: 'cascade' }),
    nodeId: text('node_id')
      .notNull()
      .references(() => nodes.id, { onDelete: 'cascade' }),
    /** Null: it could not be tried. */
    ok: boolean('ok'),
    at: moment('at'),
    detail: text('detail').notNull(),
    answeredAt: moment('answered_at').notNull().defaultNow(),
  },
  table => [primaryKey({ columns: [table.requestId, table.nodeId] })],
)
