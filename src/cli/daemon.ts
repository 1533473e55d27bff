/**
 * What the commands that run for long have in common: signals, the end of whoever started them, faults that nobody caught.
 *
 *   first SIGTERM or SIGINT, or the end of the parent -> `stop` is aborted, and the work has a bounded time to end: code 0
 *   a second one, time over, an uncaught fault         -> a last word, and the process ends at once: code 1
 *
 * The one place beside main.ts that touches the process. Code 0 means a clean stop and nothing else, so that systemd starts again
 * whatever ended in another way.
 */
import type { ExitCode } from './io.ts'

export type LastWord =
  | { readonly kind: 'second-signal'; readonly signal: string }
  /** The work did not end in its time. */
  | { readonly kind: 'late'; readonly afterMs: number }
  | { readonly kind: 'uncaught'; readonly error: unknown }

export type DaemonOptions = {
  /** How long the work may take to end once it was asked to. */
  readonly stopDeadlineMs: number
  /** SIGHUP; without it that signal stops, as the end of a terminal should. */
  readonly reload?: () => void
  /** Called before the process ends in another way than by its work. Must not wait for anything. */
  readonly lastWord: (word: LastWord) => void
}

/** npm and others hand on the SIGINT that the terminal has sent to us as well: two so close together are one Ctrl-C. */
const ONE_KEYPRESS_MS = 250

/** A handle that somebody forgot to close must not keep a stopped process. */
const LINGER_MS = 2_000

/** Runs `work` until it ends. Its signal is aborted, with the cause as its reason, when the process is asked to stop. */
export async function asDaemon(
  options: DaemonOptions,
  work: (stop: AbortSignal) => Promise<ExitCode>,
): Promise<ExitCode> {
  const { stopDeadlineMs, reload, lastWord } = options
  const aborter = new AbortController()
  let deadline: NodeJS.Timeout | undefined
  let stoppedAtMs = 0

  function end(word: LastWord): never {
    try {
      lastWord(word)
    } finally {
      process.exit(1)
    }
  }
  function stop(cause: string): void {
    if (aborter.signal.aborted) return
    deadline = setTimeout(() => end({ kind: 'late', afterMs: stopDeadlineMs }), stopDeadlineMs)
    stoppedAtMs = performance.now()
    aborter.abort(cause)
  }
  const onStopSignal = (signal: NodeJS.Signals): void => {
    if (!aborter.signal.aborted) stop(signal)
    else if (performance.now() - stoppedAtMs > ONE_KEYPRESS_MS) end({ kind: 'second-signal', signal })
  }
  const onHangUp = (signal: NodeJS.Signals): void => {
    if (reload === undefined) onStopSignal(signal)
    else if (!aborter.signal.aborted) reload()
  }
  const onDisconnect = (): void => stop('the end of the parent process')
  const onUncaught = (error: unknown): void => end({ kind: 'uncaught', error })

  process.on('SIGTERM', onStopSignal).on('SIGINT', onStopSignal).on('SIGHUP', onHangUp)
  process.on('uncaughtException', onUncaught).on('unhandledRejection', onUncaught)
  // The listener keeps the channel open, and with it the process, for as long as there is work.
  if (process.connected) process.on('disconnect', onDisconnect)
  else if (process.send !== undefined) onDisconnect()
  try {
    return await work(aborter.signal)
  } finally {
    clearTimeout(deadline)
    process.off('SIGTERM', onStopSignal).off('SIGINT', onStopSignal).off('SIGHUP', onHangUp)
    process.off('uncaughtException', onUncaught).off('unhandledRejection', onUncaught)
    process.off('disconnect', onDisconnect)
    if (process.connected) process.disconnect()
    setTimeout(() => process.exit(), LINGER_MS).unref()
  }
}

/** Resolves when the signal is aborted. */
export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

/** A terminal or pipe that is gone is no reason to end: the reader left, not the work. */
export function keepRunningUnread(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.removeAllListeners('error')
    stream.on('error', () => {})
  }
}
