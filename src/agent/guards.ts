/** One guard a source, its memory, and what people accepted: the shell around core/guard.ts. */
import { EMPTY_GUARD, type GuardMemory, type GuardPolicy, guard, type Held, type KeptRoute } from '../core/guard.ts'
import type { RouteKey } from '../core/problem.ts'
import type { SourceName, SourceReading } from './sources/source.ts'

export type HeldRemovals = Held & { readonly source: SourceName }

/** For the disk: what went through is the reading itself, so only the rest is kept. */
export type StoredGuard = {
  readonly held: readonly KeptRoute[]
  readonly removals: GuardMemory['removals']
  readonly settling: GuardMemory['settling']
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
  const accepted = new Set<string>()
  return {
    restore(stored, readings) {
      for (const name of ['files', 'control-plane'] as const) {
        const [was, reading] = [stored[name], readings[name]]
        if (reading !== undefined)
          memories.set(name, {
            kept: [...reading.routes, ...(was?.held ?? [])],
            removals: was?.removals ?? [],
            settling: was?.settling ?? null,
          })
      }
    },
    pass(name, reading) {
      const result = guard(memories.get(name) ?? EMPTY_GUARD, {
        kind: name === 'files' ? 'owner' : 'control-plane',
        routes: reading.routes,
        removed: reading.removed,
        documents: reading.documents,
        acceptedHashes: reading.acceptedHash === null ? [...accepted] : [...accepted, reading.acceptedHash],
        policy,
        nowMs: steady(),
        wallMs: now(),
      })
      memories.set(name, result.memory)
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
      const hashes = [...held.values()].map(entry => entry.hash).filter(entry => hash === null || entry === hash)
      for (const entry of hashes) accepted.add(entry)
      return hashes
    },
    stored: () =>
      Object.fromEntries(
        [...memories].map(([name, { removals, settling }]) => [
          name,
          { held: keptBack.get(name) ?? [], removals, settling },
        ]),
      ),
    reasons: () =>
      new Map([...held.values()].flatMap(({ removals, message }) => removals.map(key => [key, message] as const))),
  }
}
