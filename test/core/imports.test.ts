/** Which file may import which: the arrows of the layout, and what keeps the core pure. */
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const SRC = fileURLToPath(new URL('../../src', import.meta.url))

type Import = { readonly from: string; readonly to: string; readonly typeOnly: boolean }
type Source = { readonly file: string; readonly code: string; readonly imports: readonly Import[] }

/** Comments become blanks; a text that looks like one (`http://...`) stays, since it stands in quotes. */
const withoutComments = (text: string): string =>
  text.replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g, part =>
    part.startsWith('/') ? ' ' : part,
  )

const IMPORT = /\b(import|export)\s+(type\s+)?(?:[\w*\s{},$]+?\s+from\s+)?'([^']+)'|\bimport\(\s*(['"`])(.+?)\4\s*\)/g

function readSource(file: string): Source {
  const code = withoutComments(readFileSync(join(SRC, file), 'utf8'))
  const imports = [...code.matchAll(IMPORT)].map(match => {
    const found = match[3] ?? match[5] ?? ''
    const to = found.startsWith('.') ? relative(SRC, join(SRC, dirname(file), found)) : found
    return { from: file, to, typeOnly: match[2] !== undefined }
  })
  return { file, code, imports }
}

const sources = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter(file => /\.tsx?$/.test(file))
  .map(readSource)
const imports = sources.flatMap(source => source.imports)

const isOurs = (to: string): boolean => /\.tsx?$/.test(to)
const areaOf = (file: string): string => file.split('/')[0] ?? file
const told = (found: readonly Import[]): string[] => found.map(({ from, to }) => `${from} -> ${to}`)

test('every import is seen', () => {
  // Each statement has one line that ends with what it imports: so that the pattern above cannot go blind.
  const lines = sources.flatMap(
    ({ code }) => code.match(/^(?:import|export|\}).*\bfrom '[^']+'$|^import '[^']+'$/gm) ?? [],
  )
  const dynamic = sources.flatMap(({ code }) => code.match(/\bimport\(/g) ?? [])
  expect(lines.length).toBeGreaterThan(100)
  expect(imports.length).toBe(lines.length + dynamic.length)
  expect(told(imports.filter(({ to }) => to.startsWith('..')))).toEqual([])
})

describe('the core', () => {
  const core = imports.filter(({ from }) => areaOf(from) === 'core')

  test('imports nothing of ours but core', () => {
    expect(told(core.filter(({ to }) => isOurs(to) && areaOf(to) !== 'core'))).toEqual([])
  })

  test('imports of Node and of packages only what computes', () => {
    const pure = new Set(['node:buffer', 'node:crypto', 'node:net', 'node:url', 'zod', 'yaml'])
    expect(told(core.filter(({ to }) => !isOurs(to) && !pure.has(to)))).toEqual([])
  })

  test('takes no socket from node:net and no random from node:crypto', () => {
    const names = sources
      .filter(({ file }) => areaOf(file) === 'core')
      .flatMap(({ code }) => [...code.matchAll(/import \{([^}]*)\} from 'node:(?:net|crypto|url|buffer)'/g)])
      .flatMap(match => (match[1] ?? '').split(',').map(name => name.trim()))
    const pure = [
      'createHash',
      'createPrivateKey',
      'X509Certificate',
      'isIP',
      'isIPv4',
      'isIPv6',
      'domainToASCII',
      'isUtf8',
    ]
    expect([...new Set(names)].filter(name => !pure.includes(name))).toEqual([])
  })

  test('knows no clock, no chance, no process and no output', () => {
    const impure =
      /\b(?:Date\.now|new Date\(\)|Math\.random|performance|process|console|fetch|setTimeout|setInterval|setImmediate|queueMicrotask|localeCompare|toLocale\w+|Intl)\b/g
    const found = sources
      .filter(({ file }) => areaOf(file) === 'core')
      .flatMap(({ file, code }) => {
        // What stands in quotes is text for people: a remedy may speak of a process.
        const bare = code.replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g, '""')
        return [...bare.matchAll(impure)].map(match => `${file}: ${match[0]}`)
      })
    expect(found).toEqual([])
  })
})

describe('the arrows between folders', () => {
  // lib is of use anywhere and knows nothing of routes; of the core it needs which versions of Traefik are supported.
  const ALLOWED: Readonly<Record<string, readonly string[]>> = {
    core: ['core'],
    lib: ['lib', 'core/capabilities.ts'],
    agent: ['agent', 'core', 'lib'],
    // The shape of the REST interface, known alike to who serves it and to who asks it.
    api: ['api', 'core'],
    control: ['control', 'api', 'core', 'lib'],
    console: ['console', 'api', 'core'],
    cli: ['cli', 'agent', 'control', 'api', 'core', 'lib'],
  }

  test('every folder is one that we know', () => {
    expect([...new Set(sources.map(({ file }) => areaOf(file)))].filter(area => ALLOWED[area] === undefined)).toEqual(
      [],
    )
  })

  test.each(Object.entries(ALLOWED))('%s imports of ours only %j', (area, allowed) => {
    const ours = imports.filter(({ from, to }) => areaOf(from) === area && isOurs(to))
    expect(told(ours.filter(({ to }) => !allowed.includes(areaOf(to)) && !allowed.includes(to)))).toEqual([])
  })

  test('no file imports itself by way of others', () => {
    const next = new Map(
      sources.map(({ file, imports: its }) => [
        file,
        its.filter(({ to, typeOnly }) => isOurs(to) && !typeOnly).map(({ to }) => to),
      ]),
    )
    const done = new Set<string>()
    const circles: string[] = []
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' -> '))
      if (done.has(file) || path.includes(file)) return
      for (const to of next.get(file) ?? []) visit(to, [...path, file])
      done.add(file)
    }
    for (const { file } of sources) visit(file, [])
    expect(circles).toEqual([])
  })
})

test('only main.ts reads the environment', () => {
  const readers = sources.filter(({ code }) =>
    /\bprocess\s*(?:\.|\?\.|\[['"])\s*env\b|\benv\b[^'\n]*from 'node:process'/.test(code),
  )
  expect(readers.map(({ file }) => file).filter(file => file !== 'cli/main.ts')).toEqual([])
})
