/** `fairlead accept`: lets go of the routes that the guard holds, exactly those that were shown. */
import type { AgentConfig } from '../agent/config.ts'
import { acceptAnswer, type HeldAnswer, type StatusAnswer } from './agent-answers.ts'
import { askAgent, askStatus, readAnswer, SHORT_HASH, sameNode } from './ask-agent.ts'
import { defineCommand } from './command.ts'
import { CliError, type ExitCode, type Io, type Paint, painter } from './io.ts'
import { CONFIG_OPTION, loadAgentConfig } from './load-config.ts'
import { keyOf, whereText } from './route-words.ts'
import { aligned, block, clean, plural, sentence } from './table.ts'
import { lineWidth } from './terminal.ts'

const MAX_SHOWN = 40
const LEAST_HASH = 8

type Wanted = { readonly configFile: string | null; readonly hash: string | null; readonly yes: boolean }

const short = (hash: string): string => hash.slice(0, SHORT_HASH)

/** A hash as somebody typed it, or null. */
function readHash(text: string | undefined): string | null {
  if (text === undefined) return null
  const hash = text.toLowerCase()
  if (/^[0-9a-f]{8,64}$/.test(hash)) return hash
  throw new CliError(2, [
    `${JSON.stringify(text)} is not the hash of a held state: ${LEAST_HASH} to 64 signs of 0-9 and a-f, as fairlead status shows it`,
  ])
}

function heldLines(held: HeldAnswer, status: StatusAnswer, io: Io, paint: Paint): string[] {
  const routes = new Map(status.routes.map(route => [keyOf(route), route]))
  const rows = held.removals.slice(0, MAX_SHOWN).map(key => {
    const route = routes.get(key)
    return [
      clean(key),
      ...(route === undefined ? [] : [whereText(route, status.traefik.entryPoints), clean(route.origin)]),
    ]
  })
  const more = held.removals.length - rows.length
  return [
    `${paint('yellow', 'held')} on ${clean(status.node)}${held.source === '' ? '' : `, from ${clean(held.source)}`}: ${short(held.hash)}`,
    ...block(clean(sentence(held.message)), 2, lineWidth(io)),
    ...(held.until === null
      ? []
      : [`  It goes through by itself at ${clean(held.until)}, unless the routes come back.`]),
    `  These ${plural(held.removals.length, 'route')} would go:`,
    ...aligned(rows).map(row => `    ${row}`),
    ...(more > 0 ? [`    and ${more} more`] : []),
  ]
}

/** The one state that is meant, or null when there is none to accept. Throws a CliError (2) when it is not clear which. */
function choose(status: StatusAnswer, { hash, configFile }: Wanted): HeldAnswer | null {
  const { held } = status
  const found = hash === null ? held : held.filter(one => one.hash.startsWith(hash))
  if (found.length > 1)
    throw new CliError(2, [
      'more than one state is held; say which:',
      ...found.map(
        one =>
          `  ${sameNode(`fairlead accept ${short(one.hash)}`, configFile)}  (${clean(one.source)}: ${clean(one.message)})`,
      ),
    ])
  return found[0] ?? null
}

async function confirmed(held: HeldAnswer, { yes, hash, configFile }: Wanted, io: Io): Promise<boolean> {
  if (yes) return true
  if (io.ask !== undefined) {
    const answer = await io.ask(`Let ${plural(held.removals.length, 'route')} go? [y/N] `)
    return /^\s*y(es)?\s*$/i.test(answer ?? '')
  }
  if (hash !== null) return true
  throw new CliError(2, [
    'nobody is here to be asked, so say what to accept:',
    `  ${sameNode(`fairlead accept ${short(held.hash)}`, configFile)}`,
  ])
}

async function accept(config: AgentConfig, held: HeldAnswer, io: Io, paint: Paint): Promise<ExitCode> {
  const answer = await askAgent(config, { method: 'POST', path: '/accept', body: { hash: held.hash } })
  if (!answer.ok) {
    const { detail, remedy } = answer.problem
    io.err(`not accepted: ${clean(sentence(detail))}${remedy === null ? '' : ` ${clean(remedy)}`}\n`)
    return 1
  }
  const accepted = readAnswer(acceptAnswer, answer.json, config)
  io.out(
    `${paint('green', 'accepted')} ${short(accepted)}: ${plural(held.removals.length, 'route')} ${held.removals.length === 1 ? 'goes' : 'go'}.\n`,
  )
  return 0
}

async function run(wanted: Wanted, io: Io): Promise<ExitCode> {
  const { config } = await loadAgentConfig(wanted.configFile, io)
  const { status } = await askStatus(config)
  const held = choose(status, wanted)
  if (held === null) {
    if (wanted.hash === null) {
      io.out(`nothing is held on ${clean(status.node)}\n`)
      return 0
    }
    io.err(
      `nothing with the hash ${wanted.hash} is held on ${clean(status.node)}; it was accepted, or the state has changed since\n`,
    )
    return 1
  }
  const paint = painter(io.colour.out)
  io.out(`${heldLines(held, status, io, paint).join('\n')}\n`)
  if (!(await confirmed(held, wanted, io))) {
    io.out('not accepted; the routes go on serving\n')
    return 1
  }
  return accept(config, held, io, paint)
}

export const acceptCommand = defineCommand({
  name: 'accept',
  usage: '[HASH] [options]',
  about: [
    'When a new state drops too many routes at once, the guard keeps them until somebody says\nthat this is meant. This command shows what would go, from which source and why it is held,\nand accepts exactly that: should the state change meanwhile, nothing goes.',
    'At a terminal it asks first. In a script give HASH, as `fairlead status` shows it, or --yes\nfor whatever is held now.',
  ],
  options: {
    config: CONFIG_OPTION,
    yes: { value: null, help: 'do not ask' },
  },
  positionals: { min: 0, max: 1, name: 'HASH' },
  examples: [
    { what: 'look, and decide', command: 'fairlead accept' },
    { what: 'this state and no other', command: 'fairlead accept 9f3a1c20b7d4' },
  ],
  exitCodes: [
    [0, 'accepted, or nothing is held'],
    [1, 'not accepted: the answer was no, or the state has changed'],
    [2, 'it is not said what to accept; bad usage or wrong settings'],
    [3, 'the agent does not answer'],
  ],
  run: (args, io) =>
    run({ configFile: args.text('config'), hash: readHash(args.positionals[0]), yes: args.flag('yes') }, io),
})
