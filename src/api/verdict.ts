/**
 * What became of a route, as the control plane says it: the words of the nodes, and two of its own for what no node can say.
 *
 * `unknown`: the node is silent, so nobody knows. `gone`: the route is no more.
 */
import { z } from 'zod'
import type { Verdict } from '../core/verdict.ts'
import { REASONS, type ReasonCode, VERDICTS } from '../core/verdict.ts'

export type RouteVerdict = Verdict | 'unknown' | 'gone'

/** Worst first: what a person has to look at before the rest. The verdict of a route is the worst of its nodes, that of a service the worst of its routes. */
export const WORST_FIRST: readonly RouteVerdict[] = [
  'held',
  'refused',
  'waiting',
  'rejected',
  'conflicted',
  'degraded',
  'unknown',
  'pending',
  'live',
  'gone',
]

/** Below 0 when `one` is worse. */
export const compareVerdicts = (one: RouteVerdict, other: RouteVerdict): number =>
  WORST_FIRST.indexOf(one) - WORST_FIRST.indexOf(other)

type OwnReason = { readonly verdict: RouteVerdict; readonly meaning: string; readonly remedy: string }

const ownReasons = {
  NOT_YET_FETCHED: {
    verdict: 'pending',
    meaning: 'The node has not confirmed the revision in which the route last changed.',
    remedy: 'It usually takes milliseconds. If it lasts, look at the node: its agent, then its Traefik.',
  },
  NOT_YET_TOLD: {
    verdict: 'pending',
    meaning: 'The node has not told yet what became of each of its routes.',
    remedy: 'It goes on telling by itself. Nothing to do.',
  },
  NODE_AHEAD: {
    verdict: 'pending',
    meaning: 'The node has a later revision than this control plane knows, so what it says is of another past.',
    remedy: 'If the database was restored from a backup, run fairlead control raise-epoch.',
  },
  NO_NODES: {
    verdict: 'pending',
    meaning: 'There is no node that could serve the route.',
    remedy: 'Enrol a node: make an enrolment token, and run the command that comes with it.',
  },
  NODE_SILENT: {
    verdict: 'unknown',
    meaning: 'The node has said nothing for too long.',
    remedy: 'Look whether its agent runs: systemctl status fairlead-agent. Its routes go on as they were.',
  },
  NODE_NEVER_REPORTED: {
    verdict: 'unknown',
    meaning: 'The node has been enrolled and has not reported yet.',
    remedy: 'Start its agent: systemctl start fairlead-agent.',
  },
  REMOVED: { verdict: 'gone', meaning: 'The route is no more.', remedy: 'Nothing to do.' },
} as const satisfies Record<string, OwnReason>

export type OwnReasonCode = keyof typeof ownReasons
export type RouteReason = ReasonCode | OwnReasonCode

/** Every reason that a verdict in this API can have. */
export const ROUTE_REASONS: Readonly<Record<RouteReason, OwnReason>> = { ...REASONS, ...ownReasons }

export const routeVerdictSchema = z
  .enum([...VERDICTS, 'unknown', 'gone'])
  .meta({ id: 'RouteVerdict', description: 'What became of a route.' })

const isReason = (text: string): text is RouteReason => Object.hasOwn(ROUTE_REASONS, text)

/** A code that this version does not know is let through as text: a node may be newer than its control plane. */
export const reasonSchema = z.string().meta({
  id: 'RouteReason',
  description: `Why, as a stable code; one of ${Object.keys(ROUTE_REASONS).join(', ')}, or that of a newer node.`,
})

/** The table's entry for a code, or null for one that only a newer node knows. */
export const reasonOf = (code: string): OwnReason | null => (isReason(code) ? ROUTE_REASONS[code] : null)

export const protocolSchema = z.enum(['http', 'tcp', 'udp']).meta({ id: 'Protocol' })

/** How many by verdict. Every word is there. */
export const VerdictCounts = z
  .object({
    live: z.int(),
    pending: z.int(),
    rejected: z.int(),
    refused: z.int(),
    conflicted: z.int(),
    waiting: z.int(),
    degraded: z.int(),
    held: z.int(),
    unknown: z.int(),
  })
  .meta({ id: 'VerdictCounts' })
export type VerdictCounts = z.infer<typeof VerdictCounts>
