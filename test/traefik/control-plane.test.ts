/** The whole of it: `fairlead control` on a real PostgreSQL, the agent, a real Traefik, and real clients of real servers behind it. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { sql } from 'drizzle-orm'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Rig, startRig } from '../support/agent-rig.ts'
import { startHttpBackend, startTcpBackend, startTlsBackend, startUdpBackend } from '../support/backends.ts'
import { httpGet, tcpName, udpAsk } from '../support/clients.ts'
import { openTcp } from '../support/connections.ts'
import { type ControlProgram, startControlProgram } from '../support/control-program.ts'
import { hasPostgres, openServerDatabase, startTestPostgres } from '../support/database.ts'
import { mysql, redis, startMariadb, startRedis } from '../support/debian-servers.ts'
import { opensslClient } from '../support/openssl.ts'
import { part } from '../support/parts.ts'
import { freePort } from '../support/ports.ts'
import { psql } from '../support/postgres.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

const PATIENCE = { timeoutMs: 90_000 }
const TEST_MS = 300_000

type Stack = {
  readonly postgres: Awaited<ReturnType<typeof startTestPostgres>>
  readonly planes: readonly [ControlProgram, ...ControlProgram[]]
  readonly rig: Rig
}

/** A Traefik, control planes whose pools are its entry points, and an agent that knows them all. */
async function startStack(count: number): Promise<Stack> {
  const postgres = await startTestPostgres()
  const identityFile = join(await tempFolder(), 'identity.json')
  const ports: number[] = []
  for (let i = 0; i < count; i++) ports.push(await freePort('tcp'))
  const urls = ports.map(port => `http://127.0.0.1:${port}`)
  const rig = await startRig({
    ...{ tcp: 14, udp: 2, agent: false, entryPoints: { web: {} } },
    settings: {
      sources: { controlPlane: { urls, identityFile, pollInterval: '200ms' } },
      http: { entryPoints: ['web'], redirectFrom: null },
    },
  })
  const settings = {
    ports: { tcp: rig.tcp.join(','), udp: rig.udp.join(','), shared: rig.tcp.at(-1)?.toString() ?? 'none' },
    release: { leastTime: '1s' },
  }
  const start = (port = 0) => startControlProgram({ databaseUrl: postgres.url, port, settings })
  const first = await start(ports[0])
  const others: ControlProgram[] = []
  for (const port of ports.slice(1)) others.push(await start(port))
  await first.enroll('proxy-1', identityFile)
  await rig.startAgent()
  return { postgres, planes: [first, ...others], rig }
}

const makeProject = async (plane: ControlProgram, name: string): Promise<string> =>
  (await plane.ask('POST', '/projects', { name })).json.id

/** As a person makes it. */
async function makeService(plane: ControlProgram, projectId: string, name: string, ports: readonly object[]) {
  const { status, json } = await plane.ask('POST', '/services', {
    ...{ projectId, name, endpoints: [{ address: '127.0.0.1' }], ports },
  })
  if (status !== 201) throw new Error(JSON.stringify(json))
  return { id: String(json.id), port: Number(json.ports[0].externalPort), routeId: String(json.ports[0].id) }
}

const verdictOf = async (plane: ControlProgram, routeId: string): Promise<string> =>
  (await plane.ask('GET', `/routes/${routeId}`)).json?.verdict ?? 'none'

const untilLive = (plane: ControlProgram, routeId: string) =>
  waitFor(async () => (await verdictOf(plane, routeId)) === 'live', { what: `${routeId} to be live`, ...PATIENCE })

const untilSays = (port: number, name: string) =>
  waitFor(async () => (await tcpName(port)) === name, { what: `port ${port} to say ${name}`, ...PATIENCE })

describe.skipIf(!part('traefik') || !hasPostgres)('a control plane and its node', () => {
  let stack: Stack
  let plane: ControlProgram
  let rig: Rig
  let project: string

  beforeAll(async () => {
    stack = await startStack(1)
    plane = stack.planes[0]
    rig = stack.rig
    project = await makeProject(plane, 'shop')
  }, TEST_MS)

  test('a port is made, answers, goes, and rests', { timeout: TEST_MS }, async () => {
    const [one, two] = await Promise.all([startTcpBackend({ name: 'one' }), startTcpBackend({ name: 'two' })])
    const other = await makeProject(plane, 'other')
    const made = await makeService(plane, project, 'one', [{ port: one.port, protocol: 'tcp' }])
    expect(rig.tcp).toContain(made.port)
    await untilLive(plane, made.routeId)
    expect(await tcpName(made.port)).toBe('one')
    const open = await openTcp(made.port)

    // The node knows nothing of what comes now, so nobody else may have the number.
    await rig.stopAgent()
    expect((await plane.ask('DELETE', `/services/${made.id}`)).status).toBe(200)
    const wanted = { port: two.port, protocol: 'tcp', externalPort: made.port }
    const claim = () =>
      plane.ask('POST', '/services', {
        ...{ projectId: other, name: 'two', endpoints: [{ address: '127.0.0.1' }], ports: [wanted] },
      })
    const entry = async () =>
      (await plane.ask('GET', '/pools/tcp/ports')).json.items.find(
        ({ port }: { readonly port: number }) => port === made.port,
      )
    await waitFor(async () => Date.parse((await entry()).restsUntil ?? '1970') < Date.now(), {
      what: 'the least time to be over',
      ...PATIENCE,
    })
    const refused = await claim()
    expect([refused.status, refused.json.code]).toEqual([409, 'PORT_TAKEN'])
    expect(JSON.stringify(refused.json)).toContain('proxy-1')
    expect(await tcpName(made.port)).toBe('one')

    await rig.startAgent()
    await waitFor(async () => (await tcpName(made.port)) === 'closed', { what: 'the port to be closed', ...PATIENCE })
    const again = await waitFor(
      async () => {
        const answer = await claim()
        return answer.status === 201 ? answer : null
      },
      { what: 'the number to be free', ...PATIENCE },
    )
    expect(again.json.ports[0].externalPort).toBe(made.port)
    await untilSays(made.port, 'two')
    expect(open.closed()).toBe(false)
  })

  test('each protocol goes its own way, together', { timeout: TEST_MS }, async () => {
    const [tcp, udp, web, db] = await Promise.all([
      startTcpBackend({ name: 'tcp' }),
      startUdpBackend({ name: 'udp' }),
      startHttpBackend({ name: 'web' }),
      startTlsBackend({ name: 'db.example.com' }),
    ])
    const shared = rig.tcp.at(-1) ?? 0
    const { status, json } = await plane.ask('POST', '/services', {
      ...{ projectId: project, name: 'mixed', endpoints: [{ address: '127.0.0.1' }] },
      ports: [
        { port: tcp.port, protocol: 'tcp' },
        { port: udp.port, protocol: 'udp' },
        { port: web.port, protocol: 'http', domain: 'app.example.com', redirectToHttps: false },
        { port: db.port, protocol: 'tcp', sniHostname: 'db.example.com', shared },
      ],
    })
    expect([status, json.code]).toEqual([201, undefined])
    const routes: { id: string; externalPort: number | null }[] = json.ports
    for (const { id } of routes) await untilLive(plane, id)
    const [tcpPort, udpPort] = routes.map(({ externalPort }) => externalPort ?? 0)
    expect(await tcpName(tcpPort ?? 0)).toBe('tcp')
    expect(await udpAsk(udpPort ?? 0, 'hello')).toBe('udp:hello')
    expect((await httpGet({ port: rig.traefik.port('web'), host: 'app.example.com' })).body).toBe('web')
    if (part('openssl'))
      expect(
        await Promise.all(['db.example.com', 'other.example.com'].map(name => opensslClient(shared, name))),
      ).toEqual(['db.example.com', null])

    // What is deleted is silent, also to a client that goes on talking from one socket.
    expect((await plane.ask('DELETE', `/services/${json.id}`)).status).toBe(200)
    await waitFor(async () => (await udpAsk(udpPort ?? 0, 'still there?', 300)) === null, {
      what: 'silence',
      ...PATIENCE,
    })
    await waitFor(async () => (await tcpName(tcpPort ?? 0)) === 'closed', {
      what: 'the port to be closed',
      ...PATIENCE,
    })
    const before = udp.hits()
    expect(await udpAsk(udpPort ?? 0, 'and now?', 500)).toBe(null)
    expect(udp.hits()).toBe(before)
    expect((await httpGet({ port: rig.traefik.port('web'), host: 'app.example.com' })).status).toBe(404)
  })

  test('real clients reach their real servers', { timeout: TEST_MS }, async () => {
    const via = async (name: string, preset: string, port: number) => {
      const made = await makeService(plane, project, name, [{ port, protocol: 'tcp', preset }])
      await untilLive(plane, made.routeId)
      return made.port
    }
    if (part('psql')) {
      const server = await startTestPostgres()
      const port = await via('pg', 'postgres', server.port)
      expect(await psql({ port, sslmode: 'disable' }, 'show port')).toEqual({ kind: 'rows', text: String(server.port) })
      expect(await psql({ port, sslmode: 'require' }, 'select 1')).toEqual({ kind: 'rows', text: '1' })
    }
    if (part('mariadb')) {
      const server = await startMariadb()
      const port = await via('maria', 'mysql', server.port)
      expect(await mysql(port, 'select @@port')).toBe(String(server.port))
    }
    if (part('redis')) {
      const server = await startRedis()
      const port = await via('cache', 'redis', server.port)
      expect([await redis(port, 'SET', 'key', 'value'), await redis(server.port, 'GET', 'key')]).toEqual([
        'OK',
        'value',
      ])
    }
  })

  test('a control plane that dies costs nobody a route', { timeout: TEST_MS }, async () => {
    const [one, two] = await Promise.all([startTcpBackend({ name: 'before' }), startTcpBackend({ name: 'after' })])
    const before = await makeService(plane, project, 'before', [{ port: one.port, protocol: 'tcp' }])
    await untilLive(plane, before.routeId)
    await plane.kill()
    await waitFor(() => rig.status().sources.some(({ fault }) => fault !== null), { what: 'the fault', ...PATIENCE })
    expect(await tcpName(before.port)).toBe('before')
    await plane.start()
    const after = await makeService(plane, project, 'after', [{ port: two.port, protocol: 'tcp' }])
    await untilLive(plane, after.routeId)
    expect([await tcpName(before.port), await tcpName(after.port)]).toEqual(['before', 'after'])
  })

  test('a restored database needs a new epoch', { timeout: TEST_MS }, async () => {
    // The one that the test before has started ended with it.
    await plane.kill()
    await plane.start()
    const [one, two] = await Promise.all([startTcpBackend({ name: 'kept' }), startTcpBackend({ name: 'newer' })])
    const kept = await makeService(plane, project, 'kept', [{ port: one.port, protocol: 'tcp' }])
    await untilLive(plane, kept.routeId)
    expect(await plane.stop()).toBe(0)
    const database = await openServerDatabase(stack.postgres.url)
    await database.transaction(tx =>
      tx.execute(sql`update revisions set revision = greatest(revision - 3, 0), fetched_revision = 0`),
    )
    await database.close()
    await plane.start()
    const code = () => rig.status().sources.map(({ fault }) => fault?.code ?? null)
    await waitFor(() => code().includes('REVISION_WENT_BACK'), { what: 'the refusal', ...PATIENCE })
    expect(await tcpName(kept.port)).toBe('kept')
    const newer = await makeService(plane, project, 'newer', [{ port: two.port, protocol: 'tcp' }])
    const { code: exit, text } = await plane.chore('raise-epoch')
    expect([exit, text]).toEqual([0, expect.stringContaining('2')])
    await untilLive(plane, newer.routeId)
    expect([await tcpName(kept.port), await tcpName(newer.port)]).toEqual(['kept', 'newer'])
    expect(code()).toEqual([null])
  })
})

describe.skipIf(!part('traefik') || !hasPostgres)('two control planes on one database', () => {
  test('one dies, the other goes on, without a gap', { timeout: 3 * TEST_MS }, async () => {
    const { planes, rig } = await startStack(2)
    const [first, second] = planes
    if (second === undefined) throw new Error('there is only one')
    const project = await makeProject(first, 'shop')
    const backends = await Promise.all(['a', 'b', 'c', 'd'].map(name => startTcpBackend({ name })))
    const make = (plane: ControlProgram, index: number) =>
      makeService(plane, project, `service-${index}`, [{ port: backends[index]?.port ?? 0, protocol: 'tcp' }])

    const a = await make(first, 0)
    await untilSays(a.port, 'a')
    // From now on somebody asks all the time.
    const answers = new Set<string>()
    let over = false
    const asking = (async () => {
      while (!over) {
        answers.add(await tcpName(a.port))
        // Without a pause it would take a core for itself.
        await sleep(20)
      }
    })()
    // A change at either of them reaches the node, whomever it waits at.
    const b = await make(second, 1)
    await untilSays(b.port, 'b')
    await first.kill()
    const c = await make(second, 2)
    await untilSays(c.port, 'c')
    await untilLive(second, c.routeId)
    await first.start()
    // Nobody hangs up: that it is dead is told by its silence alone.
    second.freeze()
    const d = await make(first, 3)
    await untilSays(d.port, 'd')
    await untilLive(first, d.routeId)
    over = true
    await asking
    expect([...answers]).toEqual(['a'])
    expect(rig.status().sources.map(({ fault }) => fault)).toEqual([null])
  })
})
