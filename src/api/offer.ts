/** What a service is taken for and called when nobody says: the same in `fairlead expose` and in the console. Pure; imports types alone. */
import type { Protocol } from '../core/problem.ts'
import type { PresetId } from './port.ts'
import type { Preset } from './service.ts'

/** The kind of service that listens there as a rule: it brings the client's command and the probe along. */
export const presetOfPort = (presets: readonly Preset[], protocol: Protocol, port: number): Preset | null =>
  presets.find(preset => preset.port === port && preset.protocol === protocol && preset.id !== 'http') ?? null

export type Named = {
  readonly preset: PresetId | null
  readonly protocol: Protocol
  /** Of its first backend: an address or a host name. */
  readonly endpoint: string
  readonly port: number
}

/** `postgres-10-200-1-5-5432`: short enough, and what the interface takes for a name. */
export function offeredName({ preset, protocol, endpoint, port }: Named): string {
  const kind = preset === null || preset === 'custom' ? protocol : preset
  const slug = `${kind}-${endpoint}-${port}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
  return slug.length <= 58 ? slug : `${slug.slice(0, 50)}-${port}`
}

/** An offered name that is taken gets a number behind it. `attempt` begins at 1. */
export const numberedName = (base: string, attempt: number): string => (attempt === 1 ? base : `${base}-${attempt}`)

/** The first of the numbered names that is not taken. */
export function freeName(base: string, taken: ReadonlySet<string>): string {
  let attempt = 1
  while (taken.has(numberedName(base, attempt))) attempt++
  return numberedName(base, attempt)
}
