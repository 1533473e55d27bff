import { describe, expect, test } from 'vitest'
import { isUp, type Link, type LinkEvent, SILENCE_MS, startLink, step } from '../../src/console/data/link.ts'

/** Goes through events at their times; answers the link and everything that was asked for. */
function run(events: readonly [LinkEvent['type'], number][], jitter = 0) {
  const { link: first, deeds: begun } = startLink(0)
  let link: Link = first
  const deeds: string[] = [...begun]
  for (const [type, now] of events) {
    const next = step(link, { type, now }, jitter)
    link = next.link
    deeds.push(...next.deeds)
  }
  return { link, deeds }
}

const LOST: readonly [LinkEvent['type'], number][] = [
  ['opened', 100],
  ['failed', 1_000],
]

describe('the link', () => {
  test('is believed while it opens, and connects', () => {
    const { link, deeds } = startLink(5)
    expect(link).toEqual({ phase: 'starting', heardAt: 5, attempts: 0, retryAt: null, trying: true })
    expect(deeds).toEqual(['connect'])
    expect(isUp(link)).toBe(true)
  })

  test('is up once it has opened', () => {
    expect(run([['opened', 100]]).link).toEqual({
      phase: 'up',
      heardAt: 100,
      attempts: 0,
      retryAt: null,
      trying: false,
    })
  })

  test('is lost after ten seconds of silence, not before', () => {
    const heard: readonly [LinkEvent['type'], number][] = [
      ['opened', 0],
      ['heard', 5_000],
    ]
    expect(run([...heard, ['tick', 5_000 + SILENCE_MS - 1]]).link.phase).toBe('up')
    const { link, deeds } = run([...heard, ['tick', 5_000 + SILENCE_MS]])
    expect(link).toEqual({ phase: 'lost', heardAt: 5_000, attempts: 1, retryAt: 16_000, trying: false })
    expect(deeds).toEqual(['connect', 'disconnect'])
  })

  test('is lost when nothing has ever opened', () => {
    expect(run([['tick', SILENCE_MS]]).link.phase).toBe('lost')
  })

  test('opens a stream anew that has ended, and is up meanwhile', () => {
    const ended = run([
      ['opened', 100],
      ['closed', 1_000],
    ])
    expect(ended).toEqual({
      link: { phase: 'up', heardAt: 100, attempts: 0, retryAt: null, trying: true },
      deeds: ['connect', 'connect'],
    })
    const word = step(ended.link, { type: 'heard', now: 1_010 }, 0)
    expect(word.link.trying).toBe(true)
    const again = step(word.link, { type: 'opened', now: 1_050 }, 0)
    expect(again).toEqual({
      link: { phase: 'up', heardAt: 1_050, attempts: 0, retryAt: null, trying: false },
      deeds: ['fetch'],
    })
    expect(step(again.link, { type: 'fetched', now: 1_100 }, 0)).toEqual({ link: again.link, deeds: [] })
    expect(step(again.link, { type: 'failed', now: 1_100 }, 0).link.phase).toBe('lost')
  })

  test('is lost when a stream that has ended cannot be opened anew', () => {
    const events: readonly [LinkEvent['type'], number][] = [
      ['opened', 100],
      ['closed', 1_000],
    ]
    expect(run([...events, ['closed', 1_020]])).toEqual({
      link: { phase: 'lost', heardAt: 100, attempts: 1, retryAt: 2_020, trying: false },
      deeds: ['connect', 'connect', 'disconnect'],
    })
    expect(run([...events, ['tick', 100 + SILENCE_MS]]).link.phase).toBe('lost')
  })

  test('is lost at once when nothing can be fetched', () => {
    expect(run(LOST).link).toEqual({ phase: 'lost', heardAt: 100, attempts: 1, retryAt: 2_000, trying: false })
    expect(isUp(run(LOST).link)).toBe(false)
  })

  test('is tried again after 1, 2, 4, 8, then every 15 s', () => {
    let link = run(LOST).link
    const pauses: number[] = []
    for (let n = 0; n < 7; n += 1) {
      const now = link.retryAt ?? 0
      link = step(link, { type: 'tick', now }, 0).link
      expect(link.trying).toBe(true)
      link = step(link, { type: 'closed', now }, 0).link
      pauses.push((link.retryAt ?? 0) - now)
    }
    expect(pauses).toEqual([2_000, 4_000, 8_000, 15_000, 15_000, 15_000, 15_000])
  })

  test('waits up to a quarter longer by chance', () => {
    expect(run(LOST, 1).link.retryAt).toBe(2_250)
  })

  test('is not tried before its time', () => {
    expect(run([...LOST, ['tick', 1_999]]).deeds).toEqual(['connect', 'disconnect'])
    expect(run([...LOST, ['tick', 2_000]]).deeds).toEqual(['connect', 'disconnect', 'connect'])
  })

  test('is tried at once when somebody asks, but not twice at the same time', () => {
    expect(run([...LOST, ['nudge', 1_100]]).deeds).toEqual(['connect', 'disconnect', 'connect'])
    expect(run([...LOST, ['nudge', 1_100], ['nudge', 1_200]]).deeds.filter(deed => deed === 'connect').length).toBe(2)
  })

  test('gives up an attempt that hangs', () => {
    const hanging = run([...LOST, ['tick', 2_000]]).link
    expect(hanging.retryAt).toBe(2_000 + SILENCE_MS)
    expect(step(hanging, { type: 'tick', now: 2_000 + SILENCE_MS }, 0).deeds).toEqual(['connect'])
  })

  test('fetches everything before it is believed again', () => {
    const back = run([...LOST, ['tick', 2_000], ['opened', 2_050]])
    expect(back.link.phase).toBe('returning')
    expect(back.deeds.at(-1)).toBe('fetch')
    expect(isUp(back.link)).toBe(false)
    const heard = step(back.link, { type: 'heard', now: 2_060 }, 0)
    expect(heard.link.phase).toBe('returning')
    expect(heard.deeds).toEqual([])
    const fetched = step(heard.link, { type: 'fetched', now: 2_100 }, 0)
    expect(fetched.link).toEqual({ phase: 'up', heardAt: 2_100, attempts: 0, retryAt: null, trying: false })
  })

  test('is lost again when the fetching fails', () => {
    const back = run([...LOST, ['tick', 2_000], ['opened', 2_050], ['failed', 2_100]])
    expect(back.link).toEqual({ phase: 'lost', heardAt: 2_050, attempts: 2, retryAt: 4_100, trying: false })
  })

  test('comes back with a word that another tab passes on', () => {
    const { link, deeds } = run([...LOST, ['heard', 1_500]])
    expect(link.phase).toBe('returning')
    expect(deeds.at(-1)).toBe('fetch')
  })

  test('needs no nudge while it is up', () => {
    expect(
      run([
        ['opened', 100],
        ['nudge', 200],
      ]).deeds,
    ).toEqual(['connect'])
  })
})
