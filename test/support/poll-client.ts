/** A client of the provider endpoint on one bare TCP connection, which it keeps: it sees every byte, and refuses an answer without its length. */
import { connect, type Socket } from 'node:net'
import { atEnd } from './at-end.ts'

export type PollAnswer = {
  readonly status: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

export type SendOptions = {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
}

export type PollClient = {
  readonly socket: Socket
  /** Writes a request; Host is that of the endpoint unless given. */
  readonly send: (target: string, options?: SendOptions) => void
  /** The next whole answer. Rejects when the connection ends before. */
  readonly next: () => Promise<PollAnswer>
  readonly poll: (target: string, options?: SendOptions) => Promise<PollAnswer>
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>
  /** Bytes that came and belong to no answer. */
  readonly rest: () => string
}

/** What Traefik 3 sends. */
export const TRAEFIK_HEADERS = { 'User-Agent': 'Go-http-client/1.1', 'Accept-Encoding': 'gzip' }

export async function openPollClient(port: number, host = '127.0.0.1'): Promise<PollClient> {
  const socket = connect(port, host)
  atEnd(() => socket.destroy())
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
  const methods: string[] = []
  const answers: PollAnswer[] = []
  const waiting: { resolve: (answer: PollAnswer) => void; reject: (error: Error) => void }[] = []
  let received: Buffer[] = []
  let wanted = 0
  let over: Error | null = null

  const end = (error: Error) => {
    over ??= error
    for (const { reject } of waiting.splice(0)) reject(over)
  }
  socket.on('error', end)
  socket.on('close', () =>
    end(new Error(`connection closed with ${received.reduce((sum, part) => sum + part.length, 0)} bytes of an answer`)),
  )
  socket.on('data', (chunk: Buffer) => {
    received.push(chunk)
    if (received.reduce((sum, part) => sum + part.length, 0) < wanted) return
    let all = Buffer.concat(received)
    for (;;) {
      const parsed = parseAnswer(all, methods[0] === 'HEAD')
      if (typeof parsed === 'number') {
        received = [all]
        wanted = parsed
        return
      }
      if (parsed instanceof Error) {
        end(parsed)
        socket.destroy()
        return
      }
      methods.shift()
      all = all.subarray(parsed.length)
      const next = waiting.shift()
      if (next === undefined) answers.push(parsed.answer)
      else next.resolve(parsed.answer)
    }
  })

  const send = (target: string, { method = 'GET', headers = {} }: SendOptions = {}) => {
    methods.push(method)
    const all = { Host: `${host.includes(':') ? `[${host}]` : host}:${port}`, ...TRAEFIK_HEADERS, ...headers }
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(`${method} ${target} HTTP/1.1\r\n${lines.join('')}\r\n`)
  }
  const next = () =>
    new Promise<PollAnswer>((resolve, reject) => {
      const answer = answers.shift()
      if (answer !== undefined) resolve(answer)
      else if (over !== null) reject(over)
      else waiting.push({ resolve, reject })
    })
  return {
    socket,
    send,
    next,
    poll(target, options) {
      send(target, options)
      return next()
    },
    closed,
    rest: () => Buffer.concat(received).toString('latin1'),
  }
}

/** The answer and its length in bytes; a number when at least so many bytes are needed. */
function parseAnswer(bytes: Buffer, head: boolean): { answer: PollAnswer; length: number } | number | Error {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return bytes.length + 1
  const [statusLine = '', ...lines] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n')
  const headers = Object.fromEntries(
    lines.map(line => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  const declared = headers['content-length']
  if (declared === undefined) return new Error(`no Content-Length in the answer ${statusLine}`)
  const length = headEnd + 4 + (head ? 0 : Number(declared))
  if (bytes.length < length) return length
  const status = Number(statusLine.split(' ')[1])
  return { answer: { status, headers, body: bytes.subarray(headEnd + 4, length).toString('utf8') }, length }
}
