/**
 * When which route is probed. Pure: the time and the chance are handed in.
 *
 *   new, or changed -> at once        well -> after its interval        failed -> once more after a second, then it counts
 *                                                                       fails again -> after its interval, ten seconds at most
 *
 * Traefik switches its entry points one by one, so that a first failure may be a moment's; two in a row are a fact.
 */

import type { RouteKey } from '../problem.ts'
import type { ProbeTarget } from './target.ts'

export type Appointment = {
  /** Of the target, when it was entered. */
  readonly version: string
  /** In milliseconds of a clock that does not jump. */
  readonly dueMs: number
  /** The last answer that counts; null: none yet. */
  readonly ok: boolean | null
  /** A failure that does not count yet. */
  readonly doubted: boolean
}

export type Book = ReadonlyMap<RouteKey, Appointment>

const SECOND_LOOK_MS = 1_000
const FAILING_INTERVAL_MS = 10_000

/** The appointments of these targets and no others; those who are new or have changed come first. */
export function enter(book: Book, targets: readonly ProbeTarget[]): Map<RouteKey, Appointment> {
  return new Map(
    targets.map(({ key, version }) => {
      const known = book.get(key)
      const fresh = { version, dueMs: Number.NEGATIVE_INFINITY, ok: null, doubted: false }
      return [key, known?.version === version ? known : fresh]
    }),
  )
}

/** Who is due first, and when, apart from those who are being asked; null when there is nobody. */
export function firstDue(
  book: Book,
  busy: { has(key: RouteKey): boolean },
): { readonly key: RouteKey; readonly dueMs: number } | null {
  let first: { readonly key: RouteKey; readonly dueMs: number } | null = null
  for (const [key, { dueMs }] of book)
    if ((first === null || dueMs < first.dueMs) && !busy.has(key)) first = { key, dueMs }
  return first
}

/** Ten per cent more or less, so that many routes, and many nodes, do not ask in step. `random` is 0 to 1. */
const jittered = (ms: number, random: number): number => Math.round(ms * (0.9 + 0.2 * random))

export type Answered = {
  readonly appointment: Appointment
  /** False: look once more before anybody is told. */
  readonly counts: boolean
}

/** What an answer does to the appointment. */
export function answered(
  appointment: Appointment,
  ok: boolean,
  intervalSeconds: number,
  nowMs: number,
  random: number,
): Answered {
  const doubtful = !ok && appointment.ok !== false && !appointment.doubted
  if (doubtful) return { appointment: { ...appointment, dueMs: nowMs + SECOND_LOOK_MS, doubted: true }, counts: false }
  const intervalMs = intervalSeconds * 1000
  const waitMs = jittered(ok ? intervalMs : Math.min(intervalMs, FAILING_INTERVAL_MS), random)
  return { appointment: { ...appointment, dueMs: nowMs + waitMs, ok, doubted: false }, counts: true }
}
