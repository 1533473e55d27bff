/**
 * A folder of routes files as a source.
 *
 *   hint of a watch, or time -> one look at the folder -> what each file says (files-scan.ts) -> one reading over all
 *
 * Each file has its own last good state: one that cannot be read or parsed keeps it and becomes a problem with the file's name, and all
 * others go on. When a change counts is the rule at the top of files-state.ts. A folder that is missing or unreadable is a fault, and
 * the reading stays what it was; an empty folder is a reading without routes, which the guard judges.
 *
 * The watch only shortens the wait. Its events can be lost, a link's target and a network file system send none, and where the system
 * has no watches left there are none at all: so the folder is looked at every `rescanMs` anyway, and every `pollMs` where no watch tells.
 */
import type { Logger } from 'pino'
import { type Clock, SYSTEM_CLOCK } from '../../lib/clock.ts'
import { createFileParser, type FileParser } from './files-parser.ts'
import { createFolderScan, type ScanResult } from './files-scan.ts'
import { heldFromReading, makeReading, sameReading } from './files-state.ts'
import { type FolderWatch, type WatchFolder, watchFolder } from './files-watch.ts'
import type { Source, SourceEvents, SourceFault, SourceReading, SourceStatus } from './source.ts'

/** Longest wait for the files of a folder to come to rest before the first reading is made without those that do not. */
const FIRST_READING_MS = 2_000
/** Longest wait for a look that is under way when the source stops. */
const STOP_MS = 1_000

export type FilesSourceOptions = {
  readonly directory: string
  /** In all files together. */
  readonly maxRoutes: number
  readonly logger: Logger
  readonly clock?: Clock
  readonly events: SourceEvents
  /** What the process before this one had: its files' routes stand in for files that are broken now. */
  readonly previous?: SourceReading
  /** How long a file must be at rest before less than it held is taken, or its deletion, or that it is broken. */
  readonly debounceMs?: number
  /** How long a file must be at rest before more or other routes are taken. */
  readonly quietMs?: number
  readonly rescanMs?: number
  readonly pollMs?: number
  /** A folder that does not answer for so long (a dead network mount) is a fault. */
  readonly answerMs?: number
  readonly watch?: WatchFolder
  readonly parser?: FileParser
}

/** Opens nothing before `start`. */
export function createFilesSource(options: FilesSourceOptions): Source {
  const { directory, maxRoutes, events, clock = SYSTEM_CLOCK, watch = watchFolder } = options
  const { rescanMs = 30_000, pollMs = 1_000, answerMs = 10_000, debounceMs = 150, quietMs = 10 } = options
  const log = options.logger.child({ component: 'files' })
  const parser = options.parser ?? createFileParser({ logger: log })
  let reading = options.previous ?? null
  let fault: SourceFault | null = null
  let lastAttemptAt: number | null = null
  let lastSuccessAt: number | null = null
  /** Names of files with a fault of their own, to log each once. */
  let broken: ReadonlyMap<string, string> = new Map()

  let watching: { readonly identity: string; readonly handle: FolderWatch } | null = null
  let watchNumber = 0
  let watchBroken = false
  let watchWarned = false
  let nextWatchAt = Number.NEGATIVE_INFINITY

  let stopping = false
  let hinted = false
  /** Ends the waits that are under way. */
  let sleeper: AbortController | null = null
  let patience: AbortController | null = null
  let running: Promise<void> | null = null
  const started = Promise.withResolvers<void>()
  let firstReadableAt: number | null = null
  /** The files have not come to rest since the start. */
  let early = true

  const hint = (): void => {
    hinted = true
    sleeper?.abort()
  }

  const scanner = createFolderScan({
    directory,
    maxRoutes,
    clock,
    parser,
    times: { quietMs: Math.min(quietMs, debounceMs), settleMs: debounceMs },
    held: reading === null ? [] : heldFromReading(reading),
    onParsed: hint,
  })

  /** A listener's fault must not look like one of the folder. */
  function tell(listener: () => void): void {
    try {
      listener()
    } catch (error) {
      log.error({ err: error }, 'listener failed')
    }
  }

  function setFault(next: Omit<SourceFault, 'since'>): void {
    tell(() => events.onAttempt?.(next.code))
    if (fault?.code === next.code && fault.message === next.message) return
    fault = { ...next, since: clock.now() }
    log.warn({ directory, ...next }, 'routes folder cannot be read')
    tell(events.onChange)
  }

  function logFiles(next: SourceReading): void {
    const now = new Map(
      next.problems.flatMap(({ protocol, origin, message }) => (protocol === null ? [[origin, message] as const] : [])),
    )
    for (const { protocol, origin, code, message, remedy } of next.problems)
      if (protocol === null && broken.get(origin) !== message)
        log.warn({ file: origin, code, reason: message, remedy }, 'routes file refused')
    for (const file of broken.keys()) if (!now.has(file)) log.info({ file }, 'routes file is no longer refused')
    broken = now
  }

  /** Returns how long to rest before the next look. */
  function apply(result: ScanResult): number {
    if (result.kind === 'fault') {
      setFault(result.fault)
      return pollMs
    }
    const recovered = fault !== null
    if (recovered) log.info({ directory }, 'routes folder can be read again')
    fault = null
    lastSuccessAt = clock.now()
    firstReadableAt ??= clock.monotonic()
    // Part of a folder must not be taken for the whole: routes that Traefik still has would be wiped. With a reading of the process
    // before this one nothing is at stake but a reading that differs for a moment, so one large file does not hold up the others.
    const inTime = clock.monotonic() - firstReadableAt < FIRST_READING_MS
    early = early && result.waiting && (inTime || (reading === null && result.parsing))
    let changed = false
    if (!early) {
      const next = makeReading(result.held)
      changed = !sameReading(reading, next)
      if (changed) {
        reading = next
        logFiles(next)
        const { routes, documents, revision } = next
        log.info({ routes: routes.length, files: documents, revision }, 'routes files read')
      }
    }
    tell(() => events.onAttempt?.(changed ? 'ok' : 'unchanged'))
    if (changed || recovered) tell(events.onChange)
    const restMs = result.unwatched || watchBroken ? Math.min(pollMs, rescanMs) : rescanMs
    return Math.min(restMs, result.nextMs ?? restMs)
  }

  /** Puts the watch on the folder that is there now; a new folder of the same name needs a new one. */
  async function keepWatch(result: ScanResult): Promise<void> {
    const identity = result.kind === 'fault' ? result.fault.code : result.identity
    if (watchBroken) await dropWatch()
    if (watching === null ? clock.monotonic() < nextWatchAt : watching.identity === identity) return
    // The old one goes first: two watches of one path share what the system gave for the first.
    await dropWatch()
    nextWatchAt = clock.monotonic() + rescanMs
    watchBroken = false
    const number = watchNumber
    const onBroken = (error: unknown): void => {
      if (number !== watchNumber || watchBroken) return
      watchBroken = true
      log[watchWarned ? 'debug' : 'warn'](
        { err: error, pollMs },
        'routes folder cannot be watched, looking at intervals',
      )
      watchWarned = true
      hint()
    }
    const onHint = (): void => {
      if (number === watchNumber && !watchBroken) hint()
    }
    try {
      watching = { identity, handle: watch(directory, { onHint, onBroken }) }
    } catch (error) {
      onBroken(error)
    }
  }

  async function dropWatch(): Promise<void> {
    const going = watching
    watching = null
    watchNumber += 1
    await going?.handle.close()
  }

  async function rest(ms: number): Promise<void> {
    if (hinted || stopping) return
    sleeper = new AbortController()
    await clock.sleep(ms, sleeper.signal).catch(() => {})
    sleeper = null
  }

  /** A folder that does not answer is a fault at `answerMs`; the look itself goes on, for it cannot be called off. */
  async function scanInTime(): Promise<ScanResult> {
    const waiting = new AbortController()
    patience = waiting
    const scan = scanner.scan().finally(() => waiting.abort())
    await clock.sleep(answerMs, waiting.signal).catch(() => {})
    if (!waiting.signal.aborted) {
      setFault({
        code: 'FILES_DIRECTORY_UNREADABLE',
        message: `${directory} has not answered for ${answerMs / 1000} s`,
        remedy: 'Look at the disk or the mount; the routes go on serving meanwhile.',
      })
      started.resolve()
    }
    return scan
  }

  async function loop(): Promise<void> {
    while (!stopping) {
      hinted = false
      lastAttemptAt = clock.now()
      let restMs = pollMs
      try {
        const result = await scanInTime()
        if (stopping) break
        restMs = apply(result)
        await keepWatch(result)
      } catch (error) {
        log.error({ err: error }, 'look at the routes folder failed')
        started.resolve()
      }
      if (fault !== null || !early) started.resolve()
      await rest(restMs)
    }
    started.resolve()
  }

  async function stop(): Promise<void> {
    stopping = true
    sleeper?.abort()
    patience?.abort()
    await parser.close()
    // A look that hangs in the kernel cannot be called off, and must not keep the process.
    if (running !== null) {
      const ended = new AbortController()
      await Promise.race([running, clock.sleep(STOP_MS, ended.signal).catch(() => {})])
      ended.abort()
    }
    await dropWatch()
  }

  return {
    name: 'files',
    start() {
      running ??= loop()
      return started.promise
    },
    stop,
    status(): SourceStatus {
      return { name: 'files', reading, fault, lastAttemptAt, lastSuccessAt }
    },
  }
}
