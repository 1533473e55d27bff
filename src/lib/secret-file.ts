/**
 * Files that hold a key or a token: read only when nobody else can read them, written so that nobody ever could.
 *
 * The checks are made on the open file, not on its name, so it cannot be exchanged in between.
 */
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, link, open, rename, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { errorCode, SecretFileError } from './errors.ts'

const MAX_BYTES = 65_536
const OTHERS = 0o077
const ROOT = 0
/** systemd hands credentials over as root's, readable by root's group and by the service through an access list. */
const CREDENTIAL_MODE = 0o440

async function openFile(path: string): Promise<FileHandle> {
  try {
    // Without O_NONBLOCK a named pipe in its place would hang the process.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    const code = errorCode(error) ?? 'unknown error'
    if (code === 'ENOENT')
      throw new SecretFileError('SECRET_FILE_MISSING', path, 'there is no such file', 'Create it, or correct the path.')
    throw new SecretFileError(
      'SECRET_FILE_UNREADABLE',
      path,
      `cannot be opened (${code})`,
      'Make it readable for the user of this process.',
      error,
    )
  }
}

export type ReadSecretOptions = {
  /** A user whose files are taken, too: root reads what belongs to a service. */
  readonly alsoOf?: number
}

/**
 * The text of a file that only its owner can read. Throws a SecretFileError when it is missing, not a regular file, open to others,
 * of another user (root's are taken), larger than 64 KiB or not UTF-8.
 */
export async function readSecretFile(path: string, { alsoOf }: ReadSecretOptions = {}): Promise<string> {
  const file = await openFile(path)
  try {
    const stat = await file.stat()
    if (!stat.isFile())
      throw new SecretFileError(
        'SECRET_FILE_INVALID',
        path,
        'is not a regular file',
        'Put the text itself into a file there.',
      )
    const user = process.geteuid?.() ?? stat.uid
    if (stat.uid !== user && stat.uid !== ROOT && stat.uid !== alsoOf)
      throw new SecretFileError(
        'SECRET_FILE_NOT_PRIVATE',
        path,
        `belongs to user ${stat.uid}, and this process runs as ${user}`,
        `chown it to ${user}.`,
      )
    const isCredential = stat.uid === ROOT && stat.gid === ROOT && (stat.mode & 0o777) === CREDENTIAL_MODE
    if ((stat.mode & OTHERS) !== 0 && !isCredential)
      throw new SecretFileError(
        'SECRET_FILE_NOT_PRIVATE',
        path,
        `has mode ${(stat.mode & 0o7777).toString(8).padStart(4, '0')}, so others can use it`,
        'chmod it to 0600, and replace the secret if others may have read it.',
      )
    if (stat.size > MAX_BYTES)
      throw new SecretFileError(
        'SECRET_FILE_INVALID',
        path,
        `has ${stat.size} bytes, more than ${MAX_BYTES}`,
        'Correct the path.',
      )
    return new TextDecoder('utf-8', { fatal: true }).decode(await file.readFile())
  } catch (error) {
    if (error instanceof SecretFileError) throw error
    throw new SecretFileError(
      'SECRET_FILE_UNREADABLE',
      path,
      `cannot be read (${errorCode(error) ?? 'unknown error'})`,
      'Write it as UTF-8 text on a disk that works.',
      error,
    )
  } finally {
    await file.close()
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/**
 * Writes a file with mode 0600, whole or not at all, and flushes it to the disk. An existing one is kept (SECRET_FILE_EXISTS) unless
 * `replace` is set: a key that is lost cannot be made again.
 */
export async function writeSecretFile(
  path: string,
  text: string,
  { replace }: { readonly replace: boolean },
): Promise<void> {
  const folder = dirname(path)
  const temporary = join(folder, `.${randomBytes(8).toString('hex')}.tmp`)
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    if (replace) await rename(temporary, path)
    else {
      // Unlike a rename, a link fails when the name is taken.
      await link(temporary, path)
      await unlink(temporary)
    }
    await syncFolder(folder)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    const code = errorCode(error) ?? 'unknown error'
    if (code === 'EEXIST')
      throw new SecretFileError(
        'SECRET_FILE_EXISTS',
        path,
        'there is a file already',
        'Move it away first if it is no longer needed.',
      )
    throw new SecretFileError(
      'SECRET_FILE_UNWRITABLE',
      path,
      `cannot be written (${code})`,
      `Make ${folder} writable for the user of this process.`,
      error,
    )
  }
}
