import { describe, expect, test } from 'vitest'
import { createHarness, stateDocument } from '../support/control-plane-harness.ts'
import {
  chunked,
  head,
  JSON_HEADERS,
  jsonResponse,
  response,
  type Script,
  startFaultServer,
} from '../support/fault-server.ts'
import { expectUntouched, GOOD, holdReading, meet, serveGood } from '../support/held-source.ts'
import { waitFor } from '../support/wait-for.ts'

const BODY = JSON.stringify({ ...GOOD, revision: 2 })
const never: Script = () => {}

/** One byte of the body each 20 ms: never idle, and never done in time. */
const drip: Script = async socket => {
  socket.write(head(200, { ...JSON_HEADERS, 'content-length': BODY.length }))
  for (const sign of BODY) {
    if (socket.destroyed) return
    socket.write(sign)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

describe('answers that do not end', () => {
  test('no answer at all meets the deadline', async () => {
    const held = await holdReading({ timing: { answerMs: 200 } })
    const fault = await meet(held, never)
    expect({ code: fault.code, message: fault.message }).toEqual({
      code: 'SOURCE_TIMEOUT',
      message: `127.0.0.1:${held.server.port} did not answer within 200 ms`,
    })
  })

  test('half of the headers meet the deadline', async () => {
    const held = await holdReading({ timing: { answerMs: 200 } })
    const fault = await meet(held, socket => void socket.write('HTTP/1.1 200 OK\r\ncontent-ty'))
    expect(fault.message).toBe(`127.0.0.1:${held.server.port} did not answer within 200 ms`)
  })

  test('headers without a body are idle', async () => {
    const held = await holdReading({ timing: { idleMs: 200 } })
    const fault = await meet(held, socket => void socket.write(head(200, { ...JSON_HEADERS, 'content-length': 10 })))
    expect({ code: fault.code, message: fault.message }).toEqual({
      code: 'SOURCE_TIMEOUT',
      message: `127.0.0.1:${held.server.port} sent nothing more of its document within 200 ms`,
    })
  })

  test('a body that stalls in the middle is idle', async () => {
    const held = await holdReading({ timing: { idleMs: 200 } })
    const half = chunked(BODY, 8).subarray(0, 100)
    const fault = await meet(held, socket => {
      socket.write(head(200, { ...JSON_HEADERS, 'transfer-encoding': 'chunked' }))
      socket.write(half)
    })
    expect(fault.message).toBe(`127.0.0.1:${held.server.port} sent nothing more of its document within 200 ms`)
  })

  test('a byte now and then meets the total deadline', async () => {
    const held = await holdReading({ timing: { bodyMs: 300 } })
    const fault = await meet(held, drip)
    expect(fault.message).toBe(`127.0.0.1:${held.server.port} did not end its document within 300 ms`)
  })

  test('interim answers for ever meet the deadline', async () => {
    const held = await holdReading({ timing: { answerMs: 300 } })
    const fault = await meet(held, async socket => {
      while (!socket.destroyed) {
        socket.write('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n')
        await new Promise(resolve => setTimeout(resolve, 5))
      }
    })
    expect(fault.code).toBe('SOURCE_TIMEOUT')
  })

  test('a body of a refusal that stalls delays nothing', async () => {
    const held = await holdReading({ timing: { idleMs: 100 } })
    const fault = await meet(held, socket => void socket.write(head(503, { 'content-length': 1000 })))
    expect(fault.code).toBe('SOURCE_UNAVAILABLE')
  })

  test('each dead exchange closes its connection', async () => {
    const held = await holdReading({ timing: { answerMs: 50 } })
    held.server.play(never)
    await held.untilResult('SOURCE_TIMEOUT', 5)
    await waitFor(() => held.server.connections().open <= 1, { what: 'closed connections' })
    expect(held.server.connections().ever).toBeGreaterThanOrEqual(5)
    expectUntouched(held)
  })
})

describe('held polls', () => {
  const wait = '"1"'
  const first: Script = (socket, request) => {
    if (!request.headers.has('if-none-match')) socket.write(jsonResponse(GOOD, { etag: wait }))
  }

  test('a poll may be held for longer than an answer may take', async () => {
    const server = await startFaultServer({
      script: async (socket, request) => {
        if (!request.headers.has('if-none-match')) return void socket.write(jsonResponse(GOOD, { etag: wait }))
        await new Promise(resolve => setTimeout(resolve, 300))
        socket.write(response(304, { etag: wait }))
      },
    })
    const { source, results, untilResult } = createHarness({ urls: [server.url], timing: { answerMs: 100 } })
    await source.start()
    await untilResult('unchanged', 2)
    expect(results).toEqual(['ok', 'unchanged', 'unchanged'])
  })

  test('news on a held poll are taken, and it is asked on', async () => {
    const server = await startFaultServer({
      script: (socket, request) => {
        const etag = request.headers.get('if-none-match')
        if (etag === undefined) socket.write(jsonResponse(GOOD, { etag: '"1"' }))
        else if (etag === '"1"') socket.write(jsonResponse({ ...GOOD, revision: 2 }, { etag: '"2"' }))
      },
    })
    const { source, results } = createHarness({ urls: [server.url], pollIntervalMs: 600_000 })
    await source.start()
    await waitFor(() => server.requests.length === 3, { what: 'the third poll' })
    expect(results).toEqual(['ok', 'ok'])
    expect(source.status().reading?.revision).toBe(2)
    expect(server.requests.map(({ headers }) => [headers.get('if-none-match'), headers.get('prefer')])).toEqual([
      [undefined, undefined],
      ['"1"', 'wait=5'],
      ['"2"', 'wait=5'],
    ])
    expect(server.connections().ever).toBe(1)
  })

  test('a hold that nobody ends meets its own deadline', async () => {
    const server = await startFaultServer({ script: first })
    const { source, untilResult } = createHarness({ urls: [server.url], timing: { answerMs: 200, waitSeconds: 0 } })
    await source.start()
    await untilResult('SOURCE_TIMEOUT')
    expect(source.status().reading?.revision).toBe(1)
  })

  test('a server that holds is asked again at once', async () => {
    const server = await startFaultServer({
      script: async (socket, request) => {
        if (!request.headers.has('if-none-match')) return void socket.write(jsonResponse(GOOD, { etag: wait }))
        await new Promise(resolve => setTimeout(resolve, 120))
        socket.write(response(304, { etag: wait }))
      },
    })
    const { source, untilResult } = createHarness({ urls: [server.url], pollIntervalMs: 600_000 })
    await source.start()
    await untilResult('unchanged', 3)
    expect(source.status().fault).toBeNull()
    expect(server.connections().ever).toBe(1)
  })
})

describe('stop', () => {
  test.each([
    ['a held poll', never],
    ['a body that drips', drip],
    [
      'a stalled body',
      (socket => void socket.write(head(200, { ...JSON_HEADERS, 'content-length': 10 }))) satisfies Script,
    ],
  ])('%s does not delay it', async (_, script) => {
    const held = await holdReading()
    const before = held.server.requests.length
    held.server.play(script)
    await waitFor(() => held.server.requests.length > before, { what: 'a poll that is not answered' })
    await held.source.stop()
    await held.source.stop()
    expectUntouched(held)
    expect(held.source.status().fault).toBeNull()
    await waitFor(() => held.server.connections().open === 0, { what: 'closed connections' })
  })

  test('it ends the wait between two polls', async () => {
    const held = await holdReading({ pollIntervalMs: 600_000 })
    await held.source.stop()
    expect(held.server.requests).toHaveLength(1)
  })

  test('it ends a backoff and a start that has not ended', async () => {
    const server = await startFaultServer({ script: never })
    const { source } = createHarness({ urls: [server.url] })
    const started = source.start()
    await waitFor(() => server.requests.length === 1, { what: 'a poll' })
    await source.stop()
    await started
    expect(source.status()).toMatchObject({ reading: null, fault: null })
  })

  test('it is fine before any start', async () => {
    const server = await startFaultServer({ script: serveGood })
    const { source } = createHarness({ urls: [server.url] })
    await source.stop()
    expect(server.requests).toEqual([])
  })
})

test('a first boot without a control plane ends when it comes', async () => {
  const gone = await startFaultServer()
  await gone.close()
  const { source, untilResult } = createHarness({ urls: [gone.url] })
  await source.start()
  expect(source.status()).toMatchObject({ reading: null, fault: { code: 'SOURCE_REFUSED' } })
  await startFaultServer({ script: serveGood, port: gone.port })
  await untilResult('ok')
  expect(source.status()).toMatchObject({ reading: { revision: stateDocument().revision }, fault: null })
})
