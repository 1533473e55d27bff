/**
 * One whole step of deciding, from what the sources hold to the body that Traefik should get. Pure: time and memory are handed in.
 *
 *   readings -> merge (expiry, first-seen claims) -> compile -> snapshot
 */
import type { NodeSettings } from './admit.ts'
import { type Compiled, compile } from './compile.ts'
import type { Certificate } from './expected-state.ts'
import { type FirstSeen, mergeSources, type RankedRoutes } from './merge.ts'
import { makeSnapshot, type Snapshot } from './payload.ts'
import { candidateProblem, type TraefikView } from './placement.ts'
import type { Problem } from './problem.ts'

export type PlanSource = RankedRoutes & {
  /** What the source itself refused. */
  readonly problems: readonly Problem[]
  readonly certificates: readonly Certificate[]
  readonly challengeUrl: string | null
}

export type PlanInput = {
  readonly sources: readonly PlanSource[]
  readonly firstSeen: FirstSeen
  readonly node: NodeSettings
  readonly view: TraefikView
  /** Milliseconds since 1970. */
  readonly nowMs: number
}

export type Plan = {
  readonly snapshot: Snapshot
  readonly compiled: Compiled
  /** Routes that never became candidates: refused by a source, or over. */
  readonly rejected: readonly Problem[]
  readonly firstSeen: FirstSeen
  /** When the next route ends, in milliseconds since 1970, or null. */
  readonly nextExpiryMs: number | null
}

export function makePlan({ sources, firstSeen, node, view, nowMs }: PlanInput): Plan {
  const merged = mergeSources(sources, firstSeen, nowMs)
  const compiled = compile({
    candidates: merged.candidates,
    node,
    view,
    certificates: sources.flatMap(({ certificates }) => certificates),
    challengeUrl: sources.find(({ challengeUrl }) => challengeUrl !== null)?.challengeUrl ?? null,
  })
  const expired = merged.expired.map(candidate =>
    candidateProblem(candidate, 'EXPIRED', {
      field: 'expiresAt',
      value: new Date(candidate.route.expiresAt ?? 0).toISOString(),
      message: `the route ended at ${new Date(candidate.route.expiresAt ?? 0).toISOString()}`,
    }),
  )
  return {
    snapshot: makeSnapshot(compiled.config),
    compiled,
    rejected: [...sources.flatMap(({ problems }) => problems), ...expired],
    firstSeen: merged.firstSeen,
    nextExpiryMs: merged.nextExpiryMs,
  }
}
