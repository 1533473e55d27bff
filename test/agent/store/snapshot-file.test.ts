import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { decodeSnapshot, encodeSnapshot } from '../../../src/agent/store/snapshot-file.ts'

const PAYLOAD = Buffer.from(JSON.stringify({ body: '{"tcp":{}}', revision: 42 }))
const FACTS = { format: 3, savedAt: 1_764_000_000_000 }
const whole = (): Buffer => Buffer.concat(encodeSnapshot(PAYLOAD, FACTS))

const fault = (bytes: Uint8Array): string => {
  const decoded = decodeSnapshot(bytes)
  return decoded.whole ? 'none' : decoded.fault
}

describe('decodeSnapshot', () => {
  test('what was encoded comes back', () => {
    expect(decodeSnapshot(whole())).toEqual({ whole: true, ...FACTS, payload: PAYLOAD })
  })

  test('the header is one line of JSON', () => {
    const line = whole().toString().split('\n')[0] ?? ''
    expect(JSON.parse(line)).toEqual({
      magic: 'fairlead-snapshot',
      ...FACTS,
      length: PAYLOAD.length,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
  })

  test('no shorter file is whole', () => {
    const bytes = whole()
    for (let length = 0; length < bytes.length; length++) {
      expect(decodeSnapshot(bytes.subarray(0, length)).whole, `${length} bytes`).toBe(false)
    }
  })

  test('no file with one flipped bit is whole', () => {
    const bytes = whole()
    for (let at = 0; at < bytes.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const flipped = Buffer.from(bytes)
        flipped.writeUInt8(bytes.readUInt8(at) ^ (1 << bit), at)
        expect(decodeSnapshot(flipped).whole, `bit ${bit} of byte ${at}`).toBe(false)
      }
    }
  })

  test('no file with its end in zeros is whole', () => {
    const bytes = whole()
    for (let from = 0; from < bytes.length; from++) {
      const zeroed = Buffer.from(bytes).fill(0, from)
      expect(decodeSnapshot(zeroed).whole, `zeros from ${from}`).toBe(false)
    }
  })

  test.each([
    ['nothing', Buffer.alloc(0), 'the header does not end'],
    ['a line without end', Buffer.alloc(4096, 'x'), 'the header does not end'],
    ['text', Buffer.from('routes: []\n'), 'the header is not JSON'],
    ['a JSON list', Buffer.from('[]\n'), 'it is not a snapshot of ours'],
    ['null', Buffer.from('null\n'), 'the header is not an object'],
    ['JSON of others', Buffer.from('{"magic":"other"}\n'), 'it is not a snapshot of ours'],
    ['a header without fields', Buffer.from('{"magic":"fairlead-snapshot"}\n'), 'the header lacks a field'],
    [
      'more bytes than told',
      Buffer.concat([whole(), Buffer.from(' ')]),
      `${PAYLOAD.length + 1} bytes follow, not ${PAYLOAD.length}`,
    ],
    [
      'a header with another space',
      Buffer.from(whole().toString().replace(',"format"', ', "format"')),
      'the header is not as we write it',
    ],
    [
      'another payload of that length',
      Buffer.from(whole().toString().replace('42}', '43}')),
      'the checksum does not fit',
    ],
  ])('%s is broken', (_name, bytes, expected) => {
    expect(fault(bytes)).toBe(expected)
  })

  propertyTest.prop([fc.uint8Array({ maxLength: 600 })])('any bytes give a result', bytes => {
    expect(decodeSnapshot(bytes).whole).toBe(false)
  })

  propertyTest.prop([fc.uint8Array({ maxLength: 600 }), fc.nat(), fc.nat()])(
    'every payload comes back, newlines and zeros too',
    (payload, format, savedAt) => {
      const decoded = decodeSnapshot(Buffer.concat(encodeSnapshot(payload, { format, savedAt })))
      if (!decoded.whole) expect.fail(decoded.fault)
      expect({ ...decoded, payload: [...decoded.payload] }).toEqual({
        whole: true,
        format,
        savedAt,
        payload: [...payload],
      })
    },
  )
})
