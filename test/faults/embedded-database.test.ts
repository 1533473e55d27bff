/** What the embedded database has said to be safe stays, whatever happens to the process or the disk. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import { PGlite } from '@electric-sql/pglite'
import { sql } from 'drizzle-orm'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { createDatabase, type Database, openDatabase } from '../../src/control/db/client.ts'
import { openEmbedded } from '../../src/control/db/embedded.ts'
import { EMBEDDED_VERSION, openFolder, writeClusterImage } from '../../src/control/db/embedded-folder.ts'
import { projects } from '../../src/control/db/schema.ts'
import { atEnd } from '../support/at-end.ts'
import { SILENT } from '../support/database.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

const CHILD = join(import.meta.dirname, 'embedded-database-child.ts')

function follow(child: ChildProcess & { stdout: NodeJS.ReadableStream }) {
  atEnd(() => child.kill('SIGKILL'))
  const lines: Record<string, unknown>[] = []
  createInterface({ input: child.stdout }).on('line', line => lines.push(JSON.parse(line)))
  return { kill: () => child.kill('SIGKILL'), ended: once(child, 'close'), lines, pid: child.pid }
}

const start = (action: string, directory: string) =>
  follow(spawn(process.execPath, [CHILD, action, directory], { stdio: ['ignore', 'pipe', 'inherit'] }))

async function answers(action: string, directory: string): Promise<Record<string, unknown>[]> {
  const { ended, lines } = start(action, directory)
  expect(await ended).toEqual([0, null])
  return lines
}

const add = (database: Database, id: string) => database.transaction(tx => tx.insert(projects).values({ id, name: id }))
const idsOf = async (database: Database): Promise<string[]> =>
  (await database.transaction(tx => tx.select({ id: projects.id }).from(projects))).map(({ id }) => id).sort()

const open = async (directory: string): Promise<Database> => {
  const database = await openDatabase({ url: null, directory, logger: SILENT })
  atEnd(() => database.close())
  return database
}

// Making a database takes seconds; it is made once, and each test gets a copy.
let made = ''
beforeAll(async () => {
  made = await tempFolder()
  const database = await openDatabase({ url: null, directory: made, logger: SILENT })
  await database.close()
})

async function madeFolder(): Promise<string> {
  const directory = await tempFolder()
  await cp(made, directory, { recursive: true })
  return directory
}

test('kill -9 at any time loses nothing that was called safe', async () => {
  const directory = await madeFolder()
  let safe = 0
  for (let round = 0; round < 4; round++) {
    const { kill, ended, lines } = start('write-for-ever', directory)
    await waitFor(() => lines.some(line => 'safe' in line), { what: 'a first write', timeoutMs: 100_000 })
    // Any moment will do: the claim holds for all of them.
    await sleep(Math.random() * 200)
    kill()
    expect(await ended).toEqual([null, 'SIGKILL'])
    safe = Math.max(safe, ...lines.flatMap(line => (typeof line.safe === 'number' ? [line.safe] : [])))
  }
  const [found] = await answers('look', directory)
  // One more may have been written whose answer the kill cut off.
  expect(found).toEqual({
    found: { rows: expect.toSatisfy(rows => rows === safe || rows === safe + 1), last: expect.any(String) },
    whole: true,
  })
})

test('kill -9 while it is made leaves no half database', async () => {
  const directory = await tempFolder()
  for (let round = 0; round < 3; round++) {
    const { kill, ended } = start('look', directory)
    await waitFor(() => fs.existsSync(join(directory, 'db', 'data.new')), { what: 'the making', timeoutMs: 100_000 })
    // Any moment will do here, too; the last may be after the end.
    await sleep(Math.random() * 600)
    kill()
    await ended
    if (fs.existsSync(join(directory, 'db', 'data'))) break
  }
  expect(await answers('look', directory)).toEqual([{ found: { rows: 0, last: null }, whole: true }])
  expect((await readdir(join(directory, 'db'))).sort()).toEqual(['data'])
})

describe('an image of an empty database', () => {
  let good: Buffer
  beforeAll(async () => {
    const file = join(await tempFolder(), 'image')
    await writeClusterImage(file)
    good = fs.readFileSync(file)
  })

  /** Opens a new folder with this image, and tells what is in it; and how often a cluster was made or opened, with an image or without. */
  async function openWith(bytes: Buffer): Promise<{ ids: readonly string[]; loaded: readonly boolean[] }> {
    const created = vi.spyOn(PGlite, 'create')
    const directory = await tempFolder()
    const image = join(directory, 'image')
    await writeFile(image, bytes)
    const connections = await openEmbedded({ ...(await openFolder(directory, { image })), logger: SILENT })
    const database = await createDatabase({ connections })
    atEnd(() => database.close())
    await add(database, 'one')
    const loaded = created.mock.calls.map(([options]) =>
      JSON.stringify(options, ['loadDataDir']).includes('loadDataDir'),
    )
    return { ids: await idsOf(database), loaded }
  }

  test('is taken instead of making one', async () => {
    expect(await openWith(good)).toEqual({ ids: ['one'], loaded: [true, false] })
  })

  // initdb is an instance of its own.
  test('when it is cut off, one is made', async () => {
    expect(await openWith(good.subarray(0, 100_000))).toEqual({ ids: ['one'], loaded: [false, false, false] })
  })

  test('when PostgreSQL does not start on it, one is made', async () => {
    const tar = gunzipSync(good)
    // The content of a file begins 512 bytes behind its name.
    const name = tar.indexOf('global/pg_control')
    tar.fill(0, name - (name % 512) + 512, name - (name % 512) + 1024)
    const other = gzipSync(tar, { level: 1 })
    expect(await openWith(other)).toEqual({ ids: ['one'], loaded: [true, false, false, false] })
  })
})

test('every commit reaches the disk before it is answered', async () => {
  const database = await open(await madeFolder())
  const synced = vi.spyOn(fs, 'fsyncSync')
  const counts: number[] = []
  for (let n = 0; n < 10; n++) {
    const before = synced.mock.calls.length
    await add(database, `p${n}`)
    counts.push(synced.mock.calls.length - before)
  }
  expect(counts.filter(count => count < 1)).toEqual([])
  const reads = synced.mock.calls.length
  await idsOf(database)
  expect(synced.mock.calls.length).toBe(reads)
})

test('the folder of the log is synced when the log grows', async () => {
  const database = await open(await madeFolder())
  const paths: string[] = []
  const real = fs.fsyncSync
  vi.spyOn(fs, 'fsyncSync').mockImplementation(descriptor => {
    paths.push(fs.readlinkSync(`/proc/self/fd/${descriptor}`))
    real(descriptor)
  })
  // More than one segment of 16 MiB, of what cannot be compressed.
  await database.transaction(tx =>
    tx.execute(sql`
      insert into settings (key, value)
      select i::text, to_jsonb((select string_agg(md5(i * 100 + j || 'x'), '') from generate_series(1, 40) j))
      from generate_series(1, 15000) i`),
  )
  expect(paths.some(path => path.endsWith('/pg_wal'))).toBe(true)
})

test('a disk that fails to sync costs that change, not the database', async () => {
  const directory = await madeFolder()
  const database = await open(directory)
  await add(database, 'before')
  const failing = vi.spyOn(fs, 'fsyncSync').mockImplementation(() => {
    throw Object.assign(new Error('EIO'), { code: 'EIO' })
  })
  await expect(add(database, 'during')).rejects.toMatchObject({ code: 'COMMIT_OUTCOME_UNKNOWN', retryable: false })
  failing.mockRestore()
  await waitFor(() => add(database, 'after').then(() => true), { what: 'the database to recover', timeoutMs: 100_000 })
  const ids = await idsOf(database)
  expect(ids.filter(id => id !== 'during')).toEqual(['after', 'before'])
  await database.close()
  expect(await idsOf(await open(directory))).toEqual(ids)
})

test('a second process is refused, and told who has it', async () => {
  const directory = await madeFolder()
  const database = await open(directory)
  expect(await answers('look', directory)).toEqual([
    {
      failed: 'DATABASE_DIRECTORY_LOCKED',
      message: `database folder ${join(directory, 'db')} is in use by process ${process.pid}`,
    },
  ])
  await expect(openDatabase({ url: null, directory, logger: SILENT })).rejects.toMatchObject({
    code: 'DATABASE_DIRECTORY_LOCKED',
    retryable: false,
  })
  await database.close()
  expect(await answers('look', directory)).toEqual([{ found: { rows: 0, last: null }, whole: true }])
})

test('the id of the control plane stays', async () => {
  const directory = await madeFolder()
  const first = await open(directory)
  await first.close()
  expect((await open(directory)).controlPlaneId).toBe(first.controlPlaneId)
})

describe('a folder that is of no use', () => {
  const refusal = (directory: string) => expect(openDatabase({ url: null, directory, logger: SILENT })).rejects

  test('since another version made it', async () => {
    const directory = await madeFolder()
    await writeFile(join(directory, 'db', 'data', 'PG_VERSION'), '17\n')
    await refusal(directory).toMatchObject({
      code: 'DATABASE_DIRECTORY_UNUSABLE',
      message: `database folder ${join(directory, 'db')}: it was made by PostgreSQL 17, and this is ${EMBEDDED_VERSION}; export it with the old Fairlead, import it with this one`,
    })
  })

  test('since a file is in its place', async () => {
    const directory = await tempFolder()
    await writeFile(join(directory, 'db'), '')
    await refusal(directory).toMatchObject({ code: 'DATABASE_DIRECTORY_UNUSABLE', retryable: false })
  })

  test('since it was emptied, with the lock given back', async () => {
    const directory = await madeFolder()
    await rm(join(directory, 'db', 'data', 'global'), { recursive: true })
    await refusal(directory).toMatchObject({ code: 'DATABASE_BROKEN' })
    await rm(join(directory, 'db', 'data'), { recursive: true })
    expect(await idsOf(await open(directory))).toEqual([])
  })
})

const canMount = (): boolean => {
  if (process.getuid?.() !== 0) return false
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

test.skipIf(!canMount())('a full disk refuses writes, answers reads, and is forgotten when freed', async () => {
  const directory = join(await tempFolder(), 'state')
  await mkdir(directory)
  const script =
    'mount -t tmpfs -o mode=0700,size=90m none "$1" && cp -r "$2/db" "$1/db" && exec "$3" "$4" full-disk "$1"'
  const { ended, lines } = follow(
    spawn('unshare', ['-m', 'sh', '-c', script, 'sh', directory, made, process.execPath, CHILD], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  )
  expect(await ended).toEqual([0, null])
  expect(lines).toEqual([
    { before: { written: 'ok', keys: 201 }, refused: 'DATABASE_FULL', readable: 201, kept: 201 },
    { freed: 'ok' },
  ])
})
