/** The chores, each on real services, ports and nodes, as the interface has made them. */
import { sql } from 'drizzle-orm'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { readPosition } from '../../../src/control/db/revision.ts'
import { expirePorts } from '../../../src/control/jobs/expiry.ts'
import { markLostNodes } from '../../../src/control/jobs/lost-nodes.ts'
import { forgetRestedHosts, mendPorts } from '../../../src/control/jobs/port-chores.ts'
import { RETENTION } from '../../../src/control/jobs/retention.ts'
import { readRoutes } from '../../../src/control/services/routes.ts'
import { type ControlApp, controlApp } from '../../support/control-app.ts'
import { clear } from '../../support/database.ts'

let control: ControlApp

beforeAll(async () => {
  control = await controlApp({ settings: 'ports: { shared: 5432 }\nrelease: { leastTime: 0s }' })
}, 60_000)
afterAll(() => control.close(), 60_000)
beforeEach(() => clear(control.database), 30_000)

type PortWish = Readonly<Record<string, unknown>>

async function expose(name: string, port: PortWish) {
  const body = { name, endpoints: [{ address: '10.200.1.5' }], ports: [{ port: 5432, protocol: 'tcp', ...port }] }
  const made = await control.asAdmin('POST', '/services', body)
  if (made.status !== 201) throw new Error(made.text)
  return made.json
}

const run = (statement: ReturnType<typeof sql>) =>
  control.database.transaction(async tx => (await tx.execute(statement)).rows)

const past = sql`update service_ports set expires_at = now() - interval '1 second'`
const auditOf = (action: string) =>
  run(
    sql`select actor_id, project_id, resource_id, before, after, revision, removed_routes from audit_log where action = ${action} order by id`,
  )

describe('ports whose time is over', () => {
  test('leave the state, give back their numbers, and stay with their service', async () => {
    const { id, projectId, ports, version } = await expose('db', { expiresAt: '2099-01-01T00:00:00Z' })
    const forever = await expose('other', {})
    expect(await expirePorts(control.deps)).toBe(0)
    await run(sql`${past} where id = ${ports[0].id}`)

    expect(await expirePorts(control.deps)).toBe(1)
    const { revision } = await control.database.transaction(readPosition)
    const state = await control.database.transaction(readRoutes)
    expect(JSON.stringify(state)).not.toContain(ports[0].id)
    expect(JSON.stringify(state)).toContain(forever.ports[0].id)
    const service = (await control.asAdmin('GET', `/services/${id}`)).json
    // Who has read it before must not overwrite it unseen.
    expect(service.version).toBe(version + 1)
    const after = service.ports[0]
    expect(after).toMatchObject({ id: ports[0].id, isPublic: false, externalPort: null, address: null })
    expect(await run(sql`select port from allocated_ports where state = 'used'`)).toEqual([{ port: 10_001 }])
    expect(await auditOf('port.expire')).toEqual([
      {
        ...{ actor_id: 'jobs', project_id: projectId, resource_id: ports[0].id, revision: String(revision) },
        ...{ removed_routes: [ports[0].id] },
        before: {
          ...{ serviceId: id, protocol: 'tcp', externalPort: 10_000, externalPortEnd: null, domain: null },
          isPublic: true,
        },
        after: {
          ...{ serviceId: id, protocol: 'tcp', isPublic: false },
          released: [{ protocol: 'tcp', port: 10_000, host: '', rests: false }],
        },
      },
    ])
    expect(await expirePorts(control.deps)).toBe(0)
  })

  test('of HTTP and on shared numbers go as well', async () => {
    await expose('web', { protocol: 'http', domain: 'app.example.com', expiresAt: '2099-01-01T00:00:00Z' })
    await expose('pg', { sniHostname: 'db.example.com', shared: 5432, expiresAt: '2099-01-01T00:00:00Z' })
    await run(past)
    expect(await expirePorts(control.deps)).toBe(2)
    const state = await control.database.transaction(readRoutes)
    expect([state.routes, state.tcpRoutes, state.udpRoutes]).toEqual([[], [], []])
    expect(await run(sql`select state from allocated_ports`)).toEqual([])
  })
})

describe('nodes', () => {
  const node = (id: string, seen: ReturnType<typeof sql>) => sql`
    insert into nodes (id, name, public_key, enrolled_epoch, enrolled_revision, created_at, last_seen_at)
    values (${id}, ${id}, ${id}, 1, 0, now() - interval '30 days', ${seen})`

  test('that nobody has heard of for long are lost, with a row', async () => {
    await run(node('silent', sql`now() - interval '25 hours'`))
    await run(node('never', sql`null`))
    await run(node('here', sql`now() - interval '23 hours'`))
    expect(await markLostNodes(control.deps)).toBe(2)
    expect(await run(sql`select id, status, version from nodes order by id`)).toEqual([
      { id: 'here', status: 'active', version: 1 },
      { id: 'never', status: 'lost', version: 2 },
      { id: 'silent', status: 'lost', version: 2 },
    ])
    const rows = await auditOf('node.lose')
    expect(rows.map(({ resource_id, revision }) => [resource_id, revision])).toEqual([
      ['silent', null],
      ['never', null],
    ])
    expect(await markLostNodes(control.deps)).toBe(0)
  })
})

describe('claims', () => {
  test('of nobody go to rest, with a row', async () => {
    const { ports } = await expose('db', {})
    expect(await mendPorts(control.deps)).toBe(0)
    await run(sql`update service_ports set external_port = null where id = ${ports[0].id}`)
    expect(await mendPorts(control.deps)).toBe(1)
    expect(await run(sql`select state, service_port_id from allocated_ports`)).toEqual([
      { state: 'resting', service_port_id: null },
    ])
    expect(await auditOf('pool.repair')).toMatchObject([
      { resource_id: 'tcp-10000', after: { kind: 'leaked', protocol: 'tcp', port: 10_000, host: '' } },
    ])
    expect(await mendPorts(control.deps)).toBe(0)
  })

  test('of host names that have rested are forgotten', async () => {
    const { id } = await expose('pg', { sniHostname: 'db.example.com', shared: 5432 })
    // As if a node had been sent it.
    await run(sql`update revisions set fetched_revision = revision`)
    await control.asAdmin('DELETE', `/services/${id}`)
    expect(await run(sql`select host, state from allocated_ports`)).toEqual([
      { host: 'db.example.com', state: 'resting' },
    ])
    expect(await forgetRestedHosts(control.deps)).toBe(1)
    expect(await run(sql`select host from allocated_ports`)).toEqual([])
  })
})

describe('what is kept for a time only', () => {
  const chore = (name: string) => {
    const found = RETENTION.find(one => one.name === name)
    if (found === undefined) throw new Error(`no chore ${name}`)
    return found
  }
  const ago = (hours: number) => sql`now() - ${hours} * interval '1 hour'`
  const DAY = 24

  test.each([
    [
      'forget-answers',
      (key: string, hours: number) => sql`
        insert into idempotency_keys (owner, key, request_hash, status, headers, body, created_at)
        values ('o', ${key}, 'h', 201, '{}', '', ${ago(hours)})`,
      sql`select key as name from idempotency_keys order by 1`,
      26,
      24,
    ],
    [
      'forget-sessions',
      (key: string, hours: number) => sql`
        insert into sessions (id_hash, scopes, expires_at) values (${key}, '{read}', ${ago(hours)})`,
      sql`select id_hash as name from sessions order by 1`,
      1,
      -1,
    ],
    [
      'forget-links',
      (key: string, hours: number) => sql`
        insert into login_links (code_hash, expires_at) values (${key}, ${ago(hours)})`,
      sql`select code_hash as name from login_links order by 1`,
      25,
      23,
    ],
    [
      'forget-enrollments',
      (key: string, hours: number) => sql`
        insert into enrollment_tokens (id, token_hash, created_by, expires_at) values (${key}, ${key}, 'x', ${ago(hours)})`,
      sql`select id as name from enrollment_tokens order by 1`,
      31 * DAY,
      29 * DAY,
    ],
    [
      'forget-tokens',
      (key: string, hours: number) => sql`
        insert into api_tokens (id, name, token_hash, scopes, created_by, revoked_at)
        values (${key}, ${key}, ${key}, '{read}', 'x', ${ago(hours)})`,
      sql`select id as name from api_tokens order by 1`,
      91 * DAY,
      89 * DAY,
    ],
  ] as const)('%s takes the old and leaves the young', async (name, insert, select, old, young) => {
    await run(insert('old', old))
    await run(insert('young', young))
    expect(await chore(name).run(control.deps)).toBe(1)
    expect(await run(select)).toEqual([{ name: 'young' }])
  })

  test('of the verdicts over time the last half million stays, for a month', async () => {
    await run(
      sql`insert into nodes (id, name, public_key, enrolled_epoch, enrolled_revision) values ('srv_1', 'n', 'k', 1, 0)`,
    )
    const row = (id: number, hours: number) =>
      run(sql`
      insert into verdict_history (id, node_id, route_id, project_id, verdict, reason, message, at, recorded_at)
      values (${id}, 'srv_1', 'prt_1', 'prj_1', 'live', 'LIVE', '', now(), ${ago(hours)})`)
    const left = async () => (await run(sql`select id::int from verdict_history order by id`)).map(({ id }) => id)
    await row(1, 31 * DAY)
    await row(2, 29 * DAY)
    await row(3, 0)
    expect(await chore('forget-history').run(control.deps)).toBe(1)
    expect(await left()).toEqual([2, 3])
    expect(await chore('limit-history').run(control.deps)).toBe(0)
    await row(500_003, 0)
    expect(await chore('limit-history').run(control.deps)).toBe(1)
    expect(await left()).toEqual([3, 500_003])
  })

  test('many are taken in many small steps', async () => {
    await run(
      sql`insert into sessions (id_hash, scopes, expires_at)
          select 's' || i, '{read}', now() - interval '1 hour' from generate_series(1, 2500) as i`,
    )
    expect(await chore('forget-sessions').run(control.deps)).toBe(2500)
  })
})
