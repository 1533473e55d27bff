import { describe, expect, test } from 'vitest'
import { createJsonMeter, parseStrictJson } from '../../../src/agent/sources/strict-json.ts'
import { SourceError } from '../../../src/lib/errors.ts'

function failure(action: () => unknown): { readonly code: string; readonly message: string } {
  try {
    action()
  } catch (error) {
    if (error instanceof SourceError && error.cause === undefined) return { code: error.code, message: error.message }
    throw error
  }
  throw new Error('it did not fail')
}

const LIMITS = { depth: 3, values: 10 }

function meter(text: string, pieceSize: number): void {
  const bytes = Buffer.from(text)
  const json = createJsonMeter(LIMITS)
  for (let at = 0; at < bytes.length; at += pieceSize) json.feed(bytes.subarray(at, at + pieceSize))
}

describe('strict JSON', () => {
  test('a document in UTF-8 is read', () => {
    expect(parseStrictJson(Buffer.from(' {"a":"ü\\ud83d\\ude00"} \n'))).toEqual({ a: 'ü😀' })
  })

  test.each([
    ['nothing', '', 'the document of 0 bytes is not JSON'],
    ['a byte order mark', '\uFEFF{}', 'the document begins with a byte order mark'],
    ['a NUL', '{"a":"\0"}', 'the document holds a NUL'],
    ['trailing garbage', '{} x', 'the document of 4 bytes is not JSON from position 3 on'],
    ['two documents', '{}{}', 'the document of 4 bytes is not JSON from position 2 on'],
    ['an open end', '{"a":1', 'the document of 6 bytes is not JSON from position 6 on'],
    ['a lone surrogate in a value', '{"a":["\\ud800"]}', 'the document holds half a character (a lone surrogate)'],
    ['a lone surrogate in a key', '{"\\uDfff":1}', 'the document holds half a character (a lone surrogate)'],
    ['single quotes', "{'secret-canary':1}", 'the document of 19 bytes is not JSON from position 1 on'],
  ])('%s is refused, and not quoted', (_, text, message) => {
    expect(failure(() => parseStrictJson(Buffer.from(text)))).toEqual({ code: 'SOURCE_MALFORMED', message })
  })

  test.each([
    ['a broken sequence', [0x22, 0xc3, 0x22]],
    ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22]],
    ['a surrogate as bytes', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['UTF-16', [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]],
  ])('%s is not UTF-8', (_, bytes) => {
    expect(failure(() => parseStrictJson(Uint8Array.from(bytes)))).toEqual({
      code: 'SOURCE_MALFORMED',
      message: 'the document is not UTF-8',
    })
  })

  test('a key named __proto__ stays a key', () => {
    const value = parseStrictJson(Buffer.from('{"__proto__":{"polluted":true}}'))
    expect(Object.keys(Object(value))).toEqual(['__proto__'])
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })
})

describe('JSON meter', () => {
  test.each([1, 2, 3, 1000])('pieces of %i bytes are metered alike', size => {
    meter('{"a":[{"[[[[[{\\"]]]":1}],"b":",,,,,,,,,,,,,,"}', size)
    expect(failure(() => meter('[[[[]]]]', size))).toEqual({
      code: 'SOURCE_TOO_LARGE',
      message: 'the document is nested deeper than 3 levels',
    })
    expect(failure(() => meter('[1,2,3,4,5,6,7,8,9,10,11]', size))).toEqual({
      code: 'SOURCE_TOO_LARGE',
      message: 'the document holds more than 10 values',
    })
  })

  test('depth counts what is open, not what was', () => {
    meter('[[[]],[[]],[]]', 5)
  })
})
