import { once } from 'node:events'
import { get, Agent as HttpAgent } from 'node:http'
import { pino } from 'pino'
import { Agent, request } from 'undici'
import { describe, expect, test } from 'vitest'
import { makeSnapshot } from '../../../src/core/payload.ts'
import { atEnd } from '../../support/at-end.ts'
import { openPollClient, TRAEFIK_HEADERS } from '../../support/poll-client.ts'
import { snapshotOf, startProvider } from '../../support/start-provider.ts'
import { waitFor } from '../../support/wait-for.ts'

const A = snapshotOf('{"tcp":{"services":{"a":{"loadBalancer":{"servers":[]}}}}}')

const PLAIN_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'content-type': 'text/plain; charset=utf-8',
  date: expect.any(String),
  connection: 'keep-alive',
  'keep-alive': 'timeout=120',
}

describe('the answer', () => {
  test('a poll gets the whole body with its length', async () => {
    const { publish, port, polled } = await startProvider()
    publish(A)
    const client = await openPollClient(port)
    expect(await client.poll('/traefik', { headers: TRAEFIK_HEADERS })).toEqual({
      status: 200,
      headers: {
        ...PLAIN_HEADERS,
        'content-type': 'application/json',
        'content-length': String(A.body.length),
      },
      body: A.body,
    })
    await waitFor(() => polled.length === 1)
    expect(polled).toEqual([
      {
        at: 1_700_000_000_000,
        hash: A.hash,
        status: 200,
        connectionId: 1,
        newConnection: true,
        heldMs: expect.any(Number),
        tokenOk: true,
        byTraefik: true,
      },
    ])
  })

  test('before any state a poll gets 503', async () => {
    const { port, polled, stats } = await startProvider()
    const client = await openPollClient(port)
    expect(await client.poll('/traefik')).toEqual({
      status: 503,
      headers: { ...PLAIN_HEADERS, 'content-length': '100' },
      body: 'there is no configuration yet: no source has given a valid state so far; `fairlead status` says why\n',
    })
    await waitFor(() => polled.length === 1)
    expect(polled[0]).toMatchObject({ hash: null, status: 503, newConnection: true })
    expect(stats()).toMatchObject({ lastPollAt: 1_700_000_000_000, polls: 1, lastServedHash: null })
  })

  test('the length counts bytes, not letters', async () => {
    const { publish, port } = await startProvider()
    const body = '{"tcp":{"services":{"größe":1}}}'
    publish(snapshotOf(body))
    const answer = await (await openPollClient(port)).poll('/traefik')
    expect(answer).toMatchObject({ body, headers: { 'content-length': String(body.length + 2) } })
  })

  test('a chunked body is called YAML', async () => {
    const { publish, port } = await startProvider()
    const services = Object.fromEntries(
      Array.from({ length: 401 }, (_, index) => [`tcp_${index}`, { loadBalancer: { servers: [] } }]),
    )
    const snapshot = makeSnapshot({ tcp: { services } })
    publish(snapshot)
    const answer = await (await openPollClient(port)).poll('/traefik')
    expect(answer).toMatchObject({ body: snapshot.body, headers: { 'content-type': 'application/yaml' } })
  })

  test('a client that has it gets 200 all the same', async () => {
    const { publish, port } = await startProvider()
    publish(A)
    const client = await openPollClient(port)
    const headers = {
      'If-None-Match': `"${A.hash}"`,
      'If-Modified-Since': new Date().toUTCString(),
      Range: 'bytes=0-3',
    }
    for (const _ of [1, 2])
      expect(await client.poll('/traefik', { headers })).toMatchObject({ status: 200, body: A.body })
  })

  test('HEAD has the length and no body', async () => {
    const { publish, port, polled, stats } = await startProvider()
    const client = await openPollClient(port)
    expect(await client.poll('/traefik', { method: 'HEAD' })).toMatchObject({ status: 503, body: '' })
    publish(A)
    expect(await client.poll('/traefik?hold=25s', { method: 'HEAD' })).toMatchObject({
      status: 200,
      body: '',
      headers: { 'content-length': String(A.body.length) },
    })
    // It is no poll, and the connection does not have the body now.
    expect(await client.poll('/traefik?hold=25s')).toMatchObject({ status: 200, body: A.body })
    await waitFor(() => polled.length === 1)
    expect(stats()).toMatchObject({ polls: 1, pollsByStatus: { 200: 2, 503: 1 } })
  })

  test('no origin is let in', async () => {
    const { publish, port } = await startProvider()
    publish(A)
    const client = await openPollClient(port)
    const headers = { Origin: 'https://evil.test', 'Access-Control-Request-Method': 'GET' }
    for (const method of ['GET', 'OPTIONS']) {
      const answer = await client.poll('/traefik', { method, headers })
      expect(Object.keys(answer.headers).filter(name => name.startsWith('access-control'))).toEqual([])
    }
  })

  test('undici and node:http poll on one connection', async () => {
    const { publish, port, polled } = await startProvider()
    publish(A)
    const dispatcher = new Agent({ connections: 1 })
    atEnd(() => dispatcher.close())
    const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 })
    atEnd(() => agent.destroy())
    const url = `http://localhost:${port}/traefik`
    for (const _ of [1, 2]) {
      const { statusCode, body } = await request(url, { dispatcher })
      expect([statusCode, await body.text()]).toEqual([200, A.body])
      const [incoming] = await once(get(url, { agent, headers: TRAEFIK_HEADERS }), 'response')
      expect(Buffer.concat(await incoming.toArray()).toString()).toBe(A.body)
    }
    await waitFor(() => polled.length === 4)
    expect(polled.map(poll => poll.newConnection)).toEqual([true, true, false, false])
  })

  test('HTTP/1.0 gets the length and the end', async () => {
    const { publish, port } = await startProvider()
    publish(A)
    const client = await openPollClient(port)
    client.socket.write(`GET /traefik HTTP/1.0\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
    expect(await client.next()).toMatchObject({ status: 200, body: A.body, headers: { connection: 'close' } })
    await client.closed
  })
})

describe('what is refused', () => {
  test.each<[string, { target?: string; method?: string; headers?: Record<string, string> }, number]>([
    ['a foreign host', { headers: { Host: 'evil.test' } }, 421],
    ['a foreign host with a path of nobody', { headers: { Host: 'evil.test' }, target: '/x' }, 421],
    ['our address with another port', { headers: { Host: '127.0.0.1:1' } }, 421],
    ['an empty host', { headers: { Host: '' } }, 421],
    ['another path', { target: '/' }, 404],
    ['a path with more behind it', { target: '/traefik/x' }, 404],
    ['POST', { method: 'POST' }, 405],
    ['PUT', { method: 'PUT' }, 405],
    ['DELETE', { method: 'DELETE' }, 405],
    ['OPTIONS', { method: 'OPTIONS' }, 405],
    ['TRACE', { method: 'TRACE' }, 405],
    ['a bad hold', { target: '/traefik?hold=25' }, 400],
    ['a strange expectation', { headers: { Expect: 'wonders' } }, 200],
  ])('%s gets its status and keeps the connection', async (_title, { target = '/traefik', ...options }, status) => {
    const { publish, port } = await startProvider()
    publish(A)
    const client = await openPollClient(port)
    const answer = await client.poll(target, options)
    expect(answer.status).toBe(status)
    expect(answer.headers.allow).toBe(status === 405 ? 'GET, HEAD' : undefined)
    // The connection is in order for the next request.
    expect(await client.poll('/traefik')).toMatchObject({ status: 200, body: A.body })
  })

  test('a request without Host is 421', async () => {
    const { port } = await startProvider()
    const client = await openPollClient(port)
    client.socket.write('GET /traefik HTTP/1.1\r\n\r\n')
    expect(await client.next()).toMatchObject({ status: 421 })
  })

  test('every loopback name is a right host', async () => {
    const { publish, port } = await startProvider()
    publish(A)
    const client = await openPollClient(port)
    for (const name of ['127.0.0.1', 'localhost', 'LocalHost', '[::1]'])
      expect(await client.poll('/traefik', { headers: { Host: `${name}:${port}` } })).toMatchObject({ status: 200 })
  })

  test('the body of a request is not read', async () => {
    const { publish, port } = await startProvider()
    publish(A)
    for (const [method, status] of [
      ['POST', 405],
      ['GET', 200],
    ] as const) {
      const client = await openPollClient(port)
      const headers = { 'Content-Length': '1000000', Expect: '100-continue' }
      // No "100 Continue" comes before the answer, and the connection ends after it.
      expect(await client.poll('/traefik?hold=25s', { method, headers })).toMatchObject({
        status,
        headers: { connection: 'close' },
      })
      await client.closed
    }
  })

  test('a wrong token is 401 and counted', async () => {
    const { publish, port, polled, stats } = await startProvider({ token: 'right-token' })
    publish(A)
    const client = await openPollClient(port)
    expect(await client.poll('/traefik?hold=25s')).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': 'Bearer' },
    })
    const wrong = await client.poll('/traefik', { headers: { Authorization: 'Bearer right-token-and-more' } })
    expect(wrong.status).toBe(401)
    expect(wrong.body).not.toContain('right-token')
    await waitFor(() => polled.length === 2)
    expect(polled.map(({ status, hash, tokenOk }) => ({ status, hash, tokenOk }))).toEqual([
      { status: 401, hash: null, tokenOk: false },
      { status: 401, hash: null, tokenOk: false },
    ])
    expect(stats()).toMatchObject({ unauthorized: 2, polls: 0, lastPollAt: null, pollsByStatus: { 401: 2 } })
    const right = { Authorization: 'Bearer right-token' }
    expect(await client.poll('/traefik?hold=25s', { headers: right })).toMatchObject({ status: 200, body: A.body })
  })
})

describe('start', () => {
  test.each(['0.0.0.0', '::', '192.0.2.1', 'proxy-1'])('%s is refused', async host => {
    await expect(startProvider({ listen: { host, port: 0 } })).rejects.toMatchObject({ code: 'LISTEN_NOT_LOOPBACK' })
  })

  test('a taken port names address and way out', async () => {
    const { port } = await startProvider()
    await expect(startProvider({ listen: { host: '127.0.0.1', port } })).rejects.toThrow(
      `provider endpoint: 127.0.0.1:${port} is in use by another process`,
    )
  })

  test('IPv6 loopback is served', async () => {
    const { publish, port } = await startProvider({ listen: { host: '::1', port: 0 } })
    publish(A)
    const client = await openPollClient(port, '::1')
    expect(await client.poll('/traefik')).toMatchObject({ status: 200, body: A.body })
  })

  test('it is started once', async () => {
    const { start } = await startProvider()
    await expect(start()).rejects.toThrow('a provider is started once')
  })
})

describe('the observer', () => {
  test.each<[string, () => void]>([
    [
      'throws',
      () => {
        throw new Error('broken metrics')
      },
    ],
    ['rejects', () => Promise.reject(new Error('broken metrics'))],
  ])('one that %s does not break serving', async (_title, onPoll) => {
    const lines: string[] = []
    const logger = pino({ level: 'error' }, { write: line => lines.push(line) })
    const { publish, port } = await startProvider({ onPoll, logger })
    publish(A)
    const client = await openPollClient(port)
    for (const _ of [1, 2]) expect(await client.poll('/traefik')).toMatchObject({ status: 200, body: A.body })
    await waitFor(() => lines.length === 2)
    expect(lines.map(line => JSON.parse(line).msg)).toEqual(['poll observer failed', 'poll observer failed'])
  })
})

describe('stats', () => {
  test('they tell polls, gaps and connections', async () => {
    const { publish, port, polled, stats } = await startProvider()
    expect(stats()).toEqual({
      lastPollAt: null,
      polls: 0,
      strangers: null,
      pollsByStatus: {},
      unauthorized: 0,
      tokenRefused: false,
      lastServedHash: null,
      pollers: 0,
      pollGapMs: null,
      openConnections: 0,
      held: 0,
      holdShortened: null,
      evicted: 0,
      slowReaders: 0,
    })
    publish(A)
    const client = await openPollClient(port)
    for (const target of ['/traefik', '/traefik', '/x', '/traefik?hold=no']) await client.poll(target)
    await waitFor(() => polled.length === 3)
    expect(stats()).toEqual({
      lastPollAt: 1_700_000_000_000,
      polls: 2,
      strangers: null,
      pollsByStatus: { 200: 2, 404: 1, 400: 1 },
      unauthorized: 0,
      tokenRefused: false,
      lastServedHash: A.hash,
      pollers: 1,
      pollGapMs: expect.any(Number),
      openConnections: 1,
      held: 0,
      holdShortened: null,
      evicted: 0,
      slowReaders: 0,
    })
  })

  test('two Traefiks are two pollers', async () => {
    const { publish, port, polled, stats } = await startProvider()
    publish(A)
    const first = await openPollClient(port)
    for (const _ of [1, 2]) await first.poll('/traefik')
    first.socket.destroy()
    await waitFor(() => stats().openConnections === 0)
    const second = await openPollClient(port)
    for (const _ of [1, 2]) await second.poll('/traefik')
    await waitFor(() => polled.length === 4)
    expect(stats().pollers).toBe(1)
    const third = await openPollClient(port)
    for (const client of [third, second, third, second]) await client.poll('/traefik')
    await waitFor(() => polled.length === 8)
    expect(stats().pollers).toBe(2)
  })
})
