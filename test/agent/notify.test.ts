import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DgramSocket } from 'node-unix-socket'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { createNotifier, type Notifier, type NotifierOptions, parseNotifyEnvironment } from '../../src/agent/notify.ts'
import { atEnd } from '../support/at-end.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

const noAddon: Partial<NotifierOptions> = { openSender: async () => null }

function newNotifier(options: Partial<NotifierOptions>, lines: string[] = []): Notifier {
  const notifier = createNotifier({
    socketPath: null,
    watchdogUsec: null,
    logger: pino({ level: 'warn' }, { write: line => lines.push(line) }),
    ...options,
  })
  atEnd(notifier.stop)
  return notifier
}

type Receiver = { readonly path: string; readonly messages: readonly string[] }

/** A datagram socket as systemd's, in this process. */
async function openReceiver(): Promise<Receiver> {
  const path = join(await tempFolder(), 'notify')
  const messages: string[] = []
  const socket = new DgramSocket()
  atEnd(() => socket.close())
  socket.on('data', (message: Buffer) => messages.push(message.toString()))
  socket.bind(path)
  return { path, messages }
}

const PYTHON_RECEIVER = `
import json, socket, sys
path = sys.argv[1]
sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
sock.bind(chr(0) + path[1:] if path[0] == '@' else path)
print('"bound"', flush=True)
while True:
    print(json.dumps(sock.recv(4096).decode()), flush=True)
`

/** One in another process, which can also have an abstract address (@name). */
async function openPythonReceiver(path: string): Promise<Receiver> {
  const child: ChildProcess = spawn('python3', ['-c', PYTHON_RECEIVER, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  atEnd(async () => {
    child.kill('SIGKILL')
    await exited
  })
  if (child.stdout === null) throw new Error('no pipe from python3')
  const lines: string[] = []
  createInterface(child.stdout).on('line', line => lines.push(JSON.parse(line)))
  await waitFor(() => lines.shift() === 'bound', { what: 'the receiver to be bound' })
  return { path, messages: lines }
}

describe('the environment', () => {
  test.each<[string, Record<string, string>, unknown]>([
    ['nothing', {}, { socketPath: null, watchdogUsec: null }],
    ['an empty socket', { NOTIFY_SOCKET: '' }, { socketPath: null, watchdogUsec: null }],
    ['a socket', { NOTIFY_SOCKET: '/run/n' }, { socketPath: '/run/n', watchdogUsec: null }],
    ['a watchdog', { NOTIFY_SOCKET: '@n', WATCHDOG_USEC: '30000000' }, { socketPath: '@n', watchdogUsec: 30_000_000 }],
    ['a watchdog for us', { WATCHDOG_USEC: '1000', WATCHDOG_PID: '7' }, { socketPath: null, watchdogUsec: 1_000 }],
    ['a watchdog for another', { WATCHDOG_USEC: '1000', WATCHDOG_PID: '8' }, { socketPath: null, watchdogUsec: null }],
    ['a watchdog of no time', { WATCHDOG_USEC: '0' }, { socketPath: null, watchdogUsec: null }],
    ['a watchdog of words', { WATCHDOG_USEC: 'soon' }, { socketPath: null, watchdogUsec: null }],
  ])('%s in the environment is understood', (_title, env, expected) => {
    expect(parseNotifyEnvironment(env, 7)).toEqual(expected)
  })
})

describe('messages', () => {
  test('they arrive in order by the addon', async () => {
    const { path, messages } = await openReceiver()
    const notifier = newNotifier({ socketPath: path, helper: '/nonexistent' })
    notifier.ready()
    notifier.status('serving 12 routes')
    notifier.reloading()
    notifier.stopping()
    await notifier.stop()
    await waitFor(() => messages.length === 4)
    expect(messages).toEqual([
      'READY=1',
      'STATUS=serving 12 routes',
      expect.stringMatching(/^RELOADING=1\nMONOTONIC_USEC=[0-9]+$/),
      'STOPPING=1',
    ])
  })

  test('without the addon systemd-notify brings them', async () => {
    const { path, messages } = await openReceiver()
    const notifier = newNotifier({ socketPath: path, ...noAddon })
    notifier.ready()
    notifier.status('serving 12 routes')
    await notifier.stop()
    await waitFor(() => messages.length === 2)
    expect(messages.map(message => message.split('\n').filter(line => !line.startsWith('MAINPID=')))).toEqual([
      ['READY=1'],
      ['STATUS=serving 12 routes'],
    ])
  })

  test('an addon that does not load is no fault', async () => {
    const { path, messages } = await openReceiver()
    const lines: string[] = []
    const openSender = () => Promise.reject(new Error('ERR_DLOPEN_FAILED'))
    const notifier = newNotifier({ socketPath: path, openSender }, lines)
    notifier.ready()
    await notifier.stop()
    await waitFor(() => messages.length === 1)
    expect(messages[0]).toContain('READY=1')
    expect(lines).toEqual([])
  })

  test('an abstract socket is reached', async () => {
    const { path, messages } = await openPythonReceiver(`@fairlead-test-${process.pid}`)
    const notifier = newNotifier({ socketPath: path })
    notifier.ready()
    await notifier.stop()
    await waitFor(() => messages.length === 1)
    expect(messages[0]?.split('\n')).toContain('READY=1')
  })

  test('a socket of another process is reached', async () => {
    const { path, messages } = await openPythonReceiver(join(await tempFolder(), 'notify'))
    const notifier = newNotifier({ socketPath: path, helper: '/nonexistent' })
    notifier.ready()
    await waitFor(() => messages.length === 1)
    expect(messages).toEqual(['READY=1'])
  })

  test('a status is one line of 200 signs', async () => {
    const { path, messages } = await openReceiver()
    const notifier = newNotifier({ socketPath: path })
    notifier.status(`held by the guard\nREADY=1\r\u2028${'x'.repeat(300)}`)
    await notifier.stop()
    await waitFor(() => messages.length === 1)
    expect(messages).toEqual([`STATUS=held by the guard READY=1 ${'x'.repeat(174)}`])
  })

  test('of two lines that wait the younger is sent', async () => {
    const { path, messages } = await openReceiver()
    const notifier = newNotifier({ socketPath: path })
    for (const text of ['first', 'second', 'third']) notifier.status(text)
    await notifier.stop()
    await waitFor(() => messages.includes('STATUS=third'))
    expect(messages).toEqual(['STATUS=first', 'STATUS=third'])
  })

  test('nothing is said after stop', async () => {
    const { path, messages } = await openReceiver()
    const notifier = newNotifier({ socketPath: path, watchdogUsec: 20_000 })
    notifier.ready()
    await Promise.all([notifier.stop(), notifier.stop()])
    notifier.ready()
    notifier.startWatchdog(() => true)
    const next = newNotifier({ socketPath: path })
    next.stopping()
    await waitFor(() => messages.includes('STOPPING=1'))
    expect(messages).toEqual(['READY=1', 'STOPPING=1'])
  })

  test('a socket that is gone is logged once', async () => {
    const lines: string[] = []
    const socketPath = join(await tempFolder(), 'nobody')
    const notifier = newNotifier({ socketPath }, lines)
    notifier.ready()
    notifier.status('x')
    await notifier.stop()
    expect(lines.map(line => JSON.parse(line).msg)).toEqual(['systemd not notified'])
  })

  test('without a socket all of it is nothing', async () => {
    const lines: string[] = []
    const openSender = () => Promise.reject(new Error('opened'))
    const notifier = newNotifier({ watchdogUsec: 1_000, openSender, helper: '/nonexistent' }, lines)
    let asked = 0
    notifier.ready()
    notifier.status('x')
    notifier.reloading()
    notifier.startWatchdog(() => {
      asked += 1
      return true
    })
    notifier.stopping()
    await notifier.stop()
    expect([asked, lines]).toEqual([0, []])
  })
})

describe('the watchdog', () => {
  test('it is fed while the agent is alive', async () => {
    const { path, messages } = await openReceiver()
    const lines: string[] = []
    const notifier = newNotifier({ socketPath: path, watchdogUsec: 40_000 }, lines)
    let alive = true
    let asked = 0
    notifier.startWatchdog(() => {
      asked += 1
      return alive
    })
    await waitFor(() => messages.length >= 3)
    expect(new Set(messages)).toEqual(new Set(['WATCHDOG=1']))
    alive = false
    const askedBefore = asked
    await waitFor(() => asked >= askedBefore + 2)
    const fedBefore = messages.length
    await waitFor(() => asked >= askedBefore + 5)
    expect(messages.length).toBe(fedBefore)
    expect(lines.map(line => JSON.parse(line).msg)).toEqual(['watchdog not fed, the agent is not alive'])
    alive = true
    await waitFor(() => messages.length > fedBefore)
  })

  test('a check that throws does not feed it', async () => {
    const { path, messages } = await openReceiver()
    const lines: string[] = []
    const notifier = newNotifier({ socketPath: path, watchdogUsec: 20_000 }, lines)
    let asked = 0
    notifier.startWatchdog(() => {
      asked += 1
      throw new Error('no heartbeat')
    })
    await waitFor(() => asked >= 3)
    await notifier.stop()
    expect(messages).toEqual([])
    expect(lines.map(line => JSON.parse(line))).toMatchObject([{ err: { message: 'no heartbeat' } }])
  })

  test('without a watchdog nobody is asked', async () => {
    const { path, messages } = await openReceiver()
    const notifier = newNotifier({ socketPath: path })
    let asked = 0
    notifier.startWatchdog(() => {
      asked += 1
      return true
    })
    notifier.ready()
    await notifier.stop()
    await waitFor(() => messages.length === 1)
    expect([asked, messages]).toEqual([0, ['READY=1']])
  })

  test('systemd-notify feeds it too', async () => {
    const { path, messages } = await openReceiver()
    const notifier = newNotifier({ socketPath: path, watchdogUsec: 100_000, ...noAddon })
    notifier.startWatchdog(() => true)
    await waitFor(() => messages.filter(message => message.split('\n').includes('WATCHDOG=1')).length >= 2)
  })
})
