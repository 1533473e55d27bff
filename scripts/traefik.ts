/**
 * Gets Traefik into the cache and prints where it is: `node scripts/traefik.ts [--all | VERSION...]`, without arguments the pinned one.
 * `--all` gets every version whose hash is known, to measure what each of them takes. Exit code 3 when there is none.
 */
import { findTraefik } from '../src/lib/traefik-binary.ts'
import { KNOWN_VERSIONS, PINNED_VERSION } from '../src/lib/traefik-pinned.ts'

const asked = process.argv.slice(2)
const versions = asked.includes('--all') ? KNOWN_VERSIONS : asked.length > 0 ? asked : [PINNED_VERSION]

for (const version of versions) {
  const result = await findTraefik({ env: process.env, prefer: 'pinned', version, onSlow: what => console.error(what) })
  if (result.found) {
    console.log(result.path)
  } else {
    console.error(`no Traefik ${version}\n  ${result.tried.join('\n  ')}`)
    console.error('set TRAEFIK_BIN, or put traefik on PATH, or install pip for Python 3')
    process.exitCode = 3
  }
}
