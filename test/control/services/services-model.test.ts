/**
 * Any sequence of what two projects may ask of services and ports, good and bad, and what must hold after each of it:
 * claims and public ports say the same, agents take every route and none collides, each change has one audit row that names the routes which
 * left, a refusal changes nothing, and a dry run says beforehand what the write then does.
 */
import { fc } from '@fast-check/vitest'
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Database } from '../../../src/control/db/client.ts'
import { checkPorts } from '../../../src/control/ports/repair.ts'
import { settleConflicts } from '../../../src/core/conflicts.ts'
import { parseExpectedState } from '../../../src/core/expected-state.ts'
import type { Ask } from '../../support/control-app.ts'
import { clear, openMemoryDatabase } from '../../support/database.ts'
import { PORTS, type PortJson, portJson } from './port-inputs.ts'
import { type ServiceScene, serviceScene } from './service-scene.ts'

const SETTINGS = 'ports: { tcp: 10000-10003, udp: 11000-11002, shared: "443,5432" }\npublicHost: proxy.example.com'

type Action = {
  readonly kind: 'make' | 'add' | 'patch' | 'drop' | 'delete' | 'endpoints' | 'preset' | 'hide' | 'sent'
  readonly tenant: 0 | 1
  /** Which of the things that there are. */
  readonly pick: number
  readonly ports: readonly PortJson[]
  /** Which fields of a port a change names. */
  readonly mask: number
  readonly addresses: readonly string[]
  readonly preset: string | null
}

const action: fc.Arbitrary<Action> = fc.record({
  kind: fc.constantFrom(
    'make',
    'make',
    'add',
    'add',
    'patch',
    'patch',
    'patch',
    'drop',
    'delete',
    'endpoints',
    'preset',
    'hide',
    'hide',
    'sent',
  ),
  tenant: fc.constantFrom(0, 1),
  pick: fc.nat(20),
  ports: fc.array(portJson(PORTS, { tame: 8 }), { minLength: 1, maxLength: 2 }),
  mask: fc.nat(),
  addresses: fc.uniqueArray(
    fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3', 'fd00::5', 'fd00::6', '127.0.0.1', 'db'),
    { maxLength: 2 },
  ),
  preset: fc.constantFrom('postgres', 'mysql', 'redis', null),
})

type Request = { readonly method: 'POST' | 'PATCH' | 'PUT' | 'DELETE'; readonly path: string; readonly body?: unknown }

type Known = { readonly services: { id: string; ports: { id: string; protocol: string }[] }[] }

let names = 0

/** What is asked for; null when there is nothing to ask it of. */
function requestOf({ kind, pick, ports, mask, addresses, preset }: Action, { services }: Known): Request | null {
  const endpoints = addresses.map(address => ({ address }))
  if (kind === 'make') {
    names += 1
    return { method: 'POST', path: '/services', body: { name: `s-${names}`, preset, endpoints, ports } }
  }
  const service = services[pick % Math.max(services.length, 1)]
  if (service === undefined) return null
  const base = `/services/${service.id}`
  if (kind === 'add') return { method: 'POST', path: `${base}/ports`, body: ports[0] }
  if (kind === 'delete') return { method: 'DELETE', path: base }
  if (kind === 'endpoints') return { method: 'PUT', path: `${base}/endpoints`, body: endpoints }
  if (kind === 'preset') return { method: 'PATCH', path: base, body: { preset } }
  const port = service.ports[pick % Math.max(service.ports.length, 1)]
  if (port === undefined) return null
  if (kind === 'drop') return { method: 'DELETE', path: `${base}/ports/${port.id}` }
  if (kind === 'hide') return { method: 'PATCH', path: `${base}/ports/${port.id}`, body: { isPublic: mask % 3 === 0 } }
  const some = Object.entries(ports[0] ?? {}).filter((_, i) => (mask >> i) % 2 === 1)
  return { method: 'PATCH', path: `${base}/ports/${port.id}`, body: Object.fromEntries(some) }
}

type Audit = { readonly removed: readonly string[] }

async function readAudit(database: Database): Promise<Audit[]> {
  const { rows } = await database.transaction(tx =>
    tx.execute<Audit>(sql`select removed_routes as removed from audit_log order by id`),
  )
  return rows
}

/** Every row that means something, with its version: equal when nothing was changed. */
async function readAll(database: Database): Promise<unknown> {
  const { rows } = await database.transaction(tx =>
    tx.execute(sql`select
      (select coalesce(json_agg(s order by s.id), '[]')::text from services s) as services,
      (select coalesce(json_agg(p order by p.id), '[]')::text from service_ports p) as ports,
      (select coalesce(json_agg(e order by e.id), '[]')::text from endpoints e) as endpoints,
      (select coalesce(json_agg(a order by a.id), '[]')::text from allocated_ports a) as claims`),
  )
  return rows[0]
}

/** What must hold whatever was done. */
async function checkState(database: Database, scene: ServiceScene): Promise<Set<string>> {
  expect(await database.transaction(checkPorts)).toEqual([])
  const { rows } = await database.transaction(tx =>
    tx.execute(sql`
      select id from service_ports where protocol <> 'http' and is_public <> (external_port is not null)
        or (protocol = 'http' and is_public and domain is null)`),
  )
  expect(rows).toEqual([])
  const parsed = parseExpectedState({ traefik: await scene.routes() }, { origin: 'x', maxRoutes: 1000 })
  if (!parsed.ok) throw new Error(parsed.problem.message)
  expect([parsed.state.problems, parsed.state.unknownFields]).toEqual([[], []])
  const candidates = parsed.state.routes.map(route => ({
    route,
    origin: 'x',
    rank: 1,
    claimedAt: route.claimedAt ?? 0,
  }))
  expect(settleConflicts(candidates, new Set([80, 443])).losers).toEqual([])
  return new Set(parsed.state.routes.map(({ protocol, id }) => `${protocol}/${id}`))
}

const STANDING = [
  [
    { port: 5432, protocol: 'tcp' },
    { port: 80, protocol: 'http', domain: 'b.example.com' },
  ],
  [
    { port: 5432, protocol: 'tcp', shared: 443, sniHostname: '*.example.org' },
    { port: 53, protocol: 'udp' },
  ],
]

type Tally = { taken: number; refused: number }

async function run(scene: ServiceScene, database: Database, actions: readonly Action[], tally: Tally): Promise<void> {
  const tenants = [await scene.tenant('one'), await scene.tenant('two')] as const
  // Something to change from the start.
  for (const [i, { ask }] of tenants.entries())
    await scene.service({ name: `first-${i}`, endpoints: [{ address: '10.0.0.1' }], ports: STANDING[i] }, ask)
  let routes = await checkState(database, scene)
  for (const one of actions) {
    if (one.kind === 'sent') {
      await scene.fetched()
      continue
    }
    const { ask } = tenants[one.tenant]
    const request = requestOf(one, await knownTo(ask))
    if (request === null) continue
    const before = await readAll(database)
    const audit = await readAudit(database)
    const { method, path, body } = request
    const planned = await ask(method, `${path}?dryRun=true`, body)
    expect([planned.status, await readAll(database), await readAudit(database)]).toEqual([200, before, audit])
    const reply = await ask(method, path, body)
    const after = await readAll(database)
    const added = (await readAudit(database)).slice(audit.length)
    if (reply.status >= 400) {
      tally.refused += 1
      expect([409, 422]).toContain(reply.status)
      expect([after, added]).toEqual([before, []])
      expect(planned.json).toEqual({ changes: [], problems: reply.json.fields })
      continue
    }
    tally.taken += 1
    expect(planned.json.problems).toEqual([])
    const numbers = planned.json.changes.filter(
      (change: { what: string; after?: unknown }) => /(^|\.)externalPort$/.test(change.what) && change.after != null,
    )
    for (const { what, after: number } of numbers) {
      const place = /ports\[(\d+)\]/.exec(what)?.[1]
      const port = place === undefined ? reply.json : reply.json.ports[Number(place)]
      expect(port.externalPort).toBe(number)
    }
    expect(added.length).toBe(JSON.stringify(after) === JSON.stringify(before) ? 0 : 1)
    const now = await checkState(database, scene)
    const gone = [...routes].filter(key => !now.has(key)).sort()
    const named = (added[0]?.removed ?? [])
      .flatMap(id => (id.includes('/') ? [id] : gone.filter(key => key.endsWith(`/${id}`))))
      .sort()
    expect(named).toEqual(gone)
    routes = now
  }
}

/** The services that this project sees. */
async function knownTo(ask: Ask): Promise<Known> {
  const { items } = (await ask('GET', '/services?limit=500&fields=name')).json
  const services = await Promise.all(
    items.map(async ({ id }: { id: string }) => (await ask('GET', `/services/${id}`)).json),
  )
  return { services }
}

let database: Database
beforeAll(async () => {
  database = await openMemoryDatabase()
}, 60_000)
afterAll(() => database.close())

test('whatever two projects ask for, all that must hold does', { timeout: 300_000 }, async () => {
  const tally = { taken: 0, refused: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 8, maxLength: 20 }), async actions => {
      await clear(database)
      const scene = await serviceScene(database, SETTINGS)
      try {
        await run(scene, database, actions, tally)
      } finally {
        await scene.close()
      }
    }),
    // Without making the example smaller: each try takes a second.
    { numRuns: 25, endOnFailure: true },
  )
  // Else it would have shown nothing.
  expect(Math.min(tally.taken, tally.refused)).toBeGreaterThan(10)
})
