/**
 * Clients that never stop: each route is asked again and again while something else goes wrong, and whatever is not its right answer counts.
 *
 *   const monitor = startMonitor([tcpWatch(rig.tcp[0], 'pg'), sniWatch(rig.tcp[1], 'a.example.com'), udpWatch(rig.udp[0], 'dns')])
 *   ...
 *   expect(await monitor.failures()).toEqual([])
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { atEnd } from './at-end.ts'
import { tcpName, tlsPeerCertificate, udpAsk } from './clients.ts'

/** The pause between two questions to one route. */
const PAUSE_MS = 50
// A machine that does a lot of other things answers late, and that is no failure.
const TIMEOUT_MS = 5_000

export type Watch = {
  readonly name: string
  /** Null: the right answer; else what came instead. */
  readonly ask: (timeoutMs?: number) => Promise<string | null>
}

const compared = async (answer: Promise<string | null>, right: string): Promise<string | null> => {
  const found = await answer
  return found === right ? null : `${found ?? 'no answer'} instead of ${right}`
}

const known = (port: number | undefined): number => {
  if (port === undefined) throw new Error('no such port')
  return port
}

/** A TCP backend that says its name. */
export function tcpWatch(port: number | undefined, name: string): Watch {
  const to = known(port)
  return { name: `tcp ${to}`, ask: (timeoutMs = TIMEOUT_MS) => compared(tcpName(to, { timeoutMs }), name) }
}

/** A TLS backend with a certificate for the name. */
export function sniWatch(port: number | undefined, host: string): Watch {
  const to = known(port)
  return {
    name: `${host} on ${to}`,
    ask: (timeoutMs = TIMEOUT_MS) => compared(tlsPeerCertificate(to, host, { timeoutMs }), host),
  }
}

/** A UDP backend that answers with its name. */
export function udpWatch(port: number | undefined, name: string): Watch {
  const to = known(port)
  return { name: `udp ${to}`, ask: (timeoutMs = TIMEOUT_MS) => compared(udpAsk(to, 'x', timeoutMs), `${name}:x`) }
}

export type Monitor = {
  /** After the questions that are open: what went wrong so far, and which routes were never asked. */
  failures(): Promise<readonly string[]>
  /** Asks nobody until `resume`, and returns when no question is open: for when Traefik itself is gone. */
  pause(): Promise<void>
  resume(): void
  stop(): Promise<void>
}

export function startMonitor(watches: readonly Watch[]): Monitor {
  const failed: string[] = []
  const asked = new Map<string, number>(watches.map(({ name }) => [name, 0]))
  const began = performance.now()
  const open = new Set<Promise<void>>()
  let paused = false
  let stopped = false

  async function askOnce({ name, ask }: Watch): Promise<void> {
    const at = Math.round(performance.now() - began)
    const wrong = await ask()
    asked.set(name, (asked.get(name) ?? 0) + 1)
    if (wrong !== null) failed.push(`${name}, after ${at} ms: ${wrong}`)
  }

  async function watch(one: Watch): Promise<void> {
    while (!stopped) {
      if (!paused) {
        const question = askOnce(one)
        open.add(question)
        await question
        open.delete(question)
      }
      await sleep(PAUSE_MS)
    }
  }
  const running = watches.map(watch)

  async function answered(): Promise<void> {
    await Promise.all([...open])
  }
  async function stop(): Promise<void> {
    stopped = true
    await Promise.all(running)
  }
  atEnd(stop)

  return {
    async failures() {
      await answered()
      const never = [...asked].filter(([, count]) => count === 0).map(([name]) => `${name}: never asked`)
      return [...failed, ...never]
    },
    async pause() {
      paused = true
      await answered()
    },
    resume() {
      paused = false
    },
    stop,
  }
}
