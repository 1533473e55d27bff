/**
 * What `GET /events` sends: hints, never contents. Whoever hears one fetches what it names again. `event:` is the kind, `data:` the JSON.
 *
 * A burst is one event. Where more is named than fits, the list is null: all.
 */
import { z } from 'zod'

const time = z.iso.datetime()
const ids = z.array(z.string()).nullable().meta({ description: 'Null: any may have changed.' })

/** Somebody changed what is declared. */
export const ChangeEvent = z
  .object({ epoch: z.int(), revision: z.int(), at: time, serviceIds: ids, routeIds: ids })
  .meta({ id: 'ChangeEvent' })
export type ChangeEvent = z.infer<typeof ChangeEvent>

/** On these nodes these routes have another verdict. */
export const VerdictEvent = z
  .object({ epoch: z.int(), revision: z.int(), at: time, routeIds: ids, nodeIds: ids })
  .meta({ id: 'VerdictEvent' })
export type VerdictEvent = z.infer<typeof VerdictEvent>

/** These nodes are other than they were: a status, a revision, a version, an entry point. */
export const NodeEvent = z
  .object({ epoch: z.int(), revision: z.int(), at: time, nodeIds: ids })
  .meta({ id: 'NodeEvent' })
export type NodeEvent = z.infer<typeof NodeEvent>

/** Every five seconds, and first of all. Nothing for ten seconds: the link is lost. */
export const HeartbeatEvent = z
  .object({ at: time.meta({ description: 'The time of the server.' }), epoch: z.int(), revision: z.int() })
  .meta({ id: 'HeartbeatEvent' })
export type HeartbeatEvent = z.infer<typeof HeartbeatEvent>

export type ServerEvent =
  | { readonly event: 'change'; readonly data: ChangeEvent }
  | { readonly event: 'verdict'; readonly data: VerdictEvent }
  | { readonly event: 'node'; readonly data: NodeEvent }
  | { readonly event: 'heartbeat'; readonly data: HeartbeatEvent }
