/** The examples of docs/api.md, as they stand there, by curl. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createListener, type Listener } from '../../src/control/listener.ts'
import { type ControlApp, controlApp } from '../support/control-app.ts'
import { part } from '../support/parts.ts'

const text = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'api.md'), 'utf8')
// The first sets the two variables, which a reader has to fill in.
const examples = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(match => match[1] ?? '').slice(1)

/** Fails where the answer is a refusal, as a reader would see. */
const STRICT = 'set -eu; curl() { command curl --fail-with-body "$@"; }\n'

describe.skipIf(!part('curl'))('an example', () => {
  let control: ControlApp
  let listener: Listener | undefined
  let env: Record<string, string>
  beforeAll(async () => {
    control = await controlApp()
    listener = createListener(null, (request, response) => control.app.routing(request, response))
    const { port } = await listener.listen({ host: '127.0.0.1', port: 0 })
    env = { FAIRLEAD_URL: `http://127.0.0.1:${port}/api/v1`, FAIRLEAD_TOKEN: control.adminToken }
  }, 180_000)
  afterAll(async () => {
    await listener?.close(0)
    await control.close()
  })

  const run = (script: string): Promise<{ readonly exitCode: number | null; readonly output: string }> =>
    new Promise(resolve => {
      const child = spawn('sh', ['-c', STRICT + script], { env: { ...process.env, ...env } })
      let output = ''
      for (const stream of [child.stdout, child.stderr])
        stream.setEncoding('utf8').on('data', chunk => {
          output += chunk
        })
      child.once('close', exitCode => resolve({ exitCode, output }))
    })

  test.each(examples.map((script, index) => [index + 1, script]))('%i does what it says', async (_number, script) => {
    const { exitCode, output } = await run(String(script))
    expect(exitCode, output).toBe(0)
  })

  test('there are as many as one expects', () => {
    expect(examples).toHaveLength(6)
  })

  test('after them all there is what they made', async () => {
    const names = async (path: string): Promise<string[]> =>
      (await control.asAdmin('GET', path)).json.items.map(({ name }: { name: string }) => name)
    expect([await names('/services'), await names('/tokens')]).toEqual([['orders-db'], ['deploy']])
  })
})
