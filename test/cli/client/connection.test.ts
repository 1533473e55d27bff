import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { cliFilePath, readCliFile, writeCliFile } from '../../../src/cli/client/cli-file.ts'
import { findTarget } from '../../../src/cli/client/connection.ts'
import { CliError, type Io } from '../../../src/cli/io.ts'
import { tempFolder } from '../../support/temp-folder.ts'

const URL = 'https://control.example.com'

const ioIn = (folder: string, env: Record<string, string> = {}): Io => ({
  out: () => {},
  err: () => {},
  colour: { out: false, err: false },
  env: { HOME: folder, ...env },
  cwd: folder,
  defaultConfigFile: null,
  ownAddresses: () => [],
  now: () => 0,
})

async function target(folder: string, options: Record<string, string> = {}, env: Record<string, string> = {}) {
  try {
    return await findTarget(name => options[name] ?? null, ioIn(folder, env))
  } catch (error) {
    if (error instanceof CliError) return [error.exitCode, ...error.sentences].join(' ')
    throw error
  }
}

async function write(path: string, text: string, mode = 0o600): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, text, { mode })
}

describe('which control plane is asked', () => {
  test('options beat variables, variables beat the file', async () => {
    const folder = await tempFolder()
    const file = cliFilePath({ HOME: folder })
    await write(file, 'url: https://file.example.com\ntoken: flt_file\n')
    await write(join(folder, 'token'), 'flt_option\n')
    const variables = { FAIRLEAD_URL: 'https://variable.example.com/', FAIRLEAD_TOKEN: 'flt_variable' }
    expect(await target(folder)).toEqual({ url: 'https://file.example.com', token: 'flt_file' })
    expect(await target(folder, {}, variables)).toEqual({
      url: 'https://variable.example.com',
      token: 'flt_variable',
    })
    expect(await target(folder, { url: URL, 'token-file': 'token' }, variables)).toEqual({
      url: URL,
      token: 'flt_option',
    })
  })

  test('a token goes to nobody but the one beside which it stands', async () => {
    const folder = await tempFolder()
    await write(cliFilePath({ HOME: folder }), 'url: https://file.example.com\ntoken: flt_file\n')
    expect(await target(folder, { url: 'https://other.example.com' })).toBe(
      '2 there is no token for https://other.example.com; give --token-file, or set FAIRLEAD_TOKEN',
    )
    expect(await target(folder, { url: 'https://file.example.com/' })).toEqual({
      url: 'https://file.example.com',
      token: 'flt_file',
    })
  })

  test.each([
    [{}, {}, /^2 it is not said which control plane to ask; give --url and --token-file, or set FAIRLEAD_URL /],
    [
      { url: 'http://control.example.com' },
      {},
      /^2 --url: "http:\/\/control.example.com" is plain http to another machine; /,
    ],
    [{}, { FAIRLEAD_URL: 'nonsense' }, /^2 FAIRLEAD_URL: "nonsense" is not a URL of http or https; /],
    [
      { url: URL, 'token-file': 'missing' },
      {},
      /^3 \S+missing: there is no such file\. Create it, or correct the path\.$|^3 \S+missing: there is no such file; /,
    ],
    [{ url: URL }, { FAIRLEAD_TOKEN: 'two words' }, /^2 FAIRLEAD_TOKEN: this is not a token$/],
  ])('%j and %j are not enough', async (options, env, message) => {
    expect(await target(await tempFolder(), options, env)).toMatch(message)
  })

  test('plain http to this machine is taken', async () => {
    const options = { url: 'http://[::1]:7400' }
    expect(await target(await tempFolder(), options, { FAIRLEAD_TOKEN: 'flt_x' })).toEqual({
      url: 'http://[::1]:7400',
      token: 'flt_x',
    })
  })
})

describe("the user's file", () => {
  test('is in the XDG folder', () => {
    expect(cliFilePath({ HOME: '/h', XDG_CONFIG_HOME: '/x' })).toBe('/x/fairlead/cli.yaml')
    expect(cliFilePath({ HOME: '/h', XDG_CONFIG_HOME: 'relative' })).toBe('/h/.config/fairlead/cli.yaml')
    expect(cliFilePath({ HOME: '/h' })).toBe('/h/.config/fairlead/cli.yaml')
  })

  test('is refused when others can read it, without a word of what is in it', async () => {
    const folder = await tempFolder()
    await write(cliFilePath({ HOME: folder }), 'url: https://x\ntoken: hunter2\n', 0o644)
    const message = await target(folder)
    expect(message).toContain('has mode 0644, so others can use it')
    expect(message).not.toContain('hunter2')
  })

  test.each([
    ['url: [', /: this is not YAML$/],
    ['token: hunter2', /: url: write url, and token or tokenFile$/],
    ['url: https://x\ntokenFile: relative', /: tokenFile: write url, and token or tokenFile$/],
    ['hunter2', /: the whole file: write url, and token or tokenFile$/],
  ])('%j is none', async (text, message) => {
    const folder = await tempFolder()
    await write(cliFilePath({ HOME: folder }), text)
    const found = await target(folder)
    expect(found).toMatch(message)
    expect(found).not.toContain('hunter2')
  })

  test('up writes its own, again and again, and leaves that of others', async () => {
    const path = join(await tempFolder(), 'config', 'fairlead', 'cli.yaml')
    const mine = { url: 'http://127.0.0.1:7400', tokenFile: '/state/token' }
    expect(await writeCliFile(path, mine)).toBe(true)
    expect(await readCliFile(path)).toEqual({ ...mine, madeBy: 'fairlead up' })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await writeCliFile(path, { ...mine, url: 'http://127.0.0.1:7401' })).toBe(true)
    expect((await readCliFile(path))?.url).toBe('http://127.0.0.1:7401')
    await writeFile(path, 'url: https://own.example.com\ntoken: flt_own\n')
    expect(await writeCliFile(path, mine)).toBe(false)
    expect(await readFile(path, 'utf8')).toBe('url: https://own.example.com\ntoken: flt_own\n')
  })
})
