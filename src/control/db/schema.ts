/**
 * What people declare: projects, their services, where those answer, the ports under which they are reached, and the claims on them.
 *
 * The database holds what must never be otherwise, whatever the code above it does: one owner for a number, one owner for a host name
 * on a shared number, no port deleted while its number is still claimed. `npm run migrations` writes the SQL for a change in here.
 */
import { sql } from 'drizzle-orm'
import { bigint, boolean, check, index, integer, jsonb, pgTable, text, unique, uniqueIndex } from 'drizzle-orm/pg-core'
import { createdAt, moment, updatedAt, version } from './columns.ts'

export const projects = pgTable(
  'projects',
  {
    id: text('id').primaryKey(),
    name: text('name').notNull().unique(),
    /** How many numbers and shared host names the project may hold; null: no limit. */
    portQuota: integer('port_quota'),
    /** How many HTTP domains, each path counted for itself, the project may hold; null: no limit. */
    domainQuota: integer('domain_quota'),
    version: version(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  table => [
    check('projects_port_quota_check', sql`${table.portQuota} >= 0`),
    check('projects_domain_quota_check', sql`${table.domainQuota} >= 0`),
  ],
)

export const services = pgTable(
  'services',
  {
    id: text('id').primaryKey(),
    projectId: text('project_id')
      .notNull()
      .references(() => projects.id),
    name: text('name').notNull(),
    /** `postgres`, `mysql`, ...: what the service speaks; null when nobody said. */
    preset: text('preset'),
    version: version(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  table => [unique('services_project_id_name_unique').on(table.projectId, table.name)],
)

/** Upstream addresses of a service; the port comes from each of its ports. */
export const endpoints = pgTable(
  'endpoints',
  {
    id: text('id').primaryKey(),
    serviceId: text('service_id')
      .notNull()
      .references(() => services.id, { onDelete: 'cascade' }),
    /** `10.200.1.5`, `fd00::5`, `db.internal`: without a port, without brackets. */
    address: text('address').notNull(),
    weight: integer('weight').notNull().default(1),
    createdAt: createdAt(),
  },
  table => [
    unique('endpoints_service_id_address_unique').on(table.serviceId, table.address),
    check('endpoints_weight_check', sql`${table.weight} between 1 and 1000`),
  ],
)

export const servicePorts = pgTable(
  'service_ports',
  {
    id: text('id').primaryKey(),
    serviceId: text('service_id')
      .notNull()
      .references(() => services.id, { onDelete: 'cascade' }),
    /** Where the endpoints of the service listen. */
    port: integer('port').notNull(),
    isPublic: boolean('is_public').notNull().default(false),
    protocol: text('protocol', { enum: ['http', 'tcp', 'udp'] })
      .notNull()
      .default('http'),
    domain: text('domain'),
    pathPrefix: text('path_prefix').notNull().default('/'),
    redirectToHttps: boolean('redirect_to_https').notNull().default(true),
    certResolver: text('cert_resolver'),
    /** The number under which clients reach it; the first one of a block. Written with its claim, in ports.ts. */
    externalPort: integer('external_port'),
    /** The last number of a block; null for a single one. */
    externalPortEnd: integer('external_port_end'),
    /** The number belongs to everybody, the host name on it to this port. */
    shared: boolean('shared').notNull().default(false),
    tlsPassthrough: boolean('tls_passthrough').notNull().default(false),
    tls: text('tls', { enum: ['none', 'passthrough', 'terminate'] }),
    sniHostname: text('sni_hostname'),
    preset: text('preset'),
    allowCidrs: text('allow_cidrs').array().notNull().default(sql`'{}'`),
    maxConnectionsPerClient: integer('max_connections_per_client'),
    proxyProtocol: integer('proxy_protocol'),
    healthCheck: jsonb('health_check').$type<unknown>(),
    probe: jsonb('probe').$type<unknown>(),
    expiresAt: moment('expires_at'),
    /** Decides between two claims of one place, on every node alike. */
    claimedAt: moment('claimed_at').notNull().defaultNow(),
    /** The revision in which the nodes were last told something else of this route, and when. Written by triggers, never by hand. */
    routeRevision: bigint('route_revision', { mode: 'number' }).notNull().default(0),
    routeChangedAt: moment('route_changed_at').notNull().defaultNow(),
    version: version(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  table => [
    index('service_ports_service_id_index').on(table.serviceId),
    uniqueIndex('service_ports_domain_path_prefix_unique').on(table.domain, table.pathPrefix),
    uniqueIndex('service_ports_protocol_external_port_unique')
      .on(table.protocol, table.externalPort)
      .where(sql`not ${table.shared}`),
    uniqueIndex('service_ports_external_port_sni_hostname_unique')
      .on(table.externalPort, table.sniHostname)
      .where(sql`${table.shared}`),
    check('service_ports_protocol_check', sql`${table.protocol} in ('http', 'tcp', 'udp')`),
    check('service_ports_port_check', sql`${table.port} between 1 and 65535`),
    check('service_ports_domain_check', sql`${table.domain} is null or ${table.protocol} = 'http'`),
    check(
      'service_ports_external_port_check',
      sql`${table.externalPort} is null or (${table.externalPort} between 1 and 65535 and ${table.protocol} <> 'http')`,
    ),
    check(
      'service_ports_external_port_end_check',
      sql`${table.externalPortEnd} is null or (${table.externalPort} is not null and ${table.externalPortEnd} between ${table.externalPort} + 1 and 65535)`,
    ),
    check(
      'service_ports_shared_check',
      sql`not ${table.shared} or (${table.protocol} = 'tcp' and ${table.sniHostname} is not null and ${table.externalPort} is not null and ${table.externalPortEnd} is null)`,
    ),
    check('service_ports_sni_hostname_check', sql`${table.sniHostname} is null or ${table.protocol} = 'tcp'`),
    check('service_ports_tls_check', sql`${table.tls} in ('none', 'passthrough', 'terminate')`),
    check('service_ports_proxy_protocol_check', sql`${table.proxyProtocol} in (1, 2)`),
    check('service_ports_max_connections_check', sql`${table.maxConnectionsPerClient} >= 1`),
  ],
)

/**
 * Who has a number, or a host name on a shared number. A row is a claim, a rest after one, or an admin's reservation; no row is free.
 *
 * The reference to `service_ports` is not followed by a delete: whoever deletes a port has to release its claim first, since the number
 * must rest until no node sends old clients to the next owner.
 */
export const allocatedPorts = pgTable(
  'allocated_ports',
  {
    /** `tcp-10001`, `tcp-443-db.example.com`. */
    id: text('id').primaryKey(),
    protocol: text('protocol', { enum: ['tcp', 'udp'] }).notNull(),
    port: integer('port').notNull(),
    /** Empty for the number as a whole. */
    host: text('host').notNull().default(''),
    state: text('state', { enum: ['used', 'resting', 'reserved'] }).notNull(),
    servicePortId: text('service_port_id').references(() => servicePorts.id),
    projectId: text('project_id').references(() => projects.id),
    /** The revision that brought the claim. A later `fetched_revision` means that nodes may have it. */
    claimedRevision: bigint('claimed_revision', { mode: 'number' }),
    releasedAt: moment('released_at'),
    /** The project that had it. No reference: the project may be gone. */
    releasedBy: text('released_by'),
    /** A node that has acknowledged this (epoch, revision) knows nothing of the old route any more. */
    blockedEpoch: integer('blocked_epoch'),
    blockedRevision: bigint('blocked_revision', { mode: 'number' }),
    /** Why it is reserved. */
    note: text('note'),
    createdAt: createdAt(),
  },
  table => [
    unique('allocated_ports_protocol_port_host_unique').on(table.protocol, table.port, table.host),
    index('allocated_ports_service_port_id_index').on(table.servicePortId),
    index('allocated_ports_project_id_index').on(table.projectId),
    index('allocated_ports_released_by_index').on(table.releasedBy),
    check('allocated_ports_protocol_check', sql`${table.protocol} in ('tcp', 'udp')`),
    check('allocated_ports_port_check', sql`${table.port} between 1 and 65535`),
    check(
      'allocated_ports_host_check',
      sql`${table.host} = '' or (${table.protocol} = 'tcp' and ${table.state} <> 'reserved')`,
    ),
    check(
      'allocated_ports_state_check',
      sql`case ${table.state}
        when 'used' then ${table.servicePortId} is not null and ${table.projectId} is not null and ${table.claimedRevision} is not null
          and ${table.releasedAt} is null
        when 'resting' then ${table.servicePortId} is null and ${table.projectId} is null and ${table.releasedAt} is not null
          and ${table.blockedEpoch} is not null and ${table.blockedRevision} is not null
        when 'reserved' then ${table.servicePortId} is null and ${table.projectId} is null and ${table.releasedAt} is null
        else false end`,
    ),
  ],
)
