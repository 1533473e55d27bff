/** What the reporter tells, put together from what the agent knows: only of the control plane's own routes, and only to one that asks. */
import type { Logger } from 'pino'
import { type Acknowledged, acknowledgedRevision, claimOf } from '../../core/applied-revision.ts'
import type { RouteOutcome } from '../../core/compile.ts'
import { countDrift, type Drift } from '../../core/drift.ts'
import type { Explanation } from '../../core/explain.ts'
import type { ObservedTraefik } from '../../core/observed.ts'
import type { ProbeResult } from '../../core/probe/probe.ts'
import { type RouteKey, routeKey } from '../../core/problem.ts'
import type { ReportState, RowDetails } from '../../core/report.ts'
import type { RevisionMark } from '../../core/revision-order.ts'
import type { TrackedVerdict } from '../../core/track.ts'
import type { Clock } from '../../lib/clock.ts'
import { traefikState } from '../admin/status-view.ts'
import type { HeldRemovals } from '../guards.ts'
import type { Keeping } from '../keeping.ts'
import type { ProviderStats } from '../provider/provider.ts'
import type { PublicationView } from '../publication.ts'
import type { Round } from '../reconcile.ts'
import type { ControlPlaneFaultCode } from '../sources/control-plane-faults.ts'
import type { SourceReading, SourceStatus } from '../sources/source.ts'
import type { ControlPlaneAccess } from '../sources/sources.ts'
import type { Observation } from '../traefik/observer.ts'
import { createReporter, type Reporter, type ReportTiming } from './report.ts'

export type ReportingOptions = {
  readonly access: ControlPlaneAccess
  readonly version: string
  readonly sources: () => readonly SourceStatus[]
  readonly mark: () => RevisionMark | null
  readonly round: () => Round | null
  readonly publication: () => PublicationView
  /** A loss of power would not bring back what was before this body. */
  readonly isSafe: Keeping['isSafe']
  readonly observation: () => Observation | null
  readonly provider: () => ProviderStats
  /** What is known of Traefik, perhaps from the run before this one. */
  readonly traefik: () => ObservedTraefik | null
  readonly verdicts: () => readonly TrackedVerdict[]
  readonly drift: () => Drift
  readonly held: () => readonly HeldRemovals[]
  readonly probes: () => ReadonlyMap<RouteKey, ProbeResult>
  readonly explain: (key: RouteKey) => Explanation | null
  /** Open connections by entry point; null where nobody knows. */
  readonly openConnections: (signal: AbortSignal) => Promise<ReadonlyMap<string, number> | null>
  readonly onResult?: (result: string) => void
  readonly clock: Clock
  readonly logger: Logger
  readonly timing?: Partial<ReportTiming>
}

/** Traefik's own metrics can be large, and these numbers only ride along. */
const CONNECTIONS_CACHE_MS = 20_000
const CONNECTIONS_PATIENCE_MS = 1_000

/** While one of these stands, who answers there is not the one whose routes we have. */
const SOMEBODY_ELSE: ReadonlySet<string> = new Set<ControlPlaneFaultCode>([
  'SOURCE_WRONG_CONTROL_PLANE',
  'SOURCE_WRONG_NODE',
  'SOURCE_NOT_A_STATE',
])

/** The reading of a control plane that takes reports; null when there is none, or it did not say so in this run. */
export function reportableReading(statuses: readonly SourceStatus[]): SourceReading | null {
  const status = statuses.find(({ name }) => name === 'control-plane')
  if (status === undefined || status.reading === null || !status.reading.reportable) return null
  // The addresses may have been another control plane's in the run before this one.
  if (status.lastSuccessAt === null || SOMEBODY_ELSE.has(status.fault?.code ?? '')) return null
  return status.reading
}

/** Connections of routes that have their entry points for themselves: of those that share one nobody can tell. */
export function connectionsOf(
  outcomes: readonly RouteOutcome[],
  byEntryPoint: ReadonlyMap<string, number>,
): ReadonlyMap<RouteKey, number> {
  const users = new Map<string, number>()
  const served = outcomes.filter(({ problem }) => problem === null)
  for (const { entryPoints } of served) for (const name of entryPoints) users.set(name, (users.get(name) ?? 0) + 1)
  return new Map(
    served
      .filter(
        ({ candidate, entryPoints }) =>
          candidate.route.protocol === 'tcp' && entryPoints.every(name => users.get(name) === 1),
      )
      .map(({ key, entryPoints }) => [key, entryPoints.reduce((sum, name) => sum + (byEntryPoint.get(name) ?? 0), 0)]),
  )
}

/** The first router of the route and its service, as Traefik gets them. */
function servedOf(explanation: Explanation | null): { readonly router: unknown; readonly service: unknown } | null {
  const section = explanation === null ? undefined : explanation.config?.[explanation.protocol]
  const [router] = Object.values(section?.routers ?? {})
  if (router === undefined) return null
  return { router, service: section?.services?.[router.service] ?? null }
}

export function createReporting(options: ReportingOptions): Reporter {
  const { clock, probes } = options
  let acknowledged: Acknowledged | null = null
  let connections: ReadonlyMap<string, number> = new Map()
  let connectionsUntilMs = Number.NEGATIVE_INFINITY
  /** As the routes of this control plane name it; there may be none of them left. */
  const origins = new Set<string>()

  function learnOrigins(reading: SourceReading, mark: RevisionMark | null): void {
    const found = [reading.routes[0]?.origin, reading.problems[0]?.origin, mark?.controlPlaneId]
    for (const origin of found) if (origin !== undefined && origin !== null) origins.add(origin)
  }

  async function openConnections(): Promise<ReadonlyMap<string, number>> {
    if (clock.monotonic() < connectionsUntilMs) return connections
    const found = await options.openConnections(AbortSignal.timeout(CONNECTIONS_PATIENCE_MS)).catch(() => null)
    connections = found ?? new Map()
    connectionsUntilMs = clock.monotonic() + CONNECTIONS_CACHE_MS
    return connections
  }

  async function collect(): Promise<ReportState | null> {
    if (reportableReading(options.sources()) === null) return null
    const byEntryPoint = await openConnections()
    // Everything else is of one moment.
    const reading = reportableReading(options.sources())
    if (reading === null) return null
    const mark = options.mark()
    learnOrigins(reading, mark)
    const round = options.round()
    const { applied } = options.publication()
    const observation = options.observation()
    const provider = options.provider()
    const traefik = options.traefik()
    const held = options.held().find(({ source }) => source === 'control-plane') ?? null
    const controlPlaneId = mark?.controlPlaneId ?? null
    acknowledged = acknowledgedRevision(acknowledged, {
      controlPlaneId,
      epoch: reading.epoch,
      expected: reading.revision,
      // Whoever is told relies on it, and gives a released port to others.
      applied: applied !== null && options.isSafe(applied) ? applied.revision : null,
      // Rank 0 are the files of this node, which are no business of a control plane.
      claims: () => (applied?.candidates ?? []).filter(({ rank }) => rank !== 0).map(({ route }) => claimOf(route)),
      wanted: () => new Set(reading.routes.map(({ route }) => claimOf(route))),
    })
    const verdicts = options.verdicts().filter(({ origin }) => origins.has(origin))
    const answered = [...probes()].flatMap(([key, { requestId }]) =>
      requestId === null ? [] : [[key, requestId] as const],
    )
    return {
      controlPlaneId,
      epoch: reading.epoch,
      revision: { expected: reading.revision, served: round?.revision ?? null, applied: acknowledged.revision },
      agentVersion: options.version,
      traefik: {
        state: traefikState(observation, provider),
        version: observation?.reading?.version ?? null,
        startedAt: observation?.reading?.startedAt ?? null,
        lastPollAt: provider.lastPollAt === null ? null : new Date(provider.lastPollAt).toISOString(),
      },
      held: held === null ? null : { hash: held.hash, removals: held.removals },
      drift: countDrift(options.drift()),
      verdicts,
      answered: new Map(answered),
      entryPoints: traefik?.entryPoints ?? null,
      openConnections: connectionsOf(round?.plan.compiled.outcomes ?? [], byEntryPoint),
    }
  }

  let last: { readonly of: TrackedVerdict; readonly explanation: Explanation | null } | null = null
  function explained(verdict: TrackedVerdict): Explanation | null {
    // Its chain and what is served of it are asked for one after the other.
    if (last?.of !== verdict)
      last = { of: verdict, explanation: options.explain(routeKey(verdict.protocol, verdict.id)) }
    return last.explanation
  }
  const details: RowDetails = {
    chain: verdict => explained(verdict)?.chain ?? [],
    served: verdict => servedOf(explained(verdict)),
    timingsMs({ timingsMs, protocol, id }) {
      if (timingsMs === undefined) return null
      const probe = probes().get(routeKey(protocol, id))?.ms ?? null
      return { ...timingsMs, ...(probe === null ? {} : { probe }) }
    },
  }

  const { urls, auth, ca } = options.access
  return createReporter({
    urls,
    auth,
    ca,
    collect,
    details,
    clock,
    logger: options.logger,
    ...(options.onResult === undefined ? {} : { onResult: options.onResult }),
    ...(options.timing === undefined ? {} : { timing: options.timing }),
  })
}
