/** Asks a port who answers there, again and again, until it is the one that is waited for. */
import { connect } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

const ANSWER_MS = 5_000
// With what a timer adds, 1 to 2 ms.
const PAUSE_MS = 1

export type Target = { readonly host: string; readonly port: number }

/** The first line that a new connection gets; null when it is closed, refused or silent. */
function nameAt({ host, port }: Target): Promise<string | null> {
  return new Promise(resolve => {
    const socket = connect({ host, port })
    const end = (name: string | null) => {
      socket.destroy()
      resolve(name)
    }
    socket.setTimeout(ANSWER_MS, () => end(null))
    socket.once('data', chunk => end(chunk.toString('latin1').trim()))
    socket.once('end', () => end(null))
    socket.once('error', () => end(null))
  })
}

/**
 * Resolves with the moment (of performance.now()) at which the first connection was answered by `name`. One connection after the other,
 * with a pause of 1 to 2 ms. Throws at the deadline.
 */
export async function untilAnswers(target: Target, name: string, timeoutMs: number): Promise<number> {
  const deadline = performance.now() + timeoutMs
  let last: string | null = null
  while (performance.now() < deadline) {
    last = await nameAt(target)
    if (last === name) return performance.now()
    await delay(PAUSE_MS)
  }
  throw new Error(
    `${target.host}:${target.port} is answered by ${last ?? 'nobody'} and not by ${name} within ${timeoutMs} ms`,
  )
}
