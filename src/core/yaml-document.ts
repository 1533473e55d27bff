/**
 * The text of a file -> a plain value, or what is wrong with it and where.
 *
 * YAML 1.2 with the core schema, of which JSON is a part, without what makes a small text large or one text mean two things: no anchors,
 * aliases and merge keys, no tags but those of the core schema, one document, no double keys, at most 32 levels and 8 MiB. These are
 * refused while the text is read token by token, before anything is built from it. A `.json` file, and any text that is JSON, takes the
 * fast way (json-text.ts); only a text of the other kind is given to the YAML parser, which needs about 0.7 s for a megabyte.
 */
import { isUtf8 } from 'node:buffer'
import { Composer, CST, isMap, isScalar, isSeq, Lexer, Parser } from 'yaml'
import { checkJson, type TextFault, TWICE, tooDeep } from './json-text.ts'
import { type Problem, printable } from './problem.ts'

export const MAX_DOCUMENT_BYTES = 8 * 1024 * 1024
export const MAX_DOCUMENT_DEPTH = 32

export type DocumentText =
  /** `json`: the value says no more than its JSON text does; YAML has numbers that JSON has not. */
  | { readonly ok: true; readonly value: unknown; readonly json: boolean }
  | { readonly ok: false; readonly problem: Problem }

export type DecodedText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problem: Problem }

export type DocumentOptions = {
  /** Names the file in the problem; the ending `.json` asks for JSON and nothing else. */
  readonly fileName: string
}

/** A problem of a whole file, for those who find one before there is a text. */
export function fileProblem(fileName: string, message: string, remedy: string, value: string | null = null): Problem {
  return {
    code: 'DOCUMENT_INVALID',
    protocol: null,
    routeId: null,
    field: null,
    value,
    message,
    remedy,
    origin: fileName,
  }
}

const tooLarge = (fileName: string, bytes: number): Problem =>
  fileProblem(
    fileName,
    `the file has ${bytes} bytes, more than the ${MAX_DOCUMENT_BYTES} that are read`,
    'Spread the routes over several files.',
    String(bytes),
  )

const at = (line: number, column: number, message: string): string => `line ${line}, column ${column}: ${message}`

/** Bytes as UTF-8, all or nothing; a byte order mark at the start is left out. */
export function decodeUtf8(bytes: Uint8Array, { fileName }: DocumentOptions): DecodedText {
  if (bytes.length > MAX_DOCUMENT_BYTES) return { ok: false, problem: tooLarge(fileName, bytes.length) }
  if (isUtf8(bytes)) return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) }
  const remedy = 'Save the file as UTF-8.'
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff))
    return { ok: false, problem: fileProblem(fileName, at(1, 1, 'the file is UTF-16, not UTF-8'), remedy) }
  // No sequence of UTF-8 holds a line feed, so each line can be judged alone.
  let line = 1
  let start = 0
  for (;;) {
    const feed = bytes.indexOf(0x0a, start)
    const piece = bytes.subarray(start, feed < 0 ? bytes.length : feed)
    if (feed < 0 || !isUtf8(piece)) {
      const column = new TextDecoder().decode(piece).indexOf('\ufffd') + 1
      return {
        ok: false,
        problem: fileProblem(fileName, at(line, Math.max(1, column), 'a byte is not UTF-8'), remedy),
      }
    }
    line += 1
    start = feed + 1
  }
}

// A line feed, a carriage return and a tab are text; the rest is no part of YAML, and a few of them are marks within its parser.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the signs that are looked for
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/

/**
 * The value of a file's text: null, booleans, numbers, strings, lists and objects, as `JSON.parse` would make them. Total: never throws.
 * A refusal is a problem with code `DOCUMENT_INVALID` that names line and column.
 */
export function parseDocumentText(text: string, options: DocumentOptions): DocumentText {
  const { fileName } = options
  const bytes = text.length > MAX_DOCUMENT_BYTES / 3 ? Buffer.byteLength(text) : text.length
  if (bytes > MAX_DOCUMENT_BYTES) return { ok: false, problem: tooLarge(fileName, bytes) }
  const body = text.startsWith('\ufeff') ? text.slice(1) : text
  const read = readBody(body, /\.json$/i.test(fileName))
  if (read.ok) return read
  const before = body.slice(0, read.fault.offset)
  const line = before.split('\n').length
  const column = before.length - before.lastIndexOf('\n')
  return { ok: false, problem: fileProblem(fileName, at(line, column, read.fault.message), read.fault.remedy) }
}

type Read = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly fault: TextFault }

const fail = (offset: number, message: string, remedy: string): Extract<Read, { ok: false }> => ({
  ok: false,
  fault: { offset, message, remedy },
})

type Body = Exclude<Read, { ok: true }> | (Extract<Read, { ok: true }> & { readonly json: boolean })

function readBody(text: string, jsonOnly: boolean): Body {
  const control = CONTROL.exec(text)
  if (control !== null)
    return fail(control.index, `the file holds the control sign ${printable(control[0])}`, 'Remove it.')
  if (jsonOnly || /^\s*[[{]/.test(text)) {
    const fault = checkJson(text, MAX_DOCUMENT_DEPTH)
    if (fault === null) return { ok: true, value: JSON.parse(text), json: true }
    if (jsonOnly) return { ok: false, fault }
  }
  try {
    const read = readYaml(text)
    return read.ok ? { ...read, json: false } : read
  } catch (error) {
    // The parser reports what is wrong with a text and does not throw; should it do so for a strange one, that is the text's fault.
    return fail(
      0,
      `the YAML parser cannot read the file: ${error instanceof Error ? error.message : String(error)}`,
      'Simplify it.',
    )
  }
}

const CORE_TAGS = new Set(['!!str', '!!int', '!!float', '!!bool', '!!null', '!!map', '!!seq'])

/** Tokens that are refused at once, so that nothing grows from them. */
function refusedLexeme(lexeme: string, offset: number): TextFault | null {
  switch (CST.tokenType(lexeme)) {
    case 'anchor':
      return {
        offset,
        message: `${printable(lexeme)} is an anchor, which routes files do not have`,
        remedy: 'Write the value out, or quote the text if it begins with "&".',
      }
    case 'alias':
      return {
        offset,
        message: `${printable(lexeme)} is an alias, which routes files do not have`,
        remedy: `Write the value out, or in quotes if it is a text that begins with a star: "${printable(lexeme)}".`,
      }
    case 'tag':
      return CORE_TAGS.has(lexeme)
        ? null
        : {
            offset,
            message: `the tag ${printable(lexeme)} is not of the core schema`,
            remedy: 'Leave it out, or quote the text if it begins with "!".',
          }
    case 'directive-line':
      return /^%YAML\s+1\.2\s*(#.*)?$/.test(lexeme)
        ? null
        : { offset, message: `the directive ${printable(lexeme)} is not read`, remedy: 'Leave it out.' }
    default:
      return null
  }
}

function readYaml(text: string): Read {
  const parser = new Parser()
  const composer = new Composer({
    version: '1.2',
    schema: 'core',
    merge: false,
    resolveKnownTags: false,
    stringKeys: true,
    // The parser's own check compares all pairs of keys; ours below does not.
    uniqueKeys: false,
    prettyErrors: false,
    logLevel: 'silent',
  })
  const tokens: CST.Token[] = []
  let starts = 0
  // The sign before a scalar says that what follows is text, whatever it looks like.
  let scalarNext = false
  for (const lexeme of new Lexer().lex(text)) {
    if (!scalarNext) {
      const refused = refusedLexeme(lexeme, parser.offset)
      if (refused !== null) return { ok: false, fault: refused }
      if (CST.tokenType(lexeme) === 'doc-start') {
        starts += 1
        if (starts > 1) return severalDocuments(parser.offset)
      }
    }
    scalarNext = !scalarNext && lexeme === CST.SCALAR
    for (const token of parser.next(lexeme)) tokens.push(token)
    // The document and a scalar stand on the stack beside the collections.
    if (parser.stack.length > MAX_DOCUMENT_DEPTH + 2)
      return { ok: false, fault: tooDeep(parser.offset, MAX_DOCUMENT_DEPTH) }
  }
  for (const token of parser.end()) tokens.push(token)

  const documents = [...composer.compose(tokens, true, text.length)]
  const error = documents
    .flatMap(document => document.errors)
    .reduce<{ pos: [number, number]; message: string } | null>(
      (first, next) => (first === null || next.pos[0] < first.pos[0] ? next : first),
      null,
    )
  if (error !== null) return fail(error.pos[0], error.message, 'Correct the YAML at this place.')
  const [document, second] = documents
  if (document === undefined) return { ok: true, value: null }
  if (second !== undefined) return severalDocuments(second.range[0])
  return toValue(document.contents, 1)
}

const severalDocuments = (offset: number): Read =>
  fail(offset, 'the file holds more than one document', 'Put each document into a file of its own.')

/** A node of the parser as a plain value; `depth` is that of the collection that it would be. */
function toValue(node: unknown, depth: number): Read {
  if (node === null || node === undefined) return { ok: true, value: null }
  if (isScalar(node)) return { ok: true, value: node.value }
  if (isSeq(node)) {
    if (depth > MAX_DOCUMENT_DEPTH) return { ok: false, fault: tooDeep(node.range?.[0] ?? 0, MAX_DOCUMENT_DEPTH) }
    const list: unknown[] = []
    for (const item of node.items) {
      const read = toValue(item, depth + 1)
      if (!read.ok) return read
      list.push(read.value)
    }
    return { ok: true, value: list }
  }
  if (!isMap(node)) return fail(0, 'the file holds something that is no scalar, list or map', 'Write plain YAML.')
  if (depth > MAX_DOCUMENT_DEPTH) return { ok: false, fault: tooDeep(node.range?.[0] ?? 0, MAX_DOCUMENT_DEPTH) }
  const map: Record<string, unknown> = {}
  for (const { key, value } of node.items) {
    const place = isScalar(key) ? (key.range?.[0] ?? 0) : (node.range?.[0] ?? 0)
    if (!isScalar(key) || typeof key.value !== 'string') return fail(place, 'a key is not a text', 'Give it a name.')
    const name = key.value
    if (name === '<<') return fail(place, '<< is a merge key, which routes files do not have', 'Write the fields out.')
    if (Object.hasOwn(map, name)) return fail(place, `the key ${printable(name)} stands twice in one object`, TWICE)
    const read = toValue(value, depth + 1)
    if (!read.ok) return read
    // Defined, not assigned: a key such as __proto__ is a field like any other here, as it is for JSON.parse.
    Object.defineProperty(map, name, { value: read.value, enumerable: true, writable: true, configurable: true })
  }
  return { ok: true, value: map }
}
