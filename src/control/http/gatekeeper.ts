/**
 * Who may call a route. A route declares it (`config.access`), and one that does not cannot be registered: nothing is open by forgetting.
 *
 *   Host -> load -> credential -> limits -> scope -> (body) -> a node's signature -> handler
 *
 * A token or session is looked up before the body is read; a node's signature covers the body, so that one is checked after it.
 */
import type { FastifyRequest } from 'fastify'
import type { Scope } from '../../api/token.ts'
import type { Actor } from '../access/actor.ts'
import { recognizeCookie, recognizeToken } from '../access/authenticate.ts'
import { readCookie } from '../access/cookie.ts'
import { createLastUsed } from '../access/last-used.ts'
import { hashSecret } from '../access/secret.ts'
import type { ControlDeps } from '../deps.ts'
import { ApiError } from './api-error.ts'
import { headerValues } from './headers.ts'
import type { Limits } from './limits.ts'
import type { Load } from './load.ts'
import { checkHost, checkSameOrigin, makeHostCheck } from './origin.ts'
import type { App } from './route.ts'

/** Says which node signed the request. Throws an ApiError when none did whose word we take. */
export type AuthenticateNode = (request: FastifyRequest) => Promise<Actor>

export type GatekeeperOptions = {
  readonly deps: ControlDeps
  readonly authenticateNode: AuthenticateNode
  readonly limits: Limits
  readonly load: Load
}

/** Declares the hooks on the whole server, before its routes. */
export function addGatekeeper(app: App, { deps, authenticateNode, limits, load }: GatekeeperOptions): void {
  const isOurHost = makeHostCheck(deps.config)
  const lastUsed = createLastUsed(deps)

  app.addHook('onRoute', ({ config, method, url }) => {
    if (config?.access === undefined) throw new Error(`${String(method)} ${url} does not say who may call it`)
  })

  app.addHook('onRequest', async (request, reply) => {
    checkHost(request, isOurHost)
    // The database can keep no such sign, so nothing has it in its name.
    if (/%00/.test(request.url)) throw new ApiError('QUERY_INVALID', 'the URL holds a sign of code 0')
    const { access, global, always, held, guessable } = request.routeOptions.config
    if (always !== true && held !== true) load.check()
    if (access === undefined || access === 'public') {
      if (access === 'public') checkSameOrigin(request, deps.config.publicUrl, { sure: false })
      if (guessable === true) await limits.beforeCredential(request, null)
      await limits.count(request, reply)
      return
    }
    if (access === 'node') return
    const actor = await authenticate(request)
    await limits.count(request, reply)
    requireScope(actor, access)
    if (global === true && actor.projectId !== null)
      throw new ApiError('NOT_FOUND', 'there is no such thing for a token of one project')
  })

  app.addHook('preValidation', async (request, reply) => {
    if (request.routeOptions.config.access !== 'node') return
    await limits.beforeCredential(request, hashSecret(`node ${request.headers['x-server-id']}`))
    request.actor = await authenticateNode(request)
    limits.taken(request, hashSecret(`node ${request.actor.id}`))
    await limits.count(request, reply)
  })

  app.addHook('onResponse', async (request, reply) => {
    limits.done(request)
    const { access, guessable } = request.routeOptions.config
    if (reply.statusCode === 401 && (access !== 'public' || guessable === true)) await limits.notTaken(request)
    else lastUsed.note(request)
  })
  app.addHook('onClose', async () => {
    await lastUsed.stop()
  })

  async function authenticate(request: FastifyRequest): Promise<Actor> {
    const credential = credentialOf(request, deps.config.publicUrl)
    const hash = hashSecret(credential.value)
    await limits.beforeCredential(request, hash)
    const found = await (credential.kind === 'token' ? recognizeToken : recognizeCookie)(deps, credential.value)
    if (found === null)
      throw unauthenticated(
        credential.kind === 'token'
          ? 'the token is not one of ours, or it is expired or revoked'
          : 'the session is over',
      )
    if (credential.kind === 'cookie') checkSameOrigin(request, deps.config.publicUrl, { sure: true })
    request.actor = found.actor
    limits.taken(request, hash)
    request.credential = credential.value
    request.lastUsedAt = found.lastUsedAt
    return found.actor
  }
}

const unauthenticated = (detail: string): ApiError =>
  new ApiError('UNAUTHENTICATED', detail, { headers: { 'www-authenticate': 'Bearer realm="fairlead"' } })

type Credential = { readonly kind: 'token' | 'cookie'; readonly value: string }

/** A header is meant; a cookie may only have come along. */
function credentialOf(request: FastifyRequest, publicUrl: string | null): Credential {
  const [header, ...more] = headerValues(request.raw, 'authorization')
  if (header === undefined) {
    const cookie = readCookie(request, publicUrl)
    if (cookie === null) throw unauthenticated('the request carries no token')
    return { kind: 'cookie', value: cookie }
  }
  const token = more.length > 0 ? undefined : /^bearer +(\S+)$/i.exec(header)?.[1]
  if (token === undefined) throw unauthenticated('the header Authorization is not `Bearer flt_...`')
  return { kind: 'token', value: token }
}

function requireScope(actor: Actor, scope: Scope): void {
  if (actor.scopes.has(scope)) return
  const has = [...actor.scopes].join(', ')
  throw new ApiError('SCOPE_MISSING', `this needs the scope ${scope}; ${actor.name} has ${has === '' ? 'none' : has}`, {
    extra: { scope },
  })
}
