/**
 * `fairlead control` as a process of its own, which a test can kill and start again at the same address.
 *
 *   const plane = await startControlProgram({ databaseUrl: postgres.url, settings: { ports: { tcp: '15000-15003' } } })
 *   await plane.ask('POST', '/projects', { name: 'shop' })
 *   await plane.kill()          // as a power cut would
 *   await plane.start()
 */

import { createPrivateKey } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateKey, writeIdentity } from '../../src/agent/identity.ts'
import { freePort } from './ports.ts'
import { type Program, startProgram } from './program.ts'
import { tempFolder } from './temp-folder.ts'
import { waitFor } from './wait-for.ts'

export type PlaneReply = {
  readonly status: number
  // biome-ignore lint/suspicious/noExplicitAny: tests compare it whole, or take what they know to be there
  readonly json: any
}

export type ControlProgram = {
  /** `http://127.0.0.1:PORT` */
  readonly url: string
  /** Path of its settings. */
  readonly config: string
  /** Below `/api/v1`, with the admin token of the host. */
  ask(method: string, path: string, body?: unknown): Promise<PlaneReply>
  /** Enrols a node and writes its identity; gives its id. */
  enroll(name: string, identityFile: string): Promise<string>
  /** Resolves when it answers. */
  start(): Promise<void>
  /** SIGKILL, and its end. */
  kill(): Promise<void>
  /** SIGTERM; gives the exit code. */
  stop(): Promise<number | null>
  /** Stops it as a machine stands still whose power is not cut: its connections stay open. */
  freeze(): void
  /** SIGHUP */
  reload(): void
  /** Runs a chore of `fairlead control` with the same settings; resolves with its exit code and all that it said. */
  chore(...args: readonly string[]): Promise<{ readonly code: number | null; readonly text: string }>
  /** Changes with each start. */
  pid(): number
  /** Everything that it logged since the last start. */
  log(): string
}

export type ControlProgramOptions = {
  /** Null: the embedded one. */
  readonly databaseUrl: string | null
  /** Where it listens; default: a free one. */
  readonly port?: number
  /** Merged into the settings at the top level. */
  readonly settings?: Readonly<Record<string, unknown>>
}

export async function startControlProgram({
  databaseUrl,
  settings = {},
  ...options
}: ControlProgramOptions): Promise<ControlProgram> {
  const folder = await tempFolder()
  const directory = join(folder, 'state')
  await mkdir(directory, { mode: 0o700 })
  const port = options.port ?? (await freePort('tcp'))
  const url = `http://127.0.0.1:${port}`
  const config = join(folder, 'control.yaml')
  const whole = {
    listen: `127.0.0.1:${port}`,
    state: { directory },
    publicHost: '127.0.0.1',
    policy: { allowUpstreams: ['127.0.0.0/8'] },
    ...(databaseUrl === null ? {} : { database: { url: databaseUrl } }),
    ...settings,
  }
  await writeFile(config, JSON.stringify(whole), { mode: 0o600 })
  let program: Program | null = null
  let token = ''

  async function start(): Promise<void> {
    const started = startProgram(['control', '--config', config])
    program = started
    const ended = started.exit.then(({ code }) => {
      throw new Error(`fairlead control ended with ${code}\n${started.out()}\n${started.err()}`)
    })
    ended.catch(() => {})
    const up = waitFor(async () => (await fetch(`${url}/readyz`)).ok, { what: 'the control plane', timeoutMs: 90_000 })
    await Promise.race([up, ended])
    token = (await readFile(join(directory, 'admin-token'), 'utf8')).trim()
  }
  async function end(signal: NodeJS.Signals): Promise<number | null> {
    const ending = program
    program = null
    ending?.child.kill(signal)
    return (await ending?.exit)?.code ?? null
  }
  async function ask(method: string, path: string, body?: unknown): Promise<PlaneReply> {
    const answer = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return { status: answer.status, json: text === '' ? null : JSON.parse(text) }
  }
  await start()
  return {
    url,
    config,
    ask,
    async enroll(name, identityFile) {
      const made = await ask('POST', '/enrollment-tokens', {})
      const key = generateKey()
      const body = { token: made.json.token, publicKey: key.publicKey, name, version: '0.0.0-test' }
      const { status, json } = await ask('POST', '/agent/enroll', body)
      if (status !== 201) throw new Error(JSON.stringify(json))
      const privateKey = createPrivateKey(key.privateKeyPem)
      const { serverId, controlPlaneId } = json
      await writeIdentity(identityFile, { serverId, controlPlaneId, privateKey }, { replace: false })
      return serverId
    },
    start,
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
    reload: () => void program?.child.kill('SIGHUP'),
    freeze: () => void program?.child.kill('SIGSTOP'),
    async chore(...args) {
      const chore = startProgram(['control', ...args, '--config', config])
      const { code } = await chore.exit
      return { code, text: chore.out() + chore.err() }
    },
    pid: () => program?.pid ?? 0,
    log: () => program?.out() ?? '',
  }
}
