/**
 * So many at a time, so many waiting, and nobody for long: what keeps a slow database from becoming a heap of waiting requests.
 * First come, first served.
 */
import { DatabaseError } from './error.ts'

export type GateOptions = {
  readonly limit: number
  /** Whoever comes when so many wait is refused at once. */
  readonly maxWaiting: number
  readonly waitMs: number
}

export interface Gate {
  /** Resolves with what lets the next one in; calling it twice is once. Rejects with DATABASE_BUSY or DATABASE_CLOSED. */
  enter(): Promise<() => void>
  stats(): { readonly inside: number; readonly waiting: number }
  /** Refuses all who wait and who come; resolves when the last one has left. */
  close(): Promise<void>
}

type Waiter = { admit(): void; refuse(error: DatabaseError): void }

export function createGate({ limit, maxWaiting, waitMs }: GateOptions): Gate {
  const waiting = new Set<Waiter>()
  const onEmpty: (() => void)[] = []
  let inside = 0
  let closed = false

  function leave(): void {
    const [next] = waiting
    if (next === undefined) inside--
    else next.admit()
    if (inside === 0) for (const resolve of onEmpty.splice(0)) resolve()
  }

  function pass(): () => void {
    let left = false
    return () => {
      if (left) return
      left = true
      leave()
    }
  }

  const closedError = (): DatabaseError => new DatabaseError('DATABASE_CLOSED', 'the database is being closed')

  return {
    async enter() {
      if (closed) throw closedError()
      if (inside < limit) {
        inside++
        return pass()
      }
      if (waiting.size >= maxWaiting)
        throw new DatabaseError('DATABASE_BUSY', `${waiting.size} others wait for the database already`)
      return new Promise((resolve, reject) => {
        const done = (): void => {
          clearTimeout(timer)
          waiting.delete(waiter)
        }
        const waiter: Waiter = {
          // The place of the one who left goes over to this one, so that nobody slips in between.
          admit() {
            done()
            resolve(pass())
          },
          refuse(error) {
            done()
            reject(error)
          },
        }
        const timer = setTimeout(
          () =>
            waiter.refuse(new DatabaseError('DATABASE_BUSY', `waited ${waitMs} ms for a connection to the database`)),
          waitMs,
        )
        waiting.add(waiter)
      })
    },
    stats: () => ({ inside, waiting: waiting.size }),
    async close() {
      closed = true
      for (const waiter of [...waiting]) waiter.refuse(closedError())
      if (inside > 0) await new Promise<void>(resolve => onEmpty.push(resolve))
    },
  }
}
