/**
 * The one way to call the control plane.
 *
 *   const { data, etag } = await client.get<Service>(`/services/${id}`)
 *   await client.send('PATCH', `/services/${id}`, { body: { name }, ifMatch: etag })
 *
 * Rejects with a CallError for everything but 2xx. The session is a cookie; the browser says by itself that the call is of this site.
 * The caller names the type of the answer: the control plane is of one version with this page, so answers are not parsed again here.
 */
import { CallError, faultOfAnswer, faultOfSilence, faultOfUnreadable } from './problem.ts'

export const API = '/api/v1'

export type Answer<T> = {
  readonly data: T
  readonly etag: string | null
  readonly status: number
  readonly requestId: string | null
}

export type SendOptions = {
  readonly body?: unknown
  readonly ifMatch?: string | null
  /** Said again with each attempt of the same change: the control plane makes it once. POST has one by itself. */
  readonly idempotencyKey?: string
  readonly signal?: AbortSignal | undefined
}

export type Client = {
  get<T>(path: string, signal?: AbortSignal): Promise<Answer<T>>
  send<T>(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, options?: SendOptions): Promise<Answer<T>>
  /** All pages of a list. */
  list<T>(path: string, signal?: AbortSignal): Promise<readonly T[]>
}

export type ClientOptions = {
  readonly fetch: typeof globalThis.fetch
  readonly now: () => number
  /** The session is over, or there never was one. */
  readonly onSignedOut: () => void
}

/** No call waits longer: then it counts as not answered. */
const TIMEOUT_MS = 30_000
const PAGE = 500

export function createClient({ fetch, now, onSignedOut }: ClientOptions): Client {
  async function call<T>(path: string, init: RequestInit, signal: AbortSignal | undefined): Promise<Answer<T>> {
    const limit = AbortSignal.timeout(TIMEOUT_MS)
    let response: Response
    let text: string
    try {
      response = await fetch(`${API}${path}`, {
        ...init,
        credentials: 'same-origin',
        signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      })
      text = await response.text()
    } catch (error) {
      if (signal?.aborted === true) throw error
      throw new CallError(faultOfSilence(now()))
    }
    const requestId = response.headers.get('x-request-id')
    const body = parse(text)
    if (!response.ok) {
      // Anything else but the sign-in itself: nobody is signed in any more.
      if (response.status === 401 && path !== '/sessions') onSignedOut()
      throw new CallError(faultOfAnswer(response.status, body, requestId, now()))
    }
    // What is deleted is answered with nothing; what is read never is.
    if (body === null && (text !== '' || init.method === 'GET'))
      throw new CallError(faultOfUnreadable(requestId, now()))
    return { data: body as T, etag: response.headers.get('etag'), status: response.status, requestId }
  }

  const client: Client = {
    get: (path, signal) => call(path, { method: 'GET', headers: { accept: 'application/json' } }, signal),
    send(method, path, { body, ifMatch, idempotencyKey, signal } = {}) {
      const headers: Record<string, string> = { accept: 'application/json' }
      if (body !== undefined) headers['content-type'] = 'application/json'
      if (ifMatch !== undefined && ifMatch !== null) headers['if-match'] = ifMatch
      if (method === 'POST') headers['idempotency-key'] = idempotencyKey ?? makeKey()
      const init: RequestInit = { method, headers }
      if (body !== undefined) init.body = JSON.stringify(body)
      return call(path, init, signal)
    },
    async list<T>(path: string, signal?: AbortSignal) {
      type Page = { readonly items: readonly T[]; readonly nextCursor: string | null }
      const items: T[] = []
      let cursor: string | null = null
      do {
        const query: string = cursor === null ? `limit=${PAGE}` : `limit=${PAGE}&cursor=${encodeURIComponent(cursor)}`
        const { data }: Answer<Page> = await client.get(`${path}${path.includes('?') ? '&' : '?'}${query}`, signal)
        items.push(...data.items)
        cursor = data.nextCursor
      } while (cursor !== null)
      return items
    },
  }
  return client
}

function parse(text: string): unknown {
  try {
    return text === '' ? null : JSON.parse(text)
  } catch {
    return null
  }
}

/** `crypto.randomUUID` is there only on secure addresses, and a console may be opened by plain http in a closed network. */
export function makeKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('')
}
