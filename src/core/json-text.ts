/**
 * Reads JSON with the exact place of its first fault.
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
