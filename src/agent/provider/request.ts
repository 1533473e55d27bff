/** What one request to the provider endpoint asks for, and the answer to those that ask for anything but a poll. */
import type { IncomingMessage } from 'node:http'
import { printable } from '../../core/problem.ts'
import type { PlainAnswer } from '../local-http.ts'
import { MAX_HOLD_MS, parseHold } from './hold.ts'

const PATH = '/traefik'

/**
 * Traefik's provider does not say who it is, but for the library that asks. A name of its own in `providers.http.headers` hides that too;
 * what is left is what the library does: gzip and nothing else, and not a word of what it would accept, which others send.
 */
export const isTraefik = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  headers['user-agent']?.startsWith('Go-http-client/') === true ||
  (headers['accept-encoding'] === 'gzip' && headers.accept === undefined)

export type RequestView = {
  readonly method: string
  /** Path and query as sent. */
  readonly target: string
  readonly hostAllowed: boolean
  readonly tokenOk: boolean
}

export type RequestVerdict =
  /** Traefik's request for its configuration; `holdMs` is null when the answer must not wait. */
  | { readonly kind: 'poll'; readonly holdMs: number | null }
  /** Somebody looks without taking the body: answered, but Traefik never does it, so it is no poll and is never held. */
  | { readonly kind: 'look' }
  /** A poll that is refused. */
  | { readonly kind: 'refused-poll'; readonly answer: PlainAnswer }
  | { readonly kind: 'refused'; readonly answer: PlainAnswer }

/** Total. The order is that of trust: who was meant, what is there, may it be done so, who asks, and only then the details. */
export function judgeRequest({ method, target, hostAllowed, tokenOk }: RequestView): RequestVerdict {
  if (!hostAllowed)
    return refuse(421, 'Host is not a loopback name with the port of this endpoint; use http://127.0.0.1:PORT')
  const [path = '', query, ...more] = target.split('?')
  if (path !== PATH) return refuse(404, `${printable(path)} is not here; the one path is ${PATH}`)
  if (method !== 'GET' && method !== 'HEAD')
    return refuse(405, `${printable(method)} is not allowed; use GET`, { Allow: 'GET, HEAD' })
  if (!tokenOk)
    return refusePoll(
      method,
      401,
      'the bearer token is missing or wrong; put the one of provider.tokenFile into providers.http.headers of Traefik, as Authorization: Bearer TOKEN',
      { 'WWW-Authenticate': 'Bearer' },
    )
  const hold = parseQuery([query ?? '', ...more].join('?'))
  if (!hold.ok) return refusePoll(method, 400, hold.message)
  return method === 'HEAD' ? { kind: 'look' } : { kind: 'poll', holdMs: hold.holdMs }
}

const refuse = (status: number, text: string, headers: Record<string, string> = {}): RequestVerdict => ({
  kind: 'refused',
  answer: { status, text, headers },
})

function refusePoll(
  method: string,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): RequestVerdict {
  return { kind: method === 'GET' ? 'refused-poll' : 'refused', answer: { status, text, headers } }
}

type Query = { readonly ok: true; readonly holdMs: number | null } | { readonly ok: false; readonly message: string }

// A name that we do not know is refused too: passed over, a misspelt `hold` would make every change wait for Traefik's poll interval.
function parseQuery(query: string): Query {
  const entries = [...new URLSearchParams(query)]
  const unknown = entries.find(([name]) => name !== 'hold')
  if (unknown !== undefined)
    return { ok: false, message: `parameter ${printable(unknown[0])} is unknown; the one there is is hold` }
  const [first, ...more] = entries
  if (first === undefined) return { ok: true, holdMs: null }
  if (more.length > 0) return { ok: false, message: 'hold is given more than once; give it once' }
  const holdMs = parseHold(first[1])
  return holdMs === null
    ? {
        ok: false,
        message: `hold ${printable(first[1])} is not a time of 1ms to ${MAX_HOLD_MS / 1000}s; write it as 25s or 500ms`,
      }
    : { ok: true, holdMs }
}
