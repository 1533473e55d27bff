/**
 * The static configuration as Traefik reads it. Its ports are fixed, so it runs in a network namespace of its own; where that is not
 * allowed, the same file is made with other ports.
 */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { makePortSet } from '../../src/core/port-set.ts'
import {
  declaredEntryPoints,
  STATIC_DEFAULTS,
  type StaticConfigInput,
  staticConfig,
} from '../../src/core/static-config.ts'
import { atEnd } from '../support/at-end.ts'
import { freePort, freePorts } from '../support/ports.ts'
import { startScriptedProvider } from '../support/scripted-provider.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { testTraefikBinary } from '../support/traefik.ts'
import { waitFor } from '../support/wait-for.ts'

const STATIC_FILE = fileURLToPath(new URL('../../proxy/traefik.yaml', import.meta.url))

type Shown = {
  readonly name: string
  readonly address: string
  readonly asDefault?: boolean
  readonly transport: unknown
  readonly udp: unknown
}

const run = (file: string, args: readonly string[]): Promise<{ readonly code: number; readonly out: string }> =>
  new Promise(resolve => {
    execFile(file, [...args], { maxBuffer: 16 * 1024 * 1024 }, (error, out) => {
      resolve({ code: error === null ? 0 : Number(error.code), out })
    })
  })

const mayMakeNamespaces = (await run('unshare', ['-n', 'ip', 'link', 'set', 'lo', 'up'])).code === 0

/** Starts Traefik, asks its API for a path until that answers, and ends it. All of it in one namespace. */
async function askInNamespace(
  binary: string,
  staticFile: string,
  paths: readonly string[],
): Promise<readonly string[]> {
  const script = [
    'ip link set lo up',
    '"$1" --configFile="$2" >&2 & pid=$!; shift 2',
    'for _ in $(seq 200); do curl -sf -o /dev/null http://127.0.0.1:8080/ping && break; sleep 0.05; done',
    'for path in "$@"; do curl -s "http://127.0.0.1:8080$path"; printf "\\n====\\n"; done',
    'kill -KILL $pid',
  ].join('\n')
  const { out } = await run('unshare', ['-n', '/bin/sh', '-c', script, 'sh', binary, staticFile, ...paths])
  return out.split('\n====\n').slice(0, paths.length)
}

async function startWith(binary: string, text: string): Promise<{ readonly log: () => string }> {
  const folder = await tempFolder()
  const file = join(folder, 'traefik.yaml')
  await writeFile(file, text)
  const child = spawn(binary, [`--configFile=${file}`], { env: {}, stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', chunk => (log += chunk))
  atEnd(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  })
  return { log: () => log }
}

const shownAs = (input: StaticConfigInput): readonly string[] =>
  declaredEntryPoints(input)
    .map(({ name, protocol, address }) => `${name} ${address.host}:${address.port}${protocol === 'udp' ? '/udp' : ''}`)
    .sort()

const named = (shown: readonly Shown[]): readonly string[] =>
  shown.map(({ name, address }) => `${name} ${address}`).sort()

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i)

test.skipIf(!mayMakeNamespaces)('Traefik opens all that the checked-in file declares', async () => {
  const binary = await testTraefikBinary()
  const [entryPoints = '', metrics = ''] = await askInNamespace(binary, STATIC_FILE, [
    '/api/entrypoints?per_page=1000',
    '/metrics',
  ])
  const shown: readonly Shown[] = JSON.parse(entryPoints)
  const input = {
    ...STATIC_DEFAULTS,
    tcpPorts: makePortSet(range(10_000, 100)),
    udpPorts: makePortSet(range(11_000, 100)),
  }
  expect(shown).toHaveLength(203)
  expect(named(shown)).toEqual(shownAs(input))
  expect(shown.filter(({ asDefault }) => asDefault).map(({ name }) => name)).toEqual(['web', 'websecure'])
  expect(shown.find(({ name }) => name === 'tcp-10042')?.transport).toEqual({
    lifeCycle: { graceTimeOut: '3s' },
    respondingTimeouts: { readTimeout: '10s', idleTimeout: '3m0s' },
  })
  expect(metrics).toContain('traefik_open_connections{entrypoint="traefik",protocol="TCP"}')
})

test('the same file with other ports works with a provider and its token', async () => {
  const provider = await startScriptedProvider()
  const [web = 0, websecure = 0, api = 0, ...pool] = await freePorts(5, 'tcp')
  const udp = await freePort('udp')
  const folder = await tempFolder()
  const input: StaticConfigInput = {
    ...STATIC_DEFAULTS,
    web: { host: '127.0.0.1', port: web },
    websecure: { host: '127.0.0.1', port: websecure },
    traefik: { host: '127.0.0.1', port: api },
    poolHost: '127.0.0.1',
    provider: { host: '127.0.0.1', port: Number(new URL(provider.url).port) },
    tcpPorts: makePortSet([...pool, web]),
    udpPorts: makePortSet([udp]),
    token: 'tok: "en" # \\x',
    acme: { email: 'ops@example.com', storage: join(folder, 'acme.json'), staging: true },
    udpTimeoutMs: 30_000,
  }
  provider.serve({ tcp: { services: { beacon: { loadBalancer: { servers: [] } } } } })
  const { log } = await startWith(await testTraefikBinary(), staticConfig(input))
  const get = async (path: string): Promise<string> => (await fetch(`http://127.0.0.1:${api}${path}`)).text()
  await waitFor(async () => (await fetch(`http://127.0.0.1:${api}/api/tcp/services/beacon@http`)).ok, {
    what: 'the beacon in the API',
  })
  expect(provider.lastHeaders().authorization).toBe('Bearer tok: "en" # \\x')
  const shown: readonly Shown[] = JSON.parse(await get('/api/entrypoints?per_page=100'))
  expect(named(shown)).toEqual(shownAs(input))
  expect(shown.find(({ name }) => name === `udp-${udp}`)?.udp).toEqual({ timeout: '30s' })
  expect(JSON.parse(await get('/api/http/routers/acme-http@internal')).entryPoints).toEqual(['web'])
  expect(log()).toContain('Starting provider *acme.Provider')
})

test('the checked-in file is the one that was tested', async () => {
  const input = {
    ...STATIC_DEFAULTS,
    tcpPorts: makePortSet(range(10_000, 100)),
    udpPorts: makePortSet(range(11_000, 100)),
  }
  const madeBy = 'fairlead static-config --tcp 10000-10099 --udp 11000-11099'
  expect(await readFile(STATIC_FILE, 'utf8')).toBe(staticConfig({ ...input, madeBy }))
})
