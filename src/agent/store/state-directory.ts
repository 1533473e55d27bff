/**
 * The folder of this agent's state: there, ours alone, and used by one process.
 *
 * `ensure` may be called before every write. It makes the folder again when somebody removed it, and takes the lock anew when another
 * folder stands in its place. What an operator must mend (mode, owner, a second daemon) is told apart from what the agent can
 * live with, a disk that is full, read-only or gone.
 */
import type { BigIntStats } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { type DirectoryLock, lockKey, takeLock } from '../../lib/directory-lock.ts'
import { syncDirectory } from './state-file.ts'
import { errorCode, realStateFs, type StateFs } from './state-fs.ts'

export type StateDirectoryCode =
  | 'STATE_DIRECTORY_NOT_A_DIRECTORY'
  | 'STATE_DIRECTORY_WRITABLE_BY_OTHERS'
  | 'STATE_DIRECTORY_OWNED_BY_OTHER'
  | 'STATE_DIRECTORY_LOCKED'
  | 'STATE_DIRECTORY_UNUSABLE'
  | 'STATE_DIRECTORY_UNAVAILABLE'

/** The folder cannot be used. `UNAVAILABLE` is trouble with the disk or its rights, that may pass; all others need an operator. */
export class StateDirectoryError extends Error {
  override readonly name = 'StateDirectoryError'
  readonly code: StateDirectoryCode
  readonly remedy: string
  constructor(code: StateDirectoryCode, message: string, remedy: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.remedy = remedy
  }
  get retryable(): boolean {
    return this.code === 'STATE_DIRECTORY_UNAVAILABLE'
  }
}

export interface StateDirectory {
  /** Absolute. */
  readonly path: string
  /** Makes the folder if need be (0700), checks it, holds its lock. Throws a StateDirectoryError. */
  ensure(): Promise<void>
  /** Gives the lock back. */
  close(): Promise<void>
}

const DIRECTORY_MODE = 0o700
const OTHERS_MAY_WRITE = 0o022n
// A path like this will not be mended by waiting, so the start fails instead of running without a disk for ever.
const BAD_PATH = new Set(['ENAMETOOLONG', 'ELOOP', 'ENOTDIR', 'EINVAL', 'ERR_INVALID_ARG_VALUE'])

// Single quotes keep every sign of a path as it is, so the command can be pasted.
const quoted = (path: string): string => (/^[\w./@:-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`)

function unreachable(path: string, doing: string, error: unknown): StateDirectoryError {
  const code = errorCode(error) ?? 'an unknown error'
  return BAD_PATH.has(code)
    ? new StateDirectoryError(
        'STATE_DIRECTORY_UNUSABLE',
        `state directory ${path}: cannot ${doing} it (${code})`,
        'Set state.directory to a folder on a local disk.',
        { cause: error },
      )
    : new StateDirectoryError(
        'STATE_DIRECTORY_UNAVAILABLE',
        `state directory ${path}: cannot ${doing} it (${code})`,
        `Make it: install -d -m 0700 -o ${process.getuid?.() ?? 'USER'} ${quoted(path)}; then look at the disk and its mount.`,
        { cause: error },
      )
}

function checkSafe(path: string, found: BigIntStats): void {
  if (!found.isDirectory()) {
    throw new StateDirectoryError(
      'STATE_DIRECTORY_NOT_A_DIRECTORY',
      `state directory ${path} is not a directory`,
      'Move the file away, or set state.directory to a folder.',
    )
  }
  const self = process.getuid?.()
  if (self !== undefined && found.uid !== BigInt(self) && found.uid !== 0n) {
    throw new StateDirectoryError(
      'STATE_DIRECTORY_OWNED_BY_OTHER',
      `state directory ${path} belongs to user ${found.uid}, and this process runs as user ${self}`,
      `Run: chown ${self} ${quoted(path)}`,
    )
  }
  if ((found.mode & OTHERS_MAY_WRITE) !== 0n) {
    const mode = (found.mode & 0o7777n).toString(8).padStart(4, '0')
    throw new StateDirectoryError(
      'STATE_DIRECTORY_WRITABLE_BY_OTHERS',
      `state directory ${path} has mode ${mode}, so others may put files into it`,
      `Run: chmod 0700 ${quoted(path)}`,
    )
  }
}

/** Opens nothing before the first `ensure`. A path that is a link is followed, as systemd's DynamicUser makes one; what counts is its end. */
export function createStateDirectory({
  path: given,
  fs = realStateFs,
}: {
  readonly path: string
  readonly fs?: StateFs
}): StateDirectory {
  const path = resolve(given)
  let lock: DirectoryLock | null = null

  async function found(): Promise<BigIntStats> {
    try {
      return await fs.stat(path, { bigint: true })
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw unreachable(path, 'reach', error)
    }
    try {
      await fs.mkdir(path, { recursive: true, mode: DIRECTORY_MODE })
      // Else a loss of power could take the new folder away with everything in it. Not every parent may be opened; then it stays at that.
      await syncDirectory(fs, dirname(path)).catch(() => {})
    } catch (error) {
      throw unreachable(path, 'make', error)
    }
    try {
      return await fs.stat(path, { bigint: true })
    } catch (error) {
      throw unreachable(path, 'reach', error)
    }
  }

  async function hold(key: string): Promise<void> {
    if (lock?.key === key) return
    const taken = await takeLock(key).catch((error: unknown) => {
      throw new StateDirectoryError(
        'STATE_DIRECTORY_UNUSABLE',
        `state directory ${path}: cannot take its lock (${errorCode(error) ?? 'an unknown error'})`,
        'Allow unix sockets to the service (RestrictAddressFamilies=AF_UNIX), and look at its limit of open files.',
        { cause: error },
      )
    })
    if (!taken.ok) {
      throw new StateDirectoryError(
        'STATE_DIRECTORY_LOCKED',
        `state directory ${path} is in use by ${taken.holder === null ? 'another process' : `process ${taken.holder}`}`,
        'Stop the other agent, or give each its own state.directory.',
      )
    }
    const before = lock
    lock = taken.lock
    await before?.release()
  }

  return {
    path,
    async ensure() {
      const directory = await found()
      checkSafe(path, directory)
      await hold(lockKey(directory))
    },
    async close() {
      const held = lock
      lock = null
      await held?.release()
    },
  }
}
