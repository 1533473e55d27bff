/**
 * Who waits for what, in this process: held polls for a newer state, consoles for events.
 *
 *   commit -> NOTIFY -> [one LISTEN] -> position, wakes, events          at once, from any process
 *             revisions <- read every second or two                      what a lost notification would have said
 *
 * Notifications are hints, the table is the truth. When the table is found behind what it said before, or in another history of the server (a
 * failover that may have lost commits), a new epoch is begun, so that no number is used for two states.
 */
import { sql } from 'drizzle-orm'
import type { Logger } from 'pino'
import type { Clock } from '../lib/clock.ts'
import { writeAudit } from './audit.ts'
import type { Database } from './db/client.ts'
import type { Listening } from './db/connections.ts'
import { makeId } from './db/id.ts'
import { isNoted, isOtherLineage, type Lineage, noteLineage, readLineage } from './db/lineage.ts'
import { isBefore, type Position, raiseEpoch, readPosition } from './db/revision.ts'
import type { Tx } from './db/transaction.ts'
import { createGathering, type EventListener } from './hub-events.ts'
import { type Notice, parseNotice } from './hub-notices.ts'

export type { HubEvent } from './hub-notices.ts'
export { announce, wakeNodes } from './hub-notices.ts'

/** `past`: there is a newer position. `woken`: somebody has something for this node. `late`: the time is over. `released`: nobody is held any more. */
export type WaitResult = 'past' | 'woken' | 'late' | 'released'

export type WaitOptions = {
  readonly signal: AbortSignal
  readonly timeoutMs: number
  /** Ends the wait with `woken` when this node is to look again, */
  readonly nodeId?: string
  /** or was to since then: what `wakes` said before that was read because of which it waits. */
  readonly since?: number
}

export type HubStats = {
  /** Whether notifications come at all at the moment. */
  readonly listening: boolean
  readonly waiting: number
  readonly subscribers: number
  /** Milliseconds since 1970 of the last reading of the table; null before the first. */
  readonly lastReadAt: number | null
}

export interface Hub {
  /** Listens and reads from now on. Never throws: without a database it goes on trying. */
  start(): void
  stop(): Promise<void>
  /** The newest one that is known here; null before the first reading. */
  position(): Position | null
  /** Somebody has read this from the table. */
  saw(position: Position): void
  /** How many wakes there have been. */
  wakes(): number
  /** Rejects with the reason of the signal when that is aborted first. */
  waitPast(position: Position, options: WaitOptions): Promise<WaitResult>
  /** Ends every wait with `released`, those to come included: the process is stopping. */
  release(): void
  /** Calls back with each event until the returned function is called. */
  subscribe(listener: EventListener): () => void
  stats(): HubStats
}

export type HubOptions = {
  readonly database: Pick<Database, 'transaction' | 'listen' | 'kind'>
  readonly clock: Clock
  readonly logger: Logger
  /** From 0 to below 1. */
  readonly random?: () => number
  /** The table was behind what it said before: begins a new epoch, in this transaction. By default with an audit row, and no more. */
  readonly onWentBack?: (tx: Tx) => Promise<unknown>
  /** How often the table is read; half as much more or less. */
  readonly readIntervalMs?: number
  /** How long events are gathered before they are told. */
  readonly gatherMs?: number
}

/** Nobody else can change an embedded database, and its notifications are function calls. */
const READ_INTERVAL_MS = { server: 1500, embedded: 5000 } as const
const GATHER_MS = 40

/** How many nodes have a wake of their own on record; beyond that all of them look again. */
const MAX_WAKES = 10_000

async function beginEpoch(tx: Tx): Promise<void> {
  const before = await readPosition(tx)
  const { epoch, revision } = await raiseEpoch(tx)
  await writeAudit(
    tx,
    {
      action: 'epoch.raise',
      resourceKind: 'epoch',
      resourceId: String(epoch),
      before,
      after: { epoch, revision },
    },
    { actor: { kind: 'system', id: 'hub' }, requestId: makeId('req'), position: { epoch, revision } },
  )
}

const wentBack = (before: Position | null, found: Position): boolean => before !== null && isBefore(found, before)

type Waiter = {
  readonly position: Position
  readonly nodeId: string | null
  readonly end: (result: WaitResult) => void
}

export function createHub({
  database,
  clock,
  logger: parent,
  random = Math.random,
  onWentBack = beginEpoch,
  readIntervalMs = READ_INTERVAL_MS[database.kind],
  gatherMs = GATHER_MS,
}: HubOptions): Hub {
  const logger = parent.child({ component: 'hub' })
  const stopped = new AbortController()
  const waiters = new Set<Waiter>()
  const subscribers = new Set<EventListener>()
  const gathering = createGathering()
  let position: Position | null = null
  let lastReadAt: number | null = null
  let released = false
  let failing = false
  let gatherTimer: NodeJS.Timeout | null = null
  let listening: Listening | null = null
  let running: Promise<void> | null = null
  let wakes = 0
  let wakeOfAll = 0
  const wakeOfNode = new Map<string, number>()
  /** Ends the pause between two readings. */
  let readNow: AbortController | null = null

  function end(result: WaitResult, concerns: (waiter: Waiter) => boolean): void {
    for (const waiter of [...waiters]) if (concerns(waiter)) waiter.end(result)
  }

  function tell(): void {
    gatherTimer = null
    for (const event of gathering.take())
      for (const listener of [...subscribers]) {
        try {
          listener(event)
        } catch (error) {
          logger.error({ err: error }, 'listener failed')
        }
      }
  }
  function gather(): void {
    if (stopped.signal.aborted || subscribers.size === 0) gathering.take()
    else gatherTimer ??= setTimeout(tell, gatherMs)
  }

  function advance(next: Position): void {
    if (position !== null && !isBefore(position, next)) return
    const first = position === null
    position = next
    end('past', waiter => isBefore(waiter.position, next))
    if (first) return
    gathering.revision(next)
    gather()
  }

  /** Empty: all nodes. */
  function wake(ids: readonly string[]): void {
    wakes += 1
    if (ids.length === 0 || wakeOfNode.size + ids.length > MAX_WAKES) {
      wakeOfNode.clear()
      wakeOfAll = wakes
    }
    for (const id of ids) wakeOfNode.set(id, wakes)
    end('woken', ({ nodeId }) => nodeId !== null && (ids.length === 0 || ids.includes(nodeId)))
  }

  const wasWoken = ({ nodeId, since }: WaitOptions): boolean =>
    nodeId !== undefined && since !== undefined && Math.max(wakeOfAll, wakeOfNode.get(nodeId) ?? 0) > since

  function hear(notice: Notice): void {
    switch (notice.kind) {
      case 'revision':
        advance({ epoch: notice.epoch, revision: notice.revision })
        break
      case 'wake':
        wake(notice.ids)
        break
      case 'change':
      case 'verdict':
      case 'node':
        gathering.event(notice)
        gather()
        break
      default:
        notice satisfies never
    }
  }

  /** Commits were lost, or may have been. Others may have seen it, too: whoever is first begins the epoch. */
  async function mendWentBack(before: Position | null, found: Position, lineage: Lineage): Promise<void> {
    if (wentBack(before, found) || isOtherLineage(lineage))
      logger.error(
        {
          before,
          found,
          lineage,
          remedy: 'Look whether the database was failed over or restored; a new epoch is begun.',
        },
        'revision went back, or may have',
      )
    await database.transaction(async tx => {
      await tx.execute(sql`select id from revisions where id = 1 for update`)
      const here = await readLineage(tx)
      if (wentBack(before, await readPosition(tx)) || isOtherLineage(here)) await onWentBack(tx)
      await noteLineage(tx, here)
    })
    readNow?.abort()
  }

  async function read(): Promise<void> {
    // What was heard before the reading began is committed; what is heard meanwhile says nothing about it.
    const before = position
    const { found, lineage } = await database.transaction(
      async tx => ({ found: await readPosition(tx), lineage: await readLineage(tx) }),
      { readOnly: true },
    )
    lastReadAt = clock.now()
    if (failing) logger.info('revision is read again')
    failing = false
    if (wentBack(before, found) || !isNoted(lineage)) await mendWentBack(before, found, lineage)
    else advance({ epoch: found.epoch, revision: found.revision })
  }

  async function run(): Promise<void> {
    while (!stopped.signal.aborted) {
      readNow = new AbortController()
      try {
        await read()
      } catch (error) {
        if (stopped.signal.aborted) return
        logger[failing ? 'debug' : 'warn']({ err: error }, 'revision could not be read')
        failing = true
      }
      await clock
        .sleep(readIntervalMs * (0.75 + random() / 2), AbortSignal.any([stopped.signal, readNow.signal]))
        .catch(() => {})
    }
  }

  return {
    start() {
      if (running !== null) return
      listening = database.listen({
        onMessage(payload) {
          const notice = parseNotice(payload)
          if (notice === null) logger.debug({ bytes: payload.length }, 'notification that is not known here')
          else hear(notice)
        },
        onGap() {
          readNow?.abort()
          // Of what was missed, only the revision can be read: everything else may have been said.
          wake([])
          if (position === null) return
          for (const kind of ['change', 'verdict', 'node'] as const)
            gathering.event({ kind, ids: [], revision: position.revision, projectId: null })
          gather()
        },
      })
      running = run()
    },
    async stop() {
      stopped.abort(new Error('stopped'))
      released = true
      end('released', () => true)
      if (gatherTimer !== null) clearTimeout(gatherTimer)
      await Promise.all([running, listening?.stop()])
    },
    position: () => position,
    saw: advance,
    wakes: () => wakes,
    waitPast(from, options) {
      const { signal, timeoutMs, nodeId } = options
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason)
        if (released) return resolve('released')
        if (position !== null && isBefore(from, position)) return resolve('past')
        if (wasWoken(options)) return resolve('woken')
        const leave = () => {
          waiters.delete(waiter)
          clearTimeout(timer)
          signal.removeEventListener('abort', onAbort)
        }
        const waiter: Waiter = {
          position: from,
          nodeId: nodeId ?? null,
          end(result) {
            leave()
            resolve(result)
          },
        }
        const onAbort = () => {
          leave()
          reject(signal.reason)
        }
        const timer = setTimeout(() => waiter.end('late'), timeoutMs)
        waiters.add(waiter)
        signal.addEventListener('abort', onAbort, { once: true })
      })
    },
    release() {
      released = true
      end('released', () => true)
    },
    subscribe(listener) {
      subscribers.add(listener)
      return () => void subscribers.delete(listener)
    },
    stats: () => ({
      listening: listening?.isConnected() ?? false,
      waiting: waiters.size,
      subscribers: subscribers.size,
      lastReadAt,
    }),
  }
}
