/**
 * Names of the schemas in the document.
 *
 * A schema may read otherwise where it is taken than where it is given (a default makes a field optional), so the type provider makes two
 * of each, `Port` and `PortInput`, and stumbles over a schema that has that name already. So each gets a mark here, `Port.` and
 * `Port.Input`, and in the end the name that it should have: `Port`, for both, wherever they read alike.
 */
import { z } from 'zod'

/** The ids of all schemas that have one, marked; everything else that is said about them stays. */
export function markedRegistry(): typeof z.globalRegistry {
  const marked: typeof z.globalRegistry = z.registry()
  marked._map = z.globalRegistry._map
  marked._idmap = new Map([...z.globalRegistry._idmap].map(([id, schema]) => [`${id}.`, schema]))
  return marked
}

type Schemas = Readonly<Record<string, unknown>>

const PREFIX = '#/components/schemas/'
const REFERENCE = /"#\/components\/schemas\/([^"]+)"/g

const referencesOf = (value: unknown): string[] =>
  [...JSON.stringify(value ?? null).matchAll(REFERENCE)].map(match => match[1] ?? '')

/** Every schema that is spoken of in `from`, and in those. */
function reachable(from: unknown, schemas: Schemas): ReadonlySet<string> {
  const found = new Set<string>()
  const open = referencesOf(from)
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (found.has(name)) continue
    found.add(name)
    open.push(...referencesOf(schemas[name]))
  }
  return found
}

const plain = (value: unknown): string =>
  JSON.stringify(value ?? null).replaceAll(/(#\/components\/schemas\/[^".]+)\.(?:Input)?(?=")/g, '$1')

/** The name that each marked one is to have. */
function namesOf(used: ReadonlySet<string>, schemas: Schemas): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  const taken = new Set([...used].map(name => name.replace(/\..*$/, '')))
  for (const name of used) {
    const base = name.replace(/\..*$/, '')
    const isInput = name.endsWith('.Input')
    const other = isInput ? `${base}.` : `${base}.Input`
    const alike = !used.has(other) || plain(schemas[name]) === plain(schemas[other])
    names.set(name, !isInput || alike ? base : taken.has(`${base}Input`) ? `${base}Given` : `${base}Input`)
  }
  return names
}

type Schematic = { readonly paths?: unknown; readonly components?: { readonly schemas?: object } }

/** Takes the marks away, and the schemas that nobody speaks of. */
export function unmark<T extends Schematic>(document: T): T {
  const schemas: Schemas = { ...document.components?.schemas }
  const used = reachable(document.paths, schemas)
  const names = namesOf(used, schemas)
  const kept = Object.fromEntries([...used].sort().map(name => [names.get(name) ?? name, schemas[name]]))
  const text = JSON.stringify({ ...document, components: { ...document.components, schemas: kept } })
  return JSON.parse(text.replace(REFERENCE, (_all, name: string) => `"${PREFIX}${names.get(name) ?? name}"`))
}
