/** A loss of power at every step of saving: what was called safe comes back, and nothing is served that was never saved whole. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { createSnapshotStore } from '../../src/agent/store/snapshot-store.ts'
import type { StateFs } from '../../src/agent/store/state-fs.ts'
import { makeLossyDisk, putRemains, type Remains } from '../support/power-loss.ts'
import { tempFolder } from '../support/temp-folder.ts'

type State = { readonly revision: number; readonly body: string }
type Moment = { readonly left: Remains; readonly safe: number; readonly begun: number }

const stateOf = (revision: number): State => ({ revision, body: `body of ${revision}` })

const storeAt = (directory: string, fs?: StateFs) =>
  createSnapshotStore<State>({
    directory,
    format: 1,
    generations: 2,
    logger: pino({ level: 'silent' }),
    ...(fs === undefined ? {} : { fs }),
  })

async function load(left: Remains): Promise<State | null> {
  const directory = join(await tempFolder(), 'state')
  await mkdir(directory, { mode: 0o700 })
  await putRemains(directory, left)
  const store = storeAt(directory)
  const saved = await store.open()
  // What came back is no obstacle for what follows.
  const after = await store.save(stateOf(99)).safe
  await store.close()
  expect(after.ok).toBe(true)
  return saved?.state ?? null
}

/** Saves revisions 1, 2, ... and gives what each moment would have left; `inTurn`: each waits until the one before it is safe. */
async function moments(revisions: number, inTurn: boolean): Promise<readonly Moment[]> {
  const directory = join(await tempFolder(), 'state')
  await mkdir(directory, { mode: 0o700 })
  const found = new Map<string, Moment>()
  let safe = 0
  let begun = 0
  const disk = makeLossyDisk(directory, () => {
    for (const left of disk.remains()) {
      const key = JSON.stringify([safe, begun, [...left].map(([name, bytes]) => [name, bytes.toString('latin1')])])
      found.set(key, { left, safe, begun })
    }
  })
  const store = storeAt(directory, disk.fs)
  await store.open()
  for (let revision = 1; revision <= revisions; revision++) {
    begun = revision
    const saving = store.save(stateOf(revision))
    void saving.safe.then(result => {
      expect(result.ok).toBe(true)
      safe = Math.max(safe, revision)
    })
    await (inTurn ? saving.safe : saving.placed)
  }
  await store.close()
  expect(safe).toBe(revisions)
  return [...found.values()]
}

describe.each([
  ['one save after the other', true],
  ['saves that do not wait for the disk', false],
])('%s', (_what, inTurn) => {
  test('a loss of power at any step keeps what was safe', async () => {
    const all = await moments(4, inTurn)
    expect(all.length).toBeGreaterThan(30)
    const revisions = new Set<string>()
    for (const { left, safe, begun } of all) {
      const state = await load(left)
      if (state !== null) expect(state).toEqual(stateOf(state.revision))
      expect(state?.revision ?? 0).toBeGreaterThanOrEqual(safe)
      expect(state?.revision ?? 0).toBeLessThanOrEqual(begun)
      revisions.add(`${begun - (state?.revision ?? 0)}`)
    }
    // Torn ones were among them, and whole ones that nobody had synced.
    expect(revisions.has('0') && revisions.has('1')).toBe(true)
  })
})
