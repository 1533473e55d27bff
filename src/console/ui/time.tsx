/** Times: always `<time>` with the whole of it, in the attribute and in the title. */
import type { ReactElement } from 'react'
import { useRuntime } from '../data/runtime-context.tsx'
import { agoWords, clockWords, dayWords, durationWords, fullWords } from '../words/time.ts'
import { useNow } from './now.ts'

const PACE_MS = 1_000

/** How long ago something was, growing: `18 min`, or `18 min ago`. `at`: RFC 3339. By the server's clock. */
export function Ago({ at, suffix = false }: { readonly at: string; readonly suffix?: boolean }): ReactElement {
  const now = useNow(PACE_MS)
  const { link } = useRuntime()
  const words = agoWords(now + link.view().clockOffsetMs - Date.parse(at))
  return (
    <time dateTime={at} title={fullWords(new Date(at))}>
      {suffix && words !== 'now' ? `${words} ago` : words}
    </time>
  )
}

/** `11:42:07`; with the day when that was not today. */
export function At({ at }: { readonly at: string }): ReactElement {
  const time = new Date(at)
  const now = new Date()
  const isToday = time.toDateString() === now.toDateString()
  return (
    <time dateTime={at} title={fullWords(time)}>
      {isToday ? clockWords(time) : `${dayWords(time, now)} ${clockWords(time).slice(0, 5)}`}
    </time>
  )
}

/** `4 Nov`. */
export function Day({ at }: { readonly at: string }): ReactElement {
  return (
    <time dateTime={at} title={fullWords(new Date(at))}>
      {dayWords(new Date(at), new Date())}
    </time>
  )
}

/** `61 ms`. */
export function Took({ ms }: { readonly ms: number }): ReactElement {
  return <time dateTime={`PT${(ms / 1000).toFixed(3)}S`}>{durationWords(ms)}</time>
}
