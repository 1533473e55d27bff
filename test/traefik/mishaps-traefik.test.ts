/** What may befall Traefik itself, its API and its polls: the verdict says what is known, and nothing is lost by the agent. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { cachedTraefik } from '../../src/lib/traefik-pinned.ts'
import { type Rig, type RigOptions, startRig } from '../support/agent-rig.ts'
import { startTcpBackend, startTlsBackend, startUdpBackend } from '../support/backends.ts'
import { type Lists, tcpRoute, udpRoute } from '../support/builders.ts'
import { tcpAsk, tcpName, udpAsk } from '../support/clients.ts'
import { response, type Script, startFaultServer } from '../support/fault-server.ts'
import { type Monitor, sniWatch, startMonitor, tcpWatch, udpWatch } from '../support/monitor.ts'
import { OLDER_TRAEFIK, part } from '../support/parts.ts'
import { freePort } from '../support/ports.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { startTraefik, testTraefikBinary } from '../support/traefik.ts'
import { waitFor } from '../support/wait-for.ts'

const port = (ports: readonly number[], i: number): number => {
  const found = ports[i]
  if (found === undefined) throw new Error(`no port ${i}`)
  return found
}

type Node = {
  readonly rig: Rig
  readonly monitor: Monitor
  /** The routes that stay, with these beside them. */
  write(more: readonly unknown[]): Promise<void>
  newcomer(id: string, to: number | undefined, fields?: object): unknown
}

const KEPT = ['tcp/kept', 'tcp/sni', 'udp/kept']

/** Three routes that stay, one of each kind, watched all the time. They serve when this returns, whatever the agent knows of it. */
async function startNode(options: RigOptions = {}): Promise<Node> {
  const [kept, sni, dns, newcomer] = await Promise.all([
    startTcpBackend({ name: 'kept' }),
    startTlsBackend({ name: 'kept.example.com' }),
    startUdpBackend({ name: 'dns' }),
    startTcpBackend({ name: 'new' }),
  ])
  const rig = await startRig({ tcp: 4, udp: 2, ...options })
  const lists = (more: readonly unknown[]): Lists => ({
    tcpRoutes: [
      tcpRoute({ id: 'kept', externalPort: rig.tcp[0], upstreams: [kept.address] }),
      tcpRoute({ id: 'sni', externalPort: rig.tcp[1], sniHostname: 'kept.example.com', upstreams: [sni.address] }),
      ...more,
    ],
    udpRoutes: [udpRoute({ id: 'kept', externalPort: rig.udp[0], upstreams: [dns.address] })],
  })
  await rig.write('all.yaml', lists([]))
  const watches = [tcpWatch(rig.tcp[0], 'kept'), sniWatch(rig.tcp[1], 'kept.example.com'), udpWatch(rig.udp[0], 'dns')]
  for (const { name, ask } of watches)
    await waitFor(async () => (await ask(300)) === null, { what: `${name} to serve`, timeoutMs: 20_000 })
  return {
    rig,
    monitor: startMonitor(watches),
    write: more => rig.write('all.yaml', lists(more)),
    newcomer: (id, to, fields = {}) => tcpRoute({ id, externalPort: to, upstreams: [newcomer.address], ...fields }),
  }
}

const serves = (rig: Rig): Promise<unknown> =>
  waitFor(
    async () =>
      (await tcpName(port(rig.tcp, 0), { timeoutMs: 500 })) === 'kept' &&
      (await udpAsk(port(rig.udp, 0), 'x', 500)) === 'dns:x',
    { what: 'the routes to be back', timeoutMs: 30_000 },
  )

/** A poll on a new connection has the agent look at Traefik, instead of at the next interval. */
async function look(rig: Rig): Promise<void> {
  const [endpoint = ''] = rig.endpoint.split('?')
  await fetch(endpoint, { headers: { connection: 'close' } }).then(poll => poll.text())
}

describe.skipIf(!part('traefik'))('Traefik', () => {
  test('is killed: its routes are unknown; is back: they are live again', async () => {
    const { rig, monitor } = await startNode()
    await monitor.pause()
    await rig.traefik.stop()
    await waitFor(() => rig.status().traefik.state === 'down', { what: 'it to be noticed', timeoutMs: 20_000 })
    for (const key of KEPT)
      expect(await rig.verdict(key, 'pending')).toMatchObject({
        reason: 'API_UNREACHABLE',
        message: `Traefik's API at ${rig.traefik.api.host} cannot be reached (ECONNREFUSED)`,
        remedy: 'Look whether Traefik runs and whether traefik.api points at its API.',
      })
    expect(rig.status().revision.applied).not.toBeNull()
    await rig.traefik.restart()
    await serves(rig)
    for (const key of KEPT) await rig.verdict(key, 'live')
    expect(rig.status().drift).toMatchObject({ missing: 0, extra: 0, different: 0, beaconMissing: false })
    monitor.resume()
    expect(await monitor.failures()).toEqual([])
  })

  test('is restarted at once: it gets everything again', async () => {
    const { rig, monitor } = await startNode()
    const { startedAt } = rig.status().traefik
    await monitor.pause()
    await rig.traefik.restart()
    await serves(rig)
    await waitFor(() => rig.status().traefik.startedAt !== startedAt, { what: 'the restart to be noticed' })
    await rig.applied()
    for (const key of KEPT) await rig.verdict(key, 'live')
    monitor.resume()
    expect(rig.log().map(({ msg }) => msg)).not.toContain('Traefik has fetched a configuration and does not show it')
    expect(await monitor.failures()).toEqual([])
  })

  test.skipIf(!part('older-traefik'))('comes back as an older version: it gets what that can do', async () => {
    const older = await cachedTraefik({
      ...{ env: process.env, version: OLDER_TRAEFIK, arch: process.arch, onSlow: () => {} },
    })
    if (!('path' in older)) throw new Error(older.reason)
    const { rig, monitor, write, newcomer } = await startNode()
    const healthCheck = { interval: '1s', timeout: '1s' }
    await write([newcomer('checked', rig.tcp[2], { healthCheck })])
    await rig.verdict('tcp/checked', 'live')
    await monitor.pause()
    await rig.traefik.restart({ binary: older.path })
    await serves(rig)
    await waitFor(() => rig.status().traefik.version === OLDER_TRAEFIK, {
      what: 'the other version',
      timeoutMs: 20_000,
    })
    await rig.applied()
    for (const key of KEPT) await rig.verdict(key, 'live')
    expect(await rig.verdict('tcp/checked', 'live', 60_000)).toMatchObject({
      notes: [`healthCheck is left out: Traefik ${OLDER_TRAEFIK} may have none for TCP`],
    })
    expect(await tcpName(port(rig.tcp, 2))).toBe('new')
    // Whatever it was given before its version was known, no route is said to be at fault.
    expect(rig.status().routes.filter(({ verdict }) => verdict !== 'live')).toEqual([])
    monitor.resume()
    await monitor.pause()
    await rig.traefik.restart({ binary: await testTraefikBinary() })
    await serves(rig)
    await waitFor(() => rig.status().traefik.version !== OLDER_TRAEFIK, {
      what: 'the first version',
      timeoutMs: 20_000,
    })
    await rig.applied()
    expect(await rig.verdict('tcp/checked', 'live', 60_000)).toMatchObject({ notes: [] })
    monitor.resume()
    expect(await monitor.failures()).toEqual([])
  })

  test('is restarted while the agent is down: it gets everything from the disk', async () => {
    const { rig, monitor } = await startNode()
    await monitor.pause()
    await rig.stopAgent()
    await rig.traefik.restart()
    expect((await tcpAsk(port(rig.tcp, 0), { timeoutMs: 300 })).kind).not.toBe('said')
    // Nor is its source there any more.
    await writeFile(join(rig.routesFolder, 'all.yaml'), 'not: [yaml')
    await rig.startAgent()
    await serves(rig)
    for (const key of KEPT) await rig.verdict(key, 'live')
    monitor.resume()
    expect(await monitor.failures()).toEqual([])
  })

  test('goes on while the agent is down, and then gets what is new', async () => {
    const { rig, monitor, write, newcomer } = await startNode()
    await rig.stopAgent()
    await write([newcomer('pg', rig.tcp[2])])
    await new Promise(resolve => setTimeout(resolve, 1_500))
    await rig.startAgent()
    await rig.verdict('tcp/pg', 'live', 60_000)
    for (const key of KEPT) await rig.verdict(key, 'live')
    expect(await monitor.failures()).toEqual([])
  })

  test('stands still for longer than an apply may take: nothing is refused, nothing drifts', async () => {
    const { rig, monitor, write, newcomer } = await startNode({ options: () => ({ applyDeadlineMs: 4_000 }) })
    await monitor.pause()
    process.kill(rig.traefik.pid, 'SIGSTOP')
    await write([newcomer('pg', rig.tcp[2])])
    for (const key of [...KEPT, 'tcp/pg'])
      expect(await rig.verdict(key, 'pending', 60_000)).toMatchObject({
        reason: expect.stringMatching(/^(API_UNREACHABLE|NOT_YET_POLLED)$/),
      })
    await waitFor(() => rig.status().routes.every(({ reason }) => reason === 'API_UNREACHABLE'), {
      what: 'the API to be late',
      timeoutMs: 30_000,
    })
    const row = rig.status().routes.find(({ id }) => id === 'pg')
    expect(row?.message).toBe(`Traefik's API at ${rig.traefik.api.host} did not answer within 5000 ms`)
    expect(rig.status().drift).toMatchObject({ missing: 0, extra: 0, different: 0, disabled: 0, beaconMissing: false })
    process.kill(rig.traefik.pid, 'SIGCONT')
    monitor.resume()
    for (const key of [...KEPT, 'tcp/pg']) await rig.verdict(key, 'live', 60_000)
    expect(rig.status().counts.refused).toBe(0)
    expect(rig.log().map(({ msg }) => msg)).not.toContain('Traefik has fetched a configuration and does not show it')
    expect(await monitor.failures()).toEqual([])
  })

  test('gets an entry point that was missing: the route that waited is live', async () => {
    const missing = await freePort('tcp')
    const { rig, monitor, write, newcomer } = await startNode({
      settings: traefik => ({ ports: { tcp: [...traefik.tcp, missing].join(','), udp: traefik.udp.join(',') } }),
    })
    await write([newcomer('pg', missing)])
    const row = await rig.verdict('tcp/pg', 'waiting')
    expect(row.remedy).toContain(`  tcp-${missing}:\n    address: ":${missing}"`)
    const config = JSON.parse(await readFile(rig.traefik.staticFile, 'utf8'))
    config.entryPoints[`tcp-${missing}`] = { address: `127.0.0.1:${missing}` }
    await writeFile(rig.traefik.staticFile, JSON.stringify(config))
    await monitor.pause()
    await rig.traefik.restart()
    await serves(rig)
    monitor.resume()
    await rig.verdict('tcp/pg', 'live')
    expect(await tcpName(missing)).toBe('new')
    expect(await monitor.failures()).toEqual([])
  })

  test('never polls: it is said where it should', async () => {
    const backend = await startTcpBackend({ name: 'pg' })
    const nobody = await freePort('tcp')
    const rig = await startRig({
      staticExtra: { providers: { http: { endpoint: `http://127.0.0.1:${nobody}/traefik` } } },
    })
    await rig.write('pg.yaml', { tcpRoutes: [tcpRoute({ externalPort: rig.tcp[0], upstreams: [backend.address] })] })
    expect(await rig.verdict('tcp/pg', 'pending')).toMatchObject({
      reason: 'NOT_YET_POLLED',
      remedy: expect.stringContaining('providers.http.endpoint'),
    })
    expect(rig.status().traefik.state).toBe('never-polled')
  })

  test('polls with a wrong token: it gets nothing, and it is counted', async () => {
    const backend = await startTcpBackend({ name: 'pg' })
    const rig = await startRig({ token: 'a'.repeat(43), traefikToken: 'b'.repeat(43) })
    await rig.write('pg.yaml', { tcpRoutes: [tcpRoute({ externalPort: rig.tcp[0], upstreams: [backend.address] })] })
    await waitFor(() => rig.status().traefik.unauthorized > 0, { what: 'a refused poll' })
    expect(await rig.verdict('tcp/pg', 'pending')).toMatchObject({ reason: 'TOKEN_REFUSED' })
    expect(rig.status().traefik.state).toBe('never-polled')
    expect((await tcpAsk(port(rig.tcp, 0), { timeoutMs: 300 })).kind).not.toBe('said')
  })

  test('is one of two that poll: both serve, and it is counted', async () => {
    const { rig, monitor, write, newcomer } = await startNode()
    const other = await startTraefik({
      endpoint: rig.endpoint,
      tcp: 0,
      udp: 0,
      // The same names on other ports: on one machine both cannot have the same.
      entryPoints: Object.fromEntries(rig.tcp.map(to => [`tcp-${to}`, {}])),
    })
    await write([newcomer('pg', rig.tcp[2])])
    await rig.verdict('tcp/pg', 'live')
    await waitFor(() => rig.status().traefik.pollers === 2, { what: 'two pollers' })
    await waitFor(async () => (await tcpName(other.port(`tcp-${rig.tcp[2]}`), { timeoutMs: 500 })) === 'new', {
      what: 'the other one to serve it',
    })
    expect(await monitor.failures()).toEqual([])
  })

  test('has routers of others on our entry points: ours give way, and come back', async () => {
    const theirs = await startTcpBackend({ name: 'theirs' })
    const dns = await startUdpBackend({ name: 'their-dns' })
    const dynamic = join(await tempFolder(), 'dynamic.yaml')
    await writeFile(dynamic, '{}')
    const { rig, monitor, write, newcomer } = await startNode({
      staticExtra: { providers: { file: { filename: dynamic, watch: true } } },
    })
    await write([newcomer('pg', rig.tcp[2])])
    await rig.verdict('tcp/pg', 'live')
    await writeFile(
      dynamic,
      JSON.stringify({
        tcp: {
          routers: { theirs: { entryPoints: [`tcp-${rig.tcp[2]}`], rule: 'HostSNI(`*`)', service: 'theirs' } },
          services: { theirs: { loadBalancer: { servers: [{ address: theirs.address }] } } },
        },
        udp: {
          routers: { theirs: { entryPoints: [`udp-${rig.udp[1]}`], service: 'theirs' } },
          services: { theirs: { loadBalancer: { servers: [{ address: dns.address }] } } },
        },
      }),
    )
    await waitFor(
      async () => {
        await look(rig)
        return rig.status().drift.foreign === 2
      },
      { what: 'the routers of others to be seen', timeoutMs: 20_000 },
    )
    expect(await rig.verdict('tcp/pg', 'conflicted')).toMatchObject({
      reason: 'FOREIGN_ROUTER',
      message: `TCP port ${rig.tcp[2]} is in the hands of the router theirs@file of another provider`,
      remedy: 'Take the router out of the other provider, or choose another port or host name.',
    })
    await waitFor(async () => (await tcpName(port(rig.tcp, 2))) === 'theirs', { what: 'theirs to have the port' })
    expect(await udpAsk(port(rig.udp, 1), 'x')).toBe('their-dns:x')
    await writeFile(dynamic, '{}')
    await waitFor(
      async () => {
        await look(rig)
        return rig.status().drift.foreign === 0
      },
      { what: 'them to be gone', timeoutMs: 20_000 },
    )
    await rig.verdict('tcp/pg', 'live')
    expect(await tcpName(port(rig.tcp, 2))).toBe('new')
    // A UDP entry point that nobody has goes on forwarding, unless something of ours is put there.
    await waitFor(async () => (await udpAsk(port(rig.udp, 1), 'x', 300)) === null, { what: 'their UDP to fall silent' })
    expect(await monitor.failures()).toEqual([])
  })
})

describe.skipIf(!part('traefik'))('the API of Traefik', () => {
  const page: Script = socket => void socket.write(response(200, { 'content-type': 'text/html' }, '<html>hello</html>'))
  const login: Script = socket => void socket.write(response(401, { 'www-authenticate': 'Basic' }))
  const mute: Script = () => {}

  test.each<[string, RigOptions, string, string]>([
    ['is not configured', { api: false }, 'NOT_VERIFIED', 'no Traefik API is configured'],
    [
      'is not on that port',
      { entryPoints: { web: {} }, apiUrl: traefik => `http://127.0.0.1:${traefik.port('web')}` },
      'API_UNREACHABLE',
      'answered 404 to /api/version',
    ],
    [
      'is somebody else',
      { apiUrl: async () => (await startFaultServer({ script: page })).url },
      'API_UNREACHABLE',
      "is not Traefik's API",
    ],
    [
      'asks for credentials',
      { apiUrl: async () => (await startFaultServer({ script: login })).url },
      'API_UNREACHABLE',
      'asks for credentials (401)',
    ],
    [
      'says nothing',
      { apiUrl: async () => (await startFaultServer({ script: mute })).url },
      'API_UNREACHABLE',
      'has not been read yet',
    ],
  ])('%s: served, not verified', async (_, options, reason, message) => {
    const { rig, monitor, write, newcomer } = await startNode(options)
    await waitFor(() => rig.status().routes.every(row => row.message.includes(message)), { what: message })
    expect(rig.status().routes.map(row => `${row.verdict} ${row.reason}`)).toEqual(KEPT.map(() => `pending ${reason}`))
    expect(rig.status().traefik.state).toBe('unverified')
    await write([newcomer('pg', rig.tcp[2])])
    await waitFor(async () => (await tcpName(port(rig.tcp, 2), { timeoutMs: 500 })) === 'new', {
      what: 'a change to be served',
    })
    expect(rig.status().drift).toMatchObject({ missing: 0, extra: 0, different: 0, disabled: 0, beaconMissing: false })
    expect(await monitor.failures()).toEqual([])
  })
})
