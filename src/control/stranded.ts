/**
 * The pools as the settings have them. Settings that take numbers away which are in use are refused at the start: the routes would go on
 * running, and nobody could tell why their numbers are in no pool.
 */
import { makePortSet, NO_PORTS } from '../core/port-set.ts'
import type { ControlConfig } from './config.ts'
import type { Tx } from './db/transaction.ts'
import type { PortRules } from './ports/ports.ts'
import { strandedPorts } from './ports/repair.ts'

/** Without what the nodes say: as if there were none. */
export function settingsRules({ ports, release }: Pick<ControlConfig, 'ports' | 'release'>): PortRules {
  const { tcp, udp, reserved, shared } = ports
  return {
    tcp: { range: tcp, reserved, shared, declared: null },
    udp: { range: udp, reserved, shared: NO_PORTS, declared: null },
    leastTimeMs: release.leastTimeMs,
  }
}

/** The settings do not fit what is in the database. */
export class StrandedPortsError extends Error {
  override readonly name = 'StrandedPortsError'
  readonly code = 'PORTS_STRANDED'
  readonly remedy: string
  constructor(names: readonly string[]) {
    super(`ports are in use that the settings do not have any more: ${names.join('; ')}`)
    this.remedy =
      'Put them back into ports.tcp, ports.udp or ports.shared, start again, and release them first: the console names their services.'
  }
}

/** Throws a StrandedPortsError that names them all. */
export async function assertNotStranded(tx: Tx, config: Pick<ControlConfig, 'ports' | 'release'>): Promise<void> {
  const rules = settingsRules(config)
  const names: string[] = []
  for (const protocol of ['tcp', 'udp'] as const) {
    const ports = await strandedPorts(tx, protocol, rules[protocol])
    if (ports.length > 0) names.push(`${protocol.toUpperCase()} ${makePortSet(ports).text.replaceAll(',', ', ')}`)
  }
  if (names.length > 0) throw new StrandedPortsError(names)
}
