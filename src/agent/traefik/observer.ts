/**
 * Keeps the picture of Traefik that its API shows.
 *
 *   every interval, after each poll on a new connection, after each body that it fetched -> read -> onChange
 *   after a new body was fetched: look for its beacon, densely at first, until it is there or the deadline is over
 *
 * After a fault it is asked again soon, then ever more seldom, up to the interval. A fault leaves the last picture for compiling (entry points do not change while Traefik runs) and is told to whoever judges: what was
 * true a minute ago is no proof of now.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { TraefikApi, TraefikApiFault, TraefikReading } from './traefik-api.ts'

export type Observation = {
  /** The last reading that worked, of this run; null before the first. */
  readonly reading: TraefikReading | null
  /** Milliseconds since 1970 of that reading. */
  readonly readAt: number | null
  /** Why the last attempt did not work; null when it did. */
  readonly fault: (TraefikApiFault & { readonly since: number }) | null
  /** The picture is old enough to hold what the other providers have to say: see SETTLE_MS. */
  readonly settled: boolean
  /** From the moment at which a body was fetched to the moment at which its beacon was there, of the last one. */
  readonly lastApplyMs: number | null
  /** When the last reading was asked for, by the clock that never jumps; null before the first. */
  readonly lookedAtMs: number | null
  /**
   * Since when Traefik answers small questions at once, by the clock that never jumps; null while it does not. A Traefik that stood
   * still has not had the time that went by meanwhile.
   */
  readonly answersSinceMs: number | null
}

export interface Observer {
  /** Resolves after the first attempt to read, well or not. */
  start(): Promise<void>
  stop(): Promise<void>
  /** Read as soon as possible: perhaps Traefik restarted. */
  kick(): void
  /** Traefik has fetched the body with this hash: look for its beacon, then read. */
  fetched(hash: string): void
  observation(): Observation
}

export type ObserverOptions = {
  readonly api: TraefikApi
  readonly logger: Logger
  readonly onChange: () => void
  /** Traefik's start time is another one. `changed`: its version too. */
  readonly onRestart: (restart: { readonly startedAtMs: number; readonly changed: boolean }) => void
  readonly intervalMs?: number
  /** Milliseconds since 1970. */
  readonly now?: () => number
  readonly settleMs?: number
}

const INTERVAL_MS = 10_000
// A reading may take its time on a large Traefik; it is never more than this share of it.
const MAX_DUTY = 0.01
// A Traefik that has just started shows no router of its other providers yet. Until it had this time, nobody concludes that there are none.
const SETTLE_MS = 5_000
const BEACON_FIRST_MS = 4
const BEACON_LONGEST_MS = 250
const BEACON_DEADLINE_MS = 60_000
// Milliseconds are usual, also while it applies a large body.
const SLOW_ANSWER_MS = 1_000
const RETRY_FIRST_MS = 250

export function createObserver(options: ObserverOptions): Observer {
  const { api, onChange, onRestart, intervalMs = INTERVAL_MS, now = Date.now, settleMs = SETTLE_MS } = options
  const log = options.logger.child({ component: 'observer' })
  const aborter = new AbortController()
  const { signal } = aborter
  let reading: TraefikReading | null = null
  let readAt: number | null = null
  let fault: Observation['fault'] = null
  let firstSeenMs = 0
  let lastApplyMs: number | null = null
  let lastReadMs = 0
  let answersSinceMs: number | null = null
  let faults = 0
  let lastFetched: string | null = null
  let awaited: { readonly hash: string; readonly since: number; readonly measured: boolean } | null = null
  let beaconWaitMs = BEACON_FIRST_MS
  let wake: AbortController = new AbortController()
  let kicked = false
  let running: Promise<void> = Promise.resolve()
  let settledTold = false

  /** For how long this Traefik is known to run; by its own start time when the clocks agree on the past. */
  function ageMs(): number {
    if (reading === null) return 0
    const started = reading.startedAt === null ? Number.NaN : Date.parse(reading.startedAt)
    const known = performance.now() - firstSeenMs
    return Number.isNaN(started) ? known : Math.max(known, now() - started)
  }

  const settled = (): boolean => reading !== null && ageMs() >= settleMs

  function lookFor(hash: string, measured: boolean): void {
    awaited = { hash, since: performance.now(), measured }
    beaconWaitMs = BEACON_FIRST_MS
  }

  /** A small question was answered, or was not. */
  function answered(ok: boolean, tookMs: number): void {
    if (!ok) answersSinceMs = null
    else if (answersSinceMs === null || tookMs > SLOW_ANSWER_MS) answersSinceMs = performance.now()
  }

  async function readOnce(): Promise<void> {
    const began = performance.now()
    const result = await api.read(signal)
    lastReadMs = performance.now() - began
    answered(result.ok, result.ok ? result.value.askedAtMs - began : lastReadMs)
    if (!result.ok) {
      const isNew = fault === null || fault.kind !== result.fault.kind
      // Another fault is a beginning, too: a Traefik that was away and listens again answers 404 until its own API is up.
      faults = isNew ? 1 : faults + 1
      if (isNew) log.warn({ kind: result.fault.kind, detail: result.fault.message }, 'Traefik cannot be read')
      fault = { ...result.fault, since: fault?.since ?? now() }
      if (isNew) onChange()
      return
    }
    const isBack = fault !== null
    if (isBack) log.info({ version: result.value.version }, 'Traefik is read again')
    fault = null
    faults = 0
    const restarted = reading !== null && reading.startedAt !== result.value.startedAt
    const changed = reading !== null && reading.version !== result.value.version
    if (reading === null || restarted) {
      firstSeenMs = performance.now()
      settledTold = false
    }
    reading = result.value
    readAt = now()
    // What it was looking for before may be on its way still.
    if ((restarted || isBack) && lastFetched !== null && !reading.runtime.beacons.includes(lastFetched))
      lookFor(lastFetched, false)
    if (restarted) {
      log.info({ startedAt: reading.startedAt, version: reading.version }, 'Traefik has restarted')
      onRestart({ startedAtMs: Date.parse(reading.startedAt ?? '') || 0, changed })
    }
    if (settled()) settledTold = true
    onChange()
  }

  /** Until the beacon is there, it is overtaken by another body, a reading is asked for, or the deadline is over. */
  async function awaitBeacon(): Promise<void> {
    while (awaited !== null && !kicked) {
      const { hash, since, measured } = awaited
      const askedAtMs = performance.now()
      const result = await api.hasBeacon(hash, signal)
      answered(result.ok, performance.now() - askedAtMs)
      if (awaited?.hash !== hash) continue
      if (result.ok && result.value) {
        // The time of a Traefik that stood still says nothing of the next body.
        if (measured && answersSinceMs !== null && answersSinceMs <= since) lastApplyMs = performance.now() - since
        awaited = null
        return
      }
      if (performance.now() - since > BEACON_DEADLINE_MS) {
        awaited = null
        return
      }
      // Then all is read, which tells whether Traefik is away; if it is not, the search goes on.
      if (!result.ok) return
      await delay(beaconWaitMs, undefined, { signal })
      beaconWaitMs = Math.min(beaconWaitMs * 1.5, BEACON_LONGEST_MS)
    }
  }

  function restMs(): number {
    const jittered = Math.max(intervalMs, lastReadMs / MAX_DUTY) * (0.9 + 0.2 * Math.random())
    if (faults > 0) return Math.min(jittered, RETRY_FIRST_MS * 2 ** Math.min(faults - 1, 16))
    return reading === null || settledTold ? jittered : Math.min(jittered, Math.max(settleMs - ageMs(), 0) + 20)
  }

  /** Until something is to be done, or the interval is over. */
  async function rest(): Promise<void> {
    // While Traefik is away nothing is looked for, and it is asked ever more seldom.
    if (kicked || (awaited !== null && faults === 0)) return
    wake = new AbortController()
    try {
      await delay(restMs(), undefined, { signal: wake.signal })
    } catch {
      // Woken, or stopped: the loop looks which.
    }
  }

  async function loop(): Promise<void> {
    while (!signal.aborted) {
      await rest()
      if (signal.aborted) return
      try {
        // A Traefik that is away is read first: nothing of it is known.
        if (faults === 0) await awaitBeacon()
        kicked = false
        await readOnce()
      } catch (error) {
        if (signal.aborted) return
        log.error({ err: error }, 'reading Traefik failed')
        await delay(1_000, undefined, { signal }).catch(() => {})
      }
    }
  }

  return {
    async start() {
      try {
        await readOnce()
      } catch (error) {
        if (signal.aborted) return
        log.error({ err: error }, 'reading Traefik failed')
      }
      running = loop()
    },
    async stop() {
      aborter.abort()
      wake.abort()
      await running
    },
    kick() {
      kicked = true
      wake.abort()
    },
    fetched(hash) {
      lastFetched = hash
      lookFor(hash, true)
      wake.abort()
    },
    observation: () => ({
      reading,
      readAt,
      fault,
      settled: settled(),
      lastApplyMs,
      lookedAtMs: reading?.askedAtMs ?? null,
      answersSinceMs,
    }),
  }
}
