/** What went wrong with a call, in words that a person can act on. */
import type { FieldFault, ProblemDocument } from '../../api/problem.ts'

export type CallFault = {
  /** Null: there was no answer. */
  readonly status: number | null
  /** The code of the problem document; null when the answer was none, as from a proxy in between. */
  readonly code: string | null
  /** One sentence. */
  readonly message: string
  readonly remedy: string
  readonly requestId: string | null
  readonly fields: readonly FieldFault[]
  /** Milliseconds since 1970. */
  readonly at: number
  /** What else the problem document says: `allow`, who holds a port, the state that is there. */
  readonly extra: Readonly<Record<string, unknown>>
}

/** Thrown by the client (client.ts) for every call that is not answered as it should be. */
export class CallError extends Error {
  override readonly name = 'CallError'
  readonly fault: CallFault

  constructor(fault: CallFault) {
    super(fault.message)
    this.fault = fault
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isProblem = (value: unknown): value is ProblemDocument =>
  isRecord(value) && typeof value.code === 'string' && typeof value.detail === 'string'

/** Of a status that comes from something else than the control plane. */
function statusWords(status: number): string {
  if (status === 502 || status === 504)
    return `The proxy in front of the control plane answered ${status}: it does not reach it.`
  if (status === 503) return 'The control plane answered 503: it cannot work now.'
  if (status === 413) return 'The answer was 413: more was sent than is taken.'
  return `The answer was ${status}, and not from the control plane.`
}

/** What a person does about it here, where the remedy of the interface speaks to programs. */
const REMEDIES: Readonly<Record<string, string>> = {
  UNAUTHENTICATED: 'Sign in again.',
  SCOPE_MISSING: 'Sign in with a token that may do it.',
  CROSS_ORIGIN: 'Load the page again.',
  IDEMPOTENCY_KEY_IN_USE: 'Try again in a moment.',
  STALE: 'Look at it as it is now, then try again.',
  RATE_LIMITED: 'Try again in a moment.',
  DATABASE_UNAVAILABLE: 'Try again in a moment.',
  DATABASE_BUSY: 'Try again in a moment.',
  COMMIT_OUTCOME_UNKNOWN: 'Look whether it is there before you try again.',
  OVERLOADED: 'Try again in a moment.',
  STOPPING: 'Try again in a moment.',
}

/** Whether trying again may help: there was no answer, or one that says that the server cannot work now. */
export const isPassing = (error: unknown): boolean =>
  error instanceof CallError && (error.fault.status === null || error.fault.status === 429 || error.fault.status >= 500)

/** What was asked for is not there, or not any more. */
export const isGone = (error: unknown): boolean => error instanceof CallError && error.fault.status === 404

/** Nobody knows whether what was sent has been done: the answer was lost on its way, or the database while it wrote. */
export const isUncertain = ({ status, code }: CallFault): boolean =>
  status === null || status === 502 || status === 504 || code === 'COMMIT_OUTCOME_UNKNOWN'

/** `body`: the parsed answer, or null when it was not JSON. */
export function faultOfAnswer(status: number, body: unknown, requestId: string | null, at: number): CallFault {
  if (!isProblem(body))
    return {
      status,
      code: null,
      message: statusWords(status),
      remedy: 'Try again in a moment.',
      requestId,
      fields: [],
      at,
      extra: {},
    }
  const { type: _type, title, status: _status, code, detail, remedy, fields, requestId: id, ...extra } = body
  return {
    status,
    code,
    message: sentence(detail === '' ? title : detail),
    remedy: REMEDIES[code] ?? sentence(remedy),
    requestId: id ?? requestId,
    fields: fields ?? [],
    at,
    extra,
  }
}

/** No answer at all: the network, a name that cannot be looked up, a server that is down. */
export function faultOfSilence(at: number): CallFault {
  return {
    status: null,
    code: null,
    message: 'The control plane does not answer.',
    remedy: 'Look whether it runs and whether this machine reaches it.',
    requestId: null,
    fields: [],
    at,
    extra: {},
  }
}

/** An answer that says that all went well, and cannot be read: something between here and there changes or cuts it. */
export function faultOfUnreadable(requestId: string | null, at: number): CallFault {
  return {
    ...faultOfSilence(at),
    message: 'What came is no answer of the control plane.',
    remedy: 'Look what stands between it and this machine.',
    requestId,
  }
}

/** What the faults of a form's field say, by the path of the field; the rest stands at the foot of the form. */
export function faultsByField(fault: CallFault): ReadonlyMap<string, FieldFault> {
  return new Map(fault.fields.map(one => [one.field, one]))
}

/** A capital letter at the front, a full stop at the end. */
export function sentence(text: string): string {
  const trimmed = text.trim()
  if (trimmed === '') return ''
  const capital = /^[a-z]+[\s,]/.test(trimmed) ? trimmed.charAt(0).toUpperCase() + trimmed.slice(1) : trimmed
  return /[.!?:…]$/.test(capital) ? capital : `${capital}.`
}
