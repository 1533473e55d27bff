/** What every room of the control plane is given. */
import type { Logger } from 'pino'
import type { Registry } from 'prom-client'
import type { Clock } from '../lib/clock.ts'
import type { ControlConfig } from './config.ts'
import type { Database } from './db/client.ts'
import type { Hub } from './hub.ts'

export type ControlDeps = {
  readonly config: ControlConfig
  readonly database: Database
  readonly clock: Clock
  readonly logger: Logger
  readonly registry: Registry
  /** Wakes who waits for a change. */
  readonly hub: Hub
  /** SHA-256, as hexadecimal digits, of the token in the state directory that the chores on the host use; null: there is none. */
  readonly adminTokenHash: string | null
}
