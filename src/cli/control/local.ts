/** The control plane that runs on this host, as its chores find it: by the address that it notes in its state directory, with its admin token. */
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readAdminToken } from '../../control/admin-token.ts'
import type { ControlConfig } from '../../control/config.ts'
import { SYSTEM_CLOCK } from '../../lib/clock.ts'
import { errorCode, SecretFileError } from '../../lib/errors.ts'
import { formatListen, type ListenAddress } from '../../lib/setting-types.ts'
import { fairleadVersion } from '../../lib/version.ts'
import { type ApiClient, createApiClient } from '../client/api-client.ts'
import { CliError } from '../io.ts'

type Config = Pick<ControlConfig, 'listen' | 'tls' | 'state' | 'publicUrl'>

const addressFile = ({ state }: Config): string => join(state.directory, 'address')

/** An address that is all of this machine's is reached by its loopback one. */
const reachable = ({ host, port }: ListenAddress): ListenAddress => ({
  host: host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host,
  port,
})

export const originOf = ({ tls }: Pick<Config, 'tls'>, listen: ListenAddress): string =>
  `${tls === null ? 'http' : 'https'}://${formatListen(reachable(listen))}`

/** Notes where it really listens: the port may be one of the kernel's. */
export const noteAddress = (config: Config, listen: ListenAddress): Promise<void> =>
  writeFile(addressFile(config), `${originOf(config, listen)}\n`, { mode: 0o600 })

export const forgetAddress = (config: Config): Promise<void> => rm(addressFile(config), { force: true })

async function notedAddress(config: Config): Promise<string | null> {
  const text = await readFile(addressFile(config), 'utf8').catch(() => null)
  return text !== null && /^https?:\/\/\S+\n$/.test(text) ? text.trim() : null
}

async function readCertificate(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new CliError(2, [`tls.certFile ${path} cannot be read (${errorCode(error) ?? 'unknown error'})`], {
      cause: error,
    })
  }
}

/** Throws a CliError when its token cannot be read: it has never run here, or as another user. */
export async function openLocalClient(config: Config): Promise<ApiClient> {
  const { publicUrl, tls, state } = config
  let token: string
  try {
    token = await readAdminToken(state.directory)
  } catch (error) {
    if (!(error instanceof SecretFileError)) throw error
    const never = error.code === 'SECRET_FILE_MISSING'
    throw new CliError(
      3,
      [
        never
          ? `no control plane has run in ${state.directory}; start it with fairlead control, or name its settings with --config`
          : `${error.message}. ${error.remedy}`,
      ],
      { cause: error },
    )
  }
  return createApiClient({
    url: (await notedAddress(config)) ?? originOf(config, config.listen),
    token,
    clock: SYSTEM_CLOCK,
    version: fairleadVersion(),
    remedy:
      'the control plane of this host does not run, or not with these settings: systemctl status fairlead-control',
    ...(tls === null ? {} : { ca: await readCertificate(tls.certFile), pinned: true }),
    ...(publicUrl === null ? {} : { host: new URL(publicUrl).host }),
  })
}
