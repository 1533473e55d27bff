/** A state that kills the process is left alone after two tries; the last good one goes on serving. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { atEnd } from '../support/at-end.ts'
import { tcpRoute } from '../support/builders.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

const CHILD = new URL('crash-child.ts', import.meta.url).pathname

test('a state that kills the agent is left alone after two tries', async () => {
  const folder = await tempFolder()
  const routes = join(folder, 'routes.d')
  await mkdir(routes)
  const settings = JSON.stringify({
    state: { directory: join(folder, 'state') },
    sources: { files: { directory: routes } },
    provider: { listen: '127.0.0.1:0' },
    admin: { listen: '127.0.0.1:0' },
  })
  const put = (id: string) => writeFile(join(routes, 'routes.json'), JSON.stringify({ tcpRoutes: [tcpRoute({ id })] }))
  const start = (): { child: ChildProcess; output: () => string } => {
    let output = ''
    const child = spawn(process.execPath, [CHILD, settings], { stdio: ['ignore', 'pipe', 'inherit'] })
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    atEnd(() => child.kill('SIGKILL'))
    return { child, output: () => output }
  }
  const body = async (output: () => string): Promise<string> => {
    const port = await waitFor(() => /^(\d+)\n/.exec(output())?.[1], { what: 'the agent to be up' })
    return waitFor(async () => {
      const response = await fetch(`http://127.0.0.1:${port}/traefik`)
      return response.ok && (await response.text())
    })
  }

  await put('good')
  const first = start()
  expect(await body(first.output)).toContain('"tcp_good"')
  first.child.kill('SIGTERM')
  await once(first.child, 'exit')

  await put('poison')
  for (const _ of [1, 2]) {
    const { child } = start()
    expect((await once(child, 'exit'))[1]).toBe('SIGKILL')
  }
  const third = start()
  const served = await body(third.output)
  expect(served).toContain('"tcp_good"')
  expect(served).not.toContain('poison')
  expect(third.child.exitCode).toBeNull()

  // Another state is tried at once.
  await put('mended')
  await waitFor(async () => (await body(third.output)).includes('"tcp_mended"'), { what: 'the mended state' })
})
