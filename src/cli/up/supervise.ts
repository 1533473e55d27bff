/**
 * A child process that is started again whenever it ends, after a wait that grows while it keeps ending, until it is told to stop.
 *
 *   start -> runs -> ends -> wait 0.5 s, 1 s, 2 s ... 30 s -> runs -> ...
 *            '- ran for a minute: the next wait is the first one again
 *
 * Each child is the leader of a session of its own: Ctrl-C in a terminal reaches `fairlead up` alone, which then ends them in order.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Clock } from '../../lib/clock.ts'

export type ChildSpec = {
  readonly command: string
  readonly args: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  /** Where its stdout and stderr go. */
  readonly logFd: number
  /** With a channel to this process; the child notices by it when this process is gone. */
  readonly channel: boolean
}

export type Backoff = { readonly firstMs: number; readonly mostMs: number; readonly steadyMs: number }

export const BACKOFF: Backoff = { firstMs: 500, mostMs: 30_000, steadyMs: 60_000 }

export type SuperviseOptions = {
  readonly spec: ChildSpec
  readonly clock: Clock
  readonly backoff?: Backoff
  /** Before each start, the first too. What it throws counts as an end of the child. */
  readonly prepare?: () => Promise<void>
  readonly onStart: (pid: number) => void
  /** The child ended by itself. `how` completes "it ...": `ended with code 1`. */
  readonly onEnd: (how: string, nextInMs: number) => void
}

export type Supervised = {
  /** Once. */
  readonly start: () => void
  /** SIGTERM, and SIGKILL when it has not ended in that time. Resolves when it is gone for good. */
  readonly stop: (graceMs: number) => Promise<void>
  /** Sends the signal and waits for nothing; it is not started again. */
  readonly abandon: (signal: NodeJS.Signals) => void
}

/** @param failures how often it has ended in a row, 1 or more */
export const waitAfter = (failures: number, { firstMs, mostMs }: Backoff): number =>
  Math.min(mostMs, firstMs * 2 ** Math.min(failures - 1, 30))

const hasEnded = (child: ChildProcess): boolean => child.exitCode !== null || child.signalCode !== null

function howItEnded(child: ChildProcess): string {
  return child.signalCode === null
    ? `ended with code ${child.exitCode ?? 'unknown'}`
    : `was ended by ${child.signalCode}`
}

export function supervise(options: SuperviseOptions): Supervised {
  const { spec, clock, backoff = BACKOFF, prepare, onStart, onEnd } = options
  const aborter = new AbortController()
  let child: ChildProcess | null = null
  let loop: Promise<void> = Promise.resolve()

  /** Resolves with how it ended. */
  async function runOnce(): Promise<string> {
    try {
      await prepare?.()
      if (aborter.signal.aborted) return 'was not started'
      const { logFd } = spec
      const started = spawn(spec.command, spec.args, {
        cwd: spec.cwd,
        env: { ...spec.env },
        stdio: spec.channel ? ['ignore', logFd, logFd, 'ipc'] : ['ignore', logFd, logFd],
        detached: true,
      })
      child = started
      if (started.pid !== undefined) onStart(started.pid)
      // Rejects when it could not be started at all.
      await once(started, 'exit')
      return howItEnded(started)
    } catch (error) {
      return `could not be started: ${error instanceof Error ? error.message : String(error)}`
    }
  }

  async function run(): Promise<void> {
    let failures = 0
    while (!aborter.signal.aborted) {
      const startedAtMs = clock.monotonic()
      const how = await runOnce()
      if (aborter.signal.aborted) return
      failures = clock.monotonic() - startedAtMs >= backoff.steadyMs ? 1 : failures + 1
      const waitMs = waitAfter(failures, backoff)
      onEnd(how, waitMs)
      await clock.sleep(waitMs, aborter.signal).catch(() => {})
    }
  }

  function abandon(signal: NodeJS.Signals): void {
    aborter.abort()
    if (child !== null && !hasEnded(child)) child.kill(signal)
  }

  return {
    start() {
      loop = run()
    },
    async stop(graceMs) {
      abandon('SIGTERM')
      const timer = setTimeout(() => abandon('SIGKILL'), graceMs)
      await loop
      clearTimeout(timer)
    },
    abandon,
  }
}
