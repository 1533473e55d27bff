/**
 * What health checks have found, over a change of the configuration.
 *
 * Traefik begins its checks anew with every configuration that it applies, all servers up, and asks for the first time after one interval.
 * Until then "up" proves nothing: what was found before goes on to hold, else a dead upstream would be live after each change of anybody's,
 * and a server that has never been asked is told as such.
 */
import type { Compiled, RouteOutcome } from './compile.ts'
import type { DynamicConfig } from './dynamic-config.ts'
import type { ObservedRuntime } from './observed.ts'

/** By `tcp/NAME`: servers of a service. */
type Servers = ReadonlyMap<string, readonly string[]>

export type HealthMemory = {
  /** Traefik's process and the body that it has. */
  readonly body: string
  /** When this body was first seen, in milliseconds since 1970. */
  readonly sinceMs: number
  /** Those that are taken to be down. */
  readonly down: Servers
  /** Those that a check has asked once, in this body or in one before. */
  readonly asked: Servers
}

export const NO_HEALTH: HealthMemory = { body: '', sinceMs: 0, down: new Map(), asked: new Map() }

/** By service that Traefik checks, how long it may take until each server was asked once. */
function firstChecks(outcomes: readonly RouteOutcome[], config: DynamicConfig): ReadonlyMap<string, number> {
  return new Map(
    outcomes.flatMap(({ candidate: { route }, services }) => {
      const check = route.protocol === 'udp' ? null : route.healthCheck
      if (check === null) return []
      const section = config[route.protocol]?.services ?? {}
      return services.flatMap(name => {
        const service = section[name]
        // An old Traefik has no checks on TCP: they are left out.
        if (service === undefined || !('loadBalancer' in service) || !('healthCheck' in service.loadBalancer)) return []
        return [[`${route.protocol}/${name}`, check.interval + check.timeout] as const]
      })
    }),
  )
}

export type Health = {
  /** With the servers that are still taken to be down. */
  readonly runtime: ObservedRuntime
  /** Of each service that Traefik checks the servers that it has not asked yet. */
  readonly unasked: Servers
  readonly memory: HealthMemory
}

/** Times in milliseconds since 1970. */
export type HealthLook = {
  readonly runtime: ObservedRuntime
  /** Names the process and the body that the runtime is of. */
  readonly body: string
  readonly readAtMs: number
  /** When that process started: the first body that is seen in it may be as old. Null: it does not say. */
  readonly startedAtMs: number | null
}

export function rememberHealth(
  memory: HealthMemory,
  { runtime, body, readAtMs, startedAtMs }: HealthLook,
  { outcomes, config }: Pick<Compiled, 'outcomes' | 'config'>,
): Health {
  const isFirst = memory.body === '' && runtime.beacons.length > 0
  const firstSeenMs = isFirst ? Math.min(startedAtMs ?? readAtMs, readAtMs) : readAtMs
  // A clock that was set back would keep a dead server dead until it has come as far again.
  const sinceMs = memory.body === body ? Math.min(memory.sinceMs, readAtMs) : firstSeenMs
  const checkedAfterMs = firstChecks(outcomes, config)
  const asked = new Map<string, readonly string[]>()
  const unasked = new Map<string, readonly string[]>()
  const services = runtime.services.map(service => {
    const key = `${service.protocol}/${service.name}`
    const afterMs = checkedAfterMs.get(key)
    if (afterMs === undefined) return service
    if (readAtMs - sinceMs >= afterMs) {
      asked.set(key, service.servers)
      unasked.set(key, [])
      return service
    }
    const known = memory.asked.get(key) ?? []
    const isKnown = (server: string): boolean => known.includes(server) || service.down.includes(server)
    asked.set(key, service.servers.filter(isKnown))
    unasked.set(
      key,
      service.servers.filter(server => !isKnown(server)),
    )
    const still = (memory.down.get(key) ?? []).filter(
      server => service.servers.includes(server) && !service.down.includes(server),
    )
    return still.length === 0 ? service : { ...service, down: [...service.down, ...still].sort() }
  })
  const down = new Map(
    services.flatMap(service =>
      service.down.length === 0 ? [] : [[`${service.protocol}/${service.name}`, service.down] as const],
    ),
  )
  return { runtime: { ...runtime, services }, unasked, memory: { body, sinceMs, down, asked } }
}
