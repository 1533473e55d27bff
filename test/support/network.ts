/** A network of one test's own: loopback and nothing else, every port free. Needs root, and `ip` from iproute2. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { atEnd } from './at-end.ts'
import { part } from './parts.ts'

export const canHaveNetwork = process.getuid?.() === 0 && part('iproute2')

export type Network = {
  /** In front of a command, runs it there. */
  readonly inside: readonly string[]
}

export async function newNetwork(): Promise<Network> {
  const holder = spawn('unshare', ['--net', '--', 'sh', '-c', 'ip link set lo up && echo ready && exec sleep 3600'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  const exit = once(holder, 'exit')
  atEnd(async () => {
    holder.kill('SIGKILL')
    await exit
  })
  await Promise.race([once(holder.stdout, 'data'), exit.then(() => Promise.reject(new Error('no network namespace')))])
  return { inside: ['nsenter', `--net=/proc/${holder.pid}/ns/net`, '--'] }
}
