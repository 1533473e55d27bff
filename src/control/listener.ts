/**
 * The port of the control plane: there before the database is, and until the last answer has been given.
 *
 * The certificate is exchanged under it (`setTls`), without closing anything.
 */
import {
  createServer as createHttpServer,
  type RequestListener,
  type Server,
  type ServerResponse,
  STATUS_CODES,
} from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import { PROBLEM_TYPE } from '../api/problem.ts'
import { PROBLEM_CODES, type ProblemCode } from '../api/problem-codes.ts'
import type { ListenAddress } from '../lib/setting-types.ts'
import { makeId } from './db/id.ts'

export type TlsMaterial = { readonly cert: string; readonly key: string }

export type Listener = {
  /** Resolves with the address once it listens. Rejects when it cannot. */
  readonly listen: (address: ListenAddress) => Promise<ListenAddress>
  /** For connections from now on. Throws when the two do not fit each other. */
  readonly setTls: (material: TlsMaterial) => void
  /** Takes no new connections, and resolves when the last one has gone; `graceMs` later all are cut. */
  readonly close: (graceMs: number) => Promise<void>
  readonly connections: () => Promise<number>
}

export type ListenerTimes = {
  /** A request must arrive whole in this time: without it, slow ones would hold all connections. */
  readonly requestMs: number
  readonly headersMs: number
  /** How often it is looked for those that are late. */
  readonly checkMs: number
}

const TIMES: ListenerTimes = { requestMs: 30_000, headersMs: 15_000, checkMs: 5_000 }
/** Longer than proxies keep a connection that they might use again (60 s is usual), so that none sends into one that we are closing. */
const KEEP_ALIVE_TIMEOUT_MS = 72_000
const MAX_HEADER_BYTES = 16 * 1024
const MAX_CONNECTIONS = 20_000
const IDLE_SWEEP_MS = 50

const optionsOf = ({ requestMs, headersMs, checkMs }: ListenerTimes) => ({
  requestTimeout: requestMs,
  headersTimeout: headersMs,
  keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
  maxHeaderSize: MAX_HEADER_BYTES,
  connectionsCheckingInterval: checkMs,
})

/** Of a problem that no handler can answer, since there is no request yet. */
function rawProblem(code: ProblemCode, detail: string): string {
  const { status, title, remedy } = PROBLEM_CODES[code]
  const requestId = makeId('req')
  const type = `urn:fairlead:problem:${code}`
  const body = JSON.stringify({ type, title, status, code, detail, remedy, requestId })
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    `x-request-id: ${requestId}`,
    'connection: close',
    '',
    body,
  ].join('\r\n')
}

function clientProblem(code: string | undefined, { requestMs }: ListenerTimes): string {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return rawProblem('HEADERS_TOO_LARGE', `the headers have more than ${MAX_HEADER_BYTES} bytes`)
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return rawProblem('REQUEST_TIMEOUT', `the request did not arrive within ${requestMs / 1000} s`)
    default:
      return rawProblem('REQUEST_MALFORMED', 'what came is not a request of HTTP/1.1')
  }
}

const codeOf = (error: Error): string | undefined =>
  'code' in error && typeof error.code === 'string' ? error.code : undefined

/** @param tls null: plain http */
export function createListener(tls: TlsMaterial | null, handler: RequestListener, times = TIMES): Listener {
  const answers = new WeakMap<Socket, ServerResponse>()
  const onRequest: RequestListener = (request, response) => {
    answers.set(request.socket, response)
    handler(request, response)
  }
  const options = optionsOf(times)
  const secure = tls === null ? null : createHttpsServer({ ...options, ...tls, minVersion: 'TLSv1.2' }, onRequest)
  const server: Server = secure ?? createHttpServer(options, onRequest)
  server.maxConnections = MAX_CONNECTIONS
  server.on('clientError', (error: Error, socket: Socket) => {
    // Nobody is there to read an answer, or one has begun already and is not at its end.
    const answer = answers.get(socket)
    const isAnswering = answer?.headersSent === true && !answer.writableFinished
    if (!socket.writable || isAnswering) return void socket.destroy()
    socket.end(clientProblem(codeOf(error), times), () => socket.destroy())
  })
  secure?.on('tlsClientError', (_error, socket) => socket.destroy())

  return {
    listen: ({ host, port }) =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen({ host, port, exclusive: true }, () => {
          server.removeListener('error', reject)
          // No file descriptors left costs one client its connection, not everybody the process.
          server.on('error', () => {})
          const bound = server.address()
          resolve({ host, port: bound === null || typeof bound === 'string' ? port : bound.port })
        })
      }),
    setTls: ({ cert, key }) => secure?.setSecureContext({ cert, key }),
    close: graceMs =>
      new Promise(resolve => {
        if (!server.listening) return resolve()
        // Those that are in use now become idle one after the other.
        const sweep = setInterval(() => server.closeIdleConnections(), IDLE_SWEEP_MS)
        const cut = setTimeout(() => server.closeAllConnections(), graceMs)
        server.close(() => {
          clearInterval(sweep)
          clearTimeout(cut)
          resolve()
        })
        server.closeIdleConnections()
      }),
    connections: () => new Promise(resolve => server.getConnections((error, count) => resolve(error ? 0 : count))),
  }
}
