import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import type { Problem } from '../../src/core/problem.ts'
import { decodeUtf8, MAX_DOCUMENT_BYTES, MAX_DOCUMENT_DEPTH, parseDocumentText } from '../../src/core/yaml-document.ts'

const parse = (text: string, fileName = 'a.yaml') => parseDocumentText(text, { fileName })

const refused = (message: string, remedy: unknown = expect.stringMatching(/./), fileName = 'a.yaml') => ({
  ok: false,
  problem: {
    code: 'DOCUMENT_INVALID',
    protocol: null,
    routeId: null,
    field: null,
    value: null,
    message,
    remedy,
    origin: fileName,
  },
})

const messageOf = (result: { ok: true } | { ok: false; problem: Problem }) =>
  result.ok ? null : result.problem.message

describe('what is read', () => {
  const rows: [string, string, unknown][] = [
    [
      'block style',
      'tcpRoutes:\n  - id: pg\n    upstreams: ["10.0.0.1:5432"]\n',
      { tcpRoutes: [{ id: 'pg', upstreams: ['10.0.0.1:5432'] }] },
    ],
    ['flow style with a comment and a last comma', '{a: 1, # one\n b: [x,],}\n', { a: 1, b: ['x'] }],
    ['JSON', '{"a": [1, -2.5e1, true, null, "\\u0041"]}', { a: [1, -25, true, null, 'A'] }],
    [
      'the core schema',
      'a: yes\nb: 2024-01-01T00:00:00Z\nc: 0o17\nd: 1_000\ne: ~\nf: True\n',
      { a: 'yes', b: '2024-01-01T00:00:00Z', c: 15, d: '1_000', e: null, f: true },
    ],
    ['core tags', 'id: !!str 123\n', { id: '123' }],
    ['a number as a key', '10001: x\n', { '10001': 'x' }],
    ['block scalars with signs of their own', 'a: |\n  &x *y !z\nb: >-\n  <<: 1\n', { a: '&x *y !z\n', b: '<<: 1' }],
    ['quoted signs', 'a: "*.example.com"\nb: \'&x\'\nc: x & *y\n', { a: '*.example.com', b: '&x', c: 'x & *y' }],
    ['document marks', '%YAML 1.2\n---\na: 1\n...\n', { a: 1 }],
    ['line ends of Windows', 'a: 1\r\nb: 2\r\n', { a: 1, b: 2 }],
    ['a byte order mark', '\ufeffa: 1\n', { a: 1 }],
    ['nothing', '', null],
    ['comments alone', '# later\n', null],
  ]
  test.each(rows)('%s is read', (_name, text, value) => {
    expect(parse(text)).toEqual({ ok: true, value, json: expect.any(Boolean) })
  })

  test('JSON is read by the name of the file', () => {
    expect(parse('{"a": {}, "b": [[], {"c": 1}]}', 'a.json')).toEqual({
      ok: true,
      value: { a: {}, b: [[], { c: 1 }] },
      json: true,
    })
    expect(parse('a: 1\n', 'a.json').ok).toBe(false)
  })

  test('a key named __proto__ is an ordinary field', () => {
    for (const text of ['__proto__: {x: 1}\n', '{"__proto__": {"x": 1}}']) {
      const result = parse(text)
      expect(result.ok && Object.keys(Object(result.value))).toEqual(['__proto__'])
      expect(result.ok && Object.getPrototypeOf(result.value)).toBe(Object.prototype)
    }
  })
})

describe('what is refused', () => {
  const rows: [string, string][] = [
    ['a: &x 1\n', 'line 1, column 4: &x is an anchor, which routes files do not have'],
    ['a: 1\nb: *x\n', 'line 2, column 4: *x is an alias, which routes files do not have'],
    ['a: {"b":*c}\n', 'line 1, column 9: *c is an alias, which routes files do not have'],
    ['a:\n  <<: {b: 1}\n', 'line 2, column 3: << is a merge key, which routes files do not have'],
    ['a: !ruby/object x\n', 'line 1, column 4: the tag !ruby/object is not of the core schema'],
    ['a: !!binary AAAA\n', 'line 1, column 4: the tag !!binary is not of the core schema'],
    ['a: !<tag:yaml.org,2002:str> 1\n', 'line 1, column 4: the tag !<tag:yaml.org,2002:str> is not of the core schema'],
    ['%YAML 1.1\n---\na: yes\n', 'line 1, column 1: the directive %YAML 1.1 is not read'],
    ['%TAG !! tag:x,2000:\n---\na: !!str 1\n', 'line 1, column 1: the directive %TAG !! tag:x,2000: is not read'],
    ['a: 1\n---\nb: 1\n', 'line 2, column 1: the file holds more than one document'],
    ['a: 1\n...\nb: 1\n', 'line 3, column 1: the file holds more than one document'],
    ['a: 1\nb: 2\na: 3\n', 'line 3, column 1: the key a stands twice in one object'],
    ['{"a": 1, "\\u0061": 2}', 'line 1, column 10: the key a stands twice in one object'],
    ['"1": a\n1: b\n', 'line 2, column 1: the key 1 stands twice in one object'],
    ['? [a]\n: b\n', 'line 1, column 3: With stringKeys, all keys must be strings'],
    ['a: x\u0000y\n', 'line 1, column 5: the file holds the control sign \\u{0}'],
    ['a: x\n\u001fb: 1\n', 'line 2, column 1: the file holds the control sign \\u{1f}'],
    ['a:\n\tb: 1\n', 'line 2, column 1: Tabs are not allowed as indentation'],
    ['a: "x\n', 'line 2, column 1: Missing closing "quote'],
    ['a: 1\nb: c: d\n', 'line 2, column 4: Nested mappings are not allowed in compact mappings'],
    ['<html><body>\n<p>Not: found</p>\n', 'line 1, column 1: Implicit keys need to be on a single line'],
  ]
  test.each(rows)('%j is refused with its place', (text, message) => {
    expect(parse(text)).toEqual(refused(message))
  })

  const jsonRows: [string, string][] = [
    ['', 'line 1, column 1: expected a value and found the end of the file'],
    ['{"a": 1,\n "b" 2}', 'line 2, column 6: expected ":" and found "2"'],
    ['{"a": [1, 2', 'line 1, column 12: expected "," or "]" and found the end of the file'],
    ['{"a": 1,}', 'line 1, column 9: expected a key in double quotes and found "}"'],
    ['{"a": 1, "a": 2}', 'line 1, column 10: the key "a" stands twice in one object'],
    ['{"\\u0061": 1, "a": 2}', 'line 1, column 15: the key "a" stands twice in one object'],
    ['{"a": "\\x"}', 'line 1, column 8: this escape is not one of JSON'],
    ['{"a": "x\n"}', 'line 1, column 9: a string holds a line end or a control sign'],
    ['{"a": 01}', 'line 1, column 8: expected "," or "}" and found "1"'],
    ['{} {}', 'line 1, column 4: expected the end of the file and found "{"'],
    ['nul', 'line 1, column 1: expected a value and found "n"'],
    ['"abc', 'line 1, column 5: expected the closing quote of a string and found the end of the file'],
  ]
  test.each(jsonRows)('as JSON, %j is refused with its place', (text, message) => {
    expect(parse(text, 'a.json')).toEqual(refused(message, expect.stringMatching(/./), 'a.json'))
  })

  test('an alias for a wildcard names the quotes', () => {
    expect(parse('sniHostname: *.example.com\n')).toEqual(
      refused(
        'line 1, column 14: *.example.com is an alias, which routes files do not have',
        'Write the value out, or in quotes if it is a text that begins with a star: "*.example.com".',
      ),
    )
  })

  test('a billion laughs end at the first anchor', () => {
    const laughs = [
      'a: &a ["lol"]',
      ...'bcdefghi'.split('').map((c, i) => `${c}: &${c} [${`*${'abcdefgh'[i]},`.repeat(9)}]`),
    ]
    expect(messageOf(parse(laughs.join('\n')))).toBe(
      'line 1, column 4: &a is an anchor, which routes files do not have',
    )
  })

  test('a text that is too large is not read', () => {
    expect(parse(`a: "${'\u20ac'.repeat(MAX_DOCUMENT_BYTES / 3)}"`)).toEqual({
      ok: false,
      problem: {
        code: 'DOCUMENT_INVALID',
        protocol: null,
        routeId: null,
        field: null,
        value: '8388611',
        message: 'the file has 8388611 bytes, more than the 8388608 that are read',
        remedy: 'Spread the routes over several files.',
        origin: 'a.yaml',
      },
    })
  })
})

describe('depth', () => {
  const nested: [string, string, (depth: number) => string][] = [
    ['JSON lists', 'a.json', depth => '['.repeat(depth) + ']'.repeat(depth)],
    ['JSON objects', 'a.json', depth => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`],
    ['flow lists', 'a.yaml', depth => `${'['.repeat(depth)}a${']'.repeat(depth)}`],
    ['flow pairs', 'a.yaml', depth => `${'[a: '.repeat(depth / 2)}a${']'.repeat(depth / 2)}`],
    ['block lists', 'a.yaml', depth => `${'- '.repeat(depth)}a\n`],
    ['block maps', 'a.yaml', depth => Array.from({ length: depth }, (_, i) => `${' '.repeat(i)}a:`).join('\n')],
  ]
  test.each(nested)('%s may be as deep as the limit', (_name, fileName, text) => {
    expect(parse(text(MAX_DOCUMENT_DEPTH), fileName).ok).toBe(true)
    expect(messageOf(parse(text(MAX_DOCUMENT_DEPTH + 2), fileName))).toMatch(/: the text is nested more than 32 deep$/)
  })

  test('a million open brackets are refused at once', () => {
    for (const fileName of ['a.json', 'a.yaml'])
      expect(messageOf(parse('['.repeat(1_000_000), fileName))).toMatch(/nested more than 32 deep/)
  })
})

describe('decodeUtf8', () => {
  const decode = (...bytes: number[]) => decodeUtf8(new Uint8Array(bytes), { fileName: 'a.yaml' })

  test('UTF-8 is decoded without its byte order mark', () => {
    expect(decode(0xef, 0xbb, 0xbf, 0x61, 0xc3, 0xa9)).toEqual({ ok: true, text: 'a\u00e9' })
  })
  test('a stray byte is refused with its place', () => {
    expect(decode(0x61, 0x0a, 0x62, 0xe9, 0x63, 0x0a)).toEqual(
      refused('line 2, column 2: a byte is not UTF-8', 'Save the file as UTF-8.'),
    )
    expect(decode(0x61, 0x0a, 0xe2, 0x82)).toEqual(
      refused('line 2, column 1: a byte is not UTF-8', 'Save the file as UTF-8.'),
    )
  })
  test('UTF-16 is refused by its name', () => {
    expect(decode(0xff, 0xfe, 0x61, 0x00)).toEqual(
      refused('line 1, column 1: the file is UTF-16, not UTF-8', 'Save the file as UTF-8.'),
    )
  })
  test('bytes beyond the limit are refused undecoded', () => {
    expect(messageOf(decodeUtf8(new Uint8Array(MAX_DOCUMENT_BYTES + 1), { fileName: 'a.yaml' }))).toBe(
      'the file has 8388609 bytes, more than the 8388608 that are read',
    )
  })
})

describe('any text', () => {
  const plain = fc.letrec(tie => ({
    value: fc.oneof(
      { depthSize: 'small', maxDepth: 6 },
      fc.constantFrom(null, true, false),
      fc.integer(),
      fc.string({ unit: 'grapheme-ascii' }),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(
        fc.string({ unit: 'grapheme-ascii' }).filter(key => key !== '<<' && key !== '__proto__'),
        tie('value'),
        { maxKeys: 4 },
      ),
    ),
  })).value

  propertyTest.prop([plain])('a value written as JSON or YAML comes back', value => {
    expect(parse(JSON.stringify(value), 'a.json')).toEqual({ ok: true, value, json: true })
    expect(parse(JSON.stringify(value, null, 2))).toEqual({ ok: true, value, json: expect.any(Boolean) })
    expect(parse(stringify(value, { aliasDuplicateObjects: false }))).toEqual({
      ok: true,
      value,
      json: expect.any(Boolean),
    })
  })

  propertyTest.prop([
    fc.string({ unit: fc.constantFrom(...'{}[],:"\'\\ \n-#&*!|>%@?ab01.etru'.split('')), maxLength: 60 }),
  ])('the JSON check agrees with JSON.parse, and nothing throws', text => {
    let value: unknown
    let valid = true
    try {
      value = JSON.parse(text)
    } catch {
      valid = false
    }
    const result = parse(text, 'a.json')
    if (!valid) expect(result.ok).toBe(false)
    else if (result.ok) expect(result.value).toEqual(value)
    else expect(result.problem.message).toMatch(/stands twice/)
    const yaml = parse(text)
    expect(yaml.ok ? '' : yaml.problem.message).toMatch(/^$|^line \d+, column \d+: ./)
  })
})
