/**
 * What all nodes are told alike, read and made into text once for each revision, however many nodes wait for it.
 *
 *   position -> one snapshot { revision, routes, removed } -> noted as sent (noteFetch) -> text, hash, compressed text
 *
 * Before anybody is sent a state it is noted that somebody was: a number that no node was ever told of is free at once, any other rests.
 */
import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { sql } from 'drizzle-orm'
import type { Clock } from '../../lib/clock.ts'
import type { Database } from '../db/client.ts'
import { isBefore, noteFetch, type Position, readPosition } from '../db/revision.ts'
import type { Tx } from '../db/transaction.ts'
import { readRemoved } from './removed.ts'

const compress = promisify(gzip)

export type SharedState = {
  readonly position: Position
  /** Names the routes: equal for equal ones. */
  readonly hash: string
  readonly removed: readonly string[]
  /** Removals up to this revision may be missing in `removed`. */
  readonly removedSince: number
  /** `{ "routes": [...], ... }` */
  readonly traefik: string
  /** `"removed":[...],"traefik":{...}}`: with what is a node's own in front of it, the document. */
  readonly tail: Buffer
  /** The same as a member of a gzip file (RFC 1952); made when it is first asked for. */
  readonly compressedTail: () => Promise<Buffer>
}

/** The lists of the expected state. */
type Routes = Readonly<Record<'routes' | 'tcpRoutes' | 'udpRoutes', readonly { readonly id: string }[]>>

export type SharedStatesOptions = {
  readonly database: Pick<Database, 'transaction'>
  readonly clock: Clock
  readonly readRoutes: (tx: Tx) => Promise<Routes>
  readonly signal: AbortSignal
}

export type SharedStates = {
  /** The newest that is known here, and at least of this position. Rejects with a DatabaseError. */
  at(position: Position): Promise<SharedState>
  /** How often it was read, for tests and metrics. */
  reads(): number
}

/** While others change something all the time, reading and noting may never meet: then they wait for us, once. */
const FREE_TRIES = 2

type Snapshot = {
  readonly position: Position
  readonly routes: Routes
  readonly removed: Awaited<ReturnType<typeof readRemoved>>
  /** It is noted already that a node was sent this revision. */
  readonly isNoted: boolean
}

async function readSnapshot(tx: Tx, readRoutes: SharedStatesOptions['readRoutes']): Promise<Snapshot> {
  const { epoch, revision, fetchedRevision } = await readPosition(tx)
  const routes = await readRoutes(tx)
  const removed = await readRemoved(tx)
  return { position: { epoch, revision }, routes, removed, isNoted: fetchedRevision >= revision }
}

/** Holds the lock that every change takes first, so what is read after it stays as it is until the commit. */
const noteUnderLock = sql`update revisions set fetched_revision = revision where id = 1`

function makeShared({ position, routes, removed }: Snapshot): SharedState {
  const traefik = JSON.stringify(routes)
  const present = new Set(Object.values(routes).flatMap(list => list.map(({ id }) => id)))
  const ids = removed.ids.filter(id => !present.has(id))
  const tail = Buffer.from(`"removed":${JSON.stringify(ids)},"traefik":${traefik}}`)
  let compressed: Promise<Buffer> | null = null
  return {
    position,
    hash: createHash('sha256').update(traefik).digest('hex').slice(0, 32),
    removed: ids,
    removedSince: removed.since,
    traefik,
    tail,
    compressedTail() {
      compressed ??= compress(tail)
      return compressed
    },
  }
}

export function createSharedStates({ database, clock, readRoutes, signal }: SharedStatesOptions): SharedStates {
  let current: SharedState | null = null
  let reading: Promise<SharedState> | null = null
  let reads = 0
  let restUntilMs = Number.NEGATIVE_INFINITY

  async function readAndNote(): Promise<Snapshot> {
    for (let tries = 0; tries < FREE_TRIES; tries++) {
      const snapshot = await database.transaction(tx => readSnapshot(tx, readRoutes), {
        isolation: 'repeatable read',
        readOnly: true,
      })
      if (snapshot.isNoted || (await database.transaction(tx => noteFetch(tx, snapshot.position)))) return snapshot
    }
    return database.transaction(async tx => {
      await tx.execute(noteUnderLock)
      return readSnapshot(tx, readRoutes)
    })
  }

  async function read(): Promise<SharedState> {
    // In a storm of changes half of the time is for others.
    await clock.sleep(restUntilMs - clock.monotonic(), signal)
    const startMs = clock.monotonic()
    reads += 1
    try {
      current = makeShared(await readAndNote())
      return current
    } finally {
      restUntilMs = 2 * clock.monotonic() - startMs
    }
  }

  async function at(position: Position): Promise<SharedState> {
    for (;;) {
      if (current !== null && !isBefore(current.position, position)) return current
      // A reading that has begun before may be of an older position: then another follows.
      reading ??= read().finally(() => {
        reading = null
      })
      await reading
    }
  }

  return { at, reads: () => reads }
}
