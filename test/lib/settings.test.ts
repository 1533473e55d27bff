import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import {
  nullable,
  readDirectoryPath,
  readDuration,
  readFilePath,
  readFlag,
  readHttpUrl,
  readList,
  readListen,
  readLoopbackListen,
  readOneOf,
  readRatio,
  readText,
  readWholeNumber,
  setting,
} from '../../src/lib/setting-types.ts'
import { type Environment, parseSettings, settingNames } from '../../src/lib/settings.ts'

const schema = z.object({
  name: setting(readText).prefault('nobody'),
  mainPart: z
    .object({
      size: setting(readWholeNumber({ min: 1, max: 9 })).prefault(3),
      secretFile: nullable(readFilePath).prefault(null),
    })
    .prefault({}),
  other: z.object({ urls: setting(readList(readText, 1)), from: nullable(readText).prefault('web') }).optional(),
})

const parse = (text: string | null, env: Environment = {}) =>
  parseSettings({ schema, text, fileName: text === null ? null : 'a.yaml', env })

const DEFAULTS = { name: 'nobody', mainPart: { size: 3, secretFile: null } }

describe('values', () => {
  test('without file and environment the defaults hold', () => {
    expect(parse(null)).toEqual({ ok: true, value: DEFAULTS, notes: [] })
  })

  test.each(['', '# nothing\n', 'mainPart:\n', 'mainPart:\n  size:\n', '{}'])('%j leaves the defaults', text => {
    expect(parse(text)).toEqual({ ok: true, value: DEFAULTS, notes: [] })
  })

  test('the environment beats the file key by key', () => {
    expect(parse('name: file\nmainPart: { size: 4, secretFile: /a }\n', { FAIRLEAD_MAIN_PART_SIZE: '5' })).toEqual({
      ok: true,
      value: { name: 'file', mainPart: { size: 5, secretFile: '/a' } },
      notes: [],
    })
  })

  test('the environment alone makes an optional group', () => {
    expect(parse(null, { FAIRLEAD_OTHER_URLS: 'a, b,' })).toEqual({
      ok: true,
      value: { ...DEFAULTS, other: { urls: ['a', 'b'], from: 'web' } },
      notes: [],
    })
  })

  test('null is a value where nothing may stand', () => {
    expect(parse('other: { urls: [a], from: null }')).toEqual({
      ok: true,
      value: { ...DEFAULTS, other: { urls: ['a'], from: null } },
      notes: [],
    })
  })

  test('none in the environment means no value', () => {
    expect(parse('other: { urls: [a] }', { FAIRLEAD_OTHER_FROM: 'none' })).toEqual({
      ok: true,
      value: { ...DEFAULTS, other: { urls: ['a'], from: null } },
      notes: [],
    })
  })

  test('an empty variable counts as not set', () => {
    expect(parse('name: file', { FAIRLEAD_NAME: '' })).toEqual({
      ok: true,
      value: { ...DEFAULTS, name: 'file' },
      notes: [],
    })
  })

  test('a variable of another program is noted', () => {
    expect(parse(null, { FAIRLEAD_SERVICE_HOST: '10.0.0.1', FAIRLEAD_URL: 'http://127.0.0.1', HOME: '/' })).toEqual({
      ok: true,
      value: DEFAULTS,
      notes: ['FAIRLEAD_SERVICE_HOST is not a setting of this program and is ignored'],
    })
  })
})

describe('faults', () => {
  test('all come at once, by line, then by variable', () => {
    expect(
      parse('nam: x\nmainPart:\n  size: 10\n  sizes: 1\nother: { from: a }\n', {
        FAIRLEAD_NAMES: 'x',
        FAIRLEAD_OTHER_FROM: 'b',
      }),
    ).toEqual({
      ok: false,
      faults: [
        'a.yaml:1: nam is not a setting; did you mean name?',
        'a.yaml:3: mainPart.size: 10 is outside 1-9',
        'a.yaml:4: mainPart.sizes is not a setting; did you mean mainPart.size?',
        'a.yaml:5: other.urls is missing',
        'FAIRLEAD_NAMES is not a setting; did you mean FAIRLEAD_NAME?',
      ],
    })
  })

  test('a bad variable is named with its key', () => {
    expect(parse(null, { FAIRLEAD_MAIN_PART_SIZE: 'big' })).toEqual({
      ok: false,
      faults: ['FAIRLEAD_MAIN_PART_SIZE: mainPart.size: "big" is not a whole number'],
    })
  })

  test.each([
    ['size: 1', 'a.yaml:1: size is not a setting; did you mean mainPart.size?'],
    ['colour: red', 'a.yaml:1: colour is not a setting; known here: name, mainPart, other'],
    ['mainPart: 5', 'a.yaml:1: mainPart: this is a group of keys, not a value'],
    ['mainPart: [1]', 'a.yaml:1: mainPart: this is a group of keys, not a value'],
    ['- name', 'a.yaml:1: the file is not a group of keys; write them as node: proxy-1'],
    ['name: 7', 'a.yaml:1: name: 7 is a number, not a text; put it in quotes'],
    ['other: { urls: [] }', 'a.yaml:1: other.urls: the list is empty; name at least one'],
    ['other: { urls: [a, 5] }', 'a.yaml:1: other.urls[1]: 5 is a number, not a text; put it in quotes'],
    ['name: &a x\nother: { urls: [*a] }', 'a.yaml: aliases (*name) are not taken here; write the value out'],
  ])('%j gives its fault', (text, sentence) => {
    expect(parse(text)).toEqual({ ok: false, faults: [sentence] })
  })

  test.each([
    ['name: a\nname: b', 'a.yaml:2: this is not YAML: Map keys must be unique'],
    ['name: a\n---\nname: b', 'a.yaml:2: this is not YAML: Source contains multiple documents'],
    ['name: "a', 'a.yaml:1: this is not YAML: Missing closing "quote'],
    ['name: !secret a', 'a.yaml:1: this is not YAML: Unresolved tag: !secret'],
  ])('%j is not YAML that we take', (text, beginning) => {
    const result = parse(text)
    expect(result.ok ? [] : result.faults).toEqual([expect.stringContaining(beginning)])
  })

  test('no fault repeats what may be a secret', () => {
    const results = [
      parse('mainPart: { secretFile: canary }'),
      parse('token: canary'),
      parse('mainPart: {\n  secret: "canary\n'),
      parse(null, { FAIRLEAD_MAIN_PART_SECRET_FILE: 'canary', FAIRLEAD_NAM: 'canary' }),
    ]
    expect(results.map(result => result.ok)).toEqual([false, false, false, false])
    expect(JSON.stringify(results)).not.toContain('canary')
  })

  test('a hostile key is an unknown key', () => {
    expect(parse('__proto__: { size: 1 }\nconstructor: 1')).toEqual({
      ok: false,
      faults: [
        'a.yaml:1: __proto__ is not a setting; known here: name, mainPart, other',
        'a.yaml:2: constructor is not a setting; known here: name, mainPart, other',
      ],
    })
  })
})

test('every key has its variable', () => {
  expect(settingNames(schema)).toEqual([
    { key: 'name', env: 'FAIRLEAD_NAME' },
    { key: 'mainPart.size', env: 'FAIRLEAD_MAIN_PART_SIZE' },
    { key: 'mainPart.secretFile', env: 'FAIRLEAD_MAIN_PART_SECRET_FILE' },
    { key: 'other.urls', env: 'FAIRLEAD_OTHER_URLS' },
    { key: 'other.from', env: 'FAIRLEAD_OTHER_FROM' },
  ])
})

describe('kinds of value', () => {
  const duration = readDuration({ minMs: 100, maxMs: 86_400_000 })
  const whole = readWholeNumber({ min: 0, max: 10 })
  const loopback = readLoopbackListen('127.0.0.1:7480')
  const url = readHttpUrl('https://c.example', 'loopback')

  test.each([
    [duration, '500ms', 500],
    [duration, '2m', 120_000],
    [duration, '24h', 86_400_000],
    [whole, '7', 7],
    [whole, 0, 0],
    [readFlag, 'true', true],
    [readFlag, false, false],
    [readRatio, '0.5', 0.5],
    [readRatio, 1, 1],
    [readOneOf(['a', 'b']), 'b', 'b'],
    [readDirectoryPath, '/var//lib/', '/var/lib/'],
    [readFilePath, '/run/secret', '/run/secret'],
    [loopback, '127.0.0.1:0', { host: '127.0.0.1', port: 0 }],
    [loopback, '[::1]:7480', { host: '::1', port: 7480 }],
    [loopback, '[0:0::1]:7480', { host: '::1', port: 7480 }],
    [readListen('0.0.0.0:80'), '0.0.0.0:80', { host: '0.0.0.0', port: 80 }],
    [url, 'https://C.example:8443/base/', 'https://c.example:8443/base'],
    [url, 'http://localhost:7400', 'http://localhost:7400'],
    [url, 'http://[::1]:7400', 'http://[::1]:7400'],
  ])('a good value of its kind is read, case %#', (read, found, value) => {
    expect(read(found)).toEqual({ ok: true, value })
  })

  test.each([
    [duration, '50ms', '"50ms" is outside 100ms to 1d'],
    [duration, 30, '30 is not a duration; write it with its unit, as 500ms, 30s, 2m or 24h'],
    [whole, 1.5, '1.5 is not a whole number'],
    [whole, 11, '11 is outside 0-10'],
    [readFlag, 'yes', '"yes" is neither true nor false'],
    [readRatio, 0, '0 is not a share above 0 and at most 1; write half as 0.5'],
    [readOneOf(['a', 'b']), 'c', '"c" is not one of a, b'],
    [readText, '  ', 'the text is empty'],
    [readDirectoryPath, 'lib', '"lib" is not an absolute path; begin it with /'],
    [loopback, 'localhost:7480', '"localhost:7480" is not an address and a port; write it as 127.0.0.1:7480'],
    [
      loopback,
      '0.0.0.0:7480',
      '"0.0.0.0:7480" is not a loopback address, and this endpoint is for this machine only; write it as 127.0.0.1:7480',
    ],
    [
      loopback,
      '[::ffff:127.0.0.1]:7480',
      '"[::ffff:127.0.0.1]:7480" is not a loopback address, and this endpoint is for this machine only; write it as 127.0.0.1:7480',
    ],
    [loopback, '127.0.0.1:70000', 'port 70000 is outside 0-65535'],
    [loopback, '::1:7480', '"::1:7480" is not an address and a port; write it as 127.0.0.1:7480'],
    [url, 'http://c.example', '"http://c.example" is plain http to another machine; write https://c.example'],
    [url, 'https://u:p@c.example', 'the URL of c.example carries a user or a password; leave it out'],
    [url, 'https://c.example?token=x', 'the URL of c.example carries a query or a fragment; leave it out'],
    [url, 'c.example', '"c.example" is not a URL of http or https; write it as https://c.example'],
  ])('a bad value is refused by name, case %#', (read, found, sentence) => {
    expect(read(found)).toEqual({ ok: false, faults: [sentence] })
  })
})
