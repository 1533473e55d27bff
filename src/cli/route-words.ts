/** How routes, revisions and lists of names are said to people. */
import { makePortSet } from '../core/port-set.ts'
import type { RouteAnswer, StatusAnswer } from './agent-answers.ts'
import { clean } from './table.ts'

export const keyOf = ({ protocol, id }: Pick<RouteAnswer, 'protocol' | 'id'>): string => `${protocol}/${id}`

/** Hashes are labels too, and nobody reads all 64 signs of one. */
export const labelText = (label: string | number): string =>
  typeof label === 'number' ? String(label) : clean(label).slice(0, 12)

/** A few names, and how many more there are. */
export function someOf(names: readonly string[], most: number): string {
  const few = names.slice(0, most).map(clean)
  return names.length > most ? `${few.join(', ')} and ${names.length - most} more` : few.join(', ')
}

/** Where clients reach it, as far as the agent says: its host name and port, or where Traefik has it. */
export function whereText(route: RouteAnswer, entryPoints: StatusAnswer['traefik']['entryPoints']): string {
  if (route.domain !== null) return clean(route.domain + (route.pathPrefix === '/' ? '' : (route.pathPrefix ?? '')))
  const own = route.externalPort
  const end = route.externalPortEnd ?? own
  const found = route.entryPoints.flatMap(
    entryPoint => entryPoints?.find(one => one.name === entryPoint && one.protocol === route.protocol)?.port ?? [],
  )
  const ports =
    own === null ? (found.length === 0 ? null : makePortSet(found).text) : own === end ? `${own}` : `${own}-${end}`
  const at = ports === null ? route.entryPoints.join(', ') : `port ${ports}`
  return clean([route.sniHostname, at].filter(part => part !== null && part !== '').join(' '))
}
