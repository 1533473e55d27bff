/** Chores of the host as calls: a new epoch, a one-time link. The export is a stream of lines and has no schema. */
import { z } from 'zod'

export const NewEpoch = z
  .object({
    epoch: z.int(),
    revision: z.int(),
    restedPorts: z.int().meta({ description: 'Free numbers that rest until every node has confirmed the new epoch.' }),
  })
  .meta({ id: 'NewEpoch' })
export type NewEpoch = z.infer<typeof NewEpoch>

export const LoginLink = z
  .object({
    url: z.string().meta({ description: 'Works once. Shown this once; we keep a hash.' }),
    expiresAt: z.iso.datetime(),
  })
  .meta({ id: 'LoginLink' })
export type LoginLink = z.infer<typeof LoginLink>
