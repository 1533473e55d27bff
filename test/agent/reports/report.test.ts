/** The reporter: its contract by nock, and a control plane that misbehaves by real servers. */
import { createPrivateKey, createPublicKey, verify } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import type { Socket } from 'node:net'
import nock from 'nock'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createIdentityAuth, makeTokenAuth, NO_AUTH } from '../../../src/agent/identity.ts'
import {
  createReporter,
  type Reporter,
  type ReporterOptions,
  type ReportTiming,
} from '../../../src/agent/reports/report.ts'
import type { ReportState } from '../../../src/core/report.ts'
import type { StatusReport } from '../../../src/core/report-wire.ts'
import { NO_PLACE } from '../../../src/core/route-place.ts'
import type { TrackedVerdict } from '../../../src/core/track.ts'
import { REASONS, type ReasonCode } from '../../../src/core/verdict.ts'
import { SYSTEM_CLOCK } from '../../../src/lib/clock.ts'
import { atEnd } from '../../support/at-end.ts'
import { createAuthority } from '../../support/authority.ts'
import { startTcpBackend } from '../../support/backends.ts'
import { captureLog } from '../../support/control-plane-harness.ts'
import { part } from '../../support/parts.ts'
import { freePort } from '../../support/ports.ts'
import { waitFor } from '../../support/wait-for.ts'

// RFC 8032, section 7.1, test 1.
const KEY = createPrivateKey(`-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----`)

const row = (id: string, reason: ReasonCode = 'LIVE'): TrackedVerdict => ({
  ...NO_PLACE,
  id,
  protocol: 'tcp',
  verdict: REASONS[reason].verdict,
  reason,
  message: REASONS[reason].meaning,
  remedy: REASONS[reason].remedy,
  entryPoints: [],
  notes: [],
  origin: 'cp_1',
  since: 0,
  revision: 1,
})

const stateOf = (verdicts: readonly TrackedVerdict[]): ReportState => ({
  controlPlaneId: 'cp_1',
  epoch: 1,
  revision: { expected: 1, served: 1, applied: 1 },
  agentVersion: '1.2.3',
  traefik: { state: 'verified', version: '3.7.15', startedAt: null, lastPollAt: null },
  held: null,
  drift: { missing: 0, extra: 0, different: 0, disabled: 0 },
  verdicts,
  answered: new Map(),
  entryPoints: [],
  openConnections: new Map(),
})

const QUICK: ReportTiming = {
  connectMs: 5_000,
  answerMs: 5_000,
  minIntervalMs: 2,
  settleMs: 1,
  heartbeatMs: 600_000,
  backoff: { minMs: 2, maxMs: 20, maxWithoutReadingMs: 20, refusedMs: 20 },
}

type Desk = {
  readonly reporter: Reporter
  state: ReportState | null
  readonly results: string[]
  readonly logText: () => string
  set(verdicts: readonly TrackedVerdict[]): void
  until(result: string, count?: number): Promise<unknown>
}

function desk(
  urls: readonly string[],
  { timing, ...options }: Omit<Partial<ReporterOptions>, 'timing'> & { timing?: Partial<ReportTiming> } = {},
): Desk {
  const log = captureLog()
  const results: string[] = []
  const reporter = createReporter({
    urls,
    auth: NO_AUTH,
    ca: null,
    collect: () => self.state,
    details: { chain: () => [], served: () => null, timingsMs: () => null },
    clock: SYSTEM_CLOCK,
    logger: log.logger,
    onResult: result => results.push(result),
    random: () => 0.5,
    timing: { ...QUICK, ...timing },
    ...options,
  })
  atEnd(() => reporter.stop())
  const self: Desk = {
    reporter,
    state: stateOf([row('a')]),
    results,
    logText: log.text,
    set(verdicts) {
      self.state = stateOf(verdicts)
      reporter.changed()
    },
    until: (result, count = 1) =>
      waitFor(() => results.filter(one => one === result).length >= count, {
        what: `${count} x ${result}, found ${results.slice(-20).join(' ')}`,
      }),
  }
  return self
}

const ids = (report: StatusReport | undefined) => report?.verdicts.map(({ id }) => id)

// ------------------------------------------------------------------------------------------------------------------ the contract

describe('contract', () => {
  beforeAll(() => {
    nock.disableNetConnect()
  })
  afterEach(() => {
    nock.cleanAll()
  })
  afterAll(() => {
    nock.restore()
    nock.enableNetConnect()
  })

  type Seen = { readonly headers: Readonly<Record<string, string>>; readonly body: string }

  /** Takes every report with the statuses in turn, the last one for ever. */
  function take(statuses: readonly number[], base = 'https://control.test', path = '/api/v1/agent/status'): Seen[] {
    const seen: Seen[] = []
    statuses.forEach((status, index) => {
      const scope = nock(base)
      if (index === statuses.length - 1) scope.persist()
      scope.post(path).reply(async (request: Request) => {
        seen.push({ headers: Object.fromEntries(request.headers), body: await request.text() })
        return [status]
      })
    })
    return seen
  }

  test('a signed report goes to the address of reports', async () => {
    const seen = take([204])
    const auth = createIdentityAuth(
      { serverId: 'srv_1', controlPlaneId: 'cp_1', privateKey: KEY },
      () => 1_795_428_000_000,
    )
    // As the source does with the same auth before: POST timestamps must be above every other one.
    auth.headers({ method: 'GET', pathAndQuery: '/', body: new Uint8Array() })
    const d = desk(['https://control.test'], { auth })
    d.reporter.start()
    await d.until('ok')
    d.set([row('a', 'BACKEND_DOWN')])
    await d.until('ok', 2)
    expect(seen.map(({ headers }) => headers['x-timestamp'])).toEqual(['1795428000001', '1795428000002'])
    for (const { headers, body } of seen) {
      const signed = Buffer.from(
        `agent-request:v2\0${headers['x-timestamp']}\0POST\0/api/v1/agent/status\0${body}`,
        'utf8',
      )
      const signature = Buffer.from(headers['x-signature'] ?? '', 'base64')
      expect(verify(null, signed, createPublicKey(KEY), signature)).toBe(true)
      expect(headers).toMatchObject({ 'x-server-id': 'srv_1', 'content-type': 'application/json' })
    }
    const [first, second]: StatusReport[] = seen.map(({ body }) => JSON.parse(body))
    expect([first?.full, first?.reportSeq, ids(first)]).toEqual([true, 1, ['a']])
    expect([second?.full, second?.reportSeq, second?.counts.degraded]).toEqual([false, 2, 1])
  })

  test('a base path and a token are kept', async () => {
    const seen = take([204], 'https://control.test', '/base/api/v1/agent/status')
    const d = desk(['https://control.test/base/'], { auth: makeTokenAuth('flt_abc') })
    d.reporter.start()
    await d.until('ok')
    expect(seen[0]?.headers.authorization).toBe('Bearer flt_abc')
  })

  test('409 asks for a full one', async () => {
    const seen = take([204, 409, 204])
    const d = desk(['https://control.test'])
    d.reporter.start()
    await d.until('ok')
    d.set([row('a'), row('b')])
    await d.until('ok', 2)
    const reports: StatusReport[] = seen.map(({ body }) => JSON.parse(body))
    expect(d.results).toEqual(['ok', 'full', 'ok'])
    expect(reports.map(({ full, reportSeq }) => [full, reportSeq])).toEqual([
      [true, 1],
      [false, 2],
      [true, 3],
    ])
    expect(reports.map(ids)).toEqual([['a'], ['b'], ['a', 'b']])
    expect(d.reporter.stats().fault).toBeNull()
  })

  test.each([
    [301, 'SOURCE_REDIRECT'],
    [400, 'SOURCE_HTTP_STATUS'],
    [401, 'SOURCE_UNAUTHORIZED'],
    [403, 'SOURCE_FORBIDDEN'],
    [404, 'SOURCE_NOT_FOUND'],
    [409, 'SOURCE_HTTP_STATUS'],
    [413, 'SOURCE_TOO_LARGE'],
    [429, 'SOURCE_RATE_LIMITED'],
    [500, 'SOURCE_HTTP_STATUS'],
    [503, 'SOURCE_UNAVAILABLE'],
  ])('%i is a fault, told once, until it is over', async (status, code) => {
    const seen = take([status, status, status, 204])
    const d = desk(['https://control.test'])
    d.reporter.start()
    await d.until('ok')
    expect(d.results).toEqual([code, code, code, 'ok'])
    const reports: StatusReport[] = seen.map(({ body }) => JSON.parse(body))
    expect(reports.map(({ full }) => full)).toEqual([true, true, true, true])
    // Whether it was taken all the same nobody knows, so no number comes twice.
    expect(new Set(reports.map(({ reportSeq }) => reportSeq)).size).toBe(4)
    expect(d.logText().match(/report could not be sent/g)).toHaveLength(1)
    expect(d.logText().match(/reports are taken again/g)).toHaveLength(1)
    expect(d.reporter.stats()).toMatchObject({ active: true, sent: 1, failed: 3, fault: null })
  })

  test('an address is not http to another machine', () => {
    expect(() => desk(['http://control.test'])).toThrow(/https/)
    expect(() => desk([])).toThrow(/there is none/)
  })
})

// ------------------------------------------------------------------------------------------------- a control plane that misbehaves

type Arrival = { readonly report: StatusReport; readonly bytes: number; readonly atMs: number }
type Answer = (response: ServerResponse, arrival: Arrival, request: IncomingMessage) => void

type Plane = {
  readonly url: string
  readonly arrivals: Arrival[]
  readonly connections: () => { readonly open: number; readonly ever: number }
  answer: Answer
  close(): Promise<void>
}

const say =
  (status: number): Answer =>
  response =>
    void response.writeHead(status).end()

async function startPlane(options: { readonly tls?: ServerOptions; readonly port?: number } = {}): Promise<Plane> {
  const arrivals: Arrival[] = []
  const sockets = new Set<Socket>()
  let ever = 0
  const onRequest = (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => {})
    response.on('error', () => {})
    request.on('end', () => {
      const body = Buffer.concat(chunks)
      const arrival = { report: JSON.parse(body.toString()), bytes: body.length, atMs: performance.now() }
      arrivals.push(arrival)
      self.answer(response, arrival, request)
    })
  }
  const server = options.tls === undefined ? createServer(onRequest) : createSecureServer(options.tls, onRequest)
  server.on('connection', socket => {
    ever += 1
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>(resolve => void server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const close = async () => {
    for (const socket of sockets) socket.destroy()
    if (server.listening) await new Promise<void>(resolve => void server.close(() => resolve()))
  }
  atEnd(close)
  const self: Plane = {
    url: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${address.port}`,
    arrivals,
    connections: () => ({ open: sockets.size, ever }),
    answer: say(204),
    close,
  }
  return self
}

/** How long `stop` took, in milliseconds. */
async function stopped(reporter: Reporter): Promise<number> {
  const began = performance.now()
  await reporter.stop()
  return performance.now() - began
}

describe('what is told when', () => {
  test('changes are told, and nothing else', async () => {
    const plane = await startPlane()
    const d = desk([plane.url])
    d.reporter.start()
    await d.until('ok')
    for (let i = 0; i < 20; i++) d.reporter.changed()
    d.set([row('a'), row('b')])
    await d.until('ok', 2)
    d.reporter.changed()
    d.set([row('b', 'BACKEND_DOWN')])
    await d.until('ok', 3)
    expect(plane.arrivals.map(({ report }) => [report.full, ids(report), report.gone])).toEqual([
      [true, ['a'], []],
      [false, ['b'], []],
      [false, ['b'], ['a']],
    ])
  })

  test('a report that may have been taken is followed by a full one', async () => {
    const plane = await startPlane()
    const d = desk([plane.url])
    d.reporter.start()
    await d.until('ok')
    plane.answer = response => {
      plane.answer = say(204)
      // Taken, and the answer is lost; meanwhile the row is gone, so no later report would name it.
      d.set([row('a')])
      response.destroy()
    }
    d.set([row('a'), row('b')])
    await d.until('ok', 2)
    expect(plane.arrivals.map(({ report }) => [report.full, ids(report)])).toEqual([
      [true, ['a']],
      [false, ['b']],
      [true, ['a']],
    ])
  })

  test('a sign of life comes with nothing in it', async () => {
    const plane = await startPlane()
    const d = desk([plane.url], { timing: { heartbeatMs: 20 } })
    d.reporter.start()
    await d.until('ok', 4)
    for (const { report } of plane.arrivals.slice(1)) {
      expect([report.full, report.verdicts, report.gone]).toEqual([false, [], []])
      expect(report.counts.live).toBe(1)
    }
  })

  test('many changes make few reports', async () => {
    const plane = await startPlane()
    const d = desk([plane.url], { timing: { minIntervalMs: 100 } })
    d.reporter.start()
    await d.until('ok')
    const began = performance.now()
    let i = 0
    while (performance.now() - began < 450) {
      d.set([row(`r${i++}`)])
      await new Promise(resolve => setImmediate(resolve))
    }
    await waitFor(() => ids(plane.arrivals.at(-1)?.report)?.includes(`r${i - 1}`), { what: 'the last state' })
    const tookMs = performance.now() - began
    expect(i).toBeGreaterThan(20)
    // One before the changes, one for the first of them; and a machine that is busy may take longer for all of it.
    expect(plane.arrivals.length).toBeLessThanOrEqual(3 + tookMs / 100)
  })

  test('twenty thousand routes come in parts of a megabyte', async () => {
    const plane = await startPlane()
    const d = desk([plane.url])
    d.state = stateOf(Array.from({ length: 20_000 }, (_, i) => row(`r${i}`)))
    d.reporter.start()
    await waitFor(() => plane.arrivals.reduce((sum, { report }) => sum + report.verdicts.length, 0) === 20_000)
    expect(plane.arrivals.map(({ report }) => report.full)).toEqual(plane.arrivals.map((_, i) => i === 0))
    expect(plane.arrivals.map(({ report }) => report.reportSeq)).toEqual(plane.arrivals.map((_, i) => i + 1))
    for (const { bytes } of plane.arrivals) expect(bytes).toBeLessThanOrEqual(1024 * 1024)
  })

  test('a control plane that takes none gets none', async () => {
    const plane = await startPlane()
    const d = desk([plane.url], { timing: { heartbeatMs: 10 } })
    d.state = null
    d.reporter.start()
    for (let i = 0; i < 10; i++) {
      d.reporter.changed()
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    expect([plane.connections().ever, d.reporter.stats().active]).toEqual([0, false])
    d.set([row('a')])
    await d.until('ok')
    d.state = null
    d.reporter.changed()
    await waitFor(() => !d.reporter.stats().active, { what: 'the end of reporting' })
    // Who takes reports again may have lost all that it knew.
    d.set([row('a')])
    await waitFor(() => plane.arrivals.filter(({ report }) => report.full).length === 2, { what: 'a full report' })
  })
})

describe('a control plane that misbehaves', () => {
  test('refuses: the next address is tried at once', async () => {
    const plane = await startPlane()
    const d = desk([`http://127.0.0.1:${await freePort('tcp')}`, plane.url], {
      timing: { backoff: { ...QUICK.backoff, minMs: 60_000, maxMs: 60_000 } },
    })
    d.reporter.start()
    await d.until('ok')
    expect(d.results).toEqual(['SOURCE_REFUSED', 'ok'])
    // What never left this machine needs no new number.
    expect(plane.arrivals.map(({ report }) => report.reportSeq)).toEqual([1])
    d.set([row('b')])
    await d.until('ok', 2)
    expect(d.results).toEqual(['SOURCE_REFUSED', 'ok', 'ok'])
  })

  test('comes back: the newest state is told, and no queue', async () => {
    const port = await freePort('tcp')
    const d = desk([`http://127.0.0.1:${port}`])
    d.reporter.start()
    for (let i = 0; i < 200; i++) {
      d.set([row(`r${i}`)])
      await new Promise(resolve => setImmediate(resolve))
    }
    await d.until('SOURCE_REFUSED', 3)
    const plane = await startPlane({ port })
    await d.until('ok')
    expect(plane.arrivals.map(({ report }) => ids(report))).toEqual([['r199']])
  })

  test('never answers: the deadline ends it, and one connection is all', async () => {
    const plane = await startPlane()
    plane.answer = () => {}
    const d = desk([plane.url], { timing: { answerMs: 50 } })
    d.reporter.start()
    for (let i = 0; i < 50; i++) {
      d.set([row(`r${i}`)])
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    await d.until('SOURCE_TIMEOUT', 3)
    expect(plane.connections().open).toBeLessThanOrEqual(1)
    plane.answer = say(204)
    await d.until('ok')
    expect(plane.arrivals.at(-1)?.report.full).toBe(true)
  })

  test('never answers: stop does not wait for it', async () => {
    const plane = await startPlane()
    plane.answer = () => {}
    const d = desk([plane.url], { timing: { answerMs: 60_000 } })
    d.reporter.start()
    await waitFor(() => plane.arrivals.length === 1, { what: 'a report' })
    expect(await stopped(d.reporter)).toBeLessThan(20_000)
    await waitFor(() => plane.connections().open === 0, { what: 'the connection to be closed' })
    expect(d.results).toEqual([])
  })

  test('never ends the TLS handshake: stop does not wait for it', async () => {
    const { port, hits } = await startTcpBackend({ name: 'silent', speak: 'silent' })
    const d = desk([`https://127.0.0.1:${port}`], { timing: { connectMs: 60_000, answerMs: 60_000 } })
    d.reporter.start()
    await waitFor(() => hits() === 1, { what: 'a connection' })
    expect(await stopped(d.reporter)).toBeLessThan(20_000)
  })

  test.each<[what: string, answer: Answer]>([
    [
      'a body without end',
      (response, _, request) => {
        response.writeHead(200)
        const pour = () => {
          while (!request.socket.destroyed && response.write(Buffer.alloc(65_536)));
          response.once('drain', pour)
        }
        pour()
      },
    ],
    [
      'a body that never comes',
      response => {
        response.writeHead(200, { 'content-length': '10' })
        response.flushHeaders()
      },
    ],
    [
      'a body byte by byte',
      response => {
        response.writeHead(200)
        const timer = setInterval(() => response.write('x'), 5)
        response.on('close', () => clearInterval(timer))
      },
    ],
  ])('answers with %s: that is read by nobody', async (_, answer) => {
    const plane = await startPlane()
    plane.answer = answer
    const d = desk([plane.url], { timing: { answerMs: 600_000 } })
    d.reporter.start()
    await d.until('ok')
    plane.answer = say(204)
    d.set([row('b')])
    await d.until('ok', 2)
    expect(plane.connections().open).toBeLessThanOrEqual(1)
  })

  test.each<[what: string, answer: Answer, code: string]>([
    ['resets', (_, __, request) => void request.socket.resetAndDestroy(), 'SOURCE_RESET'],
    ['closes without a word', (_, __, request) => void request.socket.end(), 'SOURCE_RESET'],
    ['speaks something else', (_, __, request) => void request.socket.end('220 smtp ready\r\n'), 'SOURCE_PROTOCOL'],
    [
      'redirects',
      response => void response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
      'SOURCE_REDIRECT',
    ],
  ])('%s: a fault by name, and then it goes on', async (_, answer, code) => {
    const plane = await startPlane()
    plane.answer = answer
    const d = desk([plane.url])
    d.reporter.start()
    await d.until(code, 2)
    expect(d.reporter.stats().fault?.code).toBe(code)
    plane.answer = say(204)
    await d.until('ok')
    expect(d.logText().match(/report could not be sent/g)).toHaveLength(1)
  })

  test('takes small bodies only: the parts become smaller', async () => {
    const plane = await startPlane()
    plane.answer = (response, { bytes }) => void response.writeHead(bytes > 200_000 ? 413 : 204).end()
    const d = desk([plane.url])
    d.state = stateOf(Array.from({ length: 5_000 }, (_, i) => row(`r${i}`)))
    d.reporter.start()
    const taken = () => plane.arrivals.filter(({ bytes }) => bytes <= 200_000)
    await waitFor(() => taken().reduce((sum, { report }) => sum + report.verdicts.length, 0) === 5_000, {
      what: 'all routes',
    })
    expect(taken().map(({ report }) => report.full)).toEqual(taken().map((_, i) => i === 0))
  })

  test('wants a full one each time: it is asked less and less', async () => {
    const plane = await startPlane()
    plane.answer = say(409)
    const d = desk([plane.url], { timing: { backoff: { ...QUICK.backoff, minMs: 60_000, maxMs: 60_000 } } })
    d.reporter.start()
    await d.until('SOURCE_HTTP_STATUS')
    for (let i = 0; i < 10; i++) {
      d.reporter.changed()
      await new Promise(resolve => setTimeout(resolve, 5))
    }
    expect(d.results).toEqual(['SOURCE_HTTP_STATUS'])
    expect(plane.arrivals).toHaveLength(1)
    expect(await stopped(d.reporter)).toBeLessThan(20_000)
  })
})

describe.skipIf(!part('openssl'))('TLS', () => {
  test('only the named authority is trusted', async () => {
    const authority = await createAuthority('control')
    const issued = await authority.issue({ altName: 'IP:127.0.0.1' })
    const plane = await startPlane({ tls: issued })
    const good = desk([plane.url], { ca: authority.ca })
    good.reporter.start()
    await good.until('ok')
    const bad = desk([plane.url])
    bad.reporter.start()
    await bad.until('SOURCE_TLS_UNKNOWN_CA')
    expect(plane.arrivals).toHaveLength(1)
  })
})

describe('faults of our own', () => {
  test('a state that cannot be made ends nothing', async () => {
    const plane = await startPlane()
    let broken = true
    const d = desk([plane.url], {
      timing: { heartbeatMs: 20 },
      collect: () => {
        if (broken) throw new Error('no state')
        return stateOf([row('a')])
      },
    })
    d.reporter.start()
    await waitFor(() => d.logText().includes('a report could not be made'), { what: 'the fault in the log' })
    broken = false
    await d.until('ok')
  })

  test('a listener that throws ends nothing', async () => {
    const plane = await startPlane()
    const d = desk([plane.url], {
      onResult: () => {
        throw new Error('listener')
      },
    })
    d.reporter.start()
    await waitFor(() => plane.arrivals.length === 1, { what: 'a report' })
    d.set([row('b')])
    await waitFor(() => plane.arrivals.length === 2, { what: 'the next report' })
  })

  test('stop without start, and twice, is quick', async () => {
    const d = desk(['http://127.0.0.1:1'])
    await d.reporter.stop()
    await d.reporter.stop()
    d.reporter.changed()
    expect(d.results).toEqual([])
  })
})
