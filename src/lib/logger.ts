/**
 * JSON lines for people and programs, without secrets.
 *
 * There are two nets. The first walks each logged object and takes out the members that are secret by their name, and turns errors into
 * the few fields that help. The second reads the finished line, so it also sees messages, children's bindings and what a library put
 * into a text: URL userinfo, bearer tokens, private keys.
 */
import {
  type DestinationStream,
  type LevelWithSilent,
  type Logger,
  destination as openDestination,
  pino,
  stdTimeFunctions,
} from 'pino'

export type LogLevel = LevelWithSilent

export const REDACTED = '[redacted]'

const SECRET_NAME =
  '(?:[\\w-]*(?:token|password|passwd|passphrase|secret|signature)|(?:proxy-)?authorization|(?:set-)?cookie|x-api-key|api[-_]?key|(?:[\\w-]*[-_])?(?:certificate|private)[-_]?key)'
const SECRET_KEY = new RegExp(`^${SECRET_NAME}$`, 'i')
/** A member of a JSON text that somebody quotes in a message. */
const SECRET_MEMBER = new RegExp(`("${SECRET_NAME}"\\s*:\\s*)"(?:[^"\\\\]|\\\\.)*"?`, 'gi')
// The look-behind lets a match begin only where a word does: without it a long word would cost the square of its length.
const USERINFO = /((?<![a-z0-9+.-])[a-z][a-z0-9+.-]*:\/\/)[^\s/?#"<>]*@/gi
const BEARER = /\b(bearer\s+)[a-z0-9._~+/=-]{8,}/gi
const BASIC = /\b(basic\s+)(?=[^\s"]*[\d=])[a-z0-9+/]{8,}={0,2}/gi
const API_TOKEN = /\bflt_[\w-]{8,}/g
const PRIVATE_KEY = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g
const QUERY = /((?<![a-z0-9+.-])[a-z][a-z0-9+.-]*:\/\/[^\s?#"'<>]+)\?[^\s"'<>)]*/gi

/** Takes secrets out of a text of unknown origin. Linear in its length. */
export function redactText(text: string): string {
  return text
    .replace(PRIVATE_KEY, REDACTED)
    .replace(SECRET_MEMBER, `$1"${REDACTED}"`)
    .replace(USERINFO, `$1${REDACTED}@`)
    .replace(BEARER, `$1${REDACTED}`)
    .replace(BASIC, `$1${REDACTED}`)
    .replace(API_TOKEN, REDACTED)
}

// A library that quotes a whole body in its error must not fill the log; the cut comes after the redaction, so that it halves no secret.
const MAX_ERROR_TEXT = 8192

const errorText = (text: string): string => redactText(text).slice(0, MAX_ERROR_TEXT).replace(QUERY, '$1')

// Of an error only these go on: requests, headers and bodies hang on the errors of HTTP libraries, and secrets hang on those.
const ERROR_FIELDS = ['code', 'syscall', 'path', 'step', 'statusCode', 'retryable', 'remedy'] as const
const MAX_DEPTH = 6
const MAX_ITEMS = 100

/** The few fields of an error that help, texts without secrets and URLs without their query. Anything but an error comes back as it is. */
export function serializeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error
  const fields: Record<string, unknown> = { type: error.name, message: errorText(error.message) }
  const members = new Map<string, unknown>(Object.entries(error))
  for (const name of ERROR_FIELDS) {
    const value = members.get(name)
    if (typeof value === 'string') fields[name] = errorText(value)
    else if (typeof value === 'number' || typeof value === 'boolean') fields[name] = value
  }
  if (error.stack !== undefined) fields.stack = errorText(error.stack)
  if (depth >= MAX_DEPTH) return fields
  if (error.cause !== undefined)
    fields.cause = error.cause instanceof Error ? serializeError(error.cause, depth + 1) : typeof error.cause
  if (error instanceof AggregateError)
    fields.errors = error.errors.slice(0, MAX_ITEMS).map(one => serializeError(one, depth + 1))
  return fields
}

function clean(value: unknown, depth: number, above: readonly object[]): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Error) return serializeError(value)
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  if (above.includes(value)) return '[circular]'
  if (depth >= MAX_DEPTH) return '[deep]'
  const below = [...above, value]
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map(item => clean(item, depth + 1, below))
  // A URL or a date writes itself; the second net reads what it wrote.
  if ('toJSON' in value) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [
      key,
      isSecretMember(key, member) ? REDACTED : clean(member, depth + 1, below),
    ]),
  )
}

const isSecretMember = (key: string, member: unknown): boolean =>
  SECRET_KEY.test(key) && member !== null && member !== undefined && typeof member !== 'boolean'

/** The members of a logged object without those that are secret by their name; cyclic and deep values are cut. */
export const redactFields = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(clean(fields, 0, []) ?? {}))

/** The second net: a finished line, text by text. The text is taken out of its JSON first, so that no quote or backslash is cut in two. */
export function redactLine(line: string): string {
  try {
    const reviver = (key: string, value: unknown): unknown =>
      isSecretMember(key, value) ? REDACTED : typeof value === 'string' ? redactText(value) : value
    return `${JSON.stringify(JSON.parse(line, reviver))}\n`
  } catch {
    return redactText(line)
  }
}

// A reader of our log that has stopped must not stop us: beyond this, lines are dropped instead of held in memory.
const MAX_BUFFERED_BYTES = 8 * 1024 * 1024

export type LoggerOptions = {
  readonly level: LogLevel
  /** Where the lines go; standard error without it, written without waiting. */
  readonly destination?: DestinationStream
}

/** A logger whose lines hold no secrets. Child loggers, one a component, come from `component`. */
export function createLogger({ level, destination }: LoggerOptions): Logger {
  return pino(
    {
      level,
      timestamp: stdTimeFunctions.isoTime,
      serializers: { err: serializeError },
      formatters: { level: label => ({ level: label }), log: redactFields },
      hooks: { streamWrite: redactLine },
    },
    destination ?? openDestination({ fd: 2, sync: false, maxLength: MAX_BUFFERED_BYTES }),
  )
}

/** The logger of one component: its lines carry `component`. */
export const component = (logger: Logger, name: string): Logger => logger.child({ component: name })
