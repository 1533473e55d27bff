/** What a service speaks: its name, and two letters for its tile. */
import type { PresetId } from '../../api/port.ts'
import type { Protocol } from '../../core/problem.ts'

const PRESETS: Readonly<Record<PresetId, readonly [name: string, tile: string]>> = {
  http: ['HTTP', 'Ht'],
  postgres: ['PostgreSQL', 'Pg'],
  mysql: ['MySQL', 'My'],
  redis: ['Redis', 'Re'],
  mqtt: ['MQTT', 'Mq'],
  smtp: ['SMTP', 'Sm'],
  ssh: ['SSH', 'Sh'],
  ftp: ['FTP', 'Ft'],
  dns: ['DNS', 'Dn'],
  minecraft: ['Minecraft', 'Mc'],
  custom: ['Custom', 'Cu'],
}

const PROTOCOLS: Readonly<Record<Protocol, string>> = { http: 'HTTP', tcp: 'TCP', udp: 'UDP' }

export const protocolName = (protocol: Protocol): string => PROTOCOLS[protocol]

/** `PostgreSQL`; without a preset what its ports speak: `TCP`, `HTTP, UDP`. */
export function presetName(preset: PresetId | null, protocols: readonly Protocol[]): string {
  const known = preset === null || preset === 'custom' ? undefined : PRESETS[preset]
  return known?.[0] ?? (protocols.length === 0 ? 'no ports' : protocols.map(protocolName).join(', '))
}

/** Two letters. */
export function presetTile(preset: PresetId | null, protocols: readonly Protocol[]): string {
  const known = preset === null || preset === 'custom' ? undefined : PRESETS[preset]
  const [first] = protocols
  return (
    known?.[1] ??
    (first === undefined ? '–' : protocolName(first).charAt(0) + protocolName(first).charAt(1).toLowerCase())
  )
}
