/**
 * Everything that can be wrong with a control plane's answer: one closed table of codes.
 *
 * None of them touches what is being served. `retryable` says whether another try, or another address of the same control plane, may
 * help; the source asks again in any case, only later.
 */
import { errors } from 'undici'
import { errorCode, SourceError } from '../../lib/errors.ts'

type Fault = { readonly retryable: boolean; readonly remedy: string }

const faults = {
  SOURCE_REFUSED: {
    retryable: true,
    remedy: 'Nothing listens there: start the control plane, or correct sources.controlPlane.urls.',
  },
  SOURCE_RESET: {
    retryable: true,
    remedy: 'Look whether the control plane, or a proxy before it, restarts or crashes.',
  },
  SOURCE_DNS: {
    retryable: true,
    remedy: 'Look at the resolver of this machine, and at the name in sources.controlPlane.urls.',
  },
  SOURCE_TIMEOUT: {
    retryable: true,
    remedy: 'Look whether the control plane is overloaded, and whether a firewall drops packets in between.',
  },
  SOURCE_NETWORK: {
    retryable: true,
    remedy: 'Look at the network and at the limits (open files, memory) of this machine.',
  },
  SOURCE_TLS_EXPIRED: {
    retryable: true,
    remedy: 'Renew the certificate of the control plane; if it is in its time, correct the clock of this machine.',
  },
  SOURCE_TLS_UNKNOWN_CA: {
    retryable: true,
    remedy: 'Name the authority that issued the certificate in sources.controlPlane.caFile.',
  },
  SOURCE_TLS_WRONG_HOST: {
    retryable: true,
    remedy: 'Use the name that the certificate is for, or issue one for the name in sources.controlPlane.urls.',
  },
  SOURCE_TLS: { retryable: true, remedy: 'Look whether the address speaks TLS 1.2 or newer.' },
  SOURCE_PROTOCOL: { retryable: true, remedy: 'Look what listens at the address in sources.controlPlane.urls.' },
  SOURCE_UNAUTHORIZED: {
    retryable: false,
    remedy: 'Enrol this node again with fairlead enroll, or correct the token; the last good state goes on serving.',
  },
  SOURCE_FORBIDDEN: {
    retryable: false,
    remedy: 'Look whether the node is revoked or retired there; the last good state goes on serving.',
  },
  SOURCE_NOT_FOUND: {
    retryable: false,
    remedy: 'Look at the path in sources.controlPlane.urls, and whether the control plane knows this node.',
  },
  SOURCE_RATE_LIMITED: {
    retryable: true,
    remedy: 'Wait. If it stays, raise the limit of the control plane for its nodes.',
  },
  SOURCE_UNAVAILABLE: { retryable: true, remedy: 'Look at the control plane: most often its database is away.' },
  SOURCE_HTTP_STATUS: { retryable: true, remedy: 'Look at the log of the control plane, and of a proxy before it.' },
  SOURCE_REDIRECT: {
    retryable: false,
    remedy: 'Redirects are not followed. Put the final address into sources.controlPlane.urls.',
  },
  SOURCE_NOT_MODIFIED: {
    retryable: true,
    remedy: 'Look for a cache between this node and the control plane, and take it out of the way.',
  },
  SOURCE_BODY_CUT: { retryable: true, remedy: 'Look at the proxies between this node and the control plane.' },
  SOURCE_TOO_LARGE: { retryable: false, remedy: 'Spread the routes over more nodes, or look what answers there.' },
  SOURCE_ENCODING: { retryable: true, remedy: 'Let the control plane answer with gzip or without any encoding.' },
  SOURCE_CONTENT_TYPE: {
    retryable: true,
    remedy: 'Something other than the control plane answers there: a login page, a proxy, or another program.',
  },
  SOURCE_MALFORMED: {
    retryable: true,
    remedy: 'Look at the control plane: it must answer one JSON document in UTF-8.',
  },
  SOURCE_NOT_A_STATE: {
    retryable: false,
    remedy: 'Look at the control plane; the last good state goes on serving.',
  },
  SOURCE_WRONG_NODE: {
    retryable: false,
    remedy: 'Look whether two nodes share one identity file or token; enrol each of them by itself.',
  },
  SOURCE_WRONG_CONTROL_PLANE: {
    retryable: false,
    remedy:
      'If the node is meant to move there, enrol it with fairlead enroll; else correct sources.controlPlane.urls.',
  },
  REVISION_WENT_BACK: {
    retryable: false,
    remedy: 'If the control plane was restored on purpose, run fairlead control raise-epoch there.',
  },
  SOURCE_URL_INVALID: {
    retryable: false,
    remedy: 'Correct sources.controlPlane.urls: https, or http to a loopback address of this machine.',
  },
  SOURCE_INTERNAL: { retryable: true, remedy: 'This is a fault of Fairlead. Please report it with the log.' },
} as const satisfies Record<string, Fault>

export type ControlPlaneFaultCode = keyof typeof faults

export const CONTROL_PLANE_FAULTS: Readonly<Record<ControlPlaneFaultCode, Fault>> = faults

type Details = { readonly cause?: unknown; readonly remedy?: string; readonly retryAfterMs?: number }

/** `message` is one sentence without secrets: it goes to the log, the status and the console. */
export const makeFault = (code: ControlPlaneFaultCode, message: string, details: Details = {}): SourceError =>
  new SourceError(code, message, { ...CONTROL_PLANE_FAULTS[code], ...details })

const EXPIRED = new Set(['CERT_HAS_EXPIRED', 'CERT_NOT_YET_VALID'])
const UNKNOWN_CA = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_SIGNATURE_FAILURE',
  'CERT_UNTRUSTED',
  'INVALID_CA',
])
const DNS = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME', 'ESERVFAIL', 'ENODATA'])
const TIMEOUT = new Set(['ETIMEDOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'])
const RESET = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'])

/** What failed below HTTP, as one of our codes. `during` the body, a connection that ends is a document that was cut. */
export function faultOfNetworkError(error: unknown, host: string, during: 'answer' | 'body'): SourceError {
  if (error instanceof SourceError) return error
  // Not passed on as the cause: undici keeps what it could not parse in it, and that may be the document.
  if (error instanceof errors.HTTPParserError) return makeFault('SOURCE_PROTOCOL', `${host} does not speak HTTP/1.1`)
  const code = errorCode(error) ?? 'no code'
  const fault = (ours: ControlPlaneFaultCode, message: string) =>
    makeFault(ours, `${host} ${message}`, { cause: error })
  if (EXPIRED.has(code)) return fault('SOURCE_TLS_EXPIRED', `shows a certificate that is not in its time (${code})`)
  if (UNKNOWN_CA.has(code))
    return fault('SOURCE_TLS_UNKNOWN_CA', `shows a certificate of an authority that is not trusted here (${code})`)
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return fault('SOURCE_TLS_WRONG_HOST', 'shows a certificate for another name')
  if (code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_') || code.startsWith('CERT_') || code === 'EPROTO')
    return fault('SOURCE_TLS', `does not agree on TLS (${code})`)
  if (code === 'UND_ERR_HEADERS_OVERFLOW') return fault('SOURCE_TOO_LARGE', 'sent headers beyond the limit')
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return fault('SOURCE_TOO_LARGE', 'sent a body beyond the limit')
  if (code === 'UND_ERR_CONNECT_TIMEOUT') return fault('SOURCE_TIMEOUT', 'could not be connected to in time')
  if (TIMEOUT.has(code)) return fault('SOURCE_TIMEOUT', `did not answer in time (${code})`)
  if (during === 'body' && (RESET.has(code) || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'))
    return fault('SOURCE_BODY_CUT', `ended before the end of its document (${code})`)
  if (code === 'ECONNREFUSED') return fault('SOURCE_REFUSED', 'refused the connection')
  if (RESET.has(code)) return fault('SOURCE_RESET', `closed the connection without an answer (${code})`)
  if (DNS.has(code)) return fault('SOURCE_DNS', `has no address (${code})`)
  if (code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH')
    return fault('SOURCE_PROTOCOL', 'contradicts itself about the length of its answer')
  if (code === 'no code')
    return fault('SOURCE_INTERNAL', `could not be asked: ${error instanceof Error ? error.name : typeof error}`)
  return fault('SOURCE_NETWORK', `could not be reached (${code})`)
}
