/** The verdicts and the drift as they stand, made anew whenever something that they rest on has changed. */
import { type Drift, findDrift, foreignOn, NO_DRIFT } from '../core/drift.ts'
import { type Health, NO_HEALTH, rememberHealth } from '../core/health.ts'
import { type Evidence, judge, type Polled, type RouteVerdict } from '../core/judge.ts'
import type { PortSet } from '../core/port-set.ts'
import { applyProbe, type ProbeResult } from '../core/probe/probe.ts'
import { type RouteKey, routeKey } from '../core/problem.ts'
import { needsRestart, withRestartCost } from '../core/restart-cost.ts'
import { type TimingsMs, type TrackedVerdict, trackVerdicts } from '../core/track.ts'
import type { Stages } from './passage.ts'
import type { PublicationView } from './publication.ts'
import type { Round } from './reconcile.ts'
import type { Observation } from './traefik/observer.ts'
import type { RestartWatch } from './traefik/restart-watch.ts'

export type VerdictsOptions = {
  readonly round: () => Round | null
  readonly publication: () => PublicationView
  /** The last poll of a Traefik was refused for its token. */
  readonly tokenRefused: () => boolean
  /** Null: there is no API. */
  readonly observation: () => Observation | null
  readonly heldReasons: () => ReadonlyMap<RouteKey, string>
  /** Probes that failed; another map whenever one comes or goes. */
  readonly failedProbes: () => ReadonlyMap<RouteKey, ProbeResult>
  /** Told whether a route waits for a restart of Traefik, and asked what that would cost. */
  readonly restart: Pick<RestartWatch, 'want' | 'cost'>
  readonly ports: { readonly tcp: PortSet; readonly udp: PortSet }
  readonly now: () => number
}

export interface Verdicts {
  refresh(): void
  all(): readonly TrackedVerdict[]
  /** Of the last round and what Traefik showed of it, before any probe was looked at. */
  judged(): readonly RouteVerdict[]
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

function timingsOf(compileMs: number, { serve, fetch, apply, live }: Stages): TimingsMs {
  // What is compiled is put into a file before it is served.
  const stages = { compile: compileMs, serve: Math.max(serve - compileMs, 0), fetch, apply, live }
  return Object.fromEntries(Object.entries(stages).map(([stage, ms]) => [stage, Math.round(ms)]))
}

export function createVerdicts(options: VerdictsOptions): Verdicts {
  let verdicts: readonly TrackedVerdict[] = []
  let judged: readonly RouteVerdict[] = []
  let drift: Drift = NO_DRIFT
  let health = NO_HEALTH
  let seen: readonly unknown[] = []

  /** With the servers that are known to be down although Traefik has not asked them again yet, and those that it never has. */
  function withHealth(
    evidence: Evidence,
    observation: Observation | null,
    compiled: Round['plan']['compiled'],
  ): { readonly evidence: Evidence; readonly unasked: Health['unasked'] } {
    if (evidence.kind !== 'read') return { evidence, unasked: new Map() }
    const startedAt = observation?.reading?.startedAt ?? null
    const body = [startedAt, ...evidence.runtime.beacons].join(' ')
    const started = startedAt === null ? Number.NaN : Date.parse(startedAt)
    const look = {
      runtime: evidence.runtime,
      body,
      readAtMs: observation?.readAt ?? options.now(),
      startedAtMs: Number.isNaN(started) ? null : started,
    }
    const found = rememberHealth(health, look, compiled)
    health = found.memory
    return { evidence: { kind: 'read', runtime: found.runtime }, unasked: found.unasked }
  }

  function entryPointsOf(observation: Observation | null): ReadonlySet<string> {
    const entryPoints = observation?.reading?.entryPoints ?? []
    return new Set(
      entryPoints.filter(({ protocol, port }) => options.ports[protocol].has(port)).map(({ name }) => name),
    )
  }

  return {
    refresh() {
      const round = options.round()
      if (round === null) return
      const observation = options.observation()
      const { polled: isPolled, applied, current, took } = options.publication()
      const polled: Polled = isPolled ? 'yes' : options.tokenRefused() ? 'refused' : 'no'
      const failed = options.failedProbes()
      // It is asked at every poll and every look, and of ten thousand routes an answer takes its time.
      const basis = [
        round,
        observation?.reading,
        observation?.fault?.message,
        polled,
        applied?.config,
        applied?.snapshot,
        current,
        failed,
        took,
        options.restart.cost(),
      ]
      if (basis.every((part, i) => part === seen[i]) && seen.length > 0) return
      seen = basis
      const { plan, revision } = round
      const { evidence, unasked } = withHealth(evidenceOf(observation), observation, plan.compiled)
      const { outcomes, config } = plan.compiled
      const found = judge({
        outcomes,
        rejected: plan.rejected,
        config,
        polled,
        evidence,
        unasked,
        held: options.heldReasons(),
        ...(applied?.snapshot.hash === plan.snapshot.hash ? {} : { applied: applied?.candidates ?? null }),
      })
      const cost = options.restart.cost()
      judged = cost === null ? found : withRestartCost(found, cost)
      const probed = judged.map(verdict => applyProbe(verdict, failed.get(routeKey(verdict.protocol, verdict.id))))
      const tookMs = took === null || took.hash !== current?.hash ? null : timingsOf(round.compileMs, took.stages)
      verdicts = trackVerdicts(verdicts, probed, revision, options.now(), tookMs)
      options.restart.want(found.some(needsRestart))
      if (evidence.kind !== 'read') {
        drift = NO_DRIFT
        return
      }
      const ours = entryPointsOf(observation)
      // Drift is from what was once there as it should be: a body that is on its way is not drift.
      drift =
        applied !== null && applied.config !== null && applied.snapshot.hash === current?.hash
          ? findDrift(applied.config, applied.snapshot.hash, evidence.runtime, ours)
          : { ...NO_DRIFT, foreign: foreignOn(ours, evidence.runtime) }
    },
    all: () => verdicts,
    judged: () => judged,
    drift: () => drift,
  }
}
