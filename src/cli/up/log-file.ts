/**
 * The log of a child process, bounded. The child writes to the file by itself, so that it goes on when this process is killed; the file
 * is opened for appending, so that it can be emptied under the child.
 */
import { closeSync, copyFileSync, existsSync, fstatSync, ftruncateSync, openSync, readSync, renameSync } from 'node:fs'
import { z } from 'zod'

const MAX_BYTES = 16 * 1024 * 1024
const CHECK_INTERVAL_MS = 2_000
const TAIL_BYTES = 16_384
const MAX_WORDS = 300

export type LogFile = {
  /** For the child's stdout and stderr. */
  readonly fd: number
  /** Its last line since the last `mark` if that tells of a fault: printable, at most 300 signs; null when there is none. */
  readonly lastWords: () => string | null
  /** What comes from now on is what `lastWords` looks at. */
  readonly mark: () => void
  readonly close: () => void
}

const lineSchema = z.object({
  level: z.string(),
  msg: z.string(),
  err: z.object({ message: z.string() }).optional(),
})

/** Of a JSON line the message, when somebody had to act on it; a plain line as it is, unless it is one of Traefik's that tells of no fault. */
function spokenWords(line: string): string | null {
  if (!line.startsWith('{')) return /^\S+ (?:TRC|DBG|INF) /.test(line) ? null : line
  try {
    const parsed = lineSchema.safeParse(JSON.parse(line))
    if (!parsed.success || !['error', 'fatal'].includes(parsed.data.level)) return null
    const { msg, err } = parsed.data
    return err === undefined ? msg : `${msg}: ${err.message}`
  } catch {
    return null
  }
}

/** The log of the run before becomes `PATH.1`. Mode 0600. Throws when the disk does not let it. */
export function openLogFile(path: string, maxBytes: number = MAX_BYTES, checkMs: number = CHECK_INTERVAL_MS): LogFile {
  if (existsSync(path)) renameSync(path, `${path}.1`)
  const fd = openSync(path, 'a+', 0o600)
  let from = 0

  function keepBounded(): void {
    if (fstatSync(fd).size <= maxBytes) return
    try {
      copyFileSync(path, `${path}.1`)
    } catch {
      // A full disk, perhaps: then to empty the file is what helps.
    }
    ftruncateSync(fd, 0)
    from = 0
  }
  const timer = setInterval(keepBounded, checkMs)
  timer.unref()

  return {
    fd,
    lastWords() {
      const { size } = fstatSync(fd)
      const start = Math.max(from, size - TAIL_BYTES)
      const bytes = Buffer.alloc(Math.max(0, size - start))
      const length = readSync(fd, bytes, 0, bytes.length, start)
      const line = bytes.toString('utf8', 0, length).trimEnd().split('\n').at(-1)?.trim() ?? ''
      return line === ''
        ? null
        : (spokenWords(line)
            ?.replaceAll(/\p{Cc}/gu, ' ')
            .slice(0, MAX_WORDS) ?? null)
    },
    mark() {
      from = fstatSync(fd).size
    },
    close() {
      clearInterval(timer)
      closeSync(fd)
    },
  }
}
