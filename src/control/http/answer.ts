/** What a change is answered, as a value, so that it can be kept and said again. */
import type { FastifyRequest } from 'fastify'
import { ApiError } from './api-error.ts'

export type Answer = {
  readonly status: number
  /** Plain JSON, times as text. */
  readonly body: unknown
  readonly etag?: string
  readonly headers?: Readonly<Record<string, string>>
  /** There is a secret in the body: never kept in the clear. */
  readonly secret?: boolean
  /** It was as wanted already: nothing was changed, so the audit log says nothing. */
  readonly unchanged?: boolean
}

/** The reply of any route, whatever it may answer. */
type Sender = {
  code(status: number): unknown
  headers(values: Readonly<Record<string, string>>): unknown
  send(payload?: unknown): unknown
  then(sent: () => void, failed: (error: Error) => void): void
}

/** Sends it, checked against the schema of its status like any answer. */
export async function sendAnswer(reply: Sender, answer: Answer): Promise<void> {
  const { status, body, etag, headers = {} } = answer
  reply.code(status)
  reply.headers(etag === undefined ? headers : { ...headers, etag })
  if (status === 204) reply.send()
  else reply.send(body)
  // A handler that ends before its answer has gone is taken to have none. A caller who went away meanwhile is no fault.
  await new Promise<void>(resolve => reply.then(resolve, () => resolve()))
}

/** The ETag of a version: strong, `"v3"`. */
export const etagOf = (version: number): string => `"v${version}"`

/** Throws an ApiError (412) when the request has an `If-Match` that is not this version. */
export function checkIfMatch(request: Pick<FastifyRequest, 'headers'>, version: number): void {
  const wanted = request.headers['if-match']
  if (wanted === undefined) return
  const current = etagOf(version)
  // Weak tags never match here (RFC 9110, 13.1.1).
  const tags = wanted.split(',').map(tag => tag.trim())
  if (tags.includes('*') || tags.includes(current)) return
  throw new ApiError('STALE', `it is at ${current} now, and If-Match wants ${wanted.slice(0, 100)}`, {
    headers: { etag: current },
  })
}
