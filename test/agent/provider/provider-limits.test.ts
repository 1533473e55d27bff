import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { sha256 } from '../../../src/core/hash.ts'
import { atEnd } from '../../support/at-end.ts'
import { openPollClient, type PollClient, TRAEFIK_HEADERS } from '../../support/poll-client.ts'
import { snapshotOf, startProvider } from '../../support/start-provider.ts'
import { waitFor } from '../../support/wait-for.ts'

const A = snapshotOf('{"tcp":{"services":{"a":{"loadBalancer":{"servers":[]}}}}}')
const B = snapshotOf('{"tcp":{"services":{"b":{"loadBalancer":{"servers":[]}}}}}')
const BIG_BYTES = 20_000_000
const BIG = snapshotOf('x'.repeat(BIG_BYTES))

const HELD = '/traefik?hold=25s'

/** Asks, reads a little, and then no more. */
async function openSlowReader(port: number): Promise<PollClient> {
  const client = await openPollClient(port)
  client.send('/traefik')
  await Promise.race([new Promise(resolve => client.socket.once('data', resolve)), client.closed])
  client.socket.pause()
  return client
}

/** What one connection got, from the bytes it sent to its end. */
function exchangeBytes(port: number, sent: string): Promise<string> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    atEnd(() => socket.destroy())
    let text = ''
    socket.on('data', chunk => {
      text += chunk.toString('latin1')
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(text))
    socket.write(sent)
  })
}

describe('large bodies', () => {
  test('20 MB arrive whole while bodies change', async () => {
    const { publish, port, polled } = await startProvider()
    const bodies = ['x', 'y', 'z'].map(letter => snapshotOf(letter.repeat(BIG_BYTES)))
    const [first] = bodies
    if (first === undefined) throw new Error('no body')
    publish(first)
    const clients = await Promise.all([1, 2, 3].map(() => openPollClient(port)))
    const answers = clients.map(async client => {
      const hashes: string[] = []
      for (const _ of bodies) hashes.push(sha256((await client.poll('/traefik')).body))
      return hashes
    })
    for (const [index, body] of bodies.entries()) {
      await waitFor(() => polled.length >= index * clients.length)
      publish(body)
    }
    const known = new Set(bodies.map(({ hash }) => hash))
    const seen = (await Promise.all(answers)).flat()
    expect(seen.filter(hash => !known.has(hash))).toEqual([])
    expect(seen.length).toBe(9)
    // What was told is what was received, per answer.
    await waitFor(() => polled.length === 9)
    expect(polled.map(poll => poll.hash).sort()).toEqual(seen.sort())
  })

  test('nothing is told before the last byte is out', async () => {
    const { publish, port, polled, stats } = await startProvider()
    publish(BIG)
    const client = await openSlowReader(port)
    expect([polled, stats().lastServedHash]).toEqual([[], null])
    client.socket.resume()
    expect((await client.next()).body.length).toBe(BIG_BYTES)
    await waitFor(() => polled.length === 1)
    expect(stats().lastServedHash).toBe(BIG.hash)
  })

  test('a client that leaves midway was told nothing', async () => {
    const { publish, port, polled, stats } = await startProvider()
    publish(BIG)
    const client = await openSlowReader(port)
    client.socket.destroy()
    await waitFor(() => stats().openConnections === 0)
    expect(polled).toEqual([])
    expect(stats()).toMatchObject({ polls: 0, lastServedHash: null, slowReaders: 0 })
  })

  test('garbage behind a request does not get into the body', async () => {
    const { publish, port } = await startProvider()
    publish(BIG)
    const text = await exchangeBytes(
      port,
      `GET /traefik HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n\0\0garbage\r\n\r\n`,
    )
    const body = text.slice(text.indexOf('\r\n\r\n') + 4)
    expect(body.replaceAll('x', '')).toBe('')
    expect(body.length).toBeLessThan(BIG_BYTES)
  })
})

describe('slow readers', () => {
  test('one is cut off at the send deadline', async () => {
    const { publish, port, polled, stats } = await startProvider({ limits: { sendDeadlineMs: 100 } })
    publish(BIG)
    const client = await openSlowReader(port)
    await waitFor(() => stats().slowReaders === 1)
    await waitFor(() => stats().openConnections === 0)
    // What had arrived is not taken for a whole body.
    client.socket.resume()
    await expect(client.next()).rejects.toThrow()
    expect(polled).toEqual([])
  })

  test('a hundred do not keep Traefik from its body', async () => {
    const { publish, port, stats } = await startProvider()
    publish(BIG)
    const answers: { status: number; bytes: number; hash: string }[] = []
    // As Traefik does: one poll after the other, on a new connection when the old one was ended. Like Go's client it asks again when a
    // connection that it had used before was closed without a byte; any other broken answer rejects.
    const traefik = (async () => {
      let client = await openPollClient(port)
      let used = false
      while (answers.at(-1)?.hash !== A.hash) {
        const answer = await client.poll(HELD, { headers: TRAEFIK_HEADERS }).catch((error: unknown) => {
          if (used && client.rest() === '') return null
          throw error
        })
        if (answer !== null) {
          answers.push({ status: answer.status, bytes: answer.body.length, hash: sha256(answer.body) })
          used = true
        }
        if (answer === null || answer.headers.connection === 'close') {
          client = await openPollClient(port)
          used = false
        }
      }
    })()
    await waitFor(() => stats().held === 1)
    for (let count = 0; count < 100; count += 10)
      await Promise.all(Array.from({ length: 10 }, () => openSlowReader(port)))
    await waitFor(() => stats().openConnections <= 64)
    expect(stats().evicted).toBeGreaterThanOrEqual(37)
    publish(A)
    await traefik
    expect(answers.at(-1)).toEqual({ status: 200, bytes: A.body.length, hash: A.hash })
    expect(answers.slice(0, -1).filter(({ hash }) => hash !== BIG.hash)).toEqual([])
  })
})

describe('too many connections', () => {
  test('strangers go before pollers', async () => {
    const { publish, port, stats } = await startProvider({ token: 'secret', limits: { maxConnections: 4 } })
    publish(A)
    const traefik = await openPollClient(port)
    const headers = { Authorization: 'Bearer secret' }
    await traefik.poll(HELD, { headers })
    const strangers: PollClient[] = []
    for (let count = 0; count < 10; count += 1) {
      const stranger = await openPollClient(port)
      strangers.push(stranger)
      await Promise.race([stranger.poll('/traefik').catch(() => null), stranger.closed])
    }
    await Promise.all(strangers.slice(0, 7).map(stranger => stranger.closed))
    expect(stats()).toMatchObject({ openConnections: 4, evicted: 7 })
    // Its connection is the one it had: the poll is held.
    const answer = traefik.poll(HELD, { headers })
    await waitFor(() => stats().held === 1)
    publish(B)
    expect(await answer).toMatchObject({ body: B.body })
  })

  test('a held poll that has to go gets its answer', async () => {
    const { publish, port, stats } = await startProvider({ limits: { maxConnections: 2 } })
    publish(A)
    const first = await openPollClient(port)
    await first.poll(HELD)
    const firstAnswer = first.poll(HELD)
    await waitFor(() => stats().held === 1)
    const second = await openPollClient(port)
    await second.poll(HELD)
    const secondAnswer = second.poll(HELD)
    await waitFor(() => stats().held === 2)
    const third = await openPollClient(port)
    expect(await firstAnswer).toMatchObject({ status: 200, body: A.body, headers: { connection: 'close' } })
    await first.closed
    expect(await third.poll('/traefik')).toMatchObject({ status: 200 })
    expect(stats()).toMatchObject({ held: 1, evicted: 1, openConnections: 2, holdShortened: null })
    publish(B)
    expect(await secondAnswer).toMatchObject({ body: B.body })
  })

  test('held polls that leave unread have an end', async () => {
    const { publish, port, stats } = await startProvider({ limits: { maxConnections: 2 } })
    publish(BIG)
    for (let count = 0; count < 12; count += 1) {
      const client = await openPollClient(port)
      await client.poll(HELD)
      client.send(HELD)
      await waitFor(() => stats().held > 0)
      client.socket.pause()
    }
    expect(stats().openConnections).toBeLessThanOrEqual(5)
  })
})

describe('requests that are none', () => {
  test.each<[string, string, number]>([
    ['garbage', 'hello\r\n\r\n', 400],
    ['TLS', '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03', 400],
    ['a header too long', `GET /traefik HTTP/1.1\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['both lengths at once', 'POST /traefik HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n', 400],
    ['two lengths', 'POST /traefik HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n', 400],
    ['a folded header', 'GET /traefik HTTP/1.1\r\nHost: 127.0.0.1\r\n folded\r\n\r\n', 400],
  ])('%s gets a bare status and the end', async (_title, sent, status) => {
    const { publish, port } = await startProvider()
    publish(A)
    const text = await exchangeBytes(port, sent)
    expect(text).toMatch(
      new RegExp(`^HTTP/1.1 ${status} [^\\r]+\\r\\nContent-Length: 0\\r\\nConnection: close\\r\\n\\r\\n$`),
    )
    const client = await openPollClient(port)
    expect(await client.poll('/traefik')).toMatchObject({ status: 200 })
  })

  test('CONNECT is shown the door', async () => {
    const { port } = await startProvider()
    expect(await exchangeBytes(port, `CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)).toBe('')
  })

  test('a head that does not end is 408', async () => {
    const { port } = await startProvider({ limits: { headersTimeoutMs: 200, requestTimeoutMs: 400 } })
    expect(await exchangeBytes(port, 'GET /traefik HTTP/1.1\r\nHost: ')).toMatch(/^HTTP\/1.1 408 /)
  })

  test('a client that says nothing is told nothing', async () => {
    const { port, stats } = await startProvider({ limits: { headersTimeoutMs: 200, requestTimeoutMs: 400 } })
    expect(await exchangeBytes(port, '')).toBe('')
    await waitFor(() => stats().openConnections === 0)
  })

  test('an endless pipeline is cut off', async () => {
    const { publish, port, stats } = await startProvider({ limits: { maxPipelined: 3 } })
    publish(A)
    const one = `GET /traefik HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`
    const text = await exchangeBytes(port, one.repeat(50))
    expect(text.split('HTTP/1.1 200 OK').length - 1).toBeLessThanOrEqual(3)
    await waitFor(() => stats().openConnections === 0)
  })
})
