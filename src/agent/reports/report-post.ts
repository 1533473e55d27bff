/**
 * One report on its way: a signed POST with one deadline for all of it, and what the control plane makes of it, or a SourceError.
 *
 * Redirects are not followed, no proxy is used, and nobody reads what the answer says beside its status.
 */
import { type Dispatcher, request as send } from 'undici'
import type { SourceError } from '../../lib/errors.ts'
import type { RequestAuth } from '../identity.ts'
import { faultOfNetworkError, makeFault } from '../sources/control-plane-faults.ts'
import { parseRetryAfter } from '../sources/fetch-state.ts'
import { type Headers, header } from '../sources/read-body.ts'

export type PostRequest = {
  readonly dispatcher: Dispatcher
  readonly url: URL
  readonly auth: RequestAuth
  readonly body: string
  /** From the first byte to the status of the answer, connecting included. */
  readonly deadlineMs: number
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly signal: AbortSignal
}

/** `full`: the control plane lacks what this report builds upon. */
export type PostAnswer = 'taken' | 'full'

const MAX_DRAIN_BYTES = 65_536
const MAX_DRAIN_MS = 1_000

function faultOfStatus(status: number, headers: Headers, { url, now, body }: PostRequest): SourceError {
  const { host } = url
  const answered = (what: string) => `${host} answered ${status} to a report${what}`
  const retryAfterMs = parseRetryAfter(header(headers, 'retry-after'), now())
  const details = retryAfterMs === null ? {} : { retryAfterMs }
  if (status >= 300 && status < 400) return makeFault('SOURCE_REDIRECT', answered(', a redirect'))
  switch (status) {
    case 401:
      return makeFault('SOURCE_UNAUTHORIZED', answered(': it does not know who reports'))
    case 403:
      return makeFault('SOURCE_FORBIDDEN', answered(': it knows this node and refuses it'))
    case 404:
    case 410:
      return makeFault('SOURCE_NOT_FOUND', answered(`: nobody takes reports at ${url.pathname}`))
    case 413:
      return makeFault('SOURCE_TOO_LARGE', answered(` of ${Buffer.byteLength(body)} bytes`), {
        remedy: 'Let the control plane, and the proxies before it, take bodies of 1 MiB.',
      })
    case 429:
      return makeFault('SOURCE_RATE_LIMITED', answered(': too many requests'), details)
    case 503:
      return makeFault('SOURCE_UNAVAILABLE', answered(''), details)
    default:
      return makeFault('SOURCE_HTTP_STATUS', answered(''), details)
  }
}

/** Reads what nobody wants, if there is little of it and it comes soon, so that the connection can be used again. */
async function drain(body: Dispatcher.ResponseData['body']): Promise<void> {
  // A body that is destroyed before it is read fails with nobody listening.
  body.on('error', () => {})
  const timer = setTimeout(() => body.destroy(), MAX_DRAIN_MS)
  await body.dump({ limit: MAX_DRAIN_BYTES }).catch(() => {})
  clearTimeout(timer)
  if (!body.readableEnded) body.destroy()
}

/** Throws a SourceError, or the reason of `signal` when that was aborted. */
export async function postReport(request: PostRequest): Promise<PostAnswer> {
  const { dispatcher, url, auth, deadlineMs, signal } = request
  const bytes = Buffer.from(request.body)
  const deadline = new AbortController()
  const stop = () => deadline.abort(signal.reason)
  const late = makeFault('SOURCE_TIMEOUT', `${url.host} did not answer to a report within ${deadlineMs} ms`)
  const timer = setTimeout(() => deadline.abort(late), deadlineMs)
  signal.throwIfAborted()
  signal.addEventListener('abort', stop, { once: true })
  try {
    const { statusCode, headers, body } = await send(url, {
      dispatcher,
      method: 'POST',
      signal: deadline.signal,
      // The deadline is ours: those of undici have a grain of one second.
      headersTimeout: 0,
      bodyTimeout: 0,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        ...auth.headers({ method: 'POST', pathAndQuery: url.pathname + url.search, body: bytes }),
      },
      body: bytes,
    })
    await drain(body)
    if (statusCode >= 200 && statusCode < 300) return 'taken'
    if (statusCode === 409) return 'full'
    throw faultOfStatus(statusCode, headers, request)
  } catch (error) {
    signal.throwIfAborted()
    throw faultOfNetworkError(deadline.signal.aborted ? deadline.signal.reason : error, url.host, 'answer')
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}
