/** What an agent is answered: its expected state. docs/contract.md has the whole of it. */
import { z } from 'zod'

const routes = z.array(z.looseObject({ id: z.string() }))

export const ExpectedStateDocument = z
  .object({
    schema: z.literal(1),
    controlPlaneId: z.string(),
    serverId: z.string(),
    serverName: z.string(),
    epoch: z.int(),
    revision: z.int(),
    acceptedHash: z.string().nullable().meta({ description: 'A held state that an operator accepted.' }),
    probes: z
      .array(z.object({ id: z.string(), requestId: z.string() }))
      .optional()
      .meta({ description: 'Routes that somebody wants to have probed now; for half a minute.' }),
    removed: z.array(z.string()).meta({
      description: 'Routes that left the state on purpose: since what the node last applied, and of seven days.',
    }),
    traefik: z.object({ routes, tcpRoutes: routes, udpRoutes: routes }),
  })
  .meta({ id: 'ExpectedStateDocument' })
export type ExpectedStateDocument = z.infer<typeof ExpectedStateDocument>

export const ExpectedStateHeaders = z.looseObject({
  'if-none-match': z.string().max(2000).optional().meta({ description: 'The ETag of what the node has.' }),
  prefer: z.string().max(1000).optional().meta({
    description:
      '`wait=25` (RFC 7240): hold the answer until there is something new, so many seconds at most, and at most 60.',
  }),
})
