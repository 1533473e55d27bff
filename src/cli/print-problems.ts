/** Problems and notes for people: one block each, the same words as in status, console and logs. */
import { type Problem, routeLabel } from '../core/problem.ts'
import { HTTP, TCP, UDP } from '../core/route.ts'
import { REASONS } from '../core/verdict.ts'
import { nearest } from '../lib/nearest.ts'
import { columns } from './command.ts'
import type { Paint } from './io.ts'
import type { StateDocument } from './read-states.ts'

const sentence = (text: string): string => (/[.!?:]$/.test(text) ? text : `${text}.`)

const found = ({ field, value }: Problem): readonly [string, string][] => {
  if (field !== null) return [[field, value ?? 'nothing']]
  return value === null ? [] : [['found', value]]
}

/** `routes.d/db.yaml  tcp/pg` (or `tcpRoutes[3]`, its place in the document), then field and value, verdict and sentence, remedy. */
export function problemText(problem: Problem, paint: Paint, place: string | null = null): string {
  const { verdict } = REASONS[problem.code]
  const rows = columns([
    ...found(problem),
    [verdict, `${sentence(problem.message)}  ${problem.code}`],
    ['remedy', sentence(problem.remedy)],
  ])
  const label = problem.protocol === null && problem.routeId === null ? '' : `  ${place ?? routeLabel(problem)}`
  // Painted after the columns are set: colours have a length, too.
  const coloured = rows.replace(
    new RegExp(`^( +)(${verdict})( .*)$`, 'm'),
    (_line, indent: string, word: string, rest: string) =>
      `${indent}${paint(verdict === 'conflicted' || verdict === 'waiting' ? 'yellow' : 'red', word)}${rest}`,
  )
  return `${paint('bold', `${problem.origin}${label}`)}\n${coloured}\n`
}

// ----------------------------------------------------------------------------------------------------------------- unknown fields

const LISTS = ['routes', 'httpRoutes', 'tcpRoutes', 'udpRoutes']
const STATE_FIELDS = [
  'schema',
  'controlPlaneId',
  'serverId',
  'serverName',
  'epoch',
  'revision',
  'removed',
  'acceptedHash',
  'traefik',
]

/** What may stand where: by the path in front of the field. */
const KNOWN: Readonly<Record<StateDocument['kind'], Readonly<Record<string, readonly string[]>>>> = {
  routes: { '': LISTS },
  state: { '': STATE_FIELDS, 'traefik.': [...LISTS, 'certificates', 'challengeRoute'] },
}

const ROUTE_FIELDS: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  [HTTP, TCP, UDP].map(kind => [`${kind.list}.`, Object.keys(kind.shape)]),
)

export type UnknownFieldNote = {
  readonly origin: string
  readonly field: string
  readonly count: number
  /** The known field that may have been meant, or null. */
  readonly suggestion: string | null
}

/** The known field that may have been meant by `tcpRoutes.upstream`, or null. */
export function suggestionFor(field: string, kind: StateDocument['kind']): string | null {
  const dot = field.indexOf('.')
  const prefix = field.slice(0, dot + 1)
  return nearest(field.slice(dot + 1), ROUTE_FIELDS[prefix] ?? KNOWN[kind][prefix] ?? [])
}

export function unknownFieldNotes({ fileName, kind, state }: StateDocument): readonly UnknownFieldNote[] {
  return state.unknownFields.map(({ field, count }) => ({
    origin: fileName,
    field,
    count,
    suggestion: suggestionFor(field, kind),
  }))
}

export function unknownFieldText({ origin, field, count, suggestion }: UnknownFieldNote): string {
  const times = count === 1 ? '' : ` (${count} times)`
  return `${origin}: ${field} is not known here${times}${suggestion === null ? '' : `; did you mean ${suggestion}?`}`
}
