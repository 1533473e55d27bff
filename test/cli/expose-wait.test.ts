import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type ApiClient, createApiClient } from '../../src/cli/client/api-client.ts'
import { type Hints, openHints } from '../../src/cli/client/hints.ts'
import { waitForVerdict } from '../../src/cli/expose/wait.ts'
import { createListener, type Listener } from '../../src/control/listener.ts'
import { SYSTEM_CLOCK } from '../../src/lib/clock.ts'
import { atEnd } from '../support/at-end.ts'
import { type ControlApp, controlApp } from '../support/control-app.ts'
import { type Fleet, makeFleet, told } from '../support/control-fleet.ts'
import { clear } from '../support/database.ts'
import { waitFor } from '../support/wait-for.ts'

const DEADLINE_MS = 30_000

let control: ControlApp
let listener: Listener
let fleet: Fleet
let client: ApiClient
beforeAll(async () => {
  control = await controlApp()
  listener = createListener(null, (request, response) => control.app.routing(request, response))
  const { port } = await listener.listen({ host: '127.0.0.1', port: 0 })
  client = createApiClient({
    ...{ url: `http://127.0.0.1:${port}`, token: control.adminToken, clock: SYSTEM_CLOCK, version: '0.0.0-test' },
  })
}, 60_000)
afterAll(async () => {
  await client.close()
  await listener.close(0)
  await control.close()
})
beforeEach(async () => {
  await clear(control.database)
  fleet = makeFleet(control.database)
  await fleet.node('srv_1')
  await fleet.route('prt_a', { externalPort: 10_001 })
  await fleet.report('srv_1', { verdicts: [told('prt_a', 'NOT_YET_POLLED')] })
})

async function open(from: Pick<ApiClient, 'stream'> = client): Promise<Hints> {
  const hints = openHints(from)
  atEnd(() => hints.close())
  return hints
}

/** Waits for it, and counts how often it asks. */
function start(hints: Pick<Hints, 'isOpen' | 'heard'>, deadlineMs = DEADLINE_MS) {
  let asked = 0
  const counting: Pick<ApiClient, 'ask'> = {
    ask(question, schema) {
      asked++
      return client.ask(question, schema)
    },
  }
  const sinceMs = SYSTEM_CLOCK.monotonic()
  const outcome = waitForVerdict({
    ...{ client: counting, hints, routeId: 'prt_a', clock: SYSTEM_CLOCK, deadlineMs, sinceMs },
  })
  return { outcome, asked: () => asked }
}

const live = () => fleet.report('srv_1', { verdicts: [told('prt_a', 'LIVE', { timingsMs: { savedToLive: 84 } })] })

describe('whoever waits for a route', () => {
  test('asks when it is told to', async () => {
    const hints = await open()
    await waitFor(() => hints.isOpen(), { what: 'the stream' })
    const { outcome, asked } = start(hints)
    await waitFor(() => asked() >= 2, { what: 'it to have looked' })
    const before = asked()
    await live()
    expect(await outcome).toMatchObject({ live: true, route: { id: 'prt_a', verdict: 'live' } })
    expect(asked() - before).toBeLessThanOrEqual(3)
  })

  test.each([
    ['seldom while it would be told', true, [2_000, 2_000, 2_000]],
    ['ever more seldom while it would not', false, [40, 60, 90]],
  ])('looks by itself %s', async (_title, isOpen, expected) => {
    const pauses: number[] = []
    const { outcome } = start({
      isOpen: () => isOpen,
      async heard(_id, timeoutMs) {
        pauses.push(timeoutMs)
        if (pauses.length === 3) await live()
        return 'late'
      },
    })
    expect(await outcome).toMatchObject({ live: true })
    expect(pauses).toEqual(expected)
  })

  test('sees it all the same where no stream is to be had', async () => {
    const hints = await open({ stream: () => Promise.reject(new Error('refused')) })
    const { outcome, asked } = start(hints)
    await waitFor(() => asked() >= 3, { what: 'it to ask by itself' })
    await live()
    expect(await outcome).toMatchObject({ live: true })
  })

  test('sees it all the same when the stream says nothing, or nonsense', async () => {
    async function* nonsense() {
      yield new TextEncoder().encode('event: verdict\ndata: {"routeIds": 7}\n\nevent: change\n\n:\n\n')
      await new Promise(() => {})
    }
    const hints = openHints({ stream: async () => nonsense() })
    const { outcome } = start(hints)
    await live()
    expect(await outcome).toMatchObject({ live: true })
  })

  test('goes on by itself when the stream ends', async () => {
    async function* short() {
      yield new TextEncoder().encode('retry: 1000\n\n')
    }
    const hints = await open({ stream: async () => short() })
    await waitFor(() => !hints.isOpen(), { what: 'the end of the stream' })
    const { outcome, asked } = start(hints)
    await waitFor(() => asked() >= 3, { what: 'it to ask by itself' })
    await live()
    expect(await outcome).toMatchObject({ live: true })
  })

  test('is told why it is not live once that stands', async () => {
    await fleet.report('srv_1', { verdicts: [told('prt_a', 'ENTRY_POINT_MISSING')] })
    const { outcome } = start(await open())
    expect(await outcome).toMatchObject({ live: false, node: { nodeId: 'srv_1', reason: 'ENTRY_POINT_MISSING' } })
  })

  test('waits no longer than its time', async () => {
    const { outcome } = start(await open(), 300)
    expect(await outcome).toMatchObject({ live: false, route: { verdict: 'pending' } })
  })
})

describe('hints', () => {
  test('are of the route that is named, and kept until somebody asks', async () => {
    const hints = await open()
    await waitFor(() => hints.isOpen(), { what: 'the stream' })
    expect(await hints.heard('prt_a', DEADLINE_MS)).toBe('perhaps')
    await live()
    expect(await hints.heard('prt_a', DEADLINE_MS)).toBe('named')
    expect(await hints.heard('prt_a', 20)).toBe('late')
    await fleet.route('prt_b', { externalPort: 10_002 })
    await fleet.report('srv_1', { verdicts: [told('prt_b')] })
    await hints.close()
    expect(hints.isOpen()).toBe(false)
  })
})
