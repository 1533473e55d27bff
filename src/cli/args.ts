/** Arguments of one command, read strictly: what is not known is a fault that names the nearest thing that is. */
import { parseArgs } from 'node:util'
import { nearest } from '../lib/nearest.ts'

export type OptionSpec = {
  /** What stands for its value in the help (`FILE`); null for a flag. */
  readonly value: string | null
  readonly help: string
}

export type Args<Name extends string> = {
  /** The last one given, or null. */
  readonly text: (name: Name) => string | null
  readonly flag: (name: Name) => boolean
  readonly positionals: readonly string[]
}

export type ArgsResult<Name extends string> =
  | { readonly ok: true; readonly args: Args<Name> }
  | { readonly ok: false; readonly faults: readonly string[] }

export type ArgsSpec<Name extends string> = {
  readonly options: Readonly<Record<Name, OptionSpec>>
  /** The fewest and the most positional arguments, and what they are called. */
  readonly positionals: { readonly min: number; readonly max: number; readonly name: string }
}

function unknownOption(rawName: string, known: readonly string[]): string {
  const near = nearest(rawName.replace(/^-+/, ''), known)
  return `${rawName} is not an option here${near === null ? '' : `; did you mean --${near}?`}`
}

/** Total. `--help` is not known here: whoever calls has looked for it already. */
export function readArgs<Name extends string>(spec: ArgsSpec<Name>, argv: readonly string[]): ArgsResult<Name> {
  const specs = new Map<string, OptionSpec>(Object.entries<OptionSpec>(spec.options))
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(
      [...specs].map(([name, { value }]) => [name, { type: value === null ? 'boolean' : 'string' }]),
    ),
    strict: false,
    tokens: true,
    allowPositionals: true,
  })
  const faults: string[] = []
  const texts = new Map<string, string>()
  const flags = new Set<string>()
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind !== 'option') continue
    const option = token.rawName.startsWith('--') ? specs.get(token.name) : undefined
    if (option === undefined) faults.push(unknownOption(token.rawName, [...specs.keys()]))
    else if (option.value === null && token.value !== undefined) faults.push(`--${token.name} takes no value`)
    else if (option.value === null) flags.add(token.name)
    // A value that looks like an option is one whose value was forgotten, unless it came with an equals sign.
    else if (token.value === undefined || token.value === '' || (token.value.startsWith('--') && !token.inlineValue))
      faults.push(`--${token.name} needs a value: --${token.name} ${option.value}`)
    else texts.set(token.name, token.value)
  }
  const { min, max, name } = spec.positionals
  if (positionals.length < min) faults.push(`${name} is missing`)
  // Behind an option that is not known, nobody can tell its value from an argument.
  if (positionals.length > max && faults.length === 0)
    faults.push(`${JSON.stringify(positionals[max])} is one argument too many`)
  if (faults.length > 0) return { ok: false, faults }
  return {
    ok: true,
    args: { text: option => texts.get(option) ?? null, flag: option => flags.has(option), positionals },
  }
}
