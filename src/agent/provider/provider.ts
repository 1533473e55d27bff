/**
 * Traefik's HTTP provider: the loopback endpoint that it polls for its configuration.
 *
 * ```
 * publish(snapshot) -> current body -> poll: new connection or other body ? answer : hold until it changes, or the hold is over
 * ```
 * What holds for every answer: it is whole or the connection breaks (always Content-Length, never chunked), it is never a 204, a 304 or a
 * redirect, and a 200 has the current body and nothing else, since Traefik takes any 200 for its whole configuration.
 *
 * It stands on node:http and not on Fastify: it has to know when an answer has left for the kernel, hold a poll for one connection and
 * not for another, drop slow readers, leave request bodies unread, and answer polls while it stops (Fastify says 503 then, and
 * Traefik backs off). There is one path; what a framework adds here stands in the way.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Logger } from 'pino'
import type { Snapshot } from '../../core/payload.ts'
import { printable } from '../../core/problem.ts'
import type { ListenAddress } from '../../lib/setting-types.ts'
import { allowedHosts, hasAllowedHost, isLocalPeer, listenOnLoopback, makeBearerCheck } from '../local-http.ts'
import { type Answer, makeServed, NO_STATE_ANSWER, refusalAnswer } from './answer.ts'
import { type Connection, cutOff, type Exchange, makeConnectionTable } from './connections.ts'
import { bringsBody, refuseMalformed, sendAnswer } from './exchange.ts'
import { makeHeldPolls } from './held.ts'
import type { HoldShortened } from './hold.ts'
import { PROVIDER_LIMITS, type ProviderLimits } from './limits.ts'
import { isTraefik, judgeRequest } from './request.ts'
import { makePollAccount, type PollSpan, type PollStats } from './stats.ts'

/** A poll whose answer is out: handed to the kernel to the last byte. */
export type Poll = {
  /** Milliseconds since 1970 when the answer was out. */
  readonly at: number
  /** Of the body that went out; null when none did (any status but 200). */
  readonly hash: string | null
  /** 200, 503 (no state yet), 401 or 400. */
  readonly status: number
  /** Counts up from 1. */
  readonly connectionId: number
  /** The first poll on its connection: perhaps another Traefik process. */
  readonly newConnection: boolean
  /** From the arrival of the poll to the beginning of its answer. */
  readonly heldMs: number
  readonly tokenOk: boolean
  /** Traefik's own, by how it asks: what others fetch, such as curl, says nothing of Traefik. */
  readonly byTraefik: boolean
}

/** A Traefik's connection asks again. */
export type Ask = {
  readonly connectionId: number
  /** Since the last answer on it began. */
  readonly sinceAnswerMs: number
}

export type ProviderStats = PollStats & {
  readonly openConnections: number
  /** Polls that wait for their answer now. A Traefik that is held is there, however long ago `lastPollAt` was. */
  readonly held: number
  /** Not null: Traefik's pollTimeout is shorter than the hold that its URL asks for. */
  readonly holdShortened: HoldShortened | null
  /** Connections dropped because there were too many. */
  readonly evicted: number
  /** Connections dropped because they did not read their answer in time. */
  readonly slowReaders: number
}

// Traefik goes on asking with a wrong token, and anybody can.
const REFUSAL_LOG_INTERVAL_MS = 60_000

export type ProviderOptions = {
  readonly listen: ListenAddress
  /** Null: whoever reaches the endpoint may poll. */
  readonly token: string | null
  readonly logger: Logger
  /** Milliseconds since 1970. Durations are measured by the monotonic clock. */
  readonly clock?: () => number
  /** Called after the answer is out. What it throws is logged, and the next poll is answered all the same. */
  readonly onPoll?: (poll: Poll) => void
  /** Called when the poll arrives, before it is answered or held. */
  readonly onAsk?: (ask: Ask) => void
  /** A connection that has polled is closed. */
  readonly onGone?: (connectionId: number) => void
  readonly limits?: Partial<ProviderLimits>
}

export type Provider = {
  /** Resolves with the port once it listens. Rejects with a ListenError. Once only. */
  readonly start: () => Promise<{ readonly port: number }>
  /** Held polls get the current body, nothing new is accepted, and within 5 s all is closed. May be called at any time and again. */
  readonly stop: () => Promise<void>
  /** Answers held polls with the new body. The same hash again does nothing. */
  readonly publish: (snapshot: Snapshot) => void
  /** Traefik's start time has changed: hold as long as it asks for again. */
  readonly resetHold: () => void
  /**
   * Answers held polls with the current body now, and further ones at once for so many milliseconds: a Traefik that is told to stop
   * waits for them, and its clients with it. 0: hold again.
   */
  readonly pauseHolding: (ms: number) => void
  readonly stats: () => ProviderStats
}

/** The provider endpoint. Opens nothing before `start`. */
export function createProvider(options: ProviderOptions): Provider {
  const { listen, token, onPoll, onAsk, onGone } = options
  const limits = { ...PROVIDER_LIMITS, ...options.limits }
  const wallClock = options.clock ?? Date.now
  const nowMs = () => performance.now()
  const log = options.logger.child({ component: 'provider' })
  const tokenOk = makeBearerCheck(token)

  let hosts: ReadonlySet<string> = new Set()
  let current: ReturnType<typeof makeServed> | null = null
  let refusalLoggedAtMs = Number.NEGATIVE_INFINITY
  let slowReaders = 0
  let starting: Promise<{ readonly port: number }> | null = null
  let stopped: Promise<void> | null = null
  let noHoldUntilMs = Number.NEGATIVE_INFINITY
  const held = makeHeldPolls({
    nowMs,
    wallClock,
    onShortened: shortened => log.warn(shortened, 'hold shortened, Traefik hangs up sooner than its hold asks for'),
  })
  const account = makePollAccount()
  const currentAnswer = () => current?.answer() ?? NO_STATE_ANSWER
  const connections = makeConnectionTable({
    maxConnections: limits.maxConnections,
    nowMs,
    onClosed({ id, span }) {
      if (span === null) return
      account.closed(span, nowMs())
      tell(onGone, id)
    },
  })

  const server = createServer({
    maxHeaderSize: limits.maxHeaderBytes,
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: Math.min(1_000, limits.headersTimeoutMs),
    // Without a Host header it is 421 like any other wrong one.
    requireHostHeader: false,
  })
  server.on('connection', (socket: Socket) => {
    if (isLocalPeer(socket.remoteAddress)) connections.add(socket)
    else socket.destroy()
  })
  server.on('request', handle)
  // Nobody is told to go on and send a body that is not read.
  server.on('checkContinue', handle)
  server.on('checkExpectation', handle)
  server.on('clientError', (error, socket) => refuseMalformed(error, socket, connections.of(socket)))

  function handle(request: IncomingMessage, response: ServerResponse) {
    const connection = connections.of(request.socket)
    if (connection === undefined) {
      request.socket.destroy()
      return
    }
    if (connection.exchanges.size >= limits.maxPipelined) {
      cutOff(connection)
      return
    }
    const arrivedAtMs = nowMs()
    const pipelined = connection.exchanges.size > 0
    // A client that has more to ask does not want to wait for what it asked before.
    for (const earlier of [...connection.exchanges]) earlier.release?.({ last: false })
    const exchange: Exchange = { release: null, answeringSinceMs: null }
    connection.exchanges.add(exchange)
    response.once('close', () => connection.exchanges.delete(exchange))

    const ours = tokenOk(request)
    const byTraefik = isTraefik(request)
    const verdict = judgeRequest({
      method: request.method ?? '',
      target: request.url ?? '',
      hostAllowed: hasAllowedHost(request, hosts),
      tokenOk: ours,
    })
    const isPoll = verdict.kind === 'poll' || verdict.kind === 'refused-poll'
    const unread = bringsBody(request)

    const send = (answer: Answer, end: { readonly last: boolean }) => {
      const beganMs = nowMs()
      sendAnswer({
        connection,
        exchange,
        request,
        response,
        answer,
        last: end.last || unread || stopped !== null,
        deadlineMs: limits.sendDeadlineMs,
        nowMs,
        onOut() {
          account.answered(answer.status)
          if (isPoll) {
            connection.answeredFromMs = beganMs
            polled(connection, answer, { heldMs: beganMs - arrivedAtMs, tokenOk: ours, byTraefik }, request)
          }
          if (stopped !== null && connection.exchanges.size === 0) connection.socket.destroySoon()
        },
        onSlow() {
          slowReaders += 1
          log.debug({ connectionId: connection.id, bytes: answer.body.length }, 'answer not read in time')
        },
      })
    }

    switch (verdict.kind) {
      case 'refused':
      case 'refused-poll':
        send(refusalAnswer(verdict.answer), { last: false })
        return
      case 'look':
        send(currentAnswer(), { last: false })
        return
      case 'poll': {
        if (byTraefik && connection.polledAtMs !== null) account.gap(arrivedAtMs - connection.polledAtMs)
        if (byTraefik && connection.answeredFromMs !== null)
          tell(onAsk, { connectionId: connection.id, sinceAnswerMs: arrivedAtMs - connection.answeredFromMs })
        const holdMs = held.decide({
          askedMs: verdict.holdMs,
          currentHash: current?.hash ?? null,
          connectionHash: connection.servedHash,
          pipelined,
          stopping: stopped !== null || unread || nowMs() < noHoldUntilMs,
        })
        if (holdMs === null || verdict.holdMs === null) send(currentAnswer(), { last: false })
        else
          held.keep({
            exchange,
            response,
            arrivedAtMs,
            askedMs: verdict.holdMs,
            holdMs,
            counts: byTraefik,
            answer: end => send(currentAnswer(), end),
          })
        return
      }
      default:
        verdict satisfies never
    }
  }

  function polled(
    connection: Connection,
    answer: Answer,
    how: Pick<Poll, 'heldMs' | 'tokenOk' | 'byTraefik'>,
    { headers }: IncomingMessage,
  ) {
    const newConnection = connection.polledAtMs === null
    const at = wallClock()
    connection.polledAtMs = connection.quietSinceMs
    if (!how.byTraefik) {
      connection.servedHash = answer.hash ?? connection.servedHash
      account.strange(printable(headers['user-agent'] ?? 'nothing'))
    } else if (answer.status === 200 || answer.status === 503) {
      const { fromMs, polls }: PollSpan = connection.span ?? { fromMs: connection.quietSinceMs, toMs: 0, polls: 0 }
      connection.span = { fromMs, toMs: connection.quietSinceMs, polls: polls + 1 }
      connection.servedHash = answer.hash ?? connection.servedHash
      account.polled(at, answer.hash)
    } else if (!how.tokenOk) account.refusedToken()
    if (!how.tokenOk && nowMs() - refusalLoggedAtMs > REFUSAL_LOG_INTERVAL_MS) {
      refusalLoggedAtMs = nowMs()
      log.warn({ connectionId: connection.id }, 'poll refused, its token is missing or wrong')
    }
    tell(onPoll, { at, hash: answer.hash, status: answer.status, connectionId: connection.id, newConnection, ...how })
  }

  function tell<T>(listener: ((of: T) => void) | undefined, of: T) {
    const failed = (err: unknown) => log.error({ err }, 'poll observer failed')
    try {
      // An async function is taken for one that returns nothing, and its rejection would end the process.
      const result: unknown = listener?.(of)
      if (result instanceof Promise) result.catch(failed)
    } catch (err) {
      failed(err)
    }
  }

  async function open(): Promise<{ readonly port: number }> {
    const { port } = await listenOnLoopback(server, { name: 'provider', listen })
    hosts = allowedHosts(listen, port)
    server.on('error', err => log.error({ err }, 'provider endpoint failed'))
    log.info({ host: listen.host, port }, 'provider endpoint listens')
    return { port }
  }

  async function close(): Promise<void> {
    // A start that fails has told its caller.
    await starting?.catch(() => undefined)
    // Node takes a connection for idle once `end` was called on its response, and would break off a body that is still on its way.
    server.closeIdleConnections = () => {}
    const closed = new Promise<void>(resolve => server.close(() => resolve()))
    held.releaseAll({ last: true })
    for (const connection of connections.all()) if (connection.exchanges.size === 0) connection.socket.destroy()
    const deadline = setTimeout(() => connections.all().forEach(cutOff), limits.stopDeadlineMs)
    await closed
    clearTimeout(deadline)
    await connections.empty()
  }

  return {
    start() {
      if (starting !== null || stopped !== null) return Promise.reject(new Error('a provider is started once'))
      starting = open()
      return starting
    },
    stop() {
      stopped ??= close()
      return stopped
    },
    publish(snapshot) {
      if (snapshot.hash === current?.hash) return
      current = makeServed(snapshot)
      held.releaseAll({ last: false })
    },
    resetHold: held.reset,
    pauseHolding(ms) {
      noHoldUntilMs = nowMs() + ms
      if (ms > 0) held.releaseAll({ last: false })
    },
    stats() {
      const now = nowMs()
      const open = connections.all()
      // A held poll is one that goes on now.
      const spans = open.flatMap(({ span, exchanges }) =>
        span === null ? [] : [exchanges.size > 0 ? { ...span, toMs: now } : span],
      )
      return {
        ...account.read(spans, now),
        openConnections: open.length,
        held: held.size(),
        holdShortened: held.shortened(),
        evicted: connections.evicted(),
        slowReaders,
      }
    },
  }
}
