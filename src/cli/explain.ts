/** `fairlead explain ROUTE`: the chain from what is expected to what answers, and the first broken link. */
import { PROTOCOLS } from '../core/problem.ts'
import { explanationAnswer, isFine } from './agent-answers.ts'
import { askAgent, type ProblemAnswer, readAnswer, sameNode } from './ask-agent.ts'
import { defineCommand } from './command.ts'
import { CliError, type ExitCode, type Io, painter } from './io.ts'
import { CONFIG_OPTION, loadAgentConfig } from './load-config.ts'
import { explanationLines } from './print-explanation.ts'
import { clean } from './table.ts'
import { lineWidth, showsUnicode } from './terminal.ts'

/** `pg`, `tcp/pg`, or an id with slashes in it: what stands before the first one is a protocol or part of the id. */
function pathOf(route: string): string {
  const slash = route.indexOf('/')
  const protocol = PROTOCOLS.find(known => known === route.slice(0, slash))
  if (protocol === undefined) return `/explain/${encodeURIComponent(route)}`
  return `/explain/${protocol}/${encodeURIComponent(route.slice(slash + 1))}`
}

/** Unknown or ambiguous: with the routes that may be meant, as commands. */
function notFound({ code, detail, near }: ProblemAnswer, configFile: string | null): CliError {
  if (code !== 'ROUTE_UNKNOWN' && code !== 'ROUTE_AMBIGUOUS')
    return new CliError(3, [`the agent does not answer this: ${clean(detail)} (${code})`])
  const ways = near.map(key => sameNode(`fairlead explain ${key}`, configFile))
  const way = code === 'ROUTE_AMBIGUOUS' ? 'say which:' : 'perhaps one of these:'
  if (ways.length > 0) return new CliError(2, [clean(detail), way, ...ways.map(command => `  ${clean(command)}`)])
  return new CliError(2, [`${clean(detail)}; ${sameNode('fairlead status', configFile)} has all of them`])
}

async function run(route: string, configFile: string | null, asJson: boolean, io: Io): Promise<ExitCode> {
  const { config } = await loadAgentConfig(configFile, io)
  const answer = await askAgent(config, { path: pathOf(route) })
  if (!answer.ok) throw notFound(answer.problem, configFile)
  const explanation = readAnswer(explanationAnswer, answer.json, config)
  if (asJson) io.out(`${JSON.stringify(answer.json, null, 2)}\n`)
  else {
    const lines = explanationLines(explanation, {
      paint: painter(io.colour.out),
      width: lineWidth(io),
      nowMs: io.now(),
      unicode: showsUnicode(io),
    })
    io.out(`${lines.join('\n')}\n`)
  }
  return isFine(explanation.verdict) ? 0 : 1
}

export const explainCommand = defineCommand({
  name: 'explain',
  usage: 'ROUTE [options]',
  about: [
    'Shows the chain of one route, link by link: expected (a source asks for it), compiled (it\nbecame routers and services), served (Traefik has fetched it), applied (Traefik shows it) and\nprobed (a client would get through). After the first broken link nothing is claimed. Below\nstand the reason, what to do, and what Traefik got.',
    'ROUTE is an id, or protocol/id where an id is used in several protocols.',
  ],
  options: {
    config: CONFIG_OPTION,
    json: { value: null, help: 'the answer of the agent as it is' },
  },
  positionals: { min: 1, max: 1, name: 'ROUTE' },
  examples: [
    { what: 'why is it not live?', command: 'fairlead explain orders-db' },
    { what: 'the UDP one of two with the same id', command: 'fairlead explain udp/dns' },
  ],
  exitCodes: [
    [0, 'the route is live, or pending'],
    [1, 'it is not'],
    [2, 'there is no such route, or more than one; bad usage or wrong settings'],
    [3, 'the agent does not answer'],
  ],
  run: (args, io) => run(args.positionals[0] ?? '', args.text('config'), args.flag('json'), io),
})
