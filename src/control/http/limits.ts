/**
 * How much one may ask for, so that a flood of one is not felt by the others.
 *
 * The tokens and sessions of a project count as one: a tenant cannot multiply itself. Who has proved nothing counts by address.
 */
// For the types that it adds to Fastify's.
import type {} from '@fastify/rate-limit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { isLoopback } from '../../lib/setting-types.ts'
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
  /**
   * Before a credential is looked for in the database: throws (429) when whoever had it last is over a limit, or when nobody is known to have
   * it and too many from that address were not taken.
   */
  beforeCredential(request: FastifyRequest, hash: string | null): Promise<void>
  /** The credential with this hash belongs to the actor of the request. */
  taken(request: FastifyRequest, hash: string): void
  notTaken(request: FastifyRequest): Promise<void>
  /** When the request is over. */
  done(request: FastifyRequest): void
}

const keyOf = ({ actor, ip }: FastifyRequest): string => {
  if (actor === null) return `address:${ip}`
  return actor.projectId === null ? `${actor.kind}:${actor.id}` : `project:${actor.projectId}`
}

/**
 * From this machine, or through a proxy on it that we were not told of: one address for everybody. Were it shut out for the wrong tokens of
 * one, it would be for all.
 */
const isHere = ({ ip }: FastifyRequest): boolean => isLoopback(ip.replace(/^::ffff:/, ''))

function refuse(seconds: number, detail: string): never {
  throw new ApiError('RATE_LIMITED', detail, {
    headers: { 'retry-after': String(seconds) },
    extra: { retryAfterSeconds: seconds },
  })
}

/**
 * After the plugin `@fastify/rate-limit`.
 * @param now milliseconds of a clock that never jumps
 */
export function makeLimits(app: App, settings: LimitSettings, now: () => number): Limits {
  const { perActor, perAddress, windowMs, failuresPerMinute, atOnce } = settings
  const actors: Limiter = app.createRateLimit({ max: perActor, timeWindow: windowMs, keyGenerator: keyOf })
  const addresses: Limiter = app.createRateLimit({ max: perAddress, timeWindow: windowMs, keyGenerator: keyOf })
  const failures: Limiter = app.createRateLimit({
    max: failuresPerMinute,
    timeWindow: MINUTE_MS,
    keyGenerator: ({ ip }) => `failure:${ip}`,
  })
  /** By the hash of a credential that was taken, whose it was. It opens nothing: it is looked up all the same. */
  const good = new Map<string, string>()
  /** Who is over the limit, and until when. */
  const over = new Map<string, number>()
  const inside = new Map<string, number>()
  const entered = new WeakMap<FastifyRequest, string>()

  function checkRoom(key: string): void {
    const now = inside.get(key) ?? 0
    if (now >= atOnce) refuse(1, `${now} of your requests are at work already`)
  }

  function enter(request: FastifyRequest, { raw }: FastifyReply): void {
    const key = keyOf(request)
    checkRoom(key)
    // Nobody is told when an answer ends that has nobody left to read it.
    if (raw.destroyed) return
    inside.set(key, (inside.get(key) ?? 0) + 1)
    entered.set(request, key)
    // A caller who leaves early gets no answer that could be finished: the end of the connection is all that is heard.
    raw.once('close', () => leave(request))
  }

  function leave(request: FastifyRequest): void {
    const key = entered.get(request)
    if (key === undefined) return
    entered.delete(request)
    const left = (inside.get(key) ?? 1) - 1
    if (left <= 0) inside.delete(key)
    else inside.set(key, left)
  }

  function checkOver(key: string): void {
    const leftMs = (over.get(key) ?? 0) - now()
    if (leftMs > 0)
      refuse(Math.ceil(leftMs / 1000), `more than ${perActor} requests in ${Math.round(windowMs / 1000)} s`)
    over.delete(key)
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
        if (found.isExceeded) {
          if (request.actor !== null) over.set(keyOf(request), now() + found.ttl)
          refuse(found.ttlInSeconds, `more than ${found.max} requests in ${Math.round(windowMs / 1000)} s`)
        }
      }
      if (held !== true) enter(request, reply)
    },
    async beforeCredential(request, hash) {
      const key = hash === null ? undefined : good.get(hash)
      if (key !== undefined) {
        checkOver(key)
        if (request.routeOptions.config.held !== true) checkRoom(key)
        return
      }
      if (isHere(request)) return
      const found = await failures(request, { increment: false })
      if (!found.isAllowed && found.remaining <= 0)
        refuse(Math.max(1, found.ttlInSeconds), 'too many tokens from this address were not taken')
    },
    taken(request, hash) {
      good.delete(hash)
      good.set(hash, keyOf(request))
      if (good.size > REMEMBERED) {
        const [oldest] = good.keys()
        if (oldest !== undefined) good.delete(oldest)
      }
    },
    async notTaken(request) {
      if (!isHere(request)) await failures(request)
    },
    done: leave,
  }
}
