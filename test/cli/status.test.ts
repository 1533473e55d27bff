import { describe, expect, test } from 'vitest'
import type { StatusInput } from '../../src/agent/admin/status-view.ts'
import { parseAgentConfig } from '../../src/agent/config.ts'
import type { SourceStatus } from '../../src/agent/sources/source.ts'
import { askAgent } from '../../src/cli/ask-agent.ts'
import type { Io } from '../../src/cli/io.ts'
import { NO_DRIFT } from '../../src/core/drift.ts'
import { REASONS, type ReasonCode } from '../../src/core/verdict.ts'
import { tcpRoute } from '../support/builders.ts'
import { type CliResult, runCli } from '../support/cli.ts'
import { startLoneAgent } from '../support/lone-agent.ts'
import {
  configFor,
  fakeAdmin,
  fakeStatus,
  NOW,
  observationWith,
  providerWith,
  statusOf,
  verdictOf,
} from '../support/status.ts'
import { waitFor } from '../support/wait-for.ts'

const AT_80: Partial<Io> = { columns: () => 80 }

/** What `status` says of an answer; the name of the settings file is hidden. */
async function status(view: unknown, args: readonly string[] = [], io: Partial<Io> = AT_80): Promise<CliResult> {
  const { config } = await fakeStatus(view)
  const { code, out, err } = await runCli(['status', '--config', config, ...args], io)
  return { code, out: out.replaceAll(config, 'agent.yaml'), err: err.replaceAll(config, 'agent.yaml') }
}

const silentControlPlane: SourceStatus = {
  name: 'control-plane',
  reading: null,
  fault: {
    code: 'SOURCE_UNREACHABLE',
    message: 'https://control.example.com does not answer (ECONNREFUSED)',
    remedy: 'Look whether the control plane runs.',
    since: NOW - 720_000,
  },
  lastAttemptAt: NOW - 1_000,
  lastSuccessAt: null,
}

const held = {
  source: 'control-plane',
  hash: '9f3a1c20b7d4'.padEnd(64, '0'),
  removals: ['tcp/a', 'tcp/b'],
  reason: 'ratio',
  message: 'the new state drops 2 of 3 routes',
  untilMs: null,
} as const

describe('the table', () => {
  test('a node on which all is well', async () => {
    const view = statusOf({
      verdicts: [
        verdictOf('LIVE'),
        verdictOf('LIVE', { id: 'orders-replica', entryPoints: ['tcp-10002'] }),
        verdictOf('LIVE', { id: 'web', protocol: 'http', entryPoints: ['web', 'websecure'] }),
        verdictOf('LIVE', { id: 'game', protocol: 'udp', entryPoints: ['udp-11000', 'udp-11001', 'udp-11002'] }),
      ],
    })
    expect(await status(view)).toEqual({
      code: 0,
      err: '',
      out: `proxy-1  fairlead 0.1.0, up for 3 h
Traefik     3.7.15, read back, last poll 3.0 s ago
revision    42 expected, served and applied
routes      4 live

live        http/web            web, websecure
live        tcp/orders-replica  port 10002
live        tcp/pg              port 10001
live        udp/game            port 11000-11002
`,
    })
  })

  test('trouble comes first, each with reason and way out', async () => {
    const view = statusOf({
      revision: { expected: 43, served: 43, applied: 42 },
      verdicts: [
        verdictOf('LIVE', { notes: ['tlsPassthrough: false with a host name is read as passthrough'] }),
        verdictOf('ENTRY_POINT_MISSING', {
          id: 'late',
          message: 'Traefik has no entry point for TCP port 10042',
          remedy: `Add these lines to Traefik's static configuration and restart it:\nentryPoints:\n  tcp-10042:\n    address: ":10042"`,
        }),
        verdictOf('UPSTREAM_NOT_ALLOWED', {
          id: 'x'.repeat(70),
          message: "upstream 127.0.0.1:22 is the proxy's own loopback",
        }),
        verdictOf('NOT_YET_APPLIED', { id: 'new', since: NOW - 400 }),
        verdictOf('MASS_REMOVAL', { id: 'a' }),
        verdictOf('MASS_REMOVAL', { id: 'b' }),
      ],
      rejected: [
        {
          code: 'DOCUMENT_INVALID',
          protocol: null,
          routeId: null,
          field: null,
          value: null,
          message: 'line 3: a colon is missing',
          remedy: 'Correct the file. What it held goes on serving.',
          origin: 'bad\u001b[31m.yaml',
        },
      ],
      sources: [silentControlPlane],
      held: [held],
      drift: {
        sections: ['tcp'],
        beaconMissing: true,
        foreign: [],
        entries: [
          { kind: 'missing', protocol: 'tcp', what: 'router', name: 'tcp_pg', detail: null },
          { kind: 'disabled', protocol: 'tcp', what: 'service', name: 'tcp_x', detail: 'it is wrong' },
        ],
      },
    })
    const { code, out } = await status(view)
    expect(code).toBe(1)
    expect(out).toBe(`proxy-1  fairlead 0.1.0, up for 3 h
Traefik     3.7.15, read back, last poll 3.0 s ago
revision    43 expected and served, 42 applied
routes      1 live, 1 pending, 1 rejected, 1 waiting, 2 held

fault       source control-plane  for 12 min
            https://control.example.com does not answer (ECONNREFUSED).
            SOURCE_UNREACHABLE
            nothing was read from it so far
              Look whether the control plane runs.

rejected    bad\\u{1b}[31m.yaml
            line 3: a colon is missing. DOCUMENT_INVALID
              Correct the file. What it held goes on serving.

held        2 removals of control-plane
            the new state drops 2 of 3 routes.
            tcp/a, tcp/b
              If that is meant, accept it; if not, nothing is lost: put the
              routes back.
                fairlead accept 9f3a1c20b7d4 --config agent.yaml

drift       Traefik has fetched a body and does not show that it took it
drift       1 served and not shown by Traefik
            tcp router tcp_pg
drift       1 disabled by Traefik
            tcp service tcp_x: it is wrong

waiting     tcp/late  for 18 min, from db.yaml
            Traefik has no entry point for TCP port 10042. ENTRY_POINT_MISSING
              Add these lines to Traefik's static configuration and restart it:
              entryPoints:
                tcp-10042:
                  address: ":10042"
rejected    tcp/xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
            xxxxxx  for 18 min, from db.yaml
            upstream 127.0.0.1:22 is the proxy's own loopback.
            UPSTREAM_NOT_ALLOWED
              Give an address that the node can reach, or allow it in
              policy.allowUpstreams.
pending     tcp/new  for 400 ms, from db.yaml
            Traefik has fetched the route and has not shown it yet.
            NOT_YET_APPLIED

live        tcp/pg  port 10001

note        tcp/pg: tlsPassthrough: false with a host name is read as
            passthrough
`)
  })

  test('a field that nobody knows is told with the one that was meant', async () => {
    const view = {
      ...statusOf(),
      unknownFields: [
        { field: 'tcpRoutes.upstream', count: 1 },
        { field: 'colour', count: 2 },
      ],
    }
    const { out } = await status(view, [], { columns: () => 200 })
    expect(out.split('\n').filter(line => line.startsWith('note'))).toEqual([
      'note        the field tcpRoutes.upstream is not known here and is ignored; did you mean upstreams?',
      'note        the field colour is not known here and is ignored (2 times)',
    ])
  })

  test('the words of the wire tell where a route is', async () => {
    const view = statusOf()
    const at = { externalPort: 443, externalPortEnd: 443, sniHostname: 'db.example.com' }
    const routes = [
      { ...verdictOf('HOST_TAKEN_BY_ROUTE'), ...at, since: null },
      { ...verdictOf('LIVE', { id: 'block' }), externalPort: 10_000, externalPortEnd: 10_009, since: null },
      { ...verdictOf('LIVE', { id: 'a', protocol: 'http' }), domain: 'a.example.com', pathPrefix: '/x', since: null },
    ]
    const { out } = await status({ ...view, routes })
    expect(out.match(/^(?:conflicted|live) .*$/gm)).toEqual([
      'conflicted  tcp/pg  db.example.com port 443  from db.yaml',
      'live        tcp/block  port 10000-10009',
      'live        http/a     a.example.com/x',
    ])
  })

  test('many are cut short, and --all shows them', async () => {
    const verdicts = [
      ...Array.from({ length: 60 }, (_, i) => verdictOf('FIELD_INVALID', { id: `bad${i}` })),
      ...Array.from({ length: 210 }, (_, i) => verdictOf('LIVE', { id: `good${i}` })),
    ]
    const { out } = await status(statusOf({ verdicts }))
    const rows = (text: string, verdict: string): number => text.match(new RegExp(`^${verdict} `, 'gm'))?.length ?? 0
    expect([rows(out, 'rejected'), rows(out, 'live')]).toEqual([50, 20])
    expect(out).toContain('            and 10 more that are not live; --all shows them\n')
    expect(out).toContain('            and 190 more live; --all shows them\n')
    const all = (await status(statusOf({ verdicts }), ['--all'])).out
    expect([rows(all, 'rejected'), rows(all, 'live'), all.includes('more')]).toEqual([60, 210, false])
  })

  test('held routes stand together, and with --all one by one', async () => {
    const view = statusOf({
      verdicts: [verdictOf('MASS_REMOVAL', { id: 'a' })],
      held: [{ ...held, untilMs: NOW + 9_000 }],
    })
    const rows = (text: string): string[] => text.match(/^held .*$/gm) ?? []
    const { out } = await status(view)
    expect(rows(out)).toEqual(['held        2 removals of control-plane'])
    expect(out).toContain('It goes through by itself at 2026-11-23T00:00:09.000Z')
    expect(rows((await status(view, ['--all'])).out)).toEqual([
      'held        2 removals of control-plane',
      'held        tcp/a  for 18 min, from db.yaml',
    ])
  })

  test.each([40, 60, 80, 132])('no line is wider than %d columns', async columns => {
    const view = statusOf({
      verdicts: [verdictOf('API_UNREACHABLE'), verdictOf('SERVER_FIRST_ON_TLS_PORT', { id: 'y'.repeat(200) })],
      sources: [silentControlPlane],
    })
    const { out } = await status(view, [], { columns: () => columns })
    expect(out.split('\n').filter(line => line.length > columns)).toEqual([])
  })

  test('where there is no terminal a sentence is one line', async () => {
    const view = statusOf({ verdicts: [verdictOf('SERVER_FIRST_ON_TLS_PORT')] })
    const whole =
      '            On a port with TLS routes Traefik waits for the client to speak, and this protocol waits for the server. SERVER_FIRST_ON_TLS_PORT\n'
    expect((await status(view, [], {})).out).toContain(whole)
    // As `watch` says it.
    expect((await status(view, [], { env: { COLUMNS: '60' } })).out).not.toContain(whole)
  })

  test('colours only on a terminal, and the words stay', async () => {
    const view = statusOf({ verdicts: [verdictOf('LIVE'), verdictOf('FIELD_INVALID', { id: 'x' })], held: [held] })
    const plain = await status(view)
    const colourful = await status(view, [], { ...AT_80, colour: { out: true, err: true } })
    expect(plain.out).not.toContain('\u001b')
    expect(colourful.out).toContain('\u001b[31mrejected\u001b[0m')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a colour begins with it
    expect(colourful.out.replaceAll(/\u001b\[\d+m/g, '')).toBe(plain.out)
  })
})

describe('the head', () => {
  const line = async (name: string, view: unknown): Promise<string | undefined> =>
    (await status(view, [], {})).out.match(new RegExp(`^${name} +(.*)$`, 'm'))?.[1]

  test.each<[string, Parameters<typeof statusOf>[0], string]>([
    ['verified', {}, '3.7.15, read back, last poll 3.0 s ago'],
    ['no API', { api: null, observation: null }, 'not read back, since no traefik.api is set; last poll 3.0 s ago'],
    [
      'API faulty',
      { observation: observationWith({ fault: { kind: 'secured', message: 'it asks for credentials', since: NOW } }) },
      'not read back: it asks for credentials; last poll 3.0 s ago',
    ],
    [
      'down',
      {
        observation: observationWith({ fault: { kind: 'unreachable', message: 'ECONNREFUSED', since: NOW } }),
        provider: providerWith({ held: 0 }),
      },
      'down: ECONNREFUSED; last poll 3.0 s ago',
    ],
    [
      'never polled',
      { provider: providerWith({ held: 0, lastPollAt: null }) },
      'has never polled since the agent started; see fairlead doctor',
    ],
    [
      'polls without the token',
      { provider: providerWith({ held: 0, lastPollAt: null, tokenRefused: true }) },
      'polls without the right token, and gets nothing; see fairlead doctor',
    ],
  ])('Traefik: %s', async (_what, change, expected) => {
    expect(await line('Traefik', statusOf(change))).toBe(expected)
  })

  const hash = 'c0ffee'.padEnd(64, '0')
  test.each<[Parameters<typeof statusOf>[0], string]>([
    [{}, '42 expected, served and applied'],
    [
      {
        observation: observationWith({ fault: { kind: 'unreachable', message: 'ECONNREFUSED', since: NOW } }),
        provider: providerWith({ held: 0 }),
      },
      '42 expected and served, none applied',
    ],
    [{ revision: { expected: 44, served: 43, applied: 42 } }, '44 expected, 43 served, 42 applied'],
    [
      { revision: { expected: hash, served: hash, applied: null } },
      'c0ffee000000 expected and served, none applied yet',
    ],
    [{ api: null, revision: { expected: 42, served: 42, applied: null } }, '42 expected and served, not verified'],
    [
      {
        revision: { expected: null, served: null, applied: null },
        waiting: { for: 'first-reading', names: ['files', 'control-plane'] },
      },
      'nothing is served yet: no reading of files, control-plane so far',
    ],
    [
      { waiting: { for: 'missing-source', names: ['control-plane'] } },
      '42 expected, served and applied; no reading of control-plane so far',
    ],
  ])('revision %#', async (change, expected) => {
    expect(await line('revision', statusOf(change))).toBe(expected)
  })

  test('a node without routes says so', async () => {
    expect(await line('routes', statusOf())).toBe('none')
  })
})

test('a live route that nobody has checked says so', async () => {
  const message = `${REASONS.LIVE.meaning.slice(0, -1)}, and its health check has not asked its upstreams yet.`
  const health = { total: 2, down: 0, unasked: 2 }
  const { code, out } = await status(
    statusOf({ verdicts: [verdictOf('LIVE', { message, health }), verdictOf('LIVE', { id: 'a' })] }),
  )
  expect(code).toBe(0)
  expect(out.slice(out.indexOf('live  '))).toBe(`live        tcp/a   port 10001
live        tcp/pg  port 10001
            Traefik shows the route as we compiled it, and its health check has
            not asked its upstreams yet.
`)
})

describe('exit codes', () => {
  test.each<[ReasonCode, number]>([
    ['LIVE', 0],
    ['NOT_YET_POLLED', 0],
    ['NOT_VERIFIED', 0],
    ['FIELD_INVALID', 1],
    ['TRAEFIK_DISABLED', 1],
    ['PORT_TAKEN_BY_ROUTE', 1],
    ['ENTRY_POINT_MISSING', 1],
    ['BACKEND_DOWN', 1],
    ['MASS_REMOVAL', 1],
  ])('%s ends with %d', async (reason, code) => {
    const verdicts = [verdictOf('LIVE', { id: 'other' }), verdictOf(reason)]
    expect((await status(statusOf({ verdicts }))).code).toBe(code)
  })

  const UNREACHABLE = { kind: 'unreachable', message: 'it cannot be reached', since: NOW } as const
  const FAULT = { code: 'SOURCE_REFUSED', message: 'nobody answers', remedy: 'Look.', since: NOW }
  test.each<[string, Partial<StatusInput>, number]>([
    [
      'Traefik is down',
      { observation: observationWith({ fault: UNREACHABLE }), provider: providerWith({ held: 0 }) },
      1,
    ],
    ['Traefik cannot be read', { observation: observationWith({ fault: UNREACHABLE }) }, 1],
    ['Traefik has never polled', { provider: providerWith({ held: 0, lastPollAt: null }) }, 1],
    ['there is no API to read', { observation: null, api: null }, 0],
    [
      'a source fails',
      { sources: [{ name: 'files', reading: null, fault: FAULT, lastAttemptAt: NOW, lastSuccessAt: null }] },
      1,
    ],
    ['the disk is full', { store: { savedAt: NOW, fault: FAULT } }, 1],
  ])('%s', async (_, change, code) => {
    expect((await status(statusOf(change))).code).toBe(code)
  })

  test('held removals and drift are a no', async () => {
    const extra = { kind: 'extra', protocol: 'tcp', what: 'router', name: 'tcp_x', detail: null } as const
    expect((await status(statusOf({ held: [held] }))).code).toBe(1)
    expect((await status(statusOf({ drift: { ...NO_DRIFT, entries: [extra] } }))).code).toBe(1)
  })
})

describe('the other side', () => {
  test('JSON is the answer of the agent as it is', async () => {
    const view = { ...statusOf({ verdicts: [verdictOf('FIELD_INVALID')] }), somethingNew: { of: 'a newer agent' } }
    const { code, out, err } = await status(view, ['--json'])
    expect({ code, err, answer: JSON.parse(out) }).toEqual({
      code: 1,
      err: '',
      answer: JSON.parse(JSON.stringify(view)),
    })
  })

  test('an older or newer agent is read as far as it goes', async () => {
    const view = {
      node: 'old',
      revision: { expected: 1, served: 1, applied: 1 },
      traefik: { state: 'resting' },
      routes: [{ id: 'pg', protocol: 'tcp', verdict: 'resting' }],
    }
    expect(await status(view)).toEqual({
      code: 1,
      err: '',
      out: `old  fairlead
Traefik     resting, has not polled yet
revision    1 expected, served and applied
routes      1 resting

resting     tcp/pg
`,
    })
  })

  test('without an agent it says where it looked', async () => {
    const { config, port } = await fakeStatus(statusOf())
    const closed = await configFor(1)
    expect(await runCli(['status', '--config', closed])).toEqual({
      code: 3,
      out: '',
      err: 'fairlead status: the agent does not answer at 127.0.0.1:1 (ECONNREFUSED); look whether it runs: systemctl status fairlead-agent\n',
    })
    expect((await runCli(['status', '--config', config])).code).toBe(0)
    expect(port).toBeGreaterThan(0)
  })

  test.each<[string, number, unknown, string]>([
    ['a web page', 200, '<html>', 'what answers at HERE is not a Fairlead agent (HTTP 200)'],
    ['another service', 404, { error: 'no' }, 'what answers at HERE is not a Fairlead agent (HTTP 404)'],
    [
      'JSON of something else',
      200,
      { status: 'up' },
      'what answers at HERE is no agent of this version (node is not as expected)',
    ],
  ])('%s is not taken for the agent', async (_what, httpStatus, body, expected) => {
    const { config, port } = await fakeAdmin(() => ({ status: httpStatus, body }))
    const { code, out, err } = await runCli(['status', '--config', config])
    expect({ code, out, err: err.replace(`127.0.0.1:${port}`, 'HERE') }).toEqual({
      code: 3,
      out: '',
      err: `fairlead status: ${expected}; look whether it runs: systemctl status fairlead-agent\n`,
    })
  })

  test('an agent that refuses is quoted', async () => {
    const problem = { status: 421, code: 'WRONG_HOST', detail: 'the Host header is wrong', remedy: 'Ask by 127.0.0.1.' }
    const { config } = await fakeAdmin(() => ({ status: 421, body: problem }))
    expect((await runCli(['status', '--config', config])).err).toBe(
      'fairlead status: the agent does not answer this: the Host header is wrong (WRONG_HOST); Ask by 127.0.0.1.\n',
    )
  })

  test('an agent that hangs is given up', async () => {
    const { createServer } = await import('node:net')
    const server = createServer(() => {}).listen(0, '127.0.0.1')
    await waitFor(() => server.listening)
    const address = server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const parsed = parseAgentConfig({ text: `admin: { listen: "127.0.0.1:${port}" }`, fileName: null, env: {} })
    if (!parsed.ok) throw new Error(parsed.faults.join('\n'))
    try {
      await expect(askAgent(parsed.config, { path: '/status', timeoutMs: 50 })).rejects.toThrow(
        `the agent does not answer at 127.0.0.1:${port} (no answer within 0.05 s)`,
      )
    } finally {
      server.close()
    }
  })

  test('a port that nobody can know is bad input', async () => {
    const { code, err } = await runCli(['status', '--config', await configFor(0)])
    expect({ code, err }).toEqual({
      code: 2,
      err: 'fairlead status: admin.listen has port 0, any free one, so nobody can know where the agent is; set a port\n',
    })
  })
})

describe('a real agent', () => {
  test('tells what became of its files', async () => {
    const { agent, config } = await startLoneAgent({
      'db.json': { tcpRoutes: [tcpRoute(), tcpRoute({ id: 'far', externalPort: 70_000 })] },
    })
    await waitFor(() => agent.status().routes.length === 2)
    const { code, out, err } = await runCli(['status', '--config', config], { ...AT_80, now: Date.now })
    expect({ code, err }).toEqual({ code: 1, err: '' })
    expect(
      out.replaceAll(/\d+(?:\.\d)? m?s/g, 'T').replace(/[0-9a-f]{12}/, 'HASH'),
    ).toBe(`proxy-1  fairlead 0.1.0, up for T
Traefik     has never polled since the agent started; see fairlead doctor
revision    HASH expected and served, not verified
routes      1 pending, 1 rejected

rejected    tcp/far  for T, from db.json
            port 70000 is outside 1-65535. PORT_OUT_OF_RANGE
              Choose a port of the pool; port numbers go from 1 to 65535.
pending     tcp/pg  port 10001  for T, from db.json
            The route is served; no Traefik API is configured to read it back
            from. NOT_VERIFIED
              Set traefik.api to the address of the Traefik API to have every
              route verified.
`)
    const json = JSON.parse((await runCli(['status', '--json', '--config', config])).out)
    expect(Object.keys(json).sort()).toEqual(Object.keys(agent.status()).sort())
  })
})
