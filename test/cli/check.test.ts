import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type CliResult, runCli } from '../support/cli.ts'
import { tempFolder } from '../support/temp-folder.ts'

const PG = { id: 'pg', upstreams: ['10.200.1.5:5432'], externalPort: 10001 }
const WEB = { id: 'web', domain: 'app.example.com', upstreams: [{ url: 'http://10.200.1.9:3000' }] }

/** Checks the named files, all of them in one folder, with the folder's files as given. */
async function check(files: Readonly<Record<string, unknown>>, ...args: string[]): Promise<CliResult> {
  const cwd = await tempFolder()
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(cwd, name), typeof content === 'string' ? content : JSON.stringify(content), { mode: 0o644 })
  }
  const result = await runCli(['check', ...(args.length > 0 ? args : Object.keys(files))], { cwd })
  return { ...result, out: result.out.replaceAll(cwd, 'HERE') }
}

describe('exit codes', () => {
  test('0 when every route is accepted', async () => {
    expect(await check({ 'a.yaml': { tcpRoutes: [PG], routes: [WEB] } })).toEqual({
      code: 0,
      out: 'routes: 2 accepted; files: 1\n',
      err: '',
    })
  })

  test('0 when there are no routes', async () => {
    expect(await check({ 'a.yaml': 'tcpRoutes: []' })).toEqual({
      code: 0,
      out: 'routes: 0 accepted; files: 1\n',
      err: '',
    })
  })

  test('2 outweighs 1 when a file is no state', async () => {
    const { code, out } = await check({ 'a.json': { tcpRoutes: [{ ...PG, externalPort: 1 }] }, 'b.json': '{}' })
    expect(code).toBe(2)
    expect(out).toContain('routes: 0 accepted, 1 rejected; files: 1, 1 not read\n')
  })
})

describe('an entry without an id', () => {
  const NAMELESS = { upstreams: ['10.200.1.5:5432'], externalPort: 10001 }

  test('is told by its place', async () => {
    const files = { 'a.json': { tcpRoutes: [PG, NAMELESS, 7, NAMELESS], udpRoutes: [{ ...NAMELESS, id: '' }] } }
    const { code, out } = await check(files)
    expect(code).toBe(1)
    expect(out.split('\n').filter(line => line.startsWith('a.json'))).toEqual([
      'a.json  tcpRoutes[1]',
      'a.json  tcpRoutes[2]',
      'a.json  tcpRoutes[3]',
      'a.json  udpRoutes[0]',
    ])
    expect(out).toContain('routes: 1 accepted, 4 rejected; files: 1\n')
  })

  test('in a saved state, and among those of other files', async () => {
    const state = { schema: 1, traefik: { routes: [], httpRoutes: [{ ...WEB, id: undefined }] } }
    const { out } = await check(
      { 'a.json': state, 'b.json': { routes: [WEB, { ...WEB, id: 7 }] } },
      '--json',
      'a.json',
      'b.json',
    )
    const { problems } = JSON.parse(out)
    expect(problems.map(({ origin, place }: { origin: string; place: string }) => [origin, place])).toEqual([
      ['a.json', 'traefik.httpRoutes[0]'],
      ['b.json', 'routes[1]'],
    ])
  })

  test('one with an id is told by that', async () => {
    const { out } = await check({ 'a.json': { tcpRoutes: [{ ...PG, externalPort: 1 }] } }, '--json', 'a.json')
    expect(JSON.parse(out).problems.map(({ routeId, place }: Record<string, unknown>) => [routeId, place])).toEqual([
      ['pg', null],
    ])
  })
})

describe('what is said of a route', () => {
  test('a port that is not in the pool', async () => {
    expect(
      await check({
        'a.json': {
          tcpRoutes: [
            { ...PG, externalPort: 70_000 },
            { ...PG, id: 'b', externalPort: 20_000 },
          ],
        },
      }),
    ).toEqual({
      code: 1,
      out: [
        'a.json  tcp/pg',
        '  externalPort  70000',
        '  rejected      port 70000 is outside 1-65535.  PORT_OUT_OF_RANGE',
        '  remedy        Choose a port of the pool; port numbers go from 1 to 65535.',
        '',
        'a.json  tcp/b',
        '  externalPort  20000',
        '  rejected      port 20000 is outside 10000-10099.  PORT_OUT_OF_RANGE',
        '  remedy        Choose a port of 10000-10099, or add this one to ports.tcp on the node.',
        '',
        'routes: 0 accepted, 2 rejected; files: 1',
        '',
      ].join('\n'),
      err: '',
    })
  })

  test('a conflict is a no, in any order of the files', async () => {
    const files = { 'a.json': { tcpRoutes: [PG] }, 'b.json': { tcpRoutes: [{ ...PG, id: 'zz' }] } }
    const conflict = [
      'b.json  tcp/zz',
      '  externalPort  10001',
      '  conflicted    TCP port 10001 is held by tcp/pg (a.json).  PORT_TAKEN_BY_ROUTE',
      '  remedy        Choose another port, or delete the other route first.',
      '',
      'routes: 1 accepted, 1 conflicted; files: 2',
      '',
    ].join('\n')
    expect(await check(files)).toEqual({ code: 1, out: conflict, err: '' })
    expect(await check(files, 'b.json', 'a.json')).toEqual({ code: 1, out: conflict, err: '' })
  })

  test('the policy and ports of the settings decide', async () => {
    const files = { 'a.json': { tcpRoutes: [{ ...PG, upstreams: ['127.0.0.1:5432'], externalPort: 5432 }] } }
    expect((await check(files)).code).toBe(1)
    const settings =
      'ports: { tcp: 5432 }\npolicy: { allowUpstreams: [127.0.0.0/8], denyUpstreams: [] }\nprovider: { listen: 127.0.0.1:7480 }\n'
    const looped = await check({ ...files, 's.yaml': settings }, '--config', 's.yaml', 'a.json')
    expect({ code: looped.code, loop: looped.out.includes("this node's own port 5432") }).toEqual({
      code: 1,
      loop: true,
    })
    const other = { 'a.json': { tcpRoutes: [{ ...PG, upstreams: ['127.0.0.1:15432'], externalPort: 5432 }] } }
    expect((await check({ ...other, 's.yaml': settings }, '--config', 's.yaml', 'a.json')).code).toBe(0)
  })

  test('an end that is over is a no', async () => {
    const { code, out } = await check({ 'a.json': { tcpRoutes: [{ ...PG, expiresAt: '2026-11-22T23:59:59Z' }] } })
    expect(code).toBe(1)
    expect(out).toContain('  rejected   the end time of the route is over.  EXPIRED\n')
    expect((await check({ 'a.json': { tcpRoutes: [{ ...PG, expiresAt: '2026-11-23T00:00:01Z' }] } })).code).toBe(0)
  })

  test('a route with two faults counts once', async () => {
    const { out } = await check({ 'a.json': { tcpRoutes: [{ ...PG, externalPort: 0, upstreams: ['x'] }] } })
    expect(out.match(/^a\.json {2}tcp\/pg$/gm)).toHaveLength(2)
    expect(out).toContain('routes: 0 accepted, 1 rejected; files: 1\n')
  })

  test('hostile text comes out as one printable line', async () => {
    const { out } = await check({
      'a.json': { tcpRoutes: [{ id: 'a\u001b[31m\nb', upstreams: [], externalPort: '\u202e' }] },
    })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the signs that must not come through
    expect(out).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u202e]/)
  })
})

describe('notes', () => {
  test('unknown fields name the one that was meant', async () => {
    const { code, out } = await check({
      'a.json': {
        tcpRoutes: [
          { ...PG, sniHostnam: 'x' },
          { ...PG, id: 'b', externalPort: 10_002, sniHostnam: 'y', colour: 1 },
        ],
        udpRuotes: [],
      },
    })
    expect({ code, notes: out.match(/^note.*$/gm) }).toEqual({
      code: 0,
      notes: [
        'note  a.json: tcpRoutes.colour is not known here',
        'note  a.json: tcpRoutes.sniHostnam is not known here (2 times); did you mean sniHostname?',
        'note  a.json: udpRuotes is not known here; did you mean udpRoutes?',
      ],
    })
  })

  test('unknown fields of a state are looked for in its own places', async () => {
    const { out } = await check({ 'a.json': { schema: 1, revisoin: 4, traefik: { tcpRoutes: [], certificate: [] } } })
    expect(out.match(/^note.*$/gm)).toEqual([
      'note  a.json: revisoin is not known here; did you mean revision?',
      'note  a.json: traefik.certificate is not known here; did you mean certificates?',
    ])
  })

  test('how an unusual route is read', async () => {
    const { code, out } = await check({ 'a.json': { tcpRoutes: [{ ...PG, upstreams: [] }] } })
    expect({ code, note: out.match(/^note.*$/gm) }).toEqual({
      code: 0,
      note: ['note  a.json: tcp/pg: the route has no upstreams; its connections are closed at once'],
    })
  })
})

describe('documents', () => {
  test('a state of a control plane is known by its lists', async () => {
    expect(await check({ 'state.json': { schema: 1, traefik: { tcpRoutes: [PG] } } })).toEqual({
      code: 0,
      out: 'routes: 1 accepted; files: 1\n',
      err: '',
    })
  })

  test('the local file wins over a state', async () => {
    const { out } = await check({
      'a.json': { traefik: { tcpRoutes: [{ ...PG, claimedAt: '2020-01-01T00:00:00Z' }] } },
      'b.yaml': { tcpRoutes: [{ ...PG, id: 'zz' }] },
    })
    expect(out).toContain('  conflicted    TCP port 10001 is held by tcp/zz (b.yaml).  PORT_TAKEN_BY_ROUTE\n')
  })

  test.each([
    ['{}', 'none of the lists routes, tcpRoutes, udpRoutes is there.'],
    ['{"traefik":{}}', 'none of the lists routes, tcpRoutes, udpRoutes is there.'],
    ['{"schema":2,"traefik":{"tcpRoutes":[]}}', 'schema 2 is not known here.'],
    ['[]', 'the file is a list, not an object with lists of routes.'],
    ['{"tcpRoutes":[', 'line 1, column 15: '],
    ['{"tcpRoutes":[],"tcpRoutes":[]}', 'line 1, column 17: the key "tcpRoutes" stands twice in one object.'],
  ])('%s is no state', async (text, sentence) => {
    const { code, out } = await check({ 'a.json': text })
    expect({ code, found: out.includes(`a.json\n`) && out.includes(sentence) }).toEqual({ code: 2, found: true })
  })

  test('a directory gives its files by name, once', async () => {
    const cwd = await tempFolder()
    await mkdir(join(cwd, 'r/sub.yaml'), { recursive: true })
    await writeFile(join(cwd, 'r/b.yaml'), 'tcpRoutes: [{ id: b, upstreams: [], externalPort: 1 }]', { mode: 0o644 })
    await writeFile(join(cwd, 'r/a.yml'), 'tcpRoutes: [{ id: a, upstreams: [], externalPort: 2 }]', { mode: 0o644 })
    for (const name of ['.hidden.yaml', 'c.yaml~', 'notes.txt']) await writeFile(join(cwd, 'r', name), 'nonsense: [')
    const { code, out } = await runCli(['check', 'r', 'r/b.yaml'], { cwd })
    expect({ code, heads: out.match(/^\S.*$/gm) }).toEqual({
      code: 2,
      heads: [
        'r/sub.yaml',
        'r/a.yml  tcp/a',
        'r/b.yaml  tcp/b',
        'routes: 0 accepted, 2 rejected; files: 2, 1 not read',
      ],
    })
  })

  test('what the agent would not read is refused here', async () => {
    const cwd = await tempFolder()
    await mkdir(join(cwd, 'r'))
    await writeFile(join(cwd, 'r/open.yaml'), 'tcpRoutes: []')
    await chmod(join(cwd, 'r/open.yaml'), 0o666)
    await symlink('/etc/hostname', join(cwd, 'r/out.yaml'))
    const { code, out } = await runCli(['check', 'r'], { cwd })
    expect({ code, faults: out.match(/^ {2}rejected {2}(.*?)\. /gm) }).toEqual({
      code: 2,
      faults: [
        '  rejected  anyone on this machine may write the file (mode 0666). ',
        '  rejected  the link leads out of the folder, to /etc/hostname. ',
      ],
    })
  })

  test('an empty directory and a missing file are faults', async () => {
    const cwd = await tempFolder()
    await mkdir(join(cwd, 'r'))
    const { code, out } = await runCli(['check', 'r', 'nowhere'], { cwd })
    expect({ code, faults: out.match(/^ {2}rejected.*$/gm) }).toEqual({
      code: 2,
      faults: [
        '  rejected  the directory holds no file *.yaml, *.yml or *.json.  DOCUMENT_INVALID',
        '  rejected  there is no such file or directory.  DOCUMENT_INVALID',
      ],
    })
  })
})

describe('forms of the answer', () => {
  test('JSON holds all of it', async () => {
    const files = { 'a.json': { tcpRoutes: [PG, { ...PG, id: 'zz' }], extra: 1 } }
    const { code, out, err } = await check(files, '--json', 'a.json')
    expect({ code, err }).toEqual({ code: 1, err: '' })
    expect(JSON.parse(out)).toEqual({
      ok: false,
      documents: [{ fileName: 'a.json', kind: 'routes', contentHash: expect.stringMatching(/^[0-9a-f]{64}$/) }],
      accepted: [
        { key: 'tcp/pg', origin: 'a.json', entryPoints: ['tcp-10001'], routers: ['tcp_pg'], notes: [], degraded: null },
      ],
      problems: [
        {
          verdict: 'conflicted',
          code: 'PORT_TAKEN_BY_ROUTE',
          protocol: 'tcp',
          routeId: 'zz',
          field: 'externalPort',
          value: '10001',
          message: 'TCP port 10001 is held by tcp/pg (a.json)',
          remedy: 'Choose another port, or delete the other route first.',
          origin: 'a.json',
          place: null,
        },
      ],
      unknownFields: [{ origin: 'a.json', field: 'extra', count: 1, suggestion: null }],
    })
  })

  test('colours only on a terminal', async () => {
    const cwd = await tempFolder()
    await writeFile(join(cwd, 'a.json'), JSON.stringify({ tcpRoutes: [{ ...PG, externalPort: 0 }] }))
    const plain = await runCli(['check', 'a.json'], { cwd })
    const colourful = await runCli(['check', 'a.json'], { cwd, colour: { out: true, err: true } })
    expect(plain.out).not.toContain('\u001b')
    expect(colourful.out).toContain('\u001b[31mrejected\u001b[0m')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a colour begins with it
    expect(colourful.out.replaceAll(/\u001b\[\d+m/g, '')).toBe(plain.out)
  })
})
