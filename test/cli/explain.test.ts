import { describe, expect, test } from 'vitest'
import type { Io } from '../../src/cli/io.ts'
import { type ExplainInput, type Explanation, explainRoute } from '../../src/core/explain.ts'
import { compileLists, tcpRoute } from '../support/builders.ts'
import { runCli } from '../support/cli.ts'
import { startLoneAgent } from '../support/lone-agent.ts'
import { configFor, type FakeAnswer, fakeAdmin, NOW, verdictOf } from '../support/status.ts'
import { waitFor } from '../support/wait-for.ts'

const UTF8: Partial<Io> = { columns: () => 80, env: { LANG: 'C.UTF-8' } }

/** A route that Traefik has fetched and disabled. */
function explained(change: Partial<ExplainInput> = {}): Explanation {
  const { outcomes, config } = compileLists({ tcpRoutes: [tcpRoute({ sniHostname: 'db.example.com' })] })
  const message = 'Traefik shows the router tcp_pg as disabled: invalid value for HostSNI matcher'
  return explainRoute({
    verdict: verdictOf('TRAEFIK_DISABLED', { message, entryPoints: ['tcp-10001'], notes: ['read as passthrough'] }),
    others: [verdictOf('ID_TAKEN', { origin: 'old.yaml', message: 'the id is held by db.yaml' })],
    source: { lastSuccessAt: NOW - 5_000, fault: null },
    outcome: outcomes[0] ?? null,
    config,
    publication: {
      hash: '3f2a9c41d0ab'.padEnd(64, '0'),
      revision: 42,
      compiledAt: NOW - 4_000,
      servedAt: NOW - 3_000,
      fetchedAt: NOW - 2_900,
      polled: true,
      lastPollAt: NOW - 2_900,
      appliedAt: null,
    },
    evidence: {
      kind: 'read',
      runtime: {
        foreignRouters: [],
        routers: [
          {
            name: 'tcp_pg',
            protocol: 'tcp',
            entryPoints: ['tcp-10001'],
            rule: 'HostSNI(`db.example.com`)',
            service: 'tcp_pg',
            priority: 300,
            tls: true,
            passthrough: true,
            status: 'disabled',
            errors: ['invalid value for HostSNI matcher'],
          },
        ],
        services: [],
        beacons: [],
      },
    },
    readAt: NOW - 1_200,
    probe: null,
    ...change,
  })
}

async function explain(answer: FakeAnswer, args: readonly string[] = ['tcp/pg'], io: Partial<Io> = UTF8) {
  const { config, seen } = await fakeAdmin(() => answer)
  const { code, out, err } = await runCli(['explain', ...args, '--config', config], io)
  return { code, out, err: err.replaceAll(config, 'agent.yaml'), asked: seen.map(({ path }) => path) }
}

describe('what it prints', () => {
  test('the chain up to the broken link, then why, then what Traefik got', async () => {
    expect(await explain({ status: 200, body: explained() })).toEqual({
      code: 1,
      err: '',
      asked: ['/explain/tcp/pg'],
      out: `tcp/pg  db.example.com port 10001  refused for 18 min

  ✓  expected  db.yaml asks for it (5.0 s ago)
  ✓  compiled  tcp_pg on tcp-10001 (4.0 s ago)
  ✓  served    Traefik has fetched body 3f2a9c41d0ab of revision 42 (2.9 s ago)
  ✗  applied   Traefik shows the router tcp_pg as disabled: invalid value for
               HostSNI matcher (1.2 s ago)
               ↑ here it stops
  ·  probed    not tried

why           Traefik shows the router tcp_pg as disabled: invalid value for
              HostSNI matcher. TRAEFIK_DISABLED
what to do    Traefik's own words name the fault.
note          read as passthrough
same id       old.yaml has a route of this id too: conflicted, the id is held by
              db.yaml

router        tcp_pg, disabled
entry points  tcp-10001
rule          HostSNI(\`db.example.com\`), priority 300
service       tcp_pg
Traefik says  invalid value for HostSNI matcher

What Traefik got:
  tcp:
    routers:
      tcp_pg:
        entryPoints:
          - tcp-10001
        rule: HostSNI(\`db.example.com\`)
        service: tcp_pg
        priority: 300
        tls:
          passthrough: true
    services:
      tcp_pg:
        loadBalancer:
          servers:
            - address: 10.200.1.5:5432
          serversTransport: fairlead
    serversTransports:
      fairlead:
        dialTimeout: 5s
`,
    })
  })

  test.each<[string, Partial<Io>]>([
    ['a pipe', { env: { LANG: 'C.UTF-8' } }],
    ['a terminal without UTF-8', { columns: () => 80, env: { LANG: 'C' } }],
  ])('%s gets plain signs', async (_what, io) => {
    const { out } = await explain({ status: 200, body: explained() }, ['tcp/pg'], io)
    expect(out.match(/^ {2}(?:ok|NO|-) .*?(?= {2,}\S+ \S)/gm)).toEqual([
      '  ok  expected',
      '  ok  compiled',
      '  ok  served',
      '  NO  applied',
      '  -   probed',
    ])
    // biome-ignore lint/suspicious/noControlCharactersInRegex: every sign but ASCII
    expect(out.match(/[^\u0000-\u007f]/g)).toBeNull()
  })

  test('a live route says how long it took', async () => {
    const timingsMs = { compile: 3, serve: 9, fetch: 1, apply: 48, live: 61 }
    const { out } = await explain({ status: 200, body: explained({ verdict: verdictOf('LIVE', { timingsMs }) }) })
    expect(out).toContain(
      '  live 61 ms after the change was read: compile 3 ms, serve 9 ms, fetch 1 ms,\n  apply 48 ms\n',
    )
  })

  test('a live route ends with 0 and without a way out', async () => {
    const { code, out } = await explain({ status: 200, body: explained({ verdict: verdictOf('LIVE'), others: [] }) })
    expect(code).toBe(0)
    expect(out).not.toContain('what to do')
    expect(out.split('\n')[0]).toBe('tcp/pg  db.example.com port 10001  live for 18 min')
  })

  test('JSON is the answer of the agent as it is', async () => {
    const body = explained()
    const { code, out } = await explain({ status: 200, body }, ['tcp/pg', '--json'])
    expect({ code, answer: JSON.parse(out) }).toEqual({ code: 1, answer: JSON.parse(JSON.stringify(body)) })
  })

  test('signs of a terminal in foreign text do nothing', async () => {
    const verdict = verdictOf('FOREIGN_ROUTER', { message: 'in the hands of \u001b]0;evil\u0007@file' })
    const { out } = await explain({ status: 200, body: explained({ verdict }) })
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they begin with it
    expect(out.match(/[\u001b\u0007]/g)).toBeNull()
  })
})

describe('which route', () => {
  test.each([
    ['pg', '/explain/pg'],
    ['tcp/pg', '/explain/tcp/pg'],
    ['http/a/b ü', '/explain/http/a%2Fb%20%C3%BC'],
    ['a/b', '/explain/a%2Fb'],
    ['..', '/explain/..'],
  ])('%s is asked for by %s', async (route, path) => {
    expect((await explain({ status: 200, body: explained() }, [route])).asked).toEqual([path])
  })

  test('an unknown one brings those that are near', async () => {
    const body = {
      status: 404,
      code: 'ROUTE_UNKNOWN',
      detail: 'no route pgg is expected on this node',
      remedy: 'Perhaps tcp/pg.',
      near: ['tcp/pg'],
    }
    const { code, out, err } = await explain({ status: 404, body }, ['pgg'])
    expect({ code, out, err }).toEqual({
      code: 2,
      out: '',
      err: [
        'fairlead explain: no route pgg is expected on this node\n',
        'fairlead explain: perhaps one of these:\n',
        'fairlead explain:   fairlead explain tcp/pg --config agent.yaml\n',
      ].join(''),
    })
    expect((await explain({ status: 404, body: { ...body, near: [] } }, ['pgg'])).err).toBe(
      'fairlead explain: no route pgg is expected on this node; fairlead status --config agent.yaml has all of them\n',
    )
  })

  test('without an agent it says where it looked', async () => {
    const { code, out, err } = await runCli(['explain', 'pg', '--config', await configFor(1)])
    expect({ code, out }).toEqual({ code: 3, out: '' })
    expect(err).toContain('the agent does not answer at 127.0.0.1:1 (ECONNREFUSED)')
  })

  test('without a route it is bad usage', async () => {
    expect(await runCli(['explain'])).toEqual({
      code: 2,
      out: '',
      err: 'fairlead explain: ROUTE is missing\nfairlead explain --help tells more\n',
    })
  })
})

describe('a real agent', () => {
  test('explains its routes, and tells the ambiguous from the unknown', async () => {
    const { agent, config } = await startLoneAgent({
      'db.json': {
        tcpRoutes: [tcpRoute(), tcpRoute({ id: 'late', externalPort: 10_001, claimedAt: '2026-11-01T00:00:00Z' })],
        udpRoutes: [{ id: 'pg', upstreams: ['10.200.1.9:53'], externalPort: 11_000 }],
      },
    })
    await waitFor(() => agent.status().routes.length === 3)
    const hide = (text: string): string => text.replaceAll(config, 'agent.yaml')
    const ambiguous = await runCli(['explain', 'pg', '--config', config])
    expect({ code: ambiguous.code, out: ambiguous.out, err: hide(ambiguous.err) }).toEqual({
      code: 2,
      out: '',
      err: [
        'fairlead explain: pg is the id of 2 routes\n',
        'fairlead explain: say which:\n',
        'fairlead explain:   fairlead explain tcp/pg --config agent.yaml\n',
        'fairlead explain:   fairlead explain udp/pg --config agent.yaml\n',
      ].join(''),
    })
    const unknown = await runCli(['explain', 'latte', '--config', config])
    expect({ code: unknown.code, err: hide(unknown.err).split('\n')[2] }).toEqual({
      code: 2,
      err: 'fairlead explain:   fairlead explain tcp/late --config agent.yaml',
    })
    const udp = await runCli(['explain', 'udp/pg', '--config', config])
    expect({ code: udp.code, err: udp.err }).toEqual({ code: 0, err: '' })
    expect(udp.out).toContain('NOT_VERIFIED')
    const conflicted = await runCli(['explain', 'tcp/pg', '--config', config])
    expect(conflicted.code).toBe(1)
    expect(conflicted.out).toContain('TCP port 10001 is held by tcp/late (db.json). PORT_TAKEN_BY_ROUTE')
  })
})
