import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { CliError } from '../../src/cli/io.ts'
import { parseGoDuration, parseStaticFile, readStaticFile } from '../../src/cli/read-static.ts'
import { STATIC_DEFAULTS, staticConfig } from '../../src/core/static-config.ts'
import { portSet } from '../support/builders.ts'
import { tempFolder } from '../support/temp-folder.ts'

const FILE = { path: 't.yaml', mode: 0o600 }
const GENERATED = { ...STATIC_DEFAULTS, tcpPorts: portSet('10001'), udpPorts: portSet('11000') }

test.each<[unknown, number | null]>([
  ['100ms', 100],
  ['40s', 40_000],
  ['1m30s', 90_000],
  ['1.5h', 5_400_000],
  ['250us', 0.25],
  ['5', 5_000],
  [5, 5_000],
  ['', null],
  ['soon', null],
  ['5 s', null],
  [null, null],
  [true, null],
])('the duration %j is %j ms', (value, ms) => {
  expect(parseGoDuration(value)).toBe(ms)
})

describe('a static file', () => {
  test('as static-config makes it is read whole', () => {
    const facts = parseStaticFile(staticConfig({ ...GENERATED, token: 'secret' }), FILE, 'secret')
    expect(facts).toEqual({
      path: 't.yaml',
      mode: 0o600,
      entryPoints: [
        { name: 'web', address: ':80', asDefault: true },
        { name: 'websecure', address: ':443', asDefault: true },
        { name: 'traefik', address: '127.0.0.1:8080', asDefault: false },
        { name: 'tcp-10001', address: ':10001', asDefault: false },
        { name: 'udp-11000', address: ':11000/udp', asDefault: false },
      ],
      throttleMs: 100,
      provider: {
        endpoint: 'http://127.0.0.1:7480/traefik?hold=25s',
        holdMs: 25_000,
        pollIntervalMs: 100,
        pollTimeoutMs: 40_000,
        sendsToken: true,
        tokenMatches: true,
      },
      api: { insecure: true },
    })
  })

  test.each([
    ['another', 'other', { sendsToken: true, tokenMatches: false }],
    ['one that nobody can compare', null, { sendsToken: true, tokenMatches: null }],
  ])('its token is %s', (_what, token, expected) => {
    const facts = parseStaticFile(staticConfig({ ...GENERATED, token: 'secret' }), FILE, token)
    expect('provider' in facts && facts.provider).toMatchObject(expected)
    expect(JSON.stringify(facts)).not.toContain('secret')
  })

  test('keys count in any case', () => {
    const text = 'Providers: { HTTP: { EndPoint: "http://x/y", pollinterval: 2s } }\nAPI: { Insecure: true }\n'
    expect(parseStaticFile(text, FILE, null)).toEqual({
      ...FILE,
      entryPoints: [],
      throttleMs: null,
      provider: {
        endpoint: 'http://x/y',
        holdMs: null,
        pollIntervalMs: 2_000,
        pollTimeoutMs: null,
        sendsToken: false,
        tokenMatches: null,
      },
      api: { insecure: true },
    })
  })

  test.each<[string, string, object]>([
    ['says nothing', 'log: {}\n', { provider: null, api: null, entryPoints: [] }],
    [
      'has other things in the places',
      'providers: [1]\napi: yes\nentryPoints: none\n',
      { provider: null, api: null, entryPoints: [] },
    ],
    [
      'has entry points without addresses',
      'entryPoints: { web: , pg: { address: 5 } }\n',
      {
        entryPoints: [
          { name: 'web', address: '', asDefault: false },
          { name: 'pg', address: '', asDefault: false },
        ],
      },
    ],
    ['is no map', 'hello\n', { fault: 'it is not a map of settings' }],
    ['is empty', '', { fault: 'it is not a map of settings' }],
  ])('that %s gives what there is', (_what, text, expected) => {
    expect(parseStaticFile(text, FILE, null)).toMatchObject(expected)
  })

  test('a broken one is told without its text', () => {
    const facts = parseStaticFile('a: 1\nAuthorization: "Bearer hunter2\n', FILE, null)
    expect(facts).toEqual({ path: 't.yaml', fault: expect.stringMatching(/\S/) })
    expect(JSON.stringify(facts)).not.toContain('hunter2')
  })
})

describe('the file itself', () => {
  test('its permission bits are facts', async () => {
    const path = join(await tempFolder(), 'traefik.yaml')
    await writeFile(path, staticConfig(GENERATED))
    await chmod(path, 0o640)
    expect(await readStaticFile(path, 'traefik.yaml', null)).toMatchObject({ path: 'traefik.yaml', mode: 0o640 })
  })

  test.each([
    ['nowhere.yaml', '--static: nowhere.yaml cannot be read (ENOENT)'],
    ['traefik.toml', '--static: traefik.toml is TOML, and only YAML is read here; fairlead static-config makes YAML'],
  ])('%s is bad input', async (name, sentence) => {
    const read = readStaticFile(join(await tempFolder(), name), name, null)
    await expect(read).rejects.toThrow(new CliError(2, [sentence]))
  })
})
