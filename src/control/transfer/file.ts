/** An export as a file in the state directory: a client that reads slowly must not keep the database in one transaction. */
import { randomUUID } from 'node:crypto'
import { open, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ControlDeps } from '../deps.ts'
import { exportAll } from './export.ts'

const PREFIX = '.export-'
const AT_ONCE = 64 * 1024

/** A name of its own for each. */
export const exportPath = (directory: string): string => join(directory, `${PREFIX}${randomUUID()}`)

/** Those that a process which was killed has left: each is as large as the database. */
export async function removeOldExports(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => [])
  for (const name of names) if (name.startsWith(PREFIX)) await rm(join(directory, name), { force: true })
}

/** Whole, or rejected and taken away. */
export async function exportToFile(
  { database, clock }: Pick<ControlDeps, 'database' | 'clock'>,
  version: string,
  path: string,
): Promise<void> {
  const file = await open(path, 'a', 0o600)
  let pending = ''
  let isEmpty = true
  const flush = async (): Promise<void> => {
    await file.appendFile(pending)
    pending = ''
    isEmpty = false
  }
  try {
    await exportAll(
      database,
      { exportedAt: new Date(clock.now()), version },
      {
        async restart() {
          pending = ''
          if (!isEmpty) await file.truncate(0)
        },
        async write(line) {
          pending += `${line}\n`
          if (pending.length >= AT_ONCE) await flush()
        },
      },
    )
    await flush()
  } catch (error) {
    await rm(path, { force: true })
    throw error
  } finally {
    await file.close()
  }
}
