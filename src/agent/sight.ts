/**
 * What is known of Traefik: what its API shows, whether it is there, and what the run before this one has seen.
 *
 *   presence (gone, back) --\
 *   observer (each look) ----> Sight -> onNews: plan again -> onLook: judge again
 *
 * Without an API in the settings there is nothing to be seen, and everybody goes by names.
 */
import type { Logger } from 'pino'
import { foreignNow } from '../core/foreign.ts'
import { canonicalJson } from '../core/hash.ts'
import type { ObservedTraefik } from '../core/observed.ts'
import type { TraefikView } from '../core/placement.ts'
import { createObserver, type Observation, type ObserverOptions } from './traefik/observer.ts'
import { createPresence } from './traefik/presence.ts'
import { createTraefikApi } from './traefik/traefik-api.ts'

/** A body that took Traefik less than this is no reason to wait with the next one. */
const QUICK_APPLY_MS = 250
const LONGEST_PAUSE_MS = 10_000

export type SightOptions = {
  /** Address of Traefik's API; null: nothing is seen. */
  readonly api: string | null
  /** Of the run before this one. */
  readonly remembered: ObservedTraefik | null
  /** Something that goes into a plan is another: entry points, version, routers and providers of others, or whether these can be trusted. */
  readonly onNews: () => void
  /** After each look, well or not. */
  readonly onLook: () => void
  readonly onRestart: ObserverOptions['onRestart']
  /** Nobody listens on the API any more. */
  readonly onGone: () => void
  readonly onBack: () => void
  readonly logger: Logger
  readonly now: () => number
}

export interface Sight {
  /** Resolves after the first attempt to read, well or not. */
  start(): Promise<void>
  stop(): Promise<void>
  /** Null: there is no API. */
  observation(): Observation | null
  /** For a plan: what is seen, else what was seen in the run before; null when nobody knows. */
  seen(): ObservedTraefik | null
  view(everServed: ReadonlySet<string>): TraefikView
  /** Names of our routers that Traefik has and that are no tombstones; null when it has none, `unknown` when it may have all of them. */
  standing(): readonly string[] | 'unknown' | null
  /** How long the next body waits after the last one. */
  pauseMs(): number
  /** Look as soon as possible. */
  kick(): void
  /** Traefik has fetched this body: look for its beacon. */
  fetched(hash: string): void
  openConnections(signal: AbortSignal): Promise<ReadonlyMap<string, number> | null>
}

const BLIND = { reading: null, fault: null, settled: false, lastApplyMs: 0 } as const

export function createSight(options: SightOptions): Sight {
  const { logger, onNews, onLook, onGone, onBack } = options
  /** Who the other providers are is known of the Traefik that runs, not of the one before it: it may have been given another. */
  const remembered = options.remembered === null ? null : { ...options.remembered, providers: null }
  /** Infinity while nobody listens on the API. */
  let listensSinceMs = Number.NEGATIVE_INFINITY
  let foreignBefore = remembered?.foreignRouters ?? []
  let known = canonicalJson(remembered)
  let wasSettled = false

  const parts = options.api === null ? null : open(options.api)
  const observation = (): Observation | null => parts?.observer.observation() ?? null

  function open(url: string) {
    const api = createTraefikApi({ url })
    const observer = createObserver({
      api,
      logger,
      now: options.now,
      onRestart: options.onRestart,
      onChange() {
        news()
        onLook()
      },
    })
    const presence = createPresence({
      url,
      logger,
      onGone() {
        listensSinceMs = Number.POSITIVE_INFINITY
        news()
        onGone()
        observer.kick()
      },
      onBack() {
        listensSinceMs = performance.now()
        onBack()
        observer.kick()
      },
    })
    return { api, observer, presence }
  }

  function seen(): ObservedTraefik | null {
    const { reading, settled } = observation() ?? BLIND
    if (reading === null) return remembered
    const { version, entryPoints, runtime } = reading
    const providers = reading.askedAtMs >= listensSinceMs ? reading.providers : null
    foreignBefore = foreignNow(runtime.foreignRouters, foreignBefore, settled)
    return { version, entryPoints, foreignRouters: foreignBefore, providers }
  }

  function news(): void {
    const { settled } = observation() ?? BLIND
    const now = canonicalJson(seen())
    const isNew = now !== known || settled !== wasSettled
    known = now
    wasSettled = settled
    if (isNew) onNews()
  }

  return {
    async start() {
      parts?.presence.start()
      await parts?.observer.start()
    },
    async stop() {
      await parts?.observer.stop()
      parts?.presence.stop()
      await parts?.api.close()
    },
    observation,
    seen,
    view: everServed => ({
      observed: seen(),
      tombstones: parts === null || parts.observer.observation().settled ? 'everywhere' : everServed,
    }),
    standing() {
      if (parts === null) return null
      const { reading, fault } = parts.observer.observation()
      // Nobody listens, so nobody has routes; one that listens and is late may have them all.
      if (reading === null) return fault === null || fault.kind === 'timeout' ? 'unknown' : null
      return reading.runtime.routers.map(({ name }) => name).filter(name => !name.startsWith('tombstone_'))
    },
    pauseMs() {
      const lastApplyMs = (observation() ?? BLIND).lastApplyMs ?? 0
      return lastApplyMs < QUICK_APPLY_MS ? 0 : Math.min(lastApplyMs, LONGEST_PAUSE_MS)
    },
    kick: () => parts?.observer.kick(),
    fetched: hash => parts?.observer.fetched(hash),
    openConnections: async signal => (await parts?.api.openConnections(signal)) ?? null,
  }
}
