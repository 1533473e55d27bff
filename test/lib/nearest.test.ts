import { expect, test } from 'vitest'
import { nearest } from '../../src/lib/nearest.ts'

const COMMANDS = ['agent', 'check', 'render', 'static-config', 'status']

test.each([
  ['chek', 'check'],
  ['cehck', 'check'],
  ['stats', 'status'],
  ['static_config', 'static-config'],
  ['StaticConfig', 'static-config'],
  ['rendr', 'render'],
])('%s is near to %s', (word, name) => {
  expect(nearest(word, COMMANDS)).toBe(name)
})

test.each(['deploy', 'x', '', 'a'.repeat(200)])('nothing is near to %j', word => {
  expect(nearest(word, COMMANDS)).toBe(null)
})

test('the number of differing letters can be confined', () => {
  expect([nearest('static-confxxx', COMMANDS, 2), nearest('static-confxxg', COMMANDS, 2)]).toEqual([
    null,
    'static-config',
  ])
})
