/** Why a write is refused, gathered: people mend all of it at once. */
import type { FieldFault } from '../../api/problem.ts'
import { PROBLEM_CODES, type ProblemCode } from '../../api/problem-codes.ts'
import { printable } from '../../core/problem.ts'
import { ApiError } from '../http/api-error.ts'

export type Refusal = {
  /** What the answer would be, were this all. */
  readonly problem: ProblemCode
  readonly fault: FieldFault
  /** Further members of the problem document: who has it, what is free, what blocks. */
  readonly extra?: Readonly<Record<string, unknown>>
}

/** A field that is wrong whatever else is there. `value` is left out for `undefined`. */
export function invalid(field: string, code: string, message: string, remedy: string, value?: unknown): Refusal {
  const found = value === undefined ? {} : { value: printable(value) }
  return { problem: 'BODY_INVALID', fault: { field, code, message, ...found, remedy } }
}

/** The same below a path: `ports[0].` and `externalPort`. */
export const below = (prefix: string, refusals: readonly Refusal[]): Refusal[] =>
  refusals.map(({ fault, ...rest }) => ({ ...rest, fault: { ...fault, field: `${prefix}${fault.field}` } }))

const MAX_TOLD = 3

/** The one error for all of them; null without any. What is wrong in itself goes before what only collides. */
export function refusalError(refusals: readonly Refusal[]): ApiError | null {
  const first = refusals.find(({ problem }) => PROBLEM_CODES[problem].status === 422) ?? refusals[0]
  if (first === undefined) return null
  const told = refusals.slice(0, MAX_TOLD).map(({ fault }) => fault.message)
  const more = refusals.length > MAX_TOLD ? `; and ${refusals.length - MAX_TOLD} more` : ''
  const { remedy } = first.fault
  return new ApiError(first.problem, told.join('; ') + more, {
    fields: refusals.map(({ fault }) => fault),
    ...(remedy === undefined || refusals.length > 1 ? {} : { remedy }),
    ...(first.extra === undefined ? {} : { extra: first.extra }),
  })
}

/** Throws when there is anything to refuse; inside a transaction that rolls it back. */
export function throwRefusals(refusals: readonly Refusal[]): void {
  const error = refusalError(refusals)
  if (error !== null) throw error
}
