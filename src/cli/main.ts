/**
 * The program: `fairlead COMMAND`. The only place that touches the process: its arguments, environment, clock and streams.
 * Each command is a file of its own and is loaded when it is asked for.
 */
import { realpathSync } from 'node:fs'
import { networkInterfaces } from 'node:os'
import { nearest } from '../lib/nearest.ts'
import { fairleadVersion } from '../lib/version.ts'
import { type Command, columns } from './command.ts'
import { CliError, type ExitCode, type Io, painter } from './io.ts'
import { DEFAULT_CONFIG_FILE } from './load-config.ts'
import { terminalIo } from './terminal.ts'

type Entry = { readonly name: string; readonly summary: string; readonly load: () => Promise<Command> }

const COMMANDS: readonly Entry[] = [
  {
    name: 'agent',
    summary: 'the daemon of a proxy node: the HTTP provider that Traefik polls',
    load: async () => (await import('./agent.ts')).agentCommand,
  },
  {
    name: 'control',
    summary: 'the control plane with its console, and its chores: links, tokens, export and import',
    load: async () => (await import('./control.ts')).controlCommand,
  },
  {
    name: 'up',
    summary: 'run control plane, agent and Traefik on this machine; --demo adds what there is to try',
    load: async () => (await import('./up.ts')).upCommand,
  },
  {
    name: 'expose',
    summary: 'give a service a public address: service, port and route in one go',
    load: async () => (await import('./expose.ts')).exposeCommand,
  },
  {
    name: 'enroll',
    summary: 'join this machine to a control plane, as a proxy node',
    load: async () => (await import('./enroll.ts')).enrollCommand,
  },
  {
    name: 'status',
    summary: 'ask the agent of this node what became of its routes',
    load: async () => (await import('./status.ts')).statusCommand,
  },
  {
    name: 'explain',
    summary: 'why a route is live, or at which link of the chain it stops',
    load: async () => (await import('./explain.ts')).explainCommand,
  },
  {
    name: 'accept',
    summary: 'let go of routes that the guard holds',
    load: async () => (await import('./accept.ts')).acceptCommand,
  },
  {
    name: 'doctor',
    summary: 'check this node: Traefik, its entry points and polls, the agent, the machine',
    load: async () => (await import('./doctor.ts')).doctorCommand,
  },
  {
    name: 'check',
    summary: 'tell of every route in files whether it is accepted, and if not, why',
    load: async () => (await import('./check.ts')).checkCommand,
  },
  {
    name: 'render',
    summary: 'print the configuration that Traefik would get for files',
    load: async () => (await import('./render.ts')).renderCommand,
  },
  {
    name: 'static-config',
    summary: "make Traefik's static configuration, or systemd socket units for it",
    load: async () => (await import('./static-config.ts')).staticConfigCommand,
  },
]

export const COMMAND_NAMES: readonly string[] = COMMANDS.map(({ name }) => name)

function overview(): string {
  return [
    'fairlead leads TCP, UDP and HTTP routes through Traefik and says what became of each.',
    '',
    'Usage:  fairlead COMMAND [options]',
    '',
    'Commands:',
    columns(COMMANDS.map(({ name, summary }) => [name, summary])),
    '',
    columns([
      ['fairlead COMMAND --help', 'what a command takes, with examples'],
      ['fairlead --version', 'the version'],
    ]),
    '',
    'Exit codes:',
    columns([
      ['0', 'done'],
      ['1', 'the answer is no: routes that are not accepted, for one'],
      ['2', 'bad usage or bad input'],
      ['3', 'something that is needed is not there'],
    ]),
    '',
  ].join('\n')
}

function unknownCommand(name: string, io: Io): ExitCode {
  const near = nearest(name, COMMAND_NAMES)
  const hint = near === null ? `commands are ${COMMAND_NAMES.join(', ')}` : `did you mean ${near}?`
  io.err(`fairlead: ${JSON.stringify(name)} is not a command; ${hint}\nfairlead --help tells more\n`)
  return 2
}

/** Runs one command. Never throws: what goes wrong becomes sentences on stderr and an exit code. */
export async function main(argv: readonly string[], io: Io): Promise<ExitCode> {
  const [first, ...rest] = argv
  if (first === undefined) {
    io.err(overview())
    return 2
  }
  if (first === '--help' || first === '-h' || (first === 'help' && rest.length === 0)) {
    io.out(overview())
    return 0
  }
  if (first === '--version' || first === '-V') {
    io.out(`fairlead ${fairleadVersion()}\n`)
    return 0
  }
  const [name, args] = first === 'help' ? [rest[0] ?? '', ['--help']] : [first, rest]
  const entry = COMMANDS.find(command => command.name === name)
  if (entry === undefined) return unknownCommand(name, io)
  try {
    return await (await entry.load()).run(args, io)
  } catch (error) {
    const paint = painter(io.colour.err)
    if (error instanceof CliError) {
      for (const sentence of error.sentences) io.err(`${paint('red', `fairlead ${name}:`)} ${sentence}\n`)
      return error.exitCode
    }
    io.err(
      `${paint('red', `fairlead ${name}:`)} ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    )
    return 3
  }
}

/** Addresses of this machine other than loopback: no route may lead back to its own ports. */
const ownAddresses = (): readonly string[] =>
  Object.values(networkInterfaces()).flatMap(addresses =>
    (addresses ?? []).filter(({ internal }) => !internal).map(({ address }) => address.replace(/%.*$/, '')),
  )

function processIo(): Io {
  const showsColour = (stream: NodeJS.WriteStream): boolean =>
    stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb'
  for (const stream of [process.stdout, process.stderr]) {
    // `fairlead render ... | head` closes the pipe when it has enough: that is no fault.
    stream.on('error', error => {
      if (!('code' in error) || error.code !== 'EPIPE') throw error
      process.exit(0)
    })
  }
  return {
    out: text => void process.stdout.write(text),
    err: text => void process.stderr.write(text),
    colour: { out: showsColour(process.stdout), err: showsColour(process.stderr) },
    ...terminalIo(process),
    env: process.env,
    cwd: process.cwd(),
    defaultConfigFile: DEFAULT_CONFIG_FILE,
    ownAddresses,
    now: Date.now,
  }
}

const isProgram =
  process.argv[1] !== undefined && realpathSync(process.argv[1]) === realpathSync(new URL(import.meta.url))
// Set, not called: what is still on its way to a pipe gets there.
if (isProgram) process.exitCode = await main(process.argv.slice(2), processIo())
