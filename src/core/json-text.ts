/**
 * JSON of unknown origin: what people write is read with the exact place of its first fault, what machines send is metered and read whole.
 *
 * `JSON.parse` names no place for some faults, takes the last of two equal keys in silence, and knows no depth. So the text is checked
 * first, in one pass without recursion, and then handed to `JSON.parse`, which is many times faster than a YAML parser.
 */

/** What is wrong with a text and where: `offset` counts UTF-16 units from its start. */
export type TextFault = { readonly offset: number; readonly message: string; readonly remedy: string }

const SPACE = /[ \t\r\n]*/y
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

const CORRECT = 'Correct the text at this place.'

const matchEnd = (pattern: RegExp, text: string, at: number): number => {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : -1
}

const unexpected = (text: string, offset: number, wanted: string): TextFault => ({
  offset,
  message: `expected ${wanted} and found ${offset >= text.length ? 'the end of the file' : JSON.stringify(String.fromCodePoint(text.codePointAt(offset) ?? 0))}`,
  remedy: offset >= text.length ? 'The file is cut short: write the rest of it.' : CORRECT,
})

/** The offset behind the closing quote, or the fault within. */
function stringEnd(text: string, start: number): number | TextFault {
  let at = start + 1
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === 0x22) return at + 1
    if (code < 0x20)
      return {
        offset: at,
        message: 'a string holds a line end or a control sign',
        remedy: 'Close it with a quote, or write the sign as an escape.',
      }
    if (code !== 0x5c) at += 1
    else {
      const end = matchEnd(ESCAPE, text, at)
      if (end < 0)
        return { offset: at, message: 'this escape is not one of JSON', remedy: 'Write a backslash as \\\\.' }
      at = end
    }
  }
  return unexpected(text, at, 'the closing quote of a string')
}

function scalarEnd(text: string, at: number): number | TextFault {
  if (text[at] === '"') return stringEnd(text, at)
  for (const word of ['true', 'false', 'null']) if (text.startsWith(word, at)) return at + word.length
  const end = matchEnd(NUMBER, text, at)
  return end > at ? end : unexpected(text, at, 'a value')
}

/** `null` when the text is one JSON value without double keys, nested at most `maxDepth` deep; else its first fault. */
export function checkJson(text: string, maxDepth: number): TextFault | null {
  // One entry for each open collection: the keys of an object, or null for a list.
  const open: (Set<string> | null)[] = []
  const skip = (at: number): number => matchEnd(SPACE, text, at)

  /** From a key to the value behind its colon. */
  const readKey = (at: number, keys: Set<string>): number | TextFault => {
    if (text[at] !== '"') return unexpected(text, at, 'a key in double quotes')
    const end = stringEnd(text, at)
    if (typeof end !== 'number') return end
    const quoted = text.slice(at, end)
    const key = quoted.includes('\\') ? String(JSON.parse(quoted)) : quoted.slice(1, -1)
    if (keys.has(key)) return { offset: at, message: `the key ${quoted} stands twice in one object`, remedy: TWICE }
    keys.add(key)
    const colon = skip(end)
    return text[colon] === ':' ? skip(colon + 1) : unexpected(text, colon, '":"')
  }

  let at = skip(0)
  for (;;) {
    // At the start of a value.
    const sign = text[at]
    if (sign === '{' || sign === '[') {
      if (open.length === maxDepth) return tooDeep(at, maxDepth)
      const keys = sign === '{' ? new Set<string>() : null
      open.push(keys)
      at = skip(at + 1)
      if (text[at] !== (sign === '{' ? '}' : ']')) {
        if (keys === null) continue
        const value = readKey(at, keys)
        if (typeof value !== 'number') return value
        at = value
        continue
      }
    } else {
      const end = scalarEnd(text, at)
      if (typeof end !== 'number') return end
      at = skip(end)
    }
    // Behind a value, or at the end of an empty collection.
    for (;;) {
      const keys = open.at(-1)
      if (keys === undefined) return at === text.length ? null : unexpected(text, at, 'the end of the file')
      const close = keys === null ? ']' : '}'
      if (text[at] === close) {
        open.pop()
        at = skip(at + 1)
        continue
      }
      if (text[at] !== ',') return unexpected(text, at, `"," or "${close}"`)
      at = skip(at + 1)
      if (keys !== null) {
        const value = readKey(at, keys)
        if (typeof value !== 'number') return value
        at = value
      }
      break
    }
  }
}

export const TWICE = 'Keep one of the two: nobody can know which is meant.'

export const tooDeep = (offset: number, maxDepth: number): TextFault => ({
  offset,
  message: `the text is nested more than ${maxDepth} deep`,
  remedy: 'Write the lists of routes; nothing in them goes as deep.',
})

// ------------------------------------------------------------------------------------------------------- what machines send

export type JsonLimits = {
  readonly depth: number
  /** Objects, lists and commas together: an upper bound of what the parser has to make. */
  readonly values: number
}

export interface JsonMeter {
  /** Null while the limits are kept, else which one is passed: a sentence about `the document`. */
  feed(chunk: Uint8Array): string | null
}

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/**
 * Reads bytes of unknown origin while they arrive, before anybody parses them: deep nesting and a body of ten million empty objects cost
 * nothing then.
 */
export function createJsonMeter(limits: JsonLimits): JsonMeter {
  let depth = 0
  let values = 0
  let inText = false
  let escaped = false
  return {
    feed(chunk) {
      // By index, since an iterator takes three times as long (measured on 32 MiB).
      for (let at = 0; at < chunk.length; at += 1) {
        const byte = chunk[at]
        if (inText) {
          if (escaped) escaped = false
          else if (byte === BACKSLASH) escaped = true
          else if (byte === QUOTE) inText = false
          continue
        }
        switch (byte) {
          case QUOTE:
            inText = true
            break
          case OPEN_LIST:
          case OPEN_OBJECT:
            depth += 1
            values += 1
            break
          case CLOSE_LIST:
          case CLOSE_OBJECT:
            depth -= 1
            break
          case COMMA:
            values += 1
            break
        }
        if (depth > limits.depth) return `the document is nested deeper than ${limits.depth} levels`
        if (values > limits.values) return `the document holds more than ${limits.values} values`
      }
      return null
    },
  }
}

// Only an escape can smuggle half a character in: the decoder has refused it as bytes.
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/

/** Recursive: call it for what the meter has let through. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (Array.isArray(value)) return value.every(isWellFormed)
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([key, member]) => key.isWellFormed() && isWellFormed(member))
}

export type JsonRead = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly message: string }

/**
 * One JSON document in UTF-8 and nothing else: no byte order mark, no NUL, no garbage after it. A parser's message quotes the text that it
 * could not read, and there may be a secret in it: this one names a position only. Total: never throws.
 */
export function readJson(bytes: Uint8Array): JsonRead {
  const malformed = (what: string): JsonRead => ({ ok: false, message: `the document ${what}` })
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return malformed('is not UTF-8')
  }
  if (text.startsWith('\uFEFF')) return malformed('begins with a byte order mark')
  if (text.includes('\0')) return malformed('holds a NUL')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const at = error instanceof SyntaxError ? /at position (\d+)/.exec(error.message)?.[1] : undefined
    return malformed(`of ${bytes.length} bytes is not JSON${at === undefined ? '' : ` from position ${at} on`}`)
  }
  if (SURROGATE_ESCAPE.test(text) && !isWellFormed(value)) return malformed('holds half a character (a lone surrogate)')
  return { ok: true, value }
}
