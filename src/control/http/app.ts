/**
 * The HTTP server of the control plane: what holds for every route is here, what each one does is in its room (rooms.ts).
 *
 *   const app = createApp(deps)
 *   await app.listen({ host, port })
 */
import Fastify, { type FastifyBaseLogger, LogController } from 'fastify'
import { serializerCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import { makeId } from '../db/id.ts'
import type { ControlDeps } from '../deps.ts'
import { ApiError } from './api-error.ts'
import { type AuthenticateNode, addGatekeeper } from './gatekeeper.ts'
import { sendProblem } from './problems.ts'
import { API_ROOMS, ROOT_ROOMS } from './rooms.ts'
import type { App } from './route.ts'
import { validatorCompiler } from './validate.ts'

export const API_PREFIX = '/api/v1'

const BODY_LIMIT_BYTES = 1024 * 1024

export type AppOptions = {
  readonly authenticateNode?: AuthenticateNode
  /** Further routes below `/api/v1`; for tests. */
  readonly routes?: (app: App, deps: ControlDeps) => void
}

const noNodes: AuthenticateNode = async () => {
  throw new ApiError('UNAUTHENTICATED', 'no node is known here')
}

/** Opens nothing: `listen` or `inject` starts it, `close` ends it. */
export function createApp(deps: ControlDeps, { authenticateNode = noNodes, routes }: AppOptions = {}): App {
  const logger: FastifyBaseLogger = deps.logger.child({ component: 'http' })
  const app: App = Fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_LIMIT_BYTES,
    genReqId: () => makeId('req', { now: deps.clock.now }),
    // A request id of the caller's choice would stand in our log and in the audit.
    requestIdHeader: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 200 },
    frameworkErrors: sendProblem,
  }).withTypeProvider<ZodTypeProvider>()

  app.decorateRequest('actor', null)
  app.decorateRequest('credential', null)
  app.decorateRequest('rawBody', null)
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.setErrorHandler(sendProblem)
  app.setNotFoundHandler(request => {
    throw new ApiError('NOT_FOUND', `there is nothing at ${request.method} ${request.url.split('?')[0]?.slice(0, 200)}`)
  })
  app.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id)
  })
  addGatekeeper(app, { deps, authenticateNode })

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
