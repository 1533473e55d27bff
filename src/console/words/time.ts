/** Times as people read them: `61 ms`, `2.1 s`, `18 min`, `3 h`, `12 d`. The whole time goes into `<time>` and its title. */

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/** How long something took or has lasted. Rounded down, so that nothing looks older than it is. */
export function durationWords(ms: number): string {
  const whole = Math.max(0, ms)
  if (whole < SECOND) return `${Math.floor(whole)} ms`
  if (whole < 10 * SECOND) return `${(Math.floor(whole / 100) / 10).toFixed(1)} s`
  if (whole < MINUTE) return `${Math.floor(whole / SECOND)} s`
  if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min`
  if (whole < 2 * DAY) return `${Math.floor(whole / HOUR)} h`
  return `${Math.floor(whole / DAY)} d`
}

/** How long ago: like a duration, but nobody needs milliseconds of the past. */
export function agoWords(ms: number): string {
  if (ms < SECOND) return 'now'
  return durationWords(ms < 10 * SECOND ? Math.floor(ms / SECOND) * SECOND : ms).replace('.0 s', ' s')
}

/** What is left of a time that counts down: `14 min 32 s`, `9 s`, `0 s`. */
export function leftWords(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / SECOND))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

const two = (value: number): string => String(value).padStart(2, '0')
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `11:42:07` in the time zone of the browser. */
export function clockWords(time: Date): string {
  return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`
}

/** `4 Nov`, with the year when it is not that of `now`. */
export function dayWords(time: Date, now: Date): string {
  const day = `${time.getDate()} ${MONTHS[time.getMonth()] ?? ''}`
  return time.getFullYear() === now.getFullYear() ? day : `${day} ${time.getFullYear()}`
}

/** `Today`, `Yesterday`, else the day: for headings of a list by day. */
export function dayHeading(time: Date, now: Date): string {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime()
  if (time.getTime() >= midnight) return 'Today'
  if (time.getTime() >= midnight - DAY) return 'Yesterday'
  return dayWords(time, now)
}

/** The whole of it, for a title: `4 Nov 2026, 11:42:07`. */
export function fullWords(time: Date): string {
  return `${time.getDate()} ${MONTHS[time.getMonth()] ?? ''} ${time.getFullYear()}, ${clockWords(time)}`
}
