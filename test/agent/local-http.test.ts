import { createServer, type IncomingMessage, type RequestListener, request, type Server } from 'node:http'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import {
  allowedHosts,
  hasAllowedHost,
  isLocalPeer,
  ListenError,
  listenOnLoopback,
  makeBearerCheck,
  sendPlain,
} from '../../src/agent/local-http.ts'
import { atEnd } from '../support/at-end.ts'

function newServer(listener: RequestListener = () => {}): Server {
  const server = createServer({ requireHostHeader: false }, listener)
  atEnd(() => new Promise(resolve => server.close(resolve)))
  return server
}

test.each([
  '0.0.0.0',
  '::',
  '10.0.0.1',
  '128.0.0.1',
  'example.com',
  'localhost.example.com',
  '',
  '127.1',
  '2130706433',
  '::ffff:127.0.0.1',
])('%j is no place to listen', async host => {
  const server = newServer()
  const starting = listenOnLoopback(server, { name: 'admin', listen: { host, port: 7481 } })
  await expect(starting).rejects.toThrow(ListenError)
  await expect(starting).rejects.toMatchObject({ code: 'LISTEN_NOT_LOOPBACK', retryable: false })
  expect(server.listening).toBe(false)
})

test('the refusal names address and setting', async () => {
  const starting = listenOnLoopback(newServer(), { name: 'admin', listen: { host: '0.0.0.0', port: 7481 } })
  await expect(starting).rejects.toThrow(
    'admin endpoint: 0.0.0.0:7481 is not a loopback address, and this endpoint is for this machine only; set admin.listen to 127.0.0.1:7481 or [::1]:7481',
  )
})

test.each([
  ['127.0.0.1', '127.0.0.1'],
  ['127.0.0.5', '127.0.0.5'],
  ['localhost', '127.0.0.1'],
  ['::1', '::1'],
])('%s is bound as %s', async (host, address) => {
  const server = newServer()
  const { port } = await listenOnLoopback(server, { name: 'provider', listen: { host, port: 0 } })
  expect(server.address()).toMatchObject({ address, port })
})

test('a taken port names who and what else', async () => {
  const { port } = await listenOnLoopback(newServer(), { name: 'provider', listen: { host: '127.0.0.1', port: 0 } })
  const second = listenOnLoopback(newServer(), { name: 'provider', listen: { host: '127.0.0.1', port } })
  await expect(second).rejects.toMatchObject({
    code: 'LISTEN_PORT_TAKEN',
    message: `provider endpoint: 127.0.0.1:${port} is in use by another process (perhaps another agent); \`ss -ltnp 'sport = :${port}'\` names it: stop it, or set provider.listen to a free port`,
    cause: { code: 'EADDRINUSE' },
  })
})

test('the allowed hosts are exact', () => {
  const hosts = allowedHosts({ host: '127.0.0.1', port: 0 }, 7480)
  expect([...hosts].sort()).toEqual(['127.0.0.1:7480', '[::1]:7480', 'localhost:7480'])
  expect(allowedHosts({ host: '127.0.0.5', port: 0 }, 7480).has('127.0.0.5:7480')).toBe(true)
  expect(allowedHosts({ host: '::1', port: 0 }, 80).has('[::1]')).toBe(true)
  expect(hosts.has('127.0.0.1')).toBe(false)
})

/** What the checks say of one real request with these headers. */
async function ask(headerLines: readonly string[], token: string | null): Promise<{ host: boolean; token: boolean }> {
  const tokenOk = makeBearerCheck(token)
  const results: { host: boolean; token: boolean }[] = []
  const server = newServer((incoming, response) => {
    results.push({
      host: hasAllowedHost(incoming, allowedHosts({ host: '127.0.0.1', port }, 7480)),
      token: tokenOk(incoming),
    })
    sendPlain(response, { status: 200, text: 'done' })
  })
  const { port } = await listenOnLoopback(server, { name: 'admin', listen: { host: '127.0.0.1', port: 0 } })
  await new Promise<void>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', reject)
    socket.on('close', () => resolve())
    socket.resume()
    socket.write(`GET / HTTP/1.1\r\n${[...headerLines, 'Connection: close'].map(line => `${line}\r\n`).join('')}\r\n`)
  })
  const [result] = results
  if (result === undefined) throw new Error('the request did not arrive')
  return result
}

test.each<[string, readonly string[], boolean]>([
  ['the address with the port', ['Host: 127.0.0.1:7480'], true],
  ['localhost in capitals', ['Host: LOCALHOST:7480'], true],
  ['IPv6', ['Host: [::1]:7480'], true],
  ['another name', ['Host: evil.test'], false],
  ['another name with the port', ['Host: evil.test:7480'], false],
  ['a name that begins alike', ['Host: localhost.evil.test:7480'], false],
  ['another port', ['Host: 127.0.0.1:7481'], false],
  ['no port', ['Host: 127.0.0.1'], false],
  ['another writing of the address', ['Host: 127.1:7480'], false],
  ['a dot at the end', ['Host: localhost.:7480'], false],
  ['an empty one', ['Host:'], false],
  ['none', [], false],
  ['two that are right', ['Host: 127.0.0.1:7480', 'Host: 127.0.0.1:7480'], false],
  ['a right one and a wrong one', ['Host: 127.0.0.1:7480', 'Host: evil.test'], false],
])('host check: %s', async (_title, lines, expected) => {
  expect((await ask(lines, null)).host).toBe(expected)
})

const TOKEN = 'correct-horse-battery-staple'
test.each<[string, readonly string[], boolean]>([
  ['the right one', [`Authorization: Bearer ${TOKEN}`], true],
  ['the scheme in lower case', [`Authorization: bearer ${TOKEN}`], true],
  ['none', [], false],
  ['an empty one', ['Authorization: Bearer '], false],
  ['a shorter one', [`Authorization: Bearer ${TOKEN.slice(0, -1)}`], false],
  ['a longer one', [`Authorization: Bearer ${TOKEN}x`], false],
  ['one of equal length', [`Authorization: Bearer ${TOKEN.replace('c', 'k')}`], false],
  ['one in capitals', [`Authorization: Bearer ${TOKEN.toUpperCase()}`], false],
  ['another scheme', [`Authorization: Basic ${TOKEN}`], false],
  ['without a scheme', [`Authorization: ${TOKEN}`], false],
  ['twice', [`Authorization: Bearer ${TOKEN}`, `Authorization: Bearer ${TOKEN}`], false],
])('token check: %s', async (_title, lines, expected) => {
  expect((await ask(['Host: 127.0.0.1:7480', ...lines], TOKEN)).token).toBe(expected)
})

test('an empty token lets nobody in', async () => {
  expect((await ask(['Host: x', 'Authorization: Bearer '], '')).token).toBe(false)
})

test('without a token everybody passes', async () => {
  expect((await ask(['Host: x', 'Authorization: Bearer guess'], null)).token).toBe(true)
})

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['10.0.0.1', false],
  ['::ffff:10.0.0.1', false],
  [undefined, false],
])('%s is a local peer: %s', (address, expected) => {
  expect(isLocalPeer(address)).toBe(expected)
})

test('a plain answer has its length', async () => {
  const server = newServer((_incoming, response) =>
    sendPlain(response, { status: 418, text: 'tëa', headers: { 'X-A': 'b' } }),
  )
  const { port } = await listenOnLoopback(server, { name: 'admin', listen: { host: '127.0.0.1', port: 0 } })
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    request({ port, host: '127.0.0.1', agent: false }, resolve).on('error', reject).end()
  })
  const chunks = await answer.toArray()
  expect(Buffer.concat(chunks).toString()).toBe('tëa\n')
  expect({ status: answer.statusCode, headers: answer.headers }).toEqual({
    status: 418,
    headers: {
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'content-type': 'text/plain; charset=utf-8',
      'content-length': '5',
      'x-a': 'b',
      date: expect.any(String),
      connection: 'close',
    },
  })
})
