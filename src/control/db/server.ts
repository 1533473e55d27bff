/** A PostgreSQL server: a pool of connections with a limit on everything that could wait, and one more that listens. */

import { Client, type ClientConfig, Pool } from 'pg'
import type { Logger } from 'pino'
import type { Clock } from '../../lib/clock.ts'
import type { Connections, Lease } from './connections.ts'
import { DatabaseError, toDatabaseError } from './error.ts'
import { listenTo } from './listen.ts'

export type ServerLimits = {
  readonly poolSize: number
  readonly connectTimeoutMs: number
  /** The longest that a statement may take, and that one may wait for a lock; the server ends it then. */
  readonly statementTimeoutMs: number
  readonly lockTimeoutMs: number
  /** The longest that a transaction may do nothing. */
  readonly idleInTransactionTimeoutMs: number
}

export const SERVER_LIMITS: ServerLimits = {
  poolSize: 10,
  connectTimeoutMs: 5000,
  statementTimeoutMs: 10_000,
  lockTimeoutMs: 5000,
  idleInTransactionTimeoutMs: 30_000,
}

export type ServerOptions = {
  readonly url: string
  readonly limits: ServerLimits
  readonly logger: Logger
  readonly clock: Clock
  /** From 0 to below 1. */
  readonly random: () => number
}

/** How much longer we wait for an answer than the server may take: then it, or the way to it, is dead. */
const ANSWER_MARGIN_MS = 5000
const MINIMUM_VERSION = 150_000

/** What every connection has in common. Throws a DatabaseError for a text that is no address of a database; the text may hold a password. */
export function connectionConfig(url: string, limits: Pick<ServerLimits, 'connectTimeoutMs'>): ClientConfig {
  if (!/^postgres(?:ql)?:\/\//.test(url) || !URL.canParse(url))
    throw new DatabaseError(
      'DATABASE_REFUSED',
      'database.url is not an address such as postgres://user@host:5432/fairlead',
    )
  return {
    connectionString: url,
    application_name: 'fairlead-control',
    connectionTimeoutMillis: limits.connectTimeoutMs,
    keepAlive: true,
  }
}

/** Opens no connection: the first one is made when it is asked for. */
export function openServer({ url, limits, logger, clock, random }: ServerOptions): Connections {
  const config = connectionConfig(url, limits)
  const pool = new Pool({
    ...config,
    max: limits.poolSize,
    idleTimeoutMillis: 30_000,
    statement_timeout: limits.statementTimeoutMs,
    lock_timeout: limits.lockTimeoutMs,
    idle_in_transaction_session_timeout: limits.idleInTransactionTimeoutMs,
    query_timeout: limits.statementTimeoutMs + ANSWER_MARGIN_MS,
  })
  pool.on('error', error => logger.warn({ err: error }, 'idle database connection lost'))

  return {
    kind: 'server',
    size: limits.poolSize,
    async acquire(): Promise<Lease> {
      const client = await pool.connect().catch((error: unknown) => {
        throw toDatabaseError(error) ?? new DatabaseError('DATABASE_UNREACHABLE', 'no connection', { cause: error })
      })
      let broken = false
      // Without a listener the loss of a connection would end the process.
      const onError = (): void => {
        broken = true
      }
      client.on('error', onError)
      return {
        client,
        isBroken: () => broken,
        release(thrown) {
          client.off('error', onError)
          client.release(thrown || broken)
        },
      }
    },
    async alone(work) {
      const client = new Client(config)
      client.on('error', error => logger.warn({ err: error }, 'database connection lost'))
      try {
        await client.connect().catch((error: unknown) => {
          throw toDatabaseError(error) ?? error
        })
        return await work(client)
      } finally {
        await client.end()
      }
    },
    listen: listener =>
      listenTo({
        connect: () => new Client({ ...config, query_timeout: ANSWER_MARGIN_MS }),
        listener,
        logger,
        clock,
        random,
      }),
    close: () => pool.end(),
  }
}

/** `150004` for 15.4. */
export async function readVersion(client: Client): Promise<number> {
  const { rows } = await client.query<{ server_version_num: string }>('show server_version_num')
  return Number(rows[0]?.server_version_num)
}

/** Throws DATABASE_TOO_OLD for a server that lacks what our SQL needs. */
export function checkVersion(version: number): void {
  if (version < MINIMUM_VERSION)
    throw new DatabaseError('DATABASE_TOO_OLD', `the server is PostgreSQL ${Math.floor(version / 10_000)}`)
}
