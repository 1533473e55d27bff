/** `fairlead control export` and `import`: everything, in one file. */
import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, type FileHandle, open, rename, rm } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { pino } from 'pino'
import { createStateDirectory } from '../../agent/store/state-directory.ts'
import { SYSTEM_ADMIN } from '../../control/access/actor.ts'
import type { ControlConfig } from '../../control/config.ts'
import { type Database, openDatabase } from '../../control/db/client.ts'
import { DatabaseError } from '../../control/db/error.ts'
import { makeId } from '../../control/db/id.ts'
import { StrandedPortsError } from '../../control/stranded.ts'
import { exportAll } from '../../control/transfer/export.ts'
import { type ExportHeader, ImportError, verifyExport } from '../../control/transfer/format.ts'
import { importAll } from '../../control/transfer/import.ts'
import { errorCode } from '../../lib/errors.ts'
import { fairleadVersion } from '../../lib/version.ts'
import { Unreachable } from '../client/api-client.ts'
import { withClient } from '../client/connection.ts'
import { defineCommand } from '../command.ts'
import { CliError, type Io } from '../io.ts'
import { CONTROL_CONFIG_OPTION, loadControlConfig } from './load-control-config.ts'
import { openLocalClient } from './local.ts'

async function* linesOf(path: string): AsyncGenerator<string> {
  const file = createReadStream(path, 'utf8')
  // Not by readline: U+2028 ends a line for that, but not one of ours, where PostgreSQL writes it as it is.
  let rest = ''
  for await (const chunk of file) {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}

const describe = ({ tables, controlPlaneId, epoch, revision, exportedAt }: ExportHeader): string => {
  const rows = new Map(tables.map(table => [table.name, table.rows]))
  const count = (name: string): string => `${rows.get(name) ?? 0} ${name.replaceAll('_', ' ')}`
  return `control plane ${controlPlaneId}, epoch ${epoch}, revision ${revision}, ${exportedAt}: ${['projects', 'services', 'service_ports', 'nodes', 'api_tokens', 'audit_log'].map(count).join(', ')}`
}

const FILE_REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file, or no such folder to put it in; correct the path',
  EACCES: 'this user may not use it; run the command as root, or name another path',
  EPERM: 'this user may not use it; run the command as root, or name another path',
  EISDIR: 'it is a folder; name a file in it',
  ENOTDIR: 'a part of its path is a file; correct the path',
  ENOSPC: 'the disk is full; make room, or name a file on another one',
  EROFS: 'its file system is read-only; name a file on another one',
}

function fileFault(path: string, error: unknown): unknown {
  const code = error instanceof Error && 'syscall' in error ? errorCode(error) : null
  return code === null ? error : new CliError(3, [`${path}: ${FILE_REASONS[code] ?? code}`], { cause: error })
}

/** As the control plane would open it, when none runs. Throws a CliError with the way out. */
async function openOffline(config: ControlConfig): Promise<Database> {
  try {
    return await openDatabase({
      url: config.database.url,
      directory: config.state.directory,
      logger: pino({ level: 'silent' }),
    })
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    const way =
      error.code === 'DATABASE_DIRECTORY_LOCKED' ? 'stop the control plane that uses it, then try again' : error.remedy
    throw new CliError(3, [`${error.message}; ${way}`], { cause: error })
  }
}

async function exportFrom(database: Database, path: string): Promise<void> {
  let file: FileHandle | null = null
  try {
    await exportAll(
      database,
      { exportedAt: new Date(), version: fairleadVersion() },
      {
        async restart() {
          await file?.close()
          file = await open(path, 'w', 0o600)
        },
        async write(line) {
          await file?.write(`${line}\n`)
        },
      },
    )
  } finally {
    const opened: FileHandle | null = file
    if (opened !== null) await closeSynced(opened)
  }
}

async function closeSynced(file: FileHandle): Promise<void> {
  await file.sync()
  await file.close()
}

/** From the running control plane; where none runs, from its database. */
async function exportTo(path: string, config: ControlConfig): Promise<void> {
  const running = await openLocalClient(config).catch((error: unknown) => {
    if (error instanceof CliError) return null
    throw error
  })
  if (running !== null) {
    const done = await withClient(running, async client => {
      // Before it is asked: an answer that nobody reads would keep the connection, and with it the command.
      const file = await open(path, 'w', 0o600)
      try {
        const body = await client.stream({ path: '/export' }).catch((error: unknown) => {
          if (error instanceof Unreachable) return null
          throw error
        })
        if (body === null) return false
        for await (const chunk of body) await file.write(chunk)
        return true
      } finally {
        await closeSynced(file)
      }
    })
    if (done) return
  }
  const database = await openOffline(config)
  try {
    await exportFrom(database, path)
  } finally {
    await database.close()
  }
}

export const exportCommand = defineCommand({
  name: 'control export',
  usage: 'FILE [options]',
  about: [
    'Writes everything into one file, as it is in one moment: projects, services, ports, nodes,\ntokens, the audit log. It asks the control plane that runs on this host; where none runs, it\nopens the database itself. Secrets are in it as hashes only; mode 0600.',
    'It is a backup, and the way between the embedded database and a server.',
  ],
  options: { config: CONTROL_CONFIG_OPTION },
  positionals: { min: 1, max: 1, name: 'FILE' },
  examples: [{ what: 'a backup', command: 'fairlead control export /var/backups/fairlead.jsonl' }],
  exitCodes: [
    [0, 'the file is written, and was read again'],
    [2, 'wrong settings'],
    [3, 'neither the control plane nor its database can be reached, or the disk is full'],
  ],
  async run(args, io) {
    const path = resolve(io.cwd, args.positionals[0] ?? '')
    const config = await loadControlConfig(args.text('config'), io)
    const temporary = join(dirname(path), `.${randomUUID()}.tmp`)
    try {
      await exportTo(temporary, config)
      const header = await verifyExport(linesOf(temporary))
      await rename(temporary, path)
      io.out(`${path}: ${describe(header)}\n`)
      return 0
    } catch (error) {
      if (error instanceof ImportError) throw new CliError(3, [`the export failed: ${error.message}`], { cause: error })
      throw fileFault(path, error)
    } finally {
      await rm(temporary, { force: true })
    }
  },
})

async function importFrom(path: string, config: ControlConfig, io: Io): Promise<void> {
  await access(path)
  const directory = createStateDirectory({ path: config.state.directory })
  await directory.ensure()
  try {
    const database = await openOffline(config)
    try {
      const imported = await importAll(database, {
        lines: () => linesOf(path),
        config,
        actor: SYSTEM_ADMIN,
        requestId: makeId('req'),
      })
      const { header, epoch, revision, rested } = imported
      io.out(
        `Imported: ${describe(header)}.\n` +
          `Epoch ${epoch} has begun, at revision ${revision}. ${rested} free ports rest until every node has confirmed it.\n` +
          'Nodes go on with the keys that they have, once their sources.controlPlane.urls lead here. The old control plane must not run any more.\n',
      )
    } finally {
      await database.close()
    }
  } finally {
    await directory.close()
  }
}

function importFault(path: string, error: unknown): unknown {
  if (error instanceof ImportError) return new CliError(2, [`${path}: ${error.message}. ${error.remedy}`])
  if (error instanceof StrandedPortsError) return new CliError(2, [`${error.message}. ${error.remedy}`])
  if (error instanceof DatabaseError) return new CliError(3, [`${error.message}. ${error.remedy}`], { cause: error })
  if (error instanceof Error && 'remedy' in error && typeof error.remedy === 'string')
    return new CliError(3, [`${error.message}. ${error.remedy}`], { cause: error })
  return fileFault(path, error)
}

export const importCommand = defineCommand({
  name: 'control import',
  usage: 'FILE [options]',
  about: [
    'Puts an export into the database that the settings name, which must be new. Stop the control\nplane first. All of it or nothing; a new epoch begins, and free ports rest until every node\nhas confirmed it.',
  ],
  options: { config: CONTROL_CONFIG_OPTION },
  positionals: { min: 1, max: 1, name: 'FILE' },
  examples: [
    {
      what: 'from the embedded database to a server',
      command: 'fairlead control export all.jsonl && DATABASE_URL=postgres://... fairlead control import all.jsonl',
    },
  ],
  exitCodes: [
    [0, 'done'],
    [2, 'it is not an export, it is damaged, or the database is in use'],
    [3, 'the database cannot be opened'],
  ],
  async run(args, io) {
    const path = resolve(io.cwd, args.positionals[0] ?? '')
    const config = await loadControlConfig(args.text('config'), io)
    try {
      await importFrom(path, config, io)
      return 0
    } catch (error) {
      throw importFault(path, error)
    }
  },
})
