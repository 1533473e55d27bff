/** `fairlead agent`: the daemon of a proxy node. */
import { destination } from 'pino'
import { Registry } from 'prom-client'
import { createAgent } from '../agent/agent.ts'
import { type AgentConfig, sourceFault } from '../agent/config.ts'
import { loadToken } from '../agent/identity.ts'
import { createNotifier, type Notifier, parseNotifyEnvironment } from '../agent/notify.ts'
import { createLogger } from '../lib/logger.ts'
import { fairleadVersion } from '../lib/version.ts'
import { defineCommand } from './command.ts'
import { aborted, asDaemon, keepRunningUnread, type LastWord } from './daemon.ts'
import { CliError, type ExitCode, type Io } from './io.ts'
import { CONFIG_OPTION, loadAgentConfig } from './load-config.ts'
import { createReloadableAgent } from './reloadable-agent.ts'

/** systemd would wait 90 s; Traefik's held polls and a save take far less. */
const STOP_DEADLINE_MS = 10_000
const MAX_BUFFERED_LOG_BYTES = 8 * 1024 * 1024

async function loadSettings(named: string | null, io: Io): Promise<AgentConfig> {
  const { config } = await loadAgentConfig(named, io)
  const fault = sourceFault(config)
  if (fault !== null) throw new CliError(2, [fault])
  return config
}

/** Secrets that are there and wrong are bad input; all else that keeps the agent from starting is something that is not there. */
const INPUT_CODES = ['SECRET_FILE_NOT_PRIVATE', 'SECRET_FILE_INVALID', 'IDENTITY_INVALID']

/** One sentence with the way out, which the errors of our own parts bring along. */
function startFault(error: unknown): CliError {
  if (error instanceof CliError) return error
  const message = error instanceof Error ? error.message : String(error)
  const remedy = error instanceof Error && 'remedy' in error ? error.remedy : null
  const code = error instanceof Error && 'code' in error ? error.code : null
  const sentence =
    typeof remedy === 'string'
      ? `${message.replace(/\.$/, '')}; ${remedy.charAt(0).toLowerCase()}${remedy.slice(1)}`
      : message
  return new CliError(INPUT_CODES.some(known => known === code) ? 2 : 3, [`the agent cannot start: ${sentence}`], {
    cause: error,
  })
}

/** For the agents within: that one of them stops is not the end of the service. */
const withoutEnd = (notifier: Notifier): Notifier => ({ ...notifier, stopping: () => {}, stop: async () => {} })

async function runAgent(named: string | null, io: Io): Promise<ExitCode> {
  keepRunningUnread()
  // For tests of a crash: the process kills itself at this step of saving its state.
  const { FAIRLEAD_FAILPOINT: failpoint, ...env } = io.env
  const settingsIo = { ...io, env }
  const first = await loadSettings(named, settingsIo)

  const output = destination({ fd: 1, sync: false, maxLength: MAX_BUFFERED_LOG_BYTES })
  // A full disk under the log must not end the agent.
  output.on('error', () => {})
  const logger = createLogger({ level: first.log.level, destination: output })
  const log = logger.child({ component: 'main' })
  const notifier = createNotifier({ ...parseNotifyEnvironment(env, process.pid), logger })

  function lastWord(word: LastWord): void {
    if (word.kind === 'uncaught') log.fatal({ err: word.error }, 'uncaught fault, the agent ends')
    else if (word.kind === 'late') log.error({ afterMs: word.afterMs }, 'the agent did not stop in time')
    else log.warn({ signal: word.signal }, 'second signal, the agent ends at once')
    output.flushSync()
  }

  let lost: (error: unknown) => void = () => {}
  const agent = createReloadableAgent({
    load: () => loadSettings(named, settingsIo),
    make: config => {
      const made = createAgent({
        config,
        logger: createLogger({ level: config.log.level, destination: output }),
        registry: new Registry(),
        version: fairleadVersion(),
        ownAddresses: io.ownAddresses,
        notifier: withoutEnd(notifier),
        ...(failpoint === undefined
          ? {}
          : {
              failpoint: name => {
                if (name === failpoint) process.kill(process.pid, 'SIGKILL')
              },
            }),
      })
      const start = async (): Promise<void> => {
        // Looked at before anything is opened, as every other secret: who else can read it, and whether it is one word.
        if (config.provider.tokenFile !== null) await loadToken(config.provider.tokenFile)
        await made.start()
      }
      return { start, stop: made.stop }
    },
    logger: log,
    notifier,
    onLost: error => lost(error),
  })

  return asDaemon({ stopDeadlineMs: STOP_DEADLINE_MS, reload: () => void agent.reload(), lastWord }, async stop => {
    const gone = new Promise<never>((_, reject) => {
      lost = reject
    })
    const started = agent.start()
    // Whoever is first: a start can take as long as a control plane makes it wait.
    await Promise.race([started, aborted(stop)]).catch(error => {
      throw startFault(error)
    })
    started.catch(() => {})
    try {
      await Promise.race([aborted(stop), gone])
    } catch (err) {
      log.fatal({ err }, 'the agent starts with neither the new settings nor the old ones')
      return 1
    }
    log.info({ cause: String(stop.reason) }, 'stopping')
    notifier.stopping()
    const clean = await agent.stop().then(
      () => true,
      err => {
        log.error({ err }, 'the agent could not be stopped cleanly')
        return false
      },
    )
    await notifier.stop()
    log.info('stopped')
    output.flushSync()
    return clean ? 0 : 1
  })
}

export const agentCommand = defineCommand({
  name: 'agent',
  usage: '[options]',
  about: [
    'The daemon of a proxy node. It is the HTTP provider that Traefik polls: it takes routes from\nlocal files, a control plane or both, serves them to Traefik, reads back what became of each,\nand tells so on its admin endpoint (/status, /metrics, /readyz). It logs JSON lines to stdout.',
    'SIGTERM and SIGINT stop it; a second one at once. SIGHUP makes it read its settings again:\nwrong ones are logged, and the old ones stay.',
  ],
  options: { config: CONFIG_OPTION },
  positionals: { min: 0, max: 0, name: '' },
  examples: [
    { what: 'with the settings of /etc/fairlead/agent.yaml', command: 'fairlead agent' },
    { what: 'with others', command: 'fairlead agent --config ./agent.yaml' },
    {
      what: 'without a file: every setting is a variable, too',
      command: 'FAIRLEAD_SOURCES_FILES_DIRECTORY=/etc/fairlead/routes.d fairlead agent',
    },
  ],
  exitCodes: [
    [0, 'stopped, as it was told to'],
    [1, 'ended by a fault, or by a second signal'],
    [2, 'wrong settings'],
    [3, 'it cannot start: a port is taken, the state directory cannot be used'],
  ],
  run: (args, io) => runAgent(args.text('config'), io),
})
