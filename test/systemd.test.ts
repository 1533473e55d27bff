import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { AGENT_SETTINGS, parseAgentConfig } from '../src/agent/config.ts'
import { DEFAULT_CONTROL_FILE } from '../src/cli/control/load-control-config.ts'
import { CONTROL_SETTINGS, parseControlConfig } from '../src/control/config.ts'
import { runCli } from './support/cli.ts'
import { tempFolder } from './support/temp-folder.ts'

const SYSTEMD = fileURLToPath(new URL('../systemd/', import.meta.url))
const ANALYZE = '/usr/bin/systemd-analyze'
const UNIT = 'fairlead-agent.service'
const CONTROL_UNIT = 'fairlead-control.service'
const UNITS = [UNIT, CONTROL_UNIT]

/** Ten times the exposure level of `systemd-analyze security`; each unit reaches 13 with systemd 252. */
const EXPOSURE_THRESHOLD = 15

type Ran = { readonly code: number; readonly output: string }

const analyze = (args: readonly string[], cwd: string): Promise<Ran> =>
  new Promise(resolve => {
    execFile(
      ANALYZE,
      [...args],
      { cwd, env: { PATH: '/usr/bin:/bin', SYSTEMD_UNIT_PATH: `${cwd}:` } },
      (error, out, err) => {
        resolve({ code: error === null ? 0 : Number(error.code), output: out + err })
      },
    )
  })

/** The units in a folder of their own, with a program that is there on every machine in place of ours. */
async function unitFolder(): Promise<string> {
  const folder = await tempFolder()
  await cp(SYSTEMD, folder, { recursive: true })
  for (const unit of UNITS) {
    const text = await readFile(join(folder, unit), 'utf8')
    await writeFile(join(folder, unit), text.replace(/^ExecStart=\S+/m, 'ExecStart=/bin/true'))
  }
  await writeFile(join(folder, 'traefik.service'), '[Service]\nExecStart=/bin/true\n')
  return folder
}

const directives = async (file: string): Promise<ReadonlyMap<string, string>> => {
  const text = await readFile(join(SYSTEMD, file), 'utf8')
  return new Map([...text.matchAll(/^([A-Z]\w+)=(.*)$/gm)].map(([, key = '', value = '']) => [key, value]))
}

describe.skipIf(!existsSync(ANALYZE))('systemd', () => {
  test.each(UNITS)('finds no fault in %s', async unit => {
    const folder = await unitFolder()
    expect(await analyze(['verify', '--man=no', unit], folder)).toEqual({ code: 0, output: '' })
  })

  test('finds a fault when there is one', async () => {
    const folder = await unitFolder()
    await writeFile(join(folder, UNIT), `${await readFile(join(folder, UNIT), 'utf8')}\n[Service]\nMemoryMx=1G\n`)
    expect((await analyze(['verify', '--man=no', UNIT], folder)).output).toContain('MemoryMx')
  })

  test('finds no fault in the drop-in of Traefik', async () => {
    const folder = await unitFolder()
    expect(await analyze(['verify', '--man=no', 'traefik.service'], folder)).toEqual({ code: 0, output: '' })
  })

  test('finds no fault in the socket units', async () => {
    const folder = await unitFolder()
    const args = ['static-config', '--sockets', '--tcp', '10000-10001', '--udp', '11000', '--out', folder]
    expect((await runCli(args)).code).toBe(0)
    const units = ['web', 'websecure', 'tcp-10000', 'tcp-10001', 'udp-11000'].map(name => `fairlead-${name}.socket`)
    expect(await analyze(['verify', '--man=no', ...units], folder)).toEqual({ code: 0, output: '' })
  })

  test.each(UNITS)('counts %s as little exposed', async unit => {
    const folder = await unitFolder()
    const args = ['security', '--offline=yes', '--no-pager', `--threshold=${EXPOSURE_THRESHOLD}`, join(folder, unit)]
    expect((await analyze(args, folder)).code).toBe(0)
  })
})

describe('the unit', () => {
  test('has no rights beyond its own user', async () => {
    const unit = await directives(UNIT)
    const rights = [
      'DynamicUser',
      'CapabilityBoundingSet',
      'AmbientCapabilities',
      'NoNewPrivileges',
      'ProtectSystem',
      'RestrictAddressFamilies',
    ]
    expect(rights.map(key => `${key}=${unit.get(key)}`)).toEqual([
      'DynamicUser=yes',
      'CapabilityBoundingSet=',
      'AmbientCapabilities=',
      'NoNewPrivileges=yes',
      'ProtectSystem=strict',
      'RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK',
    ])
  })

  test('lets V8 compile, and says why', async () => {
    const text = await readFile(join(SYSTEMD, UNIT), 'utf8')
    expect(text).toMatch(/^# MemoryDenyWriteExecute must stay off: V8 .*\nMemoryDenyWriteExecute=no$/m)
  })

  test('starts before Traefik and always again', async () => {
    const unit = await directives(UNIT)
    const order = ['Before', 'Type', 'NotifyAccess', 'Restart', 'RestartPreventExitStatus', 'StartLimitIntervalSec']
    expect(order.map(key => `${key}=${unit.get(key)}`)).toEqual([
      'Before=traefik.service',
      'Type=notify',
      'NotifyAccess=all',
      'Restart=always',
      'RestartPreventExitStatus=2',
      'StartLimitIntervalSec=0',
    ])
    expect(unit.get('WatchdogSec')).toMatch(/^\d+s$/)
  })

  test('runs a command that there is, with the usual settings file', async () => {
    const [, ...argv] = (await directives(UNIT)).get('ExecStart')?.split(' ') ?? []
    const { code, out } = await runCli([argv[0] ?? '', '--help'])
    expect({ code, argv, known: out.includes('--config FILE') }).toEqual({
      code: 0,
      argv: ['agent', '--config', '/etc/fairlead/agent.yaml'],
      known: true,
    })
  })

  test('keeps the state where the settings look for it', async () => {
    const parsed = parseAgentConfig({ text: null, fileName: null, env: {} })
    expect(parsed.ok && parsed.config.state.directory).toBe(
      `/var/lib/${(await directives(UNIT)).get('StateDirectory')}`,
    )
  })

  test('names the variables that take its credentials', async () => {
    const text = await readFile(join(SYSTEMD, UNIT), 'utf8')
    const pairs = [...text.matchAll(/^#LoadCredential=([\w-]+):.*\n#Environment=(\w+)=%d\/([\w-]+)$/gm)]
    expect(pairs.length).toBe(2)
    for (const [, loaded, variable, read] of pairs) {
      expect(read).toBe(loaded)
      expect(AGENT_SETTINGS.map(({ env }) => env)).toContain(variable)
    }
  })
})

describe('the unit of the control plane', () => {
  test('is hardened as that of the agent', async () => {
    const hardening = async (file: string) =>
      (await readFile(join(SYSTEMD, file), 'utf8'))
        .split('\n')
        .filter(line =>
          /^(?:Capab|Ambient|NoNew|Private|Protect|Device|Proc|Keyring|Lock|Remove|Restrict|System|Memory(?!Max)|UMask|Dynamic)/.test(
            line,
          ),
        )
        .filter(line => !line.startsWith('Restart'))
    expect(await hardening(CONTROL_UNIT)).toEqual(await hardening(UNIT))
  })

  test('runs a command that there is, with its own settings and state', async () => {
    const unit = await directives(CONTROL_UNIT)
    const [, ...argv] = unit.get('ExecStart')?.split(' ') ?? []
    const { code, out } = await runCli([argv[0] ?? '', '--help'])
    expect({ code, argv, known: out.includes('--config FILE') }).toEqual({
      code: 0,
      argv: ['control', '--config', DEFAULT_CONTROL_FILE],
      known: true,
    })
    const parsed = parseControlConfig({ text: null, fileName: null, env: {} })
    expect(parsed.ok && parsed.config.state.directory).toBe(`/var/lib/${unit.get('StateDirectory')}`)
  })

  test('names the variables that take its credentials', async () => {
    const text = await readFile(join(SYSTEMD, CONTROL_UNIT), 'utf8')
    const named = [...text.matchAll(/(FAIRLEAD_\w+)=%d/g)].map(([, name]) => name)
    expect(named).toEqual(['FAIRLEAD_TLS_CERT_FILE', 'FAIRLEAD_TLS_KEY_FILE'])
    for (const name of named) expect(CONTROL_SETTINGS.map(({ env }) => env)).toContain(name)
  })
})

test('the drop-in orders, restarts and quietens Traefik', async () => {
  expect([...(await directives('traefik.service.d/fairlead.conf'))]).toEqual([
    ['Wants', UNIT],
    ['After', UNIT],
    ['StartLimitIntervalSec', '0'],
    ['Restart', 'always'],
    ['RestartSec', '1s'],
    ['TimeoutStopSec', '20s'],
    ['LogRateLimitIntervalSec', '30s'],
    ['LogRateLimitBurst', '1000'],
  ])
})
