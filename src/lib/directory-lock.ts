/**
 * One writer for a directory, by a lock that no crash can leave behind.
 *
 * The lock is an abstract unix socket named by the directory's device and inode: binding it is atomic, it has no file to go stale,
 * and the kernel frees it when its process ends, by kill -9 too. It holds within one network namespace of one machine.
 * Whoever is refused connects to it and reads the holder's process id, to have something to say.
 */
import { createHash } from 'node:crypto'
import { connect, createServer } from 'node:net'

export type DirectoryLock = { readonly key: string; release(): Promise<void> }

export type LockResult =
  | { readonly ok: true; readonly lock: DirectoryLock }
  /** `holder` is a process id, or null when the holder does not say. */
  | { readonly ok: false; readonly holder: number | null }

const HOLDER_ANSWER_MS = 500

const socketName = (key: string): string =>
  `\0fairlead-state-${createHash('sha256').update(key).digest('hex').slice(0, 32)}`

/** What names a directory on this machine, whatever path leads to it. */
export const lockKey = (directory: { readonly dev: bigint; readonly ino: bigint }): string =>
  `${directory.dev}:${directory.ino}`

/** Takes the lock, or says who has it. Rejects when the kernel gives no socket at all. */
export async function takeLock(key: string): Promise<LockResult> {
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.end(`${process.pid}\n`)
  })
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(socketName(key), () => {
        server.removeListener('error', reject)
        resolve()
      })
    })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')
      return { ok: false, holder: await askHolder(key) }
    throw error
  }
  // A failing accept (no file descriptors left) costs the asker its answer, not us the lock.
  server.on('error', () => {})
  server.unref()
  return {
    ok: true,
    lock: { key, release: () => new Promise(resolve => server.close(() => resolve())) },
  }
}

function askHolder(key: string): Promise<number | null> {
  return new Promise(resolve => {
    const socket = connect(socketName(key))
    let text = ''
    const end = (): void => {
      socket.destroy()
      resolve(/^[1-9]\d{0,9}\n$/.test(text) ? Number(text) : null)
    }
    socket.setTimeout(HOLDER_ANSWER_MS, end)
    socket.setEncoding('latin1')
    socket.on('data', chunk => {
      text += String(chunk)
      if (text.length > 16) end()
    })
    socket.on('end', end)
    socket.on('error', end)
  })
}
