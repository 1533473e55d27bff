/** `fairlead status`: what became of the routes of this node, as its agent knows it. */
import { askStatus, SHORT_HASH, sameNode } from './ask-agent.ts'
import { defineCommand } from './command.ts'
import { type ExitCode, type Io, painter } from './io.ts'
import { CONFIG_OPTION, loadAgentConfig } from './load-config.ts'
import { isAllFine, statusLines } from './print-status.ts'
import { lineWidth } from './terminal.ts'

type Wanted = { readonly configFile: string | null; readonly json: boolean; readonly all: boolean }

async function run({ configFile, json: asJson, all }: Wanted, io: Io): Promise<ExitCode> {
  const { config } = await loadAgentConfig(configFile, io)
  const { json, status } = await askStatus(config)
  if (asJson) io.out(`${JSON.stringify(json, null, 2)}\n`)
  else {
    const lines = statusLines(status, {
      paint: painter(io.colour.out),
      width: lineWidth(io),
      nowMs: io.now(),
      all,
      acceptCommand: hash => sameNode(`fairlead accept ${hash.slice(0, SHORT_HASH)}`, configFile),
    })
    io.out(`${lines.join('\n')}\n`)
  }
  return isAllFine(status) ? 0 : 1
}

export const statusCommand = defineCommand({
  name: 'status',
  usage: '[options]',
  about: [
    'Asks the agent of this node what became of its routes: those that are not live first, each\nwith the reason and the way out, then what is live. "live" means that Traefik shows the route\nas it is served, never that somebody has written it.',
    'The agent is asked on its admin endpoint, which its settings name.',
  ],
  options: {
    config: CONFIG_OPTION,
    all: { value: null, help: 'every route, however many there are' },
    json: { value: null, help: 'the answer of the agent as it is' },
  },
  positionals: { min: 0, max: 0, name: '' },
  examples: [
    { what: 'this node', command: 'fairlead status' },
    { what: 'again every two seconds', command: 'watch -n 2 fairlead status' },
    {
      what: 'for a program',
      command: `fairlead status --json | jq -r '.routes[] | select(.verdict != "live") | .id'`,
    },
  ],
  exitCodes: [
    [0, 'every route is live, or pending'],
    [1, 'a route has another verdict, or Traefik, a source or the disk has a fault'],
    [2, 'bad usage or wrong settings'],
    [3, 'the agent does not answer'],
  ],
  run: (args, io) => run({ configFile: args.text('config'), json: args.flag('json'), all: args.flag('all') }, io),
})
