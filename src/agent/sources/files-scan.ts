/**
 * One look at the folder after the other, and what is held of each file from look to look.
 *
 *   look at every name -> read and parse what has another signature -> a candidate for each -> taken once it was quiet for long enough
 *
 * What a look costs for a file that did not change is one `lstat`. A folder that cannot be read changes nothing of what is held.
 */
import { sha256 } from '../../core/hash.ts'
import type { Problem } from '../../core/problem.ts'
import { createRouteMemory, type RouteMemory } from '../../core/route.ts'
import { REASONS } from '../../core/verdict.ts'
import { fileProblem } from '../../core/yaml-document.ts'
import type { Clock } from '../../lib/clock.ts'
import type { ParsedFile } from './files-parse.ts'
import type { FileParser } from './files-parser.ts'
import {
  type Folder,
  type FolderEntry,
  type FolderFault,
  lookAt,
  readBytes,
  readFolder,
  type Sight,
} from './files-read.ts'
import { type Candidate, fileLabel, type HeldFile, neededQuietMs, type QuietTimes } from './files-state.ts'

/** A file whose last change is so long ago at the first look is not being written. */
const LONG_QUIET_MS = 2_000
/** File systems count time in ticks of up to 10 ms: a change within the tick of a look cannot be seen from outside. */
const RACY_MS = 100
/** Beyond its settling time; a file that is never quiet gets a problem, for nobody could tell otherwise why it does not count. */
const RESTLESS_MS = 10_000
/** The signature of a file that is not there. */
const GONE = 'gone'

export type FolderScanOptions = {
  readonly directory: string
  readonly maxRoutes: number
  readonly clock: Clock
  readonly parser: FileParser
  readonly times: QuietTimes
  /** From the process before this one. */
  readonly held: readonly HeldFile[]
  /** A large file has been parsed; another look takes it up. */
  readonly onParsed: () => void
}

export type ScanResult =
  | { readonly kind: 'fault'; readonly fault: FolderFault }
  | {
      readonly kind: 'read'
      readonly identity: string
      readonly held: readonly HeldFile[]
      /** Some file is not taken yet: it is being parsed, or has not been quiet for long enough. */
      readonly waiting: boolean
      readonly parsing: boolean
      /** When another look is due without anybody's hint, in milliseconds; null: there is no hurry. */
      readonly nextMs: number | null
      /** Something can change here that no watch tells of: a link's target, a passing fault. */
      readonly unwatched: boolean
    }

export interface FolderScan {
  /** Not to be called again before the last call has ended. Never rejects for what the folder holds. */
  scan(): Promise<ScanResult>
}

type Seen = {
  readonly signature: string
  /** Monotonic time of the first look that found it so. */
  readonly since: number
  readonly sight: Sight | null
}

type Entry = {
  held: HeldFile
  /** The inode behind `held.good`. */
  inode: string | null
  seen: Seen | null
  /** What has become of what was seen. */
  progress: 'unread' | 'parsing' | 'taken' | Candidate
  /** What the bytes with this digest say, so that a touch or a chmod parses nothing. */
  known: { readonly digest: string; readonly parsed: ParsedFile } | null
  /** Routes as they were read before, by their text. */
  readonly memory: RouteMemory
  /** A parse is under way, perhaps of bytes that are history by now. One at a time is enough. */
  busy: boolean
  /** To be read once more, though it looks the same: written within the tick of its reading, or a fault that may pass by itself. */
  again: 'no' | 'racy' | 'passing'
  waitingSince: number | null
}

const makeEntry = (held: HeldFile): Entry => ({
  held,
  inode: null,
  seen: null,
  progress: 'unread',
  known: null,
  memory: createRouteMemory(),
  busy: false,
  again: 'no',
  waitingSince: null,
})

const asCandidate = (parsed: ParsedFile): Candidate =>
  parsed.ok ? { kind: 'good', file: parsed.file } : { kind: 'refused', problem: parsed.problem }

export function createFolderScan(options: FolderScanOptions): FolderScan {
  const { directory, maxRoutes, clock, parser, times, onParsed } = options
  const entries = new Map(options.held.map(held => [held.label, makeEntry(held)]))
  let first = true

  function see(entry: Entry, signature: string, sight: Sight | null): void {
    const longAgo = first && sight !== null && clock.now() - sight.changedAt >= LONG_QUIET_MS
    entry.seen = { signature, since: longAgo ? Number.NEGATIVE_INFINITY : clock.monotonic(), sight }
    entry.progress = 'unread'
    entry.again = 'no'
  }

  async function read(entry: Entry, folder: Folder, path: Sight): Promise<void> {
    const result = await readBytes(folder, path)
    if (result.kind === 'moving') {
      entry.seen = null
      entry.progress = 'unread'
      return
    }
    if (result.kind === 'refused') {
      entry.again = result.passing ? 'passing' : 'no'
      entry.progress = { kind: 'refused', problem: problemOf(entry, result.refusal) }
      return
    }
    if (result.sight.signature !== entry.seen?.signature) see(entry, result.sight.signature, result.sight)
    entry.again = Math.abs(clock.now() - result.sight.changedAt) < RACY_MS ? 'racy' : 'no'
    const digest = sha256(result.bytes)
    if (entry.known?.digest === digest) {
      entry.progress = asCandidate(entry.known.parsed)
      return
    }
    const parsed = parser.parse(result.bytes, { label: entry.held.label, maxRoutes }, entry.memory)
    if (!(parsed instanceof Promise)) {
      entry.known = { digest, parsed }
      entry.progress = asCandidate(parsed)
      return
    }
    entry.progress = 'parsing'
    entry.busy = true
    const { seen } = entry
    void parsed.then(late => {
      entry.busy = false
      entry.known = { digest, parsed: late }
      // Written to meanwhile: then it is unread, and the next look reads it.
      if (entry.seen === seen) entry.progress = asCandidate(late)
      onParsed()
    })
  }

  async function examine(entry: Entry, folder: Folder, found: FolderEntry): Promise<void> {
    const looked = await lookAt(directory, folder, found)
    switch (looked.kind) {
      case 'gone':
        return vanish(entry)
      case 'refused': {
        const signature = `refused: ${looked.refusal.message}`
        if (entry.seen?.signature === signature) return
        see(entry, signature, null)
        entry.progress = { kind: 'refused', problem: problemOf(entry, looked.refusal) }
        return
      }
      case 'file':
        if (entry.seen?.signature !== looked.sight.signature) see(entry, looked.sight.signature, looked.sight)
        if (!entry.busy && (entry.progress === 'unread' || entry.again !== 'no'))
          await read(entry, folder, looked.sight)
        return
      default:
        return looked satisfies never
    }
  }

  function vanish(entry: Entry): void {
    if (entry.seen?.signature === GONE) return
    see(entry, GONE, null)
    entry.progress = { kind: 'gone' }
  }

  /** Takes what is quiet; says whether anything is left, and when to look again. */
  function takeQuiet(): { readonly waiting: boolean; readonly nextMs: number | null } {
    const now = clock.monotonic()
    const ready: { readonly entry: Entry; readonly candidate: Candidate; readonly growth: number }[] = []
    const due: number[] = []
    let waiting = false
    for (const entry of entries.values()) {
      const { progress, seen, held } = entry
      if (progress === 'taken') continue
      if (typeof progress !== 'string' && seen !== null) {
        const replaced = seen.sight?.sealed === true && entry.inode !== null && seen.sight.inode !== entry.inode
        const waitMs = seen.since + neededQuietMs(progress, held.good, replaced, times) - now
        if (waitMs <= 0) {
          const routes = progress.kind === 'good' ? progress.file.routes.length : 0
          ready.push({ entry, candidate: progress, growth: routes - (held.good?.routes.length ?? 0) })
          continue
        }
        due.push(waitMs)
      } else if (!entry.busy) due.push(times.quietMs)
      entry.waitingSince ??= now
      if (entry.busy || now - entry.waitingSince < RESTLESS_MS + times.settleMs) waiting = true
      else entry.held = { ...held, fault: restless(held.label) }
    }
    // What shrinks makes room for what grows; among those that grow the name decides, so the order of reading does not.
    ready.sort((a, b) => a.growth - b.growth || (a.entry.held.label < b.entry.held.label ? -1 : 1))
    for (const { entry, candidate } of ready) take(entry, candidate)
    return { waiting, nextMs: due.length === 0 ? null : Math.min(...due) }
  }

  function take(entry: Entry, candidate: Candidate): void {
    const { held } = entry
    entry.waitingSince = null
    switch (candidate.kind) {
      case 'gone':
        entries.delete(held.label)
        return
      case 'refused':
        entry.held = { ...held, fault: candidate.problem }
        break
      case 'good': {
        let total = candidate.file.routes.length
        for (const other of entries.values()) if (other !== entry) total += other.held.good?.routes.length ?? 0
        if (total > maxRoutes) {
          // It stays a candidate: when another file shrinks there may be room.
          entry.held = { ...held, fault: tooMany(held.label, total, maxRoutes) }
          return
        }
        entry.held = { ...held, good: candidate.file, fault: null }
        entry.inode = entry.seen?.sight?.inode ?? null
        break
      }
      default:
        candidate satisfies never
    }
    entry.progress = 'taken'
  }

  return {
    async scan() {
      const folder = await readFolder(directory)
      if ('code' in folder) {
        // A file that is away together with its folder is not deleted: its time begins anew when the folder is back.
        for (const entry of entries.values()) if (entry.seen?.signature === GONE) entry.seen = null
        return { kind: 'fault', fault: folder }
      }
      const labels = new Set<string>()
      for (const found of folder.entries) {
        const label = fileLabel(found.name)
        labels.add(label)
        const entry = entries.get(label) ?? makeEntry({ label, good: null, fault: null })
        entries.set(label, entry)
        await examine(entry, folder, found)
      }
      for (const [label, entry] of entries) if (!labels.has(label)) vanish(entry)
      first = false
      const { waiting, nextMs } = takeQuiet()
      const all = [...entries.values()]
      const racyMs = all.some(({ again }) => again === 'racy') ? [RACY_MS] : []
      return {
        kind: 'read',
        identity: folder.identity,
        // What was never taken has no say yet, not even that it is there.
        held: all.map(({ held }) => held).filter(({ good, fault }) => good !== null || fault !== null),
        waiting,
        parsing: all.some(({ busy }) => busy),
        nextMs: nextMs === null && racyMs.length === 0 ? null : Math.min(nextMs ?? RACY_MS, ...racyMs),
        unwatched: all.some(({ again }) => again === 'passing') || folder.entries.some(({ kind }) => kind === 'link'),
      }
    },
  }
}

const problemOf = (entry: Entry, { message, remedy }: { readonly message: string; readonly remedy: string }): Problem =>
  fileProblem(entry.held.label, message, remedy)

const restless = (label: string): Problem =>
  fileProblem(
    label,
    'the file is written to again and again and never at rest',
    'Write it elsewhere and rename it into the folder. Its last good state goes on serving.',
  )

const tooMany = (label: string, total: number, maxRoutes: number): Problem => ({
  ...fileProblem(
    label,
    `with this file the folder holds ${total} routes, more than the ${maxRoutes} of policy.maxRoutes`,
    REASONS.TOO_MANY_ROUTES.remedy,
    String(total),
  ),
  code: 'TOO_MANY_ROUTES',
})
