/** Folders and files that cannot or must not be read: nothing hangs, nothing is wiped, each is named. */
import { execFileSync } from 'node:child_process'
import { chmod, chown, mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { tempFolder } from '../../support/temp-folder.ts'
import { waitFor } from '../../support/wait-for.ts'
import { fileWith, openStepped } from './files-harness.ts'

const isRoot = process.getuid?.() === 0

/** As a user without rights on files of others; root would be let in everywhere. */
function dropRights(): void {
  if (!isRoot) return
  process.seteuid?.(65_534)
  onTestFinished(() => process.seteuid?.(0))
}

async function folder() {
  const parent = await tempFolder()
  await chmod(parent, 0o755)
  const directory = join(parent, 'routes.d')
  await mkdir(directory)
  const path = (name: string) => join(directory, name)
  return {
    parent,
    directory,
    path,
    write: (name: string, text: string) => writeFile(path(name), text),
  }
}

describe('a folder that cannot be read', () => {
  test('a missing folder is a fault and no reading', async () => {
    const { parent } = await folder()
    const directory = join(parent, 'none', 'routes.d')
    const { start, status, attempts, changes, logged } = openStepped({ directory })
    await start()
    expect(status()).toEqual({
      name: 'files',
      reading: null,
      fault: {
        code: 'FILES_DIRECTORY_MISSING',
        message: `${directory} is not there`,
        remedy: expect.stringMatching(/^Make the folder, or mount it/),
        since: expect.any(Number),
      },
      lastAttemptAt: expect.any(Number),
      lastSuccessAt: null,
    })
    expect(attempts).toEqual(['FILES_DIRECTORY_MISSING'])
    expect(changes()).toBe(1)
    expect(logged('warn')).toEqual(['routes folder cannot be read'])
  })

  test('it is read as soon as it is there', async () => {
    const { parent } = await folder()
    const directory = join(parent, 'later')
    const { start, status, routes, pass, changes, attempts, logged } = openStepped({ directory })
    await start()
    await pass(1_000)
    expect(attempts).toEqual(['FILES_DIRECTORY_MISSING', 'FILES_DIRECTORY_MISSING'])
    expect(changes()).toBe(1)
    expect(logged('warn')).toHaveLength(1)
    await mkdir(directory)
    await writeFile(join(directory, 'a.yaml'), fileWith('r1'))
    await pass(1_000)
    expect(status().fault).toBeNull()
    expect(routes()).toEqual(['a.yaml: r1'])
  })

  test('a folder that is removed keeps its routes', async () => {
    const { directory, write } = await folder()
    await write('a.yaml', fileWith('r1'))
    await write('b.yaml', fileWith('r2'))
    const { start, look, pass, later, status, routes, reading } = openStepped({ directory })
    await start()
    const before = reading()
    await rm(join(directory, 'b.yaml'))
    await look()
    await rm(directory, { recursive: true })
    await look()
    await pass(3_600_000)
    expect(status().fault?.code).toBe('FILES_DIRECTORY_MISSING')
    expect(reading()).toBe(before)
    // Back again, with the files coming one by one: the time of a missing one begins anew.
    await mkdir(directory)
    await write('a.yaml', fileWith('r1'))
    await look()
    await later(149)
    expect(routes()).toEqual(['a.yaml: r1', 'b.yaml: r2'])
    await write('b.yaml', fileWith('r2', 'r3'))
    await look()
    await pass(10)
    expect(status().fault).toBeNull()
    expect(routes()).toEqual(['a.yaml: r1', 'b.yaml: r2 r3'])
  })

  test('a folder left empty is an empty reading', async () => {
    const { directory, write, path } = await folder()
    await write('a.yaml', fileWith('r1'))
    const { start, look, pass, status, reading } = openStepped({ directory })
    await start()
    await rm(path('a.yaml'))
    await look()
    await pass(150)
    expect(status().fault).toBeNull()
    expect(reading()).toMatchObject({ routes: [], documents: 0, removed: [] })
  })

  test('the last reading of the process before stays', async () => {
    const { directory, write, parent } = await folder()
    await write('a.yaml', fileWith('r1'))
    const before = openStepped({ directory })
    await before.start()
    await before.source.stop()
    await rename(directory, join(parent, 'away'))
    const { start, routes, status, changes } = openStepped({ directory, previous: before.reading() })
    await start()
    expect(routes()).toEqual(['a.yaml: r1'])
    expect(status().fault?.code).toBe('FILES_DIRECTORY_MISSING')
    expect(changes()).toBe(1)
  })

  test('a file in its place is a fault', async () => {
    const { path, write } = await folder()
    await write('file', 'x')
    const { start, status } = openStepped({ directory: path('file') })
    await start()
    expect(status().fault).toMatchObject({ code: 'FILES_NOT_A_DIRECTORY', message: `${path('file')} is not a folder` })
  })

  test('a folder without the right to read it is a fault', async () => {
    const { directory, write } = await folder()
    await write('a.yaml', fileWith('r1'))
    const { start, look, status, routes } = openStepped({ directory })
    await start()
    await chmod(directory, 0o000)
    onTestFinished(() => chmod(directory, 0o755))
    dropRights()
    await look()
    expect(status().fault).toMatchObject({
      code: 'FILES_DIRECTORY_UNREADABLE',
      message: `${directory} cannot be read: EACCES`,
      remedy: expect.stringMatching(/^Give the user of the agent the right/),
    })
    expect(routes()).toEqual(['a.yaml: r1'])
  })

  test('a folder that does not answer is a fault', async () => {
    const { directory, write } = await folder()
    await write('a.yaml', fileWith('r1'))
    const { source, status, clock, routes } = openStepped({ directory, answerMs: 5_000 })
    const started = source.start()
    clock.advance(5_000)
    await started
    expect(status().fault).toMatchObject({
      code: 'FILES_DIRECTORY_UNREADABLE',
      message: `${directory} has not answered for 5 s`,
    })
    // It answers after all.
    await waitFor(() => status().fault === null, { what: 'the end of the fault' })
    clock.advance(10)
    await waitFor(() => routes().length > 0, { what: 'the routes' })
  })
})

describe('a file that must not be read', () => {
  /** Its routes are those of the last good reading, and its one problem is as given. */
  async function spoiled(spoil: (at: { path: string; parent: string; directory: string }) => Promise<unknown>) {
    const { directory, parent, write, path } = await folder()
    await write('a.yaml', fileWith('r1'))
    await write('b.yaml', fileWith('r2'))
    const source = openStepped({ directory })
    await source.start()
    await spoil({ path: path('a.yaml'), parent, directory })
    await source.look()
    await source.pass(150)
    expect(source.routes()).toEqual(['a.yaml: r1', 'b.yaml: r2'])
    expect(source.status().fault).toBeNull()
    const [problem, ...others] = source.reading().problems
    expect(others).toEqual([])
    expect(problem).toMatchObject({ code: 'DOCUMENT_INVALID', origin: 'a.yaml', protocol: null })
    return { message: problem?.message, remedy: problem?.remedy, source, path: path('a.yaml') }
  }

  test('a link out of the folder is refused', async () => {
    const { message, remedy } = await spoiled(async ({ path, parent }) => {
      await rm(path)
      await writeFile(join(parent, 'secret.yaml'), fileWith('r9'))
      await symlink('../secret.yaml', path)
    })
    expect(message).toMatch(/^the link leads out of the folder, to \/.*\/secret\.yaml$/)
    expect(remedy).toMatch(/^Copy the file into the folder/)
  })

  test('a link through a folder outside is refused', async () => {
    const { message } = await spoiled(async ({ path, parent, directory }) => {
      await mkdir(join(parent, 'out'))
      await rename(path, join(parent, 'out', 'a.yaml'))
      await symlink('../out', join(directory, 'sub'))
      await symlink('sub/a.yaml', path)
    })
    expect(message).toMatch(/^the link leads out of the folder, to \/.*\/out\/a\.yaml$/)
  })

  test('links to nothing and to themselves are refused', async () => {
    const nothing = await spoiled(async ({ path }) => {
      await rm(path)
      await symlink('none.yaml', path)
    })
    expect(nothing.message).toBe('the link leads to nothing')
    const round = await spoiled(async ({ path }) => {
      await rm(path)
      await symlink('a.yaml', path)
    })
    expect(round.message).toBe('the link cannot be followed: ELOOP')
  })

  test('a FIFO is refused and does not hang', async () => {
    const { message } = await spoiled(async ({ path }) => {
      await rm(path)
      execFileSync('mkfifo', [path])
    })
    expect(message).toBe('the file is a FIFO, not a regular file')
  })

  test('a link to a FIFO is refused too', async () => {
    const { message } = await spoiled(async ({ path, directory }) => {
      await rm(path)
      execFileSync('mkfifo', [join(directory, 'pipe')])
      await symlink('pipe', path)
    })
    expect(message).toBe('the file is a FIFO, not a regular file')
  })

  test('a socket and a folder are refused', async () => {
    const socket = await spoiled(async ({ path }) => {
      await rm(path)
      const server = createServer().listen(path)
      onTestFinished(() => void server.close())
      await new Promise(resolve => server.once('listening', resolve))
    })
    expect(socket.message).toBe('the file is a socket, not a regular file')
    const directory = await spoiled(async ({ path }) => {
      await rm(path)
      await mkdir(path)
    })
    expect(directory.message).toBe('the file is a folder, not a regular file')
  })

  test('a file that anyone may write is refused until that ends', async () => {
    const { message, remedy, source, path } = await spoiled(({ path: at }) => chmod(at, 0o666))
    expect(message).toBe('anyone on this machine may write the file (mode 0666)')
    expect(remedy).toBe('Run chmod o-w on it.')
    await chmod(path, 0o664)
    await source.look()
    expect(source.reading().problems).toEqual([])
  })

  test.skipIf(!isRoot)('a stranger\u2019s file in an open folder is refused (needs root to make one)', async () => {
    const { message } = await spoiled(async ({ path, directory }) => {
      await chmod(directory, 0o1777)
      await chown(path, 12_345, 12_345)
    })
    expect(message).toBe('the file belongs to user 12345, and anyone may put files into the folder')
  })

  test('a huge file is refused unread', async () => {
    const { message } = await spoiled(({ path }) => truncate(path, 40 * 1024 ** 3))
    expect(message).toBe('the file has 42949672960 bytes, more than the 8388608 that are read')
  })

  test('a file without the right to read it is refused, and read later', async () => {
    const { directory, write, path } = await folder()
    await write('a.yaml', fileWith('r1'))
    const { start, look, pass, later, routes, problems } = openStepped({ directory })
    await start()
    await writeFile(path('a.yaml'), fileWith('r1', 'r2'))
    await chmod(path('a.yaml'), 0o000)
    dropRights()
    await look()
    await later(150)
    expect(routes()).toEqual(['a.yaml: r1'])
    expect(problems()).toEqual(['a.yaml: the file cannot be read: EACCES'])
    if (isRoot) {
      // The file is the same from outside, so it is the passing fault that has it tried again.
      process.seteuid?.(0)
      await pass(1_000)
    } else {
      await chmod(path('a.yaml'), 0o644)
      await pass(1_000)
      await pass(10)
    }
    expect(routes()).toEqual(['a.yaml: r1 r2'])
    expect(problems()).toEqual([])
  })

  test('a name that is not UTF-8 is refused', async () => {
    const { directory } = await folder()
    await writeFile(
      Buffer.concat([Buffer.from(`${directory}/caf`), Buffer.from([0xe9]), Buffer.from('.yaml')]),
      fileWith('r1'),
    )
    const { start, problems, routes } = openStepped({ directory })
    await start()
    expect(problems()).toEqual(['caf\ufffd.yaml: the name of the file is not UTF-8'])
    expect(routes()).toEqual([])
  })
})

describe('without a watch', () => {
  test('a watch that breaks is replaced by looking each second', async () => {
    const { directory, write } = await folder()
    await write('a.yaml', fileWith('r1'))
    const { start, watches, pass, routes, logged, attempts } = openStepped({ directory })
    await start()
    watches.at(-1)?.onBroken(Object.assign(new Error('no watches left'), { code: 'ENOSPC' }))
    await waitFor(() => attempts.length >= 3, { what: 'the look after the break' })
    await write('a.yaml', fileWith('r1', 'r2'))
    await pass(1_000)
    await pass(10)
    expect(routes()).toEqual(['a.yaml: r1 r2'])
    expect(logged('warn')).toEqual(['routes folder cannot be watched, looking at intervals'])
    expect(watches).toHaveLength(1)
    await pass(30_000)
    expect(watches).toHaveLength(2)
  })

  test('a lost event is made good by the next look', async () => {
    const { directory, write } = await folder()
    await write('a.yaml', fileWith('r1'))
    const { start, pass, routes } = openStepped({ directory })
    await start()
    await write('a.yaml', fileWith('r1', 'r2'))
    await pass(30_000)
    await pass(10)
    expect(routes()).toEqual(['a.yaml: r1 r2'])
  })

  test('a file behind a link is looked at each second', async () => {
    const { directory, write, path } = await folder()
    await mkdir(path('sub'))
    await write('sub/real', fileWith('r1'))
    await symlink('sub/real', path('a.yaml'))
    const { start, pass, routes } = openStepped({ directory })
    await start()
    await write('sub/real', fileWith('r1', 'r2'))
    await pass(1_000)
    await pass(10)
    expect(routes()).toEqual(['a.yaml: r1 r2'])
  })

  test('a new folder of the same name gets a new watch', async () => {
    const { directory, write } = await folder()
    await write('a.yaml', fileWith('r1'))
    const { start, watches, look } = openStepped({ directory })
    await start()
    await rm(directory, { recursive: true })
    await mkdir(directory)
    await look()
    expect(watches).toHaveLength(2)
  })
})
