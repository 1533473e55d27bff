import { expect, test } from 'vitest'
import { createJobs, type Job } from '../../../src/control/jobs.ts'
import { SYSTEM_CLOCK } from '../../../src/lib/clock.ts'
import { atEnd } from '../../support/at-end.ts'
import { onEachDatabase, SILENT } from '../../support/database.ts'
import { waitFor } from '../../support/wait-for.ts'

let names = 0
/** The database keeps who has claimed what: each test has jobs of its own. */
const newName = (): string => `test-${process.pid}-${++names}`

onEachDatabase('jobs', use => {
  function start(jobs: readonly Job[]) {
    const made = createJobs({ jobs, database: use(), clock: SYSTEM_CLOCK, logger: SILENT, random: () => 0 })
    made.start()
    atEnd(() => made.stop())
    return made
  }

  test('one is done again and again', async () => {
    let runs = 0
    const name = newName()
    const { stats } = start([{ name, everyMs: 20, run: async () => ++runs }])
    await waitFor(() => runs >= 3, { what: 'three runs' })
    await waitFor(() => (stats()[0]?.succeeded ?? 0) >= 3, { what: 'three successes' })
    expect(stats()).toEqual([
      {
        name,
        lastAttemptAt: expect.any(Number),
        lastSuccessAt: expect.any(Number),
        succeeded: expect.any(Number),
        failed: 0,
      },
    ])
  })

  test('of two processes one does it', async () => {
    const name = newName()
    const done: string[] = []
    const jobOf = (who: string): Job => ({
      name,
      everyMs: 60_000,
      run: async () => {
        done.push(who)
        return 1
      },
    })
    const others = [newName(), newName()]
    let looked = 0
    // A second job of each tells when its loop has been past the first.
    const look = async () => ++looked
    start([jobOf('a'), { name: others[0] ?? '', everyMs: 60_000, run: look }])
    start([jobOf('b'), { name: others[1] ?? '', everyMs: 60_000, run: look }])
    await waitFor(() => looked === 2, { what: 'both loops' })
    await waitFor(() => done.length > 0, { what: 'the job' })
    expect(done).toHaveLength(1)
  })

  test('one that fails keeps no other from running, and is tried again', async () => {
    let fails = 0
    let runs = 0
    const failing = newName()
    const { stats } = start([
      {
        name: failing,
        everyMs: 20,
        run: async () => {
          if (++fails <= 2) throw new Error('not now')
          return 0
        },
      },
      { name: newName(), everyMs: 20, run: async () => ++runs },
    ])
    await waitFor(() => fails >= 3 && runs >= 2, { what: 'both' })
    await waitFor(() => (stats()[0]?.succeeded ?? 0) > 0, { what: 'a success' })
    expect(stats()[0]).toMatchObject({ name: failing, failed: 2 })
  })

  test('a stop waits for the one that runs', async () => {
    let ended = false
    let started = false
    const { stop } = start([
      {
        name: newName(),
        everyMs: 60_000,
        run: async () => {
          started = true
          await use().check()
          ended = true
          return 0
        },
      },
    ])
    await waitFor(() => started, { what: 'its begin' })
    await stop()
    expect(ended).toBe(true)
  })
})
