/**
 * PostgreSQL inside this process: PGlite, spoken to with `pg` as a server is, so that all above is the same for both.
 *
 * It has one connection. When PostgreSQL gives up (it does so when the disk fails it, and a server would start anew then), the instance
 * is thrown away, and the next one who asks gets a new one, which recovers from its log as after a crash.
 */
import type { PGlite } from '@electric-sql/pglite'
import { createPgConfig } from '@electric-sql/pglite/node-postgres'
import { Client } from 'pg'
import type { Logger } from 'pino'
import { CHANNEL, type ChannelListener, type Connections, type Lease } from './connections.ts'
import { DatabaseError, toDatabaseError } from './error.ts'

/** A started PGlite, and how to give it up when it has aborted. */
export type Instance = { readonly pglite: PGlite; abandon(): void }

export type EmbeddedOptions = {
  /** Starts one; `onAbort` is called when PostgreSQL in it has given up. */
  readonly start: (onAbort: () => void) => Promise<Instance>
  readonly logger: Logger
  readonly onClosed?: () => Promise<void>
}

/** Between two attempts to start anew: each takes the process for some hundred milliseconds. */
const RESTART_PAUSE_MS = 1000

type Running = { readonly instance: Instance; readonly client: Client; aborted: boolean }

/** Drizzle gives each query its parsers as `types`; pg leaves those alone, but PGlite takes them for types of parameters and throws. */
function pgConfig(pglite: PGlite): ReturnType<typeof createPgConfig> {
  const config = createPgConfig(pglite)
  const { connection } = config
  const parse = connection.parse.bind(connection)
  connection.parse = ({ text, name }) => parse({ text, name })
  return config
}

/** Starts it once, so that what is wrong with it shows now. */
export async function openEmbedded({ start, logger, onClosed }: EmbeddedOptions): Promise<Connections> {
  const listeners = new Set<ChannelListener>()
  let running: Running | null = null
  let failure: { readonly error: DatabaseError; readonly at: number } | null = null

  async function run(): Promise<Running> {
    let state: Running | null = null
    let config: ReturnType<typeof createPgConfig> | null = null
    const gone = () => new DatabaseError('DATABASE_BROKEN', 'the embedded database has given up')
    const instance = await start(() => {
      if (state !== null) state.aborted = true
      // The one who waits for an answer will get none; first, though, what PostgreSQL has said about it.
      setImmediate(() => config?.connection.emit('error', gone()))
    })
    config = pgConfig(instance.pglite)
    const client = new Client(config)
    client.on('error', error => logger.error({ err: error }, 'embedded database gave up'))
    try {
      await client.connect()
      await client.query(`listen ${CHANNEL}`)
    } catch (error) {
      instance.abandon()
      throw error
    }
    instance.pglite.onNotification((_channel, payload) => {
      for (const listener of listeners) listener.onMessage(payload)
    })
    state = { instance, client, aborted: false }
    return state
  }

  async function current(): Promise<Running> {
    if (running !== null && !running.aborted) return running
    running?.instance.abandon()
    running = null
    if (failure !== null && performance.now() - failure.at < RESTART_PAUSE_MS) throw failure.error
    try {
      running = await run()
      failure = null
    } catch (error) {
      const told =
        toDatabaseError(error) ??
        new DatabaseError('DATABASE_BROKEN', 'the embedded database does not start', { cause: error })
      failure = { error: told, at: performance.now() }
      throw told
    }
    for (const listener of listeners) listener.onGap()
    return running
  }

  try {
    await current()
  } catch (error) {
    await onClosed?.()
    throw error
  }

  return {
    kind: 'embedded',
    size: 1,
    async acquire(): Promise<Lease> {
      const mine = await current()
      return {
        client: mine.client,
        isBroken: () => mine.aborted,
        release(broken) {
          // Nobody may go on in the transaction of somebody else.
          if (broken) mine.aborted = true
        },
      }
    },
    alone: async work => work((await current()).client),
    listen(listener) {
      listeners.add(listener)
      listener.onGap()
      return {
        isConnected: () => running !== null && !running.aborted,
        async stop() {
          listeners.delete(listener)
        },
      }
    },
    async close() {
      const last = running
      running = null
      if (last?.aborted) last.instance.abandon()
      else if (last !== null) await last.instance.pglite.close()
      await onClosed?.()
    },
  }
}
