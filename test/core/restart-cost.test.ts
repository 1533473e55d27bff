import { describe, expect, test } from 'vitest'
import { restartCost, restartCostText, withRestartCost } from '../../src/core/restart-cost.ts'
import { NO_PLACE } from '../../src/core/route-place.ts'
import { REASONS, type ReasonCode } from '../../src/core/verdict.ts'
import { ENTRY_POINTS } from '../support/builders.ts'

const counts = new Map([
  ['web', 3],
  ['tcp-10001', 9],
  ['traefik', 2],
])

const row = (reason: ReasonCode) => ({
  ...NO_PLACE,
  id: 'pg',
  protocol: 'tcp' as const,
  verdict: REASONS[reason].verdict,
  reason,
  message: 'a sentence',
  remedy: 'Add these lines:\n  a: b',
  entryPoints: [],
  notes: [],
  origin: 'a.yaml',
})

describe('what a restart would cut', () => {
  test('connections of users, not ours to the API', () => {
    expect(restartCost(counts, ENTRY_POINTS, 'http://127.0.0.1:8080')).toEqual({ openConnections: 12 })
  })

  test('the API may be on an entry point with another name', () => {
    const entryPoints = [{ name: 'web', address: ':9000', port: 9000, protocol: 'tcp' as const }]
    expect(restartCost(counts, entryPoints, 'http://127.0.0.1:9000')).toEqual({ openConnections: 9 })
  })

  test('a Traefik without metrics does not tell', () => {
    expect(restartCost(null, ENTRY_POINTS, null)).toEqual({ openConnections: null })
  })

  test.each<[number | null, string]>([
    [0, 'a restart would cut no open connection'],
    [1, 'a restart would cut 1 open connection'],
    [12, 'a restart would cut 12 open connections'],
    [null, 'how many open connections a restart would cut is not known: metrics are not on the API address'],
  ])('%s in words', (openConnections, text) => {
    expect(restartCostText({ openConnections })).toBe(text)
  })

  test('whoever waits for a restart is told, before the lines to copy', () => {
    const rows = [row('ENTRY_POINT_MISSING'), row('ENTRY_POINT_WRONG_PROTOCOL'), row('LIVE')]
    expect(withRestartCost(rows, { openConnections: 12 }).map(({ remedy }) => remedy)).toEqual([
      'A restart would cut 12 open connections. Add these lines:\n  a: b',
      'A restart would cut 12 open connections. Add these lines:\n  a: b',
      'Add these lines:\n  a: b',
    ])
  })
})
