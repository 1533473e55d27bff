import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { DgramSocket } from 'node-unix-socket'
import { describe, expect, test } from 'vitest'
import { createStateDirectory } from '../../src/agent/store/state-directory.ts'
import { atEnd } from '../support/at-end.ts'
import { httpGet } from '../support/clients.ts'
import { freePort } from '../support/ports.ts'
import { type Program, type ProgramOptions, startProgram } from '../support/program.ts'
import { tempFolder } from '../support/temp-folder.ts'
import { waitFor } from '../support/wait-for.ts'

type Node = {
  readonly folder: string
  readonly file: string
  /** Writes the settings anew, with these lines in place of the usual ones. */
  readonly settings: (change?: Readonly<Record<string, string>>) => Promise<void>
}

async function newNode(): Promise<Node> {
  const folder = await tempFolder()
  await mkdir(join(folder, 'routes.d'), { mode: 0o755 })
  const file = join(folder, 'agent.yaml')
  const usual = {
    state: `{ directory: ${join(folder, 'state')} }`,
    sources: `{ files: { directory: ${join(folder, 'routes.d')} } }`,
    provider: '{ listen: 127.0.0.1:0 }',
    admin: '{ listen: 127.0.0.1:0 }',
  }
  const settings = async (change: Readonly<Record<string, string>> = {}): Promise<void> => {
    const lines = Object.entries({ ...usual, ...change }).map(([key, value]) => `${key}: ${value}`)
    await writeFile(file, `${lines.join('\n')}\n`)
  }
  await settings()
  await writeFile(join(folder, 'routes.d', 'routes.yaml'), 'tcpRoutes: []\n', { mode: 0o644 })
  return { folder, file, settings }
}

type LogLine = Readonly<Record<string, unknown>>

const linesOf = (program: Program): LogLine[] =>
  program
    .out()
    .split('\n')
    .filter(line => line !== '')
    .map((line): LogLine => JSON.parse(line))

const linesWith = (program: Program, message: string): LogLine[] =>
  linesOf(program).filter(({ msg }) => msg === message)

const startAgent = (node: Node, options: ProgramOptions = {}): Program =>
  startProgram(['agent', '--config', node.file], options)

async function portsOf(program: Program, times = 1): Promise<{ provider: number; admin: number }> {
  const line = await waitFor(() => linesWith(program, 'agent is up')[times - 1], { what: 'the agent to be up' }).catch(
    (error: unknown) => {
      throw new Error(`${String(error)}\n${program.out()}\n${program.err()}`)
    },
  )
  return { provider: Number(line.provider), admin: Number(line.admin) }
}

const status = async (port: number): Promise<number> =>
  (await httpGet({ port, host: `127.0.0.1:${port}`, path: '/status' })).status

describe('start and end', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)('%s stops it with code 0', async signal => {
    const program = startAgent(await newNode())
    const { admin } = await portsOf(program)
    expect(await status(admin)).toBe(200)
    program.child.kill(signal)
    expect(await program.exit).toEqual({ code: 0, signal: null })
    expect(linesOf(program).at(-1)).toMatchObject({ msg: 'stopped' })
    expect(program.err()).toBe('')
  })

  test('it ends when its parent is gone', async () => {
    const program = startAgent(await newNode(), { channel: true })
    await portsOf(program)
    program.child.disconnect()
    expect(await program.exit).toEqual({ code: 0, signal: null })
  })

  test('it goes on when nobody reads its log', async () => {
    const node = await newNode()
    const program = startAgent(node)
    const { admin } = await portsOf(program)
    program.child.stdout?.destroy()
    program.child.kill('SIGHUP')
    program.child.kill('SIGHUP')
    expect(await status(admin)).toBe(200)
    program.child.kill('SIGTERM')
    expect(await program.exit).toEqual({ code: 0, signal: null })
  })

  test('a failpoint kills it in the middle of a save', async () => {
    const program = startAgent(await newNode(), { env: { FAIRLEAD_FAILPOINT: 'temp-half' } })
    expect(await program.exit).toEqual({ code: null, signal: 'SIGKILL' })
  })
})

describe('what it refuses to start with', () => {
  test('no source is bad input, and the sentence says what to name', async () => {
    const program = startProgram(['agent'], { env: { FAIRLEAD_CONFIG: '/dev/null' } })
    expect(await program.exit).toEqual({ code: 2, signal: null })
    expect(program.out()).toBe('')
    expect(program.err()).toMatch(/^fairlead agent: sources: none is set; name a folder in sources.files.directory /)
  })

  test('a port that is taken is named', async () => {
    const node = await newNode()
    const server = createServer()
    const port = await freePort('tcp')
    await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve))
    atEnd(() => new Promise(resolve => server.close(resolve)))
    await node.settings({ admin: `{ listen: 127.0.0.1:${port} }` })
    const program = startAgent(node)
    expect(await program.exit).toEqual({ code: 3, signal: null })
    expect(program.err()).toMatch(new RegExp(`^fairlead agent: the agent cannot start: .*${port}.*\n$`))
  })

  test('a state directory in use names its holder', async () => {
    const node = await newNode()
    const directory = createStateDirectory({ path: join(node.folder, 'state') })
    await directory.ensure()
    atEnd(() => directory.close())
    const program = startAgent(node)
    expect(await program.exit).toEqual({ code: 3, signal: null })
    expect(program.err()).toBe(
      `fairlead agent: the agent cannot start: state directory ${join(node.folder, 'state')} is in use by process ${process.pid}; stop the other agent, or give each its own state.directory.\n`,
    )
  })

  test('a token that others can read is bad input', async () => {
    const node = await newNode()
    const tokenFile = join(node.folder, 'token')
    await writeFile(tokenFile, 'secret-of-the-test\n', { mode: 0o644 })
    await node.settings({ provider: `{ listen: 127.0.0.1:0, tokenFile: ${tokenFile} }` })
    const program = startAgent(node)
    expect(await program.exit).toEqual({ code: 2, signal: null })
    expect(program.err()).toContain(`${tokenFile}: has mode 0644, so others can use it; chmod it to 0600`)
    expect(program.err()).not.toContain('secret-of-the-test')
  })
})

describe('settings that change', () => {
  test('equal settings do nothing', async () => {
    const node = await newNode()
    const program = startAgent(node)
    const { admin } = await portsOf(program)
    program.child.kill('SIGHUP')
    await program.says('settings are unchanged')
    expect(await status(admin)).toBe(200)
    expect(linesWith(program, 'agent is up')).toHaveLength(1)
  })

  test('wrong ones are logged in full, and the old ones stay', async () => {
    const node = await newNode()
    const program = startAgent(node)
    const { admin } = await portsOf(program)
    await node.settings({ nodee: 'x', log: '{ level: loud }' })
    program.child.kill('SIGHUP')
    await program.says('the new settings are wrong, the old ones stay')
    expect(linesWith(program, 'the new settings are wrong, the old ones stay')).toEqual([
      expect.objectContaining({
        level: 'error',
        faults: [
          expect.stringContaining('nodee is not a setting; did you mean node?'),
          expect.stringContaining('log.level: "loud" is not one of'),
        ],
      }),
    ])
    expect(await status(admin)).toBe(200)
  })

  test('other ones are used by the same process', async () => {
    const node = await newNode()
    const program = startAgent(node)
    const before = await portsOf(program)
    const port = await freePort('tcp')
    await node.settings({ admin: `{ listen: 127.0.0.1:${port} }` })
    program.child.kill('SIGHUP')
    expect(await portsOf(program, 2)).toEqual({ provider: expect.any(Number), admin: port })
    await program.says('the new settings are in use')
    await waitFor(async () => (await status(port)) === 200, { what: 'an answer at the new address' })
    await waitFor(
      () =>
        status(before.admin).then(
          () => false,
          (error: Error) => error.message.includes('ECONNREFUSED'),
        ),
      {
        what: 'the end of the old address',
      },
    )
    program.child.kill('SIGTERM')
    expect(await program.exit).toEqual({ code: 0, signal: null })
  })

  test('a token that was exchanged is a change', async () => {
    const node = await newNode()
    const tokenFile = join(node.folder, 'token')
    const providerPort = await freePort('tcp')
    const ask = async (token: string): Promise<number> => {
      const headers = { authorization: `Bearer ${token}` }
      return (await httpGet({ port: providerPort, host: `127.0.0.1:${providerPort}`, path: '/traefik', headers }))
        .status
    }
    await writeFile(tokenFile, 'first-token\n', { mode: 0o600 })
    await node.settings({ provider: `{ listen: 127.0.0.1:${providerPort}, tokenFile: ${tokenFile} }` })
    const program = startAgent(node)
    await portsOf(program)
    await waitFor(async () => (await ask('first-token')) === 200, { what: 'a first configuration' })
    expect(await ask('second-token')).toBe(401)
    await writeFile(tokenFile, 'second-token\n')
    program.child.kill('SIGHUP')
    await program.says('the new settings are in use')
    await waitFor(async () => (await ask('second-token')) === 200, { what: 'the configuration, with the new token' })
    expect(await ask('first-token')).toBe(401)
  })

  test('when the new ones do not start, the old ones are used again', async () => {
    const node = await newNode()
    const program = startAgent(node)
    await portsOf(program)
    const other = join(node.folder, 'other')
    await mkdir(other, { mode: 0o700 })
    const directory = createStateDirectory({ path: other })
    await directory.ensure()
    atEnd(() => directory.close())
    await node.settings({ state: `{ directory: ${other} }` })
    program.child.kill('SIGHUP')
    const { admin } = await portsOf(program, 2)
    expect(await status(admin)).toBe(200)
    expect(linesWith(program, 'the agent does not start with the new settings, the old ones are used again')).toEqual([
      expect.objectContaining({ err: expect.objectContaining({ code: 'STATE_DIRECTORY_LOCKED' }) }),
    ])
  })
})

test('systemd hears of start, reload and stop', async () => {
  const node = await newNode()
  const path = join(node.folder, 'notify')
  const messages: string[] = []
  const socket = new DgramSocket()
  atEnd(() => socket.close())
  socket.on('data', (message: Buffer) => messages.push(message.toString().split('\n')[0] ?? ''))
  socket.bind(path)
  const program = startAgent(node, { env: { NOTIFY_SOCKET: path } })
  const kinds = () => messages.filter(message => !message.startsWith('STATUS='))
  await waitFor(() => kinds().length === 1, { what: 'a first message' })
  await node.settings({ node: 'other' })
  program.child.kill('SIGHUP')
  await waitFor(() => kinds().length === 3, { what: 'the messages of a reload' })
  program.child.kill('SIGTERM')
  await program.exit
  await waitFor(() => kinds().length === 4, { what: 'the message of the end' })
  expect(kinds()).toEqual(['READY=1', 'RELOADING=1', 'READY=1', 'STOPPING=1'])
})
