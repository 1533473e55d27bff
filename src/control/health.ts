/** Whether this process is of use now, in a word and a sentence: what `/readyz` answers, and the metrics say. */
import type { Clock } from '../lib/clock.ts'
import type { Database } from './db/client.ts'
import { toDatabaseError } from './db/error.ts'

export type Readiness =
  | { readonly ready: true }
  | { readonly ready: false; readonly reason: string; readonly remedy: string }

/** Before the database has been reached for the first time. */
export const NOT_YET_STARTED: Readiness = {
  ready: false,
  reason: 'the control plane is starting',
  remedy: 'Wait a moment.',
}

export const STOPPING: Readiness = {
  ready: false,
  reason: 'the control plane is stopping',
  remedy: 'Send it again in a few seconds.',
}

/** What keeps us from the database, in words. */
export function readinessOfError(error: unknown): Readiness {
  const known = toDatabaseError(error)
  return {
    ready: false,
    reason: known?.message ?? (error instanceof Error ? error.message : String(error)),
    remedy: known?.remedy ?? 'Look at the log of the control plane.',
  }
}

export type HealthOptions = { readonly database: Pick<Database, 'check'>; readonly clock: Clock }

/** However often somebody asks, the database is asked once in so long. */
const FRESH_MS = 1_000
/** A database that does not answer in this time is not there, for those who wait for our word. */
const CHECK_TIMEOUT_MS = 3_000

/** Asks the database. Never throws. */
export function createHealth({ database, clock }: HealthOptions): () => Promise<Readiness> {
  let last: { readonly at: number; readonly answer: Promise<Readiness> } | null = null

  async function ask(): Promise<Readiness> {
    const patience = new AbortController()
    const late = clock.sleep(CHECK_TIMEOUT_MS, patience.signal).then(
      (): Readiness => ({
        ready: false,
        reason: `the database has not answered for ${CHECK_TIMEOUT_MS / 1000} s`,
        remedy: 'Look whether PostgreSQL runs and database.url leads to it.',
      }),
      (): Readiness => ({ ready: true }),
    )
    try {
      return await Promise.race([database.check().then((): Readiness => ({ ready: true }), readinessOfError), late])
    } finally {
      patience.abort()
    }
  }

  return () => {
    if (last === null || clock.monotonic() - last.at > FRESH_MS) last = { at: clock.monotonic(), answer: ask() }
    return last.answer
  }
}
