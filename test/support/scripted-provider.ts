import { createServer, type IncomingHttpHeaders } from 'node:http'
import { atEnd } from './at-end.ts'

export type ScriptedAnswer = { readonly status: number; readonly body: string }

export type ScriptedProvider = {
  /** To be given to Traefik as `endpoint`. */
  readonly url: string
  /** From the next poll on, answers 200 with this value as JSON (a string: as it is). */
  serve(body: unknown): void
  /** From the next poll on, answers with this, whatever it is. */
  answer(answer: ScriptedAnswer): void
  /** How many polls have come. */
  polls(): number
  lastHeaders(): IncomingHttpHeaders
  close(): Promise<void>
}

/** An HTTP provider that says what the test tells it: until it is told something, 503. Closed at the end of the test. */
export async function startScriptedProvider(): Promise<ScriptedProvider> {
  let current: ScriptedAnswer = { status: 503, body: '' }
  let polls = 0
  let headers: IncomingHttpHeaders = {}
  const server = createServer((request, response) => {
    polls += 1
    headers = request.headers
    response.writeHead(current.status, { 'content-length': Buffer.byteLength(current.body) }).end(current.body)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a server without a port')
  const close = async () => {
    if (!server.listening) return
    server.closeAllConnections()
    await new Promise<void>(resolve => {
      server.close(() => resolve())
    })
  }
  atEnd(close)
  return {
    url: `http://127.0.0.1:${address.port}/traefik`,
    serve: body => {
      current = { status: 200, body: typeof body === 'string' ? body : JSON.stringify(body) }
    },
    answer: next => {
      current = next
    },
    polls: () => polls,
    lastHeaders: () => headers,
    close,
  }
}
