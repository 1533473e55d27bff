/**
 * A control plane, as a value: the database, what wakes who waits, the HTTP interface, the chores.
 *
 *   listen -> open the database (again and again, until it is there) -> hub -> app -> chores
 *      '- until then: /livez 200, everything else 503 with the reason
 *
 * It is up before its database is, so that whoever looks at it learns what is missing instead of finding nobody. Once it has been opened, a
 * database that goes away is the business of each request.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { PROBLEM_TYPE } from '../api/problem.ts'
import { PROBLEM_CODES } from '../api/problem-codes.ts'
import { type Clock, SYSTEM_CLOCK } from '../lib/clock.ts'
import { createLifecycle } from '../lib/lifecycle.ts'
import { isLoopback, type ListenAddress } from '../lib/setting-types.ts'
import { SYSTEM_ADMIN, withIncluded } from './access/actor.ts'
import { recognizeToken } from './access/authenticate.ts'
import type { ControlConfig } from './config.ts'
import { type Database, openDatabase } from './db/client.ts'
import { DatabaseError } from './db/error.ts'
import { makeId } from './db/id.ts'
import type { ControlDeps } from './deps.ts'
import { createHealth, NOT_YET_STARTED, type Readiness, readinessOfError, STOPPING } from './health.ts'
import { createApp } from './http/app.ts'
import { makeHostCheck } from './http/origin.ts'
import { createHub } from './hub.ts'
import { makeJobs } from './jobs/all.ts'
import { createJobs, type Jobs } from './jobs.ts'
import { createListener } from './listener.ts'
import { createCensus } from './metrics/census.ts'
import { type ControlMetrics, createControlMetrics } from './metrics.ts'
import { readGround } from './services/rules.ts'
import { assertNotStranded, settingsRules } from './stranded.ts'
import { readTlsFiles, type TlsWatch, watchTlsFiles } from './tls-files.ts'
import { beginEpoch } from './transfer/epoch.ts'

export type ControlOptions = {
  readonly config: ControlConfig
  readonly logger: Logger
  readonly registry: Registry
  readonly version: string
  /** SHA-256, as hexadecimal digits, of the token of the chores on this host; null: there is none. */
  readonly adminTokenHash: string | null
  readonly clock?: Clock
  /** From 0 to below 1. */
  readonly random?: () => number
  /** The metrics of the process and of Node; only one control plane of a process can have them. */
  readonly processMetrics?: boolean
  /** Wraps the database; for tests that cut it off at a certain point. */
  readonly wrapDatabase?: (database: Database) => Database
}

export interface Control {
  /**
   * Listens, and resolves with the address; the database may not be there yet. Rejects when it cannot listen, or when its certificate
   * cannot be used.
   */
  start(): Promise<ListenAddress>
  /** Resolves when the database has been opened and requests are answered. Rejects when no waiting would help. Once `start` has been called. */
  ready(): Promise<ControlDeps>
  /** Reads the certificate again. */
  reloadTls(): Promise<void>
  /** Held polls and streams are answered, requests at work get some seconds, then all is closed. */
  stop(): Promise<void>
}

const STOP_STEP_MS = 10_000
const ANSWERS_GRACE_MS = 5_000
const FIRST_PAUSE_MS = 200
const LONGEST_PAUSE_MS = 10_000

function sendJson(response: ServerResponse, status: number, type: string, value: unknown, head = false): void {
  const body = Buffer.from(`${JSON.stringify(value)}\n`)
  response.writeHead(status, {
    'content-type': type,
    'content-length': body.length,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...(status === 503 ? { 'retry-after': '1' } : {}),
  })
  response.end(head ? undefined : body)
}

/** Somebody on this machine who was not let through by a proxy. */
const isLocal = ({ socket, headers }: IncomingMessage): boolean =>
  isLoopback((socket.remoteAddress ?? '').replace(/^::ffff:/, '')) &&
  headers['x-forwarded-for'] === undefined &&
  headers.forwarded === undefined

export function createControl(options: ControlOptions): Control {
  const { config, registry, version, adminTokenHash, clock = SYSTEM_CLOCK, random = Math.random } = options
  const logger = options.logger.child({ component: 'control' })
  const lifecycle = createLifecycle({ logger, stepTimeoutMs: STOP_STEP_MS })
  const metrics: ControlMetrics = createControlMetrics({
    registry,
    version,
    processMetrics: options.processMetrics ?? true,
  })
  let readiness: () => Promise<Readiness> = async () => NOT_YET_STARTED
  let running: { readonly deps: ControlDeps; readonly jobs: Jobs; readonly route: RequestListener } | null = null
  let tls: TlsWatch | null = null
  let opening: Promise<ControlDeps> | null = null
  let connections: () => Promise<number> = async () => 0
  let closeListener: () => Promise<void> = async () => {}

  const isOurHost = makeHostCheck(config)

  const ownReadiness = (): Promise<Readiness> =>
    lifecycle.signal.aborted ? Promise.resolve(STOPPING) : readiness().catch(readinessOfError)

  /** Prometheus beside us; from elsewhere, whoever has a token that may read everything. */
  async function mayScrape(request: IncomingMessage): Promise<boolean> {
    if (isLocal(request)) return true
    const token = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (token === undefined || running === null) return false
    const found = await recognizeToken(running.deps, token).catch(() => null)
    return found !== null && found.actor.projectId === null && found.actor.scopes.has('read')
  }

  function refuse(
    response: ServerResponse,
    code: 'UNAUTHENTICATED' | 'HOST_UNKNOWN' | 'DATABASE_UNAVAILABLE' | 'STOPPING',
    detail: string,
    remedy: string = PROBLEM_CODES[code].remedy,
  ): void {
    const { status, title } = PROBLEM_CODES[code]
    const type = `urn:fairlead:problem:${code}`
    const requestId = makeId('req', { now: clock.now })
    response.setHeader('x-request-id', requestId)
    sendJson(response, status, PROBLEM_TYPE, { type, title, status, code, detail, remedy, requestId })
  }

  /** What is answered without the database, and so for as long as we listen. */
  async function answerOwn(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const head = request.method === 'HEAD'
    if (path === '/livez') return sendJson(response, 200, 'application/json', { alive: true }, head)
    if (path === '/readyz') {
      const found = await ownReadiness()
      return sendJson(response, found.ready ? 200 : 503, 'application/json', found, head)
    }
    const { host = '', authorization } = request.headers
    // A page elsewhere that has pointed its own name to this machine would read them through a browser here.
    if (authorization === undefined && !isOurHost(host))
      return refuse(response, 'HOST_UNKNOWN', `${host.slice(0, 100)} is not a name of this control plane`)
    if (!(await mayScrape(request))) {
      response.setHeader('www-authenticate', 'Bearer realm="fairlead"')
      return refuse(response, 'UNAUTHENTICATED', 'metrics are for this machine, or for a token with the scope read')
    }
    const text = await metrics.text()
    response.writeHead(200, { 'content-type': registry.contentType, 'cache-control': 'no-store' })
    response.end(head ? undefined : text)
  }

  async function answerNotReady(response: ServerResponse): Promise<void> {
    const found = await ownReadiness()
    if (found.ready) return refuse(response, 'STOPPING', 'the control plane is stopping')
    refuse(response, 'DATABASE_UNAVAILABLE', `not ready: ${found.reason}`, found.remedy)
  }

  const OWN = new Set(['/livez', '/readyz', '/metrics'])
  const onRequest: RequestListener = (request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? ''
    const failed = (err: unknown): void => {
      logger.error({ err }, 'request failed')
      response.destroy()
    }
    if (OWN.has(path) && (request.method === 'GET' || request.method === 'HEAD'))
      answerOwn(request, response, path).catch(failed)
    else if (running !== null) running.route(request, response)
    else answerNotReady(response).catch(failed)
  }

  /** Until it is there. Rejects when waiting would not help, or when we are to stop. */
  async function waitForDatabase(signal: AbortSignal): Promise<Database> {
    let said = ''
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        return await openDatabase({
          url: config.database.url,
          directory: config.state.directory,
          logger: options.logger.child({ component: 'database' }),
          clock,
          random,
        })
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof DatabaseError) || !error.retryable) throw error
        metrics.databaseFailed()
        const found = readinessOfError(error)
        readiness = async () => found
        const { code, message, remedy } = error
        logger[message === said ? 'debug' : 'warn'](
          { code, detail: message, remedy, pauseMs },
          'database is not there yet, it is tried again',
        )
        said = message
        await clock.sleep(pauseMs * (0.5 + random() / 2), signal)
      }
    }
  }

  async function open(address: ListenAddress, signal: AbortSignal): Promise<ControlDeps> {
    const opened = await waitForDatabase(signal)
    lifecycle.onStop('database', () => opened.close())
    signal.throwIfAborted()
    const database = options.wrapDatabase?.(opened) ?? opened
    await database.transaction(tx => assertNotStranded(tx, config), { readOnly: true })

    const hub = createHub({
      database,
      clock,
      logger: options.logger,
      random,
      onWentBack: async tx => {
        const requestId = makeId('req', { now: clock.now })
        const actor = { ...SYSTEM_ADMIN, id: 'hub', scopes: withIncluded([]) }
        await beginEpoch(tx, { pools: settingsRules(config), actor, requestId, reason: 'went-back' })
      },
    })
    hub.start()
    lifecycle.onStop('hub', () => hub.stop())

    const deps: ControlDeps = {
      config: { ...config, listen: address },
      database,
      clock,
      logger: options.logger,
      registry,
      hub,
      adminTokenHash,
    }
    const app = createApp(deps)
    app.addHook('onResponse', async (request, reply) => {
      const { url, config: route } = request.routeOptions
      metrics.answered({
        method: request.method,
        route: url ?? null,
        status: reply.statusCode,
        durationMs: route.held === true ? null : reply.elapsedTime,
      })
    })
    // No new connections; held polls and streams are answered, and what is at work may end.
    lifecycle.onStop('http', async () => {
      hub.release()
      await Promise.all([closeListener(), app.close()])
    })
    await app.ready()
    signal.throwIfAborted()

    const jobs = createJobs({ jobs: makeJobs(deps), database, clock, logger: options.logger, random })
    lifecycle.onStop('jobs', () => jobs.stop())
    jobs.start()
    readiness = createHealth({ database, clock })
    metrics.observe(
      async () => ({
        ready: (await ownReadiness()).ready,
        connections: await connections(),
        database: database.stats(),
        hub: hub.stats(),
        jobs: jobs.stats(),
      }),
      createCensus(database, async tx => (await readGround(tx, config)).rules, clock.monotonic),
    )
    running = { deps, jobs, route: (request, response) => app.routing(request, response) }
    logger.info({ database: database.kind, controlPlaneId: database.controlPlaneId }, 'control plane is ready')
    return deps
  }

  return {
    start: () =>
      lifecycle.start(async signal => {
        const material = config.tls === null ? null : await readTlsFiles(config.tls)
        const listener = createListener(material, onRequest)
        connections = listener.connections
        metrics.observe(
          async () => ({ ready: false, connections: await connections(), database: null, hub: null, jobs: [] }),
          null,
        )
        const address = await listener.listen(config.listen)
        closeListener = () => listener.close(ANSWERS_GRACE_MS)
        lifecycle.onStop('listener', () => closeListener())
        if (config.tls !== null) {
          const watch = await watchTlsFiles({ files: config.tls, apply: listener.setTls, clock, logger })
          tls = watch
          lifecycle.onStop('tls files', () => watch.stop())
        }
        opening = open(address, signal)
        opening.catch(err => {
          if (!signal.aborted) logger.error({ err }, 'control plane cannot be opened')
        })
        return address
      }),
    ready() {
      if (opening === null) return Promise.reject(new Error('start was not called'))
      return opening
    },
    async reloadTls() {
      await tls?.reload()
    },
    stop: () => lifecycle.stop(),
  }
}
