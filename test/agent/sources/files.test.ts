/** What a folder of files says, and when: every step of time and every look at the folder is the test's. */
import { appendFile, mkdir, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { tempFolder } from '../../support/temp-folder.ts'
import { fileWith, openStepped, routeLines } from './files-harness.ts'

async function folderWith(files: Readonly<Record<string, string>>): Promise<string> {
  const directory = await tempFolder()
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
  return directory
}

async function started(
  files: Readonly<Record<string, string>>,
  options: Partial<Parameters<typeof openStepped>[0]> = {},
) {
  const directory = await folderWith(files)
  const source = openStepped({ directory, ...options })
  await source.start()
  return {
    ...source,
    directory,
    write: (name: string, text: string) => writeFile(join(directory, name), text),
    /** As editors and tools do that write beside the file and rename. */
    replace: async (name: string, text: string) => {
      await writeFile(join(directory, '.new'), text)
      await rename(join(directory, '.new'), join(directory, name))
    },
    path: (name: string) => join(directory, name),
  }
}

describe('a folder', () => {
  test('the first reading holds all files', async () => {
    const { reading, routes, status, attempts, changes } = await started({
      'a.yaml': fileWith('r1', 'r2'),
      'b.yml': fileWith('r3'),
      'c.json': JSON.stringify({
        tcpRoutes: [],
        udpRoutes: [{ id: 'dns4', upstreams: ['10.0.0.1:53'], externalPort: 11000 }],
      }),
      'd.yaml': fileWith(),
    })
    expect(routes()).toEqual(['a.yaml: r1 r2', 'b.yml: r3', 'c.json: dns4'])
    expect(reading().documents).toBe(4)
    expect(reading().problems).toEqual([])
    expect(reading().lists).toEqual({ http: true, tcp: true, udp: true })
    expect(status().fault).toBeNull()
    expect(status().lastSuccessAt).toEqual(expect.any(Number))
    expect(attempts.at(-1)).toBe('ok')
    expect(changes()).toBe(1)
  })

  test('an empty folder is an empty reading', async () => {
    const { reading, status } = await started({})
    expect(status().fault).toBeNull()
    expect(reading()).toMatchObject({ routes: [], problems: [], documents: 0 })
  })

  test('other files and what editors leave are not read', async () => {
    const { reading } = await started({
      '.hidden.yaml': 'x',
      '.a.yaml.swp': 'x',
      'a.yaml~': 'x',
      '#a.yaml#': 'x',
      '#a.yaml': 'x',
      '~a.yaml': 'x',
      'a.yaml.bak': 'x',
      '4913': 'x',
      'README.md': 'x',
      yaml: 'x',
      'B.YAML': fileWith('r1'),
    })
    expect(reading()).toMatchObject({ problems: [], documents: 1 })
  })

  test('names of two normal forms are two files', async () => {
    const { routes } = await started({ 'caf\u00e9.yaml': fileWith('r1'), 'cafe\u0301.yaml': fileWith('r2') })
    expect(routes()).toEqual(['cafe\u0301.yaml: r2', 'caf\u00e9.yaml: r1'])
  })

  test('a look that finds nothing new is no change', async () => {
    const { look, attempts, changes, logged, status } = await started({ 'a.yaml': fileWith('r1') })
    const [before, infos] = [status().reading, logged('info').length]
    await look()
    await look()
    expect(attempts.slice(-2)).toEqual(['unchanged', 'unchanged'])
    expect(changes()).toBe(1)
    expect(status().reading).toBe(before)
    expect(logged('info').length).toBe(infos)
  })

  test('a route is rejected alone', async () => {
    const { routes, problems } = await started({
      'a.yaml': `${fileWith('r1')}  - id: bad\n    upstreams: ["10.0.0.1:1"]\n    externalPort: none\n${routeLines('r2')}`,
    })
    expect(routes()).toEqual(['a.yaml: r1 r2'])
    expect(problems()).toEqual(['a.yaml: externalPort is not a whole number'])
  })
})

describe('an edit in place', () => {
  test('a new route counts once the file is quiet', async () => {
    const { write, look, pass, routes, changes } = await started({ 'a.yaml': fileWith('r1') })
    await write('a.yaml', fileWith('r1', 'r2'))
    await look()
    expect(routes()).toEqual(['a.yaml: r1'])
    await pass(10)
    expect(routes()).toEqual(['a.yaml: r1 r2'])
    expect(changes()).toBe(2)
  })

  test('a comment changes nothing', async () => {
    const { write, look, changes, attempts } = await started({ 'a.yaml': fileWith('r1') })
    await write('a.yaml', `# note\n${fileWith('r1')}`)
    await look()
    expect(attempts.at(-1)).toBe('unchanged')
    expect(changes()).toBe(1)
  })

  test('a removed route goes after the settling time', async () => {
    const { write, look, pass, routes, later } = await started({ 'a.yaml': fileWith('r1', 'r2') })
    await write('a.yaml', fileWith('r1'))
    await look()
    await later(149)
    expect(routes()).toEqual(['a.yaml: r1 r2'])
    await pass(1)
    expect(routes()).toEqual(['a.yaml: r1'])
  })

  test('the last route of a file can go', async () => {
    const { write, look, pass, reading } = await started({ 'a.yaml': fileWith('r1') })
    await write('a.yaml', fileWith())
    await look()
    await pass(150)
    expect(reading()).toMatchObject({ routes: [], problems: [], documents: 1 })
  })

  test('a truncated file that grows again drops nothing', async () => {
    const text = fileWith('r1', 'r2', 'r3')
    const { write, look, routes, problems, path, changes, later } = await started({ 'a.yaml': text })
    const cut = text.indexOf('  - id: r2')
    await write('a.yaml', '')
    await look()
    await later(100)
    await write('a.yaml', text.slice(0, cut))
    await look()
    await later(149)
    expect(routes()).toEqual(['a.yaml: r1 r2 r3'])
    await appendFile(path('a.yaml'), text.slice(cut))
    await look()
    await later(150)
    expect(routes()).toEqual(['a.yaml: r1 r2 r3'])
    expect(problems()).toEqual([])
    expect(changes()).toBe(1)
  })

  test('two halves seconds apart, cut within a line: the last good state stays', async () => {
    const text = fileWith('r1', 'r2', 'r3')
    const { write, look, pass, routes, problems, path } = await started({ 'a.yaml': text })
    const next = fileWith('r1', 'r2', 'r3', 'r4')
    const cut = next.indexOf('.1.5', next.indexOf('r2'))
    await write('a.yaml', next.slice(0, cut))
    await look()
    await pass(3_000)
    expect(routes()).toEqual(['a.yaml: r1 r2 r3'])
    expect(problems()).toEqual([expect.stringMatching(/^a\.yaml: line 7, column 24: Missing closing "quote$/)])
    await appendFile(path('a.yaml'), next.slice(cut))
    await look()
    await pass(10)
    expect(routes()).toEqual(['a.yaml: r1 r2 r3 r4'])
    expect(problems()).toEqual([])
  })

  test('a line cut in its middle is not taken for whole', async () => {
    const { write, look, pass, routes, reading, later } = await started({ 'a.yaml': 'tcpRoutes: []\n' })
    const text = fileWith('r1').replace(/ +allowCidrs.*\n/, '')
    await write('a.yaml', text.slice(0, -2))
    await look()
    await later(149)
    expect(routes()).toEqual([])
    await write('a.yaml', text)
    await look()
    await pass(10)
    expect(reading().routes.map(({ route }) => 'externalPort' in route && route.externalPort)).toEqual([10001])
  })

  test('a file that is never at rest is named', async () => {
    const { write, look, clock, routes, problems, pass } = await started({ 'a.yaml': fileWith('r1') })
    for (let n = 0; n < 12; n += 1) {
      await write('a.yaml', fileWith('r1', `r${20 + n}`))
      await look()
      clock.advance(0)
      await write('a.yaml', fileWith('r1', `r${40 + n}`))
      await pass(1_000)
    }
    expect(routes()).toEqual(['a.yaml: r1'])
    expect(problems()).toEqual(['a.yaml: the file is written to again and again and never at rest'])
    await pass(10)
    expect(routes()).toEqual(['a.yaml: r1 r51'])
    expect(problems()).toEqual([])
  })
})

describe('other ways to save', () => {
  test('a deleted file is a removal after the settling time', async () => {
    const { path, look, pass, routes, reading, later } = await started({
      'a.yaml': fileWith('r1'),
      'b.yaml': fileWith('r2'),
    })
    await rm(path('b.yaml'))
    await look()
    await later(149)
    expect(routes()).toEqual(['a.yaml: r1', 'b.yaml: r2'])
    await pass(1)
    expect(routes()).toEqual(['a.yaml: r1'])
    expect(reading()).toMatchObject({ documents: 1, removed: [] })
  })

  test('delete and write anew is an edit', async () => {
    const { path, write, look, pass, routes, changes, later } = await started({ 'a.yaml': fileWith('r1', 'r2') })
    await rm(path('a.yaml'))
    await look()
    await later(100)
    await write('a.yaml', fileWith('r1', 'r2', 'r3'))
    await look()
    await pass(10)
    expect(routes()).toEqual(['a.yaml: r1 r2 r3'])
    expect(changes()).toBe(2)
  })

  test('a backup by rename, then a file that grows, is an edit', async () => {
    const text = fileWith('r1', 'r2', 'r3')
    const { path, write, look, pass, routes, changes, later } = await started({ 'a.yaml': fileWith('r1', 'r2') })
    await rename(path('a.yaml'), path('a.yaml~'))
    await look()
    await write('a.yaml', text.slice(0, text.indexOf('  - id: r2')))
    await look()
    await later(50)
    await appendFile(path('a.yaml'), text.slice(text.indexOf('  - id: r2')))
    await look()
    await pass(10)
    await rm(path('a.yaml~'))
    await look()
    expect(routes()).toEqual(['a.yaml: r1 r2 r3'])
    expect(changes()).toBe(2)
  })

  test('a file that replaces another is an edit', async () => {
    const { replace, look, later, routes, changes } = await started({ 'a.yaml': fileWith('r1') })
    await replace('a.yaml', fileWith('r1', 'r2'))
    await look()
    // Taken already when the rename fell into another tick of the clock than the write.
    await later(10)
    expect(routes()).toEqual(['a.yaml: r1 r2'])
    expect(changes()).toBe(2)
  })

  test('a file renamed after it was written counts at once', async () => {
    const { directory, path, look, routes } = await started({ 'a.yaml': fileWith('r1', 'r2') })
    await writeFile(join(directory, '.new'), fileWith('r2', 'r3'))
    // A rename within the same tick of the clock as the write cannot be told from a write.
    await utimes(join(directory, '.new'), 1, 1)
    await rename(join(directory, '.new'), path('a.yaml'))
    await look()
    expect(routes()).toEqual(['a.yaml: r2 r3'])
  })

  test('a route that moves to another file is never gone', async () => {
    const { write, look, pass, routes } = await started({ 'a.yaml': fileWith('r1', 'r2'), 'b.yaml': fileWith('r3') })
    await write('a.yaml', fileWith('r1'))
    await write('b.yaml', fileWith('r3', 'r2'))
    await look()
    await pass(10)
    expect(routes()).toEqual(['a.yaml: r1 r2', 'b.yaml: r3 r2'])
    await pass(140)
    expect(routes()).toEqual(['a.yaml: r1', 'b.yaml: r3 r2'])
  })

  test('a mounted ConfigMap is read, and its exchange is an edit', async () => {
    const directory = await tempFolder()
    const version = async (name: string, text: string) => {
      await mkdir(join(directory, name))
      await writeFile(join(directory, name, 'a.yaml'), text)
      await symlink(name, join(directory, '..data_tmp'))
      await rename(join(directory, '..data_tmp'), join(directory, '..data'))
    }
    await version('..2026_11_01', fileWith('r1'))
    await symlink('..data/a.yaml', join(directory, 'a.yaml'))
    const { start, look, pass, routes, problems, changes } = openStepped({ directory })
    await start()
    expect(routes()).toEqual(['a.yaml: r1'])
    await version('..2026_11_02', fileWith('r1', 'r2'))
    await rm(join(directory, '..2026_11_01'), { recursive: true })
    await look()
    await pass(10)
    expect(routes()).toEqual(['a.yaml: r1 r2'])
    expect(problems()).toEqual([])
    expect(changes()).toBe(2)
  })
})

describe('a broken file', () => {
  test('its last good state stays and the others go on', async () => {
    const { write, look, pass, routes, problems, logged, changes } = await started({
      'a.yaml': fileWith('r1'),
      'b.yaml': fileWith('r2'),
    })
    await write('a.yaml', 'tcpRoutes: [')
    await write('b.yaml', fileWith('r2', 'r3'))
    await look()
    await pass(150)
    expect(routes()).toEqual(['a.yaml: r1', 'b.yaml: r2 r3'])
    expect(problems()).toEqual([expect.stringMatching(/^a\.yaml: line 1, column 13: Flow sequence/)])
    expect(logged('warn')).toEqual(['routes file refused'])
    expect(changes()).toBe(2)
    await write('a.yaml', fileWith('r1'))
    await look()
    expect(problems()).toEqual([])
    expect(logged('warn')).toEqual(['routes file refused'])
    expect(logged('info')).toContain('routes file is no longer refused')
  })

  const rows: [string, string, RegExp][] = [
    ['an empty file', '', /the file is empty, not an object with lists of routes/],
    ['no list', '{}', /none of the lists routes, tcpRoutes, udpRoutes is there/],
    ['HTML', '<html>\n<body>Not found: x</body>\n', /line 1, column 1: /],
    ['an anchor', 'tcpRoutes: &x []\n', /line 1, column 12: &x is an anchor/],
    ['a bomb', 'a: &a [x]\nb: [*a,*a]\n', /line 1, column 4: &a is an anchor/],
    [
      'two documents',
      `${fileWith('r1')}---\n${fileWith('r2')}`,
      /line 6, column 1: the file holds more than one document/,
    ],
    ['a double key', 'tcpRoutes: []\ntcpRoutes: []\n', /line 2, column 1: the key tcpRoutes stands twice/],
  ]
  test.each(rows)('%s keeps the routes of the file', async (_name, text, message) => {
    const { write, look, pass, routes, problems } = await started({ 'a.yaml': fileWith('r1') })
    await write('a.yaml', text)
    await look()
    await pass(150)
    expect(routes()).toEqual(['a.yaml: r1'])
    expect(problems()).toEqual([expect.stringMatching(message)])
  })

  test('bytes that are not UTF-8 keep the routes of the file', async () => {
    const { path, look, pass, routes, reading } = await started({ 'a.yaml': fileWith('r1') })
    await appendFile(path('a.yaml'), Buffer.from([0x23, 0x20, 0xe9, 0x0a]))
    await look()
    await pass(150)
    expect(routes()).toEqual(['a.yaml: r1'])
    expect(reading().problems).toEqual([
      {
        code: 'DOCUMENT_INVALID',
        protocol: null,
        routeId: null,
        field: null,
        value: null,
        message: 'line 6, column 3: a byte is not UTF-8',
        remedy: 'Save the file as UTF-8.',
        origin: 'a.yaml',
      },
    ])
  })

  test('without a good state there is only the problem', async () => {
    const { routes, problems, reading } = await started({ 'a.yaml': ':', 'b.yaml': fileWith('r1') })
    expect(routes()).toEqual(['b.yaml: r1'])
    expect(problems()).toHaveLength(1)
    expect(reading().documents).toBe(2)
  })

  test('a restart brings its last good state back', async () => {
    const before = await started({ 'a.yaml': fileWith('r1'), 'b.yaml': fileWith('r2'), 'c.yaml': fileWith('r3') })
    const previous = JSON.parse(JSON.stringify(before.reading()))
    await before.source.stop()
    await before.write('a.yaml', 'tcpRoutes: [')
    await before.write('b.yaml', fileWith('r2', 'r4'))
    await rm(before.path('c.yaml'))
    const after = openStepped({ directory: before.directory, previous })
    expect(after.routes()).toEqual(['a.yaml: r1', 'b.yaml: r2', 'c.yaml: r3'])
    await after.start()
    expect(after.routes()).toEqual(['a.yaml: r1', 'b.yaml: r2 r4'])
    expect(after.problems()).toEqual([expect.stringMatching(/^a\.yaml: line 1/)])
  })

  test('an unchanged folder is no change after a restart', async () => {
    const before = await started({ 'a.yaml': fileWith('r1'), 'b.yaml': fileWith(), 'c.yaml': ':' })
    const previous = JSON.parse(JSON.stringify(before.reading()))
    await before.source.stop()
    const after = openStepped({ directory: before.directory, previous })
    await after.start()
    await after.look()
    expect(after.reading()).toEqual(previous)
    expect(after.changes()).toBe(0)
  })
})

describe('policy.maxRoutes', () => {
  test('a file that is too much is refused alone', async () => {
    const { write, look, pass, routes, reading } = await started(
      { 'a.yaml': fileWith('r1', 'r2'), 'b.yaml': fileWith('r3') },
      { maxRoutes: 4 },
    )
    await write('a.yaml', fileWith('r1', 'r2', 'r5', 'r6'))
    await look()
    await pass(10)
    expect(routes()).toEqual(['a.yaml: r1 r2', 'b.yaml: r3'])
    expect(reading().problems).toEqual([
      {
        code: 'TOO_MANY_ROUTES',
        protocol: null,
        routeId: null,
        field: null,
        value: '5',
        message: 'with this file the folder holds 5 routes, more than the 4 of policy.maxRoutes',
        remedy: expect.stringMatching(/^Raise policy.maxRoutes/),
        origin: 'a.yaml',
      },
    ])
    await write('b.yaml', fileWith())
    await look()
    await pass(150)
    expect(routes()).toEqual(['a.yaml: r1 r2 r5 r6'])
    expect(reading().problems).toEqual([])
  })

  test('at the start the names decide what has room', async () => {
    const { routes } = await started(
      { 'b.yaml': fileWith('r1'), 'a.yaml': fileWith('r2'), 'c.yaml': fileWith('r3') },
      { maxRoutes: 2 },
    )
    expect(routes()).toEqual(['a.yaml: r2', 'b.yaml: r1'])
  })
})
