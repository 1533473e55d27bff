import { describe, expect, test } from 'vitest'
import type { RouteRow } from '../../src/api/route.ts'
import type { ServiceRow } from '../../src/api/service.ts'
import {
  countProtocols,
  type Filters,
  filterServices,
  filtersOf,
  indexServices,
  joinRoutes,
  paramsOf,
  sortServices,
} from '../../src/console/pages/services/service-list.ts'
import { inOrder } from '../../src/console/ui/in-order.ts'
import { standingOfRow, type Voice } from '../../src/console/verdict/standing.ts'

const VOICES: readonly Voice[] = [{ id: 'srv_1', name: 'proxy-1', silent: false }]

const service = (name: string, fields: Partial<ServiceRow> = {}): ServiceRow => ({
  id: `svc_${name}`,
  projectId: 'prj_1',
  name,
  preset: null,
  addresses: [`edge.example.com:${10_000 + name.length}`],
  endpoints: ['10.200.1.5'],
  ports: [5432],
  protocols: ['tcp'],
  verdict: 'live',
  version: 1,
  createdAt: '2026-11-01T00:00:00.000Z',
  updatedAt: '2026-11-01T00:00:00.000Z',
  ...fields,
})

const route = (name: string, verdict: RouteRow['verdict'], id = 'a'): RouteRow => ({
  id: `prt_${name}_${id}`,
  serviceId: `svc_${name}`,
  projectId: 'prj_1',
  name,
  protocol: 'tcp',
  address: 'edge.example.com:10001',
  verdict,
  reason: 'LIVE',
  since: null,
  notLive: verdict === 'live' ? [] : [{ nodeId: 'srv_1', verdict, reason: 'X', since: null }],
})

const ROWS = joinRoutes(
  [
    service('orders-db', { preset: 'postgres', updatedAt: '2026-11-03T00:00:00.000Z' }),
    service('dns', { preset: 'dns', protocols: ['udp', 'tcp'], endpoints: ['10.200.9.9'], projectId: 'prj_2' }),
    service('bare', { addresses: [], protocols: [] }),
  ],
  [route('orders-db', 'live'), route('dns', 'live'), route('dns', 'refused', 'b')],
  row => standingOfRow(row, VOICES, true),
)
const INDEX = indexServices(ROWS)
const ALL: Filters = { q: '', protocol: 'all', verdicts: [], project: null, sort: 'changed' }
const names = (filters: Partial<Filters>): string[] =>
  filterServices(INDEX, { ...ALL, ...filters }).map(row => row.service.name)

test('a service stands as the worst of its routes', () => {
  expect(ROWS.map(({ standing }) => standing?.shown ?? null)).toEqual(['live', 'refused', null])
})

describe('filters', () => {
  test('look in names, what it speaks, addresses, backends and ports', () => {
    expect(names({ q: 'orders' })).toEqual(['orders-db'])
    expect(names({ q: 'postgresql' })).toEqual(['orders-db'])
    expect(names({ q: '10.200.9' })).toEqual(['dns'])
    expect(names({ q: 'example.com:10009' })).toEqual(['orders-db'])
    expect(names({ q: '5432' })).toEqual(['orders-db', 'dns', 'bare'])
  })

  test('keep a protocol, a project, some verdicts', () => {
    expect(names({ protocol: 'udp' })).toEqual(['dns'])
    expect(names({ project: 'prj_2' })).toEqual(['dns'])
    expect(names({ verdicts: ['refused', 'held'] })).toEqual(['dns'])
    expect(names({ verdicts: ['live'], q: 'dns' })).toEqual([])
  })

  test('go on by what was said last when the link is lost', () => {
    const lost = indexServices(
      joinRoutes([service('dns')], [route('dns', 'refused')], row => standingOfRow(row, VOICES, false)),
    )
    expect(filterServices(lost, { ...ALL, verdicts: ['refused'] }).length).toBe(1)
  })

  test('are read from an address and written to it', () => {
    const params = new URLSearchParams('q=a+b&protocol=tcp&verdict=refused,nonsense,held&project=prj_1&sort=name')
    const filters: Filters = {
      q: 'a b',
      protocol: 'tcp',
      verdicts: ['refused', 'held'],
      project: 'prj_1',
      sort: 'name',
    }
    expect(filtersOf(params)).toEqual(filters)
    expect(filtersOf(paramsOf(filters))).toEqual(filters)
    expect(filtersOf(new URLSearchParams('protocol=icmp&sort=size'))).toEqual(ALL)
    expect(paramsOf(ALL).toString()).toBe('')
  })
})

test('rows are sorted by change, by name, or worst first', () => {
  const sorted = (sort: Filters['sort']) => sortServices(ROWS, sort).map(row => row.service.name)
  expect(sorted('changed')).toEqual(['orders-db', 'bare', 'dns'])
  expect(sorted('name')).toEqual(['bare', 'dns', 'orders-db'])
  expect(sorted('verdict')).toEqual(['dns', 'orders-db', 'bare'])
})

test('a service of two protocols counts for both', () => {
  expect(countProtocols(ROWS.map(row => row.service))).toEqual({ all: 3, http: 0, tcp: 2, udp: 1 })
})

test('an order is kept, and what is new comes last', () => {
  expect(inOrder(['d', 'c', 'b', 'a', 'e'], ['a', 'b', 'x', 'c'], row => row)).toEqual(['a', 'b', 'c', 'd', 'e'])
})
