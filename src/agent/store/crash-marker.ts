/**
 * A state that kills the process is not tried for ever.
 *
 * An exception is caught where it is thrown; this is for what cannot be caught: memory that runs out, an abort in native code. Before a new
 * state is worked on, its hash and the number of the try are put on the disk, and taken away when it is served. Who finds the same hash there
 * after two tries that never ended leaves that state alone, goes on with the last good one, and tries once more after a while: the process
 * may have been killed by others, or have been given more memory.
 */
import { join } from 'node:path'
import type { Logger } from 'pino'
import { z } from 'zod'
import { readOwnFile, removeFile, writeNewFile } from './state-file.ts'
import { errorCode, realStateFs, type StateFs } from './state-fs.ts'

export interface CrashMarker {
  /** Call before working on the state. `poison`: leave it alone. Never rejects: without a disk every state may be tried. */
  begin(hash: string): Promise<'go' | 'poison'>
  /** The state is served, or was refused in good order. */
  done(hash: string): Promise<void>
}

export type CrashMarkerOptions = {
  /** The state directory; it is there and locked. */
  readonly directory: string
  readonly logger: Logger
  readonly maxTries?: number
  readonly retryAfterMs?: number
  readonly fs?: StateFs
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

const NAME = 'attempt'
const MAX_BYTES = 1024
const DEFAULT_MAX_TRIES = 2
const DEFAULT_RETRY_AFTER_MS = 10 * 60_000

const markSchema = z.object({ hash: z.string(), tries: z.int().min(1), at: z.int() })
type Mark = z.output<typeof markSchema>

export function createCrashMarker({
  directory,
  logger,
  maxTries = DEFAULT_MAX_TRIES,
  retryAfterMs = DEFAULT_RETRY_AFTER_MS,
  fs = realStateFs,
  now = Date.now,
}: CrashMarkerOptions): CrashMarker {
  const path = join(directory, NAME)
  const tempPath = `${path}.tmp`
  /** What is on the disk; undefined before it was looked at. */
  let mark: Mark | null | undefined
  let warnedOf: string | null = null

  async function read(): Promise<Mark | null> {
    const found = await readOwnFile(fs, path, MAX_BYTES)
    if (found.kind !== 'bytes') return null
    try {
      return markSchema.parse(JSON.parse(Buffer.from(found.bytes).toString('utf8')))
    } catch {
      return null
    }
  }

  return {
    async begin(hash) {
      mark ??= await read()
      const before = mark?.hash === hash ? mark : null
      const sinceMs = before === null ? 0 : now() - before.at
      // A clock that was set back says nothing about the time that has passed.
      const isFresh = sinceMs >= 0 && sinceMs < retryAfterMs
      if (before !== null && before.tries >= maxTries && isFresh) {
        if (warnedOf !== hash) logger.error({ hash, tries: before.tries }, 'state left alone: the process died of it')
        warnedOf = hash
        return 'poison'
      }
      const next = { hash, tries: Math.min((before?.tries ?? 0) + 1, maxTries), at: Math.trunc(now()) }
      try {
        await removeFile(fs, tempPath)
        await writeNewFile(fs, tempPath, [Buffer.from(JSON.stringify(next))])
        await fs.rename(tempPath, path)
        mark = next
      } catch (error) {
        logger.debug({ code: errorCode(error) }, 'attempt not noted')
      }
      return 'go'
    },
    async done(hash) {
      if (mark?.hash !== hash) return
      try {
        await removeFile(fs, path)
        mark = null
        warnedOf = null
      } catch (error) {
        logger.debug({ code: errorCode(error) }, 'attempt not cleared')
      }
    },
  }
}
