import { test as property } from '@fast-check/vitest'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { judgeOrder, type OrderedHeader, type RevisionMark } from '../../src/core/revision-order.ts'

const mark = (epoch: number, revision: number, controlPlaneId: string | null = 'cp_1'): RevisionMark => ({
  controlPlaneId,
  epoch,
  revision,
})
const header = (
  epoch: number | null,
  revision: number | null,
  controlPlaneId: string | null = 'cp_1',
): OrderedHeader => ({ controlPlaneId, epoch, revision })

describe('order of revisions', () => {
  test.each([
    ['the first one', null, header(1, 9), mark(1, 9)],
    ['the first one without an epoch', null, header(null, 9), mark(0, 9)],
    ['the first one without an id', null, header(1, 9, null), mark(1, 9, null)],
    ['a higher revision', mark(1, 9), header(1, 10), mark(1, 10)],
    ['a higher epoch with a lower revision', mark(1, 9), header(2, 1), mark(2, 1)],
    ['a higher revision without an epoch', mark(3, 9), header(null, 10), mark(3, 10)],
    ['a higher revision without an id', mark(1, 9), header(1, 10, null), mark(1, 10)],
    ['a lower revision of another control plane', mark(5, 9), header(1, 1, 'cp_2'), mark(1, 1, 'cp_2')],
    ['no revision at all', mark(1, 9), header(null, null), mark(1, 9)],
    ['no revision and no mark', null, header(null, null, null), null],
    ['an id where none was known', mark(1, 9, null), header(1, 10), mark(1, 10)],
  ])('%s is taken', (_, before, next, after) => {
    expect(judgeOrder(before, next)).toEqual({ verdict: 'accept', mark: after })
  })

  test.each([
    ['an equal one', mark(1, 9), header(1, 9), mark(1, 9)],
    ['an equal one without an epoch', mark(2, 9), header(null, 9), mark(2, 9)],
    ['an equal one that gains an id', mark(1, 9, null), header(1, 9), mark(1, 9)],
  ])('%s is the same', (_, before, next, after) => {
    expect(judgeOrder(before, next)).toEqual({ verdict: 'same', mark: after })
  })

  test.each([
    ['a lower revision', header(1, 7), 'cp_1 sent epoch 1 revision 7 after epoch 2 revision 9'],
    ['a lower epoch with a higher revision', header(1, 99), 'cp_1 sent epoch 1 revision 99 after epoch 2 revision 9'],
    ['a lower revision without an id', header(2, 8, null), 'cp_1 sent epoch 2 revision 8 after epoch 2 revision 9'],
  ])('%s went back', (_, next, message) => {
    expect(judgeOrder(mark(2, 9), next)).toEqual({
      verdict: 'went-back',
      message,
      remedy:
        'The newer state goes on serving. If the control plane was restored from a backup on purpose, run fairlead control raise-epoch there.',
    })
  })

  const number = fc.nat({ max: 4 })
  property.prop([fc.array(fc.record({ epoch: fc.option(number), revision: fc.option(number) }), { maxLength: 12 })])(
    'whatever comes, the mark never goes down',
    headers => {
      let before: RevisionMark | null = null
      for (const next of headers) {
        const order = judgeOrder(before, { ...next, controlPlaneId: 'cp_1' })
        if (order.verdict === 'went-back') continue
        const after: RevisionMark | null = order.mark
        if (before !== null && after !== null)
          expect(after.epoch * 10 + after.revision).toBeGreaterThanOrEqual(before.epoch * 10 + before.revision)
        if (before !== null) expect(after).not.toBeNull()
        before = after
      }
    },
  )
})
