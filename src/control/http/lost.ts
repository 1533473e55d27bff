/** Requests that no route takes: 404, or 405 with the methods that there are. */
import type { FastifyRequest } from 'fastify'
import { ApiError } from './api-error.ts'
import type { App } from './route.ts'

type Known = { readonly pattern: RegExp; readonly methods: Set<string> }

const quoted = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** `/services/:id` as what its paths look like. */
function patternOf(url: string): RegExp {
  const parts = url.split('/').map(part => (part.startsWith(':') ? '[^/]+' : part === '*' ? '.*' : quoted(part)))
  return new RegExp(`^${parts.join('/')}$`)
}

const pathOf = (request: FastifyRequest): string => request.url.split('?')[0] ?? ''

/** Remembers each route as it is registered, so it comes before the first. */
export function addLostRequests(app: App): void {
  const known = new Map<string, Known>()
  app.addHook('onRoute', ({ url, method }) => {
    // A console that answers whatever path it is asked for says nothing about the API.
    if (url === '*' || url === '/*') return
    const entry = known.get(url) ?? { pattern: patternOf(url), methods: new Set() }
    for (const one of [method].flat()) entry.methods.add(one)
    known.set(url, entry)
  })
  app.setNotFoundHandler(request => {
    const path = pathOf(request)
    const methods = new Set(
      [...known.values()].filter(({ pattern }) => pattern.test(path)).flatMap(one => [...one.methods]),
    )
    // A path whose id is longer than any is not taken by its route.
    if (methods.size === 0 || methods.has(request.method))
      throw new ApiError('NOT_FOUND', `there is nothing at ${path.slice(0, 200)}`)
    const allow = [...methods].sort()
    throw new ApiError('METHOD_NOT_ALLOWED', `${request.method} is not a method of ${path.slice(0, 200)}`, {
      headers: { allow: allow.join(', ') },
      extra: { allow },
    })
  })
}
