/**
 * The bodies that Traefik may have, and the one that it was seen to have.
 *
 *   serve -> remembered, the newest last -> its beacon is seen -> good -> what was served before is forgotten
 *
 * What Traefik has is read from its beacons, never assumed. A body of the run before this one counts as long as nothing speaks against it.
 */
import { servedCandidates, withChanges } from '../core/changes.ts'
import type { Compiled } from '../core/compile.ts'
import { type Candidate, keyOf } from '../core/conflicts.ts'
import type { DynamicConfig } from '../core/dynamic-config.ts'
import { standingOutcomes } from '../core/judge.ts'
import type { Snapshot } from '../core/payload.ts'
import type { Observation } from './traefik/observer.ts'

/** A body, and what it was made of. */
export type Body = {
  readonly snapshot: Snapshot
  /** The routes that are in it. */
  readonly candidates: readonly Candidate[]
  readonly revision: number | string
  /** Null for a body of the run before this one. */
  readonly config: DynamicConfig | null
}

/** A body that Traefik was seen to have applied. */
export type Applied = Body & {
  /** Of the Traefik that took it: another one may refuse it. */
  readonly version: string | null
}

export type Readable = Observation & { readonly reading: NonNullable<Observation['reading']> }

export const isReadable = (seen: Observation | null): seen is Readable =>
  seen !== null && seen.fault === null && seen.reading !== null

export interface Bodies {
  /** The last that the run before this one saw applied. */
  restore(applied: Omit<Applied, 'config'> | null): void
  /** It is served from now on. */
  serve(body: Body): void
  /** Looks which of them Traefik shows; gives it, or null. */
  recognise(): Applied | null
  /** What Traefik has is to be seen anew. */
  doubt(): void
  /** The last that was seen in the Traefik process that runs now, or null. */
  applied(): Applied | null
  /** The last that was seen, perhaps in a Traefik that does not run any more. */
  lastGood(): Applied | null
  /** A body that this Traefik is known to take, and by which it loses nothing that it has. */
  usable(): Applied | null
  /**
   * The routes that Traefik has: of a body that nobody here knows, those that stand in it as they should, and else what the last known
   * body had.
   */
  had(wanted: Compiled | null): readonly Candidate[]
}

/** Bodies that Traefik may have while nobody has looked. */
const KEPT_BODIES = 16

/** @param observation null: there is no API, and nothing can be concluded */
export function makeBodies(observation: () => Observation | null): Bodies {
  /** By hash, what was served since the body that Traefik was last seen to have, the newest last. */
  let served: ReadonlyMap<string, Body> = new Map()
  let good: Applied | null = null
  /** `good` was seen in the Traefik process that runs now. */
  let confirmed = false

  const isOfThisVersion = (body: Applied): boolean => body.version === observation()?.reading?.version

  /** Traefik has a body that nobody here knows, such as a trial of the run before this one: it may have more than `good`. */
  function hasUnknownBody(): boolean {
    const beacons = observation()?.reading?.runtime.beacons ?? []
    return beacons.length > 0 && !beacons.some(hash => hash === good?.snapshot.hash || served.has(hash))
  }

  const usable = (): Applied | null =>
    good !== null && (confirmed || (isOfThisVersion(good) && !hasUnknownBody())) ? good : null

  return {
    restore(applied) {
      good = applied === null ? null : { ...applied, config: null }
    },
    serve(body) {
      const { hash } = body.snapshot
      // Last in the order, wherever it was before.
      const others = [...served].filter(([other]) => other !== hash)
      served = new Map([...others, [hash, body] as const].slice(-KEPT_BODIES))
      if (good?.snapshot.hash === hash) good = { ...body, version: good.version }
    },
    recognise() {
      const seen = observation()
      if (!isReadable(seen)) return null
      const { beacons } = seen.reading.runtime
      // Two beacons are there while entry points are being switched: the newer one counts.
      const known = [...(good === null ? [] : [good]), ...served.values()]
      const shown = known.findLast(body => beacons.includes(body.snapshot.hash))
      if (shown === undefined) return null
      good = { ...shown, version: seen.reading.version }
      confirmed = true
      const hashes = [...served.keys()]
      served = new Map([...served].slice(Math.max(hashes.indexOf(shown.snapshot.hash), 0)))
      return good
    },
    doubt() {
      confirmed = false
    },
    applied: () => (confirmed ? good : null),
    lastGood: () => good,
    usable,
    had(wanted) {
      const known = usable()
      if (known !== null) return known.candidates
      const runtime = observation()?.reading?.runtime
      if (wanted === null || runtime === undefined) return []
      const standing = servedCandidates(standingOutcomes(wanted.outcomes, wanted.config, runtime))
      if (good === null || !isOfThisVersion(good)) return standing
      const keys = standing.map(candidate => keyOf(candidate.route))
      return withChanges(good.candidates, standing, keys)
    },
  }
}
