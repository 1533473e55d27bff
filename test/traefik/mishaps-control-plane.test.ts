/** A control plane that errs: what it held to be expected goes on serving, and what it drops by accident is held. */
import { describe, expect, test } from 'vitest'
import { type Rig, type RigOptions, startRig } from '../support/agent-rig.ts'
import { startTcpBackend, startTlsBackend, startUdpBackend } from '../support/backends.ts'
import { documentWith, type Lists, tcpRoute, udpRoute } from '../support/builders.ts'
import { tcpAsk, tcpName, udpAsk } from '../support/clients.ts'
import { type Monitor, sniWatch, startMonitor, udpWatch } from '../support/monitor.ts'
import { part } from '../support/parts.ts'
import { type OtherAnswer, type StateServer, startStateServer } from '../support/state-server.ts'
import { waitFor } from '../support/wait-for.ts'

const port = (ports: readonly number[], i: number): number => {
  const found = ports[i]
  if (found === undefined) throw new Error(`no port ${i}`)
  return found
}

const HEADER = { schema: 1, controlPlaneId: 'cp_1', serverId: 'srv_1', serverName: 'proxy-1', epoch: 1 }

type Node = {
  readonly rig: Rig
  readonly plane: StateServer
  readonly monitor: Monitor
  /** Publishes these lists as the next revision. */
  state(lists: Lists | Readonly<Record<string, unknown>>, header?: object): void
  /** `count` routes with a host name each, from `r<from>` on. */
  names(count: number, from?: number): readonly unknown[]
  /** A TCP route to a backend that says `new`. */
  newcomer(id: string, i: number, fields?: object): unknown
  readonly udp: unknown
  /** Until the agent has read the revision that was published last. */
  taken(): Promise<void>
}

const NAMES = 20

/** A control plane with twenty TLS routes on one port and a UDP one; the first, the last and the UDP one are watched all the time. */
async function startNode(options: RigOptions = {}): Promise<Node> {
  const [first, last, dns, newcomer] = await Promise.all([
    startTlsBackend({ name: 'r0.example.com' }),
    startTlsBackend({ name: `r${NAMES - 1}.example.com` }),
    startUdpBackend({ name: 'dns' }),
    startTcpBackend({ name: 'new' }),
  ])
  const plane = await startStateServer(documentWith({}, { ...HEADER, revision: 1 }))
  const rig = await startRig({ tcp: 4, udp: 2, controlPlane: plane.url, ...options })
  let revision = 1
  const names = (count: number, from = 0) =>
    Array.from({ length: count }, (_, i) =>
      tcpRoute({
        id: `r${from + i}`,
        externalPort: rig.tcp[0],
        sniHostname: `r${from + i}.example.com`,
        upstreams: [from + i === 0 ? first.address : last.address],
      }),
    )
  const udp = udpRoute({ externalPort: rig.udp[0], upstreams: [dns.address] })
  const state = (lists: Lists | Readonly<Record<string, unknown>>, header: object = {}) => {
    revision += 1
    plane.set(documentWith({ ...lists }, { ...HEADER, revision, ...header }))
  }
  const taken = async () => {
    await waitFor(() => rig.status().revision.expected === revision, { what: `revision ${revision}` })
    await rig.applied()
  }
  state({ tcpRoutes: names(NAMES), udpRoutes: [udp] })
  await waitFor(() => rig.status().counts.live === NAMES + 1, { what: 'all routes to be live' })
  const monitor = startMonitor([
    sniWatch(rig.tcp[0], 'r0.example.com'),
    sniWatch(rig.tcp[0], `r${NAMES - 1}.example.com`),
    udpWatch(rig.udp[0], 'dns'),
  ])
  return {
    rig,
    plane,
    monitor,
    state,
    names,
    newcomer: (id, i, fields = {}) =>
      tcpRoute({ id, externalPort: rig.tcp[i], upstreams: [newcomer.address], ...fields }),
    udp,
    taken,
  }
}

describe.skipIf(!part('traefik'))('a control plane', () => {
  const answers: readonly (readonly [string, OtherAnswer, string])[] = [
    ['an empty object', { status: 200, body: '{}' }, 'SOURCE_NOT_A_STATE'],
    ['a state without lists', { status: 200, body: '{"traefik":{}}' }, 'SOURCE_NOT_A_STATE'],
    [
      'a page',
      { status: 200, body: '<html>log in</html>', headers: { 'content-type': 'text/html' } },
      'SOURCE_CONTENT_TYPE',
    ],
    ['half a document', { status: 200, body: '{"traefik":{"tcpRoutes":[' }, 'SOURCE_MALFORMED'],
    ['500', { status: 500, body: '{"error":"x"}' }, 'SOURCE_HTTP_STATUS'],
    ['404', { status: 404, body: '' }, 'SOURCE_NOT_FOUND'],
    ['a way to somewhere else', { status: 302, body: '', headers: { location: '/login' } }, 'SOURCE_REDIRECT'],
    [
      'the state of another node',
      { status: 200, body: JSON.stringify(documentWith({}, { ...HEADER, serverId: 'srv_2', revision: 99 })) },
      'SOURCE_WRONG_NODE',
    ],
    [
      'the state of another control plane',
      { status: 200, body: JSON.stringify(documentWith({}, { ...HEADER, controlPlaneId: 'cp_2', revision: 99 })) },
      'SOURCE_WRONG_CONTROL_PLANE',
    ],
  ]

  test('answers what is no state: everything stays', async () => {
    const { rig, plane, monitor, state, names, newcomer, udp } = await startNode()
    for (const [what, answer, code] of answers) {
      plane.misbehave(answer)
      const fault = await waitFor(() => rig.status().sources[0]?.fault, { what: `a fault after ${what}` })
      expect([what, fault.code]).toEqual([what, code])
      expect([what, rig.status().counts.live, rig.status().revision.expected]).toEqual([what, NAMES + 1, 2])
      plane.behave()
      await waitFor(() => rig.status().sources[0]?.fault === null, { what: `the end of the fault after ${what}` })
    }
    state({ tcpRoutes: [...names(NAMES), newcomer('pg', 1)], udpRoutes: [udp] })
    await rig.verdict('tcp/pg', 'live')
    expect(await monitor.failures()).toEqual([])
  })

  test('goes away, and comes back with something new', async () => {
    const { rig, plane, monitor, state, names, newcomer, udp } = await startNode()
    plane.misbehave(null)
    await waitFor(() => rig.status().sources[0]?.fault, { what: 'the fault' })
    state({ tcpRoutes: [...names(NAMES), newcomer('pg', 1)], udpRoutes: [udp] })
    await rig.verdict('tcp/pg', 'live')
    await rig.stopAgent()
    await plane.close()
    await rig.startAgent()
    await waitFor(() => rig.status().sources[0]?.fault, { what: 'the fault' })
    await rig.verdict('tcp/pg', 'live')
    expect(rig.status().counts.live).toBe(NAMES + 2)
    expect(await monitor.failures()).toEqual([])
  })

  test('drops three quarters at once: they are held, the rest goes on, accepted they go', async () => {
    const { rig, monitor, state, names, newcomer, udp, taken } = await startNode()
    // The two that are watched stay in the state.
    const kept = [...names(1), ...names(4, NAMES - 4)]
    state({ tcpRoutes: kept, udpRoutes: [udp] })
    const row = await rig.verdict('tcp/r5', 'held')
    expect(row).toMatchObject({
      reason: 'MASS_REMOVAL',
      message: 'the new state drops 15 of 21 routes',
      remedy: expect.stringContaining('fairlead accept'),
    })
    const [held] = rig.status().held
    expect(held).toMatchObject({ source: 'control-plane', reason: 'ratio', until: null })
    expect(held?.removals).toHaveLength(15)

    state({ tcpRoutes: [...kept, newcomer('pg', 1)], udpRoutes: [udp] })
    await rig.verdict('tcp/pg', 'live')
    expect(await tcpName(port(rig.tcp, 1))).toBe('new')
    // A held route gives way to whoever claims its place.
    state({
      tcpRoutes: [...kept, newcomer('pg', 1), tcpRoute({ ...Object(names(1, 5)[0]), id: 'heir' })],
      udpRoutes: [udp],
    })
    await rig.verdict('tcp/heir', 'live')
    expect(await rig.verdict('tcp/r5', 'conflicted')).toMatchObject({
      reason: 'HOST_TAKEN_BY_ROUTE',
      message: expect.stringContaining('tcp/heir'),
    })
    expect(rig.status().counts).toMatchObject({ live: 8, held: 14, conflicted: 1 })

    expect(rig.accept('0'.repeat(64))).toEqual([])
    expect(rig.accept(rig.status().held[0]?.hash ?? '')).toHaveLength(1)
    await waitFor(() => rig.status().counts.held === 0, { what: 'the held routes to go' })
    await taken()
    expect([rig.status().held, rig.status().counts.live]).toEqual([[], 8])
    expect(await monitor.failures()).toEqual([])
  })

  test('drops all of one protocol: after the settling time it goes', async () => {
    const { rig, monitor, state, names, udp } = await startNode({
      settings: traefik => ({
        policy: { allowUpstreams: ['127.0.0.0/8'], guard: { settle: '3s' } },
        ports: { tcp: traefik.tcp.join(','), udp: traefik.udp.join(',') },
      }),
    })
    state({ tcpRoutes: names(NAMES), udpRoutes: [] })
    expect(await rig.verdict('udp/dns', 'held')).toMatchObject({
      reason: 'MASS_REMOVAL',
      message: 'the new state has no UDP route any more; there were 1',
    })
    expect(rig.status().held[0]?.until).toMatch(/^20/)
    // It comes back in time, and goes again.
    state({ tcpRoutes: names(NAMES), udpRoutes: [udp] })
    await rig.verdict('udp/dns', 'live')
    expect(await monitor.failures()).toEqual([])
    await monitor.stop()
    const rest = startMonitor([sniWatch(rig.tcp[0], 'r0.example.com')])
    state({ tcpRoutes: names(NAMES), udpRoutes: [] })
    await rig.verdict('udp/dns', 'held')
    expect(await udpAsk(port(rig.udp, 0), 'x')).toBe('dns:x')
    await waitFor(() => rig.status().routes.every(({ protocol }) => protocol !== 'udp'), { what: 'it to go' })
    await waitFor(async () => (await udpAsk(port(rig.udp, 0), 'x', 300)) === null, { what: 'UDP to fall silent' })
    expect(await rest.failures()).toEqual([])
  })

  test('sends a list as null: its routes are held', async () => {
    const { rig, monitor, state, names } = await startNode()
    state({ tcpRoutes: names(NAMES), udpRoutes: null })
    expect(await rig.verdict('udp/dns', 'held')).toMatchObject({ reason: 'MASS_REMOVAL' })
    expect(await monitor.failures()).toEqual([])
  })

  test('names what it removes: it goes at once', async () => {
    const { rig, monitor, state, names, udp, taken } = await startNode()
    const removed = names(15, 1).map((_, i) => `r${i + 1}`)
    state({ tcpRoutes: [...names(1), ...names(4, NAMES - 4)], udpRoutes: [udp] }, { removed })
    await waitFor(() => rig.status().counts.live === 6, { what: 'the removed routes to go' })
    await taken()
    expect(rig.status().held).toEqual([])
    expect(await monitor.failures()).toEqual([])
  })

  test('sends an older revision: refused, until the epoch is raised', async () => {
    const { rig, monitor, state, names, newcomer, udp } = await startNode()
    state({ tcpRoutes: [...names(NAMES), newcomer('pg', 1)], udpRoutes: [udp] }, { revision: 1 })
    const fault = await waitFor(() => rig.status().sources[0]?.fault, { what: 'a fault' })
    expect(fault).toMatchObject({
      code: 'REVISION_WENT_BACK',
      message: expect.stringContaining('epoch 1 revision 1 after epoch 1 revision 2'),
      remedy: expect.stringContaining('raise-epoch'),
    })
    expect(rig.status().routes.map(({ id }) => id)).not.toContain('pg')
    state({ tcpRoutes: [...names(NAMES), newcomer('pg', 1)], udpRoutes: [udp] }, { revision: 1, epoch: 2 })
    await rig.verdict('tcp/pg', 'live', 60_000)
    expect(rig.status().sources[0]?.fault).toBeNull()
    expect(await monitor.failures()).toEqual([])
  })

  test('lets a route end: it goes by itself, also without the control plane', async () => {
    const { rig, plane, monitor, state, names, newcomer, udp } = await startNode()
    const expiresAt = new Date(Date.now() + 2_500).toISOString()
    state({ tcpRoutes: [...names(NAMES), newcomer('short', 1, { expiresAt })], udpRoutes: [udp] })
    await rig.verdict('tcp/short', 'live')
    plane.misbehave(null)
    expect(await rig.verdict('tcp/short', 'rejected')).toMatchObject({ reason: 'EXPIRED' })
    await waitFor(async () => (await tcpAsk(port(rig.tcp, 1), { timeoutMs: 500 })).kind === 'closed', {
      what: 'its port to close',
    })
    expect(await monitor.failures()).toEqual([])
  })

  test('flaps between two states: the last one is served', async () => {
    const { rig, monitor, state, names, newcomer, udp, taken } = await startNode()
    const both = [
      { tcpRoutes: [...names(NAMES), newcomer('pg', 1)], udpRoutes: [udp] },
      { tcpRoutes: [...names(NAMES), newcomer('pg', 2), newcomer('more', 3)], udpRoutes: [udp] },
    ]
    for (let i = 0; i < 30; i++) {
      state(both[i % 2] ?? {})
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    await taken()
    expect([await tcpName(port(rig.tcp, 2)), await tcpName(port(rig.tcp, 3))]).toEqual(['new', 'new'])
    expect(rig.status().counts.live).toBe(NAMES + 3)
    expect(await monitor.failures()).toEqual([])
  })
})
