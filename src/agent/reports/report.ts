/**
 * Tells the control plane what became of its routes.
 *
 *   changed() -> (a moment, for what comes together) -> the state as it is now -> what is new in it -> POST -> told
 *   nothing new for half a minute -> an empty one, as a sign of life
 *
 * It has its own loop, connection and times: whatever the control plane does, nothing that serves waits for it, and nothing piles up,
 * since a report is made when it is sent. Faults are told once, and counted.
 */
import type { Logger } from 'pino'
import type { Dispatcher } from 'undici'
import { MAX_REPORT_BYTES, nextReport, type Reported, type ReportState, type RowDetails } from '../../core/report.ts'
import type { Clock } from '../../lib/clock.ts'
import { SourceError } from '../../lib/errors.ts'
import type { RequestAuth } from '../identity.ts'
import { agentUrl, createConnection, parseControlPlaneUrl } from '../sources/control-plane-connection.ts'
import { type ControlPlaneFaultCode, makeFault } from '../sources/control-plane-faults.ts'
import { BACKOFF, type BackoffTimes, retryDelay } from '../sources/pace.ts'
import type { SourceFault } from '../sources/source.ts'
import { postReport } from './report-post.ts'

export type ReportTiming = {
  readonly connectMs: number
  /** For a whole report, connecting included. */
  readonly answerMs: number
  /** Least time between the starts of two reports. */
  readonly minIntervalMs: number
  /** What changes within this time goes into one report: a new route is live a few milliseconds later. */
  readonly settleMs: number
  /** The longest time without a report. */
  readonly heartbeatMs: number
  readonly backoff: BackoffTimes
}

export const REPORT_TIMING: ReportTiming = {
  connectMs: 5_000,
  answerMs: 10_000,
  minIntervalMs: 1_000,
  settleMs: 150,
  heartbeatMs: 28_000,
  backoff: { ...BACKOFF, minMs: 1_000 },
}

/** A proxy before the control plane may take less than the contract says. */
const LEAST_REPORT_BYTES = 64 * 1024

export type ReporterOptions = {
  /** The addresses of the control plane, as for its expected state. */
  readonly urls: readonly string[]
  /** The one of the source: its timestamps only go up. */
  readonly auth: RequestAuth
  /** PEM of the authorities that are trusted, and no others; null: those that Node knows. */
  readonly ca: string | null
  /** What there is to tell; null: this control plane takes no reports, or not now. */
  readonly collect: () => ReportState | null | Promise<ReportState | null>
  readonly details: RowDetails
  readonly clock: Clock
  readonly logger: Logger
  /** After each attempt: `ok`, `full` (asked for a full one), or the code of a fault. For metrics. */
  readonly onResult?: (result: string) => void
  /** 0 to 1, for the jitter. */
  readonly random?: () => number
  /** Instead of connections of our own; it is not closed here. */
  readonly dispatcher?: Dispatcher
  readonly timing?: Partial<ReportTiming>
}

export type ReportStats = {
  /** False: nothing is told, since this control plane takes no reports. */
  readonly active: boolean
  /** Milliseconds since 1970. */
  readonly lastAttemptAt: number | null
  readonly lastSuccessAt: number | null
  readonly sent: number
  readonly failed: number
  readonly fault: SourceFault | null
}

export interface Reporter {
  start(): void
  /** Quick, whatever the control plane does. */
  stop(): Promise<void>
  /** Something of what is told may be other than it was. */
  changed(): void
  stats(): ReportStats
}

/** The report has not left this machine, so its number is still free. Any other fault leaves that open. */
const NEVER_SENT: ReadonlySet<string> = new Set<ControlPlaneFaultCode>([
  'SOURCE_REFUSED',
  'SOURCE_DNS',
  'SOURCE_TLS',
  'SOURCE_TLS_EXPIRED',
  'SOURCE_TLS_UNKNOWN_CA',
  'SOURCE_TLS_WRONG_HOST',
])

/** Throws a SourceError (SOURCE_URL_INVALID) when an address cannot be used. Opens nothing before `start`. */
export function createReporter(options: ReporterOptions): Reporter {
  const { auth, clock, collect, details, random = Math.random } = options
  const addresses = options.urls.map(text => agentUrl(parseControlPlaneUrl(text), 'status'))
  if (addresses.length === 0) throw makeFault('SOURCE_URL_INVALID', 'sources.controlPlane.urls: there is none')
  const timing = { ...REPORT_TIMING, ...options.timing }
  const log = options.logger.child({ component: 'report' })
  const aborter = new AbortController()
  const { signal } = aborter
  const dispatcher =
    options.dispatcher ??
    createConnection({
      ca: options.ca,
      maxHeaderBytes: 65_536,
      connectTimeoutMs: timing.connectMs,
      connections: 1,
      signal,
    })

  let reported: Reported | null = null
  let seq = 1
  let address = 0
  let maxBytes = MAX_REPORT_BYTES
  let dirty = true
  let failures = 0
  let lastStartMs = Number.NEGATIVE_INFINITY
  let beatAtMs = Number.NEGATIVE_INFINITY
  let waker: AbortController | null = null
  let running: Promise<void> | null = null
  let stats: ReportStats = {
    active: false,
    lastAttemptAt: null,
    lastSuccessAt: null,
    sent: 0,
    failed: 0,
    fault: null,
  }

  /** Until the time is over, or something changes. */
  async function rest(ms: number): Promise<void> {
    if (dirty || ms <= 0) return
    waker = new AbortController()
    await clock.sleep(ms, waker.signal).catch(() => {})
    waker = null
  }

  function tell(result: string): void {
    try {
      options.onResult?.(result)
    } catch (error) {
      log.error({ err: error }, 'listener failed')
    }
  }

  function setFault({ code, message, remedy }: SourceError): void {
    const again = stats.fault?.code === code
    const since = again ? (stats.fault?.since ?? clock.now()) : clock.now()
    stats = { ...stats, failed: stats.failed + 1, fault: { code, message, remedy, since } }
    if (again) log.debug({ code, reason: message }, 'report fault goes on')
    else log.warn({ code, reason: message, remedy }, 'report could not be sent, serving goes on')
  }

  /** How long the next attempt waits. The other addresses are tried before anybody backs off. */
  function afterFault(error: SourceError): number {
    failures += 1
    address = (address + 1) % addresses.length
    if (failures < addresses.length) return 0
    if (error.code === 'SOURCE_TOO_LARGE' && maxBytes > LEAST_REPORT_BYTES) {
      maxBytes = Math.max(maxBytes / 2, LEAST_REPORT_BYTES)
      return 0
    }
    return retryDelay(error, failures - addresses.length + 1, true, random(), timing.backoff)
  }

  /** One attempt to send this body; says how long the next waits. */
  async function attempt(url: URL, body: string, after: Reported): Promise<number> {
    lastStartMs = clock.monotonic()
    stats = { ...stats, lastAttemptAt: clock.now() }
    let result: string
    try {
      const request = { dispatcher, url, auth, body, deadlineMs: timing.answerMs, now: clock.now, signal }
      const answer = await postReport(request)
      seq += 1
      if (answer === 'full') {
        // Who is not content with a full one either is asked again later.
        if (reported === null) throw makeFault('SOURCE_HTTP_STATUS', `${url.host} answered 409 to a full report`)
        reported = null
        tell('full')
        return 0
      }
      result = 'ok'
    } catch (error) {
      if (signal.aborted) return 0
      const known =
        error instanceof SourceError
          ? error
          : makeFault('SOURCE_INTERNAL', 'the report could not be sent', { cause: error })
      if (!NEVER_SENT.has(known.code)) {
        seq += 1
        // Rows of it may be there: one that vanishes before it is told again would never be named as gone.
        reported = null
      }
      setFault(known)
      tell(known.code)
      return afterFault(known)
    }
    reported = after
    failures = 0
    beatAtMs = lastStartMs + timing.heartbeatMs * (0.85 + 0.15 * random())
    if (stats.fault !== null) log.info({ code: stats.fault.code }, 'reports are taken again')
    stats = { ...stats, lastSuccessAt: clock.now(), sent: stats.sent + 1, fault: null }
    tell(result)
    return -1
  }

  /** One turn: waits until there is a reason, and sends what there is. */
  async function turn(): Promise<void> {
    await rest(beatAtMs - clock.monotonic())
    if (dirty) await clock.sleep(timing.settleMs, signal)
    await clock.sleep(lastStartMs + timing.minIntervalMs - clock.monotonic(), signal)
    dirty = false
    const state = await collect()
    const active = state !== null
    if (active !== stats.active) log.info({ active }, 'reporting to the control plane')
    stats = { ...stats, active }
    if (state === null) {
      reported = null
      beatAtMs = clock.monotonic() + timing.heartbeatMs
      return
    }
    const next = nextReport(state, reported, seq, details, maxBytes)
    const url = addresses[address] ?? addresses[0]
    if (url === undefined || (!next.changed && clock.monotonic() < beatAtMs)) return
    const waitMs = await attempt(url, next.body, next.reported)
    if (waitMs >= 0 || next.more) dirty = true
    if (waitMs > 0) await clock.sleep(waitMs, signal)
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        await turn()
      } catch (error) {
        if (signal.aborted) return
        // A fault of ours: it must neither end the loop nor spin in it.
        log.error({ err: error }, 'a report could not be made')
        await clock.sleep(timing.heartbeatMs, signal).catch(() => {})
      }
    }
  }

  return {
    start() {
      running ??= run()
    },
    async stop() {
      aborter.abort(new Error('stopped'))
      waker?.abort()
      await running
      if (options.dispatcher === undefined) await dispatcher.destroy()
    },
    changed() {
      dirty = true
      waker?.abort()
    },
    stats: () => stats,
  }
}
