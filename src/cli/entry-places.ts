/**
 * Where in its document a bad entry stands that has no id to be told by: `tcpRoutes[3]`.
 *
 * A problem itself knows no position: the same routes in another order are the same state. So the entries without an id are read once more,
 * one by one, and what is found of each is found again among the problems of the document.
 */
import { canonicalJson } from '../core/hash.ts'
import type { Problem } from '../core/problem.ts'
import { isRecord } from '../core/refusal.ts'
import { HTTP, parseRoute, TCP, UDP, Unknowns } from '../core/route.ts'

/** By the canonical JSON of a problem, the entries that have it, in order. */
export type EntryPlaces = ReadonlyMap<string, readonly string[]>

const problemsOf = (list: string, entry: unknown, origin: string): readonly Problem[] => {
  const unknowns = new Unknowns()
  if (list === 'tcpRoutes') return parseRoute(entry, TCP, origin, unknowns).problems
  if (list === 'udpRoutes') return parseRoute(entry, UDP, origin, unknowns).problems
  return parseRoute(entry, HTTP, origin, unknowns).problems
}

/** @param prefix `traefik.` where the lists stand below it */
export function entryPlaces(lists: unknown, prefix: string, origin: string): EntryPlaces {
  const places = new Map<string, string[]>()
  if (!isRecord(lists)) return places
  for (const list of ['routes', 'httpRoutes', 'tcpRoutes', 'udpRoutes']) {
    const entries = lists[list]
    if (!Array.isArray(entries)) continue
    for (const [i, entry] of entries.entries()) {
      if (isRecord(entry) && typeof entry.id === 'string' && entry.id !== '') continue
      for (const problem of problemsOf(list, entry, origin)) {
        const key = canonicalJson(problem)
        places.set(key, [...(places.get(key) ?? []), `${prefix}${list}[${i}]`])
      }
    }
  }
  return places
}

/** Gives each problem its place, of several that are alike each its own; null where an id tells it, or it is no route's. */
export function makeLocator(places: readonly EntryPlaces[]): (problem: Problem) => string | null {
  const left = new Map<string, string[]>()
  for (const of of places) for (const [key, found] of of) left.set(key, [...(left.get(key) ?? []), ...found])
  const isNameless = ({ routeId }: Problem) => routeId === null || routeId === ''
  return problem => (isNameless(problem) ? (left.get(canonicalJson(problem))?.shift() ?? null) : null)
}
