import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { createSnapshotStore, type Failpoint } from '../../src/agent/store/snapshot-store.ts'
import { atEnd } from '../support/at-end.ts'
import { tempFolder } from '../support/temp-folder.ts'
import type { ChildState } from './snapshot-child.ts'

function child(...args: readonly string[]) {
  const process_ = spawn(process.execPath, [join(import.meta.dirname, 'snapshot-child.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  atEnd(() => process_.kill('SIGKILL'))
  const lines: unknown[] = []
  createInterface({ input: process_.stdout }).on('line', line => lines.push(JSON.parse(line)))
  return { kill: () => process_.kill('SIGKILL'), ended: once(process_, 'close'), lines, output: process_.stdout }
}

async function load(directory: string) {
  const store = createSnapshotStore<ChildState>({ directory, format: 1, logger: pino({ level: 'silent' }) })
  const saved = await store.open()
  await store.close()
  return saved
}

describe('kill -9 during a save', () => {
  const failpoints: readonly (readonly [Failpoint, revision: number])[] = [
    ['temp-open', 1],
    ['temp-half', 1],
    ['temp-written', 1],
    ['before-rename', 1],
    ['after-rename', 2],
    ['after-fsync', 2],
    ['before-dir-fsync', 2],
    ['after-dir-fsync', 2],
  ]

  test.each(failpoints)('at %s leaves revision %i whole', async (failpoint, revision) => {
    const directory = join(await tempFolder(), 'state')
    const { ended, lines } = child('die-at', directory, failpoint)
    expect(await ended).toEqual([null, 'SIGKILL'])
    expect(lines).toEqual([expect.objectContaining({ ok: true, generation: 1 })])
    // That it opens at all shows that the kernel has freed the lock.
    expect((await load(directory))?.state).toEqual({ revision, body: 'x'.repeat(4096) })
    expect((await readdir(directory)).filter(name => !name.startsWith('snapshot-'))).toEqual([])
  })

  test('at any time loses nothing that was called placed', async () => {
    const directory = join(await tempFolder(), 'state')
    let placed = 0
    for (let round = 0; round < 12; round++) {
      const { kill, ended, lines, output } = child('save-for-ever', directory)
      await once(output, 'data')
      // Any moment will do: the claim holds for all of them.
      await sleep(Math.random() * 60)
      kill()
      await ended
      for (const line of lines) {
        if (typeof line !== 'object' || line === null) continue
        if ('placed' in line && typeof line.placed === 'number') placed = line.placed
        expect(line).not.toHaveProperty('code')
      }
      const revision = (await load(directory))?.state.revision ?? 0
      expect(revision).toBeGreaterThanOrEqual(placed)
      expect(revision).toBeLessThanOrEqual(placed + 1)
      placed = revision
    }
    expect(placed).toBeGreaterThan(0)
    expect((await readdir(directory)).filter(name => name.startsWith('broken-'))).toEqual([])
  })
})
