import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ROUTE_REASONS } from '../../../src/api/verdict.ts'
import { REASONS } from '../../../src/core/verdict.ts'
import { type ControlApp, controlApp } from '../../support/control-app.ts'
import { type Fleet, makeFleet, SINCE, told } from '../../support/control-fleet.ts'
import { onEachDatabase } from '../../support/database.ts'

const isText = expect.any(String)
const ENTRY_POINTS = [{ name: 'tcp-10001', address: ':10001', protocol: 'tcp' as const }]

onEachDatabase('routes', use => {
  let control: ControlApp
  let fleet: Fleet
  beforeEach(async () => {
    control = await controlApp({ settings: 'publicHost: proxy.example.com', deps: { database: use() } })
    fleet = makeFleet(use())
    await fleet.node('srv_1')
    await fleet.node('srv_2')
    await fleet.route('prt_a', { externalPort: 10_001 })
    await fleet.route('prt_b', { protocol: 'http', domain: 'app.example.com', project: 'prj_2' })
  })
  afterEach(() => control.close())

  const get = async (path: string) => (await control.asAdmin('GET', path)).json
  const found = async (query: string): Promise<string[]> =>
    (await get(`/routes?${query}`)).items.map(({ id, verdict }: { id: string; verdict: string }) => `${id} ${verdict}`)

  describe('as rows', () => {
    test('tell the worst verdict and where it is not live', async () => {
      await fleet.report('srv_1', { verdicts: [told('prt_a'), told('prt_b', 'LIVE', { protocol: 'http' })] })
      await fleet.report('srv_2', { verdicts: [told('prt_a', 'BACKEND_DOWN')] })
      expect(await get('/routes')).toEqual({
        items: [
          {
            id: 'prt_a',
            serviceId: 'svc_a',
            projectId: 'prj_1',
            name: 'a',
            protocol: 'tcp',
            address: 'proxy.example.com:10001',
            verdict: 'degraded',
            reason: 'BACKEND_DOWN',
            since: SINCE,
            notLive: [{ nodeId: 'srv_2', verdict: 'degraded', reason: 'BACKEND_DOWN', since: SINCE }],
          },
          {
            id: 'prt_b',
            serviceId: 'svc_b',
            projectId: 'prj_2',
            name: 'b',
            protocol: 'http',
            address: 'app.example.com',
            verdict: 'live',
            reason: 'LIVE',
            since: null,
            notLive: [],
          },
        ],
        nextCursor: null,
        total: 2,
      })
    })

    test('have only the fields that are asked for', async () => {
      expect((await get('/routes?fields=address,verdict')).items[0]).toEqual({
        id: 'prt_a',
        address: 'proxy.example.com:10001',
        verdict: 'unknown',
      })
      expect(await get('/routes?fields=colour')).toMatchObject({ code: 'QUERY_INVALID' })
    })

    test('are found by verdict, node, protocol, project and text', async () => {
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'BACKEND_DOWN')] })
      await fleet.report('srv_2')
      expect(await found('')).toEqual(['prt_a degraded', 'prt_b live'])
      expect(await found('verdict=degraded,waiting')).toEqual(['prt_a degraded'])
      expect(await found('verdict=waiting')).toEqual([])
      expect(await found('node=srv_2')).toEqual(['prt_a live', 'prt_b live'])
      expect(await found('node=srv_1&verdict=live')).toEqual(['prt_b live'])
      expect(await found('node=srv_9')).toEqual([])
      expect(await found('protocol=http')).toEqual(['prt_b live'])
      expect(await found('project=prj_1')).toEqual(['prt_a degraded'])
      expect(await found('q=EXAMPLE.com')).toEqual(['prt_b live'])
      expect(await found('q=1000')).toEqual(['prt_a degraded'])
      expect(await found('q=10.200.1')).toEqual(['prt_a degraded', 'prt_b live'])
      expect(await found('q=%25')).toEqual([])
    })

    test('come in pages, by verdict as well', async () => {
      await fleet.route('prt_c', { externalPort: 10_003 })
      for (const filter of ['', '&verdict=unknown']) {
        const first = await get(`/routes?limit=2${filter}`)
        expect([first.items.map(({ id }: { id: string }) => id), first.total]).toEqual([['prt_a', 'prt_b'], 3])
        const rest = await get(`/routes?limit=2&cursor=${first.nextCursor}${filter}`)
        expect([rest.items.map(({ id }: { id: string }) => id), rest.total, rest.nextCursor]).toEqual([
          ['prt_c'],
          3,
          null,
        ])
      }
    })

    test('of other projects are not there', async () => {
      const theirs = control.as(await control.tokenFor({ scopes: ['read'], projectId: 'prj_1' }))
      const list = await theirs('GET', '/routes')
      expect(list.json).toMatchObject({ items: [{ id: 'prt_a' }], total: 1 })
      expect((await theirs('GET', '/routes?project=prj_2')).json).toMatchObject({ items: [], total: 0 })
      expect((await theirs('GET', '/routes/prt_b')).status).toBe(404)
      expect((await theirs('GET', '/routes/prt_b/history')).status).toBe(404)
      expect((await theirs('GET', '/routes/prt_a')).status).toBe(200)
    })

    test('are asked for with no zero byte', async () => {
      expect(await get('/routes?q=%00')).toMatchObject({ code: 'QUERY_INVALID' })
      expect(await get('/routes/%00')).toMatchObject({ code: 'QUERY_INVALID' })
    })
  })

  describe('one by one', () => {
    const steps = (chain: { step: string; ok: boolean | null }[]) => chain.map(({ step, ok }) => `${step} ${ok}`)
    const onNode = async (nodeId: string, id = 'prt_a') =>
      (await get(`/routes/${id}`)).nodes.find((one: { nodeId: string }) => one.nodeId === nodeId)

    test('show what a live one was compiled to, with its times', async () => {
      const since = new Date(Date.now() + 1000).toISOString()
      await fleet.report('srv_1', {
        entryPoints: ENTRY_POINTS,
        verdicts: [told('prt_a', 'LIVE', { since, timingsMs: { compile: 2, apply: 41 } })],
        openConnections: { prt_a: 12 },
      })
      const route = await get('/routes/prt_a')
      expect(route).toEqual({
        id: 'prt_a',
        serviceId: 'svc_a',
        projectId: 'prj_1',
        name: 'a',
        protocol: 'tcp',
        address: 'proxy.example.com:10001',
        verdict: 'live',
        reason: 'LIVE',
        since: null,
        revision: 1,
        savedAt: isText,
        preset: null,
        nodes: [
          {
            nodeId: 'srv_1',
            nodeName: 'proxy-1',
            nodeStatus: 'active',
            silent: false,
            lastSeenAt: isText,
            verdict: 'live',
            reason: 'LIVE',
            message: ROUTE_REASONS.LIVE.meaning,
            remedy: ROUTE_REASONS.LIVE.remedy,
            was: null,
            since,
            revision: 2,
            chain: [
              { step: 'expected', ok: true, at: route.savedAt, detail: 'revision 1 asks for it' },
              { step: 'compiled', ok: true, at: since, detail: 'proxy-1 found no problem with it' },
              { step: 'served', ok: true, at: since, detail: 'Traefik on proxy-1 has fetched it' },
              { step: 'applied', ok: true, at: since, detail: 'Traefik on proxy-1 shows it as it was compiled' },
              { step: 'probed', ok: null, at: null, detail: 'not tried: no probe was asked for' },
            ],
            brokenAt: null,
            timingsMs: { compile: 2, apply: 41, savedToLive: expect.any(Number) },
            openConnections: 12,
            configuration: {
              origin: 'compiled',
              routers: {
                tcp_prt_a: { entryPoints: ['tcp-10001'], priority: 1, rule: 'HostSNI(`*`)', service: 'tcp_prt_a' },
              },
              services: {
                tcp_prt_a: {
                  loadBalancer: { servers: [{ address: '10.200.1.5:5432' }], serversTransport: 'fairlead' },
                },
              },
            },
          },
          {
            nodeId: 'srv_2',
            nodeName: 'proxy-2',
            nodeStatus: 'active',
            silent: true,
            lastSeenAt: null,
            verdict: 'unknown',
            reason: 'NODE_NEVER_REPORTED',
            message: 'proxy-2 has been enrolled and has not reported yet',
            remedy: ROUTE_REASONS.NODE_NEVER_REPORTED.remedy,
            was: null,
            since: null,
            revision: null,
            chain: ['expected', 'compiled', 'served', 'applied', 'probed'].map(step => ({
              step,
              ok: null,
              at: null,
              detail: 'not known: proxy-2 has been enrolled and has not reported yet',
            })),
            brokenAt: null,
            timingsMs: {},
            openConnections: null,
            configuration: null,
          },
        ],
      })
    })

    test('show what the node serves of one that is not live', async () => {
      const chain = [
        { step: 'expected', ok: true, at: SINCE, detail: 'cp asks for it' },
        { step: 'compiled', ok: false, at: null, detail: 'Traefik has no entry point' },
      ]
      const served = { router: { rule: 'HostSNI(`*`)' }, service: { loadBalancer: {} } }
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'ENTRY_POINT_MISSING', { chain, served })] })
      expect(await onNode('srv_1')).toMatchObject({
        verdict: 'waiting',
        reason: 'ENTRY_POINT_MISSING',
        message: REASONS.ENTRY_POINT_MISSING.meaning,
        since: SINCE,
        revision: 1,
        chain,
        brokenAt: 'compiled',
        timingsMs: {},
        openConnections: 0,
        configuration: {
          origin: 'served',
          routers: { tcp_prt_a: served.router },
          services: { tcp_prt_a: served.service },
        },
      })
    })

    test('show what one would become that the node does not serve', async () => {
      await fleet.report('srv_1')
      const live = (await onNode('srv_1')).configuration
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'ENTRY_POINT_MISSING')] })
      expect((await onNode('srv_1')).configuration).toEqual(live)
      expect(live).toMatchObject({ origin: 'compiled', routers: { tcp_prt_a: { entryPoints: [expect.any(String)] } } })
    })

    test('stand where the node has got to', async () => {
      await fleet.report('srv_1', { revision: { expected: 2, served: 2, applied: 2 } })
      const { revision } = await fleet.touch('prt_a')
      expect(await onNode('srv_1')).toMatchObject({
        verdict: 'pending',
        reason: 'NOT_YET_FETCHED',
        brokenAt: 'expected',
      })
      await fleet.report('srv_1', { revision: { expected: revision, served: 2, applied: 2 } })
      const fetched = await onNode('srv_1')
      expect([fetched.verdict, fetched.brokenAt, steps(fetched.chain)]).toEqual([
        'pending',
        null,
        ['expected true', 'compiled null', 'served null', 'applied null', 'probed null'],
      ])
      await fleet.report('srv_1', { revision: { expected: revision, served: revision, applied: 2 } })
      expect(await onNode('srv_1')).toMatchObject({ verdict: 'live' })
    })

    test('of a silent node are not known, whatever they were', async () => {
      await fleet.report('srv_1')
      await fleet.quiet('srv_1', 660)
      expect(await onNode('srv_1')).toMatchObject({
        silent: true,
        verdict: 'unknown',
        was: 'live',
        message: 'proxy-1 has said nothing for 11 min',
        openConnections: null,
        configuration: null,
      })
    })

    test('that are not public any more are gone once nodes say so', async () => {
      await fleet.report('srv_1')
      const { revision } = await fleet.touch('prt_a', sql`is_public = false`)
      expect(await onNode('srv_1')).toMatchObject({ verdict: 'pending' })
      await fleet.report('srv_1', {
        revision: { expected: revision, served: revision, applied: revision },
        gone: ['prt_a'],
      })
      expect(await onNode('srv_1')).toMatchObject({ verdict: 'gone', reason: 'REMOVED', brokenAt: 'expected' })
    })

    test('that nobody declared are not there', async () => {
      expect((await control.asAdmin('GET', '/routes/prt_x')).json).toMatchObject({ code: 'NOT_FOUND' })
    })

    test('count as changed when their service answers elsewhere', async () => {
      const before = await get('/routes/prt_a')
      await use().transaction(async tx => {
        await tx.execute(sql`update revisions set revision = revision + 1`)
        await tx.execute(sql`insert into endpoints (id, service_id, address) values ('end_2', 'svc_a', '10.200.1.6')`)
      })
      await use().transaction(async tx => {
        await tx.execute(sql`update revisions set revision = revision + 1`)
        await tx.execute(sql`update services set preset = 'postgres' where id = 'svc_b'`)
        await tx.execute(sql`update services set name = 'other' where id = 'svc_a'`)
        await tx.execute(sql`update service_ports set version = version + 1 where id = 'prt_a'`)
      })
      expect([before.revision, (await get('/routes/prt_a')).revision]).toEqual([1, 3])
      expect((await get('/routes/prt_b')).revision).toBe(4)
    })
  })

  describe('over time', () => {
    const change = (verdict: string, fields = {}) => ({
      id: isText,
      nodeId: 'srv_1',
      nodeName: 'proxy-1',
      verdict,
      reason: isText,
      message: isText,
      revision: 1,
      at: isText,
      timingsMs: {},
      ...fields,
    })

    test('tell their changes, newest first, in pages', async () => {
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'NOT_YET_APPLIED')] })
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'BACKEND_DOWN')] })
      await fleet.report('srv_2', { verdicts: [told('prt_a', 'PROBE_FAILED')] })
      await fleet.report('srv_1', { gone: ['prt_a'] })
      const all = await get('/routes/prt_a/history?node=srv_1')
      expect(all).toEqual({
        items: [change('gone', { revision: null }), change('degraded'), change('pending')],
        nextCursor: null,
      })
      const first = await get('/routes/prt_a/history?limit=3')
      expect(first.items.map(({ nodeId }: { nodeId: string }) => nodeId)).toEqual(['srv_1', 'srv_2', 'srv_1'])
      const rest = await get(`/routes/prt_a/history?limit=3&cursor=${first.nextCursor}`)
      expect(rest).toEqual({ items: [change('pending')], nextCursor: null })
    })

    test('are told even when they are deleted', async () => {
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'BACKEND_DOWN')] })
      await use().transaction(tx => tx.execute(sql`delete from service_ports where id = 'prt_a'`))
      expect((await get('/routes/prt_a/history')).items).toEqual([change('degraded')])
      expect(await get('/routes/prt_x/history')).toMatchObject({ code: 'NOT_FOUND' })
    })
  })

  describe('probed for a person', () => {
    test('ask the nodes that report, and show what those found', async () => {
      await fleet.report('srv_1', { entryPoints: ENTRY_POINTS, verdicts: [told('prt_a')] })
      const asked = await control.asAdmin('POST', '/routes/prt_a/probe')
      expect(asked).toMatchObject({ status: 202, json: { requestId: isText, nodeIds: ['srv_1'], expiresAt: isText } })
      const { requestId } = asked.json
      const probed = { step: 'probed', ok: true, at: SINCE, detail: 'it answers', requestId }
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'LIVE', { chain: [probed] })] })
      const { nodes } = await get('/routes/prt_a')
      expect(nodes[0].chain.at(-1)).toEqual(probed)
      expect((await get('/audit')).items[0]).toMatchObject({ action: 'route.probe', resource: { id: 'prt_a' } })
    })

    test('wake the polls of the nodes', async () => {
      const signal = AbortSignal.timeout(10_000)
      const woken = control.deps.hub.waitPast({ epoch: 9, revision: 0 }, { signal, timeoutMs: 10_000, nodeId: 'srv_2' })
      await control.asAdmin('POST', '/routes/prt_a/probe')
      expect(await woken).toBe('woken')
    })

    test('are asked for a few times at once, and by writers', async () => {
      const reader = control.as(await control.tokenFor({ scopes: ['read'] }))
      expect((await reader('POST', '/routes/prt_a/probe')).status).toBe(403)
      const statuses: number[] = []
      for (let i = 0; i < 6; i++) statuses.push((await control.asAdmin('POST', '/routes/prt_a/probe')).status)
      expect(statuses).toEqual([202, 202, 202, 202, 202, 429])
      expect((await control.asAdmin('POST', '/routes/prt_x/probe')).status).toBe(404)
    })
  })

  test('a project that asks for many probes leaves room for another', async () => {
    for (let i = 0; i < 11; i++) await fleet.route(`prt_many_${i}`, { externalPort: 10_010 + i, project: 'prj_1' })
    const [many, one] = await Promise.all(
      ['prj_1', 'prj_2'].map(async projectId => control.as(await control.tokenFor({ scopes: ['write'], projectId }))),
    )
    if (many === undefined || one === undefined) throw new Error('no tokens')
    const taken: number[] = []
    for (let i = 0; i < 55; i++) taken.push((await many('POST', `/routes/prt_many_${Math.floor(i / 5)}/probe`)).status)
    expect(taken).toEqual([...Array(50).fill(202), ...Array(5).fill(429)])
    expect((await one('POST', '/routes/prt_b/probe')).status).toBe(202)
  })

  describe('at a glance', () => {
    test('tell how things stand and what needs somebody', async () => {
      await fleet.report('srv_1', {
        verdicts: [told('prt_a', 'BACKEND_DOWN')],
        held: { hash: 'h1', removals: ['tcp/prt_x'] },
      })
      await fleet.report('srv_2', {
        verdicts: [
          told('prt_a', 'LIVE', { since: new Date(Date.now() + 1000).toISOString(), timingsMs: { apply: 4 } }),
        ],
      })
      await fleet.quiet('srv_2', 300)
      const overview = await get('/overview')
      const none = { live: 0, pending: 0, rejected: 0, refused: 0, conflicted: 0, waiting: 0, degraded: 0, held: 0 }
      expect(overview).toEqual({
        at: isText,
        epoch: 1,
        revision: 2,
        routes: { total: 2, byVerdict: { ...none, unknown: 0, live: 1, degraded: 1 } },
        nodes: {
          total: 2,
          reporting: 1,
          silent: 1,
          items: [
            {
              id: 'srv_1',
              name: 'proxy-1',
              status: 'active',
              silent: false,
              lastSeenAt: isText,
              lag: 0,
              live: 0,
              total: 1,
            },
            {
              id: 'srv_2',
              name: 'proxy-2',
              status: 'active',
              silent: true,
              lastSeenAt: isText,
              lag: 0,
              live: 0,
              total: 1,
            },
          ],
        },
        pools: [
          expect.objectContaining({ protocol: 'tcp', range: '10000-10099' }),
          expect.objectContaining({ protocol: 'udp' }),
        ],
        attention: [
          {
            kind: 'node',
            verdict: 'held',
            reason: 'MASS_REMOVAL',
            name: 'proxy-1',
            message: 'the new state drops 1 route of proxy-1; what it drops goes on serving',
            remedy: REASONS.MASS_REMOVAL.remedy,
            since: null,
            routeId: null,
            serviceId: null,
            nodeId: 'srv_1',
            nodeName: 'proxy-1',
            nodes: 1,
          },
          {
            kind: 'route',
            verdict: 'degraded',
            reason: 'BACKEND_DOWN',
            name: 'a',
            message: REASONS.BACKEND_DOWN.meaning,
            remedy: REASONS.BACKEND_DOWN.remedy,
            since: SINCE,
            routeId: 'prt_a',
            serviceId: 'svc_a',
            nodeId: 'srv_1',
            nodeName: 'proxy-1',
            nodes: 1,
          },
          {
            kind: 'node',
            verdict: 'unknown',
            reason: 'NODE_SILENT',
            name: 'proxy-2',
            message: 'proxy-2 has said nothing for 5 min',
            remedy: ROUTE_REASONS.NODE_SILENT.remedy,
            since: isText,
            routeId: null,
            serviceId: null,
            nodeId: 'srv_2',
            nodeName: 'proxy-2',
            nodes: 1,
          },
        ],
        attentionTotal: 3,
        lastTroubleAt: SINCE,
        savedToLiveMs: { median: expect.any(Number), worst: expect.any(Number), count: 1 },
        lastChanges: [],
      })
    })

    test('are those of one project for whoever has one', async () => {
      await fleet.report('srv_1', { verdicts: [told('prt_a', 'BACKEND_DOWN')], held: { hash: 'h1', removals: [] } })
      const theirs = control.as(await control.tokenFor({ scopes: ['read'], projectId: 'prj_2' }))
      expect((await theirs('GET', '/overview')).json).toMatchObject({
        routes: { total: 1, byVerdict: { live: 1, degraded: 0 } },
        nodes: {
          items: [
            { live: 1, total: 1 },
            { live: 0, total: 1 },
          ],
        },
        attention: [],
        attentionTotal: 0,
        lastTroubleAt: null,
      })
    })
  })
})
