/**
 * The database of the control plane: PostgreSQL inside this process, in a folder, or a server by its URL. Above this file nobody asks which.
 *
 *   const database = await openDatabase({ url: null, directory, logger })
 *   await database.transaction(async tx => { ... })
 */
import type { Logger } from 'pino'
import { type Clock, SYSTEM_CLOCK } from '../../lib/clock.ts'
import type { ChannelListener, Connections, Listening } from './connections.ts'
import { openEmbedded } from './embedded.ts'
import { openFolder } from './embedded-folder.ts'
import { DatabaseError } from './error.ts'
import { createGate } from './gate.ts'
import { makeId } from './id.ts'
import { migrate } from './migrate.ts'
import { checkVersion, openServer, readVersion, SERVER_LIMITS, type ServerLimits } from './server.ts'
import { runTransaction, type TransactionOptions, type Tx, withRetries } from './transaction.ts'

export type DatabaseStats = {
  readonly inside: number
  readonly waiting: number
  readonly writersInside: number
  readonly writersWaiting: number
}

export interface Database {
  readonly kind: 'embedded' | 'server'
  /** `cp_...`: made with the tables, kept for ever. */
  readonly controlPlaneId: string
  /**
   * Runs `work` between begin and commit (`read committed` unless asked otherwise), and again, a few times, when the database says that others
   * changed the same rows: so it must do nothing but queries. Every failure of the database is a DatabaseError; what `work` throws itself
   * comes through, after the rollback. When it resolves, the change is on the disk.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** Hears what `notify` sends, from any process on this database. A hint: notifications may be lost, and `onGap` says when. */
  listen(listener: ChannelListener): Listening
  /** Throws a DatabaseError when the database does not answer. */
  check(): Promise<void>
  stats(): DatabaseStats
  /** Refuses all who wait, lets those inside end, closes. */
  close(): Promise<void>
}

export type GateSettings = {
  readonly maxWaiting: number
  readonly waitMs: number
}

const GATE: GateSettings = { maxWaiting: 1000, waitMs: 5000 }

/** Writers wait for each other anyway; were there as many as connections, nobody could read while one of them waits for a lock. */
const writersOf = (size: number): number => Math.max(1, Math.floor(size * 0.6))

export type OpenDatabaseOptions = {
  /** `postgres://...`; null: the embedded one. */
  readonly url: string | null
  /** The state directory of the control plane: the embedded database is in its folder `db`. */
  readonly directory: string
  readonly logger: Logger
  readonly clock?: Clock
  /** From 0 to below 1. */
  readonly random?: () => number
  readonly limits?: Partial<ServerLimits>
  readonly gate?: Partial<GateSettings>
}

/** Opens it and brings its tables up to date. Rejects with a DatabaseError; whoever wants to wait for the database asks whether it is retryable. */
export async function openDatabase({
  url,
  directory,
  logger,
  clock = SYSTEM_CLOCK,
  random = Math.random,
  limits,
  gate,
}: OpenDatabaseOptions): Promise<Database> {
  const connections =
    url === null
      ? await openEmbedded({ ...(await openFolder(directory)), logger })
      : openServer({ url, limits: { ...SERVER_LIMITS, ...limits }, logger, clock, random })
  return createDatabase({ connections, clock, random, gate: { ...GATE, ...gate } })
}

export type CreateDatabaseOptions = {
  readonly connections: Connections
  readonly clock?: Clock
  readonly random?: () => number
  readonly gate?: GateSettings
}

/** On connections that are there. Closes them when the tables cannot be brought up to date. */
export async function createDatabase({
  connections,
  clock = SYSTEM_CLOCK,
  random = Math.random,
  gate = GATE,
}: CreateDatabaseOptions): Promise<Database> {
  const closing = new AbortController()
  let controlPlaneId: string
  try {
    controlPlaneId = await connections.alone(async client => {
      checkVersion(await readVersion(client))
      return migrate(client, { clock, signal: closing.signal, controlPlaneId: makeId('cp') })
    })
  } catch (error) {
    await connections.close()
    throw error
  }

  const everybody = createGate({ ...gate, limit: connections.size })
  const writers = createGate({ ...gate, limit: writersOf(connections.size) })
  const listening = new Set<Listening>()
  let closed: Promise<void> | null = null

  async function inside<T>(readOnly: boolean, work: () => Promise<T>): Promise<T> {
    const leaveWriters = readOnly ? () => {} : await writers.enter()
    try {
      const leave = await everybody.enter()
      try {
        return await work()
      } finally {
        leave()
      }
    } finally {
      leaveWriters()
    }
  }

  const transaction: Database['transaction'] = (work, options = {}) => {
    const attempt = () =>
      inside(options.readOnly ?? false, async () => runTransaction(await connections.acquire(), work, options))
    return withRetries(attempt, { clock, random, signal: closing.signal })
  }

  async function close(): Promise<void> {
    closing.abort(new DatabaseError('DATABASE_CLOSED', 'the database is being closed'))
    await Promise.all([...listening].map(one => one.stop()))
    await Promise.all([writers.close(), everybody.close()])
    await connections.close()
  }

  return {
    kind: connections.kind,
    controlPlaneId,
    transaction,
    listen(listener) {
      const one = connections.listen(listener)
      const stop = async (): Promise<void> => {
        listening.delete(tracked)
        await one.stop()
      }
      const tracked: Listening = { isConnected: () => one.isConnected(), stop }
      listening.add(tracked)
      return tracked
    },
    async check() {
      await transaction(tx => tx.execute('select 1'), { readOnly: true })
    },
    stats: () => ({
      ...everybody.stats(),
      writersInside: writers.stats().inside,
      writersWaiting: writers.stats().waiting,
    }),
    close() {
      closed ??= close()
      return closed
    },
  }
}
