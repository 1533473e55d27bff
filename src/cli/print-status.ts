/** The answer of the agent to `/status` for people. Pure: lines out of values. */
import { VERDICTS } from '../core/verdict.ts'
import { DRIFT_KINDS, type DriftKind, isFine, type RouteAnswer, type StatusAnswer } from './agent-answers.ts'
import type { Paint } from './io.ts'
import { suggestionFor } from './print-problems.ts'
import { keyOf, labelText, someOf, whereText } from './route-words.ts'
import { aligned, block, clean, labelled, padded, plural, sentence, since } from './table.ts'
import { paintVerdict } from './terminal.ts'

export type StatusPrint = {
  readonly paint: Paint
  /** Columns; null: lines as long as they are. */
  readonly width: number | null
  readonly nowMs: number
  /** Every route, however many there are. */
  readonly all: boolean
  /** The command that accepts a held state. */
  readonly acceptCommand: (hash: string) => string
}

const MAX_TROUBLED = 50
const MAX_LIVE = 20
const MAX_NAMES = 6

/** As wide as the longest verdict. */
const LABEL = Math.max(...VERDICTS.map(verdict => verdict.length))
const INDENT = LABEL + 2

function traefikText({ traefik }: StatusAnswer, nowMs: number): string {
  const poll = since(traefik.lastPollAt, nowMs)
  const polled = poll === null ? 'has not polled yet' : `last poll ${poll} ago`
  const version = traefik.version ?? (traefik.api === null ? 'version not known' : 'not read yet')
  const fault = traefik.fault === null ? '' : `: ${traefik.fault}`
  switch (traefik.state) {
    case 'verified':
      return `${version}, read back, ${polled}`
    case 'unverified':
      return traefik.api === null
        ? `not read back, since no traefik.api is set; ${polled}`
        : `not read back${fault}; ${polled}`
    case 'down':
      return `down${fault}; ${polled}`
    case 'never-polled':
      return traefik.tokenRefused
        ? 'polls without the right token, and gets nothing; see fairlead doctor'
        : `has never polled since the agent started; see fairlead doctor${fault}`
    default:
      return `${traefik.state}${fault}, ${polled}`
  }
}

function revisionText({ revision: { expected, served, applied }, traefik, waiting }: StatusAnswer): string {
  if (served === null)
    return waiting?.for === 'first-reading'
      ? `nothing is served yet: no reading of ${someOf(waiting.names, MAX_NAMES)} so far`
      : 'nothing is served yet'
  const missing = waiting === null ? '' : `; no reading of ${someOf(waiting.names, MAX_NAMES)} so far`
  const shown = labelText(served)
  // What it had applied went with it.
  const isDown = traefik.state === 'down'
  if (expected === served && served === applied && !isDown) return `${shown} expected, served and applied${missing}`
  const first =
    expected === served
      ? `${shown} expected and served`
      : `${expected === null ? 'none' : labelText(expected)} expected, ${shown} served`
  if (isDown) return `${first}, none applied${missing}`
  if (applied !== null) return `${first}, ${labelText(applied)} applied${missing}`
  return `${first}, ${traefik.api === null ? 'not verified' : 'none applied yet'}${missing}`
}

function countsText(routes: readonly RouteAnswer[], paint: Paint): string {
  if (routes.length === 0) return 'none'
  const counts = new Map<string, number>()
  for (const { verdict } of routes) counts.set(verdict, (counts.get(verdict) ?? 0) + 1)
  const order: readonly string[] = VERDICTS
  return [...counts]
    .sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))
    .map(([verdict, count]) => paintVerdict(paint, verdict, `${count} ${clean(verdict)}`))
    .join(', ')
}

function traefikLines(
  status: StatusAnswer,
  { paint, nowMs, width }: Pick<StatusPrint, 'paint' | 'nowMs' | 'width'>,
): string[] {
  const label = 'Traefik'
  const [first = '', ...rest] = labelled(label, clean(traefikText(status, nowMs)), INDENT - 2, width)
  return [`${isTraefikFine(status) ? label : paint('red', label)}${first.slice(label.length)}`, ...rest]
}

function head(status: StatusAnswer, { paint, width, nowMs }: StatusPrint): string[] {
  const up = since(status.startedAt, nowMs)
  return [
    `${paint('bold', clean(status.node))}  fairlead ${clean(status.version)}${up === null ? '' : `, up for ${up}`}`.trimEnd(),
    ...traefikLines(status, { paint, nowMs, width }),
    ...labelled('revision', revisionText(status), INDENT - 2, width),
    `${padded('routes', INDENT)}${countsText(status.routes, paint)}`,
  ]
}

/** Label and name on a line, what is wrong below, the way out a bit further in. */
function finding(
  label: { readonly text: string; readonly painted: string },
  name: string,
  why: string,
  remedy: string,
  { width }: StatusPrint,
): string[] {
  // Long names go on below; the label is painted after the line is broken, since colours have a length, too.
  const [first = '', ...more] = labelled(label.text, name, LABEL, width)
  return [
    label.painted + first.slice(label.text.length),
    ...more,
    ...(why === '' ? [] : block(clean(why), INDENT, width)),
    ...(remedy === '' ? [] : block(clean(remedy), INDENT + 2, width)),
  ]
}

function routeLines(route: RouteAnswer, status: StatusAnswer, print: StatusPrint): string[] {
  const { paint, nowMs } = print
  const age = since(route.since, nowMs)
  const name = [
    clean(keyOf(route)),
    whereText(route, status.traefik.entryPoints),
    [...(age === null ? [] : [`for ${age}`]), ...(route.origin === '' ? [] : [`from ${clean(route.origin)}`])].join(
      ', ',
    ),
  ].filter(part => part !== '')
  const verdict = clean(route.verdict)
  const why = `${sentence(route.message)}${route.reason === '' ? '' : ` ${route.reason}`}`
  return finding(
    { text: verdict, painted: paintVerdict(paint, verdict) },
    name.join('  '),
    why,
    // What is under way needs nobody.
    route.verdict === 'pending' && route.reason === 'NOT_YET_APPLIED' ? '' : sentence(route.remedy),
    print,
  )
}

function more(count: number, what: string): string[] {
  return count <= 0 ? [] : [`${' '.repeat(INDENT)}and ${count} more ${what}; --all shows them`]
}

/** Without the routes that the guard holds: they are told together, by what holds them. */
function troubled(status: StatusAnswer, print: StatusPrint): string[] {
  const told = new Set(print.all ? [] : status.held.flatMap(({ removals }) => removals))
  const routes = status.routes.filter(
    route => route.verdict !== 'live' && !(route.verdict === 'held' && told.has(keyOf(route))),
  )
  const most = print.all ? routes.length : MAX_TROUBLED
  return [
    ...routes.slice(0, most).flatMap(route => routeLines(route, status, print)),
    ...more(routes.length - most, 'that are not live'),
  ]
}

function live(status: StatusAnswer, print: StatusPrint): string[] {
  const routes = status.routes.filter(({ verdict }) => verdict === 'live')
  const most = print.all ? routes.length : MAX_LIVE
  const shown = routes.slice(0, most)
  const rows = aligned(shown.map(route => [clean(keyOf(route)), whereText(route, status.traefik.entryPoints)]))
  // Live says nothing of an upstream that nobody has asked yet.
  const doubts = shown.map(({ health, message }) => ((health?.unasked ?? 0) > 0 ? sentence(message) : ''))
  return [
    ...rows.flatMap((row, i) =>
      finding({ text: 'live', painted: print.paint('green', 'live') }, row, doubts[i] ?? '', '', print),
    ),
    ...more(routes.length - most, 'live'),
  ]
}

/** Whoever reads of a broken file at night wants to know what is served meanwhile. */
const goesOn = (remedy: string): string =>
  remedy.includes('goes on serving') ? '' : '\nIts last good content, if there was any, goes on serving.'

function documents(status: StatusAnswer, print: StatusPrint): string[] {
  const { paint } = print
  return status.problems.flatMap(({ origin, field, code, message, remedy }) =>
    finding(
      { text: 'rejected', painted: paint('red', 'rejected') },
      clean(field === null ? origin : `${origin}  ${field}`),
      `${sentence(message)}${code === '' ? '' : ` ${code}`}${goesOn(remedy)}`,
      sentence(remedy),
      print,
    ),
  )
}

function sources(status: StatusAnswer, print: StatusPrint): string[] {
  const { paint, nowMs } = print
  const faults = status.sources.flatMap(({ name, routes, fault }) => {
    if (fault === null) return []
    const age = since(fault.since, nowMs)
    const goesOn =
      routes === null
        ? 'nothing was read from it so far'
        : `the last good reading, of ${plural(routes, 'route')}, goes on`
    return finding(
      { text: 'fault', painted: paint('red', 'fault') },
      `source ${clean(name)}${age === null ? '' : `  for ${age}`}`,
      `${sentence(fault.message)} ${fault.code}\n${goesOn}`,
      sentence(fault.remedy),
      print,
    )
  })
  const { fault } = status.store
  if (fault === null) return faults
  return [
    ...faults,
    ...finding(
      { text: 'fault', painted: paint('red', 'fault') },
      'state on disk',
      sentence(fault.message),
      sentence(fault.remedy),
      print,
    ),
  ]
}

function held(status: StatusAnswer, print: StatusPrint): string[] {
  return status.held.flatMap(({ source, hash, removals, message, until }) => {
    const way =
      until === null
        ? 'If that is meant, accept it; if not, nothing is lost: put the routes back.'
        : `It goes through by itself at ${until}, unless the routes come back.`
    return finding(
      { text: 'held', painted: print.paint('yellow', 'held') },
      `${plural(removals.length, 'removal')}${source === '' ? '' : ` of ${clean(source)}`}`,
      `${sentence(message)}\n${someOf(removals, MAX_NAMES)}`,
      `${way}\n  ${print.acceptCommand(hash)}`,
      print,
    )
  })
}

const DRIFT_WORDS: Readonly<Record<DriftKind, string>> = {
  missing: 'served and not shown by Traefik',
  different: 'shown by Traefik as something else than what is served',
  disabled: 'disabled by Traefik',
  extra: 'shown by Traefik and not served',
}

export const hasDrift = ({ drift }: StatusAnswer): boolean =>
  drift !== null && (drift.beaconMissing || DRIFT_KINDS.some(kind => drift[kind] > 0))

function drift({ drift: found }: StatusAnswer, print: StatusPrint): string[] {
  if (found === null) return []
  const line = (name: string, why: string): string[] =>
    finding({ text: 'drift', painted: print.paint('yellow', 'drift') }, name, why, '', print)
  const kinds = DRIFT_KINDS.flatMap(kind => {
    const names = found.entries
      .filter(entry => entry.kind === kind)
      .map(
        ({ protocol, what, name, detail }) =>
          [protocol, what, name].filter(part => part !== '').join(' ') + (detail === null ? '' : `: ${detail}`),
      )
    return found[kind] === 0 ? [] : line(`${found[kind]} ${DRIFT_WORDS[kind]}`, someOf(names, MAX_NAMES))
  })
  return found.beaconMissing
    ? [...line('Traefik has fetched a body and does not show that it took it', ''), ...kinds]
    : kinds
}

function notes(status: StatusAnswer, print: StatusPrint): string[] {
  const all = [
    ...status.routes.flatMap(route => route.notes.map(note => `${keyOf(route)}: ${note}`)),
    ...status.unknownFields.map(({ field, count }) => {
      const near = suggestionFor(field, 'routes') ?? suggestionFor(field, 'state')
      const times = count === 1 ? '' : ` (${count} times)`
      return `the field ${field} is not known here and is ignored${times}${near === null ? '' : `; did you mean ${near}?`}`
    }),
    ...(status.drift === null || status.drift.foreign === 0
      ? []
      : [`${plural(status.drift.foreign, 'router')} of other providers on the entry points of this node`]),
  ]
  const most = print.all ? all.length : MAX_LIVE
  return [
    ...all
      .slice(0, most)
      .flatMap(note => finding({ text: 'note', painted: print.paint('dim', 'note') }, clean(note), '', '', print)),
    ...more(all.length - most, 'notes'),
  ]
}

/** Trouble first, what is live last. */
export function statusLines(status: StatusAnswer, print: StatusPrint): string[] {
  const parts = [
    head(status, print),
    sources(status, print),
    documents(status, print),
    held(status, print),
    drift(status, print),
    troubled(status, print),
    live(status, print),
    notes(status, print),
  ]
  return parts.filter(lines => lines.length > 0).flatMap((lines, i) => (i === 0 ? lines : ['', ...lines]))
}

/** Traefik is there, and read back where that is possible. */
const isTraefikFine = ({ traefik: { state, api } }: StatusAnswer): boolean =>
  state === 'verified' || (state === 'unverified' && api === null)

/** Whether somebody has to do something: 1, else 0. A route that is pending needs nobody, unless Traefik is away. */
export const isAllFine = (status: StatusAnswer): boolean =>
  status.routes.every(({ verdict }) => isFine(verdict)) &&
  status.problems.length === 0 &&
  status.held.length === 0 &&
  status.store.fault === null &&
  status.sources.every(({ fault }) => fault === null) &&
  isTraefikFine(status) &&
  !hasDrift(status)
