import { execFile, execFileSync } from 'node:child_process'
import { mkdir, readdir, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import type { SaveFailureCode } from '../../src/agent/store/snapshot-failure.ts'
import { createSnapshotStore } from '../../src/agent/store/snapshot-store.ts'
import type { StateFs } from '../../src/agent/store/state-fs.ts'
import { atEnd } from '../support/at-end.ts'
import { type Trouble, troubledFs } from '../support/state-fs.ts'
import { tempFolder } from '../support/temp-folder.ts'

type State = { readonly revision: number }

function storeAt(directory: string, fs?: StateFs) {
  const store = createSnapshotStore<State>({
    directory,
    format: 1,
    logger: pino({ level: 'silent' }),
    ...(fs === undefined ? {} : { fs }),
  })
  atEnd(() => store.close())
  return store
}

async function load(directory: string): Promise<number | null> {
  const store = storeAt(directory)
  const saved = await store.open()
  await store.close()
  return saved?.state.revision ?? null
}

const canMount = (): boolean => {
  if (process.getuid?.() !== 0) return false
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Runs the child with a small file system of its own, which nobody else sees and which ends with it. */
async function withOwnDisk(options: string, action: string, argument = ''): Promise<unknown[]> {
  const directory = join(await tempFolder(), 'state')
  await mkdir(directory, { mode: 0o700 })
  const { stdout } = await promisify(execFile)('unshare', [
    '-m',
    'sh',
    '-c',
    'mount -t tmpfs -o "$1" none "$2" && exec "$3" "$4" "$5" "$2" "$6"',
    'sh',
    `mode=0700,${options}`,
    directory,
    process.execPath,
    join(import.meta.dirname, 'snapshot-child.ts'),
    action,
    argument,
  ])
  expect(await readdir(directory)).toEqual([])
  return stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
}

describe.skipIf(!canMount())('a real disk', () => {
  test.each([
    ['full', 'size=64k', '1000000'],
    // The root, one generation and the filler.
    ['out of inodes', 'size=64k,nr_inodes=3', '1'],
  ])('that is %s keeps the old state, and saves when freed', async (_what, options, fillerBytes) => {
    expect(await withOwnDisk(options, 'full-disk', fillerBytes)).toEqual([
      { step: 'room', result: 'ok' },
      { step: 'too much', result: 'SNAPSHOT_DISK_FULL', files: ['snapshot-000000000001'] },
      { step: 'full', result: 'SNAPSHOT_DISK_FULL', fault: 'SNAPSHOT_DISK_FULL' },
      { step: 'reopened', revision: 1, fault: null },
      { step: 'still full', result: 'SNAPSHOT_DISK_FULL' },
      { step: 'freed', result: 'ok', fault: null },
      { step: 'reopened', revision: 4, fault: null },
    ])
  })

  test('that turns read-only is read, and written when it can be', async () => {
    expect(await withOwnDisk('size=64k', 'read-only-disk')).toEqual([
      { step: 'room', result: 'ok' },
      { step: 'read-only', result: 'SNAPSHOT_NOT_WRITABLE', fault: 'SNAPSHOT_NOT_WRITABLE' },
      { step: 'reopened', revision: 1, fault: 'SNAPSHOT_NOT_WRITABLE' },
      { step: 'writable', result: 'ok', fault: null },
      { step: 'reopened', revision: 2, fault: null },
    ])
  })
})

describe('each step of a save that fails', () => {
  const steps: readonly (readonly [call: string, name: string, errno: string, code: SaveFailureCode])[] = [
    ['stat', 'state', 'EIO', 'STATE_DIRECTORY_UNAVAILABLE'],
    ['readdir', 'state', 'EMFILE', 'SNAPSHOT_OUT_OF_FILES'],
    ['unlink', 'snapshot.tmp', 'EROFS', 'SNAPSHOT_NOT_WRITABLE'],
    ['open', 'snapshot.tmp', 'ENFILE', 'SNAPSHOT_OUT_OF_FILES'],
    ['write', 'snapshot.tmp', 'ENOSPC', 'SNAPSHOT_DISK_FULL'],
    ['write', 'snapshot.tmp', 'EDQUOT', 'SNAPSHOT_DISK_FULL'],
    ['sync', 'snapshot.tmp', 'EIO', 'SNAPSHOT_IO_ERROR'],
    ['close', 'snapshot.tmp', 'EIO', 'SNAPSHOT_IO_ERROR'],
    ['rename', 'snapshot.tmp', 'EACCES', 'SNAPSHOT_NOT_WRITABLE'],
  ]

  test.each(steps)('%s of %s: the old state stays, the next save works', async (call, name, errno, code) => {
    const directory = join(await tempFolder(), 'state')
    let trouble = false
    const { fs } = troubledFs((at, path) => (trouble && at === call && path.endsWith(`/${name}`) ? errno : null))
    const store = storeAt(directory, fs)
    await store.open()
    await store.save({ revision: 1 }).safe
    trouble = true
    expect(await store.save({ revision: 2 }).safe).toMatchObject({
      ok: false,
      code,
      message: expect.stringContaining(`(${errno})`),
      remedy: expect.stringContaining('Routes go on being served from memory'),
    })
    expect(store.status()).toMatchObject({ generation: 1, fault: { code } })
    trouble = false
    await store.close()
    expect(await load(directory)).toBe(1)

    const after = storeAt(directory, fs)
    await after.open()
    trouble = true
    expect(await after.save({ revision: 3 }).safe).toHaveProperty('code', code)
    trouble = false
    expect(await after.save({ revision: 4 }).safe).toHaveProperty('ok', true)
    expect(after.status().fault).toBeNull()
    await after.close()
    expect(await load(directory)).toBe(4)
  })

  test('a failed fsync of the folder is no success', async () => {
    const directory = join(await tempFolder(), 'state')
    let trouble = false
    const { fs } = troubledFs((call, path) => (trouble && call === 'sync' && path === directory ? 'EIO' : null))
    const store = storeAt(directory, fs)
    await store.open()
    for (const revision of [1, 2, 3]) await store.save({ revision }).safe
    trouble = true
    for (const revision of [4, 5])
      expect(await store.save({ revision }).safe).toHaveProperty('code', 'SNAPSHOT_IO_ERROR')
    // Nothing older goes before something newer is on the disk for good.
    expect((await readdir(directory)).length).toBe(5)
    trouble = false
    expect(await store.save({ revision: 6 }).safe).toMatchObject({ ok: true, generation: 6 })
    // What is removed is removed after the answer.
    await store.close()
    expect((await readdir(directory)).sort()).toEqual([4, 5, 6].map(n => `snapshot-00000000000${n}`))
  })

  test('a file whose fsync failed is not synced again', async () => {
    const directory = join(await tempFolder(), 'state')
    let failures = 1
    const trouble: Trouble = call => (call === 'sync' && failures-- > 0 ? 'EIO' : null)
    const { fs, calls } = troubledFs(trouble)
    await mkdir(directory, { mode: 0o700 })
    const store = storeAt(directory, fs)
    await store.open()
    calls.length = 0
    expect(await store.save({ revision: 1 }).safe).toHaveProperty('ok', false)
    expect(await store.save({ revision: 1 }).safe).toHaveProperty('ok', true)
    const write = [
      'stat state',
      'readdir state',
      'unlink snapshot.tmp',
      'open snapshot.tmp',
      'write snapshot.tmp',
      'rename snapshot.tmp',
      'sync snapshot.tmp',
      'close snapshot.tmp',
    ]
    expect(calls.filter((call, i) => call !== calls[i - 1])).toEqual([
      ...write,
      'unlink snapshot-000000000001',
      ...write,
      'open state',
      'sync state',
      'close state',
    ])
  })

  test('a disk that takes no bytes ends the save', async () => {
    const { fs } = troubledFs(() => null)
    const store = storeAt(join(await tempFolder(), 'state'), {
      ...fs,
      async open(path, flags, mode) {
        const file = await fs.open(path, flags, mode)
        return { ...file, write: async () => ({ bytesWritten: 0 }) }
      },
    })
    await store.open()
    expect(await store.save({ revision: 1 }).safe).toHaveProperty('code', 'SNAPSHOT_IO_ERROR')
  })

  test('a write in small pieces is a whole one', async () => {
    const directory = join(await tempFolder(), 'state')
    const { fs } = troubledFs(() => null)
    const store = storeAt(directory, {
      ...fs,
      async open(path, flags, mode) {
        const file = await fs.open(path, flags, mode)
        return {
          ...file,
          write: (buffer, offset, length, position) => file.write(buffer, offset, Math.min(length, 7), position),
        }
      },
    })
    await store.open()
    expect(await store.save({ revision: 1 }).safe).toHaveProperty('ok', true)
    await store.close()
    expect(await load(directory)).toBe(1)
  })
})

describe('trouble while opening', () => {
  test.each(['EACCES', 'EIO'])('a folder that gives %s is lived without', async errno => {
    const directory = await tempFolder()
    let trouble = true
    const { fs } = troubledFs(call => (trouble && call === 'readdir' ? errno : null))
    const store = storeAt(directory, fs)
    expect(await store.open()).toBeNull()
    expect(store.status().fault).toHaveProperty('message', `state directory ${directory}: cannot list it (${errno})`)
    trouble = false
    expect(await store.save({ revision: 1 }).safe).toHaveProperty('ok', true)
  })

  test('a folder that cannot be made is lived without', async () => {
    const directory = join(await tempFolder(), 'state')
    let trouble = true
    const { fs } = troubledFs(call => (trouble && call === 'mkdir' ? 'EROFS' : null))
    const store = storeAt(directory, fs)
    expect(await store.open()).toBeNull()
    expect(await store.save({ revision: 1 }).safe).toHaveProperty('code', 'STATE_DIRECTORY_UNAVAILABLE')
    trouble = false
    expect(await store.save({ revision: 2 }).safe).toHaveProperty('ok', true)
  })

  test.each(['EIO', 'EACCES', 'EMFILE'])('a generation that gives %s is left in its place', async errno => {
    const directory = await tempFolder()
    const first = storeAt(directory)
    await first.open()
    for (const revision of [1, 2]) await first.save({ revision }).safe
    await first.close()
    const { fs } = troubledFs((call, path) =>
      call === 'open' && path.endsWith('/snapshot-000000000002') ? errno : null,
    )
    const store = storeAt(directory, fs)
    expect(await store.open()).toHaveProperty('state.revision', 1)
    for (const revision of [3, 4, 5]) expect(await store.save({ revision }).safe).toHaveProperty('ok', true)
    await store.close()
    expect((await readdir(directory)).sort()).toEqual([2, 3, 4, 5].map(n => `snapshot-00000000000${n}`))
  })

  test('an EIO while reading is not taken for a state', async () => {
    const directory = await tempFolder()
    const first = storeAt(directory)
    await first.open()
    for (const revision of [1, 2]) await first.save({ revision }).safe
    await first.close()
    const { fs } = troubledFs((call, path) =>
      call === 'read' && path.endsWith('/snapshot-000000000002') ? 'EIO' : null,
    )
    expect(await storeAt(directory, fs).open()).toHaveProperty('state.revision', 1)
  })

  test('a broken generation on a read-only disk is passed over', async () => {
    const directory = await tempFolder()
    const first = storeAt(directory)
    await first.open()
    for (const revision of [1, 2]) await first.save({ revision }).safe
    await first.close()
    const { fs } = troubledFs(call => (['rename', 'unlink', 'access'].includes(call) ? 'EROFS' : null))
    await truncate(join(directory, 'snapshot-000000000002'), 50)
    const store = storeAt(directory, fs)
    expect(await store.open()).toHaveProperty('state.revision', 1)
    expect(store.status().fault).toHaveProperty('code', 'SNAPSHOT_NOT_WRITABLE')
  })
})
