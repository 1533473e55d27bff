/** A files source on a real folder, with a clock and a watch that the test drives, or with real ones. */
import { Writable } from 'node:stream'
import { pino } from 'pino'
import { createFilesSource, type FilesSourceOptions } from '../../../src/agent/sources/files.ts'
import type { FolderWatchEvents } from '../../../src/agent/sources/files-watch.ts'
import type { SourceReading, SourceStatus } from '../../../src/agent/sources/source.ts'
import type { Clock } from '../../../src/lib/clock.ts'
import { atEnd } from '../../support/at-end.ts'
import { waitFor } from '../../support/wait-for.ts'

// Files that anyone may write are refused, and under some umasks a new file is one.
process.umask(0o022)

/** One TCP route of a file, four lines; the port is 10000 and the number at the end of the id. */
export const routeLines = (id: string): string =>
  `  - id: ${id}\n    upstreams: ["10.200.1.5:5432"]\n    externalPort: ${10000 + Number(/\d+$/.exec(id)?.[0] ?? 0)}\n    allowCidrs: ["10.0.0.0/8"]\n`

export const fileWith = (...ids: string[]): string =>
  `tcpRoutes:${ids.length === 0 ? ' []' : ''}\n${ids.map(routeLines).join('')}`

export type StepClock = Clock & { advance(ms: number): void }

/** Time passes by `advance` alone. `now` goes with the machine's, for files carry its time. */
export function createStepClock(): StepClock {
  let passed = 0
  const sleepers = new Set<{ readonly until: number; readonly wake: () => void }>()
  return {
    now: () => Date.now() + passed,
    monotonic: () => passed,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        const done = () => {
          sleepers.delete(sleeper)
          signal.removeEventListener('abort', stop)
        }
        const stop = () => {
          done()
          reject(signal.reason)
        }
        const sleeper = {
          until: passed + ms,
          wake: () => {
            done()
            resolve()
          },
        }
        if (signal.aborted) return reject(signal.reason)
        sleepers.add(sleeper)
        signal.addEventListener('abort', stop)
      }),
    advance(ms) {
      passed += ms
      for (const { until, wake } of [...sleepers]) if (until <= passed) wake()
    },
  }
}

type Options = Partial<Omit<FilesSourceOptions, 'events' | 'logger' | 'clock'>> & Pick<FilesSourceOptions, 'directory'>

function open(options: Options & { readonly clock?: Clock }) {
  const attempts: string[] = []
  const lines: string[] = []
  let changes = 0
  const logger = pino(
    { level: 'debug' },
    new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk))
        done()
      },
    }),
  )
  const source = createFilesSource({
    maxRoutes: 20_000,
    logger,
    ...options,
    events: {
      onChange: () => {
        changes += 1
      },
      onAttempt: result => attempts.push(result),
    },
  })
  atEnd(() => source.stop())
  const reading = (): SourceReading => {
    const found = source.status().reading
    if (found === null) throw new Error('there is no reading')
    return found
  }
  return {
    source,
    attempts,
    reading,
    changes: () => changes,
    status: (): SourceStatus => source.status(),
    /** `file: id id` for each file that has routes. */
    routes: (): string[] => {
      const files = Map.groupBy(source.status().reading?.routes ?? [], ({ origin }) => origin)
      return [...files].map(([origin, routes]) => `${origin}: ${routes.map(({ route }) => route.id).join(' ')}`)
    },
    problems: (): string[] => reading().problems.map(({ origin, message }) => `${origin}: ${message}`),
    /** Messages of the log at one level, in order. */
    logged: (level: 'debug' | 'info' | 'warn' | 'error'): string[] =>
      lines
        .map(line => JSON.parse(line))
        .filter(line => line.level === { debug: 20, info: 30, warn: 40, error: 50 }[level])
        .map(line => line.msg),
  }
}

/** With the machine's clock and watch, and times that a busy machine keeps too. */
export async function openFiles(options: Options) {
  const files = open({ debounceMs: 300, quietMs: 60, ...options })
  await files.source.start()
  return files
}

/** Nothing happens but by `look` and `pass`: both return when the look that they caused has ended. */
export function openStepped(options: Options) {
  const clock = createStepClock()
  const watches: FolderWatchEvents[] = []
  const files = open({
    watch: (_directory, events) => {
      watches.push(events)
      return { close: async () => {} }
    },
    ...options,
    clock,
  })
  const next = async (act: () => void): Promise<void> => {
    const before = files.attempts.length
    act()
    await waitFor(() => files.attempts.length > before, { what: 'the next look at the folder' })
    // The look's last step, the watch, comes after the attempt was told.
    await new Promise(resolve => setImmediate(resolve))
  }
  return {
    ...files,
    clock,
    watches,
    /** Begins, and lets the files that were just written come to rest. */
    start: async () => {
      let ended = false
      const started = files.source.start().then(() => {
        ended = true
      })
      await waitFor(() => files.attempts.length > 0, { what: 'the first look' })
      await new Promise(resolve => setImmediate(resolve))
      if (!ended) await next(() => clock.advance(200))
      await started
      await new Promise(resolve => setImmediate(resolve))
    },
    look: () => next(() => watches.at(-1)?.onHint()),
    /** Time goes by until the source looks again by itself. */
    pass: (ms: number) => next(() => clock.advance(ms)),
    /** Time goes by, too little for the source to look by itself, and then something makes it look. */
    later: (ms: number) =>
      next(() => {
        clock.advance(ms)
        watches.at(-1)?.onHint()
      }),
  }
}
