import { describe, expect, test } from 'vitest'
import { type Fetches, makeFetches } from '../../../src/agent/provider/fetches.ts'

const LONG = 60_000
/** Of a Traefik that has something of ours, and of one that has nothing. */
const doubts = (fetches: Fetches, nowMs = LONG) => [
  fetches.doubtSinceMs(false, nowMs),
  fetches.doubtSinceMs(true, nowMs),
]

/** A connection that had the body before, and then this one. */
function changed(seen = false): Fetches {
  const fetches = makeFetches()
  fetches.offered('old', seen)
  fetches.fetched('old', 1, 10)
  fetches.askedAgain(1, 5)
  fetches.offered('new', false)
  return fetches
}

describe('who has fetched a body', () => {
  test('nobody yet', () => {
    const fetches = changed()
    expect([fetches.sinceMs(), doubts(fetches)]).toEqual([null, [null, null]])
  })

  test('whoever asks again at once has taken it', () => {
    const fetches = changed()
    fetches.fetched('new', 1, 100)
    expect(doubts(fetches)).toEqual([100, 100])
    fetches.askedAgain(1, 200)
    expect([fetches.sinceMs(), doubts(fetches)]).toEqual([100, [null, null]])
  })

  test('whoever asks again late may have refused it', () => {
    const fetches = changed()
    fetches.fetched('new', 1, 100)
    fetches.askedAgain(1, 201)
    // What it is handed at the end of its hold it has already, and passes over.
    fetches.fetched('new', 1, 25_000)
    fetches.askedAgain(1, 3)
    expect(doubts(fetches)).toEqual([100, 100])
  })

  test('a connection that ends tells nothing', () => {
    const fetches = changed()
    fetches.fetched('new', 1, 100)
    fetches.closed(1)
    expect([fetches.sinceMs(), doubts(fetches)]).toEqual([100, [null, null]])
  })

  test('of two, the one that is silent counts', () => {
    const fetches = changed()
    fetches.fetched('old', 2, 20)
    fetches.fetched('new', 2, 100)
    fetches.askedAgain(2, 5)
    // The first one backs off and has not asked for it yet.
    expect(doubts(fetches, 5_000)).toEqual([null, null])
    fetches.fetched('new', 1, 9_000)
    expect(doubts(fetches, 20_000)).toEqual([9_000, 9_000])
  })

  test('one that has gone for good holds nobody up', () => {
    const fetches = changed()
    fetches.fetched('new', 2, 100)
    expect([doubts(fetches, 25_009), doubts(fetches, 25_010)]).toEqual([
      [null, null],
      [100, 100],
    ])
  })

  test('the first fetch of a body that nobody had', () => {
    const fetches = makeFetches()
    fetches.offered('new', false)
    fetches.fetched('new', 1, 100)
    fetches.askedAgain(1, 5)
    expect(doubts(fetches)).toEqual([null, null])
  })

  test.each<[string, (fetches: Fetches) => void]>([
    ['that a run before has handed out', fetches => fetches.offered('new', true)],
    [
      'that another connection has fetched',
      fetches => {
        fetches.offered('new', false)
        fetches.fetched('new', 2, 50)
        fetches.closed(2)
      },
    ],
    [
      'that was sent again',
      fetches => {
        fetches.offered('new', false)
        fetches.fetched('new', 1, 50)
        fetches.forget()
      },
    ],
  ])('one %s may be passed over in silence', (_, before) => {
    const fetches = makeFetches()
    before(fetches)
    fetches.fetched('new', 1, 100)
    fetches.askedAgain(1, 5)
    expect(doubts(fetches)).toEqual([100, null])
  })

  test('another process that has it already has it from now', () => {
    const fetches = changed()
    fetches.fetched('new', 1, 100)
    fetches.askedAgain(1, 5)
    fetches.restarted(700)
    expect([fetches.sinceMs(), doubts(fetches)]).toEqual([700, [700, null]])
  })

  test('another process that has not fetched it begins anew', () => {
    const fetches = changed()
    fetches.fetched('new', 1, 100)
    fetches.restarted(null)
    expect([fetches.sinceMs(), doubts(fetches)]).toEqual([null, [null, null]])
  })
})
