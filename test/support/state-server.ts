/**
 * A control plane in a test: one document, held until it changes, and any other answer that a test wants.
 *
 *   const plane = await startStateServer(documentWith({ tcpRoutes: [...] }, { revision: 1 }))
 *   plane.set(documentWith({ ... }, { revision: 2 }))       answers whoever waits
 *   plane.misbehave({ status: 200, body: '{}' })            until `set` or `behave`
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { atEnd } from './at-end.ts'

export type OtherAnswer = {
  readonly status: number
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

export type StateServer = {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** Publishes another document. */
  set(document: unknown): void
  /** Answers so instead, from now on, also to those who wait. Null: it hangs up on everybody. */
  misbehave(answer: OtherAnswer | null): void
  /** Answers with the document again. */
  behave(): void
  /** How many requests have come, and how many answers of each status went out. */
  counts(): { readonly requests: number; readonly answers: Readonly<Record<number, number>> }
  close(): Promise<void>
}

const PATH = '/api/v1/agent/expected-state'
const LONGEST_WAIT_MS = 25_000

const etagOf = (text: string): string => `"${createHash('sha256').update(text).digest('hex').slice(0, 16)}"`

/** How long the client wants to wait for something new (RFC 7240). */
function waitMs({ headers }: IncomingMessage): number {
  const seconds = /(?:^|[,;\s])wait=(\d+)/.exec(String(headers.prefer ?? ''))?.[1]
  return seconds === undefined ? 0 : Math.min(Number(seconds) * 1000, LONGEST_WAIT_MS)
}

export async function startStateServer(first: unknown): Promise<StateServer> {
  let text = JSON.stringify(first)
  let other: OtherAnswer | null | undefined
  let requests = 0
  const answers: Record<number, number> = {}
  const waiting = new Set<() => void>()
  const sockets = new Set<Socket>()

  function end(
    response: ServerResponse,
    status: number,
    headers: Readonly<Record<string, string>>,
    body: string,
  ): void {
    answers[status] = (answers[status] ?? 0) + 1
    response.writeHead(status, headers).end(body)
  }

  function answer(request: IncomingMessage, response: ServerResponse): void {
    if (other === null) {
      request.socket.destroy()
      return
    }
    if (other !== undefined) {
      end(response, other.status, { 'content-type': 'application/json', ...other.headers }, other.body)
      return
    }
    const etag = etagOf(text)
    if (request.headers['if-none-match'] !== etag)
      end(response, 200, { 'content-type': 'application/json', etag, 'preference-applied': 'wait' }, text)
    else end(response, 304, { etag, 'preference-applied': 'wait' }, '')
  }

  const server = createServer((request, response) => {
    requests += 1
    if (request.url?.startsWith(PATH) !== true) {
      end(response, 404, {}, '')
      return
    }
    const hold = other === undefined && request.headers['if-none-match'] === etagOf(text) ? waitMs(request) : 0
    if (hold === 0) {
      answer(request, response)
      return
    }
    const release = () => {
      clearTimeout(timer)
      waiting.delete(release)
      answer(request, response)
    }
    const timer = setTimeout(release, hold)
    waiting.add(release)
    response.once('close', () => {
      clearTimeout(timer)
      waiting.delete(release)
    })
  })
  server.on('connection', socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a server without a port')
  const releaseAll = () => {
    for (const release of [...waiting]) release()
  }
  const close = async () => {
    for (const socket of sockets) socket.destroy()
    if (server.listening) await new Promise<void>(resolve => void server.close(() => resolve()))
  }
  atEnd(close)
  return {
    url: `http://127.0.0.1:${address.port}`,
    set(document) {
      other = undefined
      text = JSON.stringify(document)
      releaseAll()
    },
    misbehave(next) {
      other = next
      releaseAll()
    },
    behave() {
      other = undefined
    },
    counts: () => ({ requests, answers: { ...answers } }),
    close,
  }
}
