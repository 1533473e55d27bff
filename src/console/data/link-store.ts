/**
 * Holds the link (link.ts), does what it asks for, and lets the page see it. Made once, outside React: a page that comes and goes must
 * not open and close the stream.
 */

import type { ServerEvent } from '../../api/event.ts'
import { isEmpty, parseEvent, planRefresh, type RefreshPlan } from './events.ts'
import { isUp, type Link, type LinkEvent, startLink, step } from './link.ts'
import { createStream } from './stream.ts'

export type LinkView = Link & {
  readonly isUp: boolean
  /** Of the control plane, as it said last. */
  readonly revision: number | null
  /** The server's clock less ours, in milliseconds. */
  readonly clockOffsetMs: number
}

export type LinkStoreOptions = {
  readonly url: string
  /** Fetches everything that is shown; rejects when that did not work. */
  readonly refetchAll: () => Promise<void>
  readonly refresh: (plan: RefreshPlan) => void
}

export type LinkStore = {
  start(): void
  stop(): void
  /** Something that is shown could not be fetched again: it may be old, so nothing is known until everything has been. */
  doubt(): void
  /** Tries at once, for a person who does not want to wait. */
  nudge(): void
  subscribe(listener: () => void): () => void
  view(): LinkView
}

const TICK_MS = 500
/** Events of one change come together. */
const BURST_MS = 60

export function createLinkStore({ url, refetchAll, refresh }: LinkStoreOptions): LinkStore {
  const listeners = new Set<() => void>()
  const over = new AbortController()
  let { link } = startLink(Date.now())
  let revision: number | null = null
  let clockOffsetMs = 0
  let burst: ServerEvent[] = []
  let burstTimer: ReturnType<typeof setTimeout> | undefined
  let ticker: ReturnType<typeof setInterval> | undefined
  let view: LinkView = { ...link, isUp: isUp(link), revision, clockOffsetMs }

  const stream = createStream({
    url,
    onNews(news) {
      if (news.type !== 'heard') return dispatch(news.type)
      const event = parseEvent(news.event, news.data)
      if (event === null) return dispatch('heard')
      revision = event.data.revision
      if (event.event === 'heartbeat') clockOffsetMs = Date.parse(event.data.at) - Date.now()
      else collect(event)
      dispatch('heard')
    },
  })

  function collect(event: ServerEvent): void {
    burst.push(event)
    burstTimer ??= setTimeout(() => {
      burstTimer = undefined
      const plan = planRefresh(burst)
      burst = []
      if (!isEmpty(plan)) refresh(plan)
    }, BURST_MS)
  }

  function dispatch(type: LinkEvent['type']): void {
    if (over.signal.aborted) return
    const { link: next, deeds } = step(link, { type, now: Date.now() }, Math.random())
    link = next
    publish()
    for (const deed of deeds) {
      if (deed === 'connect') stream.connect()
      if (deed === 'disconnect') stream.disconnect()
      if (deed === 'fetch')
        refetchAll().then(
          () => dispatch('fetched'),
          () => dispatch('failed'),
        )
    }
  }

  function publish(): void {
    const next: LinkView = { ...link, isUp: isUp(link), revision, clockOffsetMs }
    const isSame =
      next.phase === view.phase &&
      next.revision === view.revision &&
      next.retryAt === view.retryAt &&
      next.trying === view.trying &&
      next.heardAt === view.heardAt
    if (isSame) return
    view = next
    for (const listener of listeners) listener()
  }

  return {
    start() {
      stream.start()
      stream.connect()
      ticker = setInterval(() => dispatch('tick'), TICK_MS)
      addEventListener('online', () => dispatch('nudge'), { signal: over.signal })
      addEventListener('focus', () => dispatch('nudge'), { signal: over.signal })
      // The network is gone for sure: no need to wait for the silence.
      addEventListener('offline', () => dispatch('failed'), { signal: over.signal })
    },
    stop() {
      over.abort()
      clearInterval(ticker)
      clearTimeout(burstTimer)
      stream.stop()
    },
    doubt: () => dispatch('failed'),
    nudge: () => dispatch('nudge'),
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    view: () => view,
  }
}
