/**
 * The admin endpoint: what people, Prometheus and systemd ask this agent. For this machine only.
 *
 *   GET  /metrics  /livez  /readyz  /status  /explain/ID  /explain/PROTOCOL/ID
 *   POST /accept   { "hash" }
 *
 * It reads what the agent knows and decides nothing; a fault in it is an answer 500 and a log line, and the provider endpoint knows nothing of it.
 * A refusal is `application/problem+json` (RFC 9457) with a stable `code` and, where there is one, a `remedy`.
 */
import { type FastifyError, type FastifyInstance, type FastifyReply, fastify } from 'fastify'
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import { z } from 'zod'
import { PROTOCOLS, type Protocol, printable } from '../../core/problem.ts'
import type { ListenAddress } from '../../lib/setting-types.ts'
import { allowedHosts, hasAllowedHost, isLocalPeer, LOCAL_HEADERS, listenOnLoopback } from '../local-http.ts'
import { nearKeys, resolveKey } from './explain-key.ts'

export type Readiness = { readonly ready: boolean; readonly reasons: readonly string[] }
export type Liveness = { readonly alive: boolean; readonly reasons: readonly string[] }

export type AcceptResult =
  /** The hash of the state that was held and is accepted now, and how many routes it takes away. */
  | { readonly ok: true; readonly hash: string; readonly removals: number }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly remedy: string }

/** What the endpoint itself needs of the answer to `/status`: the ids, to say which one was perhaps meant. */
type Status = { readonly routes: readonly { readonly protocol: Protocol; readonly id: string }[] }

export type AdminOptions = {
  readonly listen: ListenAddress
  readonly status: () => Status
  /** What is known of one route by its key (`tcp/pg`), as JSON; null when there is none. */
  readonly explain: (key: string) => unknown
  readonly readiness: () => Readiness
  readonly liveness: () => Liveness
  readonly registry: Registry
  /** Accepts the held state with this hash, or what is held now (null). Without it there is no `POST /accept`. */
  readonly accept?: (hash: string | null) => AcceptResult | Promise<AcceptResult>
  readonly logger: Logger
}

export interface Admin {
  /** Resolves with the port once it listens. Rejects with a ListenError. Once only. */
  start(): Promise<{ readonly port: number }>
  /** Answers that have begun get a short time, then all is closed. May be called at any time and again. */
  stop(): Promise<void>
}

const MAX_CONNECTIONS = 64
const MAX_BODY_BYTES = 16 * 1024
/** An id of 200 signs may take twelve bytes of a URL for each. */
const MAX_PARAM_LENGTH = 4096
const REQUEST_TIMEOUT_MS = 10_000
const IDLE_TIMEOUT_MS = 30_000
const STOP_TIMEOUT_MS = 1_000

type Refusal = {
  readonly status: number
  readonly code: string
  readonly title: string
  readonly detail: string
  readonly remedy?: string
  readonly near?: readonly string[]
}

function refuse(reply: FastifyReply, refusal: Refusal): FastifyReply {
  const body = JSON.stringify({ type: 'about:blank', ...refusal })
  return reply.code(refusal.status).header('Content-Type', 'application/problem+json; charset=utf-8').send(body)
}

const acceptBody = z.strictObject({ hash: z.string().regex(/^[0-9a-f]{8,64}$/) })

const ENDPOINTS = 'The endpoints are /metrics, /livez, /readyz, /status, /explain/ROUTE and POST /accept.'

/** The methods that a path knows, or null for a path that there is none of. */
function methodsOf(path: string, takesAccept: boolean): string | null {
  if (/^\/(?:metrics|livez|readyz|status|explain\/[^/]+(?:\/[^/]+)?)$/.test(path)) return 'GET, HEAD'
  return path === '/accept' && takesAccept ? 'POST' : null
}

/** The admin endpoint. Opens nothing before `start`. */
export function createAdmin(options: AdminOptions): Admin {
  const { listen, registry, accept } = options
  const log = options.logger.child({ component: 'admin' })
  let hosts: ReadonlySet<string> = new Set()
  let stopping: Promise<void> | null = null

  const app = fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: IDLE_TIMEOUT_MS,
    keepAliveTimeout: IDLE_TIMEOUT_MS,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    frameworkErrors: (error, _request, reply) => answerError(error, reply),
  })
  // Else a text would be taken too, and a web page of another origin can send one without asking first.
  app.removeContentTypeParser('text/plain')

  function answerError(error: FastifyError, reply: FastifyReply): FastifyReply {
    const status = error.statusCode ?? 500
    if (status < 500)
      return refuse(reply, { status, code: 'BAD_REQUEST', title: 'Bad request', detail: printable(error.message) })
    log.error({ err: error }, 'admin request failed')
    return refuse(reply, {
      status: 500,
      code: 'INTERNAL_ERROR',
      title: 'Internal error',
      detail: 'The agent could not answer this; its log has the fault. Routes are not touched by it.',
    })
  }
  app.setErrorHandler<FastifyError>((error, _request, reply) => answerError(error, reply))

  app.addHook('onRequest', async (request, reply) => {
    reply.headers(LOCAL_HEADERS)
    if (!isLocalPeer(request.socket.remoteAddress)) return refuse(reply, FOREIGN_PEER)
    if (!hasAllowedHost(request.raw, hosts)) return refuse(reply, WRONG_HOST)
    // Programs send no Origin; browsers send one with everything that could change something.
    if (request.headers.origin !== undefined) return refuse(reply, FROM_BROWSER)
    return undefined
  })

  app.setNotFoundHandler((request, reply) => {
    const path = request.url.replace(/\?.*$/s, '')
    const methods = methodsOf(path, accept !== undefined)
    if (methods === null)
      return refuse(reply, {
        status: 404,
        code: 'NOT_FOUND',
        title: 'Not found',
        detail: `there is no ${printable(path)} here`,
        remedy: ENDPOINTS,
      })
    return refuse(reply.header('Allow', methods), {
      status: 405,
      code: 'METHOD_NOT_ALLOWED',
      title: 'Method not allowed',
      detail: `${path} does not take ${printable(request.method)}`,
      remedy: `Use ${methods}.`,
    })
  })

  app.get('/metrics', async (_request, reply) => {
    const text = await registry.metrics()
    return reply.header('Content-Type', registry.contentType).send(text)
  })
  app.get('/livez', (_request, reply) => {
    const liveness = options.liveness()
    reply.code(liveness.alive ? 200 : 503).send(liveness)
  })
  app.get('/readyz', (_request, reply) => {
    const readiness = options.readiness()
    reply.code(readiness.ready ? 200 : 503).send(readiness)
  })
  app.get('/status', (_request, reply) => {
    reply.send(options.status())
  })
  app.get<{ Params: { id: string } }>('/explain/:id', (request, reply) => explain(reply, null, request.params.id))
  app.get<{ Params: { protocol: string; id: string } }>('/explain/:protocol/:id', (request, reply) =>
    explain(reply, request.params.protocol, request.params.id),
  )
  if (accept !== undefined) addAccept(app, accept)

  function explain(reply: FastifyReply, protocol: string | null, id: string): FastifyReply {
    const { routes } = options.status()
    const found = resolveKey(routes, protocol, id)
    if (found.length > 1)
      return refuse(reply, {
        status: 409,
        code: 'ROUTE_AMBIGUOUS',
        title: 'More than one route',
        detail: `${printable(id)} is the id of ${found.length} routes`,
        remedy: `Ask for one of ${found.join(', ')}.`,
        near: found,
      })
    const asked = protocol === null ? id : `${protocol}/${id}`
    const explained = options.explain(found[0] ?? asked) ?? null
    if (explained !== null) return reply.send(explained)
    const near = nearKeys(routes, id)
    return refuse(reply, {
      status: 404,
      code: 'ROUTE_UNKNOWN',
      title: 'No such route',
      detail:
        protocol !== null && !PROTOCOLS.some(known => known === protocol)
          ? `${printable(protocol)} is not a protocol; it is http, tcp or udp`
          : `no route ${printable(asked)} is expected on this node`,
      remedy: near.length === 0 ? 'Look at /status for the routes there are.' : `Perhaps ${near.join(' or ')}.`,
      near,
    })
  }

  async function close(): Promise<void> {
    // A request that never ends is not idle, so closing would wait for it.
    const force = setTimeout(() => app.server.closeAllConnections(), STOP_TIMEOUT_MS)
    try {
      await app.close()
    } finally {
      clearTimeout(force)
    }
  }

  return {
    async start() {
      await app.ready()
      app.server.maxConnections = MAX_CONNECTIONS
      const { port } = await listenOnLoopback(app.server, { name: 'admin', listen })
      hosts = allowedHosts(listen, port)
      return { port }
    },
    stop() {
      stopping ??= close()
      return stopping
    },
  }
}

function addAccept(app: FastifyInstance, accept: NonNullable<AdminOptions['accept']>): void {
  app.post('/accept', async (request, reply) => {
    const body = request.body === undefined || request.body === null ? null : acceptBody.safeParse(request.body)
    if (body !== null && !body.success)
      return refuse(reply, {
        status: 400,
        code: 'BAD_REQUEST',
        title: 'Bad request',
        detail: 'the body is not { "hash": "..." } with the hash of a held state',
        remedy: 'Give the hash that /status shows, or no body to accept what is held now.',
      })
    const result = await accept(body?.data.hash ?? null)
    if (result.ok) return reply.send(result)
    const { code, message, remedy } = result
    return refuse(reply, { status: 409, code, title: 'Not accepted', detail: message, remedy })
  })
}

const WRONG_HOST: Refusal = {
  status: 421,
  code: 'WRONG_HOST',
  title: 'Wrong host',
  detail: 'the Host header is not the loopback address of this endpoint',
  remedy: 'Ask by 127.0.0.1, [::1] or localhost, with the port.',
}
const FROM_BROWSER: Refusal = {
  status: 403,
  code: 'ORIGIN_NOT_ALLOWED',
  title: 'Not for web pages',
  detail: 'the request has an Origin header, so a web page has sent it',
  remedy: 'Use the command line, or a program on this machine.',
}
const FOREIGN_PEER: Refusal = {
  status: 403,
  code: 'PEER_NOT_LOCAL',
  title: 'For this machine only',
  detail: 'the request comes from another machine',
  remedy: 'Ask from this machine, and take out the packet filter rule that leads here.',
}
