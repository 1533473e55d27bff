import { describe, expect, test } from 'vitest'
import { readArgs } from '../../src/cli/args.ts'

const SPEC = {
  options: { config: { value: 'FILE', help: '' }, tcp: { value: 'PORTS', help: '' }, json: { value: null, help: '' } },
  positionals: { min: 1, max: 2, name: 'PATH' },
} as const

function read(...argv: string[]) {
  const result = readArgs(SPEC, argv)
  if (!result.ok) return result.faults
  const { args } = result
  return { config: args.text('config'), tcp: args.text('tcp'), json: args.flag('json'), paths: args.positionals }
}

describe('what is taken', () => {
  test.each([
    [['a'], { config: null, tcp: null, json: false, paths: ['a'] }],
    [['a', '--json', 'b', '--config', 'f'], { config: 'f', tcp: null, json: true, paths: ['a', 'b'] }],
    [['--config=f', 'a'], { config: 'f', tcp: null, json: false, paths: ['a'] }],
    [['--config=--f', 'a'], { config: '--f', tcp: null, json: false, paths: ['a'] }],
    [['--tcp', '1', '--tcp', '2', 'a'], { config: null, tcp: '2', json: false, paths: ['a'] }],
    [['--', '--json'], { config: null, tcp: null, json: false, paths: ['--json'] }],
    [['-'], { config: null, tcp: null, json: false, paths: ['-'] }],
  ])('%j gives its options and paths', (argv, expected) => {
    expect(read(...argv)).toEqual(expected)
  })
})

describe('what is refused', () => {
  test.each([
    [[], ['PATH is missing']],
    [['a', 'b', 'c'], ['"c" is one argument too many']],
    [['a', '--jsn'], ['--jsn is not an option here; did you mean --json?']],
    [['a', '--confg', 'f', 'g', 'h'], ['--confg is not an option here; did you mean --config?']],
    [['a', '-j'], ['-j is not an option here']],
    [['a', '--json=yes'], ['--json takes no value']],
    [['a', '--config'], ['--config needs a value: --config FILE']],
    [['a', '--config', '--json'], ['--config needs a value: --config FILE']],
    [['a', '--config='], ['--config needs a value: --config FILE']],
    [
      ['--x', '--tcp'],
      ['--x is not an option here', '--tcp needs a value: --tcp PORTS', 'PATH is missing'],
    ],
  ])('%j gives all of its faults', (argv, faults) => {
    expect(read(...argv)).toEqual(faults)
  })

  test('names of the prototype are no options', () => {
    expect(read('a', '--constructor', '--__proto__')).toEqual([
      '--constructor is not an option here',
      '--__proto__ is not an option here',
    ])
  })
})
