/**
 * What the answer to a probe means. Pure: the sockets are in agent/probe-socket.ts.
 *
 *   outcome + what Traefik has open -> target (probe-target.ts) -> asked through the proxy's own port -> heard -> judged -> verdict
 *
 * A probe goes the way of a client: to the entry point on this machine, with the route's server name. So it finds what Traefik's API
 * cannot show: an upstream that is away, a certificate of somebody else, a port that answers with other words.
 */
import type { X509Certificate } from 'node:crypto'
import type { RouteVerdict } from '../judge.ts'
import { printable } from '../problem.ts'
import { REASONS } from '../verdict.ts'
import type { ProbeTarget } from './target.ts'

export type ProbeCertificate = {
  readonly commonName: string
  /** Milliseconds since 1970. */
  readonly validTo: number
}

export type ProbeResult = {
  /** Null: it could not be tried. */
  readonly ok: boolean | null
  /** How long it took; null when it was not tried. */
  readonly ms: number | null
  /** One sentence without a full stop, and without times that differ from probe to probe. */
  readonly detail: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly certificate: ProbeCertificate | null
  readonly periodic: boolean
  /** Of the person's wish that it answers, or null. */
  readonly requestId: string | null
}

/** What came of a conversation, before anybody judges it. */
export type Heard =
  | { readonly kind: 'refused' }
  /** It could not be asked at all; `code` as the system has it. */
  | { readonly kind: 'failed'; readonly code: string }
  /** Ended by the other side before it said what was waited for. */
  | { readonly kind: 'closed'; readonly during: 'answer' | 'handshake' }
  /** Nothing more came until the deadline. */
  | { readonly kind: 'silent'; readonly during: 'connect' | 'answer' | 'handshake' }
  /** The connection stayed open, which was all that was asked. */
  | { readonly kind: 'open'; readonly ms: number }
  | { readonly kind: 'answer'; readonly bytes: Uint8Array }
  | { readonly kind: 'tls-failed'; readonly code: string }
  | { readonly kind: 'secure'; readonly certificate: X509Certificate | null }

export type Judged = {
  readonly ok: boolean
  readonly detail: string
  readonly certificate: ProbeCertificate | null
}

/** OpenSSL's words for an answer that is no TLS record. */
const NO_TLS: ReadonlySet<string> = new Set(['ERR_SSL_WRONG_VERSION_NUMBER', 'ERR_SSL_PACKET_LENGTH_TOO_LONG'])

const DAY_MS = 86_400_000
const day = (ms: number): string => new Date(ms).toISOString().slice(0, 10)

const yes = (detail: string, certificate: ProbeCertificate | null = null): Judged => ({ ok: true, detail, certificate })
const no = (detail: string, certificate: ProbeCertificate | null = null): Judged => ({ ok: false, detail, certificate })

/** The subject's common name; certificates of today may have none, then their first name. */
function commonNameOf(certificate: X509Certificate): string {
  const common = /^CN=(.*)$/m.exec(certificate.subject)?.[1]
  const first = /DNS:([^,\s]+)/.exec(certificate.subjectAltName ?? '')?.[1]
  return printable(common ?? first ?? 'without a name')
}

/** Who issued it does not matter here: clients of databases often trust their own authority. */
function judgeCertificate(certificate: X509Certificate | null, serverName: string | null, nowMs: number): Judged {
  if (certificate === null) return no('the TLS handshake showed no certificate')
  const found = { commonName: commonNameOf(certificate), validTo: certificate.validToDate.getTime() }
  if (serverName !== null && certificate.checkHost(serverName) === undefined)
    return no(`the certificate is for ${found.commonName}, not for ${serverName}`, found)
  if (nowMs > found.validTo) return no(`the certificate of ${found.commonName} ended on ${day(found.validTo)}`, found)
  const begins = certificate.validFromDate.getTime()
  if (nowMs < begins) return no(`the certificate of ${found.commonName} begins on ${day(begins)}`, found)
  const days = Math.floor((found.validTo - nowMs) / DAY_MS)
  return yes(`the certificate of ${found.commonName} is valid for ${days} more ${days === 1 ? 'day' : 'days'}`, found)
}

const HTTP_STATUS = /^HTTP\/1\.[01] (\d{3})/
/** What Traefik answers by itself when no upstream does. */
const NO_UPSTREAM: ReadonlySet<string> = new Set(['502', '503', '504'])

const startsWith = (bytes: Uint8Array, start: Uint8Array): boolean => start.every((byte, i) => bytes[i] === byte)
const SHOWN_BYTES = 16
const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(0, SHOWN_BYTES)).toString('hex')

function judgeBytes(target: ProbeTarget, bytes: Uint8Array): Judged {
  const { type, expectHex } = target.spec
  const text = Buffer.from(bytes.subarray(0, 64)).toString('latin1')
  if (type === 'http') {
    const status = HTTP_STATUS.exec(text)?.[1]
    if (status === undefined) return no('the answer is not one of HTTP')
    return NO_UPSTREAM.has(status)
      ? no(`Traefik answers ${status}: no upstream takes the request`)
      : yes(`answered with status ${status}`)
  }
  if (type === 'postgres') {
    if (text !== 'S' && text !== 'N') return no('the answer to the SSLRequest is not one of Postgres')
    // A name can only be told in a TLS hello, so without TLS no client gets to the route.
    if (target.serverName !== null) return no('Postgres answers that it has no TLS, which the host name needs')
    return yes('Postgres answers, without TLS')
  }
  const expected = Buffer.from(expectHex ?? '', 'hex')
  if (startsWith(bytes, expected)) return yes('answered')
  return no(`the answer begins with ${hexOf(bytes.subarray(0, expected.length))}, not with ${hexOf(expected)}`)
}

function nothingMore(target: ProbeTarget, during: 'connect' | 'answer' | 'handshake', deadlineMs: number): string {
  const within = `within ${deadlineMs / 1000} s`
  switch (during) {
    case 'connect':
      return `the port did not take the connection ${within}`
    case 'answer':
      return `no answer ${within}`
    case 'handshake':
      return `the TLS handshake did not end ${within}${target.spec.type === 'tls' ? '; perhaps the upstream speaks another protocol' : ''}`
    default:
      return during satisfies never
  }
}

/** @param deadlineMs what the probe had in all */
export function judgeProbe(target: ProbeTarget, heard: Heard, nowMs: number, deadlineMs: number): Judged {
  const where = `${target.host.includes(':') ? `[${target.host}]` : target.host}:${target.port}`
  switch (heard.kind) {
    case 'refused':
      return no(`nothing listens on ${target.spec.type === 'udp' ? 'UDP ' : ''}${where}`)
    case 'failed':
      return no(`${where} could not be asked (${heard.code})`)
    case 'closed':
      return no(
        heard.during === 'handshake'
          ? 'the connection was closed during the TLS handshake: no upstream takes it, or it speaks no TLS'
          : 'the connection was closed: no upstream takes it',
      )
    case 'silent':
      return no(nothingMore(target, heard.during, deadlineMs))
    case 'open':
      return yes(`the connection stayed open for ${heard.ms} ms`)
    case 'answer':
      return judgeBytes(target, heard.bytes)
    case 'tls-failed':
      return no(
        NO_TLS.has(heard.code)
          ? `what answers speaks no TLS (${heard.code})`
          : `the TLS handshake failed (${heard.code})`,
      )
    case 'secure':
      return judgeCertificate(heard.certificate, target.serverName, nowMs)
    default:
      return heard satisfies never
  }
}

/** A route that is live by its routers, and whose port does not do what it should, is degraded. Of what a person asks once nothing stays. */
export function applyProbe(verdict: RouteVerdict, result: ProbeResult | undefined): RouteVerdict {
  if (verdict.verdict !== 'live' || result === undefined || !result.periodic || result.ok !== false) return verdict
  const { verdict: degraded, remedy } = REASONS.PROBE_FAILED
  return { ...verdict, verdict: degraded, reason: 'PROBE_FAILED', message: result.detail, remedy }
}
