/** Services, with their endpoints and ports: made in one change, changed, taken away with everything that they have claimed. */
import { and, eq, inArray, ne, sql } from 'drizzle-orm'
import type { PlanChange } from '../../api/plan.ts'
import type { Deleted } from '../../api/port.ts'
import type { EndpointList, Service, ServiceChanged, ServiceInput, ServicePatch } from '../../api/service.ts'
import { DatabaseError } from '../db/error.ts'
import { makeId } from '../db/id.ts'
import { endpoints, services } from '../db/schema.ts'
import type { Tx } from '../db/transaction.ts'
import type { Mutation } from '../http/write.ts'
import { announce } from '../hub.ts'
import { checkEndpoints } from './check.ts'
import { readOpenConnections } from './connections.ts'
import { addedPort, changedEndpoints, note, removedPort, stayOpen, warnings } from './plan.ts'
import {
  addPort,
  belowPort,
  checkStandingPorts,
  dropPorts,
  type Room,
  restNotes,
  surroundingsOf,
  tellChange,
  type Written,
} from './ports.ts'
import { presetFacts } from './preset.ts'
import { projectFor } from './projects.ts'
import { type Refusal, throwRefusals } from './refusal.ts'
import { findService, portsOf, type ServiceRow } from './rows.ts'
import { readGround } from './rules.ts'
import { isRoute, readServiceView, readViewWith, serviceRecord } from './view.ts'
import { byAddress } from './wire.ts'

async function nameRefusals(
  tx: Tx,
  { id, projectId, name }: Pick<ServiceRow, 'id' | 'projectId' | 'name'>,
): Promise<Refusal[]> {
  const [other] = await tx
    .select({ id: services.id })
    .from(services)
    .where(and(eq(services.projectId, projectId), eq(services.name, name), ne(services.id, id)))
  if (other === undefined) return []
  const fault = {
    field: 'name',
    code: 'NAME_TAKEN',
    message: `the project has a service ${name} already`,
    value: name,
    remedy: 'Take another name, or change that service.',
  }
  return [{ problem: 'NAME_TAKEN', fault, extra: { serviceId: other.id } }]
}

async function addEndpoints(tx: Tx, room: Room, serviceId: string, list: EndpointList): Promise<void> {
  if (list.length === 0) return
  await tx
    .insert(endpoints)
    .values(
      list.map(({ address, weight }) => ({ id: makeId('end', { now: room.clock.now }), serviceId, address, weight })),
    )
}

/** `POST /services` */
export async function createService(m: Mutation, room: Room, input: ServiceInput): Promise<Written<Service>> {
  const { tx } = m
  const ground = await readGround(tx, room.config)
  const change = await m.change()
  const { id: projectId } = await projectFor(m, room, input.projectId)
  const id = makeId('svc', { now: room.clock.now })
  const { name, preset } = input
  const insert = (written: string) =>
    tx.insert(services).values({ id, projectId, name: written, preset }).onConflictDoNothing().returning()
  const [named] = await insert(name)
  const refusals: Refusal[] = named === undefined ? await nameRefusals(tx, { id, projectId, name }) : []
  // Under a name that is taken it cannot be written, and its other faults are to be told as well.
  const service = named ?? (await insert(id))[0]
  if (service === undefined) throw new Error('a service was written and is not there')
  await addEndpoints(tx, room, id, input.endpoints)
  const addressFaults = checkEndpoints(input.endpoints, room.config.policy, 'endpoints')
  refusals.push(...addressFaults)
  const notes: PlanChange[] = []
  for (const [i, port] of input.ports.entries()) {
    // Addresses that are wrong on every port are told once.
    const known = addressFaults.length > 0 ? [] : input.endpoints
    const added = await addPort(m, room, { service, endpoints: known, ground }, port)
    refusals.push(...belowPort(i, added.refusals))
    notes.push(...added.notes.map(note))
  }
  throwRefusals(refusals)
  const sorted = input.endpoints.toSorted(byAddress)
  const value = await readViewWith(tx, service, sorted, room.config.publicHost)
  await m.audit({
    action: 'service.create',
    resourceKind: 'service',
    resourceId: id,
    projectId,
    after: serviceRecord(value),
  })
  await tellChange(change, projectId, [id, ...value.ports.map(port => port.id)])
  const changes: PlanChange[] = [
    { op: 'add', what: 'service', after: name },
    ...changedEndpoints([], value.endpoints),
    ...value.ports.flatMap((port, i) => addedPort(port, `ports[${i}].`)),
    ...notes,
    ...value.ports.flatMap(port => warnings(port, presetFacts(port.preset ?? value.preset))),
  ]
  return { value, changes }
}

/** `PATCH /services/:id` */
export async function patchService(
  m: Mutation,
  room: Room,
  id: string,
  patch: ServicePatch,
): Promise<Written<Service>> {
  // What it speaks is told to nodes; its name is not.
  const change = patch.preset === undefined ? null : await m.change()
  const { tx, actor } = m
  const row = await findService(tx, actor, id)
  m.match(row.version)
  const { publicHost } = room.config
  const before = await readServiceView(tx, row, publicHost)
  const wanted = { name: patch.name ?? row.name, preset: patch.preset === undefined ? row.preset : patch.preset }
  if (wanted.name === row.name && wanted.preset === row.preset) return { value: before, changes: [], unchanged: true }
  const refusals = await nameRefusals(tx, { ...row, ...wanted })
  if (wanted.preset !== row.preset) {
    const was = surroundingsOf(row, before.endpoints, room)
    const is = surroundingsOf(wanted, before.endpoints, room)
    refusals.push(...checkStandingPorts(await portsOf(tx, id), { was, is, field: 'preset' }))
  }
  throwRefusals(refusals)
  const [updated] = await tx
    .update(services)
    .set({ ...wanted, version: row.version + 1, updatedAt: sql`now()` })
    .where(and(eq(services.id, id), eq(services.version, row.version)))
    .returning()
  // Somebody was faster: tried again, the request sees what they have made of it.
  if (updated === undefined) throw new DatabaseError('DATABASE_CONFLICT', `service ${id} was changed meanwhile`)
  const value = await readServiceView(tx, updated, publicHost)
  const { projectId } = row
  await m.audit({
    action: 'service.update',
    resourceKind: 'service',
    resourceId: id,
    projectId,
    before: serviceRecord(before),
    after: serviceRecord(value),
  })
  if (change === null) await announce(tx, { kind: 'change', ids: [id], revision: null, projectId })
  else await tellChange(change, projectId, [id, ...value.ports.map(port => port.id)])
  const changes: PlanChange[] = [
    ...(before.name === value.name
      ? []
      : [{ op: 'change' as const, what: 'name', before: before.name, after: value.name }]),
    ...(before.preset === value.preset
      ? []
      : [{ op: 'change' as const, what: 'preset', before: before.preset, after: value.preset }]),
  ]
  return { value, changes }
}

/** `PUT /services/:id/endpoints`: the whole list. */
export async function putEndpoints(
  m: Mutation,
  room: Room,
  id: string,
  list: EndpointList,
): Promise<Written<ServiceChanged>> {
  const change = await m.change()
  const { tx, actor } = m
  const row = await findService(tx, actor, id)
  m.match(row.version)
  const { publicHost, policy } = room.config
  const before = await readServiceView(tx, row, publicHost)
  const planned = changedEndpoints(before.endpoints, list)
  if (planned.length === 0) return { value: { ...before, openConnections: [] }, changes: [], unchanged: true }
  const ports = await portsOf(tx, id)
  const refusals = checkEndpoints(list, policy, '')
  if (refusals.length === 0)
    refusals.push(
      ...checkStandingPorts(ports, {
        was: surroundingsOf(row, before.endpoints, room),
        is: surroundingsOf(row, list, room),
        field: '',
      }),
    )
  throwRefusals(once(refusals))
  await replaceEndpoints(tx, room, id, before.endpoints, list)
  const [updated] = await tx
    .update(services)
    .set({ version: row.version + 1, updatedAt: sql`now()` })
    .where(eq(services.id, id))
    .returning()
  const routes = ports.filter(isRoute)
  const isNarrower = planned.some(({ op }) => op === 'remove')
  const openConnections = isNarrower ? await readOpenConnections(tx, routes) : []
  const value = await readServiceView(tx, updated ?? row, publicHost)
  const { projectId } = row
  await m.audit({
    action: 'service.endpoints',
    resourceKind: 'service',
    resourceId: id,
    projectId,
    before: before.endpoints,
    after: value.endpoints,
  })
  await tellChange(change, projectId, [id, ...ports.map(port => port.id)])
  const empty =
    list.length === 0 && routes.length > 0
      ? [note('without endpoints its ports keep their places and close every connection at once')]
      : []
  return { value: { ...value, openConnections }, changes: [...planned, ...empty, ...stayOpen(openConnections)] }
}

function once(refusals: readonly Refusal[]): Refusal[] {
  return [...new Map(refusals.map(one => [`${one.fault.field} ${one.fault.code} ${one.fault.message}`, one])).values()]
}

async function replaceEndpoints(
  tx: Tx,
  room: Room,
  serviceId: string,
  before: EndpointList,
  after: EndpointList,
): Promise<void> {
  const wanted = new Map(after.map(endpoint => [endpoint.address, endpoint]))
  const had = new Map(before.map(endpoint => [endpoint.address, endpoint]))
  const gone = before.filter(({ address }) => !wanted.has(address)).map(({ address }) => address)
  if (gone.length > 0)
    await tx.delete(endpoints).where(and(eq(endpoints.serviceId, serviceId), inArray(endpoints.address, gone)))
  await addEndpoints(
    tx,
    room,
    serviceId,
    after.filter(({ address }) => !had.has(address)),
  )
  for (const { address, weight } of after)
    if (had.has(address) && had.get(address)?.weight !== weight)
      await tx
        .update(endpoints)
        .set({ weight })
        .where(and(eq(endpoints.serviceId, serviceId), eq(endpoints.address, address)))
}

/** `DELETE /services/:id` */
export async function deleteService(m: Mutation, room: Room, id: string): Promise<Written<Deleted>> {
  const change = await m.change()
  const { tx, actor } = m
  const row = await findService(tx, actor, id)
  m.match(row.version)
  const { projectId } = row
  const before = await readServiceView(tx, row, room.config.publicHost)
  const ports = await portsOf(tx, id)
  const routes = ports.filter(isRoute)
  const openConnections = await readOpenConnections(tx, routes)
  const released = await dropPorts(change, ports)
  await tx.delete(services).where(eq(services.id, id))
  await m.audit({
    action: 'service.delete',
    resourceKind: 'service',
    resourceId: id,
    projectId,
    before: serviceRecord(before),
    removedRoutes: routes.map(route => route.id),
  })
  await tellChange(change, projectId, [id, ...ports.map(port => port.id)])
  const changes: PlanChange[] = [
    { op: 'remove', what: 'service', before: row.name },
    ...before.ports.flatMap((port, i) => removedPort(port, `ports[${i}].`)),
    ...restNotes(released),
    ...stayOpen(openConnections),
  ]
  return { value: { id, released, openConnections }, changes }
}
