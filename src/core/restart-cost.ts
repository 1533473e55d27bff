/** What a restart of Traefik would cost: it opens ports at its start only, and its end cuts every connection that stands. */
import type { RouteVerdict } from './judge.ts'
import type { ObservedEntryPoint } from './observed.ts'
import type { ReasonCode } from './verdict.ts'

/** Null: Traefik does not tell. */
export type RestartCost = { readonly openConnections: number | null }

const NEEDS_RESTART: ReadonlySet<ReasonCode> = new Set<ReasonCode>([
  'ENTRY_POINT_MISSING',
  'ENTRY_POINT_WRONG_PROTOCOL',
])

export const needsRestart = ({ reason }: Pick<RouteVerdict, 'reason'>): boolean => NEEDS_RESTART.has(reason)

/** Where Traefik's API answers when nothing else is said (`api.insecure`). */
const API_ENTRY_POINT = 'traefik'

/**
 * The connections of users, summed up: those to Traefik's API are our own.
 * @param byEntryPoint from Traefik's metrics; null when it has none
 * @param api `http://127.0.0.1:8080`, where its API is asked
 */
export function restartCost(
  byEntryPoint: ReadonlyMap<string, number> | null,
  entryPoints: readonly ObservedEntryPoint[],
  api: string | null,
): RestartCost {
  if (byEntryPoint === null) return { openConnections: null }
  const port = api === null ? '' : new URL(api).port
  const ours = new Set([
    API_ENTRY_POINT,
    ...entryPoints.filter(one => String(one.port) === port).map(({ name }) => name),
  ])
  const counts = [...byEntryPoint].map(([name, count]) => (ours.has(name) ? 0 : count))
  return { openConnections: counts.reduce((sum, count) => sum + count, 0) }
}

/** `a restart would cut 12 open connections`. */
export function restartCostText({ openConnections }: RestartCost): string {
  if (openConnections === null)
    return 'how many open connections a restart would cut is not known: metrics are not on the API address'
  if (openConnections === 0) return 'a restart would cut no open connection'
  return `a restart would cut ${openConnections === 1 ? '1 open connection' : `${openConnections} open connections`}`
}

/** Whoever waits for an entry point is told what it costs to open it, before the lines to be copied. */
export function withRestartCost(verdicts: readonly RouteVerdict[], cost: RestartCost): readonly RouteVerdict[] {
  const text = restartCostText(cost)
  const first = `${text.charAt(0).toUpperCase()}${text.slice(1)}.`
  return verdicts.map(verdict =>
    needsRestart(verdict) ? { ...verdict, remedy: `${first} ${verdict.remedy}` } : verdict,
  )
}
