/** Routes that cannot be served, one after the other on one node: each says why and what to do, and costs only itself. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { Verdict } from '../../src/core/verdict.ts'
import { type Rig, startRig } from '../support/agent-rig.ts'
import { startHttpBackend, startTcpBackend, startTlsBackend, startUdpBackend } from '../support/backends.ts'
import { httpRoute, type Lists, tcpRoute, udpRoute } from '../support/builders.ts'
import { tcpAsk, tcpName } from '../support/clients.ts'
import { type Monitor, sniWatch, startMonitor, tcpWatch, udpWatch } from '../support/monitor.ts'
import { part } from '../support/parts.ts'
import { freePort } from '../support/ports.ts'
import { brokenRule } from '../support/tamper.ts'
import { waitFor } from '../support/wait-for.ts'

const port = (ports: readonly number[], i: number): number => {
  const found = ports[i]
  if (found === undefined) throw new Error(`no port ${i}`)
  return found
}

describe.skipIf(!part('traefik'))('a route that cannot be served', () => {
  let rig: Rig
  let monitor: Monitor
  /** In the pool of the agent, but Traefik has no entry point for it. */
  let missing: number
  let upstream: { tcp: string; udp: string; http: string }

  beforeAll(async () => {
    const [pg, sni, dns, web] = await Promise.all([
      startTcpBackend({ name: 'pg' }),
      startTlsBackend({ name: 'kept.example.com' }),
      startUdpBackend({ name: 'dns' }),
      startHttpBackend({ name: 'web' }),
    ])
    upstream = { tcp: pg.address, udp: dns.address, http: web.url }
    missing = await freePort('tcp')
    rig = await startRig({
      tcp: 4,
      udp: 3,
      entryPoints: { web: {}, websecure: {} },
      settings: traefik => ({
        ports: {
          // The numbers of the UDP entry points are in the pool of TCP, too.
          tcp: [...traefik.tcp, missing, ...traefik.udp].join(','),
          udp: traefik.udp.join(','),
        },
      }),
      options: () => ({ tamper: brokenRule('tcp_disabled') }),
    })
    await rig.write('kept.yaml', {
      tcpRoutes: [
        tcpRoute({ id: 'kept', externalPort: rig.tcp[0], upstreams: [pg.address] }),
        tcpRoute({ id: 'sni', externalPort: rig.tcp[1], sniHostname: 'kept.example.com', upstreams: [sni.address] }),
      ],
      udpRoutes: [udpRoute({ id: 'kept', externalPort: rig.udp[0], upstreams: [dns.address] })],
      routes: [httpRoute({ id: 'kept', domain: 'kept.example.com', upstreams: [{ url: web.url }] })],
    })
    for (const key of ['tcp/kept', 'tcp/sni', 'udp/kept', 'http/kept']) await rig.verdict(key, 'live')
    monitor = startMonitor([
      tcpWatch(rig.tcp[0], 'pg'),
      sniWatch(rig.tcp[1], 'kept.example.com'),
      udpWatch(rig.udp[0], 'dns'),
    ])
  })

  const tcp = (fields: object) => tcpRoute({ upstreams: [upstream.tcp], ...fields })
  const udp = (fields: object) => udpRoute({ upstreams: [upstream.udp], ...fields })
  const http = (fields: object) => httpRoute({ upstreams: [{ url: upstream.http }], ...fields })

  type Mishap = {
    readonly what: string
    readonly lists: (id: string) => Lists
    readonly protocol: 'http' | 'tcp' | 'udp'
    readonly id?: string
    readonly verdict: Verdict
    readonly reason: string
    readonly message: () => string
    readonly remedy: () => string
  }

  const mishaps: readonly Mishap[] = [
    {
      what: 'without an entry point',
      lists: id => ({ tcpRoutes: [tcp({ id, externalPort: missing })] }),
      protocol: 'tcp',
      verdict: 'waiting',
      reason: 'ENTRY_POINT_MISSING',
      message: () => `Traefik has no entry point for TCP port ${missing}`,
      remedy: () => `entryPoints:\n  tcp-${missing}:\n    address: ":${missing}"`,
    },
    {
      what: 'on an entry point of the wrong protocol',
      lists: id => ({ tcpRoutes: [tcp({ id, externalPort: rig.udp[1] })] }),
      protocol: 'tcp',
      verdict: 'waiting',
      reason: 'ENTRY_POINT_WRONG_PROTOCOL',
      message: () => `Traefik's entry point udp-${rig.udp[1]} has port ${rig.udp[1]} open, but not for TCP`,
      remedy: () => `entryPoints:\n  tcp-${rig.udp[1]}:\n    address: ":${rig.udp[1]}"`,
    },
    {
      what: 'for a host name that another has',
      lists: id => ({ tcpRoutes: [tcp({ id, externalPort: rig.tcp[1], sniHostname: 'KEPT.example.com.' })] }),
      protocol: 'tcp',
      verdict: 'conflicted',
      reason: 'HOST_TAKEN_BY_ROUTE',
      message: () => `kept.example.com on port ${rig.tcp[1]} is held by tcp/sni (kept.yaml)`,
      remedy: () => 'Choose another host name',
    },
    {
      what: 'on a TCP port that another has',
      lists: id => ({ tcpRoutes: [tcp({ id, externalPort: rig.tcp[0] })] }),
      protocol: 'tcp',
      verdict: 'conflicted',
      reason: 'PORT_TAKEN_BY_ROUTE',
      message: () => `TCP port ${rig.tcp[0]} is held by tcp/kept (kept.yaml)`,
      remedy: () => 'Choose another port',
    },
    {
      what: 'on a UDP port that another has',
      lists: id => ({ udpRoutes: [udp({ id, externalPort: rig.udp[0] })] }),
      protocol: 'udp',
      verdict: 'conflicted',
      reason: 'PORT_TAKEN_BY_ROUTE',
      message: () => `UDP port ${rig.udp[0]} is held by udp/kept (kept.yaml)`,
      remedy: () => 'Choose another port',
    },
    {
      what: 'of which the client waits for the server, on a port with host names',
      lists: id => ({ tcpRoutes: [tcp({ id, externalPort: rig.tcp[1], protocolHint: 'mysql' })] }),
      protocol: 'tcp',
      verdict: 'conflicted',
      reason: 'SERVER_FIRST_ON_TLS_PORT',
      message: () => 'mysql waits for the server to speak',
      remedy: () => 'a port of its own',
    },
    {
      what: 'for a domain that another has',
      lists: id => ({ routes: [http({ id, domain: 'kept.example.com' })] }),
      protocol: 'http',
      verdict: 'conflicted',
      reason: 'HOST_TAKEN_BY_ROUTE',
      message: () => 'kept.example.com/ is held by http/kept (kept.yaml)',
      remedy: () => 'Choose another host name',
    },
    {
      what: 'on a port outside the pool',
      lists: id => ({ tcpRoutes: [tcp({ id, externalPort: 9 })] }),
      protocol: 'tcp',
      verdict: 'rejected',
      reason: 'PORT_OUT_OF_RANGE',
      message: () => 'port 9 is outside ',
      remedy: () => 'add this one to ports.tcp',
    },
    {
      what: 'with an upstream that is no address',
      lists: id => ({ tcpRoutes: [tcp({ id, externalPort: rig.tcp[2], upstreams: ['10.200.1.5'] })] }),
      protocol: 'tcp',
      verdict: 'rejected',
      reason: 'UPSTREAM_INVALID',
      message: () => 'the upstream has no port',
      remedy: () => '10.200.1.5:5432',
    },
    {
      what: 'with an upstream where no traffic goes',
      lists: id => ({ tcpRoutes: [tcp({ id, externalPort: rig.tcp[2], upstreams: ['169.254.169.254:80'] })] }),
      protocol: 'tcp',
      verdict: 'rejected',
      reason: 'UPSTREAM_NOT_ALLOWED',
      message: () => "upstream 169.254.169.254:80 is the cloud's metadata address",
      remedy: () => 'policy.allowUpstreams',
    },
    {
      what: 'into the agent itself',
      lists: id => ({
        tcpRoutes: [tcp({ id, externalPort: rig.tcp[2], upstreams: [new URL(rig.admin).host] })],
      }),
      protocol: 'tcp',
      verdict: 'rejected',
      reason: 'UPSTREAM_NOT_ALLOWED',
      message: () => new URL(rig.admin).host,
      remedy: () => ' ',
    },
    {
      what: 'with a host name that is none',
      lists: id => ({ tcpRoutes: [tcp({ id, externalPort: rig.tcp[2], sniHostname: 'x`) || HostSNI(`*' })] }),
      protocol: 'tcp',
      verdict: 'rejected',
      reason: 'HOST_NAME_INVALID',
      message: () => 'the wildcard is not in front',
      remedy: () => ' ',
    },
    {
      what: 'that has ended',
      lists: id => ({ tcpRoutes: [tcp({ id, externalPort: rig.tcp[2], expiresAt: '2020-01-01T00:00:00Z' })] }),
      protocol: 'tcp',
      verdict: 'rejected',
      reason: 'EXPIRED',
      message: () => 'the route ended at 2020-01-01T00:00:00.000Z',
      remedy: () => 'Give it a new end time',
    },
    {
      what: 'without upstreams',
      lists: id => ({ tcpRoutes: [tcp({ id, externalPort: rig.tcp[2], upstreams: [] })] }),
      protocol: 'tcp',
      verdict: 'degraded',
      reason: 'NO_UPSTREAMS',
      message: () => 'the route has no upstreams; its connections are closed at once',
      remedy: () => 'Add an upstream.',
    },
    {
      what: 'that Traefik disables, in its words',
      lists: id => ({ tcpRoutes: [tcp({ id, externalPort: rig.tcp[3] })] }),
      protocol: 'tcp',
      id: 'disabled',
      verdict: 'refused',
      reason: 'TRAEFIK_DISABLED',
      message: () => 'Traefik shows the router tcp_disabled as disabled: invalid rule:',
      remedy: () => "Traefik's own words",
    },
  ]

  /** Of its own for each, so that no row is taken for one of the mishap before. */
  const rows = mishaps.map((mishap, i) => ({ ...mishap, id: mishap.id ?? `bad-${i}` }))

  test.each(rows)('$what: $verdict, $reason', async ({ lists, id, protocol, verdict, reason, message, remedy }) => {
    await rig.write('bad.yaml', lists(id))
    const row = await rig.verdict(`${protocol}/${id}`, verdict)
    expect(row).toMatchObject({ reason, origin: 'bad.yaml' })
    expect(row.message).toContain(message())
    expect(row.remedy).toContain(remedy())
    for (const kept of ['tcp/kept', 'tcp/sni', 'udp/kept', 'http/kept'])
      expect([kept, (await rig.verdict(kept, 'live')).reason]).toEqual([kept, 'LIVE'])
    expect(await monitor.failures()).toEqual([])
  })

  test('with an id that another has: the younger one is told', async () => {
    await rig.write('bad.yaml', { tcpRoutes: [tcp({ id: 'kept', externalPort: rig.tcp[3] })] })
    const row = await rig.verdict('tcp/kept', 'conflicted')
    expect(row).toMatchObject({ reason: 'ID_TAKEN', origin: 'bad.yaml' })
    expect(row.message).toBe('the id kept is taken by another tcp route (kept.yaml)')
    const older = await rig.verdict('tcp/kept', 'live')
    expect(older.origin).toBe('kept.yaml')
    expect(await monitor.failures()).toEqual([])
  })

  test('that ends while it is served: it stops by itself', async () => {
    const expiresAt = new Date(Date.now() + 1_500).toISOString()
    await rig.write('bad.yaml', { tcpRoutes: [tcp({ id: 'short', externalPort: rig.tcp[3], expiresAt })] })
    await rig.verdict('tcp/short', 'live')
    expect(await tcpName(port(rig.tcp, 3))).toBe('pg')
    expect(await rig.verdict('tcp/short', 'rejected')).toMatchObject({ reason: 'EXPIRED' })
    await waitFor(async () => (await tcpAsk(port(rig.tcp, 3), { timeoutMs: 500 })).kind === 'closed', {
      what: 'its port to close',
    })
    expect(await monitor.failures()).toEqual([])
  })

  test('with backends that are down: degraded, and live when they are back', async () => {
    /** A poll on a new connection has the agent look at Traefik, instead of at the next interval. */
    const looked = (verdict: Verdict) =>
      waitFor(
        async () => {
          await fetch(rig.endpoint.split('?')[0] ?? '', { headers: { connection: 'close' } }).then(poll => poll.text())
          return rig.status().routes.find(route => route.id === 'checked' && route.verdict === verdict)
        },
        { what: `the route to be ${verdict}`, timeoutMs: 30_000 },
      )
    const backend = await startTcpBackend({ name: 'checked' })
    const healthCheck = { interval: '500ms', timeout: '500ms' }
    await rig.write('bad.yaml', {
      tcpRoutes: [tcp({ id: 'checked', externalPort: rig.tcp[3], upstreams: [backend.address], healthCheck })],
    })
    await rig.verdict('tcp/checked', 'live')
    await backend.close()
    expect(await looked('degraded')).toMatchObject({
      reason: 'BACKEND_DOWN',
      message: `its only upstream is down: ${backend.address}`,
    })
    await startTcpBackend({ name: 'checked', port: backend.port })
    await looked('live')
    expect(await tcpName(port(rig.tcp, 3))).toBe('checked')
    expect(await monitor.failures()).toEqual([])
  })

  test('all of them at once cost nobody else anything', async () => {
    await rig.remove('bad.yaml')
    for (const { id, lists } of rows) await rig.write(`${id}.yaml`, lists(id))
    const told = () => rig.status().routes.filter(({ origin }) => origin !== 'kept.yaml')
    await waitFor(() => told().length === rows.length, { what: 'all of them to be told' })
    await rig.applied()
    await rig.verdict('tcp/disabled', 'refused')
    expect(
      told()
        .map(({ reason }) => reason)
        .toSorted(),
    ).toEqual(rows.map(({ reason }) => reason).toSorted())
    expect(rig.status().counts.live).toBe(4)
    expect(await monitor.failures()).toEqual([])
  })
})
