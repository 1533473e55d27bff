/** What only bytes on a socket can show: requests that two readers would read as different ones, and such as never end. */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { createListener, type Listener } from '../../../src/control/listener.ts'
import { type ControlApp, controlApp } from '../../support/control-app.ts'
import { waitFor } from '../../support/wait-for.ts'

let control: ControlApp
let listener: Listener
let port: number
let token: string
beforeAll(async () => {
  control = await controlApp()
  token = await control.tokenFor({ scopes: ['admin'] })
  listener = createListener(null, (request, response) => control.app.routing(request, response))
  port = (await listener.listen({ host: '127.0.0.1', port: 0 })).port
}, 60_000)
afterAll(async () => {
  await listener.close(0)
  await control.close()
})

/** Everything that comes back until the connection is closed. */
async function talk(write: (socket: Socket) => void | Promise<void>, to = port): Promise<string> {
  const socket = connect(to, '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', chunk => {
    text += chunk
  })
  socket.on('error', () => {})
  await once(socket, 'connect')
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
  await write(socket)
  await closed
  return text
}

/** When there is room for more, or nobody who reads it. */
const drained = (socket: Socket): Promise<void> =>
  new Promise(resolve => {
    socket.once('drain', () => resolve())
    socket.once('close', () => resolve())
  })

const statusesOf = (text: string): number[] => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(match => Number(match[1]))

const head = (line: string, ...headers: readonly string[]): string =>
  [line, `host: 127.0.0.1:${port}`, `authorization: Bearer ${token}`, ...headers, '', ''].join('\r\n')

const body = JSON.stringify({ name: 'x', scopes: ['read'] })
const made = async (): Promise<number> => (await control.asAdmin('GET', '/tokens?limit=500')).json.items.length

const alive = async (): Promise<void> => {
  const text = await talk(socket => void socket.write(head('GET /api/v1/tokens HTTP/1.1', 'connection: close')))
  expect(statusesOf(text)).toEqual([200])
}

describe('a request that two readers would end at different places', () => {
  const smuggled = `POST /api/v1/tokens HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer TOKEN\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  const POST = 'POST /api/v1/tokens HTTP/1.1'
  const JSON_TYPE = 'content-type: application/json'

  test.each([
    [
      'by its length and by its chunks',
      POST,
      [JSON_TYPE, 'content-length: 4', 'transfer-encoding: chunked'],
      '0\r\n\r\n',
    ],
    [
      'by its chunks and by its length',
      POST,
      [JSON_TYPE, 'transfer-encoding: chunked', 'content-length: 5'],
      '0\r\n\r\n',
    ],
    ['by two lengths', POST, [JSON_TYPE, 'content-length: 0', 'content-length: 30'], ''],
    ['by two lengths in one', POST, [JSON_TYPE, 'content-length: 0, 30'], ''],
    ['by a length with a sign', POST, [JSON_TYPE, 'content-length: +0'], ''],
    [
      'by chunks said twice',
      POST,
      [JSON_TYPE, 'transfer-encoding: chunked', 'transfer-encoding: identity'],
      '0\r\n\r\n',
    ],
    ['by chunks in disguise', POST, [JSON_TYPE, 'transfer-encoding : chunked', 'content-length: 0'], ''],
    ['by chunks behind a tab', POST, [JSON_TYPE, 'transfer-encoding:\u000bchunked', 'content-length: 0'], ''],
    ['by a folded header', POST, [JSON_TYPE, 'x-a: 1\r\n transfer-encoding: chunked', 'content-length: 0 x'], ''],
    ['by a bare line feed', POST, [JSON_TYPE, 'x-a: 1\ntransfer-encoding: chunked', 'content-length: 5'], '0\r\n\r\n'],
    ['by a chunk of a wrong size', POST, [JSON_TYPE, 'transfer-encoding: chunked'], '0x2\r\n{}\r\n0\r\n\r\n'],
  ])('%s is refused, and what follows is not read', async (_title, line, headers, rest) => {
    const before = await made()
    const text = await talk(
      socket => void socket.write(head(line, ...headers) + rest + smuggled.replace('TOKEN', token)),
    )
    expect(statusesOf(text)).toEqual([400])
    expect(text).toContain('"code":"REQUEST_MALFORMED"')
    expect(text).toContain('connection: close')
    expect(await made()).toBe(before)
    await alive()
  })
})

test('requests one behind the other are answered in order', async () => {
  const text = await talk(socket => {
    socket.write(head('GET /api/v1/tokens HTTP/1.1').repeat(2))
    socket.write(head('GET /api/v1/nothing HTTP/1.1'))
    socket.write(head('GET /api/v1/tokens HTTP/1.1', 'connection: close'))
  })
  expect(statusesOf(text)).toEqual([200, 200, 404, 200])
})

test.each([
  [
    'ten thousand headers',
    (socket: Socket) =>
      void socket.write(
        head('GET /api/v1/tokens HTTP/1.1', ...Array.from({ length: 10_000 }, (_, index) => `x-${index}: 1`)),
      ),
  ],
  [
    'a header of a megabyte',
    (socket: Socket) => void socket.write(head('GET /api/v1/tokens HTTP/1.1', `x-a: ${'a'.repeat(1024 * 1024)}`)),
  ],
  ['a URL of a megabyte', (socket: Socket) => void socket.write(head(`GET /${'a'.repeat(1024 * 1024)} HTTP/1.1`))],
])('%s are refused', async (_title, write) => {
  const text = await talk(write)
  // The end of the connection may overtake the answer, since there is more to read than anybody wants.
  expect(['', '431 HEADERS_TOO_LARGE']).toContain(
    [...statusesOf(text), ...(/"code":"(\w+)"/.exec(text)?.slice(1) ?? [])].join(' '),
  )
  await alive()
})

test.each([
  ['no Host', 'GET /api/v1/tokens HTTP/1.1\r\n\r\n'],
  ['two Hosts', 'GET /api/v1/tokens HTTP/1.1\r\nhost: 127.0.0.1\r\nhost: evil.example\r\n\r\n'],
  ['a Host of HTTP/1.0 that is none', 'GET /api/v1/tokens HTTP/1.0\r\n\r\n'],
  ['no HTTP at all', 'hello\r\n\r\n'],
  ['TLS', '\u0016\u0003\u0001\u0000\u0005hello'],
])('%s is refused', async (_title, bytes) => {
  const text = await talk(socket => void socket.end(bytes, 'latin1'))
  expect(statusesOf(text)).toEqual([400])
})

test('a body of a hundred megabytes is refused before it is read', async () => {
  let sent = 0
  const chunk = Buffer.alloc(64 * 1024, 'x')
  const text = await talk(async socket => {
    socket.write(
      head('POST /api/v1/tokens HTTP/1.1', 'content-type: application/json', `content-length: ${100 * 1024 * 1024}`),
    )
    while (!socket.destroyed) {
      sent += chunk.length
      if (!socket.write(chunk)) await drained(socket)
    }
  })
  expect([[], [413]]).toContainEqual(statusesOf(text))
  expect(sent).toBeLessThan(20 * 1024 * 1024)
  await alive()
})

test('a body of chunks without an end is refused at its limit', async () => {
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`
  const text = await talk(async socket => {
    socket.write(head('POST /api/v1/tokens HTTP/1.1', 'content-type: application/json', 'transfer-encoding: chunked'))
    while (!socket.destroyed) if (!socket.write(chunk)) await drained(socket)
  })
  expect([[], [413]]).toContainEqual(statusesOf(text))
  await alive()
})

test('what does not arrive in time is 408, and makes nothing', async () => {
  const times = { requestMs: 600, headersMs: 300, checkMs: 50 }
  const hasty = createListener(null, (request, response) => control.app.routing(request, response), times)
  const to = (await hasty.listen({ host: '127.0.0.1', port: 0 })).port
  const before = await made()
  const slow = head('POST /api/v1/tokens HTTP/1.1', 'content-type: application/json', `content-length: ${body.length}`)
  // A head without an end, a body without one, and the same behind a request that was answered.
  const heads = await talk(socket => void socket.write('GET /api/v1/tokens HTTP/1.1\r\nhost: '), to)
  const bodies = await talk(socket => void socket.write(slow + body.slice(0, 5)), to)
  const second = await talk(socket => void socket.write(head('GET /api/v1/tokens HTTP/1.1') + slow), to)
  expect([heads, bodies, second].map(statusesOf)).toEqual([[408], [408], [200, 408]])
  for (const text of [heads, bodies, second]) {
    expect(text).toContain('"code":"REQUEST_TIMEOUT"')
    expect(text).toContain('the request did not arrive within 0.6 s')
  }
  expect(await made()).toBe(before)
  await hasty.close(0)
  await alive()
})

test('a caller who leaves in the middle of its body costs nothing', async () => {
  const before = await made()
  await talk(async socket => {
    socket.write(
      head('POST /api/v1/tokens HTTP/1.1', 'content-type: application/json', `content-length: ${body.length}`),
    )
    socket.write(body.slice(0, 5))
    setImmediate(() => socket.destroy())
  })
  await alive()
  expect(await made()).toBe(before)
})

test('callers who leave before their answers hold no place', async () => {
  let inside = 0
  const gone = new AbortController()
  const small = await controlApp({
    deps: { database: control.database },
    limits: { atOnce: 3 },
    routes(app) {
      app.get('/slow', { config: { access: 'read' }, schema: { response: { 200: z.object({}) } } }, async () => {
        inside++
        await new Promise<void>(resolve => gone.signal.addEventListener('abort', () => resolve()))
        return {}
      })
    },
  })
  const own = createListener(null, (request, response) => small.app.routing(request, response))
  const address = await own.listen({ host: '127.0.0.1', port: 0 })
  for (let round = 1; round <= 4; round++) {
    const sockets = [1, 2, 3].map(() => connect(address.port, '127.0.0.1'))
    for (const socket of sockets) socket.on('error', () => {}).write(head('GET /api/v1/slow HTTP/1.1'))
    await waitFor(() => inside === round * 3, { what: 'three to be at work', timeoutMs: 30_000 })
    expect((await small.as(token)('GET', '/tokens')).status).toBe(429)
    for (const socket of sockets) socket.destroy()
    await waitFor(async () => (await small.as(token)('GET', '/tokens')).status === 200, {
      what: 'their places',
      timeoutMs: 30_000,
    })
  }
  gone.abort()
  await own.close(0)
  await small.close()
}, 60_000)
