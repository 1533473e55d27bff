/**
 * The folder of the embedded database: used by one process, and either a whole database or none.
 *
 *   DIRECTORY/db/          0700, its lock held while we run
 *   DIRECTORY/db/data      the cluster
 *   DIRECTORY/db/data.new  one in the making; renamed when all of it is on the disk
 */
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { PGlite } from '@electric-sql/pglite'
import { type DirectoryLock, lockKey, takeLock } from '../../lib/directory-lock.ts'
import { errorCode } from '../../lib/errors.ts'
import { DurableFs, syncPath, syncTree } from './durable-fs.ts'
import type { EmbeddedOptions, Instance } from './embedded.ts'
import { DatabaseError } from './error.ts'

/** The version of the PostgreSQL inside PGlite: its data is of no use to another. */
export const EMBEDDED_VERSION = '18'

/**
 * What initdb makes, which takes it four seconds of computing. Made by `npm run build`; a checkout that was not built may have none.
 *
 * All clusters that come from one image have one system identifier. It is compared with what was noted in the same folder alone: an export
 * carries none, and a server of PostgreSQL has its own.
 */
export const CLUSTER_IMAGE = fileURLToPath(new URL('../../../dist/cluster.tar.gz', import.meta.url))

// fdatasync is a stub in PGlite, so the log is written through by fsync. Without -F, which is fsync=off.
const START_PARAMETERS = [
  ...PGlite.defaultStartParams.filter(parameter => parameter !== '-F'),
  ...['-c', 'fsync=on', '-c', 'wal_sync_method=fsync', '-c', 'shared_buffers=16MB'],
]

const unusable = (path: string, found: string, cause?: unknown): DatabaseError =>
  new DatabaseError('DATABASE_DIRECTORY_UNUSABLE', `database folder ${path}: ${found}`, { cause })

async function startIn(data: string, onAbort: () => void, image?: Blob): Promise<Instance> {
  const fs = new DurableFs(data, { onAbort })
  try {
    const pglite = await PGlite.create({
      ...{ fs, startParams: START_PARAMETERS },
      ...(image === undefined ? {} : { loadDataDir: image }),
    })
    return { pglite, abandon: () => fs.abandon() }
  } catch (error) {
    fs.abandon()
    throw error
  }
}

/** Writes a cluster without tables, packed as `CLUSTER_IMAGE` is, to this file. */
export async function writeClusterImage(file: string): Promise<void> {
  const pglite = await PGlite.create()
  const image = await pglite.dumpDataDir('gzip')
  await pglite.close()
  await writeFile(file, new Uint8Array(await image.arrayBuffer()))
}

/** Null when there is none, or it is damaged. */
async function readImage(file: string): Promise<Blob | null> {
  try {
    return new Blob([await promisify(gunzip)(await readFile(file))])
  } catch {
    return null
  }
}

async function makeCluster(folder: string, imageFile: string): Promise<void> {
  const unfinished = join(folder, 'data.new')
  const make = async (image?: Blob): Promise<void> => {
    await rm(unfinished, { recursive: true, force: true })
    await mkdir(unfinished, { mode: 0o700 })
    const { pglite } = await startIn(unfinished, () => {}, image)
    await pglite.close()
  }
  const image = await readImage(imageFile)
  // One that was made by another version is as good as none.
  if (image === null) await make()
  else await make(image).catch(() => make())
  // Nothing of it was synced so far; a loss of power must not leave a database with holes under the final name.
  await syncTree(unfinished)
  await rename(unfinished, join(folder, 'data'))
  syncPath(folder)
}

async function lockFolder(folder: string): Promise<DirectoryLock> {
  const taken = await takeLock(lockKey(await stat(folder, { bigint: true })))
  if (taken.ok) return taken.lock
  const holder = taken.holder === null ? 'another process' : `process ${taken.holder}`
  throw new DatabaseError('DATABASE_DIRECTORY_LOCKED', `database folder ${folder} is in use by ${holder}`)
}

/** Takes the lock of the folder in `directory`, makes the cluster if there is none, and says how to start it. */
export async function openFolder(
  directory: string,
  { image = CLUSTER_IMAGE }: { readonly image?: string } = {},
): Promise<Pick<EmbeddedOptions, 'start' | 'onClosed'>> {
  const folder = join(directory, 'db')
  const data = join(folder, 'data')
  let lock: DirectoryLock | null = null
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    lock = await lockFolder(folder)
    if (!existsSync(data)) await makeCluster(folder, image)
    const version = (await readFile(join(data, 'PG_VERSION'), 'utf8')).trim()
    if (version !== EMBEDDED_VERSION)
      throw unusable(
        folder,
        `it was made by PostgreSQL ${version}, and this is ${EMBEDDED_VERSION}; export it with the old Fairlead, import it with this one`,
      )
  } catch (error) {
    await lock?.release()
    if (error instanceof DatabaseError) throw error
    throw unusable(folder, `cannot be used (${errorCode(error) ?? 'an unknown error'})`, error)
  }
  const held = lock
  return { start: onAbort => startIn(data, onAbort), onClosed: () => held.release() }
}
