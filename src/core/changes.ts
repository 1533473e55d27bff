/**
 * What differs between the routes that Traefik has and those that it should get, in parts of which each can be tried without the others.
 *
 * A route that takes over what another one had is one part with what becomes of that other one: alone it would not get its place, and a
 * trial would tell nothing, or take the other one off its port. What only goes away is no part at all: that is never refused.
 */
import type { RouteOutcome } from './compile.ts'
import { type Candidate, keyOf } from './conflicts.ts'
import { keptJson } from './hash.ts'
import type { RouteKey } from './problem.ts'
import type { Route } from './route.ts'

/** Keys that can only change together. */
export type Change = readonly RouteKey[]

/** What a route says, as one text. */
export const contentOf = ({ route }: Candidate): string => keptJson(route)

const byKey = (candidates: readonly Candidate[]): Map<RouteKey, Candidate> =>
  new Map(candidates.map(candidate => [keyOf(candidate.route), candidate]))

/** What really is in the body: one of a key at most. */
export const servedCandidates = (outcomes: readonly RouteOutcome[]): readonly Candidate[] =>
  outcomes.flatMap(({ candidate, problem }) => (problem === null ? [candidate] : []))

/** What only one route can have, as texts: `has` is how it stands in the way of others, `meets` what may stand in its way. */
function claimsOf(route: Route): { readonly has: readonly string[]; readonly meets: readonly string[] } {
  if (route.protocol === 'http') {
    const has = [`http/${route.domain}${route.pathPrefix}`, `domain/${route.domain}`]
    return { has, meets: [`http/${route.domain}${route.pathPrefix}`, `sni/${route.domain}`] }
  }
  const ports = Array.from({ length: route.externalPortEnd - route.externalPort + 1 }, (_, i) => route.externalPort + i)
  const at = (what: string) => ports.map(port => `${route.protocol}/${port}/${what}`)
  if (route.protocol === 'udp' || route.sniHostname === null)
    return { has: at('any'), meets: [...at('any'), ...at('names')] }
  const { sniHostname } = route
  return {
    has: [...at(`name ${sniHostname}`), ...at('names'), `sni/${sniHostname}`],
    meets: [...at(`name ${sniHostname}`), ...at('any'), `domain/${sniHostname}`],
  }
}

/**
 * @param had routes that Traefik has: see servedCandidates
 * @param wanted routes that it should get
 */
export function findChanges(had: readonly Candidate[], wanted: readonly Candidate[]): readonly Change[] {
  const [before, after] = [byKey(had), byKey(wanted)]
  const other = (key: RouteKey): boolean => {
    const [was, is] = [before.get(key), after.get(key)]
    return was === undefined || is === undefined || contentOf(was) !== contentOf(is)
  }
  const differing = [...new Set([...before.keys(), ...after.keys()])].filter(other).sort()
  const coming = differing.filter(key => after.has(key))
  const former = new Map<string, RouteKey[]>()
  for (const key of differing) {
    const was = before.get(key)
    for (const claim of was === undefined ? [] : claimsOf(was.route).has)
      former.set(claim, [...(former.get(claim) ?? []), key])
  }

  const groups = new Map<RouteKey, Set<RouteKey>>(coming.map(key => [key, new Set([key])]))
  for (const key of coming) {
    const is = after.get(key)
    for (const neighbour of is === undefined
      ? []
      : claimsOf(is.route).meets.flatMap(claim => former.get(claim) ?? [])) {
      const [mine, theirs] = [groups.get(key) ?? new Set([key]), groups.get(neighbour) ?? new Set([neighbour])]
      if (mine === theirs) continue
      const [large, small] = mine.size >= theirs.size ? [mine, theirs] : [theirs, mine]
      for (const one of small) {
        large.add(one)
        groups.set(one, large)
      }
    }
  }
  return [...new Set(coming.map(key => groups.get(key) ?? new Set([key])))].map(group => [...group].sort())
}

/** The routes that Traefik has, and in place of those with these keys what they should become. */
export function withChanges(
  had: readonly Candidate[],
  wanted: readonly Candidate[],
  keys: readonly RouteKey[],
): readonly Candidate[] {
  const after = byKey(wanted)
  const mixture = new Map(
    [...byKey(had)].map(([key, was]) => {
      // Whom it gives way to may have changed although it says the same: a route that the guard holds comes last.
      const is = after.get(key)
      return [key, is !== undefined && contentOf(is) === contentOf(was) ? is : was]
    }),
  )
  for (const key of keys) {
    const candidate = after.get(key)
    if (candidate === undefined) mixture.delete(key)
    else mixture.set(key, candidate)
  }
  return [...mixture.values()]
}
