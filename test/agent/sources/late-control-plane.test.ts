import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { expect, test } from 'vitest'
import { createAgent } from '../../../src/agent/agent.ts'
import { parseAgentConfig } from '../../../src/agent/config.ts'
import type { ControlPlaneSource } from '../../../src/agent/sources/control-plane.ts'
import { createLateControlPlane } from '../../../src/agent/sources/late-control-plane.ts'
import { SYSTEM_CLOCK } from '../../../src/lib/clock.ts'
import { SecretFileError } from '../../../src/lib/errors.ts'
import { atEnd } from '../../support/at-end.ts'
import { tcpRoute } from '../../support/builders.ts'
import { tempFolder } from '../../support/temp-folder.ts'
import { waitFor } from '../../support/wait-for.ts'

const logger = pino({ level: 'silent' })

test('credentials that come later are taken then', async () => {
  let there = false
  const calls: string[] = []
  const plane: ControlPlaneSource = {
    name: 'control-plane',
    start: async () => void calls.push('start'),
    stop: async () => void calls.push('stop'),
    status: () => ({ name: 'control-plane', reading: null, fault: null, lastAttemptAt: 1, lastSuccessAt: 1 }),
    mark: () => ({ controlPlaneId: 'cp', epoch: 1, revision: 2 }),
  }
  const source = createLateControlPlane({
    make: async () => {
      if (!there) throw new SecretFileError('SECRET_FILE_MISSING', '/token', 'there is no such file', 'Create it.')
      return plane
    },
    previous: { reading: null, mark: { controlPlaneId: 'cp', epoch: 1, revision: 1 } },
    events: { onChange: () => void calls.push('change') },
    logger,
    clock: SYSTEM_CLOCK,
    retryMs: 5,
  })
  await source.start()
  expect(source.status().fault).toMatchObject({
    code: 'SOURCE_CREDENTIALS_UNREADABLE',
    message: '/token: there is no such file',
    remedy: 'Create it.',
  })
  expect(source.mark()).toEqual({ controlPlaneId: 'cp', epoch: 1, revision: 1 })
  expect(calls).toEqual(['change'])
  there = true
  await waitFor(() => calls.includes('start'))
  expect(source.status().fault).toBeNull()
  expect(source.mark()).toEqual({ controlPlaneId: 'cp', epoch: 1, revision: 2 })
  await source.stop()
  expect(calls).toEqual(['change', 'start', 'stop'])
})

test('stopping ends the wait for credentials', async () => {
  const source = createLateControlPlane({
    make: () => Promise.reject(new Error('no')),
    previous: { reading: null, mark: null },
    events: { onChange: () => {} },
    logger,
    clock: SYSTEM_CLOCK,
    retryMs: 3_600_000,
  })
  await source.start()
  await source.stop()
  expect(source.status().fault?.message).toBe('no')
})

test('an agent without its token serves its files', async () => {
  const folder = await tempFolder()
  const routes = join(folder, 'routes.d')
  await mkdir(routes)
  await writeFile(join(routes, 'pg.json'), JSON.stringify({ tcpRoutes: [tcpRoute()] }))
  const config = parseAgentConfig({
    text: JSON.stringify({
      state: { directory: join(folder, 'state') },
      sources: {
        files: { directory: routes },
        controlPlane: { urls: ['http://127.0.0.1:9'], tokenFile: join(folder, 'missing') },
      },
      provider: { listen: '127.0.0.1:0' },
      admin: { listen: '127.0.0.1:0' },
    }),
    fileName: null,
    env: {},
  })
  if (!config.ok) throw new Error(config.faults.join('\n'))
  // Without an API and without a state a silent source is waited for, for a minute: here it is over at once.
  let aheadMs = 0
  const agent = createAgent({
    clock: { ...SYSTEM_CLOCK, monotonic: () => SYSTEM_CLOCK.monotonic() + aheadMs },
    config: config.config,
    logger,
    registry: new Registry(),
    version: '0.0.0-test',
    ownAddresses: () => [],
  })
  atEnd(() => agent.stop())
  const { provider } = await agent.start()
  aheadMs = 60_000
  const body = await waitFor(async () => {
    const response = await fetch(`http://127.0.0.1:${provider}/traefik`)
    return response.ok && (await response.text())
  })
  expect(body).toContain('"tcp_pg"')
  expect(agent.status().sources.find(({ name }) => name === 'control-plane')?.fault?.code).toBe(
    'SOURCE_CREDENTIALS_UNREADABLE',
  )
})
