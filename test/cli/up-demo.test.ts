import { execFile } from 'node:child_process'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { parseAgentConfig } from '../../src/agent/config.ts'
import { PortInput } from '../../src/api/port.ts'
import { startDemoBackends } from '../../src/cli/up/demo-backends.ts'
import { answerDns } from '../../src/cli/up/demo-dns.ts'
import { planDemo, sharedNumber } from '../../src/cli/up/demo-routes.ts'
import { placeOf, stateDirectory } from '../../src/cli/up/place.ts'
import { DEMO_NAMES } from '../../src/cli/up/plane.ts'
import { type ReportInput, report } from '../../src/cli/up/report.ts'
import { changesOf, hasHeard, isLive, isSettled, type UpRoute, type UpStatus } from '../../src/cli/up/status.ts'
import {
  agentSettings,
  controlSettings,
  exampleRoutes,
  nodeName,
  prepareRoutes,
  removeDemoRoutes,
  sharedPorts,
  writeRoutes,
} from '../../src/cli/up/write-files.ts'
import { parseControlConfig } from '../../src/control/config.ts'
import { makePortSet, parsePortSet } from '../../src/core/port-set.ts'
import { atEnd } from '../support/at-end.ts'
import { runCli } from '../support/cli.ts'
import { httpGet, tcpAsk, tlsPeerCertificate, udpAsk } from '../support/clients.ts'
import { part } from '../support/parts.ts'
import { tempFolder } from '../support/temp-folder.ts'

const run = promisify(execFile)

const PORTS = {
  ...{ web: 8000, websecure: 8443, api: 8080, provider: 7480, admin: 7481, control: 7400 },
  ...{ tcp: makePortSet([10_000, 10_001, 10_002]), udp: makePortSet([11_000]) },
}
const BACKENDS = { lines: 40_001, web: 40_002, udp: 40_003, tls: [40_004, 40_005] }
const ALL_TOOLS = { has: () => true, proxied: false }

async function checked(text: string, ports = PORTS): Promise<{ code: number; accepted: string[] }> {
  const folder = await tempFolder()
  const place = placeOf(folder)
  await writeRoutes(join(folder, 'routes.yaml'), text)
  await writeFile(place.agentFile, agentSettings(place, ports, 'node-1'))
  const { code, out } = await runCli(['check', '--json', '--config', place.agentFile, join(folder, 'routes.yaml')])
  const answer: { accepted: { key: string }[] } = JSON.parse(out)
  return { code, accepted: answer.accepted.map(({ key }) => key) }
}

describe('the services of the demo', () => {
  const plan = planDemo(PORTS, BACKENDS, ALL_TOOLS)
  if (plan === null) throw new Error('no plan')

  test('the control plane takes every port of them', () => {
    expect(plan.map(({ name, port }) => [name, PortInput.safeParse(port).success])).toEqual([
      ['demo-lines', true],
      ['demo-a', true],
      ['demo-b', true],
      ['demo-udp', true],
      ['demo-app', true],
    ])
  })

  test('those that are taken away are those that it has', () => {
    expect(DEMO_NAMES).toEqual(plan.map(({ name }) => name))
  })

  test('each has a command for every program that is there', () => {
    expect(plan.map(({ name, commands }) => [name, commands.length])).toEqual([
      ['demo-lines', 2],
      ['demo-a', 2],
      ['demo-b', 2],
      ['demo-udp', 2],
      ['demo-app', 1],
    ])
  })

  test('only programs that are there are suggested', () => {
    const commands = (...names: string[]) =>
      planDemo(PORTS, BACKENDS, { has: name => names.includes(name), proxied: false })?.map(service =>
        service.commands.map(command => command.split(' ')[0]).join(' '),
      )
    expect(commands()).toEqual(['', '', '', '', ''])
    expect(commands('bash', 'curl')).toEqual(['curl bash', 'curl', 'curl', 'bash', 'curl'])
    expect(commands('nc', 'openssl', 'dig')).toEqual(['nc', 'openssl', 'openssl', 'dig', ''])
  })

  test('curl is told to pass by a proxy that is set', () => {
    const proxied = planDemo(PORTS, BACKENDS, { has: name => name === 'curl', proxied: true })
    expect(proxied?.at(-1)?.commands).toEqual([
      "curl -s --noproxy '*' --resolve app.demo.localhost:8000:127.0.0.1 http://app.demo.localhost:8000/",
    ])
  })

  test.each([
    ['10000', '11000'],
    ['10000-10001', 'none'],
    ['8443,10000', '11000'],
  ])('pools of TCP %s and UDP %s are too small', (tcp, udp) => {
    const sets = [parsePortSet(tcp), parsePortSet(udp)].map(parsed => (parsed.ok ? parsed.ports : makePortSet([])))
    const ports = { ...PORTS, tcp: sets[0] ?? PORTS.tcp, udp: sets[1] ?? PORTS.udp }
    expect(planDemo(ports, BACKENDS, ALL_TOOLS)).toBeNull()
  })
})

describe('the backends of the demo', () => {
  test('each says who it is', async () => {
    const { ports, close } = await startDemoBackends()
    atEnd(close)
    const banner = await tcpAsk(ports.lines)
    expect(banner).toEqual({ kind: 'said', text: expect.stringMatching(/^demo-lines: /) })
    expect(await udpAsk(ports.udp, 'hello\n')).toBe('demo-udp: you said hello\n')
    expect(await Promise.all(ports.tls.map(port => tlsPeerCertificate(port, 'whoever')))).toEqual([
      'a.demo.localhost',
      'b.demo.localhost',
    ])
    expect((await httpGet({ port: ports.tls[1] ?? 0, tls: true })).body).toContain('b.demo.localhost')
    expect((await httpGet({ port: ports.web, host: 'x.test', path: '/y' })).body).toBe(
      'demo-app: this is x.test/y, through an HTTP route\n',
    )
  })

  test('closing them ends open connections', async () => {
    const { ports, close } = await startDemoBackends()
    const open = tcpAsk(ports.lines, { send: 'no line feed' })
    await open
    await close()
    expect(await tcpAsk(ports.lines)).toEqual({ kind: 'refused' })
  })

  test.skipIf(!part('dig'))('dig reads the answer', async () => {
    const { ports, close } = await startDemoBackends()
    atEnd(close)
    const ask = (...what: string[]) => run('dig', ['@127.0.0.1', '-p', String(ports.udp), '+tries=1', ...what])
    expect((await ask('+short', 'hello.demo', 'TXT')).stdout).toBe('"demo-udp: you asked for hello.demo"\n')
    expect((await ask('hello.demo', 'A')).stdout).toContain('status: NOTIMP')
  })

  test('what is no query gets no DNS answer', () => {
    const query = Buffer.from('1234010000010000000000000161000010000100', 'hex').subarray(0, 19)
    const textFor = () => 'x'
    expect(answerDns(query, textFor)?.toString('hex')).toBe(
      '123485000001000100000000016100001000'.concat('01c00c00100001000000000002', '0178'),
    )
    for (let length = 0; length < query.length; length += 1)
      expect(answerDns(query.subarray(0, length), textFor)).toBeNull()
    const response = Buffer.from(query)
    response.writeUInt16BE(0x8100, 2)
    const pointer = Buffer.from(query)
    pointer.writeUInt8(0xc0, 12)
    expect([answerDns(response, textFor), answerDns(pointer, textFor)]).toEqual([null, null])
    expect(answerDns(Buffer.from('hello, who is there?\n'), textFor)).toBeNull()
  })
})

describe('the files', () => {
  test.each([
    [['--x'], 0, {}, '/home/ann/--x'],
    [[], 0, { XDG_STATE_HOME: '/s', HOME: '/h' }, '/var/lib/fairlead-up'],
    [[], 7, { XDG_STATE_HOME: '/s', HOME: '/h' }, '/s/fairlead-up'],
    [[], 7, { XDG_STATE_HOME: 'relative', HOME: '/h' }, '/h/.local/state/fairlead-up'],
  ])('%j as user %i is %j -> %s', ([named = null], uid, env, expected) => {
    expect(stateDirectory(named, { env, cwd: '/home/ann', uid })).toBe(expected)
  })

  test('the settings are those of an agent, loopback allowed', () => {
    const place = placeOf('/state of "up": #1')
    const parsed = parseAgentConfig({ text: agentSettings(place, PORTS, 'node-1'), fileName: 'agent.yaml', env: {} })
    if (!parsed.ok) throw new Error(parsed.faults.join('\n'))
    const { config } = parsed
    expect({ ...config.ports, node: config.node, state: config.state, files: config.sources.files }).toEqual({
      tcp: expect.objectContaining({ text: '10000-10002' }),
      udp: expect.objectContaining({ text: '11000' }),
      node: 'node-1',
      state: { directory: place.agentState },
      files: { directory: place.routes },
    })
    expect(config.sources.controlPlane).toMatchObject({
      urls: ['http://127.0.0.1:7400'],
      identityFile: place.identityFile,
    })
    expect(config.policy.allowUpstreams).toHaveLength(2)
  })

  test('the settings are those of a control plane, loopback allowed', () => {
    const place = placeOf('/state of "up": #1')
    const wanted = { tcp: makePortSet([10_000, 10_001, 10_009]), udp: makePortSet([11_000, 11_001]) }
    const text = controlSettings(place, PORTS, wanted, makePortSet([10_001]))
    const parsed = parseControlConfig({ text, fileName: 'control.yaml', env: {} })
    if (!parsed.ok) throw new Error(parsed.faults.join('\n'))
    const { config } = parsed
    expect({
      listen: config.listen,
      state: config.state,
      publicHost: config.publicHost,
      database: config.database,
      ports: [config.ports.tcp.text, config.ports.udp.text, config.ports.shared.text],
    }).toEqual({
      listen: { host: '127.0.0.1', port: 7400 },
      state: { directory: place.controlState },
      publicHost: '127.0.0.1',
      database: { url: null },
      // What another program has taken at the moment stays in the pool: a route may be on it.
      ports: ['10000-10001,10009', '11000-11001', '10001'],
    })
    expect(config.policy.allowUpstreams).toHaveLength(2)
  })

  test('a number for host names is kept when another is chosen', async () => {
    const place = placeOf(await tempFolder())
    expect((await sharedPorts(place, 10_001)).text).toBe('10001')
    await writeFile(place.controlFile, controlSettings(place, PORTS, PORTS, await sharedPorts(place, 10_001)))
    expect((await sharedPorts(place, 10_002)).text).toBe('10001-10002')
    expect((await sharedPorts(place, undefined)).text).toBe('10001')
  })

  test('the number for host names is the second that HTTP has not', () => {
    const numbers = (...ports: number[]) => sharedNumber({ ...PORTS, tcp: makePortSet(ports) })
    expect([numbers(10_000, 10_001), numbers(8000, 8443, 9000, 9001), numbers(10_000)]).toEqual([
      10_001,
      9001,
      undefined,
    ])
  })

  test.each([
    ['proxy-1', 'proxy-1'],
    ['a.example.com', 'a.example.com'],
    ['büro', 'local'],
    ['-x', 'local'],
    ['', 'local'],
  ])('a machine %j is node %s', (hostName, name) => {
    expect(nodeName(hostName)).toBe(name)
  })

  test('the example is a state without routes', async () => {
    expect(await checked(exampleRoutes(PORTS))).toEqual({ code: 0, accepted: [] })
  })

  test('each line of the example counts without its comment sign', async () => {
    const lines = exampleRoutes(PORTS).split('\n')
    const examples = lines.flatMap((line, at) => (line.startsWith('#  {') ? [at] : []))
    const accepted = await Promise.all(
      examples.map(async at => (await checked(lines.with(at, (lines[at] ?? '').slice(1)).join('\n'))).accepted),
    )
    expect(accepted).toEqual([['http/app'], ['tcp/postgres'], ['tcp/mail'], ['udp/dns']])
  })

  test('the example without any comment sign is accepted', async () => {
    // Whoever takes away the blank behind the sign, too, has done nothing wrong.
    const { code, accepted } = await checked(exampleRoutes(PORTS).replaceAll(/^# (?= \{)/gm, ''))
    expect({ code, accepted: accepted.sort() }).toEqual({
      code: 0,
      accepted: ['http/app', 'tcp/mail', 'tcp/postgres', 'udp/dns'],
    })
  })

  test("the user's files are left as they are", async () => {
    const place = placeOf(await tempFolder())
    expect(await prepareRoutes(place, PORTS)).toBe(place.ownRoutes)
    await writeRoutes(place.ownRoutes, 'tcpRoutes: []\n')
    await writeRoutes(place.demoRoutes, 'udpRoutes: []\n')
    expect(await prepareRoutes(place, PORTS)).toBe(place.ownRoutes)
    expect(await readFile(place.ownRoutes, 'utf8')).toBe('tcpRoutes: []\n')
    expect([await removeDemoRoutes(place), await removeDemoRoutes(place)]).toEqual([true, false])
    expect(await readdir(place.routes)).toEqual(['routes.yaml'])
    expect((await stat(place.routes)).mode & 0o777).toBe(0o700)
  })

  test('a file with another name is one to edit as well', async () => {
    const place = placeOf(await tempFolder())
    const own = join(place.routes, 'mine.json')
    await writeRoutes(own, '{ "tcpRoutes": [] }')
    expect(await prepareRoutes(place, PORTS)).toBe(own)
    expect(await readdir(place.routes)).toEqual(['mine.json'])
  })
})

// ------------------------------------------------------------------------------------------------------------ what the terminal shows

const route = (change: Partial<UpRoute> = {}): UpRoute => ({
  ...{ id: 'pg', protocol: 'tcp' as const, verdict: 'live', message: 'as compiled.', remedy: 'Nothing.' },
  entryPoints: ['tcp-10000'],
  revision: 7,
  ...change,
})

const statusOf = (routes: readonly UpRoute[], change: Partial<UpStatus> = {}): UpStatus => ({
  startedAt: '2026-11-23T00:00:00Z',
  revision: { served: 'x' },
  traefik: { state: 'verified', startedAt: null },
  routes: [...routes],
  problems: [],
  sources: [],
  ...change,
})

describe('what is worth a line', () => {
  const said = changesOf(new Map(), statusOf([route()])).said
  const texts = (status: UpStatus) => changesOf(said, status).lines.map(({ text }) => text)

  test('the same again is none', () => {
    expect(texts(statusOf([route()]))).toEqual([])
  })

  test('a route that is under way keeps what was said', () => {
    const pending = changesOf(said, statusOf([route({ verdict: 'pending' })]))
    expect(pending.lines).toEqual([])
    expect(changesOf(pending.said, statusOf([route()])).lines).toEqual([])
  })

  test('a refused route brings its way out', () => {
    const bad = route({ id: 'x', verdict: 'rejected', message: 'port 1 is outside.', remedy: 'Choose another.' })
    expect(texts(statusOf([route(), bad]))).toEqual(['tcp/x: rejected: port 1 is outside. Choose another.'])
  })

  test('a route that is gone is said once', () => {
    const gone = changesOf(said, statusOf([]))
    expect(gone.lines).toEqual([{ good: true, text: 'tcp/pg: removed' }])
    expect(changesOf(gone.said, statusOf([])).lines).toEqual([])
  })

  test('an agent that has not judged yet takes nothing away', () => {
    const started = statusOf([], { sources: [{ name: 'files', routes: 1, fault: null }] })
    expect(changesOf(said, started)).toEqual({ lines: [], said })
  })

  test('a broken file comes and goes', () => {
    const problems = [{ origin: 'a.yaml', message: 'line 3 is not YAML', remedy: 'Correct it.' }]
    const broken = changesOf(said, statusOf([route()], { problems }))
    expect(broken.lines).toEqual([{ good: false, text: 'a.yaml: line 3 is not YAML. Correct it.' }])
    expect(changesOf(broken.said, statusOf([route()])).lines).toEqual([
      { good: true, text: 'a.yaml: no fault any more' },
    ])
  })

  test('settled means asked, served and nothing under way', () => {
    const states = [
      statusOf([route()]),
      statusOf([]),
      statusOf([route({ verdict: 'rejected' })]),
      statusOf([route({ verdict: 'pending' })]),
      statusOf([], { revision: { served: null } }),
      statusOf([], { traefik: { state: 'down', startedAt: null } }),
      statusOf([], { sources: [{ name: 'files', routes: 1, fault: null }] }),
    ]
    expect(states.map(isSettled)).toEqual([true, true, true, false, false, false, false])
  })

  test('a verdict of the last start is not one of this', () => {
    const put = [{ key: 'tcp/pg', revision: 7 }]
    const heard = (routes: readonly UpRoute[], gone: readonly string[] = []) =>
      hasHeard(statusOf(routes), { put, gone })
    expect([heard([route({ revision: 6 })]), heard([]), heard([route({ revision: 'by files alone' })])]).toEqual([
      ...[false, false, false],
    ])
    expect([heard([route()]), heard([route({ revision: 8 })]), heard([route({ id: 'old' }), route()])]).toEqual([
      ...[true, true, true],
    ])
    expect([heard([route()], ['tcp/old']), heard([route(), route({ id: 'old' })], ['tcp/old'])]).toEqual([true, false])
  })

  test('live means that all that was put in is', () => {
    const put = [{ key: 'tcp/pg', revision: 7 }]
    expect(isLive(statusOf([route()]), { put })).toBe(true)
    expect(isLive(statusOf([route({ verdict: 'degraded' }), route({ id: 'other' })]), { put })).toBe(false)
  })
})

describe('the report', () => {
  const plain = (_style: string, text: string) => text
  const input: ReportInput = {
    ...{ place: placeOf('/state'), editable: '/state/routes.d/routes.yaml', ports: PORTS, pools: PORTS },
    ...{ traefikVersion: '3.7.15', status: statusOf([]), demo: [], sinceStartMs: 1_234, asking: [] },
    ...{ plane: { kind: 'silent' }, withDemo: false, program: 'fairlead', nameOf: key => key },
  }
  const headline = (change: Partial<ReportInput>) => report({ ...input, ...change }, plain).split('\n')[1]

  test('the first line says how it stands', () => {
    expect([
      headline({}),
      headline({ status: statusOf([route()]) }),
      headline({ status: statusOf([route(), route({ id: 'b' })]) }),
      headline({ status: statusOf([route(), route({ id: 'b', verdict: 'held' })]) }),
      headline({ status: statusOf([], { traefik: { state: 'down', startedAt: null } }) }),
      headline({ status: null }),
    ]).toEqual([
      'Up, with no routes yet, 1.2 s after the start.',
      'Live: the one route, 1.2 s after the start.',
      'Live: all 2 routes, 1.2 s after the start.',
      'Live: 1 of 2 routes.',
      'Traefik does not answer; see /state/traefik.log.',
      'The agent does not answer; see /state/agent.log.',
    ])
  })

  const demo = (planDemo(PORTS, BACKENDS, ALL_TOOLS) ?? []).map(({ name, port, title, commands }) => ({
    key: `${port.protocol}/prt_${name}`,
    ...{ revision: 7, name, title, commands },
  }))
  const nameOf = (key: string) => key.replace('/prt_', '/')

  test('a demo route that is not live shows why, not what to type', () => {
    const status = statusOf([
      route({
        id: 'prt_demo-lines',
        verdict: 'conflicted',
        message: 'route pg has port 10000.',
        remedy: 'Choose another.',
      }),
      route({ id: 'prt_demo-app', protocol: 'http' }),
    ])
    const text = report({ ...input, status, demo, withDemo: true, nameOf }, plain)
    expect(text).toContain('    tcp/demo-lines: conflicted: route pg has port 10000. Choose another.\n')
    expect(text).toContain('    demo-a: nothing is known of it yet\n')
    expect(text).toContain(
      '      curl -s --resolve app.demo.localhost:8000:127.0.0.1 http://app.demo.localhost:8000/\n',
    )
    expect(text).not.toContain('/dev/tcp/')
  })

  test('a control plane that is silent is said, and that it has no demo', () => {
    const text = report({ ...input, withDemo: true }, plain)
    expect(text).toContain(
      'What to open\n  The control plane at http://127.0.0.1:7400 does not answer; see /state/control.log\n',
    )
    expect(text).toContain('What to type\n  (the control plane has not taken the demo)\n')
    expect(text).not.toContain('expose')
  })

  test('the link is there, and the command for a route', () => {
    const link = 'http://127.0.0.1:7400/sign-in#fll_x'
    const variables = { url: 'http://127.0.0.1:7400', tokenFile: "/it's/token" }
    const lines = (plane: ReportInput['plane']) => report({ ...input, plane }, plain)
    const own = lines({ kind: 'there', link, variables: null })
    expect(own).toContain(`What to open\n  ${link}\n`)
    expect(own).toContain('another terminal:\n    fairlead expose 127.0.0.1:5432 --wait\n')
    expect(lines({ kind: 'there', link, variables })).toContain(
      `terminal:\n    export FAIRLEAD_URL=http://127.0.0.1:7400 FAIRLEAD_TOKEN="$(cat '/it'\\''s/token')"\n    fairlead expose`,
    )
  })
})
