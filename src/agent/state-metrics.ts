/**
 * The gauges of state, read at the scrape from one view of the agent: which revision, which routes, which sources, which problems.
 */
import { Gauge, type Registry } from 'prom-client'
import { PROTOCOLS, type Protocol } from '../core/problem.ts'
import { REASONS, type ReasonCode, VERDICTS, type Verdict } from '../core/verdict.ts'
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

type Sample<L extends string> = readonly [labels: Record<L, string>, value: number | null]

export type StateMetricsOptions = {
  readonly registry: Registry
  /** Calls and gives undefined when it throws. */
  readonly attempt: <T>(read: () => T) => T | undefined
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Registers the gauges. `observe` hands in what they read; before that they have no samples. */
export function registerStateMetrics({ registry, attempt, now }: StateMetricsOptions): {
  observe(view: () => MetricsView, pools?: () => PoolUse): void
} {
  const registers = [registry]
  const startedAt = now()
  let readView: (() => MetricsView) | null = null
  let readPools: (() => PoolUse) | null = null

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

  return {
    observe(nextView, nextPools) {
      readView = nextView
      readPools = nextPools ?? null
    },
  }
}
