import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createKeeping } from '../../src/agent/keeping.ts'
import type { SaveResult } from '../../src/agent/store/snapshot-store.ts'
import type { StoredState } from '../../src/agent/stored-state.ts'

const SAFE: SaveResult = { ok: true, generation: 1, savedAt: 1, bytes: 1 }
const FULL: SaveResult = { ok: false, code: 'SNAPSHOT_DISK_FULL', message: 'no space', remedy: 'make some' }

const snapshotOf = (hash: string) => ({ hash, body: `body ${hash}` })
const body = (hash: string, revision: number) => ({ snapshot: snapshotOf(hash), revision })

const stateOf = (hash: string, revision: number, had: ReturnType<typeof body> | null = null): StoredState => ({
  served: snapshotOf(hash),
  revision,
  routes: [],
  applied: had === null ? null : { ...had, candidates: [], version: '3.7.15' },
  readings: {},
  guards: {},
  heldCertificates: {},
  mark: null,
  firstSeen: {},
  observed: null,
  entryPoints: [],
})

/** What was asked to be saved, and the means to say what becomes of it. */
function make() {
  const saves: { readonly hash: string; readonly place: () => void; readonly end: (result: SaveResult) => void }[] = []
  const results: boolean[] = []
  const retried = vi.fn()
  const keeping = createKeeping({
    save(state) {
      const placed = Promise.withResolvers<void>()
      const safe = Promise.withResolvers<SaveResult>()
      saves.push({ hash: state.served.hash, place: placed.resolve, end: safe.resolve })
      return { placed: placed.promise, safe: safe.promise }
    },
    onSaved: ({ ok }) => results.push(ok),
    onRetry: retried,
  })
  return { keeping, saves, results, retried }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})

afterEach(() => {
  vi.useRealTimers()
})

const flush = () => vi.advanceTimersByTimeAsync(0)

test('a body may be served once placed, relied on once safe', async () => {
  const { keeping, saves, results } = make()
  let kept = false
  void keeping.keep(stateOf('one', 1)).then(() => {
    kept = true
  })
  await flush()
  expect([kept, keeping.isSafe(body('one', 1))]).toEqual([false, false])
  saves[0]?.place()
  await flush()
  expect([kept, keeping.isSafe(body('one', 1))]).toEqual([true, false])
  saves[0]?.end(SAFE)
  await flush()
  expect([keeping.isSafe(body('one', 1)), results]).toEqual([true, [true]])
})

test('the same body of another revision, or another body of the same, is not safe yet', async () => {
  const { keeping, saves } = make()
  void keeping.keep(stateOf('one', 1))
  saves[0]?.end(SAFE)
  await flush()
  expect([body('one', 2), body('two', 1)].map(keeping.isSafe)).toEqual([false, false])
})

test('what Traefik had is safe beside what is served', async () => {
  const { keeping, saves } = make()
  void keeping.keep(stateOf('two', 2, body('one', 1)))
  saves[0]?.end(SAFE)
  await flush()
  expect([body('two', 2), body('one', 1), body('one', 2)].map(keeping.isSafe)).toEqual([true, true, false])
})

test('while a newer state is on its way the older one is safe', async () => {
  const { keeping, saves } = make()
  void keeping.keep(stateOf('one', 1))
  saves[0]?.end(SAFE)
  await flush()
  void keeping.keep(stateOf('two', 2))
  saves[1]?.place()
  await flush()
  expect([body('one', 1), body('two', 2)].map(keeping.isSafe)).toEqual([true, false])
})

test('until it is safe, what Traefik had before is told', async () => {
  const { keeping, saves } = make()
  expect(keeping.appliedRevision(null)).toBeNull()
  void keeping.keep(stateOf('one', 1))
  saves[0]?.end(SAFE)
  await flush()
  void keeping.keep(stateOf('two', 2, body('one', 1)))
  expect([body('one', 1), body('two', 2), null].map(keeping.appliedRevision)).toEqual([1, 1, null])
  saves[1]?.end(SAFE)
  await flush()
  expect(keeping.appliedRevision(body('two', 2))).toBe(2)
})

test('a disk that fails leaves what is applied as it is', async () => {
  const { keeping, saves } = make()
  void keeping.keep(stateOf('one', 1))
  saves[0]?.end(FULL)
  await flush()
  expect([keeping.appliedRevision(body('one', 1)), keeping.isSafe(body('one', 1))]).toEqual([1, false])
})

test('what says the same is kept once', async () => {
  const { keeping, saves } = make()
  void keeping.keep(stateOf('one', 1))
  void keeping.keep(stateOf('one', 1))
  saves[0]?.end(SAFE)
  await flush()
  void keeping.keep(stateOf('one', 1))
  expect(saves.map(({ hash }) => hash)).toEqual(['one'])
})

test('a save that failed is tried again half a minute later', async () => {
  const { keeping, saves, results, retried } = make()
  void keeping.keep(stateOf('one', 1))
  saves[0]?.end(FULL)
  await vi.advanceTimersByTimeAsync(29_999)
  expect([results, retried.mock.calls.length]).toEqual([[false], 0])
  await vi.advanceTimersByTimeAsync(1)
  expect(retried).toHaveBeenCalledTimes(1)
  void keeping.keep(stateOf('one', 1))
  saves[1]?.end(SAFE)
  await vi.advanceTimersByTimeAsync(120_000)
  expect([keeping.isSafe(body('one', 1)), results, retried.mock.calls.length]).toEqual([true, [false, true], 1])
})

test('a failure that a newer save has overtaken is not tried again', async () => {
  const { keeping, saves, retried } = make()
  void keeping.keep(stateOf('one', 1))
  void keeping.keep(stateOf('two', 2))
  saves[0]?.end(FULL)
  saves[1]?.end(SAFE)
  await vi.advanceTimersByTimeAsync(120_000)
  expect([keeping.isSafe(body('two', 2)), retried.mock.calls.length]).toEqual([true, 0])
})

test('nothing is tried again after the stop', async () => {
  const { keeping, saves, retried } = make()
  void keeping.keep(stateOf('one', 1))
  keeping.stop()
  saves[0]?.end(FULL)
  await vi.advanceTimersByTimeAsync(120_000)
  expect(retried).not.toHaveBeenCalled()
})
