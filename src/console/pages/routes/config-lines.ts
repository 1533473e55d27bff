/** A piece of Traefik's configuration as lines that can be coloured: what is a key, a text, a number. YAML as people write it, or JSON. */

export type Token = { readonly text: string; readonly kind: 'key' | 'text' | 'number' | 'plain' }
export type Line = readonly Token[]

const plain = (text: string): Token => ({ text, kind: 'plain' })
const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value)
const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !isList(value)

/** A word that YAML reads as itself; everything else stands in quotes. */
const SAFE_WORD = /^[A-Za-z_./*-][A-Za-z0-9_./:@*() `,-]*$/
const RESERVED = /^(?:true|false|null|yes|no|on|off|~)$/i

function scalar(value: unknown): Token {
  if (typeof value === 'number' || typeof value === 'boolean') return { text: String(value), kind: 'number' }
  if (typeof value !== 'string') return { text: String(JSON.stringify(value) ?? 'null'), kind: 'number' }
  const isSafe = SAFE_WORD.test(value) && !RESERVED.test(value) && !/: |^[-*`,]|^.* #|[: ]$/.test(value)
  return { text: isSafe ? value : JSON.stringify(value), kind: 'text' }
}

const isShort = (value: readonly unknown[]): boolean =>
  value.every(one => !isMap(one) && !isList(one)) && JSON.stringify(value).length < 60

export function yamlLines(value: unknown, indent = 0): readonly Line[] {
  const pad = plain('  '.repeat(indent))
  if (isMap(value))
    return Object.entries(value).flatMap(([name, inner]): readonly Line[] => {
      const key: Line = [pad, { text: scalar(name).text, kind: 'key' }, plain(':')]
      if (isMap(inner) && Object.keys(inner).length > 0) return [key, ...yamlLines(inner, indent + 1)]
      if (isList(inner) && inner.length > 0 && !isShort(inner)) return [key, ...yamlLines(inner, indent + 1)]
      return [[...key, plain(' '), ...inline(inner)]]
    })
  if (isList(value))
    return value.flatMap((one): readonly Line[] => {
      if (!isMap(one) && !isList(one)) return [[pad, plain('- '), scalar(one)]]
      const [first, ...rest] = yamlLines(one, indent + 1)
      if (first === undefined) return [[pad, plain('- '), plain(isList(one) ? '[]' : '{}')]]
      // The dash stands where the indent of the first line would be.
      return [[pad, plain('- '), ...first.slice(1)], ...rest]
    })
  return [[pad, scalar(value)]]
}

function inline(value: unknown): readonly Token[] {
  if (isMap(value)) return [plain('{}')]
  if (!isList(value)) return [scalar(value)]
  const items = value.flatMap((one, at) => (at === 0 ? [scalar(one)] : [plain(', '), scalar(one)]))
  return [plain('['), ...items, plain(']')]
}

export const jsonLines = (value: unknown): readonly Line[] =>
  JSON.stringify(value, null, 2)
    .split('\n')
    .map(line => {
      const match = /^(\s*)("(?:[^"\\]|\\.)*")(: ?)?(.*)$/.exec(line)
      if (match === null) return [{ text: line, kind: /^\s*-?\d/.test(line) ? 'number' : 'plain' } as const]
      const [, pad = '', text = '', colon, rest = ''] = match
      if (colon === undefined) return [plain(pad), { text, kind: 'text' }, plain(rest)]
      const kind = rest.startsWith('"') ? 'text' : /^-?\d|^true|^false/.test(rest) ? 'number' : 'plain'
      return [plain(pad), { text, kind: 'key' }, plain(colon), { text: rest, kind }]
    })

export const linesText = (lines: readonly Line[]): string =>
  lines.map(line => line.map(({ text }) => text).join('')).join('\n')
