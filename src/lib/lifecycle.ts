/**
 * What was opened, and how it is closed again.
 *
 * Whoever opens something says at once how it is closed (`onStop`); `stop` goes through these steps in reverse, one by one,
 * gives each a bounded time, tries every one whatever became of the others, and reports the failed ones by name.
 * A start that fails half-way runs the same teardown, so there is one way down.
 */
import type { Logger } from 'pino'

export type StopStep = () => void | Promise<void>

export interface Lifecycle {
  /** Aborted as soon as `stop` begins: hand it to everything that waits. */
  readonly signal: AbortSignal
  /** Adds a step to the teardown. A step that is added when the teardown is over runs at once, so nothing stays open. */
  onStop(name: string, step: StopStep): void
  /**
   * Runs `open`. When it throws, everything registered so far is stopped and its error is thrown on.
   * When `stop` was called meanwhile, the rest is stopped and a LifecycleStoppedError is thrown.
   */
  start<T>(open: (signal: AbortSignal) => Promise<T>): Promise<T>
  /** Idempotent: every call gives the same promise. Rejects with an AggregateError, one StopStepError for each failed step. */
  stop(): Promise<void>
}

/** `stop` was called while `start` had not ended. */
export class LifecycleStoppedError extends Error {
  override readonly name = 'LifecycleStoppedError'
  readonly code = 'STOPPED_WHILE_STARTING'
  constructor() {
    super('stopped while it was starting')
  }
}

/** One step of the teardown failed, or did not end in its time. */
export class StopStepError extends Error {
  override readonly name = 'StopStepError'
  readonly code = 'STOP_STEP_FAILED'
  readonly step: string
  constructor(step: string, message: string, options?: ErrorOptions) {
    super(`${step}: ${message}`, options)
    this.step = step
  }
}

export type LifecycleOptions = {
  readonly logger: Logger
  /** The longest that one step may take. */
  readonly stepTimeoutMs: number
}

export function createLifecycle({ logger, stepTimeoutMs }: LifecycleOptions): Lifecycle {
  const stack: { readonly name: string; readonly step: StopStep }[] = []
  const aborter = new AbortController()
  let stopping: Promise<void> | null = null
  let over = false

  async function runStep(name: string, step: StopStep): Promise<StopStepError | null> {
    let timer: NodeJS.Timeout | undefined
    try {
      const timeout = new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => reject(new StopStepError(name, `did not end within ${stepTimeoutMs} ms`)),
          stepTimeoutMs,
        )
      })
      await Promise.race([(async () => step())(), timeout])
      return null
    } catch (error) {
      const failure =
        error instanceof StopStepError
          ? error
          : new StopStepError(name, error instanceof Error ? error.message : String(error), { cause: error })
      logger.error({ step: name, err: failure }, 'stop step failed')
      return failure
    } finally {
      clearTimeout(timer)
    }
  }

  async function tearDown(): Promise<void> {
    aborter.abort(new LifecycleStoppedError())
    const failures: StopStepError[] = []
    // The stack is read anew each time: a start that is still running may add to it meanwhile.
    for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
      const failure = await runStep(next.name, next.step)
      if (failure !== null) failures.push(failure)
    }
    over = true
    if (failures.length > 0) {
      throw new AggregateError(failures, `could not stop cleanly: ${failures.map(({ step }) => step).join(', ')}`)
    }
  }

  function stop(): Promise<void> {
    stopping ??= tearDown()
    return stopping
  }

  return {
    signal: aborter.signal,
    onStop(name, step) {
      if (over) void runStep(name, step)
      else stack.push({ name, step })
    },
    async start(open) {
      try {
        const opened = await open(aborter.signal)
        if (stopping !== null) throw new LifecycleStoppedError()
        return opened
      } catch (error) {
        // Each failed step is in the log already; what the caller must hear is why the start failed.
        await stop().catch(() => {})
        throw error
      }
    },
    stop,
  }
}
