import { describe, expect, test } from 'vitest'
import { AGENT_SETTINGS, type AgentConfig, parseAgentConfig, sourceFault } from '../../src/agent/config.ts'
import { parsePortSet } from '../../src/core/port-set.ts'
import { parseNetwork } from '../../src/core/upstream.ts'
import type { Environment } from '../../src/lib/settings.ts'

const parse = (text: string | null, env: Environment = {}) =>
  parseAgentConfig({ text, fileName: text === null ? null : 'agent.yaml', env, hostName: 'host-1' })

function config(text: string | null, env: Environment = {}): AgentConfig {
  const result = parse(text, env)
  if (!result.ok) throw new Error(result.faults.join('\n'))
  return result.config
}

// Sets of ports hold functions, which are never equal: so their text stands for them.
const plain = (value: AgentConfig) => ({ ...value, ports: { tcp: value.ports.tcp.text, udp: value.ports.udp.text } })

const DEFAULTS = {
  node: 'host-1',
  state: { directory: '/var/lib/fairlead' },
  sources: { files: null, controlPlane: null },
  provider: { listen: { host: '127.0.0.1', port: 7480 }, tokenFile: null },
  admin: { listen: { host: '127.0.0.1', port: 7481 } },
  traefik: { api: null },
  ports: { tcp: '10000-10099', udp: '11000-11099' },
  http: { entryPoints: ['websecure'], redirectFrom: 'web', certResolver: null },
  tls: { defaultCertificate: 'auto' },
  policy: {
    allowUpstreams: [],
    denyUpstreams: [],
    onlyUpstreams: [],
    hostNames: false,
    maxRoutes: 20_000,
    guard: { minRoutes: 10, maxRatio: 0.5, settleMs: 30_000 },
  },
  log: { level: 'info' },
}

const FULL = `
node: proxy-1
state: { directory: /srv/fairlead }
sources:
  files: { directory: /etc/fairlead/routes.d }
  controlPlane:
    urls: [https://control.example.com/, http://127.0.0.1:7400]
    caFile: /etc/fairlead/ca.pem
    pollInterval: 10s
    report: never
provider: { listen: "[::1]:7490", tokenFile: /run/credentials/provider-token }
admin: { listen: 127.0.0.2:7491 }
traefik: { api: http://127.0.0.1:8080/ }
ports: { tcp: [5432, 20000-20009], udp: none }
http: { entryPoints: [websecure, internal], redirectFrom: null, certResolver: letsencrypt }
tls: { defaultCertificate: on }
policy:
  allowUpstreams: [127.0.0.1:18080]
  denyUpstreams: [10.9.0.0/16]
  onlyUpstreams: ["fd00::/8"]
  hostNames: true
  maxRoutes: 500
  guard: { minRoutes: 5, maxRatio: 0.25, settle: 2m }
log: { level: debug }
`

const FULL_CONFIG = {
  node: 'proxy-1',
  state: { directory: '/srv/fairlead' },
  sources: {
    files: { directory: '/etc/fairlead/routes.d' },
    controlPlane: {
      urls: ['https://control.example.com', 'http://127.0.0.1:7400'],
      identityFile: '/srv/fairlead/identity.json',
      caFile: '/etc/fairlead/ca.pem',
      tokenFile: null,
      pollIntervalMs: 10_000,
      report: 'never',
    },
  },
  provider: { listen: { host: '::1', port: 7490 }, tokenFile: '/run/credentials/provider-token' },
  admin: { listen: { host: '127.0.0.2', port: 7491 } },
  traefik: { api: 'http://127.0.0.1:8080' },
  ports: { tcp: '5432,20000-20009', udp: 'none' },
  http: { entryPoints: ['websecure', 'internal'], redirectFrom: null, certResolver: 'letsencrypt' },
  tls: { defaultCertificate: 'on' },
  policy: {
    allowUpstreams: [parseNetwork('127.0.0.1:18080')],
    denyUpstreams: [parseNetwork('10.9.0.0/16')],
    onlyUpstreams: [parseNetwork('fd00::/8')],
    hostNames: true,
    maxRoutes: 500,
    guard: { minRoutes: 5, maxRatio: 0.25, settleMs: 120_000 },
  },
  log: { level: 'debug' },
}

// One text for each key, so that a key which lost its variable is seen.
const FULL_ENVIRONMENT = {
  FAIRLEAD_NODE: 'proxy-1',
  FAIRLEAD_STATE_DIRECTORY: '/srv/fairlead',
  FAIRLEAD_SOURCES_FILES_DIRECTORY: '/etc/fairlead/routes.d',
  FAIRLEAD_SOURCES_CONTROL_PLANE_URLS: 'https://control.example.com/,http://127.0.0.1:7400',
  FAIRLEAD_SOURCES_CONTROL_PLANE_IDENTITY_FILE: '/srv/fairlead/identity.json',
  FAIRLEAD_SOURCES_CONTROL_PLANE_CA_FILE: '/etc/fairlead/ca.pem',
  FAIRLEAD_SOURCES_CONTROL_PLANE_TOKEN_FILE: 'none',
  FAIRLEAD_SOURCES_CONTROL_PLANE_POLL_INTERVAL: '10s',
  FAIRLEAD_SOURCES_CONTROL_PLANE_REPORT: 'never',
  FAIRLEAD_PROVIDER_LISTEN: '[::1]:7490',
  FAIRLEAD_PROVIDER_TOKEN_FILE: '/run/credentials/provider-token',
  FAIRLEAD_ADMIN_LISTEN: '127.0.0.2:7491',
  FAIRLEAD_TRAEFIK_API: 'http://127.0.0.1:8080',
  FAIRLEAD_PORTS_TCP: '20000-20009,5432',
  FAIRLEAD_PORTS_UDP: 'none',
  FAIRLEAD_HTTP_ENTRY_POINTS: 'websecure,internal',
  FAIRLEAD_HTTP_REDIRECT_FROM: 'none',
  FAIRLEAD_HTTP_CERT_RESOLVER: 'letsencrypt',
  FAIRLEAD_TLS_DEFAULT_CERTIFICATE: 'on',
  FAIRLEAD_POLICY_ALLOW_UPSTREAMS: '127.0.0.1:18080',
  FAIRLEAD_POLICY_DENY_UPSTREAMS: '10.9.0.0/16',
  FAIRLEAD_POLICY_ONLY_UPSTREAMS: 'fd00::/8',
  FAIRLEAD_POLICY_HOST_NAMES: 'true',
  FAIRLEAD_POLICY_MAX_ROUTES: '500',
  FAIRLEAD_POLICY_GUARD_MIN_ROUTES: '5',
  FAIRLEAD_POLICY_GUARD_MAX_RATIO: '0.25',
  FAIRLEAD_POLICY_GUARD_SETTLE: '2m',
  FAIRLEAD_LOG_LEVEL: 'debug',
}

test('no file and no environment give the defaults', () => {
  expect(plain(config(null))).toEqual(DEFAULTS)
})

test('a file may set every key', () => {
  expect(plain(config(FULL))).toEqual(FULL_CONFIG)
})

test('the environment may set every key', () => {
  expect(plain(config(null, FULL_ENVIRONMENT))).toEqual(FULL_CONFIG)
})

test('every key has one variable and the test knows it', () => {
  expect(AGENT_SETTINGS.map(({ env }) => env)).toEqual(Object.keys(FULL_ENVIRONMENT))
})

test('the identity lies in the state directory', () => {
  const { sources } = config('sources: { controlPlane: { urls: https://c.example } }', {
    FAIRLEAD_STATE_DIRECTORY: '/s',
  })
  expect(sources.controlPlane?.identityFile).toBe('/s/identity.json')
})

test('one number is a set of ports', () => {
  expect(config('ports: { tcp: 5432 }').ports.tcp.text).toBe('5432')
})

test('ports are the sets that their texts say', () => {
  const expected = parsePortSet('10000-10099')
  expect(config(null).ports.tcp.list()).toEqual(expected.ok && expected.ports.list())
})

describe('faults', () => {
  test.each([
    ['ports: { tcp: 70000 }', 'agent.yaml:1: ports.tcp: port 70000 is outside 1-65535'],
    [
      'ports: { tcp: 1-20000 }',
      'agent.yaml:1: ports.tcp: 20000 ports are more than 10000; each is an entry point and costs Traefik memory',
    ],
    [
      'ports: { tcp: { from: 1 } }',
      'agent.yaml:1: ports.tcp: {"from":1} is not a set of ports; write it as 10000-10099,5432, or none',
    ],
    [
      'policy: { allowUpstreams: [10.0.0.0/33] }',
      'agent.yaml:1: policy.allowUpstreams[0]: "10.0.0.0/33" is not an address or a network; write it as 10.0.0.0/8, 127.0.0.1:18080 or [::1]:5432',
    ],
    [
      'provider: { listen: 0.0.0.0:7480 }',
      'agent.yaml:1: provider.listen: "0.0.0.0:7480" is not a loopback address, and this endpoint is for this machine only; write it as 127.0.0.1:7480',
    ],
    [
      'admin: { listen: 10.0.0.1:7481 }',
      'agent.yaml:1: admin.listen: "10.0.0.1:7481" is not a loopback address, and this endpoint is for this machine only; write it as 127.0.0.1:7481',
    ],
    ['sources: { controlPlane: {} }', 'agent.yaml:1: sources.controlPlane.urls is missing'],
    [
      'sources: { files: { directory: routes.d } }',
      'agent.yaml:1: sources.files.directory: "routes.d" is not an absolute path; begin it with /',
    ],
    [
      'sources: { controlPlane: { urls: http://control.example.com } }',
      'agent.yaml:1: sources.controlPlane.urls[0]: "http://control.example.com" is plain http to another machine; write https://control.example.com',
    ],
    [
      'traefik: { api: 127.0.0.1:8080 }',
      'agent.yaml:1: traefik.api: "127.0.0.1:8080" is not a URL of http or https; write it as http://127.0.0.1:8080',
    ],
    [
      'policy: { guard: { settle: 30 } }',
      'agent.yaml:1: policy.guard.settle: 30 is not a duration; write it with its unit, as 500ms, 30s, 2m or 24h',
    ],
    ['traefik: { apis: x }', 'agent.yaml:1: traefik.apis is not a setting; did you mean traefik.api?'],
    [
      'admin: { listen: 127.0.0.1:7480 }',
      'provider.listen, admin.listen: both are 127.0.0.1:7480; give each a port of its own',
    ],
    [
      'ports: { tcp: 7000-8000 }\nadmin: { listen: 127.0.0.1:9000 }',
      'provider.listen, ports.tcp: port 7480 is an entry point of Traefik in the one and ours in the other; take it out of one',
    ],
    [
      'http: { entryPoints: [web] }',
      'http.redirectFrom, http.entryPoints: web is in both and would redirect to itself; set redirectFrom: none',
    ],
  ])('%j gives its fault', (text, sentence) => {
    expect(parse(text)).toEqual({ ok: false, faults: [sentence] })
  })

  test('port 0 may stand in both endpoints', () => {
    expect(parse('provider: { listen: 127.0.0.1:0 }\nadmin: { listen: 127.0.0.1:0 }').ok).toBe(true)
  })
})

test('settings without a source name both ways out', () => {
  expect(sourceFault(config(null))).toBe(
    'sources: none is set; name a folder in sources.files.directory (FAIRLEAD_SOURCES_FILES_DIRECTORY), or a control plane in sources.controlPlane.urls (FAIRLEAD_SOURCES_CONTROL_PLANE_URLS)',
  )
})

test('one source is enough', () => {
  expect(sourceFault(config('sources: { files: { directory: /r } }'))).toBe(null)
})
