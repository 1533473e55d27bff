/**
 * Two projects on one control plane. Whatever the document of the interface offers, an admin of one neither reads nor changes a thing of
 * the other: a new call is tried here as soon as it is registered.
 */
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Ask, type ControlApp, controlApp, type Reply } from '../support/control-app.ts'
import { makeFleet } from '../support/control-fleet.ts'
import { type KnownOperation, operationsOf } from '../support/operations.ts'

type Tenant = {
  readonly project: string
  readonly service: string
  readonly port: string
  readonly number: string
  readonly token: string
  readonly ask: Ask
  /** Everything by which it could be recognized in somebody else's answer. */
  readonly traces: readonly string[]
}

let control: ControlApp
let mine: Tenant
let theirs: Tenant

async function made(name: string): Promise<Tenant> {
  const must = (reply: Reply, what: string): Reply => {
    if (reply.status !== 201) throw new Error(`${what}: ${reply.text}`)
    return reply
  }
  const project = must(await control.asAdmin('POST', '/projects', { name }), 'project').json.id
  const given = must(
    await control.asAdmin('POST', '/tokens', { name: `${name}-admin`, scopes: ['admin'], projectId: project }),
    'token',
  ).json
  const ask = control.as(given.token)
  const service = must(
    await ask('POST', '/services', {
      name: `${name}-db`,
      endpoints: [{ address: name === 'kelp' ? '10.200.1.5' : '10.200.7.9' }],
      ports: [
        { port: 5432, protocol: 'tcp' },
        { port: 80, protocol: 'http', domain: `${name}.example.com` },
      ],
    }),
    'service',
  ).json
  const tcp = service.ports.find(({ protocol }: { protocol: string }) => protocol === 'tcp')
  const traces = [
    project,
    given.id,
    service.id,
    ...service.ports.map(({ id }: { id: string }) => id),
    `${name}-db`,
    `${name}-admin`,
    `${name}.example.com`,
    name === 'kelp' ? '10.200.1.5' : '10.200.7.9',
  ]
  return { project, service: service.id, port: tcp.id, number: String(tcp.externalPort), token: given.id, ask, traces }
}

beforeAll(async () => {
  control = await controlApp()
  await makeFleet(control.database).node('srv_1')
  mine = await made('shop')
  theirs = await made('kelp')
}, 60_000)
afterAll(() => control.close())

/** What goes into the parameters of a path, when everything is of this tenant. */
function idsOf({ template }: KnownOperation, tenant: Tenant): Record<string, string> {
  const kind = template.split('/')[3] ?? ''
  const id = {
    projects: tenant.project,
    services: tenant.service,
    tokens: tenant.token,
    routes: tenant.port,
    nodes: 'srv_1',
  }[kind]
  return { id: id ?? 'none', portId: tenant.port, protocol: 'tcp', number: tenant.number }
}

/** Bodies that would be taken, were the thing one's own. Calls that are not named here take none, or an empty one. */
const BODIES: Readonly<Record<string, unknown>> = {
  patchProject: { name: 'other' },
  patchService: { name: 'other' },
  patchPort: { port: 5433 },
  putEndpoints: [{ address: '10.200.9.9' }],
  createPort: { port: 5434, protocol: 'tcp' },
  changeNode: { name: 'other' },
  acceptHeldState: { hash: 'a'.repeat(64) },
}

const path = ({ template }: KnownOperation, ids: Readonly<Record<string, string>>): string =>
  `/${template.replace(/\{(\w+)\}/g, (_all, name: string) => ids[name] ?? 'none')}`

const called = async (): Promise<KnownOperation[]> =>
  (await operationsOf(control)).filter(
    // A stream has no end to wait for; its events are tested where they are made.
    ({ access, operation }) => access !== 'public' && access !== 'node' && operation.operationId !== 'streamEvents',
  )

const call = (ask: Ask, operation: KnownOperation, ids: Readonly<Record<string, string>>): Promise<Reply> => {
  const body = BODIES[operation.operation.operationId ?? '']
  const hasBody = operation.method !== 'GET' && operation.method !== 'DELETE'
  return ask(operation.method, path(operation, ids), body ?? (hasBody ? {} : undefined))
}

/** All that is the other's, as it stands in the database. */
async function kept(): Promise<unknown> {
  const { rows } = await control.database.transaction(tx =>
    tx.execute(sql`
      select (select revision from revisions)::int as revision, (select count(*) from audit_log)::int as audited,
        (select json_agg(p order by id) from projects p)::text as projects,
        (select json_agg(s order by id) from services s)::text as services,
        (select json_agg(e order by id) from endpoints e)::text as endpoints,
        (select json_agg(p order by id) from service_ports p)::text as ports,
        (select json_agg(a order by id) from allocated_ports a)::text as allocated,
        (select json_agg(n order by id) from nodes n)::text as nodes,
        (select json_agg(json_build_array(id, revoked_at) order by id) from api_tokens)::text as tokens`),
  )
  return rows
}

test('things of the other project are not there, whatever is asked', async () => {
  const before = await kept()
  const wrong: string[] = []
  for (const operation of await called()) {
    if (operation.parameters.length === 0) continue
    const { status, text } = await call(mine.ask, operation, idsOf(operation, theirs))
    const { name } = operation
    // Nodes and pools belong to everybody: what may be read of them is looked at below.
    const shared = operation.method === 'GET' && /\/(nodes|pools)\//.test(operation.template)
    if (status !== 404 && !(shared && status === 200)) wrong.push(`${name} ${status} ${text.slice(0, 200)}`)
  }
  expect(wrong).toEqual([])
  expect(await kept()).toEqual(before)
})

test('a port is not there below a service of the other project, nor the other way round', async () => {
  const wrong: string[] = []
  for (const operation of await called()) {
    if (!operation.parameters.includes('portId')) continue
    for (const ids of [
      { id: mine.service, portId: theirs.port },
      { id: theirs.service, portId: mine.port },
    ]) {
      const { status } = await call(mine.ask, operation, ids)
      if (status !== 404) wrong.push(`${operation.name} ${status}`)
    }
  }
  expect(wrong).toEqual([])
})

test('no list, and no answer at all, has a trace of the other project', async () => {
  const found: string[] = []
  for (const operation of await called()) {
    if (operation.method !== 'GET') continue
    for (const tenant of [mine, theirs]) {
      const reply = await call(mine.ask, operation, idsOf(operation, tenant))
      // An id that one asked for is said back.
      const asked = new Set(Object.values(idsOf(operation, tenant)))
      for (const trace of theirs.traces)
        if (!asked.has(trace) && reply.text.includes(trace)) found.push(`${operation.name} has ${trace}`)
    }
  }
  expect(found).toEqual([])
})

test.each([
  ['projectId', (tenant: Tenant) => tenant.project],
  ['serviceId', (tenant: Tenant) => tenant.service],
  ['resourceId', (tenant: Tenant) => tenant.service],
])('the filter %s opens nothing of the other project', async (filter, of) => {
  const found: string[] = []
  for (const operation of await called()) {
    if (operation.method !== 'GET' || operation.parameters.length > 0) continue
    const { text } = await mine.ask('GET', `${path(operation, {})}?${filter}=${of(theirs)}`)
    for (const trace of theirs.traces)
      if (trace !== of(theirs) && text.includes(trace)) found.push(`${operation.name} has ${trace}`)
  }
  expect(found).toEqual([])
})

test('nothing can be made in the other project', async () => {
  const before = await kept()
  const service = await mine.ask('POST', '/services', { projectId: theirs.project, name: 'x' })
  const token = await mine.ask('POST', '/tokens', { projectId: theirs.project, name: 'x', scopes: ['read'] })
  expect([404, 422]).toContain(service.status)
  expect(token.status).toBe(422)
  expect((await mine.ask('POST', '/projects', { name: 'more' })).status).toBe(404)
  expect(await kept()).toEqual(before)
})

test('its own things are all there', async () => {
  for (const [kind, id] of [
    ['projects', mine.project],
    ['services', mine.service],
    ['tokens', mine.token],
    ['routes', mine.port],
  ] as const)
    expect((await mine.ask('GET', `/${kind}/${id}`)).status).toBe(200)
  expect((await mine.ask('GET', `/services/${mine.service}/ports/${mine.port}`)).status).toBe(200)
})
