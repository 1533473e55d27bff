/**
 * The loop that turns what is expected into what is served.
 *
 *   request() -> (pause) -> guard -> plan (pure) -> kept (in a file, not yet synced) -> offered for publication
 *
 * `step` is one whole round and can be run by itself; the loop only decides when. Rounds never overlap, and a request during a round
 * makes one more. Nothing here waits for Traefik: what became of a body is the publication's business.
 */
import { setImmediate } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { NodeSettings } from '../core/admit.ts'
import { servedCandidates } from '../core/changes.ts'
import type { DynamicConfig } from '../core/dynamic-config.ts'
import { contentHash } from '../core/hash.ts'
import type { FirstSeen } from '../core/merge.ts'
import type { ObservedTraefik } from '../core/observed.ts'
import type { TraefikView } from '../core/placement.ts'
import { type Plan, type PlanInput, planFrame, planInPieces, recompile } from '../core/plan.ts'
import type { RevisionMark } from '../core/revision-order.ts'
import type { Guards } from './guards.ts'
import type { Keeping } from './keeping.ts'
import type { Publication } from './publication.ts'
import type { SourceName, SourceReading, SourceStatus } from './sources/source.ts'
import type { CrashMarker } from './store/crash-marker.ts'
import { type StoredState, storedApplied } from './stored-state.ts'
import { createSupplies } from './supplies.ts'

export type Round = {
  readonly plan: Plan
  /** The revision label of what was planned. */
  readonly revision: number | string
  readonly compileMs: number
  /** Milliseconds since 1970. */
  readonly compiledAt: number
}

export type ReconcilerOptions = {
  readonly sources: () => readonly SourceStatus[]
  readonly mark: () => RevisionMark | null
  readonly guards: Guards
  readonly publication: Publication
  readonly view: (everServed: ReadonlySet<string>) => TraefikView
  readonly node: () => NodeSettings
  /**
   * Names of routers of ours that Traefik has and that are no tombstones; null when that cannot be known, `unknown` when it is not yet. While a source has never spoken, a
   * body that would drop one of them is not published: whoever lost its state folder must not wipe what Traefik still has.
   */
  readonly standing: () => readonly string[] | 'unknown' | null
  /** How long the next body waits after the last, in milliseconds. */
  readonly pauseMs: () => number
  readonly keeping: Pick<Keeping, 'keep'>
  readonly onRound: (round: Round) => void
  readonly logger: Logger
  readonly now?: () => number
  /** Keeps a state that killed the process before from killing each one after it. */
  readonly crashMarker?: CrashMarker
  /** For tests alone: makes a body that Traefik refuses. */
  readonly tamper?: (config: DynamicConfig) => DynamicConfig
}

export type Waiting = { readonly for: 'first-reading' | 'missing-source'; readonly names: readonly SourceName[] }

export interface Reconciler {
  /** What the run before this one has left. */
  restore(state: StoredState): void
  /** Something has changed: a round as soon as the pause allows. */
  request(): void
  /** One round now, without pause. */
  step(): Promise<void>
  stop(): Promise<void>
  /** The last round, or null before the first. */
  round(): Round | null
  /** Why there is no round yet, or what it lacks; null when nothing is waited for. */
  waiting(): Waiting | null
}

/** A state that was left alone is looked at again: the marker knows when it may be tried. */
const POISON_RETRY_MS = 60_000
const LONGEST_SLEEP_MS = 30_000
/** What Traefik has may be known by then, or it was waited for long enough. */
const WAITING_RETRY_MS = 5_000

/** A number when the control plane gives one, else a hash; compared only for equality. */
export function revisionLabel(statuses: readonly SourceStatus[]): number | string {
  const reading = (name: SourceName): SourceReading | null =>
    statuses.find(status => status.name === name)?.reading ?? null
  return reading('control-plane')?.revision ?? reading('files')?.revision ?? ''
}

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { guards, keeping, publication, now = Date.now } = options
  const log = options.logger.child({ component: 'reconcile' })
  let round: Round | null = null
  /** When the last new body was, by the clock that never jumps. */
  let offeredAtMs: number | null = null
  let waiting: Waiting | null = null
  let firstSeen: FirstSeen = {}
  const supplies = createSupplies(guards)
  const everServed = new Set<string>()
  let lastObserved: ObservedTraefik | null = null
  let dirty = false
  let isWaitingTold = false
  /** When the oldest change was told that no round has taken up, by the clock that never jumps. */
  let askedAtMs: number | null = null
  let stopped = false
  let running: Promise<void> | null = null
  let pauseTimer: NodeJS.Timeout | null = null
  let laterTimer: NodeJS.Timeout | null = null

  /** The sources to plan with; null when nobody has spoken yet. */
  function speaking(statuses: readonly SourceStatus[]): readonly SourceStatus[] | null {
    const silent = statuses.filter(({ reading }) => reading === null).map(({ name }) => name)
    if (silent.length === statuses.length) {
      waiting = { for: 'first-reading', names: silent }
      return null
    }
    waiting = silent.length === 0 ? null : { for: 'missing-source', names: silent }
    return statuses.filter(({ reading }) => reading !== null)
  }

  /** The next moment at which a round changes something without anybody asking. */
  function scheduleLater(plan: Plan): void {
    if (laterTimer !== null) clearTimeout(laterTimer)
    laterTimer = null
    const expiry = plan.nextExpiryMs === null ? null : Math.max(plan.nextExpiryMs - now(), 0) + 1
    const waits = [expiry, guards.settlesInMs()].filter(wait => wait !== null)
    if (waits.length === 0 || stopped) return
    const wait = Math.min(...waits)
    // The machine may sleep and the clock may be set: an end is looked at again and again, and not slept towards.
    laterTimer =
      wait <= LONGEST_SLEEP_MS ? setTimeout(request, wait) : setTimeout(() => scheduleLater(plan), LONGEST_SLEEP_MS)
  }

  function requestIn(ms: number): void {
    if (laterTimer !== null) clearTimeout(laterTimer)
    laterTimer = stopped ? null : setTimeout(request, ms)
  }

  /** Traefik's polls are answered between the pieces of a large plan. */
  async function planned(input: PlanInput): Promise<Plan> {
    const pieces = planInPieces(input)
    for (let next = pieces.next(); ; next = pieces.next()) {
      if (next.done) return next.value
      await setImmediate()
    }
  }

  function wouldDrop(plan: Plan): number | 'unknown' {
    const standing = options.standing() ?? []
    if (standing === 'unknown') return standing
    const emitted = new Set(plan.compiled.outcomes.flatMap(({ routers }) => routers))
    return standing.filter(name => !emitted.has(name)).length
  }

  async function step(): Promise<void> {
    const statuses = options.sources()
    // Of these readings: while the disk is asked or a large plan is made, a source may go on.
    const mark = options.mark()
    const chosen = speaking(statuses)
    if (chosen === null) return
    // A crash loop goes through the first round of each process, so that round alone is marked: the others pay nothing for it.
    const marker = round === null ? options.crashMarker : undefined
    const attempt = contentHash(chosen.map(({ name, reading }) => [name, reading?.contentHash ?? null]))
    if ((await marker?.begin(attempt)) === 'poison') {
      requestIn(POISON_RETRY_MS)
      return
    }
    try {
      await makeRound(statuses, chosen, mark)
    } finally {
      // Whatever has become of it, the process did not die of it.
      await marker?.done(attempt)
    }
  }

  async function makeRound(
    statuses: readonly SourceStatus[],
    chosen: readonly SourceStatus[],
    mark: RevisionMark | null,
  ): Promise<void> {
    const sinceMs = askedAtMs ?? performance.now()
    askedAtMs = null
    const view = options.view(everServed)
    const began = performance.now()
    const input: PlanInput = {
      sources: supplies.take(chosen),
      firstSeen,
      node: options.node(),
      view,
      nowMs: now(),
      refused: publication.refused(),
      oldestFields: publication.oldestFields(),
      ...(options.tamper === undefined ? {} : { tamper: options.tamper }),
    }
    const plan = await planned(input)
    const compileMs = performance.now() - began
    const compiledAt = now()
    const served = publication.view().current
    if (waiting !== null && served === null) {
      const dropped = wouldDrop(plan)
      if (dropped !== 0) {
        if (!isWaitingTold)
          log.warn(
            { waitingFor: waiting.names, wouldDrop: dropped },
            'not serving yet: Traefik has, or may have, routes that only a silent source can know',
          )
        isWaitingTold = true
        requestIn(WAITING_RETRY_MS)
        return
      }
    }
    firstSeen = plan.firstSeen
    lastObserved = view.observed ?? lastObserved
    const revision = revisionLabel(statuses)
    for (const name of plan.compiled.entryPoints) everServed.add(name)
    // A body that Traefik refuses is none to begin with after a restart: it would have nothing until that was found out again.
    const good = publication.refuses(plan.snapshot.hash) ? publication.lastGood() : null
    const begin =
      good === null
        ? { served: plan.snapshot, revision, routes: servedCandidates(plan.compiled.outcomes) }
        : { served: good.snapshot, revision: good.revision, routes: good.candidates }
    // A new body is in a file before Traefik sees it, so that no end of the process goes back behind what it has.
    await keeping.keep({
      ...begin,
      applied: storedApplied(publication.lastGood(), plan.snapshot),
      readings: Object.fromEntries(chosen.flatMap(({ name, reading }) => (reading === null ? [] : [[name, reading]]))),
      ...supplies.stored(),
      mark,
      firstSeen,
      observed: lastObserved,
      entryPoints: [...everServed].sort(),
      refusals: publication.refusals(),
    })
    if (stopped) return
    round = { plan, revision, compileMs, compiledAt }
    const isNew = good === null && served?.hash !== plan.snapshot.hash
    if (isNew)
      log.info(
        {
          hash: plan.snapshot.hash.slice(0, 12),
          revision,
          bytes: plan.snapshot.body.length,
          compileMs: Math.round(compileMs),
        },
        'new configuration',
      )
    if (isNew) offeredAtMs = performance.now()
    const frame = planFrame(input)
    publication.offer({
      plan,
      revision,
      sinceMs,
      recompile: (candidates, oldestFields) => recompile(candidates, { ...frame, oldestFields }),
    })
    scheduleLater(plan)
    options.onRound(round)
  }

  /** The pause is one between two bodies: a change that comes long after the last one does not wait. */
  const pauseLeftMs = (): number =>
    offeredAtMs === null ? 0 : Math.max(offeredAtMs + options.pauseMs() - performance.now(), 0)

  async function run(): Promise<void> {
    while (dirty && !stopped) {
      dirty = false
      try {
        await step()
      } catch (error) {
        // The core is total; should it throw all the same, what is served goes on being served.
        log.error({ err: error }, 'a round failed; the last configuration goes on')
      }
      const pause = pauseLeftMs()
      if (dirty && pause > 0) {
        pauseTimer = setTimeout(start, pause)
        return
      }
    }
  }

  function start(): void {
    pauseTimer = null
    if (stopped || running !== null) return
    running = run().finally(() => {
      running = null
      if (dirty && pauseTimer === null) start()
    })
  }

  function request(): void {
    dirty = true
    askedAtMs ??= performance.now()
    if (stopped || running !== null || pauseTimer !== null) return
    const pause = pauseLeftMs()
    if (pause > 0) pauseTimer = setTimeout(start, pause)
    else start()
  }

  return {
    restore(state) {
      firstSeen = state.firstSeen
      for (const name of state.entryPoints) everServed.add(name)
      lastObserved = state.observed
      supplies.restore(state)
    },
    request,
    step,
    async stop() {
      stopped = true
      if (pauseTimer !== null) clearTimeout(pauseTimer)
      if (laterTimer !== null) clearTimeout(laterTimer)
      await running
    },
    round: () => round,
    waiting: () => waiting,
  }
}
