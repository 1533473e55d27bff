/**
 * Whether Traefik is there, known within milliseconds: one idle connection to its API, of which nothing is asked.
 *
 * When Traefik is told to stop it closes its listeners and its idle connections at once, but then waits for the poll that we hold: up to
 * ten seconds, in which every port refuses connections, and in the end it panics (measured). So whoever sees it go lets the poll go.
 *
 *   connect -> one request, so that the connection counts as idle -> closed by the other side -> connect again
 *                                                                                                \-> refused: gone, and tried until it is back
 */
import { connect, type Socket } from 'node:net'
import type { Logger } from 'pino'

export interface Presence {
  start(): void
  stop(): void
}

export type PresenceOptions = {
  /** `http://127.0.0.1:8080`. Over https nothing is watched: a handshake more each time is not worth it. */
  readonly url: string
  readonly logger: Logger
  /** Nothing listens there any more. */
  readonly onGone: () => void
  /** It listens again, or has closed the connection and goes on: perhaps another process. */
  readonly onBack: () => void
}

const RETRY_MS = 250
/** A connection that ends is looked after at once. */
const LEAST_GAP_MS = 50
/** Traefik closes idle connections after three minutes. What closes them at once is a proxy in between: it is asked seldom. */
const SHORT_LIVED_MS = 1_000
const SHORT_LIVED_GAP_MS = 10_000

export function createPresence({ url, logger, onGone, onBack }: PresenceOptions): Presence {
  const { hostname, port, protocol, host } = new URL(url)
  const log = logger.child({ component: 'presence' })
  const address = { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? 80 : Number(port) }
  let socket: Socket | null = null
  let timer: NodeJS.Timeout | null = null
  let stopped = false
  let shortLived = 0
  /** Null before the first connection has succeeded or failed. */
  let there: boolean | null = null

  function later(ms: number): void {
    if (stopped) return
    timer = setTimeout(open, ms)
    timer.unref()
  }

  function open(): void {
    timer = null
    let connected = false
    let connectedAtMs = 0
    const opened = connect(address)
    socket = opened
    opened.unref()
    opened.once('connect', () => {
      connected = true
      connectedAtMs = performance.now()
      const wasGone = there === false
      there = true
      if (wasGone) {
        log.debug('Traefik listens again')
        onBack()
      }
      opened.write(`GET /api/version HTTP/1.1\r\nHost: ${host}\r\n\r\n`)
    })
    opened.on('data', () => {})
    opened.on('error', () => {})
    opened.once('close', () => {
      socket = null
      if (stopped) return
      if (connected) {
        shortLived = performance.now() - connectedAtMs < SHORT_LIVED_MS ? shortLived + 1 : 0
        // The first short one may be a Traefik that was told to stop just then.
        later(shortLived > 2 ? SHORT_LIVED_GAP_MS : LEAST_GAP_MS)
        return
      }
      if (there !== false) {
        const wasThere = there === true
        there = false
        if (wasThere) {
          log.debug('Traefik listens no more')
          onGone()
        }
      }
      later(RETRY_MS)
    })
  }

  return {
    start() {
      if (protocol === 'http:' && !stopped) open()
    },
    stop() {
      stopped = true
      if (timer !== null) clearTimeout(timer)
      socket?.destroy()
    },
  }
}
