/** A control plane source in a test: quick times, all of its log and events kept, stopped at the end. */
import { type Logger, pino } from 'pino'
import { NO_AUTH } from '../../src/agent/identity.ts'
import {
  type ControlPlaneOptions,
  type ControlPlaneSource,
  type ControlPlaneTiming,
  createControlPlaneSource,
} from '../../src/agent/sources/control-plane.ts'
import { type Clock, SYSTEM_CLOCK } from '../../src/lib/clock.ts'
import { atEnd } from './at-end.ts'
import { waitFor } from './wait-for.ts'

/** Deadlines long enough for a busy machine, waits short enough for a test. */
export const QUICK: ControlPlaneTiming = {
  waitSeconds: 5,
  answerMs: 5_000,
  bodyMs: 5_000,
  idleMs: 5_000,
  connectMs: 5_000,
  minIntervalMs: 2,
  heldMs: 100,
  backoff: { minMs: 2, maxMs: 20, maxWithoutReadingMs: 20, refusedMs: 20 },
}

export type LogCapture = {
  readonly logger: Logger
  /** All lines so far, as they were written. */
  text(): string
}

export function captureLog(): LogCapture {
  let text = ''
  const logger = pino(
    { level: 'trace' },
    {
      write: line => {
        text += line
      },
    },
  )
  return { logger, text: () => text }
}

export type Harness = {
  readonly source: ControlPlaneSource
  /** Results of the attempts so far. */
  readonly results: string[]
  /** How often `onChange` was called. */
  changes(): number
  logText(): string
  /** Waits until so many attempts have ended with this result. */
  untilResult(result: string, count?: number): Promise<unknown>
}

type HarnessOptions = Omit<Partial<ControlPlaneOptions>, 'timing' | 'urls'> & {
  readonly urls: readonly string[]
  readonly timing?: Partial<ControlPlaneTiming>
}

export function createHarness({ timing, ...options }: HarnessOptions): Harness {
  const log = captureLog()
  const results: string[] = []
  let changes = 0
  const source = createControlPlaneSource({
    auth: NO_AUTH,
    ca: null,
    pollIntervalMs: 20,
    expected: { serverId: null, controlPlaneId: null },
    maxRoutes: 1000,
    logger: log.logger,
    clock: SYSTEM_CLOCK,
    random: () => 0.5,
    events: {
      onChange: () => {
        changes += 1
      },
      onAttempt: result => results.push(result),
    },
    timing: { ...QUICK, ...timing },
    ...options,
  })
  atEnd(() => source.stop())
  return {
    source,
    results,
    changes: () => changes,
    logText: log.text,
    untilResult: (result, count = 1) =>
      waitFor(() => results.filter(one => one === result).length >= count, {
        what: `${count} x ${result}, found ${results.slice(-20).join(' ')}`,
      }),
  }
}

export type FakeClock = Clock & {
  /** Every wait that was asked for, in milliseconds. */
  readonly sleeps: number[]
  advance(ms: number): void
}

/** Time passes only in `sleep`, which returns at once, and by `advance`. */
export function createFakeClock(startMs = Date.parse('2026-11-23T10:00:00Z')): FakeClock {
  let passed = 0
  const sleeps: number[] = []
  return {
    sleeps,
    now: () => startMs + passed,
    monotonic: () => passed,
    advance: ms => {
      passed += ms
    },
    async sleep(ms, signal) {
      signal.throwIfAborted()
      if (ms <= 0) return
      sleeps.push(ms)
      passed += ms
      await new Promise(resolve => setImmediate(resolve))
      signal.throwIfAborted()
    },
  }
}

/** A document of our own control plane with one TCP route. */
export const stateDocument = (fields: Readonly<Record<string, unknown>> = {}, port = 10001) => ({
  schema: 1,
  controlPlaneId: 'cp_1',
  serverId: 'srv_1',
  serverName: 'proxy-1',
  epoch: 1,
  revision: 1,
  traefik: {
    routes: [],
    tcpRoutes: [{ id: 'pg', serviceId: 'svc', upstreams: ['10.200.1.5:5432'], externalPort: port }],
    udpRoutes: [],
  },
  ...fields,
})
