/** Why a value was not taken: schema issues turned into code, field, value, sentence and remedy. */
import type { z } from 'zod'
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

export function issueToRefusal(issue: z.core.$ZodIssue, raw: unknown): RefusalAt {
  const field = fieldPath(issue.path)
  const value = valueAt(raw, issue.path)
  if (issue.code === 'custom' && isRefusal(issue.params)) return { ...issue.params, field, value }
  const code = FIELD_CODES[String(issue.path[0] ?? '')] ?? 'FIELD_INVALID'
  const missing = value === undefined
  const wanted =
    issue.code === 'invalid_type'
      ? `is not ${article(issue.expected)}`
      : issue.message.replace(/^Invalid input: expected /, 'is not ')
  return {
    code,
    field,
    value,
    message: missing ? `${field} is missing` : `${field} ${wanted}`,
    remedy: missing ? `Add ${field}.` : REASONS[code].remedy,
  }
}

const article = (type: string): string =>
  ({
    int: 'a whole number',
    number: 'a number',
    string: 'a text',
    boolean: 'true or false',
    array: 'a list',
    object: 'an object',
  })[type] ?? type
