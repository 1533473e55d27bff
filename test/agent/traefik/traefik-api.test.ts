import type { Socket } from 'node:net'
import { describe, expect, test } from 'vitest'
import { createTraefikApi, type TraefikApi, type TraefikApiOptions } from '../../../src/agent/traefik/traefik-api.ts'
import { beaconName } from '../../../src/core/payload.ts'
import { atEnd } from '../../support/at-end.ts'
import { compileLists, tcpRoute } from '../../support/builders.ts'
import { type FaultRequest, head, jsonResponse, response, startFaultServer } from '../../support/fault-server.ts'
import { rawdataOf, runtimeOf } from '../../support/observed.ts'

const HASH = 'ab'.repeat(32)
const { config } = compileLists({ tcpRoutes: [tcpRoute()] })
const RAWDATA = rawdataOf(config)

const GOOD: Readonly<Record<string, unknown>> = {
  '/api/version': { Version: '3.7.15', Codename: 'x', startDate: '2026-11-23T10:00:00.123456789Z' },
  '/api/entrypoints': [
    { name: 'tcp-10001', address: ':10001' },
    { name: 'udp-11000', address: ':11000/udp' },
  ],
  '/api/overview': { providers: ['HTTP', 'File'], features: {} },
  '/api/rawdata': RAWDATA,
}

type Answer = (socket: Socket, request: FaultRequest) => void

const json =
  (value: unknown): Answer =>
  socket =>
    void socket.write(jsonResponse(value))
const bytes =
  (value: string | Buffer): Answer =>
  socket =>
    void socket.write(value)

/** Traefik's API, but for these paths. */
async function apiWith(
  answers: Readonly<Record<string, Answer>> = {},
  options: Partial<TraefikApiOptions> = {},
): Promise<{ api: TraefikApi; port: number; paths: () => string[]; open: () => number }> {
  const server = await startFaultServer({
    script(socket, request) {
      const [path = ''] = request.path.split('?')
      const answer = answers[path] ?? answers['*']
      if (answer !== undefined) answer(socket, request)
      else socket.write(path in GOOD ? jsonResponse(GOOD[path]) : response(404, {}, '404 page not found\n'))
    },
  })
  const api = createTraefikApi({ url: server.url, ...options })
  atEnd(() => api.close())
  return {
    api,
    port: server.port,
    paths: () => server.requests.map(({ path }) => path),
    open: () => server.connections().open,
  }
}

const never = new AbortController().signal

describe('reading Traefik', () => {
  test('version, entry points and runtime become one reading', async () => {
    const { api, paths } = await apiWith()
    const before = performance.now()
    const result = await api.read(never)
    expect(result).toEqual({
      ok: true,
      value: {
        version: '3.7.15',
        startedAt: '2026-11-23T10:00:00.123456789Z',
        entryPoints: [
          { name: 'tcp-10001', address: ':10001', port: 10001, protocol: 'tcp' },
          { name: 'udp-11000', address: ':11000/udp', port: 11000, protocol: 'udp' },
        ],
        providers: ['File', 'HTTP'],
        runtime: runtimeOf(RAWDATA),
        askedAtMs: expect.any(Number),
      },
    })
    if (result.ok) expect(result.value.askedAtMs).toBeGreaterThanOrEqual(before)
    // Without a page size Traefik shows a hundred entry points.
    expect(paths()).toEqual(['/api/version', '/api/entrypoints?per_page=65535', '/api/overview', '/api/rawdata'])
  })

  test('what a process was started with is asked once', async () => {
    const { api, paths } = await apiWith()
    const [first, second] = [await api.read(never), await api.read(never)]
    expect(first.ok && second.ok && second.value).toEqual(first.ok && { ...first.value, askedAtMs: expect.any(Number) })
    expect(paths().slice(4)).toEqual(['/api/version', '/api/rawdata'])
  })

  test('another start of Traefik is asked for all of it again', async () => {
    let startDate = '2026-11-23T10:00:00Z'
    const { api, paths } = await apiWith({
      '/api/version': socket => void socket.write(jsonResponse({ Version: '3.7.15', startDate })),
    })
    await api.read(never)
    startDate = '2026-11-23T11:00:00Z'
    await api.read(never)
    expect(paths().filter(path => path === '/api/overview')).toHaveLength(2)
  })

  test.each<[string, Answer]>([
    ['is refused', bytes(response(404))],
    ['has another form', json({ providers: 'HTTP' })],
  ])('an overview that %s leaves the providers unknown', async (_case, overview) => {
    const { api, paths } = await apiWith({ '/api/overview': overview })
    const [first] = [await api.read(never), await api.read(never)]
    expect(first).toMatchObject({ ok: true, value: { providers: null } })
    expect(paths().filter(path => path === '/api/overview')).toHaveLength(2)
  })

  test('a path of its address is part of every question, and told', async () => {
    const { port, paths } = await apiWith()
    const api = createTraefikApi({ url: `http://127.0.0.1:${port}/dashboard` })
    atEnd(() => api.close())
    expect(await api.read(never)).toEqual({
      ok: false,
      fault: {
        kind: 'status',
        message: `Traefik's API at 127.0.0.1:${port}/dashboard answered 404 to /api/version`,
      },
    })
    expect(paths()).toEqual(['/dashboard/api/version'])
  })

  const cut = JSON.stringify(RAWDATA).slice(0, 200)
  test.each<[string, Readonly<Record<string, Answer>>, string, string]>([
    ['credentials are wanted', { '*': bytes(response(401)) }, 'secured', 'asks for credentials (401)'],
    ['it is forbidden', { '*': bytes(response(403)) }, 'secured', 'asks for credentials (403)'],
    ['it fails', { '/api/entrypoints': bytes(response(500)) }, 'status', 'answered 500 to /api/entrypoints'],
    ['there is no API', { '*': bytes(response(404)) }, 'status', 'answered 404 to /api/version'],
    [
      'it leads elsewhere',
      { '*': bytes(response(302, { location: '/login' })) },
      'status',
      'answered 302 to /api/version',
    ],
    ['a page answers', { '*': bytes(response(200, {}, '<!doctype html>')) }, 'not-traefik', '/api/version is not JSON'],
    ['nothing answers', { '*': bytes(response(200)) }, 'not-traefik', '/api/version is not JSON'],
    [
      'somebody else answers',
      { '/api/version': json({ version: '1.0' }) },
      'not-traefik',
      '/api/version has another form',
    ],
    ['a list answers', { '/api/rawdata': json([]) }, 'not-traefik', '/api/rawdata has another form'],
    ['an empty object answers', { '/api/rawdata': json({}) }, 'not-traefik', '/api/rawdata has another form'],
    ['null answers', { '/api/entrypoints': json(null) }, 'not-traefik', 'has another form'],
    [
      'a router is no object',
      { '/api/rawdata': json({ ...RAWDATA, tcpRouters: { 'x@http': 1 } }) },
      'not-traefik',
      '/api/rawdata has another form',
    ],
    ['an entry point has no name', { '/api/entrypoints': json([{ address: ':1' }]) }, 'not-traefik', 'another form'],
    [
      'the answer is cut off',
      {
        '/api/rawdata': socket => {
          socket.end(`${head(200, { 'content-length': 100_000 })}${cut}`)
        },
      },
      'unreachable',
      'cannot be reached',
    ],
    ['it hangs up', { '*': socket => void socket.destroy() }, 'unreachable', 'cannot be reached'],
    ['it speaks no HTTP', { '*': bytes('SSH-2.0-OpenSSH_9.2\r\n\r\n') }, 'unreachable', 'cannot be reached'],
    ['it says nothing', { '*': () => {} }, 'timeout', 'did not answer within 300 ms'],
    [
      'it stops in the middle',
      { '/api/rawdata': bytes(`${head(200, { 'content-length': 100_000 })}${cut}`) },
      'timeout',
      'did not answer within 300 ms',
    ],
    [
      'it says too much',
      { '/api/rawdata': json({ ...RAWDATA, more: 'x'.repeat(50_000) }) },
      'too-large',
      'answered more than 20000 bytes',
    ],
  ])('%s: a fault', async (_, answers, kind, message) => {
    const { api, port } = await apiWith(answers, { timeoutMs: 300, maxBytes: 20_000 })
    expect(await api.read(never)).toEqual({
      ok: false,
      fault: { kind, message: expect.stringContaining(message) },
    })
    const again = await api.read(never)
    if (!again.ok) expect(again.fault.message).toContain(`127.0.0.1:${port}`)
  })

  test('nobody listens: a fault that names the code', async () => {
    const { api, port } = await apiWith()
    const gone = createTraefikApi({ url: 'http://127.0.0.1:1' })
    atEnd(() => gone.close())
    expect(await gone.read(never)).toEqual({
      ok: false,
      fault: { kind: 'unreachable', message: "Traefik's API at 127.0.0.1:1 cannot be reached (ECONNREFUSED)" },
    })
    expect([(await api.read(never)).ok, port > 0]).toEqual([true, true])
  })

  test('after a fault the next reading is good', async () => {
    let broken = true
    const { api } = await apiWith({
      '/api/version': socket => {
        if (broken) socket.destroy()
        else socket.write(jsonResponse(GOOD['/api/version']))
      },
    })
    expect((await api.read(never)).ok).toBe(false)
    broken = false
    expect((await api.read(never)).ok).toBe(true)
  })

  test('a caller that goes away is no fault', async () => {
    const { api } = await apiWith({ '*': () => {} })
    const aborter = new AbortController()
    const reading = api.read(aborter.signal)
    aborter.abort(new Error('stopped'))
    await expect(reading).rejects.toThrow('stopped')
    await expect(api.read(aborter.signal)).rejects.toThrow('stopped')
  })
})

describe('looking for a beacon', () => {
  const path = `/api/tcp/services/${beaconName(HASH)}@http`
  test.each<[string, Answer, unknown]>([
    ['it is there', json({ name: 'x' }), { ok: true, value: true }],
    ['it is not there', bytes(response(404, {}, 'service not found')), { ok: true, value: false }],
    [
      'credentials are wanted',
      bytes(response(401)),
      { ok: false, fault: { kind: 'secured', message: expect.stringContaining('answered 401') } },
    ],
    [
      'it fails',
      bytes(response(503)),
      { ok: false, fault: { kind: 'status', message: expect.stringContaining('answered 503') } },
    ],
    [
      'it says nothing',
      () => {},
      { ok: false, fault: { kind: 'timeout', message: expect.stringContaining('300 ms') } },
    ],
  ])('%s', async (_, answer, expected) => {
    const { api } = await apiWith({ [path]: answer }, { timeoutMs: 300 })
    expect(await api.hasBeacon(HASH, never)).toEqual(expected)
  })
})

describe('open connections', () => {
  const metrics = (text: string) => ({ '/metrics': bytes(response(200, { 'content-type': 'text/plain' }, text)) })

  test('they are summed by entry point', async () => {
    const { api } = await apiWith(
      metrics(
        [
          '# TYPE traefik_open_connections gauge',
          'traefik_open_connections{entrypoint="tcp-10001",protocol="TCP"} 3',
          'traefik_open_connections{entrypoint="websecure",protocol="TCP"} 1',
          'traefik_open_connections{entrypoint="websecure",protocol="UDP"} 2',
          'traefik_open_connections_other{entrypoint="x"} 9',
          'traefik_open_connections{protocol="TCP"} 9',
          'traefik_open_connections{entrypoint="y"} what',
          '',
        ].join('\n'),
      ),
    )
    expect(await api.openConnections(never)).toEqual(
      new Map([
        ['tcp-10001', 3],
        ['websecure', 3],
      ]),
    )
  })

  test('none are none', async () => {
    const { api } = await apiWith(metrics('go_goroutines 9\n'))
    expect(await api.openConnections(never)).toEqual(new Map())
  })

  test('without metrics nothing is known', async () => {
    const { api } = await apiWith()
    expect(await api.openConnections(never)).toBeNull()
  })
})
