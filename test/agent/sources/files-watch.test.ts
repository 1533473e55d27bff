/** The same with the machine's clock and its watches: saves as editors and tools do them. */
import { execFileSync, spawn } from 'node:child_process'
import { copyFile, mkdir, open, rename, rm, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { tempFolder } from '../../support/temp-folder.ts'
import { waitFor } from '../../support/wait-for.ts'
import { fileWith, openFiles } from './files-harness.ts'

type Files = Awaited<ReturnType<typeof openFiles>>

/** So slow by themselves that only a watch can have told. */
const BY_WATCH = { rescanMs: 3_600_000, pollMs: 3_600_000 }

const untilRoutes = (files: Files, ...routes: string[]) =>
  waitFor(() => JSON.stringify(files.routes()) === JSON.stringify(routes), { what: `${routes}` }).catch(() => {
    expect(files.routes()).toEqual(routes)
  })

async function opened(...ids: string[]) {
  const directory = await tempFolder()
  const path = (name: string) => join(directory, name)
  await writeFile(path('a.yaml'), fileWith(...ids))
  const files = await openFiles({ directory, ...BY_WATCH })
  return { directory, path, files }
}

const saves: [string, (path: string, text: string) => Promise<unknown>][] = [
  ['truncate and write', (path, text) => writeFile(path, text)],
  [
    'a shell\u2019s redirection',
    async (path, text) => execFileSync('/bin/sh', ['-c', 'cat > "$1"', 'sh', path], { input: text }),
  ],
  [
    'many small writes',
    async (path, text) => {
      const handle = await open(path, 'w')
      for (const line of text.split(/(?<=\n)/)) await handle.write(line)
      await handle.close()
    },
  ],
  [
    'write beside and rename',
    async (path, text) => {
      await writeFile(`${path}.tmp`, text)
      await rename(`${path}.tmp`, path)
    },
  ],
  [
    'backup by rename, write anew, remove the backup',
    async (path, text) => {
      await rename(path, `${path}~`)
      await writeFile(path, text, { flag: 'wx' })
      await unlink(`${path}~`)
    },
  ],
  [
    'backup by copy, overwrite',
    async (path, text) => {
      await copyFile(path, `${path}~`)
      const handle = await open(path, 'r+')
      await handle.write(text, 0)
      await handle.truncate(Buffer.byteLength(text))
      await handle.close()
    },
  ],
  [
    'delete and write anew',
    async (path, text) => {
      await unlink(path)
      await writeFile(path, text)
    },
  ],
]
test.each(saves)('saved by %s, an edit is taken and nothing else', async (_name, save) => {
  const { path, files } = await opened('r1', 'r2')
  const seen = new Set<string>()
  const { changes } = files
  await save(path('a.yaml'), fileWith('r1', 'r2', 'r3'))
  await waitFor(
    () => {
      seen.add(files.routes().join())
      return files.routes().join() === 'a.yaml: r1 r2 r3'
    },
    { what: 'the new route' },
  )
  await save(path('a.yaml'), fileWith('r1', 'r3'))
  await waitFor(
    () => {
      seen.add(files.routes().join())
      return files.routes().join() === 'a.yaml: r1 r3'
    },
    { what: 'the removal' },
  )
  expect([...seen]).toEqual(['a.yaml: r1 r2', 'a.yaml: r1 r2 r3', 'a.yaml: r1 r3'])
  expect(changes()).toBe(3)
  expect(files.problems()).toEqual([])
})

test('a new file, a deleted one and a broken one are seen', async () => {
  const { path, files } = await opened('r1')
  await writeFile(path('b.json'), '{"tcpRoutes": [{"id": "r2", "upstreams": [], "externalPort": 10002}]}')
  await untilRoutes(files, 'a.yaml: r1', 'b.json: r2')
  await rm(path('a.yaml'))
  await untilRoutes(files, 'b.json: r2')
  await writeFile(path('b.json'), '{"tcpRoutes": [')
  await waitFor(() => files.problems().length > 0, { what: 'the problem' })
  expect(files.problems()).toEqual(['b.json: line 1, column 16: expected a value and found the end of the file'])
  expect(files.routes()).toEqual(['b.json: r2'])
})

test('a link that is exchanged is seen', async () => {
  const { path, files } = await opened('r1')
  await writeFile(path('.v1'), fileWith('r2'))
  await writeFile(path('.v2'), fileWith('r3'))
  await symlink('.v1', path('b.yaml'))
  await untilRoutes(files, 'a.yaml: r1', 'b.yaml: r2')
  await symlink('.v2', path('.link'))
  await rename(path('.link'), path('b.yaml'))
  await untilRoutes(files, 'a.yaml: r1', 'b.yaml: r3')
})

test('a folder removed and made anew is watched again', async () => {
  const { directory, path, files } = await opened('r1')
  const fresh = async (...ids: string[]) => {
    await mkdir(directory)
    await writeFile(path('a.yaml'), fileWith(...ids))
  }
  for (const round of [2, 3, 4]) {
    await rm(directory, { recursive: true })
    await waitFor(() => files.status().fault?.code === 'FILES_DIRECTORY_MISSING', { what: 'the fault' })
    await fresh('r1', `r${round}`)
    await untilRoutes(files, `a.yaml: r1 r${round}`)
    await writeFile(path('a.yaml'), fileWith('r1', `r${round}`, 'r9'))
    await untilRoutes(files, `a.yaml: r1 r${round} r9`)
  }
  await rm(directory, { recursive: true })
  await fresh('r5')
  await untilRoutes(files, 'a.yaml: r5')
  await writeFile(path('a.yaml'), fileWith('r5', 'r6'))
  await untilRoutes(files, 'a.yaml: r5 r6')
})

test('a folder that comes later is watched, parents too', async () => {
  const parent = await tempFolder()
  const directory = join(parent, 'etc', 'routes.d')
  const files = await openFiles({ directory, ...BY_WATCH })
  expect(files.status().reading).toBeNull()
  await mkdir(directory, { recursive: true })
  await waitFor(() => files.status().fault === null, { what: 'the folder' })
  await writeFile(join(directory, 'a.yaml'), fileWith('r1'))
  await untilRoutes(files, 'a.yaml: r1')
})

test('no state is ever seen between two of a busy writer', async () => {
  const { path, files } = await opened('r1', 'r2', 'r3')
  const writer = `
    const { writeFileSync, renameSync } = require('node:fs')
    const [path, a, b] = process.argv.slice(1)
    for (let n = 0; n < 150; n += 1) {
      writeFileSync(path + '.tmp', n % 2 ? a : b)
      renameSync(path + '.tmp', path)
    }
    writeFileSync(path, b)
    renameSync(path, path + '.tmp')
    renameSync(path + '.tmp', path)`
  const [a, b] = [fileWith('r1', 'r2', 'r3'), fileWith('r1', 'r2', 'r3', 'r4')]
  const child = spawn(process.execPath, ['-e', writer, path('a.yaml'), a, b])
  onTestFinished(() => void child.kill())
  const seen = new Set<string>()
  let ended = false
  child.on('exit', () => {
    ended = true
  })
  await waitFor(
    () => {
      seen.add(files.routes().join())
      return ended && files.routes().join() === 'a.yaml: r1 r2 r3 r4'
    },
    { what: 'the last state' },
  )
  for (const state of seen) expect(['a.yaml: r1 r2 r3', 'a.yaml: r1 r2 r3 r4']).toContain(state)
})

test('a thousand routes in one file are read', async () => {
  const { path, files } = await opened('r1')
  const ids = Array.from({ length: 1_000 }, (_, n) => `r${n}`)
  await writeFile(path('a.yaml'), fileWith(...ids))
  await untilRoutes(files, `a.yaml: ${ids.join(' ')}`)
  expect(files.problems()).toEqual([])
})

test('a source that has stopped hears nothing', async () => {
  const { path, files } = await opened('r1')
  await files.source.stop()
  await files.source.stop()
  const before = files.attempts.length
  await writeFile(path('a.yaml'), fileWith('r1', 'r2'))
  const other = await openFiles({ directory: join(path('a.yaml'), '..'), ...BY_WATCH })
  await untilRoutes(other, 'a.yaml: r1 r2')
  expect(files.routes()).toEqual(['a.yaml: r1'])
  expect(files.attempts).toHaveLength(before)
})
