/**
 * What Prometheus gets to see of a control plane.
 *
 * What happens is counted where it happens; what is, is read at the scrape: from this process, and from the database in one short
 * transaction. Without the database its numbers have no samples, and `fairlead_control_database_up` is 0.
 * No label holds a name, an id or an address: each set of values is closed.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Registry } from 'prom-client'
import type { DatabaseStats } from './db/client.ts'
import type { HubStats } from './hub.ts'
import type { JobStats } from './jobs.ts'
import type { Census } from './metrics/census.ts'

/** What is known without asking the database. */
export type ControlView = {
  readonly ready: boolean
  readonly connections: number
  /** Null until the database has been opened. */
  readonly database: DatabaseStats | null
  readonly hub: HubStats | null
  readonly jobs: readonly JobStats[]
}

export type RequestFacts = {
  readonly method: string
  /** The template of the route (`/api/v1/services/:id`); null: there is none for the path. */
  readonly route: string | null
  readonly status: number
  /** Null for one that waits on purpose. */
  readonly durationMs: number | null
}

export interface ControlMetrics {
  /** A request has been answered. */
  answered(facts: RequestFacts): void
  /** The database was asked for at the start, and could not be used. */
  databaseFailed(): void
  /** From now on these are asked at each scrape. `census` null: there is no database yet. */
  observe(view: () => Promise<ControlView>, census: (() => Promise<Census>) | null): void
  /** The answer to `/metrics`. Never throws. */
  text(): Promise<string>
}

export type ControlMetricsOptions = {
  readonly registry: Registry
  readonly version: string
  /** The metrics of the process and of Node (`process_`, `nodejs_`). */
  readonly processMetrics?: boolean
}

// promtool objects to a gauge whose name ends in _total.
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']
// For these Node wakes up a hundred times a second. The lag of one turn at the scrape, `nodejs_eventloop_lag_seconds`, stays.
const COSTLY = ['min', 'max', 'mean', 'stddev', 'p50', 'p90', 'p99'].map(name => `nodejs_eventloop_lag_${name}_seconds`)
const NO_SAMPLING_MS = 86_400_000

const DURATION_BUCKETS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** A path that there is no route for. */
const NO_ROUTE = 'none'

const seconds = (ms: number): number => ms / 1000

/** A state of this process or of the database; null: not known. */
type State = { readonly view: ControlView | null; readonly census: Census | null }
type Sample = readonly [labels: Readonly<Record<string, string>>, value: number | null]

type StateMetric = {
  readonly name: string
  readonly help: string
  readonly labels?: readonly string[]
  readonly samples: (state: State) => readonly Sample[]
}

const one = (value: number | boolean | null | undefined): readonly Sample[] =>
  value === null || value === undefined ? [] : [[{}, Number(value)]]

const ofCounts = (label: string, counts: Readonly<Record<string, number>> | undefined): readonly Sample[] =>
  Object.entries(counts ?? {}).map(([value, count]) => [{ [label]: value }, count])

const ofJobs = ({ view }: State, read: (job: JobStats) => number | null): readonly Sample[] =>
  (view?.jobs ?? []).map(job => [{ job: job.name }, read(job)])

const STATES: readonly StateMetric[] = [
  {
    name: 'fairlead_control_ready',
    help: '1 when the control plane answers requests and its database answers it, else 0.',
    samples: ({ view }) => one(view?.ready ?? false),
  },
  {
    name: 'fairlead_control_connections',
    help: 'Open connections to the control plane.',
    samples: ({ view }) => one(view?.connections),
  },
  {
    name: 'fairlead_control_database_up',
    help: '1 when the database answered at this scrape, else 0.',
    samples: ({ census }) => one(census !== null),
  },
  {
    name: 'fairlead_control_database_transactions',
    help: 'Transactions of this process, by whether they are in the database or wait for a place in it.',
    labels: ['state'],
    samples: ({ view }) =>
      view?.database == null ? [] : ofCounts('state', { inside: view.database.inside, waiting: view.database.waiting }),
  },
  {
    name: 'fairlead_control_database_writers',
    help: 'Those of them that may write.',
    labels: ['state'],
    samples: ({ view }) =>
      view?.database == null
        ? []
        : ofCounts('state', { inside: view.database.writersInside, waiting: view.database.writersWaiting }),
  },
  {
    name: 'fairlead_control_epoch',
    help: 'The epoch; it goes up with every restore.',
    samples: ({ census }) => one(census?.epoch),
  },
  {
    name: 'fairlead_control_revision',
    help: 'The revision of what nodes are told.',
    samples: ({ census }) => one(census?.revision),
  },
  {
    name: 'fairlead_control_pool_ports',
    help: 'Numbers of the port pools, by use; free ones are left to be handed out.',
    labels: ['protocol', 'state'],
    samples: ({ census }) =>
      Object.entries(census?.pools ?? {}).flatMap(([protocol, counts]) =>
        Object.entries(counts).map(([state, count]): Sample => [{ protocol, state }, count]),
      ),
  },
  {
    name: 'fairlead_control_nodes',
    help: 'Nodes, by status.',
    labels: ['status'],
    samples: ({ census }) => ofCounts('status', census?.nodes),
  },
  {
    name: 'fairlead_control_nodes_behind',
    help: 'Active nodes whose Traefik has not been seen to have the newest revision.',
    samples: ({ census }) => one(census?.nodesBehind),
  },
  {
    name: 'fairlead_control_node_verdicts',
    help: 'Routes that are not live, counted once for each node that says so, by verdict.',
    labels: ['verdict'],
    samples: ({ census }) => ofCounts('verdict', census?.verdicts),
  },
  {
    name: 'fairlead_control_public_ports',
    help: 'Declared ports that nodes are told of, by protocol.',
    labels: ['protocol'],
    samples: ({ census }) => ofCounts('protocol', census?.publicPorts),
  },
  {
    name: 'fairlead_control_audit_rows',
    help: 'Rows of the audit log, none of which is ever deleted.',
    samples: ({ census }) => one(census?.auditRows),
  },
  {
    name: 'fairlead_control_held_polls',
    help: 'Polls of nodes that are held until there is a new revision.',
    samples: ({ view }) => one(view?.hub?.waiting),
  },
  {
    name: 'fairlead_control_event_streams',
    help: 'Consoles and programs that hear events.',
    samples: ({ view }) => one(view?.hub?.subscribers),
  },
  {
    name: 'fairlead_control_listening',
    help: '1 while notifications of the database are heard, else 0: then changes are seen by polling, a second or two later.',
    samples: ({ view }) => one(view?.hub?.listening),
  },
  {
    name: 'fairlead_control_job_last_attempt_timestamp_seconds',
    help: 'When this process last did a job; another process may have done it since.',
    labels: ['job'],
    samples: state => ofJobs(state, job => (job.lastAttemptAt === null ? null : seconds(job.lastAttemptAt))),
  },
  {
    name: 'fairlead_control_job_last_success_timestamp_seconds',
    help: 'When this process last did a job successfully.',
    labels: ['job'],
    samples: state => ofJobs(state, job => (job.lastSuccessAt === null ? null : seconds(job.lastSuccessAt))),
  },
]

/** Registers all metrics. Twice on one registry throws. */
export function createControlMetrics({
  registry,
  version,
  processMetrics = true,
}: ControlMetricsOptions): ControlMetrics {
  const registers = [registry]
  let read: { view: () => Promise<ControlView>; census: (() => Promise<Census>) | null } | null = null
  let state: State = { view: null, census: null }

  new Gauge({
    name: 'fairlead_control_build_info',
    help: 'The running version; always 1.',
    labelNames: ['version'],
    registers,
  }).set({ version }, 1)
  const requests = new Counter({
    name: 'fairlead_control_requests_total',
    help: 'Answered requests, by the template of their route.',
    labelNames: ['method', 'route', 'status'] as const,
    registers,
  })
  const durations = new Histogram({
    name: 'fairlead_control_request_duration_seconds',
    help: 'Time to answer a request; without those that wait on purpose.',
    labelNames: ['method', 'route'] as const,
    buckets: DURATION_BUCKETS_S,
    registers,
  })
  const failures = new Counter({
    name: 'fairlead_control_database_start_failures_total',
    help: 'Attempts at the start to open the database that failed.',
    registers,
  })
  new Counter({
    name: 'fairlead_control_job_runs_total',
    help: 'Runs of a job in this process, by result.',
    labelNames: ['job', 'result'] as const,
    registers,
    collect() {
      this.reset()
      for (const { name, succeeded, failed } of state.view?.jobs ?? []) {
        this.inc({ job: name, result: 'ok' }, succeeded)
        this.inc({ job: name, result: 'failed' }, failed)
      }
    },
  })
  for (const { name, help, labels = [], samples } of STATES)
    new Gauge({
      name,
      help,
      labelNames: [...labels],
      registers,
      collect() {
        // Without labels a reset would set it to 0, and 0 is a revision.
        if (labels.length === 0) this.remove()
        else this.reset()
        for (const [values, value] of samples(state)) if (value !== null) this.set(values, value)
      },
    })
  if (processMetrics) {
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: NO_SAMPLING_MS })
    for (const name of [...MISNAMED, ...COSTLY]) registry.removeSingleMetric(name)
  }

  return {
    answered({ method, route, status, durationMs }) {
      const labels = { method, route: route ?? NO_ROUTE }
      requests.inc({ ...labels, status: String(status) })
      if (durationMs !== null) durations.observe(labels, seconds(durationMs))
    },
    databaseFailed: () => failures.inc(),
    observe(view, census) {
      read = { view, census }
    },
    async text() {
      const [view, census] = await Promise.all([
        read?.view().catch(() => null) ?? null,
        read?.census?.().catch(() => null) ?? null,
      ])
      state = { view, census }
      return registry.metrics()
    },
  }
}
