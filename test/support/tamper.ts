/** Makes configurations that Traefik does not take as they are: a whole body that it refuses, or one router that it disables. */
import type { DynamicConfig } from '../../src/core/dynamic-config.ts'

/** A field that no Traefik knows, in every TCP service that `picks` picks. */
export function refusingWhere(
  picks: (name: string, service: unknown) => boolean,
): (config: DynamicConfig) => DynamicConfig {
  return config => {
    const services = Object.entries(config.tcp?.services ?? {}).map(([name, service]) => [
      name,
      picks(name, service) ? { ...service, bogus: 1 } : service,
    ])
    return config.tcp === undefined
      ? config
      : { ...config, tcp: { ...config.tcp, services: Object.fromEntries(services) } }
  }
}

/** The services with these names. */
export const refusing = (...names: readonly string[]): ((config: DynamicConfig) => DynamicConfig) =>
  refusingWhere(name => names.includes(name))

/** A rule that Traefik takes for none, in the TCP router with this name: it disables it and takes the rest. */
export const brokenRule =
  (name: string) =>
  (config: DynamicConfig): DynamicConfig => {
    const router = config.tcp?.routers?.[name]
    if (config.tcp === undefined || router === undefined) return config
    const routers = { ...config.tcp.routers, [name]: { ...router, rule: 'HostSNI(`*`' } }
    return { ...config, tcp: { ...config.tcp, routers } }
  }
