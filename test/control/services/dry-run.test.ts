import { afterEach, beforeEach, expect, test } from 'vitest'
import { onEachDatabase } from '../../support/database.ts'
import { type ServiceScene, serviceScene } from './service-scene.ts'

onEachDatabase('a dry run', use => {
  let scene: ServiceScene
  beforeEach(async () => {
    scene = await serviceScene(use())
  })
  afterEach(() => scene.close())

  const state = async () => [
    await scene.claims(),
    await scene.routes(),
    await scene.audit(),
    await use().transaction(readRevision),
  ]
  const readRevision = async (tx: Parameters<Parameters<ReturnType<typeof use>['transaction']>[0]>[0]) =>
    (await tx.execute('select revision, fetched_revision from revisions')).rows
  const database = {
    name: 'db',
    preset: 'postgres',
    endpoints: [{ address: '10.0.0.1' }],
    ports: [{ port: 5432, protocol: 'tcp' }],
  }

  test('of a new service tells which number it would get, and changes nothing', async () => {
    const before = await state()
    const reply = await scene.admin('POST', '/services?dryRun=true', database)
    expect([reply.status, reply.headers.etag, reply.json]).toEqual([
      200,
      undefined,
      {
        changes: [
          { op: 'add', what: 'service', after: 'db' },
          { op: 'add', what: 'endpoint', after: '10.0.0.1' },
          { op: 'add', what: 'ports[0].address', after: 'proxy.example.com:10000' },
          { op: 'add', what: 'ports[0].protocol', after: 'tcp' },
          { op: 'add', what: 'ports[0].port', after: 5432 },
          { op: 'add', what: 'ports[0].isPublic', after: true },
          { op: 'add', what: 'ports[0].externalPort', after: 10_000 },
          { op: 'add', what: 'ports[0].tls', after: 'none' },
          { op: 'note', what: 'anyone on the Internet can reach this PostgreSQL; allowCidrs confines it' },
        ],
        problems: [],
      },
    ])
    expect(await state()).toEqual(before)
    expect((await scene.admin('GET', '/projects')).json.items).toEqual([])
  })

  test('of a change tells what would go, and which connections stay', async () => {
    const { id, ports } = await scene.service(database)
    await scene.node('proxy-1', { openConnections: { [ports[0].id]: 3 } })
    const path = `/services/${id}/ports/${ports[0].id}?dryRun=true`
    const before = await state()
    const reply = await scene.admin('PATCH', path, {
      externalPort: 10_003,
      sniHostname: 'db.example.com',
      allowCidrs: ['10.0.0.0/8'],
    })
    expect(reply.json).toEqual({
      changes: [
        { op: 'change', what: 'address', before: 'proxy.example.com:10000', after: 'db.example.com:10003' },
        { op: 'change', what: 'externalPort', before: 10_000, after: 10_003 },
        { op: 'change', what: 'sniHostname', before: null, after: 'db.example.com' },
        { op: 'change', what: 'tls', before: 'none', after: 'passthrough' },
        { op: 'change', what: 'allowCidrs', before: [], after: ['10.0.0.0/8'] },
        { op: 'note', what: 'connections that are open stay open on the old route: 3 on proxy-1' },
      ],
      problems: [],
    })
    expect((await scene.admin('PATCH', path, { isPublic: false })).json.changes).toEqual([
      { op: 'remove', what: 'address', before: 'proxy.example.com:10000' },
      { op: 'change', what: 'isPublic', before: true, after: false },
      { op: 'change', what: 'externalPort', before: 10_000, after: null },
      { op: 'note', what: 'connections that are open stay open on the old route: 3 on proxy-1' },
    ])
    expect((await scene.admin('PATCH', path, {})).json).toEqual({ changes: [], problems: [] })
    expect(await state()).toEqual(before)
  })

  test('of other endpoints, another name, and the end', async () => {
    const { id, ports } = await scene.service({
      ...database,
      endpoints: [{ address: '10.0.0.1' }, { address: '10.0.0.2' }],
    })
    await scene.fetched()
    const changesOf = async (...ask: Parameters<typeof scene.admin>) => (await scene.admin(...ask)).json.changes
    expect(
      await changesOf('PUT', `/services/${id}/endpoints?dryRun=true`, [
        { address: '10.0.0.2', weight: 3 },
        { address: '10.0.0.3' },
      ]),
    ).toEqual([
      { op: 'remove', what: 'endpoint', before: '10.0.0.1' },
      { op: 'add', what: 'endpoint', after: '10.0.0.3' },
      { op: 'change', what: 'weight of 10.0.0.2', before: 1, after: 3 },
    ])
    expect(await changesOf('PATCH', `/services/${id}?dryRun=true`, { name: 'new', preset: null })).toEqual([
      { op: 'change', what: 'name', before: 'db', after: 'new' },
      { op: 'change', what: 'preset', before: 'postgres', after: null },
    ])
    const end = [
      { op: 'remove', what: 'address', before: 'proxy.example.com:10000' },
      { op: 'note', what: 'TCP port 10000 rests until no node sends clients there' },
    ]
    expect(await changesOf('DELETE', `/services/${id}/ports/${ports[0].id}?dryRun=true`)).toEqual(end)
    expect(await changesOf('DELETE', `/services/${id}?dryRun=true`)).toEqual([
      { op: 'remove', what: 'service', before: 'db' },
      { op: 'remove', what: 'ports[0].address', before: 'proxy.example.com:10000' },
      end[1],
    ])
  })

  test('of what would be refused tells the same problems', async () => {
    await scene.service(database)
    const wishes: object[] = [
      database,
      { name: 'b', ports: [{ port: 1, protocol: 'tcp', externalPort: 10_000 }] },
      {
        name: 'b',
        ports: [
          { port: 1, protocol: 'tcp', tls: 'none', sniHostname: 'a.example.com' },
          { port: 2, protocol: 'http' },
        ],
      },
      { name: 'B', ports: [{ port: 0, protocol: 'tcp', nonsense: 1 }] },
      { name: 'b', endpoints: [{ address: '127.0.0.1' }], ports: [{ port: 1, protocol: 'udp', externalPort: 9 }] },
    ]
    for (const wish of wishes) {
      const refused = await scene.admin('POST', '/services', wish)
      const planned = await scene.admin('POST', '/services?dryRun=true', wish)
      expect(refused.status).toBeGreaterThanOrEqual(409)
      expect([planned.status, planned.json]).toEqual([200, { changes: [], problems: refused.json.fields }])
    }
  })

  test('of what is not there, or was changed meanwhile, is refused as the write is', async () => {
    const { id } = await scene.service(database)
    expect((await scene.admin('DELETE', '/services/svc_no?dryRun=true')).status).toBe(404)
    expect(
      (await scene.admin('PATCH', `/services/${id}?dryRun=true`, { name: 'b' }, { 'if-match': '"v9"' })).status,
    ).toBe(412)
    expect((await scene.admin('PATCH', `/services/${id}?dryRun=maybe`, { name: 'b' })).status).toBe(400)
    expect((await scene.admin('PATCH', `/services/${id}?dryRun=false`, { name: 'b' })).json.name).toBe('b')
  })
})
