/** Upstreams for tests: each listens on a free port of 127.0.0.1, says its name to whoever comes, and is closed at the end of the test. */
import { createSocket } from 'node:dgram'
import { createServer as createHttpServer, type IncomingHttpHeaders } from 'node:http'
import { createServer, type Socket, type Server as TcpServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { atEnd } from './at-end.ts'
import { selfSigned } from './certificates.ts'

const LOOPBACK = '127.0.0.1'

export type Backend = {
  readonly name: string
  readonly port: number
  /** `127.0.0.1:PORT`, as an upstream is written. */
  readonly address: string
  /** How many connections (TCP, TLS), requests (HTTP) or datagrams (UDP) have come. */
  hits(): number
  close(): Promise<void>
}

export type TcpBackendOptions = {
  readonly name: string
  /**
   * `banner` (default): says `NAME\n` at once, as a server-first protocol does, then answers each chunk with itself.
   * `answer`: waits for the client's bytes, then says `NAME\n`.
   * `silent`: keeps the connection open and says nothing.
   */
  readonly speak?: 'banner' | 'answer' | 'silent'
  /** A wanted port, to come back on the same one; else a free one. */
  readonly port?: number
}

export type TcpBackend = Backend & {
  /** All bytes that came, in the order of their coming, over all connections. */
  received(): Buffer
}

/** A plain TCP server. */
export async function startTcpBackend({ name, speak = 'banner', port = 0 }: TcpBackendOptions): Promise<TcpBackend> {
  const chunks: Buffer[] = []
  let hits = 0
  const server = createServer(socket => {
    hits += 1
    if (speak === 'banner') socket.write(`${name}\n`)
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      if (speak === 'banner') socket.write(chunk)
      if (speak === 'answer') socket.write(`${name}\n`)
    })
  })
  return { ...(await listen(server, { name, port, hits: () => hits })), received: () => Buffer.concat(chunks) }
}

/** A TLS server with a self-signed certificate for its name, which must be a host name; it says `NAME\n` after the handshake. */
export async function startTlsBackend({ name, port = 0 }: { name: string; port?: number }): Promise<Backend> {
  let hits = 0
  const server = createTlsServer(await selfSigned(name), socket => {
    hits += 1
    socket.on('error', () => {})
    socket.write(`${name}\n`)
  })
  return listen(server, { name, port, hits: () => hits })
}

/** A UDP server that answers each datagram with `NAME:TEXT`. */
export async function startUdpBackend({ name, port = 0 }: { name: string; port?: number }): Promise<Backend> {
  let hits = 0
  const socket = createSocket('udp4')
  socket.on('message', (message, from) => {
    hits += 1
    socket.send(`${name}:${message.toString('utf8')}`, from.port, from.address)
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(port, LOOPBACK, resolve)
  })
  let closed = false
  const close = () =>
    new Promise<void>(resolve => {
      if (closed) return resolve()
      closed = true
      socket.close(() => resolve())
    })
  atEnd(close)
  const bound = socket.address().port
  return { name, port: bound, address: `${LOOPBACK}:${bound}`, hits: () => hits, close }
}

export type HttpBackend = Backend & {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** Method, path and headers of each request, in order. */
  requests(): readonly { readonly method: string; readonly path: string; readonly headers: IncomingHttpHeaders }[]
}

/** An HTTP server that answers every request with 200 (or what `status` says for its path) and its name as the body. */
export async function startHttpBackend({
  name,
  port = 0,
  status = () => 200,
}: {
  name: string
  port?: number
  status?: (path: string) => number
}): Promise<HttpBackend> {
  const requests: { method: string; path: string; headers: IncomingHttpHeaders }[] = []
  const server = createHttpServer((request, response) => {
    const path = request.url ?? '/'
    requests.push({ method: request.method ?? '', path, headers: request.headers })
    response.writeHead(status(path), { 'content-type': 'text/plain' }).end(name)
  })
  const backend = await listen(server, { name, port, hits: () => requests.length })
  return { ...backend, url: `http://${backend.address}`, requests: () => [...requests] }
}

/** Starts to listen, and closes with all connections: a server alone would wait for them. */
async function listen(
  server: TcpServer,
  { name, port, hits }: { name: string; port: number; hits: () => number },
): Promise<Backend> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    // A client that resets is no fault of the test.
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, LOOPBACK, resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a server without a port')
  const close = async () => {
    for (const socket of sockets) socket.destroy()
    if (!server.listening) return
    await new Promise<void>(resolve => {
      server.close(() => resolve())
    })
  }
  atEnd(close)
  return { name, port: address.port, address: `${LOOPBACK}:${address.port}`, hits, close }
}
