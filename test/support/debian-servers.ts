/** Servers of Debian packages that tests put behind the proxy, and their own clients: MariaDB with `mysql`, Redis with `redis-cli`. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { atEnd } from './at-end.ts'
import { freePort } from './ports.ts'
import { tempFolder } from './temp-folder.ts'
import { waitFor } from './wait-for.ts'

const run = promisify(execFile)

export type DebianServer = { readonly port: number; stop(): Promise<void> }

async function startServer(
  what: string,
  command: string,
  args: readonly string[],
  port: number,
  isUp: () => Promise<boolean>,
) {
  const child: ChildProcess = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const add = (chunk: Buffer) => {
    output += chunk.toString('utf8')
  }
  child.stdout?.on('data', add)
  child.stderr?.on('data', add)
  const ended = () => child.exitCode !== null || child.signalCode !== null
  const stop = async () => {
    if (ended()) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }
  atEnd(stop)
  await waitFor(async () => ended() || (await isUp()), { what, timeoutMs: 30_000 }).catch((error: unknown) => {
    throw new Error(`${String(error)}\n${output}`)
  })
  if (ended()) throw new Error(`${what} ended\n${output}`)
  return { port, stop }
}

/** The output of a client; null when it failed, or did not end in time. */
async function output(command: string, args: readonly string[], timeoutMs: number): Promise<string | null> {
  // What stands in a home folder would change what is tried.
  const env = { PATH: process.env.PATH ?? '', HOME: '/nonexistent' }
  const answer = await run(command, args, { env, timeout: timeoutMs, killSignal: 'SIGKILL' }).catch(() => null)
  return answer?.stdout.trim() ?? null
}

const ROOT = process.getuid?.() === 0

/** Everybody may come in without a password, as root. */
export async function startMariadb(): Promise<DebianServer> {
  const folder = await tempFolder()
  const data = join(folder, 'data')
  await mkdir(data)
  const port = await freePort('tcp')
  const own = ['--no-defaults', `--datadir=${data}`, ...(ROOT ? ['--user=root'] : [])]
  await run('mariadb-install-db', [...own, '--skip-test-db'], {
    timeout: 60_000,
  })
  const settings = [
    ...[
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      `--socket=${join(folder, 's')}`,
      `--pid-file=${join(folder, 'pid')}`,
    ],
    ...['--skip-grant-tables', '--skip-networking=0', '--skip-name-resolve', '--innodb-flush-log-at-trx-commit=0'],
    ...['--innodb-buffer-pool-size=8M', '--skip-log-bin'],
  ]
  return startServer(
    'MariaDB',
    'mariadbd',
    [...own, ...settings],
    port,
    async () => (await mysql(port, 'select 1')) === '1',
  )
}

/** One statement by the mysql client; null when it failed. */
export const mysql = (port: number, statement: string, timeoutMs = 10_000): Promise<string | null> =>
  output(
    'mysql',
    [
      '--no-defaults',
      '-h',
      '127.0.0.1',
      '-P',
      String(port),
      '--protocol=tcp',
      '-u',
      'root',
      '-N',
      '-B',
      '-e',
      statement,
    ],
    timeoutMs,
  )

export async function startRedis(): Promise<DebianServer> {
  const folder = await tempFolder()
  const port = await freePort('tcp')
  const args = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '', '--appendonly', 'no']
  return startServer('Redis', 'redis-server', args, port, async () => (await redis(port, 'PING')) === 'PONG')
}

/** One command by redis-cli; null when it failed. */
export const redis = (port: number, ...command: readonly string[]): Promise<string | null> =>
  output('redis-cli', ['-h', '127.0.0.1', '-p', String(port), '-e', ...command], 10_000)
