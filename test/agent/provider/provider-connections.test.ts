import { describe, expect, test } from 'vitest'
import { type ConnectionView, chooseEviction } from '../../../src/agent/provider/connections.ts'

const NOW = 100_000
const slow: ConnectionView = { id: 1, phase: 'sending', sinceMs: NOW - 1_002 }
const stranger: ConnectionView = { id: 2, phase: 'stranger', sinceMs: NOW - 5 }
const silent: ConnectionView = { id: 3, phase: 'newcomer', sinceMs: NOW - 1_001 }
const held: ConnectionView = { id: 4, phase: 'held', sinceMs: NOW - 20_000 }
const poller: ConnectionView = { id: 5, phase: 'poller', sinceMs: NOW - 90_000 }
const sending: ConnectionView = { id: 6, phase: 'sending', sinceMs: NOW - 999 }
const newcomer: ConnectionView = { id: 7, phase: 'newcomer', sinceMs: NOW - 5 }

describe('chooseEviction', () => {
  test('nobody is there', () => {
    expect(chooseEviction([], NOW)).toBeNull()
  })

  test.each<[string, readonly ConnectionView[], number]>([
    ['a slow reader goes before all others', [newcomer, sending, poller, held, stranger, silent, slow], 1],
    ['then one that says nothing', [newcomer, sending, poller, held, stranger, silent], 3],
    ['then one that was refused', [newcomer, sending, poller, held, stranger], 2],
    ['then a held one, which is answered', [newcomer, sending, poller, held], 4],
    ['then one between two polls', [newcomer, sending, poller], 5],
    ['then one that is being answered', [newcomer, sending], 6],
    ['and last one that has just come', [newcomer], 7],
  ])('%s', (_title, views, expected) => {
    expect(chooseEviction(views, NOW)).toBe(expected)
    expect(chooseEviction(views.toReversed(), NOW)).toBe(expected)
  })

  test('the oldest of equals goes', () => {
    const older: ConnectionView = { id: 9, phase: 'stranger', sinceMs: stranger.sinceMs - 1 }
    expect(chooseEviction([stranger, older], NOW)).toBe(9)
    expect(chooseEviction([{ ...older, id: 10 }, older], NOW)).toBe(9)
  })
})
