/**
 * What the provider and the admin endpoint share: they are for this machine only.
 *
 * - They listen on a loopback address and nowhere else, whatever the settings say.
 * - A web page that made its name point to 127.0.0.1 (DNS rebinding) still sends its own name as Host, so only exact loopback names pass.
 * - A bearer token is compared in constant time.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AddressInfo, Server } from 'node:net'
import { formatListen, isLoopback, type ListenAddress } from '../lib/setting-types.ts'

export type ListenErrorCode = 'LISTEN_NOT_LOOPBACK' | 'LISTEN_PORT_TAKEN' | 'LISTEN_NOT_ALLOWED' | 'LISTEN_FAILED'

/** An endpoint could not be opened. The message names the address and the way out. Trying again without a change does not help. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
  readonly code: ListenErrorCode
  readonly retryable = false

  constructor(code: ListenErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? {} : { cause })
    this.code = code
  }
}

export type Endpoint = {
  /** `provider` or `admin`: the part of the settings whose `listen` this is. */
  readonly name: string
  readonly listen: ListenAddress
}

/** `localhost` is 127.0.0.1 without asking anybody: what a resolver says of it is not ours to trust. */
const addressOf = (host: string): string => (host === 'localhost' ? '127.0.0.1' : host)

/**
 * Opens the endpoint; resolves with the port that it listens on.
 * Rejects with a ListenError for an address that is not of the loopback interface, and for one that cannot be bound.
 */
export function listenOnLoopback(server: Server, { name, listen }: Endpoint): Promise<{ readonly port: number }> {
  const host = addressOf(listen.host)
  if (!isLoopback(host)) {
    const message = `${name} endpoint: ${formatListen(listen)} is not a loopback address, and this endpoint is for this machine only; set ${name}.listen to 127.0.0.1:${listen.port} or [::1]:${listen.port}`
    return Promise.reject(new ListenError('LISTEN_NOT_LOOPBACK', message))
  }
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) => reject(listenError(error, { name, listen }))
    server.once('error', failed)
    server.listen({ host, port: listen.port, exclusive: true }, () => {
      server.off('error', failed)
      resolve({ port: boundPort(server.address()) ?? listen.port })
    })
  })
}

const boundPort = (address: AddressInfo | string | null): number | null =>
  typeof address === 'object' && address !== null ? address.port : null

function listenError(error: NodeJS.ErrnoException, { name, listen }: Endpoint): ListenError {
  const where = `${name} endpoint: ${formatListen(listen)}`
  switch (error.code) {
    case 'EADDRINUSE': {
      const message = `${where} is in use by another process (perhaps another agent); \`ss -ltnp 'sport = :${listen.port}'\` names it: stop it, or set ${name}.listen to a free port`
      return new ListenError('LISTEN_PORT_TAKEN', message, error)
    }
    case 'EACCES': {
      const message = `${where} may not be bound by this user; set ${name}.listen to a port above 1023`
      return new ListenError('LISTEN_NOT_ALLOWED', message, error)
    }
    default: {
      const message = `${where} cannot be bound (${error.code ?? error.message}); set ${name}.listen to an address that this machine has, such as 127.0.0.1:${listen.port}`
      return new ListenError('LISTEN_FAILED', message, error)
    }
  }
}

/** The exact Host values of the endpoint: its own address, 127.0.0.1, localhost and [::1], each with the port that it listens on. */
export function allowedHosts(listen: ListenAddress, port: number): ReadonlySet<string> {
  const names = [
    '127.0.0.1',
    'localhost',
    '[::1]',
    formatListen({ host: addressOf(listen.host), port }).replace(/:\d+$/, ''),
  ]
  // Clients leave the default port of http away.
  return new Set(names.flatMap(name => (port === 80 ? [name, `${name}:80`] : [`${name}:${port}`])))
}

/** True when the request has one Host header and it is one of these, in any case of letters. */
export function hasAllowedHost(request: IncomingMessage, hosts: ReadonlySet<string>): boolean {
  const values = request.headersDistinct.host
  const [host, ...more] = values ?? []
  return host !== undefined && more.length === 0 && hosts.has(host.toLowerCase())
}

/**
 * Says whether a request carries `Authorization: Bearer TOKEN`; without a token every request passes.
 * Both sides are hashed first, so the comparison takes the same time for every value of every length.
 */
export function makeBearerCheck(token: string | null): (request: IncomingMessage) => boolean {
  if (token === null) return () => true
  const expected = digest(token)
  return request => {
    const [value, ...more] = request.headersDistinct.authorization ?? []
    const given = value === undefined || more.length > 0 ? null : /^bearer +(\S+)$/i.exec(value)
    return timingSafeEqual(digest(given?.[1] ?? ''), expected) && given !== null
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** The other end is on this machine. A packet filter that redirects foreign traffic to a loopback port is not stopped by binding to it. */
export const isLocalPeer = (remoteAddress: string | undefined): boolean =>
  remoteAddress !== undefined && isLoopback(remoteAddress)

export type PlainAnswer = {
  readonly status: number
  /** One sentence that names the thing, the found value and the way out. */
  readonly text: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Headers and bytes of an answer in plain text. */
export function plainAnswer({ text, headers }: PlainAnswer): {
  headers: Record<string, string | number>
  body: Buffer
} {
  const body = Buffer.from(`${text}\n`)
  return {
    headers: {
      ...LOCAL_HEADERS,
      'Content-Type': 'text/plain; charset=utf-8',
      'Content-Length': body.length,
      ...headers,
    },
    body,
  }
}

/** No answer of a local endpoint is for a cache, or for a browser to guess the type of. */
export const LOCAL_HEADERS: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
}

/** Sends an answer in plain text with its length. */
export function sendPlain(response: ServerResponse, answer: PlainAnswer): void {
  const { headers, body } = plainAnswer(answer)
  response.writeHead(answer.status, headers)
  response.end(body)
}
