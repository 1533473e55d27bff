/** Ten thousand agents that vanish while they are held: nothing of them may stay. */
import { readdirSync } from 'node:fs'
import { request } from 'node:http'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { atEnd } from '../support/at-end.ts'
import { controlApp } from '../support/control-app.ts'
import { manyNodes } from '../support/node-client.ts'
import { waitFor } from '../support/wait-for.ts'

const PATH = '/api/v1/agent/expected-state'
const AT_ONCE = 250
const MIB = 1024 * 1024

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')
const openFiles = (): number => readdirSync('/proc/self/fd').length

test('polls that are given up leave nothing behind', async () => {
  const control = await controlApp()
  atEnd(() => control.close())
  const nodes = await manyNodes(control, control.database, AT_ONCE)
  const etags = await Promise.all(
    nodes.map(async node => String((await node.get('/agent/expected-state')).headers.etag)),
  )
  const address = new URL(await control.app.listen({ host: '127.0.0.1', port: 0 }))
  const { hub } = control.deps

  async function round(): Promise<void> {
    const polls = nodes.map((node, i) => {
      const headers = { ...node.sign('GET', PATH), 'if-none-match': etags[i], prefer: 'wait=60' }
      const poll = request({ host: '127.0.0.1', port: address.port, path: PATH, agent: false, headers })
      poll.on('error', () => {})
      return poll.end()
    })
    await waitFor(() => hub.stats().waiting === AT_ONCE, { what: 'all of them to be held', timeoutMs: 120_000 })
    for (const poll of polls) poll.destroy()
    await waitFor(() => hub.stats().waiting === 0, { what: 'all of them to be freed', timeoutMs: 120_000 })
  }
  const settled = async (files: number) => {
    await waitFor(() => openFiles() <= files + 5, { what: 'the connections to be closed', timeoutMs: 120_000 })
    collectGarbage()
    return process.memoryUsage().heapUsed
  }

  const files = openFiles()
  // What is made once (caches, compiled code) is made by these.
  for (let i = 0; i < 10; i++) await round()
  const before = await settled(files)
  for (let i = 0; i < 30; i++) await round()
  const after = await settled(files)
  // 7,500 polls: a kilobyte of each would be seven times as much.
  expect((after - before) / MIB).toBeLessThan(4)
  expect((await nodes[0]?.get('/agent/expected-state'))?.status).toBe(200)
}, 600_000)
