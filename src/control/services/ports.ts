/**
 * Ports of a service, made, changed and taken away. Each is one change: what it gives back and what it claims happen together, and where the
 * new place is not to be had, everything stays as it was.
 */
import { and, eq, sql } from 'drizzle-orm'
import type { PlanChange } from '../../api/plan.ts'
import type { Deleted, Port, PortChanged, PortInput, PortPatch, ReleasedPort } from '../../api/port.ts'
import { DatabaseError } from '../db/error.ts'
import { makeId } from '../db/id.ts'
import type { Change } from '../db/revision.ts'
import { servicePorts, services } from '../db/schema.ts'
import type { Tx } from '../db/transaction.ts'
import type { ControlDeps } from '../deps.ts'
import type { Mutation } from '../http/write.ts'
import { announce } from '../hub.ts'
import { releasePort } from '../ports/ports.ts'
import { type Checked, checkPort, type Surroundings } from './check.ts'
import { readOpenConnections } from './connections.ts'
import { type Drafted, draftPort, type PortDraft } from './draft.ts'
import { checkNames, claimPlace } from './place.ts'
import { addedPort, changedPort, note, removedPort, stayOpen, warnings } from './plan.ts'
import { presetFacts } from './preset.ts'
import { below, type Refusal, throwRefusals } from './refusal.ts'
import { endpointsOf, findPort, findService, type PortRow, type ServiceRow, settledOf } from './rows.ts'
import { type Ground, readGround } from './rules.ts'
import { isRoute, portRecord, presetOf, readPortView } from './view.ts'
import type { WireEndpoint } from './wire.ts'

/** What the writes need of the control plane. */
export type Room = Pick<ControlDeps, 'config' | 'clock'>

/** What was written, and the same told as a plan. */
export type Written<T> = { readonly value: T; readonly changes: readonly PlanChange[]; readonly unchanged?: boolean }

/** Columns that a draft says; its place comes with the claim. */
const columnsOf = (draft: PortDraft, { tls, probe }: Checked) => ({
  port: draft.port,
  isPublic: draft.isPublic,
  protocol: draft.protocol,
  domain: draft.domain,
  pathPrefix: draft.pathPrefix,
  redirectToHttps: draft.redirectToHttps,
  certResolver: draft.certResolver,
  tlsPassthrough: tls === 'passthrough',
  tls,
  sniHostname: draft.sniHostname,
  preset: draft.preset,
  allowCidrs: [...draft.allowCidrs],
  maxConnectionsPerClient: draft.maxConnectionsPerClient,
  proxyProtocol: draft.proxyProtocol,
  healthCheck: draft.healthCheck,
  probe,
  expiresAt: draft.expiresAt === null ? null : new Date(draft.expiresAt),
})

export const surroundingsOf = (
  service: Pick<ServiceRow, 'preset'>,
  endpoints: readonly WireEndpoint[],
  { config }: Pick<Room, 'config'>,
): Surroundings => ({
  endpoints,
  preset: service.preset,
  policy: config.policy,
})

/** Fields that say where the port stands: while one of them is wrong, there is no place to ask for. */
const PLACE = new Set(['externalPort', 'externalPortEnd', 'shared', 'sniHostname', 'domain', 'pathPrefix'])

const knowsItsPlace = (refusals: readonly Refusal[]): boolean => !refusals.some(({ fault }) => PLACE.has(fault.field))

async function readRow(tx: Tx, id: string): Promise<PortRow> {
  const [row] = await tx.select().from(servicePorts).where(eq(servicePorts.id, id))
  if (row === undefined) throw new Error(`port ${id} is gone within its own transaction`)
  return row
}

/** The service shows its ports, so it is another one when they are. */
export async function touchService(tx: Tx, id: string): Promise<void> {
  await tx
    .update(services)
    .set({ version: sql`${services.version} + 1`, updatedAt: sql`now()` })
    .where(eq(services.id, id))
}

export const tellChange = ({ tx, revision }: Change, projectId: string, ids: readonly string[]): Promise<void> =>
  announce(tx, { kind: 'change', ids, revision, projectId })

export type NewPort = {
  readonly id: string
  readonly refusals: readonly Refusal[]
  readonly notes: readonly string[]
}

export type Neighbourhood = {
  readonly service: ServiceRow
  readonly endpoints: readonly WireEndpoint[]
  readonly ground: Ground
}

/** Writes a port with its claims. With refusals it is not as it should be, and the transaction has to be given up. */
export async function addPort(
  m: Mutation,
  room: Room,
  { service, endpoints, ground }: Neighbourhood,
  input: PortInput,
): Promise<NewPort> {
  const { tx, actor } = m
  const now = room.clock.now()
  const { draft, refusals } = draftPort(input, null, now)
  const checked = checkPort(draft, surroundingsOf(service, endpoints, room))
  const found = [...refusals, ...checked.refusals]
  const id = makeId('prt', { now: room.clock.now })
  const claimant = { portId: id, projectId: service.projectId, actor }
  const placed = knowsItsPlace(found)
  const taken = placed ? await checkNames(tx, claimant, draft, ground) : null
  // The database takes no domain twice; what else is wrong with the port is told all the same.
  const columns = { ...columnsOf(draft, checked), ...(placed && taken === null ? {} : { domain: null }) }
  await tx.insert(servicePorts).values({ id, serviceId: service.id, ...columns })
  const refused = taken ?? (placed ? await claimPlace(await m.change(), claimant, draft, ground) : null)
  if (refused !== null) found.push(refused)
  return { id, refusals: found, notes: checked.notes }
}

/** `POST /services/:id/ports` */
export async function createPort(m: Mutation, room: Room, serviceId: string, input: PortInput): Promise<Written<Port>> {
  const { tx, actor } = m
  const ground = await readGround(tx, room.config)
  const change = await m.change()
  const service = await findService(tx, actor, serviceId)
  const endpoints = await endpointsOf(tx, serviceId)
  const { id, refusals, notes } = await addPort(m, room, { service, endpoints, ground }, input)
  throwRefusals(refusals)
  await touchService(tx, serviceId)
  const row = await readRow(tx, id)
  const value = await readPortView(tx, row, service, room.config.publicHost)
  const { projectId } = service
  await m.audit({
    action: 'port.create',
    resourceKind: 'port',
    resourceId: row.id,
    projectId,
    after: portRecord(value),
  })
  await tellChange(change, projectId, [serviceId, row.id])
  const changes = [...addedPort(value), ...notes.map(note), ...warnings(value, presetFacts(presetOf(row, service)))]
  return { value, changes }
}

/** Whether the port keeps what it has claimed. */
function keepsPlace(row: PortRow, draft: PortDraft, { httpPorts }: Ground): boolean {
  if (!row.isPublic || !draft.isPublic || row.protocol !== draft.protocol) return false
  if (row.protocol === 'http') return row.domain === draft.domain && row.pathPrefix === draft.pathPrefix
  if (row.externalPort === null) return false
  const sameName = row.sniHostname === draft.sniHostname
  if (draft.shared !== null) return row.shared && row.externalPort === draft.shared && sameName
  // On a number that carries HTTP as well, a host name is a claim of its own.
  if (httpPorts.has(row.externalPort) && !sameName) return false
  return !row.shared && row.externalPort === draft.externalPort && row.externalPortEnd === draft.externalPortEnd
}

/** Gives back the old place and takes the new one; null when that is done, or there is nothing to do. */
async function move(
  m: Mutation,
  { row, drafted: { draft }, checked, ground, projectId }: Moving,
): Promise<Refusal | null> {
  const { tx, actor } = m
  const change = await m.change()
  const claimant = { portId: row.id, projectId, actor }
  const keeps = keepsPlace(row, draft, ground)
  const taken = keeps ? null : await checkNames(tx, claimant, draft, ground)
  if (taken !== null) return taken
  if (!keeps) await releasePort(change, row.id)
  const updated = await tx
    .update(servicePorts)
    .set({
      ...columnsOf(draft, checked),
      version: sql`${servicePorts.version} + 1`,
      updatedAt: sql`now()`,
      // It decides between two claims of one place, so it is of the claim and not of the port.
      ...(keeps ? {} : { claimedAt: sql`now()` }),
    })
    .where(and(eq(servicePorts.id, row.id), eq(servicePorts.version, row.version)))
    .returning({ id: servicePorts.id })
  if (updated.length !== 1) throw new DatabaseError('DATABASE_CONFLICT', `port ${row.id} was changed without the lock`)
  return keeps ? null : claimPlace(change, claimant, draft, ground)
}

type Moving = {
  readonly row: PortRow
  readonly drafted: Drafted
  readonly checked: Checked
  readonly ground: Ground
  readonly projectId: string
}

const isSame = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)

/** Nothing of what is declared would be other than it is. */
function saysTheSame(row: PortRow, draft: PortDraft, checked: Checked, ground: Ground): boolean {
  const before = settledOf(row)
  const { tlsPassthrough: _wish, ...wanted } = draft
  const after = { ...wanted, tls: checked.tls, probe: checked.probe }
  const placed = row.isPublic === draft.isPublic && (!draft.isPublic || keepsPlace(row, draft, ground))
  return placed && Object.entries(before).every(([key, value]) => isSame(value, Reflect.get(after, key)))
}

/** What the nodes are to take away without asking. */
function removedRoutes(before: PortRow, after: PortRow): string[] {
  if (!isRoute(before)) return []
  if (!isRoute(after)) return [before.id]
  // An id names a route within its protocol.
  return before.protocol === after.protocol ? [] : [`${before.protocol}/${before.id}`]
}

/** Settings may have become stricter since the port was made: it can be changed all the same, and be taken off the net above all. */
function tolerated(row: PortRow, draft: PortDraft, refusals: readonly Refusal[], around: Surroundings): Refusal[] {
  if (!draft.isPublic) return refusals.filter(({ fault }) => fault.code !== 'UPSTREAM_NOT_ALLOWED')
  if (!row.isPublic || draft.port !== row.port) return [...refusals]
  const { draft: same } = draftPort({ port: row.port, protocol: row.protocol }, settledOf(row), 0)
  return newFaults(
    checkPort(same, around).refusals.filter(({ fault }) => fault.code === 'UPSTREAM_NOT_ALLOWED'),
    refusals,
  )
}

/** `PATCH /services/:id/ports/:portId` */
export async function patchPort(
  m: Mutation,
  room: Room,
  { serviceId, portId }: { readonly serviceId: string; readonly portId: string },
  patch: PortPatch,
): Promise<Written<PortChanged>> {
  const { tx, actor } = m
  const ground = await readGround(tx, room.config)
  const change = await m.change()
  const { service, port: row } = await findPort(tx, actor, serviceId, portId)
  m.match(row.version)
  const { publicHost } = room.config
  const { projectId } = service
  const before = await readPortView(tx, row, service, publicHost)
  const given = { ...patch, port: patch.port ?? row.port, protocol: patch.protocol ?? row.protocol }
  const drafted = draftPort(given, settledOf(row), room.clock.now())
  const around = surroundingsOf(service, await endpointsOf(tx, serviceId), room)
  const checked = checkPort(drafted.draft, around)
  const refusals = [...drafted.refusals, ...tolerated(row, drafted.draft, checked.refusals, around)]
  if (refusals.length === 0 && saysTheSame(row, drafted.draft, checked, ground))
    return { value: { ...before, openConnections: [] }, changes: checked.notes.map(note), unchanged: true }
  if (knowsItsPlace(refusals)) {
    const refusal = await move(m, { row, drafted, checked, ground, projectId })
    if (refusal !== null) refusals.push(refusal)
  }
  throwRefusals(refusals)
  await touchService(tx, serviceId)
  const now = await readRow(tx, portId)
  const after = await readPortView(tx, now, service, publicHost)
  const open = isRoute(row) ? await readOpenConnections(tx, [row]) : []
  await m.audit({
    action: 'port.update',
    resourceKind: 'port',
    resourceId: portId,
    projectId,
    before: portRecord(before),
    after: portRecord(after),
    removedRoutes: removedRoutes(row, now),
  })
  await tellChange(change, projectId, [serviceId, portId])
  const changes = [
    ...changedPort(before, after),
    ...checked.notes.map(note),
    ...warnings(after, presetFacts(presetOf(now, service))),
    ...stayOpen(open),
  ]
  return { value: { ...after, openConnections: open }, changes }
}

/** Takes ports away with what they have claimed; whoever calls it writes the audit row. */
export async function dropPorts(change: Change, rows: readonly PortRow[]): Promise<ReleasedPort[]> {
  const released: ReleasedPort[] = []
  for (const { id } of rows) {
    for (const { protocol, port, host, rests } of await releasePort(change, id))
      released.push({ protocol, port, host, rests })
    await change.tx.delete(servicePorts).where(eq(servicePorts.id, id))
  }
  return released
}

export const restNotes = (released: readonly ReleasedPort[]): PlanChange[] =>
  released
    .filter(({ rests }) => rests)
    .map(({ protocol, port, host }) =>
      note(
        `${host === '' ? '' : `${host} on `}${protocol.toUpperCase()} port ${port} rests until no node sends clients there`,
      ),
    )

/** `DELETE /services/:id/ports/:portId` */
export async function deletePort(
  m: Mutation,
  room: Room,
  { serviceId, portId }: { readonly serviceId: string; readonly portId: string },
): Promise<Written<Deleted>> {
  const change = await m.change()
  const { tx, actor } = m
  const { service, port: row } = await findPort(tx, actor, serviceId, portId)
  m.match(row.version)
  const { projectId } = service
  const before = await readPortView(tx, row, service, room.config.publicHost)
  const openConnections = isRoute(row) ? await readOpenConnections(tx, [row]) : []
  const released = await dropPorts(change, [row])
  await touchService(tx, serviceId)
  await m.audit({
    action: 'port.delete',
    resourceKind: 'port',
    resourceId: portId,
    projectId,
    before: portRecord(before),
    removedRoutes: isRoute(row) ? [portId] : [],
  })
  await tellChange(change, projectId, [serviceId, portId])
  const changes = [...removedPort(before), ...restNotes(released), ...stayOpen(openConnections)]
  return { value: { id: portId, released, openConnections }, changes }
}

/** What was wrong before is no reason to refuse a change: settings may have become stricter since. */
function newFaults(before: readonly Refusal[], after: readonly Refusal[]): Refusal[] {
  const keyOf = ({ fault: { field, code, value = '' } }: Refusal): string =>
    field.startsWith('endpoints[') ? `${code} ${value}` : `${code} ${field} ${value}`
  const known = new Set(before.map(keyOf))
  return after.filter(one => !known.has(keyOf(one)))
}

export type Alteration = {
  readonly was: Surroundings
  readonly is: Surroundings
  /** What is being changed: faults are told of it. Empty: the body as a whole, a list of endpoints. */
  readonly field: string
}

/** Faults that ports would have after a change of what is around them. */
export function checkStandingPorts(rows: readonly PortRow[], { was, is, field }: Alteration): Refusal[] {
  return rows.flatMap(row => {
    const { draft } = draftPort({ port: row.port, protocol: row.protocol }, settledOf(row), 0)
    return newFaults(checkPort(draft, was).refusals, checkPort(draft, is).refusals).map(({ fault, ...rest }) => {
      const ofEndpoint = fault.field.startsWith('endpoints[')
      const own = ofEndpoint ? fault.field.replace(/^endpoints/, '') : field
      const message = ofEndpoint ? fault.message : `port ${row.port} (${row.protocol}): ${fault.message}`
      return { ...rest, fault: { ...fault, field: own, message } }
    })
  })
}

/** Endpoints are of the service, so their faults are told at the top. */
export const belowPort = (index: number, refusals: readonly Refusal[]): Refusal[] =>
  refusals.flatMap(one => (one.fault.field.startsWith('endpoints[') ? [one] : below(`ports[${index}].`, [one])))
