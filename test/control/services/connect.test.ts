import { spawnSync } from 'node:child_process'
import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { PRESET_IDS, type PresetId } from '../../../src/api/port.ts'
import {
  addressOf,
  connectCommands,
  exampleCommands,
  quote,
  type Reachable,
} from '../../../src/control/services/connect.ts'

const HOST = 'proxy.example.com'

const reachable = (more: Partial<Reachable> = {}): Reachable => ({
  protocol: 'tcp',
  preset: null,
  domain: null,
  pathPrefix: '/',
  redirectToHttps: true,
  externalPort: 10_001,
  externalPortEnd: null,
  tls: 'none',
  sniHostname: null,
  ...more,
})

const commands = (more: Partial<Reachable>, host = HOST): string[] =>
  connectCommands(reachable(more), host).map(({ command }) => command)

const named = (preset: PresetId | null, more: Partial<Reachable> = {}): string[] =>
  commands({ preset, tls: 'passthrough', sniHostname: 'db.example.com', externalPort: 443, ...more })

describe('the command', () => {
  test.each([
    ['postgres', ['psql -h proxy.example.com -p 10001 -U postgres']],
    ['mysql', ['mysql -h proxy.example.com -P 10001 --protocol=TCP -u root -p']],
    ['redis', ['redis-cli -h proxy.example.com -p 10001']],
    [
      'mqtt',
      [
        'mosquitto_pub -h proxy.example.com -p 10001 -t hello -m world',
        'mosquitto_sub -h proxy.example.com -p 10001 -t hello',
      ],
    ],
    [
      'smtp',
      ['nc -v proxy.example.com 10001', 'openssl s_client -starttls smtp -crlf -connect proxy.example.com:10001'],
    ],
    ['ssh', ['ssh -p 10001 root@proxy.example.com']],
    ['ftp', ['curl ftp://proxy.example.com:10001/']],
    ['http', ['curl -i http://proxy.example.com:10001/']],
    ['dns', ['dig @proxy.example.com -p 10001 +tcp example.com']],
    ['minecraft', ['proxy.example.com:10001', 'nc -v proxy.example.com 10001']],
    ['custom', ['nc -v proxy.example.com 10001']],
    [null, ['nc -v proxy.example.com 10001']],
  ] as const)('of %s on a number of its own', (preset, expected) => {
    expect(commands({ preset })).toEqual(expected)
  })

  test('dials the host name by which the route is chosen', () => {
    expect(named('postgres')).toEqual([
      "psql 'host=db.example.com port=443 user=postgres sslmode=require'",
      "psql 'host=db.example.com port=443 user=postgres sslmode=require sslnegotiation=direct'",
      'openssl s_client -connect proxy.example.com:443 -servername db.example.com -starttls postgres',
    ])
    expect(named('redis')).toEqual([
      'redis-cli -h db.example.com -p 443 --tls --sni db.example.com',
      'openssl s_client -connect proxy.example.com:443 -servername db.example.com',
    ])
    expect(named('mqtt')).toEqual([
      'mosquitto_pub -h db.example.com -p 443 --tls-use-os-certs -t hello -m world',
      'mosquitto_sub -h db.example.com -p 443 --tls-use-os-certs -t hello',
      'openssl s_client -connect proxy.example.com:443 -servername db.example.com',
    ])
    expect(named('http')).toEqual(['curl -i https://db.example.com:443/'])
    expect(named(null)).toEqual(['openssl s_client -connect proxy.example.com:443 -servername db.example.com'])
  })

  test('offers no TLS at once where the proxy ends it', () => {
    expect(named('postgres', { tls: 'terminate' })).toEqual([
      "psql 'host=db.example.com port=443 user=postgres sslmode=require'",
      'openssl s_client -connect proxy.example.com:443 -servername db.example.com -starttls postgres',
    ])
  })

  test('sends no name where any will do', () => {
    expect(commands({ tls: 'passthrough' })).toEqual(['openssl s_client -connect proxy.example.com:10001'])
    expect(commands({ preset: 'redis', tls: 'passthrough' })[0]).toBe('redis-cli -h proxy.example.com -p 10001 --tls')
  })

  test('stands for one name of a wildcard', () => {
    expect(named(null, { sniHostname: '*.db.example.com' })).toEqual([
      'openssl s_client -connect proxy.example.com:443 -servername any.db.example.com',
    ])
  })

  test('of UDP asks over UDP', () => {
    expect(commands({ protocol: 'udp', preset: 'dns', tls: null })).toEqual([
      'dig @proxy.example.com -p 10001 example.com',
    ])
    expect(commands({ protocol: 'udp', tls: null })).toEqual(['nc -u proxy.example.com 10001'])
  })

  test('of HTTP goes to the domain, plain too where that is served', () => {
    const http = { protocol: 'http', domain: '*.example.com', pathPrefix: '/~a$b', externalPort: null } as const
    expect(commands(http)).toEqual(["curl -i 'https://any.example.com/~a$b'"])
    expect(commands({ ...http, domain: 'a.example.com', pathPrefix: '/', redirectToHttps: false })).toEqual([
      'curl -i https://a.example.com/',
      'curl -i http://a.example.com/',
    ])
  })

  test('puts an IPv6 address in brackets where a port follows', () => {
    expect(commands({ tls: 'passthrough' }, 'fd00::1')).toEqual(["openssl s_client -connect '[fd00::1]:10001'"])
    expect(commands({ preset: 'postgres' }, 'fd00::1')).toEqual(['psql -h fd00::1 -p 10001 -U postgres'])
  })

  test('is none without a public address', () => {
    expect([commands({ externalPort: null }), commands({ protocol: 'http' })]).toEqual([[], []])
  })

  test('is there for every preset', () => {
    for (const id of PRESET_IDS) expect([id, exampleCommands(id, HOST).length > 0]).toEqual([id, true])
  })
})

test.each([
  [{}, 'proxy.example.com:10001'],
  [{ externalPortEnd: 10_004 }, 'proxy.example.com:10001-10004'],
  [{ sniHostname: '*.example.com' }, '*.example.com:10001'],
  [{ protocol: 'http', domain: 'a.example.com', pathPrefix: '/x' }, 'a.example.com/x'],
  [{ protocol: 'http', domain: 'a.example.com' }, 'a.example.com'],
  [{ protocol: 'http' }, null],
  [{ externalPort: null }, null],
] as const)('the address of %j: %s', (more, expected) => {
  expect(addressOf(reachable(more), HOST)).toBe(expected)
})

describe('a quoted word', () => {
  const said = (words: readonly string[]): string =>
    spawnSync('sh', ['-c', `printf '%s\\0' ${words.map(quote).join(' ')}`], { encoding: 'utf8' }).stdout

  property.prop(
    [
      fc.array(
        fc.string({ unit: 'binary' }).filter(text => !text.includes('\0') && text.isWellFormed()),
        { minLength: 1, maxLength: 40 },
      ),
    ],
    { numRuns: 15 },
  )('is the same word to a shell', words => {
    expect(said(words)).toBe(words.map(word => `${word}\0`).join(''))
  })

  test('is one word, whatever a shell would make of it', () => {
    const words = ['', '$(id)', '`id`', "a'b", '~', '*', 'a b', '-n', '!x', '\\', 'a\nb']
    expect(said(words)).toBe(words.map(word => `${word}\0`).join(''))
  })
})
