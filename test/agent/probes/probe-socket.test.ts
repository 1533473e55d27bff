/** Probes against real servers, good and bad, without a proxy in between. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { createServer, type Socket } from 'node:net'
import { createSecureContext, createServer as createTlsServer, TLSSocket } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { askThrough } from '../../../src/agent/probes/probe-socket.ts'
import { type Heard, judgeProbe } from '../../../src/core/probe/probe.ts'
import type { ProbeSpec } from '../../../src/core/probe/spec.ts'
import type { ProbeTarget } from '../../../src/core/probe/target.ts'
import { atEnd } from '../../support/at-end.ts'
import { startHttpBackend, startTcpBackend, startTlsBackend, startUdpBackend } from '../../support/backends.ts'
import { selfSigned } from '../../support/certificates.ts'
import { part } from '../../support/parts.ts'
import { freePort } from '../../support/ports.ts'
import { waitFor } from '../../support/wait-for.ts'

const hex = (text: string): string => Buffer.from(text, 'latin1').toString('hex')

const at = (port: number, type: ProbeSpec['type'], fields: Partial<ProbeSpec> = {}): ProbeTarget => ({
  key: 'tcp/x',
  host: '127.0.0.1',
  port,
  serverName: null,
  secure: false,
  path: '/',
  spec: { type, sendHex: null, expectHex: null, intervalSeconds: 30, ...fields },
  periodic: true,
  version: '1',
})

const ask = (target: ProbeTarget, deadlineMs = 5_000, openMs = 100): Promise<Heard | null> =>
  askThrough(target, { signal: new AbortController().signal, deadlineMs, openMs })

/** A server whose script has the connection; gives its port and how many connections are open. */
async function serve(
  script: (socket: Socket) => void,
): Promise<{ readonly port: number; readonly open: () => number }> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    socket.resume()
    script(socket)
  })
  await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve))
  atEnd(async () => {
    for (const socket of sockets) socket.destroy()
    await new Promise(resolve => server.close(resolve))
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { port: address.port, open: () => sockets.size }
}

const told = (heard: Heard | null): unknown =>
  heard?.kind === 'answer' ? Buffer.from(heard.bytes).toString('latin1') : heard

describe('connect', () => {
  test('a silent server keeps the connection', async () => {
    const { port } = await startTcpBackend({ name: 'x', speak: 'silent' })
    expect(await ask(at(port, 'connect'))).toEqual({ kind: 'open', ms: 100 })
  })

  test('a greeting is a sign of life', async () => {
    const { port } = await startTcpBackend({ name: 'hello' })
    expect(told(await ask(at(port, 'connect'), 5_000, 60_000))).toBe('hello\n')
  })

  test('words are sent, and their answer is waited for', async () => {
    const { port, received } = await startTcpBackend({ name: '+PONG', speak: 'answer' })
    expect(told(await ask(at(port, 'connect', { sendHex: hex('PING'), expectHex: hex('+PONG\n') })))).toBe('+PONG\n')
    expect(received().toString()).toBe('PING')
  })

  test('an answer may come in pieces', async () => {
    const { port } = await serve(socket => {
      socket.write('+P')
      setTimeout(() => socket.write('ONG'), 20)
    })
    expect(told(await ask(at(port, 'connect', { expectHex: hex('+PONG') })))).toBe('+PONG')
  })

  test('a closed connection is told from a refused one', async () => {
    const { port } = await serve(socket => socket.end())
    expect(await ask(at(port, 'connect'))).toEqual({ kind: 'closed', during: 'answer' })
    const reset = await serve(socket => socket.resetAndDestroy())
    expect(await ask(at(reset.port, 'connect'))).toEqual({ kind: 'closed', during: 'answer' })
    expect(await ask(at(await freePort('tcp'), 'connect'))).toEqual({ kind: 'refused' })
  })

  test('no answer ends at the deadline', async () => {
    const { port } = await startTcpBackend({ name: 'x', speak: 'silent' })
    expect(await ask(at(port, 'connect', { expectHex: '' }), 100)).toEqual({ kind: 'silent', during: 'answer' })
  })

  test('an answer without end is not read to the end', async () => {
    const { port, open } = await serve(socket => {
      const pour = () => {
        while (socket.write(Buffer.alloc(65_536)));
        socket.once('drain', pour)
      }
      pour()
    })
    const heard = await ask(at(port, 'connect', { expectHex: '00'.repeat(256) }))
    expect(heard?.kind).toBe('answer')
    await waitFor(() => open() === 0, { what: 'the connection to be closed' })
  })
})

describe.skipIf(!part('openssl'))('tls', () => {
  test('shows the certificate of the server', async () => {
    const { port } = await startTlsBackend({ name: 'db.example.com' })
    const target = { ...at(port, 'tls'), serverName: 'db.example.com' }
    const heard = await ask(target)
    if (heard === null) throw new Error('nothing heard')
    expect(judgeProbe(target, heard, Date.now(), 3_000)).toMatchObject({
      ok: true,
      certificate: { commonName: 'db.example.com' },
    })
    const other = { ...target, serverName: 'other.example.com' }
    expect(judgeProbe(other, heard, Date.now(), 3_000).ok).toBe(false)
  })

  test('sends the server name, and none without one', async () => {
    const names: unknown[] = []
    const certificate = await selfSigned('x.example.com')
    const server = createTlsServer({
      ...certificate,
      SNICallback: (name, done) => {
        names.push(name)
        done(null, createSecureContext(certificate))
      },
    })
    server.on('secureConnection', socket => {
      names.push(socket.servername)
      socket.on('error', () => {}).resume()
    })
    server.on('tlsClientError', () => {})
    await new Promise<void>(resolve => void server.listen(0, '127.0.0.1', resolve))
    atEnd(() => new Promise<void>(resolve => void server.close(() => resolve())))
    const address = server.address()
    const port = address === null || typeof address === 'string' ? 0 : address.port
    expect((await ask({ ...at(port, 'tls'), serverName: 'a.example.com' }))?.kind).toBe('secure')
    expect((await ask(at(port, 'tls')))?.kind).toBe('secure')
    await waitFor(() => names.length === 3, { what: 'both handshakes' })
    expect(names).toEqual(['a.example.com', 'a.example.com', false])
  })

  test('a server that speaks something else is told by TLS', async () => {
    const { port } = await startTcpBackend({ name: '220 smtp' })
    expect(await ask(at(port, 'tls'))).toMatchObject({ kind: 'tls-failed', code: expect.stringMatching(/^ERR_SSL_/) })
  })

  test('a closed connection is one during the handshake', async () => {
    const { port } = await serve(socket => socket.end())
    expect(await ask(at(port, 'tls'))).toEqual({ kind: 'closed', during: 'handshake' })
    expect(await ask(at(await freePort('tcp'), 'tls'))).toEqual({ kind: 'refused' })
  })

  test('silence is one during the handshake', async () => {
    const { port } = await startTcpBackend({ name: 'x', speak: 'silent' })
    expect(await ask(at(port, 'tls'), 100)).toEqual({ kind: 'silent', during: 'handshake' })
  })
})

describe('postgres', () => {
  const answering = (byte: string, then: (socket: Socket) => void = () => {}) =>
    serve(socket => {
      socket.once('data', data => {
        expect(data.toString('hex')).toBe('0000000804d2162f')
        // Before the answer is out: the TLS hello must find the handshake waiting.
        if (byte === 'S') then(socket)
        socket.write(byte)
      })
    })

  test('N is an answer', async () => {
    const { port } = await answering('N')
    expect(told(await ask(at(port, 'postgres')))).toBe('N')
  })

  test.skipIf(!part('openssl'))('S is followed by a handshake with the server name', async () => {
    const certificate = await selfSigned('db.example.com')
    const names: unknown[] = []
    const { port, open } = await answering('S', socket => {
      socket.removeAllListeners('data')
      socket.pause()
      setImmediate(() => {
        const secure = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext(certificate) })
        secure.on('error', () => {})
        secure.on('secure', () => names.push(Reflect.get(secure, 'servername')))
      })
    })
    const heard = await ask({ ...at(port, 'postgres'), serverName: 'db.example.com' })
    if (heard?.kind !== 'secure') throw new Error(`heard ${JSON.stringify(heard)}`)
    expect(heard.certificate?.subject).toBe('CN=db.example.com')
    await waitFor(() => open() === 0 && names.length === 1, { what: 'the connection to be closed' })
    expect(names).toEqual(['db.example.com'])
  })

  test('more than one byte is no answer of Postgres', async () => {
    const { port } = await answering('SS')
    expect(told(await ask(at(port, 'postgres')))).toBe('SS')
  })

  test('S and then the end is a broken handshake', async () => {
    const { port } = await serve(socket => socket.once('data', () => socket.end('S')))
    expect(await ask(at(port, 'postgres'))).toEqual({ kind: 'closed', during: 'handshake' })
  })
})

describe('http', () => {
  test('one HEAD with the host of the route', async () => {
    const { port, requests } = await startHttpBackend({ name: 'web', status: () => 204 })
    const target = { ...at(port, 'http'), serverName: 'app.example.com', path: '/api' }
    expect(told(await ask(target))).toMatch(/^HTTP\/1\.1 204 /)
    expect(requests()).toMatchObject([
      { method: 'HEAD', path: '/api', headers: { host: 'app.example.com', 'user-agent': 'fairlead-probe' } },
    ])
  })
})

describe('udp', () => {
  test('the answer to what was sent', async () => {
    const { port } = await startUdpBackend({ name: 'dns' })
    expect(told(await ask(at(port, 'udp', { sendHex: hex('hello') })))).toBe('dns:hello')
  })

  test('a port without a listener is refused', async () => {
    expect(await ask(at(await freePort('udp'), 'udp', { sendHex: '00' }))).toEqual({ kind: 'refused' })
  })

  test('a lost packet is sent again', async () => {
    let seen = 0
    const socket: UdpSocket = createSocket('udp4')
    socket.on('message', (_, from) => {
      seen += 1
      if (seen === 2) socket.send('late', from.port, from.address)
    })
    await new Promise<void>(resolve => void socket.bind(0, '127.0.0.1', resolve))
    atEnd(() => new Promise<void>(resolve => void socket.close(() => resolve())))
    expect(told(await ask(at(socket.address().port, 'udp', { sendHex: '00' }), 900))).toBe('late')
    expect(seen).toBe(2)
  })

  test('silence ends at the deadline', async () => {
    const socket = createSocket('udp4')
    await new Promise<void>(resolve => void socket.bind(0, '127.0.0.1', resolve))
    atEnd(() => new Promise<void>(resolve => void socket.close(() => resolve())))
    const target = at(socket.address().port, 'udp', { sendHex: '00' })
    expect(await ask(target, 100)).toEqual({ kind: 'silent', during: 'answer' })
  })
})

describe('an abort', () => {
  test.each(['connect', 'tls', 'postgres', 'http'] as const)('ends %s at once and closes', async type => {
    const { port, open } = await serve(() => {})
    const aborter = new AbortController()
    const asked = askThrough(at(port, type), { signal: aborter.signal, deadlineMs: 60_000, openMs: 60_000 })
    await waitFor(() => open() === 1, { what: 'the connection' })
    aborter.abort()
    expect(await asked).toBeNull()
    await waitFor(() => open() === 0, { what: 'the connection to be closed' })
  })

  test('in the middle of an agreed handshake closes, too', async () => {
    let helloSeen = false
    const { port, open } = await serve(socket => {
      socket.once('data', () => {
        socket.write('S')
        socket.once('data', () => {
          helloSeen = true
        })
      })
    })
    const aborter = new AbortController()
    const asked = askThrough(at(port, 'postgres'), { signal: aborter.signal, deadlineMs: 60_000, openMs: 60_000 })
    await waitFor(() => helloSeen, { what: 'the TLS hello' })
    aborter.abort()
    expect(await asked).toBeNull()
    await waitFor(() => open() === 0, { what: 'the connection to be closed' })
  })

  test('before it began opens nothing', async () => {
    const signal = AbortSignal.abort()
    expect(await askThrough(at(1, 'connect'), { signal, deadlineMs: 1_000, openMs: 1_000 })).toBeNull()
    expect(await askThrough(at(1, 'udp'), { signal, deadlineMs: 1_000, openMs: 1_000 })).toBeNull()
  })
})
