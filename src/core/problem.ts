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

/** A value of unknown origin as one printable line of at most 80 signs: control and bidirectional signs are escaped. */
export function printable(value: unknown): string {
  let text: string
  if (typeof value === 'string') text = value
  else if (value === undefined) text = 'nothing'
  else if (typeof value === 'bigint') text = String(value)
  else {
    try {
      text = JSON.stringify(value) ?? typeof value
    } catch {
      text = typeof value
    }
  }
  const cut = text.length > MAX_VALUE_LENGTH ? `${text.slice(0, MAX_VALUE_LENGTH - 3)}...` : text
  return cut.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, sign => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`)
}

/** `tcp/pg`, or the protocol alone when the route has no usable id. */
export function routeLabel(problem: Pick<Problem, 'protocol' | 'routeId'>): string {
  if (problem.protocol === null) return problem.routeId ?? 'document'
  return problem.routeId === null ? `${problem.protocol} route` : `${problem.protocol}/${problem.routeId}`
}
