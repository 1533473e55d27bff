/** Certificates that come with the expected state: what answers on the TLS entry points, and when it changes. */
import { X509Certificate } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { startRig } from '../support/agent-rig.ts'
import { startHttpBackend, startTcpBackend } from '../support/backends.ts'
import { tcpRoute } from '../support/builders.ts'
import { selfSigned, type TestCertificate } from '../support/certificates.ts'
import { httpGet, tlsAsk, tlsPeerCertificate } from '../support/clients.ts'
import { type OtherControlPlane, startOtherControlPlane } from '../support/other-control-plane.ts'
import { part } from '../support/parts.ts'
import { waitFor } from '../support/wait-for.ts'

const DEFAULT = 'FAIRLEAD DEFAULT CERT'
const TOKEN = 'provider-token-0123456789'

const entry = (domain: string, { cert, key }: TestCertificate) => ({ domain, certificate: cert, certificateKey: key })

const startNode = async (plane: OtherControlPlane, token?: string) =>
  startRig({
    ...(token === undefined ? {} : { token }),
    entryPoints: { web: {}, websecure: {} },
    settings: { sources: { controlPlane: await plane.settings() } },
  })

/** Of the certificate that is shown now, to tell two for the same name apart. */
async function serialShown(port: number, name: string): Promise<string | null> {
  const answer = await tlsAsk(port, name, { greeting: false })
  return answer.kind === 'certificate' ? answer.certificate.serialNumber : null
}

describe.skipIf(!part('traefik') || !part('openssl'))('certificates of the expected state', () => {
  test('each name is answered with its certificate, renewals too', async () => {
    const [web, tcp, plane] = await Promise.all([
      startHttpBackend({ name: 'web' }),
      startTcpBackend({ name: 'tcp' }),
      startOtherControlPlane(),
    ])
    const [app, renewed, wild, db, broken] = await Promise.all(
      ['app.example.com', 'app.example.com', '*.wild.example.com', 'db.example.com', 'x.example.com'].map(selfSigned),
    )
    if (!app || !renewed || !wild || !db || !broken) throw new Error('five certificates')
    const rig = await startNode(plane, TOKEN)
    const [port = 0] = rig.tcp
    const routes = {
      httpRoutes: [
        { id: 'app', domain: 'app.example.com', upstreams: [{ url: web.address }] },
        { id: 'wild', domain: 'a.wild.example.com', upstreams: [{ url: web.address }] },
      ],
      tcpRoutes: [
        tcpRoute({
          id: 'db',
          externalPort: port,
          sniHostname: 'db.example.com',
          tls: 'terminate',
          upstreams: [tcp.address],
        }),
      ],
    }
    const others = [
      entry('*.wild.example.com', wild),
      entry('db.example.com', db),
      entry('x.example.com', { cert: broken.cert, key: db.key }),
      { domain: 'y.example.com', certificate: 'no PEM', certificateKey: 'no PEM' },
    ]
    plane.serve({ traefik: { ...routes, certificates: [entry('app.example.com', app), ...others] } })
    for (const key of ['http/app', 'http/wild', 'tcp/db']) await rig.verdict(key, 'live')
    const secure = rig.traefik.port('websecure')
    const shown = async (name: string) => tlsPeerCertificate(secure, name)
    expect([await shown('app.example.com'), await shown('a.wild.example.com'), await shown('z.example.com')]).toEqual([
      'app.example.com',
      '*.wild.example.com',
      DEFAULT,
    ])
    expect(await tlsAsk(port, 'db.example.com')).toMatchObject({ commonName: 'db.example.com', text: 'tcp' })
    expect(await httpGet({ port: secure, host: 'app.example.com', tls: true })).toMatchObject({ body: 'web' })
    // The two that cannot be used cost nobody anything, and are named.
    expect(rig.status().problems.map(({ field, value }) => [field, value])).toEqual([
      ['traefik.certificates[3]', 'x.example.com'],
      ['traefik.certificates[4]', 'y.example.com'],
    ])

    expect(await serialShown(secure, 'app.example.com')).toBe(new X509Certificate(app.cert).serialNumber)
    plane.serve({ traefik: { ...routes, certificates: [entry('app.example.com', renewed), ...others] } })
    const serial = new X509Certificate(renewed.cert).serialNumber
    await waitFor(async () => (await serialShown(secure, 'app.example.com')) === serial, {
      what: 'the renewed certificate',
    })

    plane.serve({ traefik: { ...routes, certificates: others } })
    await waitFor(async () => (await shown('app.example.com')) === DEFAULT, { what: 'the certificate to be gone' })
    expect(await shown('a.wild.example.com')).toBe('*.wild.example.com')
    expect((await rig.verdict('http/app', 'live')).reason).toBe('LIVE')
  })

  test('without a token a route lacks its certificate and says so', async () => {
    const [web, tcp, plane] = await Promise.all([
      startHttpBackend({ name: 'web' }),
      startTcpBackend({ name: 'tcp' }),
      startOtherControlPlane(),
    ])
    const [app, wild] = await Promise.all([selfSigned('app.example.com'), selfSigned('*.wild.example.com')])
    const rig = await startNode(plane)
    const [port = 0] = rig.tcp
    const http = (id: string, domain: string) => ({ id, domain, upstreams: [{ url: web.address }] })
    plane.serve({
      traefik: {
        httpRoutes: [
          http('app', 'app.example.com'),
          http('wild', 'a.wild.example.com'),
          http('bare', 'bare.example.com'),
        ],
        tcpRoutes: [
          tcpRoute({
            id: 'ended',
            externalPort: port,
            sniHostname: 'b.wild.example.com',
            tls: 'terminate',
            upstreams: [tcp.address],
          }),
        ],
        certificates: [entry('app.example.com', app), entry('*.wild.example.com', wild)],
      },
    })
    for (const key of ['http/app', 'http/wild', 'tcp/ended'])
      expect(await rig.verdict(key, 'degraded')).toMatchObject({ reason: 'CERTIFICATE_NEEDS_TOKEN' })
    await rig.verdict('http/bare', 'live')
    const secure = rig.traefik.port('websecure')
    expect(await tlsPeerCertificate(secure, 'app.example.com')).toBe(DEFAULT)
    // It serves all the same.
    expect(await httpGet({ port: secure, host: 'app.example.com', tls: true })).toMatchObject({ body: 'web' })
    const body = JSON.parse(await (await fetch(rig.endpoint.replace(/\?.*/, ''))).text())
    expect(Object.keys(body.tls)).toEqual(['stores'])
    for (const { key } of [app, wild]) expect(JSON.stringify(body)).not.toContain(JSON.stringify(key).slice(40, 80))
  })
})
