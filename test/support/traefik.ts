/**
 * A real Traefik for one test: its own static file, its own ports, polling an HTTP provider quickly, gone at the end of the test.
 *
 *   const traefik = await startTraefik({ endpoint: provider.url, tcp: 2, udp: 1, entryPoints: { websecure: {} } })
 *   await tcpName(traefik.tcp[0])
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findTraefik } from '../../src/lib/traefik-binary.ts'
import { atEnd } from './at-end.ts'
import { freePort, freePorts } from './ports.ts'
import { waitFor } from './wait-for.ts'

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined }
type JsonObject = { readonly [key: string]: Json | undefined }

export type TestEntryPoint = { readonly name: string; readonly protocol: 'tcp' | 'udp'; readonly port: number }

export type StartTraefikOptions = {
  /** URL of the HTTP provider; absent: Traefik has none (unless `staticExtra` gives it one). */
  readonly endpoint?: string
  /** How many pool entry points of each kind, on neighbouring ports, named `tcp-PORT` and `udp-PORT`. Default 1 and 1. */
  readonly tcp?: number
  readonly udp?: number
  /** Further entry points by name; `extra` is merged into their static configuration. */
  readonly entryPoints?: Readonly<
    Record<string, { readonly protocol?: 'tcp' | 'udp'; readonly port?: number; readonly extra?: JsonObject }>
  >
  /** Merged, object by object, into the static configuration: the test has the last word. */
  readonly staticExtra?: JsonObject
  /** As Traefik writes it. Default `50ms`. */
  readonly pollInterval?: string
  /** Default `40s`, longer than any held poll. */
  readonly pollTimeout?: string
  /** Default `20ms`. */
  readonly throttle?: string
  /** Sent to the provider as `Authorization: Bearer TOKEN`. */
  readonly token?: string
  /** Default INFO: at DEBUG Traefik logs whole configurations, and the token. */
  readonly logLevel?: 'DEBUG' | 'INFO' | 'ERROR'
  /** Path of the program; default the pinned one. */
  readonly binary?: string
}

export type TestTraefik = {
  /** `http://127.0.0.1:PORT`, where `/api/...` answers. */
  readonly api: URL
  readonly entryPoints: readonly TestEntryPoint[]
  /** Ports of the pools, ascending. */
  readonly tcp: readonly number[]
  readonly udp: readonly number[]
  readonly staticFile: string
  /** Of the running process; changes with a restart. */
  readonly pid: number
  /** Port of the entry point with this name. */
  port(name: string): number
  /** Everything that it wrote since the start, restarts included. */
  log(): string
  /** GET of a path under `/api`, decoded; rejects unless the answer is 200. */
  get(path: string): Promise<unknown>
  /** Ends the process (SIGKILL by default: at once) and starts it again on the same ports, perhaps as another version. */
  restart(options?: { readonly signal?: NodeJS.Signals; readonly binary?: string }): Promise<void>
  /** Ends the process and waits for its end. SIGKILL by default: on SIGTERM Traefik waits up to ten seconds for open connections. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

let pinned: Promise<string> | null = null

/** Path of the Traefik that tests run: FAIRLEAD_TEST_TRAEFIK, which the runner sets, else the pinned one, fetched into the cache when it is not there yet. Throws when there is none. */
export function testTraefikBinary(): Promise<string> {
  const chosen = process.env.FAIRLEAD_TEST_TRAEFIK
  if (chosen !== undefined) return Promise.resolve(chosen)
  pinned ??= findTraefik({ env: process.env, prefer: 'pinned' }).then(result => {
    if (!result.found) throw new Error(`no Traefik to test with: ${result.tried.join('; ')}`)
    return result.path
  })
  return pinned
}

const START_ATTEMPTS = 3

/** Starts Traefik and waits until its API answers; then all its entry points are open. Throws with its log when it ends instead. */
export async function startTraefik(options: StartTraefikOptions = {}): Promise<TestTraefik> {
  let binary = options.binary ?? (await testTraefikBinary())
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-traefik-'))
  const staticFile = join(folder, 'traefik.yaml')
  let log = ''
  let child: ChildProcess | null = null
  let layout = await chooseLayout(options)

  const stop = async (signal: NodeJS.Signals = 'SIGKILL') => {
    const ending = child
    if (ending === null) return
    child = null
    // Never started, or ended by itself.
    if (ending.pid === undefined || ending.exitCode !== null || ending.signalCode !== null) return
    const ended = once(ending, 'exit')
    ending.kill(signal)
    await ended
  }
  const start = async () => {
    const started = launch(binary, staticFile, text => {
      log += text
    })
    child = started
    let reason: string | null = null
    started.once('error', error => {
      reason = error.message
    })
    // Not `exit`: by then its last lines may not have been read.
    started.once('close', (code, signal) => {
      reason ??= `ended with ${code ?? signal}`
    })
    const up = await waitFor(
      async () => {
        if (reason !== null) return 'ended'
        return (await fetch(new URL('/api/version', layout.api))).ok && 'up'
      },
      { what: `Traefik's API on ${layout.api.host}`, timeoutMs: 60_000 },
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${log}`)
    })
    if (up === 'ended') throw new Error(`Traefik ${reason}\n${log}`)
  }

  atEnd(async () => {
    await stop()
    await rm(folder, { recursive: true, force: true })
  })
  for (let attempt = 1; ; attempt += 1) {
    await writeFile(staticFile, JSON.stringify(layout.config, null, 2), { mode: 0o600 })
    try {
      await start()
      break
    } catch (error) {
      await stop()
      // Somebody who knows nothing of our reservations was quicker.
      if (attempt === START_ATTEMPTS || !log.includes('address already in use')) throw error
      layout = await chooseLayout(options)
    }
  }

  return {
    api: layout.api,
    entryPoints: layout.entryPoints,
    tcp: layout.tcp,
    udp: layout.udp,
    staticFile,
    get pid() {
      if (child?.pid === undefined) throw new Error('Traefik is not running')
      return child.pid
    },
    port: name => {
      const found = layout.entryPoints.find(entryPoint => entryPoint.name === name)
      if (found === undefined) throw new Error(`no entry point ${name}`)
      return found.port
    },
    log: () => log,
    get: async path => {
      const response = await fetch(new URL(path, layout.api))
      if (!response.ok) throw new Error(`GET ${path}: ${response.status}`)
      return response.json()
    },
    restart: async (change = {}) => {
      await stop(change.signal)
      binary = change.binary ?? binary
      await start()
    },
    stop,
  }
}

// From util-linux on Debian: it asks the kernel to end Traefik when this process ends, however that ends.
const SETPRIV = '/usr/bin/setpriv'

function launch(binary: string, staticFile: string, write: (text: string) => void): ChildProcess {
  const run = [binary, `--configFile=${staticFile}`]
  const [command = binary, ...args] = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'KILL', '--', ...run] : run
  // TRAEFIK_* variables of the machine would change the static configuration.
  const env = { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '' }
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  child.stdout.setEncoding('utf8').on('data', write)
  child.stderr.setEncoding('utf8').on('data', write)
  return child
}

type Layout = {
  readonly api: URL
  readonly entryPoints: readonly TestEntryPoint[]
  readonly tcp: readonly number[]
  readonly udp: readonly number[]
  readonly config: JsonObject
}

async function chooseLayout(options: StartTraefikOptions): Promise<Layout> {
  const apiPort = await freePort('tcp')
  const tcp = await freePorts(options.tcp ?? 1, 'tcp')
  const udp = await freePorts(options.udp ?? 1, 'udp')
  const named: (TestEntryPoint & { extra: JsonObject })[] = []
  for (const [name, { protocol = 'tcp', port, extra = {} }] of Object.entries(options.entryPoints ?? {})) {
    named.push({ name, protocol, port: port ?? (await freePort(protocol)), extra })
  }
  const pool = (ports: readonly number[], protocol: 'tcp' | 'udp') =>
    ports.map(port => ({ name: `${protocol}-${port}`, protocol, port, extra: {} }))
  const entryPoints = [...named, ...pool(tcp, 'tcp'), ...pool(udp, 'udp')]
  const written: Record<string, Json> = { traefik: { address: `127.0.0.1:${apiPort}` } }
  for (const { name, protocol, port, extra } of entryPoints) {
    written[name] = merge({ address: `127.0.0.1:${port}${protocol === 'udp' ? '/udp' : ''}` }, extra)
  }
  const { endpoint, token } = options
  const http =
    endpoint === undefined
      ? {}
      : {
          http: {
            endpoint,
            pollInterval: options.pollInterval ?? '50ms',
            pollTimeout: options.pollTimeout ?? '40s',
            ...(token === undefined ? {} : { headers: { Authorization: `Bearer ${token}` } }),
          },
        }
  const config: JsonObject = {
    global: { checkNewVersion: false, sendAnonymousUsage: false },
    log: { level: options.logLevel ?? 'INFO', noColor: true },
    api: { insecure: true },
    entryPoints: written,
    providers: { providersThrottleDuration: options.throttle ?? '20ms', ...http },
  }
  return {
    api: new URL(`http://127.0.0.1:${apiPort}`),
    entryPoints: entryPoints.map(({ name, protocol, port }) => ({ name, protocol, port })),
    tcp,
    udp,
    config: merge(config, options.staticExtra ?? {}),
  }
}

function merge(base: JsonObject, over: JsonObject): JsonObject {
  const merged: Record<string, Json | undefined> = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key]
    merged[key] = isObject(below) && isObject(value) ? merge(below, value) : value
  }
  return merged
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
