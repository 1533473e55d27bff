/**
 * The state that is kept on the disk: what a restart would begin with.
 *
 *   keep -> placed: a process that is killed comes back with it, so Traefik may have it
 *        -> safe: a machine that loses its power does, too, so others may rely on it
 *
 * Between the two lie the milliseconds of an fsync, for which no change waits. A loss of power in them brings back the state before, which
 * nobody was told to be gone: the control plane lists for it what it removed, and gives no released port to another owner.
 */
import type { Applied } from './bodies.ts'
import type { SaveResult, Saving } from './store/snapshot-store.ts'
import type { StoredState } from './stored-state.ts'

export type KeptBody = Pick<Applied, 'snapshot' | 'revision'>

export interface Keeping {
  /** Resolves once it is placed, or cannot be: a full disk stops nothing. What says the same as the last one is kept already. */
  keep(state: StoredState): Promise<void>
  /** The state that is safe has this body, as what is served or as what Traefik had. */
  isSafe(body: KeptBody): boolean
  /**
   * The revision of what Traefik has; while the disk is still at it, that of what it had before. A disk that fails is told elsewhere, and
   * changes nothing here.
   */
  appliedRevision(applied: KeptBody | null): number | string | null
  stop(): void
}

export type KeepingOptions = {
  readonly save: (state: StoredState) => Saving
  /** After each save, well or not. */
  readonly onSaved: (result: SaveResult) => void
  /** What could not be saved may be tried again. */
  readonly onRetry: () => void
}

/** A disk that was full may have space again. */
const RETRY_MS = 30_000

/** Says whether there is something new to save; a reading is known by its content. */
function keyOf({ served, revision: _, routes: __, readings, applied, ...rest }: StoredState): string {
  return JSON.stringify([
    served.hash,
    Object.entries(readings).map(([name, reading]) => [name, reading.contentHash, reading.revision, reading.removed]),
    applied === null ? null : [applied.snapshot?.hash ?? null, applied.version],
    rest,
  ])
}

const bodyKey = ({ snapshot, revision }: KeptBody): string => JSON.stringify([snapshot.hash, revision])

/** What Traefik had when the state was made. */
const hadOf = ({ served, applied }: StoredState): KeptBody | null =>
  applied === null ? null : { snapshot: applied.snapshot ?? served, revision: applied.revision }

export function createKeeping({ save, onSaved, onRetry }: KeepingOptions): Keeping {
  /** Of the last state, unless it could not be saved. */
  let keptKey: string | null = null
  /** The bodies that a restart would know. */
  let safe: readonly string[] = []
  let before: number | string | null = null
  let retryTimer: NodeJS.Timeout | null = null
  let stopped = false

  const isSafe = (body: KeptBody): boolean => safe.includes(bodyKey(body))

  function saved(key: string, bodies: readonly string[], result: SaveResult): void {
    if (result.ok) safe = bodies
    else if (keptKey === key && !stopped) {
      keptKey = null
      retryTimer = setTimeout(onRetry, RETRY_MS)
    }
    onSaved(result)
  }

  return {
    async keep(state) {
      const key = keyOf(state)
      if (key === keptKey) return
      keptKey = key
      if (retryTimer !== null) clearTimeout(retryTimer)
      const had = hadOf(state)
      if (had !== null && isSafe(had)) before = had.revision
      const bodies = [{ snapshot: state.served, revision: state.revision }, ...(had === null ? [] : [had])].map(bodyKey)
      const saving = save(state)
      void saving.safe.then(result => saved(key, bodies, result))
      await saving.placed
    },
    isSafe,
    appliedRevision(applied) {
      if (applied === null) return null
      return isSafe(applied) || keptKey === null ? applied.revision : before
    },
    stop() {
      stopped = true
      if (retryTimer !== null) clearTimeout(retryTimer)
    },
  }
}
