/**
 * What a control plane is told of this node: the next report, given what it has been told already. Pure.
 *
 *   state + reported -> rows that are other than they were, ids that are gone, as many as fit -> body, and what is reported once it is taken
 *
 * Nothing is queued: each report is made of the state at the moment, so a slow control plane gets fewer reports, never older ones.
 */
import type { ObservedEntryPoint } from './observed.ts'
import type { RouteKey } from './problem.ts'
import {
  REPORT_SCHEMA,
  type ReportedVerdict,
  type ReportHead,
  type ReportStep,
  type StatusReport,
} from './report-wire.ts'
import type { TrackedVerdict } from './track.ts'
import type { Verdict } from './verdict.ts'

export type ReportState = ReportHead & {
  /** Those of this control plane's routes, and of no others. */
  readonly verdicts: readonly TrackedVerdict[]
  /** Wishes of persons that a probe has answered; the row of such a route carries its chain. */
  readonly answered: ReadonlyMap<RouteKey, string>
  /** Null: nobody knows. An empty list would say that there are none. */
  readonly entryPoints: readonly ObservedEntryPoint[] | null
  readonly openConnections: ReadonlyMap<RouteKey, number>
}

/** What costs something to find out, asked only for rows that are sent and need it. */
export type RowDetails = {
  readonly chain: (verdict: TrackedVerdict) => readonly ReportStep[]
  /** What the route became in Traefik's configuration; null when it is not served. */
  readonly served: (verdict: TrackedVerdict) => { readonly router: unknown; readonly service: unknown } | null
  /** By stage; null when nobody measured. */
  readonly timingsMs: (verdict: TrackedVerdict) => Readonly<Record<string, number>> | null
}

type Row = Pick<TrackedVerdict, 'verdict' | 'reason' | 'message' | 'remedy' | 'since'> & {
  readonly answered: string | null
}

/** What the control plane is known to have. */
export type Reported = {
  readonly controlPlaneId: string | null
  readonly rows: ReadonlyMap<RouteKey, Row>
  readonly entryPoints: string
  readonly head: string
}

export type NextReport = {
  readonly body: string
  /** What is reported once this one was taken. */
  readonly reported: Reported
  /** There is something new in it. */
  readonly changed: boolean
  /** Not everything fitted. */
  readonly more: boolean
}

export const MAX_REPORT_BYTES = 1024 * 1024
const MAX_SERVED_BYTES = 4096
const MAX_ROW_BYTES = 32 * 1024
/** Shares of the largest report; the rest is for rows. */
const SHARE = { entryPoints: 1 / 2, connections: 1 / 8, gone: 1 / 8 } as const
const MAX_HELD = 500

const keyOf = ({ protocol, id }: TrackedVerdict): RouteKey => `${protocol}/${id}`
const bytesOf = (text: string): number => Buffer.byteLength(text)

function countsOf(verdicts: readonly TrackedVerdict[]): Record<Verdict, number> {
  const counts = { live: 0, pending: 0, rejected: 0, refused: 0, conflicted: 0, waiting: 0, degraded: 0, held: 0 }
  for (const { verdict } of verdicts) counts[verdict] += 1
  return counts
}

/** The revision does not count: each new state would make every row another one. */
const isSame = (was: Row, is: Row): boolean =>
  was.verdict === is.verdict &&
  was.reason === is.reason &&
  was.message === is.message &&
  was.remedy === is.remedy &&
  was.since === is.since &&
  // An answer that was told stays told when the next probe is nobody's.
  (is.answered === null || was.answered === is.answered)

/** Ids as the control plane knows them: alone where one route has the id, else with the protocol. */
function namer(keys: Iterable<RouteKey>): (key: RouteKey) => string {
  const idOf = (key: RouteKey): string => key.slice(key.indexOf('/') + 1)
  const seen = new Set<string>()
  const shared = new Set<string>()
  for (const key of keys) {
    const id = idOf(key)
    if (seen.has(id)) shared.add(id)
    seen.add(id)
  }
  return key => (shared.has(idOf(key)) ? key : idOf(key))
}

/** As many as fit into so many bytes of JSON; one at least, as a limit that sends none would send none for ever. */
function fitting<T>(entries: readonly T[], maxBytes: number): readonly T[] {
  let bytes = 0
  const cut = entries.findIndex(entry => {
    bytes += bytesOf(JSON.stringify(entry)) + 1
    return bytes > maxBytes
  })
  return cut < 0 ? entries : entries.slice(0, Math.max(cut, 1))
}

function rowJson(verdict: TrackedVerdict, answered: string | null, full: boolean, details: RowDetails): string {
  const { id, protocol, reason, message, remedy, revision } = verdict
  const isLive = verdict.verdict === 'live'
  const since = new Date(verdict.since).toISOString()
  // A full report tells what is; how long it once took belongs to the moment at which it happened.
  const timingsMs = full ? null : details.timingsMs(verdict)
  const base: ReportedVerdict = {
    ...{ id, protocol, verdict: verdict.verdict, reason, message, remedy, revision, since },
    ...(timingsMs === null ? {} : { timingsMs }),
  }
  if (isLive && answered === null) return JSON.stringify(base)
  const chain = details
    .chain(verdict)
    .map(step => (step.step === 'probed' && answered !== null ? { ...step, requestId: answered } : step))
  const served = isLive ? null : details.served(verdict)
  const isShown = served !== null && bytesOf(JSON.stringify(served)) <= MAX_SERVED_BYTES
  const json = JSON.stringify({ ...base, chain, ...(isShown ? { served } : {}) } satisfies ReportedVerdict)
  return bytesOf(json) <= MAX_ROW_BYTES ? json : JSON.stringify(base)
}

/** What needs a person comes first, should not everything fit. */
const byUrgency = (a: TrackedVerdict, b: TrackedVerdict): number =>
  Number(a.verdict === 'live') - Number(b.verdict === 'live')

function entryPointsOf(state: ReportState, maxBytes: number): Exclude<StatusReport['entryPoints'], undefined> {
  const entryPoints = state.entryPoints?.map(({ name, address, protocol }) => ({ name, address, protocol })) ?? null
  // Half a list would say of the other half that it is not there.
  return entryPoints === null || bytesOf(JSON.stringify(entryPoints)) > maxBytes ? null : entryPoints
}

/**
 * @param reported null for a full report
 * @param details asked for the rows that are sent, and no others
 */
export function nextReport(
  state: ReportState,
  reported: Reported | null,
  reportSeq: number,
  details: RowDetails,
  maxBytes: number = MAX_REPORT_BYTES,
): NextReport {
  const { verdicts, answered, entryPoints: _entryPoints, openConnections, held, ...head } = state
  const before = reported !== null && reported.controlPlaneId === state.controlPlaneId ? reported : null
  // The first of several rows with one key is the one that is served.
  const current = new Map<RouteKey, TrackedVerdict>()
  for (const verdict of verdicts) if (!current.has(keyOf(verdict))) current.set(keyOf(verdict), verdict)
  const rowOf = (key: RouteKey, { verdict, reason, message, remedy, since }: TrackedVerdict): Row => ({
    verdict,
    reason,
    message,
    remedy,
    since,
    answered: answered.get(key) ?? null,
  })

  const known = before?.rows ?? new Map<RouteKey, Row>()
  const nameOf = namer(new Set([...current.keys(), ...known.keys()]))
  const allGone = [...known.keys()].filter(key => !current.has(key)).sort()
  const gone = fitting(allGone, maxBytes * SHARE.gone)
  const allChanged = [...current].filter(([key, verdict]) => {
    const was = known.get(key)
    return was === undefined || !isSame(was, rowOf(key, verdict))
  })
  allChanged.sort(([, a], [, b]) => byUrgency(a, b))

  const entryPoints = entryPointsOf(state, maxBytes * SHARE.entryPoints)
  const entryPointsKey = JSON.stringify(entryPoints)
  const connections = fitting(
    [...openConnections].filter(([key, count]) => count > 0 && current.has(key)),
    maxBytes * SHARE.connections,
  )
  const counts = countsOf(verdicts)
  const text = JSON.stringify({
    schema: REPORT_SCHEMA,
    reportSeq,
    full: before === null,
    ...head,
    held: held === null ? null : { hash: held.hash, removals: held.removals.slice(0, MAX_HELD) },
    counts,
    gone: gone.map(nameOf),
    openConnections: Object.fromEntries(connections.map(([key, count]) => [nameOf(key), count])),
    ...(before?.entryPoints === entryPointsKey ? {} : { entryPoints }),
  } satisfies Omit<StatusReport, 'verdicts'>)

  let left = maxBytes - bytesOf(text) - bytesOf(',"verdicts":[]')
  const rows: string[] = []
  const sent: [RouteKey, Row][] = []
  for (const [key, verdict] of allChanged) {
    const json = rowJson(verdict, answered.get(key) ?? null, before === null, details)
    left -= bytesOf(json) + 1
    if (left < 0 && rows.length > 0) break
    rows.push(json)
    sent.push([key, rowOf(key, verdict)])
  }

  const { lastPollAt: _lastPollAt, ...traefik } = head.traefik
  const headKey = JSON.stringify([
    head.epoch,
    head.revision,
    head.agentVersion,
    traefik,
    held?.hash,
    head.drift,
    counts,
  ])
  const after = new Map([...known, ...sent])
  for (const key of gone) after.delete(key)
  return {
    body: `${text.slice(0, -1)},"verdicts":[${rows.join(',')}]}`,
    reported: { controlPlaneId: state.controlPlaneId, rows: after, entryPoints: entryPointsKey, head: headKey },
    changed:
      before === null ||
      sent.length > 0 ||
      gone.length > 0 ||
      before.entryPoints !== entryPointsKey ||
      before.head !== headKey,
    more: sent.length < allChanged.length || gone.length < allGone.length,
  }
}
