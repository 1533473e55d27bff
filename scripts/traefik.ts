/** Gets the pinned Traefik into the cache and prints its path: `node scripts/traefik.ts`. Exit code 3 when there is none. */
import { findTraefik } from '../src/lib/traefik-binary.ts'

const result = await findTraefik({ env: process.env, prefer: 'pinned', onSlow: what => console.error(what) })
if (result.found) {
  console.log(result.path)
} else {
  for (const place of result.tried) console.error(place)
  console.error('no Traefik: set TRAEFIK_BIN, or put traefik on PATH, or install pip for Python 3')
  process.exitCode = 3
}
