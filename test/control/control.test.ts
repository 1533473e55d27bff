/** The process of a control plane as a value: before its database, with it, and to its end. */
import { once } from 'node:events'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { connect as tlsConnect } from 'node:tls'
import { Registry } from 'prom-client'
import { beforeAll, describe, expect, test } from 'vitest'
import { hashSecret, makeApiToken } from '../../src/control/access/secret.ts'
import type { ControlConfig } from '../../src/control/config.ts'
import { type Control, createControl } from '../../src/control/control.ts'
import { beginChange } from '../../src/control/db/revision.ts'
import type { ListenAddress } from '../../src/lib/setting-types.ts'
import { atEnd } from '../support/at-end.ts'
import { createAuthority } from '../support/authority.ts'
import { controlConfig } from '../support/control-app.ts'
import { hasPostgres, SILENT, startTestPostgres } from '../support/database.ts'
import { part } from '../support/parts.ts'
import { freePort } from '../support/ports.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

const PATIENCE_MS = 90_000
const TOKEN = makeApiToken()

/** A state directory with a database in it, which takes seconds to make: so it is made once, and copied. */
let template = ''
async function makeTemplate(): Promise<string> {
  const directory = await tempFolder()
  const { control } = await start({ state: { directory } })
  await control.ready()
  await control.stop()
  return directory
}
async function withDatabase(): Promise<{ readonly state: { readonly directory: string } }> {
  const directory = await tempFolder()
  await cp(template, directory, { recursive: true })
  return { state: { directory } }
}

type Running = { readonly control: Control; readonly address: ListenAddress; readonly registry: Registry }

async function start(change: Partial<ControlConfig> = {}): Promise<Running> {
  const registry = new Registry()
  const control = createControl({
    config: {
      ...controlConfig(),
      listen: { host: '127.0.0.1', port: 0 },
      state: { directory: await tempFolder() },
      ...change,
    },
    logger: SILENT,
    registry,
    version: '1.2.3',
    adminTokenHash: hashSecret(TOKEN),
    processMetrics: false,
  })
  atEnd(() => control.stop())
  return { control, registry, address: await control.start() }
}

type Got = { readonly status: number; readonly headers: Record<string, unknown>; readonly text: string }

function get({ port }: ListenAddress, path: string, headers: Record<string, string> = {}): Promise<Got> {
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, path, headers, agent: false }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', chunk => {
        text += chunk
      })
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
    })
    sent.on('error', reject)
    sent.end()
  })
}

const asAdmin = { authorization: `Bearer ${TOKEN}` }

/** What comes back over one connection until it is closed. */
async function talk({ port }: ListenAddress, bytes: string): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('latin1').on('data', chunk => {
    text += chunk
  })
  socket.on('error', () => {})
  socket.write(bytes)
  await once(socket, 'close')
  return text
}

describe('before its database is there', () => {
  test('it lives, is not ready, and says why', async () => {
    const port = await freePort('tcp')
    const { control, address } = await start({ database: { url: `postgres://postgres@127.0.0.1:${port}/postgres` } })
    expect(await get(address, '/livez')).toMatchObject({ status: 200, text: '{"alive":true}\n' })
    const readyz = await waitFor(
      async () => {
        const got = await get(address, '/readyz')
        return got.text.includes('ECONNREFUSED') ? got : null
      },
      { what: 'the reason' },
    )
    expect(readyz.status).toBe(503)
    expect(JSON.parse(readyz.text)).toEqual({
      ready: false,
      reason: 'the database cannot be reached: ECONNREFUSED',
      remedy: 'Look whether PostgreSQL runs and database.url leads to it.',
    })
    const api = await get(address, '/api/v1/services', asAdmin)
    expect([api.status, api.headers['content-type'], api.headers['retry-after']]).toEqual([
      503,
      'application/problem+json',
      '1',
    ])
    expect(JSON.parse(api.text)).toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      detail: 'not ready: the database cannot be reached: ECONNREFUSED',
    })
    const { text } = await get(address, '/metrics')
    expect(text).toContain('\nfairlead_control_database_up 0\n')
    expect(text).toContain('\nfairlead_control_ready 0\n')
    expect(text).toMatch(/\nfairlead_control_database_start_failures_total [1-9]/)
    expect(text).not.toMatch(/^fairlead_control_revision /m)
    control.ready().catch(() => {})
    await control.stop()
    await expect(get(address, '/livez')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
  })

  test.skipIf(!hasPostgres)(
    'a user that the server refuses is no reason to wait',
    async () => {
      const { url } = await startTestPostgres()
      const { control } = await start({ database: { url: url.replace('postgres@', 'nobody@') } })
      await expect(control.ready()).rejects.toMatchObject({ code: 'DATABASE_REFUSED' })
    },
    PATIENCE_MS,
  )

  test('two at one port: the second does not start', async () => {
    const { address } = await start({ database: { url: 'postgres://postgres@127.0.0.1:1/postgres' } })
    await expect(start({ listen: address })).rejects.toMatchObject({ code: 'EADDRINUSE' })
  })
})

describe('with its database', () => {
  beforeAll(async () => {
    template = await makeTemplate()
  }, PATIENCE_MS)

  test(
    'it answers, counts, and gives up its port at the end',
    async () => {
      const { control, address } = await start(await withDatabase())
      const deps = await control.ready()
      expect(deps.config.listen).toEqual(address)
      expect(await get(address, '/readyz')).toMatchObject({ status: 200, text: '{"ready":true}\n' })
      expect((await get(address, '/api/v1/services')).status).toBe(401)
      expect((await get(address, '/api/v1/services', asAdmin)).status).toBe(200)
      await deps.database.transaction(beginChange)
      await waitFor(async () => (await get(address, '/metrics')).text.includes('\nfairlead_control_revision 1\n'), {
        what: 'the revision at the scrape',
      })
      const { text } = await get(address, '/metrics')
      expect(text).toContain('fairlead_control_requests_total{method="GET",route="/api/v1/services",status="200"} 1\n')
      expect(text).toContain('fairlead_control_requests_total{method="GET",route="/api/v1/services",status="401"} 1\n')
      expect(text).toContain('fairlead_control_pool_ports{protocol="tcp",state="free"} 100\n')
      expect(text).toContain('fairlead_control_build_info{version="1.2.3"} 1\n')

      // A scrape that came through a proxy is not one of this machine.
      const proxied = { 'x-forwarded-for': '203.0.113.9' }
      expect((await get(address, '/metrics', proxied)).status).toBe(401)
      expect((await get(address, '/metrics', { ...proxied, authorization: 'Bearer flt_wrong' })).status).toBe(401)
      expect((await get(address, '/metrics', { ...proxied, ...asAdmin })).status).toBe(200)
      // Nor is one of a page whose name was pointed to this machine.
      const rebound = await get(address, '/metrics', { host: 'evil.example:7400' })
      expect([rebound.status, JSON.parse(rebound.text).code]).toEqual([421, 'HOST_UNKNOWN'])
      expect((await get(address, '/metrics', { host: 'evil.example', ...asAdmin })).status).toBe(200)
      expect((await get(address, '/metrics', { host: `localhost:${address.port}` })).status).toBe(200)

      await control.stop()
      await expect(get(address, '/livez')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    },
    PATIENCE_MS,
  )

  test(
    'what is no HTTP is answered and closed',
    async () => {
      const { control, address } = await start(await withDatabase())
      await control.ready()
      const garbage = await talk(address, 'hello there\r\n\r\n')
      expect(garbage).toMatch(/^HTTP\/1\.1 400 Bad Request\r\ncontent-type: application\/problem\+json\r\n/)
      const large = `GET / HTTP/1.1\r\nhost: x\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`
      expect(await talk(address, large)).toMatch(/^HTTP\/1\.1 431 [\s\S]*"code":"HEADERS_TOO_LARGE"/)
      const smuggled =
        'POST /api/v1/services HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n'
      expect(await talk(address, smuggled)).toMatch(/^HTTP\/1\.1 400 /)
      expect((await get(address, '/livez')).status).toBe(200)
    },
    PATIENCE_MS,
  )

  test(
    'a stop answers those that it held',
    async () => {
      const { control, address } = await start(await withDatabase())
      const { hub } = await control.ready()
      const events = httpRequest({ host: '127.0.0.1', port: address.port, path: '/api/v1/events', headers: asAdmin })
      events.on('error', () => {})
      events.end()
      const [response] = await once(events, 'response')
      expect(response.statusCode).toBe(200)
      response.resume()
      await waitFor(() => hub.stats().subscribers > 0, { what: 'the stream' })
      const ended = once(response, 'close')
      await control.stop()
      await ended
    },
    PATIENCE_MS,
  )

  test(
    'numbers in use that the settings have no more keep it from starting',
    async () => {
      const folder = await withDatabase()
      const first = await start(folder)
      await first.control.ready()
      const made = await new Promise<number>((resolve, reject) => {
        const body = JSON.stringify({
          name: 'db',
          endpoints: [{ address: '10.200.1.5' }],
          ports: [{ port: 5432, protocol: 'tcp', externalPort: 10_042 }],
        })
        const sent = httpRequest(
          {
            ...{ host: '127.0.0.1', port: first.address.port, path: '/api/v1/services', method: 'POST' },
            headers: { ...asAdmin, 'content-type': 'application/json' },
          },
          response => {
            response.resume()
            resolve(response.statusCode ?? 0)
          },
        )
        sent.on('error', reject)
        sent.end(body)
      })
      expect(made).toBe(201)
      await first.control.stop()
      const { ports } = controlConfig('ports: { tcp: 10000-10041 }')
      const second = await start({ ...folder, ports })
      await expect(second.control.ready()).rejects.toMatchObject({
        code: 'PORTS_STRANDED',
        message: 'ports are in use that the settings do not have any more: TCP 10042',
      })
    },
    PATIENCE_MS,
  )
})

describe.skipIf(!part('openssl'))('with TLS', () => {
  const namesOf = ({ port }: ListenAddress, ca: string): Promise<string | undefined> =>
    new Promise((resolve, reject) => {
      const socket = tlsConnect({ host: '127.0.0.1', port, ca, checkServerIdentity: () => undefined }, () => {
        resolve(socket.getPeerCertificate().subjectaltname)
        socket.destroy()
      })
      socket.on('error', reject)
    })

  test(
    'a renewed certificate is used without a restart, half of one is not',
    async () => {
      const authority = await createAuthority('control')
      const folder = await tempFolder()
      await mkdir(folder, { recursive: true })
      const files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') }
      const [one, two] = [
        await authority.issue({ altName: 'DNS:one.example.com' }),
        await authority.issue({ altName: 'DNS:two.example.com' }),
      ]
      await writeFile(files.certFile, one.cert)
      await writeFile(files.keyFile, one.key)
      const database = { url: 'postgres://postgres@127.0.0.1:1/postgres' }
      const { control, address } = await start({ tls: files, database })
      expect(await namesOf(address, authority.ca)).toBe('DNS:one.example.com')
      const live = await new Promise<number>((resolve, reject) => {
        const options = { host: '127.0.0.1', port: address.port, path: '/livez', ca: authority.ca, agent: false }
        const sent = httpsRequest({ ...options, checkServerIdentity: () => undefined }, response => {
          response.resume()
          resolve(response.statusCode ?? 0)
        })
        sent.on('error', reject)
        sent.end()
      })
      expect(live).toBe(200)

      await writeFile(files.certFile, two.cert)
      await control.reloadTls()
      expect(await namesOf(address, authority.ca)).toBe('DNS:one.example.com')
      await writeFile(files.keyFile, two.key)
      await waitFor(async () => (await namesOf(address, authority.ca)) === 'DNS:two.example.com', {
        what: 'the new certificate',
        timeoutMs: 20_000,
      })
    },
    PATIENCE_MS,
  )

  test('a key of another certificate keeps it from starting', async () => {
    const authority = await createAuthority('control')
    const folder = await tempFolder()
    const files = { certFile: join(folder, 'tls.crt'), keyFile: join(folder, 'tls.key') }
    await writeFile(files.certFile, (await authority.issue({ altName: 'DNS:one.example.com' })).cert)
    await writeFile(files.keyFile, (await authority.issue({ altName: 'DNS:two.example.com' })).key)
    await expect(start({ tls: files })).rejects.toMatchObject({
      code: 'TLS_FILE_INVALID',
      message: `tls.keyFile ${files.keyFile} is not the key of tls.certFile ${files.certFile}`,
    })
  })
})
