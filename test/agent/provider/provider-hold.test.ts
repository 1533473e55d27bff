import { once } from 'node:events'
import { request } from 'undici'
import { describe, expect, test } from 'vitest'
import { openPollClient, TRAEFIK_HEADERS } from '../../support/poll-client.ts'
import { snapshotOf, startProvider } from '../../support/start-provider.ts'
import { waitFor } from '../../support/wait-for.ts'

const A = snapshotOf('{"tcp":{"services":{"a":{"loadBalancer":{"servers":[]}}}}}')
const B = snapshotOf('{"tcp":{"services":{"b":{"loadBalancer":{"servers":[]}}}}}')

const HELD = '/traefik?hold=25s'

describe('a held poll', () => {
  test('a new body answers it on its connection', async () => {
    const { publish, port, polled, stats } = await startProvider()
    publish(A)
    const client = await openPollClient(port)
    expect(await client.poll(HELD, { headers: TRAEFIK_HEADERS })).toMatchObject({ status: 200, body: A.body })
    const answer = client.poll(HELD, { headers: TRAEFIK_HEADERS })
    await waitFor(() => stats().held === 1)
    publish(B)
    expect(await answer).toMatchObject({ status: 200, body: B.body, headers: { connection: 'keep-alive' } })
    await waitFor(() => polled.length === 2)
    expect(polled.map(({ hash, connectionId, newConnection }) => ({ hash, connectionId, newConnection }))).toEqual([
      { hash: A.hash, connectionId: 1, newConnection: true },
      { hash: B.hash, connectionId: 1, newConnection: false },
    ])
    expect(stats()).toMatchObject({ held: 0, openConnections: 1 })
  })

  test('at its end it gets the current body', async () => {
    const { publish, port, polled } = await startProvider()
    publish(A)
    const client = await openPollClient(port)
    await client.poll('/traefik?hold=40ms')
    expect(await client.poll('/traefik?hold=40ms')).toMatchObject({ status: 200, body: A.body })
    await waitFor(() => polled.length === 2)
    expect(polled[1]?.heldMs).toBeGreaterThan(30)
  })

  test('the same hash again wakes nobody', async () => {
    const { publish, port, stats } = await startProvider()
    publish(A)
    const client = await openPollClient(port)
    await client.poll(HELD)
    const answer = client.poll(HELD)
    await waitFor(() => stats().held === 1)
    publish({ ...A })
    expect(stats().held).toBe(1)
    publish(B)
    expect(await answer).toMatchObject({ body: B.body })
  })

  test('a body that came between two polls is answered at once', async () => {
    const { publish, port } = await startProvider()
    publish(A)
    const client = await openPollClient(port)
    await client.poll(HELD)
    publish(B)
    expect(await client.poll(HELD)).toMatchObject({ body: B.body })
    publish(A)
    expect(await client.poll(HELD)).toMatchObject({ body: A.body })
  })

  test('a new connection never waits for a known body', async () => {
    const { publish, port, polled } = await startProvider()
    publish(A)
    for (const _ of [1, 2, 3]) {
      const client = await openPollClient(port)
      expect(await client.poll(HELD)).toMatchObject({ status: 200, body: A.body })
      client.socket.destroy()
    }
    await waitFor(() => polled.length === 3)
    expect(polled.map(poll => poll.newConnection)).toEqual([true, true, true])
  })

  test('without hold it never waits', async () => {
    const { publish, port } = await startProvider()
    publish(A)
    const client = await openPollClient(port)
    for (const _ of [1, 2, 3]) expect(await client.poll('/traefik')).toMatchObject({ status: 200, body: A.body })
  })

  test('before any state the first one answers it', async () => {
    const { publish, port, stats } = await startProvider()
    const client = await openPollClient(port)
    const answer = client.poll(HELD)
    await waitFor(() => stats().held === 1)
    publish(A)
    expect(await answer).toMatchObject({ status: 200, body: A.body })
  })

  test('a hold that ends without state is 503', async () => {
    const { port } = await startProvider()
    const client = await openPollClient(port)
    expect(await client.poll('/traefik?hold=40ms')).toMatchObject({ status: 503 })
  })

  test('forty of them get the same new body', async () => {
    const { publish, port, stats } = await startProvider()
    publish(A)
    const clients = await Promise.all(Array.from({ length: 40 }, () => openPollClient(port)))
    await Promise.all(clients.map(client => client.poll(HELD)))
    const answers = clients.map(client => client.poll(HELD))
    await waitFor(() => stats().held === 40)
    publish(B)
    expect((await Promise.all(answers)).map(answer => answer.body)).toEqual(clients.map(() => B.body))
  })
})

describe('pipelined polls', () => {
  test('they are answered in order and not held', async () => {
    const { publish, port } = await startProvider()
    publish(A)
    const client = await openPollClient(port)
    for (const target of [HELD, HELD, '/nothing', HELD]) client.send(target)
    const answers = [await client.next(), await client.next(), await client.next(), await client.next()]
    expect(answers.map(({ status, body }) => (status === 200 ? body : status))).toEqual([A.body, A.body, 404, A.body])
  })

  test('a request behind a held poll ends the hold', async () => {
    const { publish, port, stats } = await startProvider()
    publish(A)
    const client = await openPollClient(port)
    await client.poll(HELD)
    const held = client.poll(HELD)
    await waitFor(() => stats().held === 1)
    client.send(HELD)
    expect([await held, await client.next()]).toMatchObject([{ body: A.body }, { body: A.body }])
    expect(stats().held).toBe(0)
  })
})

describe('hang-ups', () => {
  /** What a Traefik with this pollTimeout does: a poll that is answered, and one that it gives up. */
  async function hangUp(port: number, afterMs: number, heldNow: () => number) {
    const client = await openPollClient(port)
    await client.poll(HELD)
    client.send(HELD)
    await waitFor(() => heldNow() === 1)
    setTimeout(() => client.socket.destroy(), afterMs)
    await client.closed
    await waitFor(() => heldNow() === 0)
  }

  test('two after the same wait shorten the hold', async () => {
    const { publish, port, stats, resetHold, polled } = await startProvider()
    publish(A)
    const held = () => stats().held
    await hangUp(port, 1_050, held)
    expect(stats().holdShortened).toBeNull()
    await hangUp(port, 1_050, held)
    const shortened = stats().holdShortened
    expect(shortened).toEqual({ askedMs: 25_000, effectiveMs: expect.any(Number), since: 1_700_000_000_000 })
    expect(shortened?.effectiveMs).toBeGreaterThanOrEqual(800)
    expect(shortened?.effectiveMs).toBeLessThanOrEqual(1_200)
    // The next one is answered before its client would hang up.
    const client = await openPollClient(port)
    await client.poll(HELD)
    expect(await client.poll(HELD)).toMatchObject({ status: 200, body: A.body })
    expect(polled.length).toBeGreaterThanOrEqual(3)
    resetHold()
    expect(stats().holdShortened).toBeNull()
  })

  test('a cut-off hold frees its connection', async () => {
    const { publish, port, stats } = await startProvider()
    publish(A)
    await hangUp(port, 10, () => stats().held)
    await waitFor(() => stats().openConnections === 0)
    expect(stats()).toMatchObject({ held: 0, holdShortened: null, polls: 1 })
    publish(B)
    expect(stats()).toMatchObject({ polls: 1, lastServedHash: A.hash })
  })
})

describe('stop', () => {
  test('held polls get the current body and the end', async () => {
    const { publish, port, stop, stats } = await startProvider()
    publish(A)
    const clients = await Promise.all([openPollClient(port), openPollClient(port)])
    await Promise.all(clients.map(client => client.poll(HELD)))
    const answers = clients.map(client => client.poll(HELD))
    const idle = await openPollClient(port)
    await waitFor(() => stats().held === 2 && stats().openConnections === 3)
    const stopping = [stop(), stop()]
    for (const answer of await Promise.all(answers))
      expect(answer).toMatchObject({ status: 200, body: A.body, headers: { connection: 'close' } })
    await Promise.all([...stopping, idle.closed, ...clients.map(client => client.closed)])
    await stop()
    expect(stats()).toMatchObject({ held: 0, openConnections: 0, holdShortened: null })
    await expect(request(`http://127.0.0.1:${port}/traefik`)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test('polls held without state get 503', async () => {
    const { port, stop, stats } = await startProvider()
    const client = await openPollClient(port)
    const answer = client.poll(HELD)
    await waitFor(() => stats().held === 1)
    await stop()
    expect(await answer).toMatchObject({ status: 503, headers: { connection: 'close' } })
  })

  test('a body on its way is sent to its end', async () => {
    const { publish, port, stop, polled } = await startProvider()
    const body = 'x'.repeat(20_000_000)
    publish(snapshotOf(body))
    const client = await openPollClient(port)
    const answer = client.poll('/traefik')
    await once(client.socket, 'data')
    client.socket.pause()
    const stopping = stop()
    expect(polled).toEqual([])
    client.socket.resume()
    expect((await answer).body === body).toBe(true)
    await stopping
    await client.closed
    expect(polled).toMatchObject([{ status: 200, hash: snapshotOf(body).hash }])
  })

  test('one that does not read is cut off', async () => {
    const { publish, port, stop, polled, stats } = await startProvider({ limits: { stopDeadlineMs: 50 } })
    publish(snapshotOf('x'.repeat(20_000_000)))
    const client = await openPollClient(port)
    client.send('/traefik')
    await once(client.socket, 'data')
    client.socket.pause()
    await stop()
    expect(polled).toEqual([])
    expect(stats().openConnections).toBe(0)
  })

  test('it may come before start, and ends all', async () => {
    const { publish, stop, start, stats } = await startProvider()
    await stop()
    publish(A)
    expect(stats().openConnections).toBe(0)
    await expect(start()).rejects.toThrow()
  })
})
