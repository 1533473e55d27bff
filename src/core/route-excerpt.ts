/** The part of a configuration that belongs to some routers: they, and everything that they name. */
import type { DynamicConfig } from './dynamic-config.ts'
import type { Protocol } from './problem.ts'

type Named<T> = Readonly<Record<string, T>>

function picked<T>(from: Named<T> | undefined, names: Iterable<string>): Named<T> {
  const found: Record<string, T> = {}
  for (const name of names) {
    const value = from?.[name]
    if (value !== undefined) found[name] = value
  }
  return found
}

/** A map of Traefik is there or left out, never empty. */
const part = <K extends string, T>(key: K, map: Named<T>): { readonly [key in K]?: Named<T> } => {
  const parts: { [key in K]?: Named<T> } = {}
  if (Object.keys(map).length > 0) parts[key] = map
  return parts
}

type AnyService = { readonly weighted: { readonly services: readonly { readonly name: string }[] } } | object

/** The services that routers name, and the children of the weighted ones. */
function servicesOf<T extends AnyService>(
  routers: Named<{ readonly service: string }>,
  services: Named<T> | undefined,
): Named<T> {
  const parents = picked(
    services,
    Object.values(routers).map(({ service }) => service),
  )
  const children = Object.values(parents).flatMap(service =>
    'weighted' in service ? service.weighted.services.map(({ name }) => name) : [],
  )
  return { ...parents, ...picked(services, children) }
}

const middlewaresOf = (routers: Named<{ readonly middlewares?: readonly string[] }>): readonly string[] =>
  Object.values(routers).flatMap(({ middlewares = [] }) => middlewares)

/** Holds no key of a certificate: that section is never part of it. */
export function excerpt(config: DynamicConfig, protocol: Protocol, names: readonly string[]): DynamicConfig {
  switch (protocol) {
    case 'http': {
      const routers = picked(config.http?.routers, names)
      return {
        http: {
          routers,
          ...part('services', servicesOf(routers, config.http?.services)),
          ...part('middlewares', picked(config.http?.middlewares, middlewaresOf(routers))),
        },
      }
    }
    case 'tcp': {
      const routers = picked(config.tcp?.routers, names)
      const services = servicesOf(routers, config.tcp?.services)
      const transports = Object.values(services).flatMap(service =>
        'loadBalancer' in service ? (service.loadBalancer.serversTransport ?? []) : [],
      )
      return {
        tcp: {
          routers,
          ...part('services', services),
          ...part('middlewares', picked(config.tcp?.middlewares, middlewaresOf(routers))),
          ...part('serversTransports', picked(config.tcp?.serversTransports, transports)),
        },
      }
    }
    case 'udp': {
      const routers = picked(config.udp?.routers, names)
      return { udp: { routers, ...part('services', servicesOf(routers, config.udp?.services)) } }
    }
    default:
      return protocol satisfies never
  }
}
