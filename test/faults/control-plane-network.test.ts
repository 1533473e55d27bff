import type { LookupFunction, Socket } from 'node:net'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { createConnection, pinLocalhost } from '../../src/agent/sources/control-plane-connection.ts'
import { atEnd } from '../support/at-end.ts'
import { type Authority, createAuthority, type IssuedCertificate } from '../support/authority.ts'
import { createHarness } from '../support/control-plane-harness.ts'
import { JSON_HEADERS, response, startFaultServer } from '../support/fault-server.ts'
import { expectUntouched, holdReading, meet, serveGood } from '../support/held-source.ts'
import { waitFor } from '../support/wait-for.ts'

/** The fault that a source shows which can never read anything from there. */
async function faultAt(url: string, more: Partial<Parameters<typeof createHarness>[0]> = {}) {
  const harness = createHarness({ urls: [url], ...more })
  await harness.source.start()
  const { reading, fault } = harness.source.status()
  expect(reading).toBeNull()
  return { code: fault?.code, message: fault?.message.replace(new URL(url).host, 'HOST'), remedy: fault?.remedy }
}

describe('connections', () => {
  test('a refused one is a fault, and heals', async () => {
    const held = await holdReading()
    const { port } = held.server
    await held.server.close()
    await waitFor(() => held.source.status().fault?.code === 'SOURCE_REFUSED', { what: 'a refusal' })
    expectUntouched(held)
    expect(held.source.status().fault?.message).toBe(`127.0.0.1:${port} refused the connection`)
    await startFaultServer({ script: serveGood, port })
    await waitFor(() => held.source.status().fault === null, { what: 'the end of the fault' })
    expectUntouched(held)
  })

  test('one that is closed without an answer is a fault', async () => {
    const held = await holdReading()
    const fault = await meet(held, socket => void socket.end())
    expect(fault.code).toBe('SOURCE_RESET')
  })

  test('one that is reset is a fault', async () => {
    const held = await holdReading()
    const fault = await meet(held, socket => void socket.resetAndDestroy())
    expect(fault.code).toBe('SOURCE_RESET')
  })

  test('a kept one that went away is made anew without a fault', async () => {
    const held = await holdReading()
    let cut = false
    held.server.play((socket, request) => {
      if (cut) return void serveGood(socket, request)
      cut = true
      socket.destroy()
    })
    await held.untilResult('unchanged', 3)
    expect(held.results.filter(result => result === 'SOURCE_RESET')).toHaveLength(1)
    expect(held.changes()).toBe(1)
    expectUntouched(held)
  })

  test('one is kept over refusals', async () => {
    const held = await holdReading()
    const refusal = response(503, JSON_HEADERS, '{"code":"UNAVAILABLE"}')
    held.server.play(socket => {
      socket.write(refusal.subarray(0, -5))
      setTimeout(() => socket.write(refusal.subarray(-5)), 20)
    })
    await held.untilResult('SOURCE_UNAVAILABLE', 5)
    expect(held.server.connections()).toEqual({ open: 1, ever: 1 })
    expectUntouched(held)
  })

  test('one that flaps changes nothing', async () => {
    const held = await holdReading()
    let polls = 0
    held.server.play((socket, request) => {
      polls += 1
      if (polls % 3 === 0) return void serveGood(socket, request)
      socket.destroy()
    })
    await held.untilResult('unchanged', 10)
    expectUntouched(held)
  })

  test('no proxy of the environment is used', async () => {
    const proxy = await startFaultServer({ script: serveGood })
    for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy'])
      vi.stubEnv(name, proxy.url)
    vi.stubEnv('NODE_USE_ENV_PROXY', '1')
    const held = await holdReading()
    expectUntouched(held)
    expect(proxy.connections().ever).toBe(0)
  })
})

describe('names', () => {
  let authority: Authority
  let certificate: IssuedCertificate
  beforeAll(async () => {
    authority = await createAuthority('test authority')
    certificate = await authority.issue({ altName: 'DNS:control.test' })
  })

  const failing =
    (code: string): LookupFunction =>
    (name, _options, done) =>
      done(Object.assign(new Error(`lookup ${code} ${name}`), { code }), '', 0)
  const answering =
    (...addresses: string[]): LookupFunction =>
    (_name, options, done) => {
      const all = addresses.map(address => ({ address, family: 4 }))
      if (options.all) done(null, all)
      else done(null, all[0]?.address ?? '', 4)
    }
  const connection = (lookup: LookupFunction) => {
    const closer = new AbortController()
    const dispatcher = createConnection({
      ca: authority.ca,
      maxHeaderBytes: 65_536,
      connectTimeoutMs: 5_000,
      connections: 1,
      signal: closer.signal,
      lookup,
    })
    atEnd(async () => {
      closer.abort()
      await dispatcher.destroy()
    })
    return dispatcher
  }

  test.each(['ENOTFOUND', 'EAI_AGAIN'])('%s is a fault of its own', async code => {
    const fault = await faultAt('https://control.test', { dispatcher: connection(failing(code)) })
    expect({ code: fault.code, message: fault.message }).toEqual({
      code: 'SOURCE_DNS',
      message: `HOST has no address (${code})`,
    })
  })

  test('a name server that does not answer meets the deadline', async () => {
    const fault = await faultAt('https://control.test', { dispatcher: connection(() => {}), timing: { answerMs: 150 } })
    expect({ code: fault.code, message: fault.message }).toEqual({
      code: 'SOURCE_TIMEOUT',
      message: 'HOST did not answer within 150 ms',
    })
  })

  test('the next address of a name is tried', async () => {
    const server = await startFaultServer({ script: serveGood, tls: certificate })
    const { source } = createHarness({
      urls: [`https://control.test:${server.port}`],
      dispatcher: connection(answering('127.0.0.2', '127.0.0.1')),
    })
    await source.start()
    expect(source.status()).toMatchObject({ fault: null, reading: { revision: 1 } })
  })

  test('a name is looked up again after a fault', async () => {
    const server = await startFaultServer({ script: serveGood, tls: certificate })
    let address = '127.0.0.2'
    const { source, untilResult } = createHarness({
      urls: [`https://control.test:${server.port}`],
      dispatcher: connection((name, options, done) => answering(address)(name, options, done)),
    })
    await source.start()
    expect(source.status().fault?.code).toBe('SOURCE_REFUSED')
    address = '127.0.0.1'
    await untilResult('ok')
    expect(source.status().fault).toBeNull()
  })

  test('localhost never asks a name server', async () => {
    const asked: string[] = []
    const lookup = pinLocalhost((name, _options, done) => {
      asked.push(name)
      done(null, '192.0.2.1', 4)
    })
    const answers: unknown[] = []
    lookup('localhost', { all: true }, (_error, addresses) => answers.push(addresses))
    lookup('localhost', {}, (_error, address, family) => answers.push([address, family]))
    lookup('control.test', {}, (_error, address, family) => answers.push([address, family]))
    expect(answers).toEqual([
      [
        { address: '127.0.0.1', family: 4 },
        { address: '::1', family: 6 },
      ],
      ['127.0.0.1', 4],
      ['192.0.2.1', 4],
    ])
    expect(asked).toEqual(['control.test'])
  })

  test('plain http to localhost works', async () => {
    const server = await startFaultServer({ script: serveGood })
    const { source } = createHarness({ urls: [`http://localhost:${server.port}`] })
    await source.start()
    expect(source.status()).toMatchObject({ fault: null, reading: { revision: 1 } })
  })
})

describe('TLS', () => {
  let ours: Authority
  let theirs: Authority
  beforeAll(async () => {
    ours = await createAuthority('our authority')
    theirs = await createAuthority('their authority')
  })
  const HERE = 'IP:127.0.0.1'
  const serve = async (certificate: IssuedCertificate) =>
    await startFaultServer({ script: serveGood, tls: { cert: certificate.cert, key: certificate.key } })

  test('a certificate of the named authority is taken', async () => {
    const server = await serve(await ours.issue({ altName: HERE }))
    const { source } = createHarness({ urls: [server.url], ca: ours.ca })
    await source.start()
    expect(source.status()).toMatchObject({ fault: null, reading: { revision: 1 } })
  })

  test('two authorities overlap while one replaces the other', async () => {
    const ca = `${ours.ca}${theirs.ca}`
    for (const authority of [ours, theirs]) {
      const server = await serve(await authority.issue({ altName: HERE }))
      const { source } = createHarness({ urls: [server.url], ca })
      await source.start()
      expect(source.status()).toMatchObject({ fault: null, reading: { revision: 1 } })
    }
  })

  test('another authority is refused before anything is sent', async () => {
    const server = await serve(await theirs.issue({ altName: HERE }))
    expect(await faultAt(server.url, { ca: ours.ca })).toEqual({
      code: 'SOURCE_TLS_UNKNOWN_CA',
      message: 'HOST shows a certificate of an authority that is not trusted here (UNABLE_TO_VERIFY_LEAF_SIGNATURE)',
      remedy: 'Name the authority that issued the certificate in sources.controlPlane.caFile.',
    })
    expect(server.requests).toEqual([])
  })

  test('a private authority that nobody named is refused', async () => {
    const server = await serve(await ours.issue({ altName: HERE }))
    expect((await faultAt(server.url)).code).toBe('SOURCE_TLS_UNKNOWN_CA')
    expect(server.requests).toEqual([])
  })

  test.each([
    ['over', { from: '20200101000000Z', to: '20200201000000Z' }, 'CERT_HAS_EXPIRED'],
    ['still to come', { from: '20980101000000Z', to: '20990101000000Z' }, 'CERT_NOT_YET_VALID'],
  ])('a certificate whose time is %s names the clock', async (_, times, code) => {
    const server = await serve(await ours.issue({ altName: HERE, ...times }))
    expect(await faultAt(server.url, { ca: ours.ca })).toEqual({
      code: 'SOURCE_TLS_EXPIRED',
      message: `HOST shows a certificate that is not in its time (${code})`,
      remedy: 'Renew the certificate of the control plane; if it is in its time, correct the clock of this machine.',
    })
    expect(server.requests).toEqual([])
  })

  test.each(['IP:127.0.0.2', 'DNS:control.test'])('a certificate for %s is for another name', async altName => {
    const server = await serve(await ours.issue({ altName }))
    expect(await faultAt(server.url, { ca: ours.ca })).toEqual({
      code: 'SOURCE_TLS_WRONG_HOST',
      message: 'HOST shows a certificate for another name',
      remedy: 'Use the name that the certificate is for, or issue one for the name in sources.controlPlane.urls.',
    })
    expect(server.requests).toEqual([])
  })

  test('TLS 1.0 alone is refused', async () => {
    const { cert, key } = await ours.issue({ altName: HERE })
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
    const server = await startFaultServer({ script: serveGood, tls: { cert, key, ...old } })
    const fault = await faultAt(server.url, { ca: ours.ca })
    expect(fault.code).toBe('SOURCE_TLS')
    expect(server.requests).toEqual([])
  })

  test('a server without TLS is refused', async () => {
    const onConnection = (socket: Socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')
    const server = await startFaultServer({ onConnection, scheme: 'https' })
    expect((await faultAt(server.url, { ca: ours.ca })).code).toBe('SOURCE_TLS')
  })

  test('a handshake that stalls meets the deadline', async () => {
    const { url } = await startFaultServer({ onConnection: () => {}, scheme: 'https' })
    const fault = await faultAt(url, { ca: ours.ca, timing: { answerMs: 200 } })
    expect({ code: fault.code, message: fault.message }).toEqual({
      code: 'SOURCE_TIMEOUT',
      message: 'HOST did not answer within 200 ms',
    })
  })

  test('a connection that cannot be made in time is a fault', async () => {
    const { url } = await startFaultServer({ onConnection: () => {}, scheme: 'https' })
    const fault = await faultAt(url, { ca: ours.ca, timing: { connectMs: 200 } })
    expect({ code: fault.code, message: fault.message }).toEqual({
      code: 'SOURCE_TIMEOUT',
      message: 'HOST could not be connected to in time',
    })
  })

  test('a stop does not wait for a connection that is being made', async () => {
    const server = await startFaultServer({ onConnection: () => {}, scheme: 'https' })
    const { source } = createHarness({
      urls: [server.url],
      ca: ours.ca,
      timing: { connectMs: 600_000, answerMs: 600_000 },
    })
    const started = source.start()
    await waitFor(() => server.connections().open === 1, { what: 'a connection' })
    await source.stop()
    await started
    await waitFor(() => server.connections().open === 0, { what: 'the end of the connection' })
  })

  test('a certificate that goes bad leaves the reading alone', async () => {
    const good = await startFaultServer({ tls: await ours.issue({ altName: HERE }) })
    const held = await holdReading({ server: good, ca: ours.ca })
    await good.close()
    const expired = await ours.issue({ altName: HERE, to: '20200201000000Z' })
    const bad = await startFaultServer({ script: serveGood, tls: expired, port: good.port })
    await waitFor(() => held.source.status().fault?.code === 'SOURCE_TLS_EXPIRED', { what: 'the expiry' })
    expectUntouched(held)
    await bad.close()
    await startFaultServer({ script: serveGood, tls: await ours.issue({ altName: HERE }), port: good.port })
    await waitFor(() => held.source.status().fault === null, { what: 'the end of the fault' })
    expectUntouched(held)
  })
})
