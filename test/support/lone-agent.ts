/** A real agent with a folder of files and without any Traefik, and the settings by which a command finds it. */
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { type Agent, createAgent } from '../../src/agent/agent.ts'
import { parseAgentConfig } from '../../src/agent/config.ts'
import { atEnd } from './at-end.ts'
import type { Lists } from './builders.ts'
import { configFor } from './status.ts'
import { tempFolder } from './temp-folder.ts'

export type LoneAgent = {
  readonly agent: Agent
  /** Path of a settings file with its real ports. */
  readonly config: string
  readonly folder: string
  /** Writes a file of routes at once, by rename. */
  write(name: string, lists: Lists): Promise<void>
}

/** @param settings merged into those of the agent at the top level */
export async function startLoneAgent(
  files: Readonly<Record<string, Lists>>,
  settings: Readonly<Record<string, unknown>> = {},
): Promise<LoneAgent> {
  const folder = await tempFolder()
  const routes = join(folder, 'routes.d')
  await mkdir(routes)
  const write = async (name: string, lists: Lists): Promise<void> => {
    await writeFile(join(folder, name), JSON.stringify(lists))
    await rename(join(folder, name), join(routes, name))
  }
  for (const [name, lists] of Object.entries(files)) await write(name, lists)
  const common = {
    node: 'proxy-1',
    state: { directory: join(folder, 'state') },
    sources: { files: { directory: routes } },
    ...settings,
  }
  const parsed = parseAgentConfig({
    text: JSON.stringify({ ...common, provider: { listen: '127.0.0.1:0' }, admin: { listen: '127.0.0.1:0' } }),
    fileName: 'agent.yaml',
    env: {},
  })
  if (!parsed.ok) throw new Error(parsed.faults.join('\n'))
  const agent = createAgent({
    config: parsed.config,
    logger: pino({ level: 'silent' }),
    registry: new Registry(),
    version: '0.1.0',
    ownAddresses: () => [],
  })
  atEnd(() => agent.stop())
  const ports = await agent.start()
  const seen = Object.entries({ ...common, provider: { listen: `127.0.0.1:${ports.provider}` } })
  const lines = seen.map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`).join('')
  return { agent, folder, write, config: await configFor(ports.admin, lines) }
}
