/**
 * One exchange with a control plane: a signed GET, deadlines for each part of the answer, and the document that came, or a SourceError.
 *
 *   ask -> [answer deadline] -> status, headers -> [body deadline, idle deadline] -> whole body -> JSON
 *
 * It keeps nothing and judges no state. Redirects are not followed, and no proxy is used: the address is the one that was configured.
 */
import { type Dispatcher, request as send } from 'undici'
import { readJson } from '../../core/json-text.ts'
import { SourceError } from '../../lib/errors.ts'
import type { RequestAuth } from '../identity.ts'
import { faultOfNetworkError, makeFault } from './control-plane-faults.ts'
import { type BodyLimits, checkBodyHeaders, type Headers, header, readBody } from './read-body.ts'

export type Deadlines = {
  /** What we ask the server to hold the answer for, in whole seconds. */
  readonly waitSeconds: number
  /** From the request to the headers of the answer, connecting included, beyond what the server was asked to wait. */
  readonly answerMs: number
  /** From the headers to the end of the body. */
  readonly bodyMs: number
  /** Without a byte of the body. */
  readonly idleMs: number
}

export type StateRequest = {
  readonly dispatcher: Dispatcher
  readonly url: URL
  readonly auth: RequestAuth
  /** Of the reading that we hold; null to get the document whatever it is. */
  readonly etag: string | null
  /** Ask the server to hold its answer until there is something new. */
  readonly wait: boolean
  /** Of the document that we hold: the same bytes are not parsed again. */
  readonly bodyHash: string | null
  readonly deadlines: Deadlines
  readonly limits: BodyLimits
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly signal: AbortSignal
}

export type StateAnswer = {
  readonly etag: string | null
  /** The server says that it knows `Prefer: wait`. */
  readonly waits: boolean
} & (
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'document'; readonly document: unknown; readonly bodyHash: string }
)

/** Aborts with a fault when one of its times is over, or as soon as the outer signal is. */
function createWatch(outer: AbortSignal, host: string) {
  const aborter = new AbortController()
  const timers = new Set<NodeJS.Timeout>()
  const onOuter = () => aborter.abort(outer.reason)
  if (outer.aborted) onOuter()
  else outer.addEventListener('abort', onOuter, { once: true })
  return {
    signal: aborter.signal,
    limit(ms: number, what: string): NodeJS.Timeout {
      const timer = setTimeout(() => aborter.abort(makeFault('SOURCE_TIMEOUT', `${host} ${what} within ${ms} ms`)), ms)
      timers.add(timer)
      return timer
    },
    end() {
      for (const timer of timers) clearTimeout(timer)
      outer.removeEventListener('abort', onOuter)
    },
  }
}

type Watch = ReturnType<typeof createWatch>

const RETRY_AFTER_CAP_MS = 30_000

/** `Retry-After` in milliseconds, at most 30 s; null when it is absent or not one. */
export function parseRetryAfter(text: string | null, nowMs: number): number | null {
  if (text === null) return null
  // Date.parse takes far more than HTTP dates: `-5` is a day in 2001 to it.
  const date = /^[A-Z][a-z]{2,8},/.test(text) ? Date.parse(text) : Number.NaN
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : date - nowMs
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), RETRY_AFTER_CAP_MS) : null
}

const CLOCK_TOLERANCE_MS = 30_000

/** How far the clocks are apart, when that may be why a signature was refused. */
function clockHint(headers: Headers, nowMs: number): { readonly text: string; readonly remedy?: string } {
  const theirs = Date.parse(header(headers, 'date') ?? '')
  const apart = Math.round((nowMs - theirs) / 1000)
  if (!Number.isFinite(theirs) || Math.abs(apart) * 1000 < CLOCK_TOLERANCE_MS) return { text: '' }
  return {
    text: `; the clock of this machine is ${Math.abs(apart)} s ${apart > 0 ? 'ahead of' : 'behind'} its clock`,
    remedy: 'Correct the clock of this machine: signed requests are taken within 60 s only.',
  }
}

/** Only the host: the rest of the target may hold a secret. */
function redirectTarget(headers: Headers, from: URL): string {
  const location = header(headers, 'location') ?? ''
  return URL.canParse(location, from.href) ? new URL(location, from).host || 'another scheme' : 'nowhere'
}

function faultOfStatus(status: number, headers: Headers, { url, auth, now }: StateRequest): SourceError {
  const host = url.host
  const retryAfterMs = parseRetryAfter(header(headers, 'retry-after'), now())
  const details = retryAfterMs === null ? {} : { retryAfterMs }
  if (status >= 300 && status < 400)
    return makeFault('SOURCE_REDIRECT', `${host} answered ${status}, a redirect to ${redirectTarget(headers, url)}`)
  switch (status) {
    case 401: {
      const { text, remedy } = auth.kind === 'identity' ? clockHint(headers, now()) : { text: '' }
      return makeFault(
        'SOURCE_UNAUTHORIZED',
        `${host} answered 401: it does not know who asks${text}`,
        remedy === undefined ? {} : { remedy },
      )
    }
    case 403:
      return makeFault('SOURCE_FORBIDDEN', `${host} answered 403: it knows this node and refuses it`)
    case 404:
    case 410:
      return makeFault('SOURCE_NOT_FOUND', `${host} answered ${status} for ${url.pathname}`)
    case 429:
      return makeFault('SOURCE_RATE_LIMITED', `${host} answered 429: too many requests`, details)
    case 503:
      return makeFault('SOURCE_UNAVAILABLE', `${host} answered 503`, details)
    default:
      return makeFault('SOURCE_HTTP_STATUS', `${host} answered ${status}`, details)
  }
}

const opaque = (etag: string): string => etag.replace(/^W\//, '')

/** Sent back as it came, so only what may stand in a header. Some servers leave the quotes out. */
const usableEtag = (etag: string | null): string | null =>
  etag !== null && /^[\x21-\x7e]{1,300}$/.test(etag) ? etag : null

const MAX_DRAIN_BYTES = 65_536
const MAX_DRAIN_MS = 1_000

/** Reads what nobody wants, if there is little of it and it comes soon, so that the connection can be used again. */
async function drain(body: Dispatcher.ResponseData['body'], ms: number): Promise<void> {
  // Not AbortSignal.any: each one leaves some 200 bytes behind (measured on Node 24).
  const timer = setTimeout(() => body.destroy(), ms)
  await body.dump({ limit: MAX_DRAIN_BYTES }).catch(() => {})
  clearTimeout(timer)
}

/** undici ends an aborted request only when its connection is open, and that may take as long as connecting may. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) onAbort()
    else signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

async function exchange(request: StateRequest, watch: Watch): Promise<StateAnswer> {
  const { url, auth, etag, deadlines, limits, dispatcher } = request
  const { host } = url
  const waitSeconds = request.wait ? deadlines.waitSeconds : 0
  const answerTimer = watch.limit(waitSeconds * 1000 + deadlines.answerMs, 'did not answer')
  const sending = send(url, {
    dispatcher,
    method: 'GET',
    signal: watch.signal,
    // The deadlines are ours: those of undici have a grain of one second.
    headersTimeout: 0,
    bodyTimeout: 0,
    headers: {
      accept: 'application/json',
      'accept-encoding': 'gzip',
      ...auth.headers({ method: 'GET', pathAndQuery: url.pathname + url.search, body: new Uint8Array() }),
      ...(etag === null ? {} : { 'if-none-match': etag }),
      ...(request.wait ? { prefer: `wait=${waitSeconds}` } : {}),
    },
  })
  const { statusCode: status, headers, body } = await orAborted(sending, watch.signal)
  clearTimeout(answerTimer)
  // A body that is destroyed before it is read fails with nobody listening.
  body.on('error', () => {})
  try {
    const answer = {
      etag: usableEtag(header(headers, 'etag')),
      waits: /(?:^|[\s,;])wait\b/i.test(header(headers, 'preference-applied') ?? ''),
    }
    if (status !== 200) await drain(body, Math.min(deadlines.idleMs, MAX_DRAIN_MS))
    if (status === 304) {
      if (etag === null || (answer.etag !== null && opaque(answer.etag) !== opaque(etag)))
        throw makeFault('SOURCE_NOT_MODIFIED', `${host} answered 304 to a request that did not ask for it`)
      return { ...answer, etag, kind: 'unchanged' }
    }
    if (status !== 200) throw faultOfStatus(status, headers, request)
    checkBodyHeaders(headers, host, limits)
    watch.limit(deadlines.bodyMs, 'did not end its document')
    const idleTimer = watch.limit(deadlines.idleMs, 'sent nothing more of its document')
    const whole = await readBody({
      headers,
      body,
      host,
      limits,
      signal: watch.signal,
      onProgress: () => idleTimer.refresh(),
    }).catch(error => {
      throw faultOfNetworkError(watch.signal.aborted ? watch.signal.reason : error, host, 'body')
    })
    if (whole.hash === request.bodyHash) return { ...answer, kind: 'unchanged' }
    const read = readJson(whole.bytes)
    if (!read.ok) throw makeFault('SOURCE_MALFORMED', read.message)
    return { ...answer, kind: 'document', document: read.value, bodyHash: whole.hash }
  } finally {
    // Gives the connection back after a whole body, and closes it otherwise: what may follow is not worth reading.
    if (!body.readableEnded) body.destroy()
  }
}

/** Throws a SourceError, or the reason of `signal` when that was aborted. */
export async function fetchState(request: StateRequest): Promise<StateAnswer> {
  const watch = createWatch(request.signal, request.url.host)
  try {
    return await exchange(request, watch)
  } catch (error) {
    request.signal.throwIfAborted()
    if (error instanceof SourceError) throw error
    throw faultOfNetworkError(watch.signal.aborted ? watch.signal.reason : error, request.url.host, 'answer')
  } finally {
    watch.end()
  }
}
