/**
 * The control plane as a source: asks for the expected state again and again, and keeps the last good reading.
 *
 *   ask (one address, and after a fault at once the next) -> whole document -> is it a state, ours, and not an older one -> reading
 *                                     -> 304 or the same bytes -> unchanged
 *                                     -> anything else -> fault; the reading stays as it is, for ever
 *
 * A control plane that holds its answers is asked again at once, any other at the poll interval. It never asks more often than
 * `minIntervalMs`, whatever happens. The document's text is neither kept nor logged: others put secrets into it.
 */
import { setImmediate } from 'node:timers/promises'
import pRetry from 'p-retry'
import type { Logger } from 'pino'
import type { Dispatcher } from 'undici'
import { readAhead } from '../../core/expected-state.ts'
import type { RevisionMark } from '../../core/revision-order.ts'
import { createRouteMemory } from '../../core/route.ts'
import type { Clock } from '../../lib/clock.ts'
import { SourceError } from '../../lib/errors.ts'
import type { RequestAuth } from '../identity.ts'
import { agentUrl, createConnection, parseControlPlaneUrl } from './control-plane-connection.ts'
import { type ControlPlaneFaultCode, makeFault } from './control-plane-faults.ts'
import { type Peers, readingKey, takeDocument } from './control-plane-reading.ts'
import { type Deadlines, fetchState, type StateAnswer } from './fetch-state.ts'
import { type Answered, BACKOFF, type BackoffTimes, INITIAL_PACE, jittered, paceAfter, retryDelay } from './pace.ts'
import type { BodyLimits } from './read-body.ts'
import type { Source, SourceEvents, SourceFault, SourceReading, SourceStatus } from './source.ts'

export type ControlPlaneTiming = Deadlines & {
  /** To connect, TLS included; shorter than `answerMs`, so that a stalled attempt does not meet the next request. */
  readonly connectMs: number
  /** Least time between the starts of two requests. */
  readonly minIntervalMs: number
  /** An answer that took at least so long was held. */
  readonly heldMs: number
  readonly backoff: BackoffTimes
}

export const CONTROL_PLANE_TIMING: ControlPlaneTiming = {
  waitSeconds: 25,
  answerMs: 10_000,
  bodyMs: 30_000,
  idleMs: 10_000,
  connectMs: 5_000,
  minIntervalMs: 200,
  heldMs: 1_000,
  backoff: BACKOFF,
}

const MIB = 1024 * 1024

export type ControlPlaneLimits = BodyLimits & { readonly headerBytes: number }

export const CONTROL_PLANE_LIMITS: ControlPlaneLimits = {
  headerBytes: 65_536,
  compressedBytes: 8 * MIB,
  decompressedBytes: 32 * MIB,
  depth: 32,
  values: 2_000_000,
}

export type ControlPlaneOptions = {
  /** At least one: addresses of one control plane, each perhaps with a path. */
  readonly urls: readonly string[]
  /** One for the whole process: see createIdentityAuth. */
  readonly auth: RequestAuth
  /** PEM of the authorities that are trusted, and no others; null: those that Node knows. */
  readonly ca: string | null
  readonly pollIntervalMs: number
  /** As enrolled; null where nothing is known. */
  readonly expected: Peers
  readonly maxRoutes: number
  readonly logger: Logger
  readonly clock: Clock
  readonly events: SourceEvents
  /** What the process before this one had. */
  readonly previous?: { readonly reading: SourceReading | null; readonly mark: RevisionMark | null }
  /** 0 to 1, for the jitter. */
  readonly random?: () => number
  /** Instead of connections of our own; it is not closed here. */
  readonly dispatcher?: Dispatcher
  readonly timing?: Partial<ControlPlaneTiming>
  readonly limits?: Partial<ControlPlaneLimits>
}

export interface ControlPlaneSource extends Source {
  readonly name: 'control-plane'
  /** The highest (epoch, revision) that was taken, to be kept with the reading; null while there is no order. */
  mark(): RevisionMark | null
}

/** A second try at the same address may help at once: a kept connection went away, or a cache answered for somebody else. */
const AT_ONCE: ReadonlySet<string> = new Set<ControlPlaneFaultCode>(['SOURCE_RESET', 'SOURCE_NOT_MODIFIED'])

/** A machine that has lost its power says nothing: where there is another address, that is found out sooner. */
const WAIT_SECONDS_WITH_OTHERS = 10

const timingFor = (addresses: number, timing: ControlPlaneTiming): ControlPlaneTiming =>
  addresses > 1 ? { ...timing, waitSeconds: Math.min(timing.waitSeconds, WAIT_SECONDS_WITH_OTHERS) } : timing

/** Throws a SourceError (SOURCE_URL_INVALID) when an address cannot be used. Opens nothing before `start`. */
export function createControlPlaneSource(options: ControlPlaneOptions): ControlPlaneSource {
  const { auth, clock, events, expected, maxRoutes, random = Math.random } = options
  const bases = options.urls.map(parseControlPlaneUrl)
  const hosts = bases.map(base => base.host)
  const addresses = bases.map(base => agentUrl(base, 'expected-state'))
  if (addresses.length === 0) throw makeFault('SOURCE_URL_INVALID', 'sources.controlPlane.urls: there is none')
  const timing = timingFor(addresses.length, { ...CONTROL_PLANE_TIMING, ...options.timing })
  const limits = { ...CONTROL_PLANE_LIMITS, ...options.limits }
  const log = options.logger.child({ component: 'control-plane' })
  const aborter = new AbortController()
  const { signal } = aborter
  const closer = new AbortController()
  const memory = createRouteMemory()
  const dispatcher =
    options.dispatcher ??
    createConnection({
      ca: options.ca,
      maxHeaderBytes: limits.headerBytes,
      connectTimeoutMs: timing.connectMs,
      connections: 1,
      signal: closer.signal,
    })

  let reading = options.previous?.reading ?? null
  let mark = options.previous?.mark ?? null
  let peers: Peers = {
    serverId: expected.serverId,
    controlPlaneId: expected.controlPlaneId ?? mark?.controlPlaneId ?? null,
  }
  let fault: SourceFault | null = null
  let lastAttemptAt: number | null = null
  let lastSuccessAt: number | null = null
  /** Of the document behind `reading`, as this address sent it. */
  let held: { readonly address: number; readonly etag: string | null; readonly bodyHash: string } | null = null
  let address = 0
  let lastStartMs = Number.NEGATIVE_INFINITY
  /** The longest that an address asked us to stay away in this round. */
  let retryAfterMs: number | null = null
  let running: Promise<void> | null = null
  let started: Promise<void> | null = null

  /** A listener's fault must not look like one of the control plane. */
  function tell(listener: () => void): void {
    try {
      listener()
    } catch (error) {
      log.error({ err: error }, 'listener failed')
    }
  }

  /** Whatever else is thrown is a fault of ours, and must not end the loop. */
  const asSourceError = (error: unknown): SourceError =>
    error instanceof SourceError
      ? error
      : makeFault('SOURCE_INTERNAL', 'the answer could not be handled', { cause: error })

  const report = (result: string) => tell(() => events.onAttempt?.(result))

  function setFault(error: SourceError): void {
    const { code, message, remedy } = error
    const again = fault?.code === code
    fault = { code, message, remedy, since: again ? (fault?.since ?? clock.now()) : clock.now() }
    if (again) {
      log.debug({ code, reason: message }, 'control plane fault goes on')
      return
    }
    log.warn({ code, reason: message, remedy }, 'control plane fault, the last good state goes on')
    tell(events.onChange)
  }

  /** Ten thousand routes that are all new would keep Traefik's polls waiting. */
  async function meet(document: unknown): Promise<void> {
    for (const _ of readAhead(document, { origin: '', maxRoutes, memory })) {
      await setImmediate()
      signal.throwIfAborted()
    }
  }

  /** Takes a document, or throws. Says what became of it. */
  function take(document: unknown): 'ok' | 'unchanged' | 'same-revision-new-content' {
    const taken = takeDocument(document, { peers, mark, maxRoutes, hosts, memory })
    const before = reading
    mark = taken.mark
    peers = taken.peers
    if (before !== null && readingKey(before) === readingKey(taken.reading)) return 'unchanged'
    reading = taken.reading
    const { revision, epoch, routes, problems } = reading
    log.info({ revision, epoch, routes: routes.length, problems: problems.length }, 'expected state taken')
    if (!taken.sameRevision || before === null || before.contentHash === reading.contentHash) return 'ok'
    log.warn({ revision, epoch }, 'same revision with new content')
    return 'same-revision-new-content'
  }

  function succeed(answer: StateAnswer): 'ok' | 'unchanged' | 'same-revision-new-content' {
    const result = answer.kind === 'document' ? take(answer.document) : 'unchanged'
    const bodyHash = answer.kind === 'document' ? answer.bodyHash : (held?.bodyHash ?? '')
    held = { address, etag: answer.etag, bodyHash }
    lastSuccessAt = clock.now()
    const recovered = fault !== null
    if (recovered) log.info({ code: fault?.code }, 'control plane fault is over')
    fault = null
    report(result)
    if (recovered || result !== 'unchanged') tell(events.onChange)
    return result
  }

  /** One request to one address. Throws a SourceError, after which the next try goes to the next address. */
  async function attempt(): Promise<Answered> {
    await clock.sleep(lastStartMs + timing.minIntervalMs - clock.monotonic(), signal)
    const startedMs = clock.monotonic()
    lastStartMs = startedMs
    lastAttemptAt = clock.now()
    const url = addresses[address] ?? addresses[0]
    if (url === undefined) throw makeFault('SOURCE_INTERNAL', 'no address')
    const etag = held?.address === address ? held.etag : null
    // While there is a fault the question is whether it is over, and that must not be held.
    const wait = etag !== null && fault === null
    try {
      const answer = await fetchState({
        dispatcher,
        url,
        auth,
        etag,
        wait,
        bodyHash: held?.bodyHash ?? null,
        deadlines: timing,
        limits,
        now: clock.now,
        signal,
      })
      if (answer.kind === 'document') await meet(answer.document)
      const result = succeed(answer)
      return {
        changed: result !== 'unchanged',
        askedToWait: wait,
        canWait: answer.etag !== null,
        waits: answer.waits,
        held: clock.monotonic() - startedMs >= timing.heldMs,
      }
    } catch (error) {
      signal.throwIfAborted()
      const known = asSourceError(error)
      report(known.code)
      if (known.code === 'SOURCE_INTERNAL') log.error({ err: known }, 'control plane answer could not be handled')
      retryAfterMs = known.retryAfterMs === null ? retryAfterMs : Math.max(known.retryAfterMs, retryAfterMs ?? 0)
      if (known.code === 'SOURCE_NOT_MODIFIED' && held !== null && etag !== null) held = { ...held, etag: null }
      else address = (address + 1) % addresses.length
      throw known
    }
  }

  /** One try, or one at each address while that may help. */
  function exchange(): Promise<Answered> {
    retryAfterMs = null
    return pRetry(attempt, {
      retries: Math.max(1, addresses.length - 1),
      // `attempt` keeps the least time between two requests.
      minTimeout: 0,
      signal,
      // Whatever is wrong with one address, another may be well: a process that was restored, a proxy that leads somewhere else.
      shouldRetry: ({ error }) =>
        error instanceof SourceError && (addresses.length > 1 || (error.retryable && AT_ONCE.has(error.code))),
    })
  }

  async function run(onFirst: () => void): Promise<void> {
    let pace = INITIAL_PACE
    let failures = 0
    try {
      while (!signal.aborted) {
        let waitMs: number
        try {
          const after = paceAfter(pace, await exchange())
          pace = after.pace
          failures = 0
          waitMs = after.next === 'at-once' ? 0 : jittered(options.pollIntervalMs, random())
        } catch (error) {
          if (signal.aborted) break
          const known = asSourceError(error)
          failures += 1
          setFault(known)
          const { code } = known
          waitMs = retryDelay({ code, retryAfterMs }, failures, reading !== null, random(), timing.backoff)
        }
        onFirst()
        await clock.sleep(waitMs, signal)
      }
    } catch (error) {
      if (!signal.aborted) log.fatal({ err: error }, 'control plane loop ended')
    } finally {
      onFirst()
    }
  }

  return {
    name: 'control-plane',
    start() {
      started ??= new Promise(resolve => {
        running = run(resolve)
      })
      return started
    },
    async stop() {
      aborter.abort(new Error('stopped'))
      await running
      closer.abort(new Error('stopped'))
      if (options.dispatcher === undefined) await dispatcher.destroy()
    },
    status: (): SourceStatus => ({ name: 'control-plane', reading, fault, lastAttemptAt, lastSuccessAt }),
    mark: () => mark,
  }
}
