/** The document of one node: what is its own, in front of what all share. Pure. */
import { createHash } from 'node:crypto'
import { SCHEMA_MAJOR } from '../../core/expected-state.ts'
import type { NodeRow, ProbeWish } from './node-reader.ts'
import type { SharedState } from './shared-state.ts'

export type NodeDocument = {
  /** Covers everything but `removed`: `"<state>.<wishes>"`. */
  readonly etag: string
  /** What comes before the tail of the shared state; ends with a comma. */
  readonly head: string
}

const digest = (values: readonly unknown[]): string =>
  createHash('sha256').update(JSON.stringify(values)).digest('base64url').slice(0, 22)

const NO_WISHES = '0'

export function makeDocument(
  controlPlaneId: string,
  { id, name, acceptedHash }: NodeRow,
  { position, hash }: Pick<SharedState, 'position' | 'hash'>,
  probes: readonly ProbeWish[],
): NodeDocument {
  const { epoch, revision } = position
  const own = {
    ...{ schema: SCHEMA_MAJOR, controlPlaneId, serverId: id, serverName: name, epoch, revision, acceptedHash },
    ...(probes.length === 0 ? {} : { probes }),
  }
  const state = digest([controlPlaneId, id, name, epoch, revision, acceptedHash, hash])
  const wishes = probes.length === 0 ? NO_WISHES : digest([...probes])
  return { etag: `"${state}.${wishes}"`, head: `${JSON.stringify(own).slice(0, -1)},` }
}

const OUR_ETAG = /^(?:W\/)?("[\w-]+)\.[\w-]+"$/

/**
 * The one of the tags of If-None-Match that still says what this document says; null when there is none, and the document has to be sent.
 * That a wish to probe is over is nothing new: whoever had it with the same state has seen all that there is to see.
 */
export function matchingTag(ifNoneMatch: string | undefined, { etag }: Pick<NodeDocument, 'etag'>): string | null {
  if (ifNoneMatch === undefined) return null
  const tags = ifNoneMatch.split(',').map(tag => tag.trim())
  const same = tags.find(tag => tag.replace(/^W\//, '') === etag)
  if (same !== undefined) return etag
  if (!etag.endsWith(`.${NO_WISHES}"`)) return null
  const state = OUR_ETAG.exec(etag)?.[1]
  return tags.find(tag => OUR_ETAG.exec(tag)?.[1] === state)?.replace(/^W\//, '') ?? null
}

export const LONGEST_WAIT_SECONDS = 60

/** How long the answer may be held (RFC 7240), in milliseconds; null when nobody asked for that. */
export function preferredWaitMs(prefer: readonly string[]): number | null {
  for (const preference of prefer.join(',').split(',')) {
    const [, seconds] = /^\s*wait\s*=\s*"?(\d{1,9})"?\s*(?:;.*)?$/i.exec(preference) ?? []
    // The first one counts, where there are several.
    if (seconds !== undefined) return Math.min(Number(seconds), LONGEST_WAIT_SECONDS) * 1000
  }
  return null
}
