/** Who changed what, and when: one row for each change, in the order of the changes. */
import { z } from 'zod'
import { PageQuery, pageOf } from './page.ts'

export const ActorKind = z.enum(['token', 'session', 'node', 'system']).meta({ id: 'ActorKind' })

const word = z.string().min(1).max(200)

export const AuditQuery = PageQuery.extend({
  projectId: word.optional(),
  action: word.optional().meta({ description: '`service.create`, or all of a kind with `service.*`.' }),
  resourceKind: word.optional(),
  resourceId: word.optional(),
  actorId: word.optional(),
  since: z.iso.datetime({ offset: true }).optional().meta({ description: 'Not before this moment.' }),
  until: z.iso.datetime({ offset: true }).optional().meta({ description: 'Before this moment.' }),
}).meta({ id: 'AuditQuery' })
export type AuditQuery = z.infer<typeof AuditQuery>

export const SavedToLive = z
  .object({
    ms: z.number().min(0).meta({ description: 'On the slowest node, until the last of its routes was live there.' }),
    nodeId: z.string().meta({ description: 'The slowest node.' }),
    nodeName: z.string(),
    nodes: z.int().meta({ description: 'How many nodes have measured it.' }),
  })
  .meta({ id: 'SavedToLive' })
export type SavedToLive = z.infer<typeof SavedToLive>

export const AuditRow = z
  .object({
    id: z.int(),
    at: z.iso.datetime(),
    actor: z.object({
      kind: z.string(),
      id: z.string(),
      name: z.string().nullable().meta({ description: 'Null when it is gone.' }),
    }),
    action: z.string(),
    resource: z.object({ kind: z.string(), id: z.string() }),
    projectId: z.string().nullable(),
    before: z.unknown().meta({ description: 'The resource as it was, without secrets; null when it was made.' }),
    after: z.unknown().meta({ description: 'The resource as it is, without secrets; null when it was deleted.' }),
    requestId: z.string().nullable(),
    epoch: z.int().nullable(),
    revision: z
      .int()
      .nullable()
      .meta({ description: 'The revision that it made; null when nodes are told nothing new.' }),
    removedRoutes: z.array(z.string()),
    savedToLive: SavedToLive.nullable().meta({
      description:
        'Of this very change, whatever came after it. Null when no node measured it: it made no route live, a later change overtook it, or it is longer ago than the history of verdicts.',
    }),
  })
  .meta({ id: 'AuditRow' })
export type AuditRow = z.infer<typeof AuditRow>

export const AuditPage = pageOf(AuditRow).meta({ id: 'AuditPage' })
export type AuditPage = z.infer<typeof AuditPage>
