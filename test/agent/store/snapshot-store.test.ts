import { execFileSync } from 'node:child_process'
import { chmod, chown, link, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { encodeSnapshot } from '../../../src/agent/store/snapshot-file.ts'
import {
  createSnapshotStore,
  type SnapshotStore,
  type SnapshotStoreOptions,
} from '../../../src/agent/store/snapshot-store.ts'
import { atEnd } from '../../support/at-end.ts'
import { tempFolder } from '../../support/temp-folder.ts'

type State = { readonly body: string; readonly revision: number }

const ROOT = process.getuid?.() === 0
const NOW = 1_764_000_000_000
const stateOf = (revision: number): State => ({ body: `{"tcp":{"routers":{"r":${revision}}}}`, revision })

function storeAt<T = State>(directory: string, options: Partial<SnapshotStoreOptions<T>> = {}): SnapshotStore<T> {
  const store = createSnapshotStore<T>({
    directory,
    format: 1,
    logger: pino({ level: 'silent' }),
    now: () => NOW,
    ...options,
  })
  atEnd(() => store.close())
  return store
}

/** What a new agent finds there. */
async function load(directory: string, options: Partial<SnapshotStoreOptions<State>> = {}) {
  const store = storeAt(directory, options)
  const saved = await store.open()
  await store.close()
  return saved
}

/** Saves these revisions as generations 1, 2, ... */
async function saveAll(
  directory: string,
  revisions: readonly number[],
  options: Partial<SnapshotStoreOptions<State>> = {},
) {
  const store = storeAt(directory, options)
  await store.open()
  for (const revision of revisions) expect(await store.save(stateOf(revision)).safe).toHaveProperty('ok', true)
  await store.close()
}

const generation = (n: number): string => `snapshot-${String(n).padStart(12, '0')}`
const broken = (n: number): string => `broken-${String(n).padStart(12, '0')}`
const filesOf = async (directory: string): Promise<string[]> => (await readdir(directory)).sort()

const fileOf = (state: unknown, format = 1): Buffer =>
  Buffer.concat(encodeSnapshot(Buffer.from(JSON.stringify(state)), { format, savedAt: NOW }))

describe('saving and opening', () => {
  test('an empty folder holds no state', async () => {
    expect(await load(await tempFolder())).toBeNull()
  })

  test('the saved state comes back', async () => {
    const directory = join(await tempFolder(), 'state')
    const store = storeAt(directory)
    expect(await store.open()).toBeNull()
    const result = await store.save(stateOf(7)).safe
    expect(result).toEqual({
      ok: true,
      generation: 1,
      savedAt: NOW,
      bytes: (await stat(join(directory, generation(1)))).size,
    })
    expect(store.status()).toEqual({ directory, generation: 1, savedAt: NOW, fault: null })
    await store.close()
    expect(await load(directory)).toEqual({ state: stateOf(7), generation: 1, savedAt: NOW })
  })

  test('files are for this user alone', async () => {
    const directory = await tempFolder()
    await saveAll(directory, [1])
    expect((await stat(join(directory, generation(1)))).mode & 0o7777).toBe(0o600)
  })

  test('the newest three generations are kept', async () => {
    const directory = await tempFolder()
    await saveAll(directory, [1, 2, 3, 4, 5])
    expect(await filesOf(directory)).toEqual([generation(3), generation(4), generation(5)])
    await saveAll(directory, [6])
    expect(await filesOf(directory)).toEqual([generation(4), generation(5), generation(6)])
    expect(await load(directory)).toEqual({ state: stateOf(6), generation: 6, savedAt: NOW })
  })

  test('any JSON text survives, half a surrogate pair too', async () => {
    const directory = await tempFolder()
    const state = { body: `\u0000\n"\\ \ud800 \u2028 ${'ü'.repeat(5000)}`, revision: -0.5 }
    const store = storeAt(directory)
    await store.open()
    await store.save(state).safe
    await store.close()
    expect((await load(directory))?.state).toEqual(state)
  })

  test('a state of 20 MB comes back', async () => {
    const directory = await tempFolder()
    const state = { body: '{"a":"0123456789"}\n'.repeat(1_100_000), revision: 1 }
    const store = storeAt(directory)
    await store.open()
    expect(await store.save(state).safe).toHaveProperty('ok', true)
    await store.close()
    expect((await load(directory))?.state.body === state.body).toBe(true)
  })

  test('files of others are left alone', async () => {
    const directory = await tempFolder()
    await writeFile(join(directory, 'identity.json'), '{}')
    await writeFile(join(directory, 'snapshot-1.bak'), 'mine')
    await saveAll(directory, [1, 2, 3, 4])
    expect(await filesOf(directory)).toEqual(['identity.json', 'snapshot-1.bak', ...[2, 3, 4].map(generation)].sort())
  })

  test('what a killed save left is cleared away', async () => {
    const directory = await tempFolder()
    await writeFile(join(directory, 'snapshot.tmp'), 'half')
    expect(await load(directory)).toBeNull()
    expect(await filesOf(directory)).toEqual([])
  })
})

describe('saves at the same time', () => {
  test('a waiting save gives way to a newer one', async () => {
    const directory = await tempFolder()
    const store = storeAt(directory)
    await store.open()
    const results = await Promise.all([1, 2, 3, 4].map(revision => store.save(stateOf(revision)).safe))
    expect(results.map(result => result.ok && result.generation)).toEqual([1, 2, 2, 2])
    await store.close()
    expect(await filesOf(directory)).toEqual([generation(1), generation(2)])
    expect((await load(directory))?.state).toEqual(stateOf(4))
  })

  test('close waits for the saves that were asked for', async () => {
    const directory = await tempFolder()
    const store = storeAt(directory)
    await store.open()
    const saves = [store.save(stateOf(1)).safe, store.save(stateOf(2)).safe]
    await store.close()
    expect((await Promise.all(saves)).map(({ ok }) => ok)).toEqual([true, true])
    expect((await load(directory))?.state).toEqual(stateOf(2))
  })

  test('no save before open or after close', async () => {
    const directory = await tempFolder()
    const store = storeAt(directory)
    expect(await store.save(stateOf(1)).safe).toHaveProperty('code', 'SNAPSHOT_STORE_CLOSED')
    await store.open()
    await store.close()
    expect(await store.save(stateOf(1)).safe).toHaveProperty('code', 'SNAPSHOT_STORE_CLOSED')
    expect(await filesOf(directory)).toEqual([])
  })

  test('two agents on one folder: the second is refused', async () => {
    const directory = await tempFolder()
    const first = storeAt(directory)
    await first.open()
    await expect(storeAt(directory).open()).rejects.toHaveProperty('code', 'STATE_DIRECTORY_LOCKED')
    expect(await first.save(stateOf(1)).safe).toHaveProperty('ok', true)
  })
})

describe('broken generations', () => {
  test('a file cut at any length gives way to the older one', async () => {
    const directory = await tempFolder()
    await saveAll(directory, [1, 2])
    const bytes = await readFile(join(directory, generation(2)))
    for (let length = 0; length < bytes.length; length++) {
      await writeFile(join(directory, generation(2)), bytes.subarray(0, length), { mode: 0o600 })
      expect(await load(directory), `${length} bytes`).toEqual({ state: stateOf(1), generation: 1, savedAt: NOW })
    }
    expect(await filesOf(directory)).toEqual([broken(2), generation(1)])
  })

  test('a file with any byte changed gives way to the older one', async () => {
    const directory = await tempFolder()
    await saveAll(directory, [1, 2])
    const bytes = await readFile(join(directory, generation(2)))
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes)
      flipped.writeUInt8(bytes.readUInt8(at) ^ (1 << (at % 8)), at)
      await writeFile(join(directory, generation(2)), flipped, { mode: 0o600 })
      expect(await load(directory), `byte ${at}`).toEqual({ state: stateOf(1), generation: 1, savedAt: NOW })
    }
  })

  test('two broken generations leave the third', async () => {
    const directory = await tempFolder()
    await saveAll(directory, [1, 2, 3])
    await writeFile(join(directory, generation(3)), '')
    await writeFile(join(directory, generation(2)), 'x')
    expect(await load(directory)).toEqual({ state: stateOf(1), generation: 1, savedAt: NOW })
    expect(await filesOf(directory)).toEqual([broken(2), broken(3), generation(1)])
  })

  test('of many broken ones two are kept', async () => {
    const directory = await tempFolder()
    for (const n of [1, 2, 3, 4, 5]) await writeFile(join(directory, generation(n)), `broken ${n}`)
    expect(await load(directory)).toBeNull()
    expect(await filesOf(directory)).toEqual([broken(4), broken(5)])
    expect(await readFile(join(directory, broken(5)), 'utf8')).toBe('broken 5')
  })

  test('saving goes on above broken ones', async () => {
    const directory = await tempFolder()
    await saveAll(directory, [1, 2])
    await writeFile(join(directory, generation(2)), 'x')
    await saveAll(directory, [3])
    expect(await load(directory)).toHaveProperty('state', stateOf(3))
    expect(await filesOf(directory)).toEqual([broken(2), generation(1), generation(2)])
  })

  test('a generation that is too large is not read', async () => {
    const directory = await tempFolder()
    await saveAll(directory, [1])
    await writeFile(join(directory, generation(2)), Buffer.alloc(2000))
    expect(await load(directory, { maxBytes: 1000 })).toHaveProperty('generation', 1)
  })
})

describe('files that are not ours', () => {
  test('a link is neither followed nor written through', async () => {
    const directory = await tempFolder()
    const target = join(await tempFolder(), 'passwd')
    await writeFile(target, fileOf(stateOf(666)))
    await saveAll(directory, [1])
    await symlink(target, join(directory, generation(2)))
    await symlink(target, join(directory, 'snapshot.tmp'))
    await symlink(target, join(directory, generation(3)))
    expect(await load(directory)).toEqual({ state: stateOf(1), generation: 1, savedAt: NOW })
    await saveAll(directory, [2])
    expect(await readFile(target)).toEqual(fileOf(stateOf(666)))
  })

  test('a link in place of the temporary file is replaced', async () => {
    const directory = await tempFolder()
    const target = join(await tempFolder(), 'passwd')
    await writeFile(target, 'root')
    const store = storeAt(directory)
    await store.open()
    await symlink(target, join(directory, 'snapshot.tmp'))
    expect(await store.save(stateOf(1)).safe).toHaveProperty('ok', true)
    expect(await readFile(target, 'utf8')).toBe('root')
  })

  test('a hard link to a foreign file is not written through', async () => {
    const directory = await tempFolder()
    const target = join(directory, 'other')
    await writeFile(target, 'other')
    await link(target, join(directory, generation(1)))
    await link(target, join(directory, 'snapshot.tmp'))
    await saveAll(directory, [1, 2, 3, 4])
    expect(await readFile(target, 'utf8')).toBe('other')
  })

  test('a FIFO does not hang', async () => {
    const directory = await tempFolder()
    await saveAll(directory, [1])
    execFileSync('mkfifo', [join(directory, generation(2)), join(directory, 'snapshot.tmp')])
    expect(await load(directory)).toEqual({ state: stateOf(1), generation: 1, savedAt: NOW })
    await saveAll(directory, [2])
    expect(await load(directory)).toHaveProperty('state', stateOf(2))
  })

  test('a folder in place of a generation is set aside', async () => {
    const directory = await tempFolder()
    await saveAll(directory, [1])
    await mkdir(join(directory, generation(2)))
    expect(await load(directory)).toHaveProperty('generation', 1)
    expect(await filesOf(directory)).toEqual([broken(2), generation(1)])
  })

  test.skipIf(!ROOT)("another user's file is not read", async () => {
    const directory = await tempFolder()
    await saveAll(directory, [1, 2])
    await chown(join(directory, generation(2)), 1234, 1234)
    expect(await load(directory)).toEqual({ state: stateOf(1), generation: 1, savedAt: NOW })
  })

  test('a folder that others may write to is refused', async () => {
    const directory = await tempFolder()
    await saveAll(directory, [1])
    await chmod(directory, 0o777)
    await expect(storeAt(directory).open()).rejects.toHaveProperty('code', 'STATE_DIRECTORY_WRITABLE_BY_OTHERS')
  })

  test('a folder opened to others meanwhile takes no save', async () => {
    const directory = await tempFolder()
    const store = storeAt(directory)
    await store.open()
    await chmod(directory, 0o777)
    expect(await store.save(stateOf(1)).safe).toMatchObject({ ok: false, code: 'STATE_DIRECTORY_WRITABLE_BY_OTHERS' })
    await chmod(directory, 0o700)
    expect(await store.save(stateOf(1)).safe).toHaveProperty('ok', true)
    expect(store.status().fault).toBeNull()
  })
})

describe('other formats', () => {
  test('a newer format is left alone and an older generation used', async () => {
    const directory = await tempFolder()
    await saveAll(directory, [1])
    await saveAll(directory, [2, 3], { format: 2 })
    const newer = await readFile(join(directory, generation(3)))
    expect(await load(directory)).toEqual({ state: stateOf(1), generation: 1, savedAt: NOW })
    await saveAll(directory, [4, 5, 6, 7])
    expect(await load(directory)).toEqual({ state: stateOf(7), generation: 7, savedAt: NOW })
    expect(await readFile(join(directory, generation(3)))).toEqual(newer)
    expect(await filesOf(directory)).toEqual([2, 3, 5, 6, 7].map(generation))
  })

  test('a newer format alone is no state', async () => {
    const directory = await tempFolder()
    await saveAll(directory, [1], { format: 2 })
    expect(await load(directory)).toBeNull()
    expect(await filesOf(directory)).toEqual([generation(1)])
  })

  test('an older format is migrated', async () => {
    const directory = await tempFolder()
    await writeFile(join(directory, generation(4)), fileOf({ served: 'old body' }, 1))
    const migrated = await load(directory, {
      format: 2,
      migrate: (payload, format) => ({ body: JSON.stringify(payload), revision: format }),
    })
    expect(migrated).toEqual({ state: { body: '{"served":"old body"}', revision: 1 }, generation: 4, savedAt: NOW })
  })

  test.each([
    ['is not understood', () => null],
    [
      'breaks the migration',
      () => {
        throw new Error('no such field')
      },
    ],
  ])('an older format that %s is passed over', async (_what, migrate) => {
    const directory = await tempFolder()
    await saveAll(directory, [1])
    expect(await load(directory, { format: 2, migrate })).toBeNull()
    expect(await filesOf(directory)).toEqual([generation(1)])
  })
})

describe('states that cannot be saved', () => {
  test('a state beyond the size limit is refused', async () => {
    const directory = await tempFolder()
    const store = storeAt(directory, { maxBytes: 400 })
    await store.open()
    expect(await store.save(stateOf(1)).safe).toHaveProperty('ok', true)
    expect(await store.save({ body: 'x'.repeat(400), revision: 2 }).safe).toHaveProperty('code', 'SNAPSHOT_TOO_LARGE')
    await store.close()
    expect(await load(directory)).toHaveProperty('state', stateOf(1))
  })

  test('a state that is no JSON is refused', async () => {
    const store = storeAt<unknown>(await tempFolder())
    await store.open()
    const cyclic: Record<string, unknown> = {}
    cyclic.self = cyclic
    for (const state of [cyclic, 1n, undefined])
      expect(await store.save(state).safe).toHaveProperty('code', 'SNAPSHOT_NOT_ENCODABLE')
    expect(store.status().fault).toHaveProperty('code', 'SNAPSHOT_NOT_ENCODABLE')
  })
})

describe('a folder that goes away', () => {
  test('it is made again by the next save', async () => {
    const directory = join(await tempFolder(), 'state')
    const store = storeAt(directory)
    await store.open()
    await store.save(stateOf(1)).safe
    await rm(directory, { recursive: true })
    expect(await store.save(stateOf(2)).safe).toMatchObject({ ok: true, generation: 1 })
    await store.close()
    expect(await load(directory)).toHaveProperty('state', stateOf(2))
  })
})
