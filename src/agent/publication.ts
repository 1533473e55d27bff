/**
 * What is served next, by whether Traefik has taken what is served now: drives the pure acknowledgement (core/acknowledge.ts) with what
 * happens to the delivery.
 *
 *   offer(target) -> published -> fetched (poll) -> beacon seen -> applied
 *                                               \-> none in time -> the last applied body, the oldest fields, a search -> refused routes
 *
 * What Traefik has is read from its beacons, never assumed: of the bodies that were served lately, the newest one that it shows.
 * While it searches, newer targets wait: one that still holds the culprit would only be refused again.
 */
import type { Logger } from 'pino'
import { type AckAction, type AckFacts, type AckState, acknowledge } from '../core/acknowledge.ts'
import { findChanges, servedCandidates, withChanges } from '../core/changes.ts'
import type { Candidate } from '../core/conflicts.ts'
import type { Plan, Recompiled, RefusedRoutes } from '../core/plan.ts'
import type { RouteKey } from '../core/problem.ts'
import { type Applied, type Body, isReadable } from './bodies.ts'
import { createDelivery, type DeliveryOptions, type DeliveryView } from './delivery.ts'
import type { Stages } from './passage.ts'
import { makeRefusals, type StoredRefusals } from './refusals.ts'

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

export type PublicationOptions = DeliveryOptions & {
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
}

export type PublicationView = DeliveryView & {
  readonly phase: AckState['phase']
  /** Milliseconds from the change that the last target comes from to its beacon. */
  readonly lastLiveMs: number | null
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
  const { observation, look, onChange, onReplan, onNack, onApplied } = options
  const log = options.logger.child({ component: 'publication' })
  const delivery = createDelivery(options)
  const refusals = makeRefusals()
  let target: Target | null = null
  let waiting: Target | null = null
  /** Of the last target that was served; null for what the run before this one has served. */
  let toldAtMs: number | null = null
  let took: PublicationView['took'] = null
  /** Hash of the last target that was told to be applied. */
  let told: string | null = null
  /** A body that Traefik refuses although no route of it can be told apart: it is not served again. */
  let stuck: string | null = null
  let state: AckState = { phase: 'steady' }
  let oldestTried = false
  /** What was found out makes another target, which is on its way: until then the old one, known to be refused, is judged no more. */
  let replanning = false
  let lastLiveMs: number | null = null
  let timer: NodeJS.Timeout | null = null
  let stopped = false

  const servedHash = (): string | null => delivery.current()?.snapshot.hash ?? null

  function serveTarget(next: Target): void {
    const { plan, revision } = next
    const { snapshot, compiled } = plan
    if (snapshot.hash !== servedHash()) toldAtMs = next.sinceMs ?? performance.now()
    serve({ snapshot, compiled }, revision)
  }

  const serve = ({ snapshot, compiled }: Recompiled, revision: number | string): void =>
    delivery.serve(
      { snapshot, candidates: servedCandidates(compiled.outcomes), revision, config: compiled.config },
      false,
    )

  const had = (): readonly Candidate[] => delivery.had(target?.plan.compiled ?? null)
  const wanted = (): readonly Candidate[] => (target === null ? [] : servedCandidates(target.plan.compiled.outcomes))

  const facts = (): AckFacts => ({
    ...delivery.facts(),
    changes: () => findChanges(had(), wanted()),
    oldestDiffers: () =>
      target !== null &&
      !refusals.oldestFields() &&
      !oldestTried &&
      target.recompile(target.plan.candidates, true).snapshot.hash !== target.plan.snapshot.hash,
    hasApplied: delivery.usable() !== null,
  })

  function tellApplied({ plan, revision }: Target): void {
    if (told === plan.snapshot.hash) return
    told = plan.snapshot.hash
    if (toldAtMs === null) return
    lastLiveMs = performance.now() - toldAtMs
    const stages = delivery.stages(toldAtMs)
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
    const known = delivery.usable()
    if (known !== null) delivery.serve(known, false)
  }

  function nack(): void {
    onNack()
    log.error(
      { hash: servedHash()?.slice(0, 12), goesOnWith: delivery.usable()?.snapshot.hash.slice(0, 12) ?? null },
      'Traefik has fetched a configuration and does not show it',
    )
  }

  function act(action: AckAction): void {
    if (target === null) return
    switch (action.kind) {
      case 'none':
        return
      case 'applied':
        if (servedHash() === target.plan.snapshot.hash) tellApplied(target)
        return
      case 'serve-applied':
        serveApplied()
        return
      case 'serve-oldest': {
        oldestTried = true
        serve(target.recompile(target.plan.candidates, true), target.revision)
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
        const trial = target.recompile(withChanges(had(), wanted(), action.keys), false)
        log.info({ changes: action.keys.length, of: wanted().length }, 'looking for what Traefik refuses')
        serve(trial, delivery.lastGood()?.revision ?? '')
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
    if (stopped || servedHash() === null || target === null) return
    if (replanning) {
      onChange()
      return
    }
    const known = facts()
    const isStuck = servedHash() === stuck && !known.beacon
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
    // While it cannot be read, the observer asks again by itself.
    const left = delivery.dueInMs()
    if (stopped || left === null || (state.phase === 'steady' && delivery.isApplied())) return
    timer = setTimeout(() => {
      look()
      schedule()
    }, left + 100)
  }

  function take(next: Target): void {
    if (next.plan.snapshot.hash !== target?.plan.snapshot.hash) oldestTried = false
    target = next
    replanning = false
    if (next.plan.snapshot.hash === stuck && delivery.usable() !== null) serveApplied()
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
      delivery.restore(applied)
      delivery.serve({ ...before, config: null }, true)
    },
    fetched(hash, atMs, connectionId = 0) {
      delivery.fetched(hash, atMs, connectionId)
      evaluate()
    },
    askedAgain: delivery.askedAgain,
    gone: delivery.gone,
    sendAgain() {
      if (state.phase !== 'steady') return
      log.warn({ hash: servedHash()?.slice(0, 12) }, 'Traefik has lost the configuration that it had; it gets it again')
      delivery.sendAgain()
    },
    observed() {
      delivery.observed()
      // What the run before this one has found out is of the Traefik that ran then.
      if (isReadable(observation()) && refusals.isOfOther(runningVersion())) {
        forgetRefusals()
        onReplan()
      }
      evaluate()
    },
    restarted({ startedAtMs, changed }) {
      const before = state
      state = { phase: 'steady' }
      if (changed) forgetRefusals()
      delivery.restarted(startedAtMs)
      if (!changed && before.phase !== 'steady' && delivery.usable() !== null) {
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
    lastGood: delivery.lastGood,
    view: () => ({
      ...delivery.view(),
      phase: state.phase,
      lastLiveMs,
      took,
    }),
    stop() {
      stopped = true
      if (timer !== null) clearTimeout(timer)
    },
  }
}
