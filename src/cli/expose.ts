/** `fairlead expose`: service, port and route in one go. */
import { numberedName } from '../api/offer.ts'
import { PoolList } from '../api/pool.ts'
import type { Port } from '../api/port.ts'
import { PresetList, Service } from '../api/service.ts'
import { SYSTEM_CLOCK } from '../lib/clock.ts'
import type { ApiClient } from './client/api-client.ts'
import { CONNECTION_OPTIONS, findTarget, openClient, withClient } from './client/connection.ts'
import { type Hints, openHints } from './client/hints.ts'
import { RefusedError } from './client/problem.ts'
import { projectId } from './client/projects.ts'
import { defineCommand } from './command.ts'
import { type Outcome, waitForVerdict } from './expose/wait.ts'
import { commandLines, type ExposeArgs, type ExposeWish, nameOf, portInput, readWish } from './expose/wish.ts'
import { CliError, type ExitCode, type Io, painter } from './io.ts'
import { clean, sentence, timeText } from './table.ts'

const WAIT_MS = 30_000

type Options = { readonly project: string | null; readonly wait: boolean; readonly json: boolean }

type Made = { readonly service: Service; readonly port: Port }

/** A number that belongs to everybody is asked for in another way. */
async function isSharedNumber(client: ApiClient, { wanted, sni }: ExposeWish): Promise<boolean> {
  if (wanted === null || sni === null) return false
  const { items } = await client.ask({ path: '/pools' }, PoolList)
  return items.some(({ protocol, shared }) => protocol === 'tcp' && shared.some(({ port }) => port === wanted))
}

/** A name that we made up may be taken; then it gets a number behind it. */
const MOST_NAMES = 20

async function make(client: ApiClient, wish: ExposeWish, project: string | null): Promise<Made> {
  const ports = [portInput(wish, await isSharedNumber(client, wish))]
  const rest = {
    ...(project === null ? {} : { projectId: await projectId(client, project) }),
    ...(wish.preset === null ? {} : { preset: wish.preset }),
    endpoints: [{ address: wish.endpoint }],
    ports,
  }
  const base = nameOf(wish)
  for (let attempt = 1; ; attempt++) {
    const name = numberedName(base, attempt)
    try {
      const service = await client.ask({ method: 'POST', path: '/services', body: { name, ...rest } }, Service)
      const [port] = service.ports
      if (port === undefined) throw new CliError(3, [`${client.url} has made a service without its port`])
      return { service, port }
    } catch (error) {
      const taken = error instanceof RefusedError && error.code === 'NAME_TAKEN'
      if (!taken || wish.name !== null || attempt >= MOST_NAMES) throw error
    }
  }
}

function sayLive({ port }: Made, outcome: Outcome & { readonly live: true }, io: Io): void {
  const paint = painter(io.colour.out)
  io.out(`${paint('green', `live on ${outcome.route.address} after ${timeText(outcome.afterMs)}`)}\n`)
  for (const line of commandLines(port)) io.out(`  ${clean(line)}\n`)
}

function sayNotLive(outcome: Outcome & { readonly live: false }, io: Io): void {
  const { route, node } = outcome
  const paint = painter(io.colour.out)
  io.out(`${paint('yellow', `${route.verdict} on ${route.address}, and not live`)}\n`)
  if (node === null) {
    io.out('  There is no node that could serve it. Enrol one: fairlead enroll, with a token of the console.\n')
    return
  }
  io.out(`  ${clean(node.nodeName)}: ${clean(sentence(node.message))}\n`)
  if (node.remedy !== '') io.out(`  ${clean(node.remedy).replaceAll('\n', '\n  ')}\n`)
}

function sayMade({ service, port }: Made, io: Io): void {
  io.out(`${port.address ?? service.name} is written down, and on its way to the nodes (${port.id})\n`)
  for (const line of commandLines(port)) io.out(`  ${clean(line)}\n`)
}

async function waitFor(client: ApiClient, hints: Hints, made: Made, sinceMs: number, options: Options, io: Io) {
  const outcome = await waitForVerdict({
    ...{ client, hints, routeId: made.port.id, clock: SYSTEM_CLOCK, deadlineMs: WAIT_MS, sinceMs },
  })
  if (options.json) {
    const { route, live } = outcome
    io.out(`${JSON.stringify({ ...made, route, live, afterMs: outcome.live ? outcome.afterMs : null })}\n`)
  } else if (outcome.live) sayLive(made, outcome, io)
  else sayNotLive(outcome, io)
  return outcome.live ? 0 : 1
}

async function expose(client: ApiClient, args: ExposeArgs, options: Options, io: Io): Promise<ExitCode> {
  const presets = await client.ask({ path: '/presets' }, PresetList)
  const wish = readWish(args, presets.items, io.now())
  // Open before there is anything to hear.
  const hints = options.wait ? openHints(client) : null
  try {
    const sinceMs = SYSTEM_CLOCK.monotonic()
    const made = await make(client, wish, options.project)
    if (hints !== null) return await waitFor(client, hints, made, sinceMs, options, io)
    if (options.json) io.out(`${JSON.stringify(made)}\n`)
    else sayMade(made, io)
    return 0
  } finally {
    await hints?.close()
  }
}

export const exposeCommand = defineCommand({
  name: 'expose',
  usage: 'ADDRESS [options]',
  about: [
    'Makes a service, its port and its route in one go: ADDRESS, where a service answers, gets a\npublic address. With --wait it says when the route is live on every node and with which\ncommand to use it, or why it is not.',
  ],
  options: {
    protocol: { value: 'NAME', help: 'tcp, udp or http (default: that of the preset, else tcp)' },
    preset: { value: 'NAME', help: 'what it speaks: postgres, mysql, redis, ... (default: by the usual port)' },
    port: { value: 'NUMBER', help: 'the public number (default: the lowest that is free)' },
    sni: { value: 'HOST', help: 'TCP with TLS: found by this host name, on its own or a shared number' },
    domain: { value: 'HOST', help: 'HTTP: found by this host name' },
    name: { value: 'NAME', help: 'of the service (default: from preset and address)' },
    project: { value: 'NAME', help: 'that it belongs to (default: that of the token, or the only one)' },
    expires: { value: 'TIME', help: 'after this it is not public any more, such as 2h' },
    allow: { value: 'NETWORKS', help: 'only from these, by commas, such as 203.0.113.0/24' },
    wait: { value: null, help: 'until it is live, or it is known why not' },
    json: { value: null, help: 'the answer as JSON' },
    ...CONNECTION_OPTIONS,
  },
  positionals: { min: 1, max: 1, name: 'ADDRESS' },
  examples: [
    { what: 'a database, for two hours', command: 'fairlead expose 10.200.1.5:5432 --expires 2h --wait' },
    {
      what: 'by its host name, on a shared number',
      command: 'fairlead expose 10.200.1.5 --preset postgres --sni db.example.com --port 5432',
    },
  ],
  exitCodes: [
    [0, 'it is there; with --wait: it is live'],
    [1, 'refused, or not live'],
    [2, 'bad usage, or a token that may not do this'],
    [3, 'the control plane cannot be reached'],
  ],
  async run(args, io) {
    const wanted: ExposeArgs = {
      address: args.positionals[0] ?? '',
      protocol: args.text('protocol'),
      sni: args.text('sni'),
      domain: args.text('domain'),
      port: args.text('port'),
      name: args.text('name'),
      preset: args.text('preset'),
      expires: args.text('expires'),
      allow: args.text('allow'),
    }
    const options = { project: args.text('project'), wait: args.flag('wait'), json: args.flag('json') }
    const client = openClient(await findTarget(name => args.text(name), io))
    return withClient(client, () => expose(client, wanted, options, io))
  },
})
