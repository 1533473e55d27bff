/**
 * A real PostgreSQL for one test: a new cluster in a folder of its own, on a free port of 127.0.0.1, TLS on, gone at the end.
 *
 *   const pg = await startPostgres({ name: 'one', certificate })
 *   await psql({ port: pg.port, sslmode: 'disable' }, 'show cluster_name')     // { kind: 'rows', text: 'one' }
 *
 * It knows one user, `postgres`, who needs no password. Everything that makes a database safe against power cuts is off.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { chown, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { atEnd } from './at-end.ts'
import type { TestCertificate } from './certificates.ts'
import { freePort } from './ports.ts'
import { tempFolder } from './temp-folder.ts'
import { waitFor } from './wait-for.ts'

const run = promisify(execFile)

// Debian keeps the server's programs, one folder a version, off PATH.
const DEBIAN_FOLDER = '/usr/lib/postgresql'

/** Path of a program of the newest server that is there; its bare name, for PATH, when Debian has put none there. */
function program(name: string): string {
  if (!existsSync(DEBIAN_FOLDER)) return name
  const folders = readdirSync(DEBIAN_FOLDER).sort((a, b) => Number(b) - Number(a))
  return folders.map(version => join(DEBIAN_FOLDER, version, 'bin', name)).find(existsSync) ?? name
}

type User = { readonly uid: number; readonly gid: number }

/** PostgreSQL refuses to run as root. Null: as oneself. */
async function otherUser(): Promise<User | null> {
  if (process.getuid?.() !== 0) return null
  const rows = (await readFile('/etc/passwd', 'utf8')).split('\n').map(line => line.split(':'))
  const row = rows.find(([user]) => user === 'postgres') ?? rows.find(([user]) => user === 'nobody')
  if (row === undefined) throw new Error('no user postgres or nobody to run PostgreSQL as')
  return { uid: Number(row[2]), gid: Number(row[3]) }
}

export type TestPostgres = {
  readonly name: string
  readonly port: number
  /** `127.0.0.1:PORT` */
  readonly address: string
  /** The folder of its data. */
  readonly data: string
  /** What it wrote so far. */
  log(): string
  stop(): Promise<void>
  /**
   * Ends it at once, as `pg_ctl restart -m immediate`, and resolves when it takes connections again: on the same port, with its data,
   * after `meanwhile`.
   */
  restart(meanwhile?: () => Promise<void>): Promise<void>
}

export type StartPostgresOptions = {
  /** What `show cluster_name` answers: the name by which a test knows which server it has reached. */
  readonly name: string
  readonly certificate: TestCertificate
  /** A folder that the server alone sees as a disk of so many bytes. Where `mayMount` says so. */
  readonly smallDisk?: { readonly path: string; readonly bytes: number }
}

/** Whether a process may have file systems of its own here. */
export function mayMount(): boolean {
  if (process.getuid?.() !== 0 || !existsSync(SETPRIV)) return false
  try {
    execFileSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'none', '/mnt'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

// From util-linux on Debian: it asks the kernel to end the server when this process ends, however that ends.
const SETPRIV = '/usr/bin/setpriv'

const SETTINGS: Readonly<Record<string, string>> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  ssl: 'on',
  ssl_cert_file: 'server.crt',
  ssl_key_file: 'server.key',
  fsync: 'off',
  shared_buffers: '8MB',
  max_connections: '20',
}

/** `setpriv` within file systems of its own; its options go on. */
const onSmallDisk = ({ path, bytes }: { path: string; bytes: number }, user: User | null): readonly string[] => [
  ...['unshare', '-m', 'sh', '-c', 'mount -t tmpfs -o "$1" none "$2" && shift 2 && exec "$@"', 'sh'],
  ...[`size=${bytes},mode=0700${user === null ? '' : `,uid=${user.uid},gid=${user.gid}`}`, path, SETPRIV],
  ...(user === null ? [] : [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups']),
]

/** Resolves when it takes connections. Throws with its log when it ends instead. */
export async function startPostgres({ name, certificate, smallDisk }: StartPostgresOptions): Promise<TestPostgres> {
  const user = await otherUser()
  const identity = user ?? {}
  const data = await tempFolder()
  const own = async (path: string) => {
    if (user !== null) await chown(path, user.uid, user.gid)
  }
  await own(data)
  const cluster = ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync']
  await run(program('initdb'), cluster, { ...identity, cwd: data })
  for (const [file, text] of [
    ['server.crt', certificate.cert],
    ['server.key', certificate.key],
  ] as const) {
    await writeFile(join(data, file), text, { mode: 0o600 })
    await own(join(data, file))
  }

  const port = await freePort('tcp')
  const settings = Object.entries({ ...SETTINGS, port: String(port), cluster_name: name })
  const server = [program('postgres'), '-D', data, ...settings.flatMap(([key, value]) => ['-c', `${key}=${value}`])]
  const plain = existsSync(SETPRIV) ? [SETPRIV, '--pdeathsig', 'QUIT', '--', ...server] : server
  const [command = '', ...args] =
    smallDisk === undefined ? plain : [...onSmallDisk(smallDisk, user), '--pdeathsig', 'QUIT', '--', ...server]
  // Only the superuser mounts: then it becomes the other one afterwards.
  const who = { ...(smallDisk === undefined ? identity : {}), cwd: data }
  const launch = () => spawn(command, args, { ...who, stdio: ['ignore', 'pipe', 'pipe'] })
  let child: ChildProcess = launch()
  let before = ''
  let output = collect(child)
  // At once, whatever is open: SIGTERM would wait for the last client.
  const stop = () => end(child, 'SIGQUIT')
  atEnd(stop)

  async function untilUp(): Promise<void> {
    const state = await waitFor(
      () => (hasEnded(child) ? 'ended' : output().includes('ready to accept connections') && 'up'),
      { what: `PostgreSQL on port ${port}`, timeoutMs: 60_000 },
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${output()}`)
    })
    if (state === 'ended') throw new Error(`PostgreSQL ended\n${output()}`)
  }
  await untilUp()
  return {
    name,
    port,
    data,
    address: `127.0.0.1:${port}`,
    log: () => before + output(),
    stop,
    async restart(meanwhile = async () => {}) {
      await stop()
      before += output()
      await meanwhile()
      child = launch()
      output = collect(child)
      await untilUp()
    },
  }
}

// ------------------------------------------------------------------------------------------------------------------------ psql

/** Parameters of libpq, as in a connection string. `hostaddr` is 127.0.0.1, user and database are `postgres`. */
export type Connection = {
  readonly port: number
  readonly sslmode: 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full'
  /** Also the server name in the TLS handshake. */
  readonly host?: string
  readonly sslrootcert?: string
}

/** `late`: it was still at it when its time was over, and was killed. */
export type PsqlAnswer =
  | { readonly kind: 'rows'; readonly text: string }
  | { readonly kind: 'failed'; readonly message: string }
  | { readonly kind: 'late' }

// Unaligned rows without a header, nothing read from the home folder, an error in SQL is an error of psql.
const PSQL_OPTIONS = ['-X', '-A', '-t', '-q', '-v', 'ON_ERROR_STOP=1']

function startPsql(connection: Connection, args: readonly string[]): ChildProcess {
  const parameters = { hostaddr: '127.0.0.1', user: 'postgres', dbname: 'postgres', ...connection }
  const text = Object.entries(parameters).map(([key, value]) => `${key}='${value}'`)
  // PG* variables and a home folder would change what is tried.
  const env = { PATH: process.env.PATH ?? '', HOME: '/nonexistent' }
  const child = spawn('psql', [...PSQL_OPTIONS, ...args, text.join(' ')], { env, stdio: 'pipe' })
  atEnd(() => end(child, 'SIGKILL'))
  return child
}

/** Runs one SQL command. Never throws. */
export async function psql(
  connection: Connection,
  sql: string,
  { timeoutMs = 30_000 }: { readonly timeoutMs?: number } = {},
): Promise<PsqlAnswer> {
  const child = startPsql(connection, ['-c', sql])
  const output = collect(child)
  let late = false
  const timer = setTimeout(() => {
    late = true
    child.kill('SIGKILL')
  }, timeoutMs)
  const [code] = await once(child, 'close')
  clearTimeout(timer)
  if (late) return { kind: 'late' }
  return code === 0 ? { kind: 'rows', text: output().trim() } : { kind: 'failed', message: output().trim() }
}

export type PsqlSession = {
  /** The first line of the answer. Rejects when none comes. */
  ask(sql: string): Promise<string>
}

/** A psql that stays connected until the end of the test. */
export function openPsql(connection: Connection): PsqlSession {
  const child = startPsql(connection, [])
  const output = collect(child)
  return {
    async ask(sql) {
      const before = output().length
      child.stdin?.write(`${sql};\n`)
      const line = await waitFor(() => hasEnded(child) || /^.*\n/.exec(output().slice(before)), {
        what: `psql to answer ${sql}`,
      }).catch((error: unknown) => {
        throw new Error(`${String(error)}\n${output()}`)
      })
      if (line === true) throw new Error(`psql has ended\n${output()}`)
      return line[0].trim()
    },
  }
}

/** Everything that the process writes to its two outputs, in the order of its coming. */
function collect(child: ChildProcess): () => string {
  let text = ''
  const add = (chunk: string) => {
    text += chunk
  }
  child.stdout?.setEncoding('utf8').on('data', add)
  child.stderr?.setEncoding('utf8').on('data', add)
  return () => text
}

const hasEnded = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode !== null || signalCode !== null

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.pid === undefined || hasEnded(child)) return
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}
