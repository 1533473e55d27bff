/** What is read at each scrape: the pools as the last round and the running Traefik have them, and what Traefik knows of the traffic. */
import { upstreamUse } from '../../core/upstream-use.ts'
import type { AgentConfig } from '../config.ts'
import type { Round } from '../reconcile.ts'
import type { Sight } from '../sight.ts'
import { type PoolUse, poolEntryPoints, poolUse } from './pool-use.ts'
import type { TrafficView } from './traffic-metrics.ts'

export type ScrapedOptions = {
  readonly ports: AgentConfig['ports']
  readonly round: () => Round | null
  readonly sight: Pick<Sight, 'observation' | 'openConnections'>
}

export function makeScraped({ ports, round, sight }: ScrapedOptions): {
  readonly pools: () => PoolUse
  readonly traffic: TrafficView
} {
  const entryPoints = () => sight.observation()?.reading?.entryPoints ?? null
  return {
    pools() {
      const outcomes = round()?.plan.compiled.outcomes ?? []
      return {
        tcp: poolUse('tcp', ports.tcp, outcomes, entryPoints()),
        udp: poolUse('udp', ports.udp, outcomes, entryPoints()),
      }
    },
    traffic: {
      upstreams() {
        const observation = sight.observation()
        const reading = observation?.fault === null ? observation.reading : null
        return reading === null ? null : upstreamUse(reading.runtime)
      },
      openConnections: sight.openConnections,
      ours: () => poolEntryPoints(ports, entryPoints() ?? []),
    },
  }
}
