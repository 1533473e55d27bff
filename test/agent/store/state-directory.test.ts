import { chmod, chown, mkdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  createStateDirectory,
  type StateDirectory,
  StateDirectoryError,
} from '../../../src/agent/store/state-directory.ts'
import { realStateFs, type StateFs } from '../../../src/agent/store/state-fs.ts'
import { lockKey, takeLock } from '../../../src/lib/directory-lock.ts'
import { atEnd } from '../../support/at-end.ts'
import { tempFolder } from '../../support/temp-folder.ts'

const ROOT = process.getuid?.() === 0
const SELF = process.getuid?.() ?? 0

function directoryAt(path: string, fs: StateFs = realStateFs): StateDirectory {
  const directory = createStateDirectory({ path, fs })
  atEnd(() => directory.close())
  return directory
}

/** What `ensure` was refused with, as a value. */
async function refusal(directory: StateDirectory) {
  try {
    await directory.ensure()
  } catch (error) {
    if (!(error instanceof StateDirectoryError)) throw error
    return { code: error.code, message: error.message, remedy: error.remedy, retryable: error.retryable }
  }
  return null
}

const failing =
  (code: string): (() => Promise<never>) =>
  () =>
    Promise.reject(Object.assign(new Error(code), { code }))

describe('making it', () => {
  test('a missing folder is made for this user alone', async () => {
    const path = join(await tempFolder(), 'var', 'fairlead')
    await directoryAt(path).ensure()
    expect((await stat(path)).mode & 0o7777).toBe(0o700)
  })

  test('a folder that was removed is made again', async () => {
    const path = join(await tempFolder(), 'state')
    const directory = directoryAt(path)
    await directory.ensure()
    await rm(path, { recursive: true })
    await directory.ensure()
    expect((await stat(path)).isDirectory()).toBe(true)
    expect(await refusal(directoryAt(path))).toHaveProperty('code', 'STATE_DIRECTORY_LOCKED')
  })

  test('a link to a folder is followed', async () => {
    const folder = await tempFolder()
    await mkdir(join(folder, 'private'), { mode: 0o700 })
    await symlink('private', join(folder, 'state'))
    await directoryAt(join(folder, 'state')).ensure()
    expect(await refusal(directoryAt(join(folder, 'private')))).toHaveProperty('code', 'STATE_DIRECTORY_LOCKED')
  })

  test('others may read the list of files', async () => {
    const path = await tempFolder()
    await chmod(path, 0o755)
    expect(await refusal(directoryAt(path))).toBeNull()
  })
})

describe('refusing it', () => {
  test.each([
    ['the world', 0o707, '0707'],
    ['the group', 0o770, '0770'],
    ['everybody, with the sticky bit', 0o1777, '1777'],
  ])('a folder that %s may write to is refused', async (_who, mode, shown) => {
    const path = await tempFolder()
    await chmod(path, mode)
    expect(await refusal(directoryAt(path))).toEqual({
      code: 'STATE_DIRECTORY_WRITABLE_BY_OTHERS',
      message: `state directory ${path} has mode ${shown}, so others may put files into it`,
      remedy: `Run: chmod 0700 ${path}`,
      retryable: false,
    })
  })

  test.skipIf(!ROOT)("another user's folder is refused", async () => {
    const path = await tempFolder()
    await chown(path, 1234, 1234)
    expect(await refusal(directoryAt(path))).toEqual({
      code: 'STATE_DIRECTORY_OWNED_BY_OTHER',
      message: `state directory ${path} belongs to user 1234, and this process runs as user ${SELF}`,
      remedy: `Run: chown ${SELF} ${path}`,
      retryable: false,
    })
  })

  test('a file in its place is refused', async () => {
    const path = join(await tempFolder(), 'state')
    await writeFile(path, '')
    expect(await refusal(directoryAt(path))).toHaveProperty('code', 'STATE_DIRECTORY_NOT_A_DIRECTORY')
  })

  test('a path below a file is refused', async () => {
    const path = join(await tempFolder(), 'file')
    await writeFile(path, '')
    expect(await refusal(directoryAt(join(path, 'state')))).toEqual({
      code: 'STATE_DIRECTORY_UNUSABLE',
      message: `state directory ${path}/state: cannot reach it (ENOTDIR)`,
      remedy: 'Set state.directory to a folder on a local disk.',
      retryable: false,
    })
  })

  test('a name that is too long is refused', async () => {
    const path = join(await tempFolder(), 'x'.repeat(300))
    expect(await refusal(directoryAt(path))).toHaveProperty('code', 'STATE_DIRECTORY_UNUSABLE')
  })

  test('a command in a remedy can be pasted', async () => {
    const path = join(await tempFolder(), "it's; rm")
    await mkdir(path)
    await chmod(path, 0o777)
    expect(await refusal(directoryAt(path))).toHaveProperty('remedy', `Run: chmod 0700 '${path.replace("'", "'\\''")}'`)
  })

  test.each(['EACCES', 'EROFS', 'ENOSPC', 'EIO'])('%s while making it may pass', async code => {
    const path = join(await tempFolder(), 'state')
    expect(await refusal(directoryAt(path, { ...realStateFs, mkdir: failing(code) }))).toEqual({
      code: 'STATE_DIRECTORY_UNAVAILABLE',
      message: `state directory ${path}: cannot make it (${code})`,
      remedy: `Make it: install -d -m 0700 -o ${SELF} ${path}; then look at the disk and its mount.`,
      retryable: true,
    })
  })
})

describe('the lock', () => {
  test('a second user of the folder is refused', async () => {
    const path = await tempFolder()
    const first = directoryAt(path)
    await first.ensure()
    await first.ensure()
    expect(await refusal(directoryAt(path))).toEqual({
      code: 'STATE_DIRECTORY_LOCKED',
      message: `state directory ${path} is in use by process ${process.pid}`,
      remedy: 'Stop the other agent, or give each its own state.directory.',
      retryable: false,
    })
  })

  test('it is free again after close', async () => {
    const path = await tempFolder()
    const first = directoryAt(path)
    await first.ensure()
    await first.close()
    expect(await refusal(directoryAt(path))).toBeNull()
  })

  test('it follows when another folder takes the place', async () => {
    const path = join(await tempFolder(), 'state')
    const first = directoryAt(path)
    await first.ensure()
    await rename(path, `${path}.old`)
    await mkdir(path, { mode: 0o700 })
    await first.ensure()
    expect(await refusal(directoryAt(path))).toHaveProperty('code', 'STATE_DIRECTORY_LOCKED')
    expect(await refusal(directoryAt(`${path}.old`))).toBeNull()
  })

  test('whoever loses the new folder is refused', async () => {
    const path = join(await tempFolder(), 'state')
    const first = directoryAt(path)
    await first.ensure()
    // Moved, not removed: a new folder could get the inode of a removed one, and with it the lock.
    await rename(path, `${path}.old`)
    await mkdir(path, { mode: 0o700 })
    await directoryAt(path).ensure()
    expect(await refusal(first)).toHaveProperty('code', 'STATE_DIRECTORY_LOCKED')
  })

  test('a holder that says nothing useful stays unnamed', async () => {
    const path = await tempFolder()
    const key = lockKey(await stat(path, { bigint: true }))
    const taken = await takeLock(key)
    if (!taken.ok) return expect.fail('the lock was taken')
    await taken.lock.release()
    const { createHash } = await import('node:crypto')
    const squatter = createServer(socket => {
      socket.on('error', () => {})
      socket.end(`${'9'.repeat(100)}; reboot\n`)
    })
    atEnd(() => squatter.close())
    const name = `\0fairlead-state-${createHash('sha256').update(key).digest('hex').slice(0, 32)}`
    await new Promise<void>(resolve => squatter.listen(name, resolve))
    expect(await refusal(directoryAt(path))).toHaveProperty(
      'message',
      `state directory ${path} is in use by another process`,
    )
  })
})
