/**
 * Probes the routes that ask for it, again and again, and any route once when a person asks.
 *
 *   targets -> book (core/probe-schedule.ts) -> at most so many at once, so many a second -> ask -> judge -> result
 *
 * It has its own timer and nothing waits for it. A result holds for the route as it was probed: when the route or its entry point
 * changes, or no longer stands in Traefik, it is gone.
 */
import type { Logger } from 'pino'
import { judgeProbe, type ProbeResult } from '../../core/probe/probe.ts'
import { answered, enter, firstDue } from '../../core/probe/schedule.ts'
import type { ProbeTarget } from '../../core/probe/target.ts'
import type { RouteKey } from '../../core/problem.ts'
import type { Clock } from '../../lib/clock.ts'
import { type Ask, askThrough } from './probe-socket.ts'

export type ProbeLimits = {
  readonly atOnce: number
  readonly perSecond: number
  /** For one probe, in all. */
  readonly deadlineMs: number
  /** A connection that stays open for so long is taken by somebody. */
  readonly openMs: number
  /** How long the answer to a person is kept for a route that has no probe of its own. */
  readonly keptMs: number
}

export const PROBE_LIMITS: ProbeLimits = {
  atOnce: 8,
  perSecond: 20,
  deadlineMs: 3_000,
  openMs: 300,
  keptMs: 300_000,
}

const MAX_WISHES = 1_000

export type ProbesOptions = {
  /** Every route that asks for a probe and stands in Traefik. */
  readonly routes: () => readonly ProbeTarget[]
  /** Any route, or a sentence that says why it cannot be asked. */
  readonly find: (key: RouteKey) => ProbeTarget | string
  /** `changed`: the route has another `ok` than before, or a person waits for the answer. */
  readonly onResult: (key: RouteKey, result: ProbeResult, changed: boolean) => void
  readonly clock: Clock
  readonly logger: Logger
  readonly ask?: Ask
  /** 0 to 1, for the jitter. */
  readonly random?: () => number
  readonly limits?: Partial<ProbeLimits>
}

export interface Probes {
  start(): void
  /** Aborts what is being asked; resolves when nothing is open any more. */
  stop(): Promise<void>
  /** The routes, or what Traefik shows of them, may have changed. */
  refresh(): void
  /** Once now, for a person: the answer carries the id of the wish. */
  kick(key: RouteKey, requestId?: string): void
  results(): ReadonlyMap<RouteKey, ProbeResult>
}

type Running = { readonly target: ProbeTarget; readonly aborter: AbortController; readonly done: Promise<void> }

/** For what a result holds. `untilMs` of a clock that does not jump; null: as long as the route stands. */
type Validity = { readonly version: string; readonly untilMs: number | null }

export function createProbes(options: ProbesOptions): Probes {
  const { clock, ask = askThrough, random = Math.random } = options
  const limits = { ...PROBE_LIMITS, ...options.limits }
  const log = options.logger.child({ component: 'probe' })
  const running = new Map<RouteKey, Running>()
  /** Of persons: the id of each wish, where it has one. */
  const wishes = new Map<RouteKey, string | null>()
  const results = new Map<RouteKey, ProbeResult>()
  const validity = new Map<RouteKey, Validity>()
  let targets: ReadonlyMap<RouteKey, ProbeTarget> = new Map()
  let book = enter(new Map(), [])
  let lastStartMs = Number.NEGATIVE_INFINITY
  let timer: NodeJS.Timeout | null = null
  let state: 'new' | 'running' | 'stopped' = 'new'

  const isStale = ({ key, periodic, version }: ProbeTarget): boolean =>
    periodic && targets.get(key)?.version !== version

  function keep(key: RouteKey, version: string, result: ProbeResult): void {
    const before = results.get(key)
    results.set(key, result)
    validity.set(key, { version, untilMs: result.periodic ? null : clock.monotonic() + limits.keptMs })
    const turned = result.periodic && before?.ok !== result.ok
    if (turned && result.ok === false) log.warn({ route: key, reason: result.detail }, 'probe fails')
    else if (turned && before?.ok === false) log.info({ route: key, found: result.detail }, 'probe is well again')
    // Not from within: who listens may well call us.
    queueMicrotask(() => {
      if (state === 'stopped') return
      try {
        options.onResult(key, result, turned || result.requestId !== null)
      } catch (error) {
        log.error({ err: error }, 'listener failed')
      }
    })
  }

  /** What is known of routes that are others now, or gone, is forgotten. */
  function sweep(): void {
    const nowMs = clock.monotonic()
    for (const [key, { version, untilMs }] of validity) {
      const holds = untilMs === null ? targets.get(key)?.version === version : nowMs < untilMs
      if (holds) continue
      validity.delete(key)
      results.delete(key)
    }
    for (const { target, aborter } of running.values()) if (isStale(target)) aborter.abort()
  }

  async function probe(target: ProbeTarget, wish: string | null | undefined, signal: AbortSignal): Promise<void> {
    const { key, spec, version, periodic } = target
    const began = clock.monotonic()
    const heard = await ask(target, { signal, deadlineMs: limits.deadlineMs, openMs: limits.openMs })
    if (heard === null || state === 'stopped' || isStale(target)) return
    const judged = judgeProbe(target, heard, clock.now(), limits.deadlineMs)
    const nowMs = clock.monotonic()
    const ms = Math.round(nowMs - began)
    const appointment = book.get(key)
    let counts = true
    if (appointment?.version === version) {
      const after = answered(appointment, judged.ok, spec.intervalSeconds, nowMs, random())
      book.set(key, after.appointment)
      counts = after.counts
    }
    log.debug({ route: key, ok: judged.ok, detail: judged.detail, ms, counts }, 'probed')
    // A person gets the answer as it is, and at once.
    if (counts || wish !== undefined)
      keep(key, version, { ...judged, ms, at: clock.now(), periodic, requestId: wish ?? null })
  }

  /** A fault of ours must not come again at once. */
  function postpone({ key, version, spec }: ProbeTarget): void {
    const appointment = book.get(key)
    if (appointment?.version !== version) return
    book.set(key, { ...appointment, dueMs: clock.monotonic() + spec.intervalSeconds * 1000 })
  }

  function begin(target: ProbeTarget, wish: string | null | undefined): void {
    const aborter = new AbortController()
    lastStartMs = clock.monotonic()
    const done = probe(target, wish, aborter.signal)
      .catch(error => {
        log.error({ err: error, route: target.key }, 'a probe could not be made')
        postpone(target)
      })
      .finally(() => {
        running.delete(target.key)
        pump()
      })
    running.set(target.key, { target, aborter, done })
  }

  /** Takes the next wish whose route is not being asked; those that cannot be asked are answered with the reason. */
  function nextWish(): { readonly target: ProbeTarget; readonly wish: string | null } | null {
    for (const [key, wish] of wishes) {
      if (running.has(key)) continue
      wishes.delete(key)
      const target = options.find(key)
      if (typeof target !== 'string') return { target, wish }
      const result = { ok: null, ms: null, detail: target, at: clock.now(), certificate: null }
      keep(key, '', { ...result, periodic: false, requestId: wish })
    }
    return null
  }

  function wakeIn(ms: number): void {
    if (timer !== null) clearTimeout(timer)
    timer = setTimeout(pump, Math.max(ms, 1))
  }

  /** Begins what is due, persons first, as far as the limits allow, and sets the timer for the rest. */
  function pump(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    // Whoever ends pumps again, so at the limit no timer is needed.
    while (state === 'running' && running.size < limits.atOnce) {
      const gapMs = lastStartMs + 1000 / limits.perSecond - clock.monotonic()
      if (gapMs > 0) {
        wakeIn(gapMs)
        return
      }
      const wished = nextWish()
      if (wished !== null) {
        begin(wished.target, wished.wish)
        continue
      }
      const first = firstDue(book, running)
      const target = first === null ? undefined : targets.get(first.key)
      if (first === null || target === undefined) return
      const waitMs = first.dueMs - clock.monotonic()
      if (waitMs > 0) {
        wakeIn(waitMs)
        return
      }
      begin(target, undefined)
    }
  }

  function refresh(): void {
    if (state !== 'running') return
    targets = new Map(options.routes().map(target => [target.key, target]))
    book = enter(book, [...targets.values()])
    sweep()
    pump()
  }

  return {
    start() {
      if (state !== 'new') return
      state = 'running'
      refresh()
    },
    async stop() {
      state = 'stopped'
      if (timer !== null) clearTimeout(timer)
      const open = [...running.values()]
      for (const { aborter } of open) aborter.abort()
      await Promise.all(open.map(({ done }) => done))
    },
    refresh,
    kick(key, requestId) {
      if (state === 'stopped' || wishes.size >= MAX_WISHES) return
      wishes.set(key, requestId ?? null)
      pump()
    },
    results: () => results,
  }
}
