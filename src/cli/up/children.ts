/**
 * The processes that `fairlead up` has started, written down so that the next one finds those that a killed one left behind.
 *
 * A process is known again by its number, its start time and its last argument together: numbers are given out again, and nobody else's
 * process may be ended. The last argument names a file of this state directory; a wrapper script hands it on, other than the first one.
 */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import type { Clock } from '../../lib/clock.ts'

const recordSchema = z.object({
  name: z.string(),
  pid: z.int().min(2),
  startTime: z.string(),
  lastArgument: z.string(),
})

export type ChildRecord = z.output<typeof recordSchema>

const textOf = (path: string): string | null => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

/** When a process started, comparable for equality on this machine also after it was booted again; null when there is none. */
export function startTimeOf(pid: number): string | null {
  const stat = textOf(`/proc/${pid}/stat`)
  if (stat === null) return null
  // The second field is the program's name in brackets and may hold blanks and brackets; the start time is field 22.
  const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  const boot = textOf('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
  return ticks === undefined ? null : `${boot} ${ticks}`
}

const lastArgumentOf = (pid: number): string | null =>
  textOf(`/proc/${pid}/cmdline`)?.replace(/\0$/, '').split('\0').at(-1) ?? null

/** True while this very process runs. One that has ended but was not yet waited for has no command line. */
export const isRunning = ({ pid, startTime, lastArgument }: ChildRecord): boolean =>
  startTimeOf(pid) === startTime && lastArgumentOf(pid) === lastArgument

/** What a file says, or nothing when it is not there or makes no sense. */
export function readChildren(path: string): readonly ChildRecord[] {
  const text = textOf(path)
  if (text === null) return []
  try {
    const parsed = z.array(recordSchema).safeParse(JSON.parse(text))
    return parsed.success ? parsed.data : []
  } catch {
    return []
  }
}

export type ChildBook = {
  /** At once, and without waiting: between the start of a process and this line it could be lost. */
  readonly started: (name: string, pid: number, lastArgument: string) => void
  /** All have been ended. */
  readonly clear: () => void
}

export function openChildBook(path: string): ChildBook {
  const records = new Map<string, ChildRecord>()
  return {
    started(name, pid, lastArgument) {
      const startTime = startTimeOf(pid)
      if (startTime === null) return
      records.set(name, { name, pid, startTime, lastArgument })
      writeFileSync(`${path}.tmp`, `${JSON.stringify([...records.values()])}\n`, { mode: 0o600 })
      renameSync(`${path}.tmp`, path)
    },
    clear: () => rmSync(path, { force: true }),
  }
}

const POLL_MS = 20

const send = (record: ChildRecord, signal: NodeJS.Signals): void => {
  if (!isRunning(record)) return
  try {
    process.kill(record.pid, signal)
  } catch {
    // Gone in this very moment.
  }
}

/** Ends what still runs of them, and gives those records back. Each has `graceMs` to end by itself. */
export async function endLeftOvers(
  records: readonly ChildRecord[],
  { clock, graceMs }: { readonly clock: Clock; readonly graceMs: number },
): Promise<readonly ChildRecord[]> {
  const left = records.filter(isRunning)
  const never = new AbortController().signal
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    for (const record of left) send(record, signal)
    const deadline = clock.monotonic() + graceMs
    while (left.some(isRunning) && clock.monotonic() < deadline) await clock.sleep(POLL_MS, never)
  }
  return left
}
