/** A row of the audit log as a sentence, as what it changed, and as a line of a table that a spreadsheet can read. */
import type { AuditRow, SavedToLive } from '../../../api/audit.ts'
import { changeWords } from '../../words/change.ts'
import { dayHeading } from '../../words/time.ts'

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const textOf = (value: unknown, field: string): string | null => {
  const found = isFields(value) ? value[field] : undefined
  return typeof found === 'string' && found !== '' ? found : typeof found === 'number' ? String(found) : null
}

export type AuditSentence = {
  /** `added a port to`. */
  readonly verb: string
  /** What it was done to; null: the verb says it all. */
  readonly name: string | null
  /** `on 10011`, `as db.example.com`; empty: nothing more. */
  readonly rest: string
  /** The service, node or project, for a link; null: there is none, or it is gone. */
  readonly target: { readonly kind: 'service' | 'node'; readonly id: string } | null
}

/** `names`: of services, ports and nodes that are there. What is gone is named as the row itself names it. */
export function auditSentence(row: AuditRow, names: ReadonlyMap<string, string>): AuditSentence {
  const { action, resource, before, after } = row
  const of = isFields(after) ? after : before
  const serviceId = resource.kind === 'service' ? resource.id : textOf(of, 'serviceId')
  const id = serviceId ?? resource.id
  const own = textOf(of, 'name') ?? textOf(of, 'nodeName')
  const name = NAMELESS.has(resource.kind) ? null : (names.get(id) ?? own ?? resource.id)
  const isThere = names.has(id)
  const target =
    !isThere || (serviceId === null && resource.kind !== 'node')
      ? null
      : ({ kind: serviceId === null ? 'node' : 'service', id } as const)
  return { verb: changeWords(action), name, rest: restOf(of), target }
}

/** What has no name of its own, or one that says nothing. */
const NAMELESS: ReadonlySet<string> = new Set(['session', 'login-link', 'control-plane', 'enrollment-token', 'pool'])

function restOf(of: unknown): string {
  const number = textOf(of, 'externalPort')
  const host = textOf(of, 'sniHostname') ?? textOf(of, 'domain')
  return [host === null ? '' : `as ${host}`, number === null ? '' : `on ${number}`].filter(Boolean).join(' ')
}

export type AuditChange = { readonly field: string; readonly before: string | null; readonly after: string | null }

/** Fields that change with every write and say nothing. */
const SILENT_FIELDS: ReadonlySet<string> = new Set(['version', 'updatedAt'])

/** What a row changed, field by field; null on one side: it was not there. A list counts as one field. */
export function auditChanges({ before, after }: Pick<AuditRow, 'before' | 'after'>): readonly AuditChange[] {
  if (!isFields(before) && !isFields(after)) {
    const was = before === null || before === undefined ? null : valueText(before)
    const is = after === null || after === undefined ? null : valueText(after)
    return was === is ? [] : [{ field: 'value', before: was, after: is }]
  }
  const old = isFields(before) ? before : {}
  const now = isFields(after) ? after : {}
  const fields = [...new Set([...Object.keys(old), ...Object.keys(now)])].filter(field => !SILENT_FIELDS.has(field))
  return fields.flatMap(field => {
    const was = Object.hasOwn(old, field) && !isNothing(old[field]) ? valueText(old[field]) : null
    const is = Object.hasOwn(now, field) && !isNothing(now[field]) ? valueText(now[field]) : null
    return was === is ? [] : [{ field, before: was, after: is }]
  })
}

const isNothing = (value: unknown): boolean =>
  value === null || value === undefined || value === '' || (Array.isArray(value) && value.length === 0)

const MOST = 400

function valueText(value: unknown): string {
  const text =
    typeof value === 'string'
      ? value
      : Array.isArray(value) && value.every(one => typeof one === 'string')
        ? value.join(', ')
        : JSON.stringify(value)
  return text.length > MOST ? `${text.slice(0, MOST)}…` : text
}

/** `externalPort` as people read it: `external port`. */
export const fieldWords = (field: string): string => field.replace(/([a-z])([A-Z])/g, '$1 $2').toLowerCase()

export type AuditDay = { readonly day: string; readonly rows: readonly AuditRow[] }

/** In the order of the rows, which is newest first; by the calendar of the browser. */
export function byDay(rows: readonly AuditRow[], now: Date): readonly AuditDay[] {
  const days: { day: string; rows: AuditRow[] }[] = []
  for (const row of rows) {
    const day = dayHeading(new Date(row.at), now)
    const last = days.at(-1)
    if (last?.day === day) last.rows.push(row)
    else days.push({ day, rows: [row] })
  }
  return days
}

/** The newest row of each resource: only there does what is true now tell of what was done. */
export function newestOfEach(rows: readonly AuditRow[]): ReadonlySet<number> {
  const seen = new Set<string>()
  const newest = new Set<number>()
  for (const { id, resource } of rows) {
    const key = `${resource.kind} ${resource.id}`
    if (!seen.has(key)) newest.add(id)
    seen.add(key)
  }
  return newest
}

/** Of a change whose time could be measured and was not. */
export const NOT_MEASURED = 'not measured'

/** What a change sent to the nodes is live there some time later; what only took something away, or told them nothing, is not. */
export const isToBeLive = ({ revision, resource, after, removedRoutes }: AuditRow): boolean =>
  revision !== null &&
  (resource.kind === 'service' || resource.kind === 'port') &&
  after !== null &&
  after !== undefined &&
  removedRoutes.length === 0

/** `slowest on proxy-2, of 3 nodes`. */
export const slowestWords = ({ nodeName, nodes }: SavedToLive): string =>
  nodes === 1 ? `measured on ${nodeName}` : `slowest on ${nodeName}, of ${nodes} nodes`

const HEAD = [
  'at',
  'actor',
  'action',
  'resource',
  'resourceId',
  'projectId',
  'revision',
  'savedToLiveMs',
  'slowestNode',
  'requestId',
  'before',
  'after',
]

/** RFC 4180. A field that a spreadsheet would take for a formula gets an apostrophe: names are written by others. */
export function auditCsv(rows: readonly AuditRow[]): string {
  const lines = rows.map(row => [
    row.at,
    row.actor.name ?? row.actor.id,
    row.action,
    row.resource.kind,
    row.resource.id,
    row.projectId ?? '',
    row.revision === null ? '' : String(row.revision),
    row.savedToLive !== null ? String(row.savedToLive.ms) : isToBeLive(row) ? NOT_MEASURED : '',
    row.savedToLive?.nodeName ?? '',
    row.requestId ?? '',
    row.before === null || row.before === undefined ? '' : JSON.stringify(row.before),
    row.after === null || row.after === undefined ? '' : JSON.stringify(row.after),
  ])
  return `${[HEAD, ...lines].map(line => line.map(csvField).join(',')).join('\r\n')}\r\n`
}

function csvField(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}
