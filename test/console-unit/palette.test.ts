import { describe, expect, test } from 'vitest'
import { findEntries, paletteEntries } from '../../src/console/palette/entries.ts'

const service = (name: string, port: number) => ({
  id: `svc_${name}`,
  projectId: 'prj_1',
  name,
  preset: null,
  addresses: [`edge.example.com:${port}`],
  endpoints: ['10.200.1.5'],
  ports: [5432],
  protocols: ['tcp' as const],
  verdict: null,
  version: 1,
  createdAt: '',
  updatedAt: '',
})

const route = (name: string, shown: 'live' | 'refused') => ({
  id: `prt_${name}`,
  serviceId: `svc_${name}`,
  projectId: 'prj_1',
  name,
  protocol: 'tcp' as const,
  address: 'edge.example.com:10001',
  verdict: shown,
  reason: 'X',
  since: null,
  notLive: [],
  shown,
})

const ALL = paletteEntries({
  services: [service('orders-db', 10_001), service('my-orders', 10_002)],
  routes: [route('orders-db', 'live'), route('my-orders', 'refused')],
  nodes: [
    { id: 'srv_1', name: 'proxy-1', status: 'active' },
    { id: 'srv_2', name: 'proxy-old', status: 'retired' },
  ],
})
const found = (query: string): string[] => findEntries(ALL, query).map(({ group, label }) => `${group}: ${label}`)

describe('the palette', () => {
  test('begins with what one can do, what is not live, and the places', () => {
    expect(found('')).toEqual([
      'Do: Expose a port',
      'Do: Enrol a node',
      'Do: Show the keys',
      'Not live: my-orders',
      'Go to: Overview',
      'Go to: Services',
      'Go to: Routes',
      'Go to: Nodes',
      'Go to: Ports',
      'Go to: Audit',
      'Go to: API tokens',
    ])
  })

  test('has the name that begins with the query first', () => {
    expect(found('orders')).toEqual([
      'Services: orders-db',
      'Services: my-orders',
      'Not live: my-orders',
      'Copy: Copy the address of orders-db',
      'Copy: Copy the address of my-orders',
    ])
  })

  test('finds a service by its port', () => {
    expect(found('10002')[0]).toBe('Services: my-orders')
  })

  test('has no retired node', () => {
    expect(found('proxy-')).toEqual(['Nodes: proxy-1'])
  })

  test('offers to expose what it does not find', () => {
    const [entry, ...rest] = findEntries(ALL, 'billing-db')
    expect(rest).toEqual([])
    expect(entry?.label).toBe('Expose “billing-db”')
    expect(entry?.deed).toEqual({ kind: 'go', href: '/services/new?name=billing-db' })
    expect(findEntries(ALL, 'Not A Name')[0]?.deed).toEqual({ kind: 'go', href: '/services/new' })
  })
})
