/** Probes through the ports of a real Traefik: what its API shows as enabled, and is not there. */
import { beforeAll, describe, expect, test } from 'vitest'
import { type Rig, startRig } from '../support/agent-rig.ts'
import { createAuthority } from '../support/authority.ts'
import { startHttpBackend, startTcpBackend, startTlsBackend, startUdpBackend } from '../support/backends.ts'
import { httpRoute, tcpRoute, udpRoute } from '../support/builders.ts'
import { tcpName } from '../support/clients.ts'
import { part } from '../support/parts.ts'
import { freePort } from '../support/ports.ts'
import { startPostgres, type TestPostgres } from '../support/postgres.ts'
import { waitFor } from '../support/wait-for.ts'

const probe = { intervalSeconds: 5 }

/** Waits until the route's last probe came out so, and gives its row. */
async function probed(rig: Rig, key: string, ok: boolean) {
  const row = await waitFor(
    () => rig.status().routes.find(route => `${route.protocol}/${route.id}` === key && route.probe?.ok === ok),
    { what: `${key} to be probed as ${ok}`, timeoutMs: 30_000 },
  )
  return { verdict: row.verdict, reason: row.reason, message: row.message, probe: row.probe }
}

describe.skipIf(!part('traefik'))('probes through Traefik', () => {
  test('an upstream that is down is told, and its return', async () => {
    const first = await startTcpBackend({ name: 'pg' })
    const other = await startTcpBackend({ name: 'other' })
    const rig = await startRig({ tcp: 2 })
    await rig.write('pg.yaml', {
      tcpRoutes: [
        tcpRoute({ probe, externalPort: rig.tcp[0], upstreams: [first.address] }),
        tcpRoute({ id: 'other', externalPort: rig.tcp[1], upstreams: [other.address] }),
      ],
    })
    expect(await probed(rig, 'tcp/pg', true)).toMatchObject({ verdict: 'live', probe: { detail: 'answered' } })
    await first.close()
    expect(await probed(rig, 'tcp/pg', false)).toMatchObject({
      verdict: 'degraded',
      reason: 'PROBE_FAILED',
      message: 'the connection was closed: no upstream takes it',
    })
    expect(rig.status().counts).toMatchObject({ live: 1, degraded: 1 })
    await startTcpBackend({ name: 'pg', port: first.port })
    expect(await probed(rig, 'tcp/pg', true)).toMatchObject({ verdict: 'live' })
    // The route that asks for no probe was never asked.
    expect(other.hits()).toBe(0)
  })

  test('a route that is changed for the better is live at once', async () => {
    const good = await startTcpBackend({ name: 'good', speak: 'silent' })
    const rig = await startRig()
    const to = (address: string) =>
      rig.write('pg.yaml', {
        tcpRoutes: [tcpRoute({ probe: { intervalSeconds: 3600 }, externalPort: rig.tcp[0], upstreams: [address] })],
      })
    await to(`127.0.0.1:${await freePort('tcp')}`)
    await probed(rig, 'tcp/pg', false)
    await to(good.address)
    expect(await probed(rig, 'tcp/pg', true)).toMatchObject({
      verdict: 'live',
      probe: { detail: 'the connection stayed open for 300 ms', certificate: null, periodic: true },
    })
  })

  test.skipIf(!part('openssl'))('another certificate behind the host name is told by name', async () => {
    const [right, wrong] = await Promise.all([
      startTlsBackend({ name: 'right.example.com' }),
      startTlsBackend({ name: 'elsewhere.example.com' }),
    ])
    const plain = await startTcpBackend({ name: 'no TLS here' })
    const rig = await startRig()
    const at = (id: string, address: string) =>
      tcpRoute({ id, probe, externalPort: rig.tcp[0], sniHostname: `${id}.example.com`, upstreams: [address] })
    await rig.write('sni.yaml', {
      tcpRoutes: [at('right', right.address), at('wrong', wrong.address), at('plain', plain.address)],
    })
    expect(await probed(rig, 'tcp/right', true)).toMatchObject({
      verdict: 'live',
      probe: { certificate: { commonName: 'right.example.com' } },
    })
    expect(await probed(rig, 'tcp/wrong', false)).toMatchObject({
      verdict: 'degraded',
      reason: 'PROBE_FAILED',
      message: 'the certificate is for elsewhere.example.com, not for wrong.example.com',
    })
    expect((await probed(rig, 'tcp/plain', false)).message).toMatch(/^what answers speaks no TLS/)
  })

  test('UDP is asked for an answer', async () => {
    const echo = await startUdpBackend({ name: 'dns' })
    const rig = await startRig({ udp: 2 })
    const sendHex = Buffer.from('ping').toString('hex')
    const expectHex = Buffer.from('dns:ping').toString('hex')
    await rig.write('udp.yaml', {
      udpRoutes: [
        udpRoute({
          id: 'good',
          externalPort: rig.udp[0],
          upstreams: [echo.address],
          probe: { ...probe, sendHex, expectHex },
        }),
        udpRoute({
          id: 'away',
          externalPort: rig.udp[1],
          upstreams: [`127.0.0.1:${await freePort('udp')}`],
          probe: { ...probe, sendHex },
        }),
      ],
    })
    expect(await probed(rig, 'udp/good', true)).toMatchObject({ verdict: 'live', probe: { detail: 'answered' } })
    expect(await probed(rig, 'udp/away', false)).toMatchObject({ verdict: 'degraded', message: 'no answer within 3 s' })
  })

  test('HTTP is asked for a page', async () => {
    const web = await startHttpBackend({ name: 'web', status: () => 404 })
    const rig = await startRig({ entryPoints: { web: {}, websecure: {} } })
    const upstreams = [{ url: `http://127.0.0.1:${await freePort('tcp')}` }]
    await rig.write('web.yaml', {
      routes: [
        httpRoute({ probe, upstreams: [{ url: web.url }] }),
        httpRoute({ id: 'away', domain: 'away.example.com', probe, upstreams }),
      ],
    })
    expect(await probed(rig, 'http/web', true)).toMatchObject({
      verdict: 'live',
      probe: { detail: 'answered with status 404' },
    })
    expect(web.requests()[0]).toMatchObject({ method: 'HEAD', headers: { host: 'app.example.com' } })
    expect(await probed(rig, 'http/away', false)).toMatchObject({
      verdict: 'degraded',
      message: 'Traefik answers 502: no upstream takes the request',
    })
  })

  test('while Traefik is down nothing is asked, and nothing is blamed', async () => {
    const backend = await startTcpBackend({ name: 'pg' })
    const rig = await startRig()
    await rig.write('pg.yaml', {
      tcpRoutes: [tcpRoute({ probe, externalPort: rig.tcp[0], upstreams: [backend.address] })],
    })
    await probed(rig, 'tcp/pg', true)
    await rig.traefik.stop()
    const row = await rig.verdict('tcp/pg', 'pending', 60_000)
    expect([row.reason, row.probe]).toEqual(['API_UNREACHABLE', undefined])
    await rig.traefik.restart()
    expect(await probed(rig, 'tcp/pg', true)).toMatchObject({ verdict: 'live' })
    expect(await tcpName(rig.tcp[0] ?? 0)).toBe('pg')
  })
})

const ready = part('traefik') && part('openssl') && part('postgres')

describe.skipIf(!ready)('probes of PostgreSQL through Traefik', () => {
  let pg: TestPostgres
  beforeAll(async () => {
    const authority = await createAuthority('databases')
    pg = await startPostgres({ name: 'a', certificate: await authority.issue({ altName: 'DNS:a.db.example.com' }) })
  })

  test('plain, by name, and by a name that is not its own', async () => {
    const rig = await startRig({ tcp: 2 })
    const base = { probe, protocolHint: 'postgres', upstreams: [pg.address] }
    const named = (id: string) =>
      tcpRoute({ ...base, id, externalPort: rig.tcp[1], sniHostname: `${id}.db.example.com` })
    await rig.write('pg.yaml', {
      tcpRoutes: [tcpRoute({ ...base, id: 'plain', externalPort: rig.tcp[0] }), named('a'), named('b')],
    })
    expect(await probed(rig, 'tcp/plain', true)).toMatchObject({ verdict: 'live' })
    expect(await probed(rig, 'tcp/a', true)).toMatchObject({
      verdict: 'live',
      probe: { detail: expect.stringContaining('is valid for') },
    })
    expect((await probed(rig, 'tcp/b', false)).message).toMatch(
      /^the certificate is for .*, not for b\.db\.example\.com$/,
    )
    // A database whose log fills with the complaints of a probe would be worse than no probe.
    expect(pg.log()).not.toMatch(/could not accept SSL|incomplete startup packet|unexpected eof|reset by peer/i)
  })
})
