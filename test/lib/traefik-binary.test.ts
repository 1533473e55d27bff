import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findTraefik } from '../../src/lib/traefik-binary.ts'
import { tempFolder } from '../support/temp-folder.ts'

/** A program for tests: a shell script, which needs nothing on PATH. */
async function script(folder: string, name: string, body: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  const path = join(folder, name)
  await writeFile(path, `#!/bin/sh\n${body}\n`)
  await chmod(path, 0o755)
  return path
}

const answers = (version: string) => `echo 'Version:      ${version}'`

/** Neither a Traefik nor a Python, and an empty cache. */
async function bareEnv() {
  const folder = await tempFolder()
  const [bin, cache] = [join(folder, 'bin'), join(folder, 'cache')]
  await mkdir(bin)
  return { bin, cache, env: { PATH: bin, XDG_CACHE_HOME: cache, HOME: folder } }
}

test('TRAEFIK_BIN beats the installed one', async () => {
  const { bin, env } = await bareEnv()
  await script(bin, 'traefik', answers('3.7.15'))
  const own = await script(join(bin, 'own'), 'my-traefik', answers('3.6.2'))
  const found = await findTraefik({ env: { ...env, TRAEFIK_BIN: own }, prefer: 'installed' })
  expect(found).toEqual({ found: true, path: own, version: '3.6.2', origin: 'TRAEFIK_BIN' })
})

test('a TRAEFIK_BIN that does not run is thrown', async () => {
  const { bin, env } = await bareEnv()
  await script(bin, 'traefik', answers('3.7.15'))
  const finding = findTraefik({ env: { ...env, TRAEFIK_BIN: join(bin, 'nothing') }, prefer: 'installed' })
  await expect(finding).rejects.toMatchObject({ code: 'TRAEFIK_BIN_UNUSABLE' })
})

test('an unsupported one on PATH is passed over', async () => {
  const { bin, env } = await bareEnv()
  await script(bin, 'traefik', answers('2.11.0'))
  const second = join(bin, 'second')
  const newer = await script(second, 'traefik', answers('3.3.0'))
  const found = await findTraefik({ env: { ...env, PATH: `${bin}:${second}` }, prefer: 'installed' })
  expect(found).toEqual({ found: true, path: newer, version: '3.3.0', origin: 'PATH' })
})

test('where there is none, each place says why', async () => {
  const { bin, cache, env } = await bareEnv()
  const old = await script(bin, 'traefik', answers('2.11.0'))
  const found = await findTraefik({ env, prefer: 'pinned', version: '3.7.15', arch: process.arch })
  expect(found).toEqual({
    found: false,
    tried: [
      `cache: nothing in ${cache}/fairlead/traefik-3.7.15-${process.arch}`,
      'pip: python3 -m pip: not there; python -m pip: not there',
      `PATH: ${old} is version 2.11.0, at least 3.3.0 is needed`,
    ],
  })
})

test('a relative folder on PATH is not looked into', async () => {
  const { env } = await bareEnv()
  const found = await findTraefik({ env: { ...env, PATH: '.:bin:' }, prefer: 'installed' })
  expect(found).toMatchObject({ found: false, tried: expect.arrayContaining(['PATH: no traefik there']) })
})

test('a cached folder that was cut off is not used', async () => {
  const { cache, env } = await bareEnv()
  const folder = join(cache, 'fairlead', `traefik-3.7.15-${process.arch}`)
  await script(folder, 'traefik', answers('3.7.15'))
  expect(await findTraefik({ env, prefer: 'pinned' })).toMatchObject({ found: false })
})

test('a download with another hash is thrown away', async () => {
  const { bin, cache, env } = await bareEnv()
  // Stands for pip and for unpacking: what comes is a program, but not the pinned one.
  const pip = [
    'case "$*" in',
    '*--version*) ;;',
    '*download*) ;;',
    '*) for last; do :; done; echo evil > "$last/traefik";;',
    'esac',
  ]
  await script(bin, 'python3', pip.join('\n'))
  await expect(findTraefik({ env, prefer: 'pinned' })).rejects.toMatchObject({ code: 'TRAEFIK_HASH_WRONG' })
  expect(await readdir(join(cache, 'fairlead'))).toEqual([])
})

test('an architecture without a known hash is a reason', async () => {
  const { env } = await bareEnv()
  const found = await findTraefik({ env, prefer: 'pinned', arch: 's390x' })
  expect(found).toEqual({
    found: false,
    tried: [
      'cache: no hash is known for Traefik 3.7.15 for s390x',
      'pip: no hash is known for Traefik 3.7.15 for s390x',
      'PATH: no traefik there',
    ],
  })
})
