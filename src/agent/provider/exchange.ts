/** One answer on its way into a socket: whole or not at all, and not for longer than it may take. */
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Answer } from './answer.ts'
import { type Connection, cutOff, type Exchange } from './connections.ts'

/** Request bodies are not read, so a connection that brings one cannot be used again. */
export const bringsBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0

export type Sending = {
  readonly connection: Connection
  readonly exchange: Exchange
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly answer: Answer
  /** The connection ends after this answer. */
  readonly last: boolean
  readonly deadlineMs: number
  readonly nowMs: () => number
  /** The kernel has the last byte. Not called when the connection breaks before. */
  readonly onOut: () => void
  /** The client did not read in time, and its connection is cut off. */
  readonly onSlow: () => void
}

export function sendAnswer(sending: Sending): void {
  const { connection, exchange, request, response, answer, last } = sending
  exchange.answeringSinceMs = sending.nowMs()
  const deadline = setTimeout(() => {
    cutOff(connection)
    sending.onSlow()
  }, sending.deadlineMs)
  response.once('close', () => clearTimeout(deadline))
  response.once('finish', () => {
    connection.exchanges.delete(exchange)
    connection.quietSinceMs = sending.nowMs()
    connection.answered = true
    sending.onOut()
  })
  response.writeHead(answer.status, { ...answer.headers, ...(last ? { Connection: 'close' } : {}) })
  response.end(request.method === 'HEAD' ? undefined : answer.body)
}

/** The answer to bytes that are no request, or that came too slowly to be one: a bare status, and the end of the connection. */
export function refuseMalformed(
  error: NodeJS.ErrnoException,
  socket: Duplex,
  connection: Connection | undefined,
): void {
  if (connection === undefined) {
    socket.destroy()
    return
  }
  // Between the head of an answer and its end, another one would be taken for a part of the body. And a client that has said nothing, such
  // as a connection that Go opened in reserve, would take it for the answer to its first request.
  const mayAnswer = connection.exchanges.size === 0 && connection.socket.bytesRead > 0 && socket.writable
  if (!mayAnswer) {
    cutOff(connection)
    return
  }
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`, () => {
    socket.destroy()
  })
}
