import { describe, expect, test } from 'vitest'
import { beginChange } from '../../../src/control/db/revision.ts'
import { endpoints, projects, servicePorts, services } from '../../../src/control/db/schema.ts'
import { readRoutes } from '../../../src/control/services/routes.ts'
import { parseExpectedState } from '../../../src/core/expected-state.ts'
import { onEachDatabase } from '../../support/database.ts'

const CLAIMED = new Date('2026-11-23T10:00:00.123Z')

onEachDatabase('routes', use => {
  type PortRow = typeof servicePorts.$inferInsert

  const declare = (rows: readonly Omit<PortRow, 'serviceId'>[], at: readonly { address: string; weight?: number }[]) =>
    use().transaction(async tx => {
      await beginChange(tx)
      await tx.insert(projects).values({ id: 'p', name: 'p' })
      await tx.insert(services).values({ id: 's', projectId: 'p', name: 's', preset: 'postgres' })
      if (at.length > 0)
        await tx
          .insert(endpoints)
          .values(at.map(({ address, weight = 1 }) => ({ id: `e-${address}`, serviceId: 's', address, weight })))
      if (rows.length > 0)
        await tx
          .insert(servicePorts)
          .values(rows.map(row => ({ serviceId: 's', isPublic: true, claimedAt: CLAIMED, ...row })))
    })

  const read = () => use().transaction(readRoutes, { readOnly: true })
  const base = { serviceId: 's', claimedAt: '2026-11-23T10:00:00.123Z' }

  test('are none where nothing is declared', async () => {
    expect(await read()).toEqual({ routes: [], tcpRoutes: [], udpRoutes: [] })
  })

  test('carry every field that means something, and no other', async () => {
    await declare(
      [
        {
          id: 'b',
          port: 5432,
          protocol: 'tcp',
          externalPort: 10_001,
          tls: 'passthrough',
          tlsPassthrough: true,
          sniHostname: 'db.example.com',
          allowCidrs: ['10.0.0.0/8'],
          maxConnectionsPerClient: 5,
          proxyProtocol: 2,
          healthCheck: { interval: '3s' },
          probe: true,
          expiresAt: new Date('2026-12-24T18:00:00Z'),
        },
        { id: 'a', port: 6379, protocol: 'tcp', externalPort: 10_002, preset: 'redis', tls: 'none' },
        { id: 'c', port: 53, protocol: 'udp', externalPort: 11_000, externalPortEnd: 11_003 },
        { id: 'd', port: 3000, protocol: 'http', domain: 'app.example.com' },
        {
          id: 'e',
          port: 3001,
          protocol: 'http',
          domain: 'app.example.com',
          pathPrefix: '/api',
          redirectToHttps: false,
          certResolver: 'le',
        },
      ],
      [{ address: 'fd00::5', weight: 3 }, { address: '10.0.0.9' }],
    )
    expect(await read()).toEqual({
      routes: [
        {
          ...base,
          id: 'd',
          domain: 'app.example.com',
          upstreams: [{ url: 'http://10.0.0.9:3000' }, { url: 'http://[fd00::5]:3000', weight: 3 }],
        },
        {
          ...base,
          id: 'e',
          domain: 'app.example.com',
          pathPrefix: '/api',
          upstreams: [{ url: 'http://10.0.0.9:3001' }, { url: 'http://[fd00::5]:3001', weight: 3 }],
          redirectToHttps: false,
          certResolver: 'le',
        },
      ],
      tcpRoutes: [
        {
          ...base,
          id: 'a',
          upstreams: ['10.0.0.9:6379', '[fd00::5]:6379'],
          weights: [1, 3],
          externalPort: 10_002,
          protocolHint: 'redis',
        },
        {
          ...base,
          id: 'b',
          expiresAt: '2026-12-24T18:00:00.000Z',
          probe: true,
          upstreams: ['10.0.0.9:5432', '[fd00::5]:5432'],
          weights: [1, 3],
          externalPort: 10_001,
          tlsPassthrough: true,
          sniHostname: 'db.example.com',
          proxyProtocol: 2,
          allowCidrs: ['10.0.0.0/8'],
          maxConnectionsPerClient: 5,
          healthCheck: { interval: '3s' },
          protocolHint: 'postgres',
        },
      ],
      udpRoutes: [
        {
          ...base,
          id: 'c',
          upstreams: ['10.0.0.9:53', '[fd00::5]:53'],
          weights: [1, 3],
          externalPort: 11_000,
          externalPortEnd: 11_003,
        },
      ],
    })
    const state = parseExpectedState({ traefik: await read() }, { origin: 'x', maxRoutes: 100 })
    expect(state).toMatchObject({ ok: true, state: { problems: [], unknownFields: [] } })
  })

  test('leave out what is not public, and what has no number and no domain', async () => {
    await declare(
      [
        { id: 'a', port: 1, protocol: 'http', domain: 'a.example.com', isPublic: false },
        { id: 'b', port: 2, protocol: 'http' },
        { id: 'c', port: 3, protocol: 'tcp' },
        { id: 'd', port: 4, protocol: 'tcp', externalPort: 10_000 },
      ],
      [],
    )
    expect(await read()).toEqual({
      routes: [],
      tcpRoutes: [{ ...base, id: 'd', upstreams: [], externalPort: 10_000, protocolHint: 'postgres' }],
      udpRoutes: [],
    })
  })

  describe('with ids in any letters', () => {
    test('are sorted by bytes, whatever the collation', async () => {
      await declare(
        ['b', 'B', 'a-1', 'a1', 'A'].map((id, i) => ({ id, port: 1, protocol: 'tcp', externalPort: 10_000 + i })),
        [],
      )
      expect((await read()).tcpRoutes.map(({ id }) => id)).toEqual(['A', 'B', 'a-1', 'a1', 'b'])
    })
  })
})
