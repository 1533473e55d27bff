import { expect, test } from 'vitest'
import { createFakeClock, createHarness, stateDocument } from '../support/control-plane-harness.ts'
import { jsonResponse, response, type Script, startFaultServer } from '../support/fault-server.ts'
import { waitFor } from '../support/wait-for.ts'

const FLOOR = 200

/** Whole milliseconds between the starts of the requests, as the source's own clock saw them. */
const gaps = (times: readonly number[]): number[] => times.slice(1).map((at, i) => Math.round(at - (times[i] ?? at)))

/** A server that answers at once, whatever it is asked; the times are those of the fake clock. */
async function storm(answer: (index: number) => Buffer, polls: number, pollIntervalMs = 5_000) {
  const clock = createFakeClock()
  const times: number[] = []
  const script: Script = (socket, request) => {
    times.push(clock.monotonic())
    socket.write(answer(request.index))
  }
  const server = await startFaultServer({ script })
  const harness = createHarness({
    urls: [server.url],
    clock,
    pollIntervalMs,
    timing: {
      minIntervalMs: FLOOR,
      backoff: { minMs: 500, maxMs: 30_000, maxWithoutReadingMs: 8_000, refusedMs: 30_000 },
    },
  })
  await harness.source.start()
  await waitFor(() => times.length >= polls, { what: `${polls} polls` })
  await harness.source.stop()
  return { gaps: gaps(times.slice(0, polls)), harness }
}

test('empty wakes end at the poll interval', async () => {
  const waits = { etag: '"1"', 'preference-applied': 'wait' }
  const { gaps } = await storm(i => (i === 0 ? jsonResponse(stateDocument(), waits) : response(304, waits)), 14)
  expect(gaps).toEqual([...Array(10).fill(FLOOR), 5_000, 5_000, 5_000])
})

test('empty wakes of a server that never held are polled at once', async () => {
  const etag = { etag: '"1"' }
  const { gaps } = await storm(i => (i === 0 ? jsonResponse(stateDocument(), etag) : response(304, etag)), 4)
  expect(gaps).toEqual([FLOOR, 5_000, 5_000])
})

test('a new revision with every answer meets the floor', async () => {
  const { gaps, harness } = await storm(i => jsonResponse(stateDocument({ revision: i }), { etag: `"${i}"` }), 20)
  expect(gaps).toEqual(Array(19).fill(FLOOR))
  expect(harness.source.status().reading?.revision).toBeGreaterThanOrEqual(19)
})

test('new content with every answer and no ETag is polled', async () => {
  const { gaps } = await storm(i => jsonResponse(stateDocument({ revision: i })), 4)
  expect(gaps).toEqual([5_000, 5_000, 5_000])
})

test('an interval below the floor gives way to it', async () => {
  const { gaps } = await storm(() => jsonResponse(stateDocument()), 5, 10)
  expect(gaps).toEqual(Array(4).fill(FLOOR))
})

test('ETags that lie meet the floor, then the backoff', async () => {
  const { gaps, harness } = await storm(() => response(304, { etag: '"1"' }), 6)
  expect(gaps).toEqual([FLOOR, 750, FLOOR, 1_500, FLOOR])
  expect(harness.source.status()).toMatchObject({ reading: null, fault: { code: 'SOURCE_NOT_MODIFIED' } })
})

test('the real clock keeps the floor too', async () => {
  const etag = { etag: '"1"', 'preference-applied': 'wait' }
  const server = await startFaultServer({
    script: (socket, request) =>
      void socket.write(request.index === 0 ? jsonResponse(stateDocument(), etag) : response(304, etag)),
  })
  const { source } = createHarness({ urls: [server.url], timing: { minIntervalMs: 50 } })
  await source.start()
  await waitFor(() => server.requests.length >= 10, { what: 'ten polls' })
  await source.stop()
  // A timer never fires early by more than its grain of a millisecond; late does not matter.
  for (const gap of gaps(server.requests.map(({ at }) => at))) expect(gap).toBeGreaterThanOrEqual(40)
})
