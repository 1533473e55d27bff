import { fc, test as property } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { type Finding, findRepairs, type NumberedPort, type UsedClaim } from '../../../src/control/ports/repair.ts'

const port = (id: string, first: number, over: Partial<NumberedPort> = {}): NumberedPort => ({
  id,
  projectId: 'p',
  protocol: 'tcp',
  first,
  last: first,
  host: '',
  ...over,
})
const claim = (servicePortId: string, at: number, over: Partial<UsedClaim> = {}): UsedClaim => ({
  servicePortId,
  port: at,
  projectId: 'p',
  protocol: 'tcp',
  host: '',
  ...over,
})
const place = (at: number, protocol: 'tcp' | 'udp' = 'tcp', host = '') => ({ protocol, port: at, host })

describe('between ports and claims', () => {
  test.each<[string, NumberedPort[], UsedClaim[], Finding[]]>([
    ['that agree', [port('a', 1), port('b', 2, { last: 3 })], [claim('a', 1), claim('b', 2), claim('b', 3)], []],
    ['of no kind', [], [], []],
    ['a claim for no port', [], [claim('a', 1)], [{ kind: 'leaked', ...place(1), servicePortId: 'a' }]],
    [
      'a port without a claim',
      [port('a', 1)],
      [],
      [{ kind: 'missing', ...place(1), servicePortId: 'a', projectId: 'p' }],
    ],
    [
      'a block with a hole',
      [port('a', 1, { last: 3 })],
      [claim('a', 1), claim('a', 3)],
      [{ kind: 'missing', ...place(2), servicePortId: 'a', projectId: 'p' }],
    ],
    [
      'a claim beyond the end of a block',
      [port('a', 1)],
      [claim('a', 1), claim('a', 2)],
      [{ kind: 'leaked', ...place(2), servicePortId: 'a' }],
    ],
    [
      'a claim for the wrong project',
      [port('a', 1)],
      [claim('a', 1, { projectId: 'q' })],
      [{ kind: 'misowned', ...place(1), servicePortId: 'a', projectId: 'p' }],
    ],
    [
      'a number that two ports have',
      [port('a', 1), port('b', 1)],
      [claim('b', 1)],
      [{ kind: 'duplicate', ...place(1), servicePortId: 'a', claimedFor: 'b' }],
    ],
    [
      'a number that two ports have and nobody has claimed',
      [port('b', 1), port('a', 1)],
      [],
      [
        { kind: 'duplicate', ...place(1), servicePortId: 'b', claimedFor: 'a' },
        { kind: 'missing', ...place(1), servicePortId: 'a', projectId: 'p' },
      ],
    ],
    [
      'a claim for a port that does not have the number',
      [port('a', 2), port('b', 1)],
      [claim('a', 1), claim('a', 2)],
      [{ kind: 'missing', ...place(1), servicePortId: 'b', projectId: 'p' }],
    ],
    [
      'one number of two protocols',
      [port('a', 1), port('b', 1, { protocol: 'udp' })],
      [claim('a', 1), claim('b', 1, { protocol: 'udp' })],
      [],
    ],
    [
      'two host names of one number',
      [port('a', 443, { host: 'a.x' }), port('b', 443, { host: 'b.x' })],
      [claim('a', 443, { host: 'a.x' })],
      [{ kind: 'missing', ...place(443, 'tcp', 'b.x'), servicePortId: 'b', projectId: 'p' }],
    ],
  ])('%s', (_what, ports, claims, findings) => {
    expect(findRepairs(ports, claims)).toEqual(findings)
  })
})

const few = fc.integer({ min: 1, max: 4 })
const ids = fc.constantFrom('a', 'b', 'c')
const somePorts = fc.uniqueArray(
  fc.tuple(ids, few, few).map(([id, one, other]) => port(id, Math.min(one, other), { last: Math.max(one, other) })),
  { selector: ({ id }) => id, maxLength: 3 },
)
const someClaims = fc.uniqueArray(
  fc.tuple(ids, few, fc.constantFrom('p', 'q')).map(([id, at, projectId]) => claim(id, at, { projectId })),
  { selector: one => one.port, maxLength: 4 },
)

/** What mending does, in memory. */
function mended(claims: readonly UsedClaim[], findings: readonly Finding[]): UsedClaim[] {
  const after = new Map(claims.map(one => [one.port, one]))
  for (const finding of findings) {
    if (finding.kind === 'leaked') after.delete(finding.port)
    if (finding.kind === 'missing' || finding.kind === 'misowned')
      after.set(finding.port, claim(finding.servicePortId, finding.port, { projectId: finding.projectId }))
  }
  return [...after.values()]
}

property.prop([somePorts, someClaims])('after one repair only duplicates are left', (ports, claims) => {
  const once = findRepairs(ports, claims)
  const again = findRepairs(ports, mended(claims, once))
  expect(again.filter(({ kind }) => kind !== 'duplicate')).toEqual([])
  expect(again).toEqual(once.filter(({ kind }) => kind === 'duplicate'))
})

property.prop([somePorts, someClaims])('the order of what is given does not matter', (ports, claims) => {
  expect(findRepairs([...ports].reverse(), [...claims].reverse())).toEqual(findRepairs(ports, claims))
})
