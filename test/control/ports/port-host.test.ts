import { describe, expect, test } from 'vitest'
import { type HostClaim, judgeHost, wildcardOver } from '../../../src/control/ports/host.ts'
import { makePortSet } from '../../../src/core/port-set.ts'

const POOL = {
  range: makePortSet([10_000]),
  reserved: makePortSet([]),
  shared: makePortSet([443, 5432]),
  declared: makePortSet([443, 10_000]),
}
const NO_QUOTA = { limit: null, used: 0, resting: 0 }
const OVER = { over: true, leftMs: 0, blockedBy: [] }
const NOT_OVER = { over: false, leftMs: 9000, blockedBy: [] }

const claim = (host: string, over: Partial<HostClaim> = {}): HostClaim => ({ host, own: false, rest: null, ...over })

const codeOf = (
  host: string,
  claims: readonly HostClaim[] = [],
  { port = 443, taken = false, quota = NO_QUOTA as Parameters<typeof judgeHost>[4] } = {},
) => judgeHost({ port, host }, POOL, claims, taken, quota)?.code ?? 'ok'

describe('a host name on a shared number', () => {
  const DB = 'db.example.com'
  const ALL = '*.example.com'

  test.each([
    ['that nobody has', DB, [], 'ok'],
    ['that another has', DB, [claim(DB)], 'SNI_TAKEN'],
    ['that another port of the project has', DB, [claim(DB, { own: true })], 'SNI_TAKEN'],
    ['that another has just released', DB, [claim(DB, { rest: NOT_OVER })], 'SNI_TAKEN'],
    ['that has rested', DB, [claim(DB, { rest: OVER })], 'ok'],
    ['that the project has just released', DB, [claim(DB, { own: true, rest: NOT_OVER })], 'ok'],
    ['under the wildcard of another', DB, [claim(ALL)], 'SNI_TAKEN'],
    ['under a wildcard that another has just released', DB, [claim(ALL, { rest: NOT_OVER })], 'SNI_TAKEN'],
    ['under the wildcard of the project', DB, [claim(ALL, { own: true })], 'ok'],
    ['that is a wildcard over one of another', ALL, [claim(DB)], 'SNI_TAKEN'],
    ['that is a wildcard over one of the project', ALL, [claim(DB, { own: true })], 'ok'],
    ['that is a wildcard another has', ALL, [claim(ALL)], 'SNI_TAKEN'],
    ['that is a label deeper than a wildcard', 'a.db.example.com', [claim(ALL)], 'ok'],
    ['that is the domain of a wildcard', 'example.com', [claim(ALL)], 'ok'],
    ['beside another of the same domain', DB, [claim('pg.example.com')], 'ok'],
    ['of one label', 'db', [claim('pg')], 'ok'],
  ] as const)('%s: %s is %3$s', (_what, host, claims, code) => {
    expect(codeOf(host, claims)).toBe(code)
  })

  test('is not to be had on a number that is not shared', () => {
    expect(codeOf(DB, [], { port: 10_000 })).toBe('PORT_NOT_SHARED')
  })

  test('is not to be had on a number that some node does not have', () => {
    expect(codeOf(DB, [], { port: 5432 })).toBe('PORT_UNDECLARED')
  })

  test('is not to be had on a number that somebody has as a whole', () => {
    expect(codeOf(DB, [], { taken: true })).toBe('PORT_TAKEN')
  })

  test('counts for the quota', () => {
    expect(codeOf(DB, [], { quota: { limit: 2, used: 2, resting: 0 } })).toBe('QUOTA_EXCEEDED')
    expect(codeOf(DB, [], { quota: { limit: 2, used: 1, resting: 3 } })).toBe('QUOTA_EXCEEDED')
    const own = claim(DB, { own: true, rest: NOT_OVER })
    expect(codeOf(DB, [own], { quota: { limit: 2, used: 1, resting: 3 } })).toBe('ok')
  })

  test('that is taken is named, without its owner', () => {
    expect(judgeHost({ port: 443, host: DB }, POOL, [claim(ALL)], false, NO_QUOTA)).toEqual({
      code: 'SNI_TAKEN',
      protocol: 'tcp',
      port: 443,
      host: DB,
      message: '*.example.com on TCP port 443 is taken, and db.example.com would share its clients',
      remedy: 'Take another host name, or another port.',
      leftMs: null,
      blockedBy: [],
      counts: null,
    })
  })
})

test.each([
  ['db.example.com', '*.example.com'],
  ['*.example.com', '*.example.com'],
  ['a.b.c', '*.b.c'],
  ['db', '*'],
])('over %s is %s', (host, wildcard) => {
  expect(wildcardOver(host)).toBe(wildcard)
})
