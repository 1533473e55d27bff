/** The process of a control plane: its folder, its log, its signals, and what it says when it is there. */
import { destination, type Logger } from 'pino'
import { Registry } from 'prom-client'
import { createNotifier, parseNotifyEnvironment } from '../../agent/notify.ts'
import { createStateDirectory } from '../../agent/store/state-directory.ts'
import { SYSTEM_ADMIN } from '../../control/access/actor.ts'
import { makeLoginLink } from '../../control/access/login-link.ts'
import { ensureAdminToken } from '../../control/admin-token.ts'
import { type ControlConfig, changedSettings } from '../../control/config.ts'
import { createControl } from '../../control/control.ts'
import { makeId } from '../../control/db/id.ts'
import type { ControlDeps } from '../../control/deps.ts'
import { isFirstStart } from '../../control/first-start.ts'
import { mutate } from '../../control/http/write.ts'
import { createLogger } from '../../lib/logger.ts'
import type { ListenAddress } from '../../lib/setting-types.ts'
import { fairleadVersion } from '../../lib/version.ts'
import { aborted, asDaemon, keepRunningUnread, type LastWord } from '../daemon.ts'
import { CliError, type ExitCode, type Io } from '../io.ts'
import { loadControlConfig } from './load-control-config.ts'
import { forgetAddress, noteAddress, originOf } from './local.ts'

/** Requests at work, then the database, each with a limit of its own. */
const STOP_DEADLINE_MS = 20_000
const MAX_BUFFERED_LOG_BYTES = 8 * 1024 * 1024

/** Secrets and settings that are there and wrong are bad input; all else is something that is not there. */
const INPUT_CODES = [
  'SECRET_FILE_NOT_PRIVATE',
  'SECRET_FILE_INVALID',
  'TLS_FILE_INVALID',
  'TLS_FILE_UNREADABLE',
  'PORTS_STRANDED',
  'DATABASE_REFUSED',
]

const LISTEN_REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'it is taken; stop what has it, or set listen to another port',
  EACCES: 'this user may not open it; take a port of 1024 or more, or give the service CAP_NET_BIND_SERVICE',
  EADDRNOTAVAIL: 'this machine has no such address; correct listen',
}

const REMEDIES: Readonly<Record<string, string>> = {
  STATE_DIRECTORY_LOCKED: 'Stop the control plane that runs there, or set state.directory to another folder.',
}

/** One sentence with the way out, which the errors of our own parts bring along. */
function startFault(error: unknown, listen: ListenAddress): unknown {
  if (error instanceof CliError || !(error instanceof Error)) return error
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const own = 'remedy' in error && typeof error.remedy === 'string' ? error.remedy : null
  const remedy = REMEDIES[code] ?? own
  const reason = LISTEN_REASONS[code]
  const sentence =
    'syscall' in error && reason !== undefined
      ? `port ${listen.port} on ${listen.host} cannot be opened: ${reason}`
      : remedy === null
        ? error.message
        : `${error.message.replace(/\.$/, '')}. ${remedy}`
  return new CliError(INPUT_CODES.includes(code) ? 2 : 3, [`the control plane cannot start: ${sentence}`], {
    cause: error,
  })
}

async function firstLink(deps: ControlDeps, origin: string): Promise<string | null> {
  if (!(await isFirstStart(deps.database))) return null
  let url: string | null = null
  await mutate(deps, { actor: SYSTEM_ADMIN, requestId: makeId('req') }, async m => {
    const link = await makeLoginLink(m, origin)
    url = link.url
    return { status: 201, body: null }
  })
  return url
}

/**
 * Only the certificate can be exchanged while it runs. What else has changed is said, and so is what is wrong: else the next start, at a
 * time that nobody chose, would be the first to tell.
 */
async function lookAtSettings(running: ControlConfig, named: string | null, io: Io, log: Logger): Promise<void> {
  try {
    const changed = changedSettings(running, await loadControlConfig(named, io))
    if (changed.length === 0) log.info('settings are unchanged')
    else log.warn({ changed, remedy: 'Restart the control plane.' }, 'settings have changed, and count after a restart')
  } catch (error) {
    const faults = error instanceof CliError ? error.sentences : [String(error)]
    log.error({ faults }, 'settings in the file are wrong, the control plane would not start with them')
  }
}

async function serve(config: ControlConfig, named: string | null, io: Io): Promise<ExitCode> {
  const directory = createStateDirectory({ path: config.state.directory })
  const output = destination({ fd: 1, sync: false, maxLength: MAX_BUFFERED_LOG_BYTES })
  // A full disk under the log must not end the control plane.
  output.on('error', () => {})
  const logger = createLogger({ level: config.log.level, destination: output })
  const log = logger.child({ component: 'main' })
  const notifier = createNotifier({ ...parseNotifyEnvironment(io.env, process.pid), logger })
  // Where nobody collects the log lines, a person reads.
  const say = (text: string): void => io.err(`${text}\n`)

  function lastWord(word: LastWord): void {
    if (word.kind === 'uncaught') log.fatal({ err: word.error }, 'uncaught fault, the control plane ends')
    else if (word.kind === 'late') log.error({ afterMs: word.afterMs }, 'the control plane did not stop in time')
    else log.warn({ signal: word.signal }, 'second signal, the control plane ends at once')
    output.flushSync()
  }

  try {
    await directory.ensure()
    const control = createControl({
      config,
      logger,
      registry: new Registry(),
      version: fairleadVersion(),
      adminTokenHash: await ensureAdminToken(config.state.directory),
    })
    const reload = (): void => {
      void control.reloadTls()
      void lookAtSettings(config, named, io, log)
    }
    return await asDaemon({ stopDeadlineMs: STOP_DEADLINE_MS, reload, lastWord }, async stop => {
      const address = await control.start()
      const origin = config.publicUrl ?? originOf(config, address)
      try {
        await noteAddress(config, address)
        log.info({ url: origin }, 'listening')
        say(`Control plane  ${origin}`)
        // It answers, if only that it waits for its database: what systemd may know of.
        notifier.ready()
        notifier.startWatchdog(() => true)
        const ready = control.ready()
        await Promise.race([ready, aborted(stop)])
        if (!stop.aborted) {
          const link = await firstLink(await ready, origin)
          if (link !== null) say(`Sign in once   ${link}`)
        }
        await aborted(stop)
        log.info({ cause: String(stop.reason) }, 'stopping')
        notifier.stopping()
      } finally {
        await forgetAddress(config)
      }
      const clean = await control.stop().then(
        () => true,
        err => {
          log.error({ err }, 'the control plane could not be stopped cleanly')
          return false
        },
      )
      await notifier.stop()
      log.info('stopped')
      output.flushSync()
      return clean ? 0 : 1
    }).catch(async error => {
      await control.stop().catch(() => {})
      throw error
    })
  } finally {
    await directory.close()
  }
}

export async function runControl(named: string | null, io: Io): Promise<ExitCode> {
  keepRunningUnread()
  const config = await loadControlConfig(named, io)
  try {
    return await serve(config, named, io)
  } catch (error) {
    throw startFault(error, config.listen)
  }
}
