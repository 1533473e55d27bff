/** Which route somebody means: by its key (`tcp/pg`), by its id alone, or nearly. */
import { type Protocol, type RouteKey, routeKey } from '../../core/problem.ts'
import { nearest } from '../../lib/nearest.ts'

type Routes = readonly { readonly protocol: Protocol; readonly id: string }[]

const MAX_NEAR = 5

/** The keys that fit, each once: none, one, or for an id without its protocol up to three. */
export function resolveKey(routes: Routes, protocol: string | null, id: string): readonly RouteKey[] {
  const keys = routes
    .filter(route => route.id === id && (protocol === null || route.protocol === protocol))
    .map(route => routeKey(route.protocol, route.id))
  return [...new Set(keys)].sort()
}

/** At most five keys that may have been meant: of the same id, of an id that begins so, of the nearest id. */
export function nearKeys(routes: Routes, id: string): readonly RouteKey[] {
  const nearestId = nearest(
    id,
    routes.map(route => route.id),
  )
  const rank = (other: string): number => {
    if (other === id) return 0
    if (other === nearestId) return 1
    return id.length >= 2 && other.startsWith(id) ? 2 : 3
  }
  const found = routes
    .map(route => ({ key: routeKey(route.protocol, route.id), rank: rank(route.id) }))
    .filter(candidate => candidate.rank < 3)
    .sort((a, b) => a.rank - b.rank || (a.key < b.key ? -1 : 1))
  return [...new Set(found.map(({ key }) => key))].slice(0, MAX_NEAR)
}
