import { describe, expect, test } from 'vitest'
import { defaultProbe } from '../../../src/core/probe/spec.ts'
import { HTTP, parseRoute, TCP, UDP, Unknowns } from '../../../src/core/route.ts'
import { httpRoute, tcpRoute, udpRoute } from '../../support/builders.ts'

const tcp = (fields: object) => parseRoute(tcpRoute({ ...fields }), TCP, 'test', new Unknowns())
const udp = (fields: object) => parseRoute(udpRoute({ ...fields }), UDP, 'test', new Unknowns())
const http = (fields: object) => parseRoute(httpRoute({ ...fields }), HTTP, 'test', new Unknowns())

/** Type, bytes sent as text, and how the answer must begin. */
const told = ({ route }: ReturnType<typeof tcp | typeof udp | typeof http>): unknown => {
  const probe = route?.probe
  if (probe === null || probe === undefined) return probe
  const text = (hex: string | null) => (hex === null ? null : Buffer.from(hex, 'hex').toString('latin1'))
  return [probe.type, text(probe.sendHex), text(probe.expectHex), probe.intervalSeconds]
}

const named = { sniHostname: 'db.example.com' }

describe('the probe that a route gets', () => {
  test.each<[what: string, fields: object, expected: unknown]>([
    ['none without the field', {}, null],
    ['none for false', { probe: false }, null],
    ['none for null', { probe: null }, null],
    ['a connection for plain TCP', { probe: true }, ['connect', null, null, 30]],
    ['a handshake for TLS', { probe: true, ...named }, ['tls', null, null, 30]],
    ['a handshake for TLS without a name', { probe: true, tls: 'passthrough' }, ['tls', null, null, 30]],
    ['the words of Postgres', { probe: true, protocolHint: 'postgres' }, ['postgres', null, null, 30]],
    [
      'the words of Postgres with TLS',
      { probe: true, protocolHint: 'postgres', ...named },
      ['postgres', null, null, 30],
    ],
    ['a handshake for Redis with TLS', { probe: true, protocolHint: 'redis', ...named }, ['tls', null, null, 30]],
    ['a word for Redis', { probe: true, protocolHint: 'redis' }, ['connect', 'PING\r\n', '', 30]],
    [
      'a request for HTTP over TCP',
      { probe: true, protocolHint: 'http' },
      ['connect', 'HEAD / HTTP/1.0\r\n\r\n', 'HTTP/', 30],
    ],
    ['the greeting of SSH', { probe: true, protocolHint: 'ssh' }, ['connect', null, '', 30]],
    ['a connection for SMTP, which may greet late', { probe: true, protocolHint: 'smtp' }, ['connect', null, null, 30]],
    [
      'the preset with another interval',
      { probe: { intervalSeconds: 5 }, protocolHint: 'redis' },
      ['connect', 'PING\r\n', '', 5],
    ],
    ['as it says', { probe: { type: 'connect', sendHex: '50494E47', expectHex: '2b' } }, ['connect', 'PING', '+', 30]],
    ['bare as it says', { probe: { type: 'connect' }, protocolHint: 'redis' }, ['connect', null, null, 30]],
    ['a connection for words without a type', { probe: { expectHex: '' } }, ['connect', null, '', 30]],
    ['a handshake on a plain port', { probe: { type: 'tls' } }, ['tls', null, null, 30]],
    [
      'its nulls as absent',
      { probe: { type: null, sendHex: null, expectHex: null, intervalSeconds: null } },
      ['connect', null, null, 30],
    ],
  ])('%s', (_, fields, expected) => {
    expect(told(tcp(fields))).toEqual(expected)
  })

  test('MQTT gets a whole CONNECT packet', () => {
    const sent = Buffer.from(tcp({ probe: true, protocolHint: 'mqtt' }).route?.probe?.sendHex ?? '', 'hex')
    expect([sent[0], sent[1]]).toEqual([0x10, sent.length - 2])
    expect(sent.subarray(4, 8).toString()).toBe('MQTT')
    expect(sent.readUInt16BE(12)).toBe('fairlead-probe'.length)
    expect(sent.subarray(14).toString()).toBe('fairlead-probe')
  })

  test('MySQL comes with a warning', () => {
    const { route } = tcp({ probe: true, protocolHint: 'mysql' })
    expect(route?.probe).toEqual({ type: 'connect', sendHex: null, expectHex: '', intervalSeconds: 30 })
    expect(route?.notes).toEqual([expect.stringContaining('max_connect_errors')])
  })

  test('UDP says what to send', () => {
    expect(told(udp({ upstreams: ['10.0.0.1:7'], probe: { sendHex: '6869' } }))).toEqual(['udp', 'hi', '', 30])
    expect(told(udp({ upstreams: ['10.0.0.1:7'], probe: { type: 'udp', sendHex: '6869', expectHex: '68' } }))).toEqual([
      'udp',
      'hi',
      'h',
      30,
    ])
  })

  test('UDP to name servers sends a DNS query', () => {
    const { route } = udp({ upstreams: ['10.0.0.1:53', '10.0.0.2:53'], probe: true })
    const query = Buffer.from(route?.probe?.sendHex ?? '', 'hex')
    // Header of twelve bytes, the root as an empty name, NS, IN.
    expect([query.length, query.readUInt16BE(4), query.readUInt16BE(13), query.readUInt16BE(15)]).toEqual([17, 1, 2, 1])
    expect(route?.probe?.expectHex).toBe(query.subarray(0, 2).toString('hex'))
  })

  test('HTTP has one kind', () => {
    expect(told(http({ probe: true }))).toEqual(['http', null, null, 30])
    expect(told(http({ probe: { type: 'http', intervalSeconds: 60 } }))).toEqual(['http', null, null, 60])
  })
})

describe('a probe that cannot be', () => {
  const faults = ({ problems }: ReturnType<typeof tcp | typeof udp | typeof http>) =>
    problems.map(({ code, field, message, value }) => `${code} ${field}: ${message} (${value})`)

  test.each<[probe: unknown, expected: string]>([
    [1, 'FIELD_INVALID probe: probe 1 is not true, false, or an object such as {"type": "connect"} (1)'],
    ['tls', 'FIELD_INVALID probe: probe is not true, false, or an object such as {"type": "connect"} (tls)'],
    [{ type: 'icmp' }, 'FIELD_INVALID probe.type: probe.type is not one of connect, tls, postgres, udp, http (icmp)'],
    [
      { sendHex: 'abc' },
      'FIELD_INVALID probe.sendHex: probe.sendHex is not bytes as hexadecimal digits, two for each (abc)',
    ],
    [
      { expectHex: 'xx' },
      'FIELD_INVALID probe.expectHex: probe.expectHex is not bytes as hexadecimal digits, two for each (xx)',
    ],
    [
      { intervalSeconds: 4 },
      'FIELD_INVALID probe.intervalSeconds: probe.intervalSeconds 4 is not a whole number from 5 to 3600 (4)',
    ],
    [
      { intervalSeconds: 3601 },
      'FIELD_INVALID probe.intervalSeconds: probe.intervalSeconds 3601 is not a whole number from 5 to 3600 (3601)',
    ],
    [
      { intervalSeconds: Number.POSITIVE_INFINITY },
      'FIELD_INVALID probe.intervalSeconds: probe.intervalSeconds Infinity is not a whole number from 5 to 3600 (Infinity)',
    ],
    [{ type: 'udp' }, 'FIELD_INVALID probe.type: udp is not a probe of a TCP route (udp)'],
    [{ type: 'tls', sendHex: '00' }, 'FIELD_INVALID probe.sendHex: a probe of type tls has its own words (00)'],
    [
      { type: 'postgres', expectHex: '00' },
      'FIELD_INVALID probe.expectHex: a probe of type postgres has its own words (00)',
    ],
  ])('%j', (probe, expected) => {
    expect(faults(tcp({ probe }))).toEqual([expected])
  })

  test('is too long', () => {
    expect(faults(tcp({ probe: { sendHex: '00'.repeat(1025), expectHex: '00'.repeat(257) } }))).toEqual([
      expect.stringContaining('probe.sendHex is not a text of at most 2048 hexadecimal digits'),
      expect.stringContaining('probe.expectHex is not a text of at most 512 hexadecimal digits'),
    ])
  })

  test('is a connection alone where Traefik waits for TLS', () => {
    const message = 'a connect probe says nothing of a TLS route'
    expect(faults(tcp({ probe: { type: 'connect' }, ...named }))).toEqual([expect.stringContaining(message)])
    expect(faults(tcp({ probe: { sendHex: '00' }, ...named }))).toEqual([expect.stringContaining(message)])
  })

  test('is UDP without anything to send', () => {
    const at = { upstreams: ['10.0.0.1:7'] }
    for (const probe of [true, { type: 'udp' }, { expectHex: '00' }, { sendHex: '' }])
      expect(faults(udp({ ...at, probe }))).toEqual([
        expect.stringContaining('needs something that the upstream answers'),
      ])
    expect(faults(udp({ ...at, probe: { type: 'connect' } }))).toEqual([
      expect.stringContaining('not a probe of a UDP route'),
    ])
  })

  test('is anything but HTTP for HTTP', () => {
    expect(faults(http({ probe: { type: 'tls' } }))).toEqual([expect.stringContaining('not a probe of an HTTP route')])
    expect(faults(http({ probe: { sendHex: '00' } }))).toEqual([expect.stringContaining('has its own words')])
  })

  test('costs its route and no other fault', () => {
    const { route, problems } = tcp({ probe: { type: 'udp' }, tls: 'none', sniHostname: 'x.example.com' })
    expect(route).toBeNull()
    expect(problems.map(({ field }) => field)).toEqual(['tls', 'probe.type'])
  })
})

test('unknown fields of a probe are counted', () => {
  const unknowns = new Unknowns()
  parseRoute(tcpRoute({ probe: { type: 'connect', retries: 3 } }), TCP, 'test', unknowns)
  expect(unknowns.list()).toEqual([{ field: 'tcpRoutes.probe.retries', count: 1 }])
})

test('a route without a probe has one for a person who asks', () => {
  expect(defaultProbe({ protocol: 'tcp', tls: 'none', protocolHint: null })?.type).toBe('connect')
  expect(defaultProbe({ protocol: 'http' })?.type).toBe('http')
  expect(defaultProbe({ protocol: 'udp', upstreams: [{ address: { port: 53 } }] })?.type).toBe('udp')
  expect(defaultProbe({ protocol: 'udp', upstreams: [{ address: { port: 7 } }] })).toBeNull()
})
