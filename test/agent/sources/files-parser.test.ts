import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, test } from 'vitest'
import { parseFile } from '../../../src/agent/sources/files-parse.ts'
import { createFileParser, type FileParser, type FileParserOptions } from '../../../src/agent/sources/files-parser.ts'
import { createRouteMemory } from '../../../src/core/route.ts'
import { atEnd } from '../../support/at-end.ts'
import { tempFolder } from '../../support/temp-folder.ts'
import { waitFor } from '../../support/wait-for.ts'
import { fileWith, openFiles } from './files-harness.ts'

const OPTIONS = { label: 'a.yaml', maxRoutes: 20_000 }

function parserWith(options: Partial<FileParserOptions> = {}) {
  const parser = createFileParser({ logger: pino({ level: 'silent' }), ...options })
  atEnd(() => parser.close())
  return parser
}

const many = (count: number) => Buffer.from(fileWith(...Array.from({ length: count }, (_, n) => `r${n}`)))

test('a small file is parsed at once', () => {
  const bytes = many(10)
  expect(parserWith().parse(bytes, OPTIONS)).toEqual(parseFile(bytes, OPTIONS))
})

test('a thread parses a large file to the same', async () => {
  const parser = parserWith({ inlineBytes: 100 })
  const [good, bad] = [many(50), Buffer.from(`${many(50)}  - &x\n`)]
  const answers = [parser.parse(good, OPTIONS), parser.parse(bad, OPTIONS), parser.parse(good, OPTIONS)]
  expect(answers.every(answer => answer instanceof Promise)).toBe(true)
  expect(await Promise.all(answers)).toEqual([good, bad, good].map(bytes => parseFile(bytes, OPTIONS)))
})

test('a file that takes too long is refused, the next is parsed', async () => {
  const parser = parserWith({ inlineBytes: 100, timeoutMs: 1_500 })
  // Each comma is an error of its own, and the YAML parser collects them all.
  const slow = Buffer.from(`[${','.repeat(1_000_000)}`)
  expect(await parser.parse(slow, OPTIONS)).toEqual({
    ok: false,
    problem: expect.objectContaining({
      code: 'DOCUMENT_INVALID',
      message: 'the file took longer than 1.5 s to parse',
      remedy: expect.stringMatching(/^Spread the routes over several files/),
      origin: 'a.yaml',
    }),
  })
  // On a busy machine a new thread may need that long merely to begin.
  await waitFor(async () => (await parser.parse(many(50), OPTIONS)).ok, { what: 'the next file', timeoutMs: 20_000 })
}, 40_000)

test('a file that takes too much memory is refused, the next is parsed', async () => {
  const parser = parserWith({ inlineBytes: 100, heapMegabytes: 40 })
  expect(await parser.parse(many(6_000), OPTIONS)).toMatchObject({
    ok: false,
    problem: { message: 'the file takes more memory to parse than there is for it' },
  })
  expect(await parser.parse(many(50), OPTIONS)).toMatchObject({ ok: true })
})

test('what is being parsed is let go when the parser closes', async () => {
  const parser = parserWith({ inlineBytes: 100 })
  const answer = parser.parse(many(5_000), OPTIONS)
  await parser.close()
  expect(await answer).toMatchObject({ ok: false })
})

test('without the module of the thread a large file is parsed here', async () => {
  for (const workerUrl of [
    () => new URL('./none.ts', import.meta.url),
    () => {
      throw new TypeError('there is no address of this module')
    },
  ]) {
    const parser = parserWith({ inlineBytes: 100, workerUrl })
    expect(await parser.parse(many(50), OPTIONS)).toEqual(parseFile(many(50), OPTIONS))
    expect(await parser.parse(many(60), OPTIONS)).toEqual(parseFile(many(60), OPTIONS))
  }
})

test('the first reading waits for a large file', async () => {
  const directory = await tempFolder()
  await writeFile(join(directory, 'a.yaml'), many(300))
  await writeFile(join(directory, 'b.yaml'), fileWith('r9999'))
  const files = await openFiles({ directory, parser: parserWith({ inlineBytes: 1_000 }) })
  // Without it the reading would be taken for the whole.
  expect(files.reading().routes).toHaveLength(301)
  expect(files.changes()).toBe(1)
})

test('later a large file does not hold up the others', async () => {
  const directory = await tempFolder()
  await writeFile(join(directory, 'b.yaml'), fileWith('r9999'))
  let free = () => {}
  const gate = new Promise<void>(resolve => {
    free = resolve
  })
  const inline = parserWith()
  const parser: FileParser = {
    parse: (bytes, options) =>
      bytes.length > 1_000 ? gate.then(() => inline.parse(bytes, options)) : inline.parse(bytes, options),
    close: inline.close,
  }
  const files = await openFiles({ directory, parser })
  await writeFile(join(directory, 'a.yaml'), many(30))
  await writeFile(join(directory, 'b.yaml'), fileWith('r9999', 'r9998'))
  await waitFor(() => files.reading().routes.length === 2, { what: 'the small file' })
  free()
  await waitFor(() => files.reading().routes.length === 32, { what: 'the large file' })
  expect(files.problems()).toEqual([])
})

test('a route of a large file stays the same object', async () => {
  const parser = parserWith({ inlineBytes: 0 })
  const memory = createRouteMemory()
  const routesOf = async (bytes: Uint8Array) => {
    const parsed = await parser.parse(bytes, OPTIONS, memory)
    return parsed.ok ? parsed.file.routes : []
  }
  const [before, after] = [await routesOf(many(50)), await routesOf(many(60))]
  expect(before).toHaveLength(50)
  for (const [i, route] of before.entries()) expect(after[i]).toBe(route)
})
