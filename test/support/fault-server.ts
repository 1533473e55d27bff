/**
 * A control plane that misbehaves on purpose: a raw TCP (or TLS) server whose script writes what it likes, byte by byte.
 *
 * node:http would mend or refuse much of what is wanted here: wrong lengths, cut chunks, endless bodies.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { atEnd } from './at-end.ts'

export type FaultRequest = {
  readonly method: string
  readonly path: string
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  /** From 0, over all connections. */
  readonly index: number
  /** Milliseconds of a monotonic clock. */
  readonly at: number
}

export type Script = (socket: Socket, request: FaultRequest) => void | Promise<void>

export type FaultServer = {
  readonly url: string
  readonly port: number
  /** Every request so far. */
  readonly requests: readonly FaultRequest[]
  /** From the next request on, this answers. */
  play(script: Script): void
  /** Connections that are open now, and that were ever opened. */
  connections(): { readonly open: number; readonly ever: number }
  close(): Promise<void>
}

type Options = {
  readonly script?: Script
  readonly tls?: TlsOptions
  /** Called for each connection instead of waiting for a request. */
  readonly onConnection?: (socket: Socket) => void
  readonly scheme?: 'http' | 'https'
  readonly host?: string
  readonly port?: number
}

function parseHead(head: string, index: number): FaultRequest {
  const [requestLine = '', ...lines] = head.split('\r\n')
  const [method = '', path = ''] = requestLine.split(' ')
  const headers = new Map(
    lines.map(line => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  return { method, path, headers, index, at: performance.now() }
}

export async function startFaultServer({
  script,
  tls,
  onConnection,
  scheme,
  host,
  port,
}: Options = {}): Promise<FaultServer> {
  let current: Script = script ?? (socket => void socket.write(response(503)))
  let ever = 0
  const requests: FaultRequest[] = []
  const sockets = new Set<Socket>()
  const serve = (socket: Socket) => {
    let pending = ''
    socket.on('error', () => {})
    socket.on('data', data => {
      pending += data.toString('latin1')
      for (let end = pending.indexOf('\r\n\r\n'); end >= 0; end = pending.indexOf('\r\n\r\n')) {
        const request = parseHead(pending.slice(0, end), requests.length)
        pending = pending.slice(end + 4)
        requests.push(request)
        void current(socket, request)
      }
    })
  }
  const server: Server =
    tls === undefined ? createServer(onConnection ?? serve) : createTlsServer(tls, onConnection ?? serve)
  server.on('connection', socket => {
    ever += 1
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
    // Without a reader the other side's end would go unseen.
    if (onConnection !== undefined) socket.resume()
  })
  server.on('tlsClientError', () => {})
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port ?? 0, host ?? '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a server without a port')
  const close = async () => {
    for (const socket of sockets) socket.destroy()
    if (server.listening) await new Promise<void>(resolve => void server.close(() => resolve()))
  }
  atEnd(close)
  return {
    url: `${scheme ?? (tls === undefined ? 'http' : 'https')}://${host ?? '127.0.0.1'}:${address.port}`,
    port: address.port,
    requests,
    play: next => {
      current = next
    },
    connections: () => ({ open: sockets.size, ever }),
    close,
  }
}

export type ResponseHeaders = Readonly<Record<string, string | number>>

/** Status line and headers, with the empty line that ends them. */
export function head(status: number, headers: ResponseHeaders = {}): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  return `HTTP/1.1 ${status} Scripted\r\n${lines.join('')}\r\n`
}

/** A whole response with its length. 304 has no body. */
export function response(status: number, headers: ResponseHeaders = {}, body: string | Uint8Array = ''): Buffer {
  const bytes = Buffer.from(body)
  const length = status === 304 ? {} : { 'content-length': bytes.length }
  return Buffer.concat([Buffer.from(head(status, { ...length, ...headers })), bytes])
}

export const JSON_HEADERS = { 'content-type': 'application/json' }

export const jsonResponse = (document: unknown, headers: ResponseHeaders = {}): Buffer =>
  response(200, { ...JSON_HEADERS, ...headers }, JSON.stringify(document))

/** A chunked body, its last chunk included. */
export function chunked(body: string | Uint8Array, size: number): Buffer {
  const bytes = Buffer.from(body)
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; at += size) {
    const part = bytes.subarray(at, at + size)
    parts.push(Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n'))
  }
  return Buffer.concat([...parts, Buffer.from('0\r\n\r\n')])
}

/** Writes `piece` again and again, as fast as it is read, until the other side goes away or `maxBytes` are out. Gives the number of bytes. */
export async function pour(socket: Socket, piece: Uint8Array, maxBytes: number): Promise<number> {
  let sent = 0
  while (!socket.destroyed && sent < maxBytes) {
    sent += piece.length
    if (socket.write(piece)) await new Promise(resolve => setImmediate(resolve))
    else
      await new Promise<void>(resolve => {
        socket.once('drain', resolve)
        socket.once('close', () => resolve())
      })
  }
  return sent
}
