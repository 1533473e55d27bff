/**
 * The loop that turns what is expected into what is served.
 *
 *   request() -> (pause) -> plan (pure) -> other body? -> saved to the disk -> published
 *
 * `step` is one whole round and can be run by itself; the loop only decides when. Rounds never overlap, and a request during a round
 * makes one more. Nothing here waits for Traefik: what became of a body is the observer's business.
 */
import type { Logger } from 'pino'
import type { NodeSettings } from '../core/admit.ts'
import { canonicalJson } from '../core/hash.ts'
import type { FirstSeen } from '../core/merge.ts'
import type { ObservedTraefik } from '../core/observed.ts'
import type { Snapshot } from '../core/payload.ts'
import type { TraefikView } from '../core/placement.ts'
import { makePlan, type Plan } from '../core/plan.ts'
import type { RevisionMark } from '../core/revision-order.ts'
import type { SaveResult } from './snapshot-store.ts'
import type { SourceName, SourceReading, SourceStatus } from './sources/source.ts'

/** Everything that a restart needs to go on as if there had been none. */
export type StoredState = {
  readonly served: Snapshot
  /** The revision label of `served`. */
  readonly revision: number | string
  readonly readings: { readonly [name in SourceName]?: SourceReading }
  readonly mark: RevisionMark | null
  readonly firstSeen: FirstSeen
  readonly observed: ObservedTraefik | null
  /** Entry points that have carried something of ours. */
  readonly entryPoints: readonly string[]
}

export type Round = {
  readonly plan: Plan
  /** The revision label of what is served now. */
  readonly revision: number | string
  readonly compileMs: number
}

export type ReconcilerOptions = {
  readonly sources: () => readonly SourceStatus[]
  readonly mark: () => RevisionMark | null
  readonly view: (served: ReadonlySet<string>) => TraefikView
  readonly node: () => NodeSettings
  /**
   * Names of routers of ours that Traefik has and that are no tombstones; null when that is not known. While a source has never spoken, a
   * body that would drop one of them is not published: whoever lost its state folder must not wipe what Traefik still has.
   */
  readonly standing: () => readonly string[] | null
  /** How long the next body waits after the last, in milliseconds. */
  readonly pauseMs: () => number
  readonly save: (state: StoredState) => Promise<SaveResult>
  readonly publish: (snapshot: Snapshot) => void
  readonly onRound: (round: Round) => void
  readonly logger: Logger
  readonly now?: () => number
}

export type Waiting = { readonly for: 'first-reading' | 'missing-source'; readonly names: readonly SourceName[] }

export interface Reconciler {
  /** What the run before this one has left: served at once, without a plan. */
  restore(state: StoredState): void
  /** Something has changed: a round as soon as the pause allows. */
  request(): void
  /** One round now, without pause. */
  step(): Promise<void>
  stop(): Promise<void>
  /** The last round, or null before the first. */
  round(): Round | null
  served(): Snapshot | null
  /** Why there is no round yet, or null. */
  waiting(): Waiting | null
}

const RANK: Readonly<Record<SourceName, number>> = { files: 0, 'control-plane': 1 }

/** A number when the control plane gives one, else a hash; compared only for equality. */
export function revisionLabel(statuses: readonly SourceStatus[]): number | string {
  const reading = (name: SourceName): SourceReading | null =>
    statuses.find(status => status.name === name)?.reading ?? null
  return reading('control-plane')?.revision ?? reading('files')?.revision ?? ''
}

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { now = Date.now } = options
  const log = options.logger.child({ component: 'reconcile' })
  let served: Snapshot | null = null
  let round: Round | null = null
  let waiting: Waiting | null = null
  let firstSeen: FirstSeen = {}
  let everServed = new Set<string>()
  let lastObserved: ObservedTraefik | null = null
  let savedMemory = ''
  let dirty = false
  let stopped = false
  let running: Promise<void> | null = null
  let timer: NodeJS.Timeout | null = null
  let expiryTimer: NodeJS.Timeout | null = null

  /** The sources to plan with, or what is waited for. */
  function choose(statuses: readonly SourceStatus[]): readonly SourceStatus[] | null {
    const silent = statuses.filter(({ reading }) => reading === null).map(({ name }) => name)
    const speaking = statuses.filter(({ reading }) => reading !== null)
    if (speaking.length === 0) {
      waiting = { for: 'first-reading', names: silent }
      return null
    }
    waiting = silent.length === 0 ? null : { for: 'missing-source', names: silent }
    return speaking
  }

  function remember(state: Omit<StoredState, 'served' | 'revision'>): string {
    // Cheap stand-ins for what is large: a reading is known by its content.
    const readings = Object.entries(state.readings).map(([name, reading]) => [
      name,
      reading.contentHash,
      reading.revision,
      reading.removed,
    ])
    return canonicalJson([readings, state.mark, state.firstSeen, state.observed, state.entryPoints])
  }

  function scheduleExpiry(atMs: number | null): void {
    if (expiryTimer !== null) clearTimeout(expiryTimer)
    expiryTimer = null
    if (atMs === null || stopped) return
    // A day at most: timers of Node hold 24.8 days, and the clock may be set meanwhile.
    expiryTimer = setTimeout(() => request(), Math.min(Math.max(atMs - now(), 0) + 1, 86_400_000))
  }

  async function step(): Promise<void> {
    const statuses = options.sources()
    const chosen = choose(statuses)
    if (chosen === null) return
    const view = options.view(everServed)
    const began = performance.now()
    const plan = makePlan({
      sources: chosen.flatMap(({ name, reading }) => (reading === null ? [] : [{ ...reading, rank: RANK[name] }])),
      firstSeen,
      node: options.node(),
      view,
      nowMs: now(),
    })
    const compileMs = performance.now() - began
    if (waiting !== null && served === null) {
      const emitted = new Set(plan.compiled.outcomes.flatMap(({ routers }) => routers))
      const dropped = (options.standing() ?? []).filter(name => !emitted.has(name))
      if (dropped.length > 0) {
        log.warn(
          { waitingFor: waiting.names, wouldDrop: dropped.length },
          'not serving yet: Traefik has routes that only a silent source can know',
        )
        return
      }
    }
    firstSeen = plan.firstSeen
    lastObserved = view.observed ?? lastObserved
    const revision = revisionLabel(statuses)
    const isNew = served?.hash !== plan.snapshot.hash
    if (isNew) for (const name of plan.compiled.entryPoints) everServed.add(name)
    const memory = {
      readings: Object.fromEntries(
        statuses.flatMap(({ name, reading }) => (reading === null ? [] : [[name, reading]])),
      ),
      mark: options.mark(),
      firstSeen,
      observed: lastObserved,
      entryPoints: [...everServed].sort(),
    }
    const memoryKey = remember(memory)
    if (isNew || memoryKey !== savedMemory) {
      // A new body is on the disk before Traefik sees it, so that no restart goes back behind what it has. A full disk stops nothing.
      const result = await options.save({ served: plan.snapshot, revision, ...memory })
      if (result.ok) savedMemory = memoryKey
    }
    if (stopped) return
    served = plan.snapshot
    round = { plan, revision, compileMs }
    if (isNew) {
      log.info(
        {
          hash: plan.snapshot.hash.slice(0, 12),
          revision,
          bytes: plan.snapshot.body.length,
          compileMs: Math.round(compileMs),
        },
        'new configuration is served',
      )
      options.publish(plan.snapshot)
    }
    scheduleExpiry(plan.nextExpiryMs)
    options.onRound(round)
  }

  async function run(): Promise<void> {
    while (dirty && !stopped) {
      dirty = false
      try {
        await step()
      } catch (error) {
        // The core is total; should it throw all the same, what is served goes on being served.
        log.error({ err: error }, 'a round failed; the last configuration goes on')
      }
      const pause = options.pauseMs()
      if (dirty && pause > 0) {
        timer = setTimeout(start, pause)
        return
      }
    }
  }

  function start(): void {
    timer = null
    if (stopped || running !== null) return
    running = run().finally(() => {
      running = null
      if (dirty && timer === null) start()
    })
  }

  function request(): void {
    dirty = true
    if (stopped || running !== null || timer !== null) return
    const pause = options.pauseMs()
    if (pause > 0) timer = setTimeout(start, pause)
    else start()
  }

  return {
    restore(state) {
      served = state.served
      firstSeen = state.firstSeen
      everServed = new Set(state.entryPoints)
      lastObserved = state.observed
    },
    request,
    step,
    async stop() {
      stopped = true
      if (timer !== null) clearTimeout(timer)
      if (expiryTimer !== null) clearTimeout(expiryTimer)
      await running
    },
    round: () => round,
    served: () => served,
    waiting: () => waiting,
  }
}
