import { describe, expect, test } from 'vitest'
import { AGENT_SETTINGS } from '../../src/agent/config.ts'
import { CONTROL_SETTINGS, type ControlConfig, parseControlConfig } from '../../src/control/config.ts'
import { parseNetwork } from '../../src/core/upstream.ts'
import type { Environment } from '../../src/lib/settings.ts'

const parse = (text: string | null, env: Environment = {}) =>
  parseControlConfig({ text, fileName: text === null ? null : 'control.yaml', env, hostName: 'host-1' })

function config(text: string | null, env: Environment = {}): ControlConfig {
  const result = parse(text, env)
  if (!result.ok) throw new Error(result.faults.join('\n'))
  return result.config
}

function faults(text: string | null, env: Environment = {}): readonly string[] {
  const result = parse(text, env)
  if (result.ok) throw new Error('there is no fault')
  return result.faults
}

// Sets of ports hold functions, which are never equal: so their text stands for them.
const plain = ({ ports: { tcp, udp, reserved, shared }, ...rest }: ControlConfig) => ({
  ...rest,
  ports: { tcp: tcp.text, udp: udp.text, reserved: reserved.text, shared: shared.text },
})

const DEFAULTS = {
  listen: { host: '127.0.0.1', port: 7400 },
  state: { directory: '/var/lib/fairlead-control' },
  publicUrl: null,
  publicHost: '127.0.0.1',
  tls: null,
  trustedProxies: [],
  database: { url: null },
  ports: { tcp: '10000-10099', udp: '11000-11099', reserved: 'none', shared: 'none' },
  release: { leastTimeMs: 60_000, nodeLostAfterMs: 86_400_000 },
  policy: { allowUpstreams: [], denyUpstreams: [], onlyUpstreams: [], hostNames: false },
  log: { level: 'info' },
}

const FULL = `
listen: 0.0.0.0:443
state: { directory: /srv/control }
publicUrl: https://control.example.com/
publicHost: proxy.example.com
tls: { certFile: /etc/fairlead/tls.crt, keyFile: /etc/fairlead/tls.key }
trustedProxies: [10.0.0.5, "fd00::/8"]
database: { url: "postgres://fairlead:secret@db.example.com/fairlead" }
ports: { tcp: [5432, 20000-20009], udp: none, reserved: 20003, shared: [443, 5432] }
release: { leastTime: 5m, nodeLostAfter: 2d }
policy: { allowUpstreams: [127.0.0.0/8], denyUpstreams: [10.9.0.0/16], onlyUpstreams: ["fd00::/8"], hostNames: true }
log: { level: debug }
`

const FULL_CONFIG = {
  listen: { host: '0.0.0.0', port: 443 },
  state: { directory: '/srv/control' },
  publicUrl: 'https://control.example.com',
  publicHost: 'proxy.example.com',
  tls: { certFile: '/etc/fairlead/tls.crt', keyFile: '/etc/fairlead/tls.key' },
  trustedProxies: ['10.0.0.5/32', 'fd00::/8'],
  database: { url: 'postgres://fairlead:secret@db.example.com/fairlead' },
  ports: { tcp: '5432,20000-20009', udp: 'none', reserved: '20003', shared: '443,5432' },
  release: { leastTimeMs: 300_000, nodeLostAfterMs: 172_800_000 },
  policy: {
    allowUpstreams: [parseNetwork('127.0.0.0/8')],
    denyUpstreams: [parseNetwork('10.9.0.0/16')],
    onlyUpstreams: [parseNetwork('fd00::/8')],
    hostNames: true,
  },
  log: { level: 'debug' },
}

// One text for each key, so that a key which lost its variable is seen.
const FULL_ENVIRONMENT = {
  FAIRLEAD_LISTEN: '0.0.0.0:443',
  FAIRLEAD_STATE_DIRECTORY: '/srv/control',
  FAIRLEAD_PUBLIC_URL: 'https://control.example.com',
  FAIRLEAD_PUBLIC_HOST: 'proxy.example.com',
  FAIRLEAD_TLS_CERT_FILE: '/etc/fairlead/tls.crt',
  FAIRLEAD_TLS_KEY_FILE: '/etc/fairlead/tls.key',
  FAIRLEAD_TRUSTED_PROXIES: '10.0.0.5,fd00::/8',
  FAIRLEAD_DATABASE_URL: 'postgres://fairlead:secret@db.example.com/fairlead',
  FAIRLEAD_PORTS_TCP: '5432,20000-20009',
  FAIRLEAD_PORTS_UDP: 'none',
  FAIRLEAD_PORTS_RESERVED: '20003',
  FAIRLEAD_PORTS_SHARED: '443,5432',
  FAIRLEAD_RELEASE_LEAST_TIME: '5m',
  FAIRLEAD_RELEASE_NODE_LOST_AFTER: '2d',
  FAIRLEAD_POLICY_ALLOW_UPSTREAMS: '127.0.0.0/8',
  FAIRLEAD_POLICY_DENY_UPSTREAMS: '10.9.0.0/16',
  FAIRLEAD_POLICY_ONLY_UPSTREAMS: 'fd00::/8',
  FAIRLEAD_POLICY_HOST_NAMES: 'true',
  FAIRLEAD_LOG_LEVEL: 'debug',
}

describe('settings of a control plane', () => {
  test('need neither a file nor a variable', () => {
    expect(plain(config(null))).toEqual(DEFAULTS)
    expect(plain(config(''))).toEqual(DEFAULTS)
  })

  test('come from a file', () => {
    expect(plain(config(FULL))).toEqual(FULL_CONFIG)
  })

  test('come from the environment alone', () => {
    expect(plain(config(null, FULL_ENVIRONMENT))).toEqual(FULL_CONFIG)
    expect(Object.keys(FULL_ENVIRONMENT)).toEqual(CONTROL_SETTINGS.map(({ env }) => env))
  })

  test('variables beat the file', () => {
    const { listen, ports } = config('listen: 127.0.0.1:1\nports: { tcp: 1-2 }\n', { FAIRLEAD_PORTS_TCP: '30000' })
    expect([listen.port, ports.tcp.text]).toEqual([1, '30000'])
  })

  test('DATABASE_URL beats the file and yields to our own name', () => {
    const file = 'database: { url: postgres://file/one }'
    const other = { DATABASE_URL: 'postgresql://other/two' }
    expect(config(file, other).database.url).toBe('postgresql://other/two')
    expect(config(file, { ...other, FAIRLEAD_DATABASE_URL: 'postgres://own/three' }).database.url).toBe(
      'postgres://own/three',
    )
    expect(config(file, { ...other, FAIRLEAD_DATABASE_URL: 'none' }).database.url).toBe(null)
    expect(config(file, { DATABASE_URL: '' }).database.url).toBe('postgres://file/one')
  })

  test.each([
    ['listen: 10.1.2.3:7400\ntrustedProxies: [10.1.2.4]', '10.1.2.3'],
    ['listen: 0.0.0.0:7400\ntrustedProxies: [10.1.2.4]', 'host-1'],
    ['listen: "[::]:7400"\ntrustedProxies: [10.1.2.4]', 'host-1'],
    ['publicUrl: https://control.example.com:8443', 'control.example.com'],
    ['publicUrl: https://[2001:db8::1]', '2001:db8::1'],
    ['publicUrl: https://control.example.com\npublicHost: proxy.example.com', 'proxy.example.com'],
  ])('%j is reached at %s', (text, host) => {
    expect(config(text).publicHost).toBe(host)
  })

  test('all faults come at once', () => {
    const text = [
      'listen: nowhere',
      'publicUrl: http://control.example.com',
      'publicHost: "a b"',
      'trustedProxies: [10.0.0.5:80, x]',
      'ports: { tcp: 0-5, shared: x }',
      'release: { leastTime: 60 }',
      'colour: red',
    ].join('\n')
    expect(faults(text)).toEqual([
      'control.yaml:1: listen: "nowhere" is not an address and a port; write it as 127.0.0.1:7400',
      'control.yaml:2: publicUrl: "http://control.example.com" is plain http to another machine; write https://control.example.com',
      'control.yaml:3: publicHost: "a b" is not a host name or an address, such as proxy.example.com',
      'control.yaml:4: trustedProxies[0]: "10.0.0.5:80" is not the address or the network of a proxy; write it as 10.0.0.5 or 10.0.0.0/8',
      'control.yaml:4: trustedProxies[1]: "x" is not the address or the network of a proxy; write it as 10.0.0.5 or 10.0.0.0/8',
      'control.yaml:5: ports.tcp: port 0 is outside 1-65535',
      'control.yaml:5: ports.shared: "x" is not a port number; write ports as 10000-10099,5432',
      'control.yaml:6: release.leastTime: 60 is not a duration; write it with its unit, as 500ms, 30s, 2m or 24h',
      'control.yaml:7: colour is not a setting; known here: listen, state, publicUrl, publicHost, tls, trustedProxies, database, ports, release, policy, log',
    ])
  })

  test('a wrong URL of a database is not repeated', () => {
    const way =
      'the value (not repeated here) is not a URL of PostgreSQL; write it as postgres://USER:PASSWORD@HOST/DATABASE, or none for the embedded database'
    expect(faults('database: { url: "mysql://root:hunter2@db" }')).toEqual([`control.yaml:1: database.url: ${way}`])
    expect(faults(null, { DATABASE_URL: 'hunter2' })).toEqual([`DATABASE_URL: database.url: ${way}`])
    expect(faults(null, { FAIRLEAD_DATABASE_URL: 'hunter2' })).toEqual([`FAIRLEAD_DATABASE_URL: database.url: ${way}`])
  })

  test('plain http stays on this machine', () => {
    expect(faults('listen: 0.0.0.0:7400')).toEqual([
      'listen, tls, trustedProxies: 0.0.0.0:7400 is reached over the network, and plain http would show every password and token; ' +
        'set tls.certFile and tls.keyFile, or name the proxy that does TLS in trustedProxies, or listen on 127.0.0.1',
    ])
    expect(config('listen: "[::1]:7400"').listen).toEqual({ host: '::1', port: 7400 })
    expect(config('listen: 10.0.0.1:7400\ntrustedProxies: [10.0.0.2]').trustedProxies).toEqual(['10.0.0.2/32'])
  })

  test('half a certificate is a fault', () => {
    expect(faults('listen: 0.0.0.0:443\ntls: { certFile: /a.crt }')).toEqual([
      'tls.certFile, tls.keyFile: one of them is set and the other is not; set both, or neither',
    ])
  })

  test('the console has no path of its own', () => {
    expect(faults('publicUrl: https://example.com/fairlead')).toEqual([
      'control.yaml:1: publicUrl: "https://example.com/fairlead" has a path; write it as https://example.com',
    ])
  })

  test('no number is both shared and reserved', () => {
    expect(faults('ports: { shared: [443, 5432], reserved: 5000-6000 }')).toEqual([
      'ports.shared, ports.reserved: 5432 stands in both; take it out of one',
    ])
  })

  test('those of both halves may stand in one environment', () => {
    const env = Object.fromEntries(AGENT_SETTINGS.map(({ env: name }) => [name, '']))
    expect(parse(null, env)).toMatchObject({ ok: true })
  })
})
