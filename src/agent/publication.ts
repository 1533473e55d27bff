/**
 * What is served now, and whether Traefik has taken it: drives the pure acknowledgement (core/acknowledge.ts) with what happens.
 *
 *   offer(target) -> published -> fetched (poll) -> beacon seen -> applied
 *                                               \-> none in time -> the last applied body, the oldest fields, a search -> refused routes
 *
 * While it searches, newer targets wait: one that still holds the culprit would only be refused again.
 */
import type { Logger } from 'pino'
import { type AckAction, type AckFacts, type AckState, acknowledge, applyDeadlineMs } from '../core/acknowledge.ts'
import { type Candidate, keyOf } from '../core/conflicts.ts'
import type { DynamicConfig } from '../core/dynamic-config.ts'
import type { Snapshot } from '../core/payload.ts'
import { contentOf, type Plan, type Recompiled, type RefusedRoutes } from '../core/plan.ts'
import type { RouteKey } from '../core/problem.ts'
import type { Observation } from './observer.ts'
import type { ProviderStats } from './provider.ts'

export type Target = {
  readonly plan: Plan
  readonly revision: number | string
  /** The same frame with other candidates, or with the oldest fields. */
  readonly recompile: (candidates: readonly Candidate[], oldestFields: boolean) => Recompiled
}

/** A body that Traefik was seen to have applied. */
export type Applied = {
  readonly snapshot: Snapshot
  readonly candidates: readonly Candidate[]
  readonly revision: number | string
  readonly config: DynamicConfig | null
}

export type PublicationOptions = {
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
  /** A target is applied, so many milliseconds after its publication. */
  readonly onApplied: (ms: number) => void
  readonly logger: Logger
}

export type PublicationView = {
  /** What Traefik gets now. */
  readonly current: Snapshot | null
  /** Traefik has fetched it. */
  readonly polled: boolean
  readonly applied: Applied | null
  readonly phase: AckState['phase']
  /** Milliseconds from the publication of the last target to its beacon. */
  readonly lastLiveMs: number | null
}

export interface Publication {
  offer(target: Target): void
  /** What the run before this one left: the body is served already. */
  restore(served: Snapshot, applied: Applied | null): void
  /** Traefik has fetched the body with this hash, at so many milliseconds since 1970. */
  fetched(hash: string, atMs: number): void
  /** Traefik was looked at, well or not. */
  observed(): void
  /** Another Traefik process, since so many milliseconds since 1970; `changed`: of another version. */
  restarted(since: { readonly startedAtMs: number; readonly changed: boolean }): void
  refused(): RefusedRoutes
  oldestFields(): boolean
  view(): PublicationView
  stop(): void
}

export function createPublication(options: PublicationOptions): Publication {
  const { publish, observation, provider, look, onChange, onReplan, onNack, onApplied } = options
  const log = options.logger.child({ component: 'publication' })
  let target: Target | null = null
  let waiting: Target | null = null
  let current: Snapshot | null = null
  let publishedAtMs = 0
  let fetchedAtMs: number | null = null
  /** `at` in milliseconds since 1970. */
  let lastFetch: { readonly hash: string; readonly at: number } | null = null
  /** A body that Traefik refuses although no route of it can be told apart: it is not served again. */
  let stuck: string | null = null
  let applied: Applied | null = null
  let state: AckState = { phase: 'steady' }
  let trialCandidates: readonly Candidate[] = []
  let refused: RefusedRoutes = new Map()
  let oldest = false
  let oldestTried = false
  let lastLiveMs: number | null = null
  let lookedAtMs = 0
  let timer: NodeJS.Timeout | null = null
  let stopped = false

  function serve(snapshot: Snapshot): void {
    if (current?.hash !== snapshot.hash) fetchedAtMs = null
    current = snapshot
    publishedAtMs = performance.now()
    publish(snapshot)
  }

  const byKey = (candidates: readonly Candidate[]): Map<RouteKey, Candidate> =>
    new Map(candidates.map(candidate => [keyOf(candidate.route), candidate]))

  function differing(): readonly RouteKey[] {
    const wanted = byKey(target?.plan.candidates ?? [])
    const had = byKey(applied?.candidates ?? [])
    return [...new Set([...wanted.keys(), ...had.keys()])].filter(key => {
      const [now, before] = [wanted.get(key), had.get(key)]
      return now === undefined || before === undefined || contentOf(now) !== contentOf(before)
    })
  }

  /** The applied routes with some of the differing ones as the target has them. */
  function mixed(keys: readonly RouteKey[]): readonly Candidate[] {
    const wanted = byKey(target?.plan.candidates ?? [])
    const mixture = byKey(applied?.candidates ?? [])
    for (const key of keys) {
      const candidate = wanted.get(key)
      if (candidate === undefined) mixture.delete(key)
      else mixture.set(key, candidate)
    }
    return [...mixture.values()]
  }

  function deadlineMs(): number {
    const { pollGapMs, held } = provider()
    return applyDeadlineMs({
      lastApplyMs: observation()?.lastApplyMs ?? null,
      bodyBytes: current?.body.length ?? 0,
      pollGapMs,
      held: held > 0,
    })
  }

  function facts(): AckFacts {
    const seen = observation()
    const readable = seen !== null && seen.fault === null && seen.reading !== null
    const hash = current?.hash ?? ''
    return {
      readable,
      beacon: readable && (seen.reading?.runtime.beacons.includes(hash) ?? false),
      // What a look has shown that came after the fetch: an older one proves nothing.
      fetchedForMs: fetchedAtMs === null || lookedAtMs < fetchedAtMs ? null : lookedAtMs - fetchedAtMs,
      deadlineMs: deadlineMs(),
      differing,
      oldestDiffers: () =>
        target !== null &&
        !oldest &&
        !oldestTried &&
        target.recompile(target.plan.candidates, true).snapshot.hash !== target.plan.snapshot.hash,
      hasApplied: applied !== null,
    }
  }

  function markApplied(of: Target, snapshot: Snapshot): void {
    const isNew = applied?.snapshot.hash !== snapshot.hash
    applied = { snapshot, candidates: of.plan.candidates, revision: of.revision, config: of.plan.compiled.config }
    if (!isNew) return
    lastLiveMs = performance.now() - publishedAtMs
    onApplied(lastLiveMs)
    log.debug(
      { hash: snapshot.hash.slice(0, 12), revision: of.revision, ms: Math.round(lastLiveMs) },
      'configuration is applied',
    )
  }

  function refuse(keys: readonly RouteKey[]): void {
    const wanted = byKey(target?.plan.candidates ?? [])
    const had = byKey(applied?.candidates ?? [])
    const next = new Map(refused)
    for (const key of keys) {
      const candidate = wanted.get(key)
      if (candidate !== undefined) next.set(key, { content: contentOf(candidate), former: had.get(key) ?? null })
    }
    refused = next
    if (keys.length === 0) stuck = target?.plan.snapshot.hash ?? null
    log.error(
      { routes: keys.slice(0, 20), count: keys.length },
      'Traefik refuses routes; the rest goes on without them',
    )
  }

  function act(action: AckAction): void {
    if (target === null) return
    switch (action.kind) {
      case 'none':
        return
      case 'applied':
        if (current?.hash === target.plan.snapshot.hash) markApplied(target, target.plan.snapshot)
        return
      case 'serve-applied':
        onNack()
        log.error(
          { hash: current?.hash.slice(0, 12) },
          'Traefik has fetched a configuration and does not show it; the last good one is served again',
        )
        if (applied !== null) serve(applied.snapshot)
        return
      case 'serve-oldest':
        oldestTried = true
        serve(target.recompile(target.plan.candidates, true).snapshot)
        return
      case 'applied-oldest':
        oldest = true
        log.warn(
          { version: observation()?.reading?.version },
          'Traefik refuses fields that its version should take; it gets those of the oldest supported version',
        )
        resume()
        return
      case 'serve-trial':
        trialCandidates = mixed(action.keys)
        serve(target.recompile(trialCandidates, false).snapshot)
        return
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
    onReplan()
  }

  function evaluate(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    if (stopped || current === null || target === null) return
    const before = state
    const known = facts()
    // A trial that Traefik has taken is what it has from now on, whatever comes after.
    if (before.phase === 'trial' && known.readable && known.beacon && known.fetchedForMs !== null) {
      const { compiled, snapshot } = target.recompile(trialCandidates, false)
      applied = {
        snapshot,
        candidates: trialCandidates,
        revision: applied?.revision ?? target.revision,
        config: compiled.config,
      }
    }
    const step = acknowledge(before, known)
    state = step.state
    act(step.action)
    onChange()
    schedule()
  }

  /** A look at the deadline: only a look tells that a beacon is not there. */
  function schedule(): void {
    if (timer !== null) clearTimeout(timer)
    timer = null
    const settled = state.phase === 'steady' && applied !== null && applied.snapshot.hash === current?.hash
    if (stopped || fetchedAtMs === null || settled || observation() === null) return
    const left = fetchedAtMs + deadlineMs() - performance.now()
    timer = setTimeout(() => {
      look()
      schedule()
    }, Math.max(left, 0) + 100)
  }

  return {
    offer(next) {
      if (state.phase !== 'steady') {
        waiting = next
        return
      }
      if (next.plan.snapshot.hash !== target?.plan.snapshot.hash) oldestTried = false
      target = next
      if (next.plan.snapshot.hash === stuck) {
        if (applied !== null && current?.hash !== applied.snapshot.hash) serve(applied.snapshot)
        return
      }
      if (current?.hash !== next.plan.snapshot.hash) serve(next.plan.snapshot)
      evaluate()
    },
    restore(served, before) {
      applied = before
      serve(served)
    },
    fetched(hash, atMs) {
      lastFetch = { hash, at: atMs }
      if (hash === current?.hash && fetchedAtMs === null) fetchedAtMs = performance.now()
      evaluate()
    },
    observed() {
      lookedAtMs = performance.now()
      evaluate()
    },
    restarted({ startedAtMs, changed }) {
      // It begins with nothing: the same question again, of the same body, which it may have fetched before we noticed.
      fetchedAtMs =
        lastFetch !== null && lastFetch.hash === current?.hash && lastFetch.at >= startedAtMs ? performance.now() : null
      state = { phase: 'steady' }
      if (changed) {
        stuck = null
        refused = new Map()
        oldest = false
        oldestTried = false
      }
      const next = waiting ?? target
      waiting = null
      if (next !== null) {
        target = next
        serve(next.plan.snapshot)
      }
      if (changed) onReplan()
    },
    refused: () => refused,
    oldestFields: () => oldest,
    view: () => ({
      current,
      polled: current !== null && lastFetch?.hash === current.hash,
      applied,
      phase: state.phase,
      lastLiveMs,
    }),
    stop() {
      stopped = true
      if (timer !== null) clearTimeout(timer)
    },
  }
}
