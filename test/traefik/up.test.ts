/** The whole of `fairlead up --demo`, as somebody runs it: its own words are read, and what it says to type is typed. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { access, chown, copyFile, mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { writeRoutes } from '../../src/cli/up/write-files.ts'
import { atEnd } from '../support/at-end.ts'
import { canHaveNetwork, type Network, newNetwork } from '../support/network.ts'
import { part } from '../support/parts.ts'
import { killUntilEnd, MAIN, type Program, startProcess, startProgram } from '../support/program.ts'
import { testTraefikBinary } from '../support/traefik.ts'
import { waitFor } from '../support/wait-for.ts'

// The first start makes a database, which takes seconds, and many on a busy machine.
const LIVE_MS = 100_000
const START_MS = 120_000
const NOBODY = 65_534
const AS_NOBODY = ['setpriv', '--reuid', `${NOBODY}`, '--regid', `${NOBODY}`, '--clear-groups', '--']

type Machine = { readonly network: Network; readonly traefik: string; readonly folder: string; readonly state: string }

/** Programs that hold these addresses, as they would on a machine where other things run. */
async function occupy({ inside }: Network, addresses: readonly (readonly [string, number])[]): Promise<void> {
  const script = `const net = require('node:net'); let open = 0
    for (const [host, port] of ${JSON.stringify(addresses)})
      net.createServer().listen(port, host, () => { if (++open === ${addresses.length}) console.log('open') })`
  await startProcess([process.execPath, '--eval', script], { through: inside }).says('open')
}

async function newMachine(): Promise<Machine> {
  const folder = await mkdtemp(join(tmpdir(), 'fairlead-up-'))
  atEnd(() => rm(folder, { recursive: true, force: true }))
  const machine = {
    network: await newNetwork(),
    traefik: await testTraefikBinary(),
    folder,
    state: join(folder, 'state'),
  }
  // The last resort of a test that failed: Traefik lives on when its parent is killed.
  atEnd(async () => {
    for (const pid of (await childrenOf(machine)).values()) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended.
      }
    }
  })
  return machine
}

function startUp(machine: Machine, args: readonly string[] = ['--demo'], user: readonly string[] = []): Program {
  const { network, traefik, folder, state } = machine
  return startProgram(['up', '--state', state, '--traefik', traefik, ...args], {
    through: [...network.inside, ...user],
    env: { HOME: folder },
    cwd: folder,
  })
}

async function childrenOf({ state }: Machine): Promise<Map<string, number>> {
  const text = await readFile(join(state, 'children.json'), 'utf8').catch(() => '[]')
  const records: { name: string; pid: number }[] = JSON.parse(text)
  return new Map(records.map(({ name, pid }) => [name, pid]))
}

/** Asks the control plane, on that machine, with the token of its host. */
async function askPlane(machine: Machine, path: string): Promise<unknown> {
  const token = `Authorization: Bearer $(cat ${join(machine.state, 'control', 'admin-token')})`
  return JSON.parse(
    await type(machine, `curl -s -H "${token}" $(cat ${join(machine.state, 'control', 'address')})${path}`),
  )
}

/** Where the backend of the demo's first route listens. */
async function linesBackend(machine: Machine): Promise<string> {
  const found = z
    .object({ items: z.array(z.object({ name: z.string().optional(), ports: z.array(z.number()).optional() })) })
    .parse(await askPlane(machine, '/api/v1/services?fields=name,ports'))
  return `127.0.0.1:${found.items.find(({ name }) => name === 'demo-lines')?.ports?.[0]}`
}

const pidOf = async (machine: Machine, name: string): Promise<number> => {
  const pid = (await childrenOf(machine)).get(name)
  if (pid === undefined) throw new Error(`${name} is not written down`)
  return pid
}

/** Types a line into a shell of that machine, as a person would. */
async function type({ network }: Machine, command: string, input = ''): Promise<string> {
  const [program = '', ...args] = [...network.inside, 'bash', '-c', command]
  const shell = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env.PATH ?? '' } })
  let out = ''
  shell.stdout.setEncoding('utf8').on('data', text => {
    out += text
  })
  shell.stdin.end(input)
  await once(shell, 'close')
  return out
}

/** The commands below "What to type", in order. */
const printedCommands = (program: Program): string[] =>
  (program.out().split('What to type\n')[1]?.split('\nRoutes of your own')[0] ?? '')
    .split('\n')
    .filter(line => line.startsWith('      '))
    .map(line => line.trim())

/** What each kind of command has to show, by what it begins with and what it is about. */
const ANSWERS: readonly (readonly [RegExp, RegExp])[] = [
  [/^(?:nc |curl -sN telnet:)/, /^demo-lines: you came through a plain TCP route.*\ndemo-lines: hello\nbye\n$/],
  [/^bash .*\/dev\/tcp\//, /^demo-lines: you came through a plain TCP route.*\ndemo-lines: hello\n$/],
  [/^openssl .*a\.demo/, /^subject=CN ?= ?a\.demo\.localhost\n$/],
  [/^openssl .*b\.demo/, /^subject=CN ?= ?b\.demo\.localhost\n$/],
  [/^curl .*https:\/\/a\.demo/, /^demo: this is a\.demo\.localhost, found by its server name/],
  [/^curl .*https:\/\/b\.demo/, /^demo: this is b\.demo\.localhost, found by its server name/],
  [/^bash .*\/dev\/udp\//, /^demo-udp: you said hello\n$/],
  [/^dig /, /^"demo-udp: you asked for hello\.demo"\n$/],
  [/^curl .*http:\/\/app\.demo/, /^demo-app: this is app\.demo\.localhost(?::\d+)?\/, through an HTTP route\n$/],
]

async function typeAll(machine: Machine, commands: readonly string[]): Promise<void> {
  for (const command of commands) {
    const expected = ANSWERS.find(([kind]) => kind.test(command))?.[1]
    if (expected === undefined) throw new Error(`no answer is known for ${command}`)
    const input = command.includes('telnet:') || command.startsWith('nc ') ? 'hello\nquit\n' : ''
    expect(await type(machine, command, input), command).toMatch(expected)
  }
}

/** One that has ended and was not waited for has no command line any more. */
const isRunning = (pid: number): boolean => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== ''
  } catch {
    return false
  }
}

describe.skipIf(!canHaveNetwork || !part('traefik'))('fairlead up --demo', () => {
  describe('on a machine where ports are taken', () => {
    let machine: Machine
    let program: Program
    let commands: readonly string[] = []

    beforeAll(async () => {
      machine = await newMachine()
      await occupy(machine.network, [
        ['127.0.0.1', 10_000],
        ['::', 8080],
        ['127.0.0.1', 7480],
      ])
      program = startUp(machine)
      await program.says('To stop', LIVE_MS)
      commands = printedCommands(program)
    }, START_MS)

    test('all routes are live, and what is other than usual is said', () => {
      expect(program.out()).toContain('Live: all 5 routes')
      expect(program.out()).toMatch(/^Ports {4}Traefik's API is on port \d+: 8080 is taken$/m)
      expect(program.out()).toMatch(/^Ports {4}the provider endpoint is on port \d+: 7480 is taken$/m)
      expect(program.out()).toContain('Ports    TCP port 10000 is left out: it is taken\n')
      expect(program.out()).toContain('TCP 10001-10099, UDP 11000-11099\n')
      expect(program.out()).toMatch(/^What to open\n {2}http:\/\/127\.0\.0\.1:7400\/sign-in#fll_\S+\n/m)
      expect(program.out()).not.toContain('\u001b')
      expect(program.err()).toBe('')
    })

    test('every command that it prints works as it stands', async () => {
      const kinds = commands.map(command => command.split(' ')[0])
      const dig = part('dig') ? ['dig'] : []
      const openssl = part('openssl') ? ['openssl'] : []
      const tls = [...openssl, 'curl']
      // Whether nc is there depends on the machine.
      expect(kinds.slice(1)).toEqual(['bash', ...tls, ...tls, 'bash', ...dig, 'curl'])
      await typeAll(machine, commands)
      const asking = /in another terminal\n((?: {2}\S.*\n)+)/.exec(program.out())?.[1] ?? ''
      const [settings = '', ...questions] = asking.trim().split(/\n */)
      const answers = [/^live +tcp\/prt_\w+ +port +10001$/m, /^tcp\/prt_\w+ /, /^0 faults, /m, /^routes: 0 accepted; /m]
      expect(questions.length).toBe(answers.length)
      for (const [i, question] of questions.entries())
        expect(await type(machine, `${settings}; ${question}`), question).toMatch(answers[i] ?? /never/)
    })

    test('what it writes is for its owner alone', async () => {
      const mode = async (name: string) => ((await stat(join(machine.state, name))).mode & 0o777).toString(8)
      const files = ['traefik.yaml', 'agent.yaml', 'control.yaml', 'provider-token', 'children.json']
      const logs = ['agent.log', 'control.log', 'traefik.log']
      const own = ['control/admin-token', 'agent/identity.json', '../.config/fairlead/cli.yaml']
      const folders = ['.', 'agent', 'control', 'control/db', '../.config/fairlead']
      const modes = (names: readonly string[]) => Promise.all(names.map(mode))
      expect(new Set(await modes([...files, ...logs, ...own]))).toEqual(new Set(['600']))
      expect(new Set(await modes(folders))).toEqual(new Set(['700']))
      const token = (await readFile(join(machine.state, 'provider-token'), 'utf8')).trim()
      const url = /http:\/\/127\.0\.0\.1:\d+\/traefik/.exec(
        await readFile(join(machine.state, 'traefik.yaml'), 'utf8'),
      )?.[0]
      const ask = (header: string) => type(machine, `curl -s -o /dev/null -w '%{http_code}' ${header} ${url}`)
      expect([await ask(''), await ask(`-H 'Authorization: Bearer ${token}'`)]).toEqual(['401', '200'])
    })

    test('a route of your own is live when its file is saved', async () => {
      const lines = await linesBackend(machine)
      const own = join(machine.state, 'routes.d', 'routes.yaml')
      await writeRoutes(own, `tcpRoutes:\n  - { id: mine, upstreams: ["${lines}"], externalPort: 10009 }\n`)
      await program.says('\ntcp/mine: live on tcp-10009\n')
      expect(await type(machine, 'exec 3<>/dev/tcp/127.0.0.1/10009; head -n 1 <&3')).toContain('demo-lines: ')
      await writeRoutes(own, 'tcpRoutes:\n  - { id: mine, upstreams: ["127.0.0.1:5"], externalPort: 10000 }\n')
      await program.says('\ntcp/mine: rejected: port 10000 ')
      await writeRoutes(own, 'tcpRoutes: []\n')
      await program.says('\ntcp/mine: removed\n')
    })

    test('a second one in the same folder is refused', async () => {
      const second = startUp(machine)
      expect(await second.exit).toEqual({ code: 3, signal: null })
      expect(second.err()).toMatch(
        /^fairlead up: state directory \S+ is in use by process \d+; another fairlead up runs there; stop it with Ctrl-C or kill \d+, or name another folder with --state\n$/,
      )
    })

    test.each(['Traefik', 'the agent'])(
      '%s is started again when it is killed',
      async name => {
        const before = await pidOf(machine, name)
        const said = program.out().length
        process.kill(before, 'SIGKILL')
        await waitFor(() => program.out().slice(said).includes('\nLive: all 5 routes\n'), {
          what: 'all routes to be live again',
          timeoutMs: LIVE_MS,
        })
        expect(program.out().slice(said)).toMatch(
          new RegExp(`^${name} was ended by SIGKILL(?:: .*)?; it is started again in [0-9.]+ s\nLive: all 5 routes\n$`),
        )
        expect(await pidOf(machine, name)).not.toBe(before)
        await typeAll(machine, commands)
      },
      START_MS,
    )

    test(
      'the routes go on while the control plane is away',
      async () => {
        const before = await pidOf(machine, 'the control plane')
        const said = program.out().length
        process.kill(before, 'SIGKILL')
        await typeAll(machine, commands)
        await waitFor(
          async () => {
            const now = (await childrenOf(machine)).get('the control plane')
            return (
              now !== undefined &&
              now !== before &&
              (await type(machine, 'curl -s 127.0.0.1:7400/readyz')) === '{"ready":true}\n'
            )
          },
          { what: 'the control plane to be back', timeoutMs: LIVE_MS },
        )
        expect(program.out().slice(said)).toMatch(
          /^the control plane was ended by SIGKILL(?:: .*)?; it is started again in [0-9.]+ s\n/,
        )
        await typeAll(machine, commands)
      },
      START_MS,
    )

    test('expose gives an address that works', async () => {
      const { network, folder } = machine
      const expose = startProgram(['expose', await linesBackend(machine), '--name', 'mine', '--wait'], {
        through: network.inside,
        env: { HOME: folder },
      })
      const exit = await expose.exit
      expect({ ...exit, err: expose.err(), out: expose.out() }).toEqual({
        ...{ code: 0, signal: null, err: '' },
        out: expect.stringMatching(/^live on 127\.0\.0\.1:\d+ after [0-9.]+ m?s\n/),
      })
      const address = /^live on 127\.0\.0\.1:(\d+) after \d/.exec(expose.out())?.[1]
      expect(await type(machine, `exec 3<>/dev/tcp/127.0.0.1/${address}; head -n 1 <&3`)).toContain('demo-lines: ')
    })
  })

  test(
    'after a kill -9 the next one takes over',
    async () => {
      const machine = await newMachine()
      const killed = startUp(machine)
      await killed.says('To stop', LIVE_MS)
      const ours = [await pidOf(machine, 'the agent'), await pidOf(machine, 'the control plane')]
      const traefik = await pidOf(machine, 'Traefik')
      killed.child.kill('SIGKILL')
      await killed.exit
      await waitFor(() => !ours.some(isRunning), { what: 'the end of agent and control plane', timeoutMs: 30_000 })
      expect(isRunning(traefik)).toBe(true)
      const next = startUp(machine)
      await next.says('To stop', LIVE_MS)
      expect(next.out()).toContain(`Ended    Traefik of a run that was killed (process ${traefik})\n`)
      expect(isRunning(traefik)).toBe(false)
      expect(next.out()).not.toContain('Ports ')
      expect(next.out()).toContain('Live: all 5 routes')
      await typeAll(machine, printedCommands(next))
    },
    START_MS * 2,
  )

  test(
    'Ctrl-C ends all of it with code 0',
    async () => {
      const machine = await newMachine()
      const program = startUp(machine)
      await program.says('To stop', LIVE_MS)
      const pids = [...(await childrenOf(machine)).values()]
      expect(pids.map(isRunning)).toEqual([true, true, true])
      program.child.kill('SIGINT')
      expect(await program.exit).toEqual({ code: 0, signal: null })
      expect(program.out().endsWith('\nStopping ...\nStopped.\n')).toBe(true)
      expect(program.err()).toBe('')
      expect(pids.map(isRunning)).toEqual([false, false, false])
      expect(await readdir(machine.state)).not.toContain('children.json')
    },
    START_MS * 2,
  )

  test(
    'a second Ctrl-C ends all of it at once',
    async () => {
      const machine = await newMachine()
      const program = startUp(machine)
      await program.says('To stop', LIVE_MS)
      const pids = [...(await childrenOf(machine)).values()]
      // An open connection: Traefik waits for it.
      const talk = 'exec 3<>/dev/tcp/127.0.0.1/10000; head -n 1 <&3; exec sleep 60'
      await startProcess(['bash', '-c', talk], { through: machine.network.inside }).says('demo-lines')
      program.child.kill('SIGINT')
      await program.says('Stopping')
      await killUntilEnd(program)
      expect(await program.exit).toEqual({ code: 1, signal: null })
      expect(program.err()).toBe('fairlead up: a second signal; all is ended at once\n')
      await waitFor(() => !pids.some(isRunning), { what: 'the end of the children' })
    },
    START_MS * 2,
  )

  test(
    'without --demo the services of the last one go',
    async () => {
      const machine = await newMachine()
      await writeRoutes(join(machine.state, 'routes.d', 'demo.yaml'), 'tcpRoutes: []\n')
      const last = startUp(machine)
      await last.says('To stop', LIVE_MS)
      expect(last.out()).toContain('Routes   those of a demo of an older version are taken away\n')
      expect(last.out()).toContain('Live: all 5 routes')
      last.child.kill('SIGTERM')
      await last.exit
      const program = startUp(machine, [])
      await program.says('To stop', LIVE_MS)
      expect(program.out()).toContain('Routes   those of the last demo are taken away')
      expect(await askPlane(machine, '/api/v1/services')).toEqual({ items: [], nextCursor: null })
      expect(program.out()).toContain('\nUp, with no routes yet, ')
      expect(program.out()).not.toContain('What to type')
      expect(await readdir(join(machine.state, 'routes.d'))).toEqual(['routes.yaml'])
      program.child.kill('SIGTERM')
      expect(await program.exit).toEqual({ code: 0, signal: null })
    },
    START_MS * 2,
  )

  test(
    'an ordinary user gets ports that it may open',
    async ctx => {
      const machine = await newMachine()
      const mayRead = startProcess(['test', '-r', MAIN, '-a', '-x', process.execPath], { through: AS_NOBODY })
      if ((await mayRead.exit).code !== 0) ctx.skip('an ordinary user cannot read this checkout')
      const traefik = join(machine.folder, 'traefik')
      await copyFile(machine.traefik, traefik)
      await mkdir(machine.state, { mode: 0o700 })
      for (const path of [machine.folder, machine.state, traefik]) await chown(path, NOBODY, NOBODY)
      const program = startUp({ ...machine, traefik }, ['--demo'], AS_NOBODY)
      await program.says('To stop', LIVE_MS)
      expect(program.out()).toContain('Ports    HTTP is on port 8000: 80 may not be opened by this user\n')
      expect(program.out()).toContain('Ports    HTTPS is on port 8443: 443 may not be opened by this user\n')
      expect(program.out()).toContain('Live: all 5 routes')
      const commands = printedCommands(program)
      expect(commands.at(-1)).toContain('http://app.demo.localhost:8000/')
      await typeAll(machine, commands)
      program.child.kill('SIGINT')
      expect(await program.exit).toEqual({ code: 0, signal: null })
      await access(machine.state)
    },
    START_MS * 2,
  )
})
