/** Rows of the lists, and how a row comes of the whole thing: an event names one route, which is then fetched and put in its place. */
import type { Route, RouteRow } from '../../api/route.ts'
import type { Service, ServiceRow } from '../../api/service.ts'

export const ROUTE_FIELDS = 'id,serviceId,projectId,name,protocol,address,verdict,reason,since,notLive' satisfies string
export const SERVICE_FIELDS =
  'id,projectId,name,preset,addresses,endpoints,ports,protocols,verdict,version,createdAt,updatedAt' satisfies string

export function rowOfRoute(route: Route): RouteRow {
  const { id, serviceId, projectId, name, protocol, address, verdict, reason, since } = route
  const notLive = route.nodes
    .filter(node => node.verdict !== 'live')
    .map(node => ({ nodeId: node.nodeId, verdict: node.verdict, reason: node.reason, since: node.since }))
  return { id, serviceId, projectId, name, protocol, address, verdict, reason, since, notLive }
}

export function rowOfService(service: Service): ServiceRow {
  const { id, projectId, name, preset, verdict, version, createdAt, updatedAt } = service
  const open = service.ports.filter(port => port.isPublic)
  return {
    id,
    projectId,
    name,
    preset,
    verdict,
    version,
    createdAt,
    updatedAt,
    addresses: open.flatMap(({ address }) => (address === null ? [] : [address])),
    endpoints: service.endpoints.map(({ address }) => address),
    ports: [...new Set(service.ports.map(({ port }) => port))],
    protocols: [...new Set(service.ports.map(({ protocol }) => protocol))],
  }
}

/** By a key that several rows may share, in their order. */
export function groupBy<Row>(rows: readonly Row[], keyOf: (row: Row) => string): ReadonlyMap<string, readonly Row[]> {
  const groups = new Map<string, Row[]>()
  for (const row of rows) {
    const key = keyOf(row)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [row])
    else group.push(row)
  }
  return groups
}
