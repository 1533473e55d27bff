/** What a command may touch of the process, handed in by main.ts: so a test runs a command without one. */
import type { Environment } from '../lib/settings.ts'

export type Io = {
  /** Text for whoever reads the answer: the terminal, a file, a pipe. */
  readonly out: (text: string) => void
  /** Text for whoever gave the command. */
  readonly err: (text: string) => void
  /** Whether each of the two is a terminal that shows colours. */
  readonly colour: { readonly out: boolean; readonly err: boolean }
  /** Columns of the terminal that `out` is; absent when it is none. */
  readonly columns?: () => number
  /** Asks the person at the terminal; null at the end of input. Absent when there is none to ask. */
  readonly ask?: (question: string) => Promise<string | null>
  readonly env: Environment
  /** Absolute; relative paths in arguments begin here. */
  readonly cwd: string
  /** Read when no settings file is named; null: none. */
  readonly defaultConfigFile: string | null
  /** Addresses of this machine's interfaces, without loopback. Throws where the system does not tell them. */
  readonly ownAddresses: () => readonly string[]
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** 0 done; 1 the answer is no; 2 bad usage or bad input; 3 something needed is not there. */
export type ExitCode = 0 | 1 | 2 | 3

/** A command cannot go on. The sentences go to stderr, one a line. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exitCode: ExitCode
  readonly sentences: readonly string[]
  constructor(exitCode: ExitCode, sentences: readonly string[], options?: ErrorOptions) {
    super(sentences.join('\n'), options)
    this.exitCode = exitCode
    this.sentences = sentences
  }
}

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 } as const

export type Paint = (style: keyof typeof CODES, text: string) => string

export const painter =
  (colour: boolean): Paint =>
  (style, text) =>
    colour ? `\u001b[${CODES[style]}m${text}\u001b[0m` : text
