/** A session of the console: opened with an API token or a one-time code, held in a cookie that no script can read. */
import { z } from 'zod'
import { Scope } from './token.ts'

export const SessionInput = z
  .strictObject({
    token: z.string().min(1).max(200).meta({ description: 'An API token, or the code of a one-time link.' }),
  })
  .meta({ id: 'SessionInput' })
export type SessionInput = z.infer<typeof SessionInput>

export const Session = z
  .object({
    /** Of the token that opened it, or `admin link`. */
    name: z.string(),
    scopes: z.array(Scope),
    projectId: z.string().nullable(),
    createdAt: z.iso.datetime(),
    expiresAt: z.iso.datetime().meta({ description: 'However it is used.' }),
    idleTimeoutSeconds: z.int().meta({ description: 'It ends when it is not used for so long.' }),
  })
  .meta({ id: 'Session' })
export type Session = z.infer<typeof Session>
