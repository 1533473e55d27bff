/** Which control plane a command asks, and as whom: options beat variables, variables beat the user's `cli.yaml`. */
import { resolve } from 'node:path'
import { SYSTEM_CLOCK } from '../../lib/clock.ts'
import { SecretFileError } from '../../lib/errors.ts'
import { readSecretFile } from '../../lib/secret-file.ts'
import { readHttpUrl } from '../../lib/setting-types.ts'
import { fairleadVersion } from '../../lib/version.ts'
import type { OptionSpec } from '../args.ts'
import { CliError, type Io } from '../io.ts'
import { type ApiClient, createApiClient } from './api-client.ts'
import { type CliFile, cliFilePath, readCliFile } from './cli-file.ts'

export const CONNECTION_OPTIONS = {
  url: { value: 'URL', help: 'of the control plane (default: $FAIRLEAD_URL, else your cli.yaml)' },
  'token-file': {
    value: 'FILE',
    help: 'with an API token, mode 0600 (default: $FAIRLEAD_TOKEN, else\nyour cli.yaml)',
  },
} as const satisfies Readonly<Record<string, OptionSpec>>

export type ConnectionOption = keyof typeof CONNECTION_OPTIONS

export type Target = { readonly url: string; readonly token: string }

const parseUrl = readHttpUrl('https://control.example.com', 'loopback')

export function readUrl(where: string, text: string): string {
  const url = parseUrl(text)
  if (!url.ok)
    throw new CliError(
      2,
      url.faults.map(fault => `${where}: ${fault}`),
    )
  return url.value
}

/** One word of ASCII signs. The text itself is in no message. */
export function readToken(where: string, text: string): string {
  const token = text.trim()
  if (/^[\x21-\x7e]{1,4096}$/.test(token)) return token
  throw new CliError(2, [`${where}: ${token === '' ? 'there is no token' : 'this is not a token'}`])
}

export async function readTokenFile(path: string): Promise<string> {
  try {
    return readToken(path, await readSecretFile(path))
  } catch (error) {
    if (!(error instanceof SecretFileError)) throw error
    throw new CliError(error.code === 'SECRET_FILE_MISSING' ? 3 : 2, [`${error.message}. ${error.remedy}`], {
      cause: error,
    })
  }
}

const tokenOf = async (file: CliFile, path: string): Promise<string> =>
  file.tokenFile === undefined ? readToken(path, file.token ?? '') : readTokenFile(file.tokenFile)

const WAYS = 'give --url and --token-file, or set FAIRLEAD_URL and FAIRLEAD_TOKEN, or write them into'

/** Throws a CliError that names what is missing and all the ways to say it. */
export async function findTarget(text: (name: ConnectionOption) => string | null, io: Io): Promise<Target> {
  const path = cliFilePath(io.env)
  const [urlOption, tokenOption] = [text('url'), text('token-file')]
  const [urlVariable, tokenVariable] = [io.env.FAIRLEAD_URL?.trim() || null, io.env.FAIRLEAD_TOKEN?.trim() || null]
  const named = urlOption ?? urlVariable
  // Only looked at where it is needed: a broken one must not be in the way of who says all.
  const file = named === null || (tokenOption ?? tokenVariable) === null ? await readCliFile(path) : null
  const url =
    urlOption !== null
      ? readUrl('--url', urlOption)
      : urlVariable !== null
        ? readUrl('FAIRLEAD_URL', urlVariable)
        : file === null
          ? null
          : readUrl(path, file.url)
  if (url === null) throw new CliError(2, [`it is not said which control plane to ask; ${WAYS} ${path}`])
  if (tokenOption !== null) return { url, token: await readTokenFile(resolve(io.cwd, tokenOption)) }
  if (tokenVariable !== null) return { url, token: readToken('FAIRLEAD_TOKEN', tokenVariable) }
  // A token goes to nobody but the one that it stands beside.
  if (file !== null && readUrl(path, file.url) === url) return { url, token: await tokenOf(file, path) }
  throw new CliError(2, [`there is no token for ${url}; give --token-file, or set FAIRLEAD_TOKEN`])
}

export const openClient = ({ url, token }: Target): ApiClient =>
  createApiClient({ url, token, clock: SYSTEM_CLOCK, version: fairleadVersion() })

/** Runs `work` with a client and closes it. */
export async function withClient<T>(client: ApiClient, work: (client: ApiClient) => Promise<T>): Promise<T> {
  try {
    return await work(client)
  } finally {
    await client.close()
  }
}
