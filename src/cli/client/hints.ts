/**
 * Word of what changed, from the event stream of the control plane: `GET /events`.
 *
 * A hint and no more. A stream that is refused, or ends, or that a proxy holds back gives none, and whoever waits looks by itself now and
 * then.
 */
import { ChangeEvent, VerdictEvent } from '../../api/event.ts'
import type { ApiClient } from './api-client.ts'

/** `named`: this very route. `perhaps`: it may be, or the stream has just begun or ended. `late`: the time is over. */
export type Heard = 'named' | 'perhaps' | 'late'

export interface Hints {
  /** False: nothing will be heard, so far or any more. */
  isOpen(): boolean
  /** Since the last call, or from now on. */
  heard(routeId: string, timeoutMs: number): Promise<Heard>
  close(): Promise<void>
}

const OUR_EVENTS = { change: ChangeEvent, verdict: VerdictEvent } as const
const isOurs = (name: string | undefined): name is keyof typeof OUR_EVENTS => name === 'change' || name === 'verdict'

/** Far more than one event has. */
const MAX_TEXT = 256 * 1024

/** What one event says of routes: their ids, null for any of them, nothing at all. */
function routesOf(event: string): readonly string[] | null {
  const field = (name: string): string | undefined => new RegExp(`^${name}: (.*)$`, 'm').exec(event)?.[1]
  const name = field('event')
  if (!isOurs(name)) return []
  try {
    return OUR_EVENTS[name].parse(JSON.parse(field('data') ?? '')).routeIds
  } catch {
    return null
  }
}

/** Never throws. */
export function openHints(client: Pick<ApiClient, 'stream'>): Hints {
  const aborter = new AbortController()
  const named = new Set<string>()
  let perhaps = false
  let isOpen = false
  let ring: () => void = () => {}

  function hear(routeIds: readonly string[] | null): void {
    if (routeIds === null) perhaps = true
    for (const id of routeIds ?? []) named.add(id)
    ring()
  }

  async function listen(): Promise<void> {
    const body = await client.stream({ path: '/events', signal: aborter.signal })
    isOpen = true
    // What happened before it was open was said to others.
    hear(null)
    const decoder = new TextDecoder()
    let text = ''
    for await (const chunk of body) {
      text += decoder.decode(chunk, { stream: true })
      const events = text.split('\n\n')
      text = events.pop() ?? ''
      for (const event of events) hear(routesOf(event))
      if (text.length > MAX_TEXT) return
    }
  }

  const listening = listen()
    .catch(() => {})
    .finally(() => {
      isOpen = false
      aborter.abort()
      hear(null)
    })

  const take = (routeId: string): Heard => {
    const heard = named.has(routeId) ? 'named' : perhaps ? 'perhaps' : 'late'
    named.clear()
    perhaps = false
    return heard
  }

  return {
    isOpen: () => isOpen,
    heard: (routeId, timeoutMs) =>
      new Promise(resolve => {
        const end = (): void => {
          clearTimeout(timer)
          ring = () => {}
          resolve(take(routeId))
        }
        const timer = setTimeout(end, timeoutMs)
        ring = () => {
          if (perhaps || named.has(routeId)) end()
        }
        ring()
      }),
    async close() {
      aborter.abort()
      await listening
    },
  }
}
