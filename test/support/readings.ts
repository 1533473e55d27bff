/** A reading of a source, as its source would give it. */
import type { SourceName, SourceReading, SourceStatus } from '../../src/agent/sources/source.ts'
import { type Lists, stateWith } from './builders.ts'

export function readingOf(lists: Lists, change: Partial<SourceReading> = {}): SourceReading {
  const state = stateWith(lists)
  const { problems, unknownFields, certificates, challengeUrl, contentHash } = state
  const origin = 'test'
  return {
    routes: state.routes.map(route => ({ route, origin })),
    problems: problems.map(problem => ({ ...problem, origin })),
    unknownFields,
    certificates,
    challengeUrl,
    removed: [],
    acceptedHash: null,
    revision: contentHash,
    epoch: null,
    contentHash,
    lists: state.lists,
    documents: 1,
    reportable: false,
    ...change,
  }
}

export const statusOf = (name: SourceName, reading: SourceReading | null): SourceStatus => ({
  name,
  reading,
  fault: null,
  lastAttemptAt: null,
  lastSuccessAt: null,
})
