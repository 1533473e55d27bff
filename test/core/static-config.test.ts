import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { entryPointName, parseEntryPointAddress } from '../../src/core/entry-points.ts'
import { type PortSet, parsePortSet } from '../../src/core/port-set.ts'
import {
  declaredEntryPoints,
  STATIC_DEFAULTS,
  type StaticConfigInput,
  socketUnits,
  staticConfig,
  staticConfigFaults,
} from '../../src/core/static-config.ts'

function ports(text: string): PortSet {
  const parsed = parsePortSet(text)
  if (!parsed.ok) throw new Error(parsed.faults.join('; '))
  return parsed.ports
}

const input = (change: Partial<StaticConfigInput> = {}): StaticConfigInput => ({
  ...STATIC_DEFAULTS,
  tcpPorts: ports('10000-10001'),
  udpPorts: ports('11000'),
  ...change,
})

const config = (change: Partial<StaticConfigInput> = {}): unknown => parse(staticConfig(input(change)))

const POOL_TCP = { lifeCycle: { graceTimeOut: '3s' }, respondingTimeouts: { readTimeout: '10s' } }
const POOL_UDP = { lifeCycle: { graceTimeOut: '3s' } }

const WHOLE = {
  global: { checkNewVersion: false, sendAnonymousUsage: false },
  log: { level: 'INFO', noColor: true },
  entryPoints: {
    web: { address: ':80', asDefault: true },
    websecure: { address: ':443', asDefault: true },
    traefik: { address: '127.0.0.1:8080' },
    'tcp-10000': { address: ':10000', transport: POOL_TCP },
    'tcp-10001': { address: ':10001', transport: POOL_TCP },
    'udp-11000': { address: ':11000/udp', transport: POOL_UDP },
  },
  api: { insecure: true },
  ping: { entryPoint: 'traefik' },
  metrics: { prometheus: { entryPoint: 'traefik', addEntryPointsLabels: true } },
  providers: {
    providersThrottleDuration: '100ms',
    http: { endpoint: 'http://127.0.0.1:7480/traefik?hold=25s', pollInterval: '100ms', pollTimeout: '40s' },
  },
}

describe('the static file', () => {
  test('has entry points, API, metrics and the provider', () => {
    expect(config()).toEqual(WHOLE)
  })

  test('the same input gives the same bytes', () => {
    expect(staticConfig(input({ tcpPorts: ports('10001,10000') }))).toBe(staticConfig(input()))
  })

  test('names how it was made', () => {
    expect(staticConfig(input({ madeBy: 'fairlead static-config --tcp 1' }))).toContain(
      '# Made by:  fairlead static-config --tcp 1\n',
    )
  })

  test('empty pools leave the three fixed entry points', () => {
    const { web, websecure, traefik } = WHOLE.entryPoints
    expect(config({ tcpPorts: ports('none'), udpPorts: ports('none') })).toEqual({
      ...WHOLE,
      entryPoints: { web, websecure, traefik },
    })
  })

  test('a number that is taken makes no second entry point', () => {
    const names = declaredEntryPoints(input({ tcpPorts: ports('80,443,5432,8080'), udpPorts: ports('443') })).map(
      ({ name }) => name,
    )
    expect(names).toEqual(['web', 'websecure', 'traefik', 'tcp-5432', 'udp-443'])
  })

  test('every address and listener can be another', () => {
    const moved = config({
      web: { host: '127.0.0.1', port: 8000 },
      websecure: { host: '', port: 8443 },
      traefik: { host: '::1', port: 9000 },
      poolHost: '127.0.0.2',
      provider: { host: '::1', port: 7000 },
    })
    expect(moved).toEqual({
      ...WHOLE,
      entryPoints: {
        web: { address: '127.0.0.1:8000', asDefault: true },
        websecure: { address: ':8443', asDefault: true },
        traefik: { address: '[::1]:9000' },
        'tcp-10000': { address: '127.0.0.2:10000', transport: POOL_TCP },
        'tcp-10001': { address: '127.0.0.2:10001', transport: POOL_TCP },
        'udp-11000': { address: '127.0.0.2:11000/udp', transport: POOL_UDP },
      },
      providers: {
        ...WHOLE.providers,
        http: { ...WHOLE.providers.http, endpoint: 'http://[::1]:7000/traefik?hold=25s' },
      },
    })
  })

  test('a token becomes a header and a warning', () => {
    const text = staticConfig(input({ token: 'a"b\\c: #x' }))
    expect(parse(text)).toEqual({
      ...WHOLE,
      providers: {
        ...WHOLE.providers,
        http: { ...WHOLE.providers.http, headers: { Authorization: 'Bearer a"b\\c: #x' } },
      },
    })
    expect(text).toContain('# This file holds the token')
  })

  test('without a token nothing speaks of one', () => {
    expect(staticConfig(input())).not.toMatch(/token|Authorization/)
  })

  test('a certificate resolver uses the HTTP challenge', () => {
    expect(
      config({ acme: { email: 'ops@example.com', storage: '/var/lib/traefik/acme.json', staging: true } }),
    ).toEqual({
      ...WHOLE,
      certificatesResolvers: {
        letsencrypt: {
          acme: {
            email: 'ops@example.com',
            storage: '/var/lib/traefik/acme.json',
            caServer: 'https://acme-staging-v02.api.letsencrypt.org/directory',
            httpChallenge: { entryPoint: 'web' },
          },
        },
      },
    })
  })

  test('UDP sessions may be silent for longer', () => {
    const entryPoints = {
      ...WHOLE.entryPoints,
      'udp-11000': { address: ':11000/udp', transport: POOL_UDP, udp: { timeout: '30000ms' } },
    }
    expect(config({ udpTimeoutMs: 30_000 })).toEqual({ ...WHOLE, entryPoints })
  })

  test('names and addresses are those that the compiler looks for', () => {
    const pool = declaredEntryPoints(input({ tcpPorts: ports('80,443,5432,10000'), udpPorts: ports('53') }))
    const expected = [80, 443, 8080, 5432, 10000].map(port => entryPointName('tcp', port))
    expect(pool.filter(({ protocol }) => protocol === 'tcp').map(({ name }) => name)).toEqual(expected)
    const written = Object.values(WHOLE.entryPoints).map(({ address }) => parseEntryPointAddress(address)?.port)
    expect(written).toEqual([80, 443, 8080, 10000, 10001, 11000])
  })
})

describe('faults', () => {
  test('the defaults have none', () => {
    expect(staticConfigFaults(input())).toEqual([])
  })

  test.each([
    [{ web: { host: '', port: 443 } }, ['web and websecure are both on port 443; give each a port of its own']],
    [
      { provider: { host: '127.0.0.1', port: 0 } },
      ['the provider endpoint is on port 0, any free one; Traefik needs a fixed one, such as 127.0.0.1:7480'],
    ],
    [
      { tcpPorts: ports('7000-8000') },
      ["port 7480 is the agent's provider endpoint and cannot be the entry point tcp-7480 as well"],
    ],
    [
      { traefik: { host: '127.0.0.1', port: 7480 } },
      ["port 7480 is the agent's provider endpoint and cannot be the entry point traefik as well"],
    ],
  ] satisfies readonly (readonly [Partial<StaticConfigInput>, readonly string[]])[])(
    'case %# is refused',
    (change, faults) => {
      expect(staticConfigFaults(input(change))).toEqual(faults)
    },
  )
})

describe('socket units', () => {
  test('one for each public entry point', () => {
    expect(socketUnits(input()).map(({ fileName }) => fileName)).toEqual([
      'fairlead-web.socket',
      'fairlead-websecure.socket',
      'fairlead-tcp-10000.socket',
      'fairlead-tcp-10001.socket',
      'fairlead-udp-11000.socket',
    ])
  })

  test('a TCP unit listens under the name of its entry point', () => {
    expect(socketUnits(input())[2]?.text).toBe(`# Made by:  fairlead static-config
[Unit]
Description=Socket of Traefik's entry point tcp-10000

[Socket]
ListenStream=10000
# Traefik finds the socket of an entry point by this name.
FileDescriptorName=tcp-10000
Service=traefik.service

[Install]
WantedBy=sockets.target
`)
  })

  test('UDP units take datagrams, and addresses are kept', () => {
    const lines = socketUnits(input({ poolHost: '::1', web: { host: '127.0.0.1', port: 8000 } })).map(
      ({ text }) => /^Listen.*$/m.exec(text)?.[0],
    )
    expect(lines).toEqual([
      'ListenStream=127.0.0.1:8000',
      'ListenStream=443',
      'ListenStream=[::1]:10000',
      'ListenStream=[::1]:10001',
      'ListenDatagram=[::1]:11000',
    ])
  })
})
