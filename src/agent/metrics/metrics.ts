/**
 * What Prometheus gets to see.
 *
 * Counters move when something happens; everything that is a state is read at the scrape, from the same view that `/status` shows, so the
 * two never disagree. No label holds a host name, an id, an address or any other text of users: each set of values is closed or bounded.
 * A fault in here costs a number, never a poll: recording does not throw.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client'
import type { Snapshot } from '../../core/payload.ts'
import type { SourceName } from '../sources/source.ts'
import type { SaveResult } from '../store/snapshot-store.ts'
import type { PoolUse } from './pool-use.ts'
import { type MetricsView, registerStateMetrics } from './state-metrics.ts'
import { registerTrafficMetrics, type TrafficView } from './traffic-metrics.ts'

export type { MetricsView, PoolUse, TrafficView }

export interface Metrics {
  /** From now on these are asked at each scrape. Before that the gauges of state have no samples. */
  observe(view: () => MetricsView, pools?: () => PoolUse, traffic?: TrafficView): void
  /** A source was asked; `result` is `ok`, `unchanged` or the code of a fault. */
  fetched(source: SourceName, result: string): void
  compiled(durationMs: number): void
  /** A body was handed to the provider endpoint. */
  served(snapshot: Pick<Snapshot, 'body'>): void
  /** An answer of the provider endpoint is out; `at` in milliseconds since 1970. */
  polled(poll: { readonly status: number; readonly at: number; readonly byTraefik: boolean }): void
  /** Traefik has fetched a body and not applied it in time. */
  nacked(): void
  /** Traefik was seen to have applied a change, so many milliseconds after it was read at its source. */
  applied(durationMs: number): void
  /** A probe has an answer; `ok` null: it could not be tried. */
  probed(result: { readonly ok: boolean | null }): void
  /** A report to the control plane: `ok`, `full` when it asks for all, or the code of a fault. */
  reported(result: string): void
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

// For these Node wakes up a hundred times a second, which is most of what an idle agent would cost (measured). The lag of one turn at the
// scrape, `nodejs_eventloop_lag_seconds`, costs nothing and stays.
const COSTLY = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map(name => `nodejs_eventloop_lag_${name}_seconds`)
const NO_SAMPLING_MS = 86_400_000

const APPLY_BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
const COMPILE_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]

// Codes are a closed set; should one ever carry a text of others, it must not become a thousand series.
const MAX_RESULTS = 64
const CODE = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/

const seconds = (ms: number): number => ms / 1000

/** Registers all metrics. Twice on one registry throws, as two agents of one process need a registry each. */
export function createMetrics(
  registry: Registry,
  { now = Date.now, processMetrics = true }: MetricsOptions = {},
): Metrics {
  const registers = [registry]
  const faults = new Counter({
    name: 'fairlead_metrics_faults_total',
    help: 'Numbers that could not be read or recorded; each is a fault of the agent.',
    registers,
  })

  /** What `read` gives, or undefined when it throws, which is counted. */
  function attempt<T>(read: () => T): T | undefined {
    try {
      return read()
    } catch {
      faults.inc()
      return undefined
    }
  }

  const state = registerStateMetrics({ registry, attempt, now })
  const traffic = registerTrafficMetrics({ registry, attempt, onFault: () => faults.inc() })
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
    'When a poll of Traefik was last answered with a configuration.',
  )
  const bodyBytes = event('fairlead_provider_body_bytes', 'Size of the configuration that Traefik gets.')
  const nacks = new Counter({
    name: 'fairlead_nacks_total',
    help: 'Configurations that Traefik fetched and did not apply in time; each time the last good one was served again.',
    registers,
  })
  const applyDuration = new Histogram({
    name: 'fairlead_apply_duration_seconds',
    help: 'Time from the reading of a change at its source to Traefik showing it.',
    buckets: APPLY_BUCKETS_S,
    registers,
  })
  const probes = new Counter({
    name: 'fairlead_probes_total',
    help: 'Probes of routes through their ports, by result.',
    labelNames: ['result'] as const,
    registers,
  })
  const reports = new Counter({
    name: 'fairlead_reports_total',
    help: 'Reports to the control plane, by result: ok, full when it asks for all, or the code of a fault.',
    labelNames: ['result'] as const,
    registers,
  })
  const lastReport = event(
    'fairlead_report_last_success_timestamp_seconds',
    'When the control plane last took a report.',
  )
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
  for (const gauge of [lastPoll, bodyBytes, lastReport, lastSave, lastSaveAttempt]) gauge.remove()

  if (processMetrics) {
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: NO_SAMPLING_MS })
    for (const name of [...MISNAMED, ...COSTLY]) registry.removeSingleMetric(name)
  }

  function bounded(result: string): string {
    if (!CODE.test(result)) return 'other'
    if (results.size < MAX_RESULTS) results.add(result)
    return results.has(result) ? result : 'other'
  }

  return {
    observe(view, pools, of) {
      state.observe(view, pools)
      if (of !== undefined) traffic.observe(of)
    },
    fetched: (source, result) => void attempt(() => fetches.inc({ source, result: bounded(result) })),
    compiled: durationMs => void attempt(() => compileDuration.observe(seconds(durationMs))),
    served: ({ body }) => void attempt(() => bodyBytes.set(Buffer.byteLength(body))),
    polled({ status, at, byTraefik }) {
      attempt(() => polls.inc({ code: status }))
      if (status === 200 && byTraefik) attempt(() => lastPoll.set(seconds(at)))
    },
    nacked: () => void attempt(() => nacks.inc()),
    applied: durationMs => void attempt(() => applyDuration.observe(seconds(durationMs))),
    probed: ({ ok }) => void attempt(() => probes.inc({ result: ok === null ? 'skipped' : ok ? 'ok' : 'failed' })),
    reported(result) {
      attempt(() => reports.inc({ result: bounded(result) }))
      if (result === 'ok') attempt(() => lastReport.set(seconds(now())))
    },
    saved(result) {
      attempt(() => lastSaveAttempt.set(seconds(now())))
      if (result.ok) attempt(() => lastSave.set(seconds(result.savedAt)))
      else attempt(() => saveFailures.inc())
    },
  }
}
