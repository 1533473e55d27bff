import { describe, expect, test } from 'vitest'
import { createJsonMeter, readJson } from '../../src/core/json-text.ts'

const LIMITS = { depth: 3, values: 10 }

function meter(text: string, pieceSize: number): string | null {
  const bytes = Buffer.from(text)
  const json = createJsonMeter(LIMITS)
  for (let at = 0; at < bytes.length; at += pieceSize) {
    const passed = json.feed(bytes.subarray(at, at + pieceSize))
    if (passed !== null) return passed
  }
  return null
}

describe('JSON that a machine sends', () => {
  test('a document in UTF-8 is read', () => {
    expect(readJson(Buffer.from(' {"a":"ü\\ud83d\\ude00"} \n'))).toEqual({ ok: true, value: { a: 'ü😀' } })
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
    expect(readJson(Buffer.from(text))).toEqual({ ok: false, message })
  })

  test.each([
    ['a broken sequence', [0x22, 0xc3, 0x22]],
    ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22]],
    ['a surrogate as bytes', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['UTF-16', [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]],
  ])('%s is not UTF-8', (_, bytes) => {
    expect(readJson(Uint8Array.from(bytes))).toEqual({ ok: false, message: 'the document is not UTF-8' })
  })

  test('a key named __proto__ stays a key', () => {
    const read = readJson(Buffer.from('{"__proto__":{"polluted":true}}'))
    expect(Object.keys(Object(read.ok && read.value))).toEqual(['__proto__'])
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })
})

describe('JSON meter', () => {
  test.each([1, 2, 3, 1000])('pieces of %i bytes are metered alike', size => {
    expect(meter('{"a":[{"[[[[[{\\"]]]":1}],"b":",,,,,,,,,,,,,,"}', size)).toBeNull()
    expect(meter('[[[[]]]]', size)).toBe('the document is nested deeper than 3 levels')
    expect(meter('[1,2,3,4,5,6,7,8,9,10,11]', size)).toBe('the document holds more than 10 values')
  })

  test('depth counts what is open, not what was', () => {
    expect(meter('[[[]],[[]],[]]', 5)).toBeNull()
  })
})
