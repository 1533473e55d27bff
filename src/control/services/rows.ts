/** Services and ports as the database has them, for the actor that asks: what it may not see is not there. */
import { and, asc, eq, inArray, sql } from 'drizzle-orm'
import { z } from 'zod'
import { HealthCheck, type Probe } from '../../api/port.ts'
import { type Actor, sees, visibleTo } from '../access/actor.ts'
import { endpoints, projects, servicePorts, services } from '../db/schema.ts'
import type { Tx } from '../db/transaction.ts'
import { notFound } from '../http/api-error.ts'
import type { Settled } from './draft.ts'
import { toPresetId } from './preset.ts'
import type { WireEndpoint } from './wire.ts'

export type ProjectRow = typeof projects.$inferSelect
export type ServiceRow = typeof services.$inferSelect
export type PortRow = typeof servicePorts.$inferSelect

const probe = z.union([
  z.boolean(),
  z.object({
    type: z.enum(['connect', 'tls', 'postgres', 'udp', 'http']).optional(),
    sendHex: z.string().optional(),
    expectHex: z.string().optional(),
    intervalSeconds: z.int().optional(),
  }),
])

/** As it was written; null for what another version has left there. */
export const probeOf = ({ probe: stored }: Pick<PortRow, 'probe'>): Probe | null => probe.safeParse(stored).data ?? null

export const healthCheckOf = ({ healthCheck }: Pick<PortRow, 'healthCheck'>): HealthCheck | null =>
  HealthCheck.safeParse(healthCheck).data ?? null

/** The row as the draft that it came from. */
export function settledOf(row: PortRow): Settled {
  const { protocol, port, isPublic, domain, pathPrefix, redirectToHttps, certResolver, externalPort } = row
  const { externalPortEnd, tls, sniHostname, allowCidrs, maxConnectionsPerClient, proxyProtocol } = row
  return {
    ...{ protocol, port, isPublic, domain, pathPrefix, redirectToHttps, certResolver },
    ...{ tls, sniHostname, allowCidrs, maxConnectionsPerClient },
    preset: toPresetId(row.preset),
    externalPort: row.shared ? null : externalPort,
    externalPortEnd,
    shared: row.shared ? externalPort : null,
    proxyProtocol: proxyProtocol === 1 || proxyProtocol === 2 ? proxyProtocol : null,
    healthCheck: healthCheckOf(row),
    probe: probeOf(row),
    expiresAt: row.expiresAt?.getTime() ?? null,
  }
}

/** Throws an ApiError (404) for one that is not there for the actor. */
export async function findProject(tx: Tx, actor: Actor, id: string): Promise<ProjectRow> {
  const [row] = await tx.select().from(projects).where(eq(projects.id, id))
  if (row === undefined || !sees(actor, id)) throw notFound('project', id)
  return row
}

/** Throws an ApiError (404) for one that is not there for the actor. */
export async function findService(tx: Tx, actor: Actor, id: string): Promise<ServiceRow> {
  const [row] = await tx
    .select()
    .from(services)
    .where(and(eq(services.id, id), visibleTo(actor, services.projectId)))
  if (row === undefined) throw notFound('service', id)
  return row
}

export const portsOf = (tx: Tx, serviceId: string): Promise<PortRow[]> =>
  tx
    .select()
    .from(servicePorts)
    .where(eq(servicePorts.serviceId, serviceId))
    .orderBy(asc(sql`${servicePorts.id} collate "C"`))

/** Throws an ApiError (404) for one that is not there for the actor, or belongs to another service. */
export async function findPort(
  tx: Tx,
  actor: Actor,
  serviceId: string,
  id: string,
): Promise<{ readonly service: ServiceRow; readonly port: PortRow }> {
  const service = await findService(tx, actor, serviceId)
  const [port] = await tx
    .select()
    .from(servicePorts)
    .where(and(eq(servicePorts.id, id), eq(servicePorts.serviceId, serviceId)))
  if (port === undefined) throw notFound('port', id)
  return { service, port }
}

export const endpointsOf = (tx: Tx, serviceId: string): Promise<WireEndpoint[]> =>
  tx
    .select({ address: endpoints.address, weight: endpoints.weight })
    .from(endpoints)
    .where(eq(endpoints.serviceId, serviceId))
    .orderBy(asc(sql`${endpoints.address} collate "C"`))

export type Owner = {
  readonly portId: string
  readonly serviceId: string
  readonly serviceName: string
  readonly projectId: string
  readonly projectName: string
}

/** Whose ports these are, by the id of the port. */
export async function readOwners(tx: Tx, portIds: readonly string[]): Promise<ReadonlyMap<string, Owner>> {
  if (portIds.length === 0) return new Map()
  const rows = await tx
    .select({
      portId: servicePorts.id,
      serviceId: services.id,
      serviceName: services.name,
      projectId: projects.id,
      projectName: projects.name,
    })
    .from(servicePorts)
    .innerJoin(services, eq(services.id, servicePorts.serviceId))
    .innerJoin(projects, eq(projects.id, services.projectId))
    .where(portIds.length > 500 ? sql`true` : inArray(servicePorts.id, [...portIds]))
  const wanted = new Set(portIds)
  return new Map(rows.filter(({ portId }) => wanted.has(portId)).map(row => [row.portId, row]))
}
