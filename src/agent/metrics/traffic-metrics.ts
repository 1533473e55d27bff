/**
 * What Traefik knows of the traffic of our routes: upstreams and open connections, by entry point.
 *
 * A TCP or UDP port belongs to one route (or to the few that share it by host name), so these are the numbers of a route. The label is the
 * entry point and never the route: entry points are as many as the pools have ports, and the ids of routes are made by users, without end.
 */
import { Gauge, type Registry } from 'prom-client'
import type { UpstreamUse } from '../../core/upstream-use.ts'
import { makeStateGauges } from './state-gauge.ts'

export type TrafficView = {
  /** Null: Traefik cannot be read now, and nobody knows. */
  readonly upstreams: () => readonly UpstreamUse[] | null
  /** Open TCP connections by entry point; null: Traefik does not offer its metrics. */
  readonly openConnections: (signal: AbortSignal) => Promise<ReadonlyMap<string, number> | null>
  /** Names of the entry points of the pools: the connections of others are no business of these metrics. */
  readonly ours: () => ReadonlySet<string>
}

/** Traefik's own metrics can be large. Whoever scrapes more often gets the same numbers again. */
const CONNECTIONS_CACHE_MS = 5_000
/** A Traefik that is slow to answer costs these numbers, not the scrape. */
const CONNECTIONS_PATIENCE_MS = 2_000

export type TrafficMetricsOptions = {
  readonly registry: Registry
  /** Calls and gives undefined when it throws. */
  readonly attempt: <T>(read: () => T) => T | undefined
  readonly onFault: () => void
}

export function registerTrafficMetrics({ registry, attempt, onFault }: TrafficMetricsOptions): {
  observe(view: TrafficView): void
} {
  let traffic: TrafficView | null = null
  const stateGauge = makeStateGauges({ registry, attempt }, () => traffic?.upstreams() ?? null)
  const labelsOf = ({ protocol, entryPoint }: UpstreamUse) => ({ protocol, entry_point: entryPoint })
  stateGauge(
    'fairlead_upstreams',
    'Upstreams of the routes on an entry point, as Traefik shows them.',
    ['protocol', 'entry_point'],
    rows => rows.map(row => [labelsOf(row), row.total]),
  )
  stateGauge(
    'fairlead_upstreams_down',
    'Upstreams of the routes on an entry point that a health check of Traefik has found down.',
    ['protocol', 'entry_point'],
    rows => rows.map(row => [labelsOf(row), row.down]),
  )

  let asked: { readonly at: number; readonly answer: Promise<ReadonlyMap<string, number> | null> } | null = null
  function openConnections(of: TrafficView): Promise<ReadonlyMap<string, number> | null> {
    const now = performance.now()
    if (asked === null || now - asked.at >= CONNECTIONS_CACHE_MS)
      asked = { at: now, answer: of.openConnections(AbortSignal.timeout(CONNECTIONS_PATIENCE_MS)).catch(() => null) }
    return asked.answer
  }

  new Gauge({
    name: 'fairlead_open_connections',
    help: "Open connections of an entry point, from Traefik's own metrics; it counts TCP alone.",
    labelNames: ['protocol', 'entry_point'],
    registers: [registry],
    async collect() {
      const of = traffic
      const counts = of === null ? null : await openConnections(of)
      this.reset()
      if (of === null || counts === null) return
      try {
        const ours = of.ours()
        for (const [entryPoint, count] of counts)
          if (ours.has(entryPoint)) this.set({ protocol: 'tcp', entry_point: entryPoint }, count)
      } catch {
        onFault()
      }
    },
  })

  return {
    observe(next) {
      traffic = next
      asked = null
    },
  }
}
