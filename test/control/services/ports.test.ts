import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { onEachDatabase } from '../../support/database.ts'
import { type ServiceScene, serviceScene } from './service-scene.ts'

onEachDatabase('ports of services', use => {
  let scene: ServiceScene
  beforeEach(async () => {
    scene = await serviceScene(use())
  })
  afterEach(() => scene.close())

  type Made = { readonly id: string; readonly port: string; readonly path: string }

  /** A service with one port. */
  async function made(port: object, name = 'a', ask = scene.admin): Promise<Made> {
    const { id, ports } = await scene.service({ name, endpoints: [{ address: '10.0.0.1' }], ports: [port] }, ask)
    return { id, port: ports[0].id, path: `/services/${id}/ports/${ports[0].id}` }
  }
  const tcp = (more: object = {}) => ({ port: 5432, protocol: 'tcp', ...more })
  const externals = async () =>
    (await scene.routes()).tcpRoutes.map(route => `${route.externalPort} ${route.sniHostname ?? '*'}`)

  describe('a new one', () => {
    test('gets the lowest free number, the wanted one, or a block', async () => {
      const { id } = await made(tcp({ externalPort: 10_001 }))
      const add = async (port: object) => (await scene.admin('POST', `/services/${id}/ports`, port)).json
      expect((await add(tcp())).externalPort).toBe(10_000)
      expect(await add(tcp({ externalPort: 10_003, externalPortEnd: 10_004 }))).toMatchObject({
        externalPort: 10_003,
        externalPortEnd: 10_004,
        address: 'proxy.example.com:10003-10004',
      })
      expect(await scene.claims()).toEqual([
        'tcp 10000 used a',
        'tcp 10001 used a',
        'tcp 10003 used a',
        'tcp 10004 used a',
      ])
    })

    test.each([
      ['PORT_TAKEN', 409, tcp({ externalPort: 10_000 }), 'externalPort'],
      ['PORT_OUT_OF_RANGE', 422, tcp({ externalPort: 9000 }), 'externalPort'],
      ['PORT_RESERVED', 409, tcp({ externalPort: 10_005 }), 'externalPort'],
      ['PORT_SHARED', 409, tcp({ externalPort: 443 }), 'externalPort'],
      ['PORT_NOT_SHARED', 409, tcp({ shared: 10_001, sniHostname: 'a.example.com' }), 'shared'],
      ['SNI_TAKEN', 409, tcp({ shared: 443, sniHostname: 'A.example.com.' }), 'sniHostname'],
      ['DOMAIN_TAKEN', 409, { port: 80, protocol: 'http', domain: 'app.example.com', pathPrefix: '/api' }, 'domain'],
    ])('is refused with %s', async (code, status, port, field) => {
      const { id } = await made(tcp())
      await scene.admin('POST', `/services/${id}/ports`, tcp({ shared: 443, sniHostname: 'a.example.com' }))
      await scene.admin('POST', `/services/${id}/ports`, {
        port: 80,
        protocol: 'http',
        domain: 'app.example.com',
        pathPrefix: '/api',
      })
      const before = await scene.claims()
      const reply = await scene.admin('POST', `/services/${id}/ports`, port)
      expect([reply.status, reply.json.code, reply.json.fields.map((one: { field: string }) => one.field)]).toEqual([
        status,
        code,
        [field],
      ])
      expect(await scene.claims()).toEqual(before)
    })

    test('is refused when the pool is empty, with what rests and what blocks', async () => {
      await scene.node('proxy-1')
      const { id, path } = await made(tcp({ externalPort: 10_000, externalPortEnd: 10_004 }))
      await scene.fetched()
      await scene.admin('DELETE', path)
      const other = await scene.tenant('other')
      const reply = await other.ask('POST', '/services', { name: 'b', ports: [tcp()] })
      expect(reply.json).toMatchObject({
        status: 409,
        code: 'POOL_EXHAUSTED',
        detail: expect.stringMatching(
          /^no TCP port of 10000-10005 is free: 0 of 6 are used, 5 rest, 1 are reserved; what rests rests until proxy-1 acknowledged the release/,
        ),
        counts: { total: 6, free: 0, used: 0, resting: 5, reserved: 1, shared: 0, undeclared: 0 },
        blockedBy: [{ nodeId: 'proxy-1', nodeName: 'proxy-1', status: 'active', lastSeenAt: null }],
      })
      // Who had them may have them back.
      expect((await scene.admin('POST', `/services/${id}/ports`, tcp())).json.externalPort).toBe(10_000)
    })

    test('is refused beyond the quota of its project', async () => {
      const { projectId, ask } = await scene.tenant('small')
      await scene.admin('PATCH', `/projects/${projectId}`, { portQuota: 2 })
      const { id } = await scene.service(
        { name: 'a', ports: [tcp(), tcp({ shared: 443, sniHostname: 'a.example.com' })] },
        ask,
      )
      const reply = await ask('POST', `/services/${id}/ports`, tcp())
      expect([reply.status, reply.json.code]).toEqual([409, 'QUOTA_EXCEEDED'])
      expect(
        (await ask('POST', `/services/${id}/ports`, { port: 80, protocol: 'http', domain: 'b.example.com' })).status,
      ).toBe(201)
      expect((await ask('GET', `/projects/${projectId}`)).json).toMatchObject({
        portQuota: 2,
        portsUsed: 2,
        services: 1,
      })
    })

    test('of a domain is refused beyond the quota of its project', async () => {
      const { projectId, ask } = await scene.tenant('small')
      await scene.admin('PATCH', `/projects/${projectId}`, { domainQuota: 2 })
      const http = (domain: string, more: object = {}) => ({ port: 80, protocol: 'http', domain, ...more })
      const { id, ports } = await scene.service(
        { name: 'a', ports: [http('a.example.com'), http('a.example.com', { pathPrefix: '/b', isPublic: false })] },
        ask,
      )
      const add = (port: object) => ask('POST', `/services/${id}/ports`, port)
      const refused = await add(http('c.example.com'))
      expect([refused.status, refused.json.code, refused.json.fields]).toEqual([
        409,
        'QUOTA_EXCEEDED',
        [
          {
            field: 'domain',
            code: 'QUOTA_EXCEEDED',
            message: 'the project has 2 domains and may have 2',
            value: 'c.example.com',
            remedy: 'Delete a port with a domain, or ask an admin for a higher domainQuota.',
          },
        ],
      ])
      const more = await ask('POST', '/services', { name: 'b', ports: [http('c.example.com')] })
      expect([more.status, more.json.code]).toEqual([409, 'QUOTA_EXCEEDED'])
      // Numbers are counted for themselves, and who has a domain may change it, even when the quota went down meanwhile.
      expect((await add(tcp())).status).toBe(201)
      await scene.admin('PATCH', `/projects/${projectId}`, { domainQuota: 1 })
      const path = `/services/${id}/ports/${ports[0].id}`
      expect((await ask('PATCH', path, { domain: 'd.example.com' })).json.domain).toBe('d.example.com')
      expect((await ask('GET', `/projects/${projectId}`)).json).toMatchObject({ domainQuota: 1, domainsUsed: 2 })
      await ask('DELETE', path)
      expect((await add(http('c.example.com'))).json.code).toBe('QUOTA_EXCEEDED')
      await scene.admin('PATCH', `/projects/${projectId}`, { domainQuota: null })
      expect((await add(http('c.example.com'))).status).toBe(201)
    })

    test('gets only a number that every active node has opened', async () => {
      await scene.node('proxy-1', { entryPoints: [':10000', ':10002', ':443'] })
      await scene.node('proxy-2', { entryPoints: [':10001', ':10002', ':10002/udp', ':5432'] })
      await scene.node('proxy-3')
      const { id } = await made(tcp())
      expect(await externals()).toEqual(['10002 *'])
      const add = async (port: object) => (await scene.admin('POST', `/services/${id}/ports`, port)).json.code
      expect(await add(tcp({ externalPort: 10_000 }))).toBe('PORT_UNDECLARED')
      expect(await add(tcp({ shared: 443, sniHostname: 'a.example.com' }))).toBe('PORT_UNDECLARED')
      expect(await add({ port: 53, protocol: 'udp' })).toBe('POOL_EXHAUSTED')
    })
  })

  describe('a change', () => {
    test('of the number gives back the old one with the new', async () => {
      const { path, port } = await made(tcp())
      await scene.fetched()
      await scene.node('proxy-1', { openConnections: { [port]: 7 } })
      const reply = await scene.admin('PATCH', path, { externalPort: 10_003 }, { 'if-match': '"v1"' })
      expect([reply.status, reply.headers.etag, reply.json.externalPort, reply.json.openConnections]).toEqual([
        200,
        '"v2"',
        10_003,
        [{ nodeId: 'proxy-1', nodeName: 'proxy-1', connections: 7 }],
      ])
      expect(await scene.claims()).toEqual(['tcp 10000 resting', 'tcp 10003 used a'])
      expect((await scene.audit()).at(-1)).toEqual({ action: 'port.update', id: port, told: true, removed: [] })
    })

    test('that cannot be made leaves everything as it was', async () => {
      await made(tcp({ externalPort: 10_001 }), 'b')
      const { path, port } = await made(tcp())
      const before = [await scene.claims(), await scene.routes(), await scene.audit()]
      for (const patch of [
        { externalPort: 10_001 },
        { shared: 10_002, sniHostname: 'a.example.com' },
        { protocol: 'udp', externalPort: 10_000 },
        { externalPort: 10_003, externalPortEnd: 10_009 },
        { externalPort: 10_002, tls: 'none', sniHostname: 'a.example.com' },
      ])
        expect((await scene.admin('PATCH', path, patch)).status).toBeGreaterThanOrEqual(409)
      expect([await scene.claims(), await scene.routes(), await scene.audit()]).toEqual(before)
      expect((await scene.admin('GET', path)).json).toMatchObject({ id: port, version: 1, externalPort: 10_000 })
    })

    test('of the protocol takes a number there, and drops what cannot apply', async () => {
      const { path, port } = await made(
        tcp({ allowCidrs: ['10.0.0.0/8'], sniHostname: 'a.example.com', healthCheck: {} }),
      )
      const reply = await scene.admin('PATCH', path, { protocol: 'udp' })
      expect(reply.json).toMatchObject({
        protocol: 'udp',
        externalPort: 11_000,
        allowCidrs: [],
        sniHostname: null,
        healthCheck: null,
        tls: null,
      })
      expect(await scene.claims()).toEqual(['udp 11000 used a'])
      // An id names a route within its protocol: nodes may let go of the other one.
      expect((await scene.audit()).at(-1)).toMatchObject({ action: 'port.update', removed: [`tcp/${port}`] })
      const http = await scene.admin('PATCH', path, { protocol: 'http', domain: 'a.example.com' })
      expect(http.json).toMatchObject({
        protocol: 'http',
        externalPort: null,
        domain: 'a.example.com',
        pathPrefix: '/',
        address: 'a.example.com',
      })
      expect(await scene.claims()).toEqual([])
    })

    test('to not public gives the number back, and back takes one again', async () => {
      const { path, port } = await made(tcp({ externalPort: 10_002, sniHostname: 'a.example.com' }))
      const hidden = await scene.admin('PATCH', path, { isPublic: false })
      expect(hidden.json).toMatchObject({
        isPublic: false,
        externalPort: null,
        address: null,
        connect: [],
        verdict: null,
        sniHostname: 'a.example.com',
      })
      expect((await scene.audit()).at(-1)).toMatchObject({ action: 'port.update', removed: [port] })
      expect([await scene.claims(), await externals()]).toEqual([[], []])
      expect((await scene.admin('PATCH', path, { isPublic: true })).json).toMatchObject({
        externalPort: 10_000,
        tls: 'passthrough',
      })
      expect((await scene.audit()).at(-1)).toMatchObject({ action: 'port.update', removed: [] })
    })

    test('from a shared number to one of its own, and back', async () => {
      const { path } = await made(tcp({ shared: 443, sniHostname: 'a.example.com' }))
      expect((await scene.admin('PATCH', path, { sniHostname: 'b.example.com' })).json).toMatchObject({
        shared: 443,
        externalPort: 443,
      })
      expect(await scene.claims()).toEqual(['tcp 443 b.example.com used a'])
      expect((await scene.admin('PATCH', path, { externalPort: 10_001 })).json).toMatchObject({
        shared: null,
        externalPort: 10_001,
      })
      expect(await scene.claims()).toEqual(['tcp 10001 used a'])
      expect((await scene.admin('PATCH', path, { shared: 5432 })).json).toMatchObject({
        shared: 5432,
        externalPort: 5432,
      })
      expect((await scene.admin('PATCH', path, { shared: null })).json).toMatchObject({
        shared: null,
        externalPort: 10_000,
      })
      expect((await scene.admin('PATCH', path, { shared: 443, sniHostname: null })).json.fields).toMatchObject([
        { field: 'sniHostname' },
      ])
    })

    test('of TLS follows the host name', async () => {
      const { path } = await made(tcp())
      const tlsAfter = async (patch: object) => {
        const { tls, sniHostname, certResolver, code } = (await scene.admin('PATCH', path, patch)).json
        return code ?? [tls, sniHostname, certResolver].filter(part => part !== null).join(' ')
      }
      expect(await tlsAfter({ sniHostname: 'a.example.com' })).toBe('passthrough a.example.com')
      expect(await tlsAfter({ tls: 'terminate', certResolver: 'le' })).toBe('terminate a.example.com le')
      expect(await tlsAfter({ sniHostname: 'b.example.com' })).toBe('terminate b.example.com le')
      expect(await tlsAfter({ tlsPassthrough: false })).toBe('terminate b.example.com le')
      expect(await tlsAfter({ tls: 'none' })).toBe('BODY_INVALID')
      expect(await tlsAfter({ tlsPassthrough: true })).toBe('passthrough b.example.com')
      expect(await tlsAfter({ sniHostname: null })).toBe('none')
      expect(await tlsAfter({ tlsPassthrough: true })).toBe('passthrough')
      expect(await tlsAfter({ tls: null })).toBe('none')
    })

    test('of a block keeps its beginning', async () => {
      const { path } = await made({ port: 5000, protocol: 'udp', externalPort: 11_000, externalPortEnd: 11_001 })
      expect((await scene.admin('PATCH', path, { externalPortEnd: 11_002 })).json).toMatchObject({
        externalPort: 11_000,
        externalPortEnd: 11_002,
      })
      expect(await scene.claims()).toEqual(['udp 11000 used a', 'udp 11001 used a', 'udp 11002 used a'])
      expect((await scene.admin('PATCH', path, { externalPortEnd: null })).json).toMatchObject({
        externalPort: 11_000,
        externalPortEnd: null,
      })
      expect(await scene.claims()).toEqual(['udp 11000 used a'])
    })

    test('that changes nothing is none', async () => {
      const { path } = await made(
        tcp({ sniHostname: 'a.example.com', healthCheck: { interval: '3s' }, probe: true, preset: 'redis' }),
      )
      const before = await scene.audit()
      for (const patch of [
        {},
        { externalPort: null },
        { externalPort: 10_000 },
        { port: 5432 },
        { sniHostname: 'A.example.com.' },
        { healthCheck: { interval: '3s' } },
      ])
        expect((await scene.admin('PATCH', path, patch)).headers.etag).toBe('"v1"')
      expect(await scene.audit()).toEqual(before)
    })

    test('by two at once is told to the second', async () => {
      const { path } = await made(tcp())
      const replies = await Promise.all(
        ['10.0.0.0/8', '11.0.0.0/8'].map(cidr =>
          scene.admin('PATCH', path, { allowCidrs: [cidr] }, { 'if-match': '"v1"' }),
        ),
      )
      expect(replies.map(({ status }) => status).sort()).toEqual([200, 412])
    })

    test('keeps the time of the claim, unless the claim is another', async () => {
      const { path } = await made(tcp({ sniHostname: 'a.example.com' }))
      const claimedAt = async () => (await scene.routes()).tcpRoutes[0]?.claimedAt
      const first = await claimedAt()
      await scene.admin('PATCH', path, { allowCidrs: ['10.0.0.0/8'], sniHostname: 'b.example.com', port: 1 })
      expect(await claimedAt()).toBe(first)
      await scene.admin('PATCH', path, { externalPort: 10_004 })
      const second = await claimedAt()
      expect(Date.parse(second ?? '')).toBeGreaterThan(Date.parse(first ?? ''))
      await scene.admin('PATCH', path, { externalPort: 10_000 })
      expect(Date.parse((await claimedAt()) ?? '')).toBeGreaterThan(Date.parse(second ?? ''))
    })

    test('is possible after the settings have become stricter', async () => {
      const { path } = await made(tcp())
      await scene.close()
      scene = await serviceScene(use(), 'policy: { denyUpstreams: ["10.0.0.0/8"] }')
      expect((await scene.admin('PATCH', path, { allowCidrs: ['10.0.0.0/8'] })).status).toBe(200)
      expect((await scene.admin('PATCH', path, { isPublic: false })).status).toBe(200)
      const back = await scene.admin('PATCH', path, { isPublic: true })
      expect([back.status, back.json.fields[0]]).toMatchObject([
        422,
        { field: 'endpoints[0].address', code: 'UPSTREAM_NOT_ALLOWED' },
      ])
    })
  })

  describe('the end of one', () => {
    test('by a request gives back what it has', async () => {
      const { id, path, port } = await made(tcp())
      const reply = await scene.admin('DELETE', path, undefined, { 'if-match': '"v1"' })
      expect([reply.status, reply.json]).toEqual([
        200,
        { id: port, released: [{ protocol: 'tcp', port: 10_000, host: '', rests: false }], openConnections: [] },
      ])
      expect((await scene.audit()).at(-1)).toEqual({ action: 'port.delete', id: port, told: true, removed: [port] })
      expect((await scene.admin('GET', `/services/${id}`)).json).toMatchObject({ ports: [], version: 2, verdict: null })
    })

    test('that is over is not made public again without a new end', async () => {
      const soon = new Date(Date.now() + 60_000).toISOString()
      const { path } = await made(tcp({ expiresAt: soon }))
      expect((await scene.routes()).tcpRoutes[0]?.expiresAt).toBe(soon)
      await scene.admin('PATCH', path, { isPublic: false })
      scene.advance(60_001)
      expect((await scene.admin('PATCH', path, { isPublic: true })).json.fields).toMatchObject([
        { field: 'expiresAt', code: 'EXPIRED' },
      ])
      expect((await scene.admin('PATCH', path, { isPublic: true, expiresAt: null })).json.expiresAt).toBe(null)
    })
  })

  describe('a domain', () => {
    const http = (domain: string, more: object = {}) => ({ port: 80, protocol: 'http', domain, ...more })

    test('has paths of its own project alone', async () => {
      const mine = await scene.tenant('mine')
      const theirs = await scene.tenant('theirs')
      const { id } = await made(http('app.example.com'), 'a', mine.ask)
      const add = async (port: object, ask = mine.ask, service = id) => {
        const { status, json } = await ask('POST', `/services/${service}/ports`, port)
        return status === 201 ? 'taken' : `${json.code}: ${json.detail}`
      }
      expect(await add(http('app.example.com', { pathPrefix: '/api' }))).toBe('taken')
      expect(await add(http('*.example.com'))).toBe('taken')
      expect(await add(http('app.example.com'))).toBe('DOMAIN_TAKEN: app.example.com belongs to a')
      const other = await scene.service({ name: 'b' }, theirs.ask)
      expect(await add(http('app.example.com', { pathPrefix: '/admin' }), theirs.ask, other.id)).toBe(
        'DOMAIN_TAKEN: app.example.com is taken',
      )
      expect(await add(http('x.example.com'), theirs.ask, other.id)).toBe(
        'DOMAIN_TAKEN: *.example.com is taken, and x.example.com would share its clients',
      )
      expect(await add(http('x.y.example.com'), theirs.ask, other.id)).toBe('taken')
      expect(await add(http('*.y.example.com'), mine.ask)).toBe(
        'DOMAIN_TAKEN: a name under *.y.example.com is taken, and *.y.example.com would share its clients',
      )
    })

    test('and a host name on a number that carries HTTP are one claim', async () => {
      const { id } = await made(http('app.example.com'))
      const add = async (port: object) => {
        const { status, json } = await scene.admin('POST', `/services/${id}/ports`, port)
        return status === 201 ? 'taken' : `${json.code}: ${json.detail}`
      }
      expect(await add(tcp({ shared: 443, sniHostname: 'app.example.com' }))).toBe(
        'SNI_TAKEN: app.example.com belongs to a',
      )
      expect(await add(tcp({ shared: 5432, sniHostname: 'app.example.com' }))).toBe('taken')
      expect(await add(tcp({ shared: 443, sniHostname: 'db.example.com' }))).toBe('taken')
      expect(await add(http('db.example.com'))).toBe('DOMAIN_TAKEN: db.example.com on TCP port 443 belongs to a')
      const { ask } = await scene.tenant('theirs')
      const other = await ask('POST', '/services', { name: 'b', ports: [http('*.example.com')] })
      expect(other.json.code).toBe('DOMAIN_TAKEN')
    })

    test('is free again once it is changed, or its port deleted', async () => {
      const { path } = await made(http('app.example.com'))
      const { ask } = await scene.tenant('theirs')
      const wish = { name: 'b', ports: [http('app.example.com')] }
      expect((await ask('POST', '/services', wish)).status).toBe(409)
      expect((await scene.admin('PATCH', path, { domain: 'other.example.com' })).status).toBe(200)
      expect((await ask('POST', '/services', wish)).status).toBe(201)
      expect((await scene.admin('PATCH', path, { domain: 'app.example.com' })).json).toMatchObject({
        code: 'DOMAIN_TAKEN',
        owner: { serviceName: 'b' },
      })
    })
  })
})
