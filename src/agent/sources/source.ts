/**
 * A source of expected state: a folder of files, or a control plane.
 *
 * It keeps its own last known good reading and says so when it has to go on with it. It never turns a fault into an empty reading.
 */
import type { Certificate, ParsedState, ProbeRequest } from '../../core/expected-state.ts'
import type { Problem } from '../../core/problem.ts'
import type { Route, UnknownField } from '../../core/route.ts'

export type SourceName = 'files' | 'control-plane'

/** A route and the file or control plane that it came from. */
export type SourcedRoute = { readonly route: Route; readonly origin: string }

/** One whole reading: what the source holds to be expected. */
export type SourceReading = {
  readonly routes: readonly SourcedRoute[]
  /** Rejected routes and files, each with its origin. */
  readonly problems: readonly Problem[]
  readonly unknownFields: readonly UnknownField[]
  readonly certificates: readonly Certificate[]
  readonly challengeUrl: string | null
  /** Keys (`tcp/pg`) or bare ids that were removed on purpose. */
  readonly removed: readonly string[]
  readonly acceptedHash: string | null
  /** Routes that somebody wants to have probed now; absent: none. */
  readonly probes?: readonly ProbeRequest[]
  /** The number that the source gives it, else its content hash; compared only for equality. */
  readonly revision: number | string
  readonly epoch: number | null
  readonly contentHash: string
  /** Which lists were there; a list that is absent says nothing of its routes. */
  readonly lists: ParsedState['lists']
  /** How many files it was read from (files), or 1. */
  readonly documents: number
  /** The sender named a schema, so it takes our status reports. */
  readonly reportable: boolean
}

export type SourceFault = {
  readonly code: string
  /** One sentence: what was tried and what came back. No secret in it. */
  readonly message: string
  readonly remedy: string
  /** Milliseconds since 1970. */
  readonly since: number
}

export type SourceStatus = {
  readonly name: SourceName
  /** The last good reading, from this run or the one before it; null when there never was one. */
  readonly reading: SourceReading | null
  /** What is wrong now, or null. The reading then stays what it was. */
  readonly fault: SourceFault | null
  /** Milliseconds since 1970 of the last attempt and of the last success; null before the first. */
  readonly lastAttemptAt: number | null
  readonly lastSuccessAt: number | null
}

export type SourceEvents = {
  /** A reading that differs from the last one, or a fault that came or went. Called after `status()` has changed. */
  readonly onChange: () => void
  /** Every fetch or read, by result: `ok`, `unchanged`, or a fault's code. For metrics. */
  readonly onAttempt?: (result: string) => void
}

export interface Source {
  readonly name: SourceName
  /** Begins to read; resolves after the first attempt has ended, well or not. Never rejects for what the other side does. */
  start(): Promise<void>
  stop(): Promise<void>
  status(): SourceStatus
}
