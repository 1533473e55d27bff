import { sql } from 'drizzle-orm'
import { beforeEach, describe, expect, test } from 'vitest'
import { freePort, reservePort, unreservePort } from '../../../src/control/ports/admin.ts'
import { readPool } from '../../../src/control/ports/pools.ts'
import { allocateTcpPort, releasePort } from '../../../src/control/ports/ports.ts'
import {
  checkPorts,
  forgetHosts,
  repairPorts,
  restUnclaimed,
  strandedPorts,
} from '../../../src/control/ports/repair.ts'
import { onEachDatabase } from '../../support/database.ts'
import { LEAST_TIME_MS, makeScene, rulesOf, type Scene } from './port-scene.ts'

const first = (number: number, last = number) => ({ ok: true, first: number, last })
const refused = (code: string) => ({ ok: false, problem: expect.objectContaining({ code }) })

onEachDatabase('numbers', use => {
  let scene: Scene
  beforeEach(() => {
    scene = makeScene(use())
  })

  describe('claimed', () => {
    test('are the lowest that are free, and are written to the port', async () => {
      expect([await scene.claim('a'), await scene.claim('b')]).toEqual([first(10_000), first(10_001)])
      expect(await scene.external('b')).toEqual({ first: 10_001, last: null, shared: false, host: null })
      expect(await scene.claims()).toEqual(['tcp 10000 used a', 'tcp 10001 used b'])
    })

    test('may be the same for TCP and UDP', async () => {
      scene = makeScene(use(), rulesOf({ udp: { range: [10_000] } }))
      expect([await scene.claim('a'), await scene.claim('b', { protocol: 'udp' })]).toEqual([
        first(10_000),
        first(10_000),
      ])
      expect(await scene.claims()).toEqual(['tcp 10000 used a', 'udp 10000 used b'])
    })

    test('may be wanted, once', async () => {
      expect(await scene.claim('a', { wanted: 10_003 })).toEqual(first(10_003))
      expect(await scene.claim('b', { wanted: 10_003 })).toEqual(refused('PORT_TAKEN'))
      expect(await scene.claim('c', { wanted: 10_099 })).toEqual(refused('PORT_OUT_OF_RANGE'))
      expect(await scene.claims()).toEqual(['tcp 10003 used a'])
    })

    test('may be a block of neighbours', async () => {
      await scene.claim('a', { wanted: 10_001 })
      expect(await scene.claim('b', { count: 3 })).toEqual(first(10_002, 10_004))
      expect(await scene.external('b')).toEqual({ first: 10_002, last: 10_004, shared: false, host: null })
      expect(await scene.claim('c', { count: 2 })).toEqual(refused('POOL_EXHAUSTED'))
      expect((await scene.release('b')).map(({ port }) => port)).toEqual([10_002, 10_003, 10_004])
    })

    test('are gone when their transaction is', async () => {
      const outcome = scene.change(async change => {
        await scene.addPort(change, 'a', 'p', 'tcp')
        await allocateTcpPort(change, { servicePortId: 'a', projectId: 'p' }, rulesOf())
        throw new Error('no')
      })
      await expect(outcome).rejects.toThrow('no')
      expect(await scene.claims()).toEqual([])
      expect(await scene.claim('b')).toEqual(first(10_000))
    })

    test('are not given to a port that has one, or is of another protocol', async () => {
      await scene.claim('a')
      await expect(scene.claim('a')).rejects.toThrow('service port a is no tcp port without a number')
      await expect(
        scene.change(async change => {
          await scene.addPort(change, 'u', 'p', 'udp')
          return allocateTcpPort(change, { servicePortId: 'u', projectId: 'p' }, rulesOf())
        }),
      ).rejects.toThrow('service port u is no tcp port without a number')
      expect(await scene.claims()).toEqual(['tcp 10000 used a'])
    })

    test('are only such as every active node has', async () => {
      scene = makeScene(use(), rulesOf({ tcp: { declared: [10_002, 10_003] } }))
      expect(await scene.claim('a')).toEqual(first(10_002))
      expect(await scene.claim('b', { wanted: 10_000 })).toEqual(refused('PORT_UNDECLARED'))
    })

    test('are within the quota of their project', async () => {
      await scene.setQuota('p', 2)
      expect(await scene.claim('a')).toEqual(first(10_000))
      expect(await scene.attach('h', 'db.example.com')).toEqual({ ok: true })
      expect(await scene.claim('b', { protocol: 'udp' })).toEqual(refused('QUOTA_EXCEEDED'))
      expect(await scene.attach('i', 'pg.example.com')).toEqual(refused('QUOTA_EXCEEDED'))
      expect(await scene.claim('c', { project: 'q' })).toEqual(first(10_001))
    })

    test('are used up with an answer that says so', async () => {
      await scene.addNode('proxy-1')
      await scene.claim('block', { count: 4 })
      await scene.claim('z')
      await scene.fetch()
      await scene.release('z')
      await scene.setStatus('proxy-1', 'lost')
      expect(await scene.claim('x', { project: 'q' })).toEqual({
        ok: false,
        problem: {
          code: 'POOL_EXHAUSTED',
          protocol: 'tcp',
          port: null,
          host: null,
          message:
            'no TCP port of 10000-10004 is free: 4 of 5 are used, 1 rest; what rests rests until proxy-1 (lost) acknowledged the release and for 60 s more',
          remedy: 'Bring the lost nodes back, or retire them (POST /nodes/:id/retire).',
          leftMs: expect.any(Number),
          blockedBy: [{ id: 'proxy-1', name: 'proxy-1', status: 'lost', lastSeenAt: null }],
          counts: { total: 5, free: 0, used: 4, resting: 1, reserved: 0, shared: 0, undeclared: 0 },
        },
      })
    })
  })

  describe('released', () => {
    test('are free at once when no node was ever sent them', async () => {
      await scene.addNode('proxy-1')
      await scene.fetch()
      await scene.claim('a')
      expect(await scene.release('a')).toEqual([{ protocol: 'tcp', port: 10_000, host: '', rests: false }])
      expect(await scene.claim('b', { project: 'q' })).toEqual(first(10_000))
    })

    test('rest once a node was sent them, and go last', async () => {
      await scene.addNode('proxy-1')
      await scene.claim('a')
      await scene.fetch()
      expect(await scene.release('a')).toEqual([{ protocol: 'tcp', port: 10_000, host: '', rests: true }])
      expect(await scene.claims()).toEqual(['tcp 10000 resting p'])
      await scene.acknowledge('proxy-1')
      await scene.pass(LEAST_TIME_MS)
      expect(await scene.claim('b', { project: 'q', count: 4 })).toEqual(first(10_001, 10_004))
      expect(await scene.claim('c', { project: 'q' })).toEqual(first(10_000))
    })

    test.each([
      ['before every node knows', async () => scene.pass(LEAST_TIME_MS), refused('PORT_TAKEN')],
      ['before the least time has passed', async () => scene.acknowledge('proxy-1'), refused('PORT_TAKEN')],
      [
        'while the node that does not know is lost',
        async () => {
          await scene.setStatus('proxy-1', 'lost')
          await scene.pass(LEAST_TIME_MS)
        },
        refused('PORT_TAKEN'),
      ],
      [
        'once that node is retired',
        async () => {
          await scene.setStatus('proxy-1', 'retired')
          await scene.pass(LEAST_TIME_MS)
        },
        first(10_000),
      ],
      [
        'with a node that came in later',
        async () => {
          await scene.acknowledge('proxy-1')
          await scene.pass(LEAST_TIME_MS)
          await scene.addNode('proxy-2', { applied: null })
        },
        first(10_000),
      ],
      [
        'once all that holds',
        async () => {
          await scene.acknowledge('proxy-1')
          await scene.pass(LEAST_TIME_MS)
        },
        first(10_000),
      ],
    ] as const)('are wanted by another %s', async (_when, meanwhile, outcome) => {
      await scene.addNode('proxy-1')
      await scene.claim('a')
      await scene.fetch()
      await scene.release('a')
      await meanwhile()
      expect(await scene.claim('b', { project: 'q', wanted: 10_000 })).toEqual(outcome)
    })

    test('may be taken back by their project at once', async () => {
      await scene.addNode('proxy-1')
      await scene.claim('a')
      await scene.fetch()
      await scene.release('a')
      expect(await scene.claim('b', { project: 'q', wanted: 10_000 })).toEqual(refused('PORT_TAKEN'))
      expect(await scene.claim('b', { wanted: 10_000 })).toEqual(first(10_000))
    })

    test('and taken back, they still rest for all others when released again', async () => {
      await scene.addNode('proxy-1')
      await scene.claim('a')
      await scene.fetch()
      await scene.release('a')
      await scene.claim('b', { wanted: 10_000 })
      // No node was sent the second claim; but they serve the first, to this day.
      expect(await scene.release('b')).toEqual([expect.objectContaining({ rests: true })])
      expect(await scene.claim('c', { project: 'q', wanted: 10_000 })).toEqual(refused('PORT_TAKEN'))
    })

    test('and rested, then claimed unseen, are free at once', async () => {
      await scene.addNode('proxy-1')
      await scene.claim('a')
      await scene.fetch()
      await scene.release('a')
      await scene.acknowledge('proxy-1')
      await scene.pass(LEAST_TIME_MS)
      await scene.claim('b', { project: 'q', wanted: 10_000 })
      expect(await scene.release('b')).toEqual([expect.objectContaining({ rests: false })])
    })

    test('count for the quota once as many rest as may be used', async () => {
      scene = makeScene(use(), rulesOf({ tcp: { range: [10_000, 10_001, 10_002, 10_003] } }))
      await scene.setQuota('p', 1)
      await scene.addNode('proxy-1')
      for (const id of ['a', 'b']) {
        await scene.claim(id)
        await scene.fetch()
        await scene.release(id)
      }
      expect(await scene.claims()).toEqual(['tcp 10000 resting p', 'tcp 10001 resting p'])
      expect(await scene.claim('c', { wanted: 10_002 })).toEqual(refused('QUOTA_EXCEEDED'))
      expect(await scene.claim('c')).toEqual(first(10_000))
    })

    test('by a port that has none are nothing', async () => {
      expect(await scene.release('nobody')).toEqual([])
    })

    test('leave the port, when that stays, without a number', async () => {
      await scene.claim('a', { count: 2 })
      await scene.change(change => releasePort(change, 'a'))
      expect(await scene.external('a')).toEqual({ first: null, last: null, shared: false, host: null })
    })
  })

  describe('host names on a shared number', () => {
    test('belong to the first who takes them', async () => {
      expect(await scene.attach('a', 'db.example.com')).toEqual({ ok: true })
      expect(await scene.attach('b', 'pg.example.com', { project: 'q' })).toEqual({ ok: true })
      expect(await scene.attach('c', 'db.example.com', { project: 'q' })).toEqual(refused('SNI_TAKEN'))
      expect(await scene.attach('c', 'db.example.com')).toEqual(refused('SNI_TAKEN'))
      expect(await scene.external('a')).toEqual({ first: 443, last: null, shared: true, host: 'db.example.com' })
    })

    test.each([
      ['db.example.com', '*.example.com'],
      ['*.example.com', 'db.example.com'],
    ])('once %s is taken, %s is only for the same project', async (one, other) => {
      await scene.attach('a', one)
      expect(await scene.attach('b', other, { project: 'q' })).toEqual(refused('SNI_TAKEN'))
      expect(await scene.attach('b', other)).toEqual({ ok: true })
    })

    test('are not mistaken for names that only end alike', async () => {
      await scene.attach('a', '*.example.com')
      for (const host of ['x.y.example.com', 'example.com', 'xexample.com', '*.y.example.com'])
        expect(await scene.attach(host, host, { project: 'q' })).toEqual({ ok: true })
    })

    test('rest like numbers do, and come back to their project', async () => {
      await scene.addNode('proxy-1')
      await scene.attach('a', '*.example.com')
      await scene.fetch()
      expect(await scene.release('a')).toEqual([{ protocol: 'tcp', port: 443, host: '*.example.com', rests: true }])
      expect(await scene.attach('b', 'db.example.com', { project: 'q' })).toEqual(refused('SNI_TAKEN'))
      expect(await scene.attach('b', '*.example.com')).toEqual({ ok: true })
      await scene.release('b')
      await scene.acknowledge('proxy-1')
      await scene.pass(LEAST_TIME_MS)
      expect(await scene.attach('c', 'db.example.com', { project: 'q' })).toEqual({ ok: true })
    })

    test('are only on shared numbers, and keep those from being claimed whole', async () => {
      expect(await scene.attach('a', 'db.example.com', { port: 10_000 })).toEqual(refused('PORT_NOT_SHARED'))
      expect(await scene.claim('b', { wanted: 443 })).toEqual(refused('PORT_SHARED'))
      await scene.attach('a', 'db.example.com')
      const changed = makeScene(use(), rulesOf({ tcp: { range: [443], shared: [] } }))
      expect(await changed.claim('b', { wanted: 443 })).toEqual(refused('PORT_TAKEN'))
    })

    test('leave the number to others once it is shared no more, and they have rested', async () => {
      await scene.attach('a', 'db.example.com')
      await scene.fetch()
      await scene.release('a')
      const changed = makeScene(use(), rulesOf({ tcp: { range: [443], shared: [] } }))
      expect(await changed.claim('b', { wanted: 443 })).toEqual(refused('PORT_TAKEN'))
      await scene.pass(LEAST_TIME_MS)
      expect(await changed.claim('b', { wanted: 443 })).toEqual(first(443))
      await scene.fetch()
      await changed.release('b')
      expect(await scene.attach('c', 'pg.example.com')).toEqual(refused('PORT_TAKEN'))
      await scene.pass(LEAST_TIME_MS)
      expect(await scene.attach('c', 'pg.example.com')).toEqual({ ok: true })
    })

    test('are forgotten when they have rested, and not before', async () => {
      const forget = () => use().transaction(tx => forgetHosts(tx, { leastTimeMs: LEAST_TIME_MS }))
      await scene.claim('n')
      for (const host of ['a.x', 'b.x']) await scene.attach(host, host)
      await scene.fetch()
      for (const id of ['n', 'a.x', 'b.x']) await scene.release(id)
      expect(await forget()).toBe(0)
      await scene.pass(LEAST_TIME_MS)
      await scene.attach('b', 'b.x')
      expect(await forget()).toBe(1)
      expect(await scene.claims()).toEqual(['tcp 443 b.x used b', 'tcp 10000 resting p'])
    })

    test('do not come beside a claim of the whole number', async () => {
      const before = makeScene(use(), rulesOf({ tcp: { range: [443], shared: [] } }))
      await before.claim('a', { wanted: 443 })
      expect(await scene.attach('b', 'db.example.com', { project: 'q' })).toEqual(refused('PORT_TAKEN'))
    })
  })

  describe('in the hands of an admin', () => {
    const tcp = (port: number) => ({ protocol: 'tcp', port }) as const
    const options = { note: 'for mail', leastTimeMs: LEAST_TIME_MS }

    test('are reserved, and free again', async () => {
      expect(await scene.change(change => reservePort(change, tcp(10_000), options))).toBeNull()
      expect(await scene.claim('a')).toEqual(first(10_001))
      expect(await scene.claim('b', { wanted: 10_000 })).toEqual({
        ok: false,
        problem: expect.objectContaining({ code: 'PORT_RESERVED', message: 'TCP port 10000 is reserved: for mail' }),
      })
      expect(await scene.change(change => unreservePort(change, tcp(10_000)))).toBe(true)
      expect(await scene.change(change => unreservePort(change, tcp(10_000)))).toBe(false)
      expect(await scene.claim('b')).toEqual(first(10_000))
    })

    test('are not reserved while used or at rest', async () => {
      await scene.addNode('proxy-1')
      await scene.claim('a')
      const reserve = () => scene.change(change => reservePort(change, tcp(10_000), options))
      expect(await reserve()).toMatchObject({ code: 'PORT_TAKEN' })
      await scene.fetch()
      await scene.release('a')
      expect(await reserve()).toMatchObject({ code: 'PORT_TAKEN', blockedBy: [{ name: 'proxy-1' }] })
      await scene.acknowledge('proxy-1')
      await scene.pass(LEAST_TIME_MS)
      expect(await reserve()).toBeNull()
      expect(await scene.claims()).toEqual(['tcp 10000 reserved'])
    })

    test('are freed from their rest, one by one', async () => {
      await scene.claim('a', { count: 2 })
      await scene.fetch()
      await scene.release('a')
      expect(await scene.change(change => freePort(change, tcp(10_000)))).toBe(true)
      expect(await scene.change(change => freePort(change, tcp(10_000)))).toBe(false)
      expect(await scene.claims()).toEqual(['tcp 10001 resting p'])
    })

    test('are not freed while used', async () => {
      await scene.claim('a')
      expect(await scene.change(change => freePort(change, tcp(10_000)))).toBe(false)
    })
  })

  test('are listed with their state, owner and what they wait for', async () => {
    const rules = rulesOf({ tcp: { reserved: [10_004], declared: [443, 10_000, 10_001, 10_002, 10_004] } })
    scene = makeScene(use(), rules)
    await scene.addNode('proxy-1')
    await scene.claim('a')
    await scene.claim('b', { project: 'q' })
    await scene.attach('h', 'db.example.com')
    await scene.fetch()
    await scene.release('b')
    const { counts, ports } = await use().transaction(tx => readPool(tx, 'tcp', rules), { readOnly: true })
    const plain = { inPool: true, owners: [], since: null, rest: null, note: null }
    expect(counts).toEqual({ total: 5, free: 1, used: 1, resting: 1, reserved: 1, shared: 0, undeclared: 1 })
    expect(ports).toEqual([
      {
        ...plain,
        port: 443,
        state: 'shared',
        owners: [{ servicePortId: 'h', projectId: 'p', host: 'db.example.com' }],
      },
      {
        ...plain,
        port: 10_000,
        state: 'used',
        owners: [{ servicePortId: 'a', projectId: 'p', host: '' }],
        since: expect.any(Date),
      },
      {
        ...plain,
        port: 10_001,
        state: 'resting',
        since: expect.any(Date),
        rest: {
          over: false,
          leftMs: expect.any(Number),
          blockedBy: [{ id: 'proxy-1', name: 'proxy-1', status: 'active', lastSeenAt: null }],
        },
      },
      { ...plain, port: 10_002, state: 'free' },
      { ...plain, port: 10_003, state: 'undeclared' },
      { ...plain, port: 10_004, state: 'reserved' },
    ])

    await scene.acknowledge('proxy-1')
    await scene.pass(LEAST_TIME_MS)
    const later = await use().transaction(tx => readPool(tx, 'tcp', rules), { readOnly: true })
    expect(later.counts).toEqual({ ...counts, free: 2, resting: 0 })
    expect(later.ports.find(({ port }) => port === 10_001)).toEqual({ ...plain, port: 10_001, state: 'free' })
  })

  describe('that do not agree with their ports', () => {
    const check = () => use().transaction(tx => checkPorts(tx), { readOnly: true })
    const tamper = (...statements: string[]) =>
      use().transaction(async tx => {
        for (const statement of statements) await tx.execute(statement)
      })

    test('are none after ordinary work', async () => {
      await scene.claim('a', { count: 2 })
      await scene.attach('h', 'db.example.com')
      await scene.claim('u', { protocol: 'udp', project: 'q' })
      await scene.fetch()
      await scene.release('a')
      expect(await check()).toEqual([])
    })

    test('are found and mended', async () => {
      await scene.addNode('proxy-1')
      for (const id of ['a', 'b', 'c', 'd']) await scene.claim(id)
      await scene.attach('h', 'db.example.com')
      await scene.claim('u', { protocol: 'udp', project: 'q' })
      await tamper(
        `update service_ports set external_port = null where id = 'a'`,
        `delete from allocated_ports where service_port_id in ('b', 'h')`,
        `update allocated_ports set project_id = 'q' where service_port_id = 'c'`,
        // A block reaches over the number of d.
        `update service_ports set external_port_end = 10003 where id = 'c'`,
      )
      const findings = [
        { kind: 'missing', protocol: 'tcp', port: 443, host: 'db.example.com', servicePortId: 'h', projectId: 'p' },
        { kind: 'leaked', protocol: 'tcp', port: 10_000, host: '', servicePortId: 'a' },
        { kind: 'missing', protocol: 'tcp', port: 10_001, host: '', servicePortId: 'b', projectId: 'p' },
        { kind: 'misowned', protocol: 'tcp', port: 10_002, host: '', servicePortId: 'c', projectId: 'p' },
        { kind: 'duplicate', protocol: 'tcp', port: 10_003, host: '', servicePortId: 'c', claimedFor: 'd' },
      ]
      expect(await check()).toEqual(findings)
      expect(await scene.change(change => repairPorts(change))).toEqual(findings)
      expect(await check()).toEqual(findings.slice(-1))
      expect(await scene.claims()).toEqual([
        'tcp 443 db.example.com used h',
        'tcp 10000 resting p',
        'tcp 10001 used b',
        'tcp 10002 used c',
        'tcp 10003 used d',
        'udp 11000 used u',
      ])
      // What was mended may be in the nodes' hands, so it rests when it is released.
      expect(await scene.release('b')).toEqual([expect.objectContaining({ rests: true })])
    })

    test('are those outside the pool, once the settings have changed', async () => {
      await scene.claim('a')
      await scene.attach('h', 'db.example.com')
      await scene.claim('b')
      const smaller = rulesOf({ tcp: { range: [10_000], shared: [] } }).tcp
      expect(await use().transaction(tx => strandedPorts(tx, 'tcp', smaller))).toEqual([443, 10_001])
      expect(await use().transaction(tx => strandedPorts(tx, 'tcp', rulesOf().tcp))).toEqual([])
    })
  })

  test('nobody has go to rest when nobody knows what was', async () => {
    await scene.addNode('proxy-1')
    await scene.claim('a')
    const rest = await scene.change(change => restUnclaimed(change, 'tcp', rulesOf().tcp))
    expect(rest).toBe(4)
    expect(await scene.claim('b')).toEqual(refused('POOL_EXHAUSTED'))
    await scene.acknowledge('proxy-1')
    await scene.pass(LEAST_TIME_MS)
    expect(await scene.claim('b')).toEqual(first(10_001))
  })

  test('count up the revision by one with each change', async () => {
    const before = await scene.position()
    await scene.claim('a')
    await scene.release('a')
    expect((await scene.position()).revision - before.revision).toBe(2)
    const { rows } = await use().transaction(tx => tx.execute(sql`select count(*)::int as rows from revisions`))
    expect(rows).toEqual([{ rows: 1 }])
  })
})
