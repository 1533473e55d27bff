/** What the Traefik that runs was found to refuse. It holds for its version: another one is asked anew. */
import { contentOf } from '../core/changes.ts'
import { type Candidate, keyOf } from '../core/conflicts.ts'
import type { RefusedRoutes } from '../core/plan.ts'
import type { RouteKey } from '../core/problem.ts'

/** For the disk: else each start would find it out again, at the price of refusals. */
export type StoredRefusals = {
  /** Of the Traefik that refuses. */
  readonly version: string | null
  readonly oldestFields: boolean
  readonly routes: readonly { readonly key: RouteKey; readonly content: string; readonly former: Candidate | null }[]
}

export interface Refusals {
  restore(stored: StoredRefusals | null): void
  /**
   * These of the wanted routes are refused.
   * @param known keys of the routes that there are: what was refused of others is forgotten
   * @param had what Traefik has, and goes on with
   */
  add(refused: {
    readonly keys: readonly RouteKey[]
    readonly wanted: readonly Candidate[]
    readonly had: readonly Candidate[]
    readonly known: ReadonlySet<RouteKey>
    readonly version: string | null
  }): void
  /** It takes the fields of the oldest supported version alone. */
  addFields(version: string | null): void
  forget(): void
  /** Whether it was found out with another version than this one. */
  isOfOther(version: string | null): boolean
  routes(): RefusedRoutes
  oldestFields(): boolean
  stored(): StoredRefusals
}

export function makeRefusals(): Refusals {
  let routes: RefusedRoutes = new Map()
  let oldestFields = false
  let version: string | null = null
  return {
    restore(stored) {
      routes = new Map(stored?.routes.map(({ key, content, former }) => [key, { content, former }]))
      oldestFields = stored?.oldestFields ?? false
      version = stored?.version ?? null
    },
    add({ keys, wanted, had, known, version: by }) {
      const before = new Map(had.map(candidate => [keyOf(candidate.route), candidate]))
      const next = new Map([...routes].filter(([key]) => known.has(key)))
      for (const candidate of wanted) {
        const key = keyOf(candidate.route)
        if (keys.includes(key)) next.set(key, { content: contentOf(candidate), former: before.get(key) ?? null })
      }
      routes = next
      version = by
    },
    addFields(by) {
      oldestFields = true
      version = by
    },
    forget() {
      routes = new Map()
      oldestFields = false
      version = null
    },
    isOfOther: running => version !== null && running !== version,
    routes: () => routes,
    oldestFields: () => oldestFields,
    stored: () => ({
      version,
      oldestFields,
      routes: [...routes].map(([key, { content, former }]) => ({ key, content, former })),
    }),
  }
}
