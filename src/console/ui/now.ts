/** The time, for what grows old on the screen. One clock for each pace, however many look at it. */
import { useSyncExternalStore } from 'react'

type Clock = { readonly subscribe: (listener: () => void) => () => void; readonly read: () => number }

const clocks = new Map<number, Clock>()

function clockOf(periodMs: number): Clock {
  const known = clocks.get(periodMs)
  if (known !== undefined) return known
  const listeners = new Set<() => void>()
  let now = Date.now()
  let timer: ReturnType<typeof setInterval> | undefined
  const clock: Clock = {
    subscribe(listener) {
      listeners.add(listener)
      timer ??= setInterval(() => {
        now = Date.now()
        for (const one of listeners) one()
      }, periodMs)
      return () => {
        listeners.delete(listener)
        if (listeners.size > 0) return
        clearInterval(timer)
        timer = undefined
      }
    },
    read() {
      // Nobody has looked for a while: what was read then is no time any more.
      if (timer === undefined && Date.now() - now > periodMs) now = Date.now()
      return now
    },
  }
  clocks.set(periodMs, clock)
  return clock
}

/** Milliseconds since 1970; renders every `periodMs`. */
export function useNow(periodMs: number): number {
  const clock = clockOf(periodMs)
  return useSyncExternalStore(clock.subscribe, clock.read)
}
