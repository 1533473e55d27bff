/** What could change between the look at a file and its opening. */
import { execFileSync } from 'node:child_process'
import { mkdir, symlink, unlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Folder, lookAt, readBytes, readFolder, type Sight } from '../../../src/agent/sources/files-read.ts'
import { tempFolder } from '../../support/temp-folder.ts'

async function seen(): Promise<{ parent: string; path: string; folder: Folder; sight: Sight }> {
  const parent = await tempFolder()
  const directory = join(parent, 'routes.d')
  await mkdir(directory)
  await writeFile(join(directory, 'a.yaml'), 'tcpRoutes: []\n', { mode: 0o644 })
  const folder = await readFolder(directory)
  if ('code' in folder) throw new Error(folder.message)
  const looked = await lookAt(directory, folder, { name: 'a.yaml', kind: 'file' })
  if (looked.kind !== 'file') throw new Error(looked.kind)
  return { parent, path: join(directory, 'a.yaml'), folder, sight: looked.sight }
}

test('a file as it was seen is read', async () => {
  const { folder, sight } = await seen()
  expect(await readBytes(folder, sight)).toEqual({ kind: 'read', bytes: Buffer.from('tcpRoutes: []\n'), sight })
})

test('a link that took its place is not followed', async () => {
  const { parent, path, folder, sight } = await seen()
  await writeFile(join(parent, 'secret'), 'secret')
  await unlink(path)
  await symlink('../secret', path)
  expect(await readBytes(folder, sight)).toEqual({ kind: 'moving' })
})

test('a FIFO that took its place is not waited for', async () => {
  const { path, folder, sight } = await seen()
  await unlink(path)
  execFileSync('mkfifo', [path])
  expect(await readBytes(folder, sight)).toMatchObject({
    kind: 'refused',
    refusal: { message: 'the file is a FIFO, not a regular file' },
  })
})

test('a folder on the way that became a link is noticed', async () => {
  const { parent, folder, sight } = await seen()
  await mkdir(join(parent, 'out'))
  await writeFile(join(parent, 'out', 'a.yaml'), 'tcpRoutes: []\n', { mode: 0o644 })
  await symlink('../out', join(parent, 'routes.d', 'sub'))
  expect(await readBytes(folder, { ...sight, path: join(parent, 'routes.d', 'sub', 'a.yaml') })).toMatchObject({
    kind: 'refused',
    refusal: { message: `the link leads out of the folder, to ${folder.realPath.replace(/routes\.d$/, 'out/a.yaml')}` },
  })
})

test('a file that went away is not a fault', async () => {
  const { path, folder, sight } = await seen()
  await unlink(path)
  expect(await readBytes(folder, sight)).toEqual({ kind: 'moving' })
})
