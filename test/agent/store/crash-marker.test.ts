import { readdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { type CrashMarkerOptions, createCrashMarker } from '../../../src/agent/store/crash-marker.ts'
import { troubledFs } from '../../support/state-fs.ts'
import { tempFolder } from '../../support/temp-folder.ts'

const logger = pino({ level: 'silent' })
const MINUTE = 60_000

/** Each call is the marker of a new process on the same folder. */
async function processes(options: Partial<CrashMarkerOptions> = {}) {
  const directory = await tempFolder()
  return { directory, start: () => createCrashMarker({ directory, logger, now: () => 0, ...options }) }
}

describe('a state that the process dies of', () => {
  test('is left alone after two tries', async () => {
    const { start } = await processes()
    expect(await start().begin('bad')).toBe('go')
    expect(await start().begin('bad')).toBe('go')
    expect(await start().begin('bad')).toBe('poison')
    const third = start()
    expect(await third.begin('bad')).toBe('poison')
    expect(await third.begin('bad')).toBe('poison')
  })

  test('does not keep another state from being tried', async () => {
    const { start } = await processes()
    await start().begin('bad')
    await start().begin('bad')
    const third = start()
    expect(await third.begin('bad')).toBe('poison')
    expect(await third.begin('good')).toBe('go')
  })

  test('is tried once more after ten minutes', async () => {
    let now = 0
    const { start } = await processes({ now: () => now })
    await start().begin('bad')
    await start().begin('bad')
    now = 10 * MINUTE - 1
    expect(await start().begin('bad')).toBe('poison')
    now = 10 * MINUTE
    expect(await start().begin('bad')).toBe('go')
    expect(await start().begin('bad')).toBe('poison')
  })

  test('is tried when the clock was set back', async () => {
    let now = 1000 * MINUTE
    const { start } = await processes({ now: () => now })
    await start().begin('bad')
    await start().begin('bad')
    now = 0
    expect(await start().begin('bad')).toBe('go')
  })
})

describe('a state that is served', () => {
  test('leaves nothing behind', async () => {
    const { directory, start } = await processes()
    for (let round = 0; round < 5; round++) {
      const marker = start()
      expect(await marker.begin('good')).toBe('go')
      await marker.done('good')
    }
    expect(await readdir(directory)).toEqual([])
  })

  test('may be tried again after an unlucky death', async () => {
    const { start } = await processes()
    await start().begin('good')
    const second = start()
    await second.begin('good')
    await second.done('good')
    await start().begin('good')
    expect(await start().begin('good')).toBe('go')
  })

  test('does not clear the mark of another', async () => {
    const { start } = await processes()
    await start().begin('bad')
    const second = start()
    await second.begin('bad')
    await second.done('good')
    expect(await start().begin('bad')).toBe('poison')
  })
})

describe('the disk', () => {
  test.each(['ENOSPC', 'EROFS', 'EIO'])('%s stops no state', async errno => {
    const { fs } = troubledFs(() => errno)
    const { start } = await processes({ fs })
    for (let i = 0; i < 4; i++) expect(await start().begin('any')).toBe('go')
    await start().done('any')
  })

  test.each(['', '{', '[]', '{"hash":"bad","tries":"9","at":0}', 'x'.repeat(5000)])(
    'a mark of %j is none',
    async text => {
      const { directory, start } = await processes()
      await writeFile(join(directory, 'attempt'), text)
      expect(await start().begin('bad')).toBe('go')
    },
  )

  test('a link in its place is not followed', async () => {
    const { directory, start } = await processes()
    const target = join(await tempFolder(), 'target')
    await writeFile(target, JSON.stringify({ hash: 'bad', tries: 9, at: 0 }))
    await symlink(target, join(directory, 'attempt'))
    expect(await start().begin('bad')).toBe('go')
  })
})
