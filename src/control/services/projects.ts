/** Projects: who shares services and tokens. Only who reaches all of them may make or change one. */
import { and, asc, count, eq, sql } from 'drizzle-orm'
import type { Project, ProjectInput, ProjectPage, ProjectPatch, ProjectQuery } from '../../api/project.ts'
import { type Actor, visibleTo } from '../access/actor.ts'
import { DatabaseError } from '../db/error.ts'
import { makeId } from '../db/id.ts'
import { projects, services } from '../db/schema.ts'
import type { Tx } from '../db/transaction.ts'
import { ApiError } from '../http/api-error.ts'
import { makeCursor, readCursor, takePage } from '../http/page.ts'
import type { Mutation } from '../http/write.ts'
import { announce } from '../hub.ts'
import { heldDomains } from './names.ts'
import type { Room } from './ports.ts'
import { findProject, type ProjectRow } from './rows.ts'

// Drizzle leaves the table's name out where there is only one, and both tables have an id.
const counts = {
  portsUsed: sql<number>`(select count(*)::int from allocated_ports a where a.project_id = projects.id)`,
  domainsUsed: sql<number>`(select count(*)::int ${heldDomains(sql`projects.id`)})`,
  services: sql<number>`(select count(*)::int from services s where s.project_id = projects.id)`,
}

type Counts = { readonly portsUsed: number; readonly domainsUsed: number; readonly services: number }

function projectView(row: ProjectRow, { portsUsed, domainsUsed, services }: Counts): Project {
  const { id, name, portQuota, domainQuota, version, createdAt, updatedAt } = row
  return {
    ...{ id, name, portQuota, portsUsed, domainQuota, domainsUsed, services, version },
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  }
}

export async function readProject(tx: Tx, actor: Actor, id: string): Promise<Project> {
  const row = await findProject(tx, actor, id)
  const [its] = await tx.select(counts).from(projects).where(eq(projects.id, id))
  return projectView(row, its ?? { portsUsed: 0, domainsUsed: 0, services: 0 })
}

/** By name. */
export async function listProjects(tx: Tx, actor: Actor, { limit, cursor }: ProjectQuery): Promise<ProjectPage> {
  const [after] = readCursor(cursor) ?? []
  const rows = await tx
    .select({ project: projects, ...counts })
    .from(projects)
    .where(
      and(
        visibleTo(actor, projects.id),
        after === undefined ? undefined : sql`${projects.name} collate "C" > ${after}`,
      ),
    )
    .orderBy(asc(sql`${projects.name} collate "C"`))
    .limit(limit + 1)
  const { items, nextCursor } = takePage(rows, limit, ({ project }) => makeCursor(project.name))
  return { items: items.map(({ project, ...its }) => projectView(project, its)), nextCursor }
}

async function refuseTakenName(tx: Tx, name: string): Promise<void> {
  const [other] = await tx.select({ id: projects.id }).from(projects).where(eq(projects.name, name))
  if (other === undefined) return
  const message = `there is a project ${name} already`
  throw new ApiError('NAME_TAKEN', message, { fields: [{ field: 'name', code: 'NAME_TAKEN', message, value: name }] })
}

const tell = (tx: Tx, id: string): Promise<void> =>
  announce(tx, { kind: 'change', ids: [id], revision: null, projectId: id })

export async function createProject(
  m: Mutation,
  { clock }: Pick<Room, 'clock'>,
  input: ProjectInput,
): Promise<Project> {
  const { tx, actor } = m
  await refuseTakenName(tx, input.name)
  const id = makeId('prj', { now: clock.now })
  await tx.insert(projects).values({ id, ...input })
  const project = await readProject(tx, { ...actor, projectId: null }, id)
  await m.audit({ action: 'project.create', resourceKind: 'project', resourceId: id, projectId: id, after: project })
  await tell(tx, id)
  return project
}

export async function patchProject(
  m: Mutation,
  id: string,
  { name, portQuota, domainQuota }: ProjectPatch,
): Promise<{ readonly project: Project; readonly unchanged: boolean }> {
  const { tx, actor } = m
  const row = await findProject(tx, actor, id)
  m.match(row.version)
  const before = await readProject(tx, actor, id)
  const wanted = {
    name: name ?? row.name,
    portQuota: portQuota === undefined ? row.portQuota : portQuota,
    domainQuota: domainQuota === undefined ? row.domainQuota : domainQuota,
  }
  const { name: oldName, portQuota: oldPorts, domainQuota: oldDomains } = row
  if (wanted.name === oldName && wanted.portQuota === oldPorts && wanted.domainQuota === oldDomains)
    return { project: before, unchanged: true }
  if (wanted.name !== row.name) await refuseTakenName(tx, wanted.name)
  const updated = await tx
    .update(projects)
    .set({ ...wanted, version: row.version + 1, updatedAt: sql`now()` })
    .where(and(eq(projects.id, id), eq(projects.version, row.version)))
    .returning({ id: projects.id })
  // Somebody was faster: tried again, the request sees what they have made of it.
  if (updated.length !== 1) throw new DatabaseError('DATABASE_CONFLICT', `project ${id} was changed meanwhile`)
  const project = await readProject(tx, actor, id)
  await m.audit({
    action: 'project.update',
    resourceKind: 'project',
    resourceId: id,
    projectId: id,
    before,
    after: project,
  })
  await tell(tx, id)
  return { project, unchanged: false }
}

/** An empty one alone. Its API tokens go with it. */
export async function deleteProject(m: Mutation, id: string): Promise<void> {
  const { tx, actor } = m
  const row = await findProject(tx, actor, id)
  m.match(row.version)
  const [held] = await tx.select({ services: count() }).from(services).where(eq(services.projectId, id))
  const left = held?.services ?? 0
  if (left > 0)
    throw new ApiError('PROJECT_IN_USE', `project ${row.name} has ${left === 1 ? 'a service' : `${left} services`}`, {
      extra: { services: left },
    })
  const before = await readProject(tx, actor, id)
  await tx.delete(projects).where(eq(projects.id, id))
  await m.audit({ action: 'project.delete', resourceKind: 'project', resourceId: id, projectId: id, before })
  await tell(tx, id)
}

const DEFAULT_NAME = 'default'

/** Where a new service goes when nobody says: the project of the token, the only one that there is, or one that is made for it. */
export async function projectFor(
  m: Mutation,
  room: Pick<Room, 'clock'>,
  wanted: string | undefined,
): Promise<ProjectRow> {
  const { tx, actor } = m
  const id = wanted ?? actor.projectId
  if (id !== null) return findProject(tx, actor, id)
  const [first, second] = await tx.select().from(projects).limit(2)
  if (second !== undefined) {
    const message = 'there are several projects, and the service has to be in one of them'
    const remedy = 'Give projectId; GET /projects lists them.'
    throw new ApiError('BODY_INVALID', message, {
      remedy,
      fields: [{ field: 'projectId', code: 'FIELD_INVALID', message, remedy }],
    })
  }
  if (first !== undefined) return first
  const made = await createProject(m, room, { name: DEFAULT_NAME, portQuota: null, domainQuota: null })
  return findProject(tx, actor, made.id)
}
