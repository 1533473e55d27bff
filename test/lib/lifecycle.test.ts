import { pino } from 'pino'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createLifecycle, LifecycleStoppedError, StopStepError } from '../../src/lib/lifecycle.ts'

const logger = pino({ level: 'silent' })
const lifecycleOf = (stepTimeoutMs = 1000) => createLifecycle({ logger, stepTimeoutMs })

/** What a promise was rejected with; fails the test when it was not. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('the promise was fulfilled'),
    (error: unknown) => error,
  )
}

const namesOf = (error: unknown): string[] =>
  error instanceof AggregateError
    ? error.errors.map(one => (one instanceof StopStepError ? one.step : String(one)))
    : expect.fail(`not an AggregateError: ${error}`)

afterEach(() => {
  vi.useRealTimers()
})

describe('stop', () => {
  test('steps run in reverse order, one by one', async () => {
    const lifecycle = lifecycleOf()
    const seen: string[] = []
    lifecycle.onStop('first', async () => {
      seen.push('first begins')
      await Promise.resolve()
      seen.push('first ends')
    })
    lifecycle.onStop('second', async () => {
      seen.push('second begins')
      await new Promise(resolve => setImmediate(resolve))
      seen.push('second ends')
    })
    await lifecycle.stop()
    expect(seen).toEqual(['second begins', 'second ends', 'first begins', 'first ends'])
  })

  test('a second stop gives the same promise', async () => {
    const lifecycle = lifecycleOf()
    let runs = 0
    lifecycle.onStop('counter', () => {
      runs += 1
    })
    const first = lifecycle.stop()
    expect(lifecycle.stop()).toBe(first)
    await first
    await lifecycle.stop()
    expect(runs).toBe(1)
  })

  test('every step runs and each failed one is named', async () => {
    const lifecycle = lifecycleOf()
    const seen: string[] = []
    lifecycle.onStop('bottom', () => {
      seen.push('bottom')
    })
    lifecycle.onStop('sync', () => {
      throw new Error('sync fault')
    })
    lifecycle.onStop('middle', () => {
      seen.push('middle')
    })
    lifecycle.onStop('async', () => Promise.reject(new Error('async fault')))
    const error = await rejection(lifecycle.stop())
    expect(seen).toEqual(['middle', 'bottom'])
    expect(namesOf(error)).toEqual(['async', 'sync'])
    expect(error).toHaveProperty('message', 'could not stop cleanly: async, sync')
  })

  test('a step that hangs costs its own time only', async () => {
    vi.useFakeTimers()
    const lifecycle = lifecycleOf(5000)
    const seen: string[] = []
    lifecycle.onStop('after', () => {
      seen.push('after')
    })
    lifecycle.onStop('stuck', () => new Promise(() => {}))
    const error = rejection(lifecycle.stop())
    await vi.advanceTimersByTimeAsync(4999)
    expect(seen).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(namesOf(await error)).toEqual(['stuck'])
    expect(seen).toEqual(['after'])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('the signal is aborted before the first step', async () => {
    const lifecycle = lifecycleOf()
    let abortedInStep = false
    lifecycle.onStop('look', () => {
      abortedInStep = lifecycle.signal.aborted
    })
    expect(lifecycle.signal.aborted).toBe(false)
    await lifecycle.stop()
    expect(abortedInStep).toBe(true)
  })

  test('a step that is added during the teardown runs', async () => {
    const lifecycle = lifecycleOf()
    const seen: string[] = []
    lifecycle.onStop('early', () => {
      lifecycle.onStop('late', () => {
        seen.push('late')
      })
    })
    await lifecycle.stop()
    expect(seen).toEqual(['late'])
  })

  test('a step that is added after the teardown runs at once', async () => {
    const lifecycle = lifecycleOf()
    await lifecycle.stop()
    const seen: string[] = []
    lifecycle.onStop('late', () => {
      seen.push('late')
    })
    expect(seen).toEqual(['late'])
  })
})

describe('start', () => {
  test('a good start gives what it opened', async () => {
    const lifecycle = lifecycleOf()
    expect(await lifecycle.start(async () => 7480)).toBe(7480)
    expect(lifecycle.signal.aborted).toBe(false)
    await lifecycle.stop()
  })

  test('a failed start stops what was open', async () => {
    const lifecycle = lifecycleOf()
    const seen: string[] = []
    const fault = new Error('port taken')
    const error = await rejection(
      lifecycle.start(async () => {
        lifecycle.onStop('store', () => {
          seen.push('store')
        })
        lifecycle.onStop('endpoint', () => {
          seen.push('endpoint')
          throw new Error('and this too')
        })
        throw fault
      }),
    )
    expect(error).toBe(fault)
    expect(seen).toEqual(['endpoint', 'store'])
  })

  test('a stop while starting ends the start', async () => {
    const lifecycle = lifecycleOf()
    const seen: string[] = []
    const started = rejection(
      lifecycle.start(async signal => {
        await new Promise(resolve => signal.addEventListener('abort', resolve))
        lifecycle.onStop('late', () => {
          seen.push('late')
        })
      }),
    )
    await lifecycle.stop()
    expect(await started).toBeInstanceOf(LifecycleStoppedError)
    expect(seen).toEqual(['late'])
  })
})
