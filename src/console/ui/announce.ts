/**
 * What is said to who does not see it. One polite place for all, and one for counts of results; both stand in the shell
 * (`<LiveRegions />`). Sentences that come within a moment become one, so that a burst of events is not read out one by one.
 */

type Region = 'status' | 'count'
type Listener = (region: Region, text: string) => void

const GATHER_MS = 250
let listener: Listener | null = null
const waiting: Record<Region, string[]> = { status: [], count: [] }
const timers: Partial<Record<Region, ReturnType<typeof setTimeout>>> = {}

function say(region: Region, text: string): void {
  // A count replaces the one before it; of sentences each counts, but nobody listens to more than three.
  if (region === 'count') waiting.count = [text]
  else if (!waiting.status.includes(text)) waiting.status = [...waiting.status, text].slice(-3)
  clearTimeout(timers[region])
  timers[region] = setTimeout(() => {
    listener?.(region, waiting[region].join('. '))
    waiting[region] = []
  }, GATHER_MS)
}

/** `orders-db is live, 61 milliseconds`. */
export const announce = (text: string): void => say('status', text)

/** `12 services`. */
export const announceCount = (text: string): void => say('count', text)

/** For LiveRegions alone. */
export function onAnnounce(hear: Listener): () => void {
  listener = hear
  return () => {
    listener = null
  }
}
