/** One guard a source, its memory, and what people accepted: the shell around core/guard.ts. */
import { EMPTY_GUARD, type GuardMemory, type GuardPolicy, guard, type Held, type KeptRoute } from '../core/guard.ts'
import type { RouteKey } from '../core/problem.ts'
import type { SourceName, SourceReading } from './sources/source.ts'

export type HeldRemovals = Held & { readonly source: SourceName }

/** For the disk: what went through is the reading itself, so only the rest is kept. */
export type StoredGuard = {
  readonly held: readonly KeptRoute[]
  readonly sizes: GuardMemory['sizes']
  readonly hold: GuardMemory['hold']
  /** The hash in the source's document that has been used: it accepts nothing more while it stays there. */
  readonly spent: string | null
}

export type GuardedReading = {
  readonly routes: readonly KeptRoute[]
  /** Removals that wait: they go on serving, behind everything that claims their place. */
  readonly held: readonly KeptRoute[]
}

export interface Guards {
  restore(
    stored: { readonly [name in SourceName]?: StoredGuard },
    readings: { readonly [name in SourceName]?: SourceReading },
  ): void
  /** One step for one source. */
  pass(name: SourceName, reading: SourceReading): GuardedReading
  held(): readonly HeldRemovals[]
  /** Milliseconds until removals settle by themselves; null when none will. */
  settlesInMs(): number | null
  /** Accepts what is held under this hash, or all that is held now; gives the hashes that were accepted. */
  accept(hash: string | null): readonly string[]
  stored(): { readonly [name in SourceName]?: StoredGuard }
  /** The guard's sentence for each held route. */
  reasons(): ReadonlyMap<RouteKey, string>
}

/**
 * @param now milliseconds since 1970
 * @param steady milliseconds of a clock that does not jump, near the wall clock at the start: it goes on over a restart
 */
export function createGuards(policy: GuardPolicy, now: () => number, steady: () => number): Guards {
  const memories = new Map<SourceName, GuardMemory>()
  const held = new Map<SourceName, HeldRemovals>()
  const keptBack = new Map<SourceName, readonly KeptRoute[]>()
  /** What people have accepted since the last step. */
  const accepted = new Map<SourceName, string>()
  const spent = new Map<SourceName, string>()

  /** A hash accepts once: the same removals, come back and gone again, are another accident. */
  function acceptedHashes(name: SourceName, { acceptedHash }: SourceReading): readonly string[] {
    if (acceptedHash !== spent.get(name)) spent.delete(name)
    const hashes = [accepted.get(name), spent.has(name) ? undefined : acceptedHash]
    return hashes.filter(hash => typeof hash === 'string')
  }

  return {
    restore(stored, readings) {
      for (const name of ['files', 'control-plane'] as const) {
        const [was, reading] = [stored[name], readings[name]]
        if (reading === undefined) continue
        // A clock that was ahead in the run before would make a hold that settles last for ever, and sizes count for ever.
        const nowMs = steady()
        const hold = was?.hold ?? null
        memories.set(name, {
          kept: [...reading.routes, ...(was?.held ?? [])],
          sizes: (was?.sizes ?? []).map(({ atMs, count }) => ({ atMs: Math.min(atMs, nowMs), count })),
          hold: hold === null ? null : { ...hold, sinceMs: Math.min(hold.sinceMs, nowMs) },
        })
        if (was !== undefined && was.spent !== null) spent.set(name, was.spent)
      }
    },
    pass(name, reading) {
      const result = guard(memories.get(name) ?? EMPTY_GUARD, {
        kind: name === 'files' ? 'owner' : 'control-plane',
        routes: reading.routes,
        removed: reading.removed,
        documents: reading.documents,
        acceptedHashes: acceptedHashes(name, reading),
        policy,
        nowMs: steady(),
        wallMs: now(),
      })
      memories.set(name, result.memory)
      accepted.delete(name)
      if (result.accepted !== null && result.accepted === reading.acceptedHash) spent.set(name, result.accepted)
      const back = result.routes.filter(entry => entry.held).map(({ route, origin }) => ({ route, origin }))
      keptBack.set(name, back)
      if (result.held === null) held.delete(name)
      else held.set(name, { ...result.held, source: name })
      return { routes: reading.routes, held: back }
    },
    held: () => [...held.values()],
    settlesInMs() {
      const times = [...held.values()].flatMap(({ untilMs }) => (untilMs === null ? [] : [untilMs - steady()]))
      return times.length === 0 ? null : Math.max(Math.min(...times), 0)
    },
    accept(hash) {
      const meant = [...held.values()].filter(entry => hash === null || entry.hash === hash)
      for (const entry of meant) accepted.set(entry.source, entry.hash)
      return meant.map(entry => entry.hash)
    },
    stored: () =>
      Object.fromEntries(
        [...memories].map(([name, { sizes, hold }]) => [
          name,
          { held: keptBack.get(name) ?? [], sizes, hold, spent: spent.get(name) ?? null },
        ]),
      ),
    reasons: () =>
      new Map([...held.values()].flatMap(({ removals, message }) => removals.map(key => [key, message] as const))),
  }
}
