/**
 * Who has fetched the body that is offered now, and who of them has shown by what he did next that he took it.
 *
 *   offered -> fetched on a connection -> asked again there at once: taken
 *                                      \-> silent: Traefik backs off after a body that it refuses, or its interval is long
 *
 * Only the Traefik that is read back may start the time after which a body counts as refused. Whoever looks with curl is no Traefik, and
 * of two Traefiks at one agent the other must not speak for it. So a fetch counts while its connection is open and has not shown that it
 * took the body, and not before every Traefik that polled a moment ago has it.
 */

/** Traefik backs off for 250 ms at least when it refuses a body (0.5 s, half of it by chance); after one that it takes it asks at its interval. */
const TAKEN_WITHIN_MS = 200
/** The longest that a Traefik which goes on backs off, and some. */
const BACKOFF_MS = 25_000

type Fetch = {
  readonly hash: string
  readonly firstAtMs: number
  readonly lastAtMs: number
  /** Null: it has not asked again yet. */
  readonly taken: boolean | null
  /** A body that Traefik refused before is passed over in silence when it comes again, as on another connection. */
  readonly again: boolean
}

export type Fetches = {
  /** Another body is offered. `seen`: a run before this one may have handed it out already. */
  readonly offered: (hash: string, seen: boolean) => void
  /** An answer with a body is out. Times by the clock that never jumps. */
  readonly fetched: (hash: string, connectionId: number, atMs: number) => void
  /** The connection asks again, so long after its last answer began. */
  readonly askedAgain: (connectionId: number, sinceAnswerMs: number) => void
  readonly closed: (connectionId: number) => void
  /** When the offered body was first fetched; null: not yet. */
  readonly sinceMs: () => number | null
  /**
   * Since when it is in the hands of a client that has not shown that it took it; null: of none, or one that polled a moment ago does not
   * have it yet.
   * @param nothingToLose Traefik is not known to have anything of ours: then asking again at once is proof enough
   */
  readonly doubtSinceMs: (nothingToLose: boolean, nowMs: number) => number | null
  /** What is offered is to be fetched anew, although it is the same body. */
  readonly forget: () => void
  /** Another Traefik process. Null: it has not fetched the offered body yet; else it counts as fetched from then. */
  readonly restarted: (atMs: number | null) => void
}

export function makeFetches(): Fetches {
  /** The last body of each open connection. */
  const last = new Map<number, Fetch>()
  let offered: { readonly hash: string; readonly seen: boolean } | null = null
  let sinceMs: number | null = null

  function forget(): void {
    if (offered === null) return
    for (const [id, { hash }] of last) if (hash === offered.hash) last.delete(id)
    offered = { ...offered, seen: true }
    sinceMs = null
  }

  return {
    offered(hash, seen) {
      offered = { hash, seen }
      sinceMs = null
    },
    fetched(hash, connectionId, atMs) {
      const before = last.get(connectionId)
      const again = before === undefined && (sinceMs !== null || offered?.seen === true)
      last.set(
        connectionId,
        before?.hash === hash
          ? { ...before, lastAtMs: atMs }
          : { hash, firstAtMs: atMs, lastAtMs: atMs, taken: null, again },
      )
      if (hash === offered?.hash) sinceMs ??= atMs
    },
    askedAgain(connectionId, sinceAnswerMs) {
      const fetch = last.get(connectionId)
      // The first time alone tells: of a body that it has, Traefik says nothing any more.
      if (fetch !== undefined && fetch.taken === null)
        last.set(connectionId, { ...fetch, taken: sinceAnswerMs <= TAKEN_WITHIN_MS })
    },
    closed: connectionId => void last.delete(connectionId),
    sinceMs: () => sinceMs,
    doubtSinceMs(nothingToLose, nowMs) {
      if (sinceMs === null) return null
      const all = [...last.values()]
      if (all.some(({ hash, lastAtMs }) => hash !== offered?.hash && nowMs - lastAtMs < BACKOFF_MS)) return null
      const inDoubt = all.filter(
        ({ hash, taken, again }) => hash === offered?.hash && (taken !== true || (again && !nothingToLose)),
      )
      return inDoubt.length === 0 ? null : Math.max(sinceMs, ...inDoubt.map(({ firstAtMs }) => firstAtMs))
    },
    forget,
    restarted(atMs) {
      if (atMs === null) {
        forget()
        return
      }
      sinceMs = atMs
      for (const [id, fetch] of last)
        if (fetch.hash === offered?.hash) last.set(id, { ...fetch, firstAtMs: atMs, again: true })
    },
  }
}
