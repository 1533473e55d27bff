/** What every route of ours declares beside its schemas. A route that does not say who may call it cannot be registered. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, RawServerDefault } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import type { ProblemCode } from '../../api/problem-codes.ts'
import type { Scope } from '../../api/token.ts'
import type { Actor } from '../access/actor.ts'

/** `node`: a request that an agent signed. A scope: a token or a session that has it. */
export type Access = 'public' | 'node' | Scope

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access
    /** Belongs to no project: for an actor of one project it is not there. */
    global?: boolean
    /** The codes that this route may answer with beyond those that any route may. */
    problems?: readonly ProblemCode[]
    /** Waits on purpose (a held poll, a stream): counts for no limit of what is at work. */
    held?: boolean
    /** Where secrets can be guessed: few calls from an address. */
    guessable?: boolean
    /** For programs that may know us by any name; whoever calls it proves itself in the body. */
    anyHost?: boolean
    /** Answers whatever the load: for who asks whether we live. */
    always?: boolean
  }
  interface FastifyRequest {
    /** Null on public routes. */
    actor: Actor | null
    /** What the actor proved itself with; only to derive keys from. */
    credential: string | null
    /** When the credential was last noted to be used; null: never, or it is not noted. */
    lastUsedAt: Date | null
    /** The bytes of the body as they came; kept for routes of nodes, whose signature covers them. */
    rawBody: Buffer | null
  }
}

/** The server as the rooms see it. Their paths are relative to `/api/v1`. */
export type App = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodTypeProvider>

/** The actor of a route that is not public. */
export function actorOf(request: Pick<FastifyRequest, 'actor'>): Actor {
  if (request.actor === null) throw new Error('a public route has no actor')
  return request.actor
}
