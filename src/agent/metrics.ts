/**
 * What Prometheus gets to see.
 *
 * Counters move when something happens; everything that is a state is read at the scrape, from the same view that `/status` shows, so the
 * two never disagree. No label holds a host name, an id, an address or any other text of users: each set of values is closed or bounded.
 * A fault in here costs a number, never a poll: recording does not throw.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client'
import type { Snapshot } from '../core/payload.ts'
import { PROTOCOLS, type Protocol } from '../core/problem.ts'
import { REASONS, type ReasonCode, VERDICTS, type Verdict } from '../core/verdict.ts'
import type { SaveResult } from './snapshot-store.ts'
import type { SourceName } from './sources/source.ts'

/** What is read at a scrape: a part of the view that `/status` shows. Times are RFC 3339. */
export type MetricsView = {
  readonly version: string
  readonly revision: {
    readonly expected: number | string | null
    readonly served: number | string | null
    readonly applied: number | string | null
  }
  readonly traefik: { readonly state: TraefikState }
  readonly routes: readonly { readonly protocol: Protocol; readonly verdict: Verdict; readonly reason: ReasonCode }[]
  readonly problems: readonly { readonly code: ReasonCode }[]
  readonly unknownFields: readonly { readonly count: number }[]
  readonly sources: readonly {
    readonly name: SourceName
    readonly lastAttemptAt: string | null
    readonly lastSuccessAt: string | null
    readonly fault: object | null
  }[]
}

type TraefikState = 'verified' | 'unverified' | 'down' | 'never-polled'
const TRAEFIK_STATES: readonly TraefikState[] = ['verified', 'unverified', 'down', 'never-polled']

type PortUse = { readonly used: number; readonly free: number }

/** The numbers of the node's pools, by what becomes of them. */
export type PoolUse = { readonly tcp: PortUse; readonly udp: PortUse }

export interface Metrics {
  /** From now on these are asked at each scrape. Before that the gauges of state have no samples. */
  observe(view: () => MetricsView, pools?: () => PoolUse): void
  /** A source was asked; `result` is `ok`, `unchanged` or the code of a fault. */
  fetched(source: SourceName, result: string): void
  compiled(durationMs: number): void
  /** A body was handed to the provider endpoint. */
  served(snapshot: Pick<Snapshot, 'body'>): void
  /** An answer of the provider endpoint is out; `at` in milliseconds since 1970. */
  polled(poll: { readonly status: number; readonly at: number }): void
  /** A save has ended, well or not. */
  saved(result: SaveResult): void
}

export type MetricsOptions = {
  /** Milliseconds since 1970. */
  readonly now?: () => number
  /** The metrics of the process and of Node (`process_`, `nodejs_`). */
  readonly processMetrics?: boolean
}

// promtool objects to a gauge whose name ends in _total.
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

const COMPILE_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

const REVISION_HELP = {
  expected: 'The revision that the control plane wants, where it has numbers.',
  served: 'The revision that Traefik gets from us, where it has a number.',
  applied: 'The revision that Traefik was last seen to have applied, where it has a number.',
} as const

// Codes are a closed set; should one ever carry a text of others, it must not become a thousand series.
const MAX_RESULTS = 64
const CODE = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/

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

type Sample<L extends string> = readonly [labels: Record<L, string>, value: number | null]

/** Registers all metrics. Twice on one registry throws, as two agents of one process need a registry each. */
export function createMetrics(
  registry: Registry,
  { now = Date.now, processMetrics = true }: MetricsOptions = {},
): Metrics {
  const registers = [registry]
  const startedAt = now()
  const faults = new Counter({
    name: 'fairlead_metrics_faults_total',
    help: 'Numbers that could not be read or recorded; each is a fault of the agent.',
    registers,
  })
  let readView: (() => MetricsView) | null = null
  let readPools: (() => PoolUse) | null = null

  /** What `read` gives, or undefined when it throws, which is counted. */
  function attempt<T>(read: () => T): T | undefined {
    try {
      return read()
    } catch {
      faults.inc()
      return undefined
    }
  }

  // All gauges of one scrape are collected in one go, without a turn of the event loop in between: one view does for all of them.
  let scraped: MetricsView | null = null
  function view(): MetricsView | null {
    if (scraped === null && readView !== null) {
      scraped = readView()
      queueMicrotask(() => {
        scraped = null
      })
    }
    return scraped
  }

  /** A gauge whose samples are made at the scrape; a value of null, or a view that cannot be read, is no sample. */
  function stateGauge<L extends string = never>(
    name: string,
    help: string,
    labelNames: readonly L[],
    samples: (view: MetricsView) => Iterable<Sample<L>>,
  ): void {
    new Gauge<L>({
      name,
      help,
      labelNames,
      registers,
      collect() {
        // Without labels a reset would set it to 0, and 0 is a revision.
        if (labelNames.length === 0) this.remove()
        else this.reset()
        const found = attempt(view)
        if (found === undefined || found === null) return
        attempt(() => {
          for (const [labels, value] of samples(found)) if (value !== null) this.set(labels, value)
        })
      },
    })
  }

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
      [{}, expected !== null && expected === served && served === applied ? 1 : 0],
    ],
  )

  stateGauge('fairlead_source_up', '1 when the last attempt to read the source went well, else 0.', ['source'], found =>
    found.sources.map(({ name, fault, lastSuccessAt }) => [
      { source: name },
      fault === null && lastSuccessAt !== null ? 1 : 0,
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
    ({ traefik }) => TRAEFIK_STATES.map(state => [{ state }, state === traefik.state ? 1 : 0]),
  )
  stateGauge('fairlead_ports', 'Numbers of the port pools, by use.', ['protocol', 'state'], () => {
    const pools = readPools?.()
    if (pools === undefined) return []
    return (['tcp', 'udp'] as const).flatMap((protocol): Sample<'protocol' | 'state'>[] => [
      [{ protocol, state: 'used' }, pools[protocol].used],
      [{ protocol, state: 'free' }, pools[protocol].free],
    ])
  })

  const fetches = new Counter({
    name: 'fairlead_source_fetches_total',
    help: 'Attempts to read a source, by result: ok, unchanged or the code of a fault.',
    labelNames: ['source', 'result'] as const,
    registers,
  })
  const results = new Set<string>()
  const compileDuration = new Histogram({
    name: 'fairlead_compile_duration_seconds',
    help: 'Time to compile the expected state.',
    buckets: COMPILE_BUCKETS_S,
    registers,
  })
  const polls = new Counter({
    name: 'fairlead_provider_polls_total',
    help: 'Answers of the provider endpoint, by HTTP status.',
    labelNames: ['code'] as const,
    registers,
  })
  const event = (name: string, help: string) => new Gauge({ name, help, registers })
  const lastPoll = event(
    'fairlead_provider_last_poll_timestamp_seconds',
    'When the last poll was answered with a configuration.',
  )
  const bodyBytes = event('fairlead_provider_body_bytes', 'Size of the configuration that Traefik gets.')
  const saveFailures = new Counter({
    name: 'fairlead_snapshot_persist_failures_total',
    help: 'Saves of the state to the disk that failed; a restart would come up with an older state.',
    registers,
  })
  const lastSave = event(
    'fairlead_snapshot_last_persist_timestamp_seconds',
    'When the state was last saved to the disk.',
  )
  const lastSaveAttempt = event(
    'fairlead_snapshot_last_persist_attempt_timestamp_seconds',
    'When saving the state to the disk was last tried.',
  )
  // An event that has not happened has no time; 0 would be 1970, and an alert on age would fire at each start.
  for (const gauge of [lastPoll, bodyBytes, lastSave, lastSaveAttempt]) gauge.remove()

  if (processMetrics) {
    collectDefaultMetrics({ register: registry })
    for (const name of MISNAMED) registry.removeSingleMetric(name)
  }

  function bounded(result: string): string {
    if (!CODE.test(result)) return 'other'
    if (results.size < MAX_RESULTS) results.add(result)
    return results.has(result) ? result : 'other'
  }

  return {
    observe(nextView, nextPools) {
      readView = nextView
      readPools = nextPools ?? null
    },
    fetched: (source, result) => void attempt(() => fetches.inc({ source, result: bounded(result) })),
    compiled: durationMs => void attempt(() => compileDuration.observe(seconds(durationMs))),
    served: ({ body }) => void attempt(() => bodyBytes.set(Buffer.byteLength(body))),
    polled({ status, at }) {
      attempt(() => polls.inc({ code: status }))
      if (status === 200) attempt(() => lastPoll.set(seconds(at)))
    },
    saved(result) {
      attempt(() => lastSaveAttempt.set(seconds(now())))
      if (result.ok) attempt(() => lastSave.set(seconds(result.savedAt)))
      else attempt(() => saveFailures.inc())
    },
  }
}
