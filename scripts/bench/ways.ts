/**
 * The ways by which one change reaches a Traefik, each with a Traefik of its own: the same entry points and, byte for byte, the same two
 * configurations. The Traefiks have the same port numbers on different addresses of the loopback network.
 */

import { existsSync, renameSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { freePort } from '../../test/support/ports.ts'
import { startProgram } from '../../test/support/program.ts'
import { type StartTraefikOptions, startTraefik, type TestTraefik } from '../../test/support/traefik.ts'
import { waitFor } from '../../test/support/wait-for.ts'
import { startControlPlane, startPlainProvider } from './servers.ts'

// Ends the child when this process ends, however that ends.
const SETPRIV = '/usr/bin/setpriv'

export type WayName = 'files' | 'control-plane' | 'file-provider' | 'bare-file-provider' | 'stock'

export type Way = {
  readonly name: WayName
  /** Where this Traefik's entry points are. */
  readonly host: string
  readonly traefikPid: number
  readonly agentPid: number | null
  /** What can be done before the change: a file is written beside its place. */
  prepare(to: number): Promise<void>
  /** Makes the change that was prepared, and gives the moment (of performance.now()) just before it was made. */
  change(to: number): number
  stop(): Promise<void>
}

export type Setting = {
  /** Numbers of the entry points; a route stands on each. */
  readonly ports: readonly number[]
  /** The routes of the two states that are changed between. */
  readonly states: readonly (readonly unknown[])[]
  /** The agent gives Traefik its default certificate; else Traefik makes one anew at each change. */
  readonly certificate: boolean
}

type Stop = () => Promise<unknown>

/** As in the static file that Fairlead makes. */
const HELD = { pollInterval: '100ms', pollTimeout: '40s', throttle: '100ms' }
/** What Traefik does when nobody tells it otherwise. */
const STOCK = { pollInterval: '5s', pollTimeout: '5s', throttle: '2s' }

const makeFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'fairlead-bench-'))

async function startOne(
  { ports }: Setting,
  host: string,
  options: Omit<StartTraefikOptions, 'entryPoints'>,
): Promise<{ traefik: TestTraefik; stop: Stop }> {
  const entryPoints = ports.map(port => [`tcp-${port}`, { port, extra: { address: `${host}:${port}` } }] as const)
  const traefik = await startTraefik({
    ...options,
    tcp: 0,
    udp: 0,
    entryPoints: Object.fromEntries(entryPoints),
  })
  return {
    traefik,
    async stop() {
      await traefik.stop()
      await rm(dirname(traefik.staticFile), { recursive: true, force: true })
    },
  }
}

export type AgentWay = Way & {
  /** The body that Traefik gets now. */
  body(): Promise<string>
}

type AgentOptions = {
  readonly setting: Setting
  readonly host: string
  readonly name: 'files' | 'control-plane'
  /** Without it the polls are answered at once. */
  readonly hold?: string
}

/** The agent as a process of its own, with one source. */
export async function startAgentWay({ setting, host, name, hold = '?hold=25s' }: AgentOptions): Promise<AgentWay> {
  const folder = await makeFolder()
  const stops: Stop[] = [() => rm(folder, { recursive: true, force: true })]
  const stop = async () => {
    for (const step of stops.splice(0).reverse()) await step()
  }
  try {
    const routes = join(folder, 'routes.d')
    await mkdir(routes)
    const first = setting.states[0] ?? []
    const write = (state: readonly unknown[], file: string): Promise<void> =>
      writeFile(file, JSON.stringify({ tcpRoutes: state }))
    await write(first, join(routes, 'bench.json'))
    const plane = name === 'control-plane' ? await startControlPlane(first) : null
    if (plane !== null) stops.push(plane.close)

    const provider = await freePort('tcp')
    const admin = await freePort('tcp')
    const { traefik, stop: stopTraefik } = await startOne(setting, host, {
      endpoint: `http://127.0.0.1:${provider}/traefik${hold}`,
      ...HELD,
    })
    stops.push(stopTraefik)
    const settings = {
      node: 'bench',
      state: { directory: join(folder, 'state') },
      sources: plane === null ? { files: { directory: routes } } : { controlPlane: { urls: [plane.url] } },
      provider: { listen: `127.0.0.1:${provider}` },
      admin: { listen: `127.0.0.1:${admin}` },
      traefik: { api: traefik.api.origin },
      ports: { tcp: setting.ports.join(','), udp: 'none' },
      tls: { defaultCertificate: setting.certificate ? 'auto' : 'off' },
      policy: { allowUpstreams: ['127.0.0.0/8'] },
    }
    const file = join(folder, 'agent.yaml')
    await writeFile(file, JSON.stringify(settings))
    const agent = startProgram(['agent', '--config', file], {
      through: existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'KILL', '--'] : [],
    })
    stops.push(async () => {
      agent.child.kill('SIGTERM')
      await agent.exit
    })
    await waitFor(
      async () => {
        const { revision } = JSON.parse(await textOf(`http://127.0.0.1:${admin}/status`))
        return revision.expected !== null && revision.applied === revision.expected
      },
      { what: `the agent with ${name} to have its routes applied`, timeoutMs: 30_000 },
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${agent.out().slice(-4000)}\n${agent.err()}\n${traefik.log().slice(-2000)}`)
    })

    const next = join(folder, 'next.json')
    async function prepare(to: number): Promise<void> {
      if (plane === null) await write(setting.states[to] ?? [], next)
    }
    function change(to: number): number {
      if (plane === null) return renamed(next, join(routes, 'bench.json'))
      const at = performance.now()
      plane.publish(setting.states[to] ?? [])
      return at
    }
    return {
      name,
      host,
      traefikPid: traefik.pid,
      agentPid: agent.pid,
      prepare,
      change,
      stop,
      body: () => textOf(`http://127.0.0.1:${provider}/traefik`),
    }
  } catch (error) {
    await stop()
    throw error
  }
}

/** The same bodies in a folder of Traefik's file provider: what it takes when nothing stands between the file and Traefik. */
export async function startFileProvider(
  setting: Setting,
  host: string,
  name: 'file-provider' | 'bare-file-provider',
  bodies: readonly string[],
): Promise<Way> {
  const folder = await makeFolder()
  const dynamic = join(folder, 'dynamic')
  await mkdir(dynamic)
  const file = join(dynamic, 'bench.yml')
  const next = join(folder, 'next.yml')
  await writeFile(file, bodies[0] ?? '')
  const { traefik, stop } = await startOne(setting, host, {
    throttle: HELD.throttle,
    staticExtra: { providers: { file: { directory: dynamic, watch: true } } },
  })
  return {
    name,
    host,
    traefikPid: traefik.pid,
    agentPid: null,
    prepare: to => writeFile(next, bodies[to] ?? ''),
    change: () => renamed(next, file),
    async stop() {
      await stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Traefik's HTTP provider with its defaults, and a server that has the new body at once. */
export async function startStock(setting: Setting, host: string, bodies: readonly string[]): Promise<Way> {
  const provider = await startPlainProvider(bodies[0] ?? '')
  const { traefik, stop } = await startOne(setting, host, { endpoint: provider.url, ...STOCK })
  return {
    name: 'stock',
    host,
    traefikPid: traefik.pid,
    agentPid: null,
    async prepare() {},
    change(to) {
      const at = performance.now()
      provider.publish(bodies[to] ?? '')
      return at
    },
    async stop() {
      await stop()
      await provider.close()
    },
  }
}

/** One step, so that no reader sees half a file. */
function renamed(from: string, to: string): number {
  const at = performance.now()
  renameSync(from, to)
  return at
}

async function textOf(url: string): Promise<string> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url}: ${response.status}`)
  return response.text()
}

/** The body with what Traefik would make of it by itself: a key for its default certificate at each change. */
export function withoutCertificate(body: string): string {
  const { tls: _tls, ...rest } = JSON.parse(body)
  return JSON.stringify(rest)
}
