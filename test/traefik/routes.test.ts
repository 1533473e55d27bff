/** Every kind of route, served by a real Traefik that takes its configuration from the agent. */
import { rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startRig } from '../support/agent-rig.ts'
import { startHttpBackend, startTcpBackend, startTlsBackend, startUdpBackend } from '../support/backends.ts'
import { httpRoute, tcpRoute, udpRoute } from '../support/builders.ts'
import { httpGet, tcpAsk, tcpName, tlsPeerCertificate, udpAsk } from '../support/clients.ts'
import { part } from '../support/parts.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

const port = (ports: readonly number[], i: number): number => {
  const found = ports[i]
  if (found === undefined) throw new Error(`no port ${i}`)
  return found
}

/** A connection that stays, and echoes. */
async function openEcho(
  to: number,
): Promise<{ readonly socket: Socket; readonly echo: (text: string) => Promise<string> }> {
  const socket = connect({ port: to, host: '127.0.0.1' })
  let received = ''
  socket.on('data', (chunk: Buffer) => {
    received += chunk.toString()
  })
  await waitFor(() => received.includes('\n'), { what: 'a banner' })
  return {
    socket,
    async echo(text) {
      received = ''
      socket.write(text)
      return waitFor(() => received.includes(text) && received, { what: `an echo of ${text}` })
    },
  }
}

describe.skipIf(!part('traefik'))('routes through Traefik', () => {
  test('every kind of route serves traffic', async () => {
    const [plain, a, b, dns, web] = await Promise.all([
      startTcpBackend({ name: 'plain' }),
      startTlsBackend({ name: 'a.example.com' }),
      startTlsBackend({ name: 'b.example.com' }),
      startUdpBackend({ name: 'dns' }),
      startHttpBackend({ name: 'web' }),
    ])
    const rig = await startRig({ tcp: 3, udp: 2, entryPoints: { web: {}, websecure: {} } })
    await rig.write('all.yaml', {
      routes: [
        httpRoute({ upstreams: [{ url: web.url }], redirectToHttps: false }),
        httpRoute({ id: 'sent', domain: 'sent.example.com', upstreams: [{ url: web.url }] }),
      ],
      tcpRoutes: [
        tcpRoute({ id: 'plain', externalPort: rig.tcp[0], upstreams: [plain.address] }),
        tcpRoute({ id: 'a', externalPort: rig.tcp[1], sniHostname: 'a.example.com', upstreams: [a.address] }),
        tcpRoute({ id: 'b', externalPort: rig.tcp[1], sniHostname: 'b.example.com', upstreams: [b.address] }),
      ],
      udpRoutes: [udpRoute({ externalPort: rig.udp[0], upstreams: [dns.address] })],
    })
    for (const key of ['http/web', 'http/sent', 'tcp/plain', 'tcp/a', 'tcp/b', 'udp/dns'])
      await rig.verdict(key, 'live')
    expect(await tcpName(port(rig.tcp, 0))).toBe('plain')
    expect(await tlsPeerCertificate(port(rig.tcp, 1), 'a.example.com')).toBe('a.example.com')
    expect(await tlsPeerCertificate(port(rig.tcp, 1), 'b.example.com')).toBe('b.example.com')
    expect(await tlsPeerCertificate(port(rig.tcp, 1), 'c.example.com')).toBeNull()
    expect(await tcpAsk(port(rig.tcp, 1), { send: 'plain text\n' })).toEqual({ kind: 'closed' })
    expect(await udpAsk(port(rig.udp, 0), 'hello')).toBe('dns:hello')
    expect(await httpGet({ port: rig.traefik.port('web'), host: 'app.example.com' })).toMatchObject({
      status: 200,
      body: 'web',
    })
    expect(await httpGet({ port: rig.traefik.port('websecure'), host: 'app.example.com', tls: true })).toMatchObject({
      status: 200,
      body: 'web',
    })
    const sent = await httpGet({ port: rig.traefik.port('web'), host: 'sent.example.com', path: '/x' })
    expect([sent.status, sent.headers.location]).toEqual([
      301,
      `https://sent.example.com:${rig.traefik.port('websecure')}/x`,
    ])
    // Traefik is young: until others had time to speak, only ports of ours carry tombstones.
    await waitFor(async () => (await tcpAsk(port(rig.tcp, 2), { timeoutMs: 500 })).kind === 'closed', {
      what: 'the unused port to close at once',
    })
  })

  test('a change moves new connections while an open one goes on', async () => {
    const [one, two] = await Promise.all([startTcpBackend({ name: 'one' }), startTcpBackend({ name: 'two' })])
    const rig = await startRig()
    const to = (address: string) =>
      rig.write('pg.yaml', { tcpRoutes: [tcpRoute({ externalPort: rig.tcp[0], upstreams: [address] })] })
    await to(one.address)
    await rig.verdict('tcp/pg', 'live')
    const open = await openEcho(port(rig.tcp, 0))
    for (let i = 0; i < 5; i++) {
      await to(i % 2 === 0 ? two.address : one.address)
      await waitFor(async () => (await tcpName(port(rig.tcp, 0))) === (i % 2 === 0 ? 'two' : 'one'), {
        what: 'new connections to move',
      })
      expect(await open.echo(`still here ${i}`)).toBe(`still here ${i}`)
    }
    open.socket.destroy()
  })

  test('a removed UDP route stops, a removed TCP one closes', async () => {
    const [dns, tcp] = await Promise.all([startUdpBackend({ name: 'dns' }), startTcpBackend({ name: 'tcp' })])
    const rig = await startRig()
    await rig.write('gone.yaml', {
      udpRoutes: [udpRoute({ externalPort: rig.udp[0], upstreams: [dns.address] })],
      tcpRoutes: [tcpRoute({ externalPort: rig.tcp[0], upstreams: [tcp.address] })],
    })
    await rig.verdict('udp/dns', 'live')
    expect(await udpAsk(port(rig.udp, 0), 'x')).toBe('dns:x')
    expect(await tcpName(port(rig.tcp, 0))).toBe('tcp')
    await rig.write('gone.yaml', { tcpRoutes: [] })
    await waitFor(async () => (await tcpAsk(port(rig.tcp, 0), { timeoutMs: 500 })).kind === 'closed', {
      what: 'the TCP port to close at once',
    })
    await waitFor(async () => (await udpAsk(port(rig.udp, 0), 'x', 200)) === null, { what: 'UDP to fall silent' })
    expect(rig.status().routes).toEqual([])
  })

  test('a thousand routes of which one is bad serve 999', async () => {
    const backend = await startTlsBackend({ name: 'h500.example.com' })
    const rig = await startRig()
    await rig.write('many.yaml', {
      tcpRoutes: Array.from({ length: 1000 }, (_, i) =>
        tcpRoute({
          id: `r${i}`,
          externalPort: rig.tcp[0],
          sniHostname: i === 7 ? 'bad`) || HostSNI(`*' : `h${i}.example.com`,
          upstreams: [backend.address],
        }),
      ),
    })
    await waitFor(() => rig.status().counts.live === 999, { what: '999 live routes', timeoutMs: 30_000 })
    expect(rig.status().counts).toMatchObject({ live: 999, rejected: 1 })
    expect(await rig.verdict('tcp/r7', 'rejected')).toMatchObject({ reason: 'HOST_NAME_INVALID', origin: 'many.yaml' })
    expect(await tlsPeerCertificate(port(rig.tcp, 0), 'h500.example.com')).toBe('h500.example.com')
    expect(await tlsPeerCertificate(port(rig.tcp, 0), 'h7.example.com')).toBeNull()
  })

  test('a pool of more than a hundred ports is seen whole', async () => {
    // Traefik's API gives entry points in pages of a hundred.
    const [tcp, udp] = await Promise.all([startTcpBackend({ name: 'last' }), startUdpBackend({ name: 'last' })])
    const rig = await startRig({ tcp: 110, udp: 5 })
    await rig.write('last.yaml', {
      tcpRoutes: [tcpRoute({ externalPort: rig.tcp[109], upstreams: [tcp.address] })],
      udpRoutes: [udpRoute({ externalPort: rig.udp[4], upstreams: [udp.address] })],
    })
    await rig.verdict('tcp/pg', 'live')
    await rig.verdict('udp/dns', 'live')
    expect(rig.status().traefik.entryPoints?.length).toBe(116)
    expect(await tcpName(port(rig.tcp, 109))).toBe('last')
  })

  test('an exact host name goes before a wildcard', async () => {
    const [exact, wild] = await Promise.all([
      startTlsBackend({ name: 'exact.example.com' }),
      startTlsBackend({ name: 'wild.example.com' }),
    ])
    const rig = await startRig()
    const at = { externalPort: rig.tcp[0] }
    await rig.write('sni.yaml', {
      tcpRoutes: [
        tcpRoute({ ...at, id: 'exact', sniHostname: 'a.example.com', upstreams: [exact.address] }),
        tcpRoute({ ...at, id: 'wild', sniHostname: '*.example.com', upstreams: [wild.address] }),
      ],
    })
    await rig.verdict('tcp/exact', 'live')
    await rig.verdict('tcp/wild', 'live')
    expect(await tlsPeerCertificate(port(rig.tcp, 0), 'a.example.com')).toBe('exact.example.com')
    expect(await tlsPeerCertificate(port(rig.tcp, 0), 'b.example.com')).toBe('wild.example.com')
    expect(await tlsPeerCertificate(port(rig.tcp, 0), 'a.b.example.com')).toBeNull()
  })

  test('a restarted agent serves what it had, without its source', async () => {
    const backend = await startTcpBackend({ name: 'pg' })
    const rig = await startRig()
    await rig.write('pg.yaml', { tcpRoutes: [tcpRoute({ externalPort: rig.tcp[0], upstreams: [backend.address] })] })
    await rig.verdict('tcp/pg', 'live')
    await rig.stopAgent()
    await rig.traefik.stop()
    await rig.remove('pg.yaml')
    await rm(rig.routesFolder, { recursive: true })
    await rig.startAgent()
    await rig.traefik.restart()
    await rig.verdict('tcp/pg', 'live')
    expect(await tcpName(port(rig.tcp, 0))).toBe('pg')
    expect(rig.status().sources[0]?.fault?.code).toBe('FILES_DIRECTORY_MISSING')
  })

  test('a Traefik without an API is served and not verified', async () => {
    const backend = await startTcpBackend({ name: 'pg' })
    const rig = await startRig({ api: false })
    await rig.write('pg.yaml', { tcpRoutes: [tcpRoute({ externalPort: rig.tcp[0], upstreams: [backend.address] })] })
    await waitFor(async () => (await tcpName(port(rig.tcp, 0))) === 'pg', { what: 'the route to serve' })
    expect(await rig.verdict('tcp/pg', 'pending')).toMatchObject({ reason: 'NOT_VERIFIED' })
  })
})

describe.skipIf(!part('traefik'))('another provider', () => {
  test('its routers keep their ports when the agent starts', async () => {
    const [tcp, udp, http] = await Promise.all([
      startTcpBackend({ name: 'tcp' }),
      startUdpBackend({ name: 'udp' }),
      startHttpBackend({ name: 'http' }),
    ])
    const dynamic = join(await tempFolder(), 'dynamic.yaml')
    await writeFile(dynamic, '{}')
    const rig = await startRig({
      agent: false,
      tcp: 3,
      udp: 2,
      staticExtra: { providers: { file: { filename: dynamic, watch: true } } },
    })
    await writeFile(
      dynamic,
      JSON.stringify({
        tcp: {
          routers: { pg: { entryPoints: [`tcp-${rig.tcp[0]}`], rule: 'HostSNI(`*`)', service: 'pg' } },
          services: { pg: { loadBalancer: { servers: [{ address: tcp.address }] } } },
        },
        http: {
          routers: { web: { entryPoints: [`tcp-${rig.tcp[1]}`], rule: 'PathPrefix(`/`)', service: 'web' } },
          services: { web: { loadBalancer: { servers: [{ url: http.url }] } } },
        },
        udp: {
          routers: { dns: { entryPoints: [`udp-${rig.udp[0]}`], service: 'dns' } },
          services: { dns: { loadBalancer: { servers: [{ address: udp.address }] } } },
        },
      }),
    )
    const serves = async () => {
      expect(await tcpName(port(rig.tcp, 0))).toBe('tcp')
      expect((await httpGet({ port: port(rig.tcp, 1) })).body).toBe('http')
      expect(await udpAsk(port(rig.udp, 0), 'x')).toBe('udp:x')
    }
    await waitFor(
      async () => (await tcpName(port(rig.tcp, 0))) === 'tcp' && (await udpAsk(port(rig.udp, 0), 'x', 300)) === 'udp:x',
      { what: 'the file provider' },
    )
    await serves()
    await rig.write('none.yaml', { tcpRoutes: [] })
    await rig.startAgent()
    await rig.applied()
    await serves()
    // The free ports get their tombstones once the others had time to speak; theirs never do.
    await waitFor(async () => (await tcpAsk(port(rig.tcp, 2), { timeoutMs: 500 })).kind === 'closed', {
      what: 'the free port to close at once',
      timeoutMs: 20_000,
    })
    await rig.applied()
    await serves()
    await rig.write('none.yaml', {
      tcpRoutes: [tcpRoute({ externalPort: rig.tcp[0] })],
      udpRoutes: [udpRoute({ externalPort: rig.udp[0] })],
    })
    expect(await rig.verdict('udp/dns', 'conflicted')).toMatchObject({
      reason: 'FOREIGN_ROUTER',
      message: expect.stringContaining('dns@file'),
    })
    expect(await rig.verdict('tcp/pg', 'conflicted')).toMatchObject({
      reason: 'FOREIGN_ROUTER',
      message: expect.stringContaining('pg@file'),
    })
    await serves()
  })
})
