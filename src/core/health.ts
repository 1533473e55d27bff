/**
 * What health checks have found, over a change of the configuration.
 *
 * Traefik begins its checks anew with every configuration that it applies, all servers up, and asks for the first time after one interval.
 * Until then "up" proves nothing: what was found before goes on to hold, else a dead upstream would be live after each change of anybody's.
 */
import type { RouteOutcome } from './compile.ts'
import type { ObservedRuntime } from './observed.ts'

export type HealthMemory = {
  /** Traefik's process and the body that it has. */
  readonly body: string
  /** When this body was first seen, in milliseconds since 1970. */
  readonly sinceMs: number
  /** By `tcp/NAME`: the servers that are taken to be down. */
  readonly down: ReadonlyMap<string, readonly string[]>
}

export const NO_HEALTH: HealthMemory = { body: '', sinceMs: 0, down: new Map() }

/** By service, how long Traefik may take until each server was asked once. */
function firstChecks(outcomes: readonly RouteOutcome[]): ReadonlyMap<string, number> {
  return new Map(
    outcomes.flatMap(({ candidate: { route }, services }) => {
      const check = route.protocol === 'udp' ? null : route.healthCheck
      if (check === null) return []
      return services.map(name => [`${route.protocol}/${name}`, check.interval + check.timeout] as const)
    }),
  )
}

/**
 * The runtime with the servers that are still taken to be down, and what to remember of it.
 * @param body names the process and the body that the runtime is of
 * @param readAtMs when the runtime was read, in milliseconds since 1970
 */
export function rememberDown(
  memory: HealthMemory,
  runtime: ObservedRuntime,
  outcomes: readonly RouteOutcome[],
  body: string,
  readAtMs: number,
): { readonly runtime: ObservedRuntime; readonly memory: HealthMemory } {
  const sinceMs = memory.body === body ? memory.sinceMs : readAtMs
  const checkedAfterMs = firstChecks(outcomes)
  const services = runtime.services.map(service => {
    const key = `${service.protocol}/${service.name}`
    if (readAtMs - sinceMs >= (checkedAfterMs.get(key) ?? 0)) return service
    const known = memory.down.get(key) ?? []
    const still = known.filter(server => service.servers.includes(server) && !service.down.includes(server))
    return still.length === 0 ? service : { ...service, down: [...service.down, ...still].sort() }
  })
  const down = new Map(
    services.flatMap(service =>
      service.down.length === 0 ? [] : [[`${service.protocol}/${service.name}`, service.down] as const],
    ),
  )
  return { runtime: { ...runtime, services }, memory: { body, sinceMs, down } }
}
