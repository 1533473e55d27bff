/** The agent against a control plane that is not ours, from its signed requests to the traffic, and none of its secrets anywhere. */
import { readdir, readFile, stat } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Rig, startRig } from '../support/agent-rig.ts'
import { startHttpBackend, startTcpBackend, startTlsBackend, startUdpBackend } from '../support/backends.ts'
import { selfSigned } from '../support/certificates.ts'
import { httpGet, tcpName, tlsPeerCertificate, udpAsk } from '../support/clients.ts'
import { type PlaneAnswer, startOtherControlPlane } from '../support/other-control-plane.ts'
import { part } from '../support/parts.ts'
import { waitFor } from '../support/wait-for.ts'

const TOKEN = 'provider-token-0123456789'
/** Stands in every place of the document in which a secret of somebody else may be. */
const CANARY = 'c4n4ry-0f-4n0th3r-p4rt'

/** What comes beside the routes. */
const OTHER_PARTS = {
  server: { id: 'server-7', wireguardPrivateKey: CANARY },
  secrets: [{ name: 'DATABASE_URL', value: `postgres://app:${CANARY}@10.200.1.5/app` }],
  deployments: { app: { env: { API_KEY: CANARY } } },
}

async function startEverything({ token }: { readonly token: string | null }) {
  const plane = await startOtherControlPlane()
  const [tcp, tls, udp, web, certificate] = await Promise.all([
    startTcpBackend({ name: 'tcp' }),
    startTlsBackend({ name: 'db.example.com' }),
    startUdpBackend({ name: 'udp' }),
    startHttpBackend({ name: 'web' }),
    selfSigned('app.example.com'),
  ])
  const rig = await startRig({
    ...(token === null ? {} : { token }),
    tcp: 2,
    entryPoints: { web: {}, websecure: {} },
    settings: { sources: { controlPlane: await plane.settings() } },
  })
  const [plain, shared] = rig.tcp
  const document = {
    ...OTHER_PARTS,
    traefik: {
      httpRoutes: [
        {
          id: 'app',
          serviceId: 'svc-app',
          domain: 'app.example.com',
          upstreams: [{ url: web.address, weight: 1 }],
          basicAuth: { users: [`admin:${CANARY}`] },
        },
        {
          id: 'bad',
          domain: 'bad.example.com',
          upstreams: [{ url: `http://user:${CANARY}@10.200.1.5:80`, weight: 1 }],
        },
      ],
      tcpRoutes: [
        { id: 'pg', serviceId: 'svc-pg', upstreams: [tcp.address], externalPort: plain, tlsPassthrough: false },
        {
          id: 'db',
          upstreams: [tls.address],
          externalPort: shared,
          tlsPassthrough: true,
          sniHostname: 'db.example.com',
        },
      ],
      udpRoutes: [{ id: 'dns', upstreams: [udp.address], externalPort: rig.udp[0], note: CANARY }],
      certificates: [
        { domain: 'app.example.com', certificate: certificate.cert, certificateKey: certificate.key },
        { domain: 'broken.example.com', certificate: certificate.cert, certificateKey: CANARY },
      ],
      challengeRoute: { controlPlaneUrl: plane.url },
      dnsProvider: { apiToken: CANARY },
    },
  }
  return { plane, rig, document, key: certificate.key }
}

/** Which of the routes serve, asked by a client of each. */
async function served({ tcp, udp, traefik }: Rig): Promise<readonly unknown[]> {
  const [plain = 0, shared = 0] = tcp
  const secure = { port: traefik.port('websecure'), host: 'app.example.com', tls: true }
  return [
    await tcpName(plain),
    await tlsPeerCertificate(shared, 'db.example.com'),
    await udpAsk(udp[0] ?? 0, 'x'),
    (await httpGet(secure)).body,
    await tlsPeerCertificate(secure.port, 'app.example.com'),
  ]
}

const ALL_SERVED = ['tcp', 'db.example.com', 'udp:x', 'web', 'app.example.com']

/** Waits for the fault of the only source, or for its end (null). */
const fault = (rig: Rig, code: string | null) =>
  waitFor(
    () => {
      const [source] = rig.status().sources
      return source !== undefined && (source.fault?.code ?? null) === code
    },
    { what: `the fault of the control plane to be ${code}, not ${rig.status().sources[0]?.fault?.code}` },
  )

/** GET of a path as it is written, without anything that a client would make of it. */
const getRaw = (port: number, path: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, headers: { host: 'app.example.com' } }, response => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    sent.on('error', reject)
    sent.end()
  })

describe.skipIf(!part('traefik') || !part('openssl'))('another control plane', () => {
  test('its routes, certificates and challenges are served', async () => {
    const { plane, rig, document } = await startEverything({ token: TOKEN })
    plane.serve(document)
    for (const key of ['tcp/pg', 'tcp/db', 'udp/dns', 'http/app']) await rig.verdict(key, 'live')
    expect(await rig.verdict('http/bad', 'rejected')).toMatchObject({ reason: 'UPSTREAM_INVALID' })
    expect(await served(rig)).toEqual(ALL_SERVED)

    const web = rig.traefik.port('web')
    const path = '/.well-known/acme-challenge/tok_en-1'
    for (const host of ['app.example.com', 'new.example.com'])
      expect(await httpGet({ port: web, host, path })).toMatchObject({ status: 200, body: 'tok_en-1.thumbprint' })
    const challenges = plane.requests().filter(asked => asked.path.startsWith('/api/v1/acme/'))
    expect(challenges.map(({ method, path, headers }) => [method, path, headers.host])).toEqual([
      ['GET', '/api/v1/acme/challenge/tok_en-1', plane.host],
      ['GET', '/api/v1/acme/challenge/tok_en-1', plane.host],
    ])
    // Other paths are redirected as ever, and TLS leads to the route.
    expect(await httpGet({ port: web, host: 'app.example.com', path: '/' })).toMatchObject({ status: 301 })

    const own = plane.requests().filter(asked => asked.path === '/api/v1/agent/expected-state')
    // Each was signed, was a plain GET, and asked for nothing that only ours knows; there is never a report.
    expect(new Set(own.map(({ method, status }) => `${method} ${status}`))).toEqual(new Set(['GET 503', 'GET 200']))
    expect(own.filter(({ headers }) => headers.prefer !== undefined || headers['if-none-match'] !== undefined)).toEqual(
      [],
    )
    expect(plane.requests().filter(({ method }) => method !== 'GET')).toEqual([])
  })

  test('its challenge route leads nowhere else', async () => {
    const { plane, rig, document } = await startEverything({ token: null })
    plane.serve(document)
    await rig.verdict('tcp/pg', 'live')
    const web = rig.traefik.port('web')
    const prefix = '/.well-known/acme-challenge'
    const evil = [
      '/',
      '/a/b',
      '/../../api/v1/users',
      '/..%2f..%2fapi%2fv1%2fusers',
      '/%2e%2e/%2e%2e/api',
      '/a?b=c',
      '/%41',
    ]
    for (const rest of evil) expect([200, 301, 400, 404]).toContain(await getRaw(web, `${prefix}${rest}`))
    const asked = plane.requests().flatMap(({ path }) => (path === '/api/v1/agent/expected-state' ? [] : [path]))
    expect(asked).toEqual(['/api/v1/acme/challenge/a?b=c', '/api/v1/acme/challenge/A'])
  })

  test('without a token the certificate is kept back', async () => {
    const { plane, rig, document } = await startEverything({ token: null })
    plane.serve(document)
    expect(await rig.verdict('http/app', 'degraded')).toMatchObject({ reason: 'CERTIFICATE_NEEDS_TOKEN' })
    expect(await served(rig)).toEqual(['tcp', 'db.example.com', 'udp:x', 'web', 'FAIRLEAD DEFAULT CERT'])
  })

  test('no fault of it takes a route away', async () => {
    const { plane, rig, document } = await startEverything({ token: TOKEN })
    plane.serve(document)
    await rig.verdict('http/app', 'live')
    const faults: readonly (readonly [code: string, answer: PlaneAnswer])[] = [
      ['SOURCE_HTTP_STATUS', { status: 500, body: `{"error":"${CANARY}"}` }],
      ['SOURCE_NOT_A_STATE', { status: 200, body: '{}' }],
      ['SOURCE_NOT_A_STATE', { status: 200, body: `{"traefik":{},"secrets":"${CANARY}"}` }],
      ['SOURCE_NOT_A_STATE', { status: 200, body: `{"traefik":{"httpRoutes":"${CANARY}"}}` }],
      ['SOURCE_MALFORMED', { status: 200, body: `<html>${CANARY}</html>` }],
      ['SOURCE_MALFORMED', { status: 200, body: JSON.stringify(document).slice(0, -20) }],
      ['SOURCE_CONTENT_TYPE', { status: 200, contentType: 'text/html', body: `<html>${CANARY}</html>` }],
      ['SOURCE_MALFORMED', { status: 200, body: '' }],
    ]
    for (const [code, answer] of faults) {
      plane.answer(answer)
      await fault(rig, code).catch(e =>
        console.log(String(e), JSON.stringify(answer).slice(0, 80), JSON.stringify(rig.status().sources)),
      )
      expect(await served(rig)).toEqual(ALL_SERVED)
      plane.serve(document)
      await fault(rig, null)
    }
    await plane.close()
    await fault(rig, 'SOURCE_REFUSED')
    expect(await served(rig)).toEqual(ALL_SERVED)
    // Neither a new agent nor a new Traefik needs it.
    await rig.stopAgent()
    await rig.traefik.stop()
    await rig.startAgent()
    await rig.traefik.restart()
    await rig.verdict('http/app', 'live')
    expect(await served(rig)).toEqual(ALL_SERVED)
    await plane.open()
    const [pg] = document.traefik.tcpRoutes
    plane.serve({ ...document, traefik: { ...document.traefik, tcpRoutes: [pg] } })
    await waitFor(async () => (await tlsPeerCertificate(rig.tcp[1] ?? 0, 'db.example.com')) === null, {
      what: 'the control plane to be heard again',
    })
  })

  test('a document without any route is held, certificates too', async () => {
    const { plane, rig, document } = await startEverything({ token: TOKEN })
    plane.serve(document)
    await rig.verdict('http/app', 'live')
    plane.serve({ traefik: { httpRoutes: [], tcpRoutes: [], udpRoutes: [] } })
    for (const key of ['tcp/pg', 'tcp/db', 'udp/dns', 'http/app'])
      expect(await rig.verdict(key, 'held')).toMatchObject({ reason: 'MASS_REMOVAL' })
    await rig.applied()
    expect(await served(rig)).toEqual(ALL_SERVED)
    await rig.stopAgent()
    await rig.startAgent()
    await rig.verdict('http/app', 'held')
    await rig.applied()
    expect(await served(rig)).toEqual(ALL_SERVED)
    plane.serve(document)
    await rig.verdict('http/app', 'live')
    expect(await served(rig)).toEqual(ALL_SERVED)
  })

  test('its secrets stand nowhere but in the private store', async () => {
    const { plane, rig, document, key } = await startEverything({ token: TOKEN })
    plane.serve(document)
    await rig.verdict('http/app', 'live')
    await rig.verdict('http/bad', 'rejected')
    plane.answer({ status: 500, body: `{"error":"${CANARY}"}` })
    await fault(rig, 'SOURCE_HTTP_STATUS')
    plane.serve({ traefik: { httpRoutes: CANARY } })
    await fault(rig, 'SOURCE_NOT_A_STATE')
    plane.answer({ status: 200, body: `{"secret":"${CANARY}",}` })
    await fault(rig, 'SOURCE_MALFORMED')

    const said: Record<string, string> = { log: JSON.stringify(rig.log()), traefik: rig.traefik.log() }
    for (const path of ['/status', '/metrics', '/readyz', '/explain/http/app', '/explain/http/bad', '/explain/tcp/pg'])
      said[path] = await (await fetch(`${rig.admin}${path}`)).text()
    said['/traefik'] = await (await fetch(rig.endpoint)).text()
    // A line of the key: its text is broken differently in JSON, YAML and PEM.
    const keyLine = key.split('\n')[1] ?? ''
    expect(keyLine.length).toBeGreaterThan(40)
    for (const [where, text] of Object.entries(said))
      expect([where, text.includes(CANARY), text.includes(keyLine)]).toEqual([where, false, false])

    const readState = async (): Promise<(readonly [file: string, text: string, mode: string])[]> => {
      const entries = await readdir(rig.folder, { recursive: true, withFileTypes: true })
      const paths = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
      return Promise.all(
        paths.map(async path => [path, await readFile(path, 'latin1'), ((await stat(path)).mode & 0o777).toString(8)]),
      )
    }
    // An old snapshot may be removed while it is read.
    const inState = await waitFor(readState, { what: 'a state that stands still' })
    expect(inState.filter(([, text]) => text.includes(CANARY))).toEqual([])
    const withKey = inState.filter(([, text]) => text.includes(keyLine))
    expect(withKey.length).toBeGreaterThan(0)
    expect(new Set(withKey.map(([, , mode]) => mode))).toEqual(new Set(['600']))
  })
})
