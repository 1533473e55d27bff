/** What a write would do: the answer to `?dryRun=true`. Nothing is changed by it. */
import { z } from 'zod'
import { FieldFault } from './problem.ts'

export const DryRunQuery = z.object({
  dryRun: z
    .enum(['true', 'false'])
    .default('false')
    .transform(text => text === 'true')
    .meta({ description: 'True: says what would change, and changes nothing.' }),
})

/** What a change is from or to, as people read it. */
const value = z.union([z.string(), z.number(), z.boolean(), z.null(), z.array(z.string())])
export type PlanValue = z.output<typeof value>

export const PlanChange = z
  .object({
    op: z.enum(['add', 'change', 'remove', 'note']),
    /** `service`, `endpoint`, `address`, a field of a port, or the sentence of a note. */
    what: z.string(),
    before: value.optional(),
    after: value.optional(),
  })
  .meta({ id: 'PlanChange' })
export type PlanChange = z.output<typeof PlanChange>

export const Plan = z
  .object({
    changes: z.array(PlanChange),
    problems: z
      .array(FieldFault)
      .meta({ description: 'What the write would be refused for; empty: it would be taken.' }),
  })
  .meta({ id: 'Plan' })
export type Plan = z.output<typeof Plan>
