import { describe, expect, test } from 'vitest'
import { judgeRest, type NodeKnowledge, type Resting } from '../../../src/control/ports/rest.ts'

const at = (epoch: number, revision: number) => ({ epoch, revision })
const node = (over: Partial<NodeKnowledge> = {}): NodeKnowledge => ({
  id: 'srv_1',
  name: 'proxy-1',
  status: 'active',
  lastSeenAt: null,
  enrolled: at(1, 0),
  applied: at(1, 10),
  ...over,
})
const resting = (over: Partial<Resting> = {}): Resting => ({
  releasedBy: 'prj_1',
  restedMs: 60_000,
  blocked: at(1, 10),
  ...over,
})
const rules = { leastTimeMs: 60_000 }
const blocker = { id: 'srv_1', name: 'proxy-1', status: 'active', lastSeenAt: null }

describe('a released number', () => {
  test.each([
    ['every node knows and the time has passed', resting(), [node()], true],
    ['there is no node', resting(), [], true],
    ['a node knows a later revision', resting(), [node({ applied: at(1, 11) })], true],
    ['a node knows a lower revision of a later epoch', resting(), [node({ applied: at(2, 3) })], true],
    ['a node came in after the release', resting(), [node({ enrolled: at(1, 10), applied: null })], true],
    ['the node that does not know is retired', resting(), [node({ status: 'retired', applied: null })], true],
    ['the time has not passed', resting({ restedMs: 59_999 }), [node()], false],
    ['a node knows an older revision', resting(), [node({ applied: at(1, 9) })], false],
    [
      'a node knows a higher revision of an older epoch',
      resting({ blocked: at(2, 10) }),
      [node({ applied: at(1, 99) })],
      false,
    ],
    ['a node has never applied anything', resting(), [node({ applied: null })], false],
    ['one of two nodes does not know', resting(), [node({ id: 'srv_2' }), node({ applied: at(1, 9) })], false],
    ['the node that does not know is lost', resting(), [node({ status: 'lost', applied: null })], false],
  ] as const)('where %s: its rest is over: %4$s', (_when, claim, nodes, over) => {
    expect(judgeRest(claim, nodes, rules).over).toBe(over)
  })

  test('names those for which it rests, and what is left of the time', () => {
    const seen = new Date('2026-01-02T03:04:05Z')
    const nodes = [
      node({ applied: at(1, 9) }),
      node({ id: 'srv_2', name: 'proxy-2', status: 'lost', applied: at(1, 1), lastSeenAt: seen }),
      node({ id: 'srv_3', name: 'proxy-3' }),
    ]
    expect(judgeRest(resting({ restedMs: 45_000 }), nodes, rules)).toEqual({
      over: false,
      leftMs: 15_000,
      blockedBy: [blocker, { id: 'srv_2', name: 'proxy-2', status: 'lost', lastSeenAt: seen }],
    })
  })

  test('rests long enough by the time alone where no time is asked for', () => {
    expect(judgeRest(resting({ restedMs: 0 }), [], { leastTimeMs: 0 })).toEqual({
      over: true,
      leftMs: 0,
      blockedBy: [],
    })
  })
})
