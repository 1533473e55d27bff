import { Readable, type Transform } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import {
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createDeflate,
  createGzip,
  deflateRawSync,
  deflateSync,
  gzipSync,
} from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { chunked, head, JSON_HEADERS, pour, response, type Script } from '../support/fault-server.ts'
import { CANARY, expectUntouched, GOOD, type HeldSource, holdReading, meet, serveGood } from '../support/held-source.ts'
import { waitFor } from '../support/wait-for.ts'

const NEXT = JSON.stringify({
  controlPlaneId: 'cp_1',
  epoch: 1,
  revision: 2,
  secret: CANARY,
  traefik: { tcpRoutes: [] },
})
const MIB = 1024 * 1024

/** Whole, with its length. */
const withLength = response(200, JSON_HEADERS, NEXT)
const withChunks = Buffer.concat([
  Buffer.from(head(200, { ...JSON_HEADERS, 'transfer-encoding': 'chunked' })),
  chunked(NEXT, 50),
])
const compressed = response(200, { ...JSON_HEADERS, 'content-encoding': 'gzip' }, gzipSync(NEXT))

const packed = (encoding: string, body: Buffer, tail: string | Buffer): Buffer =>
  response(200, { ...JSON_HEADERS, 'content-encoding': encoding }, Buffer.concat([body, Buffer.from(tail)]))

const send =
  (bytes: string | Uint8Array): Script =>
  socket =>
    void socket.write(bytes)
const sendAndClose =
  (bytes: string | Uint8Array): Script =>
  socket =>
    void socket.end(bytes)

const briefly = (fault: { readonly code: string; readonly message: string }, held: HeldSource) => [
  fault.code,
  fault.message.replace(`127.0.0.1:${held.server.port}`, 'HOST'),
]

describe('cut answers', () => {
  test.each([
    ['a body with its length', withLength],
    ['a chunked body', withChunks],
    ['a compressed body', compressed],
  ])('%s is refused when cut at any byte', async (_, whole) => {
    const held = await holdReading()
    let cut = 0
    held.server.play(socket => {
      if (cut >= whole.length) return void socket.write(whole)
      socket.end(whole.subarray(0, cut))
      cut += 1
    })
    // Whatever is taken is a change of the reading, and the first that is must be the whole one.
    await waitFor(() => held.source.status().reading !== held.reading, {
      what: 'the whole document',
      timeoutMs: 50_000,
    })
    expect(cut).toBe(whole.length)
    expect(held.source.status()).toMatchObject({ fault: null, reading: { revision: 2, routes: [] } })
    const refusals = new Set(held.results.filter(result => result.startsWith('SOURCE_')))
    expect([...refusals].filter(code => code !== 'SOURCE_RESET' && code !== 'SOURCE_BODY_CUT')).toEqual([])
    expect(held.logText()).not.toContain(CANARY)
  })

  test('a connection that is reset in the body is a cut', async () => {
    const held = await holdReading()
    const fault = await meet(held, socket => {
      socket.write(withLength.subarray(0, -1), () => socket.resetAndDestroy())
    })
    expect(['SOURCE_BODY_CUT', 'SOURCE_RESET']).toContain(fault.code)
  })

  test('a body that ends with its connection is refused though whole', async () => {
    const held = await holdReading()
    const fault = await meet(held, sendAndClose(`${head(200, { ...JSON_HEADERS, connection: 'close' })}${NEXT}`))
    expect(briefly(fault, held)).toEqual([
      'SOURCE_BODY_CUT',
      'HOST sent a body with neither a length nor chunks, so its end cannot be told from a cut',
    ])
  })

  test('a compressed stream without its end is refused', async () => {
    const held = await holdReading()
    const cut = gzipSync(NEXT).subarray(0, -9)
    const fault = await meet(held, send(response(200, { ...JSON_HEADERS, 'content-encoding': 'gzip' }, cut)))
    expect(briefly(fault, held)).toEqual(['SOURCE_BODY_CUT', 'HOST ended before the end of its compressed document'])
  })

  test('a length that is too short cuts the document', async () => {
    const held = await holdReading()
    const fault = await meet(held, send(`${head(200, { ...JSON_HEADERS, 'content-length': NEXT.length - 2 })}${NEXT}`))
    expect(fault.code).toBe('SOURCE_MALFORMED')
  })

  test('both a length and chunks are refused', async () => {
    const held = await holdReading()
    const headers = { ...JSON_HEADERS, 'content-length': NEXT.length, 'transfer-encoding': 'chunked' }
    const fault = await meet(held, send(Buffer.concat([Buffer.from(head(200, headers)), chunked(NEXT, 50)])))
    expect(fault.code).toBe('SOURCE_PROTOCOL')
  })
})

describe('answers that are not the document', () => {
  test.each([
    ['a login page', response(200, { 'content-type': 'text/html' }, '<html>Sign in</html>'), 'SOURCE_CONTENT_TYPE'],
    ['a login page that claims to be JSON', response(200, JSON_HEADERS, '<html>Sign in</html>'), 'SOURCE_MALFORMED'],
    ['a redirect to a login page', response(302, { location: 'http://evil.test/' }), 'SOURCE_REDIRECT'],
    ['an upgrade', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n', 'SOURCE_RESET'],
    ['another protocol', `SSH-2.0-${CANARY}\r\n`, 'SOURCE_PROTOCOL'],
    ['a broken header', `HTTP/1.1 200 OK\r\n${CANARY} x\r\n\r\n`, 'SOURCE_PROTOCOL'],
    [
      'a broken chunk',
      `${head(200, { ...JSON_HEADERS, 'transfer-encoding': 'chunked' })}5\r\n{"a":\r\n${CANARY}\r\n`,
      'SOURCE_PROTOCOL',
    ],
    ['bytes without sense', Buffer.from([0x16, 0x03, 0x01, 0x00, 0x00, 0xff]), 'SOURCE_PROTOCOL'],
    ['an empty body', response(200, JSON_HEADERS), 'SOURCE_MALFORMED'],
    ['a byte order mark', response(200, JSON_HEADERS, `\uFEFF${NEXT}`), 'SOURCE_MALFORMED'],
    ['a NUL at the end', response(200, JSON_HEADERS, `${NEXT}\0`), 'SOURCE_MALFORMED'],
    ['two documents', response(200, JSON_HEADERS, `${NEXT}\n${NEXT}`), 'SOURCE_MALFORMED'],
    ['half a document', response(200, JSON_HEADERS, NEXT.slice(0, 60)), 'SOURCE_MALFORMED'],
    [
      'broken UTF-8',
      response(200, JSON_HEADERS, Buffer.from(NEXT.replace('cp_1', 'cp_\xff'), 'latin1')),
      'SOURCE_MALFORMED',
    ],
    ['a lone surrogate', response(200, JSON_HEADERS, NEXT.replace('cp_1', 'cp_\\ud800')), 'SOURCE_MALFORMED'],
    ['gzip that is none', response(200, { ...JSON_HEADERS, 'content-encoding': 'gzip' }, NEXT), 'SOURCE_ENCODING'],
    [
      'raw deflate',
      response(200, { ...JSON_HEADERS, 'content-encoding': 'deflate' }, deflateRawSync(NEXT)),
      'SOURCE_ENCODING',
    ],
    [
      'gzip in gzip',
      response(200, { ...JSON_HEADERS, 'content-encoding': 'gzip, gzip' }, gzipSync(gzipSync(NEXT))),
      'SOURCE_ENCODING',
    ],
    ['garbage after gzip', packed('gzip', gzipSync(NEXT), 'garbage'), 'SOURCE_ENCODING'],
    ['zeros after gzip', packed('gzip', gzipSync(NEXT), '\0\0'), 'SOURCE_ENCODING'],
    ['garbage after deflate', packed('deflate', deflateSync(NEXT), 'garbage'), 'SOURCE_ENCODING'],
    ['garbage after brotli', packed('br', brotliCompressSync(NEXT), 'garbage'), 'SOURCE_ENCODING'],
    ['two gzip documents', packed('gzip', gzipSync(NEXT), gzipSync(NEXT)), 'SOURCE_MALFORMED'],
  ])('%s is refused', async (_, bytes, code) => {
    const held = await holdReading()
    expect((await meet(held, send(bytes))).code).toBe(code)
  })

  test('a redirect is not followed', async () => {
    const held = await holdReading()
    const target = await holdReading()
    await target.source.stop()
    const asked = target.server.requests.length
    const fault = await meet(held, send(response(307, { location: `${target.server.url}/x` })))
    expect(briefly(fault, held)).toEqual([
      'SOURCE_REDIRECT',
      `HOST answered 307, a redirect to 127.0.0.1:${target.server.port}`,
    ])
    expect(target.server.requests).toHaveLength(asked)
  })

  test('an answer that nobody asked for is not taken', async () => {
    const held = await holdReading()
    const polls = held.server.requests.length
    held.server.play(socket => {
      socket.write(Buffer.concat([response(200, JSON_HEADERS, JSON.stringify(GOOD)), withLength]))
    })
    await waitFor(() => held.server.requests.length >= polls + 5, { what: 'some more polls' })
    expectUntouched(held)
  })

  test.each([
    ['gzip', gzipSync(NEXT)],
    ['x-gzip', gzipSync(NEXT)],
    ['deflate', deflateSync(NEXT)],
    ['br', brotliCompressSync(NEXT)],
    ['identity', Buffer.from(NEXT)],
  ])('%s is read', async (encoding, body) => {
    const held = await holdReading()
    held.server.play(send(response(200, { ...JSON_HEADERS, 'content-encoding': encoding }, body)))
    await waitFor(() => held.source.status().reading?.revision === 2, { what: 'the next revision' })
    expect(held.source.status().fault).toBeNull()
  })
})

describe('answers without measure', () => {
  /** Peak of the memory outside of what was there before, while `action` runs. */
  async function peakOf(action: () => Promise<unknown>): Promise<number> {
    const before = process.memoryUsage().rss
    let peak = 0
    const timer = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage().rss - before)
    }, 5)
    await action()
    clearInterval(timer)
    return peak
  }

  test('more than 64 KiB of headers are refused', async () => {
    const held = await holdReading()
    const fault = await meet(held, async socket => {
      socket.write('HTTP/1.1 200 OK\r\n')
      await pour(socket, Buffer.from(`x-filler: ${'a'.repeat(1000)}\r\n`), 10 * MIB)
    })
    expect(briefly(fault, held)).toEqual(['SOURCE_TOO_LARGE', 'HOST sent headers beyond the limit'])
  })

  test('an announced body beyond the limit is not read', async () => {
    const held = await holdReading()
    const fault = await meet(held, send(head(200, { ...JSON_HEADERS, 'content-length': 8 * MIB + 1 })))
    expect(briefly(fault, held)).toEqual([
      'SOURCE_TOO_LARGE',
      'HOST announced 8388609 bytes, more than the 8388608 that are taken',
    ])
  })

  test('endless chunks are cut at the limit', async () => {
    const held = await holdReading()
    let sent = 0
    let over = false
    const peak = await peakOf(async () => {
      const fault = await meet(held, async socket => {
        socket.write(head(200, { ...JSON_HEADERS, 'transfer-encoding': 'chunked' }))
        const piece = Buffer.from(`10000\r\n${' '.repeat(65_536)}\r\n`)
        sent = Math.max(sent, await pour(socket, piece, 400 * MIB))
        over = true
      })
      expect(briefly(fault, held)).toEqual(['SOURCE_TOO_LARGE', 'HOST sent more than the 8388608 bytes that are taken'])
      await waitFor(() => over, { what: 'the end of the sender' })
    })
    // What is beyond 8 MiB are the buffers of both sockets.
    expect(sent).toBeLessThan(32 * MIB)
    expect(peak).toBeLessThan(150 * MIB)
  })

  /** So many MiB of spaces, compressed piece by piece. */
  async function bomb(encoder: Transform, mib: number): Promise<Buffer> {
    const piece = Buffer.alloc(MIB, ' ')
    return await buffer(Readable.from(Array.from({ length: mib }, () => piece)).pipe(encoder))
  }

  test.each([
    ['gzip', () => createGzip({ level: 1 })],
    ['br', () => createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })],
    ['deflate', () => createDeflate({ level: 1 })],
  ])('a %s bomb is cut at the limit', async (encoding, encoder) => {
    const body = await bomb(encoder(), 400)
    expect(body.length).toBeLessThan(8 * MIB)
    const held = await holdReading()
    const bytes = response(200, { ...JSON_HEADERS, 'content-encoding': encoding }, body)
    const peak = await peakOf(async () => {
      const fault = await meet(held, send(bytes))
      expect(briefly(fault, held)).toEqual([
        'SOURCE_TOO_LARGE',
        'the document of HOST unpacks to more than 33554432 bytes',
      ])
    })
    expect(peak).toBeLessThan(150 * MIB)
  })

  test.each([
    ['deep lists', '['.repeat(1_000_000), 'the document is nested deeper than 32 levels'],
    ['deep objects', '{"a":'.repeat(1_000_000), 'the document is nested deeper than 32 levels'],
    [
      'one level too many',
      `{"traefik":{"tcpRoutes":[]},"x":${'['.repeat(32)}${']'.repeat(32)}}`,
      'the document is nested deeper than 32 levels',
    ],
    ['two million objects', `{"x":[${'{},'.repeat(2_000_000)}{}]}`, 'the document holds more than 2000000 values'],
  ])('%s are never parsed', async (_, body, message) => {
    const held = await holdReading()
    const fault = await meet(held, send(response(200, JSON_HEADERS, body)))
    expect(briefly(fault, held)).toEqual(['SOURCE_TOO_LARGE', message])
  })

  test('as many levels as allowed are fine', async () => {
    const held = await holdReading()
    const body = `{"schema":1,"controlPlaneId":"cp_1","epoch":1,"revision":2,"traefik":{"tcpRoutes":[]},"x":${'['.repeat(31)}${']'.repeat(31)}}`
    held.server.play(send(response(200, JSON_HEADERS, body)))
    await waitFor(() => held.source.status().reading?.revision === 2, { what: 'the next revision' })
  })

  test('a hundred thousand routes are refused by number', async () => {
    const held = await holdReading()
    const routes = Array.from({ length: 100_000 }, (_, n) => ({
      id: `r${n}`,
      upstreams: ['10.0.0.1:1'],
      externalPort: 10_001,
    }))
    const body = JSON.stringify({ ...GOOD, revision: 2, traefik: { tcpRoutes: routes } })
    const peak = await peakOf(async () => {
      const fault = await meet(held, send(response(200, JSON_HEADERS, body)))
      expect(briefly(fault, held)).toEqual([
        'SOURCE_NOT_A_STATE',
        '100000 routes are more than the 1000 of policy.maxRoutes',
      ])
    })
    expect(peak).toBeLessThan(300 * MIB)
  })
})

test('a hundred bad answers leave no connection behind', async () => {
  const held = await holdReading()
  const bad = [
    send(withLength.subarray(0, 150)),
    sendAndClose(withChunks.subarray(0, 200)),
    send('garbage\r\n\r\n'),
    send(response(500)),
  ]
  held.server.play((socket, request) => {
    const script = bad[request.index % bad.length] ?? serveGood
    void script(socket, request)
    if (request.index % 2 === 0) socket.end()
  })
  await waitFor(() => held.results.length >= 100, { what: 'a hundred attempts', timeoutMs: 30_000 })
  await waitFor(() => held.server.connections().open <= 2, { what: 'closed connections' })
  expectUntouched(held)
})
