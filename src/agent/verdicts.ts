/** The verdicts and the drift as they stand, made anew whenever something that they rest on has changed. */
import type { RouteOutcome } from '../core/compile.ts'
import { type Drift, findDrift, NO_DRIFT } from '../core/drift.ts'
import { NO_HEALTH, rememberDown } from '../core/health.ts'
import { type Evidence, judge } from '../core/judge.ts'
import type { RouteKey } from '../core/problem.ts'
import { type TrackedVerdict, trackVerdicts } from '../core/track.ts'
import type { Observation } from './observer.ts'
import type { PublicationView } from './publication.ts'
import type { Round } from './reconcile.ts'

export type VerdictsOptions = {
  readonly round: () => Round | null
  readonly publication: () => PublicationView
  /** Null: there is no API. */
  readonly observation: () => Observation | null
  readonly heldReasons: () => ReadonlyMap<RouteKey, string>
  readonly now: () => number
}

export interface Verdicts {
  refresh(): void
  all(): readonly TrackedVerdict[]
  drift(): Drift
}

export function evidenceOf(observation: Observation | null): Evidence {
  if (observation === null) return { kind: 'none' }
  const { reading, fault } = observation
  if (fault !== null) return { kind: 'fault', message: fault.message }
  return reading === null
    ? { kind: 'fault', message: "Traefik's API has not been read yet" }
    : { kind: 'read', runtime: reading.runtime }
}

export function createVerdicts(options: VerdictsOptions): Verdicts {
  let verdicts: readonly TrackedVerdict[] = []
  let drift: Drift = NO_DRIFT
  let health = NO_HEALTH

  /** With the servers that are known to be down although Traefik has not asked them again yet. */
  function withHealth(
    evidence: Evidence,
    observation: Observation | null,
    outcomes: readonly RouteOutcome[],
  ): Evidence {
    if (evidence.kind !== 'read') return evidence
    const body = [observation?.reading?.startedAt, ...evidence.runtime.beacons].join(' ')
    const remembered = rememberDown(health, evidence.runtime, outcomes, body, observation?.readAt ?? options.now())
    health = remembered.memory
    return { kind: 'read', runtime: remembered.runtime }
  }

  return {
    refresh() {
      const round = options.round()
      if (round === null) return
      const { plan, revision } = round
      const observation = options.observation()
      const evidence = withHealth(evidenceOf(observation), observation, plan.compiled.outcomes)
      const { polled, applied, current } = options.publication()
      const { outcomes, config } = plan.compiled
      const judged = judge({ outcomes, rejected: plan.rejected, config, polled, evidence, held: options.heldReasons() })
      verdicts = trackVerdicts(verdicts, judged, revision, options.now())
      // Drift is from what was once there as it should be: a body that is on its way is not drift.
      const settled = applied !== null && applied.config !== null && applied.snapshot.hash === current?.hash
      drift =
        evidence.kind === 'read' && settled && applied.config !== null
          ? findDrift(applied.config, applied.snapshot.hash, evidence.runtime)
          : NO_DRIFT
    },
    all: () => verdicts,
    drift: () => drift,
  }
}
