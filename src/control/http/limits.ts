/**
 * How much one may ask for, so that a flood of one is not felt by the others.
 *
 * The tokens and sessions of a project count as one: a tenant cannot multiply itself. Who has proved nothing counts by address.
 */
// For the types that it adds to Fastify's.
import type {} from '@fastify/rate-limit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { ApiError } from './api-error.ts'
import type { App } from './route.ts'

export type LimitSettings = {
  /** Requests of a tenant, a token of all projects, or a node, in a window. */
  readonly perActor: number
  /** Requests without a credential from one address, in a window. */
  readonly perAddress: number
  readonly windowMs: number
  /** Credentials from one address that are not taken, in a minute. */
  readonly failuresPerMinute: number
  /** Requests of one of them at the same time. Those that wait on purpose do not count. */
  readonly atOnce: number
}

export const LIMITS: LimitSettings = {
  perActor: 2000,
  perAddress: 600,
  windowMs: 10_000,
  failuresPerMinute: 30,
  atOnce: 64,
}

const MINUTE_MS = 60_000
const REMEMBERED = 5000

type Limiter = ReturnType<App['createRateLimit']>

export type Limits = {
  /** Counts a request of whoever it is now known to be from. Throws an ApiError (429). */
  count(request: FastifyRequest, reply: FastifyReply): Promise<void>
  /** Before a credential is looked at: throws (429) when too many from that address were not taken. A credential that was taken before passes. */
  beforeCredential(request: FastifyRequest, hash: string | null): Promise<void>
  taken(hash: string): void
  notTaken(request: FastifyRequest): Promise<void>
  /** When the request is over. */
  done(request: FastifyRequest): void
}

const keyOf = ({ actor, ip }: FastifyRequest): string => {
  if (actor === null) return `address:${ip}`
  return actor.projectId === null ? `${actor.kind}:${actor.id}` : `project:${actor.projectId}`
}

function refuse(seconds: number, detail: string): never {
  throw new ApiError('RATE_LIMITED', detail, {
    headers: { 'retry-after': String(seconds) },
    extra: { retryAfterSeconds: seconds },
  })
}

/** After the plugin `@fastify/rate-limit`. */
export function makeLimits(app: App, settings: LimitSettings): Limits {
  const { perActor, perAddress, windowMs, failuresPerMinute, atOnce } = settings
  const actors: Limiter = app.createRateLimit({ max: perActor, timeWindow: windowMs, keyGenerator: keyOf })
  const addresses: Limiter = app.createRateLimit({ max: perAddress, timeWindow: windowMs, keyGenerator: keyOf })
  const failures: Limiter = app.createRateLimit({
    max: failuresPerMinute,
    timeWindow: MINUTE_MS,
    keyGenerator: ({ ip }) => `failure:${ip}`,
  })
  /** Hashes of credentials that were taken, so that somebody else's wrong ones from the same address do not shut them out. */
  const good = new Set<string>()
  const inside = new Map<string, number>()
  const entered = new WeakMap<FastifyRequest, string>()

  function enter(request: FastifyRequest): void {
    const key = keyOf(request)
    const now = inside.get(key) ?? 0
    if (now >= atOnce) refuse(1, `${now} of your requests are at work already`)
    inside.set(key, now + 1)
    entered.set(request, key)
  }

  return {
    async count(request, reply) {
      const { held, always } = request.routeOptions.config
      if (always === true) return
      const found = await (request.actor === null ? addresses : actors)(request)
      if (!found.isAllowed) {
        reply.headers({
          'ratelimit-limit': String(found.max),
          'ratelimit-remaining': String(found.remaining),
          'ratelimit-reset': String(found.ttlInSeconds),
        })
        if (found.isExceeded)
          refuse(found.ttlInSeconds, `more than ${found.max} requests in ${Math.round(windowMs / 1000)} s`)
      }
      if (held !== true) enter(request)
    },
    async beforeCredential(request, hash) {
      if (hash !== null && good.has(hash)) return
      const found = await failures(request, { increment: false })
      if (!found.isAllowed && found.remaining <= 0)
        refuse(Math.max(1, found.ttlInSeconds), 'too many tokens from this address were not taken')
    },
    taken(hash) {
      good.delete(hash)
      good.add(hash)
      if (good.size > REMEMBERED) {
        const [oldest] = good
        if (oldest !== undefined) good.delete(oldest)
      }
    },
    async notTaken(request) {
      await failures(request)
    },
    done(request) {
      const key = entered.get(request)
      if (key === undefined) return
      entered.delete(request)
      const left = (inside.get(key) ?? 1) - 1
      if (left <= 0) inside.delete(key)
      else inside.set(key, left)
    },
  }
}
