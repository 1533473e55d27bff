/** Why a value was not taken: schema issues turned into code, field, value, sentence and remedy. */
import type { z } from 'zod'
import { printable } from './problem.ts'
import { REASONS, type ReasonCode } from './verdict.ts'

export type Refusal = { readonly code: ReasonCode; readonly message: string; readonly remedy?: string }

export type RefusalAt = Refusal & { readonly field: string; readonly value?: unknown }

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at = value
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return undefined
    at = Reflect.get(at, key)
  }
  return at
}

export const fieldPath = (path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (text, key) => (typeof key === 'number' ? `${text}[${key}]` : text === '' ? String(key) : `${text}.${String(key)}`),
    '',
  )

const FIELD_CODES: Readonly<Record<string, ReasonCode>> = {
  id: 'ID_INVALID',
  domain: 'HOST_NAME_INVALID',
  sniHostname: 'HOST_NAME_INVALID',
  upstreams: 'UPSTREAM_INVALID',
}

const isRefusal = (params: unknown): params is Refusal =>
  isRecord(params) && typeof params.code === 'string' && typeof params.message === 'string'

const TYPES: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'a text',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
}

/** What the schema wanted, as a noun; null when its own sentence is all that there is. */
function wantedBy(issue: z.core.$ZodIssue): string | null {
  const own = /^is not (.*)$/.exec(issue.message)?.[1]
  if (own !== undefined) return own
  switch (issue.code) {
    case 'invalid_type':
      return TYPES[issue.expected] ?? issue.expected
    case 'invalid_value':
      return `one of ${issue.values.map(String).join(', ')}`
    case 'too_big':
      return issue.origin === 'string' ? `a text of at most ${issue.maximum} signs` : `at most ${issue.maximum}`
    case 'too_small':
      return issue.origin === 'string' ? `a text of at least ${issue.minimum} signs` : `at least ${issue.minimum}`
    default:
      return null
  }
}

const NOT_TEXTS: ReadonlySet<string> = new Set(['int', 'number', 'boolean'])
/** Texts that look like what was wanted until one sees the quotes. Any other text may be a secret of somebody, and is not repeated. */
const MISTAKEN = /^(?:[\d.]{1,20}|true|false|yes|no|on|off)$/i

/** The found value, where it is short and can be no secret. */
function foundText(value: unknown): string {
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return ` ${printable(value)}`
  return typeof value === 'string' && MISTAKEN.test(value) ? ` ${JSON.stringify(value)}` : ''
}

const isQuotedNumber = (issue: z.core.$ZodIssue, value: unknown): boolean =>
  issue.code === 'invalid_type' && NOT_TEXTS.has(issue.expected) && typeof value === 'string' && /^\d+$/.test(value)

/** One fault of a schema, as field, found value, sentence and way out. */
export function issueToRefusal(issue: z.core.$ZodIssue, raw: unknown): RefusalAt {
  const field = fieldPath(issue.path)
  const value = valueAt(raw, issue.path)
  if (issue.code === 'custom' && isRefusal(issue.params)) return { ...issue.params, field, value }
  const code = FIELD_CODES[String(issue.path[0] ?? '')] ?? 'FIELD_INVALID'
  if (value === undefined) return { code, field, value, message: `${field} is missing`, remedy: `Add ${field}.` }
  const wanted = wantedBy(issue)
  if (wanted === null)
    return { code, field, value, message: `${field}: ${issue.message}`, remedy: REASONS[code].remedy }
  return {
    code,
    field,
    value,
    message: `${field}${foundText(value)} is not ${wanted}`,
    // For a text that should be an address or a name, the code's own remedy says more.
    remedy:
      code !== 'FIELD_INVALID' && wanted === TYPES.string
        ? REASONS[code].remedy
        : isQuotedNumber(issue, value)
          ? 'Write it without quotes.'
          : `Give ${wanted}.`,
  }
}
