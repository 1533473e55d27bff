/**
 * One event stream for the whole browser, however many tabs are open: browsers keep few connections to one address, and each stream
 * holds one for good. The tab that gets the lock (Web Locks) opens the stream and passes on what it hears (BroadcastChannel); when it
 * is closed, the next one gets the lock. Where there are no locks, as on plain http, every tab has a stream of its own.
 */

export type StreamNews =
  | { readonly type: 'opened' | 'closed' }
  | { readonly type: 'heard'; readonly event: string; readonly data: string }

export type StreamOptions = {
  readonly url: string
  readonly onNews: (news: StreamNews) => void
}

export type Stream = {
  start(): void
  /** Opens the stream anew; in a tab that follows, asks the leading one to. */
  connect(): void
  disconnect(): void
  stop(): void
}

const NAME = 'fairlead-events'
const EVENTS = ['change', 'verdict', 'node', 'heartbeat'] as const

type Passed = StreamNews | { readonly type: 'connect' }

export function createStream({ url, onNews }: StreamOptions): Stream {
  const over = new AbortController()
  const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(NAME)
  const locks = channel === null ? undefined : navigator.locks
  let isLeader = locks === undefined
  /** Another tab has had the stream so far. */
  let isFollower = false
  let source: EventSource | null = null

  const tell = (news: StreamNews): void => {
    onNews(news)
    if (locks !== undefined) channel?.postMessage(news)
  }

  function close(): void {
    source?.close()
    source = null
  }

  function open(): void {
    close()
    const opened = new EventSource(url)
    source = opened
    // What an older source still says is nobody's business any more.
    const ifCurrent = (act: () => void) => () => {
      if (source === opened) act()
    }
    opened.addEventListener(
      'open',
      ifCurrent(() => tell({ type: 'opened' })),
    )
    opened.addEventListener(
      'error',
      ifCurrent(() => {
        // It would try again by itself, in its own rhythm; ours is in link.ts.
        close()
        tell({ type: 'closed' })
      }),
    )
    for (const event of EVENTS)
      opened.addEventListener(event, message => {
        if (source === opened && typeof message.data === 'string') tell({ type: 'heard', event, data: message.data })
      })
  }

  /** A tab that has just been opened asks for the stream; one that runs well is not opened anew for that. */
  function answer(): void {
    if (source === null) open()
    else if (source.readyState === EventSource.OPEN) channel?.postMessage({ type: 'opened' } satisfies Passed)
  }

  return {
    start() {
      channel?.addEventListener('message', ({ data }: MessageEvent<Passed>) => {
        if (data.type !== 'connect') {
          isFollower = true
          onNews(data)
        } else if (isLeader) answer()
      })
      locks
        ?.request(NAME, { signal: over.signal }, async () => {
          isLeader = true
          // What happened between its stream and ours nobody has heard: as after any stream that ended.
          if (isFollower) tell({ type: 'closed' })
          else open()
          await new Promise(resolve => over.signal.addEventListener('abort', resolve, { once: true }))
        })
        // Stopped while it waited for the lock.
        .catch(() => undefined)
    },
    connect() {
      if (isLeader) open()
      else channel?.postMessage({ type: 'connect' } satisfies Passed)
    },
    disconnect() {
      if (isLeader) close()
    },
    stop() {
      over.abort()
      close()
      channel?.close()
    },
  }
}
