/** Bodies that Traefik refuses: the culprits are found and told, everything else is served, and nothing that was live goes away. */
import { describe, expect, test } from 'vitest'
import type { DynamicConfig } from '../../src/core/dynamic-config.ts'
import { type Rig, type RigOptions, startRig } from '../support/agent-rig.ts'
import { startTcpBackend, startTlsBackend, startUdpBackend } from '../support/backends.ts'
import { type Lists, tcpRoute, udpRoute } from '../support/builders.ts'
import { tcpAsk, tcpName, tlsPeerCertificate } from '../support/clients.ts'
import { type Monitor, sniWatch, startMonitor, tcpWatch, udpWatch } from '../support/monitor.ts'
import { part } from '../support/parts.ts'
import { refusing, refusingWhere } from '../support/tamper.ts'
import { waitFor } from '../support/wait-for.ts'

const port = (ports: readonly number[], i: number): number => {
  const found = ports[i]
  if (found === undefined) throw new Error(`no port ${i}`)
  return found
}

// By itself it is 5 s: what Traefik may take to apply a body on a busy machine.
const APPLY_DEADLINE_MS = 1_500

type Node = {
  readonly rig: Rig
  readonly monitor: Monitor
  /** The routes that stay, with these beside them. */
  write(more: readonly unknown[]): Promise<void>
  /** A TCP route to a backend that says `new`. */
  newcomer(id: string, i: number, fields?: object): unknown
}

/** Three routes that stay, one of each kind, watched all the time. */
async function startNode(tamper: (config: DynamicConfig) => DynamicConfig, options: RigOptions = {}): Promise<Node> {
  const [kept, sni, dns, newcomer] = await Promise.all([
    startTcpBackend({ name: 'kept' }),
    startTlsBackend({ name: 'kept.example.com' }),
    startUdpBackend({ name: 'dns' }),
    startTcpBackend({ name: 'new' }),
  ])
  const rig = await startRig({
    tcp: 5,
    options: () => ({ tamper, applyDeadlineMs: APPLY_DEADLINE_MS }),
    ...options,
  })
  const lists = (more: readonly unknown[]): Lists => ({
    tcpRoutes: [
      tcpRoute({ id: 'kept', externalPort: rig.tcp[0], upstreams: [kept.address] }),
      tcpRoute({ id: 'sni', externalPort: rig.tcp[1], sniHostname: 'kept.example.com', upstreams: [sni.address] }),
      ...more,
    ],
    udpRoutes: [udpRoute({ id: 'kept', externalPort: rig.udp[0], upstreams: [dns.address] })],
  })
  await rig.write('all.yaml', lists([]))
  for (const key of ['tcp/kept', 'tcp/sni', 'udp/kept']) await rig.verdict(key, 'live')
  const monitor = startMonitor([
    tcpWatch(rig.tcp[0], 'kept'),
    sniWatch(rig.tcp[1], 'kept.example.com'),
    udpWatch(rig.udp[0], 'dns'),
  ])
  return {
    rig,
    monitor,
    write: more => rig.write('all.yaml', lists(more)),
    newcomer: (id, i, fields = {}) =>
      tcpRoute({ id, externalPort: rig.tcp[i], upstreams: [newcomer.address], ...fields }),
  }
}

/** How often Traefik has found a body that it does not take. */
const refusals = (rig: Rig): number => rig.traefik.log().split('field not found, node: bogus').length - 1

describe.skipIf(!part('traefik'))('a body that Traefik refuses', () => {
  test('by one route: it is refused, a newcomer beside it is live', async () => {
    const { rig, monitor, write, newcomer } = await startNode(refusing('tcp_bad'))
    await write([newcomer('bad', 2), newcomer('good', 3)])
    expect(await rig.verdict('tcp/bad', 'refused', 30_000)).toMatchObject({
      reason: 'TRAEFIK_REFUSED_BODY',
      message: 'Traefik does not take a configuration with this route',
      remedy: expect.stringContaining('in the log of Traefik'),
    })
    await rig.verdict('tcp/good', 'live')
    await rig.applied()
    expect(await tcpName(port(rig.tcp, 3))).toBe('new')
    expect(rig.status().counts).toMatchObject({ live: 4, refused: 1, pending: 0 })
    expect(refusals(rig)).toBeGreaterThan(0)
    // It is not tried again and again.
    const before = refusals(rig)
    await write([newcomer('bad', 2), newcomer('good', 3), newcomer('another', 4)])
    await rig.verdict('tcp/another', 'live')
    expect(refusals(rig)).toBe(before)
    // Mended it is tried at once.
    await write([newcomer('mended', 2), newcomer('good', 3), newcomer('another', 4)])
    await rig.verdict('tcp/mended', 'live')
    expect(await tcpName(port(rig.tcp, 2))).toBe('new')
    expect(await monitor.failures()).toEqual([])
  })

  test('by two of thirty new ones: they are found, the others are live', async () => {
    const { rig, monitor, write } = await startNode(refusing('tcp_n7', 'tcp_n22'))
    const backend = await startTlsBackend({ name: 'n3.example.com' })
    await write(
      Array.from({ length: 30 }, (_, i) =>
        tcpRoute({
          id: `n${i}`,
          externalPort: rig.tcp[2],
          sniHostname: `n${i}.example.com`,
          upstreams: [backend.address],
        }),
      ),
    )
    await rig.verdict('tcp/n7', 'refused', 55_000)
    await rig.verdict('tcp/n22', 'refused')
    await waitFor(() => rig.status().counts.live === 31, { what: '31 live routes', timeoutMs: 30_000 })
    expect(rig.status().counts).toMatchObject({ live: 31, refused: 2, pending: 0 })
    expect(await tlsPeerCertificate(port(rig.tcp, 2), 'n3.example.com')).toBe('n3.example.com')
    expect(await tlsPeerCertificate(port(rig.tcp, 2), 'n7.example.com')).toBeNull()
    expect(await monitor.failures()).toEqual([])
  })

  test('by a change of a live route: what it was before goes on', async () => {
    const { rig, monitor, write, newcomer } = await startNode(
      refusingWhere((_, service) => JSON.stringify(service).includes('127.0.0.66')),
    )
    await write([newcomer('changed', 2)])
    await rig.verdict('tcp/changed', 'live')
    const changed = startMonitor([tcpWatch(rig.tcp[2], 'new')])
    await write([newcomer('changed', 2, { upstreams: ['127.0.0.66:5432'] }), newcomer('good', 3)])
    expect(await rig.verdict('tcp/changed', 'refused', 30_000)).toMatchObject({
      reason: 'TRAEFIK_REFUSED_BODY',
      message: 'Traefik does not take a configuration with this route; what it was before goes on serving',
    })
    await rig.verdict('tcp/good', 'live')
    expect([await changed.failures(), await monitor.failures()]).toEqual([[], []])
  })

  test('by a field that only newer versions have: it is left out, the route is degraded', async () => {
    const { rig, monitor, write, newcomer } = await startNode(
      refusingWhere((_, service) => JSON.stringify(service).includes('healthCheck')),
    )
    const healthCheck = { interval: '1s', timeout: '1s' }
    await write([newcomer('checked', 2, { healthCheck }), newcomer('plain', 3)])
    expect(await rig.verdict('tcp/checked', 'degraded', 30_000)).toMatchObject({
      reason: 'FIELD_NOT_IN_TRAEFIK',
      message: 'Traefik refuses a field that the route needs; it is served without it',
      remedy: 'Upgrade Traefik, or leave the field out.',
    })
    expect(await rig.verdict('tcp/plain', 'live')).toMatchObject({ reason: 'LIVE' })
    expect([await tcpName(port(rig.tcp, 2)), await tcpName(port(rig.tcp, 3))]).toEqual(['new', 'new'])
    // It stays so: the next change is not refused first.
    const before = refusals(rig)
    await write([newcomer('checked', 2, { healthCheck }), newcomer('other', 4, { healthCheck })])
    await rig.verdict('tcp/other', 'degraded')
    expect(refusals(rig)).toBe(before)
    expect(await monitor.failures()).toEqual([])
  })

  test('of a Traefik that has none yet: what it takes is served', async () => {
    const [good, bad] = await Promise.all([startTcpBackend({ name: 'good' }), startTcpBackend({ name: 'bad' })])
    const rig = await startRig({
      agent: false,
      tcp: 3,
      options: () => ({ tamper: refusing('tcp_bad'), applyDeadlineMs: APPLY_DEADLINE_MS }),
    })
    const at = (id: string, i: number, upstream: string) =>
      tcpRoute({ id, externalPort: rig.tcp[i], upstreams: [upstream] })
    await rig.write('all.yaml', {
      tcpRoutes: [at('bad', 0, bad.address), at('good', 1, good.address), at('too', 2, good.address)],
    })
    await rig.startAgent()
    await rig.verdict('tcp/bad', 'refused', 40_000)
    await rig.verdict('tcp/good', 'live')
    await rig.verdict('tcp/too', 'live')
    const monitor = startMonitor([tcpWatch(rig.tcp[1], 'good'), tcpWatch(rig.tcp[2], 'good')])
    expect((await tcpAsk(port(rig.tcp, 0), { timeoutMs: 2_000 })).kind).not.toBe('said')
    expect(await monitor.failures()).toEqual([])
  })

  test('by nobody in particular: what was there goes on, and it is told', async () => {
    let broken = false
    const { rig, monitor, write, newcomer } = await startNode(config =>
      broken ? refusingWhere((name: string) => name === 'tcp_kept')(config) : config,
    )
    broken = true
    await write([newcomer('good', 2)])
    // The culprit is in every trial, since it is live: so the newcomer is held to be one, and nothing is lost.
    expect(await rig.verdict('tcp/good', 'refused', 40_000)).toMatchObject({ reason: 'TRAEFIK_REFUSED_BODY' })
    await waitFor(
      () => rig.log().some(({ msg }) => msg === 'Traefik refuses a configuration, and no route of it is the reason'),
      { what: 'it to be told', timeoutMs: 30_000 },
    )
    for (const key of ['tcp/kept', 'tcp/sni', 'udp/kept']) await rig.verdict(key, 'live')
    expect(await monitor.failures()).toEqual([])
  })

  test('while another agent process takes over: nothing is lost', async () => {
    const { rig, monitor, write, newcomer } = await startNode(refusing('tcp_bad'))
    await write([newcomer('bad', 2), newcomer('good', 3)])
    await waitFor(() => rig.status().publication.phase !== 'steady', { what: 'the search' })
    await rig.stopAgent()
    await rig.startAgent()
    await rig.verdict('tcp/bad', 'refused', 40_000)
    await rig.verdict('tcp/good', 'live')
    expect(await monitor.failures()).toEqual([])
  })

  test('while Traefik restarts: it gets what it took before, then the rest', async () => {
    const { rig, monitor, write, newcomer } = await startNode(refusing('tcp_bad'))
    await write([newcomer('bad', 2), newcomer('good', 3)])
    await waitFor(() => rig.status().publication.phase !== 'steady', { what: 'the search' })
    await monitor.pause()
    await rig.traefik.restart()
    await waitFor(async () => (await tcpName(port(rig.tcp, 0), { timeoutMs: 500 })) === 'kept', {
      what: 'the routes to be back',
      timeoutMs: 30_000,
    })
    await rig.verdict('tcp/sni', 'live')
    await rig.verdict('udp/kept', 'live')
    monitor.resume()
    await rig.verdict('tcp/bad', 'refused', 40_000)
    await rig.verdict('tcp/good', 'live')
    expect(await monitor.failures()).toEqual([])
  })
})
