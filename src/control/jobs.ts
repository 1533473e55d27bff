/**
 * What has to be done now and then: one loop, one job at a time.
 *
 *   due? -> claimed for this process? -> run -> noted
 *            '- another process on this database has done it, or is at it: not due for now
 *
 * The claim is a row with a time in the database, so that of several processes one does a job. A process that dies in the middle of one
 * keeps nobody from it for longer than its interval. Each job is safe to run twice all the same: it takes the locks of what it changes.
 */
import { sql } from 'drizzle-orm'
import type { Logger } from 'pino'
import type { Clock } from '../lib/clock.ts'
import type { Database } from './db/client.ts'

export type Job = {
  /** Lower-case words with hyphens: a label of a metric. */
  readonly name: string
  readonly everyMs: number
  /** Does it once; runs its own transactions. Gives how many things it has changed. */
  readonly run: () => Promise<number>
}

export type JobStats = {
  readonly name: string
  /** Milliseconds since 1970; null: not in this process. */
  readonly lastAttemptAt: number | null
  readonly lastSuccessAt: number | null
  readonly succeeded: number
  readonly failed: number
}

export type Jobs = {
  readonly start: () => void
  /** Lets the one that runs end. */
  readonly stop: () => Promise<void>
  readonly stats: () => readonly JobStats[]
}

export type JobsOptions = {
  readonly jobs: readonly Job[]
  readonly database: Pick<Database, 'transaction'>
  readonly clock: Clock
  readonly logger: Logger
  /** From 0 to below 1. */
  readonly random?: () => number
}

/** After a failure, sooner than at the usual time. */
const RETRY_MS = 15_000
const LONGEST_SLEEP_MS = 60_000

const keyOf = (name: string): string => `job.${name}`

/** True when the job is for this process to do now. A claim holds nearly until the next time, since the loops of two processes drift. */
async function claim(database: Pick<Database, 'transaction'>, { name, everyMs }: Job): Promise<boolean> {
  return database.transaction(async tx => {
    const { rowCount } = await tx.execute(sql`
      insert into settings as old (key, value) values (${keyOf(name)}, to_jsonb(now()))
      on conflict (key) do update set value = excluded.value, updated_at = now()
      where (old.value #>> '{}')::timestamptz < now() - ${everyMs * 0.9} * interval '1 millisecond'
         or (old.value #>> '{}')::timestamptz > now() + interval '1 minute'`)
    return rowCount === 1
  })
}

/** So that another process, or this one a bit later, tries again. */
async function giveBack(database: Pick<Database, 'transaction'>, { name }: Job): Promise<void> {
  await database.transaction(tx => tx.execute(sql`delete from settings where key = ${keyOf(name)}`))
}

type Entry = {
  readonly job: Job
  dueAt: number
  lastAttemptAt: number | null
  lastSuccessAt: number | null
  succeeded: number
  failed: number
}

export function createJobs({ jobs, database, clock, logger: parent, random = Math.random }: JobsOptions): Jobs {
  const logger = parent.child({ component: 'jobs' })
  const aborter = new AbortController()
  const entries = jobs.map(
    (job): Entry => ({ job, dueAt: 0, lastAttemptAt: null, lastSuccessAt: null, succeeded: 0, failed: 0 }),
  )
  let running: Promise<void> | null = null

  const jittered = (ms: number): number => ms * (0.9 + random() / 5)

  async function attempt(entry: Entry): Promise<void> {
    const { job } = entry
    let claimed = false
    try {
      claimed = await claim(database, job)
      if (claimed) {
        entry.lastAttemptAt = clock.now()
        const changed = await job.run()
        entry.lastSuccessAt = clock.now()
        entry.succeeded++
        logger[changed > 0 ? 'info' : 'debug']({ job: job.name, changed }, 'job done')
      }
      entry.dueAt = clock.monotonic() + jittered(job.everyMs)
    } catch (err) {
      entry.failed++
      entry.dueAt = clock.monotonic() + jittered(Math.min(RETRY_MS, job.everyMs))
      logger.warn({ job: job.name, err }, 'job failed, it is tried again')
      // The database may be what failed.
      if (claimed) await giveBack(database, job).catch(() => {})
    }
  }

  async function loop(): Promise<void> {
    // Many processes that start at once must not do so in step.
    const start = clock.monotonic()
    for (const entry of entries) entry.dueAt = start + random() * Math.min(entry.job.everyMs, RETRY_MS)
    while (!aborter.signal.aborted) {
      const [next] = [...entries].sort((a, b) => a.dueAt - b.dueAt)
      const waitMs = Math.min(LONGEST_SLEEP_MS, (next?.dueAt ?? Number.POSITIVE_INFINITY) - clock.monotonic())
      if (next !== undefined && waitMs <= 0) await attempt(next)
      else await clock.sleep(waitMs, aborter.signal).catch(() => {})
    }
  }

  return {
    start() {
      running ??= loop()
    },
    async stop() {
      aborter.abort(new Error('stopped'))
      await running
    },
    stats: () =>
      entries.map(({ job, lastAttemptAt, lastSuccessAt, succeeded, failed }) => ({
        name: job.name,
        lastAttemptAt,
        lastSuccessAt,
        succeeded,
        failed,
      })),
  }
}
