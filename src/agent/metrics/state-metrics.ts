/**
 * The gauges of state, read at the scrape from one view of the agent: which revision, which routes, which sources, which problems.
 */
import type { AckState } from '../../core/acknowledge.ts'
import type { DriftKind } from '../../core/drift.ts'
import { PROTOCOLS, type Protocol } from '../../core/problem.ts'
import { REASONS, type ReasonCode, VERDICTS, type Verdict } from '../../core/verdict.ts'
import type { SourceName } from '../sources/source.ts'
import type { PoolUse } from './pool-use.ts'
import { makeStateGauges, type Sample, type StateGaugeOptions } from './state-gauge.ts'

/** What is read at a scrape: a part of the view that `/status` shows. Times are RFC 3339. */
export type MetricsView = {
  readonly version: string
  readonly revision: {
    readonly expected: number | string | null
    readonly served: number | string | null
    readonly applied: number | string | null
  }
  readonly traefik: {
    readonly state: TraefikState
    /** Null: there is no API to read. */
    readonly api: string | null
    readonly fault: string | null
    readonly pollers: number
  }
  readonly routes: readonly {
    readonly protocol: Protocol
    readonly verdict: Verdict
    readonly reason: ReasonCode
    readonly probe?: { readonly ok: boolean | null; readonly periodic: boolean }
  }[]
  readonly problems: readonly { readonly code: ReasonCode }[]
  readonly unknownFields: readonly { readonly count: number }[]
  readonly sources: readonly {
    readonly name: SourceName
    readonly lastAttemptAt: string | null
    readonly lastSuccessAt: string | null
    readonly fault: object | null
  }[]
  readonly held: readonly { readonly source: SourceName; readonly removals: readonly unknown[] }[]
  readonly drift: Readonly<Record<DriftKind, number>> & { readonly beaconMissing: boolean }
  readonly publication: { readonly hash: string | null; readonly phase: AckState['phase'] }
  readonly store: { readonly fault: object | null }
}

type TraefikState = 'verified' | 'unverified' | 'down' | 'never-polled'
const TRAEFIK_STATES: readonly TraefikState[] = ['verified', 'unverified', 'down', 'never-polled']
const PHASES: readonly AckState['phase'][] = ['steady', 'restoring', 'oldest', 'trial']
const DRIFT_KINDS: readonly DriftKind[] = ['missing', 'extra', 'different', 'disabled']
const PORT_STATES = ['used', 'free', 'missing'] as const

const REVISION_HELP = {
  expected: 'The revision that the control plane wants, where it has numbers.',
  served: 'The revision that Traefik gets from us, where it has a number.',
  applied: 'The revision that Traefik was last seen to have applied, where it has a number.',
} as const

/** These verdicts are in order: the route is there, or on its way. */
const IN_ORDER: ReadonlySet<Verdict> = new Set<Verdict>(['live', 'pending'])

const isReasonCode = (code: string): code is ReasonCode => code in REASONS
const PROBLEM_CODES: readonly ReasonCode[] = Object.keys(REASONS)
  .filter(isReasonCode)
  .filter(code => !IN_ORDER.has(REASONS[code].verdict))

const seconds = (ms: number): number => ms / 1000

function secondsOf(time: string | null): number | null {
  const ms = time === null ? Number.NaN : Date.parse(time)
  return Number.isNaN(ms) ? null : seconds(ms)
}

function tally<K extends string>(keys: Iterable<K>): ReadonlyMap<K, number> {
  const counts = new Map<K, number>()
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1)
  return counts
}

const flag = (is: boolean): number => (is ? 1 : 0)

export type StateMetricsOptions = StateGaugeOptions & {
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Registers the gauges. `observe` hands in what they read; before that they have no samples. */
export function registerStateMetrics({ registry, attempt, now }: StateMetricsOptions): {
  observe(view: () => MetricsView, pools?: () => PoolUse): void
} {
  const startedAt = now()
  let readView: (() => MetricsView) | null = null
  let readPools: (() => PoolUse) | null = null
  const stateGauge = makeStateGauges<MetricsView>({ registry, attempt }, () => readView?.() ?? null)

  stateGauge('fairlead_build_info', 'The running version; always 1.', ['version'], ({ version }) => [[{ version }, 1]])

  for (const stage of ['expected', 'served', 'applied'] as const) {
    stateGauge(`fairlead_${stage}_revision`, REVISION_HELP[stage], [], ({ revision }) => {
      const found = revision[stage]
      return [[{}, typeof found === 'number' ? found : null]]
    })
  }
  stateGauge(
    'fairlead_in_sync',
    '1 when the expected revision is served and Traefik shows it as applied, else 0.',
    [],
    ({ revision: { expected, served, applied } }) => [
      [{}, flag(expected !== null && expected === served && served === applied)],
    ],
  )
  stateGauge(
    'fairlead_ready',
    '1 when a valid configuration is being served, else 0.',
    [],
    ({ publication: { hash } }) => [[{}, flag(hash !== null)]],
  )
  stateGauge(
    'fairlead_publication_phase',
    '1 for what is being served now: the target (steady), or a step on the way back from a refused one; 0 for the rest.',
    ['phase'],
    ({ publication }) => PHASES.map(phase => [{ phase }, flag(phase === publication.phase)]),
  )
  stateGauge(
    'fairlead_snapshot_persisted',
    '1 when the last save of the state to the disk went well, else 0: a restart would come up with an older state.',
    [],
    ({ store }) => [[{}, flag(store.fault === null)]],
  )

  stateGauge('fairlead_source_up', '1 when the last attempt to read the source went well, else 0.', ['source'], found =>
    found.sources.map(({ name, fault, lastSuccessAt }) => [
      { source: name },
      flag(fault === null && lastSuccessAt !== null),
    ]),
  )
  stateGauge(
    'fairlead_state_stale_seconds',
    'Time since the source was last read with success; before the first one, since the start.',
    ['source'],
    found =>
      found.sources.map(({ name, lastSuccessAt }) => [
        { source: name },
        // A clock that was set back gives no negative age.
        Math.max(0, seconds(now()) - (secondsOf(lastSuccessAt) ?? seconds(startedAt))),
      ]),
  )
  stateGauge(
    'fairlead_source_last_attempt_timestamp_seconds',
    'When the source was last asked.',
    ['source'],
    ({ sources }) => sources.map(({ name, lastAttemptAt }) => [{ source: name }, secondsOf(lastAttemptAt)]),
  )
  stateGauge(
    'fairlead_source_last_success_timestamp_seconds',
    'When the source was last read with success.',
    ['source'],
    ({ sources }) => sources.map(({ name, lastSuccessAt }) => [{ source: name }, secondsOf(lastSuccessAt)]),
  )

  stateGauge('fairlead_routes', 'Routes by what became of them.', ['protocol', 'verdict'], ({ routes }) => {
    const counts = tally(routes.map(({ protocol, verdict }) => `${protocol} ${verdict}` as const))
    return PROTOCOLS.flatMap(protocol =>
      VERDICTS.map(
        (verdict): Sample<'protocol' | 'verdict'> => [{ protocol, verdict }, counts.get(`${protocol} ${verdict}`) ?? 0],
      ),
    )
  })
  const probed = (routes: MetricsView['routes'], counts: (ok: boolean | null) => boolean) => {
    const found = tally(
      routes.flatMap(({ protocol, probe }) => (probe?.periodic === true && counts(probe.ok) ? [protocol] : [])),
    )
    return PROTOCOLS.map((protocol): Sample<'protocol'> => [{ protocol }, found.get(protocol) ?? 0])
  }
  stateGauge('fairlead_routes_probed', 'Routes that are probed through their port.', ['protocol'], ({ routes }) =>
    probed(routes, () => true),
  )
  stateGauge(
    'fairlead_routes_probe_failed',
    'Routes whose last probe through their port failed.',
    ['protocol'],
    ({ routes }) => probed(routes, ok => ok === false),
  )
  stateGauge(
    'fairlead_problems',
    'Problems of routes, files and documents that stand now, by reason code.',
    ['code'],
    ({ routes, problems }) => {
      const ofRoutes = routes.filter(({ verdict }) => !IN_ORDER.has(verdict)).map(({ reason }) => reason)
      const counts = tally([...ofRoutes, ...problems.map(({ code }) => code)])
      return PROBLEM_CODES.map(code => [{ code }, counts.get(code) ?? 0])
    },
  )
  stateGauge(
    'fairlead_entry_points_missing',
    'Routes that wait for an entry point that Traefik does not have.',
    ['protocol'],
    ({ routes }) => {
      const counts = tally(routes.filter(({ verdict }) => verdict === 'waiting').map(({ protocol }) => protocol))
      return PROTOCOLS.map(protocol => [{ protocol }, counts.get(protocol) ?? 0])
    },
  )
  stateGauge(
    'fairlead_unknown_fields',
    'Fields of the expected state that this version does not know; they are ignored.',
    [],
    ({ unknownFields }) => [[{}, unknownFields.reduce((sum, { count }) => sum + count, 0)]],
  )
  stateGauge(
    'fairlead_traefik_state',
    '1 for what is known of Traefik now, 0 for the rest.',
    ['state'],
    ({ traefik }) => TRAEFIK_STATES.map(state => [{ state }, flag(state === traefik.state)]),
  )
  stateGauge(
    'fairlead_traefik_api_up',
    "1 when the last attempt to read Traefik's API went well, else 0; absent when none is configured.",
    [],
    ({ traefik: { api, fault } }) => [[{}, api === null ? null : flag(fault === null)]],
  )
  stateGauge(
    'fairlead_provider_pollers',
    'Traefiks that have polled the provider endpoint within the last minute; other clients do not count.',
    [],
    ({ traefik: { pollers } }) => [[{}, pollers]],
  )
  stateGauge(
    'fairlead_drift',
    'Parts of our configuration that Traefik shows otherwise than it has applied them, by kind.',
    ['kind'],
    ({ drift }) => [
      ...DRIFT_KINDS.map((kind): Sample<'kind'> => [{ kind }, drift[kind]]),
      [{ kind: 'beacon' }, flag(drift.beaconMissing)],
    ],
  )
  stateGauge(
    'fairlead_guard_held_routes',
    'Routes whose removal the guard holds back.',
    ['source'],
    ({ sources, held }) =>
      sources.map(({ name }) => [
        { source: name },
        held.reduce((sum, { source, removals }) => sum + (source === name ? removals.length : 0), 0),
      ]),
  )
  stateGauge('fairlead_ports', 'Numbers of the port pools, by use.', ['protocol', 'state'], () => {
    const pools = readPools?.()
    if (pools === undefined) return []
    return (['tcp', 'udp'] as const).flatMap(protocol =>
      PORT_STATES.map((state): Sample<'protocol' | 'state'> => [{ protocol, state }, pools[protocol][state] ?? null]),
    )
  })

  return {
    observe(nextView, nextPools) {
      readView = nextView
      readPools = nextPools ?? null
    },
  }
}
