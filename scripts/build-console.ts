/**
 * Builds the console into dist/console, unless what is there is newer than everything it is made of.
 *
 *   node scripts/build-console.ts            before `npm start`, in `npm run build`, and before tests that open it
 *   node scripts/build-console.ts --force    builds in any case
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

const root = dirname(import.meta.dirname)
/** What the console is made of: its own files, what it shares with the control plane, and how it is built. */
const SOURCES = ['src/console', 'src/api', 'src/core', 'vite.config.ts', 'package-lock.json']

/** Where the built console lies. */
export const CONSOLE_FOLDER = join(root, 'dist/console')
/** Written last by the build. */
const MANIFEST = join(CONSOLE_FOLDER, 'manifest.json')

function newestMs(path: string): number {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  const entries = readdirSync(path, { recursive: true, withFileTypes: true })
  return Math.max(stat.mtimeMs, ...entries.map(entry => statSync(join(entry.parentPath, entry.name)).mtimeMs))
}

/** True when an edit has been made since the last build. */
export function isStale(): boolean {
  if (!existsSync(MANIFEST)) return true
  const builtMs = statSync(MANIFEST).mtimeMs
  return SOURCES.some(source => newestMs(join(root, source)) > builtMs)
}

/** Builds when something is newer than the build; true when it built. Throws what the build throws. */
export async function buildConsole({ force = false }: { force?: boolean } = {}): Promise<boolean> {
  if (!force && !isStale()) return false
  // Loaded only when there is something to build: it is a development dependency, and slow to load.
  const { build } = await import('vite')
  // Beside it, then swapped: a control plane that runs, or another build at the same time, never sees half of one.
  const fresh = join(root, 'dist', `.console-${process.pid}`)
  const old = `${fresh}-old`
  mkdirSync(join(root, 'dist'), { recursive: true })
  // React and Vite make another build for tests, which is not the one that people get.
  const mode = process.env.NODE_ENV
  process.env.NODE_ENV = 'production'
  try {
    await build({ configFile: join(root, 'vite.config.ts'), logLevel: 'warn', build: { outDir: fresh } })
    if (existsSync(CONSOLE_FOLDER)) renameSync(CONSOLE_FOLDER, old)
    renameSync(fresh, CONSOLE_FOLDER)
  } catch (error) {
    // Somebody else has built the same meanwhile.
    if (isStale()) throw error
  } finally {
    if (mode === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = mode
    for (const folder of [fresh, old]) rmSync(folder, { recursive: true, force: true })
  }
  return true
}

if (import.meta.main) {
  const startMs = performance.now()
  const built = await buildConsole({ force: process.argv.includes('--force') })
  if (built) console.log(`console built in ${((performance.now() - startMs) / 1000).toFixed(1)} s`)
}
