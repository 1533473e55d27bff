/** API tokens and sessions over HTTP. */
import { z } from 'zod'
import { ResourceId } from '../../api/id.ts'
import { Session, SessionInput } from '../../api/session.ts'
import { NewToken, Token, TokenInput, TokenPage, TokenQuery } from '../../api/token.ts'
import type { ControlDeps } from '../deps.ts'
import { sendAnswer } from '../http/answer.ts'
import { ApiError } from '../http/api-error.ts'
import { type App, actorOf } from '../http/route.ts'
import { mutate, read, write } from '../http/write.ts'
import { readCookie, writeCookie } from './cookie.ts'
import { closeSession, openSession, readSession, SIGNING_IN } from './sessions.ts'
import { createToken, getToken, listTokens, revokeToken } from './tokens.ts'

const TokenParams = z.object({ id: ResourceId })

export function registerAccess(app: App, deps: ControlDeps): void {
  registerTokens(app, deps)
  registerSessions(app, deps)
}

function registerTokens(app: App, deps: ControlDeps): void {
  app.post(
    '/tokens',
    {
      config: { access: 'admin', problems: ['SCOPE_MISSING'] },
      schema: {
        operationId: 'createToken',
        tags: ['tokens'],
        summary: 'Make an API token; it is shown this once',
        body: TokenInput,
        response: { 201: NewToken },
      },
    },
    async (request, reply) => {
      const answer = await write(deps, request, {}, async m => ({
        status: 201,
        body: await createToken(m, request.body),
        secret: true,
      }))
      return sendAnswer(reply, answer)
    },
  )
  app.get(
    '/tokens',
    {
      config: { access: 'admin', problems: ['CURSOR_INVALID'] },
      schema: {
        operationId: 'listTokens',
        tags: ['tokens'],
        summary: 'API tokens that are taken',
        querystring: TokenQuery,
        response: { 200: TokenPage },
      },
    },
    request => read(deps, tx => listTokens(tx, actorOf(request), request.query)),
  )
  app.get(
    '/tokens/:id',
    {
      config: { access: 'admin' },
      schema: {
        operationId: 'getToken',
        tags: ['tokens'],
        summary: 'One API token',
        params: TokenParams,
        response: { 200: Token },
      },
    },
    request => read(deps, tx => getToken(tx, actorOf(request), request.params.id)),
  )
  app.delete(
    '/tokens/:id',
    {
      config: { access: 'admin' },
      schema: {
        operationId: 'revokeToken',
        tags: ['tokens'],
        summary: 'Revoke an API token, and end its sessions',
        params: TokenParams,
        response: { 204: z.undefined() },
      },
    },
    async (request, reply) => {
      const answer = await write(deps, request, {}, async m => {
        await revokeToken(m, request.params.id)
        return { status: 204, body: null }
      })
      return sendAnswer(reply, answer)
    },
  )
}

function registerSessions(app: App, deps: ControlDeps): void {
  const { publicUrl } = deps.config
  const cookieOf = (request: Parameters<typeof readCookie>[0]): string => {
    const cookie = actorOf(request).kind === 'session' ? readCookie(request, publicUrl) : null
    if (cookie === null) throw new ApiError('NOT_FOUND', 'the request carries a token, not the cookie of a session')
    return cookie
  }

  app.post(
    '/sessions',
    {
      config: { access: 'public', guessable: true, problems: ['SIGN_IN_FAILED', 'CROSS_ORIGIN'] },
      schema: {
        operationId: 'openSession',
        tags: ['sessions'],
        summary: 'Sign in with an API token or the code of a one-time link',
        description: 'The session is in a cookie, which only a browser needs: programs send the token itself.',
        body: SessionInput,
        response: { 201: Session },
      },
    },
    async (request, reply) => {
      let cookie: string | null = null
      const answer = await mutate(deps, { actor: SIGNING_IN, requestId: request.id }, async m => {
        const opened = await openSession(m, request.body.token, readCookie(request, publicUrl))
        cookie = opened.cookie
        return { status: 201, body: opened.session }
      })
      reply.header('set-cookie', writeCookie(request, publicUrl, cookie))
      return sendAnswer(reply, answer)
    },
  )
  app.get(
    '/sessions/current',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'getSession',
        tags: ['sessions'],
        summary: 'The session of this browser',
        response: { 200: Session },
      },
    },
    request => read(deps, tx => readSession(tx, cookieOf(request))),
  )
  app.delete(
    '/sessions/current',
    {
      config: { access: 'read' },
      schema: {
        operationId: 'closeSession',
        tags: ['sessions'],
        summary: 'Sign out',
        response: { 204: z.undefined() },
      },
    },
    async (request, reply) => {
      const cookie = cookieOf(request)
      const answer = await write(deps, request, {}, async m => {
        await closeSession(m, cookie)
        return { status: 204, body: null }
      })
      reply.header('set-cookie', writeCookie(request, publicUrl, null))
      return sendAnswer(reply, answer)
    },
  )
}
