/** Clients for tests: one question to a port of 127.0.0.1, and what came of it as a value. */
import { createSocket } from 'node:dgram'
import { request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { connect } from 'node:net'
import { connect as connectTls, type PeerCertificate } from 'node:tls'

const LOOPBACK = '127.0.0.1'
const DEFAULT_TIMEOUT_MS = 5_000

/**
 * What a connection came to: `said` the first line that the other end sent, `closed` without a byte, `refused` (nothing listens),
 * or `silent`: still open and nothing said when the time was over.
 */
export type TcpAnswer =
  | { readonly kind: 'said'; readonly text: string }
  | { readonly kind: 'closed' }
  | { readonly kind: 'refused' }
  | { readonly kind: 'silent' }

export type TcpAskOptions = {
  /** Sent at once after connecting; a client that says nothing by default. */
  readonly send?: string | Buffer
  readonly timeoutMs?: number
}

/** Connects, sends, and waits for the first line (or the first bytes and the end) of the answer. Never throws. */
export function tcpAsk(port: number, { send, timeoutMs = DEFAULT_TIMEOUT_MS }: TcpAskOptions = {}): Promise<TcpAnswer> {
  return new Promise(resolve => {
    const socket = connect({ port, host: LOOPBACK })
    let text = ''
    const finish = (answer: TcpAnswer) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    const timer = setTimeout(() => finish(text === '' ? { kind: 'silent' } : { kind: 'said', text }), timeoutMs)
    socket.on('connect', () => {
      if (send !== undefined) socket.write(send)
    })
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      const end = text.indexOf('\n')
      if (end >= 0) finish({ kind: 'said', text: text.slice(0, end) })
    })
    const ended = () => finish(text === '' ? { kind: 'closed' } : { kind: 'said', text })
    socket.on('end', ended)
    socket.on('close', ended)
    socket.on('error', error => {
      const refused = 'code' in error && error.code === 'ECONNREFUSED'
      if (refused) finish({ kind: 'refused' })
      else ended()
    })
  })
}

/** The name that the port's upstream says, or the kind of failure: short to compare. */
export async function tcpName(port: number, options?: TcpAskOptions): Promise<string> {
  const answer = await tcpAsk(port, options)
  return answer.kind === 'said' ? answer.text : answer.kind
}

export type TlsAnswer =
  | {
      readonly kind: 'certificate'
      readonly certificate: PeerCertificate
      readonly commonName: string
      /** The first line that was said after the handshake; `''` when none came before the end, or it was not waited for. */
      readonly text: string
    }
  /** No handshake: the connection was closed, refused, or nothing came in time. */
  | { readonly kind: 'closed' }
  | { readonly kind: 'refused' }
  | { readonly kind: 'silent' }

export type TlsAskOptions = {
  /** Wait for the first line after the handshake (default). False for a server that waits for its client. */
  readonly greeting?: boolean
  readonly timeoutMs?: number
}

/** A TLS handshake with this server name (null: none is sent), without checking who answers. Never throws. */
export function tlsAsk(
  port: number,
  servername: string | null,
  { greeting = true, timeoutMs = DEFAULT_TIMEOUT_MS }: TlsAskOptions = {},
): Promise<TlsAnswer> {
  return new Promise(resolve => {
    const name = servername === null ? {} : { servername }
    const socket = connectTls({ port, host: LOOPBACK, rejectUnauthorized: false, ...name })
    let certificate: PeerCertificate | null = null
    let text = ''
    const finish = (failure: 'closed' | 'refused' | 'silent') => {
      clearTimeout(timer)
      socket.destroy()
      if (certificate === null) resolve({ kind: failure })
      else resolve({ kind: 'certificate', certificate, commonName: commonNameOf(certificate), text })
    }
    const timer = setTimeout(() => finish('silent'), timeoutMs)
    socket.on('secureConnect', () => {
      certificate = socket.getPeerCertificate()
      if (!greeting) finish('closed')
    })
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      if (!text.includes('\n')) return
      text = text.slice(0, text.indexOf('\n'))
      finish('closed')
    })
    socket.on('end', () => finish('closed'))
    socket.on('close', () => finish('closed'))
    socket.on('error', error => finish('code' in error && error.code === 'ECONNREFUSED' ? 'refused' : 'closed'))
  })
}

function commonNameOf(certificate: PeerCertificate): string {
  const name = certificate.subject?.CN
  return Array.isArray(name) ? (name[0] ?? '') : (name ?? '')
}

/** The common name of the certificate that answers to the server name, or null when there is no handshake. */
export async function tlsPeerCertificate(
  port: number,
  servername: string | null,
  { timeoutMs = DEFAULT_TIMEOUT_MS }: { timeoutMs?: number } = {},
): Promise<string | null> {
  const answer = await tlsAsk(port, servername, { greeting: false, timeoutMs })
  return answer.kind === 'certificate' ? answer.commonName : null
}

/** Sends one datagram from a new port; the answer's text, or null when none came in time. */
export function udpAsk(port: number, text: string, timeoutMs = 1_000): Promise<string | null> {
  return new Promise(resolve => {
    const socket = createSocket('udp4')
    const finish = (answer: string | null) => {
      clearTimeout(timer)
      socket.close(() => resolve(answer))
    }
    const timer = setTimeout(() => finish(null), timeoutMs)
    socket.once('message', message => finish(message.toString('utf8')))
    // A port without a listener answers by ICMP, which comes as an error: the same silence.
    socket.on('error', () => {})
    socket.send(text, port, LOOPBACK)
  })
}

export type HttpAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export type HttpGetOptions = {
  readonly port: number
  /** Sent as `Host`, and as the server name over TLS. */
  readonly host?: string
  readonly path?: string
  readonly tls?: boolean
  readonly headers?: Readonly<Record<string, string>>
  readonly timeoutMs?: number
}

/** One GET on a connection of its own, certificates unchecked. Rejects when there is no answer in time. */
export function httpGet({
  port,
  host = 'localhost',
  path = '/',
  tls = false,
  headers = {},
  timeoutMs = DEFAULT_TIMEOUT_MS,
}: HttpGetOptions): Promise<HttpAnswer> {
  const options = { port, host: LOOPBACK, path, headers: { host, ...headers }, agent: false as const }
  return new Promise((resolve, reject) => {
    const sent = tls ? secureRequest({ ...options, servername: host, rejectUnauthorized: false }) : request(options)
    sent.setTimeout(timeoutMs, () => sent.destroy(new Error(`no answer from ${host}${path} in ${timeoutMs} ms`)))
    sent.on('error', reject)
    sent.on('response', response => {
      const chunks: Buffer[] = []
      response.on('error', reject)
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        })
      })
    })
    sent.end()
  })
}
