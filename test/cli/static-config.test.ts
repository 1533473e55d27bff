import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { type CliResult, runCli } from '../support/cli.ts'
import { tempFolder } from '../support/temp-folder.ts'

const CANARY = 'flt_canary_0123456789'

const make = (...options: string[]): Promise<CliResult> => runCli(['static-config', ...options])

const headline = (text: string): string | undefined => /^# Made by: {2}(.*)$/m.exec(text)?.[1]

async function entryPoints(result: Promise<CliResult>): Promise<readonly string[]> {
  const { code, out } = await result
  if (code !== 0) throw new Error(`exit code ${code}`)
  return Object.entries(parse(out).entryPoints as Record<string, { address: string }>).map(
    ([name, { address }]) => `${name} ${address}`,
  )
}

const FIXED = ['web :80', 'websecure :443', 'traefik 127.0.0.1:8080']

describe('ports', () => {
  test('options override the pools', async () => {
    expect(await entryPoints(make('--tcp', '5432,10000-10001', '--udp', 'none'))).toEqual([
      ...FIXED,
      'tcp-5432 :5432',
      'tcp-10000 :10000',
      'tcp-10001 :10001',
    ])
  })

  test('pools and addresses come from the settings', async () => {
    const env = {
      FAIRLEAD_PORTS_TCP: '5432',
      FAIRLEAD_PORTS_UDP: '53',
      FAIRLEAD_PROVIDER_LISTEN: '[::1]:7490',
      FAIRLEAD_TRAEFIK_API: 'http://127.0.0.1:9090',
    }
    const result = runCli(['static-config'], { env })
    expect(await entryPoints(result)).toEqual([
      ...FIXED.slice(0, 2),
      'traefik 127.0.0.1:9090',
      'tcp-5432 :5432',
      'udp-53 :53/udp',
    ])
    expect(parse((await result).out).providers.http.endpoint).toBe('http://[::1]:7490/traefik?hold=25s')
  })

  test('an API elsewhere leaves the usual address', async () => {
    expect(
      await entryPoints(
        runCli(['static-config', '--tcp', 'none', '--udp', 'none'], {
          env: { FAIRLEAD_TRAEFIK_API: 'https://api.example.com' },
        }),
      ),
    ).toEqual(FIXED)
  })

  test('the same ports from settings and options give the same bytes', async () => {
    const { out } = await runCli(['static-config'], {
      env: { FAIRLEAD_PORTS_TCP: '5432,10000', FAIRLEAD_PORTS_UDP: 'none' },
    })
    expect((await make('--tcp', '10000,5432', '--udp', 'none')).out).toBe(out)
  })

  test('the head repeats the command', async () => {
    const options = [
      '--tcp',
      '5432',
      '--udp',
      '53',
      '--udp-timeout',
      '30s',
      '--acme-email',
      'a@example.com',
      '--acme-storage',
      '/a b',
      '--acme-staging',
    ]
    expect(headline((await make(...options)).out)).toBe(
      "fairlead static-config --tcp 5432 --udp 53 --udp-timeout 30s --acme-email a@example.com --acme-storage '/a b' --acme-staging",
    )
  })
})

describe('refusals', () => {
  test.each([
    [
      ['--tcp', '0,x'],
      ['--tcp: port 0 is outside 1-65535', '--tcp: "x" is not a port number; write ports as 10000-10099,5432'],
    ],
    [
      ['--tcp', '7400-7500'],
      [
        "port 7480 is the agent's provider endpoint and cannot be the entry point tcp-7480 as well",
        "port 7481 is the agent's admin endpoint and cannot be the entry point tcp-7481 as well",
      ],
    ],
    [
      ['--udp-timeout', '30'],
      ['--udp-timeout: "30" is not a duration; write it with its unit, as 500ms, 30s, 2m or 24h'],
    ],
    [
      ['--acme-staging'],
      [
        '--acme-email is missing; the certificate authority wants an address',
        '--acme-storage is missing; name a file such as /var/lib/traefik/acme.json',
      ],
    ],
    [
      ['--acme-email', 'me', '--acme-storage', 'a.json'],
      [
        '--acme-email: "me" is not an e-mail address',
        '--acme-storage: "a.json" is not an absolute path; begin it with /',
      ],
    ],
    [
      ['--provider-token-file', '/t'],
      ['the token in /t does not belong on stdout; name a file: --out /etc/traefik/traefik.yaml'],
    ],
  ])('the options %j give their faults', async (options, faults) => {
    const err = faults.map(fault => `fairlead static-config: ${fault}\n`).join('')
    expect(await make(...options)).toEqual({ code: 2, out: '', err })
  })
})

describe('the token', () => {
  async function withToken(mode: number, text = `${CANARY}\n`) {
    const cwd = await tempFolder()
    await writeFile(join(cwd, 'token'), text, { mode })
    const result = await runCli(['static-config', '--provider-token-file', 'token', '--out', 'traefik.yaml'], { cwd })
    const hide = (output: string) => output.replaceAll(cwd, 'HERE')
    return { cwd, result: { ...result, err: hide(result.err) } }
  }

  test('goes into a file for its owner alone', async () => {
    const { cwd, result } = await withToken(0o600)
    const file = join(cwd, 'traefik.yaml')
    expect(result).toEqual({ code: 0, out: '', err: '' })
    expect(((await stat(file)).mode & 0o777).toString(8)).toBe('600')
    const text = await readFile(file, 'utf8')
    expect(parse(text).providers.http.headers).toEqual({ Authorization: `Bearer ${CANARY}` })
    expect(headline(text)).toBe(
      'fairlead static-config --tcp 10000-10099 --udp 11000-11099 --provider-token-file token --out traefik.yaml',
    )
  })

  test('a file that others can read is refused', async () => {
    const { cwd, result } = await withToken(0o644)
    expect(result).toEqual({
      code: 2,
      out: '',
      err: expect.stringContaining('HERE/token: has mode 0644, so others can use it'),
    })
    expect(await readdir(cwd)).toEqual(['token'])
  })

  test.each(['', 'two words', 'ü'])('%j is no token, and is not repeated', async text => {
    const { result } = await withToken(0o600, text)
    expect(result).toEqual({
      code: 2,
      out: '',
      err: 'fairlead static-config: token: the token is empty, or holds blanks or signs other than ASCII; make a new one\n',
    })
  })

  test('a missing file ends with code 3', async () => {
    const { code, err } = await make('--provider-token-file', '/nowhere/token', '--out', '/nowhere/traefik.yaml')
    expect({ code, err }).toEqual({
      code: 3,
      err: 'fairlead static-config: /nowhere/token: there is no such file; Create it, or correct the path.\n',
    })
  })

  test('the settings alone ask for it, too', async () => {
    const { code, err } = await runCli(['static-config'], { env: { FAIRLEAD_PROVIDER_TOKEN_FILE: '/t' } })
    expect({ code, err }).toEqual({
      code: 2,
      err: 'fairlead static-config: the token in /t does not belong on stdout; name a file: --out /etc/traefik/traefik.yaml\n',
    })
  })
})

describe('files', () => {
  test('without a secret the file is for everybody', async () => {
    const cwd = await tempFolder()
    expect(await runCli(['static-config', '--out', 't.yaml'], { cwd })).toEqual({ code: 0, out: '', err: '' })
    expect(await readdir(cwd)).toEqual(['t.yaml'])
    const text = await readFile(join(cwd, 't.yaml'), 'utf8')
    expect(text.replace(' --out t.yaml', '')).toBe((await make()).out)
  })

  test('a place that cannot be written ends with code 3', async () => {
    expect(await make('--out', '/nowhere/t.yaml')).toEqual({
      code: 3,
      out: '',
      err: 'fairlead static-config: /nowhere/t.yaml cannot be written (ENOENT)\n',
    })
  })

  test('socket units fill a directory', async () => {
    const cwd = await tempFolder()
    const result = await runCli(['static-config', '--sockets', '--tcp', '5432', '--udp', 'none', '--out', 'units'], {
      cwd,
    })
    expect(result).toEqual({
      code: 0,
      out: '',
      err: '3 units in units; then: systemctl daemon-reload && (cd units && systemctl enable --now fairlead-*.socket)\n',
    })
    expect((await readdir(join(cwd, 'units'))).sort()).toEqual([
      'fairlead-tcp-5432.socket',
      'fairlead-web.socket',
      'fairlead-websecure.socket',
    ])
  })

  test('socket units on stdout say their file names', async () => {
    const { code, out, err } = await make('--sockets', '--tcp', '5432', '--udp', '53')
    expect({ code, err }).toEqual({ code: 0, err: 'note: give --out DIRECTORY to have them as files\n' })
    expect(out.match(/^# \/etc.*$/gm)).toEqual(
      ['web', 'websecure', 'tcp-5432', 'udp-53'].map(name => `# /etc/systemd/system/fairlead-${name}.socket`),
    )
  })

  test('socket units hold no secret and need none', async () => {
    const { code } = await runCli(['static-config', '--sockets'], { env: { FAIRLEAD_PROVIDER_TOKEN_FILE: '/nowhere' } })
    expect(code).toBe(0)
  })
})

describe('notes', () => {
  test('a resolver that no setting uses', async () => {
    const options = ['--acme-email', 'a@example.com', '--acme-storage', '/a']
    expect((await make(...options)).err).toBe(
      "note: set http.certResolver: letsencrypt in the agent's settings, or no route gets a certificate\n",
    )
    expect(
      (await runCli(['static-config', ...options], { env: { FAIRLEAD_HTTP_CERT_RESOLVER: 'letsencrypt' } })).err,
    ).toBe('')
  })

  test('an entry point that is not made here', async () => {
    const { err } = await runCli(['static-config'], { env: { FAIRLEAD_HTTP_ENTRY_POINTS: 'internal' } })
    expect(err).toBe('note: the settings name the entry point internal for HTTP; it is not made here\n')
  })
})
