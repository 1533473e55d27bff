/**
 * The agent's last known good state on disk, so that a restart serves it within milliseconds and without a control plane.
 *
 * Each save makes a new file, `snapshot-<number>`, with a number above all others:
 *   snapshot.tmp: open, write -> rename to snapshot-N+1: placed -> fsync the file, fsync the folder: safe -> remove all but the newest few
 * What is placed outlives the process, for the kernel has it; what is safe outlives a loss of power, too. Whoever serves it need not wait
 * for the disk, whoever tells others that they can rely on it has to. A file that has its number is never written to or renamed again while
 * it is good, and the safe ones stay until a newer one is safe, so there is no moment without a whole generation: a loss of power may leave
 * a placed one torn, which its checksum tells, and then the one before it counts. `open` takes the newest one that is whole.
 * - A broken file (half, flipped, a link, a FIFO) is set aside as `broken-<number>`; two of these are kept for whoever wants to look.
 * - A file of a newer format is left in its place and not counted: after a downgrade the agent goes on with an older generation and
 *   writes its own above, and nothing that the newer agent saved is overwritten or removed.
 * - A file that cannot be read now (EIO, EACCES) is left in its place too.
 * A fault of the disk is a result and a log line, never an exception: the agent goes on in memory, and each further save tries anew.
 */
import { constants } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import { failureOf, notEncodable, notOpen, type SaveFailure, tooLarge } from './snapshot-failure.ts'
import { decodeSnapshot, encodeSnapshot } from './snapshot-file.ts'
import { createStateDirectory, StateDirectoryError } from './state-directory.ts'
import { makeNewFile, readOwnFile, removeFile, syncDirectory, type WriteStep } from './state-file.ts'
import { errorCode, realStateFs, type StateFile, type StateFs } from './state-fs.ts'

export type SaveResult =
  /** It is on the disk, and a loss of power does not undo it. */
  { readonly ok: true; readonly generation: number; readonly savedAt: number; readonly bytes: number } | SaveFailure

export type Saving = {
  /** Resolves once a process that is killed leaves the state behind, or it is known that it cannot be saved. */
  readonly placed: Promise<void>
  /** Resolves once a loss of power leaves it behind, too, or with the reason why not. */
  readonly safe: Promise<SaveResult>
}

export type SavedState<T> = {
  readonly state: T
  readonly generation: number
  /** Milliseconds since 1970, by the clock of that time. */
  readonly savedAt: number
}

export type SnapshotStoreStatus = {
  /** Absolute path of the folder. */
  readonly directory: string
  /** Of the last generation that was loaded or is safe; null when there is none. */
  readonly generation: number | null
  readonly savedAt: number | null
  /** Why the last save, or the opening, did not work; null when it did. A restart would come up with what `savedAt` tells. */
  readonly fault: SaveFailure | null
}

export type Failpoint =
  | 'temp-open'
  | 'temp-half'
  | 'temp-written'
  | 'before-rename'
  | 'after-rename'
  | 'after-fsync'
  | 'before-dir-fsync'
  | 'after-dir-fsync'

export interface SnapshotStore<T> {
  /**
   * Takes the folder's lock and gives the newest whole generation, or null when there is none or the disk is in the way (see `status`).
   * Throws a StateDirectoryError for what an operator must mend: mode, owner, not a folder, in use by another process.
   */
  open(): Promise<SavedState<T> | null>
  /**
   * Saves, one at a time. A save that waits while a newer one comes gets the newer one's result, for that holds its state too.
   * The state must not be changed afterwards. Neither promise ever rejects.
   */
  save(state: T): Saving
  status(): SnapshotStoreStatus
  /** Ends after the saves that were asked for; then the lock is free. */
  close(): Promise<void>
}

export type SnapshotStoreOptions<T> = {
  readonly directory: string
  /** Goes up when an older agent could not read T any more. */
  readonly format: number
  readonly logger: Logger
  /** How many whole generations are kept. */
  readonly generations?: number
  /** Turns the payload of an older format into T, or gives null when it cannot. Without it older formats are passed over. */
  readonly migrate?: (payload: unknown, format: number) => T | null
  /** As JSON; JSON.stringify when nothing is said. */
  readonly encode?: (state: T) => string
  readonly maxBytes?: number
  readonly fs?: StateFs
  readonly now?: () => number
  readonly failpoint?: (name: Failpoint) => void
}

type Waiting<T> = {
  readonly state: T
  readonly told: PromiseWithResolvers<void>
  readonly result: PromiseWithResolvers<SaveResult>
}

type Placed = {
  readonly attempt: number
  readonly generation: number
  readonly savedAt: number
  readonly bytes: number
  readonly file: StateFile
  /** The generations that were there before it, the highest first. */
  readonly older: readonly number[]
  /** Whom to tell what became of it. */
  readonly results: readonly PromiseWithResolvers<SaveResult>[]
}

const TEMP_NAME = 'snapshot.tmp'
const GENERATION_NAME = /^snapshot-(\d{12,15})$/
const BROKEN_NAME = /^broken-(\d{12,15})$/
const KEPT_BROKEN = 2
const DEFAULT_GENERATIONS = 3
// A served body of 20 MB and the readings that it was made of fit in several times.
const DEFAULT_MAX_BYTES = 128 * 1024 * 1024

const STEP_FAILPOINTS = {
  opened: 'temp-open',
  half: 'temp-half',
  written: 'temp-written',
} as const satisfies Record<WriteStep, Failpoint>

const generationName = (generation: number): string => `snapshot-${String(generation).padStart(12, '0')}`
const brokenName = (generation: number): string => `broken-${String(generation).padStart(12, '0')}`

/** The numbers of the names that fit, the highest first. */
const numbersOf = (names: readonly string[], pattern: RegExp): number[] =>
  names
    .flatMap(name => {
      const digits = pattern.exec(name)?.[1]
      return digits === undefined ? [] : [Number(digits)]
    })
    .sort((a, b) => b - a)

export function createSnapshotStore<T>({
  directory: directoryPath,
  format,
  logger,
  generations = DEFAULT_GENERATIONS,
  migrate,
  encode = JSON.stringify,
  maxBytes = DEFAULT_MAX_BYTES,
  fs = realStateFs,
  now = Date.now,
  failpoint,
}: SnapshotStoreOptions<T>): SnapshotStore<T> {
  const directory = createStateDirectory({ path: directoryPath, fs })
  const pathOf = (name: string): string => join(directory.path, name)
  const tempPath = pathOf(TEMP_NAME)
  /** Of a newer format, or not to be read: neither counted nor removed. */
  const leftAlone = new Set<number>()
  let usable = false
  let last: { readonly generation: number; readonly savedAt: number } | null = null
  let fault: SaveFailure | null = null
  let waiting: Waiting<T> | null = null
  let saving: Promise<void> | null = null
  /** The newest that is placed, while nobody syncs it. */
  let placed: Placed | null = null
  let syncing: Promise<void> | null = null
  let attempts = 0

  /** Log changes, not every try: the same fault again is nothing new. */
  function report(failure: SaveFailure): SaveFailure {
    const { code, message, remedy } = failure
    logger[fault?.code === code ? 'debug' : 'warn']({ code, detail: message, remedy }, 'state not saved')
    fault = failure
    return failure
  }

  function toState(payload: Uint8Array, itsFormat: number): T | null {
    try {
      const value = JSON.parse(Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8'))
      return itsFormat === format ? value : (migrate?.(value, itsFormat) ?? null)
    } catch (error) {
      logger.error({ err: error, format: itsFormat }, 'saved state not understood')
      return null
    }
  }

  async function setAside(generation: number, why: string): Promise<void> {
    logger.error(
      { file: pathOf(generationName(generation)), why, keptAs: brokenName(generation) },
      'saved state broken',
    )
    try {
      await fs.rename(pathOf(generationName(generation)), pathOf(brokenName(generation)))
      const broken = numbersOf(await fs.readdir(directory.path), BROKEN_NAME)
      for (const old of broken.slice(KEPT_BROKEN)) await removeFile(fs, pathOf(brokenName(old)))
    } catch (error) {
      logger.warn({ generation, code: errorCode(error) }, 'broken state not set aside')
    }
  }

  /** One generation's state, or null after it was set aside or left alone. */
  async function load(generation: number): Promise<SavedState<T> | null> {
    const file = pathOf(generationName(generation))
    const read = await readOwnFile(fs, file, maxBytes)
    if (read.kind === 'unreadable') {
      leftAlone.add(generation)
      logger.error({ file, code: read.code }, 'saved state unreadable')
      return null
    }
    const decoded = read.kind === 'bytes' ? decodeSnapshot(read.bytes) : read
    if ('fault' in decoded) {
      await setAside(generation, decoded.fault)
      return null
    }
    if (decoded.format > format) {
      leftAlone.add(generation)
      logger.warn({ file, format: decoded.format, known: format }, 'saved state of a newer version left alone')
      return null
    }
    const state = toState(decoded.payload, decoded.format)
    if (state === null) {
      leftAlone.add(generation)
      logger.warn({ file, format: decoded.format, known: format }, 'saved state of an older version left alone')
      return null
    }
    return { state, generation, savedAt: decoded.savedAt }
  }

  /** Gives the state a name of its own, or says why that cannot be. */
  async function place(state: T): Promise<Omit<Placed, 'results'> | SaveFailure> {
    attempts += 1
    const attempt = attempts
    // The disk is asked while the text is made.
    const usable = directory.ensure()
    const asked = usable.catch(() => {})
    const failed = async (failure: SaveFailure) => {
      await asked
      return report(failure)
    }
    const savedAt = Math.max(0, Math.trunc(now()))
    let parts: readonly Uint8Array[]
    try {
      parts = encodeSnapshot(Buffer.from(encode(state)), { format, savedAt })
    } catch (error) {
      return failed(notEncodable(error))
    }
    const bytes = parts.reduce((sum, part) => sum + part.byteLength, 0)
    if (bytes > maxBytes) return failed(tooLarge(bytes, maxBytes))
    let doing = 'use it'
    let file: StateFile | null = null
    try {
      await usable
      doing = 'list it'
      // Counted anew each time: the folder may have been empty, gone or another one when we looked last.
      const listed = fs.readdir(directory.path)
      const cleared = removeFile(fs, tempPath)
      cleared.catch(() => {})
      const older = numbersOf(await listed, GENERATION_NAME)
      const generation = (older[0] ?? 0) + 1
      doing = `write ${TEMP_NAME}`
      await cleared
      file = await makeNewFile(fs, tempPath, parts, failpoint && (step => failpoint(STEP_FAILPOINTS[step])))
      doing = `rename ${TEMP_NAME}`
      failpoint?.('before-rename')
      await fs.rename(tempPath, pathOf(generationName(generation)))
      failpoint?.('after-rename')
      return { attempt, generation, savedAt, bytes, file, older }
    } catch (error) {
      await file?.close().catch(() => {})
      return failed(failureOf(error, directory.path, doing))
    }
  }

  /**
   * Through the file that it was written by: whoever opens it anew may not be told of an error before that. A file whose fsync failed is
   * removed and never synced a second time: the kernel may have dropped its pages and call it clean.
   */
  async function sync({ attempt, generation, savedAt, bytes, file }: Placed): Promise<SaveResult> {
    try {
      await file.sync().finally(() => file.close())
    } catch (error) {
      const failure = report(failureOf(error, directory.path, `sync ${generationName(generation)}`))
      await remove(generation)
      return failure
    }
    try {
      failpoint?.('after-fsync')
      failpoint?.('before-dir-fsync')
      await syncDirectory(fs, directory.path)
      failpoint?.('after-dir-fsync')
    } catch (error) {
      return report(failureOf(error, directory.path, 'sync it'))
    }
    last = { generation, savedAt }
    // A newer one that could not even be placed is a fault that stays.
    if (fault !== null && attempt === attempts) {
      logger.info({ generation, after: fault.code }, 'state saved again')
      fault = null
    }
    return { ok: true, generation, savedAt, bytes }
  }

  async function remove(generation: number): Promise<void> {
    await removeFile(fs, pathOf(generationName(generation))).catch((error: unknown) =>
      logger.warn({ generation, code: errorCode(error) }, 'old state not removed'),
    )
  }

  /** Only after a new one is safe. What cannot be removed now is tried again at the next save. */
  async function prune({ older }: Placed): Promise<void> {
    const counted = older.filter(generation => !leftAlone.has(generation))
    for (const old of counted.slice(generations - 1)) await remove(old)
  }

  /** However long the disk takes, what is placed meanwhile is one file: the newest. */
  async function syncPlaced(): Promise<void> {
    while (placed !== null) {
      const next = placed
      placed = null
      const result = await sync(next)
      for (const { resolve } of next.results) resolve(result)
      if (result.ok) await prune(next)
    }
    syncing = null
  }

  async function saveWaiting(): Promise<void> {
    while (waiting !== null) {
      const { state, told, result } = waiting
      waiting = null
      const next = await place(state)
      // Whoever waits to serve it need not wait for the rest.
      told.resolve()
      if ('ok' in next) {
        result.resolve(next)
        continue
      }
      const overtaken = placed
      placed = { ...next, results: [...(overtaken?.results ?? []), result] }
      syncing ??= syncPlaced()
      if (overtaken === null) continue
      await overtaken.file.close().catch(() => {})
      await remove(overtaken.generation)
    }
    saving = null
  }

  return {
    async open() {
      let names: readonly string[]
      try {
        await directory.ensure()
        names = await fs.readdir(directory.path)
      } catch (error) {
        if (error instanceof StateDirectoryError && !error.retryable) throw error
        usable = true
        report(failureOf(error, directory.path, 'list it'))
        return null
      }
      usable = true
      await removeFile(fs, tempPath).catch(() => {})
      const writable = await fs.access(directory.path, constants.W_OK).then(
        () => null,
        (error: unknown) => failureOf(error, directory.path, 'write to it'),
      )
      if (writable !== null) report(writable)
      const known = numbersOf(names, GENERATION_NAME)
      for (const generation of known) {
        const saved = await load(generation)
        if (saved === null) continue
        last = { generation, savedAt: saved.savedAt }
        logger.info({ generation, savedAt: new Date(saved.savedAt).toISOString() }, 'saved state loaded')
        return saved
      }
      logger[known.length === 0 ? 'info' : 'error'](
        { directory: directory.path, tried: known.length },
        'no saved state',
      )
      return null
    },
    save(state) {
      if (!usable) return { placed: Promise.resolve(), safe: Promise.resolve(notOpen) }
      waiting = {
        state,
        told: waiting?.told ?? Promise.withResolvers<void>(),
        result: waiting?.result ?? Promise.withResolvers<SaveResult>(),
      }
      const { told, result } = waiting
      saving ??= saveWaiting()
      return { placed: told.promise, safe: result.promise }
    },
    status: () => ({
      directory: directory.path,
      generation: last?.generation ?? null,
      savedAt: last?.savedAt ?? null,
      fault,
    }),
    async close() {
      usable = false
      await saving
      await syncing
      await directory.close()
    },
  }
}
