/**
 * Reads Traefik's API: who it is, what it was started with, what became of our configuration.
 *
 * It is a neighbour that may be absent, slow, secured or somebody else: every fault is a value, every answer has a deadline and a size,
 * and nothing here is on the way of serving.
 */
import { Agent, request } from 'undici'
import {
  type ObservedEntryPoint,
  type ObservedRuntime,
  parseEntryPoints,
  parseProviders,
  parseRawdata,
  parseTraefikVersion,
} from '../../core/observed.ts'
import { beaconName } from '../../core/payload.ts'

export type TraefikApiFault = {
  readonly kind: 'unreachable' | 'timeout' | 'secured' | 'not-traefik' | 'too-large' | 'status'
  /** One sentence; no credentials in it. */
  readonly message: string
}

export type TraefikReading = {
  readonly version: string
  /** When this Traefik started, as it writes it; null when it does not say. A change means a restart. */
  readonly startedAt: string | null
  readonly entryPoints: readonly ObservedEntryPoint[]
  /** Null when it does not say. */
  readonly providers: readonly string[] | null
  readonly runtime: ObservedRuntime
  /** When the runtime was asked for, by the clock that never jumps: what it shows is not older. */
  readonly askedAtMs: number
}

export type ApiResult<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly fault: TraefikApiFault }

export interface TraefikApi {
  /** Version, entry points, routers and services, each from one answer. */
  read(signal: AbortSignal): Promise<ApiResult<TraefikReading>>
  /** Whether the beacon of this body is there: one small answer. */
  hasBeacon(hash: string, signal: AbortSignal): Promise<ApiResult<boolean>>
  /** Open connections by entry point, from `/metrics` on the same address; null when it is not offered there. */
  openConnections(signal: AbortSignal): Promise<ReadonlyMap<string, number> | null>
  close(): Promise<void>
}

/** Traefik gives lists in pages of 100 unless it is asked for more (pkg/api/criterion.go); a node has a few hundred entry points. */
const ENTRY_POINTS_PATH = '/api/entrypoints?per_page=65535'

// 50,000 routes make 17 MB (measured).
const MAX_BYTES = 64 * 1024 * 1024

export type TraefikApiOptions = {
  /** `http://127.0.0.1:8080`, without a slash at its end. */
  readonly url: string
  /** For one whole answer. */
  readonly timeoutMs?: number
  readonly maxBytes?: number
}

class ApiFault extends Error {
  readonly fault: TraefikApiFault
  constructor(kind: TraefikApiFault['kind'], message: string) {
    super(message)
    this.fault = { kind, message }
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

export function createTraefikApi({ url, timeoutMs = 5_000, maxBytes = MAX_BYTES }: TraefikApiOptions): TraefikApi {
  // No retry, no redirect, no proxy of the environment: what does not answer here and now is not read.
  const dispatcher = new Agent({ connections: 4, connect: { timeout: timeoutMs }, maxResponseSize: maxBytes })
  const { host, pathname } = new URL(url)
  // Traefik may have a base path for its API; a path of the dashboard that was copied is told by being named.
  const where = `${host}${pathname.replace(/\/$/, '')}`

  async function get(path: string, signal: AbortSignal): Promise<{ status: number; text: string }> {
    signal.throwIfAborted()
    // Not AbortSignal.any: each one leaves some 200 bytes behind (measured on Node 24).
    const aborter = new AbortController()
    const abort = () => aborter.abort()
    signal.addEventListener('abort', abort, { once: true })
    const timer = setTimeout(abort, timeoutMs)
    try {
      const { statusCode, body } = await request(`${url}${path}`, {
        dispatcher,
        signal: aborter.signal,
        headers: { accept: '*/*' },
      })
      return { status: statusCode, text: await body.text() }
    } catch (error) {
      signal.throwIfAborted()
      const code = codeOf(error)
      if (aborter.signal.aborted || code === 'UND_ERR_CONNECT_TIMEOUT')
        throw new ApiFault('timeout', `Traefik's API at ${where} did not answer within ${timeoutMs} ms`)
      if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE')
        throw new ApiFault('too-large', `Traefik's API at ${where} answered more than ${maxBytes} bytes`)
      throw new ApiFault('unreachable', `Traefik's API at ${where} cannot be reached${code === '' ? '' : ` (${code})`}`)
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    }
  }

  async function getJson(path: string, signal: AbortSignal): Promise<unknown> {
    const { status, text } = await get(path, signal)
    if (status === 401 || status === 403)
      throw new ApiFault('secured', `Traefik's API at ${where} asks for credentials (${status})`)
    if (status !== 200) throw new ApiFault('status', `Traefik's API at ${where} answered ${status} to ${path}`)
    try {
      return JSON.parse(text)
    } catch {
      throw new ApiFault('not-traefik', `what answers at ${where} is not Traefik's API: ${path} is not JSON`)
    }
  }

  /** The parsed answer, or a fault when it is not what Traefik would say. */
  async function getParsed<T>(path: string, parse: (raw: unknown) => T | null, signal: AbortSignal): Promise<T> {
    const parsed = parse(await getJson(path, signal))
    if (parsed === null)
      throw new ApiFault('not-traefik', `what answers at ${where} is not Traefik's API: ${path} has another form`)
    return parsed
  }

  async function asResult<T>(work: () => Promise<T>): Promise<ApiResult<T>> {
    try {
      return { ok: true, value: await work() }
    } catch (error) {
      if (error instanceof ApiFault) return { ok: false, fault: error.fault }
      throw error
    }
  }

  /** What a process was started with stays as it is while it runs, so it is asked once. A Traefik that does not tell its start is asked each time. */
  let known: (Awaited<ReturnType<typeof readStatic>> & { readonly process: string }) | null = null

  async function readStatic(signal: AbortSignal): Promise<Pick<TraefikReading, 'entryPoints' | 'providers'>> {
    const entryPoints = await getParsed(ENTRY_POINTS_PATH, parseEntryPoints, signal)
    const overview = await asResult(() => getJson('/api/overview', signal))
    return { entryPoints, providers: overview.ok ? parseProviders(overview.value) : null }
  }

  return {
    read: signal =>
      asResult(async () => {
        const { version, startedAt } = await getParsed('/api/version', parseTraefikVersion, signal)
        const process = `${version} ${startedAt}`
        const { entryPoints, providers } = known?.process === process ? known : await readStatic(signal)
        known = startedAt === null || providers === null ? null : { process, entryPoints, providers }
        const askedAtMs = performance.now()
        const runtime = await getParsed('/api/rawdata', parseRawdata, signal)
        return { version, startedAt, entryPoints, providers, runtime, askedAtMs }
      }),
    hasBeacon: (hash, signal) =>
      asResult(async () => {
        const { status } = await get(`/api/tcp/services/${beaconName(hash)}@http`, signal)
        if (status === 200 || status === 404) return status === 200
        throw new ApiFault(
          status === 401 || status === 403 ? 'secured' : 'status',
          `Traefik's API at ${where} answered ${status} to a look for the beacon`,
        )
      }),
    async openConnections(signal) {
      const answer = await asResult(() => get('/metrics', signal))
      if (!answer.ok || answer.value.status !== 200) return null
      const found = answer.value.text.matchAll(/^traefik_open_connections\{([^}]*)\} (\S+)$/gm)
      const counts = new Map<string, number>()
      for (const [, labels = '', value] of found) {
        const entryPoint = /entrypoint="([^"]*)"/.exec(labels)?.[1]
        if (entryPoint !== undefined && Number.isFinite(Number(value)))
          counts.set(entryPoint, (counts.get(entryPoint) ?? 0) + Number(value))
      }
      return counts
    },
    close: () => dispatcher.close(),
  }
}
