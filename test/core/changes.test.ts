import { fc, test as propertyTest } from '@fast-check/vitest'
import { describe, expect, test } from 'vitest'
import { findChanges, servedCandidates, withChanges } from '../../src/core/changes.ts'
import { compile } from '../../src/core/compile.ts'
import { type Candidate, keyOf } from '../../src/core/conflicts.ts'
import { mergeSources } from '../../src/core/merge.ts'
import { goodLists } from '../support/arbitraries.ts'
import { httpRoute, type Lists, NODE, stateWith, tcpRoute, traefikWith, udpRoute, viewOf } from '../support/builders.ts'

const sourced = (lists: Lists, origin: string) => stateWith({ ...lists }).routes.map(route => ({ route, origin }))

const candidatesOf = (lists: Lists, files: Lists = {}): readonly Candidate[] =>
  mergeSources(
    [
      { rank: 0, routes: sourced(files, 'a.yaml') },
      { rank: 1, routes: sourced(lists, 'cp') },
    ],
    {},
    1000,
  ).candidates

const compiled = (candidates: readonly Candidate[]) =>
  compile({ candidates, node: NODE, view: viewOf(traefikWith()), certificates: [], challengeUrl: null })

const served = (candidates: readonly Candidate[]) => servedCandidates(compiled(candidates).outcomes)

const changes = (had: Lists, wanted: Lists): readonly (readonly string[])[] =>
  findChanges(served(candidatesOf(had)), served(candidatesOf(wanted)))

const at = (id: string, externalPort: number, fields: object = {}) => tcpRoute({ id, externalPort, ...fields })
const named = (id: string, sniHostname: string, fields: object = {}) => tcpRoute({ id, sniHostname, ...fields })
const tcp = (...tcpRoutes: unknown[]): Lists => ({ tcpRoutes })
const udp = (...udpRoutes: unknown[]): Lists => ({ udpRoutes })
const elsewhere = { upstreams: ['10.200.1.6:5432'] }

describe('what differs', () => {
  test.each<[string, Lists, Lists, readonly (readonly string[])[]]>([
    ['nothing', tcp(at('a', 10001)), tcp(at('a', 10001)), []],
    ['all, from nothing', {}, tcp(at('a', 10001), at('b', 10002)), [['tcp/a'], ['tcp/b']]],
    ['a route with another upstream', tcp(at('a', 10001)), tcp(at('a', 10001, elsewhere)), [['tcp/a']]],
    ['a route that is gone', tcp(at('a', 10001), at('b', 10002)), tcp(at('b', 10002)), []],
    ['a newcomer on a port that is left', tcp(at('a', 10001)), tcp(at('b', 10001)), [['tcp/a', 'tcp/b']]],
    [
      'two that change places',
      tcp(at('a', 10001), at('b', 10002)),
      tcp(at('a', 10002), at('b', 10001)),
      [['tcp/a', 'tcp/b']],
    ],
    [
      'three in a row',
      tcp(at('a', 10001), at('b', 10002), at('c', 10004)),
      tcp(at('a', 10002), at('b', 10003), at('c', 10004, elsewhere)),
      [['tcp/a', 'tcp/b'], ['tcp/c']],
    ],
    ['names on one port', tcp(named('a', 'a.example.com')), tcp(named('b', 'b.example.com')), [['tcp/b']]],
    [
      'a name that is taken over',
      tcp(named('a', 'a.example.com')),
      tcp(named('b', 'a.example.com')),
      [['tcp/a', 'tcp/b']],
    ],
    [
      'a plain route where names were',
      tcp(named('a', 'a.example.com'), named('b', 'b.example.com')),
      tcp(at('c', 10001)),
      [['tcp/a', 'tcp/b', 'tcp/c']],
    ],
    ['a name where a plain route was', tcp(at('a', 10001)), tcp(named('b', 'b.example.com')), [['tcp/a', 'tcp/b']]],
    [
      'a block over two',
      udp(udpRoute({ id: 'a' }), udpRoute({ id: 'b', externalPort: 11001 })),
      udp(udpRoute({ id: 'c', externalPortEnd: 11001 })),
      [['udp/a', 'udp/b', 'udp/c']],
    ],
    ['TCP and UDP of one number', tcp(at('a', 10001)), udp(udpRoute({ id: 'b', externalPort: 11000 })), [['udp/b']]],
    [
      'an HTTP domain that is taken over',
      { routes: [httpRoute({ id: 'a' })] },
      { routes: [httpRoute({ id: 'b' }), httpRoute({ id: 'c', pathPrefix: '/c' })] },
      [['http/a', 'http/b'], ['http/c']],
    ],
    ['a newcomer that is not served', tcp(at('a', 10001)), tcp(at('a', 10001), at('b', 10001)), []],
    ['a newcomer on a port outside the pool', {}, tcp(at('a', 10099)), []],
  ])('%s', (_, had, wanted, expected) => {
    expect(changes(had, wanted)).toEqual(expected)
  })

  test.each<[string, Lists, Lists]>([
    ['the one that goes before the other', tcp(at('a', 10001)), tcp(at('a', 10002))],
    ['the one that is not refused', tcp(at('a', 10002)), tcp(at('a', 10099))],
  ])('of one id %s counts', (_, lists, files) => {
    const both = served(candidatesOf(lists, files))
    expect(both).toHaveLength(1)
    expect(findChanges(served(candidatesOf(tcp(at('a', 10002)))), both)).toEqual([])
  })
})

describe('some of the changes', () => {
  const ids = (candidates: readonly Candidate[]) =>
    candidates.map(({ route }) => `${route.id} ${route.protocol === 'tcp' ? route.externalPort : ''}`)

  test('the others stay as they were', () => {
    const had = candidatesOf(tcp(at('a', 10001), at('b', 10002), at('c', 10003)))
    const wanted = candidatesOf(tcp(at('a', 10005), at('b', 10006), at('d', 10007)))
    expect(ids(withChanges(had, wanted, []))).toEqual(['a 10001', 'b 10002', 'c 10003'])
    expect(ids(withChanges(had, wanted, ['tcp/b']))).toEqual(['a 10001', 'b 10006', 'c 10003'])
    expect(ids(withChanges(had, wanted, ['tcp/c', 'tcp/d']))).toEqual(['a 10001', 'b 10002', 'd 10007'])
  })

  test('a route of another rank keeps its new rank', () => {
    const [had, wanted] = [candidatesOf(tcp(at('a', 10001))), candidatesOf({}, tcp(at('a', 10001)))]
    expect(withChanges(had, wanted, []).map(({ rank }) => rank)).toEqual([0])
  })
})

describe('for any two states', () => {
  const keys = (candidates: readonly Candidate[]) => candidates.map(({ route }) => keyOf(route))
  const states = fc.tuple(
    goodLists(),
    goodLists(),
    goodLists(),
    fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
  )

  propertyTest.prop([states])('no trial drops a route that both serve', ([files, hadLists, wantedLists, picks]) => {
    const had = served(candidatesOf(hadLists))
    const wanted = served(candidatesOf(wantedLists, files))
    const picked = findChanges(had, wanted).filter((_, i) => picks[i])
    const trial = new Set(keys(served(withChanges(had, wanted, picked.flat()))))
    const after = new Set(keys(wanted))
    expect(keys(had).filter(key => after.has(key) && !trial.has(key))).toEqual([])
    // What is tried is served: else its being taken would prove nothing.
    expect(picked.flat().filter(key => after.has(key) && !trial.has(key))).toEqual([])
  })

  propertyTest.prop([states])('what is served alone is served the same', ([files, lists]) => {
    const candidates = candidatesOf(lists, files)
    expect(compiled(served(candidates)).config).toEqual(compiled(candidates).config)
  })

  propertyTest.prop([states])('all changes together serve what is wanted', ([files, hadLists, wantedLists]) => {
    const had = served(candidatesOf(hadLists))
    const wanted = served(candidatesOf(wantedLists, files))
    const all = withChanges(had, wanted, findChanges(had, wanted).flat())
    const trial = new Set(keys(served(all)))
    expect(keys(wanted).filter(key => !trial.has(key))).toEqual([])
  })
})
