/** The first page of the console in one answer. */
import { z } from 'zod'
import { AuditRow } from './audit.ts'
import { Pool } from './pool.ts'
import { reasonSchema, routeVerdictSchema, VerdictCounts } from './verdict.ts'

const time = z.iso.datetime()

export const Attention = z
  .object({
    kind: z.enum(['route', 'node']),
    /** A node with a held state is `held`, one that lacks entry points `waiting`, a silent or lost one `unknown`. */
    verdict: routeVerdictSchema,
    reason: reasonSchema,
    /** The name of the service, or of the node. */
    name: z.string(),
    message: z.string(),
    remedy: z.string(),
    since: time.nullable(),
    routeId: z.string().nullable(),
    serviceId: z.string().nullable(),
    nodeId: z.string().nullable(),
    /** Of the node that says so. */
    nodeName: z.string().nullable(),
    /** How many nodes say so of this route. */
    nodes: z.int(),
  })
  .meta({ id: 'Attention' })
export type Attention = z.infer<typeof Attention>

export const Overview = z
  .object({
    at: time,
    epoch: z.int(),
    revision: z.int(),
    routes: z.object({ total: z.int(), byVerdict: VerdictCounts }),
    nodes: z.object({
      total: z.int(),
      reporting: z.int(),
      silent: z.int(),
      items: z.array(
        z.object({
          id: z.string(),
          name: z.string(),
          status: z.enum(['active', 'lost', 'retired']),
          silent: z.boolean(),
          lastSeenAt: time.nullable(),
          lag: z.int().nullable(),
          live: z.int(),
          total: z.int(),
        }),
      ),
    }),
    pools: z.array(Pool),
    /** Worst first; `attentionTotal` counts those that are left out, too. */
    attention: z.array(Attention),
    attentionTotal: z.int(),
    /** When a route last stopped being live, as far as that is kept. */
    lastTroubleAt: time.nullable(),
    /** Milliseconds from saved to live, of the last hundred changes that were measured; null when none was. */
    savedToLiveMs: z.object({ median: z.number(), worst: z.number(), count: z.int() }).nullable(),
    lastChanges: z.array(AuditRow),
  })
  .meta({ id: 'Overview' })
export type Overview = z.infer<typeof Overview>
