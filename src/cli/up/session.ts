/**
 * What runs between the start and the end of `fairlead up`: the control plane, then the agent, then Traefik, each started again when it
 * ends, and somebody who watches what becomes of the routes. None needs another one to go on.
 */
import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { fileURLToPath } from 'node:url'
import { adminTokenFile } from '../../control/admin-token.ts'
import { SYSTEM_CLOCK } from '../../lib/clock.ts'
import { cliFilePath, writeCliFile } from '../client/cli-file.ts'
import { type Io, painter } from '../io.ts'
import { shellWord } from '../shell-word.ts'
import { openChildBook } from './children.ts'
import type { DemoService } from './demo-routes.ts'
import type { Program } from './find-program.ts'
import { type LogFile, openLogFile } from './log-file.ts'
import { createNames } from './names.ts'
import type { Place } from './place.ts'
import { askForLink, type DemoRoute, ensureNode, openPlane, putDemo, removeDemo } from './plane.ts'
import { freePools, type Pools, type Ports } from './ports.ts'
import type { PlaneReport, ReportInput } from './report.ts'
import { fetchStatus, type UpStatus } from './status.ts'
import { type ChildSpec, type Supervised, supervise } from './supervise.ts'
import { createWatcher } from './watch.ts'
import { traefikSettings, writeSecret } from './write-files.ts'

const AGENT_START_MS = 15_000
/** The first start makes a database, which takes seconds, and many on a busy machine. After this the agent is started all the same. */
const CONTROL_START_MS = 120_000
const PATIENCE_MS = 5_000
const CONTROL_GRACE_MS = 15_000
const AGENT_GRACE_MS = 10_000
// Traefik gives open HTTP connections ten seconds.
const TRAEFIK_GRACE_MS = 12_000
export const STOP_DEADLINE_MS = CONTROL_GRACE_MS + AGENT_GRACE_MS + TRAEFIK_GRACE_MS + 3_000

export type SessionOptions = {
  readonly io: Io
  readonly place: Place
  readonly ports: Ports
  readonly program: Program
  readonly token: string
  readonly editable: string
  /** What this machine is called in the control plane. */
  readonly node: string
  /** Null without `--demo`. */
  readonly demo: readonly DemoService[] | null
  /** By the clock that never jumps. */
  readonly startedAtMs: number
}

export type Session = {
  /** Resolves when it is told to stop and all is stopped. */
  readonly run: (stop: AbortSignal) => Promise<void>
  /** Ends all children without waiting for them. */
  readonly abandon: (signal: NodeJS.Signals) => void
}

type Environment = Readonly<Record<string, string>>

const isReady = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const sent = request({ host: '127.0.0.1', port, path: '/readyz', agent: false }, response => {
      response.resume()
      resolve(response.statusCode === 200)
    })
    sent.setTimeout(2_000, () => sent.destroy(new Error('no answer in time')))
    sent.on('error', () => resolve(false))
    sent.end()
  })

/** Settings of others, a database that somebody has for something else, and systemd's socket of this process, are none of the child's. */
const ourEnvironment = ({ env }: Io): Environment =>
  Object.fromEntries(
    Object.entries(env).flatMap(([name, value]) =>
      value === undefined || /^(?:FAIRLEAD_|NOTIFY_|WATCHDOG_|NODE_CHANNEL_|DATABASE_URL$)/.test(name)
        ? []
        : [[name, value]],
    ),
  )

/** Traefik takes settings, proxies and more from variables: it gets those that a program cannot do without. */
const traefikEnvironment = ({ env }: Io): Environment =>
  Object.fromEntries(
    ['PATH', 'HOME', 'TZ', 'SSL_CERT_FILE', 'SSL_CERT_DIR'].flatMap(name => {
      const value = env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )

// The build turns the endings of imports, not of this.
const MAIN = fileURLToPath(new URL(`../main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url))

/** What a shell calls this program by, from the checkout and from the package. */
const SCRIPT = fileURLToPath(new URL('../../../scripts/fairlead', import.meta.url))

/** The settings once, for all of them: without them `check` and `doctor` would judge by those of another agent. */
const askingCommands = (place: Place, route: string | null): readonly string[] => [
  `export FAIRLEAD_CONFIG=${shellWord(place.agentFile)}`,
  ...['status', ...(route === null ? [] : [`explain ${route}`]), 'doctor', `check ${shellWord(place.routes)}`].map(
    command => `${shellWord(SCRIPT)} ${command}`,
  ),
]

const seconds = (ms: number): string => `${ms / 1000} s`

export function createSession(options: SessionOptions): Session {
  const { io, place, ports, program, token, editable, node, demo: wanted, startedAtMs } = options
  const clock = SYSTEM_CLOCK
  const paint = painter(io.colour.out)
  const say = (text: string): void => io.out(`${text}\n`)
  const warn = (text: string): void => say(paint('yellow', text))
  const book = openChildBook(place.children)
  /** What Traefik has open, or would have if it ran. */
  let pools: Pools = { tcp: ports.tcp, udp: ports.udp }
  const children: Supervised[] = []
  const names = createNames(place, ports)
  /** What the control plane has of the demo; empty without one, and until it is there. */
  let demo: readonly DemoRoute[] = []
  /** What was taken out of it, and the agent may have still. */
  let gone: readonly string[] = []
  let plane: PlaneReport = { kind: 'silent' }
  let reported = false

  type ChildHooks = { readonly prepare?: () => Promise<void>; readonly onEnd?: () => void }

  function child(
    name: string,
    spec: Omit<ChildSpec, 'cwd' | 'logFd'>,
    log: LogFile,
    { prepare, onEnd = () => {} }: ChildHooks = {},
  ) {
    const supervised = supervise({
      spec: { ...spec, cwd: place.directory, logFd: log.fd },
      clock,
      prepare: async () => {
        await prepare?.()
        log.mark()
      },
      onStart: pid => book.started(name, pid, spec.args.at(-1) ?? ''),
      onEnd(how, nextInMs) {
        onEnd()
        const words = log.lastWords()
        warn(`${name} ${how}${words === null ? '' : `: ${words}`}; it is started again in ${seconds(nextInMs)}`)
      },
    })
    children.push(supervised)
    return supervised
  }

  /** Ports that somebody took since would keep it from starting. */
  async function prepareTraefik(): Promise<void> {
    const before = pools
    const now = await freePools({ tcp: ports.tcp, udp: ports.udp }, [ports.web, ports.websecure])
    pools = now.pools
    if (pools.tcp.text !== before.tcp.text || pools.udp.text !== before.udp.text)
      for (const note of now.notes) warn(note)
    await writeSecret(place.staticFile, traefikSettings(place, ports, pools, token))
  }

  const pause = (ms: number, stop: AbortSignal): Promise<void> => clock.sleep(ms, stop).catch(() => {})

  /** Enrols the node, puts the demo in or takes it out, and gets a link: all that goes through the control plane. */
  async function preparePlane(): Promise<void> {
    const client = await openPlane(place, ports)
    try {
      if ((await ensureNode(client, place, node)) === 'enrolled') say(`Node     ${node} is enrolled`)
      if (wanted !== null) demo = await putDemo(client, wanted)
      else gone = await removeDemo(client)
      if (gone.length > 0) say('Routes   those of the last demo are taken away: its backends are gone')
      const link = await askForLink(client)
      const file = cliFilePath(io.env)
      const tokenFile = adminTokenFile(place.controlState)
      const own = await writeCliFile(file, { url: client.url, tokenFile }).catch(() => false)
      plane = { kind: 'there', link, variables: own ? null : { url: client.url, tokenFile } }
      if (reported) say(paint('green', `Console  ${link}`))
    } finally {
      await client.close()
    }
  }

  /** As soon as the control plane is there, however long that takes. */
  async function followPlane(stop: AbortSignal): Promise<void> {
    let complaint = ''
    while (!stop.aborted) {
      if (await isReady(ports.control)) {
        try {
          return await preparePlane()
        } catch (error) {
          const text = error instanceof Error ? error.message : String(error)
          if (!stop.aborted && text !== complaint) warn(`the control plane cannot be used: ${text}`)
          complaint = text
          await pause(1_000, stop)
        }
      }
      await pause(50, stop)
    }
  }

  async function waitForAgent(stop: AbortSignal): Promise<void> {
    const deadline = clock.monotonic() + AGENT_START_MS
    while (!stop.aborted && clock.monotonic() < deadline) {
      if ((await fetchStatus(ports.admin)) !== null) return
      await pause(50, stop)
    }
    if (!stop.aborted) warn(`the agent does not answer yet; see ${place.agentLog}`)
  }

  const reportOf = (status: UpStatus | null): ReportInput => ({
    ...{ place, editable, ports, pools, traefikVersion: program.version, status, demo, plane },
    ...{ withDemo: wanted !== null, nameOf: names.nameOf },
    asking: existsSync(SCRIPT) ? askingCommands(place, demo[0]?.key ?? null) : [],
    program: existsSync(SCRIPT) ? shellWord(SCRIPT) : 'fairlead',
    sinceStartMs: clock.monotonic() - startedAtMs,
  })

  async function run(stop: AbortSignal): Promise<void> {
    const logs: LogFile[] = []
    const open = (path: string): LogFile => {
      const log = openLogFile(path)
      logs.push(log)
      return log
    }
    const steps: (() => Promise<void>)[] = []
    try {
      const hopeless = new AbortController()
      const control = child(
        'the control plane',
        {
          command: process.execPath,
          args: [...process.execArgv, MAIN, 'control', '--config', place.controlFile],
          env: ourEnvironment(io),
          channel: true,
        },
        open(place.controlLog),
        { onEnd: () => hopeless.abort() },
      )
      control.start()
      steps.push(() => control.stop(CONTROL_GRACE_MS))
      const following = followPlane(stop)
      steps.push(() => following)
      const settled = Promise.race([following, pause(CONTROL_START_MS, AbortSignal.any([stop, hopeless.signal]))])
      // Without an identity the agent could only ask again later. With one it needs nobody: a node that starts again does not wait.
      if (!existsSync(place.identityFile)) {
        const late = new AbortController()
        void pause(PATIENCE_MS, AbortSignal.any([stop, late.signal])).then(() => {
          if (!stop.aborted && !late.signal.aborted) say('Control  makes its database ...')
        })
        await settled
        late.abort()
      }
      const agent = child(
        'the agent',
        {
          command: process.execPath,
          args: [...process.execArgv, MAIN, 'agent', '--config', place.agentFile],
          env: ourEnvironment(io),
          channel: true,
        },
        open(place.agentLog),
      )
      if (!stop.aborted) agent.start()
      steps.push(() => agent.stop(AGENT_GRACE_MS))
      await waitForAgent(stop)
      const traefik = child(
        'Traefik',
        {
          command: program.path,
          args: [`--configFile=${place.staticFile}`],
          env: traefikEnvironment(io),
          channel: false,
        },
        open(place.traefikLog),
        { prepare: prepareTraefik },
      )
      if (!stop.aborted) traefik.start()
      steps.push(() => traefik.stop(TRAEFIK_GRACE_MS))
      await settled
      const watcher = createWatcher({
        ...{ clock, admin: ports.admin, told: () => ({ put: demo, gone }), reportOf, names, say, paint },
        onReport() {
          reported = true
        },
      })
      await watcher.run(stop)
    } finally {
      say('\nStopping ...')
      // All in the same moment: Traefik ends only when its poll is over, and the agent lets go of it when it stops.
      await Promise.all(steps.reverse().map(step => step()))
      book.clear()
      for (const log of logs) log.close()
    }
  }

  return {
    run,
    abandon(signal) {
      for (const one of children) one.abandon(signal)
    },
  }
}
