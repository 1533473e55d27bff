/**
 * One agent at a time, exchanged for another when its settings change.
 *
 *   reload -> read the settings again -> wrong: said, the agent goes on -> equal: nothing -> other: stop, start with the new ones
 *                                                                       that does not start: the old ones again
 *
 * Between the two there is no provider endpoint for some milliseconds; Traefik keeps what it has and asks again.
 */
import { readFile } from 'node:fs/promises'
import type { Logger } from 'pino'
import type { AgentConfig } from '../agent/config.ts'
import type { Notifier } from '../agent/notify.ts'
import { contentHash } from '../core/hash.ts'
import { CliError } from './io.ts'

export type StartStop = { readonly start: () => Promise<unknown>; readonly stop: () => Promise<void> }

export type ReloadableAgentOptions = {
  /** Throws a CliError with every fault of the settings. */
  readonly load: () => Promise<AgentConfig>
  readonly make: (config: AgentConfig) => StartStop
  readonly logger: Logger
  readonly notifier: Pick<Notifier, 'reloading' | 'ready' | 'status'>
  /** Neither the new settings nor the old ones start any more. */
  readonly onLost: (error: unknown) => void
}

export type ReloadableAgent = {
  /** Rejects when the settings are wrong or the agent does not start; then nothing is open. */
  readonly start: () => Promise<void>
  /** Never rejects. Those that come while one goes on are done after it. */
  readonly reload: () => Promise<void>
  /** Also ends a start or a reload that goes on. Rejects when a part could not be closed. */
  readonly stop: () => Promise<void>
}

const readOr = async (path: string | null): Promise<string | null> =>
  path === null ? null : readFile(path, 'utf8').catch(() => null)

/** Of the settings and of the files with secrets that they name: a token that was exchanged counts as a change. */
async function fingerprint(config: AgentConfig): Promise<string> {
  const plane = config.sources.controlPlane
  const files = [
    config.provider.tokenFile,
    plane?.tokenFile ?? null,
    plane?.caFile ?? null,
    plane?.identityFile ?? null,
  ]
  // A set of ports has functions beside its text, and networks have big integers.
  const plain: unknown = JSON.parse(
    JSON.stringify(config, (_key, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)),
  )
  return contentHash([plain, ...(await Promise.all(files.map(readOr)))])
}

export function createReloadableAgent(options: ReloadableAgentOptions): ReloadableAgent {
  const { load, make, logger, notifier, onLost } = options
  let running: { readonly config: AgentConfig; readonly print: string; readonly agent: StartStop } | null = null
  let queue: Promise<void> = Promise.resolve()
  let stopping = false

  async function run(config: AgentConfig): Promise<void> {
    running = { config, print: await fingerprint(config), agent: make(config) }
    if (!stopping) await running.agent.start()
  }

  /** True when an agent was started: it tells systemd by itself that it is ready. */
  async function exchange(next: AgentConfig): Promise<boolean> {
    if (running === null || stopping) return false
    const { config: before, print, agent } = running
    if ((await fingerprint(next)) === print) {
      logger.info('settings are unchanged')
      return false
    }
    try {
      // What does not close by itself is logged by its part; the new agent says so when it is in the way.
      await agent.stop().catch(() => {})
      await run(next)
      logger.info('the new settings are in use')
    } catch (err) {
      if (stopping) return false
      logger.error({ err }, 'the agent does not start with the new settings, the old ones are used again')
      await run(before)
    }
    return true
  }

  async function reloadOnce(): Promise<void> {
    if (stopping) return
    notifier.reloading()
    try {
      if (await exchange(await load())) return
    } catch (error) {
      if (stopping) return
      if (!(error instanceof CliError)) return onLost(error)
      logger.error({ faults: error.sentences }, 'the new settings are wrong, the old ones stay')
      notifier.status(`the new settings are wrong, the old ones stay: ${error.sentences[0] ?? ''}`)
    }
    notifier.ready()
  }

  return {
    start: async () => run(await load()),
    reload() {
      queue = queue.then(reloadOnce)
      return queue
    },
    async stop() {
      stopping = true
      await running?.agent.stop()
      await queue
      // A reload that was under way may have made another one meanwhile.
      await running?.agent.stop()
    },
  }
}
