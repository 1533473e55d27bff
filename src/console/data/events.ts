/**
 * What an event of the server means for what is in the cache. Events are hints: they name what may have changed, and that is fetched
 * again. A burst becomes one plan; a few routes are patched row by row, many by fetching the list anew.
 */
import type { ServerEvent } from '../../api/event.ts'

/** Null: all of them. */
type Ids = readonly string[] | null

export type RefreshPlan = {
  readonly routes: Ids
  readonly services: Ids
  readonly nodes: Ids
  /** What is declared has changed: pools, projects and the audit log may have, too. */
  readonly declared: boolean
}

/** More rows than this at once: one request for the list is cheaper than one for each row. */
export const MOST_ROWS = 20

/** What one event, as it came, says; null for one that only says that the link is there, or that this version does not know. */
export function parseEvent(event: string, data: string): ServerEvent | null {
  const parsed: unknown = parseJson(data)
  if (typeof parsed !== 'object' || parsed === null) return null
  switch (event) {
    case 'change':
    case 'verdict':
    case 'node':
    case 'heartbeat':
      // The server is ours and of one version with this page: its words are taken as its schema has them.
      return { event, data: parsed } as ServerEvent
    default:
      return null
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** One plan for a burst of events. */
export function planRefresh(events: readonly ServerEvent[]): RefreshPlan {
  const routes: Ids[] = []
  const services: Ids[] = []
  const nodes: Ids[] = []
  let declared = false
  for (const one of events) {
    switch (one.event) {
      case 'change':
        routes.push(one.data.routeIds)
        services.push(one.data.serviceIds)
        declared = true
        break
      case 'verdict':
        routes.push(one.data.routeIds)
        nodes.push(one.data.nodeIds)
        break
      case 'node':
        nodes.push(one.data.nodeIds)
        // A node that falls silent, comes back, or joins, changes what is known of every route.
        routes.push(null)
        break
      case 'heartbeat':
        break
      default: {
        const never: never = one
        return never
      }
    }
  }
  return { routes: union(routes), services: union(services), nodes: union(nodes), declared }
}

/** All as soon as one says all, or when they are many. */
function union(lists: readonly Ids[]): Ids {
  const ids = new Set<string>()
  for (const list of lists) {
    if (list === null) return null
    for (const id of list) ids.add(id)
  }
  return ids.size > MOST_ROWS ? null : [...ids]
}

export const isEmpty = ({ routes, services, nodes, declared }: RefreshPlan): boolean =>
  !declared && [routes, services, nodes].every(ids => ids?.length === 0)

/** The list with these rows put in place, in the order it has; rows that are gone are left out, new ones come last. */
export function patchRows<Row extends { readonly id: string }>(
  rows: readonly Row[],
  fetched: ReadonlyMap<string, Row | null>,
): readonly Row[] {
  const kept = rows.flatMap(row => {
    const fresh = fetched.get(row.id)
    return fresh === undefined ? [row] : fresh === null ? [] : [fresh]
  })
  const known = new Set(rows.map(({ id }) => id))
  const added = [...fetched].flatMap(([id, row]) => (row !== null && !known.has(id) ? [row] : []))
  return [...kept, ...added]
}
