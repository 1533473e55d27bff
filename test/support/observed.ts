/** What Traefik's API shows once it has applied a body, made from that body: for tests of what judges it. */
import type { Observation } from '../../src/agent/traefik/observer.ts'
import type { DynamicConfig } from '../../src/core/dynamic-config.ts'
import { type ObservedRuntime, parseRawdata } from '../../src/core/observed.ts'
import { makeSnapshot } from '../../src/core/payload.ts'
import { ENTRY_POINTS } from './builders.ts'

type Entry = Record<string, unknown>

/** As `/api/rawdata` answers: names with their provider, what is used and how it is. */
export function rawdataOf(config: DynamicConfig, hash: string = makeSnapshot(config).hash): Record<string, Entry> {
  const named = (map: Readonly<Record<string, object>> | undefined, more: (entry: Entry) => Entry): Entry =>
    Object.fromEntries(
      Object.entries(map ?? {}).map(([name, entry]) => [
        `${name}@http`,
        { ...entry, status: 'enabled', ...more({ ...entry }) },
      ]),
    )
  const routers = (map: Readonly<Record<string, object>> | undefined) =>
    named(map, ({ entryPoints }) => ({ using: entryPoints }))
  const services = (map: Readonly<Record<string, object>> | undefined) => named(map, () => ({}))
  return {
    routers: {
      'api@internal': { entryPoints: ['traefik'], rule: 'PathPrefix(`/api`)' },
      ...routers(config.http?.routers),
    },
    services: { 'api@internal': {}, ...services(config.http?.services) },
    tcpRouters: routers(config.tcp?.routers),
    tcpServices: {
      ...services(config.tcp?.services),
      [`fairlead-revision-${hash}@http`]: { loadBalancer: { servers: [] }, status: 'enabled' },
    },
    udpRouters: routers(config.udp?.routers),
    udpServices: services(config.udp?.services),
  }
}

export function runtimeOf(raw: unknown): ObservedRuntime {
  const runtime = parseRawdata(raw)
  if (runtime === null) throw new Error('not the runtime of a Traefik')
  return runtime
}

export const NO_RUNTIME: ObservedRuntime = { foreignRouters: [], routers: [], services: [], beacons: [] }

/** A Traefik that was read just now. */
export const observationOf = (
  runtime: ObservedRuntime,
  change: Partial<Observation> & { readonly version?: string; readonly startedAt?: string } = {},
): Observation => {
  const { version = '3.7.15', startedAt = '2026-11-23T10:00:00Z', ...rest } = change
  const askedAtMs = performance.now()
  return {
    reading: { version, startedAt, entryPoints: ENTRY_POINTS, providers: ['HTTP'], runtime, askedAtMs },
    readAt: Date.now(),
    fault: null,
    settled: true,
    lastApplyMs: 20,
    lookedAtMs: askedAtMs,
    answersSinceMs: 0,
    ...rest,
  }
}
