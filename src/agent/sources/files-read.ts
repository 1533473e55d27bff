/**
 * The folder of routes files, from the outside in: which names count, what may be opened, and the bytes of one file.
 *
 * Nothing here can hang on what somebody put into the folder: kinds are looked at before anything is opened, and opening neither waits
 * for a FIFO's writer nor follows a link. A link is resolved first, and what was opened in the end must lie within the folder.
 * Faults of one file are values with a sentence and a remedy; faults of the folder are values of another kind, never an empty list.
 */
import type { BigIntStats } from 'node:fs'
import { constants, type FileHandle, lstat, open, readdir, readlink, realpath, stat } from 'node:fs/promises'
import { join, sep } from 'node:path'
import { MAX_DOCUMENT_BYTES } from '../../core/yaml-document.ts'

/** Why a file or the folder is not read; no secret and no contents in it. */
export type Refusal = { readonly message: string; readonly remedy: string }

export type FolderFault = Refusal & {
  readonly code: 'FILES_DIRECTORY_MISSING' | 'FILES_DIRECTORY_UNREADABLE' | 'FILES_NOT_A_DIRECTORY'
}

/** One name in the folder that ends like a routes file. */
export type FolderEntry = { readonly name: string; readonly kind: 'file' | 'link' | 'other' }

export type Folder = {
  /** Device, inode and birth: another folder under the same name needs another watch, and inodes are used again. */
  readonly identity: string
  readonly realPath: string
  /** Who owns it, and whether anyone may put files into it. */
  readonly owner: bigint
  readonly open: boolean
  /** Sorted by name. */
  readonly entries: readonly FolderEntry[]
}

/** How a file looked from outside; equal signatures mean equal contents, but for two writes within one tick of the file system's clock. */
export type Sight = {
  readonly path: string
  readonly signature: string
  readonly inode: string
  readonly size: number
  /** Milliseconds since 1970 of its last change of contents, name or mode, by the clock of the file system. */
  readonly changedAt: number
  /** It was renamed or otherwise touched from outside after its last byte was written: the writer was done. */
  readonly sealed: boolean
}

export type Looked =
  | { readonly kind: 'file'; readonly sight: Sight }
  | { readonly kind: 'gone' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

export type Bytes =
  | { readonly kind: 'read'; readonly bytes: Uint8Array; readonly sight: Sight }
  /** Written to, replaced or deleted while it was read. */
  | { readonly kind: 'moving' }
  /** `passing`: it may go away without any change of the file (too many open files, a disk error). */
  | { readonly kind: 'refused'; readonly refusal: Refusal; readonly passing: boolean }

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error'

/** Hidden files and what editors leave lying about (`.x.yaml.swp`, `x.yaml~`, `#x.yaml#`, `4913`) are not routes files. */
export const isRoutesFileName = (name: string): boolean => /^[^.#~].*\.(?:ya?ml|json)$/is.test(name)

/** Lists the folder, or says why it cannot be. */
export async function readFolder(directory: string): Promise<Folder | FolderFault> {
  try {
    const [info, realPath] = await Promise.all([stat(directory, { bigint: true }), realpath(directory)])
    const found = await readdir(directory, { withFileTypes: true })
    const entries = found
      .filter(({ name }) => isRoutesFileName(name))
      .map(
        (entry): FolderEntry => ({
          name: entry.name,
          kind: entry.isFile() ? 'file' : entry.isSymbolicLink() ? 'link' : 'other',
        }),
      )
      .sort((a, b) => (a.name < b.name ? -1 : 1))
    return {
      identity: `${info.dev}:${info.ino}:${info.birthtimeNs}`,
      realPath,
      owner: info.uid,
      open: (info.mode & 0o002n) !== 0n,
      entries,
    }
  } catch (error) {
    const code = codeOf(error)
    if (code === 'ENOENT')
      return {
        code: 'FILES_DIRECTORY_MISSING',
        message: `${directory} is not there`,
        remedy:
          'Make the folder, or mount it; its routes go on serving. To have none, take sources.files out of the settings.',
      }
    if (code === 'ENOTDIR')
      return {
        code: 'FILES_NOT_A_DIRECTORY',
        message: `${directory} is not a folder`,
        remedy: 'Name a folder in sources.files.directory, or put one there.',
      }
    return {
      code: 'FILES_DIRECTORY_UNREADABLE',
      message: `${directory} cannot be read: ${code}`,
      remedy:
        code === 'EACCES' || code === 'EPERM'
          ? 'Give the user of the agent the right to read and enter the folder (chmod o+rx, or its group).'
          : 'Look at the disk or the mount; the routes go on serving meanwhile.',
    }
  }
}

const kindName = (info: BigIntStats): string => {
  if (info.isDirectory()) return 'a folder'
  if (info.isFIFO()) return 'a FIFO'
  if (info.isSocket()) return 'a socket'
  if (info.isBlockDevice() || info.isCharacterDevice()) return 'a device'
  return 'of another kind'
}

/** Whether this file may be read at all; `null` when it may. */
function judge(info: BigIntStats, folder: Folder): Refusal | null {
  if (!info.isFile())
    return {
      message: `the file is ${kindName(info)}, not a regular file`,
      remedy: 'Put a regular file there, or give it another ending.',
    }
  if ((info.mode & 0o002n) !== 0n)
    return {
      message: `anyone on this machine may write the file (mode ${(info.mode & 0o777n).toString(8).padStart(4, '0')})`,
      remedy: 'Run chmod o-w on it.',
    }
  const trusted = [0n, folder.owner, BigInt(process.getuid?.() ?? 0)]
  if (folder.open && !trusted.includes(info.uid))
    return {
      message: `the file belongs to user ${info.uid}, and anyone may put files into the folder`,
      remedy: 'Run chmod o-w on the folder, or chown the file to its owner.',
    }
  if (info.size > BigInt(MAX_DOCUMENT_BYTES))
    return {
      message: `the file has ${info.size} bytes, more than the ${MAX_DOCUMENT_BYTES} that are read`,
      remedy: 'Spread the routes over several files.',
    }
  return null
}

const sightOf = (path: string, info: BigIntStats): Sight => ({
  path,
  signature: `${info.dev}:${info.ino}:${info.size}:${info.mtimeNs}:${info.ctimeNs}`,
  inode: `${info.dev}:${info.ino}`,
  size: Number(info.size),
  changedAt: Number(info.ctimeNs / 1_000_000n),
  sealed: info.ctimeNs > info.mtimeNs,
})

const inside = (folder: Folder, path: string): boolean => path.startsWith(folder.realPath + sep)

const linkLeavesFolder = (target: string): Refusal => ({
  message: `the link leads out of the folder, to ${target}`,
  remedy: 'Copy the file into the folder, or name the folder it stands in as sources.files.directory.',
})

/** A look at one entry of the folder, without opening it. */
export async function lookAt(directory: string, folder: Folder, entry: FolderEntry): Promise<Looked> {
  // Names are bytes to the system. One that is not UTF-8 comes back changed, and nothing can be opened by it.
  if (entry.name.includes('\ufffd'))
    return { kind: 'refused', refusal: { message: 'the name of the file is not UTF-8', remedy: 'Rename the file.' } }
  let path = join(directory, entry.name)
  if (entry.kind === 'link') {
    try {
      path = await realpath(path)
    } catch (error) {
      const code = codeOf(error)
      return {
        kind: 'refused',
        refusal: {
          message: code === 'ENOENT' ? 'the link leads to nothing' : `the link cannot be followed: ${code}`,
          remedy: 'Put the file there that it names, or delete the link.',
        },
      }
    }
    if (!inside(folder, path)) return { kind: 'refused', refusal: linkLeavesFolder(path) }
  }
  try {
    const info = await lstat(path, { bigint: true })
    const refusal = judge(info, folder)
    return refusal === null ? { kind: 'file', sight: sightOf(path, info) } : { kind: 'refused', refusal }
  } catch (error) {
    const code = codeOf(error)
    return code === 'ENOENT' ? { kind: 'gone' } : { kind: 'refused', refusal: unreadable(code) }
  }
}

const unreadable = (code: string): Refusal => ({
  message: `the file cannot be read: ${code}`,
  remedy:
    code === 'EACCES' || code === 'EPERM'
      ? 'Give the user of the agent the right to read it (chmod o+r, or its group).'
      : 'Look at the disk and at the limits of the agent; it is tried again every second.',
})

// Absent on systems without them; then the look before the opening has to do.
const OPEN_FLAGS =
  constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0) | (constants.O_NOCTTY ?? 0)

/** The bytes of a file that `lookAt` has found fit to be read; looked at again once it is open. */
export async function readBytes(folder: Folder, { path }: Sight): Promise<Bytes> {
  let handle: FileHandle | undefined
  try {
    handle = await open(path, OPEN_FLAGS)
    const before = await handle.stat({ bigint: true })
    const refusal = judge(before, folder)
    if (refusal !== null) return { kind: 'refused', refusal, passing: false }
    // A folder on the way may have become a link since the path was resolved: the kernel says what was opened. Elsewhere than on Linux
    // there is no such answer, and the path must do.
    const opened = await readlink(`/proc/self/fd/${handle.fd}`).catch(() => null)
    if (opened !== null && !opened.endsWith(' (deleted)') && !inside(folder, opened))
      return { kind: 'refused', refusal: linkLeavesFolder(opened), passing: true }
    const bytes = Buffer.alloc(Number(before.size) + 1)
    let length = 0
    while (length < bytes.length) {
      const { bytesRead } = await handle.read(bytes, length, bytes.length - length, length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    const after = await handle.stat({ bigint: true })
    const sight = sightOf(path, before)
    if (length !== sight.size || sightOf(path, after).signature !== sight.signature) return { kind: 'moving' }
    return { kind: 'read', bytes: bytes.subarray(0, length), sight }
  } catch (error) {
    const code = codeOf(error)
    // ELOOP: a link took the file's place since the look.
    if (code === 'ENOENT' || code === 'ELOOP') return { kind: 'moving' }
    return { kind: 'refused', refusal: unreadable(code), passing: true }
  } finally {
    await handle?.close().catch(() => {})
  }
}
