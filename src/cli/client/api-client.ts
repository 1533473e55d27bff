/**
 * Asks a control plane. What it answers is read by a schema; what it refuses is thrown as sentences with an exit code.
 *
 * A POST carries an Idempotency-Key, so that one whose answer was lost, or that came while the database was away, is sent again without harm.
 */
import { randomUUID } from 'node:crypto'
import { Agent, request } from 'undici'
import type { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'
import { errorCode } from '../../lib/errors.ts'
import { CliError } from '../io.ts'
import { parseRefusal, RefusedError } from './problem.ts'

export type Question = {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below `/api/v1`; begins with a slash. */
  readonly path: string
  /** Sent as JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  /** Ends it, its answer included. */
  readonly signal?: AbortSignal
}

export interface ApiClient {
  readonly url: string
  /** Throws a RefusedError, or another CliError (3) when nobody answers, or not as a control plane does. */
  ask<T>(question: Question, schema: z.ZodType<T>): Promise<T>
  /** The answer as it comes, for what is too long to hold. */
  stream(question: Question): Promise<AsyncIterable<Uint8Array>>
  close(): Promise<void>
}

export type ApiClientOptions = {
  /** An origin, without a slash at its end. */
  readonly url: string
  /** Null: none is sent. */
  readonly token: string | null
  readonly clock: Clock
  readonly version: string
  /** PEM of certificates that are trusted instead of the usual ones. */
  readonly ca?: string
  /** `ca` is the very certificate of the server, whatever name is in it. */
  readonly pinned?: boolean
  /** Sent as `Host`, for a server that is reached by another address than its own. */
  readonly host?: string
  readonly timeoutMs?: number
  /** What to look at when nobody answers. */
  readonly remedy?: string
}

const TIMEOUT_MS = 15_000
const MAX_BYTES = 64 * 1024 * 1024
const PREFIX = '/api/v1'
/** Between the tries of one request. */
const PAUSES_MS = [200, 500, 1_000, 2_000]

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name cannot be looked up now',
  ETIMEDOUT: 'it does not answer',
  UND_ERR_CONNECT_TIMEOUT: 'it does not answer',
  UND_ERR_HEADERS_TIMEOUT: 'it does not answer in time',
  UND_ERR_BODY_TIMEOUT: 'its answer does not end in time',
  UND_ERR_SOCKET: 'the connection was cut',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by nobody that is trusted here',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by nobody that is trusted here',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is signed by nobody that is trusted here',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is signed by nobody that is trusted here',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
}

/** The other side has not acted on it, or says the same when it is asked again with its key. */
const TRANSIENT = new Set(['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET', 'UND_ERR_HEADERS_TIMEOUT'])

/** Nobody answers, or it is not a control plane that does. */
export class Unreachable extends CliError {
  readonly found: string
  constructor(found: string, remedy: string, options?: ErrorOptions) {
    super(3, [`${found}; ${remedy}`], options)
    this.found = found
  }
}

type Raw = { readonly status: number; readonly text: string }

export function createApiClient(options: ApiClientOptions): ApiClient {
  const { url, token, clock, version, ca, pinned = false, host, timeoutMs = TIMEOUT_MS } = options
  const remedy = options.remedy ?? 'look whether it runs, and whether the URL is right'
  const dispatcher = new Agent({
    connections: 4,
    connect: {
      timeout: 5_000,
      ...(ca === undefined ? {} : { ca }),
      // The certificate itself is what is trusted: then neither its issuer nor its names say anything more.
      ...(pinned ? { allowPartialTrustChain: true, checkServerIdentity: () => undefined } : {}),
    },
  })

  const unreachable = (error: unknown): Unreachable => {
    const code = errorCode(error) ?? 'unknown error'
    return new Unreachable(`${url} cannot be asked: ${REASONS[code] ?? code}`, remedy, { cause: error })
  }

  const send = (question: Question, key: string | null) => {
    const { method = 'GET', path, body, headers = {}, signal } = question
    return request(`${url}${PREFIX}${path}`, {
      dispatcher,
      method,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
      headers: {
        accept: 'application/json',
        'user-agent': `fairlead/${version}`,
        ...(token === null ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === null ? {} : { 'idempotency-key': key }),
        ...(host === undefined ? {} : { host }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal === undefined ? {} : { signal }),
    })
  }

  async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
    const chunks: Uint8Array[] = []
    let length = 0
    for await (const chunk of body) {
      length += chunk.length
      if (length > MAX_BYTES) throw new Unreachable(`${url} answers more than ${MAX_BYTES} bytes`, remedy)
      chunks.push(chunk)
    }
    return Buffer.concat(chunks).toString('utf8')
  }

  function refused(status: number, text: string): CliError {
    const document = parseRefusal(text)
    if (document !== null) return new RefusedError(status, document)
    const found =
      status >= 300 && status < 400 ? 'with a redirect, which is not followed' : `with ${status} and no reason`
    return new Unreachable(`${url} answers ${found}`, 'look whether the URL is that of a control plane')
  }

  async function tryOnce(question: Question, key: string | null): Promise<Raw> {
    const { statusCode, body } = await send(question, key)
    return { status: statusCode, text: await readText(body) }
  }

  async function exchange(question: Question): Promise<Raw> {
    const { method = 'GET' } = question
    const key = method === 'POST' ? randomUUID() : null
    const repeatable = key !== null || method === 'GET'
    for (let tries = 0; ; tries++) {
      const pauseMs = repeatable ? PAUSES_MS[tries] : undefined
      try {
        const raw = await tryOnce(question, key)
        if (raw.status !== 503 || pauseMs === undefined) return raw
      } catch (error) {
        if (error instanceof CliError) throw error
        if (pauseMs === undefined || !TRANSIENT.has(errorCode(error) ?? '')) throw unreachable(error)
      }
      await clock.sleep(pauseMs, new AbortController().signal)
    }
  }

  return {
    url,
    async ask(question, schema) {
      const { status, text } = await exchange(question)
      if (status < 200 || status >= 300) throw refused(status, text)
      let raw: unknown = null
      if (text !== '') {
        try {
          raw = JSON.parse(text)
        } catch {
          throw new Unreachable(`${url} answers something that is not JSON`, 'look whether it is a control plane')
        }
      }
      const parsed = schema.safeParse(raw)
      if (parsed.success) return parsed.data
      const field = parsed.error.issues[0]?.path.join('.') ?? ''
      throw new Unreachable(
        `${url} answers ${question.path.split('?')[0]} as no control plane of ours does${field === '' ? '' : ` (${field})`}`,
        'look whether it has the version of this program',
      )
    },
    async stream(question) {
      const { statusCode, body } = await send(question, null).catch((error: unknown) => {
        throw unreachable(error)
      })
      if (statusCode < 200 || statusCode >= 300) throw refused(statusCode, await readText(body))
      return body
    },
    close: () => dispatcher.close(),
  }
}
