/**
 * When to ask a control plane again: pure decisions.
 *
 *   answer: new, or held until its time was over -> at once        nothing new, at once -> after the poll interval
 *   fault:  backoff with jitter, or what the server asked for, or 30 s when it does not know us
 *
 * A server that is known to hold may wake us for nothing a few times; one that goes on doing so is treated as one that does not hold.
 */
import type { SourceError } from '../../lib/errors.ts'
import type { ControlPlaneFaultCode } from './control-plane-faults.ts'

export type Pace = {
  /** This server has held an answer. */
  readonly knownToHold: boolean
  /** Answers in a row that came at once and said nothing new. */
  readonly idleAnswers: number
}

export const INITIAL_PACE: Pace = { knownToHold: false, idleAnswers: 0 }

const MAX_IDLE_ANSWERS = 10

export type Answered = {
  /** It said something new. */
  readonly changed: boolean
  /** The request named the ETag of what we hold and asked to wait for something else. */
  readonly askedToWait: boolean
  /** The answer had an ETag, so the next request can ask to wait. */
  readonly canWait: boolean
  /** The server says that it waits when it is asked to. */
  readonly waits: boolean
  /** The answer took so long that it was held. */
  readonly held: boolean
}

export function paceAfter(
  pace: Pace,
  answer: Answered,
): { readonly pace: Pace; readonly next: 'at-once' | 'interval' } {
  // Without an ETag there is nothing to wait on: this control plane is polled.
  if (!answer.canWait) return { pace: INITIAL_PACE, next: 'interval' }
  const held = answer.held && answer.askedToWait
  const knownToHold = pace.knownToHold || answer.waits || held
  if (answer.changed || held || !answer.askedToWait) return { pace: { knownToHold, idleAnswers: 0 }, next: 'at-once' }
  const idleAnswers = pace.idleAnswers + 1
  if (knownToHold && idleAnswers < MAX_IDLE_ANSWERS) return { pace: { knownToHold, idleAnswers }, next: 'at-once' }
  return { pace: { knownToHold: false, idleAnswers }, next: 'interval' }
}

const spread = (ms: number, share: number, random: number): number => Math.round(ms * (1 - share + 2 * share * random))

/** The poll interval, 10 % more or less, so that many nodes do not ask in step. `random` is 0 to 1. */
export const jittered = (intervalMs: number, random: number): number => spread(intervalMs, 0.1, random)

export type BackoffTimes = {
  readonly minMs: number
  readonly maxMs: number
  /** The longest wait while nothing was ever read, so that a first boot does not wait long for a control plane that starts late. */
  readonly maxWithoutReadingMs: number
  /** After 401 and 403: another try soon cannot help. */
  readonly refusedMs: number
}

export const BACKOFF: BackoffTimes = { minMs: 500, maxMs: 30_000, maxWithoutReadingMs: 8_000, refusedMs: 30_000 }

const REFUSALS: ReadonlySet<string> = new Set<ControlPlaneFaultCode>(['SOURCE_UNAUTHORIZED', 'SOURCE_FORBIDDEN'])

/** How long to wait after the `failures`-th fault in a row (from 1). `random` is 0 to 1. */
export function retryDelay(
  error: Pick<SourceError, 'code' | 'retryAfterMs'>,
  failures: number,
  hasReading: boolean,
  random: number,
  times: BackoffTimes = BACKOFF,
): number {
  if (REFUSALS.has(error.code)) return times.refusedMs
  if (error.retryAfterMs !== null)
    return Math.min(Math.max(times.minMs, Math.round(error.retryAfterMs * (1 + 0.1 * random))), times.maxMs)
  const longest = hasReading ? times.maxMs : times.maxWithoutReadingMs
  const ceiling = Math.min(longest, times.minMs * 2 ** Math.min(failures, 16))
  return Math.max(times.minMs, Math.round((ceiling / 2) * (1 + random)))
}
