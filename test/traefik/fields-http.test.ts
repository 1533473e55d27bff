/** What the fields of an HTTP route do to its traffic. */
import { describe, expect, test } from 'vitest'
import { startRig } from '../support/agent-rig.ts'
import { startHttpBackend } from '../support/backends.ts'
import { httpRoute } from '../support/builders.ts'
import { httpGet } from '../support/clients.ts'
import { part } from '../support/parts.ts'

describe.skipIf(!part('traefik'))('fields of HTTP routes', () => {
  test('host and path choose the route, the more exact first', async () => {
    const names = ['root', 'api', 'deep', 'exact', 'wild']
    const backends = await Promise.all(names.map(name => startHttpBackend({ name })))
    const rig = await startRig({ entryPoints: { web: {}, websecure: {} } })
    const route = (id: string, fields: object) =>
      httpRoute({ id, upstreams: [{ url: backends[names.indexOf(id)]?.address }], ...fields })
    await rig.write('web.yaml', {
      routes: [
        route('root', {}),
        route('api', { pathPrefix: '/api' }),
        route('deep', { pathPrefix: '/api/v2' }),
        route('exact', { domain: 'exact.wild.example.com' }),
        route('wild', { domain: '*.wild.example.com', pathPrefix: '/long/path/of/a/wildcard' }),
      ],
    })
    for (const name of names) await rig.verdict(`http/${name}`, 'live')
    const port = rig.traefik.port('websecure')
    const asked: readonly (readonly [host: string, path: string, answer: string | number])[] = [
      ['app.example.com', '/', 'root'],
      ['APP.example.com', '/anything?q=/api', 'root'],
      ['app.example.com', '/api', 'api'],
      ['app.example.com', '/api/v1', 'api'],
      ['app.example.com', '/api/v2/users', 'deep'],
      ['exact.wild.example.com', '/long/path/of/a/wildcard', 'exact'],
      ['other.wild.example.com', '/long/path/of/a/wildcard', 'wild'],
      ['other.wild.example.com', '/', 404],
      ['a.b.wild.example.com', '/long/path/of/a/wildcard', 404],
      ['wild.example.com', '/long/path/of/a/wildcard', 404],
      ['elsewhere.example.com', '/', 404],
    ]
    const answers = asked.map(async ([host, path]) => {
      const { status, body } = await httpGet({ port, host, path, tls: true })
      return [host, path, status === 200 ? body : status]
    })
    expect(await Promise.all(answers)).toEqual(asked)
    // The backend is told by whom and for which host it was asked.
    expect(backends[2]?.requests()[0]).toMatchObject({
      path: '/api/v2/users',
      headers: { host: 'app.example.com', 'x-forwarded-proto': 'https', 'x-forwarded-for': '127.0.0.1' },
    })
  })

  test('weights part the requests', async () => {
    const [heavy, light] = await Promise.all([startHttpBackend({ name: 'heavy' }), startHttpBackend({ name: 'light' })])
    const rig = await startRig({ entryPoints: { web: {}, websecure: {} } })
    await rig.write('web.yaml', {
      routes: [
        httpRoute({
          upstreams: [
            { url: heavy.url, weight: 3 },
            { url: light.url, weight: 1 },
          ],
          redirectToHttps: false,
        }),
      ],
    })
    await rig.verdict('http/web', 'live')
    const port = rig.traefik.port('web')
    for (let i = 0; i < 40; i++) expect((await httpGet({ port, host: 'app.example.com' })).status).toBe(200)
    expect(heavy.hits() + light.hits()).toBe(40)
    expect(heavy.hits()).toBeGreaterThanOrEqual(28)
    expect(heavy.hits()).toBeLessThanOrEqual(32)
  })
})
