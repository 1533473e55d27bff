/** Makes a body that Traefik refuses: one field that it does not know is enough. */
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
