/** A request that is refused, as a thrown class: thrown inside a transaction, it rolls that back. The frame makes the problem document of it. */
import type { FieldFault } from '../../api/problem.ts'
import { PROBLEM_CODES, type ProblemCode } from '../../api/problem-codes.ts'

export type ApiErrorOptions = {
  /** What to do; absent: what the table of codes says. */
  readonly remedy?: string
  readonly fields?: readonly FieldFault[]
  /** Further members of the problem document. */
  readonly extra?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: ProblemCode
  readonly status: number
  readonly remedy: string
  readonly fields: readonly FieldFault[] | null
  readonly extra: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>

  /** The detail names the thing, the found value and what is wrong with it. */
  constructor(code: ProblemCode, detail: string, { remedy, fields, extra, headers, cause }: ApiErrorOptions = {}) {
    super(detail, cause === undefined ? undefined : { cause })
    this.code = code
    this.status = PROBLEM_CODES[code].status
    this.remedy = remedy ?? PROBLEM_CODES[code].remedy
    this.fields = fields ?? null
    this.extra = extra ?? {}
    this.headers = headers ?? {}
  }
}

/** `there is no service svc_1`: for what is not there and for what the actor does not see, alike. */
export const notFound = (kind: string, id: string): ApiError => new ApiError('NOT_FOUND', `there is no ${kind} ${id}`)
