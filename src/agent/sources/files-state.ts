/**
 * What a folder of routes files says, file by file: pure decisions over what was read and when.
 *
 * A file that is written in place can be seen half-written, and half a YAML file often parses. So a reading is taken when the file has
 * been quiet for a time that fits what it would do:
 *
 *   every route of the last good reading is still there, whole lines .......... `quietMs` (10 ms)
 *   a route is gone, fewer bytes, ends in mid-line, does not parse, file gone .. `settleMs` (150 ms)
 *   another inode, touched after its last write (a rename; not when parsing failed) .. at once
 *
 * The same rule makes a delete and a new file of the same name an edit. A writer that rests for longer than `settleMs` at the end of a
 * line, and has so far left routes out, is taken at its word: who writes slowly has to write elsewhere and rename.
 */
import { contentHash } from '../../core/hash.ts'
import { type Problem, routeKey } from '../../core/problem.ts'
import type { UnknownField } from '../../core/route.ts'
import { hashFile, type RoutesFile } from './files-parse.ts'
import type { SourceReading } from './source.ts'

/** What a file would be from now on. */
export type Candidate =
  | { readonly kind: 'good'; readonly file: RoutesFile }
  | { readonly kind: 'refused'; readonly problem: Problem }
  | { readonly kind: 'gone' }

/** What is held of one file: its last good reading, and what is wrong with it now. */
export type HeldFile = {
  /** How it is named in origins and problems. */
  readonly label: string
  readonly good: RoutesFile | null
  readonly fault: Problem | null
}

export type QuietTimes = { readonly quietMs: number; readonly settleMs: number }

const keysOf = (file: RoutesFile): Set<string> => new Set(file.routes.map(({ protocol, id }) => routeKey(protocol, id)))

/** How long the file must have been as it is before the candidate is taken, in milliseconds. `replaced`: it came here by a rename. */
export function neededQuietMs(
  candidate: Candidate,
  good: RoutesFile | null,
  replaced: boolean,
  { quietMs, settleMs }: QuietTimes,
): number {
  if (candidate.kind !== 'good') return settleMs
  const { file } = candidate
  if (good !== null && file.hash === good.hash) return 0
  if (replaced) return 0
  if (file.midLine) return settleMs
  if (good === null) return quietMs
  if (good.bytes !== null && file.bytes !== null && file.bytes < good.bytes) return settleMs
  const keys = keysOf(file)
  return [...keysOf(good)].every(key => keys.has(key)) ? quietMs : settleMs
}

/** The files of a reading that the process before this one had: what is served for a file that is broken now. */
export function heldFromReading(reading: SourceReading): HeldFile[] {
  const labels = new Set([
    ...reading.routes.map(({ origin }) => origin),
    ...reading.problems.map(({ origin }) => origin),
  ])
  return [...labels].sort().map(label => {
    const routes = reading.routes.filter(({ origin }) => origin === label).map(({ route }) => route)
    const problems = reading.problems.filter(({ origin }) => origin === label)
    // Problems of the file itself have no protocol: they are found again, or gone.
    const ofRoutes = problems.filter(({ protocol }) => protocol !== null)
    const fault = problems.find(({ protocol }) => protocol === null) ?? null
    if (routes.length === 0 && ofRoutes.length === 0) return { label, good: null, fault }
    const hash = hashFile(routes, ofRoutes)
    return { label, good: { routes, problems: ofRoutes, unknownFields: [], hash, bytes: null, midLine: false }, fault }
  })
}

function sumUnknown(files: readonly HeldFile[]): UnknownField[] {
  const counts = new Map<string, number>()
  for (const { field, count } of files.flatMap(({ good }) => good?.unknownFields ?? []))
    counts.set(field, (counts.get(field) ?? 0) + count)
  return [...counts].map(([field, count]) => ({ field, count })).sort((a, b) => (a.field < b.field ? -1 : 1))
}

/** One reading over all files, whatever their order. */
export function makeReading(held: Iterable<HeldFile>): SourceReading {
  const files = [...held].sort((a, b) => (a.label < b.label ? -1 : 1))
  const hash = contentHash(files.map(({ label, good, fault }) => [label, good?.hash ?? null, fault]))
  return {
    routes: files.flatMap(({ label, good }) => (good?.routes ?? []).map(route => ({ route, origin: label }))),
    problems: files.flatMap(({ good, fault }) => [...(fault === null ? [] : [fault]), ...(good?.problems ?? [])]),
    unknownFields: sumUnknown(files),
    certificates: [],
    challengeUrl: null,
    removed: [],
    acceptedHash: null,
    revision: hash,
    epoch: null,
    contentHash: hash,
    // The folder was readable, and it is all there is: what is in none of its files is not expected.
    lists: { http: true, tcp: true, udp: true },
    reportable: false,
    documents: files.length,
  }
}

/** Whether two readings say the same. */
export const sameReading = (a: SourceReading | null, b: SourceReading): boolean =>
  a !== null &&
  a.contentHash === b.contentHash &&
  a.documents === b.documents &&
  contentHash(a.unknownFields) === contentHash(b.unknownFields)

// Names are bytes that anyone may choose: signs that would break a line or turn its direction are escaped. Nothing is cut, for the
// label is how a file is found again after a restart. The backslash is escaped too, so that no two names have one label.
export const fileLabel = (name: string): string =>
  name.replace(/[\\\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, sign => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`)
