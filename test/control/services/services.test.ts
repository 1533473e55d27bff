import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { readPosition } from '../../../src/control/db/revision.ts'
import { onEachDatabase } from '../../support/database.ts'
import { type ServiceScene, serviceScene } from './service-scene.ts'

const VERSION = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)

onEachDatabase('services', use => {
  let scene: ServiceScene
  beforeEach(async () => {
    scene = await serviceScene(use())
  })
  afterEach(() => scene.close())

  const codes = (reply: { json: { code: string; fields?: { field: string; code: string }[] } }) => [
    reply.json.code,
    ...(reply.json.fields ?? []).map(({ field, code }) => `${field} ${code}`),
  ]

  describe('made', () => {
    test('come back whole, with their addresses and commands', async () => {
      const reply = await scene.admin('POST', '/services', {
        name: 'orders-db',
        preset: 'postgres',
        endpoints: [{ address: '10.200.1.6', weight: 2 }, { address: '10.200.1.5' }],
        ports: [{ port: 5432, protocol: 'tcp', allowCidrs: ['203.0.113.9/24'], probe: true }],
      })
      expect([reply.status, reply.headers.etag]).toEqual([201, '"v1"'])
      const { id, projectId, ports } = reply.json
      expect(reply.json).toEqual({
        id: expect.stringMatching(/^svc_[0-9a-f]{32}$/),
        projectId,
        name: 'orders-db',
        preset: 'postgres',
        endpoints: [
          { address: '10.200.1.5', weight: 1 },
          { address: '10.200.1.6', weight: 2 },
        ],
        ports: [
          {
            id: expect.stringMatching(/^prt_[0-9a-f]{32}$/),
            serviceId: id,
            port: 5432,
            protocol: 'tcp',
            isPublic: true,
            preset: null,
            domain: null,
            pathPrefix: null,
            redirectToHttps: null,
            certResolver: null,
            externalPort: 10_000,
            externalPortEnd: null,
            shared: null,
            tlsPassthrough: false,
            tls: 'none',
            sniHostname: null,
            allowCidrs: ['203.0.113.0/24'],
            maxConnectionsPerClient: null,
            proxyProtocol: null,
            healthCheck: null,
            probe: true,
            expiresAt: null,
            address: 'proxy.example.com:10000',
            connect: [{ client: 'psql', command: 'psql -h proxy.example.com -p 10000 -U postgres', note: null }],
            verdict: 'pending',
            version: 1,
            createdAt: VERSION,
            updatedAt: VERSION,
          },
        ],
        verdict: 'pending',
        version: 1,
        createdAt: VERSION,
        updatedAt: VERSION,
      })
      expect((await scene.admin('GET', `/services/${id}`)).json).toEqual(reply.json)
      expect((await scene.admin('GET', `/services/${id}/ports/${ports[0].id}`)).json).toEqual(ports[0])
      expect(await scene.claims()).toEqual(['tcp 10000 used orders-db'])
      expect(await scene.audit()).toEqual([
        { action: 'project.create', id: projectId, told: true, removed: [] },
        { action: 'service.create', id, told: true, removed: [] },
      ])
    })

    test('are all or nothing, and every fault is told at once', async () => {
      await scene.service({ name: 'a', ports: [{ port: 1, protocol: 'tcp', externalPort: 10_001 }] })
      const reply = await scene.admin('POST', '/services', {
        name: 'a',
        endpoints: [{ address: '10.0.0.1' }, { address: '127.0.0.1' }],
        ports: [
          { port: 1, protocol: 'tcp' },
          { port: 2, protocol: 'tcp', externalPort: 10_001, domain: 'a.example.com' },
          { port: 3, protocol: 'http' },
        ],
      })
      expect(reply.status).toBe(422)
      expect(codes(reply)).toEqual([
        'BODY_INVALID',
        'name NAME_TAKEN',
        'endpoints[1].address UPSTREAM_NOT_ALLOWED',
        'ports[1].domain FIELD_INVALID',
        'ports[2].domain HOST_NAME_INVALID',
      ])
      expect(await scene.claims()).toEqual(['tcp 10001 used a'])
      expect((await scene.audit()).length).toBe(2)
    })

    test('with wrong words are refused before anything else', async () => {
      const reply = await scene.admin('POST', '/services', {
        name: 'Orders DB',
        endpoints: [{ address: '10.0.0.1:5432' }, { address: 'fd00::1' }, { address: '[FD00:0::1]' }],
        ports: [{ port: 0, protocol: 'sctp', sniHostname: 'a..b', nonsense: 1 }],
      })
      expect(reply.status).toBe(422)
      expect(codes(reply)).toEqual([
        'BODY_INVALID',
        'name invalid_format',
        'endpoints[0].address UPSTREAM_INVALID',
        'ports[0].port PORT_OUT_OF_RANGE',
        'ports[0].protocol invalid_value',
        'ports[0].sniHostname HOST_NAME_INVALID',
        'ports[0].nonsense unknown_field',
      ])
      const doubled = await scene.admin('POST', '/services', {
        name: 'a',
        endpoints: [{ address: 'fd00::1' }, { address: '[FD00:0::1]' }],
      })
      expect(codes(doubled)).toEqual(['BODY_INVALID', 'endpoints[1].address FIELD_INVALID'])
    })

    test('without a project go to the only one, or have to name it', async () => {
      const first = await scene.service({ name: 'a' })
      const second = await scene.service({ name: 'b' })
      expect(second.projectId).toBe(first.projectId)
      await scene.tenant('other')
      const reply = await scene.admin('POST', '/services', { name: 'c' })
      expect([reply.status, ...codes(reply)]).toEqual([422, 'BODY_INVALID', 'projectId FIELD_INVALID'])
      expect((await scene.service({ name: 'c', projectId: first.projectId })).projectId).toBe(first.projectId)
    })

    test('twice with one key are one service', async () => {
      const body = { name: 'a', ports: [{ port: 1, protocol: 'tcp' }] }
      const headers = { 'idempotency-key': 'k1' }
      const first = await scene.admin('POST', '/services', body, headers)
      const second = await scene.admin('POST', '/services', body, headers)
      expect([second.status, second.json]).toEqual([201, first.json])
      expect(await scene.claims()).toEqual(['tcp 10000 used a'])
    })
  })

  describe('changed', () => {
    test('have another name, and nodes are told nothing', async () => {
      const { id, projectId } = await scene.service({ name: 'a' })
      await scene.service({ name: 'b', projectId })
      const reply = await scene.admin('PATCH', `/services/${id}`, { name: 'c' }, { 'if-match': '"v1"' })
      expect([reply.status, reply.headers.etag, reply.json.name]).toEqual([200, '"v2"', 'c'])
      expect((await scene.admin('PATCH', `/services/${id}`, { name: 'd' }, { 'if-match': '"v1"' })).status).toBe(412)
      expect((await scene.admin('PATCH', `/services/${id}`, { name: 'b' })).json.code).toBe('NAME_TAKEN')
      expect((await scene.admin('PATCH', `/services/${id}`, { name: 'c' })).headers.etag).toBe('"v2"')
      expect((await scene.audit()).slice(3)).toEqual([{ action: 'service.update', id, told: false, removed: [] }])
    })

    test('speak another protocol, unless a port of theirs cannot', async () => {
      const { id } = await scene.service({
        name: 'a',
        preset: 'postgres',
        ports: [
          { port: 1, protocol: 'tcp' },
          { port: 2, protocol: 'tcp', sniHostname: 'a.example.com', shared: 443 },
        ],
      })
      expect((await scene.routes()).tcpRoutes.map(({ protocolHint }) => protocolHint)).toEqual(['postgres', 'postgres'])
      const refused = await scene.admin('PATCH', `/services/${id}`, { preset: 'mysql' })
      expect([refused.status, ...codes(refused)]).toEqual([422, 'BODY_INVALID', 'preset SERVER_FIRST_ON_TLS_PORT'])
      expect((await scene.admin('PATCH', `/services/${id}`, { preset: 'redis' })).status).toBe(200)
      expect((await scene.routes()).tcpRoutes.map(({ protocolHint }) => protocolHint)).toEqual(['redis', 'redis'])
    })

    test('as they are already leave no trace, and no node is woken', async () => {
      const { id, ports } = await scene.service({
        name: 'db',
        preset: 'postgres',
        endpoints: [{ address: '10.200.1.5' }],
        ports: [{ port: 5432, protocol: 'tcp' }],
      })
      const before = [await scene.audit(), await use().transaction(readPosition)]
      const same = [
        await scene.admin('PATCH', `/services/${id}`, { preset: 'postgres' }),
        await scene.admin('PUT', `/services/${id}/endpoints`, [{ address: '10.200.1.5' }]),
        await scene.admin('PATCH', `/services/${id}/ports/${ports[0].id}`, { port: 5432 }),
      ]
      expect(same.map(({ status, headers }) => [status, headers.etag])).toEqual([
        [200, '"v1"'],
        [200, '"v1"'],
        [200, '"v1"'],
      ])
      expect([await scene.audit(), await use().transaction(readPosition)]).toEqual(before)
    })

    test('answer elsewhere: the whole list, and what stays open', async () => {
      const { id, ports } = await scene.service({
        name: 'a',
        endpoints: [{ address: '10.0.0.1' }, { address: '10.0.0.2' }],
        ports: [{ port: 1, protocol: 'tcp' }],
      })
      await scene.node('proxy-1', { openConnections: { [ports[0].id]: 3 } })
      const list = [{ address: '10.0.0.2', weight: 5 }, { address: '10.0.0.3' }]
      const reply = await scene.admin('PUT', `/services/${id}/endpoints`, list, { 'if-match': '"v1"' })
      expect([reply.status, reply.headers.etag, reply.json.endpoints, reply.json.openConnections]).toEqual([
        200,
        '"v2"',
        [
          { address: '10.0.0.2', weight: 5 },
          { address: '10.0.0.3', weight: 1 },
        ],
        [{ nodeId: 'proxy-1', nodeName: 'proxy-1', connections: 3 }],
      ])
      expect((await scene.routes()).tcpRoutes[0]).toMatchObject({
        upstreams: ['10.0.0.2:1', '10.0.0.3:1'],
        weights: [5, 1],
      })
      expect((await scene.admin('PUT', `/services/${id}/endpoints`, list)).headers.etag).toBe('"v2"')
      const refused = await scene.admin('PUT', `/services/${id}/endpoints`, [
        { address: '10.0.0.9' },
        { address: '::1' },
      ])
      expect([refused.status, ...codes(refused)]).toEqual([422, 'BODY_INVALID', '[1].address UPSTREAM_NOT_ALLOWED'])
      expect((await scene.admin('PUT', `/services/${id}/endpoints`, [])).json.endpoints).toEqual([])
    })

    test('answer at no place where no traffic may go for one of their ports', async () => {
      await scene.close()
      scene = await serviceScene(use(), 'policy: { denyUpstreams: ["10.9.0.0/16:5432"] }')
      const { id } = await scene.service({
        name: 'a',
        ports: [
          { port: 80, protocol: 'tcp' },
          { port: 5430, protocol: 'tcp', externalPort: 10_010, externalPortEnd: 10_013 },
        ],
      })
      const reply = await scene.admin('PUT', `/services/${id}/endpoints`, [
        { address: '10.0.0.1' },
        { address: '10.9.0.1' },
      ])
      expect([reply.status, ...codes(reply)]).toEqual([422, 'BODY_INVALID', '[1].address UPSTREAM_NOT_ALLOWED'])
      const endpoints = Array.from({ length: 1001 }, (_, i) => ({ address: `10.1.${i >> 8}.${i & 255}` }))
      expect((await scene.admin('PUT', `/services/${id}/endpoints`, endpoints)).status).toBe(422)
      expect((await scene.admin('PUT', `/services/${id}/endpoints`, endpoints.slice(1))).status).toBe(200)
    })
  })

  describe('deleted', () => {
    test('release everything, and say what stays open', async () => {
      const { id, ports } = await scene.service({
        name: 'a',
        ports: [
          { port: 1, protocol: 'tcp' },
          { port: 2, protocol: 'tcp', sniHostname: 'a.example.com', shared: 443 },
          { port: 3, protocol: 'udp', externalPort: 11_000, externalPortEnd: 11_001 },
          { port: 4, protocol: 'http', domain: 'a.example.org' },
          { port: 5, protocol: 'tcp', isPublic: false },
        ],
      })
      await scene.fetched()
      await scene.node('proxy-1', { openConnections: { [ports[0].id]: 3, [`tcp/${ports[1].id}`]: 2, other: 9 } })
      await scene.node('proxy-2', { openConnections: { other: 9 } })
      const reply = await scene.admin('DELETE', `/services/${id}`)
      expect([reply.status, reply.json]).toEqual([
        200,
        {
          id,
          released: [
            { protocol: 'tcp', port: 10_000, host: '', rests: true },
            { protocol: 'tcp', port: 443, host: 'a.example.com', rests: true },
            { protocol: 'udp', port: 11_000, host: '', rests: true },
            { protocol: 'udp', port: 11_001, host: '', rests: true },
          ],
          openConnections: [{ nodeId: 'proxy-1', nodeName: 'proxy-1', connections: 5 }],
        },
      ])
      expect(await scene.claims()).toEqual([
        'tcp 443 a.example.com resting',
        'tcp 10000 resting',
        'udp 11000 resting',
        'udp 11001 resting',
      ])
      expect((await scene.audit()).at(-1)).toEqual({
        action: 'service.delete',
        id,
        told: true,
        removed: ports.slice(0, 4).map((port: { id: string }) => port.id),
      })
      expect(await scene.routes()).toEqual({ routes: [], tcpRoutes: [], udpRoutes: [] })
      expect((await scene.admin('GET', `/services/${id}`)).status).toBe(404)
      expect((await scene.admin('DELETE', `/services/${id}`)).status).toBe(404)
    })

    test('stay when somebody has changed them meanwhile', async () => {
      const { id } = await scene.service({ name: 'a' })
      await scene.admin('POST', `/services/${id}/ports`, { port: 1, protocol: 'tcp' })
      expect((await scene.admin('DELETE', `/services/${id}`, undefined, { 'if-match': '"v1"' })).status).toBe(412)
      expect((await scene.admin('DELETE', `/services/${id}`, undefined, { 'if-match': '"v2"' })).status).toBe(200)
    })
  })

  describe('of another project', () => {
    test('are not there, whatever one does with them', async () => {
      const mine = await scene.tenant('mine')
      const theirs = await scene.tenant('theirs')
      const { id, ports } = await scene.service({ name: 'a', ports: [{ port: 1, protocol: 'tcp' }] }, theirs.ask)
      const port = `/services/${id}/ports/${ports[0].id}`
      const tries = await Promise.all([
        mine.ask('GET', `/services/${id}`),
        mine.ask('PATCH', `/services/${id}`, { name: 'b' }),
        mine.ask('DELETE', `/services/${id}`),
        mine.ask('PUT', `/services/${id}/endpoints`, []),
        mine.ask('POST', `/services/${id}/ports`, { port: 1, protocol: 'tcp' }),
        mine.ask('GET', port),
        mine.ask('PATCH', port, { port: 2 }),
        mine.ask('DELETE', port),
        mine.ask('DELETE', `/services/${id}?dryRun=true`),
        mine.ask('POST', '/services', { name: 'b', projectId: theirs.projectId }),
        mine.ask('GET', `/projects/${theirs.projectId}`),
      ])
      expect(tries.map(({ status }) => status)).toEqual(tries.map(() => 404))
      expect((await mine.ask('GET', '/services')).json).toEqual({ items: [], nextCursor: null })
      expect((await mine.ask('GET', `/services?projectId=${theirs.projectId}&q=a`)).json.items).toEqual([])
      expect((await theirs.ask('GET', `/services/${id}`)).status).toBe(200)
    })

    test('own a port through no service but their own', async () => {
      const mine = await scene.tenant('mine')
      const theirs = await scene.tenant('theirs')
      const own = await scene.service({ name: 'a' }, mine.ask)
      const { ports } = await scene.service({ name: 'a', ports: [{ port: 1, protocol: 'tcp' }] }, theirs.ask)
      const port = `/services/${own.id}/ports/${ports[0].id}`
      const replies = [
        await mine.ask('GET', port),
        await mine.ask('PATCH', port, { port: 2 }),
        await mine.ask('DELETE', port),
      ]
      expect(replies.map(({ status }) => status)).toEqual([404, 404, 404])
    })

    test('are named in a collision only to who sees them', async () => {
      const mine = await scene.tenant('mine')
      const theirs = await scene.tenant('theirs')
      const taken = await scene.service(
        { name: 'secret-db', ports: [{ port: 1, protocol: 'tcp', externalPort: 10_001 }] },
        theirs.ask,
      )
      const wish = { name: 'b', ports: [{ port: 1, protocol: 'tcp', externalPort: 10_001 }] }
      const hidden = await mine.ask('POST', '/services', wish)
      expect(hidden.text).not.toContain('secret')
      expect(hidden.json).toMatchObject({
        status: 409,
        code: 'PORT_TAKEN',
        detail: 'TCP port 10001 is taken',
        owner: null,
        nearest: 10_000,
      })
      const told = await scene.admin('POST', '/services', { ...wish, projectId: mine.projectId })
      expect(told.json).toMatchObject({
        status: 409,
        code: 'PORT_TAKEN',
        detail: 'TCP port 10001 is taken: it belongs to secret-db',
        owner: {
          portId: taken.ports[0].id,
          serviceId: taken.id,
          serviceName: 'secret-db',
          projectId: theirs.projectId,
          projectName: 'theirs',
        },
      })
    })

    test('tell no name below a wildcard to who does not see them', async () => {
      const mine = await scene.tenant('mine')
      const theirs = await scene.tenant('theirs')
      const sni = { port: 5432, protocol: 'tcp', shared: 5432, sniHostname: 'secret.example.com' }
      const http = { port: 80, protocol: 'http', domain: 'secret.example.org', pathPrefix: '/secret' }
      await scene.service({ name: 'secret-db', ports: [sni, http] }, theirs.ask)
      const wishes = [
        { ...sni, sniHostname: '*.example.com' },
        { ...sni, sniHostname: '*.example.org', shared: 443 },
        { ...http, domain: '*.example.org', pathPrefix: '/' },
        { ...http, domain: 'secret.example.org', pathPrefix: '/' },
      ]
      const refused = await Promise.all(wishes.map(port => mine.ask('POST', '/services', { name: 'b', ports: [port] })))
      expect(refused.map(({ json }) => [json.code, json.detail])).toEqual([
        [
          'SNI_TAKEN',
          'a name under *.example.com on TCP port 5432 is taken, and *.example.com would share its clients',
        ],
        ['SNI_TAKEN', 'a name under *.example.org is taken, and *.example.org would share its clients'],
        ['DOMAIN_TAKEN', 'a name under *.example.org is taken, and *.example.org would share its clients'],
        ['DOMAIN_TAKEN', 'secret.example.org is taken'],
      ])
      for (const { text } of refused.slice(0, 3)) expect(text).not.toContain('secret')
    })

    test('may be read and not changed with a token that only reads', async () => {
      const { id } = await scene.service({ name: 'a' })
      const reader = scene.control.as(await scene.control.tokenFor({ scopes: ['read'] }))
      expect((await reader('GET', `/services/${id}`)).status).toBe(200)
      expect((await reader('PATCH', `/services/${id}`, { name: 'b' })).status).toBe(403)
      expect((await reader('PATCH', `/services/${id}?dryRun=true`, { name: 'b' })).status).toBe(403)
    })
  })
})
