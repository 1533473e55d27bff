/** How many upstreams stand behind each entry point, and how many of them a health check has found down: what Traefik shows, counted. */
import type { ObservedRuntime, ObservedService } from './observed.ts'
import type { Protocol } from './problem.ts'

export type UpstreamUse = {
  readonly protocol: Protocol
  readonly entryPoint: string
  /** Configured servers of all our routes on the entry point. */
  readonly total: number
  /** Without a health check a server is never known to be down. */
  readonly down: number
}

/** The service itself, or the parts of a weighted one (`NAME.s0`, `NAME.s1`). */
function partsOf(name: string, services: ReadonlyMap<string, ObservedService>): ObservedService[] {
  const found: ObservedService[] = []
  const whole = services.get(name)
  if (whole !== undefined) found.push(whole)
  for (let i = 0; ; i++) {
    const part = services.get(`${name}.s${i}`)
    if (part === undefined) return found
    found.push(part)
  }
}

/** One row for each entry point that carries a route of ours, by protocol and name. Tombstones are no routes. */
export function upstreamUse(runtime: ObservedRuntime): readonly UpstreamUse[] {
  const services = new Map<Protocol, Map<string, ObservedService>>([
    ['http', new Map()],
    ['tcp', new Map()],
    ['udp', new Map()],
  ])
  for (const service of runtime.services) services.get(service.protocol)?.set(service.name, service)
  /** Names of services, by protocol and entry point: two routers of one route count once. */
  const behind = new Map<string, { protocol: Protocol; entryPoint: string; names: Set<string> }>()
  for (const { protocol, service, entryPoints } of runtime.routers) {
    if (!service.startsWith(`${protocol}_`)) continue
    for (const entryPoint of entryPoints) {
      const key = `${protocol} ${entryPoint}`
      const row = behind.get(key) ?? { protocol, entryPoint, names: new Set() }
      behind.set(key, row)
      row.names.add(service)
    }
  }
  return [...behind]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { protocol, entryPoint, names }]) => {
      const parts = [...names].flatMap(name => partsOf(name, services.get(protocol) ?? new Map()))
      const sum = (of: (part: ObservedService) => number) => parts.reduce((total, part) => total + of(part), 0)
      return {
        protocol,
        entryPoint,
        total: sum(({ servers }) => servers.length),
        down: sum(({ down }) => down.length),
      }
    })
}
