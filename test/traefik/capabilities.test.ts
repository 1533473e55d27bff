/**
 * The table in core/capabilities.ts, measured again: on the Traefik of the tests, on those of other versions that lie in the cache
 * (`node scripts/traefik.ts --all` gets them), and on those in FAIRLEAD_TEST_TRAEFIKS, a list of paths parted by colons.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { capabilitiesOf } from '../../src/core/capabilities.ts'
import { findTraefik } from '../../src/lib/traefik-binary.ts'
import { cachedTraefik, KNOWN_VERSIONS } from '../../src/lib/traefik-pinned.ts'
import { startHttpBackend, startTcpBackend, startTlsBackend, startUdpBackend } from '../support/backends.ts'
import { selfSigned } from '../support/certificates.ts'
import { httpGet, tcpAsk, tcpName, tlsAsk, tlsPeerCertificate, udpAsk } from '../support/clients.ts'
import { offer } from '../support/offer.ts'
import { part } from '../support/parts.ts'
import { startScriptedProvider } from '../support/scripted-provider.ts'
import { startTraefik, testTraefikBinary } from '../support/traefik.ts'
import { waitFor } from '../support/wait-for.ts'

const ready = part('traefik') && part('openssl')

async function binaries(): Promise<{ version: string; binary: string }[]> {
  if (!ready) return [{ version: 'none', binary: '' }]
  const cached = await Promise.all(
    KNOWN_VERSIONS.map(version => cachedTraefik({ env: process.env, version, arch: process.arch, onSlow: () => {} })),
  )
  const listed = (process.env.FAIRLEAD_TEST_TRAEFIKS ?? '').split(':').filter(path => path !== '')
  const paths = [
    await testTraefikBinary(),
    ...cached.flatMap(found => ('path' in found ? [found.path] : [])),
    ...listed,
  ]
  const byVersion = new Map<string, string>()
  for (const binary of paths) {
    const found = await findTraefik({ env: { TRAEFIK_BIN: binary }, prefer: 'pinned' })
    if (found.found && !byVersion.has(found.version)) byVersion.set(found.version, binary)
  }
  return [...byVersion].map(([version, binary]) => ({ version, binary }))
}

const ANY = 'HostSNI(`*`)'
const HEALTH_CHECK = { interval: '100ms', timeout: '100ms' }
const PROXY_V2 = '0d0a0d0a000d0a515549540a'

const servers = (...addresses: string[]) => addresses.map(address => ({ address }))
const toServers = (...addresses: string[]) => ({ loadBalancer: { servers: servers(...addresses) } })

describe.skipIf(!ready).each(await binaries())('Traefik $version', ({ version, binary }) => {
  const can = capabilitiesOf(version)

  async function start() {
    const provider = await startScriptedProvider()
    const entryPoints = { web: {}, websecure: {} }
    const traefik = await startTraefik({ endpoint: provider.url, tcp: 1, udp: 1, entryPoints, binary })
    const [port = 0, udpPort = 0] = [...traefik.tcp, ...traefik.udp]
    const router = (rule: string, service: string, more: object = {}) => ({
      entryPoints: [`tcp-${port}`],
      rule,
      service,
      priority: 1,
      ...more,
    })
    const udpRouter = (service: string) => ({ entryPoints: [`udp-${udpPort}`], service })
    return { traefik, port, udpPort, router, udpRouter, offer: offer.bind(null, traefik, provider) }
  }

  type Node = Awaited<ReturnType<typeof start>>
  const statusOf = ({ traefik }: Node, path: string) => traefik.get(`/api/${path}@http`)

  // One for all tests whose bodies are taken. After a refused one Traefik waits before it asks again: those tests start their own.
  let node: Node
  beforeAll(async () => {
    node = await start()
  })
  afterAll(() => node.traefik.stop())

  test('hostSniWildcard: such a rule is taken, or disabled', async () => {
    const upstream = await startTlsBackend({ name: 'db.example.com' })
    const services = { s: toServers(upstream.address) }
    const passthrough = { tls: { passthrough: true } }
    const wildcard = node.router('HostSNI(`*.example.com`)', 's', passthrough)
    expect(await node.offer({ tcp: { routers: { r: wildcard }, services } })).toBe('applied')
    expect(await statusOf(node, 'tcp/routers/r')).toMatchObject({
      status: can.hostSniWildcard ? 'enabled' : 'disabled',
    })
    if (can.hostSniWildcard) expect(await tlsPeerCertificate(node.port, 'a.example.com')).toBe('db.example.com')
  })

  test('a host name expression stands for the wildcard', async () => {
    const upstream = await startTlsBackend({ name: 'db.example.com' })
    const expression = node.router('HostSNIRegexp(`^[^.]+\\.example\\.com$`)', 's', { tls: { passthrough: true } })
    const services = { s: toServers(upstream.address) }
    expect(await node.offer({ tcp: { routers: { r: expression }, services } })).toBe('applied')
    const names = ['a.example.com', 'A.EXAMPLE.com', 'a.b.example.com', 'example.com', 'aexample.com']
    const answered = await Promise.all(names.map(name => tlsPeerCertificate(node.port, name)))
    const traefiks = 'TRAEFIK DEFAULT CERT'
    expect(answered).toEqual(['db.example.com', 'db.example.com', traefiks, traefiks, traefiks])
  })

  test('tcpHealthCheck: a dead server is seen, or the body is refused', async () => {
    const node = await start()
    const [live, dead] = [await startTcpBackend({ name: 'live' }), await startTcpBackend({ name: 'dead' })]
    await dead.close()
    const service = { loadBalancer: { servers: servers(live.address, dead.address), healthCheck: HEALTH_CHECK } }
    const outcome = await node.offer({ tcp: { routers: { r: node.router(ANY, 's') }, services: { s: service } } })
    if (!can.tcpHealthCheck) return expect(outcome).toBe('refused: field not found, node: healthCheck')
    expect(outcome).toBe('applied')
    const expected = { [live.address]: 'UP', [dead.address]: 'DOWN' }
    await waitFor(
      async () => {
        expect(await statusOf(node, 'tcp/services/s')).toMatchObject({ serverStatus: expected })
        return true
      },
      { what: 'the dead server to be DOWN' },
    )
    const answers = [await tcpName(node.port), await tcpName(node.port), await tcpName(node.port)]
    expect(answers).toEqual(['live', 'live', 'live'])
  })

  // Where there is none nothing is left out: such a version refuses the field, which the test above says.
  const withHealthCheck = can.tcpHealthCheck ? test : () => {}

  withHealthCheck('a weighted service needs a health check of its own', async () => {
    const [live, dead] = [await startTcpBackend({ name: 'live' }), await startTcpBackend({ name: 'dead' })]
    await dead.close()
    const checked = (address: string) => ({ loadBalancer: { servers: servers(address), healthCheck: HEALTH_CHECK } })
    const children = [
      { name: 'live', weight: 1 },
      { name: 'dead', weight: 1 },
    ]
    const answersWith = async (parent: object) => {
      const services = {
        live: checked(live.address),
        dead: checked(dead.address),
        w: { weighted: { services: children, ...parent } },
      }
      expect(await node.offer({ tcp: { routers: { r: node.router(ANY, 'w') }, services } })).toBe('applied')
      await waitFor(
        async () => {
          expect(await statusOf(node, 'tcp/services/dead')).toMatchObject({ serverStatus: { [dead.address]: 'DOWN' } })
          return true
        },
        { what: 'the dead child to be DOWN' },
      )
      const answers = []
      for (let asked = 0; asked < 4; asked += 1) answers.push(await tcpName(node.port))
      return answers.sort()
    }
    expect(await answersWith({})).toEqual(['closed', 'closed', 'live', 'live'])
    expect(await answersWith({ healthCheck: {} })).toEqual(['live', 'live', 'live', 'live'])
  })

  withHealthCheck('a child without a health check disables the checked parent', async () => {
    const live = await startTcpBackend({ name: 'live' })
    const weighted = { weighted: { services: [{ name: 'live', weight: 1 }], healthCheck: {} } }
    const services = { live: toServers(live.address), w: weighted }
    expect(await node.offer({ tcp: { routers: { r: node.router(ANY, 'w') }, services } })).toBe('applied')
    expect(await statusOf(node, 'tcp/routers/r')).toMatchObject({ status: 'disabled' })
  })

  test('serversTransportProxyProtocol: the header arrives, or the body is refused', async () => {
    const node = await start()
    const upstream = await startTcpBackend({ name: 'upstream', speak: 'answer' })
    const service = { loadBalancer: { servers: servers(upstream.address), serversTransport: 't' } }
    const serversTransports = { t: { dialTimeout: '5s', proxyProtocol: { version: 2 } } }
    const tcp = { routers: { r: node.router(ANY, 's') }, services: { s: service }, serversTransports }
    const outcome = await node.offer({ tcp })
    if (!can.serversTransportProxyProtocol) return expect(outcome).toBe('refused: field not found, node: proxyProtocol')
    expect(outcome).toBe('applied')
    await tcpAsk(node.port, { send: 'hello\n' })
    expect(upstream.received().subarray(0, 12).toString('hex')).toBe(PROXY_V2)
  })

  test('the PROXY header of a load balancer without transport arrives', async () => {
    const upstream = await startTcpBackend({ name: 'upstream', speak: 'answer' })
    const service = { loadBalancer: { servers: servers(upstream.address), proxyProtocol: { version: 2 } } }
    expect(await node.offer({ tcp: { routers: { r: node.router(ANY, 's') }, services: { s: service } } })).toBe(
      'applied',
    )
    await tcpAsk(node.port, { send: 'hello\n' })
    expect(upstream.received().subarray(0, 12).toString('hex')).toBe(PROXY_V2)
  })

  test('a transport hides the PROXY header where it has its own', async () => {
    const upstream = await startTcpBackend({ name: 'upstream', speak: 'answer' })
    const loadBalancer = { servers: servers(upstream.address), serversTransport: 't', proxyProtocol: { version: 1 } }
    const serversTransports = { t: { dialTimeout: '5s' } }
    const tcp = { routers: { r: node.router(ANY, 's') }, services: { s: { loadBalancer } }, serversTransports }
    expect(await node.offer({ tcp })).toBe('applied')
    await tcpAsk(node.port, { send: 'hello\n' })
    const first = upstream.received().toString('latin1').split(' ')[0]
    expect(first).toBe(can.serversTransportProxyProtocol ? 'hello\n' : 'PROXY')
  })

  test('every supported version takes all other fields', async () => {
    const [web, tcp, udp] = [
      await startHttpBackend({ name: 'web' }),
      await startTcpBackend({ name: 'tcp' }),
      await startUdpBackend({ name: 'udp' }),
    ]
    const { cert, key } = await selfSigned('a.test')
    const http = (more: object) => ({ rule: 'Host(`a.test`)', service: 'web', priority: 10_000, ...more })
    const body = {
      http: {
        routers: {
          plain: http({ entryPoints: ['web'], middlewares: ['redirect'] }),
          secure: http({ entryPoints: ['websecure'], tls: { options: 'default' } }),
        },
        middlewares: { redirect: { redirectScheme: { scheme: 'https', permanent: true, port: '8443' } } },
        services: {
          web: {
            loadBalancer: {
              servers: [{ url: web.url, weight: 2 }],
              passHostHeader: true,
              healthCheck: { path: '/', interval: '1s', timeout: '1s' },
            },
          },
        },
      },
      tcp: {
        routers: {
          plain: node.router(ANY, 'weighted', { middlewares: ['near', 'few'] }),
          ended: node.router('HostSNI(`a.test`)', 'one', { priority: 300, tls: { passthrough: false } }),
        },
        middlewares: {
          near: { ipAllowList: { sourceRange: ['127.0.0.0/8'] } },
          few: { inFlightConn: { amount: 10 } },
        },
        services: {
          one: { loadBalancer: { servers: servers(tcp.address), serversTransport: 't' } },
          weighted: { weighted: { services: [{ name: 'one', weight: 3 }] } },
        },
        serversTransports: { t: { dialTimeout: '5s' } },
      },
      udp: {
        routers: { r: node.udpRouter('weighted') },
        services: { one: toServers(udp.address), weighted: { weighted: { services: [{ name: 'one', weight: 3 }] } } },
      },
      tls: { certificates: [{ certFile: cert, keyFile: key }] },
    }
    expect(await node.offer(body)).toBe('applied')
    const redirected = await httpGet({ port: node.traefik.port('web'), host: 'a.test', path: '/x?y=1' })
    expect([redirected.status, redirected.headers.location]).toEqual([301, 'https://a.test:8443/x?y=1'])
    const secure = { port: node.traefik.port('websecure'), host: 'a.test', tls: true }
    expect((await httpGet(secure)).body).toBe('web')
    expect(await tlsPeerCertificate(secure.port, 'a.test')).toBe('a.test')
    expect(await tlsAsk(node.port, 'a.test')).toMatchObject({ commonName: 'a.test', text: 'tcp' })
    // Beside a TLS router Traefik waits for the client's first bytes.
    expect(await tcpName(node.port, { send: 'hello\n' })).toBe('tcp')
    expect(await udpAsk(node.udpPort, 'hello')).toBe('udp:hello')
  })

  test('two catch-alls, plain and TLS, share an entry point', async () => {
    const [plain, named, other] = [
      await startTcpBackend({ name: 'plain', speak: 'answer' }),
      await startTlsBackend({ name: 'named.example.com' }),
      await startTlsBackend({ name: 'other.example.com' }),
    ]
    const passthrough = { tls: { passthrough: true } }
    const routers = {
      plain: node.router(ANY, 'plain'),
      other: node.router(ANY, 'other', passthrough),
      named: node.router('HostSNI(`named.example.com`)', 'named', { ...passthrough, priority: 300 }),
    }
    const services = {
      plain: toServers(plain.address),
      named: toServers(named.address),
      other: toServers(other.address),
    }
    expect(await node.offer({ tcp: { routers, services } })).toBe('applied')
    expect(await tcpName(node.port, { send: 'hello\n' })).toBe('plain')
    expect(await tlsPeerCertificate(node.port, 'named.example.com')).toBe('named.example.com')
    expect(await tlsPeerCertificate(node.port, 'unknown.example.com')).toBe('other.example.com')
    expect(await tlsPeerCertificate(node.port, null)).toBe('other.example.com')
  })

  test('tombstones close at once, with and without SNI routes', async () => {
    const named = await startTlsBackend({ name: 'named.example.com' })
    const passthrough = { tls: { passthrough: true } }
    const buried = node.router(ANY, 'none', { priority: -1000 })
    const none = { loadBalancer: { servers: [] } }
    expect(await node.offer({ tcp: { routers: { buried }, services: { none } } })).toBe('applied')
    expect(await tcpAsk(node.port)).toEqual({ kind: 'closed' })

    const buriedTls = node.router(ANY, 'none', { ...passthrough, priority: -1000 })
    const live = node.router('HostSNI(`named.example.com`)', 'named', { ...passthrough, priority: 300 })
    const services = { none, named: toServers(named.address) }
    expect(await node.offer({ tcp: { routers: { buried, buriedTls, live }, services } })).toBe('applied')
    expect(await tlsPeerCertificate(node.port, 'named.example.com')).toBe('named.example.com')
    expect(await tlsAsk(node.port, 'wrong.example.com')).toEqual({ kind: 'closed' })
    expect(await tlsAsk(node.port, null)).toEqual({ kind: 'closed' })
    expect(await tcpAsk(node.port, { send: 'hello\n' })).toEqual({ kind: 'closed' })
  })

  test('a UDP tombstone silences what a removal does not', async () => {
    const upstream = await startUdpBackend({ name: 'udp' })
    const live = { routers: { r: node.udpRouter('s') }, services: { s: toServers(upstream.address) } }
    expect(await node.offer({ udp: live })).toBe('applied')
    expect(await udpAsk(node.udpPort, 'hello')).toBe('udp:hello')
    expect(await node.offer({})).toBe('applied')
    expect(await udpAsk(node.udpPort, 'again')).toBe('udp:again')
    const buried = { routers: { r: node.udpRouter('none') }, services: { none: { loadBalancer: { servers: [] } } } }
    expect(await node.offer({ udp: buried })).toBe('applied')
    expect(await udpAsk(node.udpPort, 'gone', 300)).toBeNull()
  })
})
