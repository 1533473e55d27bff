/** `fairlead control token`: the API tokens of programs and people. */
import { z } from 'zod'
import { NewToken, Scope, TokenPage } from '../../api/token.ts'
import { readDuration } from '../../lib/setting-types.ts'
import type { ApiClient } from '../client/api-client.ts'
import { withClient } from '../client/connection.ts'
import { projectId } from '../client/projects.ts'
import { defineCommand } from '../command.ts'
import { CliError, type ExitCode, type Io } from '../io.ts'
import { aligned, clean } from '../table.ts'
import { CONTROL_CONFIG_OPTION, loadControlConfig } from './load-control-config.ts'
import { openLocalClient } from './local.ts'

const WORDS = ['create', 'list', 'revoke'] as const

type Wish = {
  readonly scopes: string | null
  readonly project: string | null
  readonly expires: string | null
  readonly json: boolean
}

const duration = readDuration({ minMs: 60_000, maxMs: 3_660 * 86_400_000 })

function readScopes(text: string): Scope[] {
  return text.split(',').map(word => {
    const parsed = Scope.safeParse(word.trim())
    if (parsed.success) return parsed.data
    throw new CliError(2, [`--scopes: ${JSON.stringify(word.trim())} is not one of ${Scope.options.join(', ')}`])
  })
}

function readSeconds(text: string): number {
  const read = duration(text)
  if (read.ok) return Math.round(read.value / 1000)
  throw new CliError(
    2,
    read.faults.map(fault => `--expires: ${fault}`),
  )
}

async function create(client: ApiClient, name: string, wish: Wish, io: Io): Promise<ExitCode> {
  const body = {
    name,
    scopes: readScopes(wish.scopes ?? 'write'),
    ...(wish.project === null ? {} : { projectId: await projectId(client, wish.project) }),
    ...(wish.expires === null ? {} : { expiresInSeconds: readSeconds(wish.expires) }),
  }
  const made = await client.ask({ method: 'POST', path: '/tokens', body }, NewToken)
  if (wish.json) io.out(`${JSON.stringify(made)}\n`)
  else {
    // The secret alone on stdout, so that it can be sent into a file.
    io.out(`${made.token}\n`)
    io.err(`${made.id} ${made.name}: ${made.scopes.join(', ')}. It is shown this once.\n`)
  }
  return 0
}

async function list(client: ApiClient, wish: Wish, io: Io): Promise<ExitCode> {
  const items: z.output<typeof TokenPage>['items'] = []
  let cursor: string | null = null
  do {
    const page: z.output<typeof TokenPage> = await client.ask(
      { path: `/tokens?limit=100${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}` },
      TokenPage,
    )
    items.push(...page.items)
    cursor = page.nextCursor
  } while (cursor !== null)
  if (wish.json) io.out(`${JSON.stringify(items)}\n`)
  else if (items.length === 0) io.out('There are no API tokens.\n')
  else
    for (const line of aligned([
      ['id', 'name', 'scopes', 'project', 'expires', 'last used'],
      ...items.map(token => [
        token.id,
        clean(token.name),
        token.scopes.join(','),
        token.projectId ?? 'all',
        token.expiresAt ?? 'never',
        token.lastUsedAt ?? 'never',
      ]),
    ]))
      io.out(`${line}\n`)
  return 0
}

async function revoke(client: ApiClient, id: string, io: Io): Promise<ExitCode> {
  await client.ask({ method: 'DELETE', path: `/tokens/${encodeURIComponent(id)}` }, z.unknown())
  io.out(`${id} is revoked.\n`)
  return 0
}

export const tokenCommand = defineCommand({
  name: 'control token',
  usage: 'create NAME | list | revoke ID   [options]',
  about: [
    'Makes, lists and revokes API tokens, by the control plane that runs on this host. A new token\nis on stdout, alone, and is shown this once: the control plane keeps its hash.',
  ],
  options: {
    config: CONTROL_CONFIG_OPTION,
    scopes: { value: 'LIST', help: 'read, write, admin, by commas; each includes those before it\n(default: write)' },
    project: { value: 'NAME', help: 'the only project that it reaches (default: all)' },
    expires: { value: 'TIME', help: 'how long it works, such as 90d (default: until it is revoked)' },
    json: { value: null, help: 'the answer as JSON' },
  },
  positionals: { min: 1, max: 2, name: 'create, list or revoke' },
  examples: [
    {
      what: 'for a pipeline that exposes services of one project',
      command: 'fairlead control token create ci --project shop --expires 90d > token',
    },
    { what: 'what there is', command: 'fairlead control token list' },
  ],
  exitCodes: [
    [0, 'done'],
    [1, 'there is no such token'],
    [2, 'bad usage, or wrong settings'],
    [3, 'no control plane runs here, or its token cannot be read'],
  ],
  async run(args, io) {
    const [word, name] = args.positionals
    const action = WORDS.find(known => known === word)
    if (action === undefined)
      throw new CliError(2, [`${JSON.stringify(word)} is none of ${WORDS.join(', ')}; fairlead control token --help`])
    if (action !== 'list' && name === undefined)
      throw new CliError(2, [action === 'create' ? 'NAME is missing: create NAME' : 'ID is missing: revoke ID'])
    const wish: Wish = {
      scopes: args.text('scopes'),
      project: args.text('project'),
      expires: args.text('expires'),
      json: args.flag('json'),
    }
    const client = await openLocalClient(await loadControlConfig(args.text('config'), io))
    return withClient(client, () => {
      switch (action) {
        case 'create':
          return create(client, name ?? '', wish, io)
        case 'list':
          return list(client, wish, io)
        case 'revoke':
          return revoke(client, name ?? '', io)
        default:
          return action satisfies never
      }
    })
  },
})
