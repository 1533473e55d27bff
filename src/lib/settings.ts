/**
 * Settings of one process: a YAML file, and an environment variable for every key, which beats the file.
 *
 *   sources.controlPlane.urls  <->  FAIRLEAD_SOURCES_CONTROL_PLANE_URLS
 *
 * All faults come at once, each with its line or variable, its key, the value that was found and the way out.
 * Secrets have no place in a settings file, so the names of unknown keys are repeated in faults, never their values.
 */
import { isMap, isScalar, LineCounter, type Node, type Pair, parseDocument } from 'yaml'
import { z } from 'zod'
import { nearest } from './nearest.ts'
import { shown } from './setting-types.ts'

export type Environment = Readonly<Record<string, string | undefined>>

export type SettingsInput<Schema extends z.ZodObject> = {
  /** Objects within objects; every leaf takes the text of an environment variable as well as what YAML gives. */
  readonly schema: Schema
  /** Content of the file, or null when there is none. */
  readonly text: string | null
  /** For the faults. */
  readonly fileName: string | null
  readonly env: Environment
}

export type SettingsResult<T> =
  /** Notes are sentences about variables that nobody here knows: they may be meant for another program. */
  | { readonly ok: true; readonly value: T; readonly notes: readonly string[] }
  | { readonly ok: false; readonly faults: readonly string[] }

export const ENV_PREFIX = 'FAIRLEAD_'

/** The command line reads these; no setting has such a key. */
const COMMAND_LINE = ['FAIRLEAD_CONFIG', 'FAIRLEAD_CONTROL_CONFIG', 'FAIRLEAD_URL', 'FAIRLEAD_TOKEN']

type Path = readonly string[]
type Branch = { readonly [key: string]: Branch | z.core.$ZodType }
type Place = { readonly where: string; readonly line: number }
type Found = Place & { readonly text: string }

const isSchema = (node: Branch | z.core.$ZodType): node is z.core.$ZodType => '_zod' in node

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function branchOf(schema: z.core.$ZodType): Branch | null {
  if (schema instanceof z.ZodObject) {
    const members: [string, z.core.$ZodType][] = Object.entries(schema.shape)
    return Object.fromEntries(members.map(([key, member]) => [key, branchOf(member) ?? member]))
  }
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return branchOf(schema.unwrap())
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return branchOf(schema.unwrap())
  return schema instanceof z.ZodPipe ? branchOf(schema.in) : null
}

/** `['sources', 'controlPlane']` -> `FAIRLEAD_SOURCES_CONTROL_PLANE`. */
export const envName = (path: Path): string =>
  ENV_PREFIX + path.map(key => key.replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2').toUpperCase()).join('_')

function leaves(branch: Branch, path: Path = []): { readonly path: Path; readonly schema: z.core.$ZodType }[] {
  return Object.entries(branch).flatMap(([key, node]) =>
    isSchema(node) ? [{ path: [...path, key], schema: node }] : leaves(node, [...path, key]),
  )
}

/** Every key with its variable: for help texts, and for the test that compares them with the README. */
export const settingNames = (schema: z.ZodObject): readonly { readonly key: string; readonly env: string }[] =>
  leaves(branchOf(schema) ?? {}).map(({ path }) => ({ key: path.join('.'), env: envName(path) }))

// ------------------------------------------------------------------------------------------------------------------- the file

type ReadFile = { readonly raw: unknown; readonly lineOf: (path: Path) => number; readonly faults: readonly Found[] }

function readYaml(text: string, fileName: string): ReadFile {
  const lineCounter = new LineCounter()
  // prettyErrors would quote the lines around an error, and one of them may hold what was meant to be a secret.
  const doc = parseDocument(text, { lineCounter, prettyErrors: false, version: '1.2', stringKeys: true })
  const at = (line: number): Place => ({ where: `${fileName}:${line}`, line })
  const lineOf = (path: Path): number => {
    let node: Node | null = doc.contents
    let offset = 0
    for (const key of path) {
      if (!isMap(node)) break
      const pair: Pair | undefined = node.items.find(item => isScalar(item.key) && item.key.value === key)
      if (pair === undefined || !isScalar(pair.key)) break
      offset = pair.key.range?.[0] ?? offset
      node = isMap(pair.value) ? pair.value : null
    }
    return lineCounter.linePos(offset).line
  }
  const faults = [...doc.errors, ...doc.warnings].map(error => {
    const place = at(lineCounter.linePos(error.pos[0]).line)
    return {
      ...place,
      text: `${place.where}: this is not YAML: ${error.message.split('\n')[0]?.replace(/:$/, '') ?? ''}`,
    }
  })
  if (faults.length > 0) return { raw: {}, lineOf, faults }
  try {
    const raw: unknown = doc.toJS({ maxAliasCount: 0 }) ?? {}
    if (isRecord(raw)) return { raw, lineOf, faults }
    return {
      raw: {},
      lineOf,
      faults: [{ ...at(1), text: `${fileName}:1: the file is not a group of keys; write them as node: proxy-1` }],
    }
  } catch {
    return {
      raw: {},
      lineOf,
      faults: [{ ...at(1), text: `${fileName}: aliases (*name) are not taken here; write the value out` }],
    }
  }
}

// ------------------------------------------------------------------------------------------------------------- file and variables

function unknownKey(key: string, branch: Branch, path: Path): string {
  const known = Object.keys(branch)
  const near = nearest(key, known)
  const elsewhere = leaves(branch).find(leaf => leaf.path.length > 1 && leaf.path.at(-1) === key)
  const hint =
    near !== null
      ? `did you mean ${[...path, near].join('.')}?`
      : elsewhere !== undefined
        ? `did you mean ${[...path, ...elsewhere.path].join('.')}?`
        : `known here: ${known.join(', ')}`
  return `${shown([...path, key].join('.')).slice(1, -1)} is not a setting; ${hint}`
}

/** The file's values with those of the environment laid over them. `origin` remembers which key came from which variable. */
function overlay(
  raw: unknown,
  branch: Branch,
  path: Path,
  env: Environment,
  onUnknown: (path: Path, sentence: string) => void,
  origin: Map<string, string>,
): unknown {
  if (raw !== undefined && raw !== null && !isRecord(raw)) return raw
  const values: [string, unknown][] = []
  for (const key of Object.keys(raw ?? {})) {
    if (!Object.hasOwn(branch, key)) onUnknown([...path, key], unknownKey(key, branch, path))
  }
  for (const [key, node] of Object.entries(branch)) {
    const here = [...path, key]
    const inFile = isRecord(raw) && Object.hasOwn(raw, key) ? raw[key] : undefined
    if (!isSchema(node)) {
      const value = overlay(inFile, node, here, env, onUnknown, origin)
      if (value !== undefined) values.push([key, value])
      continue
    }
    const variable = env[envName(here)]
    // A variable that is set and empty is how many programs hand over "not set".
    if (variable !== undefined && variable.trim() !== '') {
      origin.set(here.join('.'), envName(here))
      values.push([key, variable])
    } else if (inFile === null) {
      // `key:` with nothing behind it means the default, except where null is a value of its own.
      if (z.safeParse(node, null).success) values.push([key, null])
    } else if (inFile !== undefined) values.push([key, inFile])
  }
  return values.length > 0 || isRecord(raw) ? Object.fromEntries(values) : undefined
}

/** A variable that is nearly one of ours is a slip; any other may belong to somebody else (Kubernetes sets FAIRLEAD_SERVICE_HOST). */
function judgeVariables(
  env: Environment,
  known: readonly string[],
): { readonly faults: string[]; readonly notes: string[] } {
  const faults: string[] = []
  const notes: string[] = []
  for (const name of Object.keys(env).sort()) {
    if (!name.startsWith(ENV_PREFIX) || known.includes(name) || COMMAND_LINE.includes(name)) continue
    const near = nearest(name, known, 2)
    if (near !== null) faults.push(`${name} is not a setting; did you mean ${near}?`)
    else notes.push(`${name} is not a setting of this program and is ignored`)
  }
  return { faults, notes }
}

/** Total: every fault is a sentence in the result. */
export function parseSettings<Schema extends z.ZodObject>(
  input: SettingsInput<Schema>,
): SettingsResult<z.output<Schema>> {
  const fileName = input.fileName ?? 'settings'
  const branch = branchOf(input.schema) ?? {}
  const file = readYaml(input.text ?? '', fileName)
  const faults: Found[] = [...file.faults]
  const origin = new Map<string, string>()
  const inFile = (path: Path): Place => {
    const line = file.lineOf(path)
    return { where: `${fileName}:${line}`, line }
  }
  const raw = overlay(
    file.raw,
    branch,
    [],
    input.env,
    (path, sentence) => {
      const place = inFile(path)
      faults.push({ ...place, text: `${place.where}: ${sentence}` })
    },
    origin,
  )
  const variables = judgeVariables(
    input.env,
    leaves(branch).map(({ path }) => envName(path)),
  )
  const parsed = input.schema.safeParse(raw ?? {})
  for (const issue of parsed.error?.issues ?? []) {
    const path = issue.path.map(String)
    const key = path.join('.')
    const variable = origin.get(key)
    const place = variable === undefined ? inFile(path) : { where: variable, line: Number.MAX_SAFE_INTEGER }
    // Leaves speak for themselves; what is left are groups that are something else.
    const sentence = issue.code === 'custom' ? issue.message : 'this is a group of keys, not a value'
    const where = variable === undefined && input.text === null ? '' : `${place.where}: `
    faults.push({
      ...place,
      text: `${where}${key}${sentence.startsWith('[') ? '' : sentence === 'is missing' ? ' ' : ': '}${sentence}`,
    })
  }
  const all = [...faults.sort((a, b) => a.line - b.line).map(({ text }) => text), ...variables.faults]
  if (!parsed.success || all.length > 0) return { ok: false, faults: all }
  return { ok: true, value: parsed.data, notes: variables.notes }
}
