import { sql } from 'drizzle-orm'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { beginChange } from '../../../src/control/db/revision.ts'
import { onEachDatabase } from '../../support/database.ts'
import { type ServiceScene, serviceScene } from './service-scene.ts'

onEachDatabase('the list of services', use => {
  let scene: ServiceScene
  beforeEach(async () => {
    scene = await serviceScene(use())
  })
  afterEach(() => scene.close())

  const get = async (query: string, ask = scene.admin) => (await ask('GET', `/services?${query}`)).json
  const names = async (query: string, ask = scene.admin): Promise<string[]> =>
    (await get(query, ask)).items.map(({ name }: { name: string }) => name)

  test('has a row for each, or the fields that are asked for', async () => {
    const { id, projectId } = await scene.service({
      name: 'a',
      preset: 'redis',
      endpoints: [{ address: '10.0.0.2' }, { address: '10.0.0.1' }],
      ports: [
        { port: 6379, protocol: 'tcp' },
        { port: 6379, protocol: 'tcp', isPublic: false },
        { port: 80, protocol: 'http', domain: 'a.example.com', pathPrefix: '/x' },
      ],
    })
    const row = {
      id,
      projectId,
      name: 'a',
      preset: 'redis',
      addresses: ['proxy.example.com:10000', 'a.example.com/x'],
      endpoints: ['10.0.0.1', '10.0.0.2'],
      ports: [6379, 80],
      protocols: ['http', 'tcp'],
      verdict: 'pending',
      version: 1,
      createdAt: expect.any(String),
      updatedAt: expect.any(String),
    }
    expect(await get('')).toEqual({ items: [row], nextCursor: null })
    expect((await get('fields=name,%20verdict')).items).toEqual([{ id, name: 'a', verdict: 'pending' }])
    expect((await get('fields=addresses')).items).toEqual([{ id, addresses: row.addresses }])
    expect((await scene.admin('GET', '/services?fields=name,secret')).status).toBe(400)
  })

  test('is found by what people remember', async () => {
    await scene.service({
      name: 'orders-db',
      preset: 'postgres',
      endpoints: [{ address: '10.0.0.1' }],
      ports: [{ port: 5432, protocol: 'tcp' }],
    })
    await scene.service({
      name: 'shop',
      endpoints: [{ address: '10.0.0.2' }],
      ports: [{ port: 80, protocol: 'http', domain: 'shop.example.com' }],
    })
    await scene.service({
      name: '100',
      ports: [
        { port: 53, protocol: 'udp' },
        { port: 53, protocol: 'tcp', shared: 443, sniHostname: 'ns.example.org' },
      ],
    })
    expect(await names('')).toEqual(['100', 'orders-db', 'shop'])
    for (const [query, found] of [
      ['q=ORDERS', ['orders-db']],
      ['q=example.', ['100', 'shop']],
      ['q=10.0.0.', ['orders-db', 'shop']],
      ['q=10000', ['orders-db']],
      ['q=53', ['100']],
      ['q=postgres', ['orders-db']],
      ['q=%25', []],
      ['q=_', []],
      ["q='%3B--", []],
      ['protocol=udp', ['100']],
      ['protocol=tcp', ['100', 'orders-db']],
      ['protocol=tcp&q=ns', ['100']],
      ['verdict=pending', ['100', 'orders-db', 'shop']],
      ['verdict=live,degraded', []],
    ] as const)
      expect([query, await names(query)]).toEqual([query, found])
  })

  test('comes in pages that lose and repeat nothing', async () => {
    for (const name of ['e', 'c', 'a', 'd', 'b'])
      await scene.service({ name, ports: [{ port: 1, protocol: 'http', domain: `${name}.example.com` }] })
    for (const filter of ['', 'verdict=pending&']) {
      const seen: string[] = []
      let cursor: string | null = ''
      while (cursor !== null) {
        const page: { items: { name: string }[]; nextCursor: string | null } = await get(
          `${filter}limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`,
        )
        seen.push(...page.items.map(({ name }) => name))
        cursor = page.nextCursor
        if (cursor !== null && seen.length === 2) await scene.service({ name: 'aa' }).catch(() => null)
      }
      expect(seen).toEqual(['a', 'b', 'c', 'd', 'e'])
      const [extra] = (await get('q=aa')).items
      await scene.admin('DELETE', `/services/${extra.id}`)
    }
    expect((await scene.admin('GET', '/services?cursor=x')).status).toBe(400)
  })

  test('of five thousand is small and whole', async () => {
    const { projectId } = await scene.service({ name: 'first' })
    await use().transaction(async tx => {
      await beginChange(tx)
      await tx.execute(sql`
        insert into services (id, project_id, name, preset)
        select 'svc_' || lpad(to_hex(i), 32, '0'), ${projectId}, 'service-' || i, 'postgres' from generate_series(1, 5000) i`)
      await tx.execute(sql`
        insert into service_ports (id, service_id, port, is_public, protocol, external_port, shared, sni_hostname, tls)
        select 'prt_' || lpad(to_hex(i), 32, '0'), 'svc_' || lpad(to_hex(i), 32, '0'), 5432, true, 'tcp', 443, true, 'h' || i || '.example.com', 'passthrough'
        from generate_series(1, 5000) i`)
    })
    const ids = new Set<string>()
    let bytes = 0
    let cursor: string | null = ''
    while (cursor !== null) {
      const { text, json } = await scene.admin(
        'GET',
        `/services?limit=500&fields=name,preset,addresses,verdict${cursor === '' ? '' : `&cursor=${cursor}`}`,
      )
      for (const { id } of json.items) ids.add(id)
      bytes += text.length
      cursor = json.nextCursor
    }
    expect(ids.size).toBe(5001)
    expect(bytes / ids.size).toBeLessThan(160)
  })
})
