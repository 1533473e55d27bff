import { sql } from 'drizzle-orm'
import { beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { MAX_HELD_POLLS } from '../../../src/control/agents/held-polls.ts'
import type { Database } from '../../../src/control/db/client.ts'
import { DatabaseError } from '../../../src/control/db/error.ts'
import { beginChange, raiseEpoch } from '../../../src/control/db/revision.ts'
import { actorOf } from '../../../src/control/http/route.ts'
import { wakeNodes } from '../../../src/control/hub.ts'
import { parseExpectedState } from '../../../src/core/expected-state.ts'
import type { Clock } from '../../../src/lib/clock.ts'
import { SYSTEM_CLOCK } from '../../../src/lib/clock.ts'
import { atEnd } from '../../support/at-end.ts'
import { type ControlApp, controlApp, type Reply } from '../../support/control-app.ts'
import { onEachDatabase } from '../../support/database.ts'
import { enrolledNode, manyNodes, type NodeClient, nodeClient } from '../../support/node-client.ts'
import { waitFor } from '../../support/wait-for.ts'

const PATH = '/agent/expected-state'
const problem = ({ status, json }: Reply) => [status, json.code]

onEachDatabase('expected state', use => {
  let control: ControlApp
  let node: NodeClient
  let offsetMs = 0
  let transactions = 0
  let broken = false
  const clock: Clock = { ...SYSTEM_CLOCK, now: () => Date.now() + offsetMs }

  beforeEach(async () => {
    offsetMs = 0
    transactions = 0
    broken = false
    const database: Database = {
      ...use(),
      transaction(work, options) {
        transactions += 1
        if (broken) return Promise.reject(new DatabaseError('DATABASE_UNREACHABLE', 'not there'))
        return use().transaction(work, options)
      },
    }
    control = await controlApp({
      deps: { database, clock },
      routes: app =>
        void app.post(
          '/agent/echo',
          {
            config: { access: 'node', problems: ['SIGNATURE_INVALID', 'TIMESTAMP_REUSED', 'NODE_REVOKED'] },
            schema: { body: z.unknown(), response: { 200: z.object({ body: z.unknown(), actor: z.string() }) } },
          },
          async request => ({ body: request.body, actor: actorOf(request).id }),
        ),
    })
    atEnd(() => control.close())
    node = await enrolledNode(control, 'proxy-1')
  })

  const execute = (text: string) => use().transaction(tx => tx.execute(sql.raw(text)))

  /** Past the services: a TCP route with a number. */
  const addRoute = (id: string, port: number) =>
    use().transaction(async tx => {
      const { revision } = await beginChange(tx)
      await tx.execute(sql`insert into projects (id, name) values ('prj_1', 'one') on conflict do nothing`)
      await tx.execute(sql`insert into services (id, project_id, name) values (${`svc_${id}`}, 'prj_1', ${id})`)
      await tx.execute(
        sql`insert into endpoints (id, service_id, address) values (${`end_${id}`}, ${`svc_${id}`}, '10.200.1.5')`,
      )
      await tx.execute(sql`
        insert into service_ports (id, service_id, port, is_public, protocol, external_port, claimed_at)
        values (${id}, ${`svc_${id}`}, 5432, true, 'tcp', ${port}, '2026-11-23T10:00:00Z')`)
      return revision
    })
  const removeRoute = (id: string, at = new Date()) =>
    use().transaction(async tx => {
      const { epoch, revision } = await beginChange(tx)
      await tx.execute(sql`delete from service_ports where id = ${id}`)
      await tx.execute(sql`
        insert into audit_log (at, actor_kind, actor_id, action, resource_kind, resource_id, epoch, revision, removed_routes)
        values (${at.toISOString()}, 'token', 't', 'port.delete', 'port', ${id}, ${epoch}, ${revision}, array[${id}])`)
      return revision
    })
  const tcpRoute = (id: string, externalPort: number) => ({
    ...{
      id,
      serviceId: `svc_${id}`,
      claimedAt: '2026-11-23T10:00:00.000Z',
      upstreams: ['10.200.1.5:5432'],
      externalPort,
    },
  })
  const etagOf = (reply: Reply): string => String(reply.headers.etag)
  const hold = (etag: string, by = node, wait = 20) => by.get(PATH, { 'if-none-match': etag, prefer: `wait=${wait}` })
  const held = (count = 1) => waitFor(() => control.deps.hub.stats().waiting === count, { what: `${count} held polls` })
  const fetched = async () => (await execute('select fetched_revision::int as f from revisions')).rows[0]?.f

  test('names everything that the contract has', async () => {
    await addRoute('prt_1', 10001)
    const reply = await node.get(PATH)
    expect(reply.status).toBe(200)
    expect(reply.json).toEqual({
      ...{ schema: 1, controlPlaneId: use().controlPlaneId, serverId: node.id, serverName: 'proxy-1' },
      ...{ epoch: 1, revision: 1, acceptedHash: null, removed: [] },
      traefik: { routes: [], tcpRoutes: [tcpRoute('prt_1', 10001)], udpRoutes: [] },
    })
    const parsed = parseExpectedState(reply.json, { origin: 'cp', maxRoutes: 10 })
    expect(parsed.ok && [parsed.state.problems, parsed.state.unknownFields]).toEqual([[], []])
    expect(reply.headers['content-type']).toBe('application/json; charset=utf-8')
    expect(Number(reply.headers['content-length'])).toBe(Buffer.byteLength(reply.text))
    expect(reply.headers['preference-applied']).toBe(undefined)
  })

  test('two processes give the same bytes and tags', async () => {
    await addRoute('prt_1', 10001)
    const other = await controlApp({ deps: { database: use(), clock } })
    atEnd(() => other.close())
    const there = nodeClient(other, { ...node, key: node })
    const [one, two] = [await node.get(PATH), await there.get(PATH)]
    expect([two.text, etagOf(two)]).toEqual([one.text, etagOf(one)])
  })

  test('what is known already is not sent again', async () => {
    const first = await node.get(PATH)
    const again = await node.get(PATH, { 'if-none-match': etagOf(first) })
    expect([again.status, again.text, etagOf(again)]).toEqual([304, '', etagOf(first)])
    await addRoute('prt_1', 10001)
    expect((await node.get(PATH, { 'if-none-match': etagOf(first) })).status).toBe(200)
  })

  test('a held answer comes with the change', async () => {
    const first = await node.get(PATH)
    const waiting = hold(etagOf(first))
    await held()
    await addRoute('prt_1', 10001)
    const reply = await waiting
    expect([reply.status, reply.json.revision, reply.headers['preference-applied']]).toEqual([200, 1, 'wait'])
    expect(await fetched()).toBe(1)
  })

  test('a held answer ends after the time asked for', async () => {
    const first = await node.get(PATH)
    const reply = await hold(etagOf(first), node, 1)
    expect([reply.status, etagOf(reply)]).toEqual([304, etagOf(first)])
  })

  test('whoever knows nothing is not held', async () => {
    expect((await node.get(PATH, { prefer: 'wait=20' })).status).toBe(200)
    expect((await hold('"something"')).status).toBe(200)
  })

  test('a stop answers those who are held', async () => {
    const first = await node.get(PATH)
    const waiting = hold(etagOf(first))
    await held()
    await control.close()
    expect((await waiting).status).toBe(304)
  })

  test('an accepted hash wakes its node alone', async () => {
    const other = await enrolledNode(control, 'proxy-2')
    const mine = hold(etagOf(await node.get(PATH)))
    const theirs = hold(etagOf(await other.get(PATH)), other, 1)
    await held(2)
    await use().transaction(async tx => {
      await tx.execute(sql`update nodes set accepted_hash = 'h1' where id = ${node.id}`)
      await wakeNodes(tx, [node.id])
    })
    const reply = await mine
    expect([reply.status, reply.json.acceptedHash, reply.json.revision]).toEqual([200, 'h1', 0])
    expect((await theirs).status).toBe(304)
  })

  test('a wish to probe rides along for its time', async () => {
    await addRoute('prt_1', 10001)
    const first = await node.get(PATH)
    const waiting = hold(etagOf(first))
    await held()
    await use().transaction(async tx => {
      await tx.execute(
        sql`insert into probe_requests (id, route_id, expires_at) values ('req_1', 'prt_1', now() + interval '1 hour')`,
      )
      await wakeNodes(tx, [])
    })
    const reply = await waiting
    expect(reply.json.probes).toEqual([{ id: 'prt_1', requestId: 'req_1' }])
    expect((await node.get(PATH, { 'if-none-match': etagOf(first) })).status).toBe(200)
    await execute('update probe_requests set expires_at = now()')
    // That it is over is nothing new for who has had it.
    const after = await node.get(PATH, { 'if-none-match': etagOf(reply) })
    expect([after.status, etagOf(after)]).toEqual([304, etagOf(reply)])
    const without = await node.get(PATH)
    expect([etagOf(without), without.json.probes]).toEqual([etagOf(first), undefined])
  })

  describe('removed', () => {
    test('names what went, and not in the tag', async () => {
      await addRoute('prt_1', 10001)
      await addRoute('prt_2', 10002)
      await removeRoute('prt_1')
      const reply = await node.get(PATH)
      expect(reply.json.removed).toEqual(['prt_1'])
      expect(reply.json.traefik.tcpRoutes).toEqual([tcpRoute('prt_2', 10002)])
      await execute(
        'alter table audit_log disable trigger all; delete from audit_log; alter table audit_log enable trigger all',
      )
      const other = await controlApp({ deps: { database: use(), clock } })
      atEnd(() => other.close())
      const later = await nodeClient(other, { ...node, key: node }).get(PATH)
      expect([later.json.removed, etagOf(later)]).toEqual([[], etagOf(reply)])
    })

    test('leaves out what is back', async () => {
      await addRoute('prt_1', 10001)
      await removeRoute('prt_1')
      await execute("update service_ports set is_public = true; delete from services where id = 'svc_prt_1'")
      await addRoute('prt_1', 10001)
      expect((await node.get(PATH)).json.removed).toEqual([])
    })

    test('goes back to what the node has applied', async () => {
      const DAY = 86_400_000
      const old = await Promise.all([1, 2, 3].map(async i => addRoute(`prt_${i}`, 10_000 + i)))
      const first = await removeRoute('prt_1', new Date(Date.now() - 30 * DAY))
      await removeRoute('prt_2', new Date(Date.now() - 20 * DAY))
      await removeRoute('prt_3', new Date(Date.now() - 6 * DAY))
      const removedFor = async (applied: number | null): Promise<string[]> => {
        await execute(`update nodes set applied_epoch = ${applied === null ? null : 1}, applied_revision = ${applied}`)
        return (await node.get(PATH, { 'accept-encoding': 'identity' })).json.removed.sort()
      }
      expect(old).toHaveLength(3)
      expect(await removedFor(null)).toEqual(['prt_1', 'prt_2', 'prt_3'])
      expect(await removedFor(first - 1)).toEqual(['prt_1', 'prt_2', 'prt_3'])
      expect(await removedFor(first)).toEqual(['prt_2', 'prt_3'])
      expect(await removedFor(first + 1)).toEqual(['prt_3'])
      expect(await removedFor(first + 2)).toEqual(['prt_3'])
    })
  })

  test('a new epoch is told', async () => {
    const first = await node.get(PATH)
    const waiting = hold(etagOf(first))
    await held()
    await use().transaction(raiseEpoch)
    const reply = await waiting
    expect([reply.json.epoch, reply.json.revision]).toEqual([2, 1])
  })

  test('many who wait cost one reading', async () => {
    const all = await manyNodes(control, use(), 200)
    const etags = await Promise.all(all.map(async one => etagOf(await one.get(PATH))))
    const waits = all.map((one, i) => hold(etags[i] ?? '', one))
    await held(200)
    const before = transactions
    await addRoute('prt_1', 10001)
    const replies = await Promise.all(waits)
    // The nodes, the snapshot, the note that it was sent; and once more what a reading in between may have found.
    expect(transactions - before).toBeLessThanOrEqual(6)
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]))
    expect(replies.map(({ json }) => json.serverId)).toEqual(all.map(({ id }) => id))
  })

  test('a state is of one moment, however much changes', { timeout: 60_000 }, async () => {
    let next = 0
    let over = false
    const write = async () => {
      while (!over && next < 2000) {
        next += 1
        await addRoute(`prt_${next}`, 10_000 + next)
        // As between requests: the embedded database would leave no time for anything else.
        await new Promise(resolve => setImmediate(resolve))
      }
    }
    const writers = [write(), write(), write()]
    const seen: { revision: number; routes: number }[] = []
    try {
      for (let etag = '"none"'; seen.length < 10; ) {
        const reply = await hold(etag)
        etag = etagOf(reply)
        seen.push({ revision: reply.json.revision, routes: reply.json.traefik.tcpRoutes.length })
      }
    } finally {
      over = true
      await Promise.all(writers)
    }
    expect(seen).toEqual(seen.map(({ revision }) => ({ revision, routes: revision })))
    const revisions = seen.map(({ revision }) => revision)
    expect(revisions).toEqual([...new Set(revisions)].sort((a, b) => a - b))
    expect(Number(await fetched())).toBeGreaterThanOrEqual(revisions.at(-1) ?? 0)
  })

  test('a document is compressed for who takes that', async () => {
    for (let i = 0; i < 20; i++) await addRoute(`prt_${i}`, 10_000 + i)
    const plain = await node.get(PATH)
    const url = await control.app.listen({ host: '127.0.0.1', port: 0 })
    const answer = await fetch(`${url}/api/v1${PATH}`, {
      headers: { ...node.sign('GET', `/api/v1${PATH}`), 'accept-encoding': 'gzip' },
    })
    expect(answer.headers.get('content-encoding')).toBe('gzip')
    expect(answer.headers.get('etag')).toBe(plain.headers.etag)
    expect(await answer.text()).toBe(plain.text)
    const refused = await fetch(`${url}/api/v1${PATH}`, {
      headers: { ...node.sign('GET', `/api/v1${PATH}`), 'accept-encoding': 'gzip;q=0' },
    })
    expect(refused.headers.get('content-encoding')).toBe(null)
    expect(await refused.text()).toBe(plain.text)
  })

  describe('who asks', () => {
    test('an unknown id and a wrong key are told the same', async () => {
      const unknown = await nodeClient(control, { id: 'srv_unknown' }).get(PATH)
      const wrong = await nodeClient(control, { id: node.id }).get(PATH)
      const { requestId: _one, ...first } = unknown.json
      const { requestId: _two, ...second } = wrong.json
      expect([unknown.status, first.code]).toEqual([401, 'SIGNATURE_INVALID'])
      expect(second).toEqual(first)
      expect(unknown.headers.date).toBeDefined()
      expect(unknown.headers['www-authenticate']).toBe('Fairlead-Signature')
    })

    test('a bearer token is no signature', async () => {
      expect(problem(await control.asAdmin('GET', PATH))).toEqual([401, 'SIGNATURE_INVALID'])
    })

    test.each([-61_000, 61_000])('clocks that are %i ms apart are told', async ms => {
      offsetMs = ms
      const reply = await node.get(PATH)
      expect(problem(reply)).toEqual([401, 'CLOCK_SKEW'])
      const { requestTime, serverTime, windowSeconds } = reply.json
      const apart = Date.parse(serverTime) - Date.parse(requestTime)
      expect(Math.abs(apart - ms) < 30_000 && windowSeconds === 60).toBe(true)
      expect(reply.json.detail).toContain(requestTime)
      expect(reply.json.detail).toContain(serverTime)
    })

    test.each([-40_000, 40_000])('clocks that are %i ms apart are near enough', async ms => {
      offsetMs = ms
      expect((await node.get(PATH)).status).toBe(200)
    })

    test('a node that is lost is told', async () => {
      await execute("update nodes set status = 'lost'")
      expect((await node.get(PATH)).status).toBe(200)
    })

    test('a node that is revoked while it waits is told nothing', async () => {
      const waiting = hold(etagOf(await node.get(PATH)))
      await held()
      await execute('update nodes set revoked_at = now()')
      await addRoute('prt_1', 10001)
      expect(problem(await waiting)).toEqual([401, 'NODE_REVOKED'])
      expect(problem(await node.get(PATH))).toEqual([401, 'NODE_REVOKED'])
    })

    test('a signature is for one path', async () => {
      const headers = node.sign('GET', `/api/v1${PATH}`)
      expect(problem(await control.inject('GET', `${PATH}?x=1`, undefined, headers))).toEqual([
        401,
        'SIGNATURE_INVALID',
      ])
    })

    test('a captured GET can be sent again within its time', async () => {
      const headers = node.sign('GET', `/api/v1${PATH}`)
      expect((await control.inject('GET', PATH, undefined, headers)).status).toBe(200)
      expect((await control.inject('GET', PATH, undefined, headers)).status).toBe(200)
    })
  })

  test('of too many polls of one node the oldest is let go', async () => {
    const etag = etagOf(await node.get(PATH))
    const oldest = hold(etag)
    await held()
    const others = Array.from({ length: MAX_HELD_POLLS }, () => hold(etag))
    expect([(await oldest).status, etagOf(await oldest)]).toEqual([304, etag])
    await held(MAX_HELD_POLLS)
    await addRoute('prt_1', 10001)
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual(others.map(() => 200))
  })

  describe('a POST', () => {
    const post = (timestampMs: number, body = '{"a":1}') =>
      control.inject('POST', '/agent/echo', body, node.sign('POST', '/api/v1/agent/echo', body, timestampMs))

    test('is known by its body', async () => {
      const reply = await post(Date.now())
      expect([reply.status, reply.json]).toEqual([200, { body: { a: 1 }, actor: node.id }])
      const headers = node.sign('POST', '/api/v1/agent/echo', '{"a":1}', Date.now() + 1)
      const forged = await control.inject('POST', '/agent/echo', '{"a":2}', headers)
      expect(problem(forged)).toEqual([401, 'SIGNATURE_INVALID'])
    })

    test('is taken once, and none before it', async () => {
      const now = Date.now()
      expect((await post(now)).status).toBe(200)
      expect(problem(await post(now))).toEqual([401, 'TIMESTAMP_REUSED'])
      expect(problem(await post(now - 1))).toEqual([401, 'TIMESTAMP_REUSED'])
      expect((await post(now + 1)).status).toBe(200)
      const rows = await execute('select last_post_timestamp::text as t, last_seen_at is not null as seen from nodes')
      expect(rows.rows).toEqual([{ t: String(now + 1), seen: true }])
    })

    test('sent many times at once is taken once', async () => {
      const now = Date.now()
      const replies = await Promise.all(Array.from({ length: 10 }, () => post(now)))
      expect(replies.filter(({ status }) => status === 200)).toHaveLength(1)
    })

    test('of a revoked node is not taken', async () => {
      await execute('update nodes set revoked_at = now()')
      expect(problem(await post(Date.now()))).toEqual([401, 'NODE_REVOKED'])
    })
  })

  describe('without a database', () => {
    test('nobody is told that there is nothing', async () => {
      const first = await node.get(PATH)
      broken = true
      const replies = [await node.get(PATH), await hold(etagOf(first))]
      expect(replies.map(problem)).toEqual([
        [503, 'DATABASE_UNAVAILABLE'],
        [503, 'DATABASE_UNAVAILABLE'],
      ])
      broken = false
      expect((await node.get(PATH)).status).toBe(200)
    })

    test('who is held is told so when there is something', async () => {
      const waiting = hold(etagOf(await node.get(PATH)))
      await held()
      broken = true
      await addRoute('prt_1', 10001)
      expect(problem(await waiting)).toEqual([503, 'DATABASE_UNAVAILABLE'])
    })
  })

  test('callers who are gone leave nothing behind', async () => {
    const url = await control.app.listen({ host: '127.0.0.1', port: 0 })
    const all = await manyNodes(control, use(), 50)
    const etags = await Promise.all(all.map(async one => etagOf(await one.get(PATH))))
    for (let round = 0; round < 5; round++) {
      const aborter = new AbortController()
      const calls = all.map((one, i) =>
        fetch(`${url}/api/v1${PATH}`, {
          headers: { ...one.sign('GET', `/api/v1${PATH}`), 'if-none-match': etags[i] ?? '', prefer: 'wait=60' },
          signal: aborter.signal,
        }).catch(() => null),
      )
      await held(50)
      aborter.abort()
      await Promise.all(calls)
      await held(0)
    }
    expect((await node.get(PATH)).status).toBe(200)
  })
})
