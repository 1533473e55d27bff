/**
 * Every address of the console, and how they are written. The router (app.tsx), the side bar, the palette and the keys all read this.
 *
 *   href.service(id)  ->  /services/svc_...       and never a path put together by hand
 */

export const PATHS = {
  overview: '/',
  services: '/services',
  newService: '/services/new',
  service: '/services/:id',
  editPort: '/services/:id/ports/:portId/edit',
  newPort: '/services/:id/ports/new',
  routes: '/routes',
  route: '/routes/:id',
  nodes: '/nodes',
  enrol: '/nodes/enrol',
  node: '/nodes/:id',
  ports: '/ports',
  audit: '/audit',
  tokens: '/tokens',
  signIn: '/sign-in',
} as const

export type PlaceName = keyof typeof PATHS

type Query = Readonly<Record<string, string | number | null | undefined>>

/** A path with what is asked of it; what is null, undefined or empty is left out. */
export function withQuery(path: string, query: Query): string {
  const params = new URLSearchParams()
  for (const [name, value] of Object.entries(query))
    if (value !== null && value !== undefined && value !== '') params.set(name, String(value))
  const text = params.toString()
  return text === '' ? path : `${path}?${text}`
}

const part = encodeURIComponent

export const href = {
  overview: () => PATHS.overview,
  services: (query: { q?: string; protocol?: string; verdict?: string; project?: string } = {}) =>
    withQuery(PATHS.services, query),
  newService: (query: { preset?: string; protocol?: string; name?: string; port?: number } = {}) =>
    withQuery(PATHS.newService, query),
  service: (id: string) => `/services/${part(id)}`,
  newPort: (id: string) => `/services/${part(id)}/ports/new`,
  editPort: (id: string, portId: string) => `/services/${part(id)}/ports/${part(portId)}/edit`,
  routes: (query: { verdict?: string; node?: string; q?: string } = {}) => withQuery(PATHS.routes, query),
  route: (id: string, query: { node?: string } = {}) => withQuery(`/routes/${part(id)}`, query),
  nodes: () => PATHS.nodes,
  node: (id: string) => `/nodes/${part(id)}`,
  enrol: () => PATHS.enrol,
  ports: (query: { port?: number; protocol?: string } = {}) => withQuery(PATHS.ports, query),
  audit: () => PATHS.audit,
  tokens: () => PATHS.tokens,
  signIn: (query: { next?: string } = {}) => withQuery(PATHS.signIn, query),
} as const

/** Places of the side bar, with the second key after `G`. */
export const MAIN_PLACES = [
  { name: 'overview', label: 'Overview', path: PATHS.overview, key: 'o' },
  { name: 'services', label: 'Services', path: PATHS.services, key: 's' },
  { name: 'routes', label: 'Routes', path: PATHS.routes, key: 'r' },
  { name: 'nodes', label: 'Nodes', path: PATHS.nodes, key: 'n' },
  { name: 'ports', label: 'Ports', path: PATHS.ports, key: 'p' },
] as const

export const SIDE_PLACES = [
  { name: 'audit', label: 'Audit', path: PATHS.audit, key: 'a' },
  { name: 'tokens', label: 'API tokens', path: PATHS.tokens, key: null },
] as const

export type SidePlace = (typeof MAIN_PLACES | typeof SIDE_PLACES)[number]

/** True for the place that an address belongs to: `/services/svc_1` is of Services. */
export const isWithin = (path: string, place: string): boolean =>
  place === '/' ? path === '/' : path === place || path.startsWith(`${place}/`)

export type Place = { readonly name: PlaceName; readonly params: Readonly<Record<string, string>> }

/** Which page an address is of; null: there is none. What is fixed goes before what is not: `/services/new` is no service. */
export function placeOf(path: string): Place | null {
  const parts = path.replace(/\/+$/, '').split('/')
  const found = PLACE_NAMES.flatMap(name => {
    const params = matchPath(PATHS[name].replace(/\/+$/, '').split('/'), parts)
    return params === null ? [] : [{ name, params }]
  })
  return found.sort((one, other) => Object.keys(one.params).length - Object.keys(other.params).length)[0] ?? null
}

const PLACE_NAMES = Object.keys(PATHS) as PlaceName[]

function matchPath(pattern: readonly string[], parts: readonly string[]): Record<string, string> | null {
  if (pattern.length !== parts.length) return null
  const params: Record<string, string> = {}
  for (const [at, wanted] of pattern.entries()) {
    const found = parts[at] ?? ''
    if (wanted.startsWith(':')) {
      const value = decoded(found)
      if (value === null || value === '') return null
      params[wanted.slice(1)] = value
    } else if (wanted !== found) return null
  }
  return params
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** Where to go after signing in: a path of ours and nothing else, since anybody can write a link with `next=`. */
export function safeNext(next: string | null): string {
  // `//host` and `/\host` lead away, and so does what a browser strips before it reads an address: tabs and line ends.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is refused
  if (next === null || !/^\/(?![/\\])/.test(next) || /[\u0000-\u001f\\]/.test(next)) return PATHS.overview
  return isWithin(next.split(/[?#]/, 1)[0] ?? '', PATHS.signIn) ? PATHS.overview : next
}
