/**
 * LISTEN on a server, kept alive: asked for a sign of life, since a dead connection makes no sound, and made anew when it is lost.
 * Each new one is a gap in what was heard, and said to be.
 */
import { sql } from 'drizzle-orm'
import type { Client } from 'pg'
import type { Logger } from 'pino'
import type { Clock } from '../../lib/clock.ts'
import { CHANNEL, type ChannelListener, type Listening } from './connections.ts'
import type { Tx } from './transaction.ts'

export type ListenOptions = {
  /** Makes a client that is not connected yet, with a time-out for its queries. */
  readonly connect: () => Client
  readonly listener: ChannelListener
  readonly logger: Logger
  readonly clock: Clock
  readonly random: () => number
}

/** Sends a hint to every listener, once this transaction is committed. As JSON it must stay below 8000 bytes: ids, not contents. */
export async function notify(tx: Tx, notice: { readonly kind: string }): Promise<void> {
  await tx.execute(sql`select pg_notify(${CHANNEL}, ${JSON.stringify(notice)})`)
}

const HEARTBEAT_MS = 10_000
const FIRST_PAUSE_MS = 100
const LONGEST_PAUSE_MS = 5000
const GOODBYE_MS = 1000

export function listenTo({ connect, listener, logger, clock, random }: ListenOptions): Listening {
  const stopped = new AbortController()
  let connected = false

  /** Ends when the connection does, however that is. */
  async function listenOnce(): Promise<void> {
    const client = connect()
    const over = new AbortController()
    const end = (): void => over.abort()
    client.on('error', end)
    client.on('end', end)
    client.on('notification', ({ payload }) => listener.onMessage(payload ?? ''))
    stopped.signal.addEventListener('abort', end)
    try {
      await client.connect()
      await client.query(`listen ${CHANNEL}`)
      connected = true
      listener.onGap()
      while (!over.signal.aborted) {
        await clock.sleep(HEARTBEAT_MS, over.signal).catch(() => {})
        if (!over.signal.aborted) await client.query('select 1')
      }
    } finally {
      connected = false
      stopped.signal.removeEventListener('abort', end)
      // A server that is gone does not say goodbye either.
      await Promise.race([client.end().catch(() => {}), clock.sleep(GOODBYE_MS, AbortSignal.timeout(GOODBYE_MS * 2))])
    }
  }

  async function loop(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS
    while (!stopped.signal.aborted) {
      const since = clock.monotonic()
      try {
        await listenOnce()
      } catch (error) {
        logger.debug({ err: error }, 'listening connection failed')
      }
      if (stopped.signal.aborted) return
      if (clock.monotonic() - since > HEARTBEAT_MS) pauseMs = FIRST_PAUSE_MS
      logger.warn({ pauseMs }, 'listening connection lost, making another')
      await clock.sleep(pauseMs * (0.5 + random() / 2), stopped.signal).catch(() => {})
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)
    }
  }

  const running = loop()
  return {
    isConnected: () => connected,
    async stop() {
      stopped.abort()
      await running
    },
  }
}
