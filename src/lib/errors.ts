/**
 * Failing machinery, as thrown classes. (Wrong input is a value: see core/problem.ts.)
 *
 * Each has a stable `code`, a sentence that names what was found, and a remedy. None of the texts holds a secret: no header, no body,
 * no user part or query of a URL. Whether another try can help is said where the error is made.
 */

export type SourceErrorOptions = {
  /** Another try, or another address of the same control plane, may help. */
  readonly retryable: boolean
  readonly remedy: string
  readonly cause?: unknown
  /** How long the other side asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number
}

/** A source could not be read. */
export class SourceError extends Error {
  override readonly name = 'SourceError'
  readonly code: string
  readonly retryable: boolean
  readonly remedy: string
  readonly retryAfterMs: number | null
  constructor(code: string, message: string, { retryable, remedy, cause, retryAfterMs }: SourceErrorOptions) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retryable = retryable
    this.remedy = remedy
    this.retryAfterMs = retryAfterMs ?? null
  }
}

export type SecretFileErrorCode =
  | 'SECRET_FILE_MISSING'
  | 'SECRET_FILE_UNREADABLE'
  | 'SECRET_FILE_UNWRITABLE'
  | 'SECRET_FILE_NOT_PRIVATE'
  | 'SECRET_FILE_INVALID'
  | 'SECRET_FILE_EXISTS'

/** A file with a key or a token in it cannot be used, or not be written. Its content is in no message. */
export class SecretFileError extends Error {
  override readonly name = 'SecretFileError'
  readonly code: SecretFileErrorCode
  readonly retryable = false
  readonly path: string
  readonly remedy: string
  constructor(code: SecretFileErrorCode, path: string, message: string, remedy: string, cause?: unknown) {
    super(`${path}: ${message}`, cause === undefined ? undefined : { cause })
    this.code = code
    this.path = path
    this.remedy = remedy
  }
}

const codeOf = (error: unknown): string | null =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null

/** The first code (`ECONNREFUSED`) of an error, of those that it gathers, or of its causes; null when there is none. */
export function errorCode(error: unknown, depth = 0): string | null {
  if (!(error instanceof Error) || depth > 8) return null
  const own = codeOf(error)
  if (own !== null) return own
  for (const one of error instanceof AggregateError ? error.errors : []) {
    const code = errorCode(one, depth + 1)
    if (code !== null) return code
  }
  return errorCode(error.cause, depth + 1)
}
