/** Who polls beside the Traefik that is read back: nobody else can make routes count as refused, or take them away. */
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { type Rig, startRig } from '../support/agent-rig.ts'
import { atEnd } from '../support/at-end.ts'
import { startTcpBackend } from '../support/backends.ts'
import { tcpRoute } from '../support/builders.ts'
import { tcpName } from '../support/clients.ts'
import { startMonitor, tcpWatch } from '../support/monitor.ts'
import { part } from '../support/parts.ts'
import { startTraefik } from '../support/traefik.ts'
import { waitFor } from '../support/wait-for.ts'

const APPLY_DEADLINE_MS = 300
/** Several times what makes a body overdue. */
const LONG_MS = 3_000

const nacks = (rig: Rig) => rig.log().filter(({ msg }) => /does not show it$/.test(String(msg)))

/** Asks again and again, as people do with curl; gives how often it had an answer with a body. */
function pollLikeCurl(endpoint: string): () => number {
  let count = 0
  let stopped = false
  const url = endpoint.replace(/\?.*/, '')
  const loop = async () => {
    while (!stopped) {
      const answer = await fetch(url, { headers: { 'user-agent': 'curl/8.5.0' } }).catch(() => null)
      await answer?.text()
      if (answer?.status === 200) count += 1
      await sleep(50)
    }
  }
  const running = loop()
  atEnd(async () => {
    stopped = true
    await running
  })
  return () => count
}

describe.skipIf(!part('traefik'))('beside the Traefik that is read', () => {
  test('curl polls, and nothing counts as fetched', async () => {
    const backend = await startTcpBackend({ name: 'pg' })
    const rig = await startRig({
      options: () => ({ applyDeadlineMs: APPLY_DEADLINE_MS }),
      // Nobody listens there: this Traefik never gets anything.
      staticExtra: { providers: { http: { endpoint: 'http://127.0.0.1:1/traefik' } } },
    })
    const answers = pollLikeCurl(rig.endpoint)
    await rig.write('pg.yaml', {
      tcpRoutes: [tcpRoute({ externalPort: rig.tcp[0], upstreams: [backend.address] })],
    })
    await waitFor(() => rig.status().routes.length === 1, { what: 'the route' })
    const before = answers()
    await waitFor(() => answers() > before + 20, { what: 'polls of curl' })
    await sleep(LONG_MS)
    const { routes, traefik } = rig.status()
    expect(routes.map(({ verdict, reason }) => [verdict, reason])).toEqual([['pending', 'NOT_YET_POLLED']])
    expect(traefik).toMatchObject({ state: 'never-polled', lastPollAt: null, pollers: 0 })
    expect(traefik.strangers).toEqual({ polls: expect.any(Number), name: 'curl/8.5.0' })
    expect(nacks(rig)).toEqual([])
  })

  test('a name of its own in its headers hides no Traefik', async () => {
    const backend = await startTcpBackend({ name: 'pg' })
    const rig = await startRig({
      staticExtra: { providers: { http: { headers: { 'User-Agent': 'proxy-1' } } } },
    })
    await rig.write('pg.yaml', {
      tcpRoutes: [tcpRoute({ externalPort: rig.tcp[0], upstreams: [backend.address] })],
    })
    await rig.verdict('tcp/pg', 'live')
    expect(rig.status().traefik).toMatchObject({ state: 'verified', pollers: 1, strangers: null })
  })

  test('another Traefik polls, and keeps what it has', async () => {
    const [one, two] = await Promise.all([startTcpBackend({ name: 'one' }), startTcpBackend({ name: 'two' })])
    const rig = await startRig({
      tcp: 2,
      options: () => ({ applyDeadlineMs: APPLY_DEADLINE_MS }),
      // With the same entry points, on another address.
      apiUrl: async ({ tcp }) => {
        const entryPoints = tcp.map(port => [`tcp-${port}`, { port, extra: { address: `127.0.0.2:${port}` } }] as const)
        const read = await startTraefik({ tcp: 0, udp: 0, entryPoints: Object.fromEntries(entryPoints) })
        return read.api.origin
      },
    })
    const [first = 0, second = 0] = rig.tcp
    const kept = tcpRoute({ id: 'kept', externalPort: first, upstreams: [one.address] })
    await rig.write('kept.yaml', { tcpRoutes: [kept] })
    await waitFor(async () => (await tcpName(first)) === 'one', { what: 'the Traefik that polls to serve' })
    const monitor = startMonitor([tcpWatch(first, 'one')])
    await sleep(LONG_MS)
    await rig.write('more.yaml', {
      tcpRoutes: [tcpRoute({ id: 'more', externalPort: second, upstreams: [two.address] })],
    })
    await waitFor(async () => (await tcpName(second)) === 'two', { what: 'it to serve the newcomer' })
    await rig.stopAgent()
    await rig.startAgent()
    await sleep(LONG_MS)
    expect(nacks(rig)).toEqual([])
    expect(rig.status().routes.map(({ id, verdict, reason }) => [id, verdict, reason])).toEqual([
      ['kept', 'pending', 'NOT_YET_APPLIED'],
      ['more', 'pending', 'NOT_YET_APPLIED'],
    ])
    expect(await monitor.failures()).toEqual([])
  })
})
