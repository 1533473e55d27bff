/** Health checks: what Traefik finds down gets no traffic, and the verdict says which upstream it is. */
import { describe, expect, test } from 'vitest'
import { startRig } from '../support/agent-rig.ts'
import { startHttpBackend, startTcpBackend } from '../support/backends.ts'
import { httpRoute, tcpRoute } from '../support/builders.ts'
import { httpGet, tcpName } from '../support/clients.ts'
import { part } from '../support/parts.ts'
import { waitFor } from '../support/wait-for.ts'

const OFTEN = { interval: '500ms', timeout: '500ms' }
/** Seldom enough to be looked at before the first check. */
const SELDOM = { interval: '4s', timeout: '500ms' }
const TEN = Array.from({ length: 10 })

describe.skipIf(!part('traefik'))('health checks', () => {
  test('a dead upstream gets no traffic and has its name in the verdict', async () => {
    const [up, down, pong, wrong, good, ill] = await Promise.all([
      startTcpBackend({ name: 'up' }),
      startTcpBackend({ name: 'down' }),
      startTcpBackend({ name: 'pong', speak: 'answer' }),
      startTcpBackend({ name: 'wrong', speak: 'answer' }),
      startHttpBackend({ name: 'good' }),
      startHttpBackend({ name: 'ill', status: path => (path === '/health' ? 503 : 200) }),
    ])
    await down.close()
    const rig = await startRig({ tcp: 4, entryPoints: { web: {}, websecure: {} } })
    const [even = 0, weighted = 0, spoken = 0, dead = 0] = rig.tcp
    const both = [up.address, down.address]
    await rig.write('checked.yaml', {
      routes: [
        httpRoute({
          upstreams: [{ url: good.url }, { url: ill.url }],
          healthCheck: { path: '/health', ...OFTEN },
          redirectToHttps: false,
        }),
      ],
      tcpRoutes: [
        tcpRoute({ id: 'even', externalPort: even, upstreams: both, healthCheck: OFTEN }),
        tcpRoute({ id: 'weighted', externalPort: weighted, upstreams: both, weights: [1, 9], healthCheck: OFTEN }),
        tcpRoute({
          id: 'spoken',
          externalPort: spoken,
          upstreams: [pong.address, wrong.address],
          healthCheck: { ...OFTEN, send: 'ping', expect: 'pong' },
        }),
        tcpRoute({ id: 'dead', externalPort: dead, upstreams: [down.address], healthCheck: OFTEN }),
      ],
    })
    const isDown = (address: string, total = 2) => ({
      verdict: 'degraded',
      reason: 'BACKEND_DOWN',
      message: total === 1 ? `its only upstream is down: ${address}` : `1 of ${total} upstreams is down: ${address}`,
    })
    expect(await rig.verdict('tcp/even', 'degraded')).toMatchObject(isDown(down.address))
    expect(await rig.verdict('tcp/weighted', 'degraded')).toMatchObject(isDown(down.address))
    expect(await rig.verdict('tcp/spoken', 'degraded')).toMatchObject(isDown(wrong.address))
    expect(await rig.verdict('tcp/dead', 'degraded')).toMatchObject(isDown(down.address, 1))
    expect(await rig.verdict('http/web', 'degraded')).toMatchObject(isDown(ill.url))

    const to = { port: rig.traefik.port('web'), host: 'app.example.com' }
    // A configuration that was applied just now begins the checks anew, and the dead ones get traffic for one interval.
    const always = (name: string, ask: () => Promise<string | null>) =>
      waitFor(async () => (await Promise.all(TEN.map(ask))).every(answer => answer === name), {
        what: `ten times ${name}`,
      })
    await always('up', () => tcpName(even))
    await always('up', () => tcpName(weighted))
    await always('pong', () => tcpName(spoken, { send: 'x' }))
    await always('closed', () => tcpName(dead))
    await always('good', async () => (await httpGet(to)).body)

    // Traefik begins its checks anew with every configuration, all servers up: to us the dead ones stay dead.
    const { since } = await rig.verdict('tcp/dead', 'degraded')
    const names = ['tcp/dead', 'tcp/even', 'tcp/spoken', 'tcp/weighted', 'http/web']
    const degraded = () =>
      rig.status().routes.flatMap(route => (route.verdict === 'degraded' ? [`${route.protocol}/${route.id}`] : []))
    await rig.write('another.yaml', { routes: [httpRoute({ id: 'another', domain: 'another.example.com' })] })
    await rig.verdict('http/another', 'live')
    expect(degraded().sort()).toEqual(names.sort())
    expect((await rig.verdict('tcp/dead', 'degraded')).since).toBe(since)

    await startTcpBackend({ name: 'back', port: down.port })
    const served = async (port: number) => new Set(await Promise.all(TEN.map(() => tcpName(port))))
    await waitFor(async () => (await served(dead)).has('back') && (await served(weighted)).has('back'), {
      what: 'the upstream that came back to be asked',
    })
    // Traefik is read every ten seconds.
    for (const key of ['tcp/even', 'tcp/weighted', 'tcp/dead']) await rig.verdict(key, 'live', 60_000)
    expect(await rig.verdict('tcp/spoken', 'degraded')).toMatchObject(isDown(wrong.address))
  })

  test('one that is dead from the start is never said to be up', async () => {
    const [up, down] = await Promise.all([startTcpBackend({ name: 'up' }), startTcpBackend({ name: 'down' })])
    await down.close()
    const rig = await startRig({ tcp: 2 })
    const [checked = 0, unchecked = 0] = rig.tcp
    await rig.write('checked.yaml', {
      tcpRoutes: [
        tcpRoute({ id: 'checked', externalPort: checked, upstreams: [up.address, down.address], healthCheck: SELDOM }),
        tcpRoute({ id: 'unchecked', externalPort: unchecked, upstreams: [down.address] }),
      ],
    })
    const probed = async (id: string) => {
      const explained = Object(await (await fetch(`${rig.admin}/explain/tcp/${id}`)).json())
      const { ok, detail } = explained.chain.at(-1)
      return [ok, detail]
    }
    expect(await rig.verdict('tcp/checked', 'live')).toMatchObject({
      message: 'Traefik shows the route as we compiled it, and its health check has not asked its upstreams yet.',
      health: { total: 2, down: 0, unasked: 2 },
    })
    expect(await probed('checked')).toEqual([
      null,
      'not checked yet: the health check of Traefik has asked 0 of 2 upstreams',
    ])
    expect(await probed('unchecked')).toEqual([null, 'not checked: the route has neither a health check nor a probe'])
    expect(await rig.verdict('tcp/checked', 'degraded', 30_000)).toMatchObject({
      message: `1 of 2 upstreams is down: ${down.address}`,
      health: { total: 2, down: 1 },
    })
    await startTcpBackend({ name: 'down', port: down.port })
    await rig.verdict('tcp/checked', 'live', 60_000)
    expect(await probed('checked')).toEqual([
      true,
      'no probe is asked for; the health check of Traefik finds all 2 upstreams up',
    ])
  })
})
