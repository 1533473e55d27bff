/** What the tests need beside Node: looked for, installed where that is ours to do, and named with a reason where it is missing. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { findTraefik } from '../src/lib/traefik-binary.ts'
import type { PartName } from '../test/support/parts.ts'

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
  { name: 'dig', packages: ['dnsutils'], isThere: () => hasCommand('dig') },
  { name: 'systemd-analyze', packages: ['systemd'], isThere: () => hasCommand('systemd-analyze') },
  { name: 'iproute2', packages: ['iproute2'], isThere: () => hasCommand('ip') && hasCommand('ss') },
]

/** Installs what is missing and can be installed; says what it does on stdout. */
export async function prepareParts(): Promise<Parts> {
  const there: PartName[] = []
  const leftOut: { name: PartName; reason: string }[] = []
  const traefik = await lookForTraefik()
  if ('path' in traefik) there.push('traefik')
  else leftOut.push({ name: 'traefik', reason: traefik.reason })
  const refusal = installPackages(DEBIAN_PARTS.filter(({ isThere }) => !isThere()).flatMap(({ packages }) => packages))
  for (const { name, packages, isThere } of DEBIAN_PARTS) {
    if (isThere()) there.push(name)
    else
      leftOut.push({
        name,
        reason: `${packages.join(', ')} is not installed: ${refusal ?? 'the package has no such command'}`,
      })
  }
  return { there, leftOut, traefik: 'path' in traefik ? traefik.path : null }
}

async function lookForTraefik(): Promise<{ path: string } | { reason: string }> {
  try {
    const result = await findTraefik({ env: process.env, prefer: 'pinned', onSlow: what => console.log(what) })
    return result.found ? { path: result.path } : { reason: result.tried.join('; ') }
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) }
  }
}

/** Null when all were installed (or none was asked for), else why not, in one line. */
function installPackages(packages: readonly string[]): string | null {
  if (packages.length === 0) return null
  if (process.getuid?.() !== 0) return 'installing needs root'
  if (!isDebian() || !hasCommand('apt-get')) return 'this is no Debian with apt-get'
  console.log(`installing ${packages.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const update = spawnSync('apt-get', ['update', '-q'], { env, encoding: 'utf8' })
  const install = spawnSync('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...packages], {
    env,
    encoding: 'utf8',
  })
  if (install.status === 0) return null
  // Without package lists the installation can only say that it finds nothing.
  const failed = update.status === 0 ? install : update
  return `apt-get: ${failed.stderr.trim().split('\n').at(-1) ?? 'failed'}`
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
