import { createPrivateKey } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import nock from 'nock'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createIdentityAuth, makeTokenAuth } from '../../../src/agent/identity.ts'
import type { SourceReading } from '../../../src/agent/sources/source.ts'
import { parseExpectedState } from '../../../src/core/expected-state.ts'
import { createFakeClock, createHarness, stateDocument } from '../../support/control-plane-harness.ts'
import { waitFor } from '../../support/wait-for.ts'

const BASE = 'https://control.test'
// RFC 8032, section 7.1, test 1.
const KEY = createPrivateKey(`-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g
-----END PRIVATE KEY-----`)
const PATH = '/api/v1/agent/expected-state'

type Reply = { status: number; body?: unknown; headers?: Record<string, string>; raw?: Buffer }
type Seen = Record<string, string>

const BYTES = (reply: Reply): Buffer =>
  reply.raw ?? Buffer.from(reply.body === undefined ? '' : JSON.stringify(reply.body))

/** Answers one request after the other; gives the headers of each. The last reply is repeated for ever when `repeat` is set. */
function script(replies: readonly Reply[], { base = BASE, path = PATH, repeat = true } = {}): Seen[] {
  const seen: Seen[] = []
  replies.forEach((reply, index) => {
    // A scope is repeated as a whole, so each reply has its own.
    const scope = nock(base)
    if (repeat && index === replies.length - 1) scope.persist()
    scope.get(path).reply((request: Request) => {
      seen.push(Object.fromEntries(request.headers))
      const bytes = BYTES(reply)
      const length: Record<string, string> = reply.status === 304 ? {} : { 'content-length': String(bytes.length) }
      const type: Record<string, string> = reply.status === 200 ? { 'content-type': 'application/json' } : {}
      return [reply.status, bytes, { ...length, ...type, ...reply.headers }]
    })
  })
  return seen
}

const ok = (fields: Record<string, unknown> = {}, etag: string | null = '"1"'): Reply => ({
  status: 200,
  body: stateDocument(fields),
  ...(etag === null ? {} : { headers: { etag } }),
})
const notModified = (etag?: string): Reply => ({ status: 304, ...(etag === undefined ? {} : { headers: { etag } }) })

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

const keyOf = (reading: SourceReading | null) =>
  reading?.routes.map(({ route, origin }) => `${origin} ${route.protocol}/${route.id}`)

describe('contract', () => {
  test('a document becomes a reading', async () => {
    script([ok({ removed: ['old7'], acceptedHash: 'abc', extra: { secret: 'CANARY' } }), notModified()])
    const { source, results, logText } = createHarness({
      urls: [BASE],
      expected: { serverId: 'srv_1', controlPlaneId: 'cp_1' },
    })
    await source.start()
    const { reading, fault } = source.status()
    const { routes, contentHash, ...rest } = reading ?? { routes: [], contentHash: '' }
    expect(fault).toBeNull()
    expect(routes.map(({ route, origin }) => [origin, route.protocol, route.id])).toEqual([['cp_1', 'tcp', 'pg']])
    expect(contentHash).toMatch(/^[0-9a-f]{64}$/)
    expect(rest).toEqual({
      problems: [],
      unknownFields: [{ field: 'extra', count: 1 }],
      certificates: [],
      challengeUrl: null,
      removed: ['old7'],
      acceptedHash: 'abc',
      revision: 1,
      epoch: 1,
      lists: { http: true, tcp: true, udp: true },
      documents: 1,
      reportable: true,
    })
    expect(source.mark()).toEqual({ controlPlaneId: 'cp_1', epoch: 1, revision: 1 })
    expect(results[0]).toBe('ok')
    expect(logText()).not.toContain('CANARY')
  })

  test('it waits once it holds an ETag', async () => {
    const seen = script([ok({}, 'W/"a1"'), notModified('"a1"'), notModified()])
    const { source, untilResult } = createHarness({ urls: [BASE], timing: { waitSeconds: 25 } })
    await source.start()
    await untilResult('unchanged', 2)
    const asked = seen.slice(0, 3).map(one => [one['if-none-match'], one.prefer, one.accept, one['accept-encoding']])
    expect(asked).toEqual([
      [undefined, undefined, 'application/json', 'gzip'],
      ['W/"a1"', 'wait=25', 'application/json', 'gzip'],
      ['W/"a1"', 'wait=25', 'application/json', 'gzip'],
    ])
    expect(source.status().fault).toBeNull()
  })

  test('the base path of an address is kept', async () => {
    const seen = script([ok()], { path: `/fleet/a${PATH}` })
    const { source } = createHarness({ urls: [`${BASE}/fleet/a/`] })
    await source.start()
    expect(seen).not.toEqual([])
    expect(source.status().fault).toBeNull()
  })

  test('a signature covers the path as it is sent', async () => {
    const identity = { serverId: 'srv_1', controlPlaneId: null, privateKey: KEY }
    const seen = script([ok()])
    const { source } = createHarness({ urls: [BASE], auth: createIdentityAuth(identity, () => 1795428000000) })
    await source.start()
    const { 'x-server-id': id, 'x-timestamp': timestamp, 'x-signature': signature, authorization } = seen[0] ?? {}
    expect({ id, timestamp, signature, authorization }).toEqual({
      id: 'srv_1',
      timestamp: '1795428000000',
      signature: 'uumWWMEPpXXeooC34EdD/7g1JCEzwg4SargAzkRddHL3HxKTeRuwEYS6frcIDbU9bvrd8E4gaLW8oC7/kGbbBQ==',
      authorization: undefined,
    })
  })

  test('a token is sent as a bearer and never logged', async () => {
    const seen = script([ok(), { status: 500 }, { status: 401 }])
    const { source, untilResult, logText } = createHarness({ urls: [BASE], auth: makeTokenAuth('flt_CANARY') })
    await source.start()
    await untilResult('SOURCE_UNAUTHORIZED')
    expect(seen[0]?.authorization).toBe('Bearer flt_CANARY')
    expect(logText()).toContain('control plane fault')
    expect(logText() + JSON.stringify(source.status())).not.toContain('CANARY')
  })

  test('a compressed document is read', async () => {
    const raw = gzipSync(JSON.stringify(stateDocument()))
    script([
      {
        status: 200,
        raw,
        headers: { 'content-encoding': 'gzip', 'content-type': 'application/vnd.fairlead+json; charset=UTF-8' },
      },
    ])
    const { source } = createHarness({ urls: [BASE] })
    await source.start()
    expect(source.status().reading?.revision).toBe(1)
  })

  test('no change calls nobody', async () => {
    script([ok(), notModified()])
    const { source, changes, untilResult } = createHarness({ urls: [BASE] })
    await source.start()
    const reading = source.status().reading
    await untilResult('unchanged', 5)
    expect(changes()).toBe(1)
    expect(source.status().reading).toBe(reading)
  })

  test.each([
    ['a new revision', { revision: 2 }],
    ['another accepted hash', { acceptedHash: 'x' }],
    ['another removed id', { removed: ['gone'] }],
    ['a wish to probe', { probes: [{ id: 'pg', requestId: 'req_1' }] }],
  ])('%s is a change', async (_, fields) => {
    script([ok(), ok(fields, '"2"'), notModified()])
    const { source, changes, untilResult } = createHarness({ urls: [BASE] })
    await source.start()
    await untilResult('ok', 2)
    expect(changes()).toBe(2)
    expect(source.status().reading).toMatchObject(fields)
  })
})

describe('ETags that lie', () => {
  test('a 304 that nobody asked for is a fault', async () => {
    const seen = script([notModified()])
    const { source } = createHarness({ urls: [BASE] })
    await source.start()
    expect(source.status().fault?.code).toBe('SOURCE_NOT_MODIFIED')
    expect(seen[1]?.['if-none-match']).toBeUndefined()
  })

  test('a 304 with a foreign ETag is asked again whole', async () => {
    const seen = script([ok({}, '"a"'), notModified('"b"'), ok({ revision: 2 }, '"b"'), notModified('"b"')])
    const { source, results, untilResult } = createHarness({ urls: [BASE] })
    await source.start()
    await untilResult('unchanged')
    expect(results.slice(0, 4)).toEqual(['ok', 'SOURCE_NOT_MODIFIED', 'ok', 'unchanged'])
    expect(seen.slice(0, 4).map(one => one['if-none-match'])).toEqual([undefined, '"a"', undefined, '"b"'])
    expect(source.status().fault).toBeNull()
  })

  test('the same ETag with another body is taken', async () => {
    script([ok(), ok({ revision: 2 }), notModified()])
    const { source, untilResult } = createHarness({ urls: [BASE] })
    await source.start()
    await untilResult('ok', 2)
    expect(source.status().reading?.revision).toBe(2)
  })

  test('the same body with another ETag is unchanged', async () => {
    const seen = script([ok({}, '"a"'), ok({}, '"b"'), notModified()])
    const { source, results, untilResult } = createHarness({ urls: [BASE] })
    await source.start()
    await untilResult('unchanged', 2)
    expect(results.slice(0, 2)).toEqual(['ok', 'unchanged'])
    expect(seen[2]?.['if-none-match']).toBe('"b"')
  })

  test('an ETag that no header can hold is not sent back', async () => {
    const seen = script([ok({}, `"${'x'.repeat(400)}"`)])
    const { source, untilResult } = createHarness({ urls: [BASE] })
    await source.start()
    await untilResult('unchanged')
    expect(seen[1]?.['if-none-match']).toBeUndefined()
  })
})

describe('another control plane', () => {
  const certificate = { domain: 'a.test', certificate: 'CANARY-CERT', certificateKey: 'CANARY-KEY' }
  const foreign = (fields: Record<string, unknown> = {}) => ({
    serverName: 'edge',
    dns: { password: 'CANARY-DNS' },
    containers: [{ env: { DATABASE_URL: 'CANARY-URL' } }],
    traefik: {
      httpRoutes: [{ id: 'web', serviceId: 's', domain: 'a.test', upstreams: [{ url: '10.0.0.1:80', weight: 1 }] }],
      tcpRoutes: [],
      certificates: [certificate],
      challengeRoute: { controlPlaneUrl: `${BASE}/acme` },
      ...fields,
    },
  })

  test('its document is read without an order', async () => {
    const seen = script([{ status: 200, body: foreign() }])
    const { source, untilResult, logText } = createHarness({
      urls: [BASE],
      expected: { serverId: 'srv_1', controlPlaneId: null },
    })
    await source.start()
    await untilResult('unchanged', 2)
    const { reading, fault } = source.status()
    expect(fault).toBeNull()
    expect(keyOf(reading)).toEqual(['control.test http/web'])
    expect({ ...reading, routes: [], problems: [] }).toEqual({
      ...reading,
      routes: [],
      problems: [],
      revision: reading?.contentHash,
      epoch: null,
      challengeUrl: BASE,
      reportable: false,
      lists: { http: true, tcp: true, udp: false },
    })
    expect(source.mark()).toBeNull()
    expect(seen.slice(0, 3).map(one => [one['if-none-match'], one.prefer])).toEqual([
      [undefined, undefined],
      [undefined, undefined],
      [undefined, undefined],
    ])
    expect(logText() + JSON.stringify(source.status())).not.toContain('CANARY')
  })

  test.each([
    ['another host', 'https://evil.test', 'evil.test'],
    ['another port', 'https://control.test:8443', 'control.test:8443'],
    ['the metadata address', 'http://169.254.169.254/', '169.254.169.254'],
  ])('a challenge route to %s is dropped', async (_, controlPlaneUrl, host) => {
    script([{ status: 200, body: foreign({ certificates: [], challengeRoute: { controlPlaneUrl } }) }])
    const { source } = createHarness({ urls: [BASE] })
    await source.start()
    const { reading } = source.status()
    expect(reading?.challengeUrl).toBeNull()
    expect(reading?.problems).toEqual([
      {
        code: 'FIELD_INVALID',
        protocol: null,
        routeId: null,
        field: 'traefik.challengeRoute',
        value: host,
        message: `the challenge route leads to ${host}, which is not an address of this control plane`,
        remedy: 'Name one of the configured addresses: control.test.',
        origin: 'control.test',
      },
    ])
  })

  test('it is polled at the interval', async () => {
    script([{ status: 200, body: foreign() }])
    const clock = createFakeClock()
    const { source, untilResult } = createHarness({
      urls: [BASE],
      clock,
      pollIntervalMs: 5000,
      timing: { minIntervalMs: 200 },
    })
    await source.start()
    await untilResult('unchanged', 3)
    await source.stop()
    expect(clock.sleeps.slice(0, 4)).toEqual([5000, 5000, 5000, 5000])
  })
})

describe('what is refused', () => {
  const held = { ...stateDocument() }

  async function refused(reply: Reply, more: Partial<Parameters<typeof createHarness>[0]> = {}) {
    script([{ status: 200, body: held, headers: { etag: '"1"' } }, reply])
    const harness = createHarness({ urls: [BASE], ...more })
    await harness.source.start()
    const before = harness.source.status().reading
    const markBefore = harness.source.mark()
    const { fault } = await waitFor(
      () => {
        const status = harness.source.status()
        return status.fault === null ? null : { fault: status.fault }
      },
      { what: 'a fault' },
    )
    expect(harness.source.status().reading).toBe(before)
    expect(harness.source.mark()).toEqual(markBefore)
    expect(keyOf(before)).toEqual(['cp_1 tcp/pg'])
    expect(harness.logText()).not.toContain('CANARY')
    return { code: fault.code, message: fault.message }
  }

  test.each([
    [401, {}, 'SOURCE_UNAUTHORIZED', 'control.test answered 401: it does not know who asks'],
    [403, {}, 'SOURCE_FORBIDDEN', 'control.test answered 403: it knows this node and refuses it'],
    [404, {}, 'SOURCE_NOT_FOUND', `control.test answered 404 for ${PATH}`],
    [410, {}, 'SOURCE_NOT_FOUND', `control.test answered 410 for ${PATH}`],
    [429, {}, 'SOURCE_RATE_LIMITED', 'control.test answered 429: too many requests'],
    [503, {}, 'SOURCE_UNAVAILABLE', 'control.test answered 503'],
    [500, {}, 'SOURCE_HTTP_STATUS', 'control.test answered 500'],
    [502, {}, 'SOURCE_HTTP_STATUS', 'control.test answered 502'],
    [400, {}, 'SOURCE_HTTP_STATUS', 'control.test answered 400'],
    [204, {}, 'SOURCE_HTTP_STATUS', 'control.test answered 204'],
    [206, {}, 'SOURCE_HTTP_STATUS', 'control.test answered 206'],
    [
      302,
      { location: 'https://user:CANARY@evil.test/x?t=CANARY' },
      'SOURCE_REDIRECT',
      'control.test answered 302, a redirect to evil.test',
    ],
    [308, { location: '/login' }, 'SOURCE_REDIRECT', 'control.test answered 308, a redirect to control.test'],
    [301, {}, 'SOURCE_REDIRECT', 'control.test answered 301, a redirect to control.test'],
  ])('status %i keeps the reading', async (status, headers, code, message) => {
    const body = status === 204 ? undefined : { ...held, revision: 2, detail: 'CANARY' }
    expect(await refused({ status, ...(body === undefined ? {} : { body }), headers })).toEqual({ code, message })
  })

  test.each([
    ['{}', {}],
    ['a list', []],
    ['null', null],
    ['a text', 'CANARY'],
    ['an empty section', { traefik: {} }],
    ['a section of null', { traefik: null }],
    ['an error document', { code: 'INTERNAL', detail: 'CANARY' }],
    ['a later schema', { ...held, schema: 2 }],
    ['a revision in words', { ...held, revision: 'CANARY' }],
    ['a list that is a text', { ...held, traefik: { tcpRoutes: 'CANARY' } }],
  ])('%s is not a state', async (_, body) => {
    const parsed = parseExpectedState(body, { origin: 'cp_1', maxRoutes: 1000 })
    const message = parsed.ok ? 'it is a state' : parsed.problem.message
    expect(await refused({ status: 200, body })).toEqual({ code: 'SOURCE_NOT_A_STATE', message })
  })

  test('too many routes are not a state', async () => {
    const route = (id: number) => ({ id: `r${id}`, upstreams: [], externalPort: id })
    const body = { ...held, revision: 2, traefik: { tcpRoutes: [1, 2, 3].map(route) } }
    expect(await refused({ status: 200, body }, { maxRoutes: 2 })).toEqual({
      code: 'SOURCE_NOT_A_STATE',
      message: '3 routes are more than the 2 of policy.maxRoutes',
    })
  })

  test('the state of another node is refused', async () => {
    const body = { ...held, serverId: 'srv_2', revision: 2 }
    const message = 'the document is for node srv_2, and this is srv_1'
    expect(await refused({ status: 200, body })).toEqual({ code: 'SOURCE_WRONG_NODE', message })
  })

  test('another control plane than the first is refused', async () => {
    const body = { ...held, controlPlaneId: 'cp_2', revision: 2 }
    const message = 'the document is from control plane cp_2, and this node belongs to cp_1'
    expect(await refused({ status: 200, body })).toEqual({ code: 'SOURCE_WRONG_CONTROL_PLANE', message })
  })

  test('an older revision is refused by name', async () => {
    const body = { ...held, revision: 0 }
    expect(await refused({ status: 200, body })).toEqual({
      code: 'REVISION_WENT_BACK',
      message: 'cp_1 sent epoch 1 revision 0 after epoch 1 revision 1',
    })
  })

  test.each([
    ['HTML', 'text/html; charset=utf-8', 'control.test answered text/html, not JSON'],
    ['no type', '', 'control.test answered something, not JSON'],
    ['plain text', 'text/plain', 'control.test answered text/plain, not JSON'],
    [
      'Latin 1',
      'application/json; charset=iso-8859-1',
      'control.test answered JSON in another character set than UTF-8',
    ],
  ])('content of type %s is refused', async (_, type, message) => {
    const reply = { status: 200, body: { ...held, revision: 2 }, headers: { 'content-type': type } }
    expect(await refused(reply)).toEqual({ code: 'SOURCE_CONTENT_TYPE', message })
  })

  test('an unknown encoding is refused', async () => {
    const reply = { status: 200, body: { ...held, revision: 2 }, headers: { 'content-encoding': 'zstd' } }
    expect(await refused(reply)).toEqual({
      code: 'SOURCE_ENCODING',
      message: 'control.test answered in an encoding that is not taken here',
    })
  })

  test('a body without length or chunks is refused', async () => {
    nock(BASE).get(PATH).reply(200, JSON.stringify(held), { 'content-type': 'application/json' }).persist()
    const { source } = createHarness({ urls: [BASE] })
    await source.start()
    expect(source.status()).toMatchObject({ reading: null, fault: { code: 'SOURCE_BODY_CUT' } })
  })

  test('a wrong clock is named beside the 401', async () => {
    const clock = createFakeClock(Date.parse('2026-11-23T10:10:00Z'))
    script([{ status: 401, headers: { date: 'Mon, 23 Nov 2026 10:00:00 GMT' } }])
    const { source } = createHarness({
      urls: [BASE],
      clock,
      auth: createIdentityAuth({ serverId: 's', controlPlaneId: null, privateKey: KEY }, clock.now),
    })
    await source.start()
    const { fault } = source.status()
    expect({ ...fault, since: 0 }).toEqual({
      code: 'SOURCE_UNAUTHORIZED',
      message:
        'control.test answered 401: it does not know who asks; the clock of this machine is 600 s ahead of its clock',
      remedy: 'Correct the clock of this machine: signed requests are taken within 60 s only.',
      since: 0,
    })
  })
})

describe('order', () => {
  test('a raised epoch may go back', async () => {
    script([ok({ revision: 9 }), ok({ epoch: 2, revision: 3 }, '"2"'), notModified()])
    const { source, untilResult } = createHarness({ urls: [BASE] })
    await source.start()
    await untilResult('ok', 2)
    expect(source.mark()).toEqual({ controlPlaneId: 'cp_1', epoch: 2, revision: 3 })
  })

  test('the mark of the process before counts', async () => {
    script([ok({ revision: 7 })])
    const { source } = createHarness({
      urls: [BASE],
      previous: { reading: null, mark: { controlPlaneId: 'cp_1', epoch: 1, revision: 9 } },
    })
    await source.start()
    expect(source.status()).toMatchObject({ reading: null, fault: { code: 'REVISION_WENT_BACK' } })
    expect(source.mark()).toEqual({ controlPlaneId: 'cp_1', epoch: 1, revision: 9 })
  })

  test('the reading of the process before stands until there is another', async () => {
    script([ok(), { status: 500 }])
    const first = createHarness({ urls: [BASE] })
    await first.source.start()
    const { reading } = first.source.status()
    await first.source.stop()
    nock.cleanAll()
    script([{ status: 500 }, ok(), notModified()])
    const second = createHarness({ urls: [BASE], previous: { reading, mark: first.source.mark() } })
    expect(second.source.status()).toEqual({
      name: 'control-plane',
      reading,
      fault: null,
      lastAttemptAt: null,
      lastSuccessAt: null,
    })
    await second.source.start()
    expect(second.source.status()).toMatchObject({ fault: { code: 'SOURCE_HTTP_STATUS' }, lastSuccessAt: null })
    expect(second.source.status().reading).toBe(reading)
    await second.untilResult('unchanged')
    expect(second.source.status().reading).toBe(reading)
    expect(second.source.status().fault).toBeNull()
    expect(second.results.slice(0, 2)).toEqual(['SOURCE_HTTP_STATUS', 'unchanged'])
  })

  test('after an enrolment elsewhere the old mark is void', async () => {
    script([ok({ controlPlaneId: 'cp_2', revision: 1 }), notModified()])
    const { source } = createHarness({
      urls: [BASE],
      expected: { serverId: 'srv_1', controlPlaneId: 'cp_2' },
      previous: { reading: null, mark: { controlPlaneId: 'cp_1', epoch: 4, revision: 900 } },
    })
    await source.start()
    expect(source.mark()).toEqual({ controlPlaneId: 'cp_2', epoch: 1, revision: 1 })
  })

  test('the same revision with new content is taken and counted', async () => {
    script([ok(), { status: 200, body: stateDocument({}, 10002), headers: { etag: '"2"' } }, notModified()])
    const { source, results, untilResult, logText } = createHarness({ urls: [BASE] })
    await source.start()
    await untilResult('unchanged')
    expect(results.slice(0, 2)).toEqual(['ok', 'same-revision-new-content'])
    expect(source.status().reading?.routes[0]?.route).toMatchObject({ externalPort: 10002 })
    expect(logText()).toContain('same revision with new content')
  })

  test('a list that is gone is told, not filled up', async () => {
    const routes = [{ id: 'web', domain: 'a.test', upstreams: [] }]
    script([ok(), ok({ revision: 2, traefik: { routes } }, '"2"'), notModified()])
    const { source, untilResult } = createHarness({ urls: [BASE] })
    await source.start()
    await untilResult('ok', 2)
    const { reading } = source.status()
    expect(keyOf(reading)).toEqual(['cp_1 http/web'])
    expect(reading?.lists).toEqual({ http: true, tcp: false, udp: false })
  })
})

describe('faults and waits', () => {
  const sleepsOf = async (replies: readonly Reply[], count: number, urls: readonly string[] = [BASE]) => {
    for (const base of urls) script(replies, { base })
    const clock = createFakeClock()
    const { source, results } = createHarness({
      urls,
      clock,
      pollIntervalMs: 5000,
      timing: {
        minIntervalMs: 200,
        backoff: { minMs: 500, maxMs: 30_000, maxWithoutReadingMs: 8_000, refusedMs: 30_000 },
      },
    })
    await source.start()
    await waitFor(() => clock.sleeps.length >= count, { what: 'enough waits' })
    await source.stop()
    return { sleeps: clock.sleeps.slice(0, count), results }
  }

  test.each([
    ['401', { status: 401 }, [30_000, 30_000, 30_000]],
    ['403', { status: 403 }, [30_000, 30_000, 30_000]],
    ['503 with Retry-After', { status: 503, headers: { 'retry-after': '7' } }, [7350, 7350, 7350]],
    ['429 with a long Retry-After', { status: 429, headers: { 'retry-after': '900' } }, [30_000, 30_000, 30_000]],
    ['500', { status: 500 }, [750, 1500, 3000, 6000, 6000]],
  ])('%s is asked again in time', async (_, reply, sleeps) => {
    expect((await sleepsOf([reply], sleeps.length)).sleeps).toEqual(sleeps)
  })

  test('success starts the backoff anew', async () => {
    const replies = [{ status: 500 }, { status: 500 }, ok({}, null), { status: 500 }, { status: 500 }]
    const { sleeps, results } = await sleepsOf(replies, 5)
    expect(results.slice(0, 4)).toEqual(['SOURCE_HTTP_STATUS', 'SOURCE_HTTP_STATUS', 'ok', 'SOURCE_HTTP_STATUS'])
    expect(sleeps).toEqual([750, 1500, 5000, 750, 1500])
  })

  test('two addresses wait for the longer Retry-After', async () => {
    script([{ status: 503, headers: { 'retry-after': '20' } }], { base: 'https://a.test' })
    script([{ status: 500 }], { base: 'https://b.test' })
    const clock = createFakeClock()
    const { source } = createHarness({
      urls: ['https://a.test', 'https://b.test'],
      clock,
      timing: {
        minIntervalMs: 200,
        backoff: { minMs: 500, maxMs: 30_000, maxWithoutReadingMs: 8_000, refusedMs: 30_000 },
      },
    })
    await source.start()
    await waitFor(() => clock.sleeps.length >= 2)
    await source.stop()
    expect(clock.sleeps.slice(0, 2)).toEqual([200, 21_000])
  })

  test('a fault comes and goes once', async () => {
    script([ok(), { status: 500 }, { status: 500 }, { status: 500 }, notModified()])
    const clock = createFakeClock()
    const { source, changes, untilResult, logText } = createHarness({ urls: [BASE], clock })
    await source.start()
    await untilResult('unchanged')
    expect(changes()).toBe(3)
    expect(logText().match(/"level":40/g)).toHaveLength(1)
    expect(logText().match(/fault is over/g)).toHaveLength(1)
  })

  test('a fault keeps the time of its beginning', async () => {
    script([{ status: 500 }])
    const clock = createFakeClock()
    const { source, untilResult } = createHarness({ urls: [BASE], clock })
    await source.start()
    const since = source.status().fault?.since
    await untilResult('SOURCE_HTTP_STATUS', 4)
    expect(source.status().fault?.since).toBe(since)
    expect(clock.now()).toBeGreaterThan(since ?? 0)
  })

  test('while there is a fault nothing is held', async () => {
    const seen = script([ok(), { status: 500 }, notModified(), notModified()])
    const { source, untilResult } = createHarness({ urls: [BASE] })
    await source.start()
    await untilResult('unchanged', 2)
    expect(seen.slice(0, 4).map(one => [one['if-none-match'], one.prefer])).toEqual([
      [undefined, undefined],
      ['"1"', 'wait=5'],
      ['"1"', undefined],
      ['"1"', 'wait=5'],
    ])
  })

  test('a listener that throws is no fault of the control plane', async () => {
    script([ok(), notModified()])
    const { source, logText } = createHarness({
      urls: [BASE],
      events: {
        onChange: () => {
          throw new Error('listener')
        },
      },
    })
    await source.start()
    expect(source.status()).toMatchObject({ fault: null, reading: { revision: 1 } })
    expect(logText()).toContain('listener failed')
  })
})

describe('several addresses', () => {
  const A = 'https://a.test'
  const B = 'https://b.test'

  test('it goes on to the next and stays there', async () => {
    const a = script([{ status: 502 }], { base: A })
    const b = script([ok(), notModified()], { base: B })
    const { source, untilResult } = createHarness({ urls: [A, B] })
    await source.start()
    expect(source.status()).toMatchObject({ fault: null, reading: { revision: 1 } })
    await untilResult('unchanged', 3)
    expect(a).toHaveLength(1)
    expect(b.length).toBeGreaterThanOrEqual(4)
  })

  test('the next address gets no ETag of another', async () => {
    script([ok(), { status: 502 }], { base: A })
    const b = script([ok(), notModified()], { base: B })
    const { source, results, untilResult } = createHarness({ urls: [A, B] })
    await source.start()
    await untilResult('unchanged', 2)
    expect(b.slice(0, 2).map(one => one['if-none-match'])).toEqual([undefined, '"1"'])
    expect(results.slice(0, 4)).toEqual(['ok', 'SOURCE_HTTP_STATUS', 'unchanged', 'unchanged'])
    expect(source.status().fault).toBeNull()
  })

  test.each([
    ['no longer knows us', { status: 401 }, 'SOURCE_UNAUTHORIZED'],
    ['refuses us', { status: 403 }, 'SOURCE_FORBIDDEN'],
    ['leads nowhere', { status: 404 }, 'SOURCE_NOT_FOUND'],
    ['sends us away', { status: 302, headers: { location: 'https://c.test/' } }, 'SOURCE_REDIRECT'],
    ['has no state', ok({ traefik: {} }), 'SOURCE_NOT_A_STATE'],
    ['belongs to others', ok({ controlPlaneId: 'cp_9' }), 'SOURCE_WRONG_CONTROL_PLANE'],
    ['was restored', ok({ revision: 0 }), 'REVISION_WENT_BACK'],
  ])('an address that %s is left at once', async (_title, answer, code) => {
    const a = script([ok(), answer], { base: A })
    const b = script([ok({ revision: 2 }), notModified()], { base: B })
    const { source, results, untilResult, logText } = createHarness({ urls: [A, B] })
    await source.start()
    await untilResult('unchanged', 2)
    expect(results.slice(0, 4)).toEqual(['ok', code, 'ok', 'unchanged'])
    expect(source.status()).toMatchObject({ fault: null, reading: { revision: 2 } })
    expect(logText()).not.toContain('control plane fault')
    expect(a).toHaveLength(2)
    expect(b.length).toBeGreaterThanOrEqual(3)
  })

  test('it comes back when the other one fails', async () => {
    const a = script([ok(), { status: 502 }, ok({ revision: 2 }), notModified()], { base: A })
    script([notModified(), ok(), { status: 502 }], { base: B })
    const { source, untilResult } = createHarness({ urls: [A, B] })
    await source.start()
    await untilResult('unchanged', 2)
    expect(source.status()).toMatchObject({ fault: null, reading: { revision: 2 } })
    expect(a.length).toBeGreaterThanOrEqual(3)
  })

  test('nobody knows us: they are asked again later', async () => {
    script([{ status: 401 }], { base: A })
    script([{ status: 401 }], { base: B })
    const clock = createFakeClock()
    const { source } = createHarness({
      ...{ urls: [A, B], clock },
      timing: {
        minIntervalMs: 0,
        backoff: { minMs: 500, maxMs: 30_000, maxWithoutReadingMs: 8_000, refusedMs: 30_000 },
      },
    })
    await source.start()
    await waitFor(() => clock.sleeps.length >= 1)
    await source.stop()
    expect(source.status().fault?.code).toBe('SOURCE_UNAUTHORIZED')
    expect(clock.sleeps[0]).toBe(30_000)
  })

  test('where there are others nobody is waited for long', async () => {
    const a = script([ok(), notModified()], { base: A })
    const { source, untilResult } = createHarness({ urls: [A, B], timing: { waitSeconds: 25 } })
    await source.start()
    await untilResult('unchanged')
    expect(a[1]?.prefer).toBe('wait=10')
  })

  test('both down is one fault', async () => {
    script([{ status: 502 }], { base: A })
    script([{ status: 503 }], { base: B })
    const { source, results } = createHarness({ urls: [A, B] })
    await source.start()
    expect(results.slice(0, 2)).toEqual(['SOURCE_HTTP_STATUS', 'SOURCE_UNAVAILABLE'])
    expect(source.status().fault?.code).toBe('SOURCE_UNAVAILABLE')
  })
})

describe('addresses that are refused', () => {
  test.each([
    ['plain http to another machine', 'http://control.test'],
    ['plain http to a private address', 'http://10.0.0.1:7400'],
    ['plain http to any address', 'http://0.0.0.0:7400'],
    ['a user', 'https://user:CANARY@control.test'],
    ['a query', 'https://control.test/?token=CANARY'],
    ['another scheme', 'ftp://control.test'],
    ['no address', 'control'],
  ])('%s ends the creation', (_, url) => {
    expect(() => createHarness({ urls: [url] })).toThrow(
      expect.objectContaining({ code: 'SOURCE_URL_INVALID', message: expect.not.stringContaining('CANARY') }),
    )
  })

  test('no address at all ends the creation', () => {
    expect(() => createHarness({ urls: [] })).toThrow(expect.objectContaining({ code: 'SOURCE_URL_INVALID' }))
  })
})
