/** What a process has used, as the kernel counts it. */
import { readFileSync } from 'node:fs'

// USER_HZ, which is 100 on every Linux that Node runs on.
const TICKS_PER_SECOND = 100

/** Seconds of processor time, in user mode and in the kernel, of all threads since the start. The grain is 10 ms. */
export function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name in parentheses may hold spaces, so the fields are counted from its end.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** Memory that is in RAM now, in megabytes (10^6 bytes). */
export function residentMegabytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return (Number(kilobytes) * 1024) / 1e6
}
