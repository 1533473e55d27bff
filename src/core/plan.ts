/**
 * One whole step of deciding, from what the sources hold to the body that Traefik should get. Pure: time and memory are handed in.
 *
 *   readings -> merge (expiry, first-seen claims) -> without what Traefik refused -> compile -> snapshot
 */
import type { NodeSettings } from './admit.ts'
import { contentOf } from './changes.ts'
import { type Compiled, compile, type RouteOutcome } from './compile.ts'
import { type Candidate, keyOf } from './conflicts.ts'
import type { DynamicConfig } from './dynamic-config.ts'
import type { Certificate } from './expected-state.ts'
import { canonicalJson } from './hash.ts'
import { type FirstSeen, mergeSources, type RankedRoutes } from './merge.ts'
import { makeSnapshot, type Snapshot } from './payload.ts'
import { candidateProblem, type TraefikView } from './placement.ts'
import type { Problem, RouteKey } from './problem.ts'

export type PlanSource = RankedRoutes & {
  /** What the source itself refused. */
  readonly problems: readonly Problem[]
  readonly certificates: readonly Certificate[]
  readonly challengeUrl: string | null
}

/** Routes that this Traefik does not take, as they were: a route that is mended is tried again. */
export type RefusedRoutes = ReadonlyMap<
  RouteKey,
  {
    /** Canonical JSON of the route. */
    readonly content: string
    /** What it had before and goes on with, or null. */
    readonly former: Candidate | null
  }
>

export type PlanInput = {
  readonly sources: readonly PlanSource[]
  readonly firstSeen: FirstSeen
  readonly node: NodeSettings
  readonly view: TraefikView
  /** Milliseconds since 1970. */
  readonly nowMs: number
  readonly refused: RefusedRoutes
  /** Emit the fields of the oldest supported Traefik alone: this one refused what its version should take. */
  readonly oldestFields: boolean
  /** For tests alone: makes a body that Traefik refuses. */
  readonly tamper?: (config: DynamicConfig) => DynamicConfig
}

/** Fewer routes are planned in the time of one poll. */
const LARGE_PLAN = 2_000

export type Plan = {
  readonly snapshot: Snapshot
  readonly compiled: Compiled
  /** What was compiled, in the form in which it can be compiled again. */
  readonly candidates: readonly Candidate[]
  /** Routes that never became candidates: refused by a source, or over. */
  readonly rejected: readonly Problem[]
  readonly firstSeen: FirstSeen
  /** When the next route ends, in milliseconds since 1970, or null. */
  readonly nextExpiryMs: number | null
}

export type Recompiled = { readonly snapshot: Snapshot; readonly compiled: Compiled }

/** The input of a plan without its candidates: what else goes into a body. */
export type PlanFrame = Pick<PlanInput, 'node' | 'view' | 'oldestFields' | 'tamper'> & {
  readonly certificates: readonly Certificate[]
  readonly challengeUrl: string | null
}

export function recompile(candidates: readonly Candidate[], frame: PlanFrame): Recompiled {
  const compiled = compileIn(frame, candidates)
  return { snapshot: makeSnapshot(compiled.config), compiled }
}

function compileIn(frame: PlanFrame, candidates: readonly Candidate[]): Compiled {
  const { node, view, oldestFields, certificates, challengeUrl, tamper = config => config } = frame
  const observed = view.observed === null || !oldestFields ? view.observed : { ...view.observed, version: null }
  const compiled = compile({ candidates, node, view: { ...view, observed }, certificates, challengeUrl })
  return { ...compiled, config: tamper(compiled.config) }
}

function withoutRefused(
  candidates: readonly Candidate[],
  refused: RefusedRoutes,
): { readonly candidates: readonly Candidate[]; readonly out: readonly Candidate[] } {
  const out: Candidate[] = []
  const kept = candidates.flatMap(candidate => {
    const refusal = refused.get(keyOf(candidate.route))
    if (refusal === undefined || refusal.content !== contentOf(candidate)) return [candidate]
    out.push(candidate)
    return refusal.former === null ? [] : [refusal.former]
  })
  return { candidates: kept, out }
}

function refusedOutcomes(
  outcomes: readonly RouteOutcome[],
  out: readonly Candidate[],
  refused: RefusedRoutes,
): RouteOutcome[] {
  const problems = new Map(
    out.map(candidate => {
      const hasFormer = (refused.get(keyOf(candidate.route))?.former ?? null) !== null
      const message = `Traefik does not take a configuration with this route${hasFormer ? '; what it was before goes on serving' : ''}`
      return [
        keyOf(candidate.route),
        {
          candidate,
          problem: candidateProblem(candidate, 'TRAEFIK_REFUSED_BODY', { field: null, value: null, message }),
        },
      ] as const
    }),
  )
  const marked = outcomes.map(outcome => {
    const refusal = problems.get(outcome.key)
    problems.delete(outcome.key)
    return refusal === undefined ? outcome : { ...outcome, candidate: refusal.candidate, problem: refusal.problem }
  })
  const dropped = [...problems].map(
    ([key, { candidate, problem }]): RouteOutcome => ({
      key,
      candidate,
      problem,
      degraded: null,
      notes: [],
      entryPoints: [],
      routers: [],
      services: [],
    }),
  )
  return [...marked, ...dropped]
}

/** With fewer fields than its version should take, a route that needed them says so. */
function lessThanAsked(outcomes: readonly RouteOutcome[], config: DynamicConfig, full: Recompiled): RouteOutcome[] {
  const partsOf = (of: DynamicConfig, { candidate, routers, services }: RouteOutcome): string => {
    const section = of[candidate.route.protocol]
    return canonicalJson([
      routers.map(name => section?.routers?.[name] ?? null),
      services.map(name => section?.services?.[name] ?? null),
    ])
  }
  return outcomes.map(outcome => {
    if (outcome.problem !== null || partsOf(config, outcome) === partsOf(full.compiled.config, outcome)) return outcome
    const message = 'Traefik refuses a field that the route needs; it is served without it'
    return {
      ...outcome,
      degraded: candidateProblem(outcome.candidate, 'FIELD_NOT_IN_TRAEFIK', { field: null, value: null, message }),
    }
  })
}

export function planFrame({ sources, node, view, oldestFields, tamper }: PlanInput): PlanFrame {
  return {
    node,
    view,
    oldestFields,
    certificates: sources.flatMap(({ certificates }) => certificates),
    challengeUrl: sources.find(({ challengeUrl }) => challengeUrl !== null)?.challengeUrl ?? null,
    ...(tamper === undefined ? {} : { tamper }),
  }
}

/** As makePlan, with a rest after each large piece: ten thousand routes that are all new take a third of a second together. */
export function* planInPieces(input: PlanInput): Generator<undefined, Plan> {
  const { sources, nowMs, refused } = input
  const merged = mergeSources(sources, input.firstSeen, nowMs)
  const { candidates, out } = withoutRefused(merged.candidates, refused)
  const isLarge = candidates.length >= LARGE_PLAN
  const frame = planFrame(input)
  if (isLarge) yield
  const compiled = compileIn(frame, candidates)
  if (isLarge) yield
  const snapshot = makeSnapshot(compiled.config)
  if (isLarge) yield
  const outcomes = refusedOutcomes(compiled.outcomes, out, refused)
  const expired = merged.expired.map(candidate => {
    const ended = new Date(candidate.route.expiresAt ?? 0).toISOString()
    return candidateProblem(candidate, 'EXPIRED', {
      field: 'expiresAt',
      value: ended,
      message: `the route ended at ${ended}`,
    })
  })
  return {
    snapshot,
    compiled: {
      ...compiled,
      outcomes: input.oldestFields
        ? lessThanAsked(outcomes, compiled.config, recompile(candidates, { ...frame, oldestFields: false }))
        : outcomes,
    },
    candidates,
    rejected: [...sources.flatMap(({ problems }) => problems), ...expired],
    firstSeen: merged.firstSeen,
    nextExpiryMs: merged.nextExpiryMs,
  }
}

export function makePlan(input: PlanInput): Plan {
  const pieces = planInPieces(input)
  for (;;) {
    const { done, value } = pieces.next()
    if (done) return value
  }
}
