/** The command line as a process of its own, for what only a process can show: signals, exit codes, parents. Gone at the end of the test. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { atEnd } from './at-end.ts'
import { waitFor } from './wait-for.ts'

export const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

export type Program = {
  readonly child: ChildProcess
  readonly pid: number
  readonly out: () => string
  readonly err: () => string
  readonly exit: Promise<Exit>
  /** Waits until stdout holds the text. */
  readonly says: (text: string, timeoutMs?: number) => Promise<string>
}

export type ProgramOptions = {
  readonly env?: Readonly<Record<string, string>>
  /** With a channel, as a parent has that wants its child to end with it. */
  readonly channel?: boolean
  /** In front of the program: `nsenter`, `setpriv`. */
  readonly through?: readonly string[]
  readonly cwd?: string
}

// What Node has compiled once is not compiled again for each of hundreds of processes.
const { NODE_COMPILE_CACHE } = process.env
const COMPILE_CACHE = NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE }

/** Of the machine, only PATH and the folder of compiled code. */
export function startProcess(argv: readonly string[], options: ProgramOptions = {}): Program {
  const { env = {}, channel = false, through = [], cwd } = options
  const [command = '', ...args] = [...through, ...argv]
  const child = spawn(command, args, {
    env: { PATH: process.env.PATH ?? '', ...COMPILE_CACHE, ...env },
    stdio: channel ? ['ignore', 'pipe', 'pipe', 'ipc'] : ['ignore', 'pipe', 'pipe'],
    ...(cwd === undefined ? {} : { cwd }),
  })
  let out = ''
  let err = ''
  child.stdout?.setEncoding('utf8').on('data', text => {
    out += text
  })
  child.stderr?.setEncoding('utf8').on('data', text => {
    err += text
  })
  // Its pipes must be at their end, too: then `out` and `err` are whole. (The child's own `close` does not come after a `disconnect`.)
  const ends = [child.stdout, child.stderr].map(stream => new Promise(resolve => stream?.once('close', resolve)))
  const exit = Promise.all([once(child, 'exit'), ...ends]).then(
    (): Exit => ({ code: child.exitCode, signal: child.signalCode }),
  )
  atEnd(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
    await exit
  })
  return {
    child,
    get pid() {
      if (child.pid === undefined) throw new Error(`${command} did not start`)
      return child.pid
    },
    out: () => out,
    err: () => err,
    exit,
    says: (text, timeoutMs = 30_000) =>
      waitFor(() => (out.includes(text) ? out : null), { what: `${JSON.stringify(text)} on stdout`, timeoutMs }).catch(
        (error: unknown) => {
          throw new Error(`${String(error)}\n${out}\n${err}`)
        },
      ),
  }
}

/** `fairlead ARGS` on the Node of this test. */
export const startProgram = (args: readonly string[], options: ProgramOptions = {}): Program =>
  startProcess([process.execPath, '--disable-warning=ExperimentalWarning', MAIN, ...args], options)

/** Presses Ctrl-C again and again, as somebody does who does not want to wait. */
export const killUntilEnd = async ({ child }: Program): Promise<void> => {
  await waitFor(() => child.exitCode !== null || child.signalCode !== null || (child.kill('SIGINT') && false), {
    what: 'the end of the process',
  })
}
