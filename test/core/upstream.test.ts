import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import {
  type Address,
  formatAddress,
  formatHttpUpstream,
  formatNetwork,
  parseAddress,
  parseHttpUpstream,
  parseNetwork,
  type UpstreamPolicy,
  upstreamFault,
} from '../../src/core/upstream.ts'

const POLICY: UpstreamPolicy = {
  allow: [],
  deny: [],
  only: [],
  hostNames: false,
  ownAddresses: ['192.0.2.10', '2001:db8::10'],
  ownPorts: {
    tcp: new Map([
      [10001, 'ports.tcp'],
      [7480, 'provider.listen'],
    ]),
    udp: new Map([[11000, 'ports.udp']]),
  },
}

const networks = (...texts: string[]) =>
  texts.map(text => {
    const network = parseNetwork(text)
    if (network === null) throw new Error(`not a network: ${text}`)
    return network
  })

const address = (text: string): Address => {
  const parsed = parseAddress(text)
  if (!parsed.ok) throw new Error(`${text}: ${parsed.message}`)
  return parsed.address
}

describe('parseAddress', () => {
  test.each([
    ['10.200.1.5:5432', '10.200.1.5:5432'],
    ['[fd00::5]:5432', '[fd00::5]:5432'],
    ['[FD00:0:0:0:0:0:0:5]:5432', '[fd00::5]:5432'],
    ['db.internal:5432', 'db.internal:5432'],
    ['DB.Internal:5432', 'db.internal:5432'],
    ['db_1:5432', 'db_1:5432'],
    ['1.2.3.4:65535', '1.2.3.4:65535'],
  ])('%s is read as %s', (text, formatted) => {
    expect(formatAddress(address(text))).toBe(formatted)
  })

  test.each([
    [''],
    [':5432'],
    ['10.0.0.1'],
    ['10.0.0.1:'],
    ['10.0.0.1:0'],
    ['10.0.0.1:00080'],
    ['10.0.0.1:65536'],
    ['10.0.0.1:-1'],
    ['10.0.0.1:5432 '],
    [' 10.0.0.1:5432'],
    ['10.0.0.1:abc'],
    ['10.0.0.1:+5432'],
    ['10.0.0.1:5e3'],
    ['010.0.0.1:80'],
    ['127.1:80'],
    ['0x7f000001:80'],
    ['0x7f.0.0.1:80'],
    ['2130706433:80'],
    ['1.2.3.4.5:80'],
    ['256.1.1.1:80'],
    ['::1:80'],
    ['fd00::5'],
    ['[fd00::5]'],
    ['[fd00::5%eth0]:80'],
    ['[::ffff:127.0.0.1]:80'],
    ['[::ffff:7f00:1]:80'],
    ['[::127.0.0.1]:80'],
    ['[10.0.0.1]:80'],
    ['[fd00::5:80'],
    ['http://10.0.0.1:80'],
    ['a b:80'],
    ['-:80'],
    ['a..b:80'],
    ['user@10.0.0.1:80'],
    ['10.0.0.1:80/x'],
    ['bücher:80'],
    ['a‖b:80'],
    [`${'a'.repeat(254)}:80`],
  ])('%j is refused', text => {
    expect(parseAddress(text).ok).toBe(false)
  })

  propertyTest.prop([fc.ipV4(), fc.integer({ min: 1, max: 65535 })])(
    'an IPv4 address stays what it is',
    (host, port) => {
      expect(formatAddress(address(`${host}:${port}`))).toBe(`${host}:${port}`)
    },
  )

  propertyTest.prop([
    fc.oneof(
      fc.string(),
      fc.ipV6(),
      fc.ipV6().map(host => `[${host}]:80`),
      fc.webAuthority(),
    ),
  ])('what is accepted is canonical', text => {
    const parsed = parseAddress(text)
    if (!parsed.ok) return
    expect(parseAddress(formatAddress(parsed.address))).toEqual(parsed)
  })
})

describe('parseHttpUpstream', () => {
  test.each([
    ['http://10.200.1.5:3000', 'http://10.200.1.5:3000'],
    ['10.200.1.5:3000', 'http://10.200.1.5:3000'],
    ['http://10.200.1.5:3000/', 'http://10.200.1.5:3000'],
    ['http://10.200.1.5', 'http://10.200.1.5:80'],
    ['https://10.200.1.5', 'https://10.200.1.5:443'],
    ['h2c://[fd00::5]:50051', 'h2c://[fd00::5]:50051'],
  ])('%s is read as %s', (text, formatted) => {
    const parsed = parseHttpUpstream(text)
    expect(parsed.ok && formatHttpUpstream(parsed.url)).toBe(formatted)
  })

  test.each([
    ['ftp://10.0.0.1:21'],
    ['http://user:pw@10.0.0.1:80'],
    ['http://10.0.0.1:80/path'],
    ['http://10.0.0.1:80?x=1'],
    ['http://'],
    ['file:///etc/passwd'],
    ['javascript:alert(1)'],
  ])('%s is refused', text => {
    expect(parseHttpUpstream(text).ok).toBe(false)
  })
})

describe('networks', () => {
  test.each([
    ['10.0.0.0/8', '10.0.0.0/8'],
    ['10.1.2.3/8', '10.0.0.0/8'],
    ['10.1.2.3', '10.1.2.3/32'],
    ['fd00:1::/16', 'fd00::/16'],
    ['::1', '::1/128'],
    ['0.0.0.0/0', '0.0.0.0/0'],
  ])('%s is the network %s', (text, formatted) => {
    expect(networks(text).map(formatNetwork)).toEqual([formatted])
  })

  test.each([
    ['10.0.0.0/33'],
    ['10.0.0/8'],
    ['fd00::/129'],
    ['x'],
    [''],
    ['10.0.0.1:0'],
    ['10.0.0.1:65536'],
    ['010.0.0.1'],
  ])('%j is no network', text => {
    expect(parseNetwork(text)).toBeNull()
  })
})

describe('upstreamFault', () => {
  test.each([
    ['127.0.0.1:22', 'loopback'],
    ['127.8.9.1:22', 'loopback'],
    ['[::1]:22', 'loopback'],
    ['0.0.0.0:80', 'unspecified'],
    ['0.1.2.3:80', 'unspecified'],
    ['[::]:80', 'unspecified'],
    ['169.254.169.254:80', 'metadata'],
    ['169.254.1.1:80', 'link-local'],
    ['[fe80::1]:80', 'link-local'],
    ['[fd00:ec2::254]:80', 'metadata'],
    ['100.100.100.200:80', 'metadata'],
    ['224.0.0.1:80', 'multicast'],
    ['[ff02::1]:80', 'multicast'],
    ['255.255.255.255:80', 'broadcast'],
    ['240.0.0.1:80', 'reserved'],
    ['[64:ff9b::7f00:1]:80', 'disguise'],
    ['[2002:7f00:1::]:80', 'disguise'],
    ['192.0.2.10:10001', 'own port 10001 (ports.tcp)'],
    ['[2001:db8::10]:7480', 'own port 7480 (provider.listen)'],
    ['db.internal:5432', 'is a name'],
  ])('%s is not allowed: %s', (text, word) => {
    expect(upstreamFault(address(text), 'tcp', POLICY)?.message).toContain(word)
  })

  test.each([
    ['10.0.0.1:5432'],
    ['172.16.0.1:80'],
    ['192.168.0.1:80'],
    ['203.0.113.9:80'],
    ['[fd00::5]:80'],
    ['192.0.2.10:5432'],
  ])('%s is allowed', text => {
    expect(upstreamFault(address(text), 'tcp', POLICY)).toBeNull()
  })

  test('own ports are counted by protocol', () => {
    expect(upstreamFault(address('192.0.2.10:11000'), 'tcp', POLICY)).toBeNull()
    expect(upstreamFault(address('192.0.2.10:11000'), 'udp', POLICY)?.message).toContain('own port')
  })

  test('allow lifts the built-in list alone', () => {
    const policy = { ...POLICY, allow: networks('127.0.0.1:18080', '169.254.0.0/16') }
    expect(upstreamFault(address('127.0.0.1:18080'), 'tcp', policy)).toBeNull()
    expect(upstreamFault(address('127.0.0.1:18081'), 'tcp', policy)?.message).toContain('loopback')
    expect(upstreamFault(address('169.254.169.254:80'), 'tcp', policy)).toBeNull()
  })

  test('nothing lifts the ports of the node itself', () => {
    const policy = { ...POLICY, allow: networks('127.0.0.0/8', '127.0.0.1:7480', '0.0.0.0/8') }
    expect(upstreamFault(address('127.0.0.1:7480'), 'tcp', policy)?.message).toContain('own port')
    expect(upstreamFault(address('127.0.0.9:10001'), 'tcp', policy)?.message).toContain('own port')
    expect(upstreamFault(address('0.0.0.0:10001'), 'tcp', policy)?.message).toContain('own port')
  })

  test('deny beats allow, and only confines', () => {
    const policy = {
      ...POLICY,
      allow: networks('10.0.0.0/8'),
      deny: networks('10.9.0.0/16'),
      only: networks('10.0.0.0/8', 'fd00::/8'),
    }
    expect(upstreamFault(address('10.9.1.1:80'), 'tcp', policy)?.message).toContain('denyUpstreams')
    expect(upstreamFault(address('10.8.1.1:80'), 'tcp', policy)).toBeNull()
    expect(upstreamFault(address('192.168.1.1:80'), 'tcp', policy)?.message).toContain('onlyUpstreams')
  })

  test('names need the policy, and never mean the proxy', () => {
    const policy = { ...POLICY, hostNames: true }
    expect(upstreamFault(address('db.internal:5432'), 'tcp', policy)).toBeNull()
    expect(upstreamFault(address('localhost:5432'), 'tcp', policy)?.message).toContain('proxy itself')
    expect(upstreamFault(address('a.localhost:5432'), 'tcp', policy)?.message).toContain('proxy itself')
    expect(upstreamFault(address('metadata.google.internal:80'), 'tcp', policy)?.message).toContain('proxy itself')
    expect(
      upstreamFault(address('db.internal:5432'), 'tcp', { ...policy, only: networks('10.0.0.0/8') })?.message,
    ).toContain('onlyUpstreams')
  })
})
