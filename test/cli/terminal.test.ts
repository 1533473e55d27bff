import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import type { Io } from '../../src/cli/io.ts'
import { lineWidth, showsUnicode, terminalIo } from '../../src/cli/terminal.ts'

const terminal = (isTTY: boolean, columns?: number) =>
  Object.assign(new PassThrough(), { isTTY, ...(columns === undefined ? {} : { columns }) })

function streams({ stdin = true, stdout = true, stderr = true, columns = 100 } = {}) {
  return { stdin: terminal(stdin), stdout: terminal(stdout, columns), stderr: terminal(stderr) }
}

const io = (change: Partial<Io>): Io => ({
  out: () => {},
  err: () => {},
  colour: { out: false, err: false },
  env: {},
  cwd: '/',
  defaultConfigFile: null,
  ownAddresses: () => [],
  now: () => 0,
  ...change,
})

describe('a terminal', () => {
  test.each<[string, Parameters<typeof streams>[0], number | undefined, boolean]>([
    ['everywhere', {}, 100, true],
    ['without a size', { columns: 0 }, 80, true],
    ['piped on', { stdout: false }, undefined, true],
    ['fed by a pipe', { stdin: false }, 100, false],
    ['with faults in a file', { stderr: false }, 100, false],
  ])('%s', (_what, options, columns, asks) => {
    const found = terminalIo(streams(options))
    expect({ columns: found.columns?.(), asks: found.ask !== undefined }).toEqual({ columns, asks })
  })

  test.each([
    ['an answer', 'yes\n', 'yes'],
    ['nothing but Return', '\n', ''],
    ['Ctrl-C', '\u0003', null],
    ['Ctrl-D', '\u0004', null],
  ])('%s to a question', async (_what, typed, answer) => {
    const { stdin, stdout, stderr } = streams()
    const asked = terminalIo({ stdin, stdout, stderr }).ask?.('Sure? [y/N] ')
    stdin.write(typed)
    expect(await asked).toBe(answer)
    expect(String(stderr.read())).toContain('Sure? [y/N] ')
    expect(stdout.read()).toBeNull()
  })

  test('an input that ends is no answer', async () => {
    const { stdin, stdout, stderr } = streams()
    const asked = terminalIo({ stdin, stdout, stderr }).ask?.('Sure? ')
    stdin.end()
    expect(await asked).toBeNull()
  })
})

describe('lines and signs', () => {
  test.each<[Partial<Io>, number | null]>([
    [{ columns: () => 100, env: { COLUMNS: '60' } }, 100],
    [{ env: { COLUMNS: '60' } }, 60],
    [{ env: { COLUMNS: 'wide' } }, null],
    [{ env: { COLUMNS: '' } }, null],
    [{}, null],
  ])('width %#', (change, width) => {
    expect(lineWidth(io(change))).toBe(width)
  })

  const columns = () => 80
  test.each<[Partial<Io>, boolean]>([
    [{ columns, env: { LANG: 'de_DE.UTF-8' } }, true],
    [{ columns, env: { LANG: 'en_GB.utf8' } }, true],
    [{ columns, env: { LANG: 'C.UTF-8', LC_ALL: 'C' } }, false],
    [{ columns, env: { LANG: 'C', LC_CTYPE: 'C.UTF-8' } }, true],
    [{ columns, env: {} }, false],
    [{ env: { LANG: 'C.UTF-8' } }, false],
  ])('more than ASCII %#', (change, shows) => {
    expect(showsUnicode(io(change))).toBe(shows)
  })
})
