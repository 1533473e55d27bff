/** The numbers of a protocol: how they are spread, and what each of them is. */
import { z } from 'zod'

export const L4Protocol = z.enum(['tcp', 'udp']).meta({ id: 'L4Protocol' })
export type L4Protocol = z.output<typeof L4Protocol>

export const SharedPort = z
  .object({
    port: z.int(),
    /** Host names on it, of all projects. */
    hosts: z.int(),
    /** Every active node has it as an entry point. */
    declared: z.boolean(),
  })
  .meta({ id: 'SharedPort' })
export type SharedPort = z.output<typeof SharedPort>

export const Pool = z
  .object({
    protocol: L4Protocol,
    range: z.string().meta({ example: '10000-10099' }),
    total: z.int(),
    free: z.int(),
    used: z.int(),
    resting: z.int(),
    reserved: z.int(),
    undeclared: z.int(),
    shared: z.array(SharedPort),
    /** The number that the next port gets; null: none. */
    next: z.int().nullable(),
    /** Nodes for which something rests. */
    blockedBy: z.array(z.string()),
  })
  .meta({ id: 'Pool' })
export type Pool = z.output<typeof Pool>

export const PoolList = z.object({ items: z.array(Pool) }).meta({ id: 'PoolList' })
export type PoolList = z.output<typeof PoolList>

export const PortState = z
  .enum(['free', 'used', 'resting', 'reserved', 'shared', 'undeclared'])
  .meta({ id: 'PortState' })
export type PortState = z.output<typeof PortState>

/** Who has a number. Of another project than the asker's only that somebody has it. */
export const PoolOwner = z
  .object({
    projectId: z.string(),
    projectName: z.string(),
    serviceId: z.string(),
    serviceName: z.string(),
    portId: z.string(),
    host: z.string().nullable().meta({ description: 'The name that it has on a shared number.' }),
  })
  .meta({ id: 'PoolOwner' })
export type PoolOwner = z.output<typeof PoolOwner>

export const Blocker = z
  .object({
    nodeId: z.string(),
    nodeName: z.string(),
    status: z.enum(['active', 'lost']),
    lastSeenAt: z.string().nullable(),
  })
  .meta({ id: 'Blocker', description: 'A node that has not acknowledged a revision without the old route.' })
export type Blocker = z.output<typeof Blocker>

export const PoolPort = z
  .object({
    port: z.int(),
    state: PortState,
    inPool: z
      .boolean()
      .meta({ description: 'False: the settings do not have it any more, and it is still in use or rests.' }),
    owner: PoolOwner.nullable().meta({ description: 'Null: nobody, several by host name, or one of another project.' }),
    owners: z.array(PoolOwner).meta({ description: 'By host name, on a shared number: those that the asker may see.' }),
    ownerCount: z.int().meta({ description: 'All of them, seen or not.' }),
    since: z.string().nullable(),
    restsUntil: z
      .string()
      .nullable()
      .meta({ description: 'When its least time is over; nodes in `blockedBy` may hold it longer.' }),
    blockedBy: z.array(Blocker),
    note: z.string().nullable(),
    blockStart: z.int().nullable().meta({ description: 'The first number of the block that it belongs to.' }),
    blockEnd: z.int().nullable(),
  })
  .meta({ id: 'PoolPort' })
export type PoolPort = z.output<typeof PoolPort>

/** The pool's numbers at once: there are never more than 65 535. */
export const PoolPorts = z.object({ items: z.array(PoolPort), nextCursor: z.null() }).meta({ id: 'PoolPorts' })
export type PoolPorts = z.output<typeof PoolPorts>

const note = z
  .string()
  .trim()
  .max(200)
  .refine(text => !/[\p{Cc}\p{Cf}]/u.test(text), 'is not printable text')

export const ReserveInput = z
  .strictObject({ note: note.nullable().default(null).meta({ description: 'Why; everybody sees it.' }) })
  .meta({ id: 'ReserveInput' })
export type ReserveInput = z.output<typeof ReserveInput>

export const FreeInput = z
  .strictObject({
    host: z
      .string()
      .max(300)
      .default('')
      .meta({ description: 'A host name on a shared number; empty: the number itself.' }),
  })
  .meta({ id: 'FreeInput' })
export type FreeInput = z.output<typeof FreeInput>

export const PoolPortParams = z.object({
  protocol: L4Protocol,
  number: z.coerce.number().int().min(1).max(65_535),
})
export type PoolPortParams = z.output<typeof PoolPortParams>
