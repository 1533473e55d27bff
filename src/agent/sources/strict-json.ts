/**
 * JSON of unknown origin: metered while it arrives, then parsed whole or not at all.
 *
 * The meter reads the bytes before anybody parses them, so that deep nesting and a body of ten million empty objects cost nothing.
 * A parser's message quotes the text that it could not read, and there may be a secret in it: ours names a position only.
 */
import { makeFault } from './control-plane-faults.ts'

export type JsonLimits = {
  readonly depth: number
  /** Objects, lists and commas together: an upper bound of what the parser has to make. */
  readonly values: number
}

export interface JsonMeter {
  /** Throws SOURCE_TOO_LARGE as soon as a limit is passed. */
  feed(chunk: Uint8Array): void
}

const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

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
        if (depth > limits.depth)
          throw makeFault('SOURCE_TOO_LARGE', `the document is nested deeper than ${limits.depth} levels`)
        if (values > limits.values)
          throw makeFault('SOURCE_TOO_LARGE', `the document holds more than ${limits.values} values`)
      }
    },
  }
}

const malformed = (message: string) => makeFault('SOURCE_MALFORMED', `the document ${message}`)

// Only an escape can smuggle half a character in: the decoder has refused it as bytes.
const SURROGATE_ESCAPE = /\\u[dD][89a-fA-F]/

/** Recursive: call it for what the meter has let through. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed()
  if (Array.isArray(value)) return value.every(isWellFormed)
  if (typeof value !== 'object' || value === null) return true
  return Object.entries(value).every(([key, member]) => key.isWellFormed() && isWellFormed(member))
}

/** One JSON document in UTF-8 and nothing else: no byte order mark, no NUL, no garbage after it. Throws SOURCE_MALFORMED. */
export function parseStrictJson(bytes: Uint8Array): unknown {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw malformed('is not UTF-8')
  }
  if (text.startsWith('\uFEFF')) throw malformed('begins with a byte order mark')
  if (text.includes('\0')) throw malformed('holds a NUL')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    const at = error instanceof SyntaxError ? /at position (\d+)/.exec(error.message)?.[1] : undefined
    throw malformed(
      at === undefined
        ? `of ${bytes.length} bytes is not JSON`
        : `of ${bytes.length} bytes is not JSON from position ${at} on`,
    )
  }
  if (SURROGATE_ESCAPE.test(text) && !isWellFormed(value)) throw malformed('holds half a character (a lone surrogate)')
  return value
}
