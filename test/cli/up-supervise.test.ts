import { appendFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { endLeftOvers, isRunning, openChildBook, readChildren } from '../../src/cli/up/children.ts'
import { openLogFile } from '../../src/cli/up/log-file.ts'
import { BACKOFF, type ChildSpec, type SuperviseOptions, supervise, waitAfter } from '../../src/cli/up/supervise.ts'
import { SYSTEM_CLOCK } from '../../src/lib/clock.ts'
import { atEnd } from '../support/at-end.ts'
import { startProcess } from '../support/program.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

const QUICK = { firstMs: 1, mostMs: 5, steadyMs: 60_000 }

type Watched = { readonly pids: number[]; readonly ends: string[]; readonly stop: (graceMs?: number) => Promise<void> }

async function run(
  script: string,
  change: Partial<SuperviseOptions> = {},
  spec: Partial<ChildSpec> = {},
): Promise<Watched> {
  const folder = await tempFolder()
  const log = openLogFile(join(folder, 'log'))
  atEnd(log.close)
  const pids: number[] = []
  const ends: string[] = []
  const child = supervise({
    spec: {
      ...{
        command: '/bin/sh',
        args: ['-c', script],
        cwd: folder,
        env: { FOLDER: folder },
        logFd: log.fd,
        channel: false,
      },
      ...spec,
    },
    clock: SYSTEM_CLOCK,
    backoff: QUICK,
    onStart: pid => pids.push(pid),
    onEnd: how => ends.push(how),
    ...change,
  })
  child.start()
  const stop = (graceMs = 5_000) => child.stop(graceMs)
  atEnd(() => stop(0))
  return { pids, ends, stop }
}

const isThere = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

describe('a child that ends', () => {
  test.each([
    ['exit 7', 'ended with code 7'],
    ['kill -9 $$', 'was ended by SIGKILL'],
  ])('`%s` is said, and it is started again', async (script, how) => {
    const child = await run(script)
    await waitFor(() => child.pids.length >= 3, { what: 'a third start' })
    await child.stop()
    expect(child.ends.slice(0, 2)).toEqual([how, how])
    expect(new Set(child.pids).size).toBe(child.pids.length)
  })

  test('a program that is not there is tried again, too', async () => {
    const child = await run('', {}, { command: '/does/not/exist' })
    await waitFor(() => child.ends.length >= 2, { what: 'a second try' })
    expect(child.ends[0]).toBe('could not be started: spawn /does/not/exist ENOENT')
  })

  test('what cannot be prepared counts as an end', async () => {
    let tries = 0
    const child = await run('exec sleep 60', {
      prepare: async () => {
        tries += 1
        if (tries === 1) throw new Error('the disk is full')
      },
    })
    await waitFor(() => child.pids.length === 1, { what: 'a start' })
    expect(child.ends).toEqual(['could not be started: the disk is full'])
  })

  test('the wait doubles up to half a minute', () => {
    const waits = [1, 2, 3, 6, 7, 8, 1_000].map(failures => waitAfter(failures, BACKOFF))
    expect(waits).toEqual([500, 1_000, 2_000, 16_000, 30_000, 30_000, 30_000])
  })
})

describe('a child that is stopped', () => {
  test('it gets SIGTERM and is not started again', async () => {
    const child = await run(
      'trap "echo asked > $FOLDER/asked; exit 0" TERM; echo up > $FOLDER/up; while :; do sleep 0.01; done',
    )
    await waitFor(() => child.pids.length === 1, { what: 'a start' })
    const [pid = 0] = child.pids
    await waitFor(async () => await readFile(`/proc/${pid}/cwd/up`, 'utf8'), { what: 'its trap' })
    await child.stop()
    expect({ there: isThere(pid), starts: child.pids.length, ends: child.ends }).toEqual({
      there: false,
      starts: 1,
      ends: [],
    })
  })

  test('one that does not listen is killed when its time is over', async () => {
    const child = await run('trap "" TERM; while :; do sleep 0.01; done')
    await waitFor(() => child.pids.length === 1, { what: 'a start' })
    await child.stop(50)
    expect(child.pids.map(isThere)).toEqual([false])
  })

  test('a wait between two starts is cut short', async () => {
    const child = await run('exit 1', { backoff: { firstMs: 3_600_000, mostMs: 3_600_000, steadyMs: 1 } })
    await waitFor(() => child.ends.length === 1, { what: 'the first end' })
    await child.stop()
    expect(child.pids).toHaveLength(1)
  })

  test('it is the leader of a session of its own', async () => {
    const child = await run('exec sleep 60')
    const [pid = 0] = await waitFor(() => (child.pids.length === 1 ? child.pids : null), { what: 'a start' })
    const fields = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')[1]?.split(' ') ?? []
    expect(fields[3]).toBe(String(pid))
  })
})

describe('what a killed run left behind', () => {
  const sleeper = (mark: string) => startProcess(['/bin/sh', '-c', 'while :; do sleep 0.05; done', mark])

  test('it is found again by number, start time and last argument', async () => {
    const path = join(await tempFolder(), 'children.json')
    const [one, other] = [sleeper('one.yaml'), sleeper('other.yaml')]
    const book = openChildBook(path)
    book.started('one', one.pid, 'one.yaml')
    book.started('other', other.pid, 'other.yaml')
    const records = readChildren(path)
    expect(records.map(({ name, pid }) => ({ name, pid }))).toEqual([
      { name: 'one', pid: one.pid },
      { name: 'other', pid: other.pid },
    ])
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const ended = await endLeftOvers(records, { clock: SYSTEM_CLOCK, graceMs: 2_000 })
    expect(ended).toEqual(records)
    expect([(await one.exit).signal, (await other.exit).signal]).toEqual(['SIGTERM', 'SIGTERM'])
    book.clear()
    expect(readChildren(path)).toEqual([])
  })

  test('one that does not listen to SIGTERM is killed', async () => {
    const stubborn = startProcess(['/bin/sh', '-c', 'trap "" TERM; echo up; while :; do sleep 0.05; done', 'x.yaml'])
    await stubborn.says('up')
    const path = join(await tempFolder(), 'children.json')
    openChildBook(path).started('it', stubborn.pid, 'x.yaml')
    await endLeftOvers(readChildren(path), { clock: SYSTEM_CLOCK, graceMs: 100 })
    expect((await stubborn.exit).signal).toBe('SIGKILL')
  })

  test("nobody else's process is touched", async () => {
    const process = sleeper('mine.yaml')
    const path = join(await tempFolder(), 'children.json')
    openChildBook(path).started('it', process.pid, 'mine.yaml')
    const [record] = readChildren(path)
    if (record === undefined) throw new Error('no record')
    const others = [
      { ...record, lastArgument: 'yours.yaml' },
      { ...record, startTime: record.startTime.replace(/\d$/, digit => String((Number(digit) + 1) % 10)) },
      { ...record, pid: 2 ** 22 - 1 },
    ]
    expect(others.map(isRunning)).toEqual([false, false, false])
    expect(await endLeftOvers(others, { clock: SYSTEM_CLOCK, graceMs: 100 })).toEqual([])
    expect(isRunning(record)).toBe(true)
  })

  test.each(['', '{', '[]', '[{"name":"x"}]', '[{"name":"x","pid":1,"startTime":"a","lastArgument":"b"}]', 'null'])(
    'a file with %j names nobody',
    async text => {
      const path = join(await tempFolder(), 'children.json')
      await writeFile(path, text)
      expect(readChildren(path)).toEqual([])
    },
  )
})

describe('the log of a child', () => {
  test('one older log is kept', async () => {
    const path = join(await tempFolder(), 'x.log')
    for (const text of ['first\n', 'second\n', 'third\n']) {
      const log = openLogFile(path)
      await appendFile(path, text)
      log.close()
    }
    expect([await readFile(path, 'utf8'), await readFile(`${path}.1`, 'utf8')]).toEqual(['third\n', 'second\n'])
    expect((await stat(path)).mode & 0o777).toBe(0o600)
  })

  test('a log that grows too long begins anew', async () => {
    const path = join(await tempFolder(), 'x.log')
    const log = openLogFile(path, 100, 5)
    atEnd(log.close)
    await appendFile(path, 'x'.repeat(101))
    await waitFor(async () => (await stat(path)).size === 0, { what: 'an empty log' })
    await appendFile(path, 'more\n')
    expect([await readFile(path, 'utf8'), (await stat(`${path}.1`)).size]).toEqual(['more\n', 101])
  })

  test('the last words are those of the last start, printable', async () => {
    const path = join(await tempFolder(), 'x.log')
    const log = openLogFile(path)
    atEnd(log.close)
    expect(log.lastWords()).toBeNull()
    await appendFile(path, 'old\n')
    log.mark()
    expect(log.lastWords()).toBeNull()
    await appendFile(path, `${'y'.repeat(19_000)}\nnew \u001b[31mred\n\n`)
    expect(log.lastWords()).toBe('new  [31mred')
  })

  test.each([
    ['{"level":"info","msg":"all is well"}', null],
    ['{"level":"error","msg":"no room"}', 'no room'],
    ['{"level":"fatal","msg":"it broke","err":{"message":"half"}}', 'it broke: half'],
    ['{"level":"fatal","msg":"cut in the mid', null],
    ['2026-11-23T13:42:44Z INF Starting provider', null],
    ['2026-11-23T13:42:44Z ERR the port is taken', '2026-11-23T13:42:44Z ERR the port is taken'],
    ['fairlead agent: the agent cannot start', 'fairlead agent: the agent cannot start'],
  ])('of %s it repeats %j', async (line, words) => {
    const path = join(await tempFolder(), 'x.log')
    const log = openLogFile(path)
    atEnd(log.close)
    await appendFile(path, `${line}\n`)
    expect(log.lastWords()).toBe(words)
  })

  test('a folder in its place is an error', async () => {
    const path = join(await tempFolder(), 'x.log')
    await mkdir(`${path}.1/inside`, { recursive: true })
    await writeFile(path, 'old')
    expect(() => openLogFile(path)).toThrow('rename')
  })
})
