import { chmod, mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createStateDirectory } from '../../src/agent/store/state-directory.ts'
import { atEnd } from '../support/at-end.ts'
import { startProgram } from '../support/program.ts'
import { tempFolder } from '../support/temp-folder.ts'

type Ended = { readonly code: number | null; readonly err: string }

/** On a machine without Traefik, caches and pip. */
async function up(
  folder: string,
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  const program = startProgram(['up', '--state', join(folder, 'state'), ...args], {
    env: { PATH: join(folder, 'nothing'), HOME: folder, XDG_CACHE_HOME: join(folder, 'cache'), ...env },
    cwd: folder,
  })
  const { code } = await program.exit
  return { code, err: program.err() }
}

async function script(path: string, says: string): Promise<void> {
  await writeFile(path, `#!/bin/sh\necho '${says}'\n`)
  await chmod(path, 0o755)
}

test('without any Traefik it names the ways out', async () => {
  const folder = await tempFolder()
  const { code, err } = await up(folder)
  expect(code).toBe(3)
  expect(err).toMatch(
    /^fairlead up: there is no Traefik to run\n {2}PATH {3}no traefik there\n {2}cache {2}nothing in \S+\n {2}pip {4}.*\nWhat to do, one of:\n {2}put Traefik 3\.3\.0 or newer on PATH .*\n {2}name one with --traefik FILE .*\n {2}install pip .*\n$/,
  )
  expect(await readdir(join(folder, 'state'))).toEqual([])
})

test('a program that is no Traefik is refused by its option', async () => {
  const folder = await tempFolder()
  await script(join(folder, 'other'), 'I am something else')
  const { code, err } = await up(folder, ['--traefik', 'other'])
  expect(code).toBe(3)
  expect(err).toContain(`fairlead up: --traefik ${join(folder, 'other')}: this program does not answer \`version\``)
})

test('a Traefik that is too old is refused', async () => {
  const folder = await tempFolder()
  await script(join(folder, 'old'), 'Version: 3.2.9')
  const { code, err } = await up(folder, [], { TRAEFIK_BIN: './old' })
  expect(code).toBe(3)
  expect(err).toContain(
    `fairlead up: ${join(folder, 'old')} is Traefik 3.2.9, and 3.3.0 or newer is needed.\nWhat to do, one of:\n`,
  )
})

test('pools that make no sense are bad usage', async () => {
  const { code, err } = await up(await tempFolder(), [], { FAIRLEAD_PORTS_UDP: '1-2-3,x' })
  expect(code).toBe(2)
  expect(err.split('\n').map(line => line.replace(/;.*/, ''))).toEqual([
    'fairlead up: FAIRLEAD_PORTS_UDP: "1-2-3" is not a range',
    'fairlead up: FAIRLEAD_PORTS_UDP: "x" is not a port number',
    '',
  ])
})

test('a folder where another one runs is refused', async () => {
  const folder = await tempFolder()
  const state = join(folder, 'state')
  const directory = createStateDirectory({ path: state })
  await directory.ensure()
  atEnd(() => directory.close())
  expect(await up(folder)).toEqual({
    code: 3,
    err: `fairlead up: state directory ${state} is in use by process ${process.pid}; another fairlead up runs there; stop it with Ctrl-C or kill ${process.pid}, or name another folder with --state\n`,
  })
})

test('a folder that others may write is refused', async () => {
  const folder = await tempFolder()
  const state = join(folder, 'state')
  await mkdir(state)
  await chmod(state, 0o777)
  expect(await up(folder)).toEqual({
    code: 3,
    err: `fairlead up: state directory ${state} has mode 0777, so others may put files into it; chmod 0700 ${state}, or name another folder with --state\n`,
  })
})

test('a file in place of the folder is refused', async () => {
  const folder = await tempFolder()
  await writeFile(join(folder, 'state'), '')
  const { code, err } = await up(folder)
  expect({ code, err }).toEqual({
    code: 3,
    err: `fairlead up: state directory ${join(folder, 'state')} is not a directory; move the file away, or name another folder with --state\n`,
  })
})
