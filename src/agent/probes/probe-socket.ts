/**
 * One probe: the conversation with a port, as it was heard. What it means is judged in core/probe.ts.
 *
 * Each conversation has one end: what was waited for, a fault, its deadline, or the signal. Then nothing of it is left open.
 */
import { createSocket } from 'node:dgram'
import { connect, isIPv6, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Heard } from '../../core/probe/probe.ts'
import type { ProbeTarget } from '../../core/probe/target.ts'
import { errorCode } from '../../lib/errors.ts'

export type AskOptions = {
  readonly signal: AbortSignal
  /** For the whole conversation. */
  readonly deadlineMs: number
  /** A connection that stays open for so long is taken by somebody. */
  readonly openMs: number
}

/** Resolves with null when the signal is aborted first. Never rejects. */
export type Ask = (target: ProbeTarget, options: AskOptions) => Promise<Heard | null>

/** Bytes of an answer that are looked at. */
const MAX_ANSWER_BYTES = 4096

/** An UDP packet may get lost on its way. */
const UDP_TRIES = 3

const SSL_REQUEST = Buffer.from('0000000804d2162f', 'hex')

type During = 'connect' | 'answer' | 'handshake'

const wasHeard = (heard: Heard | null): boolean =>
  heard?.kind === 'open' || heard?.kind === 'answer' || heard?.kind === 'secure'

/** Runs a conversation until somebody calls `end`, once; `talk` gives what closes it, which is told whether the other side was heard. */
function converse(
  { signal, deadlineMs }: AskOptions,
  talk: (end: (heard: Heard) => void, during: { now: During }) => (well: boolean) => void,
): Promise<Heard | null> {
  return new Promise(resolve => {
    if (signal.aborted) return resolve(null)
    const during: { now: During } = { now: 'connect' }
    let close: ((well: boolean) => void) | null = null
    let ended: Heard | null | undefined
    const finish = (heard: Heard | null) => {
      if (ended !== undefined) return
      ended = heard
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      close?.(wasHeard(heard))
      resolve(heard)
    }
    const onAbort = () => finish(null)
    const timer = setTimeout(() => finish({ kind: 'silent', during: during.now }), deadlineMs)
    signal.addEventListener('abort', onAbort, { once: true })
    close = talk(finish, during)
    // It ended before it could say how it is closed.
    if (ended !== undefined) close(wasHeard(ended))
  })
}

/** A connection that is reset was taken and dropped, which is how a proxy without an upstream looks. */
const DROPPED: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED'])

function faultOf(error: unknown, during: During): Heard {
  const code = errorCode(error) ?? 'no code'
  if (code === 'ECONNREFUSED') return { kind: 'refused' }
  if (DROPPED.has(code)) return { kind: 'closed', during: during === 'handshake' ? 'handshake' : 'answer' }
  return during === 'handshake' ? { kind: 'tls-failed', code } : { kind: 'failed', code }
}

/** Calls `take` with all that came so far, until it has enough. */
function collect(socket: Socket, take: (bytes: Buffer) => boolean): void {
  let bytes: Buffer = Buffer.alloc(0)
  const onData = (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk]).subarray(0, MAX_ANSWER_BYTES)
    if (take(bytes)) socket.off('data', onData)
  }
  socket.on('data', onData)
}

const nameFor = ({ serverName }: ProbeTarget) => (serverName === null ? {} : { servername: serverName })

const askTcp: Ask = (target, options) =>
  converse(options, (end, during) => {
    const { host, port, spec } = target
    const open = new Set<Socket>()
    let openTimer: NodeJS.Timeout | null = null

    const follow = <S extends Socket>(socket: S): S => {
      open.add(socket)
      socket.on('error', error => end(faultOf(error, during.now)))
      const onEnd = () => end({ kind: 'closed', during: during.now === 'handshake' ? 'handshake' : 'answer' })
      socket.on('end', onEnd)
      socket.on('close', onEnd)
      return socket
    }
    /** Over TCP, or over what has been agreed on in it (STARTTLS). */
    const secure = (
      over: { readonly socket: Socket } | { readonly host: string; readonly port: number },
    ): TLSSocket => {
      // Who issued the certificate is not the question, only whose it is.
      const socket = follow(connectTls({ ...over, ...nameFor(target), rejectUnauthorized: false }))
      if ('socket' in over) during.now = 'handshake'
      socket.once('connect', () => {
        during.now = 'handshake'
      })
      return socket
    }
    const handshake = (socket: TLSSocket) =>
      socket.once('secureConnect', () => end({ kind: 'secure', certificate: socket.getPeerX509Certificate() ?? null }))

    const talkConnect = (socket: Socket) => {
      const { sendHex, expectHex } = spec
      if (sendHex !== null) socket.write(Buffer.from(sendHex, 'hex'))
      const wanted = Math.max((expectHex ?? '').length / 2, 1)
      // Bytes that nobody asked for are a sign of life, too.
      collect(socket, bytes => {
        if (bytes.length < wanted) return false
        end({ kind: 'answer', bytes })
        return true
      })
      if (expectHex !== null) return
      const { openMs } = options
      openTimer = setTimeout(() => end({ kind: 'open', ms: openMs }), openMs)
    }
    const talkPostgres = (socket: Socket) => {
      socket.write(SSL_REQUEST)
      collect(socket, bytes => {
        // Nothing may come behind the S: it would be taken for a part of what TLS protects (CVE-2021-23222).
        if (bytes.toString('latin1') === 'S') {
          // From here on the TLS socket has the connection: to destroy both of them ends the process (SIGSEGV, Node 24.21).
          open.delete(socket.removeAllListeners('end').removeAllListeners('close'))
          handshake(secure({ socket }))
        } else end({ kind: 'answer', bytes })
        return true
      })
    }
    const talkHttp = (socket: Socket) => {
      during.now = 'answer'
      const host = target.serverName ?? target.host
      socket.write(
        `HEAD ${target.path} HTTP/1.1\r\nHost: ${host}\r\nUser-Agent: fairlead-probe\r\nConnection: close\r\n\r\n`,
      )
      collect(socket, bytes => {
        if (!bytes.includes('\r\n') && bytes.length < MAX_ANSWER_BYTES) return false
        end({ kind: 'answer', bytes })
        return true
      })
    }

    const plain = (talk: (socket: Socket) => void) => {
      const socket = follow(connect({ host, port }))
      socket.once('connect', () => {
        during.now = 'answer'
        talk(socket)
      })
    }
    switch (spec.type) {
      case 'connect':
        plain(talkConnect)
        break
      case 'postgres':
        plain(talkPostgres)
        break
      case 'tls':
        handshake(secure({ host, port }))
        break
      case 'http':
        if (target.secure) {
          const socket = secure({ host, port })
          socket.once('secureConnect', () => talkHttp(socket))
        } else plain(talkHttp)
        break
      case 'udp':
        end({ kind: 'failed', code: 'UDP' })
        break
      default:
        spec.type satisfies never
    }
    return well => {
      if (openTimer !== null) clearTimeout(openTimer)
      // A TLS server logs an end without a close_notify as a fault of its client.
      for (const socket of open) well ? socket.destroySoon() : socket.destroy()
    }
  })

const askUdp: Ask = (target, options) =>
  converse(options, (end, during) => {
    const { host, port, spec } = target
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4')
    const payload = Buffer.from(spec.sendHex ?? '', 'hex')
    const send = () => socket.send(payload, error => void (error && end(faultOf(error, 'answer'))))
    let timer: NodeJS.Timeout | null = null
    socket.on('error', error => end(faultOf(error, 'answer')))
    socket.once('message', bytes => end({ kind: 'answer', bytes: bytes.subarray(0, MAX_ANSWER_BYTES) }))
    // Connected, so that it hears this port alone, and hears when there is none.
    socket.connect(port, host, () => {
      during.now = 'answer'
      send()
      timer = setInterval(send, options.deadlineMs / UDP_TRIES)
    })
    return () => {
      if (timer !== null) clearInterval(timer)
      socket.close()
    }
  })

export const askThrough: Ask = (target, options) =>
  target.spec.type === 'udp' ? askUdp(target, options) : askTcp(target, options)
