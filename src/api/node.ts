/** Nodes on the wire: how they are, how far they are, and what they lack. */
import { z } from 'zod'
import { pageOf } from './page.ts'
import { protocolSchema, VerdictCounts } from './verdict.ts'

const time = z.iso.datetime()
const revision = z.union([z.int(), z.string()]).nullable()

export const MissingEntryPoint = z
  .object({
    name: z.string().meta({ example: 'tcp-10042' }),
    protocol: z.enum(['tcp', 'udp']),
    port: z.int(),
    /** What Traefik's static configuration lacks. */
    lines: z.string(),
    /** Routes that wait for it. */
    routeIds: z.array(z.string()),
  })
  .meta({ id: 'MissingEntryPoint' })
export type MissingEntryPoint = z.infer<typeof MissingEntryPoint>

export const HeldState = z
  .object({
    hash: z.string(),
    /** Routes that would go, as the node names them: `tcp/ID`. At most 500. */
    removals: z.array(z.string()),
    /** An operator has accepted just this, and the node has not acted on it yet. */
    accepted: z.boolean(),
  })
  .meta({ id: 'HeldState', description: 'A state whose removals the guard of the node holds back.' })
export type HeldState = z.infer<typeof HeldState>

export const Node = z
  .object({
    id: z.string(),
    name: z.string(),
    status: z.enum(['active', 'lost', 'retired']),
    version: z.int(),
    createdAt: time,
    lastSeenAt: time.nullable(),
    /** It has not been heard of for 90 s, or never: what became of its routes is not known. */
    silent: z.boolean(),
    revokedAt: time.nullable(),
    retiredAt: time.nullable(),
    agentVersion: z.string().nullable(),
    revision: z.object({
      /** That of the control plane, now. */
      current: z.int(),
      /** What the agent has taken, what it serves, and what Traefik was seen to have whole, by the last report. */
      expected: revision,
      served: revision,
      applied: z.int().nullable(),
      /** How many revisions `applied` is behind; null when nothing of this epoch was applied. */
      lag: z.int().nullable(),
    }),
    traefik: z
      .object({
        state: z.enum(['verified', 'unverified', 'down', 'never-polled']),
        version: z.string().nullable(),
        startedAt: time.nullable(),
        lastPollAt: time.nullable(),
      })
      .nullable(),
    /** Its routes by verdict; all `unknown` while it is silent. */
    counts: VerdictCounts,
    drift: z
      .object({ missing: z.int(), extra: z.int(), different: z.int(), disabled: z.int() })
      .nullable()
      .meta({ description: 'By the last report; null before the first.' }),
    held: HeldState.nullable(),
    /** Null: not known, since no report has named its entry points. */
    missingEntryPoints: z.array(MissingEntryPoint).nullable(),
    /** Over all routes, by the last report: what a restart of Traefik would cut. */
    openConnections: z.int(),
  })
  .meta({ id: 'Node' })
export type Node = z.infer<typeof Node>

export const NodePage = pageOf(Node).meta({ id: 'NodePage' })
export type NodePage = z.infer<typeof NodePage>

export const NodePatch = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/, '1 to 63 letters, digits, dots, hyphens, underscores'),
  })
  .meta({ id: 'NodePatch' })
export type NodePatch = z.infer<typeof NodePatch>

export const AcceptHeld = z
  .strictObject({ hash: z.string().min(1).max(200).meta({ description: '`held.hash` of the node, as it was shown.' }) })
  .meta({ id: 'AcceptHeld' })
export type AcceptHeld = z.infer<typeof AcceptHeld>

export const RetireNode = z
  .strictObject({
    /** The name of the node once more: what it serves it may serve on, and numbers that rested for it become free. */
    confirm: z.string(),
  })
  .meta({ id: 'RetireNode' })
export type RetireNode = z.infer<typeof RetireNode>

/** What a retirement risks; with `dryRun` it is only told. */
export const Retirement = z
  .object({
    node: Node,
    risks: z.array(z.string()),
    /** Numbers that rested for this node alone and may now be handed out. */
    freedPorts: z.array(z.object({ protocol: protocolSchema, port: z.int(), host: z.string() })),
  })
  .meta({ id: 'Retirement' })
export type Retirement = z.infer<typeof Retirement>
