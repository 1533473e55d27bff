import { describe, expect, test } from 'vitest'
import { WORST_FIRST } from '../../src/api/verdict.ts'
import { countRows } from '../../src/console/verdict/counts.ts'
import {
  type SaidRow,
  type Standing,
  saidOnNode,
  standingOfRow,
  standingOfWord,
  standingOnNode,
  standingWord,
  type Voice,
  worstStanding,
} from '../../src/console/verdict/standing.ts'
import { byRank, LEGEND, lookOf, VERDICT_WORDS, worstOf } from '../../src/console/verdict/verdict.ts'

const voice = (n: number, silent = false): Voice => ({ id: `nod_${n}`, name: `proxy-${n}`, silent })
const ALL = [voice(1), voice(2), voice(3)]

const row = (verdict: SaidRow['verdict'], ...notLive: [number, SaidRow['verdict']][]): SaidRow => ({
  verdict,
  notLive: notLive.map(([n, said]) => ({ nodeId: `nod_${n}`, verdict: said })),
})

const plain = ({ shown, was, on, silent }: Standing) => ({ shown, was, on: [...on], silent: [...silent] })
const EVERYWHERE = { was: null, on: [], silent: [] }

describe('the table of verdicts', () => {
  test('has every word of the interface, in its order', () => {
    expect([...VERDICT_WORDS].sort(byRank)).toEqual(WORST_FIRST)
    expect(new Set(VERDICT_WORDS)).toEqual(new Set(WORST_FIRST))
  })

  test('has one look for each word but gone', () => {
    const tones = LEGEND.map(one => lookOf(one).tone)
    expect(new Set(tones).size).toBe(LEGEND.length)
    expect(lookOf('gone').tone).toBe('unknown')
    expect(lookOf('unknown').word).toBe('not known')
  })

  test('knows the worst of some', () => {
    expect(worstOf(['live', 'degraded', 'refused', 'pending'])).toBe('refused')
    expect(worstOf([])).toBe(null)
  })
})

describe('a route over all nodes', () => {
  test('is live when every node says so', () => {
    expect(plain(standingOfRow(row('live'), ALL, true))).toEqual({ shown: 'live', ...EVERYWHERE })
  })

  test('is what the worst node says, which is named', () => {
    const said = row('refused', [3, 'refused'], [2, 'pending'])
    expect(plain(standingOfRow(said, ALL, true))).toEqual({ shown: 'refused', was: null, on: ['proxy-3'], silent: [] })
  })

  test('names no node when all say the same', () => {
    const said = row('rejected', [1, 'rejected'], [2, 'rejected'], [3, 'rejected'])
    expect(plain(standingOfRow(said, ALL, true))).toEqual({ shown: 'rejected', ...EVERYWHERE })
  })

  test('is live when every node says so that reports, and the silent one is named', () => {
    const said = row('unknown', [3, 'unknown'])
    const standing = standingOfRow(said, [voice(1), voice(2), voice(3, true)], true)
    expect(plain(standing)).toEqual({ shown: 'live', was: null, on: [], silent: ['proxy-3'] })
  })

  test('does not take the old word of a node that has fallen silent since', () => {
    const standing = standingOfRow(row('live'), [voice(1, true), voice(2)], true)
    expect(plain(standing)).toEqual({ shown: 'live', was: null, on: [], silent: ['proxy-1'] })
    const refused = standingOfRow(row('refused', [1, 'refused']), [voice(1, true), voice(2)], true)
    expect(plain(refused)).toEqual({ shown: 'live', was: null, on: [], silent: ['proxy-1'] })
  })

  test('is not known when no node reports', () => {
    const standing = standingOfRow(row('live'), [voice(1, true), voice(2, true)], true)
    expect(plain(standing)).toEqual({ shown: 'unknown', was: 'live', on: [], silent: ['proxy-1', 'proxy-2'] })
  })

  test('is what the control plane says while there are no nodes', () => {
    expect(plain(standingOfRow(row('pending'), [], true))).toEqual({ shown: 'pending', ...EVERYWHERE })
  })

  test('is not live for a node that the row does not know yet', () => {
    // The row was made before there was a node; the node is there now.
    expect(plain(standingOfRow(row('pending'), [voice(1)], true)).shown).toBe('pending')
    expect(saidOnNode(row('pending'), 'nod_1')).toBe('pending')
  })

  test('is never known when the link is lost', () => {
    for (const verdict of WORST_FIRST) {
      const standing = standingOfRow(row(verdict), ALL, false)
      expect(plain(standing)).toEqual({
        shown: 'unknown',
        was: verdict === 'unknown' ? null : verdict,
        on: [],
        silent: [],
      })
    }
  })
})

describe('a route on one node', () => {
  test('is what the node says', () => {
    expect(plain(standingOnNode({ verdict: 'degraded' }, voice(1), true))).toEqual({ shown: 'degraded', ...EVERYWHERE })
  })

  test('is not known while the node is silent, and says what it was', () => {
    expect(plain(standingOnNode({ verdict: 'unknown', was: 'live' }, voice(1, true), true))).toEqual({
      shown: 'unknown',
      was: 'live',
      on: [],
      silent: ['proxy-1'],
    })
    expect(plain(standingOnNode({ verdict: 'live' }, voice(1, true), true))).toEqual({
      shown: 'unknown',
      was: 'live',
      on: [],
      silent: ['proxy-1'],
    })
  })

  test('is not known when the link is lost, whatever the node said', () => {
    expect(plain(standingOnNode({ verdict: 'live' }, voice(1), false)).shown).toBe('unknown')
    expect(plain(standingOnNode({ verdict: 'gone' }, voice(1), false)).shown).toBe('unknown')
  })

  test('that is gone is gone, silent or not', () => {
    expect(plain(standingOnNode({ verdict: 'gone' }, voice(1, true), true)).shown).toBe('gone')
  })
})

test('several routes stand as the worst of them, with every silent node', () => {
  const one = standingOfRow(row('unknown', [3, 'unknown']), [voice(1), voice(3, true)], true)
  const two = standingOfRow(row('waiting', [1, 'waiting']), [voice(1), voice(2)], true)
  const worst = worstStanding([one, two])
  expect(worst === null ? null : plain(worst)).toEqual({
    shown: 'waiting',
    was: null,
    on: ['proxy-1'],
    silent: ['proxy-3'],
  })
  expect(worstStanding([])).toBe(null)
})

test('the word says what it was when it is not known', () => {
  const word = (verdict: SaidRow['verdict'], isLinkUp: boolean) =>
    standingWord(standingOfWord(verdict, isLinkUp), one => lookOf(one).word)
  expect(word('live', true)).toBe('live')
  expect(word('live', false)).toBe('was live')
  expect(word('unknown', false)).toBe('not known')
})

test('rows are counted by what the nodes say that report', () => {
  const rows = [row('live'), row('unknown', [3, 'unknown']), row('refused', [1, 'refused']), row('gone')]
  expect(countRows(rows, [voice(1), voice(2), voice(3, true)])).toEqual({
    live: 2,
    pending: 0,
    degraded: 0,
    conflicted: 0,
    rejected: 0,
    refused: 1,
    waiting: 0,
    held: 0,
    unknown: 0,
  })
})
