import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createRestartWatch } from '../../../src/agent/traefik/restart-watch.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** A watch over answers that a test gives; null fails. */
function watchOver(answers: readonly (number | null)[]) {
  let asked = 0
  const changes: unknown[] = []
  const watch = createRestartWatch({
    async ask() {
      const answer = answers[asked] ?? null
      asked += 1
      if (answer === null) throw new Error('Traefik is away')
      return { openConnections: answer }
    },
    onChange: () => changes.push(watch.cost()?.openConnections),
    intervalMs: 1000,
  })
  return { watch, changes, asked: () => asked, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) }
}

describe('the watch over restarts', () => {
  test('nobody wants to know, and nobody is asked', async () => {
    const { watch, asked, pass } = watchOver([1])
    watch.want(false)
    await pass(10_000)
    expect([asked(), watch.cost()]).toEqual([0, null])
  })

  test('it asks now and again, and tells what is new', async () => {
    const { watch, changes, asked, pass } = watchOver([3, 3, 5, null])
    watch.want(true)
    watch.want(true)
    await pass(3_500)
    expect([asked(), changes]).toEqual([4, [3, 5, null]])
    watch.stop()
  })

  test('when nobody waits any more it forgets', async () => {
    const { watch, asked, pass } = watchOver([3, 4])
    watch.want(true)
    await pass(1)
    watch.want(false)
    await pass(10_000)
    expect([asked(), watch.cost(), vi.getTimerCount()]).toEqual([1, null, 0])
  })

  test('stopped, it asks nobody', async () => {
    const { watch, asked, changes, pass } = watchOver([3, 4])
    watch.want(true)
    watch.stop()
    await pass(10_000)
    expect([asked(), changes, vi.getTimerCount()]).toEqual([1, [], 0])
  })
})
