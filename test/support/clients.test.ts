import { expect, test } from 'vitest'
import { startHttpBackend, startTcpBackend, startTlsBackend, startUdpBackend } from './backends.ts'
import { httpGet, tcpAsk, tcpName, tlsAsk, tlsPeerCertificate, udpAsk } from './clients.ts'
import { part } from './parts.ts'

test('a server-first backend says its name unasked', async () => {
  const backend = await startTcpBackend({ name: 'mysql' })
  expect(await tcpAsk(backend.port)).toEqual({ kind: 'said', text: 'mysql' })
  expect(backend.hits()).toBe(1)
})

test('a client-first backend waits to be asked', async () => {
  const backend = await startTcpBackend({ name: 'redis', speak: 'answer' })
  expect(await tcpAsk(backend.port, { timeoutMs: 50 })).toEqual({ kind: 'silent' })
  expect(await tcpName(backend.port, { send: 'PING\n' })).toBe('redis')
  expect(backend.received().toString()).toBe('PING\n')
})

test('a closed backend refuses and may come back', async () => {
  const backend = await startTcpBackend({ name: 'one' })
  await backend.close()
  await backend.close()
  expect(await tcpAsk(backend.port)).toEqual({ kind: 'refused' })
  expect(await udpAsk(backend.port, 'x', 50)).toBeNull()
  const again = await startTcpBackend({ name: 'two', port: backend.port })
  expect(await tcpName(again.port)).toBe('two')
})

test.skipIf(!part('openssl'))('a TLS backend shows its own certificate', async () => {
  const backend = await startTlsBackend({ name: 'db.example.com' })
  expect(await tlsAsk(backend.port, 'db.example.com')).toMatchObject({
    commonName: 'db.example.com',
    text: 'db.example.com',
  })
  expect(await tlsPeerCertificate(backend.port, null)).toBe('db.example.com')
})

test('a plain server is no TLS server', async () => {
  const backend = await startTcpBackend({ name: 'plain' })
  expect(await tlsAsk(backend.port, 'db.example.com')).toEqual({ kind: 'closed' })
})

test('a UDP backend answers with name and text', async () => {
  const backend = await startUdpBackend({ name: 'dns' })
  expect(await udpAsk(backend.port, 'query')).toBe('dns:query')
})

test('an HTTP backend records what it was asked', async () => {
  const backend = await startHttpBackend({ name: 'web', status: path => (path === '/down' ? 503 : 200) })
  const answers = [
    await httpGet({ port: backend.port, host: 'a.test', path: '/x' }),
    await httpGet({ port: backend.port, path: '/down' }),
  ]
  expect(answers.map(({ status, body }) => [status, body])).toEqual([
    [200, 'web'],
    [503, 'web'],
  ])
  expect(backend.requests().map(({ path, headers }) => [path, headers.host])).toEqual([
    ['/x', 'a.test'],
    ['/down', 'localhost'],
  ])
})
