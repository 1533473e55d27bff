/**
 * A whole node for one test: real Traefik, and the agent in this process with a folder of files as its source.
 *
 *   const rig = await startRig({ tcp: 2, udp: 1 })
 *   await rig.write('pg.yaml', { tcpRoutes: [tcpRoute({ externalPort: rig.tcp[0], upstreams: [backend.address] })] })
 *   await rig.verdict('tcp/pg', 'live')
 */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import type { StatusView } from '../../src/agent/admin/status-view.ts'
import { type Agent, type AgentOptions, createAgent } from '../../src/agent/agent.ts'
import { parseAgentConfig } from '../../src/agent/config.ts'
import type { Verdict } from '../../src/core/verdict.ts'
import { atEnd } from './at-end.ts'
import type { Lists } from './builders.ts'
import { freePort } from './ports.ts'
import { tempFolder } from './temp-folder.ts'
import { type StartTraefikOptions, startTraefik, type TestTraefik } from './traefik.ts'
import { waitFor } from './wait-for.ts'

export type RigOptions = Omit<StartTraefikOptions, 'endpoint'> & {
  /** False: the agent is told of no Traefik API. */
  readonly api?: boolean
  /** Traefik sends it, and the agent asks for it: it stands in the file of `rig.tokenFile`. */
  readonly token?: string
  /** What Traefik sends instead. */
  readonly traefikToken?: string
  /** What the agent reads Traefik from, instead of the API of `rig.traefik`. */
  readonly apiUrl?: (traefik: TestTraefik) => string | Promise<string>
  /** Address of a control plane: the source in place of the folder of files. */
  readonly controlPlane?: string
  /** Over what the rig gives to `createAgent`; asked at each start. */
  readonly options?: () => Partial<AgentOptions>
  /** Merged into the settings of the agent at the top level; `sources` in place of the folder of files. */
  readonly settings?: Readonly<Record<string, unknown>> | ((traefik: TestTraefik) => Readonly<Record<string, unknown>>)
  /** Files that are there before the agent starts. */
  readonly files?: Readonly<Record<string, Lists>>
  /** Start Traefik alone; the test starts the agent. */
  readonly agent?: boolean
}

export type RouteStatus = StatusView['routes'][number]

export type Rig = {
  readonly traefik: TestTraefik
  readonly tcp: readonly number[]
  readonly udp: readonly number[]
  readonly folder: string
  readonly routesFolder: string
  /** What Traefik polls. */
  readonly endpoint: string
  /** There only when a token was given. */
  readonly tokenFile: string
  /** `http://127.0.0.1:PORT` of the admin endpoint. */
  readonly admin: string
  /** Lines that the agent has logged. */
  readonly log: () => readonly Readonly<Record<string, unknown>>[]
  /** Writes a file of routes at once, by rename. */
  write(name: string, lists: Lists): Promise<void>
  remove(name: string): Promise<void>
  status(): StatusView
  accept(hash: string | null): readonly string[]
  /** Waits until the route (`tcp/pg`) has the verdict, and gives its row. */
  verdict(key: string, verdict: Verdict, timeoutMs?: number): Promise<RouteStatus>
  /** Waits until Traefik shows the body that is served for the state that the agent has read last. */
  applied(timeoutMs?: number): Promise<void>
  startAgent(): Promise<void>
  stopAgent(): Promise<void>
}

export async function startRig(options: RigOptions = {}): Promise<Rig> {
  const { api = true, settings = {}, files = {}, agent: withAgent = true, controlPlane, ...traefikOptions } = options
  const folder = await tempFolder()
  const routesFolder = join(folder, 'routes.d')
  await mkdir(routesFolder, { mode: 0o755 })
  const tokenFile = join(folder, 'provider-token')
  if (options.token !== undefined) await writeFile(tokenFile, `${options.token}\n`, { mode: 0o600 })
  const providerPort = await freePort('tcp')
  const adminPort = await freePort('tcp')
  const endpoint = `http://127.0.0.1:${providerPort}/traefik?hold=25s`
  const traefikToken = options.traefikToken ?? options.token
  const traefik = await startTraefik({
    ...traefikOptions,
    endpoint,
    ...(traefikToken === undefined ? {} : { token: traefikToken }),
  })
  const apiUrl = (await options.apiUrl?.(traefik)) ?? traefik.api.origin

  const config = parseAgentConfig({
    text: JSON.stringify({
      node: 'test',
      state: { directory: join(folder, 'state') },
      sources:
        controlPlane === undefined
          ? { files: { directory: routesFolder } }
          : { controlPlane: { urls: [controlPlane], pollInterval: '200ms' } },
      provider: { listen: `127.0.0.1:${providerPort}`, ...(options.token === undefined ? {} : { tokenFile }) },
      admin: { listen: `127.0.0.1:${adminPort}` },
      ...(api ? { traefik: { api: apiUrl } } : {}),
      ports: { tcp: traefik.tcp.join(',') || 'none', udp: traefik.udp.join(',') || 'none' },
      policy: { allowUpstreams: ['127.0.0.0/8'] },
      ...(typeof settings === 'function' ? settings(traefik) : settings),
    }),
    fileName: 'agent.yaml',
    env: {},
  })
  if (!config.ok) throw new Error(config.faults.join('\n'))

  const lines: Readonly<Record<string, unknown>>[] = []
  const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  let agent: Agent | null = null

  async function stopAgent(): Promise<void> {
    const running = agent
    agent = null
    await running?.stop()
  }
  async function startAgent(): Promise<void> {
    if (!config.ok) return
    agent = createAgent({
      config: config.config,
      logger,
      registry: new Registry(),
      version: '0.0.0-test',
      ownAddresses: () => [],
      ...options.options?.(),
    })
    await agent.start()
  }
  function status(): StatusView {
    if (agent === null) throw new Error('the agent is not running')
    return agent.status()
  }
  const explain = (error: unknown): never => {
    const routes =
      agent === null
        ? []
        : agent.status().routes.map(({ protocol, id, verdict, message }) => `${protocol}/${id}: ${verdict}: ${message}`)
    throw new Error(`${String(error)}\n${routes.join('\n')}\n${traefik.log().slice(-2000)}`)
  }

  async function write(name: string, lists: Lists): Promise<void> {
    const temporary = join(folder, `.${name}.tmp`)
    await writeFile(temporary, JSON.stringify(lists), { mode: 0o644 })
    await rename(temporary, join(routesFolder, name))
  }
  for (const [name, lists] of Object.entries(files)) await write(name, lists)
  if (withAgent) await startAgent()
  atEnd(stopAgent)

  return {
    traefik,
    tcp: traefik.tcp,
    udp: traefik.udp,
    folder,
    routesFolder,
    endpoint,
    tokenFile,
    admin: `http://127.0.0.1:${adminPort}`,
    log: () => lines,
    write,
    remove: name => rm(join(routesFolder, name)),
    status,
    accept: hash => agent?.accept(hash) ?? [],
    verdict: (key, wanted, timeoutMs = 45_000) =>
      waitFor(
        () => status().routes.find(route => `${route.protocol}/${route.id}` === key && route.verdict === wanted),
        { what: `${key} to be ${wanted}`, timeoutMs },
      ).catch(explain),
    applied: async (timeoutMs = 45_000) => {
      await waitFor(
        () => {
          const { expected, served, applied } = status().revision
          return expected !== null && expected === served && served === applied
        },
        { what: 'the expected state to be applied', timeoutMs },
      ).catch(explain)
    },
    startAgent,
    stopAgent,
  }
}
