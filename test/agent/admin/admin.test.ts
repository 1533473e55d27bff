import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import { pino } from 'pino'
import { Counter, Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { type AdminOptions, createAdmin } from '../../../src/agent/admin/admin.ts'
import { createLogger } from '../../../src/lib/logger.ts'
import { atEnd } from '../../support/at-end.ts'

const routes = [
  { protocol: 'tcp', id: 'orders-db', verdict: 'live' },
  { protocol: 'tcp', id: 'dns' },
  { protocol: 'udp', id: 'dns' },
  { protocol: 'http', id: 'a/b ü' },
] as const

async function adminWith(options: Partial<AdminOptions> = {}) {
  const admin = createAdmin({
    listen: { host: '127.0.0.1', port: 0 },
    status: () => ({ node: 'proxy-1', routes }),
    explain: key => routes.find(({ protocol, id }) => `${protocol}/${id}` === key) ?? null,
    readiness: () => ({ ready: true, reasons: [] }),
    liveness: () => ({ alive: true, reasons: [] }),
    registry: new Registry(),
    logger: pino({ level: 'silent' }),
    ...options,
  })
  atEnd(() => admin.stop())
  const { port } = await admin.start()
  return { admin, port }
}

type Ask = {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
}

async function ask(port: number, path: string, { method = 'GET', headers = {}, body }: Ask = {}) {
  const request = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false })
  request.end(body)
  const [response] = await once(request, 'response')
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  const text = Buffer.concat(chunks).toString()
  return {
    status: Number(response.statusCode),
    headers: response.headers,
    text,
    json: (): unknown => JSON.parse(text),
  }
}

const json = { 'content-type': 'application/json' }

describe('answers', () => {
  test('metrics come with the type of Prometheus', async () => {
    const registry = new Registry()
    new Counter({ name: 'fairlead_test_total', help: 'A test.', registers: [registry] }).inc()
    const { port } = await adminWith({ registry })
    const { status, headers, text } = await ask(port, '/metrics')
    expect({ status, type: headers['content-type'], text }).toEqual({
      status: 200,
      type: 'text/plain; version=0.0.4; charset=utf-8',
      text: '# HELP fairlead_test_total A test.\n# TYPE fairlead_test_total counter\nfairlead_test_total 1\n',
    })
  })

  test('the status is the view as JSON', async () => {
    const { port } = await adminWith()
    const answer = await ask(port, '/status')
    expect(answer.status).toBe(200)
    expect(answer.json()).toEqual({ node: 'proxy-1', routes })
  })

  test.each([
    ['/readyz', true, 200, { ready: true, reasons: [] }],
    ['/readyz', false, 503, { ready: false, reasons: ['no configuration yet'] }],
    ['/livez', true, 200, { alive: true, reasons: [] }],
    ['/livez', false, 503, { alive: false, reasons: ['the loop stands'] }],
  ])('%s when that is %s answers %i', async (path, good, status, body) => {
    const { port } = await adminWith({
      readiness: () => ({ ready: good, reasons: good ? [] : ['no configuration yet'] }),
      liveness: () => ({ alive: good, reasons: good ? [] : ['the loop stands'] }),
    })
    const answer = await ask(port, path)
    expect(answer.status).toBe(status)
    expect(answer.json()).toEqual(body)
  })

  test.each(['/metrics', '/livez', '/readyz', '/status', '/explain/orders-db', '/nothing'])(
    '%s is for no cache and no guessing',
    async path => {
      const { port } = await adminWith()
      const { headers } = await ask(port, path)
      expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
      expect(headers).not.toHaveProperty('access-control-allow-origin')
    },
  )

  test('HEAD answers without a body', async () => {
    const { port } = await adminWith()
    const { status, text } = await ask(port, '/readyz', { method: 'HEAD' })
    expect({ status, text }).toEqual({ status: 200, text: '' })
  })
})

describe('explain', () => {
  test.each([
    ['/explain/orders-db', 'orders-db'],
    ['/explain/tcp/orders-db', 'orders-db'],
    ['/explain/udp/dns', 'dns'],
    ['/explain/http/a%2Fb%20%C3%BC', 'a/b ü'],
    ['/explain/a%2Fb%20%C3%BC', 'a/b ü'],
  ])('%s finds its route', async (path, id) => {
    const { port } = await adminWith()
    const answer = await ask(port, path)
    expect(answer.status).toBe(200)
    expect(answer.json()).toHaveProperty('id', id)
  })

  test('an id of two routes names both', async () => {
    const { port } = await adminWith()
    const answer = await ask(port, '/explain/dns')
    expect(answer.status).toBe(409)
    expect(answer.json()).toEqual({
      type: 'about:blank',
      status: 409,
      code: 'ROUTE_AMBIGUOUS',
      title: 'More than one route',
      detail: 'dns is the id of 2 routes',
      remedy: 'Ask for one of tcp/dns, udp/dns.',
      near: ['tcp/dns', 'udp/dns'],
    })
  })

  test.each([
    ['a typing error', '/explain/order-db', ['tcp/orders-db'], 'no route order-db is expected on this node'],
    [
      'the wrong protocol',
      '/explain/udp/orders-db',
      ['tcp/orders-db'],
      'no route udp/orders-db is expected on this node',
    ],
    ['a beginning', '/explain/or', ['tcp/orders-db'], 'no route or is expected on this node'],
    ['no protocol', '/explain/icmp/dns', ['tcp/dns', 'udp/dns'], 'icmp is not a protocol; it is http, tcp or udp'],
  ])('%s is answered with near ids', async (_what, path, near, detail) => {
    const { port } = await adminWith()
    const answer = await ask(port, path)
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8')
    expect(answer.json()).toEqual({
      type: 'about:blank',
      status: 404,
      code: 'ROUTE_UNKNOWN',
      title: 'No such route',
      detail,
      remedy: `Perhaps ${near.join(' or ')}.`,
      near,
    })
  })

  test('an id like no other has no near ones', async () => {
    const { port } = await adminWith()
    const answer = await ask(port, '/explain/zzzzzzzzzz')
    expect(answer.json()).toMatchObject({ near: [], remedy: 'Look at /status for the routes there are.' })
  })

  test('an id of 200 signs is looked up', async () => {
    const id = '路'.repeat(200)
    const { port } = await adminWith({
      status: () => ({ routes: [{ protocol: 'tcp', id }] }),
      explain: key => ({ key }),
    })
    const answer = await ask(port, `/explain/${encodeURIComponent(id)}`)
    expect(answer.json()).toEqual({ key: `tcp/${id}` })
  })

  test('at most five near ids are named', async () => {
    const many = Array.from({ length: 20 }, (_, i) => ({ protocol: 'tcp' as const, id: `db-${i}` }))
    const { port } = await adminWith({ status: () => ({ routes: many }), explain: () => null })
    expect((await ask(port, '/explain/db-')).json()).toHaveProperty('near.length', 5)
  })
})

describe('accept', () => {
  const accepting = () => {
    const hashes: (string | null)[] = []
    return {
      hashes,
      accept: (hash: string | null) => {
        hashes.push(hash)
        return { ok: true as const, hash: hash ?? 'ab'.repeat(32), removals: 12 }
      },
    }
  }

  test('a hash is handed on', async () => {
    const { hashes, accept } = accepting()
    const { port } = await adminWith({ accept })
    const hash = 'cd'.repeat(32)
    const answer = await ask(port, '/accept', { method: 'POST', headers: json, body: JSON.stringify({ hash }) })
    expect(answer.status).toBe(200)
    expect(answer.json()).toEqual({ ok: true, hash, removals: 12 })
    expect(hashes).toEqual([hash])
  })

  test('no body means what is held now', async () => {
    const { hashes, accept } = accepting()
    const { port } = await adminWith({ accept })
    expect((await ask(port, '/accept', { method: 'POST' })).status).toBe(200)
    expect(hashes).toEqual([null])
  })

  test('a refusal says why', async () => {
    const { port } = await adminWith({
      accept: async () => ({ ok: false, code: 'NOTHING_HELD', message: 'nothing is held', remedy: 'Nothing to do.' }),
    })
    const answer = await ask(port, '/accept', { method: 'POST' })
    expect(answer.json()).toEqual({
      type: 'about:blank',
      status: 409,
      code: 'NOTHING_HELD',
      title: 'Not accepted',
      detail: 'nothing is held',
      remedy: 'Nothing to do.',
    })
  })

  test.each([
    ['a body that is no JSON', json, '{', 400],
    ['a body without a hash', json, '{}', 400],
    ['a body with more', json, `{"hash":"${'ab'.repeat(32)}","force":true}`, 400],
    ['a hash that is none', json, '{"hash":"../x"}', 400],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 'hash=1', 415],
    ['plain text', { 'content-type': 'text/plain' }, '{}', 415],
    ['a body of 20 kB', json, JSON.stringify({ hash: 'a'.repeat(20_000) }), 413],
  ])('%s accepts nothing', async (_what, headers, body, status) => {
    const { hashes, accept } = accepting()
    const { port } = await adminWith({ accept })
    const answer = await ask(port, '/accept', { method: 'POST', headers, body })
    expect(answer.status).toBe(status)
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8')
    expect(answer.json()).toMatchObject({ status, code: 'BAD_REQUEST' })
    expect(hashes).toEqual([])
  })

  test('a request of a web page accepts nothing', async () => {
    const { hashes, accept } = accepting()
    const { port } = await adminWith({ accept })
    for (const origin of ['https://evil.test', 'null', `http://127.0.0.1:${port}`]) {
      const answer = await ask(port, '/accept', { method: 'POST', headers: { origin } })
      expect(answer.json()).toMatchObject({ status: 403, code: 'ORIGIN_NOT_ALLOWED' })
    }
    expect(hashes).toEqual([])
  })

  test('without a way to accept there is no such path', async () => {
    const { port } = await adminWith()
    expect((await ask(port, '/accept', { method: 'POST' })).status).toBe(404)
  })
})

describe('refusals', () => {
  test.each(['evil.test', '127.0.0.1', '127.0.0.1:1', '127.0.0.1:PORT.evil.test', 'user@127.0.0.1:PORT'])(
    'Host %s is refused',
    async host => {
      const { port } = await adminWith()
      for (const path of ['/status', '/metrics', '/nothing']) {
        const answer = await ask(port, path, { headers: { host: host.replace('PORT', String(port)) } })
        expect(answer.json()).toMatchObject({ status: 421, code: 'WRONG_HOST' })
      }
    },
  )

  test.each(['127.0.0.1', 'localhost', '[::1]', 'LOCALHOST'])('Host %s with the port is taken', async name => {
    const { port } = await adminWith()
    expect((await ask(port, '/status', { headers: { host: `${name}:${port}` } })).status).toBe(200)
  })

  test('an unknown path is a problem that names the known ones', async () => {
    const { port } = await adminWith()
    const answer = await ask(port, '/nothing?token=abc')
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8')
    expect(answer.json()).toEqual({
      type: 'about:blank',
      status: 404,
      code: 'NOT_FOUND',
      title: 'Not found',
      detail: 'there is no /nothing here',
      remedy: 'The endpoints are /metrics, /livez, /readyz, /status, /explain/ROUTE and POST /accept.',
    })
  })

  test.each([
    ['POST', '/status', 'GET, HEAD'],
    ['DELETE', '/metrics', 'GET, HEAD'],
    ['OPTIONS', '/explain/tcp/orders-db', 'GET, HEAD'],
    ['PROPFIND', '/readyz', 'GET, HEAD'],
    ['GET', '/accept', 'POST'],
  ])('%s of %s is not allowed', async (method, path, allow) => {
    const { port } = await adminWith({ accept: () => ({ ok: true, hash: '', removals: 0 }) })
    const answer = await ask(port, path, { method })
    expect(answer.headers.allow).toBe(allow)
    expect(answer.json()).toMatchObject({ status: 405, code: 'METHOD_NOT_ALLOWED' })
  })

  test('a path that is no text is a bad request', async () => {
    const { port } = await adminWith()
    expect((await ask(port, '/explain/%ff')).json()).toMatchObject({ status: 400, code: 'BAD_REQUEST' })
  })

  test('a fault within is logged and not told', async () => {
    const lines: string[] = []
    const { port } = await adminWith({
      status: () => {
        throw new Error('inner detail')
      },
      logger: createLogger({ level: 'error', destination: { write: line => void lines.push(line) } }),
    })
    const answer = await ask(port, '/status')
    expect(answer.json()).toMatchObject({ status: 500, code: 'INTERNAL_ERROR' })
    expect(answer.text).not.toContain('inner detail')
    expect(lines.map(line => JSON.parse(line))).toEqual([
      expect.objectContaining({ component: 'admin', err: expect.objectContaining({ message: 'inner detail' }) }),
    ])
    expect((await ask(port, '/livez')).status).toBe(200)
  })

  test('a metric that fails costs the metrics alone', async () => {
    const registry = new Registry()
    new Counter({
      name: 'fairlead_test_total',
      help: 'A test.',
      registers: [registry],
      collect() {
        throw new Error('collect')
      },
    })
    const { port } = await adminWith({ registry })
    expect((await ask(port, '/metrics')).status).toBe(500)
    expect((await ask(port, '/readyz')).status).toBe(200)
  })
})

describe('lifetime', () => {
  test.each(['0.0.0.0', '::', '192.0.2.1'])('%s is not listened on', async host => {
    await expect(adminWith({ listen: { host, port: 0 } })).rejects.toHaveProperty('code', 'LISTEN_NOT_LOOPBACK')
  })

  test('a port in use is named', async () => {
    const { port } = await adminWith()
    await expect(adminWith({ listen: { host: '127.0.0.1', port } })).rejects.toMatchObject({
      code: 'LISTEN_PORT_TAKEN',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    })
  })

  test('stop ends idle connections and frees the port', async () => {
    const { admin, port } = await adminWith()
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write(`GET /livez HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`)
    await once(socket, 'data')
    const closed = once(socket, 'close')
    expect(admin.stop()).toBe(admin.stop())
    await admin.stop()
    await closed
    await adminWith({ listen: { host: '127.0.0.1', port } })
  })

  test('an admin endpoint that never started can be stopped', async () => {
    const admin = createAdmin({
      listen: { host: '127.0.0.1', port: 0 },
      status: () => ({ routes: [] }),
      explain: () => null,
      readiness: () => ({ ready: false, reasons: [] }),
      liveness: () => ({ alive: true, reasons: [] }),
      registry: new Registry(),
      logger: pino({ level: 'silent' }),
    })
    await admin.stop()
  })

  test('a client that never ends its request does not hold up stop', async () => {
    const { admin, port } = await adminWith()
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    await once(socket, 'connect')
    socket.write('GET /status HTTP/1.1\r\nHost: ')
    const closed = once(socket, 'close')
    await admin.stop()
    await closed
  })
})
