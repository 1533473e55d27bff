/** What the routes of `--demo` lead to: five small servers in this process, on loopback ports that the kernel gives. */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { createServer, type Socket, type Server as TcpServer } from 'node:net'
import { generate } from 'selfsigned'
import { answerDns } from './demo-dns.ts'

const LOOPBACK = '127.0.0.1'
const MAX_CONNECTIONS = 200
const MAX_LINE_BYTES = 1_000

export const TLS_HOSTS = ['a.demo.localhost', 'b.demo.localhost'] as const
export const WEB_HOST = 'app.demo.localhost'

export type DemoPorts = {
  readonly lines: number
  readonly web: number
  readonly udp: number
  /** In the order of TLS_HOSTS. */
  readonly tls: readonly number[]
}

export type DemoBackends = { readonly ports: DemoPorts; readonly close: () => Promise<void> }

/** Says who it is before it is asked, as databases and mail servers do, and gives each line back; `quit` ends it. */
function serveLines(socket: Socket): void {
  socket.setTimeout(300_000, () => socket.destroy())
  socket.write('demo-lines: you came through a plain TCP route; each line comes back, quit ends it\n')
  let pending = ''
  socket.setEncoding('utf8').on('data', chunk => {
    const lines = `${pending}${String(chunk)}`.split('\n')
    pending = (lines.pop() ?? '').slice(0, MAX_LINE_BYTES)
    for (const line of lines) {
      if (line.trim() === 'quit') return void socket.end('bye\n')
      socket.write(`demo-lines: ${line.slice(0, MAX_LINE_BYTES)}\n`)
    }
  })
}

type Listening = { readonly port: number; readonly close: () => Promise<void> }

/** Closes with all of its connections. */
async function listen(server: TcpServer): Promise<Listening> {
  const sockets = new Set<Socket>()
  server.maxConnections = MAX_CONNECTIONS
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, LOOPBACK, resolve)
  })
  server.on('error', () => {})
  const address = server.address()
  return {
    port: address === null || typeof address === 'string' ? 0 : address.port,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

const page = (text: string) => ({
  'content-type': 'text/plain; charset=utf-8',
  'content-length': Buffer.byteLength(text),
})

const startWeb = (): Promise<Listening> =>
  listen(
    createHttpServer((request, response) => {
      const text = `demo-app: this is ${request.headers.host ?? 'nobody'}${request.url ?? '/'}, through an HTTP route\n`
      response.writeHead(200, page(text)).end(text)
    }),
  )

/** TLS ends here and not in the proxy: the certificate shows it. */
async function startTls(host: string): Promise<Listening> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: host }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'subjectAltName', altNames: [{ type: 2, value: host }] },
    ],
  })
  const server = createHttpsServer({ key, cert }, (_request, response) => {
    const text = `demo: this is ${host}, found by its server name; TLS was passed through and ends here\n`
    response.writeHead(200, page(text)).end(text)
  })
  // Somebody who tries with plain text, or does not trust the certificate.
  server.on('tlsClientError', (_error, socket) => socket.destroy())
  return listen(server)
}

/** Answers DNS queries as DNS, and anything else with its own words. */
async function startUdp(): Promise<Listening> {
  const socket: UdpSocket = createSocket('udp4')
  socket.on('message', (message, from) => {
    const said = message.toString('utf8').trim().slice(0, MAX_LINE_BYTES)
    const answer =
      answerDns(message, name => `demo-udp: you asked for ${name}`) ?? Buffer.from(`demo-udp: you said ${said}\n`)
    socket.send(answer, from.port, from.address, () => {})
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
    socket.bind(0, LOOPBACK, resolve)
  })
  socket.on('error', () => {})
  return { port: socket.address().port, close: () => new Promise(resolve => socket.close(() => resolve())) }
}

/** All or none. */
export async function startDemoBackends(): Promise<DemoBackends> {
  const open: Listening[] = []
  const close = async () => {
    await Promise.all(open.splice(0).map(listening => listening.close()))
  }
  const keep = async (starting: Promise<Listening>): Promise<number> => {
    const listening = await starting
    open.push(listening)
    return listening.port
  }
  try {
    const lines = await keep(listen(createServer(serveLines)))
    const web = await keep(startWeb())
    const udp = await keep(startUdp())
    const tls: number[] = []
    for (const host of TLS_HOSTS) tls.push(await keep(startTls(host)))
    return { ports: { lines, web, udp, tls }, close }
  } catch (error) {
    await close()
    throw error
  }
}
