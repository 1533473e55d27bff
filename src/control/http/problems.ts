/** Whatever was thrown, as the problem document that the caller gets: nothing of our insides, and never a 500 for what will pass. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { PROBLEM_TYPE, type ProblemDocument } from '../../api/problem.ts'
import { PROBLEM_CODES, type ProblemCode } from '../../api/problem-codes.ts'
import { type DatabaseError, type DatabaseErrorCode, toDatabaseError } from '../db/error.ts'
import { ApiError } from './api-error.ts'
import { InputError } from './validate.ts'

/** What the database says, as what a caller can do about it. */
const BY_DATABASE_CODE: Readonly<Record<DatabaseErrorCode, ProblemCode>> = {
  DATABASE_UNREACHABLE: 'DATABASE_UNAVAILABLE',
  DATABASE_BUSY: 'DATABASE_BUSY',
  DATABASE_FULL: 'DATABASE_UNAVAILABLE',
  DATABASE_READ_ONLY: 'DATABASE_UNAVAILABLE',
  DATABASE_CONFLICT: 'DATABASE_BUSY',
  DATABASE_REFUSED: 'DATABASE_UNAVAILABLE',
  DATABASE_TOO_OLD: 'DATABASE_UNAVAILABLE',
  DATABASE_DIRECTORY_LOCKED: 'DATABASE_UNAVAILABLE',
  DATABASE_DIRECTORY_UNUSABLE: 'DATABASE_UNAVAILABLE',
  DATABASE_BROKEN: 'DATABASE_UNAVAILABLE',
  DATABASE_CLOSED: 'STOPPING',
  COMMIT_OUTCOME_UNKNOWN: 'COMMIT_OUTCOME_UNKNOWN',
  MIGRATION_FAILED: 'DATABASE_UNAVAILABLE',
  CONSTRAINT_VIOLATED: 'CONFLICT',
  QUERY_FAILED: 'INTERNAL',
}

const SENTENCES: Readonly<Partial<Record<ProblemCode, string>>> = {
  DATABASE_UNAVAILABLE: 'the database does not take part in this now; nothing was changed',
  DATABASE_BUSY: 'others keep the database busy; nothing was changed',
  STOPPING: 'this control plane is stopping; nothing was changed',
  COMMIT_OUTCOME_UNKNOWN: 'the database was lost while it committed, and could not be asked again',
  CONFLICT: 'something that is there collides with it',
}

/** Codes of Fastify for requests that it refuses itself. */
const BY_FASTIFY_CODE: Readonly<Record<string, ProblemCode>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'CONTENT_TYPE_UNSUPPORTED',
  FST_ERR_CTP_BODY_TOO_LARGE: 'BODY_TOO_LARGE',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'BODY_MALFORMED',
  FST_ERR_CTP_INVALID_JSON_BODY: 'BODY_MALFORMED',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'REQUEST_MALFORMED',
  FST_ERR_BAD_URL: 'REQUEST_MALFORMED',
}

const RETRY_SOON: Readonly<Record<string, string>> = { 'retry-after': '1' }

/** As an error that says what to answer; null for a fault of ours, which is logged and not shown. */
export function toApiError(error: unknown): ApiError | null {
  if (error instanceof ApiError) return error
  if (error instanceof InputError) return ofInput(error)
  const database = toDatabaseError(error)
  if (database !== null) return ofDatabase(database)
  const { code = '', statusCode = 500 } = isFastifyError(error) ? error : {}
  const known = BY_FASTIFY_CODE[code]
  if (known !== undefined) return new ApiError(known, PROBLEM_CODES[known].title.toLowerCase())
  // Fastify and its plugins: everything that is the caller's fault.
  return statusCode >= 400 && statusCode < 500 ? new ApiError('REQUEST_MALFORMED', 'the request cannot be read') : null
}

const isFastifyError = (error: unknown): error is FastifyError =>
  error instanceof Error && 'code' in error && typeof error.code === 'string'

function ofInput({ fields, validationContext }: InputError): ApiError {
  const code = validationContext === 'body' ? 'BODY_INVALID' : 'QUERY_INVALID'
  const names = fields.map(({ field, message }) => (field === '' ? message : `${field}: ${message}`))
  const more = names.length > 3 ? `; and ${names.length - 3} more` : ''
  return new ApiError(code, names.slice(0, 3).join('; ') + more, { fields })
}

function ofDatabase(error: DatabaseError): ApiError | null {
  const code = BY_DATABASE_CODE[error.code]
  if (code === 'INTERNAL') return null
  const headers = PROBLEM_CODES[code].status === 503 ? RETRY_SOON : {}
  return new ApiError(code, SENTENCES[code] ?? PROBLEM_CODES[code].title, { headers, cause: error })
}

/** The document. Its own members cannot be overwritten by those of an error. */
export function problemDocument(error: ApiError, requestId: string): ProblemDocument {
  const { code, status, message, remedy, fields, extra } = error
  return {
    ...extra,
    type: `urn:fairlead:problem:${code}`,
    title: PROBLEM_CODES[code].title,
    status,
    code,
    detail: message,
    remedy,
    ...(fields === null ? {} : { fields: [...fields] }),
    requestId,
  }
}

const asJson = (payload: unknown): string => JSON.stringify(payload)

/** Answers with the problem, and logs what somebody has to act on. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = toApiError(error)
  if (known === null) request.log.error({ err: error }, 'request failed')
  else if (known.status >= 500) request.log.warn({ code: known.code, err: known.cause }, 'request refused')
  const problem = known ?? new ApiError('INTERNAL', 'something went wrong here')
  return reply
    .code(problem.status)
    .headers(problem.headers)
    .type(PROBLEM_TYPE)
    .serializer(asJson)
    .send(problemDocument(problem, request.id))
}
