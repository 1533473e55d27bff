/**
 * Probes of this node: which routes, by what the verdicts rest upon, and who wishes for one.
 *
 *   judged verdicts -> targets -> probes -> results -> (failed ones) -> verdicts
 *   `probes` of the control plane's document -> each wish once -> result with its requestId
 */
import type { Logger } from 'pino'
import type { RouteVerdict } from '../../core/judge.ts'
import type { ProbeResult } from '../../core/probe/probe.ts'
import { findTarget, probeableOutcomes, probeTargets, type Standing } from '../../core/probe/target.ts'
import { PROTOCOLS, type RouteKey, routeKey } from '../../core/problem.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Round } from '../reconcile.ts'
import type { SourceReading, SourceStatus } from '../sources/source.ts'
import type { Observation } from '../traefik/observer.ts'
import { createProbes, type ProbeLimits } from './probe.ts'
import type { Ask } from './probe-socket.ts'

export type ProbingOptions = {
  readonly round: () => Round | null
  /** Of that round, before any probe was looked at. */
  readonly judged: () => readonly RouteVerdict[]
  /** Null: there is no API, so nobody knows where to ask. */
  readonly observation: () => Observation | null
  readonly sources: () => readonly SourceStatus[]
  /** A result that may change a verdict, or that a person waits for. */
  readonly onTurn: () => void
  /** Every result. For metrics. */
  readonly onResult?: (result: ProbeResult) => void
  readonly clock: Clock
  readonly logger: Logger
  readonly ask?: Ask
  readonly limits?: Partial<ProbeLimits>
}

export interface Probing {
  start(): void
  stop(): Promise<void>
  /** After the verdicts were judged anew. */
  refresh(): void
  /** Failed ones of routes that ask for probes: what verdicts need. Another map whenever one comes or goes. */
  failed(): ReadonlyMap<RouteKey, ProbeResult>
  results(): ReadonlyMap<RouteKey, ProbeResult>
}

/** Wishes that were heard already; the control plane keeps each for half a minute. */
const MAX_HEARD = 10_000

const sameResults = (a: ReadonlyMap<RouteKey, ProbeResult>, b: ReadonlyMap<RouteKey, ProbeResult>): boolean =>
  a.size === b.size && [...a].every(([key, { detail }]) => b.get(key)?.detail === detail)

export function createProbing(options: ProbingOptions): Probing {
  const { round, judged, observation, sources, ask, limits } = options
  const heard = new Set<string>()
  let seenVerdicts: readonly RouteVerdict[] | null = null
  let seenReading: SourceReading | null = null
  let failed: ReadonlyMap<RouteKey, ProbeResult> = new Map()

  function standing(): Standing {
    const compiled = round()?.plan.compiled
    return {
      outcomes: compiled?.outcomes ?? [],
      verdicts: judged(),
      config: compiled?.config ?? {},
      entryPoints: observation()?.reading?.entryPoints ?? [],
    }
  }

  const probes = createProbes({
    routes: () => probeTargets(standing()),
    find: key => {
      const now = standing()
      const outcome = probeableOutcomes(now).get(key)
      if (outcome !== undefined) return findTarget(outcome, now.config, now.entryPoints)
      const verdict = now.verdicts.find(({ protocol, id }) => routeKey(protocol, id) === key)
      return verdict === undefined ? 'there is no such route here' : `not tried, for the route is ${verdict.verdict}`
    },
    onResult: (_, result, changed) => {
      options.onResult?.(result)
      if (noteFailed() || changed) options.onTurn()
    },
    clock: options.clock,
    logger: options.logger,
    ...(ask === undefined ? {} : { ask }),
    ...(limits === undefined ? {} : { limits }),
  })

  /** Says whether it is another one than before. */
  function noteFailed(): boolean {
    const now = new Map([...probes.results()].filter(([, { periodic, ok }]) => periodic && ok === false))
    if (sameResults(now, failed)) return false
    failed = now
    return true
  }

  /** `tcp/pg`, or a bare id, which may be several routes'. */
  function keysOf(id: string, reading: SourceReading): RouteKey[] {
    const keys = new Set(reading.routes.map(({ route }) => routeKey(route.protocol, route.id)))
    const exact = [...keys].filter(key => key === id)
    return exact.length > 0 ? exact : PROTOCOLS.map(protocol => routeKey(protocol, id)).filter(key => keys.has(key))
  }

  function hear(): void {
    const status = sources().find(({ name }) => name === 'control-plane')
    const reading = status?.reading ?? null
    // What the run before this one had read is of no one who still waits.
    if (reading === null || status?.lastSuccessAt === null || reading === seenReading) return
    seenReading = reading
    for (const { id, requestId } of reading.probes ?? []) {
      if (heard.has(requestId)) continue
      heard.add(requestId)
      for (const key of keysOf(id, reading)) probes.kick(key, requestId)
    }
    for (const requestId of heard) {
      if (heard.size <= MAX_HEARD) break
      heard.delete(requestId)
    }
  }

  return {
    start: probes.start,
    stop: probes.stop,
    refresh() {
      const verdicts = judged()
      if (verdicts === seenVerdicts) return
      seenVerdicts = verdicts
      probes.refresh()
      hear()
      if (noteFailed()) options.onTurn()
    },
    failed: () => failed,
    results: probes.results,
  }
}
