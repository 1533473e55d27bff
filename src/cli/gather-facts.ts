/** Everything that `fairlead doctor` looks at. Nothing is changed, and what cannot be looked at is a fact of its own. */
import { readFile, stat, statfs } from 'node:fs/promises'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { join, resolve } from 'node:path'
import { type AgentConfig, sourceFault } from '../agent/config.ts'
import { createTraefikApi } from '../agent/traefik/traefik-api.ts'
import type {
  AgentFacts,
  ClockFacts,
  DoctorFacts,
  FileFacts,
  SecretFileFacts,
  TraefikFacts,
} from '../core/doctor/facts.ts'
import { type PortSet, parsePortSet } from '../core/port-set.ts'
import { errorCode } from '../lib/errors.ts'
import { readSecretFile } from '../lib/secret-file.ts'
import { fairleadVersion } from '../lib/version.ts'
import { isFine, type StatusAnswer } from './agent-answers.ts'
import { AgentUnreachable, askStatus } from './ask-agent.ts'
import type { Io } from './io.ts'
import { readStaticFile } from './read-static.ts'

const TIMEOUT_MS = 5_000

const KERNEL_SETTINGS = '/proc/sys/net/ipv4'

export type GatherOptions = {
  readonly config: AgentConfig
  /** Traefik's static file as it was named, or null. */
  readonly staticFile: string | null
  readonly io: Io
  /** Where the kernel's settings for IP are; for tests. */
  readonly kernelSettings?: string
}

const time = (text: string | null): number | null => {
  const at = text === null ? Number.NaN : Date.parse(text)
  return Number.isNaN(at) ? null : at
}

function agentStatus(status: StatusAnswer): AgentFacts {
  const { node, version, startedAt, traefik, routes, sources, store, problems, held, publication } = status
  // A poll that is held for the first time has not been counted yet; the state tells that it is there.
  const polled =
    traefik.polls > 0 || traefik.state === 'verified' || (traefik.api === null && traefik.state === 'unverified')
  return {
    kind: 'answers',
    status: {
      node,
      version,
      startedAt: time(startedAt),
      traefik: { ...traefik, lastPollAt: time(traefik.lastPollAt), polled },
      routes: routes.length,
      notLive: routes.filter(({ verdict }) => !isFine(verdict)).length,
      problems,
      held: held.reduce((sum, { removals }) => sum + removals.length, 0),
      unseenSince: publication.appliedAt === null ? time(publication.fetchedAt) : null,
      sources,
      saved: store,
    },
  }
}

async function askAgent(config: AgentConfig): Promise<AgentFacts> {
  if (config.admin.listen.port === 0)
    return { kind: 'silent', message: 'admin.listen has port 0, any free one, so nobody can know where the agent is' }
  try {
    return agentStatus((await askStatus(config)).status)
  } catch (error) {
    if (error instanceof AgentUnreachable) return { kind: 'silent', message: error.found }
    throw error
  }
}

async function askTraefik({ traefik }: AgentConfig): Promise<TraefikFacts> {
  if (traefik.api === null) return { kind: 'not-configured' }
  const api = createTraefikApi({ url: traefik.api, timeoutMs: TIMEOUT_MS })
  const { signal } = new AbortController()
  try {
    const reading = await api.read(signal)
    if (!reading.ok) return { kind: 'fault', fault: reading.fault.kind, message: reading.fault.message }
    const { version, startedAt, entryPoints, providers } = reading.value
    return {
      kind: 'read',
      version,
      startedAt: time(startedAt),
      providers,
      entryPoints,
      openConnections: await api.openConnections(signal),
    }
  } finally {
    await api.close()
  }
}

/** The Date header of any answer at all will do, a refusal too. */
function dateOf(url: string, ca: string | null): Promise<string | null> {
  return new Promise((fulfil, reject) => {
    const request = url.startsWith('https:') ? requestHttps : requestHttp
    const sent = request(`${url}/livez`, {
      agent: false,
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(ca === null ? {} : { ca }),
    })
    sent.on('error', reject)
    sent.on('response', response => {
      fulfil(response.headers.date ?? null)
      response.destroy()
    })
    sent.end()
  })
}

async function compareClock(config: AgentConfig, now: () => number): Promise<ClockFacts['controlPlane']> {
  const { controlPlane } = config.sources
  const [url] = controlPlane?.urls ?? []
  if (controlPlane === null || url === undefined) return null
  const { host } = new URL(url)
  try {
    const ca = controlPlane.caFile === null ? null : await readFile(controlPlane.caFile, 'utf8')
    const before = now()
    const date = time(await dateOf(url, ca))
    if (date === null) return { kind: 'silent', host, message: 'its answer has no Date' }
    // It is cut to whole seconds, and was written somewhere between question and answer.
    return { kind: 'compared', host, aheadMs: (before + now()) / 2 - (date + 500) }
  } catch (error) {
    return { kind: 'silent', host, message: errorCode(error) ?? 'no answer in time' }
  }
}

async function look(path: string): Promise<FileFacts & { readonly isDirectory?: boolean }> {
  try {
    const found = await stat(path)
    return { kind: 'found', mode: found.mode & 0o7777, uid: found.uid, isDirectory: found.isDirectory() }
  } catch (error) {
    const code = errorCode(error) ?? 'unknown error'
    return code === 'ENOENT' ? { kind: 'missing' } : { kind: 'unreadable', code }
  }
}

async function freeBytes(path: string): Promise<number | null> {
  try {
    const { bavail, bsize } = await statfs(path)
    return bavail * bsize
  } catch {
    return null
  }
}

function secretPaths({ provider, sources: { controlPlane } }: AgentConfig): readonly (readonly [string, string])[] {
  const named: readonly (readonly [string, string | null])[] = [
    ['provider.tokenFile', provider.tokenFile],
    ['sources.controlPlane.tokenFile', controlPlane?.tokenFile ?? null],
    // With a bearer token nobody signs anything.
    [
      'sources.controlPlane.identityFile',
      controlPlane === null || controlPlane.tokenFile !== null ? null : controlPlane.identityFile,
    ],
  ]
  return named.flatMap(([setting, path]) => (path === null ? [] : [[setting, path] as const]))
}

async function readKernel(folder: string): Promise<DoctorFacts['kernel']> {
  const read = (name: string): Promise<string> => readFile(join(folder, name), 'utf8').catch(() => '')
  const [, first, last] = /^\s*(\d+)\s+(\d+)/.exec(await read('ip_local_port_range')) ?? []
  const text = (await read('ip_local_reserved_ports')).trim()
  const parsed = text === '' ? null : parsePortSet(text)
  const reserved: PortSet | null = parsed?.ok === true ? parsed.ports : null
  return {
    localPorts: first === undefined || last === undefined ? null : { first: Number(first), last: Number(last) },
    reserved,
  }
}

/** Null: it wants none, or this user may not read it. */
const tokenOf = async ({ provider }: AgentConfig): Promise<string | null> =>
  provider.tokenFile === null
    ? null
    : readSecretFile(provider.tokenFile).then(
        token => token.trim(),
        () => null,
      )

/** Throws a CliError when the static file that was named cannot be read. */
export async function gatherFacts(options: GatherOptions): Promise<DoctorFacts> {
  const { config, staticFile, io, kernelSettings = KERNEL_SETTINGS } = options
  const { http, ports, provider, state } = config
  const fromFile =
    staticFile === null ? null : await readStaticFile(resolve(io.cwd, staticFile), staticFile, await tokenOf(config))
  const [agent, traefik, controlPlane, kernel, stateFile, free, secretFiles] = await Promise.all([
    askAgent(config),
    askTraefik(config),
    compareClock(config, io.now),
    readKernel(kernelSettings),
    look(state.directory),
    freeBytes(state.directory),
    Promise.all(
      secretPaths(config).map(
        async ([setting, path]): Promise<SecretFileFacts> => ({ setting, path, file: await look(path) }),
      ),
    ),
  ])
  return {
    commandVersion: fairleadVersion(),
    settings: {
      node: config.node,
      api: config.traefik.api,
      ports,
      httpEntryPoints: [...http.entryPoints, ...(http.redirectFrom === null ? [] : [http.redirectFrom])],
      sourceFault: sourceFault(config),
      provider: provider.listen,
      wantsToken: provider.tokenFile !== null,
    },
    agent,
    traefik,
    clock: { nowMs: io.now(), controlPlane },
    kernel,
    stateDirectory: { path: state.directory, file: stateFile, freeBytes: free },
    secretFiles,
    staticFile: fromFile,
  }
}
