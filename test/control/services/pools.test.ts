import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { onEachDatabase } from '../../support/database.ts'
import { type ServiceScene, serviceScene } from './service-scene.ts'

onEachDatabase('pools', use => {
  let scene: ServiceScene
  beforeEach(async () => {
    scene = await serviceScene(use())
  })
  afterEach(() => scene.close())

  const FREE = {
    state: 'free',
    inPool: true,
    owner: null,
    owners: [],
    ownerCount: 0,
    since: null,
    restsUntil: null,
    blockedBy: [],
    note: null,
    blockStart: null,
    blockEnd: null,
  }
  type Entry = { readonly port: number; readonly state: string; readonly [field: string]: unknown }
  const portsOf = async (protocol: string, ask = scene.admin): Promise<Entry[]> =>
    (await ask('GET', `/pools/${protocol}/ports`)).json.items
  const entry = async (port: number, ask = scene.admin) => (await portsOf('tcp', ask)).find(one => one.port === port)
  const act = (port: number, action: string, body?: object) =>
    scene.admin('POST', `/pools/tcp/ports/${port}/${action}`, body)

  test('tell how their numbers are spread, and which comes next', async () => {
    await scene.node('proxy-1', { entryPoints: [':443', ':10000', ':10001', ':10002', ':11000/udp'] })
    const { id, ports } = await scene.service({
      name: 'a',
      ports: [
        { port: 1, protocol: 'tcp' },
        { port: 2, protocol: 'tcp' },
        { port: 3, protocol: 'tcp', sniHostname: 'a.example.com', shared: 443 },
        { port: 4, protocol: 'udp' },
      ],
    })
    await scene.fetched()
    await scene.admin('DELETE', `/services/${id}/ports/${ports[1].id}`)
    expect((await scene.admin('GET', '/pools')).json).toEqual({
      items: [
        {
          protocol: 'tcp',
          range: '10000-10005',
          total: 6,
          free: 1,
          used: 1,
          resting: 1,
          reserved: 1,
          undeclared: 2,
          shared: [
            { port: 443, hosts: 1, declared: true },
            { port: 5432, hosts: 0, declared: false },
          ],
          next: 10_002,
          blockedBy: ['proxy-1'],
        },
        {
          protocol: 'udp',
          range: '11000-11003',
          total: 4,
          free: 0,
          used: 1,
          resting: 0,
          reserved: 0,
          undeclared: 3,
          shared: [],
          next: null,
          blockedBy: [],
        },
      ],
    })
    expect((await portsOf('tcp')).map(({ port, state }) => `${port} ${state}`)).toEqual([
      '443 shared',
      '5432 shared',
      '10000 used',
      '10001 resting',
      '10002 free',
      '10003 undeclared',
      '10004 undeclared',
      '10005 reserved',
    ])
  })

  test('name owners to those who may see them, and only that there are others', async () => {
    const mine = await scene.tenant('mine')
    const theirs = await scene.tenant('theirs')
    const own = await scene.service(
      {
        name: 'a',
        ports: [
          { port: 1, protocol: 'tcp', externalPort: 10_000, externalPortEnd: 10_001 },
          { port: 2, protocol: 'tcp', shared: 443, sniHostname: 'a.example.com' },
        ],
      },
      mine.ask,
    )
    await scene.service(
      {
        name: 'secret',
        ports: [
          { port: 1, protocol: 'tcp' },
          { port: 2, protocol: 'tcp', shared: 443, sniHostname: 'secret.example.org' },
        ],
      },
      theirs.ask,
    )
    const owner = {
      projectId: mine.projectId,
      projectName: 'mine',
      serviceId: own.id,
      serviceName: 'a',
      portId: own.ports[0].id,
      host: null,
    }
    const since = expect.any(String)
    expect(await entry(10_001, mine.ask)).toEqual({
      ...FREE,
      port: 10_001,
      state: 'used',
      owner,
      owners: [owner],
      ownerCount: 1,
      since,
      blockStart: 10_000,
      blockEnd: 10_001,
    })
    expect(await entry(10_002, mine.ask)).toEqual({ ...FREE, port: 10_002, state: 'used', ownerCount: 1, since })
    const named = { ...owner, portId: own.ports[1].id, host: 'a.example.com' }
    expect(await entry(443, mine.ask)).toEqual({ ...FREE, port: 443, state: 'shared', owners: [named], ownerCount: 2 })
    const replies = [await mine.ask('GET', '/pools/tcp/ports'), await mine.ask('GET', '/pools')]
    expect(replies.map(({ text }) => text.includes('secret'))).toEqual([false, false])
    expect((await entry(10_002))?.owner).toMatchObject({ serviceName: 'secret', projectName: 'theirs' })
  })

  describe('a number', () => {
    test('is freed before its rest is over', async () => {
      const { id } = await scene.service({ name: 'a', ports: [{ port: 1, protocol: 'tcp' }] })
      await scene.node('proxy-1')
      await scene.fetched()
      expect((await act(10_000, 'free')).json.code).toBe('CONFLICT')
      await scene.admin('DELETE', `/services/${id}`)
      const resting = await entry(10_000)
      expect(resting).toEqual({
        ...FREE,
        port: 10_000,
        state: 'resting',
        since: expect.any(String),
        restsUntil: new Date(Date.parse(String(resting?.since)) + 60_000).toISOString(),
        blockedBy: [{ nodeId: 'proxy-1', nodeName: 'proxy-1', status: 'active', lastSeenAt: null }],
      })
      const reply = await act(10_000, 'free')
      expect([reply.status, reply.json]).toEqual([200, { ...FREE, port: 10_000 }])
      expect((await scene.audit()).at(-1)).toEqual({ action: 'pool.free', id: 'tcp-10000', told: true, removed: [] })
    })

    test('with a host name on it is freed by that name', async () => {
      const { id } = await scene.service({
        name: 'a',
        ports: [{ port: 1, protocol: 'tcp', shared: 443, sniHostname: 'a.example.com' }],
      })
      await scene.fetched()
      await scene.admin('DELETE', `/services/${id}`)
      expect(await scene.claims()).toEqual(['tcp 443 a.example.com resting'])
      expect((await act(443, 'free', { host: 'A.example.com.' })).status).toBe(200)
      expect(await scene.claims()).toEqual([])
    })

    test('is reserved with a note, and given back', async () => {
      const reply = await act(10_001, 'reserve', { note: ' for the old gateway ' })
      expect([reply.status, reply.json]).toEqual([
        200,
        { ...FREE, port: 10_001, state: 'reserved', note: 'for the old gateway', since: expect.any(String) },
      ])
      const taken = await scene.admin('POST', '/services', {
        name: 'a',
        ports: [{ port: 1, protocol: 'tcp', externalPort: 10_001 }],
      })
      expect(taken.json).toMatchObject({
        code: 'PORT_RESERVED',
        detail: 'TCP port 10001 is reserved: for the old gateway',
        nearest: 10_000,
      })
      expect((await act(10_001, 'unreserve')).json).toEqual({ ...FREE, port: 10_001 })
      expect((await scene.audit()).map(({ action }) => action)).toEqual(['pool.reserve', 'pool.unreserve'])
    })

    test('that is used, reserved by the settings, or of no pool stays as it is', async () => {
      await scene.service({ name: 'a', ports: [{ port: 1, protocol: 'tcp' }] })
      const replies = [
        await act(10_000, 'reserve'),
        await act(10_005, 'unreserve'),
        await act(10_001, 'unreserve'),
        await act(443, 'reserve'),
        await act(9000, 'reserve'),
        await act(10_001, 'reserve', { note: 'a\u0007b' }),
      ]
      expect(replies.map(({ status, json }) => `${status} ${json.code}`)).toEqual([
        '409 PORT_TAKEN',
        '409 CONFLICT',
        '409 CONFLICT',
        '409 PORT_SHARED',
        '422 PORT_OUT_OF_RANGE',
        '422 BODY_INVALID',
      ])
    })

    test('is the business of an admin of everything alone', async () => {
      const { ask, projectId } = await scene.tenant('mine')
      const local = scene.control.as(await scene.control.tokenFor({ scopes: ['admin'], projectId }))
      expect((await ask('POST', '/pools/tcp/ports/10001/reserve')).status).toBe(403)
      expect((await local('POST', '/pools/tcp/ports/10001/reserve')).status).toBe(404)
    })
  })
})
