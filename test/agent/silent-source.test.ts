/** An agent that has lost its state, has no API to ask, and one of its two sources is silent: Traefik may have that one's routes. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { createAgent } from '../../src/agent/agent.ts'
import { parseAgentConfig } from '../../src/agent/config.ts'
import { SYSTEM_CLOCK } from '../../src/lib/clock.ts'
import { atEnd } from '../support/at-end.ts'
import { tcpRoute } from '../support/builders.ts'
import { freePort } from '../support/ports.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

test('it is waited for, and not for ever', async () => {
  const folder = await tempFolder()
  const routes = join(folder, 'routes.d')
  await mkdir(routes)
  await writeFile(join(routes, 'a.json'), JSON.stringify({ tcpRoutes: [tcpRoute()] }))
  await writeFile(join(folder, 'token'), 'a-token-0123456789', { mode: 0o600 })
  // Nobody listens there.
  const urls = [`http://127.0.0.1:${await freePort('tcp')}`]
  const parsed = parseAgentConfig({
    text: JSON.stringify({
      state: { directory: join(folder, 'state') },
      sources: { files: { directory: routes }, controlPlane: { urls, tokenFile: join(folder, 'token') } },
      provider: { listen: '127.0.0.1:0' },
      admin: { listen: '127.0.0.1:0' },
    }),
    fileName: 'agent.yaml',
    env: {},
  })
  if (!parsed.ok) throw new Error(parsed.faults.join('\n'))
  let aheadMs = 0
  const agent = createAgent({
    config: parsed.config,
    logger: pino({ level: 'silent' }),
    registry: new Registry(),
    version: '0.1.0',
    ownAddresses: () => [],
    clock: { ...SYSTEM_CLOCK, monotonic: () => SYSTEM_CLOCK.monotonic() + aheadMs },
  })
  atEnd(() => agent.stop())
  const { provider } = await agent.start()
  await waitFor(() => agent.status().waiting !== null, { what: 'the files to be read' })
  expect(agent.status().waiting).toEqual({ for: 'missing-source', names: ['control-plane'] })
  expect((await fetch(`http://127.0.0.1:${provider}/traefik`)).status).toBe(503)

  aheadMs = 60_000
  await waitFor(async () => (await fetch(`http://127.0.0.1:${provider}/traefik`)).status === 200, {
    what: 'the files to be served',
    timeoutMs: 20_000,
  })
  expect(agent.status().routes.map(({ id, reason }) => [id, reason])).toEqual([['pg', 'NOT_VERIFIED']])
})
