import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import {
  CHALLENGE_NAME,
  REDIRECT_MIDDLEWARE,
  routeName,
  TOMBSTONE_SERVICE,
  tombstoneName,
  transportName,
} from '../../src/core/names.ts'
import { beaconName } from '../../src/core/payload.ts'
import { FEW } from '../support/arbitraries.ts'

describe('routeName', () => {
  test.each([
    ['tcp', 'pg', 'tcp_pg'],
    ['udp', 'A_b-9', 'udp_A_b-9'],
    ['http', '__proto__', 'http___proto__'],
    ['tcp', 'x'.repeat(63), `tcp_${'x'.repeat(63)}`],
    ['tcp', 'api@internal', 'tcp_api-internal.fd9ec2edb6bb4a7b'],
    ['tcp', 'a.b', expect.stringMatching(/^tcp_a-b\.[0-9a-f]{16}$/)],
    ['tcp', 'x'.repeat(64), expect.stringMatching(/^tcp_x{40}\.[0-9a-f]{16}$/)],
    ['tcp', 'ü║', expect.stringMatching(/^tcp_-\.[0-9a-f]{16}$/)],
    ['tcp', '../x', expect.stringMatching(/^tcp_-x\.[0-9a-f]{16}$/)],
  ] as const)('%s %s', (protocol, text, name) => {
    expect(routeName(protocol, text)).toEqual(name)
  })

  propertyTest.prop([fc.string({ unit: 'binary', minLength: 1, maxLength: 200 })], { numRuns: 300 })(
    'has no sign that means anything to Traefik',
    text => {
      expect(routeName('tcp', text)).toMatch(/^tcp_[A-Za-z0-9_-]{0,63}(?:\.[0-9a-f]{16})?$/)
    },
  )
})

describe('all that a set of ids may become', () => {
  const parts = ['', '.tls', '.redirect', '.plain', '.allow', '.limit', '.s0', '.s12']
  const ports = ['', '.1', '.10001', '.65535']
  const namesOf = (text: string): string[] =>
    ports.flatMap(port => parts.map(part => `${routeName('tcp', text)}${port}${part}`))
  const ours = [
    ...[TOMBSTONE_SERVICE, REDIRECT_MIDDLEWARE, CHALLENGE_NAME, beaconName('0'.repeat(64))],
    ...[tombstoneName('tcp', 10001), `${tombstoneName('tcp', 10001)}.tls`, tombstoneName('udp', 10001)],
    ...([null, 1, 2] as const).map(transportName),
  ]

  test('what belongs to no route has names of its own', () => {
    expect(ours).toEqual([
      ...['tombstone', 'fairlead-redirect', 'fairlead-acme-challenge', `fairlead-revision-${'0'.repeat(64)}`],
      ...['tombstone_tcp-10001', 'tombstone_tcp-10001.tls', 'tombstone_udp-10001'],
      ...['fairlead', 'fairlead-proxy-protocol-1', 'fairlead-proxy-protocol-2'],
    ])
  })

  // Ids that look like names of parts, beside ordinary ones.
  const hostile = fc.oneof(
    FEW.ids,
    fc
      .tuple(fc.constantFrom('a', 'a.10001', 'a.tls', 'tombstone', 'a-b'), fc.constantFrom(...parts, ...ports))
      .map(both => both.join('')),
    fc.constantFrom(...ours),
  )

  propertyTest.prop([fc.uniqueArray(hostile, { minLength: 2, maxLength: 6 })], { numRuns: 300 })('no two meet', ids => {
    const all = [...ids.flatMap(namesOf), ...ours]
    expect(all.filter((name, i) => all.indexOf(name) !== i)).toEqual([])
  })

  test('no route of one protocol meets one of another', () => {
    expect(new Set((['http', 'tcp', 'udp'] as const).map(protocol => routeName(protocol, 'a'))).size).toBe(3)
  })
})
