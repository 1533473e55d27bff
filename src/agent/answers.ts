/** What people ask the agent: its status, why a route is not live, whether it is ready, and to let removals go. */
import type { AdminOptions } from './admin/admin.ts'
import { createExplainer } from './admin/explainer.ts'
import { type StatusInput, type StatusView, statusView } from './admin/status-view.ts'
import type { Guards } from './guards.ts'
import type { Keeping } from './keeping.ts'
import type { Probing } from './probes/probing.ts'
import type { Provider } from './provider/provider.ts'
import type { Publication } from './publication.ts'
import type { Reconciler } from './reconcile.ts'
import type { Sight } from './sight.ts'
import type { Sources } from './sources/sources.ts'
import type { SnapshotStore } from './store/snapshot-store.ts'
import type { StoredState } from './stored-state.ts'
import { evidenceOf, type Verdicts } from './verdicts.ts'

export type AnswersOptions = {
  readonly identity: Pick<StatusInput, 'node' | 'version' | 'startedAt' | 'api'>
  /** Of the run before this one. */
  readonly saved: StoredState | null
  readonly sources: Pick<Sources, 'statuses' | 'revision'>
  readonly guards: Guards
  readonly reconciler: Pick<Reconciler, 'round' | 'waiting'>
  readonly publication: Pick<Publication, 'view'>
  readonly keeping: Pick<Keeping, 'appliedRevision'>
  readonly verdicts: Verdicts
  readonly probing: Pick<Probing, 'results'>
  readonly provider: Pick<Provider, 'stats'>
  readonly sight: Pick<Sight, 'observation'>
  readonly store: Pick<SnapshotStore<StoredState>, 'status'>
  /** Null while nobody is reported to. */
  readonly report: () => StatusInput['report'] | null
  /** Milliseconds of the guards' clock, and since 1970. */
  readonly steady: () => number
  readonly now: () => number
  /** Removals were accepted: plan again. */
  readonly onAccept: () => void
}

export type Answers = Required<Pick<AdminOptions, 'readiness' | 'liveness' | 'accept'>> & {
  readonly status: () => StatusView
  readonly explain: ReturnType<typeof createExplainer>
  /** Gives the hashes that were accepted. */
  readonly acceptHeld: (hash: string | null) => readonly string[]
}

export function createAnswers(options: AnswersOptions): Answers {
  const { sources, guards, reconciler, publication, verdicts, probing, provider, sight, store } = options

  const status = (): StatusView => {
    const report = options.report()
    return statusView({
      ...options.identity,
      revision: {
        expected: sources.revision(),
        served: reconciler.round()?.revision ?? options.saved?.revision ?? null,
        applied: options.keeping.appliedRevision(publication.view().applied),
      },
      publication: publication.view(),
      verdicts: verdicts.all(),
      drift: verdicts.drift(),
      rejected: reconciler.round()?.plan.rejected ?? [],
      sources: sources.statuses(),
      held: guards.held().map(entry => ({
        ...entry,
        untilMs: entry.untilMs === null ? null : entry.untilMs - options.steady() + options.now(),
      })),
      observation: sight.observation(),
      provider: provider.stats(),
      waiting: reconciler.waiting(),
      probes: probing.results(),
      ...(report === null || report === undefined ? {} : { report }),
      store: store.status(),
    })
  }

  const explain = createExplainer({
    verdicts: verdicts.all,
    round: reconciler.round,
    evidence: () => evidenceOf(sight.observation()),
    readAt: () => sight.observation()?.readAt ?? null,
    sources: sources.statuses,
    probes: probing.results,
    publication: () => {
      const round = reconciler.round()
      const { current, polled, moments } = publication.view()
      if (current === null || round === null) return null
      return {
        hash: current.hash,
        revision: round.revision,
        polled,
        compiledAt: round.compiledAt,
        ...moments,
        lastPollAt: provider.stats().lastPollAt,
      }
    },
  })

  const acceptHeld = (hash: string | null): readonly string[] => {
    const accepted = guards.accept(hash)
    if (accepted.length > 0) options.onAccept()
    return accepted
  }

  return {
    status,
    explain,
    acceptHeld,
    readiness: () => readiness(publication.view().current !== null, status()),
    liveness: () => ({ alive: true, reasons: [] }),
    accept(hash) {
      const held = guards.held().filter(entry => hash === null || entry.hash === hash)
      const routes = held.reduce((sum, { removals }) => sum + removals.length, 0)
      const [accepted] = acceptHeld(hash)
      return accepted === undefined
        ? notHeld(hash, guards.held().length)
        : { ok: true, hash: accepted, removals: routes }
    },
  }
}

/** Ready: a valid configuration is being served. */
function readiness(serves: boolean, status: StatusView): { readonly ready: boolean; readonly reasons: string[] } {
  const reasons = [
    ...status.sources.flatMap(({ name, fault }) => (fault === null ? [] : [`${name}: ${fault.message}`])),
    ...status.held.map(({ source, message }) => `${source}: ${message}; the removals are held`),
    ...(status.store.fault === null
      ? []
      : [`state: ${status.store.fault.message}; a restart would come up with an older state`]),
  ]
  if (!serves)
    reasons.unshift(
      status.waiting === null
        ? 'no configuration has been made yet'
        : `waiting for a first reading of ${status.waiting.names.join(', ')}`,
    )
  return { ready: serves, reasons }
}

const notHeld = (hash: string | null, count: number) => ({
  ok: false as const,
  code: 'NOTHING_HELD',
  message: hash === null || count === 0 ? 'nothing is held' : `nothing is held under the hash ${hash}`,
  remedy:
    count === 0
      ? 'There is nothing to accept.'
      : 'Look at fairlead status for what is held now: it has changed meanwhile.',
})
