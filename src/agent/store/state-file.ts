/** Reading and writing single files of the state directory: no link is followed, nothing hangs, and written means on the disk. */
import { constants } from 'node:fs'
import { errorCode, type StateFile, type StateFs } from './state-fs.ts'

// Without NONBLOCK the opening of a FIFO waits for a writer, for ever.
const READ_FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
const CREATE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW
const DIRECTORY_FLAGS = constants.O_RDONLY | constants.O_DIRECTORY
const FILE_MODE = 0o600

export type ReadResult =
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  /** Not a file that we wrote: a link, a FIFO, another's, too large. `fault` is a phrase. */
  | { readonly kind: 'foreign'; readonly fault: string }
  /** The disk or the rights are in the way, which may pass; `code` is the system's (`EIO`). */
  | { readonly kind: 'unreadable'; readonly code: string }

/** The bytes of a regular file that this user owns, at most `maxBytes` of them. Never rejects. */
export async function readOwnFile(fs: StateFs, path: string, maxBytes: number): Promise<ReadResult> {
  let file: StateFile | null = null
  try {
    file = await fs.open(path, READ_FLAGS)
    const found = await file.stat()
    if (!found.isFile()) return { kind: 'foreign', fault: 'it is not a regular file' }
    const self = process.getuid?.()
    if (self !== undefined && found.uid !== self) return { kind: 'foreign', fault: `it belongs to user ${found.uid}` }
    if (found.size > maxBytes)
      return { kind: 'foreign', fault: `it has ${found.size} bytes, more than the ${maxBytes} allowed` }
    const bytes = Buffer.alloc(found.size)
    let at = 0
    while (at < bytes.byteLength) {
      const { bytesRead } = await file.read(bytes, at, bytes.byteLength - at, at)
      if (bytesRead === 0) break
      at += bytesRead
    }
    return { kind: 'bytes', bytes: bytes.subarray(0, at) }
  } catch (error) {
    const code = errorCode(error) ?? 'an unknown error'
    // ELOOP is how NOFOLLOW refuses a link, ENXIO how a socket refuses to be opened.
    if (code === 'ELOOP') return { kind: 'foreign', fault: 'it is a symbolic link' }
    if (code === 'ENXIO') return { kind: 'foreign', fault: 'it is not a regular file' }
    return { kind: 'unreadable', code }
  } finally {
    await file?.close().catch(() => {})
  }
}

export type WriteStep = 'opened' | 'half' | 'written'

const MAX_CHUNK_BYTES = 1024 * 1024

/**
 * Makes a new file (0600) of these parts and gives it open: whoever is killed now leaves it whole, a loss of power may take it as long as
 * nobody has synced it. Rejects with the system's error; the half-written file is then removed, as far as the disk allows.
 */
export async function makeNewFile(
  fs: StateFs,
  path: string,
  parts: readonly Uint8Array[],
  onStep?: (step: WriteStep) => void,
): Promise<StateFile> {
  const file = await fs.open(path, CREATE_FLAGS, FILE_MODE)
  try {
    onStep?.('opened')
    await writeAll(file, parts, onStep === undefined ? null : () => onStep('half'))
    onStep?.('written')
    return file
  } catch (error) {
    await file.close().catch(() => {})
    await removeFile(fs, path).catch(() => {})
    throw error
  }
}

/**
 * Makes a new file (0600) of these parts and syncs it. Rejects with the system's error; the file is then removed, as far as the disk
 * allows, and never synced a second time: after a failed fsync the kernel may have dropped the pages and call the file clean.
 */
export async function writeNewFile(fs: StateFs, path: string, parts: readonly Uint8Array[]): Promise<void> {
  const file = await makeNewFile(fs, path, parts)
  try {
    try {
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (error) {
    await removeFile(fs, path).catch(() => {})
    throw error
  }
}

/** @param onHalf told when half of it is written; then a small file is written in two goes */
async function writeAll(file: StateFile, parts: readonly Uint8Array[], onHalf: (() => void) | null): Promise<void> {
  const total = parts.reduce((sum, part) => sum + part.byteLength, 0)
  const chunk = onHalf === null ? MAX_CHUNK_BYTES : Math.max(1, Math.min(MAX_CHUNK_BYTES, total >> 1))
  let at = 0
  for (const part of total <= MAX_CHUNK_BYTES ? [Buffer.concat(parts)] : parts) {
    for (let from = 0; from < part.byteLength; ) {
      const { bytesWritten } = await file.write(part, from, Math.min(chunk, part.byteLength - from), at)
      // A disk that takes nothing and says nothing would turn this into an endless loop.
      if (bytesWritten === 0) throw Object.assign(new Error('the disk takes no more bytes'), { code: 'EIO' })
      if (at * 2 < total && (at + bytesWritten) * 2 >= total) onHalf?.()
      from += bytesWritten
      at += bytesWritten
    }
  }
}

/** Removes a file or a link (not what it leads to); that there is none is fine. */
export async function removeFile(fs: StateFs, path: string): Promise<void> {
  try {
    await fs.unlink(path)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
  }
}

/** Makes the renames and removals within a folder outlive a loss of power. */
export async function syncDirectory(fs: StateFs, path: string): Promise<void> {
  const directory = await fs.open(path, DIRECTORY_FLAGS)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
