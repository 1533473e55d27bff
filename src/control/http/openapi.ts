/** `/openapi.json`: the interface as a document (OpenAPI 3.1), made from the routes themselves. */
import swagger from '@fastify/swagger'
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { markedRegistry, unmark } from './openapi-names.ts'
import type { Access, App } from './route.ts'

const TAGS = [
  { name: 'projects', description: 'Who shares services and tokens, and how many ports they may have.' },
  {
    name: 'services',
    description: 'What is behind the proxies: addresses, and the ports under which they are reached.',
  },
  { name: 'ports', description: 'The ports of a service, each a route when it is public.' },
  { name: 'pools', description: 'The numbers that are handed out, and who has them.' },
  { name: 'routes', description: 'What became of each public port on each node.' },
  { name: 'nodes', description: 'The proxies.' },
  { name: 'agents', description: 'For the agents on the nodes.' },
  { name: 'events', description: 'What happens, as it happens.' },
  { name: 'control', description: 'The control plane itself.' },
  { name: 'audit', description: 'Who changed what.' },
  { name: 'tokens', description: 'API tokens.' },
  { name: 'sessions', description: 'Sessions of the console.' },
]

const SCHEMES = {
  token: {
    type: 'http',
    scheme: 'bearer',
    description: 'An API token, `flt_...`. Its scopes: `admin` includes `write`, `write` includes `read`.',
  },
  session: {
    type: 'apiKey',
    in: 'cookie',
    name: '__Host-fairlead',
    description: 'The cookie of the console; over plain http its name is `fairlead`.',
  },
  node: {
    type: 'apiKey',
    in: 'header',
    name: 'x-signature',
    description: 'A signature with the key of the node, along with `x-server-id` and `x-timestamp`.',
  },
} as const

type Security = readonly Record<string, string[]>[]

function securityOf(access: Access | undefined): Security {
  switch (access) {
    case undefined:
    case 'public':
      return []
    case 'node':
      return [{ node: [] }]
    case 'read':
    case 'write':
    case 'admin':
      return [{ token: [] }, { session: [] }]
    default:
      return access satisfies never
  }
}

/** Headers that belong to a kind of request, not to one route. */
const IDEMPOTENCY_KEY = {
  name: 'idempotency-key',
  in: 'header',
  required: false,
  description: 'The same key and request within 24 hours get the answer of the first, and nothing is made twice.',
  schema: { type: 'string', minLength: 1, maxLength: 200, pattern: '^[\\x21-\\x7e]+$' },
} as const
const IF_MATCH = {
  name: 'if-match',
  in: 'header',
  required: false,
  description: 'The ETag that was read: 412 when it is another by now.',
  schema: { type: 'string', examples: ['"v3"'] },
} as const

const REQUEST_ID = {
  description: 'Names this request in our log and in the audit.',
  schema: { type: 'string' },
} as const

type Document = Exclude<ReturnType<App['swagger']>, string>

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** Adds to each operation what all of its kind have. */
function finish(document: Document, versioned: ReadonlySet<string>): Document {
  for (const [path, item] of Object.entries(document.paths ?? {}))
    for (const method of ['get', 'post', 'put', 'patch', 'delete'] as const) {
      const operation: unknown = isRecord(item) ? item[method] : undefined
      if (!isRecord(operation)) continue
      const parameters = Array.isArray(operation.parameters) ? operation.parameters : []
      const forPeople = JSON.stringify(operation.security).includes('"token"')
      if (method === 'post' && forPeople) operation.parameters = [...parameters, IDEMPOTENCY_KEY]
      if (versioned.has(`${method} ${path}`)) operation.parameters = [...parameters, IF_MATCH]
      for (const answer of Object.values(isRecord(operation.responses) ? operation.responses : {}))
        if (isRecord(answer)) {
          answer.headers = { 'x-request-id': REQUEST_ID, ...(isRecord(answer.headers) ? answer.headers : {}) }
          // Swagger's word for none.
          if (answer.description === 'Default Response') answer.description = 'Done.'
        }
    }
  return document
}

/** Before the first route. The document is made when it is first asked for. */
export function addOpenApi(app: App, version: string): void {
  /** Where If-Match means something. */
  const versioned = new Set<string>()
  // All rooms are loaded by now, and with them all schemas.
  const schemaRegistry = markedRegistry()
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Fairlead control plane',
        version,
        description: 'TCP, UDP and HTTP routes through Traefik, with a verdict for every route.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: TAGS,
      components: { securitySchemes: SCHEMES },
    },
    transform: createJsonSchemaTransform({ schemaRegistry }),
    transformObject: createJsonSchemaTransformObject({ schemaRegistry }),
  })
  app.addHook('onRoute', route => {
    const { querystring, params, headers, ...rest } = route.schema ?? {}
    // Parameters are written out one by one, so a schema of them is no component: a copy has no name.
    const parts = Object.entries({ querystring, params, headers })
      .filter(([, schema]) => schema !== undefined)
      .map(([part, schema]) => [part, schema instanceof z.ZodType ? schema.clone(schema.def) : schema])
    route.schema = { security: securityOf(route.config?.access), ...rest, ...Object.fromEntries(parts) }
    for (const method of [route.method].flat())
      if (method === 'PUT' || method === 'PATCH' || method === 'DELETE')
        versioned.add(`${method.toLowerCase()} ${route.url.replace(/:([A-Za-z]+)/g, '{$1}')}`)
  })
  let text: string | null = null
  app.after(() => {
    app.get(
      '/openapi.json',
      { config: { access: 'public' }, schema: { hide: true, response: { 200: z.unknown() } } },
      async (_request, reply) => {
        const document = app.swagger()
        if (typeof document === 'string') throw new Error('the document came as a text')
        text ??= JSON.stringify(finish(unmark(document), versioned))
        return reply
          .type('application/json')
          .serializer((payload: string) => payload)
          .send(text)
      },
    )
  })
}
