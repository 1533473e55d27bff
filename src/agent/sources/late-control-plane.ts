/**
 * The control plane as a source whose credentials may not be there yet, or not be readable.
 *
 * A node must serve what it had although a token file is missing, has the wrong mode, or is being replaced: so that is a fault of the
 * source like any other, and they are read again before each further attempt.
 */
import type { Logger } from 'pino'
import type { RevisionMark } from '../../core/revision-order.ts'
import type { Clock } from '../../lib/clock.ts'
import { errorCode } from '../../lib/errors.ts'
import type { ControlPlaneSource } from './control-plane.ts'
import type { Source, SourceEvents, SourceFault, SourceReading } from './source.ts'

export type LateControlPlaneOptions = {
  /** Reads the credentials and makes the source. What it throws has a message for people, and perhaps a remedy. */
  readonly make: () => Promise<ControlPlaneSource>
  readonly previous: { readonly reading: SourceReading | null; readonly mark: RevisionMark | null }
  readonly events: SourceEvents
  readonly logger: Logger
  readonly clock: Clock
  readonly retryMs?: number
}

const RETRY_MS = 10_000
const CODE = 'SOURCE_CREDENTIALS_UNREADABLE'

const remedyOf = (error: unknown): string =>
  error instanceof Error && 'remedy' in error && typeof error.remedy === 'string'
    ? error.remedy
    : 'Correct the files that sources.controlPlane names; they are read again by themselves.'

export function createLateControlPlane(options: LateControlPlaneOptions): Source & { mark(): RevisionMark | null } {
  const { make, previous, events, clock, retryMs = RETRY_MS } = options
  const log = options.logger.child({ component: 'control-plane' })
  const aborter = new AbortController()
  let plane: ControlPlaneSource | null = null
  let fault: SourceFault | null = null
  let lastAttemptAt: number | null = null
  let retrying: Promise<void> = Promise.resolve()

  /** Whether the source could be made; it is started then. */
  async function attempt(): Promise<boolean> {
    lastAttemptAt = clock.now()
    try {
      plane = await make()
    } catch (error) {
      const isNew = fault === null
      const message = error instanceof Error ? error.message : String(error)
      fault = { code: CODE, message, remedy: remedyOf(error), since: fault?.since ?? clock.now() }
      if (isNew)
        log.error(
          { code: errorCode(error) ?? null, detail: message },
          'credentials for the control plane cannot be read',
        )
      events.onAttempt?.(CODE)
      if (isNew) events.onChange()
      return false
    }
    if (fault !== null) log.info('credentials for the control plane are read')
    fault = null
    if (!aborter.signal.aborted) await plane.start()
    return true
  }

  async function retry(): Promise<void> {
    try {
      do await clock.sleep(retryMs, aborter.signal)
      while (!(await attempt()))
    } catch (error) {
      if (!aborter.signal.aborted) throw error
    }
  }

  return {
    name: 'control-plane',
    async start() {
      if (!(await attempt())) retrying = retry()
    },
    async stop() {
      aborter.abort(new Error('stopped'))
      await retrying
      await plane?.stop()
    },
    status: () =>
      plane?.status() ?? {
        name: 'control-plane',
        reading: previous.reading,
        fault,
        lastAttemptAt,
        lastSuccessAt: null,
      },
    mark: () => plane?.mark() ?? previous.mark,
  }
}
