/** The moments of the body that is offered, and how long each stage of its way took. */

/** Milliseconds since 1970; null: not yet. */
export type Moments = {
  readonly servedAt: number | null
  readonly fetchedAt: number | null
  /** When its beacon was first seen. */
  readonly appliedAt: number | null
}

/** Milliseconds. */
export type Stages = {
  /** From the moment at which the change was told to the moment at which its body was offered. */
  readonly serve: number
  /** From then until Traefik fetched it. */
  readonly fetch: number
  /** From then until its beacon was seen. */
  readonly apply: number
  /** All of it. */
  readonly live: number
}

type Instant = { readonly at: number; readonly ms: number }

export type Passage = {
  readonly offered: () => void
  readonly fetched: () => void
  readonly applied: () => void
  /** Another Traefik: what the one before it did counts no more. */
  readonly anew: () => void
  readonly moments: () => Moments
  /**
   * Null when nobody saw it fetched and applied.
   * @param toldAtMs when the change was told, by the clock that never jumps
   */
  readonly stages: (toldAtMs: number) => Stages | null
}

/** @param now milliseconds since 1970; durations are measured by the clock that never jumps */
export function makePassage(now: () => number = Date.now): Passage {
  let served: Instant | null = null
  let fetched: Instant | null = null
  let applied: Instant | null = null
  const instant = (): Instant => ({ at: now(), ms: performance.now() })

  return {
    offered() {
      served = instant()
      fetched = null
      applied = null
    },
    fetched() {
      fetched ??= instant()
    },
    applied() {
      applied ??= instant()
    },
    anew() {
      fetched = null
      applied = null
    },
    moments: () => ({
      servedAt: served?.at ?? null,
      fetchedAt: fetched?.at ?? null,
      appliedAt: applied?.at ?? null,
    }),
    stages(toldAtMs) {
      if (served === null || fetched === null || applied === null) return null
      return {
        serve: served.ms - toldAtMs,
        fetch: fetched.ms - served.ms,
        apply: applied.ms - fetched.ms,
        live: applied.ms - toldAtMs,
      }
    },
  }
}
