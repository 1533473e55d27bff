/**
 * Who may call a route. A route declares it (`config.access`), and one that does not cannot be registered: nothing is open by forgetting.
 *
 * A token or session is looked up before the body is read; a node's signature covers the body, so that one is checked after it.
 */
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Scope } from '../../api/token.ts'
import type { Actor } from '../access/actor.ts'
import { recognizeToken } from '../access/authenticate.ts'
import type { ControlDeps } from '../deps.ts'
import { ApiError } from './api-error.ts'
import { headerValues } from './headers.ts'
import type { App } from './route.ts'

/** Says which node signed the request. Throws an ApiError when none did whose word we take. */
export type AuthenticateNode = (request: FastifyRequest) => Promise<Actor>

export type GatekeeperOptions = {
  readonly deps: ControlDeps
  readonly authenticateNode: AuthenticateNode
}

/** Declares the hooks on the whole server. */
export function addGatekeeper(app: App, { deps, authenticateNode }: GatekeeperOptions): void {
  app.addHook('onRoute', ({ config, method, url }) => {
    if (config?.access === undefined) throw new Error(`${String(method)} ${url} does not say who may call it`)
  })
  app.addHook('onRequest', async (request, reply) => {
    const { access, global } = request.routeOptions.config
    // Without a route there is nothing to guard but the answer that there is none.
    if (access === undefined || access === 'public' || access === 'node') return
    const actor = await authenticate(deps, request, reply)
    request.actor = actor
    requireScope(actor, access)
    if (global === true && actor.projectId !== null)
      throw new ApiError('NOT_FOUND', 'there is no such thing for a token of one project')
  })
  app.addHook('preValidation', async request => {
    if (request.routeOptions.config.access === 'node') request.actor = await authenticateNode(request)
  })
}

const unauthenticated = (detail: string): ApiError =>
  new ApiError('UNAUTHENTICATED', detail, { headers: { 'www-authenticate': 'Bearer realm="fairlead"' } })

async function authenticate(deps: ControlDeps, request: FastifyRequest, _reply: FastifyReply): Promise<Actor> {
  const [header, ...more] = headerValues(request.raw, 'authorization')
  if (header === undefined || more.length > 0) throw unauthenticated('the request carries no token')
  const token = /^bearer +(\S+)$/i.exec(header)?.[1]
  if (token === undefined) throw unauthenticated('the header Authorization is not `Bearer flt_...`')
  const found = await recognizeToken(deps, token)
  if (found === null) throw unauthenticated('the token is not one of ours, or it is expired or revoked')
  request.credential = token
  return found.actor
}

function requireScope(actor: Actor, scope: Scope): void {
  if (actor.scopes.has(scope)) return
  throw new ApiError(
    'SCOPE_MISSING',
    `this needs the scope ${scope}; ${actor.name} has ${[...actor.scopes].join(', ')}`,
    {
      extra: { scope },
    },
  )
}
