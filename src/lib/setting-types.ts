/**
 * The kinds of value that settings have. Each takes what YAML gives, or the text of an environment variable, and gives the value or a
 * sentence that names what was found and the way out.
 */
import { isIPv4, isIPv6 } from 'node:net'
import { isAbsolute, normalize } from 'node:path'
import { z } from 'zod'

export type Read<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly string[] }

export const fault = (sentence: string): { readonly ok: false; readonly faults: readonly string[] } => ({
  ok: false,
  faults: [sentence],
})

const ok = <T>(value: T): Read<T> => ({ ok: true, value })

/** A found value on one line, at most 80 signs. */
export function shown(value: unknown): string {
  const text =
    JSON.stringify(value, (_key, member: unknown) => (typeof member === 'bigint' ? String(member) : member)) ??
    String(value)
  return text.length > 80 ? `${text.slice(0, 77)}...` : text
}

/** A key's schema out of a function that reads it. An absent key without a default is a fault. */
export const setting = <T>(read: (value: unknown) => Read<T>) =>
  z.unknown().transform((value, ctx): T => {
    const result = value === undefined ? fault('is missing') : read(value)
    if (result.ok) return result.value
    for (const message of result.faults) ctx.addIssue({ code: 'custom', message })
    return z.NEVER
  })

/** As `setting`, and `none` or an explicit null in YAML means: no value. */
export const nullable = <T>(read: (value: unknown) => Read<T>) =>
  setting<T | null>(value => (value === null || value === 'none' ? ok(null) : read(value)))

// ----------------------------------------------------------------------------------------------------------------- plain values

export function readText(value: unknown): Read<string> {
  if (typeof value === 'number' || typeof value === 'boolean')
    return fault(`${shown(value)} is a ${typeof value}, not a text; put it in quotes`)
  if (typeof value !== 'string') return fault(`${shown(value)} is not a text`)
  return value.trim() === '' ? fault('the text is empty') : ok(value.trim())
}

/** A text that fits `pattern`; `form` completes "is not ...". */
export const readWord =
  (pattern: RegExp, form: string) =>
  (value: unknown): Read<string> => {
    const text = readText(value)
    return !text.ok || pattern.test(text.value) ? text : fault(`${shown(text.value)} is not ${form}`)
  }

export const readOneOf =
  <T extends string>(words: readonly T[]) =>
  (value: unknown): Read<T> => {
    const word = words.find(known => known === value)
    return word === undefined ? fault(`${shown(value)} is not one of ${words.join(', ')}`) : ok(word)
  }

export function readFlag(value: unknown): Read<boolean> {
  if (value === true || value === 'true') return ok(true)
  if (value === false || value === 'false') return ok(false)
  return fault(`${shown(value)} is neither true nor false`)
}

function toNumber(value: unknown): number | null {
  if (typeof value === 'number') return value
  return typeof value === 'string' && /^-?[0-9]+(?:\.[0-9]+)?$/.test(value.trim()) ? Number(value) : null
}

export const readWholeNumber =
  (range: { readonly min: number; readonly max: number }) =>
  (value: unknown): Read<number> => {
    const number = toNumber(value)
    if (number === null || !Number.isSafeInteger(number)) return fault(`${shown(value)} is not a whole number`)
    return number < range.min || number > range.max
      ? fault(`${number} is outside ${range.min}-${range.max}`)
      : ok(number)
  }

/** A share above 0 and at most 1. */
export function readRatio(value: unknown): Read<number> {
  const number = toNumber(value)
  return number !== null && number > 0 && number <= 1
    ? ok(number)
    : fault(`${shown(value)} is not a share above 0 and at most 1; write half as 0.5`)
}

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

export function formatDuration(ms: number): string {
  const unit = ['d', 'h', 'm', 's'].find(name => ms > 0 && ms % (UNIT_MS[name] ?? 1) === 0) ?? 'ms'
  return `${ms / (UNIT_MS[unit] ?? 1)}${unit}`
}

/** `500ms`, `5s`, `2m`, `24h`, `7d`, in milliseconds. A bare number has no unit and is refused. */
export const readDuration =
  (range: { readonly minMs: number; readonly maxMs: number }) =>
  (value: unknown): Read<number> => {
    const parts = typeof value === 'string' ? /^([0-9]{1,9})(ms|s|m|h|d)$/.exec(value.trim()) : null
    if (parts === null)
      return fault(`${shown(value)} is not a duration; write it with its unit, as 500ms, 30s, 2m or 24h`)
    const ms = Number(parts[1]) * (UNIT_MS[parts[2] ?? ''] ?? Number.NaN)
    return ms >= range.minMs && ms <= range.maxMs
      ? ok(ms)
      : fault(`${shown(value)} is outside ${formatDuration(range.minMs)} to ${formatDuration(range.maxMs)}`)
  }

/** A YAML list, or a text with commas; `read` gets each element, and its faults name the element. */
export const readList =
  <T>(read: (value: unknown) => Read<T>, least = 0) =>
  (value: unknown): Read<readonly T[]> => {
    const elements: readonly unknown[] | null = Array.isArray(value)
      ? value
      : typeof value === 'string'
        ? value.split(',').flatMap(part => (part.trim() === '' ? [] : [part.trim()]))
        : null
    if (elements === null) return fault(`${shown(value)} is not a list`)
    const results = elements.map(read)
    const faults = results.flatMap((result, i) =>
      result.ok ? [] : result.faults.map(sentence => `[${i}]: ${sentence}`),
    )
    if (faults.length > 0) return { ok: false, faults }
    if (results.length < least) return fault('the list is empty; name at least one')
    return ok(results.flatMap(result => (result.ok ? [result.value] : [])))
  }

// ------------------------------------------------------------------------------------------------------------- files and places

/** Relative paths would mean another place under systemd than in a shell. */
export function readDirectoryPath(value: unknown): Read<string> {
  const text = readText(value)
  if (!text.ok) return text
  return isAbsolute(text.value)
    ? ok(normalize(text.value))
    : fault(`${shown(text.value)} is not an absolute path; begin it with /`)
}

/** A file's path. What is no path may be the secret itself, put into the wrong place: it is not repeated. */
export function readFilePath(value: unknown): Read<string> {
  if (typeof value === 'string' && isAbsolute(value.trim()) && !/[\r\n]/.test(value.trim()))
    return ok(normalize(value.trim()))
  return fault(
    'the value (not repeated here) is not the absolute path of a file; put the secret into a file and name that',
  )
}

/** `host` without brackets. `port` 0: any free one, which only tests and trials want. */
export type ListenAddress = { readonly host: string; readonly port: number }

export const formatListen = (address: ListenAddress): string =>
  isIPv6(address.host) ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`

export const isLoopback = (host: string): boolean => (isIPv4(host) ? host.startsWith('127.') : host === '::1')

function parseListen(value: unknown, example: string): Read<ListenAddress> {
  const parts = typeof value === 'string' ? /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(value.trim()) : null
  const host = parts?.[1] ?? parts?.[2] ?? ''
  const port = Number(parts?.[3])
  if (parts === null || !(parts[1] === undefined ? isIPv4(host) : isIPv6(host) && !host.includes('%')))
    return fault(`${shown(value)} is not an address and a port; write it as ${example}`)
  if (port > 65_535) return fault(`port ${port} is outside 0-65535`)
  return ok({ host: isIPv4(host) ? host : new URL(`http://[${host}]/`).hostname.slice(1, -1), port })
}

/** An address of the loopback interface, and no other: whatever else could reach it could change or read what the node does. */
export const readLoopbackListen =
  (example: string) =>
  (value: unknown): Read<ListenAddress> => {
    const address = parseListen(value, example)
    return !address.ok || isLoopback(address.value.host)
      ? address
      : fault(
          `${shown(value)} is not a loopback address, and this endpoint is for this machine only; write it as ${example}`,
        )
  }

export const readListen =
  (example: string) =>
  (value: unknown): Read<ListenAddress> =>
    parseListen(value, example)

/** A URL of http or https without user, query or fragment; no slash at its end. */
export const readHttpUrl =
  (example: string, plainHttp: 'anywhere' | 'loopback') =>
  (value: unknown): Read<string> => {
    const url = typeof value === 'string' && URL.canParse(value.trim()) ? new URL(value.trim()) : null
    if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:'))
      return fault(`${shown(value)} is not a URL of http or https; write it as ${example}`)
    if (url.username !== '' || url.password !== '')
      return fault(`the URL of ${url.host} carries a user or a password; leave it out`)
    if (url.search !== '' || url.hash !== '')
      return fault(`the URL of ${url.host} carries a query or a fragment; leave it out`)
    const local = url.hostname === 'localhost' || isLoopback(url.hostname.replace(/^\[(.*)\]$/, '$1'))
    if (url.protocol === 'http:' && plainHttp === 'loopback' && !local)
      return fault(`${shown(value)} is plain http to another machine; write https://${url.host}`)
    return ok(url.href.replace(/\/+$/, ''))
  }
