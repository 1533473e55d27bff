/**
 * A server that comes back in another history, as a replica that is promoted does: what was committed last may be lost, however high the
 * revision is by then.
 */
import { execFile } from 'node:child_process'
import { appendFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sql } from 'drizzle-orm'
import { beforeAll, describe, expect, test } from 'vitest'
import type { Database } from '../../src/control/db/client.ts'
import { readLineage } from '../../src/control/db/lineage.ts'
import { beginChange, readPosition } from '../../src/control/db/revision.ts'
import { createHub, type Hub } from '../../src/control/hub.ts'
import { SYSTEM_CLOCK } from '../../src/lib/clock.ts'
import { atEnd } from '../support/at-end.ts'
import { hasPostgres, openServerDatabase, SILENT, startTestPostgres } from '../support/database.ts'
import { waitFor } from '../support/wait-for.ts'

const run = promisify(execFile)
const PATIENCE_MS = 60_000

type Server = Awaited<ReturnType<typeof startTestPostgres>>

/** Stops, and goes on from the copy that was made before, as a replica does that has not heard of what came after it. */
async function failOver({ restart, data }: Server, copy: string): Promise<void> {
  await restart(async () => {
    await run('sh', ['-c', 'rm -rf "$1" && cp -a "$2" "$1"', 'sh', data, copy])
    await appendFile(join(data, 'postgresql.auto.conf'), "restore_command = 'false'\n")
    await writeFile(join(data, 'recovery.signal'), '')
  })
}

async function copyOf({ restart, data }: Server): Promise<string> {
  const copy = `${data}-replica`
  await restart(async () => {
    await run('cp', ['-a', data, copy])
  })
  atEnd(() => run('rm', ['-rf', copy]))
  return copy
}

describe.skipIf(!hasPostgres)('a server in another history', () => {
  let server: Server
  let database: Database

  beforeAll(async () => {
    server = await startTestPostgres()
    database = await openServerDatabase(server.url)
    atEnd(() => database.close())
  }, PATIENCE_MS)

  /** Reads the table when it listens anew, and when it is told to. */
  function startHub(): Hub {
    const hub = createHub({ database, clock: SYSTEM_CLOCK, logger: SILENT, readIntervalMs: 600_000 })
    atEnd(() => hub.stop())
    hub.start()
    return hub
  }
  const position = () => database.transaction(readPosition)
  /** Until a server that was restarted is reached. */
  const change = () =>
    waitFor(() => database.transaction(beginChange).catch(() => null), { what: 'a change', timeoutMs: 30_000 })
  const noted = () => waitFor(async () => (await database.transaction(readLineage)).known, { what: 'the lineage' })

  test(
    'the same revision after lost commits begins a new epoch, once',
    async () => {
      const hubs = [startHub(), startHub()]
      expect(await noted()).toMatch(/^\d+\/00000001$/)
      const copy = await copyOf(server)
      for (let i = 0; i < 3; i++) await change()
      await waitFor(() => hubs.every(hub => hub.position()?.revision === 3 && hub.stats().listening), {
        what: 'the hubs to know the revision',
        timeoutMs: 30_000,
      })
      // They all commit again before anybody looks.
      await Promise.all(hubs.map(hub => hub.stop()))
      await failOver(server, copy)
      for (let i = 0; i < 3; i++) await change()
      expect(await position()).toMatchObject({ epoch: 1, revision: 3 })

      const later = [startHub(), startHub()]
      await waitFor(() => later.every(hub => hub.position()?.epoch === 2), { what: 'the new epoch', timeoutMs: 30_000 })
      expect(await position()).toEqual({ epoch: 2, revision: 4, fetchedRevision: 3 })
      expect(await noted()).toMatch(/^\d+\/00000002$/)
    },
    PATIENCE_MS,
  )

  test(
    'it is noticed by those who were there',
    async () => {
      const hub = startHub()
      await waitFor(() => hub.position()?.epoch === 2, { what: 'the hub to know the position' })
      const copy = await copyOf(server)
      await failOver(server, copy)
      await waitFor(() => hub.position()?.epoch === 3, { what: 'the new epoch', timeoutMs: 30_000 })
      expect(await position()).toMatchObject({ epoch: 3, revision: 5 })
    },
    PATIENCE_MS,
  )

  test('a restart is no other history', async () => {
    const hub = startHub()
    await server.restart()
    await change()
    await waitFor(() => hub.position()?.revision === 6 && hub.stats().listening, {
      what: 'the hub to be back',
      timeoutMs: 30_000,
    })
    expect(await position()).toMatchObject({ epoch: 3, revision: 6 })
  }, 180_000)

  test('a user without rights beyond its tables is told the history', async () => {
    await database.transaction(tx =>
      tx.execute(
        sql`create role plain login; grant usage on schema public to plain; grant select on settings to plain`,
      ),
    )
    const { current } = await database.transaction(async tx => {
      await tx.execute(sql`set local role plain`)
      return readLineage(tx)
    })
    expect(current).toMatch(/^\d+\/00000003$/)
  })

  test('a server that keeps it to itself breaks nothing', async () => {
    await database.transaction(tx => tx.execute(sql`revoke execute on function pg_control_system() from public`))
    const found = await database.transaction(async tx => {
      await tx.execute(sql`set local role plain`)
      const lineage = await readLineage(tx)
      return { ...lineage, after: (await tx.execute<{ one: number }>(sql`select 1 as one`)).rows }
    })
    expect(found).toEqual({ known: expect.stringMatching(/00000003$/), current: null, after: [{ one: 1 }] })
  })
})
