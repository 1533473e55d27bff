/**
 * What a node would make of states, without serving anything: the same core, told of a Traefik that has the entry points of our own
 * static configuration and no routers of anybody else.
 */
import type { AgentConfig } from '../agent/config.ts'
import { nodeSettings } from '../agent/node-settings.ts'
import { NEWEST_SUPPORTED } from '../core/capabilities.ts'
import { type Compiled, compile } from '../core/compile.ts'
import type { Candidate } from '../core/conflicts.ts'
import { mergeSources } from '../core/merge.ts'
import type { ObservedEntryPoint, ObservedTraefik } from '../core/observed.ts'
import { type Problem, printable } from '../core/problem.ts'
import { declaredEntryPoints, STATIC_DEFAULTS } from '../core/static-config.ts'
import { REASONS } from '../core/verdict.ts'
import type { StateDocument } from './read-states.ts'

export type CompileStatesOptions = {
  readonly config: AgentConfig
  readonly ownAddresses: readonly string[]
  /** Milliseconds since 1970: routes may have an end. */
  readonly nowMs: number
  /** Of Traefik; null: the newest that was measured. */
  readonly version: string | null
}

export type CompiledStates = {
  readonly compiled: Compiled
  /** Every route that is not accepted, with the reason: by document, then by route. */
  readonly problems: readonly Problem[]
}

function assumedTraefik(config: AgentConfig, version: string | null): ObservedTraefik {
  const declared = declaredEntryPoints({ ...STATIC_DEFAULTS, tcpPorts: config.ports.tcp, udpPorts: config.ports.udp })
  const named =
    config.http.redirectFrom === null ? config.http.entryPoints : [...config.http.entryPoints, config.http.redirectFrom]
  const entryPoints: ObservedEntryPoint[] = [
    ...declared.map(({ name, protocol, address: { host, port } }) => ({
      name,
      protocol,
      port,
      address: `${host}:${port}`,
    })),
    // One that only the settings know by name; where it listens does not matter here.
    ...named
      .filter(name => !declared.some(entryPoint => entryPoint.name === name))
      .map(name => ({ name, protocol: 'tcp' as const, port: 0, address: '' })),
  ]
  return { version: version ?? NEWEST_SUPPORTED, entryPoints, foreignRouters: [], providers: null }
}

const expiredProblem = ({ route, origin }: Candidate): Problem => ({
  code: 'EXPIRED',
  protocol: route.protocol,
  routeId: printable(route.id),
  field: 'expiresAt',
  value: route.expiresAt === null ? null : new Date(route.expiresAt).toISOString(),
  message: 'the end time of the route is over',
  remedy: REASONS.EXPIRED.remedy,
  origin,
})

/** Total. Files are merged as the agent merges them: local files before control planes, then the older claim, then the lower id. */
export function compileStates(documents: readonly StateDocument[], options: CompileStatesOptions): CompiledStates {
  const { config, ownAddresses, nowMs, version } = options
  const sources = documents.map(({ fileName, kind, state }) => ({
    rank: kind === 'routes' ? 0 : 1,
    routes: state.routes.map(route => ({ route, origin: fileName })),
  }))
  const merged = mergeSources(sources, {}, nowMs)
  const observed = assumedTraefik(config, version)
  const compiled = compile({
    candidates: merged.candidates,
    node: nodeSettings(config, { ownAddresses, observed, ownCertificate: null }),
    view: { observed, tombstones: 'everywhere' },
    certificates: documents.flatMap(({ state }) => state.certificates),
    challengeUrl: documents.map(({ state }) => state.challengeUrl).find(url => url !== null) ?? null,
  })
  const lost = compiled.outcomes.flatMap(({ problem }) => (problem === null ? [] : [problem]))
  const all = [...documents.flatMap(({ state }) => state.problems), ...lost, ...merged.expired.map(expiredProblem)]
  const place = new Map(documents.map(({ fileName }, i) => [fileName, i]))
  return { compiled, problems: all.sort((a, b) => (place.get(a.origin) ?? 0) - (place.get(b.origin) ?? 0)) }
}
