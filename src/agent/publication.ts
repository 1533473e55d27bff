/**
 * What is served now, and whether Traefik has taken it: drives the pure acknowledgement (core/acknowledge.ts) with what happens.
 *
 *   offer(target) -> published -> fetched (poll) -> beacon seen -> applied
 *                                               \-> none in time -> the last applied body, the oldest fields, a search -> refused routes
 *
 * What Traefik has is read from its beacons, never assumed: of the bodies that were served lately, the newest one that it shows.
 * While it searches, newer targets wait: one that still holds the culprit would only be refused again.
 */
import type { Logger } from 'pino'
import { type AckAction, type AckFacts, type AckState, acknowledge, applyDeadlineMs } from '../core/acknowledge.ts'
import { findChanges, servedCandidates, withChanges } from '../core/changes.ts'
import type { Candidate } from '../core/conflicts.ts'
import type { Snapshot } from '../core/payload.ts'
import type { Plan, Recompiled, RefusedRoutes } from '../core/plan.ts'
import type { RouteKey } from '../core/problem.ts'
import { type Applied, type Body, isReadable, makeBodies } from './bodies.ts'
import { type Moments, makePassage, type Stages } from './passage.ts'
import { makeFetches } from './provider/fetches.ts'
import type { ProviderStats } from './provider/provider.ts'
import { makeRefusals, type StoredRefusals } from './refusals.ts'
import type { Observation } from './traefik/observer.ts'

export type Target = {
  readonly plan: Plan
  readonly revision: number | string
  /** When the change was told that it comes from, by the clock that never jumps; absent: when it is published. */
  readonly sinceMs?: number
  /** The same frame with other candidates, or with the oldest fields. */
  readonly recompile: (candidates: readonly Candidate[], oldestFields: boolean) => Recompiled
}

/** What the run before this one left. */
export type StoredBodies = {
  readonly served: Omit<Body, 'config'>
  /** The last that Traefik was seen to have applied; `served` when it is that one. */
  readonly applied: Omit<Applied, 'config'> | null
  readonly refusals: StoredRefusals | null
}

export type PublicationOptions = {
  /** Answers the polls that are held with what is served now. */
  readonly answerPolls: () => void
  readonly publish: (snapshot: Snapshot) => void
  /** Null: there is no API, and nothing can be concluded. */
  readonly observation: () => Observation | null
  readonly provider: () => ProviderStats
  /** Look at Traefik now. */
  readonly look: () => void
  /** Something that others show has changed. */
  readonly onChange: () => void
  /** Routes were refused, or fields: plan again. */
  readonly onReplan: () => void
  readonly onNack: () => void
  /** A target is applied, so many milliseconds after the change was told that it comes from. */
  readonly onApplied: (ms: number) => void
  readonly logger: Logger
  /** For tests alone: how long an apply may take, instead of what `applyDeadlineMs` makes of it. */
  readonly deadlineMs?: number
}

export type PublicationView = {
  /** What Traefik gets now. */
  readonly current: Snapshot | null
  /** Traefik has fetched it. */
  readonly polled: boolean
  /** What the Traefik that runs now was last seen to have applied. */
  readonly applied: Applied | null
  readonly phase: AckState['phase']
  /** Milliseconds from the change that the last target comes from to its beacon. */
  readonly lastLiveMs: number | null
  /** Of `current`. */
  readonly moments: Moments
  /** Of the last target that was seen as applied, which may be an older one than `current`. */
  readonly took: { readonly hash: string; readonly stages: Stages } | null
}

export interface Publication {
  offer(target: Target): void
  /** Serves what the run before this one has served. */
  restore(stored: StoredBodies): void
  /** A Traefik has fetched the body with this hash, at so many milliseconds since 1970. */
  fetched(hash: string, atMs: number, connectionId?: number): void
  /** It asks again, so long after its last answer began. */
  askedAgain(connectionId: number, sinceAnswerMs: number): void
  gone(connectionId: number): void
  /** What Traefik had is gone from it: its poll is answered, and what it shows then is judged anew. */
  sendAgain(): void
  /** Traefik was looked at, well or not. */
  observed(): void
  /** Another Traefik process, since so many milliseconds since 1970; `changed`: of another version. */
  restarted(since: { readonly startedAtMs: number; readonly changed: boolean }): void
  refused(): RefusedRoutes
  /** What this Traefik was found to refuse, for the disk. */
  refusals(): StoredRefusals
  /** Traefik is known, or being found, to refuse the body with this hash. */
  refuses(hash: string): boolean
  oldestFields(): boolean
  /** The last body that a Traefik was seen to have applied, perhaps one that does not run any more: for the disk. */
  lastGood(): Applied | null
  view(): PublicationView
  stop(): void
}

/** How a search that was cut off goes on. */
function nextAfter(state: AckState): 'oldest' | 'search' {
  if (state.phase === 'restoring') return state.next
  return state.phase === 'oldest' ? 'oldest' : 'search'
}

export function createPublication(options: PublicationOptions): Publication {
  const { publish, observation, provider, look, onChange, onReplan, onNack, onApplied } = options
  const log = options.logger.child({ component: 'publication' })
  let target: Target | null = null
  let waiting: Target | null = null
  let current: Body | null = null
  /** Of the last target that was served; null for what the run before this one has served. */
  let toldAtMs: number | null = null
  const fetches = makeFetches()
  const passage = makePassage()
  let took: PublicationView['took'] = null
  /** `at` in milliseconds since 1970. */
  let lastFetch: { readonly hash: string; readonly at: number } | null = null
  const bodies = makeBodies(observation)
  /** Hash of the last target that was told to be applied. */
  let told: string | null = null
  /** A body that Traefik refuses although no route of it can be told apart: it is not served again. */
  let stuck: string | null = null
  let state: AckState = { phase: 'steady' }
  const refusals = makeRefusals()
  let oldestTried = false
  /** What was found out makes another target, which is on its way: until then the old one, known to be refused, is judged no more. */
  let replanning = false
  /** It has been seen to wait for the answers of its polls. */
  let holds = false
  let lastLiveMs: number | null = null
  let timer: NodeJS.Timeout | null = null
  let stopped = false

  const bodyOf = ({ plan, revision }: Target): Body => ({
    snapshot: plan.snapshot,
    candidates: servedCandidates(plan.compiled.outcomes),
    revision,
    config: plan.compiled.config,
  })

  function serve(body: Body): void {
    const { hash } = body.snapshot
    const isNew = current?.snapshot.hash !== hash
    current = body
    bodies.serve(body)
    if (!isNew) return
    fetches.offered(hash, target === null)
    passage.offered()
    if (provider().held > 0) holds = true
    publish(body.snapshot)
  }

  function serveTarget(next: Target): void {
    if (next.plan.snapshot.hash !== current?.snapshot.hash) toldAtMs = next.sinceMs ?? performance.now()
    serve(bodyOf(next))
  }

  /** Which of our bodies Traefik has. */
  function recognise(): void {
    if (bodies.recognise()?.snapshot.hash === current?.snapshot.hash && current !== null) passage.applied()
  }

  const had = (): readonly Candidate[] => bodies.had(target?.plan.compiled ?? null)
  const wanted = (): readonly Candidate[] => (target === null ? [] : servedCandidates(target.plan.compiled.outcomes))

  function deadlineMs(): number {
    const { pollGapMs } = provider()
    return (
      options.deadlineMs ??
      applyDeadlineMs({
        lastApplyMs: observation()?.lastApplyMs ?? null,
        bodyBytes: current?.snapshot.body.length ?? 0,
        pollGapMs,
        held: holds,
      })
    )
  }

  const doubtSinceMs = (): number | null => fetches.doubtSinceMs(bodies.usable() === null, performance.now())

  /** For how long Traefik has had the body and the time to apply it; null when no look has shown yet what became of it. */
  function doubtedForMs({ lookedAtMs, answersSinceMs }: Observation): number | null {
    const sinceMs = doubtSinceMs()
    if (sinceMs === null || lookedAtMs === null || lookedAtMs < sinceMs) return null
    return Math.max(lookedAtMs - Math.max(sinceMs, answersSinceMs ?? lookedAtMs), 0)
  }

  function isFetched({ lookedAtMs }: Observation): boolean {
    const sinceMs = fetches.sinceMs()
    return sinceMs !== null && lookedAtMs !== null && lookedAtMs >= sinceMs
  }

  function facts(): AckFacts {
    const seen = observation()
    const canRead = isReadable(seen)
    return {
      readable: canRead,
      beacon: canRead && current !== null && seen.reading.runtime.beacons.includes(current.snapshot.hash),
      fetched: canRead && isFetched(seen),
      doubtedForMs: canRead ? doubtedForMs(seen) : null,
      deadlineMs: deadlineMs(),
      changes: () => findChanges(had(), wanted()),
      oldestDiffers: () =>
        target !== null &&
        !refusals.oldestFields() &&
        !oldestTried &&
        target.recompile(target.plan.candidates, true).snapshot.hash !== target.plan.snapshot.hash,
      hasApplied: bodies.usable() !== null,
    }
  }

  function tellApplied({ plan, revision }: Target): void {
    if (told === plan.snapshot.hash) return
    told = plan.snapshot.hash
    if (toldAtMs === null) return
    lastLiveMs = performance.now() - toldAtMs
    const stages = passage.stages(toldAtMs)
    took = stages === null ? null : { hash: told, stages }
    onApplied(lastLiveMs)
    log.debug({ hash: told.slice(0, 12), revision, ms: Math.round(lastLiveMs) }, 'configuration is applied')
  }

  function refuse(keys: readonly RouteKey[]): void {
    if (target === null) return
    const known = new Set(target.plan.compiled.outcomes.map(({ key }) => key))
    refusals.add({ keys, wanted: wanted(), had: had(), known, version: runningVersion() })
    if (keys.length === 0) {
      stuck = target.plan.snapshot.hash
      log.error({ hash: stuck.slice(0, 12) }, 'Traefik refuses a configuration, and no route of it is the reason')
      return
    }
    log.error(
      { routes: keys.slice(0, 20), count: keys.length },
      'Traefik refuses routes; the rest goes on without them',
    )
  }

  /** Another version may take what the one refused that ran before, or in the run before this one. */
  function forgetRefusals(): void {
    stuck = null
    refusals.forget()
    oldestTried = false
  }

  const runningVersion = (): string | null => observation()?.reading?.version ?? null

  function serveApplied(): void {
    const known = bodies.usable()
    if (known !== null) serve(known)
  }

  function nack(): void {
    onNack()
    log.error(
      { hash: current?.snapshot.hash.slice(0, 12), goesOnWith: bodies.usable()?.snapshot.hash.slice(0, 12) ?? null },
      'Traefik has fetched a configuration and does not show it',
    )
  }

  function act(action: AckAction): void {
    if (target === null) return
    switch (action.kind) {
      case 'none':
        return
      case 'applied':
        if (current?.snapshot.hash === target.plan.snapshot.hash) tellApplied(target)
        return
      case 'serve-applied':
        serveApplied()
        return
      case 'serve-oldest': {
        oldestTried = true
        const { snapshot, compiled } = target.recompile(target.plan.candidates, true)
        const candidates = servedCandidates(compiled.outcomes)
        serve({ snapshot, candidates, revision: target.revision, config: compiled.config })
        return
      }
      case 'applied-oldest':
        refusals.addFields(runningVersion())
        log.warn(
          { version: runningVersion() },
          'Traefik refuses fields that its version should take; it gets those of the oldest supported version',
        )
        resume()
        return
      case 'serve-trial': {
        const { snapshot, compiled } = target.recompile(withChanges(had(), wanted(), action.keys), false)
        const candidates = servedCandidates(compiled.outcomes)
        log.info({ changes: action.keys.length, of: wanted().length }, 'looking for what Traefik refuses')
        serve({ snapshot, candidates, revision: bodies.lastGood()?.revision ?? '', config: compiled.config })
        return
      }
      case 'refuse':
        refuse(action.keys)
        resume()
        return
      default:
        action satisfies never
    }
  }

  /** Back to the newest target, planned anew without what was refused. */
  function resume(): void {
    state = { phase: 'steady' }
    waiting = null
    replanning = true
    onReplan()
  }

  function evaluate(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    if (stopped || current === null || target === null) return
    if (replanning) {
      onChange()
      return
    }
    const known = facts()
    const isStuck = current.snapshot.hash === stuck && !known.beacon
    if (!isStuck) {
      const step = acknowledge(state, known)
      if (state.phase === 'steady' && step.action.kind !== 'none' && step.action.kind !== 'applied') nack()
      state = step.state
      act(step.action)
    }
    onChange()
    if (!isStuck) schedule()
  }

  /** A look at the deadline: only a look tells that a beacon is not there. */
  function schedule(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    const seen = observation()
    const settled =
      state.phase === 'steady' &&
      bodies.applied() !== null &&
      bodies.applied()?.snapshot.hash === current?.snapshot.hash
    // While it cannot be read, the observer asks again by itself.
    if (stopped || fetches.sinceMs() === null || settled || !isReadable(seen)) return
    const sinceMs = doubtSinceMs() ?? performance.now()
    const left = Math.max(sinceMs, seen.answersSinceMs ?? 0) + deadlineMs() - performance.now()
    timer = setTimeout(() => {
      look()
      schedule()
    }, Math.max(left, 0) + 100)
  }

  function take(next: Target): void {
    if (next.plan.snapshot.hash !== target?.plan.snapshot.hash) oldestTried = false
    target = next
    replanning = false
    if (next.plan.snapshot.hash === stuck && bodies.usable() !== null) serveApplied()
    else serveTarget(next)
  }

  return {
    offer(next) {
      if (state.phase !== 'steady') {
        waiting = next
        return
      }
      take(next)
      evaluate()
    },
    restore({ served: before, applied, refusals: found }) {
      refusals.restore(found)
      bodies.restore(applied)
      serve({ ...before, config: null })
    },
    fetched(hash, atMs, connectionId = 0) {
      lastFetch = { hash, at: atMs }
      fetches.fetched(hash, connectionId, performance.now())
      if (hash === current?.snapshot.hash) passage.fetched()
      evaluate()
    },
    askedAgain: fetches.askedAgain,
    gone: fetches.closed,
    sendAgain() {
      if (state.phase !== 'steady') return
      log.warn(
        { hash: current?.snapshot.hash.slice(0, 12) },
        'Traefik has lost the configuration that it had; it gets it again',
      )
      fetches.forget()
      passage.anew()
      bodies.doubt()
      options.answerPolls()
    },
    observed() {
      if (provider().held > 0) holds = true
      recognise()
      // What the run before this one has found out is of the Traefik that ran then.
      if (isReadable(observation()) && refusals.isOfOther(runningVersion())) {
        forgetRefusals()
        onReplan()
      }
      evaluate()
    },
    restarted({ startedAtMs, changed }) {
      bodies.doubt()
      holds = false
      const before = state
      state = { phase: 'steady' }
      if (changed) forgetRefusals()
      // It begins with nothing: the same question again, of the same body, which it may have fetched before we noticed.
      const isCurrent = lastFetch !== null && lastFetch.hash === current?.snapshot.hash
      const hasFetched = isCurrent && lastFetch !== null && lastFetch.at >= startedAtMs
      fetches.restarted(hasFetched ? performance.now() : null)
      passage.anew()
      if (hasFetched) passage.fetched()
      recognise()
      if (!changed && before.phase !== 'steady' && bodies.usable() !== null) {
        // It has nothing now, and would refuse the target once more: first what it is known to take, then the search anew.
        state = { phase: 'restoring', next: nextAfter(before) }
        serveApplied()
        return
      }
      const next = waiting ?? target
      waiting = null
      if (next !== null && (changed || !replanning)) take(next)
      if (changed) onReplan()
    },
    refused: refusals.routes,
    refusals: refusals.stored,
    refuses: hash => hash === stuck || (state.phase !== 'steady' && hash === target?.plan.snapshot.hash),
    oldestFields: refusals.oldestFields,
    lastGood: bodies.lastGood,
    view: () => ({
      current: current?.snapshot ?? null,
      polled: current !== null && lastFetch?.hash === current.snapshot.hash,
      applied: bodies.applied(),
      phase: state.phase,
      lastLiveMs,
      moments: passage.moments(),
      took,
    }),
    stop() {
      stopped = true
      if (timer !== null) clearTimeout(timer)
    },
  }
}
