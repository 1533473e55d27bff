import { describe, expect, test } from 'vitest'
import type { ServerEvent } from '../../src/api/event.ts'
import { isEmpty, MOST_ROWS, parseEvent, patchRows, planRefresh } from '../../src/console/data/events.ts'

const at = '2026-11-23T10:00:00.000Z'
const head = { epoch: 1, revision: 42, at }
const change = (serviceIds: string[] | null, routeIds: string[] | null): ServerEvent => ({
  event: 'change',
  data: { ...head, serviceIds, routeIds },
})
const verdict = (routeIds: string[] | null, nodeIds: string[] | null = []): ServerEvent => ({
  event: 'verdict',
  data: { ...head, routeIds, nodeIds },
})

describe('a plan of what to fetch', () => {
  test('is one for a burst, each id once', () => {
    expect(
      planRefresh([verdict(['prt_1', 'prt_2'], ['srv_1']), verdict(['prt_2']), change(['svc_1'], ['prt_3'])]),
    ).toEqual({ routes: ['prt_1', 'prt_2', 'prt_3'], services: ['svc_1'], nodes: ['srv_1'], declared: true })
  })

  test('is all of them as soon as one event says all', () => {
    expect(planRefresh([verdict(['prt_1']), verdict(null, null)])).toEqual({
      routes: null,
      services: [],
      nodes: null,
      declared: false,
    })
  })

  test('is all of them when they are many', () => {
    const ids = Array.from({ length: MOST_ROWS + 1 }, (_, n) => `prt_${n}`)
    expect(planRefresh([verdict(ids.slice(1))]).routes).toEqual(ids.slice(1))
    expect(planRefresh([verdict(ids)]).routes).toBe(null)
  })

  test('has every route in it when a node is other than it was', () => {
    expect(planRefresh([{ event: 'node', data: { ...head, nodeIds: ['srv_1'] } }])).toEqual({
      routes: null,
      services: [],
      nodes: ['srv_1'],
      declared: false,
    })
  })

  test('is empty for a heartbeat', () => {
    const plan = planRefresh([{ event: 'heartbeat', data: head }])
    expect(plan).toEqual({ routes: [], services: [], nodes: [], declared: false })
    expect(isEmpty(plan)).toBe(true)
    expect(isEmpty(planRefresh([verdict(null)]))).toBe(false)
  })
})

describe('an event as it came', () => {
  test('is what its data says', () => {
    expect(parseEvent('heartbeat', JSON.stringify(head))).toEqual({ event: 'heartbeat', data: head })
  })

  test.each([
    ['heartbeat', 'not JSON'],
    ['heartbeat', 'null'],
    ['news', JSON.stringify(head)],
  ])('%s with %s says nothing', (event, data) => {
    expect(parseEvent(event, data)).toBe(null)
  })
})

test('rows are put in place, new ones last, gone ones out', () => {
  const rows = [
    { id: 'a', n: 1 },
    { id: 'b', n: 1 },
    { id: 'c', n: 1 },
  ]
  const patched = patchRows(
    rows,
    new Map([
      ['b', { id: 'b', n: 2 }],
      ['a', null],
      ['d', { id: 'd', n: 1 }],
      ['e', null],
    ]),
  )
  expect(patched).toEqual([
    { id: 'b', n: 2 },
    { id: 'c', n: 1 },
    { id: 'd', n: 1 },
  ])
  expect(patched[1]).toBe(rows[2])
})
