import { test as propertyTest } from '@fast-check/vitest'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  aligned,
  block,
  clean,
  displayWidth,
  labelled,
  padded,
  sentence,
  since,
  timeText,
  wrap,
} from '../../src/cli/table.ts'

describe('foreign text', () => {
  test.each([
    ['a colour', 'red \u001b[31mred', 'red \\u{1b}[31mred'],
    ['a line that turns round', 'abc\u202edef', 'abc\\u{202e}def'],
    ['a carriage return that hides', 'good\rbad', 'good\\u{d}bad'],
    ['line feeds stay', 'one\r\ntwo\n  three', 'one\ntwo\n  three'],
    ['other scripts stay', 'größe 数据', 'größe 数据'],
  ])('%s', (_what, text, expected) => {
    expect(clean(text)).toBe(expected)
  })
})

describe('width', () => {
  test.each([
    ['', 0],
    ['abc', 3],
    ['größe', 5],
    ['e\u0301', 1],
    ['数据', 4],
    ['🚢', 2],
  ])('%s', (text, width) => {
    expect(displayWidth(text)).toBe(width)
    expect(padded(text, 6)).toBe(text + ' '.repeat(6 - width))
  })
})

describe('wrapping', () => {
  test('breaks between words, and long ones anywhere', () => {
    expect(wrap(`one two three four five six ${'x'.repeat(45)} end`, 20)).toEqual([
      'one two three four',
      'five six',
      'x'.repeat(20),
      'x'.repeat(20),
      'xxxxx end',
    ])
  })

  test('lines that begin with a blank stay as they are', () => {
    const line = `  address: ":10042" # ${'long '.repeat(10)}`
    expect(wrap(`Add:\n${line}`, 30)).toEqual(['Add:', line])
  })

  test('without a width only line feeds count', () => {
    expect(wrap(`${'long '.repeat(50)}\nend`, null)).toEqual(['long '.repeat(50), 'end'])
  })

  test('indent and label count', () => {
    expect(block('one two three four five', 4, 24)).toEqual(['    one two three four', '    five'])
    expect(labelled('why', 'one two three four five', 6, 28)).toEqual(['why     one two three four', '        five'])
  })

  propertyTest.prop([fc.string({ unit: 'grapheme' }), fc.integer({ min: 20, max: 100 })])(
    'no line is wider, and no sign is lost',
    (text, width) => {
      const line = clean(text).replaceAll('\n', ' ').trimStart()
      const lines = wrap(line, width)
      expect(Math.max(...lines.map(displayWidth))).toBeLessThanOrEqual(width)
      expect(lines.join('').replaceAll(' ', '')).toBe(line.replaceAll(' ', ''))
    },
  )
})

describe('columns and words', () => {
  test('columns are as wide as their widest cell', () => {
    expect(
      aligned([
        ['a', '10001'],
        ['longer', 'x'],
        ['数', 'y'],
      ]),
    ).toEqual(['a       10001', 'longer  x', '数      y'])
  })

  test.each([
    [0, '0 ms'],
    [61.4, '61 ms'],
    [2_190, '2.1 s'],
    [12_900, '12 s'],
    [18 * 60_000, '18 min'],
    [3 * 3_600_000, '3 h'],
    [12 * 86_400_000, '12 d'],
    [-5, '0 ms'],
  ])('%d ms', (ms, text) => {
    expect(timeText(ms)).toBe(text)
  })

  test('a time that is none is null', () => {
    expect([since(null, 0), since('yesterday', 0), since('1970-01-01T00:00:01Z', 3_000)]).toEqual([null, null, '2.0 s'])
  })

  test('a sentence ends once, and lines to be copied have no full stop', () => {
    expect(['so it is', 'so it is.', 'is it?', 'Add:\n  a: 1', ''].map(sentence)).toEqual([
      'so it is.',
      'so it is.',
      'is it?',
      'Add:\n  a: 1',
      '',
    ])
  })
})
