/** What a first visit loads. The budget is for scripts, compressed as servers send them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from 'vitest'
import { buildConsole, CONSOLE_FOLDER } from '../../scripts/build-console.ts'

type Chunk = {
  readonly file: string
  readonly imports?: readonly string[]
  readonly isEntry?: boolean
  readonly css?: readonly string[]
}

const BUDGET = 150 * 1024

let manifest: Readonly<Record<string, Chunk>> = {}

beforeAll(async () => {
  await buildConsole()
  manifest = JSON.parse(readFileSync(join(CONSOLE_FOLDER, 'manifest.json'), 'utf8'))
})

const read = (file: string): string => readFileSync(join(CONSOLE_FOLDER, file), 'utf8')
const gzipped = (files: readonly string[]): number =>
  files.reduce((sum, file) => sum + gzipSync(read(file), { level: 9 }).length, 0)

/** A chunk with everything that it imports at once. */
function filesOf(name: string, seen = new Set<string>()): readonly string[] {
  const chunk = manifest[name]
  if (chunk === undefined || seen.has(chunk.file)) return []
  seen.add(chunk.file)
  for (const imported of chunk.imports ?? []) filesOf(imported, seen)
  return [...seen]
}

const entryName = (): string => Object.keys(manifest).find(name => manifest[name]?.isEntry === true) ?? ''

describe('what loads first', () => {
  test.each(['pages/overview/overview-page.tsx', 'pages/services/services-page.tsx'])('%s stays below 150 KB', page => {
    expect(manifest[page], `${page} is a chunk`).toBeDefined()
    const files = [...new Set([...filesOf(entryName()), ...filesOf(page)])]
    expect(files.length).toBeGreaterThan(1)
    const bytes = gzipped(files)
    expect(bytes, `${files.join(' ')}: ${bytes}`).toBeLessThan(BUDGET)
  })

  test('has nothing of Base UI in it', () => {
    // What Base UI writes on everything that it renders at a certain place.
    for (const file of filesOf(entryName())) expect(read(file).includes('data-base-ui'), file).toBe(false)
    const all = Object.values(manifest)
      .map(({ file }) => file)
      .filter(file => file.endsWith('.js'))
    expect(all.some(file => read(file).includes('data-base-ui'))).toBe(true)
  })

  test('has no schema library in it', () => {
    for (const file of filesOf(entryName())) expect(read(file).includes('ZodError'), file).toBe(false)
  })
})

test('the page has no inline script, no inline style and no data address', () => {
  const html = read('index.html')
  expect(html).not.toMatch(/<style|style=|javascript:|data:/)
  for (const tag of html.match(/<script[^>]*>[^<]*/g) ?? []) expect(tag).toMatch(/src="[^"]+"[^>]*>\s*$/)
  for (const { file, css = [] } of Object.values(manifest))
    for (const one of [file, ...css].filter(name => name.endsWith('.css')))
      expect(read(one)).not.toMatch(/url\(\s*['"]?data:/)
})

test('the licences of fonts and packages are handed on', () => {
  expect(read('licences/geist.txt')).toContain('SIL OPEN FONT LICENSE')
  expect(read('licences/geist-mono.txt')).toContain('SIL OPEN FONT LICENSE')
  for (const name of ['react', '@base-ui/react', 'wouter', 'virtua', 'lucide-react'])
    expect(read('licences/packages.md')).toContain(name)
})
