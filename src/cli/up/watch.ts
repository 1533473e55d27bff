/** Says what became of the routes: once when that is known, and from then on whatever changes. */
import type { Clock } from '../../lib/clock.ts'
import type { Paint } from '../io.ts'
import type { Names } from './names.ts'
import { type ReportInput, report, summary } from './report.ts'
import {
  changesOf,
  fetchStatus,
  hasHeard,
  isLive,
  isSettled,
  keyOf,
  type Said,
  type Told,
  type UpStatus,
} from './status.ts'

const LIVE_DEADLINE_MS = 60_000
/** Verdicts that are none of "live" and have stood for so long will not change by waiting. */
const FINAL_AFTER_MS = 5_000
const FIRST_PAUSE_MS = 50
const POLL_MS = 250
/** A state with thousands of routes must not flood a terminal. */
const MAX_LINES = 20

export type WatcherOptions = {
  readonly clock: Clock
  /** Port of the agent's admin endpoint. */
  readonly admin: number
  readonly told: () => Told
  readonly reportOf: (status: UpStatus | null) => ReportInput
  readonly names: Names
  readonly say: (text: string) => void
  readonly paint: Paint
  /** The first word was said. */
  readonly onReport: () => void
}

/** The further lines of a remedy stand below its first one. */
const indented = (text: string): string => text.replaceAll('\n', '\n    ')

export function createWatcher(options: WatcherOptions): { readonly run: (stop: AbortSignal) => Promise<void> } {
  const { clock, admin, told, reportOf, names, say, paint, onReport } = options
  const pause = (ms: number, stop: AbortSignal): Promise<void> => clock.sleep(ms, stop).catch(() => {})

  /** Waits until it is known what became of the routes, and says so. */
  async function firstReport(stop: AbortSignal): Promise<UpStatus | null> {
    const deadline = clock.monotonic() + LIVE_DEADLINE_MS
    let settledSince: number | null = null
    let status: UpStatus | null = null
    while (!stop.aborted) {
      status = await fetchStatus(admin)
      const now = clock.monotonic()
      const isKnown = status !== null && isSettled(status) && hasHeard(status, told())
      settledSince = isKnown ? (settledSince ?? now) : null
      const isFinal = settledSince !== null && now - settledSince >= FINAL_AFTER_MS
      if ((status !== null && isKnown && isLive(status, told())) || isFinal || now >= deadline) break
      await pause(FIRST_PAUSE_MS, stop)
    }
    if (status !== null) await names.learn(status.routes.map(keyOf))
    if (!stop.aborted) say(report(reportOf(status), paint).replace(/\n$/, ''))
    onReport()
    return status
  }

  /** Says what changes from then on. */
  async function watch(first: UpStatus | null, stop: AbortSignal): Promise<void> {
    let said: Said = first === null ? new Map() : changesOf(new Map(), first, names.nameOf).said
    /** Which agent and which Traefik the last word was about. */
    const identity = (status: UpStatus): string => `${status.startedAt} ${status.traefik.startedAt ?? ''}`
    let spokenOf = first !== null && isSettled(first) ? identity(first) : null
    while (!stop.aborted) {
      await pause(POLL_MS, stop)
      const status = await fetchStatus(admin)
      if (status === null || stop.aborted) continue
      await names.learn(status.routes.map(keyOf))
      const changes = changesOf(said, status, names.nameOf)
      said = changes.said
      for (const { good, text } of changes.lines.slice(0, MAX_LINES))
        say(paint(good ? 'green' : 'yellow', indented(text)))
      if (changes.lines.length > MAX_LINES) say(`and ${changes.lines.length - MAX_LINES} more; see /status`)
      if (!isSettled(status) || identity(status) === spokenOf) continue
      spokenOf = identity(status)
      const { good, text } = summary(reportOf(status))
      say(paint(good ? 'green' : 'yellow', text))
    }
  }

  return {
    async run(stop) {
      await watch(await firstReport(stop), stop)
    },
  }
}
