import { PassThrough } from 'node:stream'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { ServerEvent } from '../../../src/api/event.ts'
import { SYSTEM_ADMIN } from '../../../src/control/access/actor.ts'
import type { Database } from '../../../src/control/db/client.ts'
import { createStreams, type StreamSettings, type Streams } from '../../../src/control/events/streams.ts'
import { eventText, toEvent } from '../../../src/control/events/to-event.ts'
import { announce, type Hub, type HubEvent } from '../../../src/control/hub.ts'
import { SYSTEM_CLOCK } from '../../../src/lib/clock.ts'
import { type ControlApp, controlApp } from '../../support/control-app.ts'
import { type Fleet, makeFleet, told } from '../../support/control-fleet.ts'
import { clear, openMemoryDatabase, SILENT } from '../../support/database.ts'
import { waitFor } from '../../support/wait-for.ts'

const AT = '2026-11-23T10:00:00.000Z'
const isText = expect.any(String)

describe('a hint', () => {
  const position = { epoch: 1, revision: 42 }
  const event = (fields: Partial<HubEvent>): HubEvent => ({
    kind: 'change',
    ids: [],
    revision: null,
    projectId: null,
    ...fields,
  })
  const head = { ...position, at: AT }

  test.each<[string, Partial<HubEvent>, string | null, ReturnType<typeof toEvent>]>([
    [
      'of a change names services and routes',
      { ids: ['svc_1', 'prt_1', 'prj_1'], revision: 43, projectId: 'prj_1' },
      null,
      { event: 'change', data: { ...head, revision: 43, serviceIds: ['svc_1'], routeIds: ['prt_1'] } },
    ],
    [
      'of verdicts names routes and nodes',
      { kind: 'verdict', ids: ['prt_1', 'srv_1'], projectId: 'prj_1' },
      'prj_1',
      { event: 'verdict', data: { ...head, routeIds: ['prt_1'], nodeIds: ['srv_1'] } },
    ],
    ['of anything names nothing', { kind: 'node' }, null, { event: 'node', data: { ...head, nodeIds: null } }],
    [
      'of no single project names nothing to whoever has one',
      { kind: 'verdict', ids: ['prt_1'] },
      'prj_1',
      { event: 'verdict', data: { ...head, routeIds: null, nodeIds: null } },
    ],
    ['of another project is not told', { ids: ['svc_1'], projectId: 'prj_2' }, 'prj_1', null],
  ])('%s', (_what, fields, projectId, expected) => {
    expect(toEvent(event(fields), { projectId }, position, AT)).toEqual(expected)
  })

  test('is two lines and a blank one', () => {
    expect(eventText({ event: 'heartbeat', data: { at: AT, epoch: 1, revision: 2 } })).toBe(
      `event: heartbeat\ndata: {"at":"${AT}","epoch":1,"revision":2}\n\n`,
    )
  })
})

let database: Database
beforeAll(async () => {
  database = await openMemoryDatabase()
}, 60_000)
afterAll(() => database.close())
beforeEach(() => clear(database))

describe('streams', () => {
  let listeners: Set<(event: HubEvent) => void>
  let streams: Streams
  const hub: Pick<Hub, 'subscribe' | 'position'> = {
    subscribe(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    position: () => ({ epoch: 1, revision: 7 }),
  }
  const start = (settings: Partial<StreamSettings> = {}) => {
    listeners = new Set()
    streams = createStreams({ hub, database, clock: SYSTEM_CLOCK, logger: SILENT, settings })
  }
  afterEach(() => streams.close())
  const tell = (event: HubEvent) => {
    for (const listener of listeners) listener(event)
  }

  test('begin with a heartbeat and go on with others', async () => {
    start({ heartbeatMs: 20 })
    const to = new PassThrough()
    let text = ''
    to.on('data', (chunk: Buffer) => {
      text += chunk
    })
    streams.open(SYSTEM_ADMIN, to)
    await waitFor(() => text.split('event: heartbeat').length > 3, { what: 'three heartbeats' })
    expect(text).toMatch(/^retry: 1000\n\nevent: heartbeat\ndata: \{"at":"[^"]+","epoch":1,"revision":7\}\n\n/)
  })

  test('listen to the hub only while somebody looks on', async () => {
    start()
    const to = new PassThrough()
    streams.open(SYSTEM_ADMIN, to)
    expect([listeners.size, streams.count()]).toEqual([1, 1])
    to.destroy()
    await waitFor(() => streams.count() === 0, { what: 'the stream to be gone' })
    expect(listeners.size).toBe(0)
  })

  test('of a slow reader are cut off, and no others', async () => {
    start({ maxWaitingBytes: 2000 })
    const slow = new PassThrough({ readableHighWaterMark: 16 })
    const quick = new PassThrough()
    quick.resume()
    streams.open(SYSTEM_ADMIN, slow)
    streams.open(SYSTEM_ADMIN, quick)
    for (let i = 0; i < 40; i++) {
      tell({
        kind: 'verdict',
        ids: Array.from({ length: 40 }, (_, n) => `prt_${i}_${n}`),
        revision: 1,
        projectId: null,
      })
      await new Promise(resolve => setImmediate(resolve))
    }
    await waitFor(() => slow.destroyed, { what: 'the slow reader to be cut off' })
    expect([quick.destroyed, streams.count()]).toEqual([false, 1])
    expect(slow.readableLength + slow.writableLength).toBeLessThan(4_000)
  })

  test('are a few for each actor', () => {
    start({ perActor: 2 })
    const other = { ...SYSTEM_ADMIN, id: 'other' }
    for (const _ of [1, 2]) {
      expect(streams.mayOpen(SYSTEM_ADMIN)).toBe(true)
      streams.open(SYSTEM_ADMIN, new PassThrough())
    }
    expect([streams.mayOpen(SYSTEM_ADMIN), streams.mayOpen(other)]).toEqual([false, true])
  })

  test('of callers who left before they were opened are not kept', async () => {
    start({ perActor: 1 })
    const to = new PassThrough()
    to.destroy()
    await new Promise(resolve => to.once('close', resolve))
    streams.open(SYSTEM_ADMIN, to)
    expect([streams.count(), streams.mayOpen(SYSTEM_ADMIN), listeners.size]).toEqual([0, true, 0])
  })

  test('end by themselves after a while', async () => {
    start({ lifeMs: 30 })
    const to = new PassThrough()
    to.resume()
    streams.open(SYSTEM_ADMIN, to)
    await waitFor(() => streams.count() === 0, { what: 'the stream to end' })
    expect(to.writableEnded).toBe(true)
  })

  test('tell when a node falls silent', async () => {
    const fleet = makeFleet(database)
    await fleet.node('srv_1')
    await fleet.report('srv_1')
    start({ heartbeatMs: 20 })
    const to = new PassThrough()
    let text = ''
    to.on('data', (chunk: Buffer) => {
      text += chunk
    })
    streams.open(SYSTEM_ADMIN, to)
    await waitFor(() => text.split('event: heartbeat').length > 3, { what: 'three heartbeats' })
    expect(text).not.toContain('event: node')
    await fleet.quiet('srv_1', 100)
    await waitFor(() => text.includes('event: verdict'), { what: 'a hint' })
    expect(text).toContain('"nodeIds":["srv_1"]')
  })
})

describe('GET /events', () => {
  let control: ControlApp
  let fleet: Fleet
  beforeEach(async () => {
    control = await controlApp({ deps: { database } })
    fleet = makeFleet(database)
  })
  afterEach(() => control.close())

  /** Listens by a real socket; gives what came so far. */
  async function listen(token: string) {
    const address = control.app.server.address() ?? (await control.app.listen({ port: 0, host: '127.0.0.1' }))
    const port = typeof address === 'string' ? new URL(address).port : address.port
    const aborter = new AbortController()
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/events`, {
      headers: { authorization: `Bearer ${token}`, 'last-event-id': '7' },
      signal: aborter.signal,
    })
    const events: ServerEvent[] = []
    let ended = false
    const reading = (async () => {
      let text = ''
      const decoder = new TextDecoder()
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk, { stream: true })
        const parts = text.split('\n\n')
        text = parts.pop() ?? ''
        for (const part of parts) {
          const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(part) ?? []
          if (event !== undefined && data !== undefined) events.push(JSON.parse(`{"event":"${event}","data":${data}}`))
        }
      }
    })()
      .catch(() => {})
      .finally(() => {
        ended = true
      })
    return { response, events, isOver: () => ended, close: () => aborter.abort(), reading }
  }
  const ofKind = (events: readonly ServerEvent[], kind: string) => events.filter(({ event }) => event === kind)

  test('is a stream that no proxy may hold back', async () => {
    const { response, events, close } = await listen(await control.tokenFor({ scopes: ['read'] }))
    expect([response.status, Object.fromEntries(response.headers)]).toEqual([
      200,
      expect.objectContaining({
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store, no-transform',
        'x-accel-buffering': 'no',
        'x-request-id': isText,
        'x-content-type-options': 'nosniff',
      }),
    ])
    await waitFor(() => events.length > 0, { what: 'a heartbeat' })
    expect(events[0]).toEqual({
      event: 'heartbeat',
      data: { at: isText, epoch: expect.any(Number), revision: expect.any(Number) },
    })
    close()
  })

  test('tells of a report, and of that project alone', async () => {
    await fleet.node('srv_1')
    await fleet.route('prt_a', { externalPort: 10_001, project: 'prj_1' })
    await fleet.route('prt_b', { externalPort: 10_002, project: 'prj_2' })
    const all = await listen(await control.tokenFor({ scopes: ['read'] }))
    const theirs = await listen(await control.tokenFor({ scopes: ['read'], projectId: 'prj_2' }))
    await waitFor(() => all.events.length > 0 && theirs.events.length > 0, { what: 'two streams' })
    // What the routes themselves brought is told first.
    await fleet.report('srv_1', { verdicts: [told('prt_a', 'BACKEND_DOWN')] })
    await waitFor(() => ofKind(all.events, 'node').length > 0, { what: 'a hint of the node' })
    all.events.length = 0
    theirs.events.length = 0
    await fleet.report('srv_1', { verdicts: [told('prt_a', 'PROBE_FAILED')] })
    await fleet.report('srv_1', { verdicts: [told('prt_b', 'BACKEND_DOWN')], counts: { degraded: 2 } })
    const head = { epoch: 1, revision: 2, at: isText }
    await waitFor(() => ofKind(theirs.events, 'verdict').length > 0 && ofKind(all.events, 'verdict').length > 1, {
      what: 'both hints',
    })
    const routes = (events: readonly ServerEvent[]) => ofKind(events, 'verdict').map(({ data }) => data)
    expect(routes(all.events)).toEqual([
      { ...head, routeIds: ['prt_a'], nodeIds: ['srv_1'] },
      { ...head, routeIds: ['prt_b'], nodeIds: ['srv_1'] },
    ])
    expect(routes(theirs.events)).toEqual([{ ...head, routeIds: ['prt_b'], nodeIds: ['srv_1'] }])
    all.close()
    theirs.close()
  })

  test('tells of a route of which the node says nothing new', async () => {
    await fleet.node('srv_1')
    await fleet.route('prt_a', { externalPort: 10_001 })
    await fleet.report('srv_1')
    const { events, close } = await listen(await control.tokenFor({ scopes: ['read'] }))
    await waitFor(() => events.length > 0, { what: 'a heartbeat' })
    const { revision } = await fleet.touch('prt_a')
    await fleet.report('srv_1', { revision: { expected: revision, served: revision, applied: revision } })
    await waitFor(() => ofKind(events, 'verdict').length > 0, { what: 'a hint' })
    expect(ofKind(events, 'verdict')[0]?.data).toEqual({
      ...{ epoch: 1, revision, at: isText, routeIds: ['prt_a'], nodeIds: ['srv_1'] },
    })
    close()
  })

  test('tells a burst in a few hints', async () => {
    const { events, close } = await listen(await control.tokenFor({ scopes: ['read'] }))
    await waitFor(() => events.length > 0, { what: 'a heartbeat' })
    for (let i = 0; i < 30; i++)
      await database.transaction(tx =>
        announce(tx, { kind: 'change', ids: [`svc_${i % 3}`], revision: i, projectId: 'prj_1' }),
      )
    const seen = () => ofKind(events, 'change')
    await waitFor(() => JSON.stringify(seen().at(-1)).includes('"revision":29'), { what: 'the last change' })
    expect(seen().length).toBeLessThan(30)
    close()
  })

  test('ends when the server stops', async () => {
    const { events, isOver, reading } = await listen(await control.tokenFor({ scopes: ['read'] }))
    await waitFor(() => events.length > 0, { what: 'a heartbeat' })
    await control.app.close()
    await reading
    expect(isOver()).toBe(true)
  })

  test('is for those who may read, and a few at a time', async () => {
    expect((await control.inject('GET', '/events')).status).toBe(401)
    const token = await control.tokenFor({ scopes: ['read'] })
    const open = []
    for (let i = 0; i < 12; i++) open.push(await listen(token))
    const refused = await listen(token)
    expect([refused.response.status, refused.response.headers.get('retry-after')]).toEqual([429, '5'])
    for (const { close } of open) close()
  })
})
