/** Explains a route by what the agent knows of it now. What a look-up needs is indexed once, and asked for many routes by a report. */
import type { RouteOutcome } from '../../core/compile.ts'
import { type ExplainInput, type Explanation, explainRoute } from '../../core/explain.ts'
import type { Evidence } from '../../core/judge.ts'
import type { ObservedRouter, ObservedRuntime } from '../../core/observed.ts'
import type { ProbeResult } from '../../core/probe/probe.ts'
import { type RouteKey, routeKey } from '../../core/problem.ts'
import type { TrackedVerdict } from '../../core/track.ts'
import type { Round } from '../reconcile.ts'
import type { SourceReading, SourceStatus } from '../sources/source.ts'

export type ExplainerOptions = {
  readonly verdicts: () => readonly TrackedVerdict[]
  readonly round: () => Round | null
  readonly publication: () => ExplainInput['publication']
  readonly evidence: () => Evidence
  /** When Traefik was last read, in milliseconds since 1970. */
  readonly readAt: () => number | null
  readonly sources: () => readonly SourceStatus[]
  readonly probes: () => ReadonlyMap<RouteKey, ProbeResult>
}

/** Made anew when it is asked of another value than the last time. */
function remembered<K extends object, V>(make: (of: K) => V): (of: K) => V {
  let last: { readonly of: K; readonly value: V } | null = null
  return of => {
    if (last?.of !== of) last = { of, value: make(of) }
    return last.value
  }
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => RouteKey): ReadonlyMap<string, readonly T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return groups
}

/** Gives the explanation of one route by its key, of two that claim it the one that is served; null when there is none. */
export function createExplainer(options: ExplainerOptions): (key: string) => Explanation | null {
  const rowsOf = remembered((all: readonly TrackedVerdict[]) => grouped(all, row => routeKey(row.protocol, row.id)))
  const outcomesOf = remembered((round: Round) => grouped<RouteOutcome>(round.plan.compiled.outcomes, ({ key }) => key))
  const routersOf = remembered(
    (runtime: ObservedRuntime) =>
      new Map(runtime.routers.map((router): [string, ObservedRouter] => [`${router.protocol}/${router.name}`, router])),
  )
  const origins = new WeakMap<SourceReading, ReadonlySet<string>>()

  function namesOrigin(reading: SourceReading, origin: string): boolean {
    const known = origins.get(reading) ?? new Set([...reading.routes, ...reading.problems].map(one => one.origin))
    origins.set(reading, known)
    return known.has(origin)
  }

  /** The evidence with the routers of this route alone: nobody looks at the others. */
  function evidenceFor(outcome: RouteOutcome | null): Evidence {
    const evidence = options.evidence()
    if (evidence.kind !== 'read') return evidence
    const { runtime } = evidence
    const index = routersOf(runtime)
    const routers = (outcome?.routers ?? []).flatMap(
      name => index.get(`${outcome?.candidate.route.protocol}/${name}`) ?? [],
    )
    return { kind: 'read', runtime: { ...runtime, routers } }
  }

  return key => {
    const round = options.round()
    const rows = rowsOf(options.verdicts()).get(key) ?? []
    const outcomes = round === null ? [] : (outcomesOf(round).get(key) ?? [])
    const outcome = outcomes.find(({ problem }) => problem === null) ?? outcomes[0] ?? null
    const verdict = rows.find(({ origin }) => origin === outcome?.candidate.origin) ?? rows[0]
    if (verdict === undefined) return null
    const probe = options.probes().get(routeKey(verdict.protocol, verdict.id))
    return explainRoute({
      verdict,
      others: rows.filter(row => row !== verdict),
      source: options.sources().find(({ reading }) => reading !== null && namesOrigin(reading, verdict.origin)) ?? null,
      outcome,
      config: round?.plan.compiled.config ?? null,
      evidence: evidenceFor(outcome),
      readAt: options.readAt(),
      probe: probe === undefined ? null : { ok: probe.ok, at: probe.at, message: probe.detail },
      publication: options.publication(),
    })
  }
}
