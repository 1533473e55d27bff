/** How a node comes in: an admin makes a token, the machine that has it sends its public key, once. */
import { z } from 'zod'

const time = z.iso.datetime()

export const NodeName = z
  .string()
  .regex(/^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/, '1 to 63 letters, digits, dots, hyphens, underscores')

export const EnrollmentTokenInput = z
  .strictObject({
    nodeName: NodeName.nullish().meta({
      description:
        'The only name that may be enrolled with it. Needed to give a revoked node a new key; absent: any name that is free.',
    }),
    ttlSeconds: z
      .int()
      .min(60)
      .max(7 * 86_400)
      .default(3600)
      .meta({ description: 'How long it can be used.' }),
  })
  .meta({ id: 'EnrollmentTokenInput' })
export type EnrollmentTokenInput = z.infer<typeof EnrollmentTokenInput>

export const EnrollmentToken = z
  .object({
    id: z.string(),
    token: z.string().meta({ description: 'Shown this once; we keep a hash.' }),
    command: z.string().meta({ description: 'To be run on the node.' }),
    nodeName: z.string().nullable(),
    expiresAt: time,
  })
  .meta({ id: 'EnrollmentToken' })
export type EnrollmentToken = z.infer<typeof EnrollmentToken>

export const EnrollInput = z
  .strictObject({
    token: z.string().min(1).max(200),
    publicKey: z
      .string()
      .regex(/^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/, 'is not the Base64 of 32 bytes')
      .meta({ description: 'Ed25519, 32 bytes as Base64. The private half never leaves the node.' }),
    name: NodeName,
    version: z.string().min(1).max(100).meta({ description: 'Of the agent.' }),
  })
  .meta({ id: 'EnrollInput' })
export type EnrollInput = z.infer<typeof EnrollInput>

export const Enrolled = z
  .object({ serverId: z.string(), controlPlaneId: z.string(), epoch: z.int() })
  .meta({ id: 'Enrolled' })
export type Enrolled = z.infer<typeof Enrolled>
