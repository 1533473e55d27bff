/** What the embedded database and a server have in common: connections of `pg`, to be given back. */
import type { Client, PoolClient } from 'pg'

/** The one channel of LISTEN and NOTIFY, for all control planes on one database. */
export const CHANNEL = 'fairlead_changes'

export type Lease = {
  readonly client: Client | PoolClient
  /** True once the connection, or the database behind it, is gone: there is no answer to wait for. */
  isBroken(): boolean
  /** With true, the connection is thrown away. */
  release(broken: boolean): void
}

/** Whoever hears of changes must bear hearing of none: a notification is a hint, and may be lost. */
export type ChannelListener = {
  onMessage(payload: string): void
  /** Notifications may have been missed; also called when listening begins. */
  onGap(): void
}

export interface Listening {
  /** False while there is no connection: nothing will be heard. */
  isConnected(): boolean
  stop(): Promise<void>
}

export interface Connections {
  readonly kind: 'embedded' | 'server'
  /** How many leases there may be at a time. */
  readonly size: number
  acquire(): Promise<Lease>
  /** Runs `work` on a connection that nobody else uses, where a statement may take as long as it needs. */
  alone<T>(work: (client: Client) => Promise<T>): Promise<T>
  /** Hears what is sent on CHANNEL, by this process or another, from its commit on. Never throws: without a connection it tries again. */
  listen(listener: ChannelListener): Listening
  /** After the last lease was given back. */
  close(): Promise<void>
}
