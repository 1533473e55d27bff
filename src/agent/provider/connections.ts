/**
 * The connections of the provider endpoint, and which of them has to go when there are too many.
 *
 * Any process of the machine can connect, read slowly or not at all. Traefik's next poll must find room all the same, so the cap does
 * not turn newcomers away: it drops the connection that matters least.
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { PollSpan } from './stats.ts'

/** One request and its answer. */
export type Exchange = {
  /** Answers a held poll now, as its last one or not. Null when it is not held, or no longer. */
  release: ((end: { readonly last: boolean }) => void) | null
  /** When the answer began, monotonic; null while it is held. */
  answeringSinceMs: number | null
}

export type Connection = {
  readonly id: number
  readonly socket: Socket
  /** Requests whose answer is not out yet, in order. */
  readonly exchanges: Set<Exchange>
  /** When the connection was opened, or had its last answer out; monotonic. */
  quietSinceMs: number
  /** It has had an answer, of any kind. */
  answered: boolean
  /** Of a Traefik's polls; null before the first answered one. */
  span: PollSpan | null
  /** When the last answer to a poll was out; null when none was. */
  polledAtMs: number | null
  /** When that answer began; null when none did. */
  answeredFromMs: number | null
  /** Hash of the last body that went out whole. */
  servedHash: string | null
}

export type ConnectionView = {
  readonly id: number
  /**
   * Without a request: `newcomer` that has not asked yet, `stranger` whose requests were refused, `poller` between two polls.
   * With one: `held` or `sending`.
   */
  readonly phase: 'newcomer' | 'stranger' | 'poller' | 'held' | 'sending'
  /** When it came into this phase, monotonic. */
  readonly sinceMs: number
}

// How long a client may take to ask, and to read its answer, before it counts as slow. A body of 20 MB is through the loopback interface
// in a tenth of that; the rest is for a busy machine, and for requests that wait while our own loop is busy.
const PATIENCE_MS = 1_000

/** The first to go first. A held poll gets its answer before it goes; Go asks again on a new connection when an idle one was closed. */
const RANKS = ['slow', 'stranger', 'held', 'poller', 'prompt'] as const

function rankOf({ phase, sinceMs }: ConnectionView, nowMs: number): number {
  switch (phase) {
    case 'newcomer':
    case 'sending':
      return RANKS.indexOf(nowMs - sinceMs > PATIENCE_MS ? 'slow' : 'prompt')
    default:
      return RANKS.indexOf(phase)
  }
}

/** The id of the connection to drop, the oldest of those that matter least; null when there is none. */
export function chooseEviction(connections: readonly ConnectionView[], nowMs: number): number | null {
  const [first] = connections.toSorted(
    (a, b) => rankOf(a, nowMs) - rankOf(b, nowMs) || a.sinceMs - b.sinceMs || a.id - b.id,
  )
  return first?.id ?? null
}

export function viewOf(connection: Connection): ConnectionView {
  const { id, exchanges, quietSinceMs, answered, span } = connection
  const [first] = exchanges
  if (first === undefined) {
    const phase = span !== null ? 'poller' : answered ? 'stranger' : 'newcomer'
    return { id, phase, sinceMs: quietSinceMs }
  }
  return first.answeringSinceMs === null
    ? { id, phase: 'held', sinceMs: quietSinceMs }
    : { id, phase: 'sending', sinceMs: first.answeringSinceMs }
}

/** Ends a connection at once, by our doing: its held poll is not taken for one whose client hung up. */
export function cutOff({ exchanges, socket }: Connection): void {
  for (const exchange of exchanges) exchange.release = null
  socket.destroy()
}

export type ConnectionTable = {
  /** Takes the socket in; drops another one when there are more than the cap. */
  readonly add: (socket: Socket) => Connection
  readonly of: (socket: Duplex) => Connection | undefined
  readonly all: () => readonly Connection[]
  readonly evicted: () => number
  /** Resolves when all are closed. */
  readonly empty: () => Promise<void>
}

export function makeConnectionTable(options: {
  readonly maxConnections: number
  readonly nowMs: () => number
  /** After a socket has closed. */
  readonly onClosed: (connection: Connection) => void
}): ConnectionTable {
  const { maxConnections, nowMs, onClosed } = options
  const bySocket = new Map<Duplex, Connection>()
  // Going, but not gone: a held poll that was released still sends its answer.
  const leaving = new WeakSet<Connection>()
  let lastId = 0
  let evicted = 0

  function makeRoom(newcomer: Connection) {
    // Those that leave are not counted, but there is an end to that too: a client may never read its last answer.
    const crowded = bySocket.size > 2 * maxConnections
    const others = [...bySocket.values()].filter(
      connection => connection !== newcomer && (crowded || !leaving.has(connection)),
    )
    if (others.length < maxConnections) return
    const id = chooseEviction(others.map(viewOf), nowMs())
    const chosen = others.find(connection => connection.id === id)
    if (chosen === undefined) return
    evicted += 1
    leaving.add(chosen)
    const release = crowded ? null : [...chosen.exchanges].find(exchange => exchange.release !== null)?.release
    if (release) release({ last: true })
    else cutOff(chosen)
  }

  return {
    add(socket) {
      lastId += 1
      const connection: Connection = {
        id: lastId,
        socket,
        exchanges: new Set(),
        quietSinceMs: nowMs(),
        answered: false,
        span: null,
        polledAtMs: null,
        answeredFromMs: null,
        servedHash: null,
      }
      bySocket.set(socket, connection)
      socket.once('close', () => {
        bySocket.delete(socket)
        onClosed(connection)
      })
      makeRoom(connection)
      return connection
    },
    of: socket => bySocket.get(socket),
    all: () => [...bySocket.values()],
    evicted: () => evicted,
    async empty() {
      // A server counts a socket as gone a little before it says so itself.
      await Promise.all(
        [...bySocket.values()].map(({ socket }) => new Promise(resolve => socket.once('close', resolve))),
      )
    },
  }
}
