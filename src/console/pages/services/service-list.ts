/**
 * The list of services as a page shows it: each with the routes that are its own, filtered, sorted. Pure, so that the rules are tested
 * without a page.
 */
import type { RouteRow } from '../../../api/route.ts'
import type { ServiceRow } from '../../../api/service.ts'
import { groupBy } from '../../data/rows.ts'
import { type ProtocolFilter, protocolOf } from '../../list/protocol.ts'
import { type Standing, worstStanding } from '../../verdict/standing.ts'
import { byRank, isVerdict, type RouteVerdict } from '../../verdict/verdict.ts'
import { presetName } from '../../words/preset.ts'
import { findRows, type Indexed, makeIndex } from '../../words/search.ts'

export type ListedService = {
  readonly service: ServiceRow
  readonly routes: readonly RouteRow[]
  /** The worst of its routes; null: it has none, or they have not come yet. */
  readonly standing: Standing | null
}

export type SortBy = 'changed' | 'name' | 'verdict'

export type Filters = {
  readonly q: string
  readonly protocol: ProtocolFilter
  /** Any of these; empty: all. */
  readonly verdicts: readonly RouteVerdict[]
  readonly project: string | null
  readonly sort: SortBy
}

/** Every filter is in the address; what cannot be read there is left out. */
export function filtersOf(params: URLSearchParams): Filters {
  const sort = params.get('sort')
  return {
    q: params.get('q') ?? '',
    protocol: protocolOf(params.get('protocol')),
    verdicts: (params.get('verdict') ?? '').split(',').filter(isVerdict),
    project: params.get('project'),
    sort: sort === 'name' || sort === 'verdict' ? sort : 'changed',
  }
}

export function paramsOf({ q, protocol, verdicts, project, sort }: Filters): URLSearchParams {
  const params = new URLSearchParams()
  if (q !== '') params.set('q', q)
  if (protocol !== 'all') params.set('protocol', protocol)
  if (verdicts.length > 0) params.set('verdict', verdicts.join(','))
  if (project !== null) params.set('project', project)
  if (sort !== 'changed') params.set('sort', sort)
  return params
}

export function joinRoutes(
  services: readonly ServiceRow[],
  routes: readonly RouteRow[],
  standingOf: (row: RouteRow) => Standing,
): readonly ListedService[] {
  const byService = groupBy(routes, ({ serviceId }) => serviceId)
  return services.map(service => {
    const its = byService.get(service.id) ?? []
    return { service, routes: its, standing: worstStanding(its.map(standingOf)) }
  })
}

/** What can be searched: names, hosts, ports, addresses of backends, what it speaks. */
export const indexServices = (rows: readonly ListedService[]): readonly Indexed<ListedService>[] =>
  makeIndex(rows, ({ service }) => [
    service.name,
    presetName(service.preset, service.protocols),
    ...service.addresses,
    ...service.endpoints,
    ...service.ports,
  ])

export function filterServices(index: readonly Indexed<ListedService>[], filters: Filters): readonly ListedService[] {
  return findRows(index, filters.q).filter(
    ({ service, standing }) =>
      (filters.protocol === 'all' || service.protocols.includes(filters.protocol)) &&
      (filters.project === null || service.projectId === filters.project) &&
      (filters.verdicts.length === 0 ||
        (standing !== null && filters.verdicts.includes(standing.was ?? standing.shown))),
  )
}

/** Last changed first, by name, or worst first; the name decides between equals. */
export function sortServices(rows: readonly ListedService[], sort: SortBy): readonly ListedService[] {
  const byName = (one: ListedService, other: ListedService): number =>
    one.service.name < other.service.name ? -1 : one.service.name > other.service.name ? 1 : 0
  return [...rows].sort((one, other) => {
    if (sort === 'changed' && one.service.updatedAt !== other.service.updatedAt)
      return one.service.updatedAt < other.service.updatedAt ? 1 : -1
    if (sort === 'verdict') {
      const difference = byRank(one.standing?.shown ?? 'gone', other.standing?.shown ?? 'gone')
      if (difference !== 0) return difference
    }
    return byName(one, other)
  })
}

/** How many of each protocol, for the choice. */
export function countProtocols(services: readonly ServiceRow[]): Readonly<Record<Filters['protocol'], number>> {
  const of = (protocol: 'http' | 'tcp' | 'udp'): number =>
    services.filter(({ protocols }) => protocols.includes(protocol)).length
  return { all: services.length, http: of('http'), tcp: of('tcp'), udp: of('udp') }
}
