/** Every operation of the control plane's document, with a path that can be called. */
import type { Scope } from '../../src/api/token.ts'
import type { ControlApp } from './control-app.ts'

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

export type Operation = {
  readonly operationId?: string
  readonly tags?: readonly string[]
  readonly summary?: string
  readonly security?: readonly object[]
  readonly responses: Readonly<Record<string, unknown>>
  readonly requestBody?: unknown
}

export type KnownOperation = {
  readonly method: Method
  /** As the document has it: `/api/v1/services/{id}`. */
  readonly template: string
  /** `GET /api/v1/services/:id` */
  readonly name: string
  /** For an ask of the control app, with these ids or made-up ones for the parameters. */
  readonly path: string
  readonly parameters: readonly string[]
  readonly access: 'public' | 'node' | Scope
  readonly operation: Operation
}

const METHODS: readonly Method[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']

/** @param ids by the name of the parameter */
export async function operationsOf(
  control: ControlApp,
  ids: Readonly<Record<string, string>> = {},
): Promise<KnownOperation[]> {
  const document = (await control.inject('GET', '//openapi.json')).json
  const found: KnownOperation[] = []
  for (const [template, item] of Object.entries<Record<string, Operation>>(document.paths))
    for (const method of METHODS) {
      const operation = item[method.toLowerCase()]
      if (operation === undefined) continue
      const url = template.replace(/\{(\w+)\}/g, ':$1')
      const route = control.routes.find(one => one.method === method && one.url === url)
      if (route === undefined) throw new Error(`${method} ${url} is in the document and not served`)
      found.push({
        method,
        template,
        name: `${method} ${url}`,
        path: `/${template.replace(/\{(\w+)\}/g, (_all, name: string) => ids[name] ?? 'none')}`,
        parameters: [...template.matchAll(/\{(\w+)\}/g)].map(match => match[1] ?? ''),
        access: route.access,
        operation,
      })
    }
  return found
}
