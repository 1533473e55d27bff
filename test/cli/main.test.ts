import { execFile } from 'node:child_process'
import { chmod, cp, mkdir, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { COMMAND_NAMES } from '../../src/cli/main.ts'
import { type CliResult, runCli } from '../support/cli.ts'
import { tempFolder } from '../support/temp-folder.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

describe('the whole program', () => {
  test('without a command it shows the overview and fails', async () => {
    const { code, out, err } = await runCli([])
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain('Usage:  fairlead COMMAND [options]')
  })

  test.each(['--help', '-h', 'help'])('%s names every command', async word => {
    const { code, out, err } = await runCli([word])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out.match(/^ {2}([a-z][a-z-]+) {2,}/gm)?.map(line => line.trim())).toEqual(
      expect.arrayContaining([...COMMAND_NAMES]),
    )
  })

  test('the version is that of the package', async () => {
    expect(await runCli(['--version'])).toEqual({
      code: 0,
      out: expect.stringMatching(/^fairlead \d+\.\d+\.\d+\n$/),
      err: '',
    })
  })

  test('an unknown command names the nearest one', async () => {
    expect(await runCli(['chek', 'x'])).toEqual({
      code: 2,
      out: '',
      err: 'fairlead: "chek" is not a command; did you mean check?\nfairlead --help tells more\n',
    })
  })

  test('a command that is like none names them all', async () => {
    expect((await runCli(['deploy'])).err).toContain(`commands are ${COMMAND_NAMES.join(', ')}\n`)
  })
})

describe('each command', () => {
  test.each(COMMAND_NAMES)('%s has help with usage, options, examples and codes', async name => {
    const { code, out, err } = await runCli([name, '--help'])
    expect({ code, err }).toEqual({ code: 0, err: '' })
    expect(out).toMatch(
      new RegExp(`^Usage: {2}fairlead ${name}\\b[\\s\\S]+\nOptions:\n[\\s\\S]+\nExamples:\n[\\s\\S]+\nExit codes:\n`),
    )
    expect(await runCli(['help', name])).toEqual({ code, out, err })
  })

  test.each(COMMAND_NAMES)('%s has help that fits a terminal of 100 columns', async name => {
    const { out } = await runCli([name, '--help'])
    // An example is one command, however long.
    const [prose = '', codes = ''] = out.split(/\nExamples:\n[\s\S]+?\n(?=\nExit codes:)/)
    expect([...prose.split('\n'), ...codes.split('\n')].filter(line => line.length > 100)).toEqual([])
  })

  test.each(COMMAND_NAMES)('%s refuses an unknown option', async name => {
    const { code, out, err } = await runCli([name, '--confg'])
    expect({ code, out }).toEqual({ code: 2, out: '' })
    expect(err).toContain(`fairlead ${name}: --confg is not an option here`)
    expect(err).toContain(`fairlead ${name} --help tells more\n`)
  })

  test.each(['check', 'render'])('%s needs a path', async name => {
    expect(await runCli([name])).toEqual({
      code: 2,
      out: '',
      err: `fairlead ${name}: PATH is missing\nfairlead ${name} --help tells more\n`,
    })
  })

  test('help behind two dashes is an argument', async () => {
    const { code, out } = await runCli(['check', '--', '--help'])
    expect({ code, out: out.split('\n')[0] }).toEqual({ code: 2, out: '--help' })
  })
})

describe('settings', () => {
  test('bad ones end with code 2 and all faults', async () => {
    const folder = await tempFolder()
    await writeFile(join(folder, 'a.yaml'), 'ports: { tcp: 0 }\nlog: { level: loud }\n')
    expect(await runCli(['check', '--config', 'a.yaml', 'x'], { cwd: folder })).toEqual({
      code: 2,
      out: '',
      err: [
        'fairlead check: a.yaml:1: ports.tcp: port 0 is outside 1-65535\n',
        'fairlead check: a.yaml:2: log.level: "loud" is not one of trace, debug, info, warn, error, fatal, silent\n',
      ].join(''),
    })
  })

  test('a file that is named must be there', async () => {
    const err =
      'fairlead check: the settings /nowhere/a.yaml cannot be read (ENOENT); correct --config or FAIRLEAD_CONFIG\n'
    expect(await runCli(['check', '--config', '/nowhere/a.yaml', 'x'])).toEqual({ code: 2, out: '', err })
    expect(await runCli(['check', 'x'], { env: { FAIRLEAD_CONFIG: '/nowhere/a.yaml' } })).toEqual({
      code: 2,
      out: '',
      err,
    })
  })

  test('the usual file counts when it is there', async () => {
    const folder = await tempFolder()
    const usual = join(folder, 'agent.yaml')
    const tcp = async () => (await runCli(['static-config'], { defaultConfigFile: usual })).out.match(/tcp-\d+/g)
    expect(await tcp()).toHaveLength(100)
    await writeFile(usual, 'ports: { tcp: 5432 }')
    expect(await tcp()).toEqual(['tcp-5432'])
  })

  test('an unknown variable is noted', async () => {
    const { code, err } = await runCli(['static-config'], { env: { FAIRLEAD_SERVICE_HOST: 'x' } })
    expect({ code, err }).toEqual({
      code: 0,
      err: 'note: FAIRLEAD_SERVICE_HOST is not a setting of this program and is ignored\n',
    })
  })
})

// ----------------------------------------------------------------------------------------------------------- the shell's side of it

const run = (
  file: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Promise<CliResult> =>
  new Promise(resolve => {
    execFile(file, [...args], { cwd: '/', ...options }, (error, out, err) => {
      resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, out, err })
    })
  })

describe('scripts/fairlead', () => {
  const wrapper = join(ROOT, 'scripts/fairlead')

  test('runs from anywhere and through links', async () => {
    const folder = await tempFolder()
    await mkdir(join(folder, 'a b'))
    await symlink(wrapper, join(folder, 'first'))
    await symlink('../first', join(folder, 'a b', 'fair lead'))
    const result = await run(join(folder, 'a b', 'fair lead'), ['render', '--x y'], { cwd: folder })
    expect(result).toEqual({
      code: 2,
      out: '',
      err: expect.stringContaining('fairlead render: --x y is not an option here\n'),
    })
  })

  /** A package without its own Node, on a machine with the Node that is given, or none. */
  async function packageWith(node: string | null): Promise<CliResult> {
    const folder = await tempFolder()
    await mkdir(join(folder, 'scripts'))
    await mkdir(join(folder, 'dist/cli'), { recursive: true })
    await mkdir(join(folder, 'bin'))
    await cp(wrapper, join(folder, 'scripts/fairlead'))
    await writeFile(join(folder, 'dist/cli/main.js'), '')
    for (const tool of ['dirname', 'readlink']) await symlink(join('/usr/bin', tool), join(folder, 'bin', tool))
    if (node !== null) {
      await writeFile(join(folder, 'bin/node'), `#!/bin/sh\n[ "$1" = --version ] && echo ${node} || echo "ran $*"\n`)
      await chmod(join(folder, 'bin/node'), 0o755)
    }
    const result = await run(join(folder, 'scripts/fairlead'), ['status', '--json'], {
      env: { PATH: join(folder, 'bin') },
    })
    const hide = (text: string) => text.replaceAll(folder, 'HERE')
    return { code: result.code, out: hide(result.out), err: hide(result.err) }
  }

  test.each(['v22.22.0', 'v23.0.1', 'v24.21.0'])('an installed package runs on %s', async version => {
    expect(await packageWith(version)).toEqual({
      code: 0,
      out: 'ran --disable-warning=ExperimentalWarning HERE/dist/cli/main.js status --json\n',
      err: '',
    })
  })

  test.each(['v20.20.2', 'v22.21.9'])('%s is too old, and the message says so', async version => {
    expect(await packageWith(version)).toEqual({
      code: 3,
      out: '',
      err: `fairlead: HERE/bin/node is ${version}, and 22.22 or newer is needed; update it, or run npm ci in HERE\n`,
    })
  })

  test('without any Node the message says where to get one', async () => {
    expect(await packageWith(null)).toEqual({
      code: 3,
      out: '',
      err: 'fairlead: there is no Node; install version 22.22 or newer (https://nodejs.org), or run npm ci in HERE\n',
    })
  })

  test('as a dependency it finds the Node beside it', async () => {
    const folder = await tempFolder()
    const packages = join(folder, 'node_modules')
    for (const name of ['.bin', 'fairlead/scripts', 'fairlead/dist/cli'])
      await mkdir(join(packages, name), { recursive: true })
    await cp(wrapper, join(packages, 'fairlead/scripts/fairlead'))
    await writeFile(join(packages, 'fairlead/dist/cli/main.js'), '')
    await writeFile(join(packages, '.bin/node'), '#!/bin/sh\necho "beside: $*"\n')
    await chmod(join(packages, '.bin/node'), 0o755)
    await symlink('../fairlead/scripts/fairlead', join(packages, '.bin/fairlead'))
    const { code, out } = await run(join(packages, '.bin/fairlead'), ['--version'])
    expect({ code, out: out.replaceAll(folder, 'HERE') }).toEqual({
      code: 0,
      out: 'beside: --disable-warning=ExperimentalWarning HERE/node_modules/fairlead/dist/cli/main.js --version\n',
    })
  })

  test('a checkout without its packages says how', async () => {
    const folder = await tempFolder()
    for (const name of ['scripts', 'src/cli']) await mkdir(join(folder, name), { recursive: true })
    await cp(wrapper, join(folder, 'scripts/fairlead'))
    await writeFile(join(folder, 'src/cli/main.ts'), '')
    const { code, err } = await run(join(folder, 'scripts/fairlead'), ['--version'])
    expect({ code, err }).toEqual({
      code: 3,
      err: `fairlead: the packages are not there; run npm ci in ${folder}\n`,
    })
  })

  test('a package that was not built says how', async () => {
    const folder = await tempFolder()
    await mkdir(join(folder, 'scripts'))
    await cp(wrapper, join(folder, 'scripts/fairlead'))
    const { code, err } = await run(join(folder, 'scripts/fairlead'), [])
    expect({ code, err }).toEqual({
      code: 3,
      err: `fairlead: ${folder}/dist/cli/main.js is not there; build it with: npm ci && npm run build\n`,
    })
  })

  test('a reader that has enough is no fault', async () => {
    const { code, out, err } = await run('/bin/sh', ['-c', `"${wrapper}" static-config --tcp 1000-6000 | head -n 1`], {
      env: { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` },
    })
    expect({ code, out, err }).toEqual({
      code: 0,
      out: '# Static configuration of Traefik (3.3 or newer) on a Fairlead node.\n',
      err: '',
    })
  })
})
