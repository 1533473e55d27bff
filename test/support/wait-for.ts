import { setTimeout as sleep } from 'node:timers/promises'

const POLL_INTERVAL_MS = 10
// Long: a deadline costs nothing when what is waited for comes, and the machine may be slow or busy.
const DEFAULT_TIMEOUT_MS = 30_000

type Falsy = false | null | undefined | 0 | ''

export type WaitOptions = {
  readonly timeoutMs?: number
  /** What is waited for, as a noun phrase: it is the error message at the deadline. */
  readonly what?: string
}

/**
 * Polls `condition` every 10 ms until its result is truthy, and returns that result.
 * At the deadline it throws an error that names `what`; a condition that threw the last time it was asked is the error's cause.
 * A condition that throws counts as "not yet": a server that is not up refuses connections, and that is what is waited for.
 */
export async function waitFor<T>(
  condition: () => T | Promise<T>,
  { timeoutMs = DEFAULT_TIMEOUT_MS, what = 'the condition' }: WaitOptions = {},
): Promise<Exclude<T, Falsy>> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    let cause: unknown
    try {
      const value = await condition()
      if (isTruthy(value)) return value
    } catch (error) {
      cause = error
    }
    if (Date.now() >= deadline) {
      const message = `waited ${timeoutMs} ms for ${what}`
      throw cause === undefined ? new Error(message) : new Error(message, { cause })
    }
    await sleep(POLL_INTERVAL_MS)
  }
}

function isTruthy<T>(value: T): value is Exclude<T, Falsy> {
  return Boolean(value)
}
