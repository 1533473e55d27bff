/** When there is more to do than can be done, new requests are refused at once, so that those at work end in time. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Database } from '../db/client.ts'
import { ApiError } from './api-error.ts'

export type LoadSettings = {
  /** The event loop is late by so much, on average of the last second. */
  readonly maxLoopDelayMs: number
  /** So many transactions wait for the database. */
  readonly maxWaiting: number
}

export const LOAD: LoadSettings = { maxLoopDelayMs: 1000, maxWaiting: 300 }

export type Load = {
  /** Throws an ApiError (503). */
  check(): void
  stop(): void
}

const RESOLUTION_MS = 100
const INTERVAL_MS = 1000

export function watchLoad(database: Pick<Database, 'stats'>, { maxLoopDelayMs, maxWaiting }: LoadSettings): Load {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  let loopDelayMs = 0
  delays.enable()
  const timer = setInterval(() => {
    // What is measured is the time between two looks; it is never below the pause between them.
    loopDelayMs = Number.isFinite(delays.mean) ? Math.max(0, delays.mean / 1e6 - RESOLUTION_MS) : 0
    delays.reset()
  }, INTERVAL_MS)
  timer.unref()
  const refuse = (detail: string): never => {
    throw new ApiError('OVERLOADED', detail, { headers: { 'retry-after': '2' }, extra: { retryAfterSeconds: 2 } })
  }
  return {
    check() {
      if (loopDelayMs > maxLoopDelayMs) refuse(`this process is late by ${Math.round(loopDelayMs)} ms`)
      const { waiting, writersWaiting } = database.stats()
      if (waiting + writersWaiting > maxWaiting) refuse(`${waiting + writersWaiting} others wait for the database`)
    },
    stop() {
      clearInterval(timer)
      delays.disable()
    },
  }
}
