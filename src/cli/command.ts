/** One command of the program: what it takes, the help that is made from it, and what it does. */
import { type Args, type ArgsSpec, type OptionSpec, readArgs } from './args.ts'
import type { ExitCode, Io } from './io.ts'

export type CommandSpec<Name extends string> = ArgsSpec<Name> & {
  readonly name: string
  /** Behind the name in the usage line: `PATH... [options]`. */
  readonly usage: string
  /** Paragraphs, each of lines that are short enough for a terminal. */
  readonly about: readonly string[]
  readonly examples: readonly { readonly command: string; readonly what: string }[]
  readonly exitCodes: readonly (readonly [ExitCode, string])[]
  /** Throws a CliError when it cannot go on. */
  readonly run: (args: Args<Name>, io: Io) => Promise<ExitCode>
}

export type Command = {
  readonly name: string
  readonly help: string
  readonly run: (argv: readonly string[], io: Io) => Promise<ExitCode>
}

/** Two columns, the first as wide as its widest entry. Lines of the second that follow are moved in. */
export function columns(rows: readonly (readonly [string, string])[], indent = '  '): string {
  const width = Math.max(0, ...rows.map(([left]) => left.length))
  return rows
    .map(
      ([left, right]) =>
        `${indent}${left.padEnd(width)}  ${right.replaceAll('\n', `\n${indent}${' '.repeat(width)}  `)}`,
    )
    .join('\n')
}

const optionRow = ([name, { value, help }]: readonly [string, OptionSpec]): readonly [string, string] => [
  value === null ? `--${name}` : `--${name} ${value}`,
  help,
]

function helpText<Name extends string>(spec: CommandSpec<Name>): string {
  const options = [...Object.entries<OptionSpec>(spec.options).map(optionRow), ['--help', 'this text'] as const]
  const sections = [
    `Usage:  fairlead ${spec.name} ${spec.usage}`.trimEnd(),
    ...spec.about,
    `Options:\n${columns(options)}`,
    `Examples:\n${spec.examples.map(({ command, what }) => `  ${what}\n    ${command}`).join('\n')}`,
    `Exit codes:\n${columns(spec.exitCodes.map(([code, meaning]) => [String(code), meaning]))}`,
  ]
  return `${sections.join('\n\n')}\n`
}

/** Wrong arguments end with code 2 and the way to the help. */
export function defineCommand<Name extends string>(spec: CommandSpec<Name>): Command {
  const help = helpText(spec)
  return {
    name: spec.name,
    help,
    run: async (argv, io) => {
      const end = argv.indexOf('--')
      const before = end < 0 ? argv : argv.slice(0, end)
      if (before.includes('--help') || before.includes('-h')) {
        io.out(help)
        return 0
      }
      const read = readArgs(spec, argv)
      if (!read.ok) {
        for (const fault of read.faults) io.err(`fairlead ${spec.name}: ${fault}\n`)
        io.err(`fairlead ${spec.name} --help tells more\n`)
        return 2
      }
      return spec.run(read.args, io)
    },
  }
}
