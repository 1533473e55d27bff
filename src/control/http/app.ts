/**
 * The HTTP server of the control plane: what holds for every route is here, what each one does is in its room (rooms.ts).
 *
 *   const app = createApp(deps)
 *   await app.ready()
 */
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify'
import { serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { makeId } from '../db/id.ts'
import type { ControlDeps } from '../deps.ts'
import { addBodyParser } from './body.ts'
import { addDeclarations } from './declare.ts'
import { type AuthenticateNode, addGatekeeper } from './gatekeeper.ts'
import { LIMITS, type LimitSettings, makeLimits } from './limits.ts'
import { LOAD, type LoadSettings, watchLoad } from './load.ts'
import { addLostRequests } from './lost.ts'
import { addOpenApi } from './openapi.ts'
import { sendProblem } from './problems.ts'
import { API_ROOMS, nodeAuthenticator, ROOT_ROOMS } from './rooms.ts'
import type { App } from './route.ts'
import { validatorCompiler } from './validate.ts'

export const API_PREFIX = '/api/v1'

/** Of the interface, not of the program. */
const API_VERSION = '1.0.0'

const BODY_LIMIT_BYTES = 1024 * 1024

export type AppOptions = {
  /** Says which node sent a request; for tests. */
  readonly authenticateNode?: AuthenticateNode
  readonly limits?: Partial<LimitSettings>
  readonly load?: Partial<LoadSettings>
  /** Further routes below `/api/v1`; for tests. */
  readonly routes?: (app: App, deps: ControlDeps) => void
}

/** Nothing from elsewhere, nothing inline, in no frame. */
const CONTENT_SECURITY_POLICY = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'none'"],
    scriptSrc: ["'self'"],
    styleSrc: ["'self'"],
    imgSrc: ["'self'"],
    fontSrc: ["'self'"],
    connectSrc: ["'self'"],
    baseUri: ["'none'"],
    formAction: ["'self'"],
    frameAncestors: ["'none'"],
  },
}

/** Opens nothing: `ready` starts it, `close` ends it. */
export function createApp(deps: ControlDeps, options: AppOptions = {}): App {
  const { limits, load: loadSettings, routes, authenticateNode = nodeAuthenticator(deps) } = options
  const { config, clock } = deps
  const logger: FastifyBaseLogger = deps.logger.child({ component: 'http' })
  const isTls = config.tls !== null || config.publicUrl?.startsWith('https:') === true
  const app: App = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT_BYTES,
    genReqId: () => makeId('req', { now: clock.now }),
    // A request id of the caller's choice would stand in our log and in the audit.
    requestIdHeader: false,
    trustProxy: config.trustedProxies.length === 0 ? false : [...config.trustedProxies],
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 200 },
    frameworkErrors: sendProblem,
  }).withTypeProvider<ZodTypeProvider>()

  app.decorateRequest('actor', null)
  app.decorateRequest('credential', null)
  app.decorateRequest('lastUsedAt', null)
  app.decorateRequest('rawBody', null)
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler(sendProblem)
  addBodyParser(app)

  app.addHook('onRequest', async (request, reply) => {
    // What concerns one caller is for no cache; a handler that knows better says so.
    reply.headers({ 'x-request-id': request.id, 'cache-control': 'no-store' })
  })
  addLostRequests(app)
  addDeclarations(app)
  addOpenApi(app, API_VERSION)
  app.register(helmet, {
    contentSecurityPolicy: CONTENT_SECURITY_POLICY,
    xFrameOptions: { action: 'deny' },
    strictTransportSecurity: isTls ? { maxAge: 31_536_000, includeSubDomains: false } : false,
  })
  app.register(rateLimit, { global: false })

  // The plugins come first: a request that is refused here has their headers, too.
  app.after(() => {
    const load = watchLoad(deps.database, { ...LOAD, ...loadSettings })
    app.addHook('onClose', async () => load.stop())
    addGatekeeper(app, {
      deps,
      authenticateNode,
      limits: makeLimits(app, { ...LIMITS, ...limits }, clock.monotonic),
      load,
    })
  })
  app.register(
    async api => {
      const typed = api.withTypeProvider<ZodTypeProvider>()
      for (const register of API_ROOMS) register(typed, deps)
      routes?.(typed, deps)
    },
    { prefix: API_PREFIX },
  )
  app.register(async root => {
    for (const register of ROOT_ROOMS) register(root.withTypeProvider<ZodTypeProvider>(), deps)
  })
  return app
}
