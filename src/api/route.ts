/** Routes on the wire: for each node what became of it, why, and how that is known. The id of a route is that of its service port. */
import { z } from 'zod'
import { STEPS } from '../core/explain.ts'
import { protocolSchema, reasonSchema, routeVerdictSchema } from './verdict.ts'

const time = z.iso.datetime()

/** The verdict of one node, without how it came to be. */
export const RouteOnNodeSummary = z
  .object({ nodeId: z.string(), verdict: routeVerdictSchema, reason: reasonSchema, since: time.nullable() })
  .meta({ id: 'RouteOnNodeSummary' })
export type RouteOnNodeSummary = z.infer<typeof RouteOnNodeSummary>

export const RouteRow = z
  .object({
    id: z.string(),
    serviceId: z.string(),
    projectId: z.string(),
    /** The name of the service. */
    name: z.string(),
    protocol: protocolSchema,
    /** `proxy.example.com:10001`, `db.example.com:443`, `app.example.com/path`. */
    address: z.string(),
    /** The worst of its nodes. */
    verdict: routeVerdictSchema,
    reason: reasonSchema,
    /** Of the worst verdict; null for `live`, which no row is kept of. */
    since: time.nullable(),
    /** Nodes on which it is not live. */
    notLive: z.array(RouteOnNodeSummary),
  })
  .meta({ id: 'RouteRow', description: 'With `fields=`, only the named ones and `id`.' })
export type RouteRow = z.infer<typeof RouteRow>

export const ROUTE_ROW_FIELDS = [
  'id',
  'serviceId',
  'projectId',
  'name',
  'protocol',
  'address',
  'verdict',
  'reason',
  'since',
  'notLive',
] as const satisfies readonly (keyof RouteRow)[]

export const SlimRouteRow = RouteRow.partial().required({ id: true }).meta({ id: 'SlimRouteRow' })
export type SlimRouteRow = z.infer<typeof SlimRouteRow>

export const RoutePage = z
  .object({
    items: z.array(SlimRouteRow),
    nextCursor: z.string().nullable(),
    /** All that the filters leave, on every page. */
    total: z.int(),
  })
  .meta({ id: 'RoutePage' })
export type RoutePage = z.infer<typeof RoutePage>

export const RouteStep = z
  .object({
    step: z.enum(STEPS),
    /** Null: not known, or not tried. */
    ok: z.boolean().nullable(),
    at: time.nullable(),
    detail: z.string(),
    /** On `probed`: the request of a person that it answers. */
    requestId: z.string().optional(),
  })
  .meta({ id: 'RouteStep' })
export type RouteStep = z.infer<typeof RouteStep>

export const RouteConfiguration = z
  .object({
    /** `served`: the node says that Traefik gets this. `compiled`: made here, with the same code, of what is expected; where the route is not live, what it would become. */
    origin: z.enum(['served', 'compiled']),
    routers: z.record(z.string(), z.unknown()),
    services: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'RouteConfiguration' })
export type RouteConfiguration = z.infer<typeof RouteConfiguration>

export const RouteOnNode = z
  .object({
    nodeId: z.string(),
    nodeName: z.string(),
    nodeStatus: z.enum(['active', 'lost', 'retired']),
    silent: z.boolean(),
    lastSeenAt: time.nullable(),
    verdict: routeVerdictSchema,
    reason: reasonSchema,
    /** One sentence. */
    message: z.string(),
    remedy: z.string(),
    /** What the node said last, when it is silent now. */
    was: routeVerdictSchema.nullable(),
    since: time.nullable(),
    /** Of the state of which the verdict speaks. */
    revision: z.union([z.int(), z.string()]).nullable(),
    chain: z.array(RouteStep),
    /** The first link that is broken; null when none is known to be. */
    brokenAt: z.enum(STEPS).nullable(),
    /** By stage; `savedToLive` is that from the transaction that saved the change until the node saw it live. Empty when nobody measured. */
    timingsMs: z.record(z.string(), z.number()),
    /** Null: not known. */
    openConnections: z.int().nullable(),
    configuration: RouteConfiguration.nullable(),
  })
  .meta({ id: 'RouteOnNode' })
export type RouteOnNode = z.infer<typeof RouteOnNode>

export const Route = RouteRow.omit({ notLive: true })
  .extend({
    /** The revision in which it last changed. */
    revision: z.int(),
    savedAt: time,
    preset: z.string().nullable(),
    nodes: z.array(RouteOnNode),
  })
  .meta({ id: 'Route' })
export type Route = z.infer<typeof Route>

export const VerdictChange = z
  .object({
    id: z.string(),
    nodeId: z.string(),
    nodeName: z.string(),
    verdict: routeVerdictSchema,
    reason: reasonSchema,
    message: z.string(),
    revision: z.int().nullable(),
    /** When the node saw it. */
    at: time,
    timingsMs: z.record(z.string(), z.number()),
  })
  .meta({ id: 'VerdictChange' })
export type VerdictChange = z.infer<typeof VerdictChange>

export const VerdictHistory = z
  .object({ items: z.array(VerdictChange), nextCursor: z.string().nullable() })
  .meta({ id: 'VerdictHistory', description: 'Newest first; what is older than the settings keep is gone.' })
export type VerdictHistory = z.infer<typeof VerdictHistory>

export const ProbeRequest = z
  .object({
    /** Comes back on the `probed` link of each node. */
    requestId: z.string(),
    /** Those that are asked: the active ones that are not silent. */
    nodeIds: z.array(z.string()),
    /** After this nobody asks any more. */
    expiresAt: time,
  })
  .meta({ id: 'ProbeRequest' })
export type ProbeRequest = z.infer<typeof ProbeRequest>
