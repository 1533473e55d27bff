import { describe, expect, test } from 'vitest'
import { diagnose, isHealthy } from '../../../src/core/doctor/doctor.ts'
import type { AgentStatus, DoctorFacts, Finding, Level, StaticFacts } from '../../../src/core/doctor/facts.ts'
import { makePortSet } from '../../../src/core/port-set.ts'
import { ENTRY_POINTS, portSet } from '../../support/builders.ts'
import { NOW } from '../../support/status.ts'

const STATUS: AgentStatus = {
  node: 'proxy-1',
  version: '0.1.0',
  startedAt: NOW - 3_600_000,
  traefik: {
    api: 'http://127.0.0.1:8080',
    lastPollAt: NOW - 3_000,
    unauthorized: 0,
    tokenRefused: false,
    strangers: null,
    pollers: 1,
    polled: true,
    holdShortened: null,
    lastApplyMs: 41,
  },
  routes: 12,
  notLive: 0,
  problems: [],
  held: 0,
  unseenSince: null,
  sources: [{ name: 'files', routes: 12, fault: null }],
  saved: { fault: null },
}

const STATIC: StaticFacts = {
  path: '/etc/traefik/traefik.yaml',
  mode: 0o644,
  entryPoints: ENTRY_POINTS.map(({ name, address }) => ({ name, address, asDefault: name === 'web' })),
  throttleMs: 100,
  provider: {
    endpoint: 'http://127.0.0.1:7480/traefik?hold=25s',
    holdMs: 25_000,
    pollIntervalMs: 100,
    pollTimeoutMs: 40_000,
    sendsToken: false,
    tokenMatches: null,
  },
  api: { insecure: true },
}

/** A node on which all is well. */
const GOOD: DoctorFacts = {
  commandVersion: '0.1.0',
  settings: {
    node: 'proxy-1',
    api: 'http://127.0.0.1:8080',
    ports: { tcp: portSet('10000-10009'), udp: portSet('11000-11009') },
    httpEntryPoints: ['websecure', 'web'],
    sourceFault: null,
    provider: { host: '127.0.0.1', port: 7480 },
    wantsToken: false,
  },
  agent: { kind: 'answers', status: STATUS },
  traefik: {
    kind: 'read',
    version: '3.7.15',
    startedAt: NOW - 86_400_000,
    providers: ['HTTP'],
    entryPoints: ENTRY_POINTS,
    openConnections: new Map(),
  },
  clock: { nowMs: NOW, controlPlane: { kind: 'compared', host: 'control.example.com', aheadMs: 120 } },
  kernel: { localPorts: { first: 32_768, last: 60_999 }, reserved: null },
  stateDirectory: {
    path: '/var/lib/fairlead',
    file: { kind: 'found', mode: 0o700, uid: 998, isDirectory: true },
    freeBytes: 12.5 * 1024 ** 3,
  },
  secretFiles: [],
  staticFile: STATIC,
}

type Change = (facts: DoctorFacts) => DoctorFacts

const status =
  (change: Partial<AgentStatus>): Change =>
  facts => ({ ...facts, agent: { kind: 'answers', status: { ...STATUS, ...change } } })
const polls = (change: Partial<AgentStatus['traefik']>): Change => status({ traefik: { ...STATUS.traefik, ...change } })
const settings =
  (change: Partial<DoctorFacts['settings']>): Change =>
  facts => ({ ...facts, settings: { ...facts.settings, ...change } })
const traefik =
  (change: Partial<Extract<DoctorFacts['traefik'], { kind: 'read' }>>): Change =>
  facts =>
    facts.traefik.kind === 'read' ? { ...facts, traefik: { ...facts.traefik, ...change } } : facts
const apiFault =
  (fault: Extract<DoctorFacts['traefik'], { kind: 'fault' }>['fault'], message: string): Change =>
  facts => ({ ...facts, traefik: { kind: 'fault', fault, message } })
const staticFile =
  (change: Partial<StaticFacts>): Change =>
  facts => ({ ...facts, staticFile: { ...STATIC, ...change } })
const provider = (change: Partial<NonNullable<StaticFacts['provider']>>, rest: Partial<StaticFacts> = {}): Change =>
  staticFile({ provider: STATIC.provider === null ? null : { ...STATIC.provider, ...change }, ...rest })
const state =
  (change: Partial<DoctorFacts['stateDirectory']>): Change =>
  facts => ({ ...facts, stateDirectory: { ...facts.stateDirectory, ...change } })
const mode = (bits: number): Change => state({ file: { kind: 'found', mode: bits, uid: 998, isDirectory: true } })
const kernel =
  (change: Partial<DoctorFacts['kernel']>): Change =>
  facts => ({ ...facts, kernel: { ...facts.kernel, ...change } })
const clock =
  (controlPlane: DoctorFacts['clock']['controlPlane']): Change =>
  facts => ({ ...facts, clock: { ...facts.clock, controlPlane } })
const skew = (aheadMs: number): Change => clock({ kind: 'compared', host: 'control.example.com', aheadMs })
const secret =
  (file: DoctorFacts['secretFiles'][number]['file']): Change =>
  facts => ({ ...facts, secretFiles: [{ setting: 'provider.tokenFile', path: '/etc/fairlead/token', file }] })
const silent: Change = facts => ({
  ...facts,
  agent: { kind: 'silent', message: 'the agent does not answer at 127.0.0.1:7481 (ECONNREFUSED)' },
})
const both =
  (...changes: readonly Change[]): Change =>
  facts =>
    changes.reduce((before, change) => change(before), facts)

const without = (...names: readonly string[]) => ENTRY_POINTS.filter(({ name }) => !names.includes(name))
const at = (name: string, address: string) =>
  ENTRY_POINTS.map(entryPoint => (entryPoint.name === name ? { ...entryPoint, address } : entryPoint))

/** What is told of a change beside what is in order. */
const trouble = (change: Change): readonly Finding[] => diagnose(change(GOOD)).filter(({ level }) => level !== 'ok')

describe('a node on which all is well', () => {
  test('has everything in order', () => {
    const findings = diagnose(GOOD)
    expect(isHealthy(findings)).toBe(true)
    expect(findings.map(({ level, code, message }) => `${level} ${code}: ${message}`)).toEqual([
      'ok AGENT_ANSWERS: the agent 0.1.0 answers',
      'ok SOURCE_READ: the source files is read',
      'ok ROUTES: every route is live, or on its way: 12',
      'ok TRAEFIK_POLLS: Traefik polls, last 3 s ago',
      "ok API_ANSWERS: Traefik's API answers",
      'ok TRAEFIK_VERSION: Traefik 3.7.15 is supported, with all that is used of it',
      "ok API_ON_LOOPBACK: Traefik's API is for this machine alone",
      'ok ENTRY_POINTS: Traefik has every port of the pools open: TCP 10000-10009, UDP 11000-11009',
      'ok PORTS_NOT_LOCAL: the kernel gives no port of the pools to outgoing connections',
      'ok STATIC_ENDPOINT: providers.http.endpoint is this agent, with a hold of 25 s',
      'ok STATE_DIRECTORY: the state directory /var/lib/fairlead is there: mode 0700, user 998, 12 GB free',
      'ok STATE_SAVED: the last configuration is on the disk',
      'ok CLOCK: the clock of this machine agrees with that of control.example.com',
    ])
  })

  test.each<[what: string, Change]>([
    [
      'the kernel has the pool reserved',
      kernel({ localPorts: { first: 10_000, last: 60_999 }, reserved: portSet('10000-11100') }),
    ],
    ['localhost in the endpoint', provider({ endpoint: 'http://localhost:7480/traefik?hold=25s' })],
    [
      'hand-made names of entry points',
      traefik({ entryPoints: ENTRY_POINTS.map(one => ({ ...one, name: one.name.replace('tcp-10001', 'pg') })) }),
    ],
    ['no static file', facts => ({ ...facts, staticFile: null })],
    ['no control plane', clock(null)],
    ['a token file for its owner alone', secret({ kind: 'found', mode: 0o600, uid: 0 })],
    ['the API on ::1', traefik({ entryPoints: at('traefik', '[::1]:8080') })],
    [
      'a static token that matches',
      both(settings({ wantsToken: true }), provider({ sendsToken: true, tokenMatches: true }, { mode: 0o600 })),
    ],
    [
      'thousands of routes that take a while',
      both(polls({ lastApplyMs: 1_900 }), facts =>
        facts.agent.kind === 'answers'
          ? { ...facts, agent: { kind: 'answers', status: { ...facts.agent.status, routes: 9_000 } } }
          : facts,
      ),
    ],
  ])('%s is no trouble', (_what, change) => {
    expect(trouble(change)).toEqual([])
  })
})

describe('each trouble', () => {
  test.each<[what: string, Change, readonly [Level, string][]]>([
    ['no agent', silent, [['fault', 'AGENT_SILENT']]],
    [
      'no agent and no source',
      both(silent, settings({ sourceFault: 'sources: none is set' })),
      [
        ['fault', 'NO_SOURCE'],
        ['fault', 'AGENT_SILENT'],
      ],
    ],
    ['another version', status({ version: '0.2.0' }), [['note', 'VERSIONS_DIFFER']]],
    [
      'other settings',
      settings({ node: 'proxy-2', sourceFault: 'sources: none is set' }),
      [['warn', 'SETTINGS_DIFFER']],
    ],
    [
      'a source that fails',
      status({ sources: [{ name: 'files', routes: 3, fault: { message: 'no such folder', remedy: 'Make it.' } }] }),
      [['warn', 'SOURCE_FAULT']],
    ],
    [
      'a source that never gave anything',
      status({ sources: [{ name: 'files', routes: null, fault: { message: 'no such folder', remedy: 'Make it.' } }] }),
      [['fault', 'SOURCE_FAULT']],
    ],
    [
      'a broken routes file',
      status({ problems: [{ origin: 'db.yaml', message: 'line 3: a bracket is missing', remedy: 'Mend it.' }] }),
      [['fault', 'DOCUMENT_INVALID']],
    ],
    ['removals that are held', status({ held: 7 }), [['warn', 'REMOVALS_HELD']]],
    ['routes that are not live', status({ notLive: 2 }), [['note', 'ROUTES_NOT_LIVE']]],
    ['fetched, and not shown', status({ unseenSince: NOW - 60_000 }), [['fault', 'NOT_SHOWN']]],
    ['fetched just now', status({ unseenSince: NOW - 59_999 }), []],
    [
      'polled by curl alone',
      polls({ lastPollAt: null, polled: false, strangers: { polls: 3, name: 'curl/8.5.0' } }),
      [['fault', 'TRAEFIK_NEVER_POLLED']],
    ],
    ['polled by curl, too', polls({ strangers: { polls: 3, name: 'curl/8.5.0' } }), [['note', 'OTHER_CLIENTS']]],
    ['a Traefik that asks nobody', traefik({ providers: ['File'] }), [['fault', 'TRAEFIK_WITHOUT_PROVIDER']]],
    ['a Traefik that does not tell its providers', traefik({ providers: null }), []],
    ['never polled', polls({ lastPollAt: null, polled: false }), [['fault', 'TRAEFIK_NEVER_POLLED']]],
    [
      'never polled, agent just started',
      both(status({ startedAt: NOW - 5_000, traefik: { ...STATUS.traefik, lastPollAt: null, polled: false } })),
      [['note', 'TRAEFIK_NOT_POLLED_YET']],
    ],
    [
      'wrong token',
      polls({ lastPollAt: null, polled: false, unauthorized: 7, tokenRefused: true }),
      [['fault', 'TRAEFIK_TOKEN_WRONG']],
    ],
    [
      'a token that was right before',
      polls({ unauthorized: 7, tokenRefused: true }),
      [['fault', 'TRAEFIK_TOKEN_WRONG']],
    ],
    ['some polls without the token', polls({ unauthorized: 7 }), [['warn', 'POLLS_WITHOUT_TOKEN']]],
    ['silent for more than three holds', polls({ lastPollAt: NOW - 96_000 }), [['fault', 'TRAEFIK_SILENT']]],
    [
      'silent for long, the hold not known',
      both(polls({ lastPollAt: NOW - 321_000 }), facts => ({ ...facts, staticFile: null })),
      [['fault', 'TRAEFIK_SILENT']],
    ],
    [
      'silent since its restart',
      both(polls({ lastPollAt: NOW - 50_000 }), traefik({ startedAt: NOW - 40_000 })),
      [['fault', 'TRAEFIK_SILENT']],
    ],
    [
      'a short pollTimeout',
      polls({ holdShortened: { askedMs: 25_000, effectiveMs: 4_000 } }),
      [['warn', 'POLL_TIMEOUT_SHORT']],
    ],
    ['two pollers', polls({ pollers: 2 }), [['warn', 'SEVERAL_POLLERS']]],
    ['a long throttle', polls({ lastApplyMs: 1_900 }), [['note', 'APPLY_SLOW']]],

    [
      'no API in the settings',
      facts => ({ ...both(polls({ api: null }), settings({ api: null }))(facts), traefik: { kind: 'not-configured' } }),
      [['warn', 'API_NOT_CONFIGURED']],
    ],
    ['API at another address', apiFault('status', 'it answered 404'), [['fault', 'API_FAULT']]],
    ['API not reachable', apiFault('unreachable', 'it cannot be reached'), [['fault', 'API_FAULT']]],
    ['an old Traefik', traefik({ version: '3.2.9' }), [['fault', 'TRAEFIK_TOO_OLD']]],
    ['an older Traefik', traefik({ version: '3.5.1' }), [['note', 'TRAEFIK_LACKS']]],
    ['a newer Traefik', traefik({ version: '3.9.0' }), [['note', 'TRAEFIK_NEWER']]],
    ['a Traefik made by hand', traefik({ version: 'dev' }), [['note', 'TRAEFIK_VERSION_UNKNOWN']]],
    ['the API on every address', traefik({ entryPoints: at('traefik', ':8080') }), [['warn', 'API_EXPOSED']]],
    [
      'the API on one public address',
      traefik({ entryPoints: at('traefik', '192.0.2.1:8080/tcp') }),
      [['warn', 'API_EXPOSED']],
    ],

    [
      'ports without entry points',
      traefik({ entryPoints: without('tcp-10003', 'udp-11009') }),
      [
        ['warn', 'ENTRY_POINTS_MISSING'],
        ['warn', 'STATIC_NOT_LOADED'],
      ],
    ],
    [
      'an HTTP entry point missing',
      settings({ httpEntryPoints: ['https', 'web'] }),
      [['warn', 'HTTP_ENTRY_POINT_MISSING']],
    ],
    [
      'ports in the local range',
      kernel({ localPorts: { first: 10_005, last: 60_999 } }),
      [['warn', 'PORTS_IN_LOCAL_RANGE']],
    ],
    ['no kernel settings to read', kernel({ localPorts: null }), [['note', 'PORT_RANGE_UNKNOWN']]],

    [
      'a broken static file',
      facts => ({ ...facts, staticFile: { path: 't.yaml', fault: 'line 3' } }),
      [['fault', 'STATIC_FILE_INVALID']],
    ],
    ['no provider in the static file', staticFile({ provider: null }), [['fault', 'STATIC_NO_PROVIDER']]],
    [
      'another endpoint',
      provider({ endpoint: 'http://127.0.0.1:7400/traefik?hold=25s' }),
      [['fault', 'STATIC_ENDPOINT_WRONG']],
    ],
    [
      'an endpoint elsewhere',
      provider({ endpoint: 'http://10.0.0.1:7480/traefik?hold=25s' }),
      [['fault', 'STATIC_ENDPOINT_WRONG']],
    ],
    [
      'an endpoint by TLS',
      provider({ endpoint: 'https://127.0.0.1:7480/traefik?hold=25s' }),
      [['fault', 'STATIC_ENDPOINT_WRONG']],
    ],
    ['another path', provider({ endpoint: 'http://127.0.0.1:7480/?hold=25s' }), [['fault', 'STATIC_ENDPOINT_WRONG']]],
    ['an endpoint that is none', provider({ endpoint: '' }), [['fault', 'STATIC_ENDPOINT_WRONG']]],
    ['no hold', provider({ endpoint: 'http://127.0.0.1:7480/traefik', holdMs: null }), [['warn', 'STATIC_NO_HOLD']]],
    ['a pollTimeout as short as the hold', provider({ pollTimeoutMs: 25_000 }), [['warn', 'STATIC_POLL_TIMEOUT']]],
    [
      "Traefik's own pace",
      provider({ pollIntervalMs: null, pollTimeoutMs: null }, { throttleMs: null }),
      [
        ['warn', 'STATIC_POLL_TIMEOUT'],
        ['warn', 'STATIC_POLL_INTERVAL'],
        ['warn', 'STATIC_THROTTLE'],
      ],
    ],
    ['no token in the static file', settings({ wantsToken: true }), [['fault', 'STATIC_TOKEN_MISSING']]],
    [
      'another token in the static file',
      both(settings({ wantsToken: true }), provider({ sendsToken: true, tokenMatches: false }, { mode: 0o600 })),
      [['fault', 'STATIC_TOKEN_WRONG']],
    ],
    ['a token that others can read', provider({ sendsToken: true }), [['warn', 'STATIC_FILE_OPEN']]],
    [
      'no default entry point',
      staticFile({ entryPoints: STATIC.entryPoints.map(one => ({ ...one, asDefault: false })) }),
      [['warn', 'STATIC_NO_DEFAULT']],
    ],
    [
      'a pool port as default',
      staticFile({
        entryPoints: STATIC.entryPoints.map(one => ({
          ...one,
          asDefault: one.name === 'web' || one.name === 'tcp-10004',
        })),
      }),
      [['warn', 'STATIC_DEFAULT_POOL']],
    ],
    ['no API in the static file', staticFile({ api: null }), [['warn', 'STATIC_NO_API']]],
    [
      'an open API in the static file',
      staticFile({ entryPoints: STATIC.entryPoints.filter(({ name }) => name !== 'traefik') }),
      [['warn', 'STATIC_API_EXPOSED']],
    ],
    [
      'ports in neither, Traefik not asked',
      both(
        apiFault('timeout', 'no answer'),
        staticFile({ entryPoints: STATIC.entryPoints.filter(({ name }) => name !== 'tcp-10002') }),
      ),
      [
        ['fault', 'API_FAULT'],
        ['warn', 'STATIC_PORTS_MISSING'],
      ],
    ],

    ['a state directory that is gone', state({ file: { kind: 'missing' } }), [['fault', 'STATE_DIRECTORY_MISSING']]],
    [
      'a state directory to be made',
      both(silent, state({ file: { kind: 'missing' } })),
      [
        ['fault', 'AGENT_SILENT'],
        ['note', 'STATE_DIRECTORY_MISSING'],
      ],
    ],
    [
      'a state directory out of sight',
      state({ file: { kind: 'unreadable', code: 'EACCES' } }),
      [['note', 'STATE_DIRECTORY_UNKNOWN']],
    ],
    [
      'a file in its place',
      state({ file: { kind: 'found', mode: 0o600, uid: 0, isDirectory: false } }),
      [['fault', 'STATE_DIRECTORY_INVALID']],
    ],
    ['a state directory for others to write', mode(0o775), [['fault', 'STATE_DIRECTORY_WRITABLE_BY_OTHERS']]],
    ['a state directory for others to read', mode(0o755), [['note', 'STATE_DIRECTORY_OPEN']]],
    ['a disk that is nearly full', state({ freeBytes: 200 * 1024 ** 2 }), [['warn', 'STATE_DISK_FULL']]],
    ['a disk that is full', state({ freeBytes: 0 }), [['fault', 'STATE_DISK_FULL']]],
    [
      'a state that is not saved',
      status({ saved: { fault: { message: 'ENOSPC', remedy: 'Make room.' } } }),
      [['fault', 'STATE_NOT_SAVED']],
    ],
    ['a secret for all', secret({ kind: 'found', mode: 0o644, uid: 0 }), [['fault', 'SECRET_FILE_OPEN']]],
    ['a secret that is not there', secret({ kind: 'missing' }), [['fault', 'SECRET_FILE_MISSING']]],
    ['a secret out of sight', secret({ kind: 'unreadable', code: 'EACCES' }), [['note', 'SECRET_FILE_UNKNOWN']]],
    ['a clock that is off', skew(-12_000), [['warn', 'CLOCK_WRONG']]],
    ['a clock that is far off', skew(61_000), [['fault', 'CLOCK_WRONG']]],
    [
      'a control plane that is silent',
      clock({ kind: 'silent', host: 'c', message: 'ECONNREFUSED' }),
      [['note', 'CLOCK_NOT_COMPARED']],
    ],
    [
      'a Traefik from the future',
      both(clock(null), traefik({ startedAt: NOW + 60_000 })),
      [['warn', 'CLOCK_WENT_BACK']],
    ],
  ])('%s', (_what, change, expected) => {
    expect(trouble(change).map(({ level, code }) => [level, code])).toEqual(expected)
    expect(isHealthy(diagnose(change(GOOD)))).toBe(expected.every(([level]) => level === 'note'))
  })
})

describe('what is told', () => {
  const only = (change: Change, code: string): Finding | undefined => trouble(change).find(found => found.code === code)

  test('the lines to add, and what a restart would cut', () => {
    const change = traefik({
      entryPoints: without('tcp-10003', 'udp-11009'),
      openConnections: new Map([
        ['tcp-10000', 1_370],
        ['web', 7],
      ]),
    })
    expect(only(change, 'ENTRY_POINTS_MISSING')).toEqual({
      level: 'warn',
      code: 'ENTRY_POINTS_MISSING',
      message:
        'Traefik has no entry points for TCP 10003 and UDP 11009, and routes there wait; a restart would cut 1377 open connections',
      remedy: `Add them to Traefik's static configuration and restart it:
  entryPoints:
    tcp-10003:
      address: ":10003"
    udp-11009:
      address: ":11009/udp"`,
    })
  })

  test.each<[ReadonlyMap<string, number> | null, string]>([
    [new Map(), 'a restart would cut no open connection'],
    [new Map([['a', 1]]), 'a restart would cut 1 open connection'],
    [null, 'how many open connections a restart would cut is not known: metrics are not on the API address'],
  ])('connections %#', (openConnections, text) => {
    const found = only(traefik({ entryPoints: without('tcp-10003'), openConnections }), 'ENTRY_POINTS_MISSING')
    expect(found?.message.split('; ')[1]).toBe(text)
  })

  test.each<[string, readonly string[], string]>([
    ['those of HTTP', ['web', 'websecure', 'traefik', 'tcp-10001', 'udp-11000'], 'web and websecure'],
    ['the only one', ['web', 'traefik', 'tcp-10001', 'udp-11000'], 'web'],
    ['the usual ones where there is none', ['traefik', 'tcp-10001'], 'web and websecure'],
  ])('which are to be the default: %s', (_what, names, expected) => {
    const entryPoints = STATIC.entryPoints.flatMap(one =>
      names.includes(one.name) ? [{ ...one, asDefault: false }] : [],
    )
    expect(only(staticFile({ entryPoints }), 'STATIC_NO_DEFAULT')?.remedy).toBe(
      `Give ${expected} asDefault: true and no other, and restart Traefik.`,
    )
  })

  test('many lines are left to static-config', () => {
    const names = ENTRY_POINTS.filter(({ name }) => /^(tcp|udp)-/.test(name)).map(({ name }) => name)
    const found = only(traefik({ entryPoints: without(...names) }), 'ENTRY_POINTS_MISSING')
    expect(found?.remedy).toBe(
      "Add them to Traefik's static configuration and restart it; fairlead static-config makes the whole file.",
    )
  })

  test('the sysctl line keeps what is reserved already', () => {
    const change = kernel({ localPorts: { first: 10_005, last: 60_999 }, reserved: makePortSet([50_000, 10_006]) })
    expect(only(change, 'PORTS_IN_LOCAL_RANGE')).toEqual({
      level: 'warn',
      code: 'PORTS_IN_LOCAL_RANGE',
      message:
        'the kernel may give ports 10005,10007-10009,11000-11009 of the pools to outgoing connections (10005-60999); one of them at the wrong moment keeps Traefik from starting',
      remedy: `Reserve them now and for the next boot:
  sysctl -w net.ipv4.ip_local_reserved_ports=10005-10009,11000-11009,50000
  echo 'net.ipv4.ip_local_reserved_ports = 10005-10009,11000-11009,50000' > /etc/sysctl.d/60-fairlead.conf`,
    })
  })

  test('the endpoint to write is that of this agent', () => {
    const change = both(settings({ provider: { host: '::1', port: 7_490 } }), provider({}))
    expect(only(change, 'STATIC_ENDPOINT_WRONG')).toEqual({
      level: 'fault',
      code: 'STATIC_ENDPOINT_WRONG',
      message:
        'providers.http.endpoint is "http://127.0.0.1:7480/traefik?hold=25s", and the agent listens on [::1]:7490 at /traefik',
      remedy: `Write, and restart Traefik:
  providers:
    http:
      endpoint: "http://[::1]:7490/traefik?hold=25s"`,
    })
  })

  test('what a version lacks, and from which it is there', () => {
    expect(only(traefik({ version: '3.5.1' }), 'TRAEFIK_LACKS')?.message).toBe(
      'Traefik 3.5.1 does not have health checks on TCP (3.6.0): they are left out; PROXY protocol with a dial time-out of ours (3.5.3); wildcards as TCP host names (3.7.0): a regular expression does the same',
    )
  })

  test('other settings are named', () => {
    expect(only(settings({ node: 'proxy-2', api: null }), 'SETTINGS_DIFFER')?.message).toBe(
      'the agent that answers runs with other settings than these: node is proxy-1 there and proxy-2 here; traefik.api is http://127.0.0.1:8080 there and none here',
    )
  })

  test('every trouble but a plain fact has a way out', () => {
    const changes: readonly Change[] = [
      silent,
      polls({ lastPollAt: null, polled: false }),
      apiFault('secured', 'it asks for credentials'),
      apiFault('not-traefik', 'it is something else'),
      staticFile({ provider: null }),
      mode(0o777),
      skew(90_000),
    ]
    for (const change of changes) for (const { remedy } of trouble(change)) expect(remedy).toMatch(/\S/)
  })
})

test('the worst comes first', () => {
  const change = both(
    polls({ lastPollAt: null, polled: false, pollers: 2 }),
    traefik({ version: '3.9.0' }),
    mode(0o777),
  )
  expect(diagnose(change(GOOD)).map(({ level }) => level)).toEqual([
    'fault',
    'fault',
    'warn',
    'note',
    ...Array.from({ length: 11 }, () => 'ok'),
  ])
})
