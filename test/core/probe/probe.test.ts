import { X509Certificate } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { judge } from '../../../src/core/judge.ts'
import type { ObservedEntryPoint } from '../../../src/core/observed.ts'
import { applyProbe, type Heard, judgeProbe, type ProbeResult } from '../../../src/core/probe/probe.ts'
import { type Appointment, answered, enter, firstDue } from '../../../src/core/probe/schedule.ts'
import {
  findTarget,
  loopbackOf,
  type ProbeTarget,
  probeableOutcomes,
  probeTargets,
} from '../../../src/core/probe/target.ts'
import type { RouteKey } from '../../../src/core/problem.ts'
import { NO_PLACE } from '../../../src/core/route-place.ts'
import { REASONS } from '../../../src/core/verdict.ts'
import {
  compileLists,
  httpRoute,
  type Lists,
  NODE,
  nodeWith,
  tcpRoute,
  traefikWith,
  udpRoute,
  viewOf,
} from '../../support/builders.ts'
import { selfSigned } from '../../support/certificates.ts'
import { part } from '../../support/parts.ts'

const ENTRY_POINTS: readonly ObservedEntryPoint[] = traefikWith().entryPoints

function targetOf(lists: Lists, entryPoints = ENTRY_POINTS): ProbeTarget | string {
  const { outcomes, config } = compileLists(lists)
  const [outcome] = outcomes
  if (outcome === undefined) throw new Error('no outcome')
  return findTarget(outcome, config, entryPoints)
}

const aim = (lists: Lists): unknown => {
  const target = targetOf(lists)
  if (typeof target === 'string') return target
  const { host, port, serverName, secure, path, spec, periodic } = target
  return [host, port, serverName, secure, path, spec.type, periodic]
}

describe('where a probe goes', () => {
  test.each<[what: string, lists: Lists, expected: unknown]>([
    ['plain TCP', { tcpRoutes: [tcpRoute({ probe: true })] }, ['127.0.0.1', 10001, null, false, '/', 'connect', true]],
    [
      'a host name',
      { tcpRoutes: [tcpRoute({ probe: true, sniHostname: 'db.example.com' })] },
      ['127.0.0.1', 10001, 'db.example.com', false, '/', 'tls', true],
    ],
    [
      'any name below a wildcard',
      { tcpRoutes: [tcpRoute({ probe: true, sniHostname: '*.example.com' })] },
      ['127.0.0.1', 10001, 'fairlead-probe.example.com', false, '/', 'tls', true],
    ],
    [
      'the first port of a block',
      { tcpRoutes: [tcpRoute({ probe: true, externalPortEnd: 10005 })] },
      ['127.0.0.1', 10001, null, false, '/', 'connect', true],
    ],
    ['UDP', { udpRoutes: [udpRoute({ probe: true })] }, ['127.0.0.1', 11000, null, false, '/', 'udp', true]],
    [
      'HTTP by its TLS entry point',
      { routes: [httpRoute({ probe: true, pathPrefix: '/api' })] },
      ['127.0.0.1', 443, 'app.example.com', true, '/api', 'http', true],
    ],
    [
      'a route without a probe, when asked',
      { tcpRoutes: [tcpRoute()] },
      ['127.0.0.1', 10001, null, false, '/', 'connect', false],
    ],
    ['not to a route that is not served', { tcpRoutes: [tcpRoute({ externalPort: 1 })] }, 'the route is not served'],
    ['not to one without upstreams', { tcpRoutes: [tcpRoute({ upstreams: [] })] }, 'the route has no upstreams'],
    [
      'not to UDP that says nothing',
      { udpRoutes: [udpRoute({ upstreams: ['10.0.0.1:7'] })] },
      'a UDP probe needs something that the upstream answers: give probe.sendHex',
    ],
    [
      'not where it would be kept out',
      { tcpRoutes: [tcpRoute({ allowCidrs: ['10.0.0.0/8', '127.0.0.2'] })] },
      'allowCidrs does not let 127.0.0.1 in, where the probe would come from',
    ],
    [
      'where loopback is let in',
      { tcpRoutes: [tcpRoute({ allowCidrs: ['10.0.0.0/8', '127.0.0.0/8'] })] },
      ['127.0.0.1', 10001, null, false, '/', 'connect', false],
    ],
  ])('%s', (_, lists, expected) => {
    expect(aim(lists)).toEqual(expected)
  })

  test('HTTP without a TLS entry point goes plain', () => {
    const http = { ...NODE.http, entryPoints: ['web'], redirectFrom: null }
    const { outcomes, config } = compileLists(
      { routes: [httpRoute()] },
      { node: nodeWith({ http }), view: viewOf(traefikWith()) },
    )
    const target = outcomes[0] === undefined ? '' : findTarget(outcomes[0], config, ENTRY_POINTS)
    expect(target).toMatchObject({ port: 80, secure: false })
  })

  test('without its entry point nobody knows', () => {
    expect(targetOf({ tcpRoutes: [tcpRoute()] }, [])).toBe('the address of its entry point is not known')
  })

  test.each([
    [':10000', '127.0.0.1'],
    ['0.0.0.0:10000', '127.0.0.1'],
    ['127.0.0.1:5432', '127.0.0.1'],
    ['192.0.2.10:5432/tcp', '192.0.2.10'],
    [':53/udp', '127.0.0.1'],
    ['[::]:53/UDP', '::1'],
    ['[::1]:53/udp', '::1'],
    ['[2001:db8::1]:53', '2001:db8::1'],
  ])('%s is met at %s', (address, host) => {
    expect(loopbackOf(address)).toBe(host)
  })

  test('a change of the route or its entry point is another version', () => {
    const version = (fields: object, entryPoints = ENTRY_POINTS) => {
      const target = targetOf({ tcpRoutes: [tcpRoute({ ...fields })] }, entryPoints)
      return typeof target === 'string' ? target : target.version
    }
    expect(version({})).toBe(version({}))
    expect(version({ upstreams: ['10.200.1.6:5432'] })).not.toBe(version({}))
    const moved = ENTRY_POINTS.map(one => ({ ...one, address: `192.0.2.10${one.address}` }))
    expect(version({}, moved)).not.toBe(version({}))
  })
})

test('only what stands in Traefik and asks for it is probed', () => {
  const compiled = compileLists({
    tcpRoutes: [
      tcpRoute({ id: 'a', externalPort: 10001, probe: true }),
      tcpRoute({ id: 'b', externalPort: 10002 }),
      tcpRoute({ id: 'c', externalPort: 10003, probe: true }),
      tcpRoute({ id: 'taken', externalPort: 10001, probe: true }),
    ],
  })
  const { outcomes, config } = compiled
  const evidence = { kind: 'none' } as const
  const verdicts = judge({ outcomes, rejected: [], config, polled: 'yes', evidence, held: new Map() })
  const live = verdicts.map(verdict =>
    verdict.id === 'c' || verdict.verdict === 'conflicted'
      ? verdict
      : { ...verdict, reason: 'LIVE' as const, verdict: 'live' as const },
  )
  const standing = { outcomes, verdicts: live, config, entryPoints: ENTRY_POINTS }
  expect([...probeableOutcomes(standing).keys()]).toEqual(['tcp/a', 'tcp/b'])
  expect(probeTargets(standing).map(({ key }) => key)).toEqual(['tcp/a'])
  expect(probeTargets({ ...standing, verdicts })).toEqual([])
  expect(probeTargets({ ...standing, entryPoints: [] })).toEqual([])
})

const AT = Date.parse('2026-11-23T10:00:00Z')

function judged(fields: object, heard: Heard, protocol: 'http' | 'tcp' | 'udp' = 'tcp'): unknown {
  const lists = {
    http: { routes: [httpRoute({ probe: true, ...fields })] },
    tcp: { tcpRoutes: [tcpRoute({ probe: true, ...fields })] },
    udp: { udpRoutes: [udpRoute({ probe: true, ...fields })] },
  }
  const target = targetOf(lists[protocol])
  if (typeof target === 'string') throw new Error(target)
  const { ok, detail, certificate } = judgeProbe(target, heard, AT, 3_000)
  expect(certificate).toBeNull()
  return [ok, detail]
}

const answer = (text: string): Heard => ({ kind: 'answer', bytes: Buffer.from(text, 'latin1') })
const named = { sniHostname: 'db.example.com' }
const pg = { protocolHint: 'postgres' }

describe('what an answer means', () => {
  test.each<[fields: object, heard: Heard, expected: unknown]>([
    [{}, { kind: 'open', ms: 300 }, [true, 'the connection stayed open for 300 ms']],
    [{}, answer('220 ready'), [true, 'answered']],
    [{}, { kind: 'refused' }, [false, 'nothing listens on 127.0.0.1:10001']],
    [{}, { kind: 'closed', during: 'answer' }, [false, 'the connection was closed: no upstream takes it']],
    [{}, { kind: 'failed', code: 'EMFILE' }, [false, '127.0.0.1:10001 could not be asked (EMFILE)']],
    [{}, { kind: 'silent', during: 'connect' }, [false, 'the port did not take the connection within 3 s']],
    [{}, { kind: 'silent', during: 'answer' }, [false, 'no answer within 3 s']],
    [{ protocolHint: 'redis' }, answer('-NOAUTH'), [true, 'answered']],
    [{ probe: { expectHex: '2b504f' } }, answer('+PONG'), [true, 'answered']],
    [{ probe: { expectHex: '2b504f' } }, answer('-ERR'), [false, 'the answer begins with 2d4552, not with 2b504f']],
    [
      named,
      { kind: 'closed', during: 'handshake' },
      [false, 'the connection was closed during the TLS handshake: no upstream takes it, or it speaks no TLS'],
    ],
    [
      named,
      { kind: 'silent', during: 'handshake' },
      [false, 'the TLS handshake did not end within 3 s; perhaps the upstream speaks another protocol'],
    ],
    [
      named,
      { kind: 'tls-failed', code: 'ERR_SSL_WRONG_VERSION_NUMBER' },
      [false, 'what answers speaks no TLS (ERR_SSL_WRONG_VERSION_NUMBER)'],
    ],
    [named, { kind: 'tls-failed', code: 'EPROTO' }, [false, 'the TLS handshake failed (EPROTO)']],
    [named, { kind: 'secure', certificate: null }, [false, 'the TLS handshake showed no certificate']],
    [pg, answer('N'), [true, 'Postgres answers, without TLS']],
    [pg, answer('E'), [false, 'the answer to the SSLRequest is not one of Postgres']],
    [pg, answer('SX'), [false, 'the answer to the SSLRequest is not one of Postgres']],
    [{ ...pg, ...named }, answer('N'), [false, 'Postgres answers that it has no TLS, which the host name needs']],
  ])('%j %j', (fields, heard, expected) => {
    expect(judged(fields, heard)).toEqual(expected)
  })

  test.each<[heard: Heard, expected: unknown]>([
    [answer('fl\x81\x80'), [true, 'answered']],
    [answer('xx'), [false, 'the answer begins with 7878, not with 666c']],
    [{ kind: 'refused' }, [false, 'nothing listens on UDP 127.0.0.1:11000']],
    [{ kind: 'silent', during: 'answer' }, [false, 'no answer within 3 s']],
  ])('UDP %j', (heard, expected) => {
    expect(judged({}, heard, 'udp')).toEqual(expected)
  })

  test.each<[said: string, expected: unknown]>([
    ['HTTP/1.1 200 OK\r\n', [true, 'answered with status 200']],
    ['HTTP/1.1 404 Not Found\r\n', [true, 'answered with status 404']],
    ['HTTP/1.0 500 Oh\r\n', [true, 'answered with status 500']],
    ['HTTP/1.1 502 Bad Gateway\r\n', [false, 'Traefik answers 502: no upstream takes the request']],
    ['HTTP/1.1 503 Service Unavailable\r\n', [false, 'Traefik answers 503: no upstream takes the request']],
    ['SSH-2.0\r\n', [false, 'the answer is not one of HTTP']],
  ])('HTTP %j', (said, expected) => {
    expect(judged({}, answer(said), 'http')).toEqual(expected)
  })
})

describe.skipIf(!part('openssl'))('a certificate', () => {
  let certificate: X509Certificate
  beforeAll(async () => {
    certificate = new X509Certificate((await selfSigned('db.example.com')).cert)
  })
  const show = (fields: object, offsetDays = 0.5) => {
    const target = targetOf({ tcpRoutes: [tcpRoute({ probe: { type: 'tls' }, ...fields })] })
    if (typeof target === 'string') throw new Error(target)
    const nowMs = certificate.validFromDate.getTime() + offsetDays * 86_400_000
    return judgeProbe(target, { kind: 'secure', certificate }, nowMs, 3_000)
  }
  const found = () => ({ commonName: 'db.example.com', validTo: certificate.validToDate.getTime() })

  test('of the host name is well, whoever issued it', () => {
    const detail = 'the certificate of db.example.com is valid for 1 more day'
    expect(show(named)).toEqual({ ok: true, detail, certificate: found() })
  })

  test('of another name is told by both names', () => {
    expect(show({ sniHostname: 'other.example.com' })).toEqual({
      ok: false,
      detail: 'the certificate is for db.example.com, not for other.example.com',
      certificate: found(),
    })
  })

  test('without a host name may be for anybody', () => {
    expect(show({}).ok).toBe(true)
  })

  test('out of its time is told by the day', () => {
    const day = (date: Date) => date.toISOString().slice(0, 10)
    expect(show(named, 3).detail).toBe(`the certificate of db.example.com ended on ${day(certificate.validToDate)}`)
    expect(show(named, -1).detail).toBe(`the certificate of db.example.com begins on ${day(certificate.validFromDate)}`)
  })
})

describe('a result on a verdict', () => {
  const verdict = {
    ...NO_PLACE,
    id: 'pg',
    protocol: 'tcp',
    verdict: 'live',
    reason: 'LIVE',
    message: REASONS.LIVE.meaning,
    remedy: REASONS.LIVE.remedy,
    entryPoints: ['tcp-10001'],
    notes: [],
    origin: 'cp',
  } as const
  const failed: ProbeResult = {
    ok: false,
    ms: 3,
    detail: 'the connection was closed: no upstream takes it',
    at: AT,
    certificate: null,
    periodic: true,
    requestId: null,
  }

  test('a failed probe degrades a live route', () => {
    expect(applyProbe(verdict, failed)).toEqual({
      ...verdict,
      verdict: 'degraded',
      reason: 'PROBE_FAILED',
      message: failed.detail,
      remedy: REASONS.PROBE_FAILED.remedy,
    })
  })

  test.each<[what: string, result: ProbeResult | undefined]>([
    ['no result', undefined],
    ['a good one', { ...failed, ok: true }],
    ['one that could not be tried', { ...failed, ok: null }],
    ['one that a person asked for once', { ...failed, periodic: false }],
  ])('%s changes nothing', (_, result) => {
    expect(applyProbe(verdict, result)).toBe(verdict)
  })

  test('a route that is not live keeps its own reason', () => {
    const down = { ...verdict, verdict: 'degraded', reason: 'BACKEND_DOWN' } as const
    expect(applyProbe(down, failed)).toBe(down)
  })
})

describe('when a route is probed', () => {
  const target = (key: RouteKey, version = '1'): ProbeTarget => ({
    key,
    host: '127.0.0.1',
    port: 1,
    serverName: null,
    secure: false,
    path: '/',
    spec: { type: 'connect', sendHex: null, expectHex: null, intervalSeconds: 30 },
    periodic: true,
    version,
  })
  const known: Appointment = { version: '1', dueMs: 500, ok: true, doubted: false }
  const fresh = { dueMs: Number.NEGATIVE_INFINITY, ok: null, doubted: false }

  test('new and changed routes are due at once, gone ones are forgotten', () => {
    const book = new Map<RouteKey, Appointment>([
      ['tcp/a', known],
      ['tcp/b', known],
      ['tcp/gone', known],
    ])
    expect([...enter(book, [target('tcp/a'), target('tcp/b', '2'), target('tcp/c')])]).toEqual([
      ['tcp/a', known],
      ['tcp/b', { version: '2', ...fresh }],
      ['tcp/c', { version: '1', ...fresh }],
    ])
  })

  test('who waits longest is first, without those who are asked now', () => {
    const book = new Map<RouteKey, Appointment>([
      ['tcp/a', { ...known, dueMs: 20 }],
      ['tcp/b', { ...known, dueMs: 10 }],
      ['tcp/c', { ...known, dueMs: 5 }],
    ])
    expect(firstDue(book, new Set(['tcp/c']))).toEqual({ key: 'tcp/b', dueMs: 10 })
    const otherOrder = new Map([...book].toReversed())
    expect(firstDue(otherOrder, new Set(['tcp/c']))).toEqual({ key: 'tcp/b', dueMs: 10 })
    expect(firstDue(book, new Set(['tcp/a', 'tcp/b', 'tcp/c']))).toBeNull()
    expect(firstDue(new Map(), new Set())).toBeNull()
  })

  const NOW = 1_000
  test.each<[what: string, before: Partial<Appointment>, ok: boolean, after: Partial<Appointment>, counts: boolean]>([
    ['well', { ok: null }, true, { ok: true, dueMs: NOW + 30_000, doubted: false }, true],
    ['a first failure', { ok: true }, false, { ok: true, dueMs: NOW + 1_000, doubted: true }, false],
    ['a first failure of a new one', { ok: null }, false, { ok: null, dueMs: NOW + 1_000, doubted: true }, false],
    ['a second one', { ok: true, doubted: true }, false, { ok: false, dueMs: NOW + 10_000, doubted: false }, true],
    ['a further one', { ok: false }, false, { ok: false, dueMs: NOW + 10_000, doubted: false }, true],
    ['well after a doubt', { ok: true, doubted: true }, true, { ok: true, dueMs: NOW + 30_000, doubted: false }, true],
    ['well again', { ok: false }, true, { ok: true, dueMs: NOW + 30_000, doubted: false }, true],
  ])('%s', (_, before, ok, after, counts) => {
    const appointment = { ...known, ...before }
    expect(answered(appointment, ok, 30, NOW, 0.5)).toEqual({ appointment: { ...appointment, ...after }, counts })
  })

  test('the interval is jittered by a tenth, and short while it fails', () => {
    const due = (ok: boolean, seconds: number, random: number) =>
      answered({ ...known, ok }, ok, seconds, NOW, random).appointment.dueMs - NOW
    expect([due(true, 60, 0), due(true, 60, 1)]).toEqual([54_000, 66_000])
    expect([due(false, 60, 0.5), due(false, 5, 0.5)]).toEqual([10_000, 5_000])
  })
})
