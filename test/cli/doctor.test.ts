import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { gatherFacts } from '../../src/cli/gather-facts.ts'
import type { Io } from '../../src/cli/io.ts'
import { loadAgentConfig } from '../../src/cli/load-config.ts'
import { STATIC_DEFAULTS, staticConfig } from '../../src/core/static-config.ts'
import { fairleadVersion } from '../../src/lib/version.ts'
import { ENTRY_POINTS, portSet, tcpRoute } from '../support/builders.ts'
import { runCli } from '../support/cli.ts'
import { startLoneAgent } from '../support/lone-agent.ts'
import { configFor, fakeAdmin, NOW, providerWith, statusOf } from '../support/status.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

const PORTS = 'ports: { tcp: 10000-10009, udp: 11000-11009 }\nnode: proxy-1\n'

const METRICS = `# TYPE traefik_open_connections gauge
traefik_open_connections{entrypoint="tcp-10001",protocol="TCP"} 7
traefik_open_connections{entrypoint="web",protocol="TCP"} 2
`

/** One server that is the agent, Traefik's API, its metrics, and the control plane, and settings that name it as all of them. */
async function node(view = statusOf(), more = '') {
  const { port } = await fakeAdmin(({ path }) => {
    if (path === '/status')
      return { status: 200, body: { ...view, traefik: { ...view.traefik, api: `http://127.0.0.1:${port}` } } }
    if (path === '/api/version') return { status: 200, body: { Version: '3.7.15', startDate: '2026-11-22T00:00:00Z' } }
    if (path.startsWith('/api/entrypoints'))
      return { status: 200, body: ENTRY_POINTS.map(({ name, address }) => ({ name, address })) }
    if (path === '/api/rawdata') return { status: 200, body: { routers: {}, services: {}, tcpServices: {} } }
    if (path === '/metrics') return { status: 200, body: METRICS }
    return { status: 401, body: 'who are you?' }
  })
  const state = join(await tempFolder(), 'state')
  await mkdir(state, { mode: 0o700 })
  const settings = `${PORTS}state: { directory: ${state} }\ntraefik: { api: "http://127.0.0.1:${port}" }\n${more.replaceAll('PORT', String(port))}`
  return { port, state, config: await configFor(port, settings) }
}

const FILES = 'sources: { files: { directory: /etc/fairlead/routes.d } }\n'
const CONTROL_PLANE = 'sources: { controlPlane: { urls: ["http://127.0.0.1:PORT"], tokenFile: /nowhere/token } }\n'

const io = (change: Partial<Io> = {}): Io => ({
  out: () => {},
  err: () => {},
  colour: { out: false, err: false },
  env: {},
  cwd: '/',
  defaultConfigFile: null,
  ownAddresses: () => [],
  now: () => NOW,
  ...change,
})

async function kernelFolder(range: string, reserved: string): Promise<string> {
  const folder = await tempFolder()
  await writeFile(join(folder, 'ip_local_port_range'), range)
  await writeFile(join(folder, 'ip_local_reserved_ports'), reserved)
  return folder
}

async function gather(
  config: string,
  options: { now?: () => number; staticFile?: string; kernelSettings?: string } = {},
) {
  const { now = Date.now, staticFile = null, kernelSettings } = options
  return gatherFacts({
    config: (await loadAgentConfig(config, io())).config,
    staticFile,
    io: io({ now }),
    ...(kernelSettings === undefined ? {} : { kernelSettings }),
  })
}

describe('what is gathered', () => {
  test('from the agent, Traefik, the kernel and the disk', async () => {
    const { config, state, port } = await node(statusOf(), FILES)
    const kernelSettings = await kernelFolder('32768\t60999\n', '40000,50000-50002\n')
    const facts = await gather(config, { now: () => NOW, kernelSettings })
    expect(facts).toMatchObject({
      commandVersion: fairleadVersion(),
      settings: {
        node: 'proxy-1',
        api: `http://127.0.0.1:${port}`,
        httpEntryPoints: ['websecure', 'web'],
        sourceFault: null,
        provider: { host: '127.0.0.1', port: 7480 },
        wantsToken: false,
      },
      agent: {
        kind: 'answers',
        status: { node: 'proxy-1', version: '0.1.0', startedAt: NOW - 3 * 3_600_000, routes: 0, sources: [] },
      },
      traefik: {
        kind: 'read',
        version: '3.7.15',
        startedAt: NOW - 86_400_000,
        entryPoints: [...ENTRY_POINTS],
        openConnections: new Map([
          ['tcp-10001', 7],
          ['web', 2],
        ]),
      },
      clock: { nowMs: NOW, controlPlane: null },
      kernel: { localPorts: { first: 32_768, last: 60_999 } },
      stateDirectory: { path: state, file: { kind: 'found', mode: 0o700, isDirectory: true } },
      secretFiles: [],
      staticFile: null,
    })
    expect(facts.kernel.reserved?.text).toBe('40000,50000-50002')
    expect(facts.stateDirectory.freeBytes).toBeGreaterThan(0)
  })

  test.each([
    ['never polled', providerWith({ lastPollAt: null, polls: 0, held: 0 }), false],
    ['held for the first time', providerWith({ lastPollAt: null, polls: 0, held: 1 }), true],
    ['polled', providerWith({ held: 0 }), true],
  ])('whether Traefik polls: %s', async (_what, provider, polled) => {
    const { config } = await node(statusOf({ provider }), FILES)
    const { agent } = await gather(config)
    expect(agent.kind === 'answers' && agent.status.traefik.polled).toBe(polled)
  })

  test('the clock is compared by the Date of any answer', async () => {
    const { config, port } = await node(statusOf(), CONTROL_PLANE)
    const aheadMs = async (now: () => number): Promise<number> => {
      const { controlPlane } = (await gather(config, { now })).clock
      if (controlPlane?.kind !== 'compared') throw new Error(JSON.stringify(controlPlane))
      expect(controlPlane.host).toBe(`127.0.0.1:${port}`)
      return controlPlane.aheadMs
    }
    // The header is cut to seconds.
    expect(Math.abs(await aheadMs(Date.now))).toBeLessThan(5_000)
    expect(Math.abs((await aheadMs(() => Date.now() + 90_000)) - 90_000)).toBeLessThan(5_000)
  })

  test('a control plane that is not there is a fact', async () => {
    const { config } = await node(statusOf(), CONTROL_PLANE.replace('PORT', '1'))
    expect((await gather(config)).clock.controlPlane).toEqual({
      kind: 'silent',
      host: '127.0.0.1:1',
      message: 'ECONNREFUSED',
    })
  })

  test('secrets are looked at, never read out', async () => {
    const folder = await tempFolder()
    const token = join(folder, 'token')
    await writeFile(token, 'hunter2\n', { mode: 0o600 })
    const text = staticConfig({ ...STATIC_DEFAULTS, tcpPorts: portSet('10001'), token: 'hunter2' })
    await writeFile(join(folder, 'traefik.yaml'), text, { mode: 0o600 })
    const { config } = await node(statusOf(), `${CONTROL_PLANE}provider: { tokenFile: ${token} }\n`)
    const facts = await gather(config, { staticFile: join(folder, 'traefik.yaml') })
    expect(facts.secretFiles).toEqual([
      { setting: 'provider.tokenFile', path: token, file: expect.objectContaining({ kind: 'found', mode: 0o600 }) },
      { setting: 'sources.controlPlane.tokenFile', path: '/nowhere/token', file: { kind: 'missing' } },
    ])
    expect(facts.staticFile).toMatchObject({ mode: 0o600, provider: { sendsToken: true, tokenMatches: true } })
    expect(JSON.stringify(facts)).not.toContain('hunter2')
  })

  test('without a token the key of the node is what counts', async () => {
    const { config, state } = await node(statusOf(), CONTROL_PLANE.replace(', tokenFile: /nowhere/token', ''))
    expect((await gather(config)).secretFiles).toEqual([
      { setting: 'sources.controlPlane.identityFile', path: join(state, 'identity.json'), file: { kind: 'missing' } },
    ])
  })

  test('what is not there is a fact, too', async () => {
    const config = await configFor(
      1,
      `${PORTS}${FILES}state: { directory: /nowhere }\ntraefik: { api: "http://127.0.0.1:1" }\n`,
    )
    expect(await gather(config, { kernelSettings: '/nowhere' })).toMatchObject({
      agent: { kind: 'silent', message: 'the agent does not answer at 127.0.0.1:1 (ECONNREFUSED)' },
      traefik: {
        kind: 'fault',
        fault: 'unreachable',
        message: "Traefik's API at 127.0.0.1:1 cannot be reached (ECONNREFUSED)",
      },
      kernel: { localPorts: null, reserved: null },
      stateDirectory: { file: { kind: 'missing' }, freeBytes: null },
    })
  })
})

describe('the command', () => {
  test('tells the worst first, each with a way out', async () => {
    const view = statusOf({
      version: fairleadVersion(),
      provider: providerWith({ lastPollAt: null, polls: 0, held: 0, unauthorized: 3, tokenRefused: true }),
    })
    const { config, state } = await node(view, FILES)
    await chmod(state, 0o775)
    const { code, out, err } = await runCli(['doctor', '--config', config], { columns: () => 80 })
    expect({ code, err }).toEqual({ code: 1, err: '' })
    expect(out.replaceAll(state, 'STATE').split('\n').slice(0, 9)).toEqual([
      'fault  Traefik polls without the right token: 3 polls were refused, none was',
      '       taken. TRAEFIK_TOKEN_WRONG',
      '         Write the token into the static configuration again: fairlead',
      '         static-config --provider-token-file FILE --out',
      '         /etc/traefik/traefik.yaml, and restart Traefik.',
      expect.stringMatching(/^fault {2}the state directory/),
      expect.any(String),
      expect.any(String),
      expect.any(String),
    ])
    expect(out).toContain('STATE_DIRECTORY_WRITABLE_BY_OTHERS\n')
    expect(out).toMatch(/\n\n2 faults, 0 warnings, 0 notes, \d+ in order\n$/)
    expect(out.split('\n').filter(line => line.length > 80 && !line.includes(state))).toEqual([])
  })

  test('JSON has the same findings with their codes', async () => {
    const { config } = await node(statusOf({ version: '9.9.9' }), FILES)
    const { code, out } = await runCli(['doctor', '--json', '--config', config])
    const answer = JSON.parse(out)
    expect({ code, ok: answer.ok, first: answer.findings[0] }).toEqual({
      code: 0,
      ok: true,
      first: {
        level: 'note',
        code: 'VERSIONS_DIFFER',
        message: `the agent that runs is 9.9.9, and this command is ${fairleadVersion()}`,
        remedy: 'Restart the agent: systemctl restart fairlead-agent. Traefik goes on meanwhile.',
      },
    })
  })

  test('the static file is judged when it is named', async () => {
    const { config } = await node(statusOf({ version: fairleadVersion() }), FILES)
    const path = join(await tempFolder(), 'traefik.yaml')
    await writeFile(path, 'providers: { http: { endpoint: "http://127.0.0.1:7480/traefik" } }\n')
    const { code, out } = await runCli(['doctor', '--json', '--config', config, '--static', path])
    const codes = JSON.parse(out).findings.flatMap((found: { level: string; code: string }) =>
      found.level === 'ok' ? [] : [found.code],
    )
    expect({ code, codes }).toEqual({
      code: 1,
      codes: ['STATIC_NO_HOLD', 'STATIC_POLL_INTERVAL', 'STATIC_THROTTLE', 'STATIC_NO_DEFAULT', 'STATIC_NO_API'],
    })
  })

  test('a static file that is not there is bad input', async () => {
    expect(await runCli(['doctor', '--static', '/nowhere/t.yaml', '--config', await configFor(1)])).toEqual({
      code: 2,
      out: '',
      err: 'fairlead doctor: --static: /nowhere/t.yaml cannot be read (ENOENT)\n',
    })
  })
})

describe('a real agent', () => {
  test('that no Traefik polls is told so', async () => {
    const { agent, config } = await startLoneAgent({ 'db.json': { tcpRoutes: [tcpRoute()] } })
    await waitFor(() => agent.status().routes.length === 1)
    const { code, out } = await runCli(['doctor', '--json', '--config', config], { now: Date.now })
    const findings: readonly { level: string; code: string; message: string }[] = JSON.parse(out).findings
    const levels = Object.fromEntries(findings.map(found => [found.code, found.level]))
    expect(code).toBe(1)
    expect(levels).toMatchObject({
      AGENT_ANSWERS: 'ok',
      SOURCE_READ: 'ok',
      TRAEFIK_NOT_POLLED_YET: 'note',
      API_NOT_CONFIGURED: 'warn',
      STATE_DIRECTORY: 'ok',
      STATE_SAVED: 'ok',
    })
    expect(levels).not.toHaveProperty('SETTINGS_DIFFER')
    const later = await runCli(['doctor', '--json', '--config', config], { now: () => Date.now() + 60_000 })
    expect(JSON.parse(later.out).findings[0].code).toBe('TRAEFIK_NEVER_POLLED')
  })
})
