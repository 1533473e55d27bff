/** The answer of `/status` and of `fairlead status`: everything that the agent knows, as one value without secrets. */
import type { AckState } from '../../core/acknowledge.ts'
import { countDrift, type Drift, type DriftEntry, type DriftKind } from '../../core/drift.ts'
import type { ObservedEntryPoint } from '../../core/observed.ts'
import type { ProbeResult } from '../../core/probe/probe.ts'
import { type Problem, type Protocol, type RouteKey, routeKey } from '../../core/problem.ts'
import type { UnknownField } from '../../core/route.ts'
import type { TrackedVerdict } from '../../core/track.ts'
import type { Verdict } from '../../core/verdict.ts'
import type { HeldRemovals } from '../guards.ts'
import type { HoldShortened } from '../provider/hold.ts'
import type { ProviderStats } from '../provider/provider.ts'
import type { PublicationView } from '../publication.ts'
import type { Waiting } from '../reconcile.ts'
import type { ReportStats } from '../reports/report.ts'
import type { SourceName, SourceStatus } from '../sources/source.ts'
import type { Observation } from '../traefik/observer.ts'

const iso = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString())

export type TraefikState = 'verified' | 'unverified' | 'down' | 'never-polled'

/** What the last probe through the port has found. */
export type ProbeView = {
  /** Null: it could not be tried. */
  readonly ok: boolean | null
  readonly ms: number | null
  readonly detail: string
  readonly at: string
  /** The route asks for it; else a person did, once. */
  readonly periodic: boolean
  readonly certificate: { readonly commonName: string; readonly validTo: string } | null
}

export type RouteView = Omit<TrackedVerdict, 'since'> & {
  readonly since: string
  /** Absent without one. */
  readonly probe?: ProbeView
}

export type ReportView = {
  /** False: this control plane takes no reports. */
  readonly active: boolean
  readonly sent: number
  readonly failed: number
  readonly lastAttemptAt: string | null
  readonly lastSuccessAt: string | null
  readonly fault: {
    readonly code: string
    readonly message: string
    readonly remedy: string
    readonly since: string
  } | null
}

export type StatusView = {
  readonly node: string
  readonly version: string
  readonly startedAt: string
  /** Labels, compared only for equality; null where there is none yet. */
  readonly revision: {
    readonly expected: number | string | null
    readonly served: number | string | null
    readonly applied: number | string | null
  }
  readonly traefik: {
    readonly state: TraefikState
    readonly version: string | null
    readonly startedAt: string | null
    readonly api: string | null
    readonly fault: string | null
    readonly lastPollAt: string | null
    readonly polls: number
    /** Polls that wait for their answer now. */
    readonly heldPolls: number
    readonly unauthorized: number
    readonly pollers: number
    /** The last poll of a Traefik was refused for its token. */
    readonly tokenRefused: boolean
    /** Polls of clients that are no Traefik; null: there were none. */
    readonly strangers: { readonly polls: number; readonly name: string } | null
    readonly holdShortened: HoldShortened | null
    readonly lastApplyMs: number | null
    readonly entryPoints: readonly ObservedEntryPoint[] | null
  }
  readonly counts: Readonly<Record<Verdict, number>>
  readonly routes: readonly RouteView[]
  /** Of the documents and files, not of routes. */
  readonly problems: readonly Problem[]
  readonly unknownFields: readonly UnknownField[]
  readonly sources: readonly {
    readonly name: SourceName
    readonly revision: number | string | null
    readonly routes: number | null
    readonly documents: number | null
    readonly lastAttemptAt: string | null
    readonly lastSuccessAt: string | null
    readonly fault: {
      readonly code: string
      readonly message: string
      readonly remedy: string
      readonly since: string
    } | null
  }[]
  /** Removals that the guard holds. */
  readonly held: readonly {
    readonly source: SourceName
    readonly hash: string
    readonly removals: readonly RouteKey[]
    readonly reason: string
    readonly message: string
    readonly until: string | null
  }[]
  readonly drift: Readonly<Record<DriftKind, number>> & {
    readonly sections: readonly Protocol[]
    readonly beaconMissing: boolean
    /** How many routers of other providers stand on the entry points of the pools. */
    readonly foreign: number
    readonly entries: readonly DriftEntry[]
  }
  readonly publication: {
    readonly hash: string | null
    readonly phase: AckState['phase']
    readonly polled: boolean
    readonly servedAt: string | null
    readonly fetchedAt: string | null
    /** When Traefik was first seen to show it. */
    readonly appliedAt: string | null
    readonly lastLiveMs: number | null
  }
  readonly waiting: Waiting | null
  /** What is told to the control plane; absent when there is none. */
  readonly report?: ReportView
  readonly store: {
    readonly savedAt: string | null
    readonly fault: { readonly code: string; readonly message: string; readonly remedy: string } | null
  }
}

export type StatusInput = {
  readonly node: string
  readonly version: string
  readonly startedAt: number
  readonly api: string | null
  readonly revision: StatusView['revision']
  readonly verdicts: readonly TrackedVerdict[]
  readonly probes?: ReadonlyMap<RouteKey, ProbeResult>
  /** Absent: there is no control plane to tell. */
  readonly report?: ReportStats
  readonly rejected: readonly Problem[]
  readonly sources: readonly SourceStatus[]
  readonly observation: Observation | null
  readonly provider: ProviderStats
  readonly publication: PublicationView
  readonly drift: Drift
  /** `untilMs` in milliseconds since 1970. */
  readonly held: readonly HeldRemovals[]
  readonly waiting: Waiting | null
  readonly store: {
    readonly savedAt: number | null
    readonly fault: { readonly code: string; readonly message: string; readonly remedy: string } | null
  }
}

/** Whether what we say of Traefik is proven. A Traefik that waits in a held poll is there. */
export function traefikState(observation: Observation | null, provider: ProviderStats): TraefikState {
  if (observation === null) return provider.lastPollAt === null && provider.held === 0 ? 'never-polled' : 'unverified'
  if (observation.fault?.kind === 'unreachable' && provider.held === 0) return 'down'
  if (observation.fault !== null || observation.reading === null) return 'unverified'
  return provider.lastPollAt === null && provider.held === 0 ? 'never-polled' : 'verified'
}

export function countVerdicts(verdicts: readonly { readonly verdict: Verdict }[]): Record<Verdict, number> {
  const counts = { live: 0, pending: 0, rejected: 0, refused: 0, conflicted: 0, waiting: 0, degraded: 0, held: 0 }
  for (const { verdict } of verdicts) counts[verdict]++
  return counts
}

/** A list for people; the counts are whole. */
const MAX_DRIFT_ENTRIES = 100

/** What needs a person first. */
const URGENCY: readonly Verdict[] = [
  'held',
  'refused',
  'waiting',
  'rejected',
  'conflicted',
  'degraded',
  'pending',
  'live',
]

const byUrgency = (a: TrackedVerdict, b: TrackedVerdict): number =>
  URGENCY.indexOf(a.verdict) - URGENCY.indexOf(b.verdict) ||
  (a.protocol < b.protocol ? -1 : a.protocol > b.protocol ? 1 : a.id < b.id ? -1 : 1)

const probeView = ({ ok, ms, detail, at, periodic, certificate }: ProbeResult): ProbeView => ({
  ok,
  ms,
  detail,
  at: new Date(at).toISOString(),
  periodic,
  certificate: certificate === null ? null : { ...certificate, validTo: new Date(certificate.validTo).toISOString() },
})

const reportView = ({ lastAttemptAt, lastSuccessAt, fault, ...rest }: ReportStats): ReportView => ({
  ...rest,
  lastAttemptAt: iso(lastAttemptAt),
  lastSuccessAt: iso(lastSuccessAt),
  fault: fault === null ? null : { ...fault, since: new Date(fault.since).toISOString() },
})

function routeView(verdict: TrackedVerdict, probe: ProbeResult | undefined): RouteView {
  const view = { ...verdict, since: new Date(verdict.since).toISOString() }
  return probe === undefined ? view : { ...view, probe: probeView(probe) }
}

export function statusView(input: StatusInput): StatusView {
  const { observation, provider } = input
  return {
    node: input.node,
    version: input.version,
    startedAt: new Date(input.startedAt).toISOString(),
    revision: input.revision,
    traefik: {
      state: traefikState(observation, provider),
      version: observation?.reading?.version ?? null,
      startedAt: observation?.reading?.startedAt ?? null,
      api: input.api,
      fault: observation?.fault?.message ?? null,
      lastPollAt: iso(provider.lastPollAt),
      polls: provider.polls,
      heldPolls: provider.held,
      unauthorized: provider.unauthorized,
      pollers: provider.pollers,
      tokenRefused: provider.tokenRefused,
      strangers: provider.strangers,
      holdShortened: provider.holdShortened,
      lastApplyMs:
        observation?.lastApplyMs === null || observation === null ? null : Math.round(observation.lastApplyMs),
      entryPoints: observation?.reading?.entryPoints ?? null,
    },
    counts: countVerdicts(input.verdicts),
    routes: [...input.verdicts]
      .sort(byUrgency)
      .map(verdict => routeView(verdict, input.probes?.get(routeKey(verdict.protocol, verdict.id)))),
    problems: input.rejected.filter(({ protocol }) => protocol === null),
    unknownFields: input.sources.flatMap(({ reading }) => reading?.unknownFields ?? []),
    sources: input.sources.map(({ name, reading, fault, lastAttemptAt, lastSuccessAt }) => ({
      name,
      revision: reading?.revision ?? null,
      routes: reading?.routes.length ?? null,
      documents: reading?.documents ?? null,
      lastAttemptAt: iso(lastAttemptAt),
      lastSuccessAt: iso(lastSuccessAt),
      fault: fault === null ? null : { ...fault, since: new Date(fault.since).toISOString() },
    })),
    held: input.held.map(({ source, hash, removals, reason, message, untilMs }) => ({
      source,
      hash,
      removals,
      reason,
      message,
      until: iso(untilMs),
    })),
    drift: {
      ...countDrift(input.drift),
      sections: input.drift.sections,
      beaconMissing: input.drift.beaconMissing,
      foreign: input.drift.foreign.length,
      entries: input.drift.entries.slice(0, MAX_DRIFT_ENTRIES),
    },
    publication: {
      hash: input.publication.current?.hash ?? null,
      phase: input.publication.phase,
      polled: input.publication.polled,
      servedAt: iso(input.publication.moments.servedAt),
      fetchedAt: iso(input.publication.moments.fetchedAt),
      appliedAt: iso(input.publication.moments.appliedAt),
      lastLiveMs: input.publication.lastLiveMs === null ? null : Math.round(input.publication.lastLiveMs),
    },
    waiting: input.waiting,
    ...(input.report === undefined ? {} : { report: reportView(input.report) }),
    store: { savedAt: iso(input.store.savedAt), fault: input.store.fault },
  }
}
