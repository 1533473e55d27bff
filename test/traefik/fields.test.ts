/** What the fields of a TCP or UDP route do to its traffic, one after the other. HTTP and health checks have files of their own. */
import { describe, expect, test } from 'vitest'
import { startRig } from '../support/agent-rig.ts'
import { startTcpBackend, startUdpBackend } from '../support/backends.ts'
import { tcpRoute, udpRoute } from '../support/builders.ts'
import { tcpAsk, udpAsk } from '../support/clients.ts'
import { openTcp, tcpSaid } from '../support/connections.ts'
import { part } from '../support/parts.ts'
import { freePorts } from '../support/ports.ts'
import { waitFor } from '../support/wait-for.ts'

const OTHER_CLIENT = '127.0.0.2'

describe.skipIf(!part('traefik'))('fields of TCP routes', () => {
  test('allowCidrs lets in only who is named', async () => {
    const backend = await startTcpBackend({ name: 'pg' })
    const rig = await startRig({ tcp: 3 })
    const [none = 0, one = 0, all = 0] = rig.tcp
    const route = (id: string, externalPort: number, allowCidrs: readonly string[]) =>
      tcpRoute({ id, externalPort, allowCidrs, upstreams: [backend.address] })
    await rig.write('allow.yaml', {
      tcpRoutes: [
        route('none', none, ['10.0.0.0/8', '2001:db8::/32']),
        route('one', one, ['10.0.0.0/8', `${OTHER_CLIENT}/32`]),
        route('all', all, ['127.0.0.0/8']),
      ],
    })
    for (const key of ['tcp/none', 'tcp/one', 'tcp/all']) await rig.verdict(key, 'live')
    const asked = [none, one, all].flatMap(port => [tcpSaid(port), tcpSaid(port, OTHER_CLIENT)])
    expect(await Promise.all(asked)).toEqual([null, null, null, 'pg', 'pg', 'pg'])
    expect(backend.hits()).toBe(3)
  })

  test('maxConnectionsPerClient counts each client for itself', async () => {
    const backend = await startTcpBackend({ name: 'pg' })
    const rig = await startRig()
    const [port = 0] = rig.tcp
    await rig.write('limit.yaml', {
      tcpRoutes: [tcpRoute({ externalPort: port, maxConnectionsPerClient: 2, upstreams: [backend.address] })],
    })
    await rig.verdict('tcp/pg', 'live')
    const open = [await openTcp(port), await openTcp(port)]
    expect(open.map(({ said }) => said)).toEqual(['pg', 'pg'])
    expect([await tcpSaid(port), await tcpSaid(port, OTHER_CLIENT)]).toEqual([null, 'pg'])
    await open[0]?.close()
    await waitFor(async () => (await tcpSaid(port)) === 'pg', { what: 'the place that became free' })
  })

  test.each([
    { version: 1, begins: `PROXY TCP4 ${OTHER_CLIENT} 127.0.0.1 `, bytes: 'latin1' },
    // The signature, version and command, TCP over IPv4, 12 bytes of addresses: from, to.
    { version: 2, begins: '0d0a0d0a000d0a515549540a' + '21' + '11' + '000c' + '7f000002' + '7f000001', bytes: 'hex' },
  ] as const)('proxyProtocol $version tells the backend who comes', async ({ version, begins, bytes }) => {
    const backend = await startTcpBackend({ name: 'pg' })
    const rig = await startRig()
    const [port = 0] = rig.tcp
    await rig.write('proxy.yaml', {
      tcpRoutes: [tcpRoute({ externalPort: port, proxyProtocol: version, upstreams: [backend.address] })],
    })
    await rig.verdict('tcp/pg', 'live')
    expect(await tcpSaid(port, OTHER_CLIENT)).toBe('pg')
    const received = await waitFor(() => backend.received().length > 0 && backend.received(), { what: 'a header' })
    expect(received.toString(bytes).slice(0, begins.length)).toBe(begins)
  })

  test('weights part the connections', async () => {
    const [heavy, light] = await Promise.all([startTcpBackend({ name: 'heavy' }), startTcpBackend({ name: 'light' })])
    const [even, odd] = await Promise.all([startUdpBackend({ name: 'even' }), startUdpBackend({ name: 'odd' })])
    const rig = await startRig()
    const [port = 0, udpPort = 0] = [...rig.tcp, ...rig.udp]
    const weights = [3, 1]
    await rig.write('weights.yaml', {
      tcpRoutes: [tcpRoute({ externalPort: port, weights, upstreams: [heavy.address, light.address] })],
      udpRoutes: [udpRoute({ externalPort: udpPort, weights, upstreams: [even.address, odd.address] })],
    })
    await rig.verdict('tcp/pg', 'live')
    await rig.verdict('udp/dns', 'live')
    for (let i = 0; i < 40; i++) {
      expect(['heavy', 'light']).toContain(await tcpSaid(port))
      expect(['even:x', 'odd:x']).toContain(await udpAsk(udpPort, 'x'))
    }
    for (const [more, less] of [
      [heavy, light],
      [even, odd],
    ] as const) {
      expect(more.hits() + less.hits()).toBe(40)
      expect(more.hits()).toBeGreaterThanOrEqual(28)
      expect(more.hits()).toBeLessThanOrEqual(32)
    }
  })

  test('a block of ports leads number by number', async () => {
    const inner = { tcp: await freePorts(3, 'tcp'), udp: await freePorts(3, 'udp') }
    const backends = await Promise.all(inner.tcp.map((port, i) => startTcpBackend({ name: `tcp${i}`, port })))
    await Promise.all(inner.udp.map((port, i) => startUdpBackend({ name: `udp${i}`, port })))
    const rig = await startRig({ tcp: 4, udp: 4 })
    const block = (ports: readonly number[], first: number | undefined) => ({
      externalPort: ports[0],
      externalPortEnd: ports[2],
      upstreams: [`127.0.0.1:${first}`],
    })
    await rig.write('block.yaml', {
      tcpRoutes: [tcpRoute({ id: 'ftp', ...block(rig.tcp, inner.tcp[0]) })],
      udpRoutes: [udpRoute({ id: 'rtp', ...block(rig.udp, inner.udp[0]) })],
    })
    const { entryPoints } = await rig.verdict('tcp/ftp', 'live')
    expect(entryPoints).toEqual(rig.tcp.slice(0, 3).map(port => `tcp-${port}`))
    await rig.verdict('udp/rtp', 'live')
    expect(await Promise.all(rig.tcp.slice(0, 3).map(port => tcpSaid(port)))).toEqual(['tcp0', 'tcp1', 'tcp2'])
    expect(await Promise.all(rig.udp.slice(0, 3).map(port => udpAsk(port, 'x')))).toEqual([
      'udp0:x',
      'udp1:x',
      'udp2:x',
    ])
    expect(backends.map(backend => backend.hits())).toEqual([1, 1, 1])
    // The number after the block is nobody's.
    expect((await tcpAsk(rig.tcp[3] ?? 0, { timeoutMs: 200 })).kind).not.toBe('said')
    expect(await udpAsk(rig.udp[3] ?? 0, 'x', 200)).toBeNull()
  })

  test('expiresAt ends a route by itself', async () => {
    const [tcp, udp] = await Promise.all([startTcpBackend({ name: 'tcp' }), startUdpBackend({ name: 'udp' })])
    const rig = await startRig()
    const [port = 0, udpPort = 0] = [...rig.tcp, ...rig.udp]
    const write = (fields: object) =>
      rig.write('guest.yaml', {
        tcpRoutes: [tcpRoute({ id: 'guest', externalPort: port, upstreams: [tcp.address], ...fields })],
        udpRoutes: [udpRoute({ id: 'guest', externalPort: udpPort, upstreams: [udp.address], ...fields })],
      })
    await write({})
    await rig.verdict('tcp/guest', 'live')
    await rig.verdict('udp/guest', 'live')
    expect([await tcpSaid(port), await udpAsk(udpPort, 'x')]).toEqual(['tcp', 'udp:x'])
    const open = await openTcp(port)
    const end = Date.now() + 1_500
    await write({ expiresAt: new Date(end).toISOString() })
    const ended = await rig.verdict('tcp/guest', 'rejected')
    expect(ended).toMatchObject({ reason: 'EXPIRED', origin: 'guest.yaml' })
    expect(Date.parse(ended.since)).toBeGreaterThanOrEqual(end)
    await rig.verdict('udp/guest', 'rejected')
    await waitFor(async () => (await tcpSaid(port)) === null, { what: 'the TCP port to close' })
    await waitFor(async () => (await udpAsk(udpPort, 'x', 200)) === null, { what: 'UDP to fall silent' })
    expect([open.said, open.closed()]).toEqual(['tcp', false])
  })
})
