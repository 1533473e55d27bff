/**
 * Tells systemd how the service is (sd_notify): ready, its status line, stopping, and that it is alive (watchdog).
 *
 * Node has no datagram sockets of the unix family. The optional addon node-unix-socket has them; without it, or where it cannot reach the
 * socket, the message goes by the program `systemd-notify`. Then the sender is a child of ours, so the unit needs `NotifyAccess=all`.
 * Nothing here ever fails the agent: what cannot be delivered is logged, once until it works again.
 */
import { execFile } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Logger } from 'pino'

export type NotifyEnvironment = {
  /** Null: not started by systemd with notification, and everything is a no-op. */
  readonly socketPath: string | null
  /** Null: no watchdog. */
  readonly watchdogUsec: number | null
}

/** Of `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`: a watchdog that watches another process is none of ours. */
export function parseNotifyEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  pid: number,
): NotifyEnvironment {
  const socketPath = env.NOTIFY_SOCKET === undefined || env.NOTIFY_SOCKET === '' ? null : env.NOTIFY_SOCKET
  const usec = /^[0-9]{1,15}$/.test(env.WATCHDOG_USEC ?? '') ? Number(env.WATCHDOG_USEC) : 0
  const ours = env.WATCHDOG_PID === undefined || env.WATCHDOG_PID === '' || env.WATCHDOG_PID === String(pid)
  return { socketPath, watchdogUsec: usec > 0 && ours ? usec : null }
}

/** The part of a datagram socket that is needed here. */
export type DatagramSender = {
  readonly send: (message: Buffer, path: string) => Promise<void>
  readonly close: () => void
}

export type NotifierOptions = NotifyEnvironment & {
  readonly logger: Logger
  /** Null: there is no addon here. */
  readonly openSender?: () => Promise<DatagramSender | null>
  /** The program for the other way. */
  readonly helper?: string
}

export type Notifier = {
  readonly ready: () => void
  /** One line for `systemctl status`; cut to 200 signs. */
  readonly status: (text: string) => void
  /** Settings are being read again; `ready` has to follow. */
  readonly reloading: () => void
  readonly stopping: () => void
  /** Says "alive" at once and then twice per watchdog time, as long as `isAlive` says so. No-op without a watchdog. */
  readonly startWatchdog: (isAlive: () => boolean) => void
  /** Delivers what is still to be said, 5 s at most, and ends the watchdog. May be called again. */
  readonly stop: () => Promise<void>
}

const DELIVERY_TIMEOUT_MS = 5_000
const MAX_STATUS_LENGTH = 200

const run = promisify(execFile)

/** Never throws and never rejects, whatever is at the socket. */
export function createNotifier(options: NotifierOptions): Notifier {
  const { socketPath, watchdogUsec } = options
  const log = options.logger.child({ component: 'notify' })
  // By kind, oldest first: of two status lines that wait, only the younger one says something.
  const pending = new Map<string, string>()
  const deliver = socketPath === null ? null : makeDelivery(socketPath, options)
  let pumping: Promise<void> | null = null
  let watchdog: NodeJS.Timeout | null = null
  let stopped: Promise<void> | null = null
  let failing = false
  let fed = true

  function say(kind: string, message: string) {
    if (deliver === null || stopped !== null) return
    pending.delete(kind)
    pending.set(kind, message)
    pumping ??= pump(deliver.send)
  }

  async function pump(send: (message: string) => Promise<void>) {
    for (;;) {
      const [next] = pending
      if (next === undefined) {
        pumping = null
        return
      }
      const [kind, message] = next
      pending.delete(kind)
      try {
        await send(message)
        failing = false
      } catch (err) {
        if (!failing) log.warn({ err, kind, socketPath }, 'systemd not notified')
        failing = true
      }
    }
  }

  function ping(isAlive: () => boolean) {
    const { alive, err } = ask(isAlive)
    if (alive) say('WATCHDOG', 'WATCHDOG=1')
    else if (fed) log.error({ watchdogUsec, err }, 'watchdog not fed, the agent is not alive')
    fed = alive
  }

  return {
    ready: () => say('READY', 'READY=1'),
    status: text => say('STATUS', `STATUS=${oneLine(text)}`),
    // systemd compares this with its own clock to tell this reload's READY from an older one.
    reloading: () => say('RELOADING', `RELOADING=1\nMONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`),
    stopping: () => say('STOPPING', 'STOPPING=1'),
    startWatchdog(isAlive) {
      if (deliver === null || watchdogUsec === null || watchdog !== null || stopped !== null) return
      watchdog = setInterval(ping, watchdogUsec / 2_000, isAlive)
      watchdog.unref()
      ping(isAlive)
    },
    stop() {
      stopped ??= (async () => {
        if (watchdog !== null) clearInterval(watchdog)
        if (pumping !== null) await withTimeout(pumping).catch(err => log.warn({ err }, 'systemd not notified'))
        deliver?.close()
      })()
      return stopped
    },
  }
}

function ask(isAlive: () => boolean): { readonly alive: boolean; readonly err?: unknown } {
  try {
    return { alive: isAlive() }
  } catch (err) {
    return { alive: false, err }
  }
}

// A line break would begin another message: whatever text gets in here must not be able to say READY=1.
const oneLine = (text: string): string => text.replace(/[\p{Cc}\p{Cs}\u2028\u2029]+/gu, ' ').slice(0, MAX_STATUS_LENGTH)

/** The addon first, else the program; which of them is found out with the first message. */
function makeDelivery(socketPath: string, { openSender = openAddon, helper = 'systemd-notify' }: NotifierOptions) {
  let sender: Promise<DatagramSender | null> | null = null
  // The addon pads an abstract address (`@name`) to its full length, which makes another name of it (tried with 0.2.7).
  const reachable = socketPath.startsWith('/')
  return {
    async send(message: string): Promise<void> {
      if (reachable) sender ??= openSender().catch(() => null)
      const direct = await sender
      if (direct !== null) {
        try {
          await withTimeout(direct.send(Buffer.from(message), socketPath))
          return
        } catch {
          // The program has other rights and other ways to reach it, and its error is the better one.
        }
      }
      await spawnHelper(helper, socketPath, message)
    },
    close() {
      void sender?.then(direct => direct?.close())
    },
  }
}

function spawnHelper(helper: string, socketPath: string, message: string): Promise<unknown> {
  // Root sends in our name, and we are here when systemd looks us up. Otherwise the child has to stay until systemd has looked it up,
  // which is what systemd-notify waits for unless it is told not to.
  const wait = process.geteuid?.() === 0 ? ['--no-block'] : []
  const args = [...wait, `--pid=${process.pid}`, '--', ...message.split('\n')]
  return run(helper, args, { env: { NOTIFY_SOCKET: socketPath }, timeout: 2 * DELIVERY_TIMEOUT_MS })
}

async function openAddon(): Promise<DatagramSender | null> {
  const { DgramSocket } = await import('node-unix-socket')
  const socket = new DgramSocket()
  // It closes itself on an error; the messages after it then fail and go by the program.
  socket.on('error', () => {})
  return {
    send: (message, path) =>
      new Promise((resolve, reject) => {
        socket.sendTo(message, 0, message.length, path, error => (error ? reject(error) : resolve()))
      }),
    close: () => socket.close(),
  }
}

async function withTimeout(work: Promise<void>): Promise<void> {
  const timer = new AbortController()
  const late = sleep(DELIVERY_TIMEOUT_MS, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`not delivered within ${DELIVERY_TIMEOUT_MS} ms`)
  })
  try {
    await Promise.race([work, late])
  } finally {
    timer.abort()
    late.catch(() => {})
  }
}
