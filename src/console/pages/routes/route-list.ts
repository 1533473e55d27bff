/** The list of routes: what is not live first, one row for each route and node of it; a route that is live everywhere is one row. */
import type { RouteRow } from '../../../api/route.ts'
import { type ProtocolFilter, protocolOf } from '../../list/protocol.ts'
import { type Standing, saidOnNode } from '../../verdict/standing.ts'
import { byRank, isVerdict, type RouteVerdict } from '../../verdict/verdict.ts'
import { findRows, type Indexed, makeIndex } from '../../words/search.ts'

export type ListedRoute = {
  readonly route: RouteRow
  /** Null: the row is of all nodes. */
  readonly node: { readonly id: string; readonly name: string } | null
  readonly standing: Standing
  readonly reason: string
  readonly since: string | null
}

export type RouteFilters = {
  readonly q: string
  readonly verdicts: readonly RouteVerdict[]
  readonly protocol: ProtocolFilter
  /** Of one node only; null: of all. */
  readonly node: string | null
}

export function routeFiltersOf(params: URLSearchParams): RouteFilters {
  return {
    q: params.get('q') ?? '',
    verdicts: (params.get('verdict') ?? '').split(',').filter(isVerdict),
    protocol: protocolOf(params.get('protocol')),
    node: params.get('node'),
  }
}

export function routeParamsOf({ q, verdicts, protocol, node }: RouteFilters): URLSearchParams {
  const params = new URLSearchParams()
  if (q !== '') params.set('q', q)
  if (verdicts.length > 0) params.set('verdict', verdicts.join(','))
  if (protocol !== 'all') params.set('protocol', protocol)
  if (node !== null) params.set('node', node)
  return params
}

type Voices = readonly { readonly id: string; readonly name: string }[]

export type Standings = {
  readonly ofRow: (row: RouteRow) => Standing
  readonly onNode: (said: { readonly verdict: RouteVerdict }, nodeId: string) => Standing
}

/** `node`: rows of this one alone. A silent node's own rows are there when it is asked for; else the route's other nodes speak for it. */
export function listRoutes(
  routes: readonly RouteRow[],
  voices: Voices,
  { ofRow, onNode }: Standings,
  node: string | null,
): readonly ListedRoute[] {
  return routes.flatMap((route): readonly ListedRoute[] => {
    const rowOn = ({ id, name }: Voices[number]): ListedRoute => {
      const said = route.notLive.find(({ nodeId }) => nodeId === id)
      const standing = onNode({ verdict: saidOnNode(route, id) }, id)
      return { route, node: { id, name }, standing, reason: said?.reason ?? '', since: said?.since ?? null }
    }
    if (node !== null) return voices.filter(({ id }) => id === node).map(rowOn)
    const all = ofRow(route)
    const faulty = voices.map(rowOn).filter(({ standing }) => !['live', 'unknown'].includes(standing.shown))
    // The same on every node is one row: it is one thing to look at.
    if (faulty.length <= 1 || new Set(faulty.map(({ standing, reason }) => `${standing.shown} ${reason}`)).size === 1) {
      const [one] = faulty
      return one === undefined || faulty.length === voices.length
        ? [{ route, node: null, standing: all, reason: one?.reason ?? route.reason, since: one?.since ?? route.since }]
        : faulty
    }
    return faulty
  })
}

export const keyOfListed = ({ route, node }: ListedRoute): string => `${route.id} ${node?.id ?? ''}`

export const indexRoutes = (rows: readonly ListedRoute[]): readonly Indexed<ListedRoute>[] =>
  makeIndex(rows, ({ route, node, reason }) => [route.name, route.address, route.id, node?.name, reason])

export function filterRoutes(index: readonly Indexed<ListedRoute>[], filters: RouteFilters): readonly ListedRoute[] {
  return findRows(index, filters.q).filter(
    ({ route, standing }) =>
      (filters.protocol === 'all' || route.protocol === filters.protocol) &&
      (filters.verdicts.length === 0 || filters.verdicts.includes(standing.was ?? standing.shown)),
  )
}

/** Worst first; then the newest trouble; then by name. */
export function sortRoutes(rows: readonly ListedRoute[]): readonly ListedRoute[] {
  return [...rows].sort((one, other) => {
    const difference = byRank(one.standing.shown, other.standing.shown)
    if (difference !== 0) return difference
    const [a, b] = [one.since ?? '', other.since ?? '']
    if (a !== b) return a < b ? 1 : -1
    const [key, otherKey] = [`${one.route.name} ${keyOfListed(one)}`, `${other.route.name} ${keyOfListed(other)}`]
    return key < otherKey ? -1 : key > otherKey ? 1 : 0
  })
}
