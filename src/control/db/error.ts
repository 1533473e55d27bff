/**
 * What can go wrong between us and the database, told apart by what to do about it.
 *
 * `DATABASE_UNREACHABLE` and `DATABASE_BUSY` pass by themselves. After `COMMIT_OUTCOME_UNKNOWN` nobody but the database knows whether the
 * change was made: never try it again blindly, look for what it would have written (its idempotency key).
 */
import { errorCode } from '../../lib/errors.ts'

export type DatabaseErrorCode =
  | 'DATABASE_UNREACHABLE'
  | 'DATABASE_BUSY'
  | 'DATABASE_FULL'
  | 'DATABASE_READ_ONLY'
  | 'DATABASE_CONFLICT'
  | 'DATABASE_REFUSED'
  | 'DATABASE_TOO_OLD'
  | 'DATABASE_DIRECTORY_LOCKED'
  | 'DATABASE_DIRECTORY_UNUSABLE'
  | 'DATABASE_BROKEN'
  | 'DATABASE_CLOSED'
  | 'COMMIT_OUTCOME_UNKNOWN'
  | 'MIGRATION_FAILED'
  | 'CONSTRAINT_VIOLATED'
  | 'QUERY_FAILED'

type Kind = { readonly retryable: boolean; readonly remedy: string }

const KINDS: Readonly<Record<DatabaseErrorCode, Kind>> = {
  DATABASE_UNREACHABLE: { retryable: true, remedy: 'Look whether PostgreSQL runs and database.url leads to it.' },
  DATABASE_BUSY: { retryable: true, remedy: 'Try again; look for what holds its locks in pg_stat_activity.' },
  DATABASE_FULL: { retryable: true, remedy: 'Make room on the disk of the database.' },
  DATABASE_READ_ONLY: { retryable: true, remedy: 'Point database.url at the primary server.' },
  DATABASE_CONFLICT: { retryable: true, remedy: 'Try again: others changed the same rows.' },
  DATABASE_REFUSED: { retryable: false, remedy: 'Mend user, password, database name or rights in database.url.' },
  DATABASE_TOO_OLD: { retryable: false, remedy: 'Use PostgreSQL 15 or newer.' },
  DATABASE_DIRECTORY_LOCKED: {
    retryable: false,
    remedy: 'Stop the other process, or use a PostgreSQL server (DATABASE_URL).',
  },
  DATABASE_DIRECTORY_UNUSABLE: {
    retryable: false,
    remedy: 'Set state.directory to a folder on a local disk that is ours.',
  },
  DATABASE_BROKEN: { retryable: false, remedy: 'Look at the disk, then start the control plane again.' },
  DATABASE_CLOSED: { retryable: false, remedy: 'Nothing: the process is stopping.' },
  COMMIT_OUTCOME_UNKNOWN: { retryable: false, remedy: 'Send the request again with the same Idempotency-Key.' },
  MIGRATION_FAILED: { retryable: false, remedy: 'See the cause; nothing was changed, start again when it is mended.' },
  CONSTRAINT_VIOLATED: { retryable: false, remedy: 'Change what collides.' },
  QUERY_FAILED: { retryable: false, remedy: 'Report it: this is a fault of Fairlead.' },
}

export type DatabaseErrorOptions = {
  readonly cause?: unknown
  /** PostgreSQL's code of five signs. */
  readonly sqlState?: string | undefined
  readonly constraint?: string | undefined
}

export class DatabaseError extends Error {
  override readonly name = 'DatabaseError'
  readonly code: DatabaseErrorCode
  readonly retryable: boolean
  readonly remedy: string
  readonly sqlState: string | null
  /** The name of the constraint or index that refused. */
  readonly constraint: string | null
  constructor(code: DatabaseErrorCode, message: string, { cause, sqlState, constraint }: DatabaseErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retryable = KINDS[code].retryable
    this.remedy = KINDS[code].remedy
    this.sqlState = sqlState ?? null
    this.constraint = constraint ?? null
  }
}

const BY_SQL_STATE: Readonly<Record<string, DatabaseErrorCode>> = {
  '25006': 'DATABASE_READ_ONLY',
  '3D000': 'DATABASE_REFUSED',
  '40001': 'DATABASE_CONFLICT',
  '40P01': 'DATABASE_CONFLICT',
  '42501': 'DATABASE_REFUSED',
  '53100': 'DATABASE_FULL',
  '53200': 'DATABASE_BUSY',
  '53300': 'DATABASE_BUSY',
  '53400': 'DATABASE_BUSY',
  '55P03': 'DATABASE_BUSY',
  '57014': 'DATABASE_BUSY',
  '57P01': 'DATABASE_UNREACHABLE',
  '57P02': 'DATABASE_UNREACHABLE',
  '57P03': 'DATABASE_UNREACHABLE',
  '57P05': 'DATABASE_UNREACHABLE',
  '25P03': 'DATABASE_UNREACHABLE',
}

const BY_CLASS: Readonly<Record<string, DatabaseErrorCode>> = {
  '08': 'DATABASE_UNREACHABLE',
  '23': 'CONSTRAINT_VIOLATED',
  '28': 'DATABASE_REFUSED',
  '58': 'DATABASE_BROKEN',
  XX: 'DATABASE_BROKEN',
}

/** Codes of Node for connections that were not made or ended. */
const SOCKET_CODES = new Set(
  'ECONNREFUSED ECONNRESET ENOTFOUND EAI_AGAIN ETIMEDOUT EPIPE EHOSTUNREACH ENETUNREACH ENOENT ENETDOWN'.split(' '),
)

/** pg makes plain errors for what happens to a connection; their messages are all that tells them apart. */
const CONNECTION_MESSAGES =
  /^(?:Connection terminated|Client has encountered a connection error|Client was closed|timeout expired|Query read timeout|The server does not support SSL)/

/** Each has a digit, which tells it from the codes of Node and of our own errors: `EPIPE`, `STALE`. */
const SQL_STATE = /^(?=.*\d)[0-9A-Z]{5}$/

function ofSqlState(state: string): DatabaseErrorCode {
  return BY_SQL_STATE[state] ?? BY_CLASS[state.slice(0, 2)] ?? 'QUERY_FAILED'
}

const member = (error: Error, name: 'constraint'): string | undefined => {
  const value: unknown = name in error ? Reflect.get(error, name) : undefined
  return typeof value === 'string' ? value : undefined
}

/** The innermost error of the driver: Drizzle wraps it into one that quotes the whole query. */
function driverError(error: unknown, depth = 0): Error | null {
  if (!(error instanceof Error) || depth > 8) return null
  return driverError(error.cause, depth + 1) ?? error
}

/**
 * What was thrown by a query, as a DatabaseError; null when it does not come from the database at all.
 * The message is the server's, without the query and its parameters: those may hold secrets.
 */
export function toDatabaseError(error: unknown): DatabaseError | null {
  if (error instanceof DatabaseError) return error
  const inner = driverError(error)
  if (inner === null) return null
  if (inner instanceof DatabaseError) return inner
  const code = errorCode(inner)
  const options = { cause: inner, constraint: member(inner, 'constraint') }
  if (code !== null && SQL_STATE.test(code) && !SOCKET_CODES.has(code))
    return new DatabaseError(ofSqlState(code), inner.message, { ...options, sqlState: code })
  if ((code !== null && SOCKET_CODES.has(code)) || CONNECTION_MESSAGES.test(inner.message))
    return new DatabaseError(
      'DATABASE_UNREACHABLE',
      `the database cannot be reached: ${code ?? inner.message}`,
      options,
    )
  return null
}
