/** `fairlead enroll`: this machine becomes a node of a control plane. */
import { createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { AgentConfig } from '../agent/config.ts'
import { loadIdentity } from '../agent/identity.ts'
import { Enrolled } from '../api/enrollment.ts'
import { SYSTEM_CLOCK } from '../lib/clock.ts'
import { errorCode, SecretFileError } from '../lib/errors.ts'
import { fairleadVersion } from '../lib/version.ts'
import { createApiClient } from './client/api-client.ts'
import { readToken, readTokenFile, readUrl, withClient } from './client/connection.ts'
import { RefusedError } from './client/problem.ts'
import { defineCommand } from './command.ts'
import { forgetPendingKey, pendingKey, writeNodeIdentity } from './enroll/identity-file.ts'
import { CliError, type ExitCode, type Io } from './io.ts'
import { CONFIG_OPTION, loadAgentConfig } from './load-config.ts'

type Wish = {
  readonly url: string
  readonly token: string
  readonly name: string | null
  readonly caFile: string | null
  readonly json: boolean
}

const identityFileOf = ({ sources, state }: AgentConfig): string =>
  sources.controlPlane?.identityFile ?? join(state.directory, 'identity.json')

/** A node has one identity: another would be another node, while the first one's routes rest for ever. */
async function assertNotEnrolled(path: string): Promise<void> {
  let serverId: string
  try {
    ;({ serverId } = await loadIdentity(path))
  } catch (error) {
    if (!(error instanceof SecretFileError)) throw error
    if (error.code === 'SECRET_FILE_MISSING') return
    throw new CliError(error.code === 'SECRET_FILE_UNREADABLE' ? 3 : 2, [`${error.message}. ${error.remedy}`], {
      cause: error,
    })
  }
  throw new CliError(1, [
    `this node is enrolled already, as ${serverId} (${path}); there is nothing to do. To enrol it anew, retire or revoke ${serverId} in the control plane, move that file away, and run this again with a new token`,
  ])
}

async function readCa(path: string, io: Io): Promise<string> {
  try {
    return await readFile(resolve(io.cwd, path), 'utf8')
  } catch (error) {
    throw new CliError(2, [`${path} cannot be read (${errorCode(error) ?? 'unknown error'})`], { cause: error })
  }
}

/** What is to stand in the agent's settings; nothing when it stands there already. */
function settingsAdvice(config: AgentConfig, url: string, fileName: string | null, caFile: string | null): string[] {
  if (config.sources.controlPlane?.urls.includes(url))
    return ['The settings of the agent lead there already: start it, or restart it.']
  const ca = caFile === null ? '' : `, caFile: ${caFile}`
  return [
    `Put this into the settings of the agent (${fileName ?? '/etc/fairlead/agent.yaml'}), then start it, or restart it:`,
    '',
    '  sources:',
    `    controlPlane: { urls: [${url}]${ca} }`,
    '',
  ]
}

async function enroll(wish: Wish, named: string | null, io: Io): Promise<ExitCode> {
  const { config, fileName } = await loadAgentConfig(named, io)
  const path = identityFileOf(config)
  await assertNotEnrolled(path)
  const caFile = wish.caFile ?? config.sources.controlPlane?.caFile ?? null
  const key = await pendingKey(path)
  const name = wish.name ?? config.node
  const client = createApiClient({
    url: wish.url,
    token: null,
    clock: SYSTEM_CLOCK,
    version: fairleadVersion(),
    ...(caFile === null ? {} : { ca: await readCa(caFile, io) }),
  })
  const enrolled = await withClient(client, () =>
    client.ask(
      {
        method: 'POST',
        path: '/agent/enroll',
        body: { token: wish.token, publicKey: key.publicKey, name, version: fairleadVersion() },
      },
      Enrolled,
    ),
  ).catch(async (error: unknown) => {
    // Refused for good: the next token gets a new key.
    if (error instanceof RefusedError && error.status < 500) await forgetPendingKey(path)
    throw error
  })
  const { serverId, controlPlaneId } = enrolled
  await writeNodeIdentity(path, { serverId, controlPlaneId, privateKey: createPrivateKey(key.privateKeyPem) })
  if (wish.json) io.out(`${JSON.stringify({ serverId, controlPlaneId, name, identityFile: path })}\n`)
  else
    for (const line of [
      `Enrolled as ${name} (${serverId}) with ${wish.url}.`,
      `Its key is in ${path} and nowhere else.`,
      ...settingsAdvice(config, wish.url, fileName, caFile),
    ])
      io.out(`${line}\n`)
  return 0
}

export const enrollCommand = defineCommand({
  name: 'enroll',
  usage: '--url URL --token TOKEN [options]',
  about: [
    'Joins this machine to a control plane, as a proxy node: makes a key, of which only the public\nhalf leaves the machine, and writes the identity that the agent signs its requests with. The\ntoken comes from the console or from POST /enrollment-tokens, and works once.',
    'Run it as root, or as the user of the agent: the file belongs to the owner of its folder.',
  ],
  options: {
    url: { value: 'URL', help: 'of the control plane; https, or http to this machine' },
    token: { value: 'TOKEN', help: 'the enrolment token (fle_...)' },
    'token-file': { value: 'FILE', help: 'with the token in it, where no other user should see it go by' },
    name: { value: 'NAME', help: 'of the node (default: node in the settings, else the host name)' },
    'ca-file': { value: 'FILE', help: 'PEM of the authority that the control plane is signed by' },
    config: CONFIG_OPTION,
    json: { value: null, help: 'the answer as JSON' },
  },
  positionals: { min: 0, max: 0, name: '' },
  examples: [
    {
      what: 'as the console says it',
      command: 'fairlead enroll --url https://control.example.com --token fle_...',
    },
  ],
  exitCodes: [
    [0, 'enrolled'],
    [1, 'refused: the token was used or expired, the name is taken, the node is enrolled already'],
    [2, 'bad usage, or wrong settings'],
    [3, 'the control plane cannot be reached, or the file not be written'],
  ],
  async run(args, io) {
    const url = args.text('url')
    const [token, tokenFile] = [args.text('token'), args.text('token-file')]
    if (url === null) throw new CliError(2, ['--url is missing: --url https://control.example.com'])
    if ((token === null) === (tokenFile === null))
      throw new CliError(2, [
        token === null ? '--token is missing: --token fle_...' : 'give --token or --token-file, not both',
      ])
    const wish: Wish = {
      url: readUrl('--url', url),
      token: token === null ? await readTokenFile(resolve(io.cwd, tokenFile ?? '')) : readToken('--token', token),
      name: args.text('name'),
      caFile: args.text('ca-file'),
      json: args.flag('json'),
    }
    return enroll(wish, args.text('config'), io)
  },
})
