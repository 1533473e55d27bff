/**
 * What is wrong with one route, or with a document, as a value.
 *
 * Wrong input is expected here, so it never throws: it becomes a problem that names the thing, the value that was found and the way out.
 */
import type { ReasonCode } from './verdict.ts'

export type Protocol = 'http' | 'tcp' | 'udp'

export const PROTOCOLS: readonly Protocol[] = ['http', 'tcp', 'udp']

/** An id is unique within its protocol: `tcp/pg` names one route of a node. */
export type RouteKey = `${Protocol}/${string}`

export const routeKey = (protocol: Protocol, id: string): RouteKey => `${protocol}/${id}`

export type Problem = {
  /** One of the closed table in verdict.ts. */
  readonly code: ReasonCode
  readonly protocol: Protocol | null
  /** The id as it was found, printable; null when there was none, or the problem is the document's. */
  readonly routeId: string | null
  /** Path of the field within the route (`upstreams[0]`), or null. */
  readonly field: string | null
  /** The value that was found, printable and cut to 80 signs, or null. */
  readonly value: string | null
  /** One sentence without the route's name in front of it: `port 70000 is outside 10000-10099`. */
  readonly message: string
  /** What to do about it, one sentence. */
  readonly remedy: string
  /** Where it comes from: a file's name, or the control plane's id. */
  readonly origin: string
}

const MAX_VALUE_LENGTH = 80
/** As long as an id may be, so that a problem of a route with a good id names it in full. */
const MAX_ID_LENGTH = 200

function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === undefined) return 'nothing'
  // JSON has no word for Infinity, which is what 1e400 is read as.
  if (typeof value === 'bigint' || typeof value === 'number') return String(value)
  try {
    return JSON.stringify(value) ?? typeof value
  } catch {
    return typeof value
  }
}

const escapeSigns = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, sign => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`)

function printableText(text: string, max: number): string {
  // Escaping makes a text longer, never shorter: what lies behind the first `max` units cannot be shown.
  const escaped = escapeSigns(text.slice(0, max))
  if (text.length <= max && escaped.length <= max) return escaped
  return `${escaped.slice(0, max - 3).replace(/[\ud800-\udbff]$/, '')}...`
}

/** A value of unknown origin as one printable line of at most 80 signs: control and bidirectional signs are escaped. */
export const printable = (value: unknown): string => printableText(textOf(value), MAX_VALUE_LENGTH)

/** An id as it was found, as one printable line of at most 200 signs: a good id stays as it is. */
export const printableId = (id: string): string => printableText(id, MAX_ID_LENGTH)

/**
 * As `printable`, for a field that should hold an address: what stands before an `@` is left out. People paste
 * `postgres://user:password@host`, and a problem goes to logs, to the console and to other people.
 */
export function printableAddress(value: unknown): string {
  const text = textOf(value)
  const at = text.lastIndexOf('@')
  if (at < 0) return printable(text)
  return typeof value === 'string' ? printable(`***${text.slice(at)}`) : typeof value
}

/** `tcp/pg`, or the protocol alone when the route has no usable id. */
export function routeLabel(problem: Pick<Problem, 'protocol' | 'routeId'>): string {
  if (problem.protocol === null) return problem.routeId ?? 'document'
  return problem.routeId === null ? `${problem.protocol} route` : `${problem.protocol}/${problem.routeId}`
}
