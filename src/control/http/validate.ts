/** Input checked by its zod schema: all faults at once, each with what was found there. */
import type { FastifySchemaCompiler } from 'fastify'
import type { z } from 'zod'
import type { FieldFault } from '../../api/problem.ts'

/** Thrown by Fastify before the handler runs; it adds which part of the request it was. */
export class InputError extends Error {
  override readonly name = 'InputError'
  readonly fields: readonly FieldFault[]
  validationContext?: string
  constructor(fields: readonly FieldFault[]) {
    super('the input is not valid')
    this.fields = fields
  }
}

export const validatorCompiler: FastifySchemaCompiler<z.ZodType> =
  ({ schema }) =>
  data => {
    const result = schema.safeParse(data)
    return result.success ? { value: result.data } : { error: new InputError(faultsOf(result.error, data)) }
  }

const MAX_FAULTS = 100

/** Every fault with its path, what was found and what to do. */
export function faultsOf(error: z.ZodError, input: unknown): FieldFault[] {
  return error.issues.flatMap(issue => faultsOfIssue(issue, input)).slice(0, MAX_FAULTS)
}

function faultsOfIssue(issue: z.core.$ZodIssue, input: unknown): FieldFault[] {
  // One fault for each unknown key: people look for the name that they mistyped.
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map(key => ({
      field: pathText([...issue.path, key]),
      code: 'unknown_field',
      message: `there is no field ${shown(key)}`,
      remedy: 'Leave it out, or mend its name.',
    }))
  const field = pathText(issue.path)
  const found = valueAt(input, issue.path)
  const value = found === undefined || mayBeSecret(issue.path) ? {} : { value: shown(found) }
  const remedy = 'params' in issue && typeof issue.params?.remedy === 'string' ? { remedy: issue.params.remedy } : {}
  return [{ field, code: codeOf(issue), message: issue.message, ...value, ...remedy }]
}

/** A check of our own names its code in `params`. */
const codeOf = (issue: z.core.$ZodIssue): string =>
  issue.code === 'custom' && typeof issue.params?.code === 'string' ? issue.params.code : issue.code

/** `ports[0].externalPort` */
export const pathText = (path: readonly PropertyKey[]): string =>
  path
    .map(part => (typeof part === 'number' ? `[${part}]` : `.${String(part).slice(0, 100)}`))
    .join('')
    .replace(/^\./, '')

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let at = input
  for (const part of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, part)) return undefined
    at = Reflect.get(at, part)
  }
  return at
}

const SECRET = /token|secret|password|key$|code$/i
const mayBeSecret = (path: readonly PropertyKey[]): boolean =>
  path.length === 0 || path.some(part => typeof part === 'string' && SECRET.test(part))

const MAX_SHOWN = 80

/** As JSON, cut, with every sign that is not plainly printable as an escape. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  const plain = text.replace(/[^\x20-\x7e]/g, sign => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return plain.length > MAX_SHOWN ? `${plain.slice(0, MAX_SHOWN)}...` : plain
}
