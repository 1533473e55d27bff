/** What `fairlead up` does with the control plane beside it: enrols its own node, puts the demo into it, asks it for a link and for names. */
import { createPrivateKey } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { z } from 'zod'
import { generateKey, loadIdentity, writeIdentity } from '../../agent/identity.ts'
import { Enrolled, EnrollmentToken } from '../../api/enrollment.ts'
import { Node, NodePage } from '../../api/node.ts'
import { Project, ProjectPage } from '../../api/project.ts'
import { Route, RoutePage } from '../../api/route.ts'
import { Service, ServicePage } from '../../api/service.ts'
import { LoginLink } from '../../api/transfer.ts'
import { readAdminToken } from '../../control/admin-token.ts'
import { SYSTEM_CLOCK } from '../../lib/clock.ts'
import { fairleadVersion } from '../../lib/version.ts'
import { type ApiClient, createApiClient } from '../client/api-client.ts'
import { RefusedError } from '../client/problem.ts'
import { DEMO_PROJECT, type DemoService } from './demo-routes.ts'
import type { Place } from './place.ts'
import type { Ports } from './ports.ts'
import { controlUrl } from './write-files.ts'

/** A route of the demo: how the agent calls it, and what to type. */
export type DemoRoute = {
  readonly key: string
  /** In which it got the backend of this start: a verdict of an earlier one speaks of a backend that is gone. */
  readonly revision: number
  readonly name: string
  readonly title: string
  readonly commands: readonly string[]
}

const isNotFound = (error: unknown): boolean => error instanceof RefusedError && error.status === 404

/** With the token that the control plane has made at its first start. Throws before that. */
export async function openPlane(place: Place, ports: Pick<Ports, 'control'>): Promise<ApiClient> {
  return createApiClient({
    url: controlUrl(ports),
    token: await readAdminToken(place.controlState),
    clock: SYSTEM_CLOCK,
    version: fairleadVersion(),
    remedy: `see ${place.controlLog}`,
  })
}

export const askForLink = async (client: ApiClient): Promise<string> =>
  (await client.ask({ method: 'POST', path: '/login-links' }, LoginLink)).url

// ----------------------------------------------------------------------------------------------------------------------- the node

/** Whether the identity that the agent has is one that this control plane takes. */
async function isEnrolled(client: ApiClient, place: Place): Promise<boolean> {
  const identity = await loadIdentity(place.identityFile).catch(() => null)
  if (identity === null) return false
  try {
    const node = await client.ask({ path: `/nodes/${encodeURIComponent(identity.serverId)}` }, Node)
    return node.revokedAt === null && node.status !== 'retired'
  } catch (error) {
    if (isNotFound(error)) return false
    throw error
  }
}

/** This machine under its name; whoever has lost its key gets a new one, and stays the node that it was. */
export async function ensureNode(client: ApiClient, place: Place, name: string): Promise<'there' | 'enrolled'> {
  if (await isEnrolled(client, place)) return 'there'
  const { items } = await client.ask({ path: '/nodes?limit=500' }, NodePage)
  const before = items.find(node => node.name === name && node.status !== 'retired')
  if (before !== undefined && before.revokedAt === null)
    await client.ask({ method: 'POST', path: `/nodes/${before.id}/revoke` }, z.unknown())
  const { token } = await client.ask(
    { method: 'POST', path: '/enrollment-tokens', body: { nodeName: name } },
    EnrollmentToken,
  )
  const key = generateKey()
  const body = { token, publicKey: key.publicKey, name, version: fairleadVersion() }
  const { serverId, controlPlaneId } = await client.ask({ method: 'POST', path: '/agent/enroll', body }, Enrolled)
  const privateKey = createPrivateKey(key.privateKeyPem)
  await mkdir(place.agentState, { recursive: true, mode: 0o700 })
  await writeIdentity(place.identityFile, { serverId, controlPlaneId, privateKey }, { replace: true })
  return 'enrolled'
}

// ----------------------------------------------------------------------------------------------------------------------- the demo

async function demoProject(client: ApiClient): Promise<string | null> {
  const { items } = await client.ask({ path: '/projects?limit=500' }, ProjectPage)
  return items.find(({ name }) => name === DEMO_PROJECT)?.id ?? null
}

async function demoServices(client: ApiClient, projectId: string): Promise<ReadonlyMap<string, string>> {
  const { items } = await client.ask(
    { path: `/services?projectId=${encodeURIComponent(projectId)}&fields=name&limit=500` },
    ServicePage,
  )
  return new Map(items.map(({ id, name = '' }) => [name, id]))
}

const remove = (client: ApiClient, serviceId: string): Promise<unknown> =>
  client.ask({ method: 'DELETE', path: `/services/${serviceId}` }, z.unknown())

/** As it is wanted, but for where its backend listens, which is another port at each start. */
function isSame({ port: wanted }: DemoService, { ports }: Service): boolean {
  const [port, ...more] = ports
  if (port === undefined || more.length > 0 || !port.isPublic || port.protocol !== wanted.protocol) return false
  return (
    ((port.externalPort ?? null) === (wanted.externalPort ?? wanted.shared ?? null) ||
      (port.shared !== null && port.shared === wanted.shared)) &&
    (port.sniHostname ?? null) === (wanted.sniHostname ?? null) &&
    (port.domain ?? null) === (wanted.domain ?? null)
  )
}

async function putService(
  client: ApiClient,
  projectId: string,
  wanted: DemoService,
  existing: string | undefined,
): Promise<Service> {
  if (existing !== undefined) {
    const found = await client.ask({ path: `/services/${existing}` }, Service)
    const [port] = found.ports
    if (port !== undefined && isSame(wanted, found)) {
      if (port.port !== wanted.port.port)
        await client.ask(
          {
            method: 'PATCH',
            path: `/services/${found.id}/ports/${port.id}`,
            body: { port: wanted.port.port },
            headers: { 'if-match': `"v${port.version}"` },
          },
          z.unknown(),
        )
      return found
    }
    await remove(client, existing)
  }
  const { name, preset, port } = wanted
  const body = { projectId, name, preset, endpoints: [{ address: '127.0.0.1' }], ports: [port] }
  return client.ask({ method: 'POST', path: '/services', body }, Service)
}

/** Puts the demo's services into their project, and leaves all else in it alone. */
export async function putDemo(client: ApiClient, wanted: readonly DemoService[]): Promise<readonly DemoRoute[]> {
  const projectId =
    (await demoProject(client)) ??
    (await client.ask({ method: 'POST', path: '/projects', body: { name: DEMO_PROJECT } }, Project)).id
  const existing = await demoServices(client, projectId)
  const routes: DemoRoute[] = []
  for (const service of wanted) {
    const { name, title, commands } = service
    const { ports } = await putService(client, projectId, service, existing.get(name))
    for (const { protocol, id } of ports) {
      const { revision } = await client.ask({ path: `/routes/${id}` }, Route)
      routes.push({ key: `${protocol}/${id}`, revision, name, title, commands })
    }
  }
  return routes
}

export const DEMO_NAMES = ['demo-lines', 'demo-a', 'demo-b', 'demo-udp', 'demo-app']

/** The backends of a demo that has ended are gone, and their ports may be somebody else's by now. Gives the keys of the routes that go. */
export async function removeDemo(client: ApiClient): Promise<readonly string[]> {
  const projectId = await demoProject(client)
  if (projectId === null) return []
  const existing = await demoServices(client, projectId)
  const gone: string[] = []
  for (const id of DEMO_NAMES.flatMap(name => existing.get(name) ?? [])) {
    const { ports } = await client.ask({ path: `/services/${id}` }, Service)
    await remove(client, id)
    gone.push(...ports.map(port => `${port.protocol}/${port.id}`))
  }
  return gone
}

// ------------------------------------------------------------------------------------------------------------------------ the names

/** What people call the routes of the control plane: `tcp/prt_...` -> `tcp/orders-db`. */
export async function routeNames(client: ApiClient): Promise<ReadonlyMap<string, string>> {
  const names = new Map<string, string>()
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page: RoutePage = await client.ask({ path: `/routes?fields=name,protocol&limit=500${query}` }, RoutePage)
    for (const { id, name, protocol } of page.items)
      if (name !== undefined && protocol !== undefined) names.set(`${protocol}/${id}`, `${protocol}/${name}`)
    cursor = page.nextCursor
  }
  return names
}
