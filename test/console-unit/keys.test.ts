import { describe, expect, test } from 'vitest'
import { KEY_LIST, type KeyPress, PREFIX_MS, readKey } from '../../src/console/keyboard/keys.ts'

const press = (key: string, fields: Partial<KeyPress> = {}): KeyPress => ({
  key,
  mod: false,
  alt: false,
  shift: false,
  inField: false,
  onControl: false,
  at: 0,
  ...fields,
})

test.each([
  ['/', 'filter'],
  ['c', 'expose'],
  ['j', 'row-next'],
  ['k', 'row-previous'],
  ['e', 'edit'],
  ['y', 'copy'],
  ['x', 'explain'],
  ['[', 'node-previous'],
  [']', 'node-next'],
  ['?', 'help'],
  ['Enter', 'open'],
])('%s means %s', (key, command) => {
  expect(readKey(press(key), null, true)).toEqual({ kind: 'command', command })
})

describe('single keys', () => {
  test.each(['c', 'g', '/', '?', 'j'])('%s means nothing in a field', key => {
    expect(readKey(press(key, { inField: true }), null, true)).toEqual({ kind: 'nothing' })
  })

  test.each(['c', 'g', '/', '?', 'j'])('%s means nothing when they are off', key => {
    expect(readKey(press(key), null, false)).toEqual({ kind: 'nothing' })
  })

  test('mean nothing together with Alt, or with Ctrl', () => {
    expect(readKey(press('c', { alt: true }), null, true)).toEqual({ kind: 'nothing' })
    expect(readKey(press('c', { mod: true }), null, true)).toEqual({ kind: 'nothing' })
  })

  test('leave Enter to a link or a button', () => {
    expect(readKey(press('Enter', { onControl: true }), null, true)).toEqual({ kind: 'nothing' })
  })
})

describe('keys with Ctrl or ⌘', () => {
  test('work in fields, and when single keys are off', () => {
    expect(readKey(press('k', { mod: true, inField: true }), null, false)).toEqual({
      kind: 'command',
      command: 'palette',
    })
    expect(readKey(press('Enter', { mod: true, inField: true }), null, false)).toEqual({
      kind: 'command',
      command: 'save',
    })
  })
})

describe('G', () => {
  test('waits for where to', () => {
    expect(readKey(press('g'), null, true)).toEqual({ kind: 'prefix' })
  })

  test.each([
    ['o', '/'],
    ['s', '/services'],
    ['r', '/routes'],
    ['n', '/nodes'],
    ['p', '/ports'],
    ['a', '/audit'],
  ])('then %s goes to %s', (key, path) => {
    expect(readKey(press(key, { at: PREFIX_MS }), 0, true)).toEqual({ kind: 'go', path })
  })

  test('is forgotten after a while', () => {
    expect(readKey(press('s', { at: PREFIX_MS + 1 }), 0, true)).toEqual({ kind: 'nothing' })
  })

  test('keeps the second key from being a command', () => {
    expect(readKey(press('c', { at: 10 }), 0, true)).toEqual({ kind: 'nothing' })
  })
})

test('every key that means something is in the list', () => {
  const listed = KEY_LIST.flatMap(({ keys }) => keys).join(' ')
  for (const key of ['/', 'C', 'G', 'J', 'K', 'E', 'Y', 'X', '[', ']', '?', '↵', 'Esc']) expect(listed).toContain(key)
})
