/** TLS through Traefik as the openssl command sees it. */
import { describe, expect, test } from 'vitest'
import { startRig } from '../support/agent-rig.ts'
import { startTcpBackend, startTlsBackend } from '../support/backends.ts'
import { tcpRoute } from '../support/builders.ts'
import { tlsAsk } from '../support/clients.ts'
import { opensslClient } from '../support/openssl.ts'
import { part } from '../support/parts.ts'

const DEFAULT = 'FAIRLEAD DEFAULT CERT'

describe.skipIf(!part('traefik') || !part('openssl'))('openssl s_client through Traefik', () => {
  test('each name is answered by who ends its TLS', async () => {
    const [a, wild, plain] = await Promise.all([
      startTlsBackend({ name: 'a.example.com' }),
      startTlsBackend({ name: 'wild.example.com' }),
      startTcpBackend({ name: 'plain' }),
    ])
    const rig = await startRig({ tcp: 2 })
    const [shared = 0, ended = 0] = rig.tcp
    const route = (id: string, externalPort: number, upstream: string, fields: object) =>
      tcpRoute({ id, externalPort, upstreams: [upstream], ...fields })
    await rig.write('tls.yaml', {
      tcpRoutes: [
        route('a', shared, a.address, { sniHostname: 'a.example.com' }),
        route('wild', shared, wild.address, { sniHostname: '*.wild.example.com', tlsPassthrough: true }),
        route('b', shared, plain.address, { sniHostname: 'b.example.com', tls: 'terminate' }),
        route('any', ended, plain.address, { tls: 'terminate' }),
      ],
    })
    for (const key of ['tcp/a', 'tcp/wild', 'tcp/b', 'tcp/any']) await rig.verdict(key, 'live')
    const names = ['a.example.com', 'A.Example.COM', 'x.wild.example.com', 'b.example.com', 'c.example.com']
    expect(await Promise.all(names.map(name => opensslClient(shared, name)))).toEqual([
      'a.example.com',
      'a.example.com',
      'wild.example.com',
      DEFAULT,
      null,
    ])
    expect(await opensslClient(ended, 'whatever.example.com')).toBe(DEFAULT)
    // Behind the TLS that Traefik ends, the upstream speaks plain.
    expect(await tlsAsk(ended, 'whatever.example.com')).toMatchObject({ commonName: DEFAULT, text: 'plain' })
    expect(await tlsAsk(shared, 'b.example.com')).toMatchObject({ commonName: DEFAULT, text: 'plain' })
  })
})
